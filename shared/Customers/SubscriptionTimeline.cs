using RetentionFunctions.Settings;

namespace RetentionFunctions.Customers;

/// <summary>What a subscription is from one moment on.</summary>
/// <param name="At">From when, UTC.</param>
/// <param name="State">What it is.</param>
/// <param name="Mrr">What it counts for, in minor units per month.</param>
/// <param name="Involuntary">It stopped paying because a payment failed.</param>
public sealed record TimelineStep(DateTimeOffset At, SubscriptionState State, long Mrr, bool Involuntary = false);

/// <summary>
/// The life of one subscription, derived from the set of its snapshots: what events said, and what the passing of time does
/// (a pause that begins with the next period or ends by itself, past due that has lasted too long). Steps may lie in the future.
/// </summary>
public sealed class SubscriptionTimeline
{
    private SubscriptionTimeline(IReadOnlyList<SubscriptionSnapshot> snapshots, IReadOnlyList<TimelineStep> steps)
    {
        Snapshots = snapshots;
        Steps = steps;
    }

    /// <summary>The snapshots in order.</summary>
    public IReadOnlyList<SubscriptionSnapshot> Snapshots { get; }

    /// <summary>The steps in order of time; each differs from the one before.</summary>
    public IReadOnlyList<TimelineStep> Steps { get; }

    /// <summary>What it is at a moment.</summary>
    public TimelineStep? At(DateTimeOffset moment) => Steps.LastOrDefault(s => s.At <= moment);

    /// <summary>Derives it. <paramref name="snapshots"/>: of one subscription, in any order, with any copies; at least one.</summary>
    /// <param name="deletedAt">When the customer was deleted, which ends everything.</param>
    public static SubscriptionTimeline Of(IEnumerable<SubscriptionSnapshot> snapshots, CustomerSettings settings, DateTimeOffset? deletedAt = null)
    {
        var ordered = SnapshotOrder.Of(snapshots);
        var steps = new List<TimelineStep>();
        var paidOnce = false;
        DateTimeOffset? pastDueSince = null;
        DateTimeOffset? pausedFrom = null;
        for (var i = 0; i < ordered.Count; i++)
        {
            var snapshot = ordered[i];
            var until = i + 1 < ordered.Count ? Start(ordered[i + 1], first: false) : DateTimeOffset.MaxValue;
            var from = Start(snapshot, first: i == 0);
            if (SnapshotOrder.IsEnd(snapshot))
            {
                var involuntary = snapshot.CancellationReason == "payment_failed" || (snapshot.CancellationReason is null && pastDueSince is not null);
                End(steps, snapshot.EndedAt ?? snapshot.Stamp.At, involuntary);
                break;
            }

            pastDueSince = snapshot.Status == "past_due" ? pastDueSince ?? from : snapshot.Status == "unpaid" ? pastDueSince : null;
            var isPaused = snapshot.PauseBehavior is not null && SubscriptionStatus.Pays(snapshot.Status);
            // "void" keeps what is already paid for; the other behaviours stop at once (DEFINITIONS, "Paused"). The first snapshot of a pause
            // decides: while it lasts the periods roll on.
            pausedFrom = !isPaused ? null : pausedFrom ?? (snapshot.PauseBehavior == "void" ? snapshot.PeriodEndAt ?? from : from);

            switch (snapshot.Status)
            {
                case "active" or "past_due":
                    var running = snapshot.Status == "active" ? SubscriptionState.Active : SubscriptionState.PastDue;
                    var countsUntil = pastDueSince?.AddDays(settings.PastDueDays) ?? DateTimeOffset.MaxValue;
                    if (pausedFrom is { } paused && snapshot.Mrr > 0)
                    {
                        // A pause that was set before anything was ever paid is no pause of a paying customer.
                        if (from < paused) Add(from, running, snapshot.Mrr, until);
                        Add(Later(paused, from), SubscriptionState.Paused, 0, until);
                        if (snapshot.PauseResumesAt is { } resumes) Add(Later(resumes, Later(paused, from)), running, snapshot.Mrr, until);
                    }
                    else
                    {
                        Add(from, running, snapshot.Mrr, until);
                        if (countsUntil < until) Add(Later(countsUntil, from), SubscriptionState.Unpaid, 0, until, involuntary: true);
                    }
                    paidOnce = paidOnce || snapshot.Mrr > 0;
                    break;
                case "trialing":
                    Add(from, SubscriptionState.Trialing, 0, until);
                    break;
                case "unpaid":
                    Add(from, SubscriptionState.Unpaid, 0, until, involuntary: true);
                    break;
                case "paused":
                    // A trial that ended without a card is "paused" too, and never counts.
                    Add(from, paidOnce ? SubscriptionState.Paused : SubscriptionState.Pending, 0, until);
                    break;
                default:
                    Add(from, SubscriptionState.Pending, 0, until);
                    break;
            }
        }
        if (deletedAt is { } gone && (steps.Count == 0 || steps[^1].State != SubscriptionState.Ended)) End(steps, gone, involuntary: false);
        return new SubscriptionTimeline(ordered, Merge(steps));

        void Add(DateTimeOffset at, SubscriptionState state, long mrr, DateTimeOffset until, bool involuntary = false)
        {
            if (at < until) steps.Add(new TimelineStep(at, state, mrr, involuntary));
        }
    }

    /// <summary>Since when it has been past due, where its last step is.</summary>
    public DateTimeOffset? PastDueSince => Steps is [.., { State: SubscriptionState.PastDue } last] ? last.At : null;

    // A subscription met in the middle of its life began to pay when it was made, or when its trial ended; one whose first known event
    // says what it was before began at that event.
    private static DateTimeOffset Start(SubscriptionSnapshot snapshot, bool first)
    {
        if (!first || snapshot.PreviousStatus is not null || !SubscriptionStatus.Pays(snapshot.Status)) return snapshot.Stamp.At;
        var began = snapshot.TrialEndAt is { } trial && trial <= snapshot.Stamp.At ? trial : snapshot.CreatedAt;
        return began < snapshot.Stamp.At ? began : snapshot.Stamp.At;
    }

    private static void End(List<TimelineStep> steps, DateTimeOffset at, bool involuntary)
    {
        // What was said for a time after the end does not count.
        steps.RemoveAll(s => s.At >= at);
        steps.Add(new TimelineStep(at, SubscriptionState.Ended, 0, involuntary));
    }

    private static List<TimelineStep> Merge(List<TimelineStep> steps)
    {
        var merged = new List<TimelineStep>(steps.Count);
        foreach (var step in steps.OrderBy(s => s.At))
        {
            if (merged.Count > 0 && merged[^1].At == step.At) merged.RemoveAt(merged.Count - 1);
            if (merged.Count == 0 || merged[^1].State != step.State || merged[^1].Mrr != step.Mrr) merged.Add(step);
        }
        return merged;
    }

    private static DateTimeOffset Later(DateTimeOffset a, DateTimeOffset b) => a > b ? a : b;
}
