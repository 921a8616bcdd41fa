using System.Buffers.Text;
using System.Text;
using RetentionFunctions.Intake.Stripe;

namespace RetentionFunctions.Benchmarks;

/// <summary>
/// HTTP requests that bring a <c>customer.subscription.updated</c> of about 3 KB each, built and signed before anything is measured, so that sending them costs
/// the client little. Every event has an id of its own; they belong to customers in turn.
/// </summary>
internal sealed class StripeRequests
{
    /// <summary>With what they are signed: for a server of the benchmark only.</summary>
    public const string Secret = "whsec_benchmark_0123456789abcdef0123";

    private const string Letters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

    private readonly byte[] all;
    private readonly int length;

    /// <param name="count">How many.</param>
    /// <param name="customers">Of how many customers.</param>
    /// <param name="signedAt">The time in the signatures: a server accepts them from five minutes before until five minutes after it.</param>
    public StripeRequests(int count, int customers, DateTimeOffset signedAt)
    {
        Count = count;
        var random = new Random(1);
        var owners = Enumerable.Range(0, customers).Select(_ => (Customer: Id(random, 14), Subscription: Id(random, 24), Item: Id(random, 14))).ToList();
        var body = Encoding.UTF8.GetBytes(Body);
        BodyBytes = body.Length;
        var head = Encoding.ASCII.GetBytes($"POST /stripe/webhook HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: {body.Length}\r\n"
            + $"User-Agent: Stripe/1.0 (+https://stripe.com/docs/webhooks)\r\nAccept: */*; q=0.5, application/xml\r\nStripe-Signature: {StripeSignature.Sign([], Secret, signedAt)}\r\n\r\n");
        var signature = head.AsSpan().IndexOf("Stripe-Signature: "u8) + "Stripe-Signature: ".Length;
        length = head.Length + body.Length;
        all = GC.AllocateUninitializedArray<byte>(count * length, pinned: true);
        Parallel.For(0, count, i =>
        {
            var request = all.AsSpan(i * length, length);
            head.CopyTo(request);
            var content = request[head.Length..];
            body.CopyTo(content);
            var (customer, subscription, item) = owners[i % customers];
            Fill(content, "EVENT00000000000000000001"u8, Id(new Random(i), 25));
            Fill(content, "CUSTOMER000001"u8, customer);
            Fill(content, "SUBSCRIPTION000000000001"u8, subscription);
            Fill(content, "ITEM0000000001"u8, item);
            // Later events of a customer happened later.
            var at = content.IndexOf("1700000000"u8);
            Utf8Formatter.TryFormat(signedAt.ToUnixTimeSeconds() - 86_400 + i / customers, content[at..], out _);
            Encoding.ASCII.GetBytes(StripeSignature.Sign(content, Secret, signedAt), request[signature..]);
        });
    }

    /// <summary>How many there are.</summary>
    public int Count { get; }

    /// <summary>Of the body of each.</summary>
    public int BodyBytes { get; }

    /// <summary>One of them, as it goes over the wire.</summary>
    public ReadOnlySpan<byte> this[int i] => all.AsSpan(i * length, length);

    private static string Id(Random random, int letters) => new(random.GetItems<char>(Letters, letters));

    private static void Fill(Span<byte> content, ReadOnlySpan<byte> mark, string id)
    {
        for (var at = content.IndexOf(mark); at >= 0; at = content.IndexOf(mark)) Encoding.ASCII.GetBytes(id, content[at..]);
    }

    // After Stripe's reference ("The Event object", "The Subscription object", version 2025-03-31.basil): a renewal of a monthly plan.
    private const string Body = """
        {
          "id": "evt_EVENT00000000000000000001",
          "object": "event",
          "api_version": "2025-03-31.basil",
          "created": 1700000000,
          "data": {
            "object": {
              "id": "sub_SUBSCRIPTION000000000001",
              "object": "subscription",
              "application": null,
              "billing_cycle_anchor": 1679609767,
              "cancel_at": null,
              "cancel_at_period_end": false,
              "canceled_at": null,
              "cancellation_details": { "comment": null, "feedback": null, "reason": null },
              "collection_method": "charge_automatically",
              "created": 1679609767,
              "currency": "usd",
              "customer": "cus_CUSTOMER000001",
              "default_payment_method": "pm_1OpZKcLkdIwHu7ix4yV8Fn3b",
              "default_tax_rates": [],
              "description": null,
              "discounts": [],
              "ended_at": null,
              "invoice_settings": { "account_tax_ids": null, "issuer": { "type": "self" } },
              "items": {
                "object": "list",
                "data": [
                  {
                    "id": "si_ITEM0000000001",
                    "object": "subscription_item",
                    "created": 1679609768,
                    "current_period_end": 1893456000,
                    "current_period_start": 1690777600,
                    "discounts": [],
                    "metadata": {},
                    "price": {
                      "id": "price_1Mp0abLkdIwHu7ixPro49Usd",
                      "object": "price",
                      "active": true,
                      "billing_scheme": "per_unit",
                      "created": 1679609766,
                      "currency": "usd",
                      "livemode": false,
                      "metadata": {},
                      "nickname": "Pro",
                      "product": "prod_NaGd9sFuXqZ3p7",
                      "recurring": { "interval": "month", "interval_count": 1, "meter": null, "trial_period_days": null, "usage_type": "licensed" },
                      "tiers_mode": null,
                      "type": "recurring",
                      "unit_amount": 4900,
                      "unit_amount_decimal": "4900"
                    },
                    "quantity": 1,
                    "subscription": "sub_SUBSCRIPTION000000000001",
                    "tax_rates": []
                  }
                ],
                "has_more": false,
                "total_count": 1,
                "url": "/v1/subscription_items?subscription=sub_SUBSCRIPTION000000000001"
              },
              "latest_invoice": "in_1MowQWLkdIwHu7ixrenewal01",
              "livemode": false,
              "metadata": {},
              "pause_collection": null,
              "payment_settings": { "payment_method_options": null, "payment_method_types": null, "save_default_payment_method": "off" },
              "pending_update": null,
              "schedule": null,
              "start_date": 1679609767,
              "status": "active",
              "test_clock": null,
              "transfer_data": null,
              "trial_end": null,
              "trial_settings": { "end_behavior": { "missing_payment_method": "create_invoice" } },
              "trial_start": null
            },
            "previous_attributes": { "latest_invoice": "in_1MowQWLkdIwHu7ixbefore001" }
          },
          "livemode": false,
          "pending_webhooks": 1,
          "request": { "id": null, "idempotency_key": null },
          "type": "customer.subscription.updated"
        }
        """;
}
