namespace RetentionFunctions.Local.Sandbox;

/// <summary>How a simulated Stripe account is set up.</summary>
public sealed record SandboxOptions
{
    /// <summary>The version whose shapes its events have: Stripe's newest, or one from 2020-08-27 on.</summary>
    public string ApiVersion { get; init; } = "2026-07-29.dahlia";

    /// <summary>Events of live mode; else of test mode.</summary>
    public bool Livemode { get; init; }

    /// <summary>On which days after the first failure a payment is tried again, ascending; Smart Retries keep within two weeks too.</summary>
    public IReadOnlyList<int> RetryDays { get; init; } = [3, 5, 7];

    /// <summary>What becomes of a subscription when the last try has failed.</summary>
    public SandboxFinalAction FinalAction { get; init; }

    /// <summary>How many days before a renewal <c>invoice.upcoming</c> is sent; Stripe offers 3 to 45.</summary>
    public int UpcomingDays { get; init; } = 7;

    /// <summary>Where the page to pay an invoice stands; the invoice's id is put behind it.</summary>
    public string InvoicePage { get; init; } = "https://invoice.example.com/";
}

/// <summary>What Stripe does when all tries have failed (Billing, "Manage failed payments").</summary>
public enum SandboxFinalAction
{
    /// <summary>The subscription is cancelled for the failed payment.</summary>
    Cancel,

    /// <summary>It stays, as <c>unpaid</c>; its next invoices stay drafts.</summary>
    MarkUnpaid,
}

/// <summary>An event as Stripe would post it.</summary>
/// <param name="Id">The same calls give the same ids; within a customer they rise, so that ties of a second keep their order.</param>
/// <param name="Type">For example <c>invoice.paid</c>.</param>
/// <param name="CreatedAt">UTC, whole seconds.</param>
/// <param name="CustomerId">Whom it is about, also where the body does not say.</param>
/// <param name="Body">The whole event, in the shape of the account's API version.</param>
public sealed record SandboxEvent(string Id, string Type, DateTimeOffset CreatedAt, string CustomerId, ReadOnlyMemory<byte> Body);

/// <summary>A card, and how the bank behind it behaves.</summary>
/// <param name="Brand">Stripe's code: <c>visa</c>, <c>mastercard</c> …</param>
/// <param name="Last4">Its last four digits.</param>
/// <param name="ExpMonth">1 to 12; once that month is over, charges fail with <c>expired_card</c>.</param>
/// <param name="ExpYear">Four digits.</param>
/// <param name="DeclineCode">Charges fail with it; <c>authentication_required</c> asks for 3-D Secure. Null: they go through.</param>
/// <param name="FailTimes">How many charges fail before one goes through.</param>
public sealed record SandboxCard(string Brand, string Last4, int ExpMonth, int ExpYear, string? DeclineCode = null, int FailTimes = int.MaxValue);

/// <summary>A recurring price.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Nickname">What the founder calls it.</param>
/// <param name="UnitAmount">Minor units for one unit and period.</param>
/// <param name="Currency">Lower case ISO code.</param>
/// <param name="Interval"><c>month</c> or <c>year</c>.</param>
/// <param name="IntervalCount">How many of them make a period, at least 1.</param>
public sealed record SandboxPrice(string Id, string Nickname, long UnitAmount, string Currency, string Interval, int IntervalCount = 1)
{
    /// <summary>The length of a period.</summary>
    internal int Months => (Interval == "year" ? 12 : 1) * IntervalCount;
}

/// <summary>A coupon.</summary>
/// <param name="Id">Its id.</param>
/// <param name="PercentOff">0 to 100; null where it takes off an amount.</param>
/// <param name="AmountOff">Minor units off an invoice; null where it takes off a share.</param>
/// <param name="Duration"><c>once</c>, <c>repeating</c> or <c>forever</c>.</param>
/// <param name="DurationInMonths">How long a repeating one holds.</param>
public sealed record SandboxCoupon(string Id, decimal? PercentOff, long? AmountOff, string Duration, int DurationInMonths = 3);

/// <summary>A coupon on a subscription.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Coupon">What it takes off.</param>
/// <param name="StartAt">Since when.</param>
/// <param name="EndAt">Until when; null: forever, or one invoice.</param>
public sealed record SandboxDiscount(string Id, SandboxCoupon Coupon, DateTimeOffset StartAt, DateTimeOffset? EndAt);

/// <summary>A customer of the simulated account.</summary>
public sealed record SandboxCustomer
{
    /// <summary>Its id.</summary>
    public required string Id { get; init; }

    /// <summary>Its address.</summary>
    public required string Email { get; init; }

    /// <summary>Its name.</summary>
    public required string Name { get; init; }

    /// <summary>Two letters, or null.</summary>
    public string? Country { get; init; }

    /// <summary>The currency of the first subscription.</summary>
    public string? Currency { get; init; }

    /// <summary>When it was made.</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>The founder's own fields.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; init; } = new Dictionary<string, string>();

    /// <summary>The card that invoices are charged to; null: none was given yet.</summary>
    public SandboxCard? Card { get; init; }

    /// <summary>The id of the card; empty until it is attached.</summary>
    public string CardId { get; init; } = "";

    /// <summary>How many charges of this card have failed.</summary>
    public int CardFailures { get; init; }

    /// <summary>That it expires this month was said, or need not be.</summary>
    public bool ExpiryTold { get; init; }

    /// <summary>The founder deleted it, for good.</summary>
    public bool Deleted { get; init; }
}

/// <summary>A subscription of the simulated account, with one item.</summary>
public sealed record SandboxSubscription
{
    /// <summary>Its id.</summary>
    public required string Id { get; init; }

    /// <summary>Whose it is.</summary>
    public required string CustomerId { get; init; }

    /// <summary>Its price.</summary>
    public required SandboxPrice Price { get; init; }

    /// <summary>How many units.</summary>
    public required int Quantity { get; init; }

    /// <summary><c>incomplete, incomplete_expired, trialing, active, past_due, unpaid, canceled, paused</c>.</summary>
    public required string Status { get; init; }

    /// <summary>When it was made.</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>From when its periods are counted.</summary>
    public required DateTimeOffset Anchor { get; init; }

    /// <summary>Which period since the anchor runs, from 0.</summary>
    public int PeriodNumber { get; init; }

    /// <summary>The start of the period that runs.</summary>
    public required DateTimeOffset PeriodStart { get; init; }

    /// <summary>Its end.</summary>
    public required DateTimeOffset PeriodEnd { get; init; }

    /// <summary>The end of its trial, where it had one.</summary>
    public DateTimeOffset? TrialEnd { get; init; }

    /// <summary>It ends with the period.</summary>
    public bool CancelAtPeriodEnd { get; init; }

    /// <summary>When its end was asked for.</summary>
    public DateTimeOffset? CanceledAt { get; init; }

    /// <summary>When it ended.</summary>
    public DateTimeOffset? EndedAt { get; init; }

    /// <summary>Why: <c>cancellation_requested</c> or <c>payment_failed</c>.</summary>
    public string? Reason { get; init; }

    /// <summary>Stripe's survey code.</summary>
    public string? Feedback { get; init; }

    /// <summary>What the customer wrote.</summary>
    public string? Comment { get; init; }

    /// <summary>Until when collection is paused; null: it is not.</summary>
    public DateTimeOffset? PausedUntil { get; init; }

    /// <summary>The coupon on it.</summary>
    public SandboxDiscount? Discount { get; init; }

    /// <summary>What changes of price added to the next invoice, in minor units; below 0 a credit.</summary>
    public long Pending { get; init; }

    /// <summary>What of <see cref="Pending"/> comes from which change: the lines of the next invoice.</summary>
    public IReadOnlyList<SandboxProration> Prorations { get; init; } = [];

    /// <summary>The latest invoice.</summary>
    public string? LatestInvoiceId { get; init; }

    /// <summary>The app's id of the customer: sent with the checkout when the first payment is through, then forgotten.</summary>
    public string? ClientReferenceId { get; init; }

    /// <summary><c>invoice.upcoming</c> was sent for this period.</summary>
    public bool UpcomingTold { get; init; }

    /// <summary><c>customer.subscription.trial_will_end</c> was sent.</summary>
    public bool TrialEndTold { get; init; }

    /// <summary>It is over.</summary>
    public bool IsEnded => Status is "canceled" or "incomplete_expired";
}

/// <summary>What is left of a period when a price or quantity changes within it: given back of the old one, charged for the new one.</summary>
/// <param name="At">When it changed.</param>
/// <param name="Until">The end of the period.</param>
/// <param name="Price">The price, old or new.</param>
/// <param name="Quantity">The quantity, old or new.</param>
/// <param name="Amount">In minor units; below 0 what is given back.</param>
public sealed record SandboxProration(DateTimeOffset At, DateTimeOffset Until, SandboxPrice Price, int Quantity, long Amount);

/// <summary>An invoice of the simulated account.</summary>
public sealed record SandboxInvoice
{
    /// <summary>Its id.</summary>
    public required string Id { get; init; }

    /// <summary>Who owes it.</summary>
    public required string CustomerId { get; init; }

    /// <summary>What it is for.</summary>
    public required string SubscriptionId { get; init; }

    /// <summary>The number on it.</summary>
    public required string Number { get; init; }

    /// <summary><c>draft, open, paid, void, uncollectible</c>.</summary>
    public required string Status { get; init; }

    /// <summary><c>subscription_create, subscription_cycle, subscription_update</c>.</summary>
    public required string BillingReason { get; init; }

    /// <summary>The price on its line.</summary>
    public required SandboxPrice Price { get; init; }

    /// <summary>The quantity on its line.</summary>
    public required int Quantity { get; init; }

    /// <summary>What it settles of changes within the period before.</summary>
    public IReadOnlyList<SandboxProration> Prorations { get; init; } = [];

    /// <summary>Minor units before any discount.</summary>
    public required long Subtotal { get; init; }

    /// <summary>The discount that makes the difference, where there is one.</summary>
    public string? DiscountId { get; init; }

    /// <summary>Minor units to pay.</summary>
    public required long AmountDue { get; init; }

    /// <summary>When it was made.</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>The start of what it bills.</summary>
    public required DateTimeOffset PeriodStart { get; init; }

    /// <summary>The end of what it bills.</summary>
    public required DateTimeOffset PeriodEnd { get; init; }

    /// <summary>When the draft becomes final.</summary>
    public DateTimeOffset? FinalizeAt { get; init; }

    /// <summary>When it did.</summary>
    public DateTimeOffset? FinalizedAt { get; init; }

    /// <summary>When it was paid.</summary>
    public DateTimeOffset? PaidAt { get; init; }

    /// <summary>When it was voided.</summary>
    public DateTimeOffset? VoidedAt { get; init; }

    /// <summary>When it was given up as bad debt.</summary>
    public DateTimeOffset? UncollectibleAt { get; init; }

    /// <summary>How many tries there were, as Stripe counts them: the first, whoever made it, and then its own.</summary>
    public int AttemptCount { get; init; }

    /// <summary>When the first of them failed.</summary>
    public DateTimeOffset? FirstFailedAt { get; init; }

    /// <summary>When the next is.</summary>
    public DateTimeOffset? NextAttemptAt { get; init; }

    /// <summary>The card whose charge failed last.</summary>
    public string? FailedCardId { get; init; }

    /// <summary>Its payment intent.</summary>
    public required string PaymentIntentId { get; init; }

    /// <summary>Its latest charge.</summary>
    public string? ChargeId { get; init; }

    /// <summary>The money was given back.</summary>
    public bool Refunded { get; init; }

    /// <summary>The customer disputed it.</summary>
    public bool Disputed { get; init; }
}

/// <summary>All of one customer, as it is stored.</summary>
/// <param name="Customer">The customer.</param>
/// <param name="Subscriptions">In the order in which they were made.</param>
/// <param name="Invoices">In the order in which they were made.</param>
/// <param name="Now">The latest time at which anything happened to it, UTC.</param>
/// <param name="Made">How many ids were given.</param>
public sealed record SandboxAccountState(
    SandboxCustomer Customer, IReadOnlyList<SandboxSubscription> Subscriptions, IReadOnlyList<SandboxInvoice> Invoices, DateTimeOffset Now, int Made);

/// <summary>The simulated Stripe will not do it, as the real one would not. The message says why, in one sentence.</summary>
public sealed class SandboxRefusedException(string message) : Exception(message);
