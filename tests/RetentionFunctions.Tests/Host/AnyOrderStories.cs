using System.Text.Json.Nodes;
using RetentionFunctions.Customers;
using RetentionFunctions.Storage;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.Tests.Host;

/// <summary>One history of one customer, delivered as networks do: in any order, with copies.</summary>
public class AnyOrderStories
{
    private const int Orders = 40;
    private static readonly DateTimeOffset SignUp = new(2026, 1, 5, 10, 0, 0, TimeSpan.Zero);

    private static DateTimeOffset Day(double days) => SignUp.AddDays(days);

    /// <summary>Signed up, attached a card, failed to renew twice, paid, upgraded, wanted to leave, stayed, left; and what belongs to it.</summary>
    private static List<JsonObject> History(string customer, string version)
    {
        var story = new Story(customer, $"{customer}@example.com", version);
        var own = customer[4..];
        var renewal = $"{own}r";
        var events = new List<JsonObject>();
        // Incomplete, paid and active within one second.
        foreach (var e in story.SignsUp(SignUp))
        {
            e["created"] = SignUp.ToUnixTimeSeconds();
            events.Add(e);
        }
        events.Add(story.Event("payment_method.attached", SignUp, new JsonObject
        {
            ["id"] = $"pm_{own}", ["object"] = "payment_method", ["customer"] = customer, ["type"] = "card",
            ["card"] = new JsonObject { ["brand"] = "visa", ["last4"] = "4242", ["exp_month"] = 8, ["exp_year"] = 2027 },
        }));
        events.Add(story.Event("customer.source.expiring", Day(3), new JsonObject { ["id"] = $"card_{own}", ["object"] = "card", ["customer"] = customer, ["brand"] = "Visa", ["last4"] = "4242", ["exp_month"] = 1, ["exp_year"] = 2026 }));
        events.Add(story.CustomerUpdated(Day(5), $"new.{own}@example.com"));
        events.Add(story.Event("invoice.upcoming", Day(28), new JsonObject { ["object"] = "invoice", ["customer"] = customer, ["amount_due"] = 4900, ["currency"] = "usd", ["next_payment_attempt"] = Day(31).ToUnixTimeSeconds() }));
        events.AddRange(story.PaymentFails(Day(31), renewal, next: Day(34)));
        events.AddRange(story.PaymentFails(Day(34), renewal, "expired_card", next: Day(39), attempt: 2));
        events.AddRange(story.PaysAfterAll(Day(36), renewal));
        events.Add(story.Event("invoice_payment.paid", Day(36), new JsonObject
        {
            ["id"] = $"inpay_{own}", ["object"] = "invoice_payment", ["invoice"] = story.InvoiceId(renewal), ["amount_paid"] = 4900, ["currency"] = "usd", ["status"] = "paid",
            ["payment"] = new JsonObject { ["type"] = "payment_intent", ["payment_intent"] = $"pi_{renewal}" }, ["status_transitions"] = new JsonObject { ["paid_at"] = Day(36).ToUnixTimeSeconds() },
        }));
        events.Add(Upgraded(story.Renews(Day(40))));
        events.Add(Upgraded(story.WillCancel(Day(45), Day(59))));
        events.Add(Upgraded(story.Renews(Day(46))));
        var charge = new JsonObject
        {
            ["id"] = $"ch_{own}_paid", ["object"] = "charge", ["customer"] = customer, ["amount"] = 4900, ["amount_refunded"] = 1000, ["currency"] = "usd", ["status"] = "succeeded", ["payment_intent"] = $"pi_{renewal}",
        };
        events.Add(story.Event("charge.refunded", Day(47), charge));
        var more = charge.DeepClone().AsObject();
        more["amount_refunded"] = 2500;
        events.Add(story.Event("charge.refunded", Day(47.5), more));
        events.Add(story.Event("charge.dispute.created", Day(48), new JsonObject { ["id"] = $"dp_{own}", ["object"] = "dispute", ["amount"] = 4900, ["currency"] = "usd", ["charge"] = $"ch_{own}_paid", ["reason"] = "fraudulent" }));
        events.Add(Upgraded(story.Cancels(Day(50))));
        // What was on its way when it was cancelled, and what an old worker of Stripe says later.
        events.Add(Upgraded(story.Renews(Day(50))));
        events.Add(Upgraded(story.Renews(Day(51))));
        return events;
    }

    private static JsonObject Upgraded(JsonObject e)
    {
        var price = e["data"]!["object"]!["items"]!["data"]![0]!["price"]!;
        price["unit_amount"] = 9900;
        price["unit_amount_decimal"] = "9900";
        return e;
    }

    [Theory]
    [InlineData("2020-08-27")]
    [InlineData("2025-03-31.basil")]
    public async Task Any_order_with_any_number_of_copies_ends_in_the_same_customer_and_the_same_ledger(string version)
    {
        await using var host = await TestHost.StartAsync("2026-04-01T00:00:00Z");
        // In order, one by one, each followed by all that follows from it.
        foreach (var e in History("cus_Base", version)) await host.StripeAsync(e);
        var expected = await host.HistoryAsync("cus_Base");
        await EndsAsIsRightAsync(host, "cus_Base");

        // All at once and side by side, so that what names only an invoice or a charge is handled beside its customer.
        await Parallel.ForEachAsync(Enumerable.Range(0, Orders), new ParallelOptions { MaxDegreeOfParallelism = 8 }, async (seed, _) =>
        {
            foreach (var e in Shuffled(History(Name(seed), version), seed)) Assert.True((await host.SendStripeAsync(e.ToJsonString())).IsSuccessStatusCode);
        });
        await host.SettleAsync();

        Assert.Empty(await host.DeadLettersAsync());
        for (var seed = 0; seed < Orders; seed++)
        {
            var rows = await host.HistoryAsync(Name(seed));
            Assert.Equal(expected.Keys.Order(), rows.Keys.Order());
            foreach (var (key, row) in expected)
                if (row != rows[key]) Assert.Fail($"order {seed}, {key}:\n{row}\n{rows[key]}");
        }
        Assert.Empty(await host.RowsAsync("body|%"));
        Assert.DoesNotContain(await host.RowsAsync("x-%"), row => row.Contains(" orphan|", StringComparison.Ordinal));

        static string Name(int seed) => $"cus_P{seed:D3}";
    }

    [Fact]
    public async Task A_cancelled_customer_is_never_revived_by_a_late_event()
    {
        await using var host = await TestHost.StartAsync("2026-04-01T00:00:00Z");
        var story = new Story();
        await host.StripeAsync([.. story.SignsUp(SignUp), story.Cancels(Day(20))]);
        Assert.Equal("canceled", (string?)(await host.CustomerAsync())["status"]);
        JsonObject[] late =
        [
            story.Renews(Day(10)), story.Renews(Day(20)), story.Renews(Day(25)), story.WillCancel(Day(19), Day(31)), story.Pauses(Day(21), Day(50)), .. story.PaysAfterAll(Day(22)), story.CustomerUpdated(Day(26), "ada@new.example.com"),
            new Story().SignsUp(SignUp).ElementAt(3),
        ];
        foreach (var e in late)
        {
            await host.StripeAsync(e);
            var customer = await host.CustomerAsync();
            Assert.Equal(("canceled", 0), ((string)customer["status"]!, (long)customer["mrr"]!["amount"]!));
        }
        var ledger = await host.Tables().ListAsync<Movement>(Keys.Ledger("cus_Ada"));
        Assert.Equal([(MovementKind.New, 4900L), (MovementKind.Churned, -4900L)], ledger.Select(m => (m.Kind, m.Amount)));
    }

    private static async Task EndsAsIsRightAsync(TestHost host, string customer)
    {
        var row = (await host.Tables().GetAsync<Customer>(Keys.Customer(customer)))!.Value;
        Assert.Equal(CustomerStatus.Canceled, row.Status);
        Assert.Equal((SignUp, Day(50)), (row.FirstPaidAt, row.ChurnedAt));
        Assert.Equal("new.Base@example.com", row.Email);
        Assert.Empty(row.FailingInvoices);
        Assert.Empty(row.OpenRuns);
        Assert.Equal(2, row.Failures.Count);
        Assert.Equal(2500, Assert.Single(row.Refunds).Value);
        Assert.Equal("dp_Base", Assert.Single(row.Disputes));
        Assert.Equal("4242", row.Card?.Last4);
        Assert.Equal(Day(28), row.Renewal?.From.At);
        var ledger = await host.Tables().ListAsync<Movement>(Keys.Ledger(customer));
        Assert.Equal([(MovementKind.New, SignUp, 4900L), (MovementKind.Expansion, Day(40), 5000L), (MovementKind.Churned, Day(50), -9900L)], ledger.Select(m => (m.Kind, m.At, m.Amount)));
        Assert.False(ledger[^1].Involuntary);
        var renewal = (await host.Tables().GetAsync<Invoice>(Keys.Invoice(customer, "in_Base_Baser")))!.Value;
        Assert.Equal((Day(31).AddSeconds(1), Day(34).AddSeconds(1), Day(36)), (renewal.FirstFailedAt, renewal.LastFailedAt, renewal.PaidAt));
        Assert.Single(renewal.Payments);
    }

    private static List<JsonObject> Shuffled(List<JsonObject> events, int seed)
    {
        var random = new Random(seed);
        var all = events.SelectMany(e => Enumerable.Repeat(e, random.Next(1, 4))).ToArray();
        // The first two are the worst that a network does by itself: all backwards, and each thing thrice in order.
        if (seed == 0) return [.. events.AsEnumerable().Reverse()];
        if (seed == 1) return [.. events.SelectMany(e => Enumerable.Repeat(e, 3))];
        random.Shuffle(all);
        return [.. all];
    }
}
