using FsCheck;
using FsCheck.Fluent;
using RetentionFunctions.Customers;
using RetentionFunctions.Intake.Stripe;
using RetentionFunctions.Tests.Support;
using static RetentionFunctions.Tests.Support.Snapshots;

namespace RetentionFunctions.Tests.Customers;

public class MergeTests
{
    [Fact]
    public void Any_order_of_customer_facts_ends_in_the_same_customer()
    {
        StripeFact[] facts =
        [
            new CustomerChanged(At("e1", 0, "customer.created"), "cus_1", new StripeProfile { Email = "old@example.com", Card = new Card("visa", "1111", 1, 2027) }),
            new CustomerChanged(At("e2", 5), "cus_1", new StripeProfile { Email = "new@example.com" }),
            new PaymentMethodChanged(At("e3", 7, "payment_method.attached"), "cus_1", new Card("visa", "4242", 1, 2030)),
            new CheckoutCompleted(At("e4", 0, "checkout.session.completed"), "cus_1", null, "checkout@example.com", null),
            new PaymentFailed(At("e5", 9, "charge.failed"), "cus_1", new PaymentFailure { Id = "ch_1", At = Day(9), Currency = "usd" }),
            new PaymentFailed(At("e6", 9, "charge.failed"), "cus_1", new PaymentFailure { Id = "ch_2", At = Day(9), Currency = "usd" }),
            // Two cards tried at one payment within a second.
            new PaymentFailed(At("e12", 9, "payment_intent.payment_failed"), "cus_1", new PaymentFailure { Id = "pi_1", At = Day(9), Currency = "usd", Card = new Card("visa", "4242", 3, 2030) }),
            new PaymentFailed(At("e13", 9, "payment_intent.payment_failed"), "cus_1", new PaymentFailure { Id = "pi_1", At = Day(9), Currency = "usd", Card = new Card("visa", "4242", 4, 2030) }),
            new ChargeRefunded(At("e7", 9, "charge.refunded"), "cus_1", "ch_1", 500, "usd"),
            new ChargeRefunded(At("e8", 10, "charge.refunded"), "cus_1", "ch_1", 900, "usd"),
            new InvoiceUpcoming(At("e9", 20, "invoice.upcoming"), "cus_1", "sub_1", 4900, "usd", Day(31)),
            new DisputeOpened(At("e10", 21, "charge.dispute.created"), "cus_1", "dp_1", 100, "usd", null),
            new CustomerDeleted(At("e11", 30, "customer.deleted"), "cus_1"),
        ];
        var expected = Json(Fold(facts));
        Assert.Contains("new@example.com", expected);
        Assert.Contains("4242", expected);
        Assert.Contains("900", expected);
        Prop.ForAll(Gen.Shuffle(facts.Concat(facts).ToArray()).ToArbitrary(), shuffled => Json(Fold(shuffled)) == expected).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void Any_order_of_invoice_events_ends_in_the_same_invoice()
    {
        (Stamp, InvoiceSnapshot)[] events =
        [
            (At("i1", 31, "invoice.created"), Said(InvoiceChange.Created)),
            (At("i2", 31, "invoice.finalized"), Said(InvoiceChange.Finalized)),
            (At("i3", 31, "invoice.payment_failed"), Said(InvoiceChange.PaymentFailed, next: 34)),
            (At("i4", 34, "invoice.payment_failed"), Said(InvoiceChange.PaymentFailed, next: 39)),
            (At("i5", 39, "invoice.payment_failed"), Said(InvoiceChange.PaymentFailed)),
            (At("i6", 41, "invoice.paid"), Said(InvoiceChange.Paid)),
        ];
        Prop.ForAll(Gen.Shuffle(events.Concat(events).ToArray()).ToArbitrary(), shuffled =>
        {
            var invoice = shuffled.Aggregate((Invoice?)null, (known, e) => InvoiceMerge.Apply(known, e.Item1, e.Item2))!;
            return invoice is { IsFailing: false, NextAttemptAt: null, NextAttemptFrom.EventId: "i5", LatestFrom.EventId: "i6" }
                && invoice.FirstFailedAt == Day(31) && invoice.LastFailedAt == Day(39) && invoice.FarthestAttemptAt == Day(39) && invoice.SettledAt == Day(41);
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void A_failure_that_arrives_after_the_payment_does_not_make_it_fail_again()
    {
        var paid = InvoiceMerge.Apply(null, At("i6", 41, "invoice.paid"), Said(InvoiceChange.Paid));
        Assert.False(InvoiceMerge.Apply(paid, At("i3", 31, "invoice.payment_failed"), Said(InvoiceChange.PaymentFailed)).IsFailing);
    }

    [Fact]
    public void Payments_that_reach_the_amount_due_pay_the_invoice_and_a_part_does_not()
    {
        var failing = InvoiceMerge.Apply(null, At("i3", 31, "invoice.payment_failed"), Said(InvoiceChange.PaymentFailed));
        var part = InvoiceMerge.Apply(failing, new InvoicePaymentPaid(At("p1", 32), "in_1", 1000, Day(32), "pi_1"));
        Assert.True(part.IsFailing);
        Assert.True(InvoiceMerge.Apply(part, new InvoicePaymentPaid(At("p1b", 32), "in_1", 1000, Day(32), "pi_1")).IsFailing);
        var whole = InvoiceMerge.Apply(part, new InvoicePaymentPaid(At("p2", 33), "in_1", 3900, Day(33), "pi_2"));
        Assert.Equal(Day(33), whole.SettledAt);
    }

    private static Stamp At(string id, double day, string type = "customer.updated") => Stamp.Of(Day(day), id, type);

    private static InvoiceSnapshot Said(InvoiceChange change, double? next = null) => new()
    {
        InvoiceId = "in_1",
        Change = change,
        Currency = "usd",
        AmountDue = 4900,
        CreatedAt = Day(31),
        NextAttemptAt = next is { } n ? Day(n) : null,
    };

    private static Customer Fold(IEnumerable<StripeFact> facts) => facts.Aggregate(new Customer { Id = "cus_1" }, CustomerMerge.Apply);

    private static string Json(Customer customer) => System.Text.Encoding.UTF8.GetString(RetentionFunctions.Storage.TablesExtensions.Write(customer).Span);
}
