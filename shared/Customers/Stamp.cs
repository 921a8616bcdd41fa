namespace RetentionFunctions.Customers;

/// <summary>
/// The place of a Stripe event in time. Stripe's <c>created</c> has whole seconds, so two events can tie; the rule then is:
/// <c>…created</c> before everything else, <c>…deleted</c> after everything else, and in between the event id decides, in ordinal order.
/// (Subscriptions follow the chain of their previous states first: see <c>SnapshotOrder</c>.)
/// </summary>
/// <param name="At">The event's <c>created</c>, UTC.</param>
/// <param name="Rank">0 for <c>…created</c>, 2 for <c>…deleted</c>, 1 for all others.</param>
/// <param name="EventId">The id of the event.</param>
/// <param name="EventType">The type of the event, for example <c>invoice.paid</c>.</param>
public sealed record Stamp(DateTimeOffset At, int Rank, string EventId, string EventType) : IComparable<Stamp>
{
    /// <inheritdoc/>
    public int CompareTo(Stamp? other)
    {
        if (other is null) return 1;
        var byTime = At.CompareTo(other.At);
        if (byTime != 0) return byTime;
        var byRank = Rank.CompareTo(other.Rank);
        return byRank != 0 ? byRank : string.CompareOrdinal(EventId, other.EventId);
    }

    /// <summary>Later than the other, or the other is null.</summary>
    public bool IsAfter(Stamp? other) => CompareTo(other) > 0;

    /// <summary>The stamp of an event.</summary>
    public static Stamp Of(DateTimeOffset created, string eventId, string eventType) =>
        new(created, eventType.EndsWith(".created", StringComparison.Ordinal) ? 0 : eventType.EndsWith(".deleted", StringComparison.Ordinal) ? 2 : 1, eventId, eventType);
}
