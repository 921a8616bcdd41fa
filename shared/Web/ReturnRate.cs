using RetentionFunctions.Customers;
using RetentionFunctions.Flows;
using RetentionFunctions.Health;

namespace RetentionFunctions.Web;

/// <summary>
/// The reactivation rate of the win-back flows: customers who came back (a sign-in, core use, "I'm back", or paying again after having left) within 14 days after the last
/// e-mail ÷ customers who entered, beside the same figure of those held out (DEFINITIONS, "Reactivation rate of a flow"). A run counts when its 14 days are over, so that
/// an early return does not count before a late silence; of those the last <see cref="Overview.Days"/> days are taken.
/// </summary>
internal static class ReturnRate
{
    /// <summary>How long after the last e-mail a return is counted, in days (DEFINITIONS).</summary>
    public const int Days = 14;

    /// <summary>The runs whose time to return ended in the last <see cref="Overview.Days"/> days.</summary>
    public static IEnumerable<Run> Counted(IEnumerable<Run> runs, DateTimeOffset now) =>
        runs.Where(r => !r.Preview && !Overview.IsDunning(r) && ClosesAt(r) is { } closes && closes <= now && closes > now.AddDays(-Overview.Days));

    /// <summary>Those who got the e-mails, and those who were held out.</summary>
    public static (Share Treated, Share HeldOut) Of(OverviewRows rows, DateTimeOffset now)
    {
        var customers = rows.Customers.ToDictionary(c => c.Id, StringComparer.Ordinal);
        var counted = Counted(rows.Runs, now).Select(run => (Held: run.Outcome == RunOutcome.HeldOut, Back: IsBack(run, customers.GetValueOrDefault(run.Id.CustomerId), rows.Activities.GetValueOrDefault(run.Id.CustomerId) ?? []))).ToList();
        return (Share(false), Share(true));

        Share Share(bool held) => new(counted.Count(c => c.Held == held && c.Back), counted.Count(c => c.Held == held));
    }

    /// <summary>When the time in which a return counts is over; null while e-mails may still come.</summary>
    internal static DateTimeOffset? ClosesAt(Run run) => run switch
    {
        // Who was held out got no e-mail: the time is that which the flow would have taken.
        { Outcome: RunOutcome.HeldOut } => run.StartedAt.AddDays((run.Definition.Steps.Count == 0 ? 0 : run.Definition.Steps[^1].Day) + Days),
        { Status: RunStatus.Ended } => (run.Sent.Count == 0 ? run.StartedAt : run.Sent[^1].At).AddDays(Days),
        _ => null,
    };

    private static bool IsBack(Run run, Customer? customer, IReadOnlyList<Activity> activities)
    {
        var closes = ClosesAt(run)!.Value;
        if (run.Outcome == RunOutcome.Returned && run.EndedAt <= closes) return true;
        if (Within(customer?.ReturnedAt) || customer?.RecentMovements.Any(m => m.Kind == MovementKind.Reactivation && Within(m.At)) == true) return true;
        // Who came less, but came, is back when use has recovered: that ends the run, and a mere sign-in says nothing.
        return !run.UseFell && activities.Where(a => a.Source != "mail").Any(a => Within(a.LastActiveAt) || a.Days.Any(d => WithinDay(d.Key) && (d.Value.GetValueOrDefault(Counter.SignIns) > 0 || d.Value.GetValueOrDefault(Counter.CoreUses) > 0)));

        bool Within(DateTimeOffset? at) => at > run.StartedAt && at <= closes;
        // Of a day the hour is not kept: that of the start itself may have been before it.
        bool WithinDay(DateOnly on) => on > DateOnly.FromDateTime(run.StartedAt.UtcDateTime) && on <= DateOnly.FromDateTime(closes.UtcDateTime);
    }
}
