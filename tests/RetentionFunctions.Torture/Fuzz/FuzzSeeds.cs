using System.Text;
using System.Text.Json.Nodes;
using RetentionFunctions.Customers;
using RetentionFunctions.Intake.Stripe;
using RetentionFunctions.Links;
using RetentionFunctions.Tests.Intake.Stripe;

namespace RetentionFunctions.Torture.Fuzz;

/// <summary>What the fuzzing begins with: good inputs of each kind, in the shapes of all versions.</summary>
internal static class FuzzSeeds
{
    public static IEnumerable<byte[]> Of(string target) => target switch
    {
        "stripe" => Stripe(),
        "segment" => Segment(),
        "links" => Links(),
        _ => Mail(),
    };

    private static IEnumerable<byte[]> Stripe()
    {
        foreach (var version in StripeFixtures.Versions)
        {
            foreach (var type in StripeEventTypes.Meanings.Keys) yield return StripeFixtures.EventOf(version, type).Bytes();
            foreach (var (status, coupon) in new[] { ("trialing", """{"id":"x","duration":"forever","percent_off":12.5}"""), ("paused", """{"id":"x","duration":"once","amount_off":500,"currency":"usd"}"""), ("canceled", "\"x\"") })
            {
                var subscription = StripeFixtures.Subscription(version);
                subscription["status"] = status;
                subscription["trial_end"] = StripeFixtures.PeriodEnd;
                subscription["pause_collection"] = new JsonObject { ["behavior"] = "void", ["resumes_at"] = StripeFixtures.PeriodEnd + 86_400 };
                subscription["discounts"] = new JsonArray(new JsonObject { ["id"] = "di_1", ["coupon"] = JsonNode.Parse(coupon), ["end"] = StripeFixtures.PeriodEnd });
                subscription["cancellation_details"] = new JsonObject { ["reason"] = "cancellation_requested", ["feedback"] = "unused", ["comment"] = "\u00fc \ud83d\ude00" };
                yield return StripeFixtures.Event(version, "customer.subscription.updated", subscription, new JsonObject { ["status"] = "active" }).Bytes();
            }
        }
        var tiered = StripeFixtures.Price(null);
        tiered["billing_scheme"] = "tiered";
        tiered["tiers_mode"] = "graduated";
        tiered["tiers"] = new JsonArray(new JsonObject { ["up_to"] = 5, ["flat_amount"] = 100, ["unit_amount_decimal"] = "12.5" }, new JsonObject { ["up_to"] = null, ["unit_amount"] = 10 });
        var packaged = StripeFixtures.Price(1000, "week", 2);
        packaged["transform_quantity"] = new JsonObject { ["divide_by"] = 3, ["round"] = "up" };
        packaged["currency"] = "eur";
        packaged["currency_options"] = new JsonObject { ["usd"] = new JsonObject { ["unit_amount"] = 900 } };
        yield return StripeFixtures.Event("2024-06-20", "customer.subscription.created", StripeFixtures.WithItems(StripeFixtures.Item(tiered, 9), StripeFixtures.Item(packaged, 7), StripeFixtures.Item(StripeFixtures.Price(10, "day", usage: "metered")))).Bytes();
    }

    private static IEnumerable<byte[]> Segment()
    {
        string[] items =
        [
            """{"type":"track","userId":"u-7","event":"Report made","messageId":"m-1","timestamp":"2026-03-01T10:00:00.123Z","properties":{"value":3,"on":true,"n":null,"list":[1,"2"]},"context":{"timezone":"Europe/Berlin","traits":{"email":"ada@example.com"}}}""",
            """{"type":"identify","userId":"u-7","traits":{"email":"ada@example.com","name":"Ada","firstName":"A","last_name":"L","stripeCustomerId":"cus_1","timezone":"Asia/Tokyo"},"sentAt":"2026-03-03T09:00:00Z","timestamp":"2026-03-03"}""",
            """{"type":"page","userId":7,"name":"Home","category":"Docs","timestamp":"2026-02-28 23:59:59"}""",
            """{"type":"screen","anonymousId":"a-1","name":"Start"}""",
            """{"type":"group","userId":"u-8","groupId":"g-1","traits":{}}""",
            """{"type":"alias","userId":"u-9","previousId":"u-8"}""",
            """{"type":"track","userId":"ü|/\\#?%","event":"\ud83d\ude00","sentAt":"1999-01-01T00:00:00Z"}""",
        ];
        for (byte call = 0; call < 6; call++)
            foreach (var item in items) yield return [call, .. Encoding.UTF8.GetBytes(item)];
        yield return [6, .. Encoding.UTF8.GetBytes($$"""{"batch":[{{string.Join(',', items)}}],"sentAt":"2026-03-03T09:29:00.000Z","writeKey":"k"}""")];
        yield return [6, .. Encoding.UTF8.GetBytes($$"""{"batch":[{{items[0]}},{{items[0]}},{},null,7]}""")];
    }

    private static IEnumerable<byte[]> Links()
    {
        foreach (var how in new byte[] { 1, 2, 3 })
            for (byte purpose = 0; purpose < 6; purpose++)
                yield return [how, purpose, 200, .. Encoding.UTF8.GetBytes("cus_Ada\nwinback\n2026-03-01\nin_1")];
        yield return [0, .. "Q2ZESjhBQUFBQUFB"u8];
        foreach (var purpose in Enum.GetNames<LinkPurpose>())
            yield return [4, .. Encoding.UTF8.GetBytes($"[\"cus_Ada\",\"{purpose}\",\"winback\",\"2026-03-01\",\"1\",null,\"1790000000\"]")];
    }

    private static IEnumerable<byte[]> Mail()
    {
        var at = new DateTimeOffset(2026, 3, 3, 9, 0, 0, TimeSpan.Zero).ToUnixTimeSeconds();
        foreach (var name in new[] { "processed", "deferred", "delivered", "dropped", "open", "click", "spamreport", "unsubscribe", "group_unsubscribe", "bounce", "group_resubscribe" })
            yield return Encoding.UTF8.GetBytes($$"""[{"email":"ada@example.com","timestamp":{{at}},"smtp-id":"<x>","event":"{{name}}","type":"{{(at % 2 == 0 ? "bounce" : "blocked")}}","sg_event_id":"e-{{name}}","sg_message_id":"m.1.2","reason":"500 no","url":"https://a.example/","sg_machine_open":false,"ip":"10.0.0.1","useragent":"x","retention_mail":"cus_Ada|winback|2026-03-01|1"}]""");
    }
}
