namespace RetentionFunctions.Links;

/// <summary>
/// Changes a customer's billing. Every change carries an idempotency key: the same key again changes nothing and answers the same.
/// What changed comes back as Stripe's own events; no caller writes it into the customer itself.
/// Transient faults (Stripe down, throttled) throw <see cref="TransientBillingException"/>.
/// </summary>
public interface IBilling
{
    /// <summary>Pauses the collection of a subscription (<c>pause_collection</c>, behavior <c>void</c>) until it resumes by itself.</summary>
    Task<BillingResult> PauseAsync(string customerId, string subscriptionId, DateTimeOffset resumesAt, string idempotencyKey, CancellationToken cancel = default);

    /// <summary>Ends a pause now.</summary>
    Task<BillingResult> ResumeAsync(string customerId, string subscriptionId, string idempotencyKey, CancellationToken cancel = default);

    /// <summary>A page of Stripe's where this customer pays the invoice (null: none in particular) and changes the card.</summary>
    /// <param name="returnUrl">Where the page leads back to.</param>
    Task<Uri> PaymentPageAsync(string customerId, string? invoiceId, Uri returnUrl, CancellationToken cancel = default);
}

/// <summary>What became of a change.</summary>
public abstract record BillingResult
{
    private BillingResult() { }

    /// <summary>Done, now or by an earlier call.</summary>
    public sealed record Done : BillingResult;

    /// <summary>Stripe will not do it: the subscription is unknown or has ended.</summary>
    /// <param name="Reason">In words.</param>
    public sealed record Refused(string Reason) : BillingResult;
}

/// <summary>Billing did not answer; the same call with the same key may be repeated.</summary>
public sealed class TransientBillingException(string message, Exception? inner = null) : Exception(message, inner);
