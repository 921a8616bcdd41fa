using System.Collections.Concurrent;
using RetentionFunctions.Customers;
using RetentionFunctions.Email;
using RetentionFunctions.Health;
using RetentionFunctions.Settings;
using RetentionFunctions.Storage;

namespace RetentionFunctions.Insight;

/// <summary>Reads what a review tells: the sums of the buckets, the sweeps of two months, the runs, the actions, and what was counted at night of cohorts and flows.</summary>
public sealed class ReviewQueries(ITables tables, MetricsQueries metrics, HealthQueries health, CohortQueries cohorts, FlowQueries flows, SummaryQueries summaries, ReviewActions actions, RetentionSettings settings, TimeProvider clock)
{
    /// <summary>The latest month that is over.</summary>
    public Month Latest => Month.Of(clock.GetUtcNow()).Plus(-1);

    /// <summary>The review of a month that has begun.</summary>
    public async Task<Review> ReadAsync(Month month, CancellationToken cancel = default)
    {
        var months = metrics.MonthsAsync(new MetricsRequest(month.Plus(1 - Review.TrendMonths), month, ChurnFormula.Standard, null), cancel);
        var sweeps = health.SweepsAsync(DateOnly.FromDateTime(month.Plus(-1).Start.UtcDateTime).AddDays(-1), DateOnly.FromDateTime(month.End.UtcDateTime), cancel);
        var runs = RunsAsync(month, cancel);
        var all = actions.AllAsync(cancel);
        var held = cohorts.ReadAsync(new CohortRequest(CohortMeasure.Customers, null, null), cancel);
        var tallies = flows.TalliesAsync(cancel);
        var leaving = summaries.ReadAsync<StoredLeaving>(LeavingSummary.SummaryName, cancel);
        await Task.WhenAll(months, sweeps, runs, all, held, tallies, leaving);
        var review = Review.Of(month, await months, await sweeps, await runs, await all, clock.GetUtcNow());
        var counted = (await tallies).Tallies;
        return review with
        {
            Cohorts = await held, Leaving = LeavingReasons.Of((await leaving).Buckets, month), Experiments = ReviewExperiment.Of(counted, settings.Flows.Definitions),
            Flows = [.. review.Flows.Select(f => f with { Lift = LiftOf(f.Flow, counted) })],
        };
    }

    /// <summary>The line of the week that ended with the latest sweep; null before there is anything to compare.</summary>
    public async Task<ReviewWeek?> WeekAsync(CancellationToken cancel = default)
    {
        var today = DailySweep.Day(clock.GetUtcNow(), settings);
        return ReviewWeek.Of(await health.SweepsAsync(today.AddDays(-ReviewWeek.OldestDays), today, cancel), at => DailySweep.Day(at, settings), await BroughtIn.AtAsync(tables, cancel));
    }

    /// <summary>What became of an e-mail of the review; null where it was not begun.</summary>
    public async Task<MailRecord?> MailAsync(string occasion, CancellationToken cancel = default) => (await tables.GetAsync<MailRecord>(Keys.ReviewMail(occasion), cancel))?.Value;

    // What may be said of a flow, of all time: a month has too few customers.
    private string? LiftOf(string flow, IReadOnlyList<FlowTally> tallies) =>
        tallies.FirstOrDefault(t => t.Name == flow) is { } tally ? FlowReport.Of(tally, settings.Flows.Definitions.GetValueOrDefault(flow)).Text() : null;

    // Only those of the month: of all months there are some for each customer.
    private async Task<IReadOnlyList<ReviewRun>> RunsAsync(Month month, CancellationToken cancel)
    {
        var found = new ConcurrentBag<ReviewRun>();
        await tables.EachRowAsync(Keys.RunsOfBucket, row =>
        {
            if (row.Read<ReviewRun>() is var run && (run.StartedIn(month) || run.EndedIn(month))) found.Add(run);
        }, cancel);
        return [.. found];
    }
}
