using System.Text.Json.Nodes;
using RetentionFunctions.Customers;
using RetentionFunctions.Flows;
using RetentionFunctions.Intake;
using RetentionFunctions.Settings;
using RetentionFunctions.Storage;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.Tests.Intake;

/// <summary>Events that name an invoice or a charge and no customer wait until their owner is known, whatever breaks on the way.</summary>
public class OrphanTests
{
    private static readonly DateTimeOffset At = new(2026, 1, 5, 10, 0, 0, TimeSpan.Zero);
    private const int Moments = 2;

    [Fact]
    public async Task An_event_that_waits_for_its_owner_is_lost_by_no_fault_at_any_call()
    {
        var counting = FaultPlan.None();
        var expected = await EndAsync(counting);
        Assert.Equal(("dp_1", 1, 0), expected);
        for (var call = 1; call <= counting.Calls; call++)
            for (var moment = 0; moment < Moments; moment++)
            {
                var plan = FaultPlan.At(call, (FaultMoment)moment);
                Assert.True(expected == await EndAsync(plan), plan.Failed);
            }
    }

    /// <summary>A later event leaves the index to the one that brought the invoice; that one's next delivery writes it and finds who waited meanwhile.</summary>
    [Fact]
    public async Task A_payment_that_came_between_a_crash_and_the_redelivery_finds_its_invoice_in_the_end()
    {
        var story = new Story();
        var created = story.Event("invoice.created", At, Invoice(story, "draft")).Utf8();
        var finalized = story.Event("invoice.finalized", At.AddHours(1), Invoice(story, "open")).Utf8();
        var paid = story.Event("invoice_payment.paid", At.AddHours(2), new JsonObject
        {
            ["id"] = "inpay_1", ["object"] = "invoice_payment", ["invoice"] = story.InvoiceId("renewal"), ["amount_paid"] = 4900, ["currency"] = "usd",
            ["payment"] = new JsonObject { ["type"] = "payment_intent", ["payment_intent"] = "pi_renewal" },
        }).Utf8();

        var stored = new FakeTables();
        var crash = new FaultyTables(stored, FaultPlan.At(await CommitAsync(created), FaultMoment.After));
        await Assert.ThrowsAsync<TransientStorageException>(() => IntakeOver(crash).HandleAsync(created));
        var intake = IntakeOver(stored);
        await intake.HandleAsync(finalized);
        await intake.HandleAsync(paid);
        Assert.NotEmpty(await stored.ListAsync<JsonObject>(Keys.Orphans("invoice", story.InvoiceId("renewal"))));
        await intake.HandleAsync(created);

        Assert.Single((await stored.GetAsync<Invoice>(Keys.Invoice(story.Customer, story.InvoiceId("renewal"))))!.Value.Payments);
        Assert.Empty(await stored.ListAsync<JsonObject>(Keys.Orphans("invoice", story.InvoiceId("renewal"))));
    }

    // The call by which the event's rows are written: the first commit.
    private static async Task<int> CommitAsync(ReadOnlyMemory<byte> body)
    {
        for (var call = 1; ; call++)
        {
            var stored = new FakeTables();
            var plan = FaultPlan.At(call, FaultMoment.After);
            await Assert.ThrowsAsync<TransientStorageException>(() => IntakeOver(new FaultyTables(stored, plan)).HandleAsync(body));
            if (plan.Failed!.StartsWith("ITables.TryCommit", StringComparison.Ordinal)) return call;
        }
    }

    private static StripeIntake IntakeOver(ITables tables)
    {
        var settings = new RetentionSettings();
        var clock = new StandingClock(At.AddDays(60));
        return new StripeIntake(tables, new BodyStore(tables), new UserTies(tables), new FlowDispatch(tables, new NoEngine(), settings, clock), settings, clock);
    }

    private static JsonObject Invoice(Story story, string status) => new()
    {
        ["id"] = story.InvoiceId("renewal"), ["object"] = "invoice", ["customer"] = story.Customer, ["status"] = status, ["currency"] = "usd", ["amount_due"] = 4900, ["amount_paid"] = 0,
        ["created"] = At.ToUnixTimeSeconds(), ["attempt_count"] = 0,
    };

    /// <summary>A dispute that names a charge, a payment that names an invoice and an intent, then what names all three and the customer. Each is delivered again after a fault.</summary>
    private static async Task<(string? Dispute, int Payments, int Failing)> EndAsync(FaultPlan plan)
    {
        var stored = new FakeTables();
        var tables = new FaultyTables(stored, plan);
        var intake = IntakeOver(tables);
        var story = new Story(version: "2020-08-27");
        JsonObject[] events =
        [
            story.Event("charge.dispute.created", At.AddDays(40), new JsonObject { ["id"] = "dp_1", ["object"] = "dispute", ["amount"] = 4900, ["currency"] = "usd", ["charge"] = "ch_renewal_1" }),
            story.Event("invoice_payment.paid", At.AddDays(33), new JsonObject
            {
                ["id"] = "inpay_1", ["object"] = "invoice_payment", ["invoice"] = story.InvoiceId("renewal"), ["amount_paid"] = 4900, ["currency"] = "usd",
                ["payment"] = new JsonObject { ["type"] = "payment_intent", ["payment_intent"] = "pi_renewal" },
            }),
            .. story.PaymentFails(At.AddDays(31)).Take(2),
        ];
        foreach (var e in events)
        {
            var delivered = false;
            for (var attempt = 0; attempt < 2 && !delivered; attempt++)
            {
                try
                {
                    await intake.HandleAsync(e.Utf8());
                    delivered = true;
                }
                catch (TransientStorageException)
                {
                    // Delivered again, as the queue does.
                }
            }
            Assert.True(delivered);
        }
        var customer = (await stored.GetAsync<Customer>(Keys.Customer("cus_Ada")))!.Value;
        var invoice = (await stored.GetAsync<Invoice>(Keys.Invoice("cus_Ada", "in_Ada_renewal")))!.Value;
        foreach (var (kind, id) in new[] { ("charge", "ch_renewal_1"), ("invoice", "in_Ada_renewal"), ("payment-intent", "pi_renewal") })
            Assert.Empty(await stored.ListAsync<JsonObject>(Keys.Orphans(kind, id)));
        return (customer.Disputes.SingleOrDefault(), invoice.Payments.Count, customer.FailingInvoices.Count);
    }

    private sealed class NoEngine : IFlowEngine
    {
        public Task StartAsync(RunId run, CancellationToken cancel = default) => Task.CompletedTask;

        public Task WakeAsync(RunId run, CancellationToken cancel = default) => Task.CompletedTask;
    }
}
