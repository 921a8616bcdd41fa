namespace RetentionFunctions.Customers;

/// <summary>
/// The order of one subscription's snapshots, the same for any order of arrival.
/// <list type="number">
/// <item>By the event's <c>created</c> (whole seconds).</item>
/// <item>Within a second: <c>…created</c> first, <c>…deleted</c> last.</item>
/// <item>Among the rest of a second: follow the chain of states. Next comes a snapshot whose previous status is the status reached so far,
/// or one that says nothing of a change and has that status; where the chain does not decide, the status that is less far along, then the event id.</item>
/// <item>An ended subscription stays ended: what stands after the first ending is not looked at.</item>
/// <item>What was only worked out (<see cref="SubscriptionSnapshot.WorkedOut"/>) counts before the first snapshot that Stripe itself gave, and not after it; what a
/// file said (<see cref="SubscriptionSnapshot.Imported"/>) before the first from anywhere else.</item>
/// </list>
/// </summary>
public static class SnapshotOrder
{
    /// <summary>The snapshots of one subscription in order, each event once, up to and including its end.</summary>
    public static IReadOnlyList<SubscriptionSnapshot> Of(IEnumerable<SubscriptionSnapshot> snapshots)
    {
        var ordered = new List<SubscriptionSnapshot>();
        string? status = null;
        var all = snapshots as IReadOnlyCollection<SubscriptionSnapshot> ?? [.. snapshots];
        all = Before(Before(all, s => s.WorkedOut), s => s.Imported);
        foreach (var second in all.DistinctBy(s => s.Stamp.EventId).OrderBy(s => s.Stamp).GroupBy(s => (s.Stamp.At, s.Stamp.Rank)))
            foreach (var snapshot in Chain([.. second], status))
            {
                ordered.Add(snapshot);
                status = snapshot.Status;
                if (IsEnd(snapshot)) return ordered;
            }
        return ordered;
    }

    // Of those of a lesser source only what is before the first of the others.
    private static IReadOnlyCollection<SubscriptionSnapshot> Before(IReadOnlyCollection<SubscriptionSnapshot> all, Func<SubscriptionSnapshot, bool> lesser) =>
        all.Any(lesser) && all.Where(s => !lesser(s)).Min(s => (DateTimeOffset?)s.Stamp.At) is { } first ? [.. all.Where(s => !lesser(s) || s.Stamp.At < first)] : all;

    /// <summary>It says that the subscription is over.</summary>
    public static bool IsEnd(SubscriptionSnapshot snapshot) => SubscriptionStatus.IsEnded(snapshot.Status) || snapshot.Stamp.Rank == 2;

    private static IEnumerable<SubscriptionSnapshot> Chain(List<SubscriptionSnapshot> tied, string? status)
    {
        if (tied.Count == 1) return tied;
        var chain = new List<SubscriptionSnapshot>(tied.Count);
        var rest = tied.OrderBy(s => Progress(s.Status)).ThenBy(s => s.Stamp.EventId, StringComparer.Ordinal).ToList();
        while (rest.Count > 0)
        {
            // What keeps the state comes before what changes it; what changes it must start from it.
            var next = rest.Find(s => s.PreviousStatus is null && s.Status == status)
                ?? rest.Find(s => s.PreviousStatus is not null && s.PreviousStatus == status)
                ?? rest.Find(s => !rest.Exists(other => other != s && s.PreviousStatus is not null && other.Status == s.PreviousStatus && other.PreviousStatus != s.Status))
                ?? rest[0];
            chain.Add(next);
            rest.Remove(next);
            status = next.Status;
        }
        return chain;
    }

    // How far along a subscription's life a status is.
    private static int Progress(string status) => status switch
    {
        "incomplete" => 0,
        "trialing" => 1,
        "active" => 2,
        "past_due" => 3,
        "unpaid" => 4,
        "paused" => 5,
        "incomplete_expired" => 6,
        "canceled" => 7,
        _ => 2,
    };
}
