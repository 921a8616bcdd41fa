using System.Text.Json.Nodes;
using RetentionFunctions.Intake.Stripe;

namespace RetentionFunctions.Tests.Support;

/// <summary>What Stripe sends about one customer of a monthly plan, in the shapes of a version of 2020 or of basil; a test says only what happens and when.</summary>
internal sealed class Story(string customer = "cus_Ada", string email = "ada@example.com", string version = "2025-03-31.basil", long amount = 4900, string interval = "month")
{
    private int number;

    public string Customer { get; } = customer;

    public string Subscription { get; } = $"sub_{customer[4..]}";

    public string Email { get; } = email;

    public bool Livemode { get; init; }

    public DateTimeOffset StartedAt { get; private set; }

    private bool Basil => string.CompareOrdinal(version, "2025-03-31") >= 0;

    /// <summary>Signed up and paid the first invoice.</summary>
    public IEnumerable<JsonObject> SignsUp(DateTimeOffset at)
    {
        StartedAt = at;
        yield return Event("customer.created", at, CustomerObject(at));
        yield return Event("customer.subscription.created", at.AddSeconds(2), SubscriptionObject("incomplete", at));
        yield return Event("invoice.paid", at.AddSeconds(4), InvoiceObject("first", "paid", at, reason: "subscription_create"));
        yield return Event("customer.subscription.updated", at.AddSeconds(4), SubscriptionObject("active", at), new JsonObject { ["status"] = "incomplete" });
    }

    public JsonObject CustomerUpdated(DateTimeOffset at, string mail) => Event("customer.updated", at, CustomerObject(at, mail));

    /// <summary>A renewal whose payment fails: the charge first, then the invoice, then the subscription.</summary>
    public IEnumerable<JsonObject> PaymentFails(DateTimeOffset at, string invoice = "renewal", string decline = "insufficient_funds", DateTimeOffset? next = null, int attempt = 1)
    {
        var charge = new JsonObject
        {
            ["id"] = $"ch_{invoice}_{attempt}", ["object"] = "charge", ["customer"] = Customer, ["amount"] = amount, ["currency"] = "usd", ["created"] = at.ToUnixTimeSeconds(), ["livemode"] = Livemode,
            ["failure_code"] = decline == "expired_card" ? "expired_card" : "card_declined", ["failure_message"] = "Your card was declined.", ["status"] = "failed", ["paid"] = false,
            ["outcome"] = new JsonObject { ["reason"] = decline, ["type"] = "issuer_declined" }, ["payment_intent"] = $"pi_{invoice}",
            ["payment_method_details"] = new JsonObject { ["type"] = "card", ["card"] = new JsonObject { ["brand"] = "visa", ["last4"] = "4242", ["exp_month"] = 8, ["exp_year"] = 2027 } },
        };
        if (!Basil) charge["invoice"] = InvoiceId(invoice);
        yield return Event("charge.failed", at, charge);
        var failed = InvoiceObject(invoice, "open", at);
        failed["attempt_count"] = attempt;
        failed["next_payment_attempt"] = next?.ToUnixTimeSeconds();
        yield return Event("invoice.payment_failed", at.AddSeconds(1), failed);
        if (attempt == 1) yield return Event("customer.subscription.updated", at.AddSeconds(1), SubscriptionObject("past_due", at), new JsonObject { ["status"] = "active" });
    }

    public IEnumerable<JsonObject> PaysAfterAll(DateTimeOffset at, string invoice = "renewal")
    {
        yield return Event("invoice.paid", at, InvoiceObject(invoice, "paid", at));
        yield return Event("customer.subscription.updated", at.AddSeconds(1), SubscriptionObject("active", at), new JsonObject { ["status"] = "past_due" });
    }

    public JsonObject Pauses(DateTimeOffset at, DateTimeOffset until)
    {
        var subscription = SubscriptionObject("active", at);
        subscription["pause_collection"] = new JsonObject { ["behavior"] = "void", ["resumes_at"] = until.ToUnixTimeSeconds() };
        return Event("customer.subscription.updated", at, subscription, new JsonObject { ["pause_collection"] = null });
    }

    public JsonObject Renews(DateTimeOffset at) => Event("customer.subscription.updated", at, SubscriptionObject("active", at), new JsonObject { ["items"] = new JsonObject() });

    public JsonObject WillCancel(DateTimeOffset at, DateTimeOffset cancelAt)
    {
        var subscription = SubscriptionObject("active", at);
        subscription["cancel_at"] = cancelAt.ToUnixTimeSeconds();
        subscription["canceled_at"] = at.ToUnixTimeSeconds();
        return Event("customer.subscription.updated", at, subscription);
    }

    public JsonObject Cancels(DateTimeOffset at, string reason = "cancellation_requested")
    {
        var subscription = SubscriptionObject("canceled", at);
        subscription["ended_at"] = at.ToUnixTimeSeconds();
        subscription["canceled_at"] = at.ToUnixTimeSeconds();
        subscription["cancellation_details"] = new JsonObject { ["reason"] = reason, ["feedback"] = "unused", ["comment"] = null };
        return Event("customer.subscription.deleted", at, subscription);
    }

    public string InvoiceId(string invoice) => $"in_{Customer[4..]}_{invoice}";

    public JsonObject Event(string type, DateTimeOffset at, JsonObject about, JsonObject? previous = null)
    {
        var data = new JsonObject { ["object"] = about };
        if (previous is not null) data["previous_attributes"] = previous;
        return new JsonObject
        {
            ["id"] = $"evt_{Customer[4..]}_{++number:D3}", ["object"] = "event", ["api_version"] = version, ["created"] = at.ToUnixTimeSeconds(), ["livemode"] = Livemode,
            ["pending_webhooks"] = 1, ["request"] = new JsonObject { ["id"] = null, ["idempotency_key"] = null }, ["type"] = type, ["data"] = data,
        };
    }

    private JsonObject CustomerObject(DateTimeOffset at, string? mail = null) => new()
    {
        ["id"] = Customer, ["object"] = "customer", ["created"] = StartedAt.ToUnixTimeSeconds(), ["email"] = mail ?? Email, ["name"] = "Ada Lovelace", ["livemode"] = Livemode, ["metadata"] = new JsonObject(), ["currency"] = "usd",
    };

    private JsonObject SubscriptionObject(string status, DateTimeOffset at)
    {
        var months = interval == "year" ? 12 : 1;
        var start = StartedAt;
        while (start.AddMonths(months) <= at) start = start.AddMonths(months);
        var item = new JsonObject
        {
            ["id"] = $"si_{Customer[4..]}", ["object"] = "subscription_item", ["quantity"] = 1,
            ["price"] = new JsonObject
            {
                ["id"] = "price_pro", ["object"] = "price", ["nickname"] = "Pro", ["currency"] = "usd", ["unit_amount"] = amount, ["unit_amount_decimal"] = $"{amount}", ["billing_scheme"] = "per_unit", ["type"] = "recurring",
                ["recurring"] = new JsonObject { ["interval"] = interval, ["interval_count"] = 1, ["usage_type"] = "licensed" },
            },
        };
        var subscription = new JsonObject
        {
            ["id"] = Subscription, ["object"] = "subscription", ["customer"] = Customer, ["status"] = status, ["currency"] = "usd", ["created"] = StartedAt.AddSeconds(2).ToUnixTimeSeconds(), ["start_date"] = StartedAt.ToUnixTimeSeconds(),
            ["cancel_at"] = null, ["cancel_at_period_end"] = false, ["canceled_at"] = null, ["ended_at"] = null, ["pause_collection"] = null, ["trial_end"] = null, ["livemode"] = Livemode, ["metadata"] = new JsonObject(),
            ["items"] = new JsonObject { ["object"] = "list", ["data"] = new JsonArray(item) },
        };
        var periods = Basil ? item : subscription;
        periods["current_period_start"] = start.ToUnixTimeSeconds();
        periods["current_period_end"] = start.AddMonths(months).ToUnixTimeSeconds();
        return subscription;
    }

    private JsonObject InvoiceObject(string invoice, string status, DateTimeOffset at, string reason = "subscription_cycle")
    {
        var paid = status == "paid";
        var document = new JsonObject
        {
            ["id"] = InvoiceId(invoice), ["object"] = "invoice", ["customer"] = Customer, ["status"] = status, ["billing_reason"] = reason, ["collection_method"] = "charge_automatically", ["currency"] = "usd", ["number"] = $"A-{invoice}",
            ["amount_due"] = amount, ["amount_paid"] = paid ? amount : 0, ["amount_remaining"] = paid ? 0 : amount, ["attempt_count"] = 1, ["created"] = at.ToUnixTimeSeconds(), ["livemode"] = Livemode,
            ["hosted_invoice_url"] = $"https://invoice.example.com/{invoice}", ["next_payment_attempt"] = null, ["status_transitions"] = new JsonObject { ["paid_at"] = paid ? at.ToUnixTimeSeconds() : null },
        };
        if (Basil)
        {
            document["parent"] = new JsonObject { ["type"] = "subscription_details", ["subscription_details"] = new JsonObject { ["subscription"] = Subscription, ["metadata"] = new JsonObject() } };
        }
        else
        {
            document["subscription"] = Subscription;
            document["paid"] = paid;
            document["payment_intent"] = $"pi_{invoice}";
        }
        return document;
    }
}
