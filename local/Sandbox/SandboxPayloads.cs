using System.Text.Json;
using System.Text.Json.Nodes;

namespace RetentionFunctions.Local.Sandbox;

/// <summary>
/// Writes the things of the simulated account as an API version writes them. The differences between versions are Stripe's changelog's: 2022-08 and 2022-11-15,
/// 2023 (cancellation details), 2025-03-31 basil (periods on the items, the invoice's parent, payments apart from invoices), 2025-09-30 clover (flexible billing).
/// </summary>
internal sealed class SandboxPayloads(SandboxOptions options)
{
    private bool Since(string version) => string.CompareOrdinal(options.ApiVersion, version) >= 0;

    private bool Basil => Since("2025-03-31");

    public ReadOnlyMemory<byte> Event(string id, string type, DateTimeOffset at, JsonObject about, JsonObject? previous)
    {
        var data = new JsonObject { ["object"] = about };
        if (previous is not null) data["previous_attributes"] = previous;
        return JsonSerializer.SerializeToUtf8Bytes(new JsonObject
        {
            ["id"] = id, ["object"] = "event", ["api_version"] = options.ApiVersion, ["created"] = Seconds(at), ["data"] = data, ["livemode"] = options.Livemode,
            ["pending_webhooks"] = 1, ["request"] = new JsonObject { ["id"] = null, ["idempotency_key"] = null }, ["type"] = type,
        });
    }

    /// <summary>What differs, as it was before: the <c>previous_attributes</c> of an update.</summary>
    public static JsonObject Previous(JsonObject before, JsonObject after)
    {
        var previous = new JsonObject();
        foreach (var (name, value) in after)
            if (!JsonNode.DeepEquals(before[name], value)) previous[name] = before[name]?.DeepClone();
        return previous;
    }

    public JsonObject Customer(SandboxCustomer customer) => new()
    {
        ["id"] = customer.Id, ["object"] = "customer", ["address"] = customer.Country is null ? null : new JsonObject { ["country"] = customer.Country, ["city"] = null, ["line1"] = null },
        ["balance"] = 0, ["created"] = Seconds(customer.CreatedAt), ["currency"] = customer.Currency, ["default_source"] = null, ["description"] = null, ["email"] = customer.Email,
        ["invoice_settings"] = new JsonObject { ["default_payment_method"] = customer.CardId.Length == 0 ? null : customer.CardId }, ["livemode"] = options.Livemode,
        ["metadata"] = new JsonObject(customer.Metadata.OrderBy(m => m.Key, StringComparer.Ordinal).Select(m => KeyValuePair.Create(m.Key, (JsonNode?)m.Value))),
        ["name"] = customer.Name, ["phone"] = null, ["preferred_locales"] = new JsonArray(), ["shipping"] = null,
    };

    /// <summary>The card of a customer who gave one.</summary>
    public JsonObject PaymentMethod(SandboxCustomer customer, string? postalCode = null) => new()
    {
        ["id"] = customer.CardId, ["object"] = "payment_method", ["billing_details"] = new JsonObject { ["address"] = new JsonObject { ["country"] = customer.Country, ["postal_code"] = postalCode }, ["email"] = customer.Email, ["name"] = customer.Name },
        ["card"] = Card(customer), ["created"] = Seconds(customer.CreatedAt), ["customer"] = customer.Id, ["livemode"] = options.Livemode, ["metadata"] = new JsonObject(), ["type"] = "card",
    };

    /// <summary>The card as a source, as <c>customer.source.expiring</c> has it.</summary>
    public static JsonObject Source(SandboxCustomer customer)
    {
        var source = Card(customer);
        source["id"] = customer.CardId;
        source["object"] = "card";
        source["customer"] = customer.Id;
        source["name"] = customer.Name;
        return source;
    }

    public JsonObject Subscription(SandboxSubscription subscription)
    {
        var item = new JsonObject
        {
            ["id"] = $"si_{Bare(subscription.Id)}", ["object"] = "subscription_item", ["created"] = Seconds(subscription.CreatedAt), ["metadata"] = new JsonObject(),
            ["plan"] = Plan(subscription.Price), ["price"] = Price(subscription.Price), ["quantity"] = subscription.Quantity, ["subscription"] = subscription.Id,
        };
        var flexible = Since("2025-09-30");
        var document = new JsonObject
        {
            ["id"] = subscription.Id, ["object"] = "subscription", ["billing_cycle_anchor"] = Seconds(subscription.Anchor),
            // In flexible billing the portal sets cancel_at alone.
            ["cancel_at"] = subscription.CancelAtPeriodEnd ? Seconds(subscription.PeriodEnd) : null, ["cancel_at_period_end"] = subscription.CancelAtPeriodEnd && !flexible,
            ["canceled_at"] = Seconds(subscription.CanceledAt), ["collection_method"] = "charge_automatically", ["created"] = Seconds(subscription.CreatedAt),
            ["customer"] = subscription.CustomerId, ["default_payment_method"] = null, ["ended_at"] = Seconds(subscription.EndedAt),
            ["items"] = new JsonObject { ["object"] = "list", ["data"] = new JsonArray(item), ["has_more"] = false, ["total_count"] = 1 },
            ["latest_invoice"] = subscription.LatestInvoiceId, ["livemode"] = options.Livemode, ["metadata"] = new JsonObject(),
            ["pause_collection"] = subscription.PausedUntil is { } until ? new JsonObject { ["behavior"] = "void", ["resumes_at"] = Seconds(until) } : null,
            ["plan"] = Plan(subscription.Price), ["quantity"] = subscription.Quantity, ["start_date"] = Seconds(subscription.CreatedAt), ["status"] = subscription.Status,
            ["trial_end"] = Seconds(subscription.TrialEnd), ["trial_start"] = subscription.TrialEnd is null ? null : Seconds(subscription.CreatedAt),
        };
        if (Since("2022-08-01")) document["currency"] = subscription.Price.Currency;
        if (Since("2023")) document["cancellation_details"] = new JsonObject { ["comment"] = subscription.Comment, ["feedback"] = subscription.Feedback, ["reason"] = subscription.Reason };
        if (flexible) document["billing_mode"] = new JsonObject { ["type"] = "flexible" };
        var periods = Basil ? item : document;
        periods["current_period_start"] = Seconds(subscription.PeriodStart);
        periods["current_period_end"] = Seconds(subscription.PeriodEnd);
        // Since 2024 the discounts are named by their ids, and since basil not included beside it. No event of a version since clover says what a coupon takes off
        // (changelog 2025-09-30: not expanded, "including within event notifications"), except coupon.created.
        if (Since("2024-06-20")) document["discounts"] = subscription.Discount is { } discount ? new JsonArray(discount.Id) : new JsonArray();
        if (!Basil) document["discount"] = subscription.Discount is { } whole ? Discount(whole, subscription.CustomerId, subscription.Id, subscription.Price.Currency) : null;
        document["trial_settings"] = new JsonObject { ["end_behavior"] = new JsonObject { ["missing_payment_method"] = "pause" } };
        return document;
    }

    public JsonObject Invoice(SandboxInvoice invoice, SandboxCustomer customer)
    {
        var paid = invoice.Status == "paid";
        var final = invoice.FinalizedAt is not null;
        var document = new JsonObject
        {
            ["id"] = invoice.Id, ["object"] = "invoice", ["amount_due"] = invoice.AmountDue, ["amount_paid"] = paid ? invoice.AmountDue : 0,
            ["amount_remaining"] = paid || invoice.Status == "void" ? 0 : invoice.AmountDue, ["attempt_count"] = invoice.AttemptCount, ["attempted"] = invoice.AttemptCount > 0 || paid,
            ["auto_advance"] = invoice.FinalizeAt is not null || invoice.NextAttemptAt is not null, ["billing_reason"] = invoice.BillingReason, ["collection_method"] = "charge_automatically",
            ["created"] = Seconds(invoice.CreatedAt), ["currency"] = invoice.Price.Currency, ["customer"] = invoice.CustomerId, ["customer_email"] = customer.Email, ["customer_name"] = customer.Name,
            ["due_date"] = null, ["hosted_invoice_url"] = final ? options.InvoicePage + invoice.Id : null,
            ["lines"] = new JsonObject
            {
                ["object"] = "list", ["data"] = new JsonArray([.. invoice.Prorations.Select((p, n) => Line(invoice, p, n + 1)), Line(invoice, null, 0)]), ["has_more"] = false, ["total_count"] = invoice.Prorations.Count + 1,
            },
            ["livemode"] = options.Livemode, ["metadata"] = new JsonObject(), ["next_payment_attempt"] = Seconds(invoice.NextAttemptAt ?? invoice.FinalizeAt), ["number"] = final ? invoice.Number : null,
            ["period_end"] = Seconds(invoice.PeriodEnd), ["period_start"] = Seconds(invoice.PeriodStart), ["status"] = invoice.Status,
            ["status_transitions"] = new JsonObject
            {
                ["finalized_at"] = Seconds(invoice.FinalizedAt), ["marked_uncollectible_at"] = Seconds(invoice.UncollectibleAt), ["paid_at"] = Seconds(invoice.PaidAt), ["voided_at"] = Seconds(invoice.VoidedAt),
            },
            ["subtotal"] = invoice.Subtotal, ["total"] = invoice.AmountDue,
            ["discounts"] = invoice.DiscountId is null ? new JsonArray() : new JsonArray(invoice.DiscountId),
            ["total_discount_amounts"] = invoice.DiscountId is null ? new JsonArray() : new JsonArray(new JsonObject { ["amount"] = invoice.Subtotal - invoice.AmountDue, ["discount"] = invoice.DiscountId }),
        };
        Belongs(document, invoice.SubscriptionId);
        if (Basil) return document;
        document["charge"] = invoice.ChargeId;
        document["paid"] = paid;
        document["payment_intent"] = final && invoice.AmountDue > 0 ? invoice.PaymentIntentId : null;
        return document;
    }

    /// <summary>The next invoice as far as it is known: it has no id yet.</summary>
    public JsonObject Upcoming(SandboxSubscription subscription, SandboxCustomer customer, long amount)
    {
        var document = new JsonObject
        {
            ["object"] = "invoice", ["amount_due"] = amount, ["amount_paid"] = 0, ["amount_remaining"] = amount, ["attempt_count"] = 0, ["attempted"] = false, ["billing_reason"] = "upcoming",
            ["collection_method"] = "charge_automatically", ["created"] = Seconds(subscription.PeriodEnd), ["currency"] = subscription.Price.Currency, ["customer"] = customer.Id,
            ["customer_email"] = customer.Email, ["customer_name"] = customer.Name, ["livemode"] = options.Livemode, ["next_payment_attempt"] = Seconds(subscription.PeriodEnd.AddHours(1)),
            ["period_end"] = Seconds(subscription.PeriodEnd), ["period_start"] = Seconds(subscription.PeriodStart), ["status"] = "draft", ["total"] = amount,
        };
        Belongs(document, subscription.Id);
        return document;
    }

    public JsonObject InvoicePayment(SandboxInvoice invoice) => new()
    {
        ["id"] = $"inpay_{Bare(invoice.Id)}", ["object"] = "invoice_payment", ["amount_paid"] = invoice.AmountDue, ["amount_requested"] = invoice.AmountDue, ["created"] = Seconds(invoice.FinalizedAt),
        ["currency"] = invoice.Price.Currency, ["invoice"] = invoice.Id, ["is_default"] = true, ["livemode"] = options.Livemode,
        ["payment"] = new JsonObject { ["type"] = "payment_intent", ["payment_intent"] = invoice.PaymentIntentId }, ["status"] = "paid",
        ["status_transitions"] = new JsonObject { ["canceled_at"] = null, ["paid_at"] = Seconds(invoice.PaidAt) },
    };

    /// <summary>The latest charge of an invoice.</summary>
    /// <param name="decline">Why it failed; null where it went through.</param>
    public JsonObject Charge(SandboxInvoice invoice, SandboxCustomer customer, DateTimeOffset at, string? decline)
    {
        var charge = new JsonObject
        {
            ["id"] = invoice.ChargeId, ["object"] = "charge", ["amount"] = invoice.AmountDue, ["amount_refunded"] = invoice.Refunded ? invoice.AmountDue : 0, ["captured"] = decline is null,
            ["created"] = Seconds(at), ["currency"] = invoice.Price.Currency, ["customer"] = customer.Id, ["disputed"] = invoice.Disputed, ["failure_code"] = decline is null ? null : Code(decline),
            ["failure_message"] = decline is null ? null : "Your card was declined.", ["livemode"] = options.Livemode,
            ["outcome"] = new JsonObject
            {
                ["network_status"] = decline is null ? "approved_by_network" : "declined_by_network", ["reason"] = decline, ["type"] = decline is null ? "authorized" : "issuer_declined",
            },
            ["paid"] = decline is null, ["payment_intent"] = invoice.PaymentIntentId, ["payment_method"] = customer.CardId,
            ["payment_method_details"] = new JsonObject { ["card"] = Card(customer), ["type"] = "card" }, ["refunded"] = invoice.Refunded, ["status"] = decline is null ? "succeeded" : "failed",
        };
        if (!Basil) charge["invoice"] = invoice.Id;
        return charge;
    }

    public JsonObject FailedIntent(SandboxInvoice invoice, SandboxCustomer customer, DateTimeOffset at, string decline)
    {
        // Where the bank only wants a confirmation nothing was charged.
        var charged = decline != SandboxAccount.NeedsConfirmation;
        var intent = new JsonObject
        {
            ["id"] = invoice.PaymentIntentId, ["object"] = "payment_intent", ["amount"] = invoice.AmountDue, ["amount_received"] = 0, ["created"] = Seconds(invoice.FinalizedAt),
            ["currency"] = invoice.Price.Currency, ["customer"] = customer.Id,
            ["last_payment_error"] = new JsonObject
            {
                ["charge"] = charged ? invoice.ChargeId : null, ["code"] = Code(decline), ["decline_code"] = decline, ["message"] = "Your card was declined.",
                ["payment_method"] = PaymentMethod(customer), ["type"] = "card_error",
            },
            ["livemode"] = options.Livemode, ["metadata"] = new JsonObject(), ["payment_method"] = null, ["status"] = "requires_payment_method",
        };
        if (Basil) intent["payment_details"] = new JsonObject { ["customer_reference"] = customer.Id, ["order_reference"] = invoice.Id };
        else intent["invoice"] = invoice.Id;
        if (Since("2022-11-15")) intent["latest_charge"] = charged ? invoice.ChargeId : null;
        else intent["charges"] = new JsonObject { ["object"] = "list", ["data"] = charged ? new JsonArray(Charge(invoice, customer, at, decline)) : new JsonArray() };
        return intent;
    }

    public JsonObject Dispute(string id, SandboxInvoice invoice, DateTimeOffset at) => new()
    {
        ["id"] = id, ["object"] = "dispute", ["amount"] = invoice.AmountDue, ["charge"] = invoice.ChargeId, ["created"] = Seconds(at), ["currency"] = invoice.Price.Currency,
        ["livemode"] = options.Livemode, ["payment_intent"] = invoice.PaymentIntentId, ["reason"] = "fraudulent", ["status"] = "needs_response",
    };

    public JsonObject Checkout(string id, SandboxSubscription subscription, SandboxCustomer customer, DateTimeOffset at) => new()
    {
        ["id"] = id, ["object"] = "checkout.session", ["client_reference_id"] = subscription.ClientReferenceId, ["created"] = Seconds(at), ["currency"] = subscription.Price.Currency, ["customer"] = customer.Id,
        ["customer_details"] = new JsonObject { ["email"] = customer.Email, ["name"] = customer.Name }, ["customer_email"] = null, ["invoice"] = subscription.LatestInvoiceId,
        ["livemode"] = options.Livemode, ["metadata"] = new JsonObject(), ["mode"] = "subscription", ["payment_intent"] = null, ["payment_status"] = subscription.Status == "trialing" ? "no_payment_required" : "paid", ["status"] = "complete", ["subscription"] = subscription.Id,
    };

    private void Belongs(JsonObject invoice, string subscriptionId)
    {
        if (!Basil) invoice["subscription"] = subscriptionId;
        else invoice["parent"] = new JsonObject
        {
            ["quote_details"] = null, ["subscription_details"] = new JsonObject { ["metadata"] = new JsonObject(), ["subscription"] = subscriptionId }, ["type"] = "subscription_details",
        };
    }

    /// <summary>What the next invoice will settle of a change.</summary>
    public JsonObject PendingItem(SandboxSubscription subscription, SandboxProration change, int number)
    {
        var item = new JsonObject
        {
            ["id"] = $"ii_{Bare(subscription.Id)}p{number}", ["object"] = "invoiceitem", ["amount"] = change.Amount, ["created"] = Seconds(change.At), ["currency"] = change.Price.Currency, ["customer"] = subscription.CustomerId,
            ["date"] = Seconds(change.At), ["invoice"] = null, ["livemode"] = options.Livemode, ["period"] = new JsonObject { ["end"] = Seconds(change.Until), ["start"] = Seconds(change.At) }, ["proration"] = true,
            ["quantity"] = change.Quantity,
        };
        if (Basil)
        {
            item["parent"] = new JsonObject { ["subscription_details"] = new JsonObject { ["subscription"] = subscription.Id, ["subscription_item"] = $"si_{Bare(subscription.Id)}" }, ["type"] = "subscription_details" };
            item["pricing"] = new JsonObject { ["price_details"] = new JsonObject { ["price"] = change.Price.Id, ["product"] = Product(change.Price) }, ["type"] = "price_details", ["unit_amount_decimal"] = Decimal(change.Price.UnitAmount) };
        }
        else
        {
            item["price"] = Price(change.Price);
            item["subscription"] = subscription.Id;
        }
        return item;
    }

    // What the period costs; or what a change within the one before gives back or charges.
    private JsonObject Line(SandboxInvoice invoice, SandboxProration? proration, int number)
    {
        var item = $"si_{Bare(invoice.SubscriptionId)}";
        var (price, quantity) = proration is null ? (invoice.Price, invoice.Quantity) : (proration.Price, proration.Quantity);
        var line = new JsonObject
        {
            ["id"] = $"il_{Bare(invoice.Id)}{(number == 0 ? "" : $"p{number}")}", ["object"] = "line_item",
            ["amount"] = proration?.Amount ?? invoice.Subtotal - invoice.Prorations.Sum(p => p.Amount), ["currency"] = price.Currency, ["description"] = $"{quantity} × {price.Nickname}",
            ["period"] = new JsonObject { ["end"] = Seconds(proration?.Until ?? invoice.PeriodEnd), ["start"] = Seconds(proration?.At ?? invoice.PeriodStart) }, ["quantity"] = quantity,
        };
        if (Basil)
        {
            line["parent"] = proration is null
                ? new JsonObject
                {
                    ["invoice_item_details"] = null, ["type"] = "subscription_item_details",
                    ["subscription_item_details"] = new JsonObject { ["proration"] = false, ["subscription"] = invoice.SubscriptionId, ["subscription_item"] = item },
                }
                : new JsonObject
                {
                    ["invoice_item_details"] = new JsonObject { ["invoice_item"] = $"ii_{Bare(invoice.Id)}p{number}", ["proration"] = true, ["subscription"] = invoice.SubscriptionId },
                    ["subscription_item_details"] = null, ["type"] = "invoice_item_details",
                };
            line["pricing"] = new JsonObject
            {
                ["price_details"] = new JsonObject { ["price"] = price.Id, ["product"] = Product(price) }, ["type"] = "price_details",
                ["unit_amount_decimal"] = Decimal(price.UnitAmount),
            };
        }
        else
        {
            line["plan"] = Plan(price);
            line["price"] = Price(price);
            line["proration"] = proration is not null;
            line["subscription"] = invoice.SubscriptionId;
            line["subscription_item"] = item;
            line["type"] = proration is null ? "subscription" : "invoiceitem";
        }
        return line;
    }

    /// <summary>A coupon on a subscription, as versions before clover include it.</summary>
    public static JsonObject Discount(SandboxDiscount discount, string customerId, string subscriptionId, string currency) => new()
    {
        ["id"] = discount.Id, ["object"] = "discount",
        ["coupon"] = new JsonObject
        {
            ["id"] = discount.Coupon.Id, ["object"] = "coupon", ["amount_off"] = discount.Coupon.AmountOff, ["currency"] = discount.Coupon.AmountOff is null ? null : currency,
            ["duration"] = discount.Coupon.Duration, ["duration_in_months"] = discount.Coupon.Duration == "repeating" ? discount.Coupon.DurationInMonths : null,
            ["name"] = discount.Coupon.Id, ["percent_off"] = discount.Coupon.PercentOff, ["valid"] = true,
        },
        ["customer"] = customerId, ["end"] = Seconds(discount.EndAt), ["start"] = Seconds(discount.StartAt), ["subscription"] = subscriptionId,
    };

    private static JsonObject Plan(SandboxPrice price) => new()
    {
        ["id"] = price.Id, ["object"] = "plan", ["active"] = true, ["amount"] = price.UnitAmount, ["amount_decimal"] = Decimal(price.UnitAmount), ["billing_scheme"] = "per_unit", ["currency"] = price.Currency,
        ["interval"] = price.Interval, ["interval_count"] = price.IntervalCount, ["nickname"] = price.Nickname, ["product"] = Product(price), ["usage_type"] = "licensed",
    };

    /// <summary>A price.</summary>
    public static JsonObject Price(SandboxPrice price) => new()
    {
        ["id"] = price.Id, ["object"] = "price", ["active"] = true, ["billing_scheme"] = "per_unit", ["currency"] = price.Currency, ["nickname"] = price.Nickname, ["product"] = Product(price),
        ["recurring"] = new JsonObject { ["interval"] = price.Interval, ["interval_count"] = price.IntervalCount, ["usage_type"] = "licensed" }, ["type"] = "recurring",
        ["unit_amount"] = price.UnitAmount, ["unit_amount_decimal"] = Decimal(price.UnitAmount),
    };

    private static JsonObject Card(SandboxCustomer customer) => new()
    {
        ["brand"] = customer.Card!.Brand, ["exp_month"] = customer.Card.ExpMonth, ["exp_year"] = customer.Card.ExpYear, ["funding"] = "credit", ["last4"] = customer.Card.Last4,
    };

    // Stripe's error codes are fewer than the banks' reasons: most reasons are "card_declined".
    private static string Code(string decline) => decline is "expired_card" or "incorrect_cvc" or "incorrect_number" or "processing_error" or SandboxAccount.NeedsConfirmation ? decline : "card_declined";

    private static string Product(SandboxPrice price) => $"prod_{Bare(price.Id)}";

    private static string Bare(string id) => id[(id.IndexOf('_', StringComparison.Ordinal) + 1)..];

    private static string Decimal(long amount) => amount.ToString(System.Globalization.CultureInfo.InvariantCulture);

    private static JsonNode? Seconds(DateTimeOffset? at) => at?.ToUnixTimeSeconds();
}
