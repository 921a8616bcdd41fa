using RetentionFunctions.Flows;
using RetentionFunctions.Storage;
using RetentionFunctions.Tests.Support;
using RetentionFunctions.Web;

namespace RetentionFunctions.Tests.Web;

/// <summary>Of many runs only those are kept that are shown, and all are counted.</summary>
public class RunQueriesTests
{
    private static readonly DateTimeOffset Now = HostedPipeline.Now;

    private static async Task<RunQueries> QueriesAsync()
    {
        var tables = new FakeTables();
        foreach (var run in Enumerable.Range(0, 7).Select(i => Ended($"ended{i}", i)).Concat(Enumerable.Range(0, 5).Select(i => Open($"open{i}", i))).Append(Open("starting", null)))
            await tables.UpsertAsync(Keys.Run(run.Id.CustomerId, run.Id.Flow, run.Id.Occasion), run);
        return new RunQueries(tables);
    }

    private static Run Ended(string customer, int daysAgo) => SampleRows.Run(customer) with { Status = RunStatus.Ended, Outcome = RunOutcome.Paid, EndedAt = Now.AddDays(-daysAgo), DueAt = null };

    private static Run Open(string customer, int? dueIn) => SampleRows.Run(customer) with { Status = dueIn is null ? RunStatus.Starting : RunStatus.Running, Outcome = null, EndedAt = null, DueAt = dueIn is { } days ? Now.AddDays(days) : null };

    [Fact]
    public async Task A_page_shows_the_open_runs_that_are_due_next_and_the_latest_that_ended_and_says_how_many_there_are()
    {
        var page = await (await QueriesAsync()).PageAsync(open: 3, ended: 2);
        Assert.Equal(["starting", "open0", "open1"], page.Open.Select(r => r.Id.CustomerId));
        Assert.Equal(["ended0", "ended1"], page.Ended.Select(r => r.Id.CustomerId));
        Assert.Equal((6, 7), (page.OpenCount, page.EndedCount));
        var all = await (await QueriesAsync()).PageAsync(open: 100, ended: 100);
        Assert.Equal((6, 7), (all.Open.Count, all.Ended.Count));
    }

    [Fact]
    public async Task What_is_counted_of_runs_is_of_those_that_are_open_or_ended_lately_and_their_standing_is_of_all()
    {
        var queries = await QueriesAsync();
        Assert.Equal((6, 2), ((await queries.GlancesAsync(Now.AddDays(-2))).Count(r => r.Status != RunStatus.Ended), (await queries.GlancesAsync(Now.AddDays(-2))).Count(r => r.Status == RunStatus.Ended)));
        Assert.Equal(new Dictionary<RunStatus, int> { [RunStatus.Starting] = 1, [RunStatus.Running] = 5, [RunStatus.Ended] = 7 }, await queries.CountAsync(r => r.Status));
        Assert.Equal(6, (await queries.OpenAsync()).Count);
        Assert.Equal(13, Assert.Single(await queries.TalliesAsync()).Started);
    }
}
