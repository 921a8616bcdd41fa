using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace RetentionFunctions.Torture.Fuzz;

/// <summary>
/// The targets under mutated inputs: some thousands in every run, for <c>FUZZ_MINUTES</c> a target where that is set. Guided by coverage they are run from a scratch folder
/// (docs/measured.md, "Fuzzing"); what that found stands below.
/// </summary>
public class FuzzTests(ITestOutputHelper output)
{
    // What readers of JSON, of numbers, of keys and of times trip over.
    private static readonly string[] Pieces =
    [
        "\"", "\\", "{", "}", "[", "]", ",", ":", "null", "true", "-1", "0", "1e400", "9223372036854775807", "253402300799", "79228162514264337593543950335", "\\ud83d", "\\u0000", "\uFEFF", "\"id\":", "\"customer\":",
        "\"currency\":", "\"amount_due\":", "\"batch\":", "\"userId\":", "\"timestamp\":", "\"sentAt\":", "customer.subscription.deleted", "invoice.payment_failed", "past_due", "9999-12-31T23:59:59Z", "0001-01-01",
    ];

    [Theory]
    [InlineData("stripe")]
    [InlineData("segment")]
    [InlineData("links")]
    [InlineData("mail")]
    public void Whatever_comes_in_no_promise_is_broken(string target) => Form.WithDice(dice =>
    {
        var minutes = int.TryParse(Environment.GetEnvironmentVariable("FUZZ_MINUTES"), NumberStyles.None, CultureInfo.InvariantCulture, out var given) ? given : 0;
        var seeds = FuzzSeeds.Of(target).ToList();
        foreach (var seed in seeds) FuzzTargets.All[target](seed);
        var (watch, runs) = (Stopwatch.StartNew(), 0);
        for (; minutes > 0 ? watch.Elapsed.TotalMinutes < minutes : runs < Form.Times(3_000, 200_000); runs++)
        {
            var input = Mutated(dice, dice.Pick(seeds), dice.Pick(seeds));
            try
            {
                FuzzTargets.All[target](input);
            }
            catch (Exception e)
            {
                throw new InvalidOperationException($"{e.Message} With {Convert.ToBase64String(input)}", e);
            }
        }
        output.WriteLine($"{target}: {runs} mutated inputs in {watch.Elapsed.TotalSeconds:F0} s");
    });

    public static TheoryData<string, string> Found => new()
    {
        // Ids, each within its own bound, whose key had over 512 characters: ten failures, then a dead letter.
        { "stripe", $$"""{"id":"evt_1","object":"event","api_version":"2024-06-20","created":1750000000,"livemode":false,"type":"customer.created","data":{"object":{"id":"cus_{{new string('#', 120)}}","object":"customer"} } }""" },
        { "stripe", $$"""{"id":"evt_{{new string('%', 120)}}","object":"event","api_version":"2024-06-20","created":1750000000,"livemode":false,"type":"customer.created","data":{"object":{"id":"cus_1","object":"customer"} } }""" },
        { "stripe", $$"""{"id":"evt_1","object":"event","api_version":"2024-06-20","created":1750000000,"livemode":false,"type":"charge.failed","data":{"object":{"id":"ch_{{new string('#', 120)}}","object":"charge","amount":1,"currency":"usd"} } }""" },
        { "stripe", $$"""{"id":"evt_{{new string('e', 200)}}","object":"event","api_version":"2024-06-20","created":1750000000,"livemode":false,"type":"customer.subscription.updated","data":{"object":{"id":"sub_{{new string('s', 200)}}","object":"subscription","customer":"cus_{{new string('c', 200)}}","status":"active","created":1750000000,"currency":"usd","items":{"data":[]} } } }""" },
        // A currency that is none became part of a key too.
        { "stripe", $$"""{"id":"evt_1","object":"event","api_version":"2024-06-20","created":1750000000,"livemode":false,"type":"customer.subscription.created","data":{"object":{"id":"sub_1","object":"subscription","customer":"cus_1","status":"active","created":1750000000,"currency":"{{new string('x', 600)}}","items":{"data":[{"price":{"unit_amount":100,"recurring":{"interval":"month"} } }] } } } }""" },
        { "segment", $$"""{{'\0'}}{"type":"track","userId":"{{new string('u', 250)}}","event":"X","messageId":"m"}""" },
        { "segment", $$"""{{'\0'}}{"type":"track","userId":"u","event":"X","messageId":"{{new string('|', 100)}}"}""" },
        { "segment", $$$"""{{{'\u0001'}}}{"type":"identify","userId":"u-7","messageId":"m","traits":{"stripeCustomerId":"c{{{new string('%', 120)}}}"}}""" },
        // A name with half of a surrogate pair: 500, and SDKs that send it for ever.
        { "segment", "\0{\"type\":\"track\",\"userId\":\"u-7\",\"\\ud83devent\":\"X\",\"event\":\"X\"}" },
        { "segment", "\u0006{\"\\ud83dbatch\":1,\"bat\\u0063h\":[]}" },
        { "mail", "[{\"retention_mail\":\"cus_Ada|winback|2026-03-01|1\",\"event\":\"open\",\"sg_event_id\":\"e\",\"\\ud83dtimestamp\":1}]" },
        // What was signed by us and is of another form.
        { "links", "\u0004not json" },
        { "links", "\u0004[\"cus_Ada\",\"Pay\",\"dunning\",\"in_1\",\"one\",null,\"soon\"]" },
        { "links", "\u0004[\"cus_Ada\",\"99\",\"dunning\",\"in_1\",\"1\",null,\"999999999999999999\"]" },
    };

    [Theory, MemberData(nameof(Found))]
    public void What_a_fuzzer_found_is_refused_in_words_or_handled(string target, string input) => FuzzTargets.All[target](Encoding.UTF8.GetBytes(input));

    private static byte[] Mutated(Random dice, byte[] seed, byte[] other)
    {
        var bytes = new List<byte>(seed);
        for (var n = dice.Next(1, 6); n > 0 && bytes.Count > 0; n--)
        {
            var at = dice.Next(bytes.Count);
            switch (dice.Next(6))
            {
                case 0: bytes[at] = (byte)dice.Next(256); break;
                case 1: bytes.RemoveRange(at, Math.Min(dice.Next(1, 20), bytes.Count - at)); break;
                case 2: bytes.InsertRange(at, Encoding.UTF8.GetBytes(dice.Pick(Pieces))); break;
                case 3: bytes.InsertRange(at, Enumerable.Repeat(bytes[at], dice.Next(1, 300))); break;
                case 4: bytes.InsertRange(at, other.Skip(dice.Next(other.Length)).Take(dice.Next(1, 60))); break;
                default: bytes[at] ^= (byte)(1 << dice.Next(8)); break;
            }
        }
        return [.. bytes];
    }
}
