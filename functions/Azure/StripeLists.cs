using System.Globalization;
using System.Net;
using System.Text.Json;
using RetentionFunctions.History;
using RetentionFunctions.Links;
using Stripe;

namespace RetentionFunctions.Functions;

/// <summary>
/// Stripe's lists by its own API, raw: what comes is read by the same reader as events. The SDK repeats what broke; where Stripe throttles (429) it waits here, longer
/// each time, before the message of the job is left to come again.
/// </summary>
/// <param name="client">With the secret or restricted key.</param>
/// <param name="wait">Waits; null: really.</param>
public sealed class StripeLists(StripeClient client, Func<TimeSpan, CancellationToken, Task>? wait = null) : IBillingHistory
{
    // 1, 2, 4 and 8 seconds: Stripe's limits are by the second (docs.stripe.com/rate-limits).
    private const int Waits = 4;

    /// <inheritdoc/>
    public async Task<BillingPage> ListAsync(BillingQuery query, CancellationToken cancel = default)
    {
        var parameters = new List<string> { string.Create(CultureInfo.InvariantCulture, $"limit={query.Limit}") };
        if (query.After is { } after) parameters.Add($"starting_after={Uri.EscapeDataString(after)}");
        if (query.CreatedFrom is { } from) parameters.Add(string.Create(CultureInfo.InvariantCulture, $"created[gte]={from.ToUnixTimeSeconds()}"));
        if (query.SubscriptionId is { } subscription) parameters.Add($"subscription={Uri.EscapeDataString(subscription)}");
        if (query.CustomerId is { } customer) parameters.Add($"customer={Uri.EscapeDataString(customer)}");
        // Without it, only those that have not ended; and no payment method but its id.
        if (query.List == BillingList.Subscriptions) parameters.Add("status=all");
        if (query.List == BillingList.Customers) parameters.Add("expand[]=data.invoice_settings.default_payment_method");
        if (query.List == BillingList.PendingItems) parameters.Add("pending=true");
        var (path, permission) = query.List switch
        {
            BillingList.Customers => ("customers", "Customers: read, and PaymentMethods: read"),
            BillingList.Subscriptions => ("subscriptions", "Subscriptions: read"),
            BillingList.Invoices => ("invoices", "Invoices: read"),
            BillingList.PendingItems => ("invoiceitems", "Invoices: read"),
            _ => ("events", "Events: read"),
        };
        var asked = System.Diagnostics.Stopwatch.StartNew();
        var answer = await GetAsync($"/v1/{path}?{string.Join('&', parameters)}", path, permission, asked, cancel);
        // By Stripe's clock, and as of the question: what happened since then will come as an event.
        var asOf = (answer.Date ?? DateTimeOffset.UtcNow) - asked.Elapsed;
        using var document = Parse(answer.Content, path);
        var root = document.RootElement;
        return new BillingPage([.. root.GetProperty("data").EnumerateArray().Select(item => item.Clone())], root.GetProperty("has_more").GetBoolean(), DateTimeOffset.FromUnixTimeSeconds(asOf.ToUnixTimeSeconds()));
    }

    /// <inheritdoc/>
    public async Task<JsonElement?> PriceAsync(string priceId, CancellationToken cancel = default)
    {
        try
        {
            var answer = await GetAsync($"/v1/prices/{Uri.EscapeDataString(priceId)}", "prices", "Prices: read", System.Diagnostics.Stopwatch.StartNew(), cancel);
            using var document = Parse(answer.Content, "prices");
            return document.RootElement.Clone();
        }
        catch (StripeException e) when (e.HttpStatusCode == HttpStatusCode.NotFound)
        {
            return null;
        }
    }

    private async Task<StripeResponse> GetAsync(string path, string what, string permission, System.Diagnostics.Stopwatch asked, CancellationToken cancel)
    {
        for (var waited = 0; ; waited++)
            try
            {
                asked.Restart();
                return await client.RawRequestAsync(HttpMethod.Get, path, cancellationToken: cancel);
            }
            catch (StripeException e) when (e.HttpStatusCode == HttpStatusCode.TooManyRequests && waited < Waits)
            {
                var pause = TimeSpan.FromSeconds(1 << waited);
                await (wait is null ? Task.Delay(pause, cancel) : wait(pause, cancel));
            }
            catch (StripeException e) when (e.HttpStatusCode == HttpStatusCode.Unauthorized)
            {
                throw new BillingForbiddenException("Stripe does not know the key (401): it is wrong, or was rolled or revoked. Set STRIPE_API_KEY to one that is valid, then start again.", e);
            }
            catch (StripeException e) when (e.HttpStatusCode == HttpStatusCode.Forbidden)
            {
                throw new BillingForbiddenException($"The Stripe key may not read {what} (403): give the restricted key the permission \"{permission}\" in Stripe's dashboard under Developers, API keys, then start again.", e);
            }
            catch (Exception e) when (!cancel.IsCancellationRequested && e is StripeException { HttpStatusCode: not HttpStatusCode.NotFound } or HttpRequestException or OperationCanceledException)
            {
                throw new TransientBillingException($"Stripe did not give its {what}: {e.Message}", e);
            }
    }

    private static JsonDocument Parse(string content, string what)
    {
        try
        {
            return JsonDocument.Parse(content);
        }
        catch (JsonException e)
        {
            throw new TransientBillingException($"Stripe's answer about {what} is no JSON: {e.Message}", e);
        }
    }
}
