using RetentionFunctions.Health;

namespace RetentionFunctions.Insight;

/// <summary>A week in one line: how things stand at the latest sweep, against the one of a week before.</summary>
/// <param name="Now">The latest sweep that counted.</param>
/// <param name="Before">That of seven days before, or up to three days older.</param>
/// <param name="MovedDown">Moves to a worse tier in between.</param>
/// <param name="MovedUp">Moves to a better tier.</param>
/// <param name="BroughtIn">In between customers who were there before were brought in (<see cref="Insight.BroughtIn"/>): MRR and paying customers are not compared.</param>
public sealed record ReviewWeek(SweepResult Now, SweepResult Before, int MovedDown, int MovedUp, bool BroughtIn = false)
{
    internal const int OldestDays = HealthReport.WeekDays + 3;

    internal static ReviewWeek? Of(IReadOnlyList<SweepResult> sweeps, Func<DateTimeOffset, DateOnly> day, DateTimeOffset? broughtInAt = null)
    {
        var report = HealthReport.Of(sweeps, [], day);
        if (report is not { Latest: { } now, WeekBefore: { } before }) return null;
        var between = sweeps.Where(s => s.At > before.At && s.Totals is not null).ToList();
        return new ReviewWeek(now, before, between.Sum(s => s.Totals!.MovedDown), between.Sum(s => s.Totals!.MovedUp), before.At < broughtInAt);
    }

    /// <summary>The line.</summary>
    public string Line
    {
        get
        {
            var totals = Now.Totals!;
            var mrr = Now.Mrr.Keys.Union(Before.Mrr.Keys, StringComparer.Ordinal).OrderByDescending(c => Now.Mrr.GetValueOrDefault(c)).ThenBy(c => c, StringComparer.Ordinal)
                .Select(c => $"MRR {FigureText.Amount(Now.Mrr.GetValueOrDefault(c), c)}{(BroughtIn ? "" : $" ({FigureText.Change(Now.Mrr.GetValueOrDefault(c) - Before.Mrr.GetValueOrDefault(c), c)})")}");
            var paying = Now.Paying - Before.Paying;
            return string.Join(", ", mrr.Append($"{FigureText.Count(Now.Paying)} paying {(BroughtIn ? "(not compared: customers who were there before were brought in)" : $"({(paying > 0 ? "+" : paying < 0 ? "−" : "±")}{FigureText.Count(Math.Abs(paying))})")}")
                .Append($"WAU {FigureText.Count(totals.Wau)} of {FigureText.Count(totals.Customers)}")
                .Append($"{FigureText.Count(MovedDown)} moved down, {FigureText.Count(MovedUp)} up")
                .Append($"{FigureText.Of(totals.FailedPayments, "customer")} with a failed payment"));
        }
    }
}
