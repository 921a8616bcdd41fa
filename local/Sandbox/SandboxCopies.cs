using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using RetentionFunctions.Customers;
using RetentionFunctions.Intake;
using RetentionFunctions.Links;
using RetentionFunctions.Storage;

namespace RetentionFunctions.Local.Sandbox;

/// <summary>
/// Customers whose events came from elsewhere (the Stripe CLI, a file): of those the sandbox keeps the latest copy of each subscription and invoice, changes the copy
/// and sends what Stripe would, in the shape of the copy's own API version. Nothing falls due by itself: whoever sent the events goes on sending.
/// </summary>
public sealed class SandboxCopies(ITables tables, BodyStore bodies, SandboxAccounts accounts, SandboxPost post, TimeProvider clock)
{
    private static readonly string[] Kept = ["subscription", "invoice"];

    // Of each thing the latest changes that were asked for, so that the same again changes nothing.
    private const int KeysKept = 20;

    /// <summary>Remembers the subscription or invoice of an event, the latest of each.</summary>
    public async Task ObserveAsync(InboxMessage message, CancellationToken cancel = default)
    {
        if (await bodies.BodyOfAsync(message, cancel) is not { } body || Thing(body) is not var (id, seen)) return;
        // A column holds 64 KiB; what is larger than any subscription should be is not sandbox material.
        if (seen.Object.Length > 30_000) return;
        await tables.ChangeAsync<Seen>(Keys.SandboxObject(id), known => known is null ? seen : seen.Created >= known.Created ? seen with { Keys = known.Keys } : null, cancel);
    }

    /// <summary>What is due in the sandbox, its own customers and the post; when it wants to be asked again.</summary>
    public async Task<DateTimeOffset?> RunDueAsync(CancellationToken cancel = default)
    {
        var (own, letters) = (await accounts.RunDueAsync(cancel), await post.DeliverDueAsync(cancel));
        return own is null ? letters : letters is null || own < letters ? own : letters;
    }

    /// <summary>Whose the invoice is; null where it was never seen.</summary>
    public async Task<string?> OwnerAsync(string invoiceId, CancellationToken cancel = default) =>
        await tables.GetAsync<Seen>(Keys.SandboxObject(invoiceId), cancel) is { Value: var seen } ? Id(JsonNode.Parse(seen.Object)!["customer"]) : null;

    /// <summary>A customer as its pages show it; null where there is none.</summary>
    public async Task<SandboxView?> ViewAsync(string customerId, CancellationToken cancel = default)
    {
        if (await tables.GetAsync<Customer>(Keys.Customer(customerId), cancel) is not { Value: { DeletedAt: null } customer }) return null;
        var invoices = await tables.ListAsync<Invoice>(Keys.Invoices(customerId), cancel);
        // The product hears of a change when its events arrive: then the page is another one.
        return SandboxView.Of(customer, invoices, customer.Subscriptions.Select(s => s.Latest.Stamp.At).Concat(invoices.Select(i => i.LatestFrom?.At ?? default)).DefaultIfEmpty().Max().ToUnixTimeSeconds());
    }

    /// <summary>Changes the copies and puts the events on their way. The same key again changes nothing.</summary>
    public async Task<BillingResult> DoAsync(string customerId, string key, SandboxAct act, CancellationToken cancel = default)
    {
        try
        {
            return act.Deed switch
            {
                SandboxDeed.Pay => await PayAsync(customerId, key, act, cancel),
                SandboxDeed.PayInVain => await PayInVainAsync(customerId, key, act, cancel),
                SandboxDeed.SetCard => await SetCardAsync(customerId, key, act, cancel),
                _ => await ChangeAsync(customerId, SandboxAct.Given(act.Subscription, "subscription"), key, (subscription, seen) => ChangeSubscription(subscription, act, key, seen), cancel),
            };
        }
        catch (SandboxRefusedException refused)
        {
            return new BillingResult.Refused(refused.Message);
        }
    }

    private List<Told> ChangeSubscription(JsonObject subscription, SandboxAct act, string key, Seen seen)
    {
        if (subscription["ended_at"] is JsonValue) throw new SandboxRefusedException("The subscription has ended.");
        var now = clock.GetUtcNow().ToUnixTimeSeconds();
        var before = subscription.DeepClone().AsObject();
        var type = "customer.subscription.updated";
        switch (act.Deed)
        {
            case SandboxDeed.Pause:
                subscription["pause_collection"] = new JsonObject { ["behavior"] = "void", ["resumes_at"] = (act.Until ?? throw SandboxAct.Missing("until")).ToUnixTimeSeconds() };
                break;
            case SandboxDeed.Resume:
                subscription["pause_collection"] = null;
                break;
            case SandboxDeed.ApplyCoupon:
                // A version before 2024 knows one discount and includes it; since then it is named by its id.
                var discount = SandboxPayloads.Discount(
                    new SandboxDiscount($"di_{Hash(key)}", act.Coupon ?? throw SandboxAct.Missing("coupon"), clock.GetUtcNow(), act.Coupon.Duration == "repeating" ? clock.GetUtcNow().AddMonths(act.Coupon.DurationInMonths) : null),
                    Id(subscription["customer"]) ?? "", Id(subscription["id"]) ?? "", (string?)subscription["currency"] ?? "usd");
                if (subscription.ContainsKey("discounts")) subscription["discounts"] = new JsonArray((string)discount["id"]!);
                if (subscription.ContainsKey("discount") || !subscription.ContainsKey("discounts")) subscription["discount"] = discount;
                break;
            case SandboxDeed.RemoveCoupon:
                if (subscription.ContainsKey("discounts")) subscription["discounts"] = new JsonArray();
                if (subscription.ContainsKey("discount")) subscription["discount"] = null;
                break;
            case SandboxDeed.CancelAtPeriodEnd:
                var end = subscription["current_period_end"] ?? subscription["items"]?["data"]?[0]?["current_period_end"] ?? throw new SandboxRefusedException("The subscription has no period that could end.");
                subscription["cancel_at"] = end.DeepClone();
                subscription["cancel_at_period_end"] = (string?)subscription["billing_mode"]?["type"] != "flexible";
                subscription["canceled_at"] = now;
                Reason(subscription, act, seen);
                break;
            case SandboxDeed.UndoCancel:
                subscription["cancel_at"] = null;
                subscription["cancel_at_period_end"] = false;
                subscription["canceled_at"] = null;
                if (subscription.ContainsKey("cancellation_details")) subscription["cancellation_details"] = new JsonObject { ["comment"] = null, ["feedback"] = null, ["reason"] = null };
                break;
            default:
                type = "customer.subscription.deleted";
                subscription["status"] = "canceled";
                subscription["ended_at"] = now;
                subscription["canceled_at"] = now;
                Reason(subscription, act, seen);
                return [new Told(type, subscription)];
        }
        var previous = SandboxPayloads.Previous(before, subscription);
        return previous.Count > 0 ? [new Told(type, subscription, previous)] : [];
    }

    private static void Reason(JsonObject subscription, SandboxAct act, Seen seen)
    {
        if (string.CompareOrdinal(seen.ApiVersion, "2023") >= 0)
            subscription["cancellation_details"] = new JsonObject { ["comment"] = act.Comment, ["feedback"] = act.Feedback, ["reason"] = "cancellation_requested" };
    }

    private async Task<BillingResult> PayAsync(string customerId, string key, SandboxAct act, CancellationToken cancel)
    {
        var invoiceId = SandboxAct.Given(act.Invoice, "invoice");
        var now = clock.GetUtcNow().ToUnixTimeSeconds();
        string? subscriptionId = null;
        var paid = await ChangeAsync(customerId, invoiceId, key, (invoice, _) =>
        {
            subscriptionId = Id(invoice["subscription"]) ?? Id(invoice["parent"]?["subscription_details"]?["subscription"]);
            if ((string?)invoice["status"] == "paid") return [];
            if ((string?)invoice["status"] is "void") throw new SandboxRefusedException($"The invoice {invoiceId} is void.");
            invoice["status"] = "paid";
            if (invoice.ContainsKey("paid")) invoice["paid"] = true;
            invoice["amount_paid"] = invoice["amount_due"]?.DeepClone();
            invoice["amount_remaining"] = 0;
            invoice["next_payment_attempt"] = null;
            if (invoice["status_transitions"] is JsonObject transitions) transitions["paid_at"] = now;
            return [new Told("invoice.paid", invoice), new Told("invoice.payment_succeeded", invoice.DeepClone().AsObject())];
        }, cancel);
        if (paid is not BillingResult.Done) return paid;
        if (subscriptionId is not null && await tables.GetAsync(Keys.SandboxObject(subscriptionId), cancel) is not null)
            await ChangeAsync(customerId, subscriptionId, key, (subscription, _) =>
            {
                var before = subscription["status"]?.DeepClone();
                if ((string?)before is not ("past_due" or "unpaid" or "incomplete")) return [];
                subscription["status"] = "active";
                return [new Told("customer.subscription.updated", subscription, new JsonObject { ["status"] = before })];
            }, cancel);
        if (act.Card is not null) await SetCardAsync(customerId, key, act, cancel);
        return paid;
    }

    private Task<BillingResult> PayInVainAsync(string customerId, string key, SandboxAct act, CancellationToken cancel)
    {
        var card = act.Card ?? throw SandboxAct.Missing("card");
        return ChangeAsync(customerId, SandboxAct.Given(act.Invoice, "invoice"), key, (invoice, seen) =>
        {
            if ((string?)invoice["status"] is "paid" or "void") throw new SandboxRefusedException($"The invoice {act.Invoice} is {invoice["status"]}.");
            invoice["attempt_count"] = Math.Max(1, (long?)invoice["attempt_count"] ?? 0);
            var hash = Hash(key);
            var tried = new SandboxInvoice
            {
                Id = act.Invoice!, CustomerId = customerId, SubscriptionId = "", Number = "", Status = "open", BillingReason = "", Price = new SandboxPrice("", "", 0, (string?)invoice["currency"] ?? "usd", "month"), Quantity = 1,
                Subtotal = 0, AmountDue = (long?)invoice["amount_due"] ?? 0, CreatedAt = clock.GetUtcNow(), PeriodStart = default, PeriodEnd = default, FinalizedAt = clock.GetUtcNow(),
                PaymentIntentId = Id(invoice["payment_intent"]) ?? $"pi_{Hash(act.Invoice!)}", ChargeId = $"ch_{hash}",
            };
            var payer = new SandboxCustomer { Id = customerId, Email = (string?)invoice["customer_email"] ?? "", Name = (string?)invoice["customer_name"] ?? "", CreatedAt = clock.GetUtcNow(), Card = card, CardId = $"card_{hash}" };
            var payloads = new SandboxPayloads(new SandboxOptions { ApiVersion = seen.ApiVersion ?? "", Livemode = seen.Livemode });
            var decline = card.DeclineCode ?? "generic_decline";
            return
            [
                new Told("charge.failed", payloads.Charge(tried, payer, clock.GetUtcNow(), decline)), new Told("payment_intent.payment_failed", payloads.FailedIntent(tried, payer, clock.GetUtcNow(), decline)),
                new Told("invoice.payment_failed", invoice),
            ];
        }, cancel);
    }

    // Only the card itself is told: of the customer there is no copy that an update could be made of. It is told in the shape of what is known of the customer.
    private async Task<BillingResult> SetCardAsync(string customerId, string key, SandboxAct act, CancellationToken cancel)
    {
        var card = act.Card ?? throw SandboxAct.Missing("card");
        if (await tables.GetAsync<Customer>(Keys.Customer(customerId), cancel) is not { Value: var customer }) return new BillingResult.Refused($"The sandbox has never seen {customerId}.");
        foreach (var subscription in customer.Subscriptions.Reverse())
            if (await tables.GetAsync(Keys.SandboxObject(subscription.Latest.SubscriptionId), cancel) is not null)
                return await ChangeAsync(customerId, subscription.Latest.SubscriptionId, $"card {key}", (_, seen) =>
                {
                    var payloads = new SandboxPayloads(new SandboxOptions { ApiVersion = seen.ApiVersion ?? "", Livemode = seen.Livemode });
                    var payer = new SandboxCustomer { Id = customerId, Email = customer.Email ?? "", Name = customer.Name ?? "", CreatedAt = clock.GetUtcNow(), Card = card, CardId = $"card_{Hash(key)}" };
                    return [new Told("payment_method.attached", payloads.PaymentMethod(payer))];
                }, cancel);
        return new BillingResult.Refused($"The sandbox has never seen a subscription of {customerId}.");
    }

    // The events' ids come from the key, so that the same change asked for twice is one event each.
    private async Task<BillingResult> ChangeAsync(string customerId, string id, string key, Func<JsonObject, Seen, List<Told>> change, CancellationToken cancel)
    {
        for (var attempt = 0; attempt < 10; attempt++)
        {
            if (await tables.GetAsync<Seen>(Keys.SandboxObject(id), cancel) is not { Value: var seen, ETag: var etag }) return new BillingResult.Refused($"The sandbox has never seen {id}.");
            var thing = JsonNode.Parse(seen.Object)!.AsObject();
            if (Id(thing["customer"]) != customerId) return new BillingResult.Refused($"The customer {customerId} has no {id}.");
            if (seen.Keys?.Contains(key) == true) return new BillingResult.Done();
            // Never in the same second as what it changes: Stripe's own answer comes after the request too.
            var created = Math.Max(clock.GetUtcNow().ToUnixTimeSeconds(), seen.Created + 1);
            var at = DateTimeOffset.FromUnixTimeSeconds(created);
            var events = change(thing, seen).Select((told, n) =>
            {
                var eventId = $"evt_sandbox_{Hash($"{id}\n{key}\n{n}")}";
                var data = new JsonObject { ["object"] = told.About };
                if (told.Previous is not null) data["previous_attributes"] = told.Previous;
                return new SandboxEvent(eventId, told.Type, at, customerId, JsonSerializer.SerializeToUtf8Bytes(new JsonObject
                {
                    ["id"] = eventId, ["object"] = "event", ["api_version"] = seen.ApiVersion, ["created"] = created, ["livemode"] = seen.Livemode, ["type"] = told.Type, ["data"] = data,
                }));
            }).ToList();
            var changed = new Seen(created, seen.ApiVersion, seen.Livemode, thing.ToJsonString()) { Keys = [.. (seen.Keys ?? []).TakeLast(KeysKept - 1), key] };
            if (await post.TryQueueAsync(events, [new Write.Replace(Keys.SandboxObject(id).Key, TablesExtensions.Write(changed), etag)], cancel)) return new BillingResult.Done();
        }
        throw new TransientStorageException($"The sandbox's copy of {id} was changed by others ten times in a row.");
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

    private static JsonElement? Field(JsonElement of, string name, JsonValueKind kind) =>
        of.ValueKind == JsonValueKind.Object && of.TryGetProperty(name, out var value) && value.ValueKind == kind ? value : null;

    // An id, or that of an expanded object.
    private static string? Id(JsonNode? node) => node is JsonObject expanded ? (string?)expanded["id"] : (string?)node;

    private static string Hash(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)))[..24];

    private sealed record Told(string Type, JsonObject About, JsonObject? Previous = null);

    private sealed record Seen(long Created, string? ApiVersion, bool Livemode, string Object)
    {
        /// <summary>The latest changes that were asked for.</summary>
        public IReadOnlyList<string>? Keys { get; init; }
    }
}
