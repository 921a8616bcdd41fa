using RetentionFunctions.Customers;
using RetentionFunctions.Flows;
using RetentionFunctions.Health;

namespace RetentionFunctions.Insight;

/// <summary>The review of one month, as far as there is something to say. Pure, from the months, the sweeps, the runs and the actions.</summary>
public sealed record Review
{
    /// <summary>Months of the trend, this one included.</summary>
    public const int TrendMonths = 12;

    /// <summary>Months of customers who joined that are looked at.</summary>
    public const int CohortMonths = 6;

    /// <summary>The calendar month, UTC.</summary>
    public required Month Month { get; init; }

    /// <summary>It is over; else all is so far.</summary>
    public required bool IsOver { get; init; }

    /// <summary>Each currency, the largest MRR first.</summary>
    public required IReadOnlyList<ReviewCurrency> Currencies { get; init; }

    /// <summary>Each flow that did anything in the month.</summary>
    public required IReadOnlyList<ReviewFlow> Flows { get; init; }

    /// <summary>Each flow of which some are held out, or were: what the comparison shows of all time. By name.</summary>
    public IReadOnlyList<ReviewExperiment> Experiments { get; init; } = [];

    /// <summary>What those gave as their reason who left in the month by their own decision, each currency by itself, as it was last counted.</summary>
    public IReadOnlyList<LeavingReasons> Leaving { get; init; } = [];

    /// <summary>All cohorts by customers, as they were last counted; null where nobody asked for them.</summary>
    public Cohorts? Cohorts { get; init; }

    /// <summary>Those who first paid in the last months of the review, newest first.</summary>
    public IEnumerable<CohortRow> RecentCohorts =>
        Cohorts is null ? [] : Cohorts.Groups.SelectMany(g => g.Rows).Where(r => r.Month <= Month && r.Month > Month.Plus(-CohortMonths)).OrderByDescending(r => r.Month);

    /// <summary>What runs ahead of churn, against the month before.</summary>
    public required IReadOnlyList<ReviewIndicator> Indicators { get; init; }

    /// <summary>Decided in an earlier review and open when this month ended.</summary>
    public required IReadOnlyList<ReviewAction> Carried { get; init; }

    /// <summary>Decided in this review.</summary>
    public required IReadOnlyList<ReviewAction> Actions { get; init; }

    internal static Review Of(Month month, IReadOnlyList<MetricsMonth> months, IReadOnlyList<SweepResult> sweeps, IReadOnlyList<ReviewRun> runs, IReadOnlyList<ReviewAction> actions, DateTimeOffset now) => new()
    {
        Month = month,
        IsOver = month.End <= now,
        Currencies = [.. months.GroupBy(m => m.All.Currency, StringComparer.Ordinal).Select(g => ReviewCurrency.Of(month, [.. g])).OfType<ReviewCurrency>().OrderByDescending(c => c.Now.All.MrrAtEnd).ThenBy(c => c.Now.All.Currency, StringComparer.Ordinal)],
        Flows = ReviewFlow.Of(month, runs),
        Indicators = ReviewIndicator.Of(MonthHealth.Of(sweeps, month), MonthHealth.Of(sweeps, month.Plus(-1))),
        // What was done before the month was over is not carried into its review; what was done since stays there, crossed out.
        Carried = [.. actions.Where(a => a.Month < month && (a.DoneAt is not { } done || done >= month.End))],
        Actions = [.. actions.Where(a => a.Month == month)],
    };
}

/// <summary>One currency: this month, the one before, and up to twelve, oldest first.</summary>
/// <param name="Now">The month of the review.</param>
/// <param name="Before">The one before; null where there was none.</param>
/// <param name="Trend">Up to <see cref="Review.TrendMonths"/>, oldest first, this one last.</param>
public sealed record ReviewCurrency(MetricsMonth Now, MetricsMonth? Before, IReadOnlyList<MetricsMonth> Trend)
{
    /// <summary>The months of those who joined lately, newest first.</summary>
    public IEnumerable<MetricsMonth> Joined => Trend.Reverse().Take(Review.CohortMonths);

    internal static ReviewCurrency? Of(Month month, IReadOnlyList<MetricsMonth> months) =>
        months.LastOrDefault(m => m.All.Month == month) is { } now
            ? new ReviewCurrency(now, months.LastOrDefault(m => m.All.Month == month.Plus(-1)), [.. months.Where(m => m.All.Month <= month && m.All.Month > month.Plus(-Review.TrendMonths))])
            : null;
}

/// <summary>What a flow did in a month; previews are no part of it.</summary>
/// <param name="Flow">Its name.</param>
/// <param name="Started">Runs started in the month that were not held out.</param>
/// <param name="HeldOut">Started and held out.</param>
/// <param name="Ended">Runs ended in the month that were not held out.</param>
/// <param name="Reached">Of these, those that reached what the flow is for: paid, returned.</param>
/// <param name="Outcome">What the flow is for.</param>
public sealed record ReviewFlow(string Flow, int Started, int HeldOut, int Ended, int Reached, RunOutcome Outcome)
{
    /// <summary>What the comparison with those held out shows, of all time, in a sentence or two; null where it was not counted yet.</summary>
    public string? Lift { get; init; }

    internal static IReadOnlyList<ReviewFlow> Of(Month month, IReadOnlyList<ReviewRun> runs) =>
    [
        .. runs.Where(r => !r.Preview).GroupBy(r => r.Id.Flow, StringComparer.Ordinal).OrderBy(g => g.Key, StringComparer.Ordinal).Select(flow =>
        {
            var started = flow.Where(r => r.StartedIn(month)).ToList();
            var ended = flow.Where(r => r.EndedIn(month) && r.Outcome != RunOutcome.HeldOut).ToList();
            var goal = flow.First().Definition.Trigger == FlowTrigger.FailedPayment ? RunOutcome.Paid : RunOutcome.Returned;
            var held = started.Count(r => r.Outcome == RunOutcome.HeldOut);
            return new ReviewFlow(flow.Key, started.Count - held, held, ended.Count, ended.Count(r => r.Outcome == goal), goal);
        }).Where(f => f.Started + f.HeldOut + f.Ended > 0),
    ];
}

/// <summary>A flow of which some are held out: an experiment whose question is what the e-mails bring.</summary>
/// <param name="Flow">Its name.</param>
/// <param name="IsRunning">Some of those who enter now are held out.</param>
/// <param name="Report">Both sides, their difference with its interval, and how many are needed.</param>
public sealed record ReviewExperiment(string Flow, bool IsRunning, FlowReport Report)
{
    /// <summary>How many more customers have to enter until a difference of <see cref="FlowReport.WantedDifference"/> would be seen; 0 where one is seen, or enough did; null where no number suffices.</summary>
    public long? StillNeeded => Report.Verdict is FlowVerdict.Helps or FlowVerdict.Harms ? 0 : Report.Need.Customers is { } all ? Math.Max(0, all - Report.Compared) : null;

    internal static IReadOnlyList<ReviewExperiment> Of(IReadOnlyList<FlowTally> tallies, IReadOnlyDictionary<string, FlowDefinition> definitions) =>
    [
        .. tallies.Select(t => t.Name).Union(definitions.Keys, StringComparer.OrdinalIgnoreCase).Order(StringComparer.Ordinal)
            .Select(name => (Name: name, Definition: definitions.GetValueOrDefault(name), Tally: tallies.FirstOrDefault(t => t.Name == name)))
            .Where(f => f.Definition is { Enabled: true, HoldOut: > 0 } || f.Tally?.LeastHeldOut is not null)
            .Select(f => new ReviewExperiment(f.Name, f.Definition is { Enabled: true, HoldOut: > 0 }, FlowReport.Of(f.Tally ?? new FlowTally { Name = f.Name, Latest = f.Definition! }, f.Definition))),
    ];
}

/// <summary>Of a run only what the review counts.</summary>
internal sealed record ReviewRun
{
    public required RunId Id { get; init; }

    public required TriggerGlance Definition { get; init; }

    public required DateTimeOffset StartedAt { get; init; }

    public DateTimeOffset? EndedAt { get; init; }

    public RunOutcome? Outcome { get; init; }

    public bool Preview { get; init; }

    public bool StartedIn(Month month) => Month.Of(StartedAt) == month;

    public bool EndedIn(Month month) => EndedAt is { } at && Month.Of(at) == month;
}

/// <summary>Of a flow only what starts it.</summary>
internal sealed record TriggerGlance(FlowTrigger Trigger);

/// <summary>Use and health of a month.</summary>
/// <param name="Totals">Of its last sweep that counted.</param>
/// <param name="MovedDown">Moves to a worse tier, of all its sweeps.</param>
/// <param name="MovedUp">Moves to a better tier.</param>
internal sealed record MonthHealth(HealthTotals Totals, int MovedDown, int MovedUp)
{
    /// <summary>Null where no sweep of the month counted.</summary>
    public static MonthHealth? Of(IReadOnlyList<SweepResult> sweeps, Month month)
    {
        var counted = sweeps.Where(s => s.Totals is not null && Month.Of(s.At) == month).OrderBy(s => s.At).ToList();
        return counted.Count == 0 ? null : new MonthHealth(counted[^1].Totals!, counted.Sum(s => s.Totals!.MovedDown), counted.Sum(s => s.Totals!.MovedUp));
    }
}
