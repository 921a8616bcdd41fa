using RetentionFunctions.Customers;

namespace RetentionFunctions.Tests.Support;

/// <summary>Subscription snapshots with valid defaults: $49 a month from 1 January 2026; a test says only what it is about.</summary>
internal static class Snapshots
{
    public static readonly DateTimeOffset Start = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    public static DateTimeOffset Day(double days) => Start.AddDays(days);

    public static SubscriptionSnapshot Of(
        string id, double day, string status = "active", long mrr = 4900, string type = "customer.subscription.updated", string? was = null, string sub = "sub_1", string currency = "usd",
        string? pause = null, double? resumes = null, double? periodEnd = null, double? ended = null, double? cancelAt = null, string? reason = null, double? created = null) => new()
    {
        SubscriptionId = sub,
        Stamp = Stamp.Of(Day(day), id, type),
        Status = status,
        PreviousStatus = was,
        Mrr = mrr,
        Currency = currency,
        Interval = "month",
        CreatedAt = Day(created ?? 0),
        PeriodStartAt = Day(0),
        PeriodEndAt = Day(periodEnd ?? 31),
        PauseBehavior = pause,
        PauseResumesAt = resumes is { } r ? Day(r) : null,
        EndedAt = ended is { } e ? Day(e) : null,
        CancelAt = cancelAt is { } c ? Day(c) : null,
        CancellationReason = reason,
    };

    public static SubscriptionSnapshot Created(string id = "evt_created", double day = 0, long mrr = 4900, string status = "active", string sub = "sub_1", string currency = "usd") =>
        Of(id, day, status, mrr, "customer.subscription.created", sub: sub, currency: currency, created: day);

    public static SubscriptionSnapshot Deleted(string id, double day, string? reason = "cancellation_requested", string sub = "sub_1") =>
        Of(id, day, "canceled", type: "customer.subscription.deleted", sub: sub, ended: day, reason: reason);
}
