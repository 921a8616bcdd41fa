using RetentionFunctions.Customers;
using RetentionFunctions.Email;
using RetentionFunctions.Flows;
using RetentionFunctions.Health;
using RetentionFunctions.Settings;
using RetentionFunctions.Storage;
using RetentionFunctions.Tests.Support;
using static RetentionFunctions.Flows.FlowDecision;

namespace RetentionFunctions.Tests.Flows;

/// <summary>Before every step the run looks at the customer as it is now.</summary>
public class FlowDecisionTests
{
    // A Monday, ten in the morning.
    private static readonly DateTimeOffset Monday = new(2026, 3, 2, 10, 0, 0, TimeSpan.Zero);
    private static readonly FlowDefinition WinBack = new FlowSettings().Definitions[FlowDispatch.WinBackFlow];
    private static readonly FlowDefinition Dunning = new FlowSettings().Definitions[FlowDispatch.DunningFlow];

    [Fact]
    public void The_first_email_goes_out_at_once_inside_the_window() => Assert.Equal(new Send(1), Decide(Silent(), Paying(), Monday));

    [Fact]
    public void Outside_the_window_the_first_email_waits_for_the_morning() => Assert.Equal(new Wait(Monday.AddHours(23)), Decide(Silent() with { StartedAt = Monday.AddHours(8) }, Paying(), Monday.AddHours(8)));

    [Fact]
    public void Offsets_count_from_the_first_send_and_the_window_only_delays()
    {
        // First on Monday: day 3 is Thursday, day 7 Monday, day 10 Thursday, day 14 Monday.
        var run = Silent();
        DateTimeOffset[] expected = [Monday, Monday.AddDays(3), Monday.AddDays(7), Monday.AddDays(10), Monday.AddDays(14)];
        Assert.Equal(expected, Play(run, Paying(), Monday));
    }

    [Fact]
    public void A_step_that_falls_on_a_weekend_goes_out_on_Monday_and_does_not_shift_the_later_ones()
    {
        var wednesday = Monday.AddDays(2);
        DateTimeOffset[] expected = [wednesday, Monday.AddDays(7).AddHours(-1), wednesday.AddDays(7), Monday.AddDays(14).AddHours(-1), wednesday.AddDays(14)];
        Assert.Equal(expected, Play(Silent() with { StartedAt = wednesday }, Paying(), wednesday));
    }

    [Fact]
    public void Two_steps_are_never_under_a_day_apart_even_after_the_host_was_down()
    {
        var run = Silent(Monday) with { };
        Assert.Equal(new Send(2), Decide(run, Paying(), Monday.AddDays(9)));
        run = Silent(Monday, Monday.AddDays(9));
        Assert.Equal(new Wait(Monday.AddDays(10)), Decide(run, Paying(), Monday.AddDays(9)));
    }

    [Fact]
    public void One_marketing_email_a_day_whatever_flow_it_is_from()
    {
        var customer = Paying() with { Customer = Paying().Customer with { LastMarketingMailAt = Monday.AddHours(-3) } };
        // 24 hours after seven in the morning is before the window opens: nine it is.
        Assert.Equal(new Wait(Monday.AddHours(23)), Decide(Silent(), customer, Monday));
    }

    [Fact]
    public void A_customer_whom_the_founder_writes_to_first_gets_the_flow_two_days_later()
    {
        var run = FlowStart.Begin("win-back", WinBack, Paying().Customer with { ValueTier = ValueTier.A }, "2026-03-02", null, "silent", FlowMode.Live, Monday);
        Assert.Equal(Monday.AddDays(2), run.NotBefore);
        Assert.Equal(new Wait(Monday.AddDays(2)), Decide(run, Paying(), Monday));
        Assert.Null(FlowStart.Begin("win-back", WinBack, Paying().Customer with { ValueTier = ValueTier.B }, "2026-03-02", null, "silent", FlowMode.Live, Monday).NotBefore);
    }

    public static TheoryData<string, FlowSubject, RunOutcome> WinBackEnds => new()
    {
        { "signed in", Paying() with { LastActiveAt = Monday.AddHours(1) }, RunOutcome.Returned },
        { "clicked: I'm back", Change(c => c with { ReturnedAt = Monday.AddHours(1) }), RunOutcome.Returned },
        { "paused", Subscribed(s => s with { State = SubscriptionState.Paused, Mrr = 0 }), RunOutcome.Paused },
        { "asked for a pause that begins with the next period", Subscribed(s => s with { Latest = s.Latest with { PauseBehavior = "void" } }), RunOutcome.Paused },
        { "cancelled", Change(c => c with { Status = CustomerStatus.Canceled }), RunOutcome.Canceled },
        { "is cancelling", Subscribed(s => s with { EndsAt = Monday.AddDays(9) }), RunOutcome.Canceled },
        { "was deleted", Change(c => c with { DeletedAt = Monday }), RunOutcome.Canceled },
        { "unsubscribed", Change(c => c with { Unsubscribed = new Suppression(Monday, "by link") }), RunOutcome.Unsubscribed },
        { "bounced", Change(c => c with { Suppressed = new Suppression(Monday, "hard bounce") }), RunOutcome.Suppressed },
        { "has no address", Change(c => c with { Profile = new StripeProfile() }), RunOutcome.Suppressed },
        { "has a failing payment", Change(c => c with { FailingInvoices = ["in_1"] }), RunOutcome.PaymentFailed },
    };

    [Theory, MemberData(nameof(WinBackEnds))]
    public void Win_back_ends_as_soon_as_the_reason_is_gone(string reason, FlowSubject subject, RunOutcome outcome)
    {
        Assert.NotEmpty(reason);
        Assert.Equal(outcome, Assert.IsType<End>(Decide(Silent(Monday), subject, Monday.AddDays(1))).Outcome);
        Assert.Equal(outcome, Assert.IsType<End>(Decide(Silent(), subject, Monday)).Outcome);
    }

    [Theory]
    [InlineData(0.3, null)]                    // still far below: a sign-in is what such a customer does anyway
    [InlineData(0.5, null)]
    [InlineData(0.6, RunOutcome.Returned)]     // recovered
    public void Who_comes_less_is_back_when_use_has_recovered_not_with_a_sign_in(double use, RunOutcome? outcome)
    {
        var subject = Paying() with { LastActiveAt = Monday.AddHours(1), UseAgainstBaseline = use, UseFellTo = 0.5 };
        Assert.Equal(outcome, (Decide(Silent() with { UseFell = true }, subject, Monday.AddHours(2)) as End)?.Outcome);
        Assert.Equal(RunOutcome.Returned, (Decide(Silent(), subject, Monday.AddHours(2)) as End)?.Outcome);
    }

    [Fact]
    public void What_was_before_the_start_is_no_return() =>
        Assert.IsType<Send>(Decide(Silent(), Paying() with { LastActiveAt = Monday.AddDays(-31) }, Monday));

    public static TheoryData<string, Invoice, FlowSubject, RunOutcome> DunningEnds => new()
    {
        { "paid", Failing() with { PaidAt = Monday }, Paying(), RunOutcome.Paid },
        { "paid in parts", Failing() with { Payments = new Dictionary<string, InvoicePayment> { ["a"] = new(4000, Monday), ["b"] = new(900, Monday) } }, Paying(), RunOutcome.Paid },
        { "voided", Failing() with { VoidedAt = Monday }, Paying(), RunOutcome.NoLongerDue },
        { "given up", Failing() with { UncollectibleAt = Monday }, Paying(), RunOutcome.NoLongerDue },
        { "subscription ended", Failing(), Subscribed(s => s with { State = SubscriptionState.Ended }), RunOutcome.Canceled },
        { "paused", Failing(), Subscribed(s => s with { State = SubscriptionState.Paused, Mrr = 0 }), RunOutcome.Paused },
        { "bounced", Failing(), Change(c => c with { Suppressed = new Suppression(Monday, "hard bounce") }), RunOutcome.Suppressed },
    };

    [Theory, MemberData(nameof(DunningEnds))]
    public void Dunning_ends_as_soon_as_the_reason_is_gone(string reason, Invoice invoice, FlowSubject subject, RunOutcome outcome)
    {
        Assert.NotEmpty(reason);
        Assert.Equal(outcome, Assert.IsType<End>(Decide(Failed(), subject with { Invoice = invoice }, Monday)).Outcome);
    }

    [Fact]
    public void Billing_mail_goes_to_those_who_unsubscribed_from_marketing() =>
        Assert.IsType<Send>(Decide(Failed(), Change(c => c with { Unsubscribed = new Suppression(Monday, "by link") }) with { Invoice = Failing() }, Monday));

    [Fact]
    public void A_return_does_not_end_dunning() =>
        Assert.IsType<Send>(Decide(Failed(), Paying() with { LastActiveAt = Monday.AddHours(1), Invoice = Failing() }, Monday.AddHours(2)));

    [Fact]
    public void Dunning_stretches_to_the_accounts_own_retry_window()
    {
        // Stripe tries until day 28: twice the default, so day 3 becomes day 6.
        var subject = Paying() with { Invoice = Failing() with { FarthestAttemptAt = Monday.AddDays(28) } };
        Assert.Equal(new Wait(Monday.AddDays(6)), Decide(Failed(Monday), subject, Monday));
        Assert.Equal(new Wait(Monday.AddDays(3)), Decide(Failed(Monday), Paying() with { Invoice = Failing() with { FarthestAttemptAt = Monday.AddDays(5) } }, Monday));
        Assert.Equal(new Wait(Monday.AddDays(9)), Decide(Failed(Monday), Paying() with { Invoice = Failing(), RetryWindowDays = 42 }, Monday));
    }

    [Fact]
    public void Dunning_goes_out_on_Saturdays_win_back_does_not()
    {
        var saturday = Monday.AddDays(5);
        Assert.IsType<Send>(Decide(Failed() with { StartedAt = saturday }, Paying() with { Invoice = Failing() }, saturday));
        Assert.Equal(new Wait(saturday.AddDays(2).AddHours(-1)), Decide(Silent() with { StartedAt = saturday }, Paying(), saturday));
    }

    [Fact]
    public void A_manual_stop_ends_it_whatever_else_is_true() =>
        Assert.Equal(RunOutcome.Stopped, Assert.IsType<End>(Decide(Failed(Monday) with { StopRequestedAt = Monday }, Paying() with { Invoice = Failing() }, Monday)).Outcome);

    [Fact]
    public void After_the_fifth_email_it_is_complete() =>
        Assert.Equal(RunOutcome.Completed, Assert.IsType<End>(Decide(Silent(Monday, Monday.AddDays(3), Monday.AddDays(7), Monday.AddDays(10), Monday.AddDays(14)), Paying(), Monday.AddDays(14))).Outcome);

    public static TheoryData<string, Func<Invoice, Invoice>, bool> Invoices => new()
    {
        { "a renewal that failed", i => i, true },
        { "the first of a new subscription", i => Latest(i, l => l with { BillingReason = "subscription_create" }), false },
        { "the first of a new subscription, of an old API version", i => Latest(i, l => l with { BillingReason = null, CreatedAt = Snapshots.Start.AddMinutes(1) }), false },
        { "a renewal of an old API version", i => Latest(i, l => l with { BillingReason = null }), true },
        { "a one-off invoice", i => Latest(i, l => l with { SubscriptionId = null }), false },
        { "already paid", i => i with { PaidAt = Monday }, false },
        { "nothing to pay", i => Latest(i, l => l with { AmountDue = 0 }), false },
        { "the bank asks for a confirmation", i => i with { FirstFailedAt = null, ActionRequiredAt = Monday }, true },
    };

    [Theory, MemberData(nameof(Invoices))]
    public void Dunning_starts_for_recurring_payments_that_failed(string what, Func<Invoice, Invoice> change, bool starts)
    {
        Assert.NotEmpty(what);
        Assert.Equal(starts, FlowStart.Dunning(Paying().Customer, change(Failing())) is not null);
    }

    [Fact]
    public void Held_out_customers_get_nothing_and_are_remembered()
    {
        var definition = WinBack with { HoldOut = 0.3 };
        var runs = Enumerable.Range(0, 500).Select(i => FlowStart.Begin("win-back", definition, Paying().Customer with { Id = $"cus_{i}" }, "x", null, "silent", FlowMode.Live, Monday)).ToList();
        Assert.InRange(runs.Count(r => r.Outcome == RunOutcome.HeldOut), 120, 180);
        Assert.All(runs, r => Assert.Equal(Keys.Share(r.Id.CustomerId, "hold-out win-back") < 0.3, r.Status == RunStatus.Ended));
    }

    [Fact]
    public void A_preview_never_takes_the_place_of_the_real_run()
    {
        var preview = FlowStart.Begin("dunning", Dunning, Paying().Customer, "in_1", "in_1", "failed", FlowMode.Preview, Monday);
        Assert.True(preview.Preview);
        Assert.NotEqual("in_1", preview.Id.Occasion);
        Assert.Equal("in_1", preview.InvoiceId);
    }

    private static FlowDecision Decide(Run run, FlowSubject subject, DateTimeOffset now) => FlowDecision.Decide(run, subject, now);

    private static List<DateTimeOffset> Play(Run run, FlowSubject subject, DateTimeOffset now)
    {
        var sent = new List<DateTimeOffset>();
        while (Decide(run, subject, now) is not End)
        {
            if (Decide(run, subject, now) is Wait wait)
            {
                now = wait.At;
                continue;
            }
            sent.Add(now);
            run = run with { Sent = [.. run.Sent, new SentStep(sent.Count, "t", now, MailResult.Accepted)] };
            subject = subject with { Customer = subject.Customer with { LastMarketingMailAt = now } };
        }
        return sent;
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData(" \t\r\n")]
    [InlineData("\u0001\u001b")]
    [InlineData("\u202e\u200b\ufeff")]
    public void An_address_in_which_nothing_can_be_seen_is_none(string? address)
    {
        var subject = Paying() with { Customer = Paying().Customer with { Profile = new StripeProfile { Email = address } } };
        Assert.Equal(new End(RunOutcome.Suppressed, "no e-mail address is known"), Decide(Silent(), subject, Monday));
        // Nor does it stand in the way of the one that an invoice named.
        Assert.Equal("ada@example.com", (subject.Customer with { BillingEmail = "ada@example.com" }).Email);
        Assert.Null(new Customer { Id = "cus_1", Profile = new StripeProfile { Name = address } }.Name);
    }

    private static Run Silent(params DateTimeOffset[] sent) => Begun("win-back", WinBack, sent);

    private static Run Failed(params DateTimeOffset[] sent) => Begun("dunning", Dunning, sent);

    private static Run Begun(string flow, FlowDefinition definition, DateTimeOffset[] sent) => new()
    {
        Id = new RunId("cus_1", flow, "x"),
        Definition = definition,
        StartedAt = Monday,
        Because = "because",
        Status = RunStatus.Running,
        Sent = [.. sent.Select((at, i) => new SentStep(i + 1, $"t{i + 1}", at, MailResult.Accepted))],
    };

    private static FlowSubject Paying() => new()
    {
        Customer = new Customer
        {
            Id = "cus_1",
            Profile = new StripeProfile { Email = "ada@example.com" },
            Status = CustomerStatus.Paying,
            Subscriptions = [new Subscription { Latest = Snapshots.Created(), Mrr = 4900, State = SubscriptionState.Active }],
        },
        Zone = TimeZoneInfo.Utc,
    };

    private static FlowSubject Change(Func<Customer, Customer> change) => Paying() with { Customer = change(Paying().Customer) };

    private static FlowSubject Subscribed(Func<Subscription, Subscription> change) => Change(c => c with { Subscriptions = [change(c.Subscriptions[0])] });

    private static Invoice Failing() => new()
    {
        Id = "in_1",
        FirstFailedAt = Monday,
        LastFailedAt = Monday,
        Latest = new InvoiceSnapshot { InvoiceId = "in_1", Change = InvoiceChange.PaymentFailed, SubscriptionId = "sub_1", Currency = "usd", AmountDue = 4900, CreatedAt = Monday, BillingReason = "subscription_cycle" },
    };

    private static Invoice Latest(Invoice invoice, Func<InvoiceSnapshot, InvoiceSnapshot> change) => invoice with { Latest = change(invoice.Latest!) };
}
