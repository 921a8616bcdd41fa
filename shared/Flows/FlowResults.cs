using RetentionFunctions.Customers;
using RetentionFunctions.Health;
using RetentionFunctions.Storage;

namespace RetentionFunctions.Flows;

/// <summary>
/// Whether a run brought what its flow is for: the customer back, or the invoice paid (DEFINITIONS, "Reactivation rate of a flow"). The one answer for the start page, the flow's report and the JSON
/// API. Everybody is looked at alike, whether they got e-mails or were held out: for the same time, by the same evidence. Else the difference of the two would be of our making.
/// </summary>
public static class FlowResults
{
    /// <summary>How long after the last step a return counts, in days (DEFINITIONS).</summary>
    public const int Days = 14;

    // For so many days after that late events still count; then what was seen stands. Who was not looked at a while later is never known.
    private const int LateDays = 3;
    private const int GivenUpDays = 10;

    /// <summary>When the time in which it counts is over: 14 days after the day for which the last step is planned, whoever got it, and whenever they did.</summary>
    /// <param name="run">The run.</param>
    /// <param name="invoice">What it is about, for dunning: how long Stripe retries stretches the steps.</param>
    /// <param name="retryWindowDays">Setting <c>flows.retryWindowDays</c>.</param>
    public static DateTimeOffset ClosesAt(Run run, Invoice? invoice, int? retryWindowDays) =>
        run.StartedAt.AddDays((run.Definition.Steps.Count == 0 ? 0 : run.Definition.Steps[^1].Day * FlowDecision.Stretch(run.Definition, invoice, retryWindowDays)) + Days);

    /// <summary>Whether the sweep has to look, since what tells of it is not kept: previews do nothing, and an invoice stays.</summary>
    public static bool IsWatched(Run run) => !run.Preview && run.Definition.Trigger == FlowTrigger.Inactivity;

    /// <summary>What can be said of a run; of a preview nothing.</summary>
    public static FlowResult Of(Run run, Customer customer, IReadOnlyList<Activity> activities, Invoice? invoice, int? retryWindowDays, DateTimeOffset asOf)
    {
        var closes = ClosesAt(run, invoice, retryWindowDays);
        // An early return waits for its time as silence does.
        if (closes > asOf) return FlowResult.NotYetKnown;
        // Of before anybody looked: what it would be known by may be gone.
        if (IsWatched(run) && run.SettledAt is null && closes.AddDays(GivenUpDays) < asOf) return FlowResult.NeverKnown;
        var succeeded = run.SettledAt is null ? SucceededAt(run, customer, activities, invoice, closes) : run.SucceededAt;
        return succeeded is not null ? FlowResult.Succeeded : FlowResult.Failed;
    }

    /// <summary>
    /// When the customer was back, or the invoice paid, within the time; null where neither was. Back is a sign-in, core use, "I'm back", or paying again after having left. Of a day of activity the
    /// hour is not kept: that of the start itself may have been before it. Who came less, but came, is back when use has recovered, which the sweep sees.
    /// </summary>
    internal static DateTimeOffset? SucceededAt(Run run, Customer customer, IReadOnlyList<Activity> activities, Invoice? invoice, DateTimeOffset closes)
    {
        if (run.Definition.Trigger == FlowTrigger.FailedPayment) return invoice?.SettledAt is { } paid && paid <= closes ? paid : null;
        var found = new List<DateTimeOffset?> { run.SucceededAt, customer.ReturnedAt };
        found.AddRange(customer.RecentMovements.Where(m => m.Kind == MovementKind.Reactivation).Select(m => (DateTimeOffset?)m.At));
        if (!run.UseFell)
            foreach (var activity in activities.Where(a => a.Source != ActivityView.MailSource))
            {
                found.Add(activity.LastActiveAt);
                foreach (var (day, counters) in activity.Days)
                    if (day > DateOnly.FromDateTime(run.StartedAt.UtcDateTime) && (counters.GetValueOrDefault(Counter.SignIns) > 0 || counters.GetValueOrDefault(Counter.CoreUses) > 0))
                        found.Add(new DateTimeOffset(day.ToDateTime(TimeOnly.MinValue), TimeSpan.Zero));
            }
        return found.Where(at => at > run.StartedAt && at <= closes).Min();
    }

    /// <summary>Looks at the watched runs of a customer and keeps what is seen. Those that are still to be watched; the same list where nothing changed.</summary>
    internal static async Task<IReadOnlyList<WatchedRun>?> WatchAsync(ITables tables, Customer customer, IReadOnlyList<Activity> activities, ActivityView view, double useFellTo, DateTimeOffset now, CancellationToken cancel)
    {
        if (customer.WatchedRuns is not { Count: > 0 } watched) return customer.WatchedRuns;
        var still = new List<WatchedRun>();
        foreach (var one in watched)
        {
            var over = true;
            await tables.ChangeAsync<Run>(Keys.Run(customer.Id, one.Flow, one.Occasion), run =>
            {
                if (run is null) return null;
                var closes = ClosesAt(run, null, null);
                over = closes.AddDays(LateDays) <= now;
                var back = SucceededAt(run, customer, activities, null, closes) ?? (run.UseFell && closes >= now && view.UseAgainstBaseline > useFellTo ? now : null);
                var settled = run.SettledAt ?? (over ? now : null);
                return back == run.SucceededAt && settled == run.SettledAt ? null : run with { SucceededAt = back, SettledAt = settled };
            }, cancel);
            if (!over) still.Add(one);
        }
        return still.Count == watched.Count ? watched : still.Count == 0 ? null : still;
    }
}

/// <summary>What a run brought.</summary>
public enum FlowResult
{
    /// <summary>The time in which it counts is not over.</summary>
    NotYetKnown,

    /// <summary>It was over before anybody looked, and what would tell is gone: in no figure.</summary>
    NeverKnown,

    /// <summary>The customer is back, or the invoice paid.</summary>
    Succeeded,

    /// <summary>Neither.</summary>
    Failed,
}
