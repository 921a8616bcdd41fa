using System.Net;
using RetentionFunctions.Customers;
using RetentionFunctions.Flows;
using RetentionFunctions.Health;
using RetentionFunctions.Insight;
using RetentionFunctions.Intake;
using RetentionFunctions.Storage;
using RetentionFunctions.Web;

namespace RetentionFunctions.Tests.Web;

public class OverviewTests
{
    private static DateTimeOffset Now => HostedPipeline.Now;

    [Fact]
    public void Mrr_is_added_up_within_a_currency_and_never_across()
    {
        var overview = Of(new OverviewRows
        {
            Customers = Glances(
            [
                SampleRows.Customer("a", mrr: 2900), SampleRows.Customer("b", mrr: 4900), SampleRows.Customer("c", mrr: 9900, currency: "eur"),
                SampleRows.Customer("gone", status: CustomerStatus.Canceled, mrr: 0), SampleRows.Customer("trial", status: CustomerStatus.Trialing, mrr: 0),
            ]),
        });
        Assert.Equal([new("eur", 9900), new("usd", 7800)], overview.Mrr);
        Assert.Equal((5, 3, 4), (overview.Known, overview.Paying, overview.Current));
    }

    [Fact]
    public void Tiers_count_who_is_with_us_and_nobody_who_left()
    {
        var overview = Of(new OverviewRows { Customers = Glances([SampleRows.Customer("a", score: 20), SampleRows.Customer("b", score: 90), SampleRows.Customer("c"), SampleRows.Customer("gone", score: 5, status: CustomerStatus.Canceled, mrr: 0)]) });
        Assert.Equal((1, 1, 1), (overview.Tiers[HealthTier.HighRisk], overview.Tiers[HealthTier.Healthy], overview.Unscored));
    }

    [Theory]
    [InlineData(new[] { 7 }, 7)]
    [InlineData(new[] { 6 }, null)]
    [InlineData(new[] { 1, 6, 8, 9 }, 8)]
    [InlineData(new[] { 10 }, 10)]
    [InlineData(new[] { 11 }, null)]
    public void The_change_is_against_the_sweep_of_a_week_before(int[] sweepsDaysAgo, int? comparedWith)
    {
        var overview = Of(new OverviewRows { Sweeps = [.. sweepsDaysAgo.Select(days => Sweep(Now.AddDays(-days)))] });
        Assert.Equal(comparedWith, overview.Before is { } before ? (Now - before.At).Days : null);
    }

    [Theory]
    [InlineData(12, 8)]
    [InlineData(9, 8)]
    [InlineData(7.5, null)]
    [InlineData(1, null)]
    public void What_an_import_brought_is_no_growth_of_a_week(double broughtInDaysAgo, int? comparedWith)
    {
        var overview = Of(new OverviewRows { BroughtInAt = Now.AddDays(-broughtInDaysAgo), Sweeps = [Sweep(Now.AddDays(-20)), Sweep(Now.AddDays(-8))] });
        Assert.Equal(comparedWith, overview.Before is { } before ? (Now - before.At).Days : null);
        Assert.Equal(Now.AddDays(-broughtInDaysAgo), overview.BroughtInAt);
    }

    [Fact]
    public void What_was_brought_in_before_the_first_sweep_makes_no_step()
    {
        var overview = Of(new OverviewRows { BroughtInAt = Now.AddDays(-9), Sweeps = [Sweep(Now.AddDays(-8)), Sweep(Now)] });
        Assert.NotNull(overview.Before);
        Assert.Null(overview.BroughtInAt);
    }

    [Fact]
    public void Who_needs_me_first_is_decided_by_risk_times_mrr()
    {
        // 80 % of $29, 25 % of $199, and nobody healthy however much they pay.
        var overview = Of(new OverviewRows { Customers = Glances([SampleRows.Customer("small", score: 20), SampleRows.Customer("large", score: 75, mrr: 19900), SampleRows.Customer("fine", score: 95, mrr: 99900)]) });
        Assert.Equal(["large", "small"], overview.AtRisk.Select(c => c.Id));
    }

    [Fact]
    public void A_failing_payment_of_who_left_needs_nobody()
    {
        var overview = Of(new OverviewRows
        {
            Customers = Glances([SampleRows.Customer("here") with { FailingInvoices = ["in_1"] }, SampleRows.Customer("gone", status: CustomerStatus.Canceled, mrr: 0) with { FailingInvoices = ["in_2"] }]),
        });
        Assert.Equal(["here"], overview.Failing.Select(c => c.Id));
    }

    [Fact]
    public void What_dunning_and_win_back_brought_lately_is_what_their_own_pages_say()
    {
        FlowTally Flow(string name, FlowTrigger trigger) => new() { Name = name, Latest = new FlowDefinition { Trigger = trigger } };
        var overview = Of(new OverviewRows
        {
            Flows =
            [
                Flow("dunning", FlowTrigger.FailedPayment) with { LatelyTreated = new FlowSide(1, 1, 4, 2), LatelyHeld = new FlowSide(1, 0, 0, 0), LatelyPaid = new Dictionary<string, long> { ["usd"] = 4900 } },
                Flow("win-back", FlowTrigger.Inactivity) with { LatelyTreated = new FlowSide(1, 7, 1, 0), LatelyHeld = new FlowSide(0, 2, 0, 0) },
                Flow("win-back-2", FlowTrigger.Inactivity) with { LatelyTreated = new FlowSide(1, 1, 0, 0) },
            ],
            Runs = [.. new[] { Dunning("b", RunOutcome.Completed), Dunning("listed", RunOutcome.Paid) with { Preview = true }, Dunning("old", RunOutcome.Paid) with { EndedAt = Now.AddDays(-31) }, Dunning("open", null), WinBack("d", RunOutcome.Completed) }.Select(RunGlance.Of)],
        });
        Assert.Equal(new Share(1, 2), overview.Recovered);
        Assert.Equal("50\u00a0%", overview.Recovered.Percent);
        Assert.Equal([new("usd", 4900)], overview.RecoveredAmounts);
        Assert.Equal(new Share(1, 1), overview.RecoveredHeldOut);
        Assert.Equal((new Share(2, 10), new Share(0, 2)), (overview.Returned, overview.ReturnedHeldOut));
        Assert.Equal((1, 1), (overview.OpenRuns, overview.Previews));
        Assert.Equal(2, overview.Ended.Single(e => e.Key == RunOutcome.Completed).Value);
    }

    [Fact]
    public void Only_e_mails_that_went_out_in_these_days_count_as_sent()
    {
        var run = SampleRows.Run("a") with
        {
            Sent = [new SentStep(1, "t", Now.AddDays(-31), MailResult.Accepted), new SentStep(2, "t", Now.AddDays(-2), MailResult.Accepted), new SentStep(3, "t", Now, MailResult.Unknown), new SentStep(4, "t", Now, MailResult.Refused)],
        };
        var overview = Of(new OverviewRows { Runs = [.. new[] { run, run with { Preview = true } }.Select(RunGlance.Of)] });
        Assert.Equal((1, 1), (overview.Sent, overview.PerhapsSent));
    }

    [Fact]
    public void A_share_of_nothing_is_no_number() => Assert.Equal("–", new Share(0, 0).Percent);

    [Fact]
    public void What_was_only_counted_is_added_up_over_thirty_days()
    {
        var today = DateOnly.FromDateTime(Now.UtcDateTime);
        var overview = Of(new OverviewRows { Counts = [new(today, "app.ignored", 2), new(today.AddDays(-29), "app.ignored", 3), new(today.AddDays(-30), "app.ignored", 100), new(today, "stripe.other-mode", 9)] });
        Assert.Equal([new("stripe.other-mode", 9), new("app.ignored", 5)], overview.OnlyCounted);
    }

    [Fact]
    public async Task The_start_page_says_how_we_are_who_needs_me_and_what_ran()
    {
        await using var host = await HostedPipeline.StartAsync();
        await SampleRows.FullAsync(host, "cus_1", "Ada Ltd", "sign-ins down 62 %");
        await host.Tables.SeedAsync(SampleRows.Customer("cus_2", "Bob Ltd", score: 90) with { FailingInvoices = ["in_9"] });
        await host.Tables.UpsertAsync(Keys.Note("cus_2", "n1"), new Note { Id = "n1", At = Now.AddDays(-1), Kind = "answer", Text = "too pricey", By = "the customer" });
        await host.Tables.UpsertAsync(Keys.SweepOf(new DateOnly(2026, 3, 3)), Sweep(Now.AddDays(-7)));
        var html = WebUtility.HtmlDecode(await host.Client.GetStringAsync("/"));
        foreach (var text in new[] { "Overview</h1>", "$78.00", "+$49.00 in a week", "of 2 known, 2 with us", "Ada Ltd", "sign-ins down 62 %", "Bob Ltd", "too pricey", "Returned within 14 days", "against the sweep of 2026-03-03", "What these numbers mean" })
            Assert.Contains(text, html);
    }

    [Fact]
    public async Task A_note_is_done_by_its_button_and_open_again_and_the_customers_page_keeps_it()
    {
        await using var host = await HostedPipeline.StartAsync();
        await host.Tables.SeedAsync(SampleRows.Customer("cus_1", "Ada Ltd"));
        await host.Tables.UpsertAsync(Keys.Note("cus_1", "win-back 2026-03-09 personal"), new Note { Id = "win-back 2026-03-09 personal", At = Now.AddDays(-1), Kind = "task", Text = "Write to Ada yourself", By = "win-back" });
        Dictionary<string, string> form = new() { ["customer"] = "cus_1", ["note"] = "win-back 2026-03-09 personal", ["done"] = "yes", ["back"] = "/" };
        Assert.Contains("Notes for you <span class=\"faint\">1</span>", await host.Client.GetStringAsync("/"));

        Assert.Equal("/?done=done", (await host.SubmitAsync("/", "/notes/done", form)).Headers.Location!.ToString());
        var overview = await host.Client.GetStringAsync("/?done=done");
        Assert.Contains("The note is done.", overview);
        Assert.Contains("Notes for you <span class=\"faint\">0</span>", overview);
        Assert.DoesNotContain("Write to Ada yourself", overview);
        var page = await host.Client.GetStringAsync("/customers/cus_1");
        Assert.Contains("; done <time", page);
        Assert.Contains(">Reopen<", page);
        Assert.Equal(Now, (await host.Tables.ListAsync<Note>(Keys.Notes("cus_1"))).Single().DoneAt);

        form["done"] = "no";
        Assert.Equal("/?done=open", (await host.SubmitAsync("/customers/cus_1", "/notes/done", form)).Headers.Location!.ToString());
        Assert.Contains("Write to Ada yourself", await host.Client.GetStringAsync("/"));
        form["note"] = "another";
        Assert.Equal("/?done=no-note", (await host.SubmitAsync("/customers/cus_1", "/notes/done", form)).Headers.Location!.ToString());
        Assert.Single(await host.Tables.ListAsync<Note>(Keys.Notes("cus_1")));
    }

    [Fact]
    public async Task A_note_is_not_done_without_the_form_token()
    {
        await using var host = await HostedPipeline.StartAsync();
        await host.Tables.UpsertAsync(Keys.Note("cus_1", "n1"), new Note { Id = "n1", At = Now, Kind = "answer", Text = "x", By = "y" });
        var answer = await host.Client.PostAsync("/notes/done", new FormUrlEncodedContent(new Dictionary<string, string> { ["customer"] = "cus_1", ["note"] = "n1", ["done"] = "yes" }));
        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        Assert.Null((await host.Tables.ListAsync<Note>(Keys.Notes("cus_1"))).Single().DoneAt);
    }

    [Fact]
    public async Task The_charts_draw_a_year_of_sweeps_with_a_table_by_month_behind_them()
    {
        await using var host = await HostedPipeline.StartAsync();
        await host.Tables.SeedAsync(SampleRows.Customer("cus_1"));
        foreach (var (days, mrr) in new[] { (400, 9999900L), (40, 100000), (39, 150000), (1, 290000) })
            await host.Tables.UpsertAsync(Keys.SweepOf(DateOnly.FromDateTime(Now.AddDays(-days).UtcDateTime)), Sweep(Now.AddDays(-days)) with { Mrr = new Dictionary<string, long> { ["usd"] = mrr } });
        // Yet to come: of a folder that was looked at on the real clock before its demo.
        await host.Tables.UpsertAsync(Keys.SweepOf(DateOnly.FromDateTime(Now.AddDays(200).UtcDateTime)), Sweep(Now.AddDays(200)) with { Mrr = new Dictionary<string, long> { ["usd"] = 7777700 } });
        var html = WebUtility.HtmlDecode(await host.Client.GetStringAsync("/"));
        Assert.Contains("<title id=\"mrr-chart-title\">MRR by day, USD</title>", html);
        Assert.Contains("From 2026-01-29 to 2026-03-09, first $1,000, last $2,900, lowest $1,000, highest $2,900.", html);
        Assert.Contains("<th scope=\"row\">2026-01-30</th><td class=\"number\">$1,500.00</td>", html);
        Assert.DoesNotContain("$99,999", html);
        Assert.DoesNotContain("$77,777", html);
    }

    [Theory]
    [InlineData(0, 1)]
    [InlineData(4, 1)]
    [InlineData(5, 2)]
    [InlineData(49, 20)]
    [InlineData(524265, 200000)]
    public void The_lines_across_are_at_round_amounts_and_at_most_four(long largest, long step) => Assert.Equal(step, HistoryChart.Step(largest));

    [Fact]
    public void A_chart_stays_inside_its_area_and_its_parts_make_the_whole()
    {
        var chart = HistoryChart.Of([.. Enumerable.Range(0, 400).Select(i => (new DateOnly(2025, 1, 15).AddDays(i), (IReadOnlyList<long>)[i, 2 * i, 7]))]);
        var points = chart.Areas.Append(chart.Line).SelectMany(a => a.Split(' ')).Select(p => p.Split(',').Select(n => double.Parse(n, System.Globalization.CultureInfo.InvariantCulture)).ToList()).ToList();
        Assert.All(points, p => Assert.True(p[0] is >= HistoryChart.Left and <= HistoryChart.Right && p[1] is >= HistoryChart.Top and <= HistoryChart.Bottom));
        Assert.StartsWith(chart.Line, chart.Areas[2]);
        Assert.InRange(chart.Months.Count, 4, 6);
        Assert.Equal((0, HistoryChart.Bottom), (chart.Marks[0].Amount, chart.Marks[0].Y));
    }

    [Fact]
    public async Task While_a_demo_is_played_the_start_page_says_how_far_it_is_and_the_clock_stays_alone()
    {
        await using var host = await HostedPipeline.StartAsync(demo: true);
        host.Demo = new DemoState(true, .4312, null);
        var answer = await host.Client.GetAsync("/");
        var html = await answer.Content.ReadAsStringAsync();
        Assert.Contains("<progress id=\"demo-bar\" max=\"100\" value=\"43\"", html);
        Assert.Contains("<noscript><meta http-equiv=\"refresh\" content=\"3\"></noscript>", html);
        Assert.Contains("; script-src 'self'; connect-src 'self'", answer.Headers.GetValues("Content-Security-Policy").Single());
        Assert.DoesNotContain("action=\"/local/demo\"", html);
        Assert.DoesNotContain("action=\"/clock/advance\"", html);
        Assert.Contains("A demo year is being played: 43 %", await host.Client.GetStringAsync("/flows"));
        Assert.DoesNotContain("script-src", (await host.Client.GetAsync("/flows")).Headers.GetValues("Content-Security-Policy").Single());

        host.Demo = new DemoState(false, .9999, "the demo year could not be played to its end: the disk is full");
        html = await host.Client.GetStringAsync("/");
        Assert.Contains("The demo year stands at 99 %", html);
        Assert.Contains("the disk is full", html);
        Assert.Contains("Play the rest", html);
        Assert.DoesNotContain("<script", html);
    }

    [Fact]
    public async Task The_sweep_keeps_what_it_found_on_each_day()
    {
        await using var host = await Support.TestHost.StartAsync();
        await host.SweepAsync();
        await host.AdvanceAsync(TimeSpan.FromDays(2));
        var tables = (ITables)host.Services.GetService(typeof(ITables))!;
        Assert.True((await tables.ListAsync<SweepResult>(Keys.Sweeps)).Count >= 2);
    }

    [Fact]
    public async Task The_empty_page_offers_the_demo_only_where_there_is_one()
    {
        await using var with = await HostedPipeline.StartAsync(demo: true);
        Assert.Contains("action=\"/local/demo\"", await with.Client.GetStringAsync("/"));
        await using var without = await HostedPipeline.StartAsync();
        Assert.DoesNotContain("/local/demo", await without.Client.GetStringAsync("/"));
    }

    [Fact]
    public async Task Customers_are_sorted_by_risk_times_mrr_when_asked()
    {
        await using var host = await HostedPipeline.StartAsync();
        await host.Tables.SeedAsync(SampleRows.Customer("cus_small", "Small Ltd", score: 20));
        await host.Tables.SeedAsync(SampleRows.Customer("cus_large", "Large Ltd", score: 75, mrr: 19900));
        var html = await host.Client.GetStringAsync("/customers?sort=risk_mrr");
        Assert.True(html.IndexOf("Large Ltd", StringComparison.Ordinal) < html.IndexOf("Small Ltd", StringComparison.Ordinal));
        Assert.Contains("<option value=\"risk_mrr\" selected", html);
    }

    private static List<CustomerGlance> Glances(Customer[] customers) => [.. customers.Select(CustomerGlance.Of)];

    private static Overview Of(OverviewRows rows) => Overview.Of(rows, TimeZoneInfo.Utc, Now);

    private static SweepResult Sweep(DateTimeOffset at) => new()
    {
        At = at, Customers = 1, Paying = 1, Tiers = new Dictionary<HealthTier, int>(), CurrentTiers = new Dictionary<HealthTier, int>(), Mrr = new Dictionary<string, long> { ["usd"] = 2900 }, Candidates = 0, Started = 0,
    };

    private static Run Dunning(string customer, RunOutcome? outcome) => With(SampleRows.Run(customer, outcome: outcome), FlowTrigger.FailedPayment);

    private static Run WinBack(string customer, RunOutcome outcome) => With(SampleRows.Run(customer, "win-back", "2026-03-01", outcome), FlowTrigger.Inactivity);

    private static Run With(Run run, FlowTrigger trigger) => run with { Definition = run.Definition with { Trigger = trigger } };
}
