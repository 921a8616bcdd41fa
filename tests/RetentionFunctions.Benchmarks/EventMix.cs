using System.Text;
using System.Text.Json.Nodes;
using RetentionFunctions.Intake;
using RetentionFunctions.Intake.App;
using RetentionFunctions.Intake.Stripe;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.Benchmarks;

/// <summary>
/// What a small business's Stripe account and app send in sixty days, as messages of the inbox in the order of time: of each customer the four events of a sign-up and two
/// of a renewal (of one in eight the renewal fails, is tried again and is paid: five more), an <c>identify</c> that names the customer, and the events of its use, one item
/// to a request as SDKs send them. The same numbers give the same messages.
/// </summary>
internal static class EventMix
{
    private static readonly string[] Features = ["report", "export", "invite", "dashboard", "search"];

    // What Stripe's objects have beside the fields that anything here reads; with them an event is about 3 KB long, as Stripe's are.
    private static readonly string[] Unread =
    [
        "application", "application_fee_percent", "automatic_tax", "billing_cycle_anchor", "billing_thresholds", "cancellation_policy", "default_payment_method", "default_source", "default_tax_rates", "description",
        "discount", "invoice_settings", "last_finalization_error", "next_pending_invoice_item_invoice", "on_behalf_of", "payment_settings", "pending_invoice_item_interval", "pending_setup_intent", "pending_update",
        "receipt_number", "rendering_options", "schedule", "shipping", "source_transfer", "statement_descriptor", "test_clock", "threshold_reason", "transfer_data", "trial_settings", "webhooks_delivered_at",
    ];

    /// <summary>The events of so many customers, Stripe's and the app's.</summary>
    /// <param name="until">The end of the sixty days.</param>
    /// <param name="uses">App events of each customer, besides the <c>identify</c>.</param>
    public static IReadOnlyList<InboxMessage> Of(int customers, DateTimeOffset until, int uses = 15)
    {
        var random = new Random(7);
        var start = until.AddDays(-60);
        var all = new List<(DateTimeOffset At, InboxMessage Message)>();
        for (var i = 0; i < customers; i++)
        {
            var story = new Story($"cus_{i:D6}Kq3vT8", $"person{i}@company{i}.example");
            var signedUp = start.AddMinutes(random.Next(25 * 24 * 60));
            var renewed = signedUp.AddDays(31);
            var fails = i % 8 == 0;
            foreach (var e in story.SignsUp(signedUp)) all.Add(Stripe(e));
            if (fails)
            {
                foreach (var e in story.PaymentFails(renewed, next: renewed.AddDays(3))) all.Add(Stripe(e));
                foreach (var e in story.PaysAfterAll(renewed.AddDays(3))) all.Add(Stripe(e));
            }
            else
            {
                all.Add(Stripe(story.PaysAfterAll(renewed).First()));
                all.Add(Stripe(story.Renews(renewed.AddSeconds(1))));
            }
            all.Add(App("identify", signedUp.AddMinutes(1), i, $$$"""{"traits":{"email":"person{{{i}}}@company{{{i}}}.example","name":"Ada Lovelace","plan":"Pro","stripeCustomerId":"{{{story.Customer}}}"}}"""));
            for (var n = 0; n < uses; n++)
                all.Add(App("track", signedUp.AddMinutes(2 + random.Next(34 * 24 * 60)), i, (n % 3) switch
                {
                    0 => """{"event":"Signed In","properties":{}}""",
                    1 => $$$"""{"event":"Session Ended","properties":{"minutes":{{{random.Next(1, 90)}}}}}""",
                    _ => $$$"""{"event":"Feature Used","properties":{"feature":"{{{Features[random.Next(Features.Length)]}}}","rows":{{{random.Next(1000)}}}}}""",
                }));
        }
        return [.. all.OrderBy(e => e.At).ThenBy(e => e.Message.Id, StringComparer.Ordinal).Select(e => e.Message)];
    }

    private static (DateTimeOffset, InboxMessage) Stripe(JsonObject e)
    {
        var about = e["data"]!["object"]!.AsObject();
        foreach (var name in Unread) about.TryAdd(name, null);
        about["customer_address"] = new JsonObject { ["city"] = "London", ["country"] = "GB", ["line1"] = "12 St James's Square", ["line2"] = null, ["postal_code"] = "SW1Y 4JH", ["state"] = null };
        about["charges"] = new JsonObject { ["object"] = "list", ["data"] = new JsonArray(), ["has_more"] = false, ["total_count"] = 0, ["url"] = $"/v1/charges?of={about["id"]}" };
        var body = Encoding.UTF8.GetBytes(e.ToJsonString());
        var envelope = StripeEnvelope.Read(body);
        return (envelope.CreatedAt, new InboxMessage(envelope.Session, envelope.Id, MessageKind.StripeEvent, body, envelope.CreatedAt));
    }

    private static (DateTimeOffset, InboxMessage) App(string name, DateTimeOffset at, int user, string content)
    {
        var call = JsonNode.Parse(content)!.AsObject();
        call["messageId"] = $"node-next-1-{user:x8}-{at.UtcTicks:x16}";
        call["timestamp"] = at.ToString("O");
        call["userId"] = $"user-{user}";
        call["context"] = new JsonObject { ["library"] = new JsonObject { ["name"] = "@segment/analytics-node", ["version"] = "2.1.3" }, ["timezone"] = "Europe/London" };
        if (!SegmentReader.TryCall(name, out var kind)) throw new InvalidOperationException(name);
        var request = SegmentReader.Read(kind, Encoding.UTF8.GetBytes(call.ToJsonString()), at, "none");
        return (at, AppMessages.Of(request.Accepted, at).Single());
    }
}
