using RetentionFunctions.Settings;

namespace RetentionFunctions.Customers;

/// <summary>What follows from a customer's subscription snapshots at a moment.</summary>
/// <param name="Customer">With subscriptions, MRR, status and dates derived anew.</param>
/// <param name="Ledger">The whole ledger.</param>
/// <param name="Months">What the customer adds to the facts of each month.</param>
public sealed record Derived(Customer Customer, IReadOnlyList<Movement> Ledger, IReadOnlyDictionary<CellKey, MonthCell> Months)
{
    /// <summary>The customer is of before there were months: theirs are filled now, which corrects none.</summary>
    public bool FillsMonths { get; init; }
}

/// <summary>What follows from the set of a customer's subscription snapshots at a moment.</summary>
public static class CustomerDerivation
{
    private const int MovementsKept = 10;

    /// <summary>Derives all of it, from any order of the snapshots the same.</summary>
    public static Derived Derive(Customer customer, IReadOnlyList<SubscriptionSnapshot> snapshots, CustomerSettings settings, DateTimeOffset asOf)
    {
        // What an event said has happened, though Stripe's clock may be ahead of ours.
        foreach (var snapshot in snapshots)
            if (snapshot.Stamp.At > asOf) asOf = snapshot.Stamp.At;
        var timelines = snapshots
            .GroupBy(s => s.SubscriptionId, StringComparer.Ordinal)
            .OrderBy(g => g.Key, StringComparer.Ordinal)
            .Select(g => SubscriptionTimeline.Of(g, settings, customer.DeletedAt))
            .ToList();
        var ledger = MrrLedger.Derive(timelines, asOf);
        var subscriptions = timelines.Select(t => Now(t, asOf)).ToList();
        var mrr = subscriptions
            .GroupBy(s => s.Latest.Currency, StringComparer.Ordinal)
            .Select(g => (g.Key, Sum: g.Sum(s => s.Mrr)))
            .Where(m => m.Sum > 0)
            .OrderBy(m => m.Key, StringComparer.Ordinal)
            .ToDictionary(m => m.Key, m => m.Sum, StringComparer.Ordinal);
        var paidOnce = ledger.Count > 0;
        var status = Status(customer, subscriptions, mrr.Count > 0, paidOnce);
        var derived = customer with
        {
            Subscriptions = subscriptions,
            Mrr = mrr,
            Status = status,
            FirstPaidAt = paidOnce ? ledger[0].At : null,
            FirstPlan = paidOnce ? PlanAt(timelines, ledger[0].At) : null,
            ChurnedAt = status == CustomerStatus.Canceled && paidOnce ? ledger[^1].At : null,
            RecentMovements = [.. ledger.TakeLast(MovementsKept)],
            MonthsVersion = CustomerMonths.Version,
            NextChangeAt = timelines.SelectMany(t => t.Steps).Select(s => s.At).Where(at => at > asOf).Select(at => (DateTimeOffset?)at).Min(),
        };
        return new Derived(derived, ledger, CustomerMonths.Derive(timelines, ledger, asOf)) { FillsMonths = CustomerMonths.AreMissing(customer) };
    }

    // Of two that begin at the same moment, the larger.
    private static string? PlanAt(List<SubscriptionTimeline> timelines, DateTimeOffset moment) =>
        timelines.Where(t => t.At(moment)?.Mrr > 0).MaxBy(t => t.At(moment)!.Mrr) is { } first ? (first.Snapshots.LastOrDefault(s => s.Stamp.At <= moment) ?? first.Snapshots[0]).Plan : null;

    private static Subscription Now(SubscriptionTimeline timeline, DateTimeOffset asOf)
    {
        var latest = timeline.Snapshots[^1];
        var step = timeline.At(asOf);
        return new Subscription
        {
            Latest = latest,
            Mrr = step?.Mrr ?? 0,
            State = step?.State ?? SubscriptionState.Pending,
            PastDueSince = timeline.PastDueSince,
            EndedAt = step?.State == SubscriptionState.Ended ? step.At : null,
            EndsAt = step?.State == SubscriptionState.Ended ? null : latest.CancelAt,
        };
    }

    private static CustomerStatus Status(Customer customer, List<Subscription> subscriptions, bool pays, bool paidOnce)
    {
        if (customer.DeletedAt is not null) return CustomerStatus.Canceled;
        if (pays)
            return subscriptions.Any(s => s is { State: SubscriptionState.PastDue, Mrr: > 0 }) ? CustomerStatus.PastDue : CustomerStatus.Paying;
        if (subscriptions.Any(s => s.State == SubscriptionState.Paused)) return CustomerStatus.Paused;
        if (subscriptions.Any(s => s.State == SubscriptionState.Trialing)) return CustomerStatus.Trialing;
        if (subscriptions.Count == 0) return CustomerStatus.None;
        return paidOnce || subscriptions.All(s => s.State == SubscriptionState.Ended) ? CustomerStatus.Canceled : CustomerStatus.NotPaying;
    }
}
