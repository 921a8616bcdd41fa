using System.Text.Json.Nodes;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.Tests.Host;

/// <summary>Customers who fall silent, from their last sign-in to the outbox.</summary>
public class WinBackStories
{
    private static readonly DateTimeOffset LastSignIn = new(2026, 1, 14, 10, 0, 0, TimeSpan.Zero);

    // A Monday.
    private static readonly DateTimeOffset SignUp = new(2026, 1, 5, 10, 0, 0, TimeSpan.Zero);

    [Fact]
    public async Task Silence_of_thirty_days_brings_five_emails()
    {
        await using var host = await SilentAsync();
        await host.AdvanceAsync(TimeSpan.FromDays(70));

        var mails = await host.OutboxAsync();
        Assert.Equal(
        [
            "Still getting value from Acme?",
            "3 things you can do with Acme this week",
            "Your account is ready — pick up where you left off",
            "What's one thing we could do better?",
            "We don't want to see you go",
        ], mails.Select(m => (string)m["subject"]!));
        var first = (DateTimeOffset)mails[0]["at"]!;
        Assert.InRange(first, LastSignIn.AddDays(30), LastSignIn.AddDays(33));
        Assert.Equal([0, 3, 7, 10, 14], mails.Select(m => Math.Round(((DateTimeOffset)m["at"]! - first).TotalDays)));
        Assert.All(mails, m =>
        {
            var at = (DateTimeOffset)m["at"]!;
            Assert.InRange(at.Hour, 9, 16);
            Assert.False(at.DayOfWeek is DayOfWeek.Saturday or DayOfWeek.Sunday);
            Assert.Contains("/l/", (string)m["headers"]!["List-Unsubscribe"]!);
            Assert.Equal("List-Unsubscribe=One-Click", (string)m["headers"]!["List-Unsubscribe-Post"]!);
            Assert.Contains("1 Example Street", (string)m["text"]!);
        });
        Assert.Contains("5 March 2026", (string)mails[4]["text"]!);
        var run = Assert.Single(await host.FlowsAsync());
        Assert.Equal(("ended", "completed"), ((string)run["status"]!, (string)run["outcome"]!));
    }

    [Fact]
    public async Task Use_that_fell_by_half_starts_it_though_the_customer_still_comes()
    {
        await using var host = await TestHost.StartAsync("2026-01-05T10:00:00Z");
        await host.StripeAsync(host.Ada.SignsUp(SignUp));
        await host.IdentifyAsync("u1", new JsonObject { ["stripeCustomerId"] = host.Ada.Customer });
        var aDay = 4;
        host.EachDay = async () =>
        {
            for (var i = 0; i < aDay; i++) await host.TrackAsync("u1", "Signed In", messageId: $"{host.Now:O} {i}");
        };
        await host.AdvanceAsync(TimeSpan.FromDays(35));
        Assert.Empty(await host.FlowsAsync());
        aDay = 1;
        await host.AdvanceAsync(TimeSpan.FromDays(16));
        Assert.Contains("use fell to", (string)(await host.FlowsAsync())[0]["because"]!);
    }

    [Fact]
    public async Task A_pause_is_no_silence_and_the_days_after_it_no_fall_of_use()
    {
        await using var host = await TestHost.StartAsync("2026-01-05T10:00:00Z");
        await host.StripeAsync(host.Ada.SignsUp(SignUp));
        await host.IdentifyAsync("u1", new JsonObject { ["stripeCustomerId"] = host.Ada.Customer });
        var comes = true;
        host.EachDay = async () =>
        {
            // Where nobody uses the app its events may have stopped, and no flow begins.
            await host.TrackAsync(comes ? "u1" : "u2", "Signed In", messageId: $"{host.Now:O}");
        };
        await host.AdvanceAsync(TimeSpan.FromDays(34));
        comes = false;
        await host.StripeAsync(host.Ada.Pauses(host.Now, host.Now.AddDays(45)));
        await host.AdvanceAsync(TimeSpan.FromDays(46));
        await host.StripeAsync(host.Ada.Renews(host.Now));
        // Three days late, and then on every day as before: less than half of what was used before the pause, for a while.
        await host.AdvanceAsync(TimeSpan.FromDays(3));
        comes = true;
        await host.AdvanceAsync(TimeSpan.FromDays(20));
        Assert.Empty(await host.FlowsAsync());
        // Who does not come after a pause is silent thirty days after it.
        comes = false;
        await host.AdvanceAsync(TimeSpan.FromDays(31));
        Assert.StartsWith("not seen for 30 days", (string)Assert.Single(await host.FlowsAsync())["because"]!, StringComparison.Ordinal);
    }

    [Fact]
    public async Task It_does_not_start_again_within_ninety_days()
    {
        await using var host = await SilentAsync();
        await host.AdvanceAsync(TimeSpan.FromDays(150));
        var starts = (await host.FlowsAsync()).Select(f => (DateTimeOffset)f["startedAt"]!).ToList();
        Assert.Equal(2, starts.Count);
        Assert.InRange(starts[1] - starts[0], TimeSpan.FromDays(90), TimeSpan.FromDays(91));
    }

    [Fact]
    public async Task A_sign_in_ends_the_run_at_once()
    {
        await using var host = await AfterTwoEmailsAsync();
        await host.TrackAsync("u1", "Signed In");
        await EndedAsync(host, "returned");
    }

    [Fact]
    public async Task The_return_link_ends_the_run_at_once()
    {
        await using var host = await AfterTwoEmailsAsync();
        var link = await LinkAsync(host, "return");
        await host.Http.GetAsync(link);
        await host.SettleAsync();
        Assert.Equal("running", (string)Assert.Single(await host.FlowsAsync())["status"]!);
        Assert.True((int)(await host.ClickAsync(link, ("action", "return"))).StatusCode is 200 or 303);
        await EndedAsync(host, "returned");
    }

    [Fact]
    public async Task A_pause_in_Stripe_ends_the_run_at_once()
    {
        await using var host = await AfterTwoEmailsAsync();
        await host.StripeAsync(host.Ada.Pauses(host.Now, host.Now.AddMonths(2)));
        await EndedAsync(host, "paused");
    }

    [Fact]
    public async Task The_pause_link_pauses_through_billing_and_ends_the_run_at_once()
    {
        await using var host = await AfterTwoEmailsAsync();
        var link = await LinkAsync(host, "pause");
        host.EachDay = null;
        foreach (var method in new[] { HttpMethod.Get, HttpMethod.Head })
            Assert.True((await host.Http.SendAsync(new HttpRequestMessage(method, link))).IsSuccessStatusCode);
        Assert.True((await host.ClickAsync(link, ("action", "pause"), ("months", "2"))).IsSuccessStatusCode);
        var again = await host.ClickAsync(link, ("action", "pause"), ("months", "2"));
        Assert.Contains("paused", await again.Content.ReadAsStringAsync());
        Assert.Single((await host.GetAsync($"/api/v1/customers/{host.Ada.Customer}"))!["subscriptions"]!.AsArray());
        // The sandbox answered with Stripe's event: after the paid period the customer is paused, and resumes by itself.
        await host.AdvanceAsync(TimeSpan.FromDays(31));
        Assert.Equal("paused", (string)(await host.CustomerAsync())["status"]!);
        await host.AdvanceAsync(TimeSpan.FromDays(45));
        Assert.Equal("active", (string)(await host.CustomerAsync())["status"]!);
    }

    [Fact]
    public async Task Unsubscribing_by_one_click_ends_the_run_at_once()
    {
        await using var host = await AfterTwoEmailsAsync();
        var header = (string)(await host.OutboxAsync())[^1]["headers"]!["List-Unsubscribe"]!;
        var link = header.Trim('<', '>');
        Assert.Equal(200, (int)(await host.ClickAsync(link, ("List-Unsubscribe", "One-Click"))).StatusCode);
        await EndedAsync(host, "unsubscribed");
    }

    [Fact]
    public async Task A_cancellation_ends_the_run_at_once()
    {
        await using var host = await AfterTwoEmailsAsync();
        await host.StripeAsync(host.Ada.WillCancel(host.Now, host.Now.AddDays(20)));
        await EndedAsync(host, "canceled");
    }

    [Fact]
    public async Task A_failed_payment_ends_the_run_and_dunning_takes_over()
    {
        await using var host = await AfterTwoEmailsAsync();
        await host.StripeAsync(host.Ada.PaymentFails(host.Now, next: host.Now.AddDays(3)));
        var runs = await host.FlowsAsync();
        Assert.Equal(["ended", "running"], runs.OrderBy(r => (string)r["flow"]! == "dunning").Select(r => (string)r["status"]!));
        Assert.Equal("dunning-1", (string)(await host.OutboxAsync())[^1]["template"]!);
    }

    [Fact]
    public async Task A_customer_who_was_never_measured_is_unknown_not_silent()
    {
        await using var host = await TestHost.StartAsync("2026-01-05T10:00:00Z");
        await host.StripeAsync(host.Ada.SignsUp(SignUp));
        await host.AdvanceAsync(TimeSpan.FromDays(120));
        Assert.Empty(await host.OutboxAsync());
        var reasons = (await host.CustomerAsync())["health"]!["reasons"]!.ToJsonString();
        Assert.Contains("no app events", reasons, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task When_the_whole_app_falls_silent_nothing_starts_and_the_founder_is_warned()
    {
        await using var host = await TestHost.StartAsync("2026-01-05T10:00:00Z");
        await host.StripeAsync(host.Ada.SignsUp(SignUp));
        await host.IdentifyAsync("u1", new JsonObject { ["stripeCustomerId"] = host.Ada.Customer });
        await host.TrackAsync("u1", "Signed In");
        await host.AdvanceAsync(TimeSpan.FromDays(60));
        Assert.Empty(await host.OutboxAsync());
        var sweep = await (await host.Http.PostAsync("/api/v1/sweep", null)).Content.ReadAsStringAsync();
        Assert.Contains("No app event has come in", sweep);
    }

    [Fact]
    public async Task An_A_customer_gets_a_note_for_the_founder_first_and_the_flow_two_days_later()
    {
        await using var host = await SilentAsync(amount: 20_000);
        for (var day = 0; day < 40 && (await host.FlowsAsync()).Count == 0; day++) await host.AdvanceAsync(TimeSpan.FromDays(1));
        var started = (DateTimeOffset)Assert.Single(await host.FlowsAsync())["startedAt"]!;
        Assert.Empty(await host.OutboxAsync());
        Assert.Contains("Write to Ada Lovelace yourself", await host.Http.GetStringAsync($"/customers/{host.Ada.Customer}"));
        await host.AdvanceAsync(TimeSpan.FromDays(5));
        Assert.True((DateTimeOffset)(await host.OutboxAsync())[0]["at"]! >= started.AddDays(2));
    }

    [Fact]
    public async Task E_mails_go_out_in_the_customers_own_working_hours()
    {
        await using var host = await SilentAsync(traits: new JsonObject { ["stripeCustomerId"] = "cus_Ada", ["timezone"] = "Asia/Tokyo" });
        await host.AdvanceAsync(TimeSpan.FromDays(60));
        var tokyo = TimeZoneInfo.FindSystemTimeZoneById("Asia/Tokyo");
        Assert.NotEmpty(await host.OutboxAsync());
        Assert.All(await host.OutboxAsync(), m => Assert.InRange(TimeZoneInfo.ConvertTime((DateTimeOffset)m["at"]!, tokyo).Hour, 9, 16));
    }

    [Fact]
    public async Task The_founder_is_asked_before_a_flood()
    {
        await using var host = await TestHost.StartAsync("2026-01-05T10:00:00Z", new() { ["Flows:MaxStartsPerDay"] = "2" });
        for (var i = 0; i < 5; i++)
        {
            var one = new Story($"cus_{i}", $"c{i}@example.com");
            await host.StripeAsync(one.SignsUp(SignUp));
            await host.AppAsync("identify", new JsonObject { ["userId"] = $"u{i}", ["traits"] = new JsonObject { ["stripeCustomerId"] = one.Customer } });
            await host.TrackAsync($"u{i}", "Signed In");
        }
        await host.AdvanceAsync(TimeSpan.FromDays(31));
        await host.TrackAsync("somebody else", "Signed In");
        await host.SweepAsync();
        await host.SweepAsync();
        var all = 0;
        for (var i = 0; i < 5; i++) all += (await host.FlowsAsync($"cus_{i}")).Count;
        Assert.Equal(2, all);
    }

    /// <summary>Ada signed up, signed in on ten days, and then no more; others go on.</summary>
    private static async Task<TestHost> SilentAsync(long amount = 4900, JsonObject? traits = null)
    {
        var host = await TestHost.StartAsync("2026-01-05T10:00:00Z");
        var ada = host.Ada = new Story(amount: amount);
        await host.StripeAsync(ada.SignsUp(SignUp));
        await host.AppAsync("identify", new JsonObject { ["userId"] = "u1", ["traits"] = traits ?? new JsonObject { ["email"] = "ada@example.com" } });
        for (var day = 0; day < 10; day++)
        {
            await host.TrackAsync("u1", "Signed In");
            await host.AdvanceAsync(TimeSpan.FromDays(1));
        }
        host.EachDay = async () =>
        {
            // The app itself is alive: somebody who is no customer goes on signing in. And Ada's subscription renews.
            await host.TrackAsync("somebody else", "Signed In");
            if (host.Now.Day == SignUp.Day) await host.StripeAsync(ada.Renews(host.Now));
        };
        return host;
    }

    private static async Task<TestHost> AfterTwoEmailsAsync()
    {
        var host = await SilentAsync();
        while ((await host.OutboxAsync()).Count < 2) await host.AdvanceAsync(TimeSpan.FromDays(1));
        return host;
    }

    /// <summary>The link of a purpose, as soon as an e-mail has one.</summary>
    private static async Task<string> LinkAsync(TestHost host, string purpose)
    {
        for (var day = 0; day < 20; day++, await host.AdvanceAsync(TimeSpan.FromDays(1)))
            if ((await host.OutboxAsync()).Select(m => (string?)m["links"]![purpose]).LastOrDefault(link => link is not null) is { } link) return link;
        throw new InvalidOperationException($"No e-mail has a link to {purpose}.");
    }

    private static async Task EndedAsync(TestHost host, string outcome)
    {
        var run = Assert.Single(await host.FlowsAsync());
        Assert.Equal(("ended", outcome), ((string)run["status"]!, (string)run["outcome"]!));
        var before = (await host.OutboxAsync()).Count;
        await host.AdvanceAsync(TimeSpan.FromDays(20));
        Assert.Equal(before, (await host.OutboxAsync()).Count);
    }
}
