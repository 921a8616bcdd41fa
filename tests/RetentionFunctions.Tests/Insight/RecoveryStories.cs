using System.Net;
using System.Text.Json.Nodes;
using RetentionFunctions.Customers;
using RetentionFunctions.Insight;
using RetentionFunctions.Storage;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.Tests.Insight;

/// <summary>Failed payments and what flows bring, from the webhook to page and JSON, with a hold-out.</summary>
public class RecoveryStories
{
    // The renewals are on a Thursday.
    private static readonly DateTimeOffset SignUp = new(2026, 1, 5, 10, 0, 0, TimeSpan.Zero);
    private static readonly DateTimeOffset Renewal = new(2026, 2, 5, 10, 0, 0, TimeSpan.Zero);

    [Fact]
    public async Task Failed_payments_are_told_by_what_became_of_them_and_dunning_beside_those_held_out()
    {
        await using var host = await TestHost.StartAsync("2026-01-05T10:00:00Z", new() { ["Flows:Definitions:dunning:HoldOut"] = "0.5" });
        var customers = Customers("dunning", held: 2, treated: 3);
        foreach (var story in customers) await host.StripeAsync(story.SignsUp(SignUp));
        await host.AdvanceToAsync(Renewal);
        Assert.Contains("No recurring payment failed in these weeks.", await new TestPage(host).TextAsync("/recovery"));
        string[] declines = ["insufficient_funds", "expired_card", "insufficient_funds", "insufficient_funds", "lost_card"];
        foreach (var (story, decline) in customers.Zip(declines)) await host.StripeAsync(story.PaymentFails(Renewal, decline: decline, next: Renewal.AddDays(3)));
        // Held out: one pays, one does not. With e-mails: two pay, after 1 and 4 days; one does not.
        await host.AdvanceAsync(TimeSpan.FromDays(1));
        await host.StripeAsync(customers[2].PaysAfterAll(host.Now));
        await host.AdvanceAsync(TimeSpan.FromDays(3));
        foreach (var story in new[] { customers[0], customers[3] }) await host.StripeAsync(story.PaysAfterAll(host.Now));

        await host.AdvanceToAsync(Renewal.AddDays(10));
        var young = (await host.GetAsync("/api/v1/recovery"))!;
        Assert.Equal("2026-02-02", (string)young["currencies"]![0]!["weeks"]![0]!["week"]!);
        var week = young["currencies"]![0]!["weeks"]![0]!["figures"]!;
        Assert.Equal((5, 3, 2), (Count(week, "failed"), Count(week, "recovered"), Count(week, "stillOpen")));
        Assert.Equal((null, 0.6, 1.0), ((double?)week["recoveryRate"], (double)week["rateAtLeast"]!, (double)week["rateAtMost"]!));
        Assert.Equal(0, Count(young["currencies"]![0]!["decided"]!, "failed"));
        var waiting = (await host.GetAsync("/api/v1/flows/dunning/report"))!;
        Assert.Equal((3, 2, 5), ((int)waiting["entered"]!, (int)waiting["heldOut"]!, (int)waiting["rate"]!["notYetKnown"]! + (int)waiting["heldOutRate"]!["notYetKnown"]!));
        Assert.Equal("nothing_to_compare", (string)waiting["difference"]!["verdict"]!);

        await host.AdvanceToAsync(Renewal.AddDays(45));
        var told = (await host.GetAsync("/api/v1/recovery?from=2026-02-04&to=2026-03-31&currency=USD"))!;
        Assert.Equal(("2026-02-02", "2026-03-30", 30), ((string)told["from"]!, (string)told["to"]!, (int)told["openDays"]!));
        var decided = told["currencies"]!.AsArray().Single()!["decided"]!;
        Assert.Equal((5, 3, 0, 2, 1, 0, 2), (Count(decided, "failed"), Count(decided, "recovered"), Count(decided, "silent"), Count(decided, "afterEmail"), Count(decided["other"]!, "held_out"), Count(decided, "stillOpen"), Count(decided, "unpaid")));
        Assert.Equal((0.6, 14700L, 24500L, 4.0), ((double)decided["recoveryRate"]!, (long)decided["recovered"]!["amount"]!, (long)decided["failed"]!["amount"]!, (double)decided["medianDays"]!));
        Assert.Equal((1, 2), ((int)decided["days"]!["1-2"]!, (int)decided["days"]!["3-6"]!));
        Assert.Equal(["insufficient_funds:3:3", "card_expired:1:0", "lost_or_fraud:1:0"], told["currencies"]![0]!["kinds"]!.AsArray().Select(k => $"{k!["kind"]}:{Count(k["figures"]!, "failed")}:{Count(k["figures"]!, "recovered")}"));
        Assert.Empty((await host.GetAsync("/api/v1/recovery?currency=eur"))!["currencies"]!.AsArray());

        var report = (await host.GetAsync("/api/v1/flows/dunning/report"))!;
        Assert.Equal(("paid", 2, 3, 1, 2), ((string)report["outcome"]!, (int)report["rate"]!["succeeded"]!, (int)report["rate"]!["known"]!, (int)report["heldOutRate"]!["succeeded"]!, (int)report["heldOutRate"]!["known"]!));
        Assert.Equal(("not_shown", false), ((string)report["difference"]!["verdict"]!, (bool)report["difference"]!["shown"]!));
        var expected = Proportions.Difference(new Ratio(2, 3), new Ratio(1, 2));
        Assert.Equal((expected.Low, expected.High), ((double)report["difference"]!["interval"]!["low"]!, (double)report["difference"]!["interval"]!["high"]!));
        Assert.Equal((14700L, false), ((long)Math.Round((double)report["mrrKept"]!["usd"]!["observed"]! * 6), (bool)report["mrrKept"]!["usd"]!["shown"]!));
        Assert.Equal([0, 3, 2, 1], report["steps"]!.AsArray().Take(4).Select(s => (int)s!["sent"]!));

        var page = new TestPage(host);
        var recovery = await page.TextAsync("/recovery");
        Assert.Contains("paid later ÷ failed: 3 ÷ 5", recovery);
        Assert.Contains("held out 1: 1 ÷ 5, $49", recovery);
        Assert.Contains("Insufficient funds", recovery);
        Assert.Contains("No recurring payment in EUR failed in these weeks.", await page.TextAsync("/recovery?currency=eur"));
        var flow = await page.TextAsync("/flows/dunning");
        Assert.Contains("entered and known: 2 ÷ 3", flow);
        Assert.Contains("in the same time, without e-mails: 1 ÷ 2", flow);
        Assert.Contains("No difference is shown", flow);
        Assert.Contains("None is shown to be kept", flow);
        // The start page says the same of the runs whose time was over lately.
        Assert.Contains("of 3 dunning runs, 67\u00a0%", await page.TextAsync("/"));
    }

    [Fact]
    public async Task Win_back_counts_who_is_back_in_time_also_among_those_held_out_and_when_their_activity_is_long_gone()
    {
        await using var host = await TestHost.StartAsync("2026-01-05T10:00:00Z", new() { ["Flows:Definitions:win-back:HoldOut"] = "0.5" });
        var customers = Customers("win-back", held: 2, treated: 2);
        foreach (var story in customers)
        {
            await host.StripeAsync(story.SignsUp(SignUp));
            await host.IdentifyAsync(story.Customer[4..], new JsonObject { ["email"] = story.Email });
        }
        for (var day = 0; day < 2; day++)
        {
            foreach (var story in customers) await host.TrackAsync(story.Customer[4..], "Signed In");
            await host.AdvanceAsync(TimeSpan.FromDays(1));
        }
        // Somebody must still send, or the app is taken to be silent.
        host.EachDay = () => host.TrackAsync("somebody", "Signed In");
        await host.AdvanceAsync(TimeSpan.FromDays(32));
        foreach (var story in customers) Assert.Single(await host.FlowsAsync(story.Customer));
        // One of each side is back.
        foreach (var story in new[] { customers[0], customers[2] }) await host.TrackAsync(story.Customer[4..], "Signed In");
        await host.AdvanceAsync(TimeSpan.FromDays(40));
        var report = await ReportAsync();
        Assert.Equal((1, 2, 1, 2), ((int)report["rate"]!["succeeded"]!, (int)report["rate"]!["known"]!, (int)report["heldOutRate"]!["succeeded"]!, (int)report["heldOutRate"]!["known"]!));
        Assert.Equal(("came_back", 0.0, 0.05, 0.15), ((string)report["outcome"]!, (double)report["difference"]!["difference"]!, (double)report["benchmark"]!["low"]!, (double)report["benchmark"]!["high"]!));
        // Much later they are seen again, and the days of that time are gone from their activity; what was known stays.
        host.EachDay = null;
        await host.AdvanceAsync(TimeSpan.FromDays(70));
        foreach (var story in customers) await host.TrackAsync(story.Customer[4..], "Signed In");
        await host.AdvanceAsync(TimeSpan.FromDays(1));
        var later = await ReportAsync();
        Assert.NotEqual((string)report["asOf"]!, (string)later["asOf"]!);
        Assert.Equal(report["difference"]!.ToJsonString(), later["difference"]!.ToJsonString());

        async Task<JsonNode> ReportAsync() => (await host.GetAsync("/api/v1/flows/win-back/report"))!;
    }

    [Fact]
    public async Task The_failures_of_a_customer_are_kept_however_many_there_are()
    {
        await using var host = await TestHost.StartAsync("2026-01-05T10:00:00Z");
        await host.StripeAsync(host.Ada.SignsUp(SignUp));
        await host.AdvanceToAsync(Renewal);
        for (var attempt = 1; attempt <= 12; attempt++) await host.StripeAsync(host.Ada.PaymentFails(Renewal.AddMinutes(attempt), decline: attempt == 1 ? "expired_card" : "do_not_honor", attempt: attempt));
        Assert.Equal(10, (await host.Tables().GetAsync<Customer>(Keys.Customer("cus_Ada")))!.Value.Failures.Count);
        Assert.Equal(12, (await host.Tables().ListAsync<PaymentFailure>(Keys.FailuresOfBucket(Keys.Bucket("cus_Ada")))).Count);
        await host.AdvanceToAsync(Renewal.AddDays(2));
        var cell = Assert.Single((await host.Tables().ListAsync<StoredRecovery>(Keys.SummaryOfBuckets(RecoverySummary.SummaryName))).Single().Cells());
        Assert.Equal((DeclineGroup.CardExpired, InvoiceFate.StillOpen), (cell.Key.Kind, cell.Key.Fate));
    }

    [Theory]
    [InlineData("/api/v1/recovery?from=2026-02", "from is a day such as 2025-07-14, not '2026-02'.")]
    [InlineData("/api/v1/recovery?to=today", "to is a day such as 2026-01-05, not 'today'.")]
    [InlineData("/api/v1/recovery?from=2026-03-02&to=2026-02-02", "from (2026-03-02) is after to (2026-02-02).")]
    [InlineData("/api/v1/recovery?from=1990-01-01", "At most 522 weeks at once.")]
    public async Task What_cannot_be_asked_for_is_refused_in_words(string address, string detail)
    {
        await using var host = await TestHost.StartAsync("2026-01-05T10:00:00Z");
        using var answer = await host.Http.GetAsync(address);
        Assert.Equal((HttpStatusCode.BadRequest, detail), (answer.StatusCode, (string)JsonNode.Parse(await answer.Content.ReadAsStringAsync())!["detail"]!));
        using var page = await host.Http.GetAsync(address["/api/v1".Length..]);
        Assert.Equal(HttpStatusCode.BadRequest, page.StatusCode);
        Assert.Contains(detail, WebUtility.HtmlDecode(await page.Content.ReadAsStringAsync()));
    }

    [Fact]
    public async Task A_flow_that_nobody_knows_is_not_found_and_one_without_runs_says_so()
    {
        await using var host = await TestHost.StartAsync("2026-01-05T10:00:00Z");
        using var answer = await host.Http.GetAsync("/api/v1/flows/upsell/report");
        Assert.Equal((HttpStatusCode.NotFound, "There is no flow 'upsell': neither the settings nor any run counted so far know it."), (answer.StatusCode, (string)JsonNode.Parse(await answer.Content.ReadAsStringAsync())!["detail"]!));
        using var page = await host.Http.GetAsync("/flows/upsell");
        Assert.Equal(HttpStatusCode.NotFound, page.StatusCode);
        var empty = (await host.GetAsync("/api/v1/flows/Win-Back/report"))!;
        Assert.Equal(("win-back", 0, "no_hold_out"), ((string)empty["flow"]!, (int)empty["entered"]!, (string)empty["difference"]!["verdict"]!));
        Assert.Contains("No run has started yet.", await new TestPage(host).TextAsync("/flows/win-back"));
        Assert.Contains("No recurring payment failed in these weeks.", await new TestPage(host).TextAsync("/recovery"));
    }

    // Which customers a flow holds out follows from their ids: those of the sample are chosen so, the held out first.
    private static List<Story> Customers(string flow, int held, int treated)
    {
        var ids = Enumerable.Range(0, 1000).Select(i => $"cus_{flow[..1]}{i}").ToLookup(id => Keys.Share(id, $"hold-out {flow}") < 0.5);
        return [.. ids[true].Take(held).Concat(ids[false].Take(treated)).Select(id => new Story(id, $"{id}@example.com"))];
    }

    private static int Count(JsonNode figures, string name) => (int)figures[name]!["count"]!;

    private sealed class TestPage(TestHost host)
    {
        /// <summary>A page as somebody reads it, after a count.</summary>
        public async Task<string> TextAsync(string address)
        {
            await host.AdvanceAsync(TimeSpan.FromMinutes(1));
            Assert.Equal(HttpStatusCode.Accepted, (await host.Http.PostAsync("/api/v1/summaries/count", null)).StatusCode);
            await host.SettleAsync();
            return WebUtility.HtmlDecode(await host.Http.GetStringAsync(address));
        }
    }
}
