using System.Text.Json.Nodes;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.BrowserTests;

/// <summary>
/// A little company after two months: Ada fell silent and got all five e-mails, Bea's payment failed and she got all e-mails, Cleo's failed a few days ago, Dora cancelled, Emma (with an address
/// that no phone is wide enough for) is well; and one event could not be read.
/// </summary>
public sealed class Company : IAsyncLifetime
{
    // A Monday.
    private static readonly DateTimeOffset SignUp = new(2026, 1, 5, 10, 0, 0, TimeSpan.Zero);

    internal TestHost Host { get; private set; } = null!;

    internal Uri Root => Host.Http.BaseAddress!;

    public async ValueTask InitializeAsync()
    {
        var host = Host = await TestHost.StartAsync("2026-01-05T10:00:00Z", new() { ["Product:Url"] = "https://acme.example", ["Email:PostalAddress"] = "1 Example Street, Springfield" });
        var emma = new Story("cus_Emma", "emma.with.a.very.long.name.indeed@a-subdomain-that-goes-on-and-on.and-on.example.com", amount: 1_234_500, interval: "year");
        Story ada = host.Ada, bea = new("cus_Bea", "bea@example.com", "2020-08-27"), cleo = new("cus_Cleo", "cleo@example.com"), dora = new("cus_Dora", "dora@example.com");
        Story[] all = [ada, bea, cleo, dora, emma];
        foreach (var one in all)
        {
            await host.StripeAsync(one.SignsUp(SignUp));
            await host.IdentifyAsync(one.Customer[4..], new JsonObject { ["email"] = one.Email });
        }
        for (var day = 0; day < 10; day++) await DayAsync(all);
        await host.StripeAsync(dora.Cancels(host.Now));
        for (var day = 10; day < 31; day++) await DayAsync([bea, cleo, emma]);
        await host.StripeAsync(bea.PaymentFails(host.Now, next: host.Now.AddDays(3)));
        for (var day = 0; day < 40 && (await MailsToAsync("ada@example.com")).Count < 4; day++) await DayAsync([cleo, emma]);
        await host.StripeAsync(cleo.PaymentFails(host.Now, decline: "expired_card", next: host.Now.AddDays(3)));
        await host.AdvanceAsync(TimeSpan.FromDays(4));
        var unreadable = emma.Renews(host.Now);
        unreadable["data"]!["object"]!["items"] = new string('x', 300);
        await host.StripeAsync(unreadable);
        Assert.Single(await host.DeadLettersAsync());
        Assert.Equal(5, (await MailsToAsync("ada@example.com")).Count);
    }

    /// <summary>What was sent to an address, oldest first.</summary>
    internal async Task<List<JsonNode>> MailsToAsync(string to) => [.. (await Host.OutboxAsync()).Where(m => (string)m["to"]! == to)];

    public ValueTask DisposeAsync() => Host?.DisposeAsync() ?? ValueTask.CompletedTask;

    private async Task DayAsync(IEnumerable<Story> present)
    {
        foreach (var one in present) await Host.TrackAsync(one.Customer[4..], "Signed In");
        await Host.AdvanceAsync(TimeSpan.FromDays(1));
    }
}
