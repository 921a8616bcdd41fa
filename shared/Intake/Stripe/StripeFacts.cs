using RetentionFunctions.Customers;

namespace RetentionFunctions.Intake.Stripe;

/// <summary>What one Stripe event says, the same whatever API version said it. A closed set.</summary>
/// <param name="Stamp">Its place in time.</param>
/// <param name="CustomerId">The customer whom it names, or null where it names none (then <see cref="References"/> may lead to one).</param>
public abstract record StripeFact(Stamp Stamp, string? CustomerId)
{
    /// <summary>Other things of Stripe by which the customer can be found or that belong to this customer: <c>invoice</c>, <c>payment-intent</c>, <c>charge</c>.</summary>
    public IReadOnlyList<StripeReference> References { get; init; } = [];
}

/// <summary>A thing of Stripe that belongs to one customer.</summary>
/// <param name="Kind"><c>invoice</c>, <c>payment-intent</c> or <c>charge</c>.</param>
/// <param name="Id">Its id.</param>
public readonly record struct StripeReference(string Kind, string Id);

/// <summary><c>customer.created</c>, <c>customer.updated</c>.</summary>
/// <param name="Profile">The customer's fields as the event has them.</param>
public sealed record CustomerChanged(Stamp Stamp, string CustomerId, StripeProfile Profile) : StripeFact(Stamp, CustomerId);

/// <summary><c>customer.deleted</c>: for good.</summary>
public sealed record CustomerDeleted(Stamp Stamp, string CustomerId) : StripeFact(Stamp, CustomerId);

/// <summary><c>customer.subscription.*</c>.</summary>
/// <param name="Snapshot">The subscription as the event has it.</param>
/// <param name="TrialWillEnd">It is <c>customer.subscription.trial_will_end</c>, three days before.</param>
public sealed record SubscriptionChanged(Stamp Stamp, string CustomerId, SubscriptionSnapshot Snapshot, bool TrialWillEnd = false) : StripeFact(Stamp, CustomerId);

/// <summary><c>invoice.*</c> with an id.</summary>
/// <param name="Invoice">The invoice as the event has it.</param>
public sealed record InvoiceChanged(Stamp Stamp, string CustomerId, InvoiceSnapshot Invoice) : StripeFact(Stamp, CustomerId);

/// <summary><c>invoice.upcoming</c>: has no id yet.</summary>
/// <param name="SubscriptionId">The subscription that renews.</param>
/// <param name="AmountDue">In minor units.</param>
/// <param name="Currency">Lower case ISO code.</param>
/// <param name="DueAt">When it will be charged.</param>
public sealed record InvoiceUpcoming(Stamp Stamp, string CustomerId, string? SubscriptionId, long AmountDue, string Currency, DateTimeOffset? DueAt) : StripeFact(Stamp, CustomerId);

/// <summary><c>invoice_payment.paid</c> (basil and later): names the invoice, not the customer.</summary>
/// <param name="InvoiceId">The invoice.</param>
/// <param name="AmountPaid">In minor units.</param>
/// <param name="PaidAt">When.</param>
/// <param name="PaymentIntentId">The payment, where it is one.</param>
public sealed record InvoicePaymentPaid(Stamp Stamp, string InvoiceId, long AmountPaid, DateTimeOffset PaidAt, string? PaymentIntentId) : StripeFact(Stamp, null);

/// <summary><c>charge.failed</c>, <c>payment_intent.payment_failed</c>: why a payment failed.</summary>
/// <param name="Failure">The failure.</param>
public sealed record PaymentFailed(Stamp Stamp, string? CustomerId, PaymentFailure Failure) : StripeFact(Stamp, CustomerId);

/// <summary><c>charge.refunded</c>.</summary>
/// <param name="ChargeId">The charge.</param>
/// <param name="AmountRefunded">All that was refunded of it so far, in minor units.</param>
/// <param name="Currency">Lower case ISO code.</param>
public sealed record ChargeRefunded(Stamp Stamp, string? CustomerId, string ChargeId, long AmountRefunded, string Currency) : StripeFact(Stamp, CustomerId);

/// <summary><c>charge.dispute.created</c>: names the charge and the payment, not the customer.</summary>
/// <param name="DisputeId">The dispute.</param>
/// <param name="Amount">In minor units.</param>
/// <param name="Currency">Lower case ISO code.</param>
/// <param name="Reason">Stripe's reason code.</param>
public sealed record DisputeOpened(Stamp Stamp, string? CustomerId, string DisputeId, long Amount, string Currency, string? Reason) : StripeFact(Stamp, CustomerId);

/// <summary><c>payment_method.attached/updated/automatically_updated</c> and the old <c>payment_method.card_automatically_updated</c>.</summary>
/// <param name="Card">The card; null where the method is not a card.</param>
public sealed record PaymentMethodChanged(Stamp Stamp, string? CustomerId, Card? Card) : StripeFact(Stamp, CustomerId);

/// <summary><c>customer.source.expiring</c>: the card expires at the end of the month.</summary>
/// <param name="Card">The card.</param>
public sealed record CardExpiring(Stamp Stamp, string? CustomerId, Card? Card) : StripeFact(Stamp, CustomerId);

/// <summary><c>checkout.session.completed</c>: the app's own id of the customer travels in it.</summary>
/// <param name="ClientReferenceId">The app's id of the customer, as the founder set it.</param>
/// <param name="Email">The e-mail address given at checkout.</param>
/// <param name="UserId">The app's user id from the session's metadata (<c>userId</c> or <c>user_id</c>).</param>
public sealed record CheckoutCompleted(Stamp Stamp, string? CustomerId, string? ClientReferenceId, string? Email, string? UserId) : StripeFact(Stamp, CustomerId);
