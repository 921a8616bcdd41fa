using FsCheck;
using FsCheck.Fluent;
using RetentionFunctions.Customers;
using RetentionFunctions.Health;

namespace RetentionFunctions.Tests.Health;

public sealed class HealthScoreTests
{
    // The end of a day, so that the days of the windows are whole.
    private static readonly DateTimeOffset Now = new(2026, 6, 1, 23, 59, 59, TimeSpan.Zero);
    private static readonly DateOnly Today = new(2026, 6, 1);
    private static readonly HealthSettings Settings = new();

    [Fact]
    public void A_steady_customer_of_a_year_loses_nothing()
    {
        var state = Score(Paying(400), [Using(Enumerable.Range(0, 74))]);

        Assert.Equal(100, state.Score);
        Assert.Equal(HealthTier.Healthy, state.Tier);
        Assert.Equal(Stage.Value, state.Stage);
        Assert.All(state.Reasons, r => Assert.Equal(0, r.Impact));
        Assert.Equal(
            ["no tickets or ratings yet: service is unknown, its weight went to product use and the commercial side",
             "too few e-mails and no new features yet: engagement is unknown, its weight went to product use and the commercial side",
             "not enough data for minutes of use: its weight went to the rest of product use"],
            state.Reasons.Select(r => r.Text));
    }

    [Fact]
    public void Use_that_fell_is_said_in_words_with_what_it_cost()
    {
        // 60 days of a sign-in a day; then on 4 of 14 days, the last one 3 days ago: 29 %.
        var state = Score(Paying(400), [Using(Enumerable.Range(14, 60).Concat([3, 6, 9, 12]), features: false)]);

        Assert.Equal("sign-ins down 71 % against the last 60 days", Text(state, "signIns"));
        // Use has 60 of the 82 that use and the commercial side have together; sign-ins 20 of 55 of it, and 2/7 of the habit scores 22.9.
        Assert.Equal(-21, Impact(state, "signIns"));
        Assert.Equal(79, state.Score);
    }

    [Fact]
    public void A_customer_silent_for_40_days_has_no_use_left()
    {
        var state = Score(Paying(400), [Using(Enumerable.Range(40, 34))]);

        Assert.Equal(0, Of(state, Dimension.Use).Score);
        Assert.Equal(27, state.Score);
        Assert.Equal(HealthTier.HighRisk, state.Tier);
        Assert.Equal("last active 40 days ago", Text(state, "daysSinceSeen"));
        Assert.Equal("no core feature used in the last 30 days", Text(state, "breadth"));
        Assert.Equal("sign-ins down 100 % against the last 60 days", Text(state, "signIns"));
        Assert.Equal(state.Reasons.OrderBy(r => r.Impact).Select(r => r.Impact), state.Reasons.Select(r => r.Impact));
    }

    [Fact]
    public void A_customer_of_whom_the_app_said_nothing_is_unknown_in_use_and_not_inactive()
    {
        var state = Score(Paying(400), []);

        Assert.Equal(100, state.Score);
        Assert.Null(Of(state, Dimension.Use).Score);
        Assert.Equal(0, Of(state, Dimension.Use).Weight);
        Assert.Equal(100, Of(state, Dimension.Commercial).Weight);
        Assert.Contains(new HealthReason("use", "no app events yet: product use is unknown, its weight went to the commercial side", 0), state.Reasons);
    }

    [Fact]
    public void Nothing_known_is_neutral_and_says_so()
    {
        var state = Score(new Customer { Id = "user:1" }, []);

        Assert.Equal(70, state.Score);
        Assert.Equal([new HealthReason("nothingKnown", "nothing known yet: 70 is neutral until something is", -30)], state.Reasons);
        Assert.Equal(Stage.Onboarding, state.Stage);
        Assert.Equal(4, state.Dimensions.Count);
    }

    [Fact]
    public void Weights_of_what_is_unknown_go_to_the_rest_in_proportion()
    {
        var mail = Enumerable.Range(1, 4).Aggregate((Activity?)null, (a, d) => ActivityUpdate.Count(a, "mail", Now.AddDays(-d), Counter.EmailsSent))!;

        var state = Score(Paying(400), [mail]);

        Assert.Equal(100.0 * 22 / 30, Of(state, Dimension.Commercial).Weight, 0.001);
        Assert.Equal(100.0 * 8 / 30, Of(state, Dimension.Engagement).Weight, 0.001);
        Assert.Equal("opened 0 of 4 e-mails in the last 90 days", Text(state, "emailOpens"));
        Assert.Equal("clicked in 0 of 4 e-mails in the last 90 days", Text(state, "emailClicks"));
        // 25 of 60 of 26.7 points at 0, 35 of 60 of 26.7 points at 60.
        Assert.Equal(-11, Impact(state, "emailOpens"));
        Assert.Equal(-6, Impact(state, "emailClicks"));
        Assert.Equal(83, state.Score);
    }

    [Theory]
    [InlineData(0, Stage.Onboarding, 65)]
    [InlineData(6, Stage.Onboarding, 65)]
    [InlineData(7, Stage.Habit, 60)]
    [InlineData(89, Stage.Habit, 60)]
    [InlineData(90, Stage.Value, 60)]
    public void Each_stage_has_its_own_weights(int days, Stage stage, double use)
    {
        var all = Enumerable.Range(0, 14).Aggregate((Activity?)Using([0]), (a, d) => ActivityUpdate.Count(a, "u", Now, Counter.SatisfactionCount))!;
        all = ActivityUpdate.Count(all, "u", Now, Counter.SatisfactionSum, 14);
        var mail = ActivityUpdate.Count(null, "mail", Now, Counter.EmailsSent, 3);

        var state = Score(Paying(days), [all, mail]);

        Assert.Equal(stage, state.Stage);
        Assert.Equal(use, Of(state, Dimension.Use).Weight, 0.001);
        Assert.Equal(100, state.Dimensions.Sum(d => d.Weight), 0.001);
    }

    [Fact]
    public void A_customer_before_the_first_payment_is_staged_by_when_it_was_made()
    {
        var made = new Customer { Id = "cus_1", Profile = new StripeProfile { CreatedAt = Now.AddDays(-20) } };

        Assert.Equal(Stage.Habit, Score(made, []).Stage);
    }

    [Fact]
    public void A_scheduled_cancellation_costs_most()
    {
        var state = Score(Paying(400, endsAt: new DateTimeOffset(2026, 6, 20, 0, 0, 0, TimeSpan.Zero)), []);

        Assert.Equal([new HealthReason("cancellation", "cancels on 2026-06-20", -35)], state.Reasons.Where(r => r.Impact < 0));
        Assert.Equal(65, state.Score);
    }

    [Fact]
    public void An_open_failing_invoice_costs_now_and_as_a_recent_failure()
    {
        var failing = new Invoice { Id = "in_1", FirstFailedAt = Now.AddDays(-3), LastFailedAt = Now.AddDays(-1) };
        var customer = Paying(400) with { FailingInvoices = ["in_1"] };

        var state = Compute(customer, [], [failing]);

        Assert.Equal("1 invoice open after a failed payment", Text(state, "openInvoices"));
        Assert.Equal("1 failed payment in the last 90 days", Text(state, "failedPayments"));
        Assert.Equal((-18, -4, 78), (Impact(state, "openInvoices"), Impact(state, "failedPayments"), state.Score));
        var paid = Compute(customer, [], [failing with { PaidAt = Now }]);
        Assert.Null(Text(paid, "openInvoices"));
        Assert.Equal(95, paid.Score);
    }

    [Fact]
    public void A_sent_invoice_past_its_date_is_overdue()
    {
        var sent = new InvoiceSnapshot { InvoiceId = "in_1", Change = InvoiceChange.Finalized, Currency = "eur", CreatedAt = Now.AddDays(-40), Status = "open", CollectionMethod = "send_invoice", DueAt = Now.AddDays(-10) };

        Assert.Equal("1 invoice overdue", Text(Compute(Paying(400), [], [new Invoice { Id = "in_1", Latest = sent }]), "openInvoices"));
        Assert.Null(Text(Compute(Paying(400), [], [new Invoice { Id = "in_1", Latest = sent with { DueAt = Now.AddDays(1) } }]), "openInvoices"));
        Assert.Null(Text(Compute(Paying(400), [], [new Invoice { Id = "in_1", Latest = sent, PaidAt = Now }]), "openInvoices"));
    }

    [Fact]
    public void A_smaller_plan_is_measured_in_its_own_currency_and_an_old_change_is_over()
    {
        Movement[] ledger =
        [
            new(Now.AddDays(-300), MovementKind.New, 10_000, "usd", 10_000),
            new(Now.AddDays(-100), MovementKind.Contraction, -1_000, "eur", 1_000),
            new(Now.AddDays(-50), MovementKind.Contraction, -3_000, "usd", 7_000),
            new(Now.AddDays(-20), MovementKind.Expansion, 1_000, "usd", 8_000),
            new(Now.AddDays(-20), MovementKind.Expansion, 9_000, "eur", 10_000),
        ];

        Assert.Equal("plan reduced by 20 % in the last 90 days", Text(Compute(Paying(400), [], [], ledger), "planMovement"));
        Assert.Null(Text(Compute(Paying(400), [], [], ledger[..2]), "planMovement"));
    }

    [Fact]
    public void A_yearly_renewal_ahead_and_a_short_tenure_are_told()
    {
        var state = Score(Paying(35, interval: "year", periodEndAt: Now.AddDays(3.5)), []);

        Assert.Equal("yearly renewal in 3 days", Text(state, "renewal"));
        Assert.Equal("a customer for 35 days", Text(state, "tenure"));
        Assert.Null(Text(Score(Paying(35, interval: "month", periodEndAt: Now.AddDays(3.5)), []), "renewal"));
    }

    [Fact]
    public void A_customer_without_a_subscription_left_has_lost_what_cancellation_weighs()
    {
        var gone = Paying(400);
        gone = gone with { Status = CustomerStatus.Canceled, Subscriptions = [gone.Subscriptions[0] with { State = SubscriptionState.Ended }] };

        Assert.Equal("no subscription is left", Text(Score(gone, []), "cancellation"));
    }

    [Theory]
    // in the 60 days before, in the last 30, expected
    [InlineData(2, 5, "5 tickets in 30 days where 1 is usual")]
    [InlineData(10, 0, "no tickets in 30 days where 5 are usual")]
    [InlineData(2, 2, null)]
    [InlineData(10, 4, null)]
    public void Tickets_count_against_what_is_usual_for_this_customer(int before, int recent, string? text)
    {
        var activity = Using([89], features: false);
        activity = ActivityUpdate.Count(activity, "u", Now.AddDays(-50), Counter.TicketsOpened, before);
        if (recent > 0) activity = ActivityUpdate.Count(activity, "u", Now.AddDays(-5), Counter.TicketsOpened, recent);

        Assert.Equal(text, Text(Score(Paying(400), [activity]), "tickets"));
    }

    [Fact]
    public void No_ticket_ever_is_not_good_service()
    {
        Assert.Null(Of(Score(Paying(400), [Using([1])]), Dimension.Service).Score);
    }

    [Fact]
    public void Slow_answers_and_poor_ratings_are_told()
    {
        var activity = ActivityUpdate.Count(Using([1]), "u", Now, Counter.ResolutionHours, 144);
        activity = ActivityUpdate.Count(activity, "u", Now, Counter.ResolutionsTimed, 2);
        activity = ActivityUpdate.Count(activity, "u", Now, Counter.SatisfactionSum, 1.1);
        activity = ActivityUpdate.Count(activity, "u", Now, Counter.SatisfactionCount, 2);
        var state = Score(Paying(400), [activity]);

        Assert.Equal("tickets take 72 hours to resolve", Text(state, "resolutionHours"));
        Assert.Equal("satisfaction at 55 %", Text(state, "satisfaction"));
    }

    [Fact]
    public void What_is_new_counts_once_there_was_time_to_try_it()
    {
        var settings = new HealthSettings { NewFeatures = [new() { Name = "Export", Since = Today.AddDays(-30) }, new() { Name = "api", Since = Today.AddDays(-3) }, new() { Name = "old", Since = Today.AddDays(-200) }] };

        var none = HealthScore.Compute(Input(Paying(400), [Using(Enumerable.Range(0, 40))]), settings);
        Assert.Equal("none of 1 new feature used", Text(none, "adoption"));
        var tried = HealthScore.Compute(Input(Paying(400), [Using(Enumerable.Range(0, 40), feature: "export")]), settings);
        Assert.Equal(100, Of(tried, Dimension.Engagement).Score);
    }

    [Fact]
    public void The_founders_own_signals_take_part()
    {
        var settings = new HealthSettings();
        settings.Signals["exports"] = new() { Dimension = Dimension.Use, Weight = 50, Curve = "0:0, 10:100", Label = "exports", Days = 7 };
        settings.Signals["seats"] = new() { Dimension = Dimension.Commercial, Weight = 100, Curve = "1:0, 5:100" };
        settings.Signals["invites"] = new() { Dimension = Dimension.Engagement, Weight = 1, Curve = "0:0, 1:100", WhenMissing = 0 };
        var activity = ActivityUpdate.Count(Using(Enumerable.Range(0, 74)), "u", Now.AddDays(-2), Counter.Signal("exports"), 4);
        activity = ActivityUpdate.Count(activity, "u", Now.AddDays(-20), Counter.Signal("exports"), 50) with { Traits = new() { ["seats"] = new(2, Now) } };

        var state = HealthScore.Compute(Input(Paying(400), [activity]), settings);

        Assert.Equal("exports: 4 in the last 7 days", Text(state, "exports"));
        Assert.Equal("seats: 2", Text(state, "seats"));
        Assert.Equal("invites: none seen, taken as 0", Text(state, "invites"));
        Assert.Equal(100.0 * 8 / 90, Of(state, Dimension.Engagement).Weight, 0.001);
    }

    [Fact]
    public void The_score_before_is_that_of_an_earlier_day()
    {
        var first = Score(Paying(400), []);
        Assert.Null(first.PreviousScore);

        HealthState Again(HealthState previous) => HealthScore.Compute(Input(Paying(400), []) with { Previous = previous }, Settings);

        Assert.Equal(55, Again(first with { Score = 55, ScoredOn = Today.AddDays(-1) }).PreviousScore);
        Assert.Equal(55, Again(first with { Score = 12, PreviousScore = 55 }).PreviousScore);
    }

    [Theory]
    [InlineData(100, HealthTier.Healthy)]
    [InlineData(80, HealthTier.Healthy)]
    [InlineData(79, HealthTier.LowRisk)]
    [InlineData(60, HealthTier.LowRisk)]
    [InlineData(59, HealthTier.MediumRisk)]
    [InlineData(40, HealthTier.MediumRisk)]
    [InlineData(39, HealthTier.HighRisk)]
    [InlineData(0, HealthTier.HighRisk)]
    public void The_tiers_are_as_defined(int score, HealthTier tier) => Assert.Equal(tier, HealthScore.TierOf(score));

    [Fact]
    public void Of_any_customer_the_score_is_within_0_and_100_and_the_reasons_add_up() =>
        Prop.ForAll(Customers.ToArbitrary(), input =>
        {
            var state = HealthScore.Compute(input, Settings);
            return state.Score is >= 0 and <= 100
                && state.Reasons.Sum(r => r.Impact) == state.Score - 100
                && state.Reasons.All(r => r.Impact <= 0)
                && state.Dimensions.All(d => d.Score is null or (>= 0 and <= 100))
                && Math.Abs(state.Dimensions.Sum(d => d.Weight) - (state.Reasons[0].Signal == HealthScore.NothingKnown ? 0 : 100)) < 1e-6;
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void More_sign_ins_now_never_lower_the_score() =>
        Prop.ForAll(Customers.ToArbitrary(), Gen.Choose(0, 13).ToArbitrary(), (input, daysAgo) =>
        {
            // Of a customer whose use was measured before; the first sign-in ever makes known what was unknown.
            if (!input.Activity.Any(a => a.Source == "u" && a.LastActiveAt is not null && a.FirstSeenAt <= Now.AddDays(-daysAgo))) return true;
            var more = input with { Activity = [.. input.Activity.Select(a => a.Source == "u" ? ActivityUpdate.Count(a, "u", Now.AddDays(-daysAgo), Counter.SignIns) : a)] };
            return HealthScore.Compute(more, Settings).Score >= HealthScore.Compute(input, Settings).Score;
        }).QuickCheckThrowOnFailure();

    // Customers of any age and kind, with any activity.
    private static Gen<HealthInput> Customers =>
        from age in Gen.Choose(0, 500)
        from tied in Gen.Elements(true, true, true, false)
        from used in Gen.Choose(0, 95).ListOf()
        from features in Gen.Elements(true, false)
        from tickets in Gen.Choose(0, 89).ListOf()
        from sent in Gen.Choose(0, 12)
        from opened in Gen.Choose(0, 14)
        from failing in Gen.Choose(0, 4)
        from change in Gen.Choose(-9_000, 9_000)
        from ends in Gen.Elements(true, false)
        select Build(age, tied, used, features, tickets, sent, opened, failing, change, ends);

    private static HealthInput Build(int age, bool tied, IList<int> used, bool features, IList<int> tickets, int sent, int opened, int failing, int change, bool ends)
    {
        var rows = new List<Activity>();
        Activity? app = used.Count > 0 ? Using(used, features) : null;
        foreach (var day in tickets) app = ActivityUpdate.Count(app, "u", Now.AddDays(-day), Counter.TicketsOpened);
        if (app is not null) rows.Add(app);
        Activity? mail = sent > 0 ? ActivityUpdate.Count(null, "mail", Now.AddDays(-1), Counter.EmailsSent, sent) : null;
        if (mail is not null && opened > 0) mail = ActivityUpdate.Count(mail, "mail", Now, Counter.EmailOpens, opened);
        if (mail is not null) rows.Add(mail);
        var customer = tied ? Paying(age, ends ? Now.AddDays(9) : null) : new Customer { Id = "user:u" };
        var invoices = Enumerable.Range(0, tied ? failing : 0).Select(i => new Invoice { Id = $"in_{i}", FirstFailedAt = Now.AddDays(-40 * i) }).ToList();
        return Input(customer, rows, invoices, [new Movement(Now.AddDays(-10), change < 0 ? MovementKind.Contraction : MovementKind.Expansion, change, "usd", 10_000 + change)]);
    }

    // Signed in on these days, once each; with three core features in turn, or always the same one.
    private static Activity Using(IEnumerable<int> daysAgo, bool features = true, string? feature = null)
    {
        Activity? activity = null;
        foreach (var ago in daysAgo)
        {
            var at = Now.AddDays(-ago);
            activity = ActivityUpdate.Count(activity, "u", at, Counter.SignIns);
            if (!features) continue;
            activity = Enumerable.Range(1, 3).Aggregate(activity, (a, i) => Use(a, at, feature ?? $"feature {i}"));
        }
        return activity!;
    }

    private static Activity Use(Activity before, DateTimeOffset at, string feature) => ActivityUpdate.Apply(before, new RetentionFunctions.Intake.App.AppEvent
    {
        MessageId = "m",
        Type = RetentionFunctions.Intake.App.AppEventType.Track,
        UserId = "u",
        Name = "Used",
        At = at,
        ReceivedAt = at,
    }, new() { Events = { ["Used"] = new() { Meaning = RetentionFunctions.Intake.App.AppEventMeaning.CoreUse, Feature = feature } } });

    private static Customer Paying(int days, DateTimeOffset? endsAt = null, string interval = "month", DateTimeOffset? periodEndAt = null) => new()
    {
        Id = "cus_1",
        FirstPaidAt = Now.AddDays(-days),
        Status = CustomerStatus.Paying,
        Subscriptions =
        [
            new Subscription
            {
                Mrr = 10_000,
                State = SubscriptionState.Active,
                EndsAt = endsAt,
                Latest = new SubscriptionSnapshot
                {
                    SubscriptionId = "sub_1",
                    Stamp = Stamp.Of(Now.AddDays(-days), "evt_1", "customer.subscription.created"),
                    Status = "active",
                    Mrr = 10_000,
                    Currency = "usd",
                    CreatedAt = Now.AddDays(-days),
                    Interval = interval,
                    PeriodEndAt = periodEndAt ?? Now.AddDays(12),
                },
            },
        ],
    };

    private static HealthInput Input(Customer customer, IReadOnlyList<Activity> activity, IReadOnlyList<Invoice>? invoices = null, IReadOnlyList<Movement>? ledger = null) =>
        new() { AsOf = Today, Now = Now, Customer = customer, Activity = activity, Invoices = invoices ?? [], Ledger = ledger ?? [] };

    private static HealthState Score(Customer customer, IReadOnlyList<Activity> activity) => Compute(customer, activity, []);

    private static HealthState Compute(Customer customer, IReadOnlyList<Activity> activity, IReadOnlyList<Invoice> invoices, IReadOnlyList<Movement>? ledger = null) =>
        HealthScore.Compute(Input(customer, activity, invoices, ledger), Settings);

    private static DimensionScore Of(HealthState state, Dimension dimension) => state.Dimensions.Single(d => d.Dimension == dimension);

    private static string? Text(HealthState state, string signal) => state.Reasons.SingleOrDefault(r => r.Signal == signal && r.Impact < 0)?.Text;

    private static int Impact(HealthState state, string signal) => state.Reasons.Single(r => r.Signal == signal && r.Impact < 0).Impact;
}
