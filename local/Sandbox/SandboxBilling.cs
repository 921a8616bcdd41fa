using RetentionFunctions.Links;
using RetentionFunctions.Local.Demo;

namespace RetentionFunctions.Local.Sandbox;

/// <summary>
/// Stands in for Stripe on one machine: the billing port, and what the sandbox's own pages do. A customer is the demo company's, one of <see cref="SandboxAccounts"/>,
/// or one of whom <see cref="SandboxCopies"/> keeps copies. The events that Stripe would send come back through the host's own door. Nothing of it reaches the real Stripe.
/// </summary>
public sealed class SandboxBilling(SandboxAccounts accounts, SandboxCopies copies, DemoPlayer demo, SandboxPages pages, TimeProvider clock) : IBilling
{
    /// <inheritdoc/>
    public Task<BillingResult> PauseAsync(string customerId, string subscriptionId, DateTimeOffset resumesAt, string idempotencyKey, CancellationToken cancel = default) =>
        DoAsync(customerId, idempotencyKey, new SandboxAct { Deed = SandboxDeed.Pause, Subscription = subscriptionId, Until = resumesAt }, cancel);

    /// <inheritdoc/>
    public Task<BillingResult> ResumeAsync(string customerId, string subscriptionId, string idempotencyKey, CancellationToken cancel = default) =>
        DoAsync(customerId, idempotencyKey, new SandboxAct { Deed = SandboxDeed.Resume, Subscription = subscriptionId }, cancel);

    /// <inheritdoc/>
    public Task<Uri> PaymentPageAsync(string customerId, string? invoiceId, Uri returnUrl, CancellationToken cancel = default) =>
        Task.FromResult(invoiceId is null ? pages.CardOf(customerId) : pages.PayOf(invoiceId));

    /// <summary>Does something to a customer. The same key again changes nothing and answers the same.</summary>
    public async Task<BillingResult> DoAsync(string customerId, string key, SandboxAct act, CancellationToken cancel = default) =>
        await demo.HasAsync(customerId, cancel) ? await demo.ActAsync(customerId, key, act, cancel)
        : await accounts.HasAsync(customerId, cancel) ? await accounts.DoAsync(customerId, key, stripe => act.Do(stripe, customerId, clock.GetUtcNow()), cancel)
        : await copies.DoAsync(customerId, key, act, cancel);

    /// <summary>A customer as its pages show it; null where the sandbox knows none.</summary>
    public async Task<SandboxView?> ViewAsync(string customerId, CancellationToken cancel = default) =>
        await demo.HasAsync(customerId, cancel) ? await demo.ViewAsync(customerId, cancel)
        : await accounts.ViewAsync(customerId, cancel) ?? await copies.ViewAsync(customerId, cancel);

    /// <summary>Whose an invoice is; null where the sandbox never saw it.</summary>
    public async Task<string?> OwnerAsync(string invoiceId, CancellationToken cancel = default) =>
        await demo.OwnerAsync(invoiceId, cancel) ?? (await accounts.InvoiceAsync(invoiceId, cancel))?.CustomerId ?? await copies.OwnerAsync(invoiceId, cancel);
}
