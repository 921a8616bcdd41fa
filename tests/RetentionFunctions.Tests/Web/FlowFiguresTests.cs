using System.Net;
using RetentionFunctions.Flows;
using RetentionFunctions.Insight;
using RetentionFunctions.Web;

namespace RetentionFunctions.Tests.Web;

public class FlowFiguresTests
{
    private static readonly FlowDefinition Dunning = SampleRows.Run("x").Definition;

    [Fact]
    public void A_run_that_ended_stands_at_its_last_step_and_nowhere_else()
    {
        var flow = One(SampleRows.Run("a", outcome: RunOutcome.Paid), SampleRows.Run("b"), SampleRows.Run("c", outcome: RunOutcome.Canceled) with { Sent = [] });
        Assert.Equal([new(RunOutcome.Canceled, 1)], flow.Places[0].Ended);
        Assert.Empty(flow.Places[1].Ended);
        Assert.Equal([new(RunOutcome.Paid, 1)], flow.Places[2].Ended);
        Assert.Equal([0, 0, 1, 0, 0, 0], flow.Places.Select(p => p.Tally.Waiting));
        Assert.Equal([0, 2, 2, 0, 0, 0], flow.Places.Select(p => p.Tally.Tried));
    }

    [Fact]
    public void Everyone_who_entered_stands_or_ended_at_one_place()
    {
        var flow = One([.. Enumerable.Range(0, 40).Select(i => SampleRows.Run($"c{i}", outcome: i % 3 == 0 ? null : (RunOutcome)(i % 5)) with
        {
            Sent = [.. Enumerable.Range(1, i % 6).Select(step => new SentStep(step, "t", HostedPipeline.Now, MailResult.Accepted))],
        })]);
        Assert.Equal(40, flow.Started - flow.HeldOut);
        Assert.Equal(40, flow.Places.Sum(p => p.Tally.Waiting + p.Ended.Sum(e => e.Value)));
        Assert.Equal(flow.Open, flow.Places.Sum(p => p.Tally.Waiting));
    }

    [Fact]
    public void Those_held_out_entered_nothing_and_previews_are_apart()
    {
        var flow = One(SampleRows.Run("a", outcome: RunOutcome.HeldOut) with { Sent = [] }, SampleRows.Run("b"), SampleRows.Run("c") with { Preview = true });
        Assert.Equal((2, 1, 1, 1), (flow.Started, flow.HeldOut, flow.Open, flow.Previews));
        Assert.Empty(flow.Ended);
    }

    [Fact]
    public void What_became_of_each_e_mail_is_counted_at_its_step()
    {
        var flow = One(SampleRows.Run("a") with { Sent = [new SentStep(1, "t", HostedPipeline.Now, MailResult.Refused), new SentStep(2, "t", HostedPipeline.Now, MailResult.Unknown)] }, SampleRows.Run("b"));
        Assert.Equal((2, 1, 1, 0), (flow.Places[1].Tally.Tried, flow.Places[1].Tally.Accepted, flow.Places[1].Tally.Refused, flow.Places[1].Tally.Unknown));
        Assert.Equal((2, 1, 0, 1), (flow.Places[2].Tally.Tried, flow.Places[2].Tally.Accepted, flow.Places[2].Tally.Refused, flow.Places[2].Tally.Unknown));
    }

    [Fact]
    public void A_flow_that_left_the_settings_is_still_told_by_its_runs()
    {
        var flows = FlowFigures.Of(new Dictionary<string, FlowDefinition> { ["dunning"] = Dunning }, FlowTally.OfRuns([SampleRows.Run("a", "old-flow")]));
        Assert.Equal(["dunning", "old-flow"], flows.Select(f => f.Name));
        Assert.Null(flows[1].Definition);
        Assert.Equal(6, flows[1].Places.Count);
    }

    [Fact]
    public async Task The_page_draws_each_flow_with_its_numbers()
    {
        await using var host = await HostedPipeline.StartAsync();
        await SampleRows.FullAsync(host, "cus_1", "Ada", "text");
        var html = WebUtility.HtmlDecode(await host.Client.GetStringAsync("/flows"));
        foreach (var text in new[] { "<h2 id=\"flow-dunning\"><a href=\"/flows/dunning\">dunning</a></h2>", "<h2 id=\"flow-win-back\"><a href=\"/flows/win-back\">win-back</a></h2>", "Starts when a recurring payment fails.", "1 returned", "1 here now", "1 started; 1 open" })
            Assert.Contains(text, html);
    }

    [Fact]
    public async Task The_settings_page_says_each_value_and_where_it_comes_from_and_no_secret()
    {
        await using var host = await HostedPipeline.StartAsync();
        var html = WebUtility.HtmlDecode(await host.Client.GetStringAsync("/settings"));
        Assert.Contains("<code>Product:Name</code></th><td role=\"cell\">Ledgerly</td>", html);
        Assert.Contains("<code>Flows:Mode</code>", html);
        Assert.Contains("Everything is at its default", await host.Client.GetStringAsync("/settings?show=changed"));
    }

    private static FlowFigures One(params Run[] runs) => FlowFigures.Of(new Dictionary<string, FlowDefinition> { ["dunning"] = Dunning }, FlowTally.OfRuns(runs)).Single();
}
