using System.Net;
using FsCheck;
using FsCheck.Fluent;
using RetentionFunctions.Customers;
using RetentionFunctions.Health;
using RetentionFunctions.Storage;
using RetentionFunctions.Web;

namespace RetentionFunctions.Tests.Web;

public class CustomerStoryTests
{
    private static readonly DateOnly First = new(2026, 1, 1);

    [Theory]
    [InlineData(new[] { 90, 89, 85, 81 }, new[] { 0 })]
    [InlineData(new[] { 90, 79, 79 }, new[] { 0, 1 })]
    // A slow fall within a tier turns once it has come to ten points.
    [InlineData(new[] { 35, 31, 28, 25, 22 }, new[] { 0, 3 })]
    [InlineData(new[] { 20, 90, 20 }, new[] { 0, 1, 2 })]
    public void A_score_turns_at_another_tier_or_ten_points_away(int[] scores, int[] turns) =>
        Assert.Equal(turns, ScoreLine.Of(Days(scores)).Points.Select((p, i) => (p, i)).Where(p => p.p.Turned).Select(p => p.i));

    [Fact]
    public void The_line_runs_left_to_right_inside_the_chart() => Prop.ForAll(ArbMap.Default.ArbFor<byte[]>(), scores =>
    {
        var points = ScoreLine.Of(Days([.. scores.Select(s => s % 101)]).Reverse()).Points;
        return points.Count == scores.Length
            && points.All(p => p.X is >= ScoreLine.Left and <= ScoreLine.Right && p.Y is >= ScoreLine.Top and <= ScoreLine.Bottom)
            && points.Zip(points.Skip(1)).All(p => p.First.X < p.Second.X && p.First.State.ScoredOn < p.Second.State.ScoredOn);
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void A_hundred_is_at_the_top_and_nothing_at_the_bottom() => Assert.Equal((ScoreLine.Top, ScoreLine.Bottom), (ScoreLine.Y(100), ScoreLine.Y(0)));

    [Fact]
    public async Task The_score_line_has_its_reasons_at_each_turn_and_a_table_behind_it()
    {
        await using var host = await HostedPipeline.StartAsync();
        await SampleRows.FullAsync(host, "cus_1", "Ada", "text");
        foreach (var state in Days([90, 88, 34])) await host.Tables.UpsertAsync(Keys.Score("cus_1", state.ScoredOn), state);
        var html = WebUtility.HtmlDecode(await host.Client.GetStringAsync("/customers/cus_1"));
        Assert.Contains("2026-01-03: 34 (−56). reason of 34 (−18)</title>", html);
        Assert.Contains("<caption>Turns of the health score, newest first</caption>", html);
        Assert.Contains("From 90 on 2026-01-01 to 34 on 2026-01-03", html);
        Assert.DoesNotContain("2026-01-02: 88", html);
    }

    [Fact]
    public async Task Events_payments_e_mails_runs_notes_and_turns_of_the_score_stand_on_one_line_in_order_of_time()
    {
        await using var host = await HostedPipeline.StartAsync();
        await SampleRows.FullAsync(host, "cus_1", "Ada", "text");
        foreach (var state in Days([90, 88, 34])) await host.Tables.UpsertAsync(Keys.Score("cus_1", state.ScoredOn), state);
        var line = TimeEntry.Of((await new CustomerQueries(host.Tables).GetAsync("cus_1"))!);
        Assert.Equal(line.OrderByDescending(e => e.At).Select(e => e.At), line.Select(e => e.At));
        Assert.Equal(("Health fell to 34, high risk", "reason of 34 (−18)"), line.Where(e => e.Kind == TimeEntryKind.Health).Select(e => (e.Title, e.Text)).Single());
        Assert.Equal([1, 1, 1, 3, 1, 1], Enum.GetValues<TimeEntryKind>().Select(kind => line.Count(e => e.Kind == kind)));
    }

    [Theory]
    [InlineData("payment", "<li class=\"payment\">", "<li class=\"run\">")]
    [InlineData("run", "<li class=\"run\">", "<li class=\"payment\">")]
    [InlineData("note", "<li class=\"note\">", "<li class=\"email\">")]
    public async Task The_time_line_is_filtered_by_links(string show, string there, string gone)
    {
        await using var host = await HostedPipeline.StartAsync();
        await SampleRows.FullAsync(host, "cus_1", "Ada", "text");
        var all = await host.Client.GetStringAsync("/customers/cus_1");
        Assert.Contains($"href=\"/customers/cus_1?show={show}#time-line\"", all);
        Assert.Contains(gone, all);
        var some = await host.Client.GetStringAsync($"/customers/cus_1?show={show}");
        Assert.Contains(there, some);
        Assert.DoesNotContain(gone, some);
    }

    [Fact]
    public async Task Below_the_score_stands_what_happened_on_its_days_and_nothing_of_other_days()
    {
        await using var host = await HostedPipeline.StartAsync();
        await SampleRows.FullAsync(host, "cus_1", "Ada", "text");
        foreach (var state in Days([.. Enumerable.Range(0, 20).Select(i => 90 - i)])) await host.Tables.UpsertAsync(Keys.Score("cus_1", state.ScoredOn.AddDays(48)), state with { ScoredOn = state.ScoredOn.AddDays(48) });
        var lanes = ScoreLane.Of((await new CustomerQueries(host.Tables).GetAsync("cus_1"))!, HostedPipeline.Now);
        // From 2026-02-18 to 2026-03-09: the payment failed on 03-06, the one before was paid on 02-04, the note is of 02-08.
        Assert.Equal(["Bills", "E-mails", "Runs"], lanes.Select(l => l.Name));
        Assert.Equal([("failed", "2026-03-06: payment of $49.00 failed")], lanes[0].Marks.Select(m => (m.Class, m.Says)));
        Assert.All(lanes.SelectMany(l => l.Marks), m => Assert.True(m.From >= ScoreLine.Left && m.From <= m.To && m.To <= ScoreLine.Right));
        Assert.Contains(lanes[2].Marks, m => m.To == ScoreLine.Right && m.Says.EndsWith("; open", StringComparison.Ordinal));
    }

    private static IEnumerable<HealthState> Days(int[] scores) =>
        scores.Select((score, i) => SampleRows.Health(score, $"reason of {score}") with { ScoredOn = First.AddDays(i), Tier = HealthScore.TierOf(score) });
}
