using RetentionFunctions.Flows;
using RetentionFunctions.Insight;

namespace RetentionFunctions.Web;

/// <summary>What a flow did, and what may be said of it (docs/definitions.md). Rates and differences are fractions, null where there is no denominator; amounts are minor units.</summary>
/// <param name="Flow">Its name.</param>
/// <param name="AsOf">When it was counted, UTC; null before the first night.</param>
/// <param name="Counting">It is being counted anew at this moment.</param>
/// <param name="Enabled">Whether it starts anything now; null where it left the settings.</param>
/// <param name="Outcome">What it is for: <c>paid</c> or <c>came_back</c>.</param>
/// <param name="Entered">Runs that were not held out, without previews.</param>
/// <param name="HeldOut">Runs that were.</param>
/// <param name="Open">Runs that have not ended.</param>
/// <param name="Previews">Runs that only listed what they would send: in no other figure.</param>
/// <param name="Ended">How those that were not held out ended.</param>
/// <param name="Steps">Place 0 is before the first e-mail.</param>
/// <param name="Rate">Of the runs with e-mails.</param>
/// <param name="HeldOutRate">Of those held out.</param>
/// <param name="Benchmark">What good campaigns reach; null for dunning.</param>
/// <param name="Difference">To those held out.</param>
/// <param name="MrrKept">By currency, what the difference is worth a month; claimed only where <c>shown</c>. Empty where there is nothing to compare.</param>
public sealed record ApiFlowReport(
    string Flow, DateTimeOffset? AsOf, bool Counting, bool? Enabled, string Outcome, int Entered, int HeldOut, int Open, int Previews, IReadOnlyDictionary<string, int> Ended, IReadOnlyList<ApiFlowStep> Steps,
    ApiFlowRate Rate, ApiFlowRate HeldOutRate, ApiInterval? Benchmark, ApiFlowDifference Difference, IReadOnlyDictionary<string, ApiKept> MrrKept)
{
    internal static ApiFlowReport Of(FlowReport report, FlowDefinition? definition, CountedFlows counted)
    {
        var figures = new FlowFigures(report.Tally.Name, definition, report.Tally);
        var dunning = report.Trigger == FlowTrigger.FailedPayment;
        return new ApiFlowReport(
            figures.Name, counted.AsOf, counted.IsCounting, definition?.Enabled, dunning ? "paid" : "came_back", figures.Entered, figures.HeldOut, figures.Open, figures.Previews,
            figures.Ended.ToDictionary(e => Words.Of(e.Key), e => e.Value), [.. figures.Places.Select(ApiFlowStep.Of)], ApiFlowRate.Of(report.Tally.Treated), ApiFlowRate.Of(report.Tally.Held),
            dunning ? null : new ApiInterval(FlowReport.BenchmarkLow, FlowReport.BenchmarkHigh), ApiFlowDifference.Of(report),
            report.Kept.ToDictionary(k => k.Key, k => new ApiKept(k.Value.Low, k.Value.Observed, k.Value.High, report.Verdict is FlowVerdict.Helps or FlowVerdict.Harms)));
    }
}

/// <summary>One place in a flow.</summary>
/// <param name="Step">0 before the first e-mail; else from 1.</param>
/// <param name="Day">Days after the first e-mail; null at place 0 and where the flow has no such step any more.</param>
/// <param name="Template">The template; null as above.</param>
/// <param name="Tried">Runs that did the step, whatever became of the e-mail.</param>
/// <param name="Sent">E-mails that the provider took.</param>
/// <param name="Unknown">E-mails that may have gone.</param>
/// <param name="Refused">E-mails that the provider would not take.</param>
/// <param name="Delivered">As the provider reports it.</param>
/// <param name="Opened">Without machines.</param>
/// <param name="Clicked">Without machines.</param>
/// <param name="Waiting">Runs that stand here now.</param>
/// <param name="Ended">Runs that ended here, before the next step, by outcome.</param>
public sealed record ApiFlowStep(
    int Step, double? Day, string? Template, int Tried, int Sent, int Unknown, int Refused, int Delivered, int Opened, int Clicked, int Waiting, IReadOnlyDictionary<string, int> Ended)
{
    internal static ApiFlowStep Of(FlowPlace place) => new(
        place.Step, place.Day, place.Template, place.Tally.Tried, place.Tally.Accepted, place.Tally.Unknown, place.Tally.Refused, place.Tally.Delivered, place.Tally.Opened, place.Tally.Clicked, place.Tally.Waiting,
        place.Ended.ToDictionary(e => Words.Of(e.Key), e => e.Value));
}

/// <summary>A rate of runs.</summary>
/// <param name="Succeeded">Came back, or paid, in time.</param>
/// <param name="Known">All of whom it is known: the denominator.</param>
/// <param name="Rate">The fraction.</param>
/// <param name="NotYetKnown">Their time is not over: in neither.</param>
/// <param name="NeverKnown">It was over before anybody looked: in neither.</param>
public sealed record ApiFlowRate(int Succeeded, int Known, double? Rate, int NotYetKnown, int NeverKnown)
{
    internal static ApiFlowRate Of(FlowSide side) => new(side.Succeeded, side.Succeeded + side.Failed, side.Rate.Value, side.NotYetKnown, side.NeverKnown);
}

/// <summary>From … to.</summary>
/// <param name="Low">The lower end.</param>
/// <param name="High">The upper end.</param>
public sealed record ApiInterval(double Low, double High);

/// <summary>The difference to those held out. Of customers who entered while there was a hold-out, each once, with the first such run.</summary>
/// <param name="Entered">Those with e-mails.</param>
/// <param name="HeldOut">Those held out.</param>
/// <param name="Difference">The rate of the one less that of the other.</param>
/// <param name="Interval">Its 95 % interval, Newcombe's hybrid score.</param>
/// <param name="Verdict"><c>no_hold_out, nothing_to_compare, not_shown, helps, harms</c>.</param>
/// <param name="Shown">The interval does not contain 0.</param>
/// <param name="Text">In words.</param>
/// <param name="Needed">How many customers a difference of five points would take.</param>
public sealed record ApiFlowDifference(ApiFlowRate Entered, ApiFlowRate HeldOut, double? Difference, ApiInterval? Interval, string Verdict, bool Shown, string Text, ApiFlowNeed Needed)
{
    internal static ApiFlowDifference Of(FlowReport report) => new(
        ApiFlowRate.Of(report.Tally.ComparedTreated), ApiFlowRate.Of(report.Tally.ComparedHeld), report.Difference, report.Interval is { } interval ? new ApiInterval(interval.Low, interval.High) : null,
        Words.Of(report.Verdict), report.Verdict is FlowVerdict.Helps or FlowVerdict.Harms, report.Text(),
        new ApiFlowNeed(report.Need.Customers, report.Need.Difference, Proportions.Power, Math.Round(1 - Proportions.Confidence, 6), report.Need.BaseRate, report.Need.IsAssumed, report.Need.HeldOut));
}

/// <summary>How many customers would have to enter for a difference to be seen.</summary>
/// <param name="Customers">In all, held out or not; null where no number suffices.</param>
/// <param name="Difference">Which difference.</param>
/// <param name="Power">With which probability it is seen.</param>
/// <param name="Error">The error of the two-sided test.</param>
/// <param name="BaseRate">The rate without the flow that this is worked out from.</param>
/// <param name="Assumed">That rate is assumed, not observed.</param>
/// <param name="HeldOut">The share held out.</param>
public sealed record ApiFlowNeed(long? Customers, double Difference, double Power, double Error, double BaseRate, bool Assumed, double HeldOut);

/// <summary>What a difference is worth a month in one currency.</summary>
/// <param name="Low">At the lower end of the interval.</param>
/// <param name="Observed">At the difference as observed.</param>
/// <param name="High">At the upper end.</param>
/// <param name="Shown">The interval does not contain 0; else nothing is claimed.</param>
public sealed record ApiKept(long Low, long Observed, long High, bool Shown);
