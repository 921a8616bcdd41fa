using System.Text.Json;
using System.Text.Json.Nodes;
using RetentionFunctions.Intake.Stripe;
using RetentionFunctions.Settings;

namespace RetentionFunctions.Tests.Intake.Stripe;

/// <summary>The same business written as different API versions write it. Written by hand from the documented shapes.</summary>
internal static class StripeFixtures
{
    public const long Created = 1_750_000_000;      // 2025-06-15T15:06:40Z
    public const long PeriodStart = 1_749_000_000;
    public const long PeriodEnd = 1_751_592_000;

    public static readonly string[] Versions =
    [
        "2016-07-06", "2018-05-21", "2019-03-14", "2020-08-27", "2022-11-15", "2024-06-20", "2025-03-31.basil", "2025-09-30.clover", "2026-03-25.dahlia",
    ];

    public static bool From(this string version, string first) => string.CompareOrdinal(version, first) >= 0;

    public static DateTimeOffset At(long seconds) => DateTimeOffset.FromUnixTimeSeconds(seconds);

    public static JsonObject Event(string version, string type, JsonObject about, JsonObject? previous = null)
    {
        var data = new JsonObject { ["object"] = about.DeepClone() }; // a node has one parent only, and tests change theirs and read again
        if (previous is not null) data["previous_attributes"] = previous;
        return new JsonObject
        {
            ["id"] = "evt_ada1",
            ["object"] = "event",
            ["api_version"] = version,
            ["created"] = Created,
            ["data"] = data,
            ["livemode"] = false,
            ["pending_webhooks"] = 1,
            ["request"] = version.From("2017-05-25") ? new JsonObject { ["id"] = null, ["idempotency_key"] = null } : "req_1",
            ["type"] = type,
        };
    }

    public static byte[] Bytes(this JsonNode node) => JsonSerializer.SerializeToUtf8Bytes(node);

    public static T Read<T>(JsonNode node, bool temporaryDiscountsReduce = false) where T : StripeFact =>
        Assert.IsType<T>(StripeReader.Read(node.Bytes(), new CustomerSettings { TemporaryDiscountsReduceMrr = temporaryDiscountsReduce }));

    /// <summary>Gold, 2 seats at 20.00 a month, cancelling at the end of the period.</summary>
    public static JsonObject Subscription(string version)
    {
        var plan = new JsonObject
        {
            ["id"] = "gold", ["object"] = "plan", ["amount"] = 2000, ["currency"] = "usd", ["interval"] = "month", ["interval_count"] = 1, ["trial_period_days"] = null,
        };
        if (version.From("2018")) { plan["nickname"] = "Gold"; plan["product"] = "prod_gold"; plan["usage_type"] = "licensed"; plan["billing_scheme"] = "per_unit"; plan["tiers"] = null; }
        else plan["name"] = "Gold";

        var subscription = new JsonObject
        {
            ["id"] = "sub_1", ["object"] = "subscription", ["customer"] = "cus_1", ["status"] = "active", ["created"] = PeriodStart, ["canceled_at"] = Created - 60,
            ["ended_at"] = null, ["trial_start"] = null, ["trial_end"] = null, ["cancel_at_period_end"] = true, ["metadata"] = new JsonObject { ["userId"] = "u-7" },
        };
        if (version.From("2019")) { subscription["collection_method"] = "charge_automatically"; subscription["start_date"] = PeriodStart; subscription["cancel_at"] = PeriodEnd; }
        else { subscription["billing"] = "charge_automatically"; subscription["start"] = PeriodStart; }
        if (version.From("2022-08-01")) subscription["currency"] = "usd";
        if (version.From("2020")) subscription["pause_collection"] = null;
        if (version.From("2023")) subscription["cancellation_details"] = new JsonObject { ["reason"] = null, ["feedback"] = null, ["comment"] = null };
        if (version.From("2025-09-30"))
        {
            subscription["billing_mode"] = new JsonObject { ["type"] = "flexible" };
            subscription["cancel_at_period_end"] = false; // the portal of flexible mode sets cancel_at alone
        }
        if (version.From("2025-03-31")) subscription["discounts"] = new JsonArray();
        else subscription["discount"] = null;
        if (!version.From("2025-03-31")) { subscription["current_period_start"] = PeriodStart; subscription["current_period_end"] = PeriodEnd; }

        subscription["plan"] = plan.DeepClone();
        subscription["quantity"] = 2;
        if (version.From("2017"))
        {
            var item = new JsonObject { ["id"] = "si_1", ["object"] = "subscription_item", ["quantity"] = 2, ["plan"] = plan };
            if (version.From("2020"))
                item["price"] = Price(2000);
            if (version.From("2025-03-31")) { item["current_period_start"] = PeriodStart; item["current_period_end"] = PeriodEnd; }
            subscription["items"] = new JsonObject { ["object"] = "list", ["data"] = new JsonArray(item), ["has_more"] = false };
        }
        return subscription;
    }

    public static JsonObject Price(decimal? unitAmount, string interval = "month", int count = 1, string usage = "licensed") => new()
    {
        ["id"] = "price_1", ["object"] = "price", ["currency"] = "usd", ["nickname"] = "Gold", ["product"] = "prod_gold", ["type"] = "recurring", ["billing_scheme"] = "per_unit",
        ["unit_amount"] = unitAmount is { } a && a == decimal.Truncate(a) ? (long)a : null,
        ["unit_amount_decimal"] = unitAmount?.ToString(System.Globalization.CultureInfo.InvariantCulture),
        ["recurring"] = new JsonObject { ["interval"] = interval, ["interval_count"] = count, ["usage_type"] = usage },
    };

    /// <summary>A subscription of a recent version with these items.</summary>
    public static JsonObject WithItems(params JsonObject[] items)
    {
        var subscription = Subscription("2024-06-20");
        subscription["plan"] = null;
        subscription["quantity"] = null;
        subscription["items"] = new JsonObject { ["object"] = "list", ["data"] = new JsonArray([.. items]), ["has_more"] = false };
        return subscription;
    }

    public static JsonObject Item(JsonObject price, int? quantity = 1) => new() { ["id"] = "si_1", ["object"] = "subscription_item", ["price"] = price, ["quantity"] = quantity };

    /// <summary>An invoice of 40.00 whose second attempt failed; the next one is in three days.</summary>
    public static JsonObject Invoice(string version)
    {
        var invoice = new JsonObject
        {
            ["id"] = "in_1", ["object"] = "invoice", ["customer"] = "cus_1", ["currency"] = "usd", ["amount_due"] = 4000, ["attempt_count"] = 2, ["attempted"] = true,
            ["next_payment_attempt"] = Created + 259_200, ["number"] = "A-0007", ["due_date"] = null, ["total"] = 4000,
        };
        if (version.From("2017")) { invoice["billing_reason"] = "subscription_cycle"; invoice["hosted_invoice_url"] = "https://pay.example/in_1"; invoice["amount_paid"] = 0; }
        if (version.From("2019"))
        {
            invoice["status"] = "open";
            invoice["created"] = PeriodStart;
            invoice["collection_method"] = "charge_automatically";
            invoice["status_transitions"] = new JsonObject { ["finalized_at"] = PeriodStart + 3600, ["paid_at"] = null };
        }
        else
        {
            invoice["date"] = PeriodStart;
            invoice["closed"] = false;
            invoice["forgiven"] = false;
            if (version.From("2017")) invoice["billing"] = "charge_automatically";
        }
        if (version.From("2025-03-31"))
        {
            invoice["parent"] = new JsonObject { ["type"] = "subscription_details", ["subscription_details"] = new JsonObject { ["subscription"] = "sub_1", ["metadata"] = new JsonObject() } };
            invoice["confirmation_secret"] = null;
            invoice["payments"] = new JsonObject
            {
                ["object"] = "list",
                ["data"] = new JsonArray(
                    new JsonObject { ["id"] = "inpay_0", ["is_default"] = false, ["payment"] = new JsonObject { ["type"] = "payment_intent", ["payment_intent"] = "pi_0" } },
                    new JsonObject { ["id"] = "inpay_1", ["is_default"] = true, ["payment"] = new JsonObject { ["type"] = "payment_intent", ["payment_intent"] = "pi_1" } }),
            };
        }
        else
        {
            invoice["subscription"] = "sub_1";
            invoice["charge"] = "ch_1";
            invoice["paid"] = false;
            if (version.From("2019")) invoice["payment_intent"] = "pi_1";
        }
        return invoice;
    }

    /// <summary>A charge of 40.00 that the bank declined for too little money.</summary>
    public static JsonObject FailedCharge(string version)
    {
        var charge = new JsonObject
        {
            ["id"] = "ch_1", ["object"] = "charge", ["customer"] = "cus_1", ["amount"] = 4000, ["currency"] = "usd", ["failure_code"] = "card_declined",
            ["failure_message"] = "Declined.", ["status"] = "failed", ["paid"] = false,
            ["outcome"] = new JsonObject { ["type"] = "issuer_declined", ["reason"] = "insufficient_funds", ["network_status"] = "declined_by_network" },
        };
        if (version.From("2025")) charge["outcome"]!["network_decline_code"] = "51";
        if (version.From("2019"))
        {
            charge["payment_intent"] = "pi_1";
            charge["payment_method"] = "card_9";
            charge["payment_method_details"] = new JsonObject { ["type"] = "card", ["card"] = new JsonObject { ["brand"] = "amex", ["last4"] = "0005", ["exp_month"] = 4, ["exp_year"] = 2027 } };
        }
        else
            charge["source"] = new JsonObject { ["id"] = "card_9", ["object"] = "card", ["brand"] = "American Express", ["last4"] = "0005", ["exp_month"] = 4, ["exp_year"] = 2027 };
        if (!version.From("2025-03-31")) charge["invoice"] = "in_1";
        return charge;
    }

    /// <summary>A payment that needs the customer's confirmation.</summary>
    public static JsonObject FailedIntent(string version)
    {
        var method = new JsonObject { ["id"] = "pm_1", ["object"] = "payment_method", ["type"] = "card", ["card"] = new JsonObject { ["brand"] = "visa", ["last4"] = "3220", ["exp_month"] = 12, ["exp_year"] = 2030 } };
        var intent = new JsonObject
        {
            ["id"] = "pi_1", ["object"] = "payment_intent", ["customer"] = "cus_1", ["amount"] = 4000, ["currency"] = "usd", ["status"] = "requires_payment_method",
            ["last_payment_error"] = new JsonObject { ["code"] = "authentication_required", ["decline_code"] = "authentication_required", ["charge"] = "ch_1", ["payment_method"] = method },
        };
        if (version.From("2025-03-31")) intent["payment_details"] = new JsonObject { ["customer_reference"] = null, ["order_reference"] = "in_1" };
        else intent["invoice"] = "in_1";
        if (version.From("2022-11-15")) intent["latest_charge"] = "ch_1";
        else intent["charges"] = new JsonObject { ["object"] = "list", ["data"] = new JsonArray(new JsonObject { ["id"] = "ch_1", ["object"] = "charge" }) };
        return intent;
    }

    public static JsonObject CustomerObject(string version) => new()
    {
        ["id"] = "cus_1", ["object"] = "customer", ["created"] = PeriodStart, ["currency"] = "USD", ["email"] = "ada@example.com", ["name"] = version.From("2019") ? "Ada" : null,
        ["shipping"] = version.From("2019") ? null : new JsonObject { ["name"] = "Ada", ["address"] = new JsonObject { ["country"] = "GB" } },
        ["address"] = version.From("2019") ? new JsonObject { ["country"] = "GB" } : null,
        ["preferred_locales"] = new JsonArray("en-GB"), ["metadata"] = new JsonObject { ["tz"] = "Europe/London", ["user_id"] = 7 },
        ["default_source"] = "card_9",
        ["sources"] = new JsonObject { ["object"] = "list", ["data"] = new JsonArray(
            new JsonObject { ["id"] = "card_8", ["object"] = "card", ["brand"] = "Visa", ["last4"] = "1111", ["exp_month"] = 1, ["exp_year"] = 2026 },
            new JsonObject { ["id"] = "card_9", ["object"] = "card", ["brand"] = "MasterCard", ["last4"] = "4444", ["exp_month"] = 2, ["exp_year"] = 2028 }) },
    };

    /// <summary>An event of every handled type, with an object that fits.</summary>
    public static JsonObject EventOf(string version, string type) => Event(version, type, type switch
    {
        "customer.source.expiring" => new JsonObject { ["id"] = "card_9", ["object"] = "card", ["customer"] = "cus_1", ["brand"] = "Visa", ["last4"] = "4242", ["exp_month"] = 6, ["exp_year"] = 2025 },
        _ when type.StartsWith("customer.subscription.", StringComparison.Ordinal) => Subscription(version),
        _ when type.StartsWith("customer.", StringComparison.Ordinal) => CustomerObject(version),
        _ when type.StartsWith("invoice.", StringComparison.Ordinal) => Invoice(version),
        "invoice_payment.paid" => new JsonObject
        {
            ["id"] = "inpay_1", ["object"] = "invoice_payment", ["invoice"] = "in_1", ["amount_paid"] = 4000, ["currency"] = "usd", ["status"] = "paid",
            ["payment"] = new JsonObject { ["type"] = "payment_intent", ["payment_intent"] = "pi_1" }, ["status_transitions"] = new JsonObject { ["paid_at"] = Created - 5 },
        },
        "charge.refunded" => Refunded(FailedCharge(version)),
        "charge.dispute.created" => new JsonObject
        {
            ["id"] = "dp_1", ["object"] = "dispute", ["amount"] = 4000, ["currency"] = "usd", ["charge"] = "ch_1", ["payment_intent"] = version.From("2019") ? "pi_1" : null, ["reason"] = "fraudulent",
        },
        "charge.failed" => FailedCharge(version),
        "payment_intent.payment_failed" => FailedIntent(version),
        "checkout.session.completed" => new JsonObject
        {
            ["id"] = "cs_1", ["object"] = "checkout.session", ["customer"] = "cus_1", ["client_reference_id"] = "u-7", ["customer_details"] = new JsonObject { ["email"] = "ada@example.com" },
            ["customer_email"] = null, ["invoice"] = "in_1", ["metadata"] = new JsonObject { ["user_id"] = "u-7" },
        },
        _ => new JsonObject { ["id"] = "pm_1", ["object"] = "payment_method", ["customer"] = "cus_1", ["type"] = "card", ["card"] = new JsonObject { ["brand"] = "visa", ["last4"] = "4242", ["exp_month"] = 6, ["exp_year"] = 2029 } },
    });

    private static JsonObject Refunded(JsonObject charge)
    {
        charge["amount_refunded"] = 1500;
        charge["status"] = "succeeded";
        return charge;
    }
}
