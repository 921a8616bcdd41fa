using System.Net;
using RetentionFunctions.Customers;
using RetentionFunctions.Tests.Support;
using RetentionFunctions.Web;

namespace RetentionFunctions.Tests.Web;

public class MetricsPageTests
{
    private static readonly DateTimeOffset January = new(2026, 1, 5, 10, 0, 0, TimeSpan.Zero);

    [Fact]
    public async Task The_page_tells_the_last_whole_month_with_denominators_and_leads_to_the_others()
    {
        await using var host = await TestHost.StartAsync("2026-01-05T10:00:00Z");
        Assert.Contains("No month yet", await host.Http.GetStringAsync("/metrics"));
        var (bob, eve) = (new Story("cus_Bob", "bob@example.com"), new Story("cus_Eve", "eve@example.com", interval: "year", amount: 58800));
        foreach (var story in (Story[])[host.Ada, bob, eve]) await host.StripeAsync(story.SignsUp(January));
        await host.AdvanceToAsync(January.AddDays(40));
        await host.StripeAsync(bob.Cancels(host.Now));
        await host.AdvanceToAsync(new DateTimeOffset(2026, 3, 10, 0, 0, 0, TimeSpan.Zero));

        var page = WebUtility.HtmlDecode(await host.Http.GetStringAsync("/metrics"));
        Assert.Contains("<h2 id=\"month\">February 2026", page);
        Assert.Contains("lost ÷ customers at the start: 1 ÷ 3", page);
        Assert.Contains("33.3 %", page);
        Assert.Contains("monthly 50 % (1 of 2, serious); yearly 0 % (0 of 1, good)", page);
        Assert.Contains("Start $147, Churned −$49, End $98.", page);
        Assert.Contains("2026-03</a> (open)", page);
        var january = WebUtility.HtmlDecode(await host.Http.GetStringAsync("/metrics?month=2026-01"));
        Assert.Contains("<h2 id=\"month\">January 2026", january);
        Assert.Contains("lost ÷ customers at the start: 0 ÷ 0", january);
        Assert.Contains("left in the last 30 days ÷ (customers 30 days before the end + joined since): 1 ÷ 3", WebUtility.HtmlDecode(await host.Http.GetStringAsync("/metrics?formula=stripe")));
        Assert.Equal(HttpStatusCode.BadRequest, (await host.Http.GetAsync("/metrics?formula=x")).StatusCode);
    }

    [Fact]
    public void The_bars_of_a_waterfall_hang_from_each_other_and_stay_inside_the_chart()
    {
        foreach (var (start, moves) in new (long, long[])[] { (0, [4900]), (1_000_000, [5_000, -3_000, 200]), (100, [-100]), (0, []), (5_000, [90_000, -80_000, 1]) })
        {
            var end = start + moves.Sum();
            var chart = WaterfallChart.Of(start, [.. moves.Select((m, i) => ($"{i}", m))], end);
            Assert.Equal(moves.Length + 2, chart.Bars.Count);
            Assert.All(chart.Bars, b => Assert.True(b.Y >= WaterfallChart.Top - 0.01 && b.Y + b.Height <= WaterfallChart.Bottom + 0.01 && b.Height > 0, $"{b}"));
            for (var i = 1; i < chart.Bars.Count - 1; i++)
            {
                // Each begins where the one before it ended.
                var (before, bar) = (chart.Bars[i - 1], chart.Bars[i]);
                var level = before.Class is "up" or "whole" ? before.Y : before.Y + before.Height;
                if (before.Height > 2 && bar.Height > 2) Assert.Equal(level, bar.Class == "up" ? bar.Y + bar.Height : bar.Y, 1);
            }
        }
    }
}
