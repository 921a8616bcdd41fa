using RetentionFunctions.Customers;
using RetentionFunctions.Settings;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.Tests.Customers;

/// <summary>What the backfill worked out from invoices, beside what Stripe's events say.</summary>
public sealed class WorkedOutTests
{
    private static readonly SubscriptionSnapshot[] Past = [.. new[] { (0, 1000L), (30, 2000L), (60, 3000L) }.Select(p => Snapshots.Of($"past:{p.Item1}", p.Item1, mrr: p.Item2) with { WorkedOut = true })];

    private static IEnumerable<(double Day, long Mrr)> Ledger(params IEnumerable<SubscriptionSnapshot> snapshots) =>
        MrrLedger.Derive([SubscriptionTimeline.Of(snapshots, new CustomerSettings())], Snapshots.Day(100)).Select(m => ((m.At - Snapshots.Start).TotalDays, m.MrrAfter));

    [Fact]
    public void It_counts_where_nothing_else_is_known() => Assert.Equal([(0, 1000), (30, 2000), (60, 3000)], Ledger(Past));

    /// <summary>A slow payment, a pause that was ended by hand: what looks like a change on an invoice is known better by whoever heard the events.</summary>
    [Fact]
    public void From_the_first_event_on_the_events_know_better() => Assert.Equal([(0, 1000), (45, 1500)], Ledger([Past[0], Snapshots.Of("evt_1", 45, mrr: 1500), Past[2]]));

    [Fact]
    public void Of_the_same_second_the_event_counts() => Assert.Equal([(0, 1000), (30, 2500)], Ledger([.. Past, Snapshots.Of("evt_1", 30, mrr: 2500)]));
}
