using System.Globalization;
using RetentionFunctions.Insight;

namespace RetentionFunctions.Web;

/// <summary>The review of one month.</summary>
/// <param name="Month"><c>yyyy-MM</c>, UTC.</param>
/// <param name="Over">The month is over; else all is so far.</param>
/// <param name="Sections">In the order of the meeting, with how many minutes each takes.</param>
/// <param name="Churn">The month by currency, as <c>/api/v1/metrics</c> has it.</param>
/// <param name="Before">The month before, the same.</param>
/// <param name="Joined">Who joined lately.</param>
/// <param name="Cohorts">How they hold: retention by months after the first payment, newest first, as <c>/api/v1/cohorts</c> has it.</param>
/// <param name="CohortAverage">The weighted average of all cohorts, by months after the first.</param>
/// <param name="Leaving">Why people left, by currency.</param>
/// <param name="Flows">What each flow did in the month.</param>
/// <param name="Experiments">Each flow of which some are held out, or were.</param>
/// <param name="Indicators">What runs ahead of churn.</param>
/// <param name="Carried">Decided before, and open when the month ended.</param>
/// <param name="Actions">Decided in this review.</param>
public sealed record ApiReview(
    string Month, bool Over, IReadOnlyList<ReviewSection> Sections, IReadOnlyList<ApiMetrics> Churn, IReadOnlyList<ApiMetrics> Before, IReadOnlyList<ApiJoined> Joined, IReadOnlyList<ApiCohort> Cohorts, IReadOnlyList<double?> CohortAverage, IReadOnlyList<ApiLeaving> Leaving,
    IReadOnlyList<ApiReviewFlow> Flows, IReadOnlyList<ApiExperiment> Experiments, IReadOnlyList<ApiIndicator> Indicators, IReadOnlyList<ApiAction> Carried, IReadOnlyList<ApiAction> Actions)
{
    internal static ApiReview Of(Review review) => new(
        review.Month.ToString(), review.IsOver, ReviewSection.All, [.. review.Currencies.Select(c => ApiMetrics.Of(c.Now))], [.. review.Currencies.Where(c => c.Before is not null).Select(c => ApiMetrics.Of(c.Before!))],
        [.. review.Currencies.SelectMany(c => c.Joined).Select(m => new ApiJoined(m.All.Month.ToString(), m.All.Currency, m.All.Cell.New, m.All.Cell.Early, m.All.EarlyChurn.Value))],
        [.. review.RecentCohorts.Select(r => ApiCohort.Of(r, Math.Min(Review.CohortMonths, review.Cohorts!.Months)))],
        [.. Enumerable.Range(0, review.Cohorts is { } all ? all.Months + 1 : 0).Select(k => review.Cohorts!.At(k)?.Value)],
        [.. review.Currencies.Select(c => new ApiLeaving(c.Now.All.Currency, c.Now.All.Cell.Lost - c.Now.All.Cell.LostInvoluntary, c.Now.All.Cell.LostInvoluntary, ApiLeavingReason.Of(review.Leaving, c.Now.All.Currency)))],
        [.. review.Flows.Select(f => new ApiReviewFlow(f.Flow, f.Started, f.HeldOut, f.Ended, f.Reached, Words.Of(f.Outcome), f.Lift))],
        [.. review.Experiments.Select(e => new ApiExperiment(e.Flow, e.IsRunning, e.Report.HoldOut, ApiFlowDifference.Of(e.Report), e.StillNeeded))],
        [.. review.Indicators.Select(i => new ApiIndicator(i.Name, i.Definition, Value(i.Now), Value(i.Before), i.IsCount ? "count" : "rate", i.Direction switch { > 0 => "better", < 0 => "worse", 0 => "same", _ => null }))],
        [.. review.Carried.Select(ApiAction.Of)], [.. review.Actions.Select(ApiAction.Of)]);

    private static double? Value(Ratio? ratio) => ratio?.Value;
}

/// <summary>Who joined in a month.</summary>
/// <param name="Month">The month.</param>
/// <param name="Currency">Lower case ISO code.</param>
/// <param name="Joined">Customers with their first MRR above 0.</param>
/// <param name="Early">Of these, those who left within the month.</param>
/// <param name="EarlyRate">Early ÷ joined; null where nobody joined.</param>
public sealed record ApiJoined(string Month, string Currency, int Joined, int Early, double? EarlyRate);

/// <summary>Why people left.</summary>
/// <param name="Currency">Lower case ISO code.</param>
/// <param name="Voluntary">By their own decision.</param>
/// <param name="Involuntary">After a failed payment.</param>
/// <param name="Reasons">What those by their own decision gave as their reason, as it was last counted, the most frequent first; not all give one.</param>
public sealed record ApiLeaving(string Currency, int Voluntary, int Involuntary, IReadOnlyList<ApiLeavingReason> Reasons);

/// <summary>A reason to leave.</summary>
/// <param name="Reason">Stripe's code: <c>too_expensive, missing_features, switched_service, unused, customer_service, too_complex, low_quality, other</c>.</param>
/// <param name="Customers">How many gave it.</param>
public sealed record ApiLeavingReason(string Reason, int Customers)
{
    internal static IReadOnlyList<ApiLeavingReason> Of(IEnumerable<LeavingReasons> leaving, string currency) => [.. leaving.Where(l => l.Currency == currency).SelectMany(l => l.Reasons).Select(r => new ApiLeavingReason(r.Code, r.Customers))];
}

/// <summary>A flow of which some are held out.</summary>
/// <param name="Flow">Its name.</param>
/// <param name="Running">Some of those who enter now are held out.</param>
/// <param name="HoldOut">The share that is held out now.</param>
/// <param name="Difference">Both sides, the difference with its interval, and what may be said, of all time; as <c>/api/v1/flows/{name}/report</c> has it.</param>
/// <param name="StillNeeded">How many more have to enter until a difference of five points would be seen; 0 where one is; null where no number suffices.</param>
public sealed record ApiExperiment(string Flow, bool Running, double HoldOut, ApiFlowDifference Difference, long? StillNeeded);

/// <summary>What a flow did in a month.</summary>
/// <param name="Flow">Its name.</param>
/// <param name="Started">Runs started that were not held out.</param>
/// <param name="HeldOut">Started and held out.</param>
/// <param name="Ended">Runs ended that were not held out.</param>
/// <param name="Reached">Of these, those that ended as the flow is meant to.</param>
/// <param name="Outcome">How it is meant to end: <c>paid, returned</c>.</param>
/// <param name="Lift">What the comparison with those held out shows, of all time, in words; null where it was not counted yet.</param>
public sealed record ApiReviewFlow(string Flow, int Started, int HeldOut, int Ended, int Reached, string Outcome, string? Lift);

/// <summary>What runs ahead of churn.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Definition">What is counted.</param>
/// <param name="Value">This month; null where it was not counted.</param>
/// <param name="Before">The month before.</param>
/// <param name="Unit"><c>count</c> or <c>rate</c> (a fraction).</param>
/// <param name="Direction"><c>better, worse, same</c>; null where there is nothing to compare.</param>
public sealed record ApiIndicator(string Name, string Definition, double? Value, double? Before, string Unit, string? Direction);

/// <summary>Something to do.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Month">The review in which it was decided.</param>
/// <param name="Text">What.</param>
/// <param name="DueOn">Until when; null where nothing was said.</param>
/// <param name="At">When it was written.</param>
/// <param name="DoneAt">When it was done; null while it is open.</param>
public sealed record ApiAction(string Id, string Month, string Text, string? DueOn, DateTimeOffset At, DateTimeOffset? DoneAt)
{
    internal static ApiAction Of(ReviewAction action) => new(action.Id, action.Month.ToString(), action.Text, action.DueOn?.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture), action.At, action.DoneAt);
}
