using System.Buffers.Text;
using System.Collections.Concurrent;
using System.Net;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.Extensions.DependencyInjection;
using RetentionFunctions.Customers;
using RetentionFunctions.Links;
using RetentionFunctions.Storage;
using RetentionFunctions.Tests.Links;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.Torture.Security;

/// <summary>A link does what we signed, once, for whoever presses its button; and nothing for anybody else.</summary>
public class LinkTortureTests
{
    private const string Alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

    [Fact]
    public void A_token_that_is_not_ours_to_the_last_bit_is_forged() => Form.WithDice(dice =>
    {
        var bench = new LinkBench();
        var others = new LinkTokens(new EphemeralDataProtectionProvider(), bench.Clock);
        var tokens = Enum.GetValues<LinkPurpose>().Select(purpose => bench.Tokens.Create(bench.Claims(purpose, new string('x', (int)purpose)))).ToList();
        for (var i = Form.Times(1_500, 100_000); i > 0; i--)
        {
            // Each character of each token has its turn.
            var token = tokens[i % tokens.Count];
            var at = i / tokens.Count % token.Length;
            var forged = dice.Next(9) switch
            {
                0 => token[..at],
                1 => token.Insert(at, dice.Pick(Alphabet.ToCharArray()).ToString()),
                2 => token.Remove(at, 1),
                3 => token[..at] + string.Concat(dice.Pick(tokens).Skip(at)),
                4 => others.Create(bench.Claims(dice.Pick(Enum.GetValues<LinkPurpose>()))),
                5 => Flipped(dice, token),
                6 => Base64Url.EncodeToString(Random(dice)),
                7 => dice.HostileText(anyUnicode: true),
                _ => $"{token[..at]}{dice.Pick(Alphabet.ToCharArray())}{token[(at + 1)..]}",
            };
            if (tokens.Contains(forged)) continue;
            LinkPurpose? wanted = dice.Next(2) == 0 ? null : dice.Pick(Enum.GetValues<LinkPurpose>());
            Assert.True(bench.Tokens.Read(forged, wanted) is LinkReading.Forged, $"'{forged}' from '{token}'");
        }
        Assert.All(tokens, token => Assert.IsType<LinkReading.Valid>(bench.Tokens.Read(token)));
    });

    [Fact]
    public Task However_often_mail_scanners_look_nothing_changes_and_the_link_still_works() => Form.WithDiceAsync(async dice =>
    {
        await using var host = await SignedUpAsync(new CountingBilling());
        var before = await host.RowsAsync();
        var links = Enum.GetValues<LinkPurpose>().Select(purpose => Link(host, purpose)).ToList();
        await Parallel.ForEachAsync(Enumerable.Range(0, Form.Times(120, 10_000)), new ParallelOptions { MaxDegreeOfParallelism = 4 }, async (i, cancel) =>
        {
            using var request = new HttpRequestMessage(i % 2 == 0 ? HttpMethod.Get : HttpMethod.Head, $"{links[i % links.Count]}{(i % 5 == 0 ? "?action=unsubscribe&List-Unsubscribe=One-Click&months=1&answer=busy" : "")}");
            if (i % 3 == 0) request.Headers.TryAddWithoutValidation("X-HTTP-Method-Override", "POST");
            using var answer = await host.Http.SendAsync(request, cancel);
            Assert.True(answer.StatusCode is HttpStatusCode.OK or HttpStatusCode.SeeOther, $"{request.Method} {answer.StatusCode}");
        });
        // What is no GET and no POST is refused.
        foreach (var method in new[] { "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND" })
            Assert.Equal(HttpStatusCode.MethodNotAllowed, (await host.Http.SendAsync(new HttpRequestMessage(new HttpMethod(method), links[(int)LinkPurpose.Unsubscribe]))).StatusCode);
        await host.SettleAsync();
        Assert.Equal(before, await host.RowsAsync());
        Assert.Equal(HttpStatusCode.OK, (await host.ClickAsync(links[(int)LinkPurpose.Unsubscribe], ("action", "unsubscribe"))).StatusCode);
        Assert.NotNull((await host.Tables().GetAsync<Customer>(Keys.Customer("cus_Ada")))!.Value.Unsubscribed);
    });

    [Theory]
    [InlineData(LinkPurpose.Unsubscribe)]
    [InlineData(LinkPurpose.Pause)]
    [InlineData(LinkPurpose.Return)]
    [InlineData(LinkPurpose.Answer)]
    public async Task Whoever_presses_a_button_a_hundred_times_at_once_has_pressed_it_once(LinkPurpose purpose)
    {
        var billing = new CountingBilling();
        await using var host = await SignedUpAsync(billing);
        if (purpose == LinkPurpose.Return) await host.ClickAsync(Link(host, LinkPurpose.Pause), ("action", "pause"), ("months", "1"));
        billing.Keys.Clear();
        var link = Link(host, purpose);
        var answers = await Task.WhenAll(Enumerable.Range(0, Form.Times(30, 100)).Select(_ =>
            host.Http.PostAsync(link, new FormUrlEncodedContent([new("action", purpose.ToString()), new("months", "1"), new("text", "too expensive")]))));
        Assert.All(answers, answer => Assert.Equal(HttpStatusCode.OK, answer.StatusCode));

        Assert.Equal(purpose is LinkPurpose.Pause or LinkPurpose.Return ? 1 : 0, billing.Keys.Count);
        var ada = (await host.Tables().GetAsync<Customer>(Keys.Customer("cus_Ada")))!.Value;
        var notes = await host.Tables().ListAsync<Note>(Keys.Notes("cus_Ada"));
        Assert.Equal(
            (purpose == LinkPurpose.Unsubscribe, purpose == LinkPurpose.Pause, purpose == LinkPurpose.Return, purpose == LinkPurpose.Answer ? 1 : 0),
            (ada.Unsubscribed is not null, ada.PauseRequested is not null, ada.ReturnedAt is not null, notes.Count));

        // Once more later changes nothing.
        var after = await host.RowsAsync();
        await host.ClickAsync(link, ("action", purpose.ToString()), ("months", "1"), ("text", "another answer"));
        Assert.Equal(after, await host.RowsAsync());
    }

    private static async Task<TestHost> SignedUpAsync(CountingBilling billing)
    {
        var host = await TestHost.StartAsync("2026-01-05T10:00:00Z", services: services => services.AddSingleton<IBilling>(billing));
        await host.StripeAsync(host.Ada.SignsUp(host.Now));
        return host;
    }

    private static string Link(TestHost host, LinkPurpose purpose) => $"/l/{host.Services.GetRequiredService<LinkTokens>().Create(new LinkClaims
    {
        CustomerId = "cus_Ada", Purpose = purpose, Flow = "win-back", Occasion = "2026-01-05", Step = 4, Subject = purpose == LinkPurpose.Pay ? "in_Ada_first" : null, ExpiresAt = host.Now + LinkTokens.Lifetime(purpose),
    })}";

    private static string Flipped(Random dice, string token)
    {
        var bytes = Base64Url.DecodeFromChars(token);
        bytes[dice.Next(bytes.Length)] ^= (byte)(1 << dice.Next(8));
        return Base64Url.EncodeToString(bytes);
    }

    private static byte[] Random(Random dice)
    {
        var bytes = new byte[dice.Next(0, 300)];
        dice.NextBytes(bytes);
        return bytes;
    }

    /// <summary>Does a thing once per key, as Stripe does.</summary>
    private sealed class CountingBilling : IBilling
    {
        public ConcurrentDictionary<string, string> Keys { get; } = new();

        public Task<BillingResult> PauseAsync(string customerId, string subscriptionId, DateTimeOffset resumesAt, string idempotencyKey, CancellationToken cancel = default) => Do("pause", idempotencyKey);

        public Task<BillingResult> ResumeAsync(string customerId, string subscriptionId, string idempotencyKey, CancellationToken cancel = default) => Do("resume", idempotencyKey);

        public Task<Uri> PaymentPageAsync(string customerId, string? invoiceId, Uri returnUrl, CancellationToken cancel = default) => Task.FromResult(new Uri("https://pay.example/"));

        private Task<BillingResult> Do(string what, string key)
        {
            Keys.TryAdd(key, what);
            return Task.FromResult<BillingResult>(new BillingResult.Done());
        }
    }
}
