namespace RetentionFunctions.Customers;

/// <summary>An invoice as one event has it.</summary>
public sealed record InvoiceSnapshot
{
    /// <summary>The invoice.</summary>
    public required string InvoiceId { get; init; }

    /// <summary>What the event says happened.</summary>
    public required InvoiceChange Change { get; init; }

    /// <summary>The subscription it bills, null for one-off invoices.</summary>
    public string? SubscriptionId { get; init; }

    /// <summary>The number on it.</summary>
    public string? Number { get; init; }

    /// <summary>Stripe's status: <c>draft, open, paid, uncollectible, void</c>; derived from <c>paid, closed, forgiven</c> before 2019.</summary>
    public string? Status { get; init; }

    /// <summary><c>subscription_create, subscription_cycle, subscription_update, manual …</c>; null in old versions.</summary>
    public string? BillingReason { get; init; }

    /// <summary>In minor units.</summary>
    public long AmountDue { get; init; }

    /// <summary>In minor units.</summary>
    public long AmountPaid { get; init; }

    /// <summary>Lower case ISO code.</summary>
    public required string Currency { get; init; }

    /// <summary>How often Stripe tried.</summary>
    public int AttemptCount { get; init; }

    /// <summary>When Stripe tries next; null when it will not.</summary>
    public DateTimeOffset? NextAttemptAt { get; init; }

    /// <summary>Stripe's page to pay it.</summary>
    public string? HostedUrl { get; init; }

    /// <summary>When it was made.</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>When it was paid.</summary>
    public DateTimeOffset? PaidAt { get; init; }

    /// <summary><c>charge_automatically</c> or <c>send_invoice</c>.</summary>
    public string? CollectionMethod { get; init; }

    /// <summary>Where collection is by sending the invoice: when it is due.</summary>
    public DateTimeOffset? DueAt { get; init; }

    /// <summary>Its payment intent, where the version says.</summary>
    public string? PaymentIntentId { get; init; }

    /// <summary>Its charge, where the version says.</summary>
    public string? ChargeId { get; init; }

    /// <summary>The customer's address when it was made (since 2019).</summary>
    public string? CustomerEmail { get; init; }
}

/// <summary>What an invoice event says happened.</summary>
public enum InvoiceChange
{
    /// <summary><c>invoice.created</c></summary>
    Created,

    /// <summary><c>invoice.finalized</c></summary>
    Finalized,

    /// <summary><c>invoice.paid</c>, <c>invoice.payment_succeeded</c></summary>
    Paid,

    /// <summary><c>invoice.payment_failed</c></summary>
    PaymentFailed,

    /// <summary><c>invoice.payment_action_required</c></summary>
    ActionRequired,

    /// <summary><c>invoice.voided</c></summary>
    Voided,

    /// <summary><c>invoice.marked_uncollectible</c></summary>
    MarkedUncollectible,
}

/// <summary>Why a payment failed, from <c>charge.failed</c> or <c>payment_intent.payment_failed</c>.</summary>
public sealed record PaymentFailure
{
    /// <summary>The charge or payment intent.</summary>
    public required string Id { get; init; }

    /// <summary>When.</summary>
    public required DateTimeOffset At { get; init; }

    /// <summary>Stripe's error code, for example <c>card_declined, expired_card, authentication_required</c>.</summary>
    public string? Code { get; init; }

    /// <summary>Stripe's decline code, for example <c>insufficient_funds, lost_card</c>.</summary>
    public string? DeclineCode { get; init; }

    /// <summary>In minor units.</summary>
    public long Amount { get; init; }

    /// <summary>Lower case ISO code.</summary>
    public required string Currency { get; init; }

    /// <summary>The invoice, where the version says (not since basil).</summary>
    public string? InvoiceId { get; init; }

    /// <summary>The payment intent, where there is one.</summary>
    public string? PaymentIntentId { get; init; }

    /// <summary>The card that was tried.</summary>
    public Card? Card { get; init; }
}

/// <summary>A card, as much of it as may be shown.</summary>
/// <param name="Brand">Lower case: <c>visa, mastercard …</c>.</param>
/// <param name="Last4">The last four digits.</param>
/// <param name="ExpMonth">1–12.</param>
/// <param name="ExpYear">Four digits.</param>
public sealed record Card(string? Brand, string? Last4, int? ExpMonth, int? ExpYear)
{
    /// <summary>The payment method's or source's id.</summary>
    public string? Id { get; init; }
}

/// <summary>The customer object of Stripe, as much of it as the product uses.</summary>
public sealed record StripeProfile
{
    /// <summary>E-mail address.</summary>
    public string? Email { get; init; }

    /// <summary>Name, of the person or the company.</summary>
    public string? Name { get; init; }

    /// <summary>ISO country code of the address.</summary>
    public string? Country { get; init; }

    /// <summary>First of <c>preferred_locales</c>.</summary>
    public string? Locale { get; init; }

    /// <summary>Lower case ISO code.</summary>
    public string? Currency { get; init; }

    /// <summary>When Stripe made it.</summary>
    public DateTimeOffset? CreatedAt { get; init; }

    /// <summary>IANA name, from the metadata (<c>timezone, timeZone, time_zone, tz</c>).</summary>
    public string? TimeZone { get; init; }

    /// <summary>The app's user id from the metadata (<c>userId</c> or <c>user_id</c>).</summary>
    public string? UserId { get; init; }

    /// <summary>Of the metadata, what <c>customers.traits</c> names; null where there is none of it.</summary>
    public IReadOnlyDictionary<string, string>? Traits { get; init; }

    /// <summary>The default card, where the payload holds it.</summary>
    public Card? Card { get; init; }
}
