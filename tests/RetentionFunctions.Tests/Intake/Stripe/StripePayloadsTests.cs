using System.Text;
using System.Text.Json.Nodes;
using RetentionFunctions.Intake;
using RetentionFunctions.Intake.Stripe;
using RetentionFunctions.Settings;

namespace RetentionFunctions.Tests.Intake.Stripe;

/// <summary>Real and officially shaped payloads, where they lie beside the repository; and payloads that nobody ever sent.</summary>
public class StripePayloadsTests
{
    internal static readonly Dictionary<string, string[]> TypesOf = new()
    {
        ["customer"] = ["customer.created", "customer.updated", "customer.deleted"],
        ["subscription"] =
        [
            "customer.subscription.created", "customer.subscription.updated", "customer.subscription.deleted", "customer.subscription.paused", "customer.subscription.resumed",
            "customer.subscription.trial_will_end",
        ],
        ["invoice"] =
        [
            "invoice.created", "invoice.finalized", "invoice.paid", "invoice.payment_succeeded", "invoice.payment_failed", "invoice.payment_action_required", "invoice.upcoming",
            "invoice.voided", "invoice.marked_uncollectible",
        ],
        ["invoice_payment"] = ["invoice_payment.paid"],
        ["charge"] = ["charge.failed", "charge.refunded"],
        ["dispute"] = ["charge.dispute.created"],
        ["payment_intent"] = ["payment_intent.payment_failed"],
        ["payment_method"] = ["payment_method.attached", "payment_method.updated", "payment_method.automatically_updated", "payment_method.card_automatically_updated"],
        ["checkout.session"] = ["checkout.session.completed"],
    };

    private static string Folder()
    {
        var directory = new DirectoryInfo(AppContext.BaseDirectory);
        while (directory is not null && !File.Exists(Path.Combine(directory.FullName, "RetentionFunctions.sln"))) directory = directory.Parent;
        var folder = Path.GetFullPath(Path.Combine(directory?.FullName ?? ".", "..", "shared", "data", "stripe"));
        Assert.SkipUnless(Directory.Exists(folder), "The folder ../shared/data/stripe is not beside this repository.");
        return folder;
    }

    [Fact]
    public void Every_captured_event_of_a_handled_type_is_read()
    {
        var read = 0;
        foreach (var file in Directory.EnumerateFiles(Folder(), "*.json", SearchOption.AllDirectories).Where(f => !Path.GetFileName(f).StartsWith("objects-", StringComparison.Ordinal)))
        {
            var body = File.ReadAllBytes(file);
            var envelope = StripeEnvelope.Read(body);
            if (!StripeReader.Handles(envelope.Type)) continue;
            Assert.Equal(envelope.Id, StripeReader.Read(body, new CustomerSettings()).Stamp.EventId);
            read++;
        }
        Assert.True(read >= 15, $"only {read} were of a handled type");
    }

    [Fact]
    public void Every_published_object_is_read_in_the_events_that_carry_it()
    {
        var read = 0;
        foreach (var file in Directory.EnumerateFiles(Folder(), "objects-asof-*.json"))
        {
            foreach (var (kind, about) in JsonNode.Parse(File.ReadAllBytes(file))!.AsObject())
            {
                foreach (var type in TypesOf.GetValueOrDefault(kind, []))
                {
                    var paid = about!.DeepClone().AsObject();
                    // The published example of an invoice payment is one that is not paid: what an event of paid always has is filled in.
                    if (kind == "invoice_payment") paid["amount_paid"] ??= 100;
                    StripeReader.Read(StripeFixtures.Event("2020-08-27", type, paid).Bytes(), new CustomerSettings());
                    read++;
                }
            }
        }
        Assert.True(read >= 150, $"only {read} were read");
    }

    private static readonly string[] Base = [.. from version in StripeFixtures.Versions from type in StripeEventTypes.Meanings.Keys.Order() select StripeFixtures.EventOf(version, type).ToJsonString()];

    /// <summary>Three thousand random mutations; the seed is in the message, so that a failure can be repeated.</summary>
    [Fact]
    public void Whatever_comes_in_is_read_or_refused_and_nothing_else()
    {
        var refused = 0;
        const int Tries = 3000;
        for (var seed = 0; seed < Tries; seed++)
        {
            var random = new Random(seed);
            var body = Mutated(Base[random.Next(Base.Length)], random);
            try
            {
                StripeEnvelope.Read(body);
                StripeReader.Read(body, new CustomerSettings { TemporaryDiscountsReduceMrr = random.Next(2) == 0 });
            }
            catch (UnreadableException)
            {
                refused++;
            }
            catch (Exception e)
            {
                Assert.Fail($"seed {seed}: {e.GetType().Name} {e.Message}\n{Encoding.UTF8.GetString(body)}");
            }
        }
        // Neither all nor none: otherwise the mutations would not try anything.
        Assert.InRange(refused, Tries / 10, Tries * 9 / 10);
    }

    private static byte[] Mutated(string json, Random random)
    {
        var node = JsonNode.Parse(json)!;
        for (var times = random.Next(1, 5); times > 0; times--)
        {
            var spots = Spots(node).ToList();
            var (parent, name, index) = spots[random.Next(spots.Count)];
            var action = random.Next(4);
            if (parent is JsonObject o)
            {
                if (action == 0) o.Remove(name!);
                else if (action == 1 && random.Next(4) == 0) o["extra\u0000"] = Other(random);
                else o[name!] = Other(random);
            }
            else parent.AsArray()[index] = Other(random);
        }
        var bytes = Encoding.UTF8.GetBytes(node.ToJsonString());
        if (random.Next(5) == 0) bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
        if (random.Next(20) == 0) bytes = bytes[..random.Next(bytes.Length)];
        return bytes;
    }

    private static IEnumerable<(JsonNode Parent, string? Name, int Index)> Spots(JsonNode? node)
    {
        if (node is JsonObject o)
        {
            foreach (var (name, value) in o)
            {
                yield return (o, name, 0);
                foreach (var spot in Spots(value)) yield return spot;
            }
        }
        else if (node is JsonArray a)
        {
            for (var i = 0; i < a.Count; i++)
            {
                yield return (a, null, i);
                foreach (var spot in Spots(a[i])) yield return spot;
            }
        }
    }

    private static JsonNode? Other(Random random) => random.Next(14) switch
    {
        0 => null,
        1 => "",
        2 => "text",
        3 => 0,
        4 => -1,
        5 => long.MaxValue,
        6 => 1.5,
        7 => JsonNode.Parse("1e40"),
        8 => true,
        9 => new JsonArray(),
        10 => new JsonArray(null, 1, "x", new JsonObject(), new JsonArray()),
        11 => new JsonObject(),
        12 => "79228162514264337593543950335",
        _ => "\u0000/|?#\t",
    };
}
