namespace RetentionFunctions.Customers;

/// <summary>
/// A customer's MRR movements, derived from the timelines of all subscriptions together: losing one of two is contraction, two changes at the
/// same instant are one movement, and always <c>mrrAtEnd = mrrAtStart + all movements</c> (DEFINITIONS).
/// </summary>
public static class MrrLedger
{
    /// <summary>All movements up to and including <paramref name="asOf"/>, in order of time.</summary>
    public static IReadOnlyList<Movement> Derive(IReadOnlyList<SubscriptionTimeline> timelines, DateTimeOffset asOf) =>
    [
        .. timelines
            .GroupBy(t => t.Snapshots[^1].Currency, StringComparer.Ordinal)
            .SelectMany(currency => OfCurrency(currency.Key, [.. currency], asOf))
            .OrderBy(m => m.At).ThenBy(m => m.Currency, StringComparer.Ordinal),
    ];

    private static IEnumerable<Movement> OfCurrency(string currency, SubscriptionTimeline[] timelines, DateTimeOffset asOf)
    {
        long before = 0;
        var paidOnce = false;
        // What was taken out by pausing and has not come back: churn of a paused customer is churn of the MRR it had.
        var paused = new Dictionary<SubscriptionTimeline, long>();
        foreach (var at in timelines.SelectMany(t => t.Steps).Select(s => s.At).Where(at => at <= asOf).Distinct().Order())
        {
            var changes = timelines.Select(t => (Timeline: t, Now: t.At(at), Before: t.Steps.LastOrDefault(s => s.At < at))).Where(c => c.Now?.At == at).ToList();
            var after = timelines.Sum(t => t.At(at)?.Mrr ?? 0);
            var pausing = changes.Any(c => c.Now!.State == SubscriptionState.Paused && c.Before?.Mrr > 0);
            var resuming = changes.Any(c => c.Before?.State == SubscriptionState.Paused && c.Now!.Mrr > 0);
            var involuntary = changes.Any(c => c.Now!.Involuntary) && !changes.Any(c => c.Now is { State: SubscriptionState.Ended, Involuntary: false });
            foreach (var change in changes)
                if (change.Now!.State == SubscriptionState.Paused && change.Before?.Mrr > 0) paused[change.Timeline] = change.Before.Mrr;

            // The pause is taken back and the whole churns, so that the sum stays right and the churn is seen.
            var lost = changes.Where(c => c.Before?.State == SubscriptionState.Paused && c.Now!.State is SubscriptionState.Ended or SubscriptionState.Unpaid)
                .Sum(c => paused.Remove(c.Timeline, out var amount) ? amount : 0);
            if (lost > 0)
            {
                yield return new Movement(at, MovementKind.Resumed, lost, currency, before + lost);
                before += lost;
            }
            foreach (var change in changes)
                if (change.Now!.Mrr > 0) paused.Remove(change.Timeline);

            var delta = after - before;
            if (delta == 0) continue;
            // Whoever has a paused subscription is a customer still: nobody churned who could come back, and losing another one is losing one of two.
            var stays = paused.Keys.Any(t => t.At(at)?.State == SubscriptionState.Paused);
            yield return new Movement(at, Kind(), delta, currency, after) { Involuntary = delta < 0 && involuntary };
            before = after;
            paidOnce = true;

            MovementKind Kind() => (delta > 0, before, after) switch
            {
                (true, 0, _) when !paidOnce => MovementKind.New,
                (true, _, _) when resuming => MovementKind.Resumed,
                (true, 0, _) when !stays => MovementKind.Reactivation,
                (true, _, _) => MovementKind.Expansion,
                (false, _, _) when pausing => MovementKind.Paused,
                (false, _, 0) when !stays => MovementKind.Churned,
                _ => MovementKind.Contraction,
            };
        }
    }
}
