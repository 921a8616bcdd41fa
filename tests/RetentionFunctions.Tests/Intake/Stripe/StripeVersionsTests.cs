using System.Text.Json;
using System.Text.Json.Nodes;
using RetentionFunctions.Customers;
using RetentionFunctions.Intake.Stripe;
using static RetentionFunctions.Tests.Intake.Stripe.StripeFixtures;

namespace RetentionFunctions.Tests.Intake.Stripe;

/// <summary>The same thing, written by each API version, is the same fact.</summary>
public class StripeVersionsTests
{
    public static TheoryData<string> All => new(Versions);

    private static void Same(StripeFact expected, StripeFact actual) =>
        Assert.Equal(JsonSerializer.Serialize(expected, expected.GetType()), JsonSerializer.Serialize(actual, actual.GetType()));

    private static StripeReference[] References(string? invoice, string? intent, string? charge) =>
    [
        .. invoice is null ? [] : new StripeReference[] { new("invoice", invoice) },
        .. intent is null ? [] : new StripeReference[] { new("payment-intent", intent) },
        .. charge is null ? [] : new StripeReference[] { new("charge", charge) },
    ];

    [Theory, MemberData(nameof(All))]
    public void A_subscription_is_the_same_in_every_version(string version)
    {
        var stamp = Stamp.Of(At(Created), "evt_ada1", "customer.subscription.updated");
        var expected = new SubscriptionSnapshot
        {
            SubscriptionId = "sub_1", Stamp = stamp, Status = "active", PreviousStatus = "trialing", Mrr = 4000, Currency = "usd", Plan = "Gold", Interval = "month",
            CreatedAt = At(PeriodStart), PeriodStartAt = At(PeriodStart), PeriodEndAt = At(PeriodEnd), CancelAt = At(PeriodEnd), CanceledAt = At(Created - 60), UserId = "u-7",
        };
        Same(new SubscriptionChanged(stamp, "cus_1", expected),
            Read<SubscriptionChanged>(Event(version, stamp.EventType, Subscription(version), new JsonObject { ["status"] = "trialing" })));
    }

    [Theory, MemberData(nameof(All))]
    public void A_failed_invoice_is_the_same_in_every_version_as_far_as_it_says(string version)
    {
        var stamp = Stamp.Of(At(Created), "evt_ada1", "invoice.payment_failed");
        var expected = new InvoiceSnapshot
        {
            InvoiceId = "in_1", Change = InvoiceChange.PaymentFailed, SubscriptionId = "sub_1", Number = "A-0007", Status = "open", AmountDue = 4000, AmountPaid = 0, Currency = "usd",
            AttemptCount = 2, NextAttemptAt = At(Created + 259_200), CreatedAt = At(PeriodStart),
            BillingReason = version.From("2017") ? "subscription_cycle" : null,
            HostedUrl = version.From("2017") ? "https://pay.example/in_1" : null,
            CollectionMethod = version.From("2017") ? "charge_automatically" : null,
            PaymentIntentId = version.From("2019") ? "pi_1" : null,
            ChargeId = version.From("2025-03-31") ? null : "ch_1",
        };
        Same(new InvoiceChanged(stamp, "cus_1", expected) { References = References("in_1", expected.PaymentIntentId, expected.ChargeId) },
            Read<InvoiceChanged>(Event(version, stamp.EventType, Invoice(version))));
    }

    [Theory, MemberData(nameof(All))]
    public void A_failed_charge_is_the_same_in_every_version_as_far_as_it_says(string version)
    {
        var stamp = Stamp.Of(At(Created), "evt_ada1", "charge.failed");
        var expected = new PaymentFailure
        {
            Id = "ch_1", At = At(Created), Code = "card_declined", DeclineCode = "insufficient_funds", Amount = 4000, Currency = "usd",
            InvoiceId = version.From("2025-03-31") ? null : "in_1", PaymentIntentId = version.From("2019") ? "pi_1" : null,
            Card = new Card("amex", "0005", 4, 2027) { Id = "card_9" },
        };
        Same(new PaymentFailed(stamp, "cus_1", expected) { References = References(expected.InvoiceId, expected.PaymentIntentId, "ch_1") },
            Read<PaymentFailed>(Event(version, stamp.EventType, FailedCharge(version))));
    }

    [Theory, MemberData(nameof(All))]
    public void A_failed_payment_intent_is_the_same_in_every_version(string version)
    {
        var stamp = Stamp.Of(At(Created), "evt_ada1", "payment_intent.payment_failed");
        var expected = new PaymentFailure
        {
            Id = "pi_1", At = At(Created), Code = "authentication_required", DeclineCode = "authentication_required", Amount = 4000, Currency = "usd", InvoiceId = "in_1",
            PaymentIntentId = "pi_1", Card = new Card("visa", "3220", 12, 2030) { Id = "pm_1" },
        };
        Same(new PaymentFailed(stamp, "cus_1", expected) { References = References("in_1", "pi_1", "ch_1") },
            Read<PaymentFailed>(Event(version, stamp.EventType, FailedIntent(version))));
    }

    [Theory, MemberData(nameof(All))]
    public void A_customer_is_the_same_in_every_version(string version)
    {
        var stamp = Stamp.Of(At(Created), "evt_ada1", "customer.updated");
        var expected = new StripeProfile
        {
            Email = "ada@example.com", Name = "Ada", Country = "GB", Locale = "en-GB", Currency = "usd", CreatedAt = At(PeriodStart), TimeZone = "Europe/London", UserId = "7",
            Card = new Card("mastercard", "4444", 2, 2028) { Id = "card_9" },
        };
        Same(new CustomerChanged(stamp, "cus_1", expected), Read<CustomerChanged>(Event(version, stamp.EventType, CustomerObject(version))));
    }

    // Before 2019: closed, forgiven and paid instead of a status.
    [Theory]
    [InlineData("invoice.payment_succeeded", true, true, false, "paid")]
    [InlineData("invoice.paid", true, true, false, "paid")]
    [InlineData("invoice.created", false, false, false, "open")]
    [InlineData("invoice.voided", false, true, false, "void")]
    [InlineData("invoice.marked_uncollectible", false, true, true, "uncollectible")]
    [InlineData("invoice.payment_failed", false, true, false, "open")]
    public void The_flags_of_old_invoices_become_a_status(string type, bool paid, bool closed, bool forgiven, string status)
    {
        var invoice = Invoice("2016-07-06");
        (invoice["paid"], invoice["closed"], invoice["forgiven"]) = (paid, closed, forgiven);
        var fact = Read<InvoiceChanged>(Event("2016-07-06", type, invoice));
        Assert.Equal(status, fact.Invoice.Status);
        Assert.Equal(paid ? 4000 : 0, fact.Invoice.AmountPaid);
        Assert.Equal(paid ? At(Created) : null, fact.Invoice.PaidAt);
    }

    [Fact]
    public void An_old_invoice_that_was_never_tried_is_a_draft()
    {
        var invoice = Invoice("2016-07-06");
        invoice["attempted"] = false;
        Assert.Equal("draft", Read<InvoiceChanged>(Event("2016-07-06", "invoice.created", invoice)).Invoice.Status);
    }
}
