using System.Text.Json.Nodes;
using FsCheck;
using FsCheck.Fluent;
using RetentionFunctions.Customers;
using RetentionFunctions.Intake.Stripe;
using RetentionFunctions.Local.Sandbox;
using RetentionFunctions.Settings;

namespace RetentionFunctions.Tests.Sandbox;

/// <summary>The simulated Stripe sends what the real one would, in its order and shapes.</summary>
public class SandboxStripeTests
{
    internal const string Newest = "2026-07-29.dahlia";
    internal const string Older = "2020-08-27";
    internal static readonly DateTimeOffset Start = new(2025, 1, 31, 10, 0, 0, TimeSpan.Zero);
    internal static readonly SandboxPrice Pro = new("price_pro", "Pro", 4900, "usd", "month");
    internal static readonly SandboxPrice Team = new("price_team", "Team", 9900, "usd", "month");
    internal static readonly SandboxCard Good = new("visa", "4242", 8, 2035);
    internal static readonly SandboxCard Poor = Good with { DeclineCode = "insufficient_funds" };

    public static TheoryData<string> Versions => [Newest, Older];

    internal static SandboxStripe Stripe(string version = Newest, SandboxFinalAction final = SandboxFinalAction.Cancel) => new(new SandboxOptions { ApiVersion = version, FinalAction = final });

    internal static List<SandboxEvent> SignUp(SandboxStripe stripe, SandboxCard? card = null, int trialDays = 0, SandboxPrice? price = null, string? user = null) =>
    [
        .. stripe.CreateCustomer("cus_Ada", "ada@example.com", "Ada", "GB", card ?? Good, Start, new Dictionary<string, string> { ["plan"] = "pro" }),
        .. stripe.Subscribe("cus_Ada", "sub_Ada", price ?? Pro, 1, Start, trialDays, user),
    ];

    internal static StripeFact Read(SandboxEvent e) => StripeReader.Read(e.Body, new CustomerSettings());

    internal static string[] Types(IEnumerable<SandboxEvent> events) => [.. events.Select(e => e.Type)];

    internal static JsonNode About(SandboxEvent e) => JsonNode.Parse(e.Body.Span)!["data"]!["object"]!;

    internal static SubscriptionSnapshot Said(SandboxEvent e) => Assert.IsType<SubscriptionChanged>(Read(e)).Snapshot;

    internal static SandboxEvent Last(IEnumerable<SandboxEvent> events, string type) => events.Last(e => e.Type == type);

    [Theory, MemberData(nameof(Versions))]
    public void Someone_who_signs_up_is_charged_and_then_active(string version)
    {
        var events = SignUp(Stripe(version), user: "u-7");
        string[] paid = version == Newest ? ["invoice.paid", "invoice.payment_succeeded", "invoice_payment.paid"] : ["invoice.paid", "invoice.payment_succeeded"];
        Assert.Equal(["customer.created", "payment_method.attached", "customer.updated", "customer.subscription.created", "invoice.created", "invoice.finalized", .. paid,
            "customer.subscription.updated", "checkout.session.completed"], Types(events));
        Assert.Equal(("incomplete", 4900L), (Said(events.Single(e => e.Type == "customer.subscription.created")).Status, Said(Last(events, "customer.subscription.updated")).Mrr));
        Assert.Equal(("active", "incomplete"), (Said(Last(events, "customer.subscription.updated")).Status, Said(Last(events, "customer.subscription.updated")).PreviousStatus));
        Assert.Equal("u-7", Assert.IsType<CheckoutCompleted>(Read(events[^1])).ClientReferenceId);
        var invoice = Assert.IsType<InvoiceChanged>(Read(Last(events, "invoice.paid"))).Invoice;
        Assert.Equal(("sub_Ada", "paid", 4900L, "subscription_create", "ADA-0001"), (invoice.SubscriptionId, invoice.Status, invoice.AmountPaid, invoice.BillingReason, invoice.Number));
        var profile = Assert.IsType<CustomerChanged>(Read(events[0])).Profile;
        Assert.Equal(("ada@example.com", "Ada", "GB"), (profile.Email, profile.Name, profile.Country));
        Assert.Equal("4242", Assert.IsType<PaymentMethodChanged>(Read(events[1])).Card!.Last4);
    }

    [Theory, MemberData(nameof(Versions))]
    public void A_renewal_is_announced_drafted_and_charged_an_hour_later(string version)
    {
        var stripe = Stripe(version);
        SignUp(stripe);
        var end = new DateTimeOffset(2025, 2, 28, 10, 0, 0, TimeSpan.Zero);
        Assert.Equal(end.AddDays(-7), stripe.NextAt);
        var upcoming = Assert.Single(stripe.AdvanceTo(end.AddDays(-7)));
        Assert.Equal(("invoice.upcoming", 4900L, end.AddHours(1)), (upcoming.Type, Assert.IsType<InvoiceUpcoming>(Read(upcoming)).AmountDue, ((InvoiceUpcoming)Read(upcoming)).DueAt));
        var renewed = stripe.AdvanceTo(end);
        Assert.Equal(["invoice.created", "customer.subscription.updated"], Types(renewed));
        // From the 31st: the last day of February, then the 31st again.
        Assert.Equal((end, new DateTimeOffset(2025, 3, 31, 10, 0, 0, TimeSpan.Zero)), (Said(renewed[1]).PeriodStartAt, Said(renewed[1]).PeriodEndAt));
        Assert.Equal(end.AddHours(1), stripe.NextAt);
        Assert.Equal(["invoice.finalized", "invoice.paid", "invoice.payment_succeeded"], Types(stripe.AdvanceTo(end.AddHours(1))).Take(3));
    }

    [Theory, MemberData(nameof(Versions))]
    public void A_renewal_that_fails_says_so_in_Stripes_order_and_is_tried_until_it_is_cancelled(string version)
    {
        var stripe = Stripe(version);
        SignUp(stripe);
        stripe.SetCard("cus_Ada", Poor, Start.AddDays(20));
        var failed = new DateTimeOffset(2025, 2, 28, 11, 0, 0, TimeSpan.Zero);
        var events = stripe.AdvanceTo(failed).SkipWhile(e => e.Type == "invoice.upcoming").ToList();
        Assert.Equal(["invoice.created", "customer.subscription.updated", "invoice.finalized", "charge.failed", "payment_intent.payment_failed", "invoice.payment_failed", "customer.subscription.updated"], Types(events));
        Assert.Equal(("past_due", "active"), (Said(events[^1]).Status, Said(events[^1]).PreviousStatus));
        var charge = Assert.IsType<PaymentFailed>(Read(events[3])).Failure;
        Assert.Equal(("card_declined", "insufficient_funds", 4900L), (charge.Code, charge.DeclineCode, charge.Amount));
        Assert.Equal(Assert.IsType<InvoiceChanged>(Read(events[5])).Invoice.InvoiceId, Assert.IsType<PaymentFailed>(Read(events[4])).Failure.InvoiceId);

        foreach (var (day, attempt) in new[] { (3, 2), (5, 3) })
        {
            Assert.Equal(failed.AddDays(day), stripe.NextAt);
            var retry = stripe.AdvanceTo(failed.AddDays(day));
            Assert.Equal(["charge.failed", "payment_intent.payment_failed", "invoice.payment_failed"], Types(retry));
            Assert.Equal((attempt, failed.AddDays(day + 2)), (Assert.IsType<InvoiceChanged>(Read(retry[2])).Invoice.AttemptCount, ((InvoiceChanged)Read(retry[2])).Invoice.NextAttemptAt));
        }
        var last = stripe.AdvanceTo(failed.AddDays(7));
        Assert.Equal(["charge.failed", "payment_intent.payment_failed", "invoice.payment_failed", "customer.subscription.deleted"], Types(last));
        Assert.Null(Assert.IsType<InvoiceChanged>(Read(last[2])).Invoice.NextAttemptAt);
        Assert.Equal(("canceled", failed.AddDays(7)), (Said(last[3]).Status, Said(last[3]).EndedAt));
        if (version == Newest) Assert.Equal("payment_failed", Said(last[3]).CancellationReason);
        Assert.Null(stripe.NextAt);
    }

    [Fact]
    public void A_payment_that_is_given_up_leaves_the_subscription_unpaid_where_that_is_chosen_and_a_payment_brings_it_back()
    {
        var stripe = Stripe(final: SandboxFinalAction.MarkUnpaid);
        SignUp(stripe);
        stripe.SetCard("cus_Ada", Poor, Start.AddDays(20));
        var events = stripe.AdvanceTo(Start.AddDays(40));
        Assert.Equal(("unpaid", "past_due"), (Said(events[^1]).Status, Said(events[^1]).PreviousStatus));
        var next = stripe.AdvanceTo(new DateTimeOffset(2025, 4, 15, 0, 0, 0, TimeSpan.Zero));
        Assert.Equal(["invoice.created", "customer.subscription.updated"], Types(next)); // stays a draft
        stripe.Pay((string)About(next[0])["id"]!, Start.AddDays(80));
        Assert.Equal("active", stripe.Subscription("sub_Ada")!.Status);
    }

    [Theory, MemberData(nameof(Versions))]
    public void A_new_card_pays_at_the_next_try(string version)
    {
        var stripe = Stripe(version);
        SignUp(stripe);
        stripe.SetCard("cus_Ada", Poor, Start.AddDays(20));
        var failed = new DateTimeOffset(2025, 2, 28, 11, 0, 0, TimeSpan.Zero);
        stripe.AdvanceTo(failed);
        Assert.Equal(["payment_method.attached", "customer.updated"], Types(stripe.SetCard("cus_Ada", Good, failed.AddDays(1))));
        var recovered = stripe.AdvanceTo(failed.AddDays(3));
        Assert.Equal("invoice.paid", recovered[0].Type);
        Assert.Equal(("active", "past_due"), (Said(recovered[^1]).Status, Said(recovered[^1]).PreviousStatus));
    }

    [Fact]
    public void A_card_that_fails_twice_goes_through_at_the_third_charge()
    {
        var stripe = Stripe();
        SignUp(stripe);
        stripe.SetCard("cus_Ada", Poor with { FailTimes = 2 }, Start.AddDays(20));
        var types = Types(stripe.AdvanceTo(new DateTimeOffset(2025, 3, 6, 0, 0, 0, TimeSpan.Zero)));
        Assert.Equal((2, 1), (types.Count(t => t == "charge.failed"), types.Count(t => t == "invoice.paid")));
    }

    [Theory, MemberData(nameof(Versions))]
    public void A_bank_that_wants_a_confirmation_asks_for_it_and_the_customers_payment_settles_it(string version)
    {
        var stripe = Stripe(version);
        SignUp(stripe);
        stripe.SetCard("cus_Ada", Good with { DeclineCode = "authentication_required" }, Start.AddDays(20));
        var events = stripe.AdvanceTo(new DateTimeOffset(2025, 3, 4, 0, 0, 0, TimeSpan.Zero)); // with the first retry, which is not charged
        Assert.DoesNotContain(events, e => e.Type == "charge.failed");
        Assert.Equal(["payment_intent.payment_failed", "invoice.payment_action_required", "invoice.payment_failed", "customer.subscription.updated"], Types(events)[^4..]);
        var paid = stripe.Pay((string)About(Last(events, "invoice.payment_failed"))["id"]!, new DateTimeOffset(2025, 3, 4, 1, 0, 0, TimeSpan.Zero));
        Assert.Equal("invoice.paid", paid[0].Type);
        Assert.Equal("active", Said(paid[^1]).Status);
    }

    [Fact]
    public void A_first_payment_that_fails_leaves_it_incomplete_and_after_23_hours_it_expires()
    {
        var stripe = Stripe();
        var events = SignUp(stripe, Poor, user: "u-7");
        Assert.Equal(["invoice.finalized", "charge.failed", "payment_intent.payment_failed", "invoice.payment_failed"], Types(events)[^4..]);
        Assert.Equal(Start.AddHours(23), stripe.NextAt);
        var expired = stripe.AdvanceTo(Start.AddDays(9));
        Assert.Equal(["invoice.voided", "customer.subscription.updated"], Types(expired));
        Assert.Equal("incomplete_expired", Said(expired[1]).Status);
        Assert.Null(stripe.NextAt);
    }

    [Theory, MemberData(nameof(Versions))]
    public void A_pause_over_a_renewal_voids_its_invoice_and_ends_by_itself(string version)
    {
        var stripe = Stripe(version);
        SignUp(stripe);
        var until = Start.AddDays(40);
        var paused = Said(Assert.Single(stripe.Pause("sub_Ada", until, Start.AddDays(5))));
        Assert.Equal(("void", until, "active"), (paused.PauseBehavior, paused.PauseResumesAt, paused.Status));
        var events = stripe.AdvanceTo(until);
        Assert.Equal(["invoice.created", "customer.subscription.updated", "invoice.voided", "customer.subscription.updated"], Types(events));
        Assert.Equal("void", Assert.IsType<InvoiceChanged>(Read(events[2])).Invoice.Status);
        Assert.Null(Said(events[3]).PauseBehavior);
        Assert.Contains(stripe.AdvanceTo(Start.AddDays(70)), e => e.Type == "invoice.paid");
        Assert.Empty(stripe.Resume("sub_Ada", Start.AddDays(71)));
    }

    [Theory, MemberData(nameof(Versions))]
    public void A_trial_is_announced_to_end_and_then_charged(string version)
    {
        var stripe = Stripe(version);
        var begun = SignUp(stripe, trialDays: 14, user: "u-7");
        Assert.Equal("trialing", Said(begun.Single(e => e.Type == "customer.subscription.created")).Status);
        Assert.Equal(0, Assert.IsType<InvoiceChanged>(Read(Last(begun, "invoice.paid"))).Invoice.AmountDue);
        Assert.Equal("checkout.session.completed", begun[^1].Type);
        var events = stripe.AdvanceTo(Start.AddDays(15));
        Assert.Equal(["invoice.upcoming", "customer.subscription.trial_will_end", "invoice.created", "customer.subscription.updated", "invoice.finalized", "invoice.paid"], Types(events).Take(6));
        Assert.Equal(Start.AddDays(11), events[1].CreatedAt);
        Assert.Equal(("active", "trialing", Start.AddDays(14).AddMonths(1)), (Said(events[3]).Status, Said(events[3]).PreviousStatus, Said(events[3]).PeriodEndAt));
    }

    [Theory, MemberData(nameof(Versions))]
    public void A_coupon_for_one_invoice_is_used_up_by_it(string version)
    {
        var stripe = Stripe(version);
        SignUp(stripe);
        var said = Said(Assert.Single(stripe.ApplyCoupon("sub_Ada", new SandboxCoupon("STAY50", 50, null, "once"), Start.AddDays(3))));
        if (version == Newest) Assert.Contains("id only", Assert.Single(said.Unpriced));
        var paid = stripe.AdvanceTo(Start.AddDays(62)).Where(e => e.Type == "invoice.paid").Select(e => Assert.IsType<InvoiceChanged>(Read(e)).Invoice.AmountPaid);
        Assert.Equal([2450, 4900], paid);
    }

    [Fact]
    public void A_coupon_for_good_lowers_the_mrr_where_the_version_says_what_it_takes_off()
    {
        var stripe = Stripe(Older);
        SignUp(stripe);
        Assert.Equal(3900, Said(Assert.Single(stripe.ApplyCoupon("sub_Ada", new SandboxCoupon("TEN", null, 1000, "forever"), Start.AddDays(3)))).Mrr);
    }

    [Theory, MemberData(nameof(Versions))]
    public void An_end_that_was_asked_for_comes_with_the_period_unless_it_is_taken_back(string version)
    {
        var stripe = Stripe(version);
        SignUp(stripe);
        var end = new DateTimeOffset(2025, 2, 28, 10, 0, 0, TimeSpan.Zero);
        var asked = Said(Assert.Single(stripe.CancelAtPeriodEnd("sub_Ada", "too_expensive", "Too dear", Start.AddDays(2))));
        Assert.Equal((end, Start.AddDays(2)), (asked.CancelAt, asked.CanceledAt));
        Assert.Null(Said(Assert.Single(stripe.UndoCancel("sub_Ada", Start.AddDays(3)))).CancelAt);
        Assert.Empty(stripe.UndoCancel("sub_Ada", Start.AddDays(3)));
        stripe.CancelAtPeriodEnd("sub_Ada", "too_expensive", "Too dear", Start.AddDays(4));
        var gone = Assert.Single(stripe.AdvanceTo(Start.AddDays(90)));
        Assert.Equal(("customer.subscription.deleted", end), (gone.Type, Said(gone).EndedAt));
        if (version == Newest) Assert.Equal(("cancellation_requested", "too_expensive", "Too dear"), (Said(gone).CancellationReason, Said(gone).CancellationFeedback, Said(gone).CancellationComment));
        Assert.Throws<SandboxRefusedException>(() => stripe.Pause("sub_Ada", Start.AddDays(120), Start.AddDays(91)));
    }

    [Theory, MemberData(nameof(Versions))]
    public void A_larger_plan_is_settled_with_the_next_invoice_and_a_year_is_billed_at_once(string version)
    {
        var stripe = Stripe(version);
        SignUp(stripe);
        Assert.Equal(9900, Said(Assert.Single(stripe.ChangePrice("sub_Ada", Team, 1, Start.AddDays(14)))).Mrr); // half of the 28 days
        var renewed = stripe.AdvanceTo(Start.AddDays(29)).Last(e => e.Type == "invoice.paid");
        Assert.Equal(9900 + 2500, Assert.IsType<InvoiceChanged>(Read(renewed)).Invoice.AmountPaid);
        var yearly = stripe.ChangePrice("sub_Ada", new SandboxPrice("price_year", "Team yearly", 99_000, "usd", "year"), 1, Start.AddDays(30));
        Assert.Equal(["customer.subscription.updated", "invoice.created", "invoice.finalized", "invoice.paid"], Types(yearly).Take(4));
        Assert.Equal((8250, Start.AddDays(30).AddYears(1)), (Said(yearly[0]).Mrr, Said(yearly[0]).PeriodEndAt));
        Assert.InRange(Assert.IsType<InvoiceChanged>(Read(yearly[3])).Invoice.AmountPaid, 99_000 - 9900, 99_000 - 9000);
    }

    [Theory, MemberData(nameof(Versions))]
    public void A_refund_and_a_dispute_name_the_payment(string version)
    {
        var stripe = Stripe(version);
        var invoice = Assert.IsType<InvoiceChanged>(Read(Last(SignUp(stripe), "invoice.paid"))).Invoice;
        var refund = Assert.IsType<ChargeRefunded>(Read(Assert.Single(stripe.Refund(invoice.InvoiceId, Start.AddDays(1)))));
        Assert.Equal(4900, refund.AmountRefunded);
        var dispute = Assert.IsType<DisputeOpened>(Read(Assert.Single(stripe.Dispute(invoice.InvoiceId, Start.AddDays(2)))));
        Assert.Equal((4900, refund.ChargeId), (dispute.Amount, dispute.References.Single(r => r.Kind == "charge").Id));
        Assert.Throws<SandboxRefusedException>(() => stripe.Refund(invoice.InvoiceId, Start.AddDays(3)));
    }

    [Theory, MemberData(nameof(Versions))]
    public void A_card_that_expires_is_told_and_fails_unless_its_network_renews_it(string version)
    {
        var stripe = Stripe(version);
        SignUp(stripe, new SandboxCard("visa", "1881", 3, 2025));
        var told = stripe.AdvanceTo(new DateTimeOffset(2025, 3, 1, 0, 0, 0, TimeSpan.Zero))[^1];
        Assert.Equal("1881", Assert.IsType<CardExpiring>(Read(told)).Card!.Last4);
        var failed = stripe.AdvanceTo(new DateTimeOffset(2025, 4, 30, 12, 0, 0, TimeSpan.Zero)).Where(e => e.Type == "charge.failed").ToList();
        Assert.Equal("expired_card", Assert.IsType<PaymentFailed>(Read(failed[0])).Failure.Code);

        var renewed = Stripe(version);
        SignUp(renewed, new SandboxCard("visa", "1881", 3, 2025));
        var updated = Assert.Single(renewed.SetCard("cus_Ada", new SandboxCard("visa", "1881", 3, 2029), Start.AddDays(50), automatically: true), e => e.Type.StartsWith("payment_method", StringComparison.Ordinal));
        Assert.Equal(("payment_method.automatically_updated", 2029), (updated.Type, Assert.IsType<PaymentMethodChanged>(Read(updated)).Card!.ExpYear));
        Assert.DoesNotContain(renewed.AdvanceTo(Start.AddDays(120)), e => e.Type == "charge.failed");
    }

    /// <summary>Whatever a customer does, every event reads, ids are told once, times never run back, and stored in between it goes on as if it had not been.</summary>
    [Theory, MemberData(nameof(Versions))]
    public void Any_life_reads_and_is_the_same_again_also_when_it_is_stored_in_between(string version)
    {
        var acts = Gen.Choose(0, 15).ArrayOf().Where(a => a.Length <= 40);
        Prop.ForAll(acts.ToArbitrary(), acts =>
        {
            var once = Live(version, acts, store: false);
            var stored = Live(version, acts, store: true);
            Assert.Equal(once.Select(e => e.Id), once.Select(e => e.Id).Distinct());
            Assert.Equal(once.Select(e => e.CreatedAt), once.Select(e => e.CreatedAt).Order());
            Assert.Equal(once.Select(Text), stored.Select(Text));
            foreach (var e in once) Read(e);
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(40));
    }

    private static string Text(SandboxEvent e) => System.Text.Encoding.UTF8.GetString(e.Body.Span);

    internal static List<SandboxEvent> Live(string version, int[] acts, bool store)
    {
        var options = new SandboxOptions { ApiVersion = version };
        var stripe = new SandboxStripe(options);
        var events = SignUp(stripe, trialDays: acts.Length % 2 * 14);
        var at = Start;
        for (var i = 0; i < acts.Length; i++)
        {
            at = at.AddDays(acts[i] + 2).AddMinutes(i);
            if (store)
            {
                var json = System.Text.Json.JsonSerializer.Serialize(stripe.States().ToList(), RetentionFunctions.Storage.TablesExtensions.Json);
                stripe = new SandboxStripe(options, System.Text.Json.JsonSerializer.Deserialize<List<SandboxAccountState>>(json, RetentionFunctions.Storage.TablesExtensions.Json)!);
            }
            try
            {
                events.AddRange(acts[i] switch
                {
                    0 => stripe.ChangePrice("sub_Ada", i % 2 == 0 ? Team : Pro, 1 + i, at),
                    1 => stripe.CancelAtPeriodEnd("sub_Ada", "unused", null, at),
                    2 => stripe.UndoCancel("sub_Ada", at),
                    3 => stripe.Pause("sub_Ada", at.AddMonths(1), at),
                    4 => stripe.Resume("sub_Ada", at),
                    5 => stripe.ApplyCoupon("sub_Ada", new SandboxCoupon("TEN", 10, null, i % 2 == 0 ? "repeating" : "once"), at),
                    6 => stripe.SetCard("cus_Ada", Poor, at),
                    7 => stripe.SetCard("cus_Ada", Good with { Last4 = "1111" }, at, automatically: i % 2 == 0),
                    8 => stripe.ChangePrice("sub_Ada", new SandboxPrice("price_year", "Year", 49_000, "usd", i % 2 == 0 ? "year" : "month", 2), 1, at),
                    9 => stripe.SetCard("cus_Ada", Poor with { DeclineCode = "lost_card" }, at),
                    10 => stripe.Subscription("sub_Ada")!.LatestInvoiceId is { } invoice ? stripe.Pay(invoice, at) : [],
                    11 => stripe.Subscription("sub_Ada")!.LatestInvoiceId is { } owed ? stripe.PayInVain(owed, Poor, at) : [],
                    12 => stripe.Subscription("sub_Ada")!.LatestInvoiceId is { } bad ? stripe.MarkUncollectible(bad, at) : [],
                    13 => stripe.CorrectCard("cus_Ada", $"{10000 + i}", at),
                    14 => i > 20 ? stripe.DeleteCustomer("cus_Ada", at) : stripe.RemoveCoupon("sub_Ada", at),
                    _ => stripe.AdvanceTo(at.AddDays(20)),
                });
            }
            catch (SandboxRefusedException)
            {
                // Refused, as Stripe would: nothing changes.
            }
        }
        return events;
    }

    [Fact]
    public void What_is_refused_changes_nothing()
    {
        var stripe = Stripe();
        SignUp(stripe);
        var before = System.Text.Json.JsonSerializer.Serialize(stripe.State("cus_Ada"));
        Assert.Throws<SandboxRefusedException>(() => stripe.Pause("sub_Ada", Start, Start.AddDays(40)));
        Assert.Throws<SandboxRefusedException>(() => stripe.Pay("in_unknown", Start.AddDays(40)));
        Assert.Throws<SandboxRefusedException>(() => SignUp(stripe));
        Assert.Equal(before, System.Text.Json.JsonSerializer.Serialize(stripe.State("cus_Ada")));
        Assert.Throws<ArgumentException>(() => Stripe("2019-03-14"));
    }
}
