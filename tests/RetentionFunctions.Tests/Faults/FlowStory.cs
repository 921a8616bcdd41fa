using System.Text.Json.Nodes;
using RetentionFunctions.Customers;
using RetentionFunctions.Flows;
using RetentionFunctions.Links;
using RetentionFunctions.Storage;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.Tests.Faults;

/// <summary>One story of one customer: what led to it, what can fail, and how it ends.</summary>
/// <param name="Name">As a sentence.</param>
/// <param name="Prelude">What happens before anything fails.</param>
/// <param name="Act">What happens while one call fails.</param>
/// <param name="Outcomes">How the runs end, in the order of their keys.</param>
/// <param name="Mails">How many e-mails go out.</param>
internal sealed record FlowStory(string Name, Func<FlowBench, Story, Task> Prelude, Func<FlowBench, Story, Task> Act, RunOutcome[] Outcomes, int Mails)
{
    // A Monday.
    public static readonly DateTimeOffset SignUp = new(2026, 1, 5, 10, 0, 0, TimeSpan.Zero);

    // Also a Monday, forty-two days of silence later.
    private static readonly DateTimeOffset Silent = SignUp.AddDays(56);

    private static readonly RunId WinBack = new("cus_Ada", "win-back", $"{Silent:yyyy-MM-dd}");

    public static readonly FlowStory[] All =
    [
        new("A customer signs up, says who she is after having used the app, and pays in two parts of which one comes too early", Nothing, async (bench, ada) =>
        {
            await bench.AppAsync("u1", "Signed In", SignUp.AddHours(-2));
            await bench.StripeAsync(Part(ada, SignUp, 1));
            await bench.StripeAsync(ada.SignsUp(SignUp));
            await bench.AppAsync("u1", null, traits: """{"email":"ada@example.com","timezone":"Europe/Berlin"}""");
            // A request of several, of which the first was counted before the tie.
            await bench.AppAsync(bench.Item("u1", "Signed In", SignUp.AddHours(-2)), bench.Item("u1", "Signed In"), bench.Item("u1", "Feature Used"));
            await bench.AppAsync("u1", null, SignUp.AddMinutes(1), """{"stripeCustomerId":"cus_Ada"}""");
            await bench.StripeAsync(ada.PaymentFails(SignUp.AddDays(31), next: SignUp.AddDays(34)).Take(2));
            await bench.AdvanceAsync(0.1);
            await bench.StripeAsync(Part(ada, SignUp.AddDays(31), 2));
        }, [RunOutcome.Paid], 1),
        new("A failed payment is never made good", Paying, async (bench, ada) =>
        {
            await bench.StripeAsync(ada.PaymentFails(bench.Now, next: bench.Now.AddDays(3)));
            await bench.AdvanceAsync(20);
        }, [RunOutcome.Completed], 3),
        new("A failed payment is made good after two e-mails", Paying, async (bench, ada) =>
        {
            await bench.StripeAsync(ada.PaymentFails(bench.Now, next: bench.Now.AddDays(3)));
            await bench.AdvanceAsync(3.5);
            await bench.StripeAsync(ada.PaysAfterAll(bench.Now));
            await bench.AdvanceAsync(20);
        }, [RunOutcome.Paid], 2),
        new("The founder stops the dunning, and the next retry fails", Paying, async (bench, ada) =>
        {
            await bench.StripeAsync(ada.PaymentFails(bench.Now, next: bench.Now.AddDays(3)));
            await bench.AdvanceAsync(0.1);
            await bench.StopAsync(new RunId("cus_Ada", "dunning", ada.InvoiceId("renewal")));
            await bench.AdvanceAsync(3);
            await bench.StripeAsync(ada.PaymentFails(bench.Now, attempt: 2));
            await bench.AdvanceAsync(20);
        }, [RunOutcome.Stopped], 1),
        new("The customer cancels while a payment fails", Paying, async (bench, ada) =>
        {
            await bench.StripeAsync(ada.PaymentFails(bench.Now, next: bench.Now.AddDays(3)));
            await bench.AdvanceAsync(1);
            await bench.StripeAsync(ada.Cancels(bench.Now, "payment_failed"));
            await bench.AdvanceAsync(20);
        }, [RunOutcome.Canceled], 1),
        new("Silence brings all e-mails", FellSilent, async (bench, _) =>
        {
            await SweepAsync(bench);
            await bench.AdvanceAsync(25);
        }, [RunOutcome.Completed], 3),
        new("The customer signs in again after the second e-mail", FellSilent, async (bench, _) =>
        {
            await SweepAsync(bench);
            await bench.AdvanceAsync(4);
            await bench.AppAsync("u1", "Signed In");
            await bench.AdvanceAsync(20);
        }, [RunOutcome.Returned], 2),
        new("The customer presses the button to return", FellSilent, async (bench, _) =>
        {
            await SweepAsync(bench);
            await bench.AdvanceAsync(1);
            await bench.ClickAsync(LinkPurpose.Return, WinBack, 1, (links, claims) => links.ReturnAsync(claims));
            await bench.AdvanceAsync(20);
        }, [RunOutcome.Returned], 1),
        new("The customer unsubscribes", FellSilent, async (bench, _) =>
        {
            await SweepAsync(bench);
            await bench.AdvanceAsync(1);
            await bench.ClickAsync(LinkPurpose.Unsubscribe, WinBack, 1, (links, claims) => links.UnsubscribeAsync(claims));
            await bench.AdvanceAsync(20);
        }, [RunOutcome.Unsubscribed], 1),
        new("The customer pauses by the link and then comes back by it", FellSilent, async (bench, ada) =>
        {
            await SweepAsync(bench);
            await bench.AdvanceAsync(4);
            await bench.ClickAsync(LinkPurpose.Pause, WinBack, 2, (links, claims) => links.PauseAsync(claims, 2));
            await bench.StripeAsync(ada.Pauses(bench.Now, bench.Now.AddMonths(2)));
            await bench.AdvanceAsync(2);
            await bench.ClickAsync(LinkPurpose.Return, WinBack, 2, (links, claims) => links.ReturnAsync(claims));
            await bench.AdvanceAsync(20);
        }, [RunOutcome.Paused], 2),
        new("A payment fails during win-back", FellSilent, async (bench, ada) =>
        {
            await SweepAsync(bench);
            await bench.AdvanceAsync(1);
            await bench.ClickAsync(LinkPurpose.Answer, WinBack, 1, (links, claims) => links.AnswerAsync(claims, "price", "Too much for me"));
            await bench.StripeAsync(ada.PaymentFails(bench.Now));
            await bench.AdvanceAsync(1);
            await bench.StripeAsync(ada.PaysAfterAll(bench.Now));
            await bench.AdvanceAsync(20);
        }, [RunOutcome.Paid, RunOutcome.PaymentFailed], 2),
    ];

    /// <summary>The partitions in which the story leaves rows.</summary>
    public static IEnumerable<string> Partitions(Story ada) =>
    [
        Keys.Bucket(ada.Customer), Keys.Bucket(Keys.UntiedUser("u1")), Keys.Bucket(Keys.UntiedUser("somebody")), Keys.UserTie("u1").Partition,
        Keys.EmailOfUser(ada.Email, "u1").Partition, Keys.DeadLetters.Partition,
        .. new[] { "first", "renewal" }.SelectMany(i => new[] { Keys.Owner("invoice", ada.InvoiceId(i)).Partition, Keys.Owner("payment-intent", $"pi_{i}").Partition }),
        Keys.Owner("payment-intent", "pi_part1").Partition, Keys.Owner("payment-intent", "pi_part2").Partition,
        // Bodies of orphans are gone when they are adopted.
        .. Enumerable.Range(1, 20).Select(n => Keys.BodyChunk($"orphan:evt_Ada_{n:D3}", 0).Partition),
    ];

    public override string ToString() => Name;

    private static Task Nothing(FlowBench bench, Story ada) => Task.CompletedTask;

    private static async Task Paying(FlowBench bench, Story ada)
    {
        await bench.StripeAsync(ada.SignsUp(SignUp));
        await bench.AdvanceAsync(31);
    }

    private static async Task FellSilent(FlowBench bench, Story ada)
    {
        await bench.StripeAsync(ada.SignsUp(SignUp));
        await bench.AppAsync("u1", null, traits: """{"stripeCustomerId":"cus_Ada"}""");
        await bench.AppAsync("u1", "Signed In", SignUp.AddDays(13));
        await bench.AdvanceAsync((Silent - SignUp).TotalDays);
        // The app itself is alive.
        await bench.AppAsync("somebody", "Signed In");
    }

    private static Task SweepAsync(FlowBench bench) => bench.SweepAsync("cus_Ada", Keys.UntiedUser("somebody"));

    // invoice_payment.paid names the invoice but not the customer.
    private static JsonObject Part(Story ada, DateTimeOffset at, int part) => ada.Event("invoice_payment.paid", at, new JsonObject
    {
        ["id"] = $"inpay_{part}", ["object"] = "invoice_payment", ["invoice"] = ada.InvoiceId("renewal"), ["amount_paid"] = 2450, ["currency"] = "usd", ["status"] = "paid",
        ["payment"] = new JsonObject { ["type"] = "payment_intent", ["payment_intent"] = $"pi_part{part}" }, ["status_transitions"] = new JsonObject { ["paid_at"] = at.ToUnixTimeSeconds() },
    });
}
