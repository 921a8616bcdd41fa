using System.Net;
using RetentionFunctions.Customers;
using RetentionFunctions.Insight;
using RetentionFunctions.Storage;
using RetentionFunctions.Web;

namespace RetentionFunctions.Tests.Web;

/// <summary>The pages of recovery and of a flow, and the points of their charts.</summary>
public class RecoveryPageTests
{
    [Fact]
    public async Task Before_the_first_night_the_pages_say_that_nothing_is_counted_and_offer_to_count()
    {
        await using var host = await HostedPipeline.StartAsync();
        foreach (var address in new[] { "/recovery", "/flows/dunning" })
        {
            var html = WebUtility.HtmlDecode(await host.Client.GetStringAsync(address));
            Assert.Contains("Nothing is counted yet.", html);
            Assert.Contains("Count now", html);
        }
        Assert.Contains("\"asOf\":null", await host.Client.GetStringAsync("/api/v1/recovery"));
    }

    [Fact]
    public async Task Pages_read_one_row_of_each_bucket_and_no_customer()
    {
        await using var host = await HostedPipeline.StartAsync();
        await host.Tables.UpsertAsync(Keys.SummariesCounted, new SummariesCounted(HostedPipeline.Now, [RecoverySummary.SummaryName, FlowsSummary.SummaryName]));
        var cell = new RecoveryCell(new RecoveryKey(new DateOnly(2026, 1, 5), "usd", DeclineGroup.CardExpired, InvoiceFate.AfterEmail), 3, 14700) { Days = new Dictionary<int, int> { [2] = 1, [4] = 2 } };
        foreach (var bucket in Keys.AllBuckets) await host.Tables.UpsertAsync(Keys.Summary(RecoverySummary.SummaryName, bucket), StoredRecovery.Of([cell]));
        var html = WebUtility.HtmlDecode(await host.Client.GetStringAsync("/recovery"));
        Assert.Contains("paid later ÷ failed: 768 ÷ 768", html);
        Assert.Contains("$37,632", html);
        Assert.Contains("<th scope=\"row\" class=\"nowrap\">3–6</th><td class=\"number\">512</td>", html);
        Assert.Contains("Card expired", html);
    }

    [Fact]
    public void The_bars_of_the_weeks_are_as_high_as_their_parts_and_stay_inside_the_chart()
    {
        foreach (var weeks in new[] { 1, 26, 300 })
        {
            var all = Enumerable.Range(0, weeks).Select(i => new RecoveryWeek(new DateOnly(2026, 1, 5).AddDays(7 * i), new RecoveryFigures(
                [Cell(i, InvoiceFate.Silent, i % 4), Cell(i, InvoiceFate.StillOpen, i % 3), Cell(i, InvoiceFate.HeldOut, 1), Cell(i, InvoiceFate.Unpaid, i % 5 == 0 ? 7 : 0)]), false)).ToList();
            var chart = RecoveryChart.Of(all);
            Assert.Equal(Math.Min(weeks, RecoveryChart.MostWeeks), chart.Bars.Count);
            Assert.Equal(all[^1].Week, chart.Bars[^1].Week);
            Assert.All(chart.Bars, b => Assert.InRange(b.X, RecoveryChart.Left, RecoveryChart.Right - chart.Width));
            var unit = (chart.Marks[0].Y - chart.Marks[^1].Y) / chart.Marks[^1].Count;
            foreach (var bar in chart.Bars)
            {
                var figures = all.Single(w => w.Week == bar.Week).Figures;
                Assert.Equal(figures.Failed.Count * unit, bar.Parts.Sum(p => p.Height), 6);
                Assert.All(bar.Parts, p => Assert.True(p.Y >= RecoveryChart.Top - 0.01 && p.Y + p.Height <= RecoveryChart.Bottom + 0.01));
                // Each stands on the one before it.
                for (var i = 1; i < bar.Parts.Count; i++) Assert.Equal(bar.Parts[i - 1].Y, bar.Parts[i].Y + bar.Parts[i].Height, 6);
            }
            Assert.InRange(chart.Months.Count, 1, 6);
        }

        static RecoveryCell Cell(int week, InvoiceFate fate, int count) => new(new RecoveryKey(new DateOnly(2026, 1, 5).AddDays(7 * week), "usd", DeclineGroup.Unknown, fate), count, count);
    }

    [Fact]
    public void The_line_of_a_difference_has_zero_and_the_whole_interval_on_it()
    {
        foreach (var (a, of, b, ofB) in new[] { (9, 10, 3, 10), (0, 10, 0, 20), (500, 5000, 40, 500), (10, 10, 0, 20), (3, 40, 3, 5) })
        {
            var interval = Proportions.Difference(new Ratio(a, of), new Ratio(b, ofB));
            var chart = DifferenceChart.Of(((double)a / of) - ((double)b / ofB), interval);
            Assert.True(DifferenceChart.Left <= chart.Low && chart.Low <= chart.At && chart.At <= chart.High && chart.High <= DifferenceChart.Right, $"{chart}");
            Assert.InRange(chart.Zero, DifferenceChart.Left, DifferenceChart.Right);
            Assert.Equal(interval.ContainsZero, chart.Low <= chart.Zero && chart.High >= chart.Zero);
            Assert.Contains(chart.Marks, m => m.Points == 0 && Math.Abs(m.X - chart.Zero) < 0.01);
            Assert.InRange(chart.Marks.Count, 2, 8);
        }
    }
}
