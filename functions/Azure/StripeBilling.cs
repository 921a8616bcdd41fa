using System.Net;
using RetentionFunctions.Links;
using Stripe;
using Portal = Stripe.BillingPortal;

namespace RetentionFunctions.Functions;

/// <summary>Pauses, resumes and pays by Stripe's own API. What changed comes back as events; nothing is written here.</summary>
public sealed class StripeBilling(IStripeClient client) : IBilling
{
    /// <inheritdoc/>
    public Task<BillingResult> PauseAsync(string customerId, string subscriptionId, DateTimeOffset resumesAt, string idempotencyKey, CancellationToken cancel = default) =>
        UpdateAsync(customerId, subscriptionId, new SubscriptionUpdateOptions { PauseCollection = new SubscriptionPauseCollectionOptions { Behavior = "void", ResumesAt = resumesAt.UtcDateTime } }, idempotencyKey, cancel);

    /// <inheritdoc/>
    public Task<BillingResult> ResumeAsync(string customerId, string subscriptionId, string idempotencyKey, CancellationToken cancel = default)
    {
        var options = new SubscriptionUpdateOptions();
        // Sent empty, which unsets it; left out it would stay as it is.
        options.AddExtraParam("pause_collection", "");
        return UpdateAsync(customerId, subscriptionId, options, idempotencyKey, cancel);
    }

    /// <inheritdoc/>
    public async Task<Uri> PaymentPageAsync(string customerId, string? invoiceId, Uri returnUrl, CancellationToken cancel = default)
    {
        try
        {
            if (invoiceId is not null && await HostedAsync(customerId, invoiceId, cancel) is { } page) return page;
            var session = await new Portal.SessionService(client).CreateAsync(new Portal.SessionCreateOptions { Customer = customerId, ReturnUrl = returnUrl.AbsoluteUri }, cancellationToken: cancel);
            return new Uri(session.Url);
        }
        catch (Exception e) when (!cancel.IsCancellationRequested && e is StripeException or HttpRequestException or OperationCanceledException)
        {
            // Also where the customer portal was never set up: the same call works as soon as it is.
            throw new TransientBillingException($"Stripe gave no page to pay on: {e.Message}", e);
        }
    }

    // Only an open invoice has something to pay; Stripe's page of another would say so, and change no card.
    private async Task<Uri?> HostedAsync(string customerId, string invoiceId, CancellationToken cancel)
    {
        try
        {
            var invoice = await new InvoiceService(client).GetAsync(invoiceId, cancellationToken: cancel);
            return invoice is { Status: "open", HostedInvoiceUrl: { Length: > 0 } url } && invoice.CustomerId == customerId ? new Uri(url) : null;
        }
        catch (StripeException e) when (e.HttpStatusCode == HttpStatusCode.NotFound)
        {
            return null;
        }
    }

    private async Task<BillingResult> UpdateAsync(string customerId, string subscriptionId, SubscriptionUpdateOptions options, string idempotencyKey, CancellationToken cancel)
    {
        try
        {
            await new SubscriptionService(client).UpdateAsync(subscriptionId, options, new RequestOptions { IdempotencyKey = idempotencyKey }, cancel);
            return new BillingResult.Done();
        }
        catch (StripeException e) when (IsRefusal(e))
        {
            return new BillingResult.Refused(e.StripeError?.Message ?? e.Message);
        }
        catch (Exception e) when (!cancel.IsCancellationRequested && e is StripeException or HttpRequestException or OperationCanceledException)
        {
            throw new TransientBillingException($"Stripe did not change the subscription of {customerId}: {e.Message}", e);
        }
    }

    // 400, 402 and 404 are about this subscription, and the same again would be answered the same. A key that is wrong (401, 403) is the founder's to mend, a conflict
    // (409), a limit (429) and 5xx pass by themselves.
    private static bool IsRefusal(StripeException e) => e.HttpStatusCode is HttpStatusCode.BadRequest or HttpStatusCode.PaymentRequired or HttpStatusCode.NotFound;
}
