using RetentionFunctions.Flows;
using RetentionFunctions.Health;
using RetentionFunctions.Storage;

namespace RetentionFunctions.Customers;

/// <summary>
/// The customer as we know it: one row. What events said is merged so that any order with any number of copies ends in the same customer;
/// what follows from it (status, MRR) is derived again at each change and by the daily sweep.
/// </summary>
public sealed record Customer
{
    /// <summary>Stripe's id; or <c>user:…</c> for an app user not yet tied to a customer (such rows hold activity only).</summary>
    public required string Id { get; init; }

    /// <summary>The profile as the latest customer event has it; see <see cref="BillingEmail"/> for where none had an address.</summary>
    public StripeProfile Profile { get; init; } = new();

    /// <summary>The event that <see cref="Profile"/> is from; null where none came yet.</summary>
    public Stamp? ProfileFrom { get; init; }

    /// <summary>The address of the latest checkout or invoice, used where the profile has none.</summary>
    public string? BillingEmail { get; init; }

    /// <summary>The event that <see cref="BillingEmail"/> is from.</summary>
    public Stamp? BillingEmailFrom { get; init; }

    /// <summary>When the customer was deleted in Stripe: for good.</summary>
    public DateTimeOffset? DeletedAt { get; init; }

    /// <summary>All subscriptions as they stand, by id.</summary>
    public IReadOnlyList<Subscription> Subscriptions { get; init; } = [];

    /// <summary>MRR in minor units by currency, above 0 only.</summary>
    public IReadOnlyDictionary<string, long> Mrr { get; init; } = new Dictionary<string, long>();

    /// <summary>What the customer is.</summary>
    public CustomerStatus Status { get; init; }

    /// <summary>When a passing of time changes what follows from the snapshots (a pause begins or ends, past due has lasted too long); the sweep derives again then.</summary>
    public DateTimeOffset? NextChangeAt { get; init; }

    /// <summary>The plan of the first payment; null where it has no name, or nothing was paid.</summary>
    public string? FirstPlan { get; init; }

    /// <summary>By which <see cref="CustomerMonths.Version"/> its months and its first plan were derived; 0 in rows of before there were any.</summary>
    public int MonthsVersion { get; init; }

    /// <summary>The latest ten MRR movements, oldest first: what the score needs without reading the ledger.</summary>
    public IReadOnlyList<Movement> RecentMovements { get; init; } = [];

    /// <summary>The first moment with MRR above 0.</summary>
    public DateTimeOffset? FirstPaidAt { get; init; }

    /// <summary>When the last subscription ended, where none is left.</summary>
    public DateTimeOffset? ChurnedAt { get; init; }

    /// <summary>The card last seen.</summary>
    public Card? Card { get; init; }

    /// <summary>The event that <see cref="Card"/> is from.</summary>
    public Stamp? CardFrom { get; init; }

    /// <summary>When Stripe said that the card is about to expire; cleared by a later card.</summary>
    public Stamp? CardExpiringFrom { get; init; }

    /// <summary>Invoices with a failed payment that are still open.</summary>
    public IReadOnlyList<string> FailingInvoices { get; init; } = [];

    /// <summary>The latest ten payment failures, oldest first.</summary>
    public IReadOnlyList<PaymentFailure> Failures { get; init; } = [];

    /// <summary>What the next invoice will be, from the latest <c>invoice.upcoming</c>.</summary>
    public Renewal? Renewal { get; init; }

    /// <summary>Refunded minor units by charge.</summary>
    public IReadOnlyDictionary<string, long> Refunds { get; init; } = new Dictionary<string, long>();

    /// <summary>Disputes opened, by id.</summary>
    public IReadOnlyList<string> Disputes { get; init; } = [];

    /// <summary>What the app said of its users (time zone, name), copied from their activity rows by the sweep.</summary>
    public AppTraits? App { get; init; }

    /// <summary>Wants no marketing mail.</summary>
    public Suppression? Unsubscribed { get; init; }

    /// <summary>No mail can or may reach the address (hard bounce, complaint).</summary>
    public Suppression? Suppressed { get; init; }

    /// <summary>When the customer last said "I'm back" by a link in an e-mail.</summary>
    public DateTimeOffset? ReturnedAt { get; init; }

    /// <summary>
    /// The pause that the customer asked for by a link in an e-mail. Stripe's own event follows; until it comes this stands in for it, so that
    /// runs end at once. <c>Pausing.IsRequested</c> says whether it still counts.
    /// </summary>
    public PauseRequest? PauseRequested { get; init; }

    /// <summary>The latest score; null before the first sweep.</summary>
    public HealthState? Health { get; init; }

    /// <summary>A, B or C among paying customers, from the latest sweep.</summary>
    public ValueTier? ValueTier { get; init; }

    /// <summary>The runs that have not ended, as their rows have them.</summary>
    public IReadOnlyList<OpenRun> OpenRuns { get; init; } = [];

    /// <summary>The runs, open, ended or held out, of which it is not known yet whether the customer comes back in time.</summary>
    [System.Text.Json.Serialization.JsonIgnore(Condition = System.Text.Json.Serialization.JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<WatchedRun>? WatchedRuns { get; init; }

    /// <summary>When each flow last started for this customer, also where held out.</summary>
    public IReadOnlyDictionary<string, DateTimeOffset> LastStarts { get; init; } = new Dictionary<string, DateTimeOffset>();

    /// <summary>When the last marketing e-mail went out.</summary>
    public DateTimeOffset? LastMarketingMailAt { get; init; }

    /// <summary>The address to write to: the profile's, else the one of the latest checkout or invoice. One in which nothing can be seen is none.</summary>
    [System.Text.Json.Serialization.JsonIgnore]
    public string? Email => CustomerNaming.Email(Profile.Email, BillingEmail);

    /// <summary>Stripe's name, else the app's. One in which nothing can be seen is none.</summary>
    [System.Text.Json.Serialization.JsonIgnore]
    public string? Name => CustomerNaming.Name(Profile.Name, App?.Name);

    /// <summary>What to call the customer.</summary>
    [System.Text.Json.Serialization.JsonIgnore]
    public string Called => CustomerNaming.Called(Name, Email, Id);

    /// <summary>IANA time zone: the app's, else Stripe's metadata; null where neither says.</summary>
    [System.Text.Json.Serialization.JsonIgnore]
    public string? TimeZone => App?.TimeZone ?? Profile.TimeZone;

    /// <summary>What the customer is by one of <see cref="CustomerTraits.Names"/>; null where nobody said.</summary>
    public string? Trait(string name) => name switch
    {
        CustomerTraits.Plan => CustomerTraits.Value(FirstPlan),
        CustomerTraits.Country => CustomerTraits.Value(Profile.Country)?.ToUpperInvariant(),
        _ => App?.Traits?.GetValueOrDefault(name)?.Value ?? Profile.Traits?.GetValueOrDefault(name),
    };

    /// <summary>Still with us: in a trial, paying, past due or paused.</summary>
    [System.Text.Json.Serialization.JsonIgnore]
    public bool IsCurrent => Status.IsCurrent();

    /// <summary>Still a row of an app user without a customer.</summary>
    [System.Text.Json.Serialization.JsonIgnore]
    public bool IsUntiedUser => Keys.IsUntiedUser(Id);
}

/// <summary>What a customer is (DEFINITIONS).</summary>
public enum CustomerStatus
{
    /// <summary>No subscription ever.</summary>
    None,

    /// <summary>In a trial, not paying.</summary>
    Trialing,

    /// <summary>Paying.</summary>
    Paying,

    /// <summary>Paying still; a payment failed.</summary>
    PastDue,

    /// <summary>All paying subscriptions are paused.</summary>
    Paused,

    /// <summary>Paid once, does not now, or was deleted.</summary>
    Canceled,

    /// <summary>A subscription that never paid: free, incomplete, unpaid.</summary>
    NotPaying,
}

/// <summary>What follows from a status.</summary>
public static class CustomerStatuses
{
    /// <summary>Still with us: in a trial, paying, past due or paused.</summary>
    public static bool IsCurrent(this CustomerStatus status) => status is CustomerStatus.Trialing or CustomerStatus.Paying or CustomerStatus.PastDue or CustomerStatus.Paused;
}

/// <summary>The next invoice.</summary>
/// <param name="From">The event that says so.</param>
/// <param name="Amount">In minor units.</param>
/// <param name="Currency">Lower case ISO code.</param>
/// <param name="DueAt">When it will be charged.</param>
public sealed record Renewal(Stamp From, long Amount, string Currency, DateTimeOffset? DueAt);

/// <summary>What the app says of a user. The latest saying of each wins; at the same instant the greater message id.</summary>
/// <param name="At">When it was said.</param>
/// <param name="MessageId">By which message.</param>
/// <param name="Name">The user's name.</param>
/// <param name="TimeZone">IANA name.</param>
public sealed record AppTraits(DateTimeOffset At, string MessageId, string? Name, string? TimeZone)
{
    /// <summary>Of the other traits, what <c>customers.traits</c> names, each as it was last said; null where there is none of it.</summary>
    public IReadOnlyDictionary<string, SaidTrait>? Traits { get; init; }
}

/// <summary>A trait as it was last said.</summary>
/// <param name="Value">What was said.</param>
/// <param name="At">When.</param>
/// <param name="MessageId">By which message.</param>
public sealed record SaidTrait(string Value, DateTimeOffset At, string MessageId);

/// <summary>Why no mail goes out, and since when.</summary>
/// <param name="At">Since when.</param>
/// <param name="Reason">In words: "unsubscribed by link in win-back step 3".</param>
public sealed record Suppression(DateTimeOffset At, string Reason);

/// <summary>A pause that Stripe has accepted.</summary>
/// <param name="At">When it was asked for.</param>
/// <param name="Until">When the subscriptions resume by themselves.</param>
/// <param name="SubscriptionIds">The subscriptions that it is for.</param>
public sealed record PauseRequest(DateTimeOffset At, DateTimeOffset Until, IReadOnlyList<string> SubscriptionIds);

/// <summary>Value tiers among paying customers: settings <c>customers.valueTiers</c>.</summary>
public enum ValueTier
{
    /// <summary>The top 20 % by MRR, or from $100 a month.</summary>
    A,

    /// <summary>The next 30 %.</summary>
    B,

    /// <summary>The rest.</summary>
    C,
}

/// <summary>An invoice as all its events together have it. Merged field by field, so that their order does not matter.</summary>
public sealed record Invoice
{
    /// <summary>Stripe's id.</summary>
    public required string Id { get; init; }

    /// <summary>The latest snapshot, by <see cref="Stamp"/>.</summary>
    public InvoiceSnapshot? Latest { get; init; }

    /// <summary>The event that <see cref="Latest"/> is from.</summary>
    public Stamp? LatestFrom { get; init; }

    /// <summary>The first failed attempt.</summary>
    public DateTimeOffset? FirstFailedAt { get; init; }

    /// <summary>The latest failed attempt.</summary>
    public DateTimeOffset? LastFailedAt { get; init; }

    /// <summary>The failing or action-required event that <see cref="NextAttemptAt"/> is from.</summary>
    public Stamp? NextAttemptFrom { get; init; }

    /// <summary>When Stripe tries next, as the latest failure said; null when it will not.</summary>
    public DateTimeOffset? NextAttemptAt { get; init; }

    /// <summary>The farthest next attempt that any event named: how long this account keeps trying.</summary>
    public DateTimeOffset? FarthestAttemptAt { get; init; }

    /// <summary>When the bank first asked for the customer's confirmation (3-D Secure).</summary>
    public DateTimeOffset? ActionRequiredAt { get; init; }

    /// <summary>When it was paid. Wins over everything.</summary>
    public DateTimeOffset? PaidAt { get; init; }

    /// <summary>When it was voided.</summary>
    public DateTimeOffset? VoidedAt { get; init; }

    /// <summary>When it was given up.</summary>
    public DateTimeOffset? UncollectibleAt { get; init; }

    /// <summary>Payments by their event, from <c>invoice_payment.paid</c>: together they may pay it in full.</summary>
    public IReadOnlyDictionary<string, InvoicePayment> Payments { get; init; } = new Dictionary<string, InvoicePayment>();

    /// <summary>Its payment intent.</summary>
    public string? PaymentIntentId { get; init; }

    /// <summary>It had failed when the backfill read it.</summary>
    [System.Text.Json.Serialization.JsonIgnore(Condition = System.Text.Json.Serialization.JsonIgnoreCondition.WhenWritingDefault)]
    public bool FailedInPast { get; init; }

    /// <summary>With <see cref="FailedInPast"/>: a failure of it was heard of as it happened, too.</summary>
    [System.Text.Json.Serialization.JsonIgnore(Condition = System.Text.Json.Serialization.JsonIgnoreCondition.WhenWritingDefault)]
    public bool FailedSince { get; init; }

    /// <summary>All that is known of its failures is from the backfill: it starts no flow.</summary>
    [System.Text.Json.Serialization.JsonIgnore]
    public bool IsPast => FailedInPast && !FailedSince;

    /// <summary>A failed payment, and neither paid, voided nor given up since.</summary>
    [System.Text.Json.Serialization.JsonIgnore]
    public bool IsFailing => (FirstFailedAt ?? ActionRequiredAt) is not null && SettledAt is null && VoidedAt is null && UncollectibleAt is null;

    /// <summary>When it was paid in full: by its own event, or when its payments reached the amount due.</summary>
    [System.Text.Json.Serialization.JsonIgnore]
    public DateTimeOffset? SettledAt => PaidAt ??
        (Latest is { AmountDue: > 0 } latest && Payments.Count > 0 && Payments.Values.Sum(p => p.Amount) >= latest.AmountDue ? Payments.Values.Max(p => p.At) : null);
}

/// <summary>One payment of an invoice.</summary>
/// <param name="Amount">In minor units.</param>
/// <param name="At">When.</param>
public sealed record InvoicePayment(long Amount, DateTimeOffset At);
