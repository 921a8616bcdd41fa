using System.Text.Json.Nodes;
using RetentionFunctions.Customers;
using RetentionFunctions.Intake;
using RetentionFunctions.Intake.Stripe;
using RetentionFunctions.Settings;
using static RetentionFunctions.Tests.Intake.Stripe.StripeFixtures;

namespace RetentionFunctions.Tests.Intake.Stripe;

public class StripeReaderTests
{
    private static readonly string[] Handled =
    [
        "customer.created", "customer.updated", "customer.deleted",
        "customer.subscription.created", "customer.subscription.updated", "customer.subscription.deleted", "customer.subscription.paused", "customer.subscription.resumed",
        "customer.subscription.trial_will_end",
        "invoice.created", "invoice.finalized", "invoice.paid", "invoice.payment_succeeded", "invoice.payment_failed", "invoice.payment_action_required", "invoice.upcoming",
        "invoice.voided", "invoice.marked_uncollectible", "invoice_payment.paid",
        "charge.failed", "charge.refunded", "charge.dispute.created", "payment_intent.payment_failed",
        "payment_method.attached", "payment_method.updated", "payment_method.automatically_updated", "payment_method.card_automatically_updated",
        "customer.source.expiring", "checkout.session.completed",
    ];

    [Fact]
    public void Every_handled_type_stands_in_the_table_with_its_meaning()
    {
        Assert.Equal(Handled.Order(StringComparer.Ordinal), StripeEventTypes.Meanings.Keys.Order(StringComparer.Ordinal));
        Assert.All(StripeEventTypes.Meanings.Values, meaning => Assert.EndsWith(".", meaning));
    }

    [Theory]
    [InlineData("")]
    [InlineData("INVOICE.PAID")]
    [InlineData("invoice.paid ")]
    [InlineData("account.updated")]
    [InlineData("balance.available")]
    [InlineData("charge.captured")]
    [InlineData("charge.dispute.closed")]
    [InlineData("charge.dispute.updated")]
    [InlineData("charge.pending")]
    [InlineData("charge.succeeded")]
    [InlineData("charge.updated")]
    [InlineData("checkout.session.expired")]
    [InlineData("coupon.created")]
    [InlineData("credit_note.created")]
    [InlineData("customer.discount.created")]
    [InlineData("customer.source.created")]
    [InlineData("customer.source.updated")]
    [InlineData("customer.subscription.pending_update_applied")]
    [InlineData("customer.tax_id.created")]
    [InlineData("entitlements.active_entitlement_summary.updated")]
    [InlineData("invoice.deleted")]
    [InlineData("invoice.sent")]
    [InlineData("invoice.updated")]
    [InlineData("invoice.will_be_due")]
    [InlineData("invoiceitem.created")]
    [InlineData("payment_intent.created")]
    [InlineData("payment_intent.succeeded")]
    [InlineData("payment_method.detached")]
    [InlineData("payout.paid")]
    [InlineData("plan.created")]
    [InlineData("price.updated")]
    [InlineData("product.updated")]
    [InlineData("radar.early_fraud_warning.created")]
    [InlineData("refund.created")]
    [InlineData("review.opened")]
    [InlineData("setup_intent.succeeded")]
    [InlineData("subscription_schedule.updated")]
    public void Everything_else_is_left_alone(string type) => Assert.False(StripeReader.Handles(type));

    public static TheoryData<string, string> EveryTypeInEveryVersion =>
        new(from version in Versions from type in Handled select (version, type));

    [Theory, MemberData(nameof(EveryTypeInEveryVersion))]
    public void Every_handled_type_of_every_version_is_read(string version, string type)
    {
        var fact = StripeReader.Read(EventOf(version, type).Bytes(), new CustomerSettings());
        Assert.Equal((At(Created), "evt_ada1", type), (fact.Stamp.At, fact.Stamp.EventId, fact.Stamp.EventType));
        Assert.Equal(type is "invoice_payment.paid" or "charge.dispute.created" ? null : "cus_1", fact.CustomerId);
    }

    [Fact]
    public void A_type_that_nobody_handles_cannot_be_read() =>
        Assert.Throws<UnreadableException>(() => StripeReader.Read(Event("2020-08-27", "payout.paid", new JsonObject { ["id"] = "po_1" }).Bytes(), new CustomerSettings()));

    // A missing essential is said by its path; everything else may be missing.
    [Theory]
    [InlineData("customer.subscription.updated", "customer", true)]
    [InlineData("customer.subscription.updated", "id", true)]
    [InlineData("customer.subscription.updated", "status", true)]
    [InlineData("customer.subscription.updated", "plan", false)]
    [InlineData("customer.subscription.updated", "items", false)]
    [InlineData("customer.subscription.updated", "metadata", false)]
    [InlineData("customer.subscription.updated", "current_period_end", false)]
    [InlineData("invoice.payment_failed", "customer", true)]
    [InlineData("invoice.payment_failed", "currency", true)]
    [InlineData("invoice.payment_failed", "id", true)]
    [InlineData("invoice.payment_failed", "subscription", false)]
    [InlineData("invoice.payment_failed", "status", false)]
    [InlineData("invoice.upcoming", "id", false)]
    [InlineData("invoice_payment.paid", "invoice", true)]
    [InlineData("invoice_payment.paid", "payment", false)]
    [InlineData("charge.failed", "customer", false)]
    [InlineData("charge.failed", "outcome", false)]
    [InlineData("charge.failed", "currency", true)]
    [InlineData("charge.refunded", "amount_refunded", true)]
    [InlineData("payment_intent.payment_failed", "last_payment_error", false)]
    [InlineData("payment_method.attached", "customer", false)]
    [InlineData("payment_method.attached", "card", false)]
    [InlineData("checkout.session.completed", "customer", false)]
    public void Only_essentials_must_be_there(string type, string field, bool essential)
    {
        foreach (var asNull in new[] { false, true })
        {
            var body = EventOf("2020-08-27", type);
            var about = body["data"]!["object"]!.AsObject();
            if (asNull) about[field] = null;
            else about.Remove(field);
            if (essential)
                Assert.StartsWith($"$.data.object.{field} is missing", Assert.Throws<UnreadableException>(() => StripeReader.Read(body.Bytes(), new CustomerSettings())).Message);
            else
                StripeReader.Read(body.Bytes(), new CustomerSettings());
        }
    }

    [Fact]
    public void A_subscription_without_items_and_currency_cannot_be_read()
    {
        var subscription = Subscription("2016-07-06");
        subscription.Remove("plan");
        Assert.StartsWith("$.data.object.currency is missing",
            Assert.Throws<UnreadableException>(() => Read<SubscriptionChanged>(Event("2016-07-06", "customer.subscription.updated", subscription))).Message);
    }

    [Theory]
    [InlineData("invoice.payment_failed", "amount_due", "\"4000\"")]
    [InlineData("invoice.payment_failed", "amount_due", "40.5")]
    [InlineData("invoice.payment_failed", "amount_due", "1e30")]
    [InlineData("invoice.payment_failed", "next_payment_attempt", "999999999999999")]
    [InlineData("invoice.payment_failed", "next_payment_attempt", "\"tomorrow\"")]
    [InlineData("customer.subscription.updated", "cancel_at_period_end", "1")]
    [InlineData("customer.subscription.updated", "customer", "7")]
    [InlineData("customer.subscription.updated", "items", "7")]
    public void Money_times_and_ids_of_the_wrong_type_are_never_guessed(string type, string field, string value)
    {
        var body = EventOf("2020-08-27", type);
        body["data"]!["object"]![field] = JsonNode.Parse(value);
        Assert.StartsWith($"$.data.object.{field} is", Assert.Throws<UnreadableException>(() => StripeReader.Read(body.Bytes(), new CustomerSettings())).Message);
    }

    [Fact]
    public void Expanded_objects_are_read_by_their_id()
    {
        var invoice = Invoice("2020-08-27");
        invoice["customer"] = new JsonObject { ["id"] = "cus_1", ["object"] = "customer", ["deleted"] = true };
        invoice["subscription"] = new JsonObject { ["id"] = "sub_1", ["object"] = "subscription" };
        invoice["charge"] = null;
        invoice["payment_intent"] = new JsonObject { ["id"] = "pi_1", ["latest_charge"] = "ch_2" };
        var fact = Read<InvoiceChanged>(Event("2020-08-27", "invoice.payment_failed", invoice));
        Assert.Equal(("cus_1", "sub_1", "pi_1", "ch_2"), (fact.CustomerId, fact.Invoice.SubscriptionId, fact.Invoice.PaymentIntentId, fact.Invoice.ChargeId));
    }

    [Fact]
    public void A_pause_of_collection_leaves_the_status_and_says_until_when()
    {
        var subscription = Subscription("2025-09-30.clover");
        subscription["pause_collection"] = new JsonObject { ["behavior"] = "void", ["resumes_at"] = PeriodEnd };
        var snapshot = Read<SubscriptionChanged>(Event("2025-09-30.clover", "customer.subscription.updated", subscription)).Snapshot;
        Assert.Equal(("active", "void", At(PeriodEnd)), (snapshot.Status, snapshot.PauseBehavior, snapshot.PauseResumesAt));
    }

    [Fact]
    public void The_status_paused_is_kept_as_it_is()
    {
        var subscription = Subscription("2026-03-25.dahlia");
        subscription["status"] = "paused";
        Assert.Equal("paused", Read<SubscriptionChanged>(Event("2026-03-25.dahlia", "customer.subscription.paused", subscription)).Snapshot.Status);
    }

    [Fact]
    public void A_deleted_subscription_has_ended_whatever_its_object_says()
    {
        var snapshot = Read<SubscriptionChanged>(Event("2020-08-27", "customer.subscription.deleted", Subscription("2020-08-27"))).Snapshot;
        Assert.Equal(("canceled", At(Created)), (snapshot.Status, snapshot.EndedAt));
        var ended = Subscription("2020-08-27");
        (ended["status"], ended["ended_at"]) = ("incomplete_expired", PeriodEnd);
        snapshot = Read<SubscriptionChanged>(Event("2020-08-27", "customer.subscription.deleted", ended)).Snapshot;
        Assert.Equal(("incomplete_expired", At(PeriodEnd)), (snapshot.Status, snapshot.EndedAt));
    }

    [Fact]
    public void A_cancellation_keeps_what_the_customer_said()
    {
        var subscription = Subscription("2024-06-20");
        subscription["cancellation_details"] = new JsonObject { ["reason"] = "cancellation_requested", ["feedback"] = "too_expensive", ["comment"] = "Budget" };
        var snapshot = Read<SubscriptionChanged>(Event("2024-06-20", "customer.subscription.updated", subscription)).Snapshot;
        Assert.Equal(("cancellation_requested", "too_expensive", "Budget"), (snapshot.CancellationReason, snapshot.CancellationFeedback, snapshot.CancellationComment));
    }

    [Fact]
    public void Of_items_with_different_periods_the_latest_counts()
    {
        JsonObject monthly = Item(Price(1000)), yearly = Item(Price(12000, "year"));
        (monthly["current_period_start"], monthly["current_period_end"]) = (PeriodStart, PeriodEnd);
        (yearly["current_period_start"], yearly["current_period_end"]) = (PeriodStart - 10, PeriodEnd + 10);
        var subscription = WithItems(monthly, yearly);
        subscription.Remove("current_period_start");
        subscription.Remove("current_period_end");
        var snapshot = Read<SubscriptionChanged>(Event("2025-09-30.clover", "customer.subscription.updated", subscription)).Snapshot;
        Assert.Equal((At(PeriodStart - 10), At(PeriodEnd + 10), "year", 2000L), (snapshot.PeriodStartAt, snapshot.PeriodEndAt, snapshot.Interval, snapshot.Mrr));
    }

    [Fact]
    public void A_renewal_is_announced_with_amount_and_day()
    {
        var fact = Read<InvoiceUpcoming>(EventOf("2025-03-31.basil", "invoice.upcoming"));
        Assert.Equal(("sub_1", 4000L, "usd", At(Created + 259_200)), (fact.SubscriptionId, fact.AmountDue, fact.Currency, fact.DueAt));
    }

    [Fact]
    public void Payments_refunds_and_disputes_refer_to_what_leads_to_the_customer()
    {
        var paid = Read<InvoicePaymentPaid>(EventOf("2025-03-31.basil", "invoice_payment.paid"));
        Assert.Equal(("in_1", 4000L, At(Created - 5), "pi_1"), (paid.InvoiceId, paid.AmountPaid, paid.PaidAt, paid.PaymentIntentId));
        Assert.Equal([new("invoice", "in_1"), new("payment-intent", "pi_1")], paid.References);

        var refund = Read<ChargeRefunded>(EventOf("2020-08-27", "charge.refunded"));
        Assert.Equal(("ch_1", 1500L, "usd"), (refund.ChargeId, refund.AmountRefunded, refund.Currency));
        Assert.Equal([new("invoice", "in_1"), new("payment-intent", "pi_1"), new("charge", "ch_1")], refund.References);

        var dispute = Read<DisputeOpened>(EventOf("2020-08-27", "charge.dispute.created"));
        Assert.Equal(("dp_1", 4000L, "usd", "fraudulent"), (dispute.DisputeId, dispute.Amount, dispute.Currency, dispute.Reason));
        Assert.Equal([new("payment-intent", "pi_1"), new("charge", "ch_1")], dispute.References);
    }

    [Fact]
    public void Where_stripe_gives_no_reason_the_networks_code_is_kept()
    {
        var charge = FailedCharge("2025-09-30.clover");
        charge["outcome"]!["reason"] = null;
        Assert.Equal("51", Read<PaymentFailed>(Event("2025-09-30.clover", "charge.failed", charge)).Failure.DeclineCode);
    }

    [Theory]
    [InlineData("order-5", null)]
    [InlineData("in_", null)]
    [InlineData("in_the mood", null)]
    [InlineData("in_5", "in_5")]
    public void Only_an_invoices_id_counts_as_the_order_of_a_payment(string order, string? invoice)
    {
        var intent = FailedIntent("2025-09-30.clover");
        intent["payment_details"]!["order_reference"] = order;
        Assert.Equal(invoice, Read<PaymentFailed>(Event("2025-09-30.clover", "payment_intent.payment_failed", intent)).Failure.InvoiceId);
    }

    [Fact]
    public void A_way_to_pay_that_is_no_card_has_no_card()
    {
        var method = new JsonObject { ["id"] = "pm_1", ["customer"] = "cus_1", ["type"] = "sepa_debit", ["sepa_debit"] = new JsonObject { ["last4"] = "3000" } };
        Assert.Null(Read<PaymentMethodChanged>(Event("2020-08-27", "payment_method.attached", method)).Card);
    }

    [Fact]
    public void An_expiring_card_is_read_from_cards_and_sources()
    {
        var expected = new Card("visa", "4242", 6, 2025) { Id = "card_9" };
        Assert.Equal(expected, Read<CardExpiring>(EventOf("2016-07-06", "customer.source.expiring")).Card);
        var source = new JsonObject { ["id"] = "src_1", ["object"] = "source", ["customer"] = "cus_1", ["type"] = "card", ["card"] = new JsonObject { ["brand"] = "Visa", ["last4"] = "4242", ["exp_month"] = 6, ["exp_year"] = 2025 } };
        Assert.Equal(expected with { Id = "src_1" }, Read<CardExpiring>(Event("2018-05-21", "customer.source.expiring", source)).Card);
    }

    [Fact]
    public void The_card_that_invoices_are_charged_to_goes_before_the_old_default_source()
    {
        var customer = CustomerObject("2020-08-27");
        customer["invoice_settings"] = new JsonObject { ["default_payment_method"] = "pm_5" };
        Assert.Null(Read<CustomerChanged>(Event("2020-08-27", "customer.updated", customer)).Profile.Card); // only named
        customer["invoice_settings"]!["default_payment_method"] = new JsonObject { ["id"] = "pm_5", ["type"] = "card", ["card"] = new JsonObject { ["brand"] = "visa", ["last4"] = "4242" } };
        Assert.Equal(new Card("visa", "4242", null, null) { Id = "pm_5" }, Read<CustomerChanged>(Event("2020-08-27", "customer.updated", customer)).Profile.Card);
    }

    [Theory]
    [InlineData("Europe/London", "Europe/London")]
    [InlineData("Middle/Earth", null)]
    [InlineData("../../etc/passwd", null)]
    [InlineData("", null)]
    public void Only_a_time_zone_that_exists_is_one(string written, string? read)
    {
        var customer = CustomerObject("2020-08-27");
        customer["metadata"] = new JsonObject { ["timezone"] = written };
        Assert.Equal(read, Read<CustomerChanged>(Event("2020-08-27", "customer.created", customer)).Profile.TimeZone);
    }

    [Fact]
    public void A_checkout_ties_the_apps_user_to_the_customer()
    {
        var fact = Read<CheckoutCompleted>(EventOf("2020-08-27", "checkout.session.completed"));
        Assert.Equal(("cus_1", "u-7", "ada@example.com", "u-7"), (fact.CustomerId, fact.ClientReferenceId, fact.Email, fact.UserId));
    }
}
