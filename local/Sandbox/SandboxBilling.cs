using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using RetentionFunctions.Intake;
using RetentionFunctions.Links;
using RetentionFunctions.Storage;

namespace RetentionFunctions.Local.Sandbox;

/// <summary>
/// Stands in for Stripe on one machine. Customers of the sandbox's own live in <see cref="SandboxAccounts"/>. Of others it remembers the subscriptions and invoices
/// that events brought, and changes copies of those. The events that Stripe would send come back through the host's own door. Nothing of it reaches the
/// real Stripe.
/// </summary>
public sealed class SandboxBilling(ITables tables, BodyStore bodies, SandboxAccounts accounts, SandboxDoor door, LocalAddress address, TimeProvider clock) : IBilling
{
    private static readonly string[] Kept = ["subscription", "invoice"];

    /// <summary>Remembers the subscription or invoice of an event, the latest of each.</summary>
    public async Task ObserveAsync(InboxMessage message, CancellationToken cancel = default)
    {
        if (await bodies.BodyOfAsync(message, cancel) is not { } body || Thing(body) is not var (id, seen)) return;
        // A column holds 64 KiB; what is larger than any subscription should be is not sandbox material.
        if (seen.Object.Length > 30_000) return;
        await tables.ChangeAsync<Seen>(Keys.SandboxObject(id), known => known is null || seen.Created >= known.Created ? seen : null, cancel);
    }

    // Null for all that the sandbox has no use for, also where it is written as Stripe would not write it: what is wrong with that, the processor says.
    private static (string Id, Seen Seen)? Thing(ReadOnlyMemory<byte> body)
    {
        JsonDocument document;
        try
        {
            document = JsonDocument.Parse(body);
        }
        catch (JsonException)
        {
            return null;
        }
        using (document)
        {
            var root = document.RootElement;
            if (Field(root, "data", JsonValueKind.Object) is not { } data || Field(data, "object", JsonValueKind.Object) is not { } thing) return null;
            if (Field(thing, "object", JsonValueKind.String)?.GetString() is not { } kind || !Kept.Contains(kind)) return null;
            if (Field(thing, "id", JsonValueKind.String)?.GetString() is not { Length: > 0 } id) return null;
            var created = Field(root, "created", JsonValueKind.Number) is { } number && number.TryGetInt64(out var seconds) ? seconds : 0;
            return (id, new Seen(created, Field(root, "api_version", JsonValueKind.String)?.GetString(), Field(root, "livemode", JsonValueKind.True) is not null, thing.GetRawText()));
        }
    }

    /// <summary>What is due of the sandbox's own customers; when it wants to be asked again.</summary>
    public Task<DateTimeOffset?> RunDueAsync(CancellationToken cancel = default) => accounts.RunDueAsync(cancel);

    private static JsonElement? Field(JsonElement of, string name, JsonValueKind kind) =>
        of.ValueKind == JsonValueKind.Object && of.TryGetProperty(name, out var value) && value.ValueKind == kind ? value : null;

    /// <inheritdoc/>
    public async Task<BillingResult> PauseAsync(string customerId, string subscriptionId, DateTimeOffset resumesAt, string idempotencyKey, CancellationToken cancel = default) =>
        await accounts.HasAsync(customerId, cancel)
        ? await accounts.DoAsync(customerId, idempotencyKey, stripe => Owned(stripe, customerId, subscriptionId).Pause(subscriptionId, resumesAt, clock.GetUtcNow()), cancel)
        : await ChangeAsync(subscriptionId, idempotencyKey, "customer.subscription.updated", subscription =>
        {
            var before = subscription["pause_collection"]?.DeepClone();
            subscription["pause_collection"] = new JsonObject { ["behavior"] = "void", ["resumes_at"] = resumesAt.ToUnixTimeSeconds() };
            return new JsonObject { ["pause_collection"] = before };
        }, cancel);

    /// <inheritdoc/>
    public async Task<BillingResult> ResumeAsync(string customerId, string subscriptionId, string idempotencyKey, CancellationToken cancel = default) =>
        await accounts.HasAsync(customerId, cancel)
        ? await accounts.DoAsync(customerId, idempotencyKey, stripe => Owned(stripe, customerId, subscriptionId).Resume(subscriptionId, clock.GetUtcNow()), cancel)
        : await ChangeAsync(subscriptionId, idempotencyKey, "customer.subscription.updated", subscription =>
        {
            var before = subscription["pause_collection"]?.DeepClone();
            subscription["pause_collection"] = null;
            return new JsonObject { ["pause_collection"] = before };
        }, cancel);

    /// <inheritdoc/>
    public Task<Uri> PaymentPageAsync(string customerId, string? invoiceId, Uri returnUrl, CancellationToken cancel = default) =>
        Task.FromResult(new Uri(address.Root, $"/local/pay/{Uri.EscapeDataString(invoiceId ?? "")}"));

    /// <summary>Pays an invoice as a customer on Stripe's page would: the invoice is paid and its subscription active again. False where the sandbox never saw it.</summary>
    public async Task<bool> PayAsync(string invoiceId, CancellationToken cancel = default)
    {
        if (await accounts.InvoiceAsync(invoiceId, cancel) is { } own)
            return own.Status == "paid" || await accounts.DoAsync(own.CustomerId, $"pay {invoiceId}", stripe => stripe.Pay(invoiceId, clock.GetUtcNow()), cancel) is BillingResult.Done;
        var now = clock.GetUtcNow().ToUnixTimeSeconds();
        string? subscriptionId = null;
        foreach (var type in new[] { "invoice.paid", "invoice.payment_succeeded" })
        {
            var result = await ChangeAsync(invoiceId, $"pay {invoiceId} {type}", type, invoice =>
            {
                subscriptionId = (string?)invoice["subscription"] ?? (string?)invoice["parent"]?["subscription_details"]?["subscription"];
                invoice["status"] = "paid";
                if (invoice.ContainsKey("paid")) invoice["paid"] = true;
                invoice["amount_paid"] = invoice["amount_due"]?.DeepClone();
                invoice["amount_remaining"] = 0;
                invoice["next_payment_attempt"] = null;
                if (invoice["status_transitions"] is JsonObject transitions) transitions["paid_at"] = now;
                return null;
            }, cancel);
            if (result is not BillingResult.Done) return false;
        }
        if (subscriptionId is not null)
            await ChangeAsync(subscriptionId, $"pay {invoiceId} subscription", "customer.subscription.updated", subscription =>
            {
                var before = subscription["status"]?.DeepClone();
                if ((string?)before is not ("past_due" or "unpaid")) return null;
                subscription["status"] = "active";
                return new JsonObject { ["status"] = before };
            }, cancel);
        return true;
    }

    private static SandboxStripe Owned(SandboxStripe stripe, string customerId, string subscriptionId) => stripe.Subscription(subscriptionId)?.CustomerId == customerId
        ? stripe : throw new SandboxRefusedException($"The customer {customerId} has no subscription {subscriptionId}.");

    // The event's id comes from the key, so that the same change asked for twice is one event.
    private async Task<BillingResult> ChangeAsync(string id, string key, string type, Func<JsonObject, JsonObject?> change, CancellationToken cancel)
    {
        if (await tables.GetAsync<Seen>(Keys.SandboxObject(id), cancel) is not { Value: var seen }) return new BillingResult.Refused($"The sandbox has never seen {id}.");
        var thing = JsonNode.Parse(seen.Object)!.AsObject();
        if (thing["ended_at"] is JsonValue) return new BillingResult.Refused("The subscription has ended.");
        var previous = change(thing);
        var eventId = $"evt_sandbox_{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{id}\n{key}")))[..24]}";
        var body = Encoding.UTF8.GetBytes(new JsonObject
        {
            ["id"] = eventId,
            ["object"] = "event",
            ["api_version"] = seen.ApiVersion,
            // Never in the same second as what it changes: Stripe's own answer comes after the request too.
            ["created"] = Math.Max(clock.GetUtcNow().ToUnixTimeSeconds(), seen.Created + 1),
            ["livemode"] = seen.Livemode,
            ["type"] = type,
            ["data"] = previous is null ? new JsonObject { ["object"] = thing } : new JsonObject { ["object"] = thing, ["previous_attributes"] = previous },
        }.ToJsonString());
        var customerId = thing["customer"] is JsonObject expanded ? (string?)expanded["id"] : (string?)thing["customer"];
        await door.DeliverAsync(new SandboxEvent(eventId, type, clock.GetUtcNow(), customerId ?? id, body), cancel);
        return new BillingResult.Done();
    }

    private sealed record Seen(long Created, string? ApiVersion, bool Livemode, string Object);
}
