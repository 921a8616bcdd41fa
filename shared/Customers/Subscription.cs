namespace RetentionFunctions.Customers;

/// <summary>What one subscription event said, reduced to what the ledger and the flows need. Kept for good: the ledger is derived from the set of them.</summary>
public sealed record SubscriptionSnapshot
{
    /// <summary>The subscription.</summary>
    public required string SubscriptionId { get; init; }

    /// <summary>The place of its event in time.</summary>
    public required Stamp Stamp { get; init; }

    /// <summary>Stripe's status: <c>incomplete, incomplete_expired, trialing, active, past_due, unpaid, canceled, paused</c>.</summary>
    public required string Status { get; init; }

    /// <summary>The status before, where <c>previous_attributes</c> has one.</summary>
    public string? PreviousStatus { get; init; }

    /// <summary>Monthly recurring revenue in minor units, whatever the status: <see cref="SubscriptionStatus.Pays"/> says whether it counts. Never below 0.</summary>
    public required long Mrr { get; init; }

    /// <summary>Lower case ISO code.</summary>
    public required string Currency { get; init; }

    /// <summary>What could not be priced from the payload (a tiered price without its tiers, a coupon given by id only); shown to the founder.</summary>
    public IReadOnlyList<string> Unpriced { get; init; } = [];

    /// <summary>The price's nickname, or the product's or plan's name or id.</summary>
    public string? Plan { get; init; }

    /// <summary>The longest billing interval of its items: <c>day, week, month, year</c>.</summary>
    public string? Interval { get; init; }

    /// <summary>How many of them make one period.</summary>
    public int IntervalCount { get; init; } = 1;

    /// <summary>When it was made.</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>The end of its trial.</summary>
    public DateTimeOffset? TrialEndAt { get; init; }

    /// <summary>The start of the period that runs: of its latest item.</summary>
    public DateTimeOffset? PeriodStartAt { get; init; }

    /// <summary>The end of the period that runs: of its latest item. What was paid lasts until then.</summary>
    public DateTimeOffset? PeriodEndAt { get; init; }

    /// <summary>When it will end, where that is scheduled (<c>cancel_at</c>, or the period's end with <c>cancel_at_period_end</c>).</summary>
    public DateTimeOffset? CancelAt { get; init; }

    /// <summary>When the cancellation was asked for.</summary>
    public DateTimeOffset? CanceledAt { get; init; }

    /// <summary>When it ended.</summary>
    public DateTimeOffset? EndedAt { get; init; }

    /// <summary>Collection is paused: <c>keep_as_draft, mark_uncollectible, void</c>.</summary>
    public string? PauseBehavior { get; init; }

    /// <summary>When the paused collection resumes by itself.</summary>
    public DateTimeOffset? PauseResumesAt { get; init; }

    /// <summary><c>cancellation_requested, payment_disputed, payment_failed</c>.</summary>
    public string? CancellationReason { get; init; }

    /// <summary>Stripe's survey code: <c>too_expensive, missing_features, unused …</c>.</summary>
    public string? CancellationFeedback { get; init; }

    /// <summary>What the customer wrote.</summary>
    public string? CancellationComment { get; init; }

    /// <summary>The app's user id from the metadata (<c>userId</c> or <c>user_id</c>).</summary>
    public string? UserId { get; init; }

    /// <summary>
    /// No event said so: it was worked out from invoices by the backfill. It counts up to the first snapshot that Stripe itself gave, from where on those know better.
    /// </summary>
    [System.Text.Json.Serialization.JsonIgnore(Condition = System.Text.Json.Serialization.JsonIgnoreCondition.WhenWritingDefault)]
    public bool WorkedOut { get; init; }

    /// <summary>
    /// With <see cref="WorkedOut"/>: an imported file says so. It counts up to the first snapshot from anywhere else, since a file tells the least: the price of its day, for all of the past.
    /// </summary>
    [System.Text.Json.Serialization.JsonIgnore(Condition = System.Text.Json.Serialization.JsonIgnoreCondition.WhenWritingDefault)]
    public bool Imported { get; init; }
}

/// <summary>Stripe's subscription statuses, and which of them pay.</summary>
public static class SubscriptionStatus
{
    /// <summary><c>active</c> and <c>past_due</c> count as paying (DEFINITIONS, "Paying customer").</summary>
    public static bool Pays(string status) => status is "active" or "past_due";

    /// <summary>It has ended for good.</summary>
    public static bool IsEnded(string status) => status is "canceled" or "incomplete_expired";
}

/// <summary>A subscription as it stands now, derived from all its snapshots.</summary>
public sealed record Subscription
{
    /// <summary>The latest snapshot; the last one that says it ended, where one does.</summary>
    public required SubscriptionSnapshot Latest { get; init; }

    /// <summary>What it counts for at this moment, in minor units per month.</summary>
    public required long Mrr { get; init; }

    /// <summary>What it is at this moment.</summary>
    public required SubscriptionState State { get; init; }

    /// <summary>Since when it has been past due, where it is.</summary>
    public DateTimeOffset? PastDueSince { get; init; }

    /// <summary>When it ended, by our definition: for involuntary churn the end of the 30 days.</summary>
    public DateTimeOffset? EndedAt { get; init; }

    /// <summary>It will end at this time.</summary>
    public DateTimeOffset? EndsAt { get; init; }
}

/// <summary>What a subscription is, by our definitions.</summary>
public enum SubscriptionState
{
    /// <summary>Not begun (<c>incomplete</c>).</summary>
    Pending,

    /// <summary>In its trial.</summary>
    Trialing,

    /// <summary>Paying.</summary>
    Active,

    /// <summary>Paying still, a payment failed.</summary>
    PastDue,

    /// <summary>Paused after having paid.</summary>
    Paused,

    /// <summary>Not paying and not ended: <c>unpaid</c>, or past due for longer than counts.</summary>
    Unpaid,

    /// <summary>Over.</summary>
    Ended,
}

/// <summary>What changed in MRR (DEFINITIONS, "Movements").</summary>
public enum MovementKind
{
    /// <summary>First time above 0.</summary>
    New,

    /// <summary>More than before.</summary>
    Expansion,

    /// <summary>Less than before, still above 0.</summary>
    Contraction,

    /// <summary>To 0 by ending.</summary>
    Churned,

    /// <summary>Above 0 again after having churned.</summary>
    Reactivation,

    /// <summary>Less by pausing.</summary>
    Paused,

    /// <summary>More by the end of a pause.</summary>
    Resumed,
}

/// <summary>One row of a customer's MRR ledger. Derived: written again whenever the set of snapshots says otherwise.</summary>
/// <param name="At">When it took effect, UTC.</param>
/// <param name="Kind">What kind of change.</param>
/// <param name="Amount">The change in minor units: negative for contraction, churned, paused.</param>
/// <param name="Currency">Lower case ISO code.</param>
/// <param name="MrrAfter">What the customer's MRR in this currency is after it.</param>
public sealed record Movement(DateTimeOffset At, MovementKind Kind, long Amount, string Currency, long MrrAfter)
{
    /// <summary>Churned because a payment failed, not because the customer left.</summary>
    public bool Involuntary { get; init; }
}
