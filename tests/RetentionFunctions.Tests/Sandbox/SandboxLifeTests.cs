using RetentionFunctions.Intake.Stripe;
using RetentionFunctions.Local.Sandbox;
using static RetentionFunctions.Tests.Sandbox.SandboxStripeTests;

namespace RetentionFunctions.Tests.Sandbox;

/// <summary>The rarer turns of a customer's life at the simulated Stripe.</summary>
public class SandboxLifeTests
{
    public static TheoryData<string> Versions => SandboxStripeTests.Versions;

    private static SandboxStripe TrialWithoutCard(string version)
    {
        var stripe = Stripe(version);
        stripe.CreateCustomer("cus_Ada", "ada@example.com", "Ada", "GB", null, Start);
        stripe.Subscribe("cus_Ada", "sub_Ada", Pro, 1, Start, trialDays: 14);
        return stripe;
    }

    [Theory, MemberData(nameof(Versions))]
    public void A_trial_that_ends_without_a_card_stands_still_and_a_card_alone_does_not_resume_it(string version)
    {
        var stripe = TrialWithoutCard(version);
        var events = stripe.AdvanceTo(Start.AddDays(60));
        Assert.Equal(["customer.subscription.trial_will_end", "customer.subscription.updated", "customer.subscription.paused"], Types(events));
        Assert.Equal(("paused", "trialing", Start.AddDays(14)), (Said(events[1]).Status, Said(events[1]).PreviousStatus, events[2].CreatedAt));
        Assert.Equal("paused", Said(events[2]).Status);
        Assert.Null(stripe.NextAt);
        Assert.Throws<SandboxRefusedException>(() => stripe.Resume("sub_Ada", Start.AddDays(61)));
        Assert.Equal(["payment_method.attached", "customer.updated"], Types(stripe.SetCard("cus_Ada", Good, Start.AddDays(61))));
        Assert.Equal("paused", stripe.Subscription("sub_Ada")!.Status);
    }

    [Theory, MemberData(nameof(Versions))]
    public void What_stood_still_runs_again_when_its_first_invoice_is_paid(string version)
    {
        var stripe = TrialWithoutCard(version);
        stripe.AdvanceTo(Start.AddDays(20));
        stripe.SetCard("cus_Ada", Good, Start.AddDays(20));
        var events = stripe.Resume("sub_Ada", Start.AddDays(21));
        Assert.Equal(["customer.subscription.updated", "invoice.created", "invoice.finalized", "invoice.paid"], Types(events).Take(4));
        Assert.Equal(["customer.subscription.updated", "customer.subscription.resumed"], Types(events)[^2..]);
        Assert.Equal(("active", Start.AddDays(21), Start.AddDays(21).AddMonths(1)), (Said(events[^1]).Status, Said(events[^1]).PeriodStartAt, Said(events[^1]).PeriodEndAt));
        Assert.Contains(stripe.AdvanceTo(Start.AddDays(60)), e => e.Type == "invoice.paid");
    }

    [Fact]
    public void A_card_that_fails_when_it_resumes_leaves_it_still_and_the_invoice_is_void_a_day_later()
    {
        var stripe = TrialWithoutCard(Newest);
        stripe.AdvanceTo(Start.AddDays(20));
        stripe.SetCard("cus_Ada", Poor, Start.AddDays(20));
        Assert.Equal("invoice.payment_failed", stripe.Resume("sub_Ada", Start.AddDays(21))[^1].Type);
        Assert.Equal("invoice.voided", Assert.Single(stripe.AdvanceTo(Start.AddDays(40))).Type);
        Assert.Equal("paused", stripe.Subscription("sub_Ada")!.Status);
        stripe.SetCard("cus_Ada", Good, Start.AddDays(41));
        Assert.Equal("customer.subscription.resumed", stripe.Resume("sub_Ada", Start.AddDays(41))[^1].Type);
    }

    [Fact]
    public void Without_a_card_nothing_begins_but_a_trial()
    {
        var stripe = Stripe();
        Assert.Equal(["customer.created"], Types(stripe.CreateCustomer("cus_Ada", "ada@example.com", "Ada", null, null, Start)));
        Assert.Throws<SandboxRefusedException>(() => stripe.Subscribe("cus_Ada", "sub_Ada", Pro, 1, Start));
    }

    [Theory, MemberData(nameof(Versions))]
    public void A_card_that_is_refused_on_the_invoices_page_is_not_kept_and_changes_nothing_about_Stripes_own_tries(string version)
    {
        var stripe = Stripe(version);
        SignUp(stripe);
        stripe.SetCard("cus_Ada", Poor with { FailTimes = 1 }, Start.AddDays(20));
        var failed = new DateTimeOffset(2025, 2, 28, 11, 0, 0, TimeSpan.Zero);
        var invoice = Assert.IsType<InvoiceChanged>(Read(Last(stripe.AdvanceTo(failed), "invoice.payment_failed"))).Invoice;
        var vain = stripe.PayInVain(invoice.InvoiceId, Good with { Last4 = "0002", DeclineCode = "stolen_card" }, failed.AddDays(1));
        Assert.Equal(["charge.failed", "payment_intent.payment_failed", "invoice.payment_failed"], Types(vain));
        var charge = Assert.IsType<PaymentFailed>(Read(vain[0])).Failure;
        Assert.Equal(("stolen_card", "0002"), (charge.DeclineCode, charge.Card!.Last4));
        var after = Assert.IsType<InvoiceChanged>(Read(vain[2])).Invoice;
        Assert.Equal((invoice.AttemptCount, invoice.NextAttemptAt), (after.AttemptCount, after.NextAttemptAt));
        Assert.Equal("4242", stripe.Customer("cus_Ada")!.Card!.Last4);
        Assert.Equal("invoice.paid", stripe.AdvanceTo(failed.AddDays(3))[0].Type);
    }

    [Theory, MemberData(nameof(Versions))]
    public void Bad_debt_is_said_and_can_still_be_paid(string version)
    {
        var stripe = Stripe(version);
        SignUp(stripe);
        stripe.SetCard("cus_Ada", Poor, Start.AddDays(20));
        stripe.AdvanceTo(Start.AddDays(60));
        var owed = stripe.State("cus_Ada")!.Invoices[^1];
        Assert.Equal("open", owed.Status);
        var told = Assert.Single(stripe.MarkUncollectible(owed.Id, Start.AddDays(61)));
        Assert.Equal(("invoice.marked_uncollectible", "uncollectible"), (told.Type, Assert.IsType<InvoiceChanged>(Read(told)).Invoice.Status));
        Assert.Throws<SandboxRefusedException>(() => stripe.MarkUncollectible(owed.Id, Start.AddDays(62)));
        Assert.Equal("invoice.paid", stripe.Pay(owed.Id, Start.AddDays(63))[0].Type);
    }

    [Fact]
    public void A_customer_who_is_deleted_is_gone_with_all_that_ran()
    {
        var stripe = Stripe();
        SignUp(stripe);
        Assert.Equal(["customer.subscription.deleted", "customer.deleted"], Types(stripe.DeleteCustomer("cus_Ada", Start.AddDays(3))));
        Assert.Null(stripe.NextAt);
        Assert.Throws<SandboxRefusedException>(() => stripe.SetCard("cus_Ada", Good, Start.AddDays(4)));
        Assert.Throws<SandboxRefusedException>(() => stripe.Subscribe("cus_Ada", "sub_Ada2", Pro, 1, Start.AddDays(4)));
        Assert.Null(SandboxView.Of(stripe, "cus_Ada"));
    }

    [Fact]
    public void A_corrected_address_of_the_card_is_told_as_it_was_and_as_it_is()
    {
        var stripe = Stripe();
        SignUp(stripe);
        var told = Assert.Single(stripe.CorrectCard("cus_Ada", "10117", Start.AddDays(3)));
        Assert.Equal("4242", Assert.IsType<PaymentMethodChanged>(Read(told)).Card!.Last4);
        var body = System.Text.Encoding.UTF8.GetString(told.Body.Span);
        Assert.Contains("\"postal_code\":\"10117\"", body, StringComparison.Ordinal);
        Assert.Contains("\"previous_attributes\":{\"billing_details\"", body, StringComparison.Ordinal);
    }

    /// <summary>Stripe's changelog of 2025-09-30: a coupon is named by its id only, "including within event notifications"; the invoice says what it took off.</summary>
    [Fact]
    public void In_the_newest_version_a_coupon_is_an_id_and_the_invoice_says_what_it_took_off()
    {
        var stripe = Stripe();
        SignUp(stripe);
        var put = stripe.ApplyCoupon("sub_Ada", new SandboxCoupon("STAY20", 20, null, "forever"), Start.AddDays(3));
        var discount = (string)About(Assert.Single(put))["discounts"]![0]!;
        Assert.DoesNotContain("STAY20", System.Text.Encoding.UTF8.GetString(put[0].Body.Span), StringComparison.Ordinal);
        var paid = About(Last(stripe.AdvanceTo(Start.AddDays(40)), "invoice.paid"));
        Assert.Equal((discount, 980L, discount), ((string)paid["discounts"]![0]!, (long)paid["total_discount_amounts"]![0]!["amount"]!, (string)paid["total_discount_amounts"]![0]!["discount"]!));
        Assert.Equal(3920, stripe.NextAmount("cus_Ada", "sub_Ada"));
        Assert.Empty(About(Assert.Single(stripe.RemoveCoupon("sub_Ada", Start.AddDays(41))))["discounts"]!.AsArray());
        Assert.Empty(stripe.RemoveCoupon("sub_Ada", Start.AddDays(42)));
    }

    [Theory]
    [InlineData(SandboxDeed.Pause)]
    [InlineData(SandboxDeed.Resume)]
    [InlineData(SandboxDeed.ApplyCoupon)]
    [InlineData(SandboxDeed.CancelAtPeriodEnd)]
    [InlineData(SandboxDeed.CancelNow)]
    [InlineData(SandboxDeed.SetCard)]
    [InlineData(SandboxDeed.Pay)]
    [InlineData(SandboxDeed.PayInVain)]
    public void An_act_that_does_not_say_enough_or_is_about_somebody_else_is_refused(SandboxDeed deed)
    {
        var stripe = Stripe();
        SignUp(stripe);
        Assert.Throws<SandboxRefusedException>(() => new SandboxAct { Deed = deed, Subscription = deed == SandboxDeed.Resume ? null : "sub_Ada" }.Do(stripe, deed is SandboxDeed.CancelAtPeriodEnd or SandboxDeed.CancelNow ? "cus_Eve" : "cus_Ada", Start.AddDays(1)));
    }
}
