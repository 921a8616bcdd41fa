using Microsoft.Extensions.Logging.Abstractions;
using RetentionFunctions.Customers;
using RetentionFunctions.Email;
using RetentionFunctions.Flows;
using RetentionFunctions.Health;
using RetentionFunctions.Insight;
using RetentionFunctions.Jobs;
using RetentionFunctions.Settings;
using RetentionFunctions.Storage;
using RetentionFunctions.Tests.Email;
using RetentionFunctions.Tests.Support;
using RetentionFunctions.Tests.Web;

namespace RetentionFunctions.Tests.Insight;

/// <summary>What a review is made of, when it is sent, and that it is sent once.</summary>
public sealed class ReviewTests
{
    private static readonly Month February = Month.Of(new DateTimeOffset(2026, 2, 1, 0, 0, 0, TimeSpan.Zero));

    // A Monday, and the first weekday after February.
    private static readonly DateTimeOffset Monday = new(2026, 3, 2, 9, 0, 0, TimeSpan.Zero);

    [Fact]
    public void The_sections_take_fifteen_minutes_one_after_another()
    {
        Assert.Equal(15, ReviewSection.All.Sum(s => s.Minutes));
        Assert.Equal([0, 2, 5, 7, 9, 11, 12, 14], ReviewSection.All.Select(s => s.From));
    }

    public static TheoryData<string, string> Days => new()
    {
        // Sunday 1 March: the first weekday is Monday, which is a Monday too.
        { "2026-03-01", "" },
        { "2026-03-02", "2026-02, 2026-03-02" },
        { "2026-03-04", "2026-02, 2026-03-02" },
        { "2026-03-05", "2026-02" },
        { "2026-03-08", "2026-02" },
        { "2026-03-09", "2026-03-09" },
        // Friday 1 May.
        { "2026-04-30", "" },
        { "2026-05-01", "2026-04" },
        // Saturday 1 August.
        { "2026-08-02", "" },
        { "2026-08-03", "2026-07, 2026-08-03" },
        { "2027-01-01", "2026-12" },
    };

    [Theory, MemberData(nameof(Days))]
    public void A_day_asks_for_the_review_from_the_first_weekday_on_and_for_the_line_of_the_week_from_monday_on(string day, string asked) =>
        Assert.Equal(asked, string.Join(", ", ReviewOccasion.On(DateOnly.Parse(day)).Select(o => o.Key)));

    [Fact]
    public void The_key_of_an_occasion_gives_it_back()
    {
        foreach (var occasion in (ReviewOccasion[])[ReviewOccasion.Of(February), ReviewOccasion.Of(new DateOnly(2026, 3, 2))]) Assert.Equal(occasion, ReviewOccasion.Parse(occasion.Key));
        Assert.Null(ReviewOccasion.Parse("2026-03-03"));
        Assert.Null(ReviewOccasion.Parse("soon"));
    }

    [Fact]
    public void What_is_open_is_carried_until_it_is_done_and_stays_in_the_review_in_which_it_was()
    {
        ReviewAction Action(string id, int month, DateTimeOffset? done = null) => new() { Id = id, Month = February.Plus(month), Text = id, At = Monday.AddMonths(month), DoneAt = done };
        var all = (ReviewAction[])[Action("open", -3), Action("done in February", -1, Monday.AddDays(-10)), Action("done in the review", -1, Monday), Action("own", 0), Action("later", 1)];
        Review Of(Month month) => Review.Of(month, [], [], [], all, Monday);
        Assert.Equal(["open", "done in the review"], Of(February).Carried.Select(a => a.Id));
        Assert.Equal(["own"], Of(February).Actions.Select(a => a.Id));
        Assert.Equal(["open", "own"], Of(February.Plus(1)).Carried.Select(a => a.Id));
        Assert.Equal(["open"], Of(February.Plus(-1)).Carried.Select(a => a.Id));
    }

    [Fact]
    public void Flows_are_counted_by_when_runs_began_and_ended_without_previews_and_held_out_ones()
    {
        ReviewRun Run(string flow, double started, double? ended = null, RunOutcome? outcome = null, bool preview = false) => new()
        {
            Id = new RunId("cus_1", flow, $"{started}"), Definition = new TriggerGlance(flow == "dunning" ? FlowTrigger.FailedPayment : FlowTrigger.Inactivity),
            StartedAt = February.Start.AddDays(started), EndedAt = ended is { } end ? February.Start.AddDays(end) : null, Outcome = outcome, Preview = preview,
        };
        var flows = ReviewFlow.Of(February,
        [
            Run("dunning", -3, 2, RunOutcome.Paid), Run("dunning", 3, 9, RunOutcome.Completed), Run("dunning", 20), Run("dunning", 27, 29, RunOutcome.Paid), Run("dunning", 1, 2, RunOutcome.Paid, preview: true),
            Run("win-back", 5, 5, RunOutcome.HeldOut), Run("win-back", 6, 7, RunOutcome.Returned), Run("old", -60, -50, RunOutcome.Returned),
        ]);
        Assert.Equal([new ReviewFlow("dunning", 3, 0, 2, 1, RunOutcome.Paid), new ReviewFlow("win-back", 1, 1, 1, 1, RunOutcome.Returned)], flows);
    }

    [Fact]
    public void An_experiment_is_a_flow_that_holds_some_out_or_did()
    {
        var defaults = FlowDefaults.Definitions();
        FlowDefinition dunning = defaults[FlowDefaults.Dunning], winBack = defaults[FlowDefaults.WinBack];
        FlowTally Tally(string name, FlowSide with, FlowSide held, double? share = 0.1) => new() { Name = name, Latest = winBack, ComparedTreated = with, ComparedHeld = held, LeastHeldOut = share, MostHeldOut = share };
        var definitions = new Dictionary<string, FlowDefinition>(StringComparer.OrdinalIgnoreCase)
        {
            ["dunning"] = dunning with { HoldOut = 0.1 }, ["win-back"] = winBack with { HoldOut = 0.1 }, ["all-get-it"] = winBack with { HoldOut = 0 }, ["off"] = winBack with { HoldOut = 0.1, Enabled = false }, ["stopped"] = winBack with { HoldOut = 0 },
        };
        FlowTally[] tallies = [Tally("all-get-it", default, default, null), Tally("left-the-settings", new(5, 32, 0, 0), new(0, 5, 0, 0)), Tally("stopped", new(1, 1, 0, 0), new(0, 2, 1, 0)), Tally("win-back", new(180, 720, 0, 0), new(8, 92, 0, 0))];
        var experiments = ReviewExperiment.Of(tallies, definitions);
        Assert.Equal([("dunning", true), ("left-the-settings", false), ("stopped", false), ("win-back", true)], experiments.Select(e => (e.Flow, e.IsRunning)));
        Assert.Equal([FlowVerdict.NothingToCompare, FlowVerdict.NotShown, FlowVerdict.NotShown, FlowVerdict.Helps], experiments.Select(e => e.Report.Verdict));
        // Of nobody yet all are needed, of 42 so many fewer, and none where the difference is seen.
        Assert.Equal([experiments[0].Report.Need.Customers, experiments[1].Report.Need.Customers - 42, experiments[2].Report.Need.Customers - 5, 0], experiments.Select(e => e.StillNeeded));
    }

    [Fact]
    public void Indicators_say_whether_it_got_better_and_nothing_where_nothing_was_counted()
    {
        SweepResult Sweep(DateTimeOffset at, HealthTotals? totals) => new() { At = at, Customers = 1, Tiers = new Dictionary<HealthTier, int>(), Candidates = 0, Started = 0, Totals = totals };
        SweepResult[] sweeps =
        [
            Sweep(February.Start.AddDays(-9), null), Sweep(February.Start.AddDays(-2), new HealthTotals { Customers = 10, Wau = 4, Mau = 8, MovedDown = 3, FailedPayments = 1 }),
            Sweep(February.Start.AddDays(3), new HealthTotals { Customers = 10, Wau = 1, Mau = 2, MovedDown = 2, MovedUp = 1 }), Sweep(February.Start.AddDays(20), new HealthTotals { Customers = 10, Wau = 6, Mau = 8, MovedDown = 2, FailedPayments = 1 }),
        ];
        string Told(Month month) => string.Join("; ", ReviewIndicator.Of(MonthHealth.Of(sweeps, month), MonthHealth.Of(sweeps, month.Plus(-1))).Select(i => $"{i.Name} {i.Text(i.Now)} {i.Text(i.Before)} {i.Direction}"));
        Assert.Equal("wauMau 75 % 50 % 1; movedDown 4 3 -1; movedUp 1 0 1; failedPayments 1 1 0; unopenedMail – – ; tickets – – ", Told(February));
        Assert.Equal("wauMau – – ; movedDown – – ; movedUp – – ; failedPayments – – ; unopenedMail – – ; tickets – – ", Told(February.Plus(-3)));
    }

    [Fact]
    public async Task A_letter_goes_out_once_whatever_happens_around_the_send()
    {
        foreach (var deduplicates in (bool[])[true, false])
        {
            var mailer = new Mailer(deduplicates);
            var (tables, clock) = (new FakeTables(), new StandingClock(Monday));
            var sender = Sender(tables, mailer, clock);
            // Before the hours in which e-mails go out: later.
            clock.Now = Monday.AddHours(-3);
            Assert.Equal(Monday, await sender.AdvanceAsync(FounderMail.RunOf("2026-02")));
            clock.Now = Monday;
            mailer.Next = new MailOutcome.NotSent("throttled");
            Assert.Equal(Monday.AddMinutes(5), await sender.AdvanceAsync(FounderMail.RunOf("2026-02")));
            Assert.Equal(Monday.AddMinutes(5), await sender.AdvanceAsync(FounderMail.RunOf("2026-02")));
            clock.Now = Monday.AddMinutes(5);
            // The host dies between "about to be sent" and "sent".
            mailer.Next = null;
            mailer.Died = true;
            if (deduplicates) await Assert.ThrowsAsync<HostDiedException>(() => sender.AdvanceAsync(FounderMail.RunOf("2026-02")));
            else await DiesAsync(tables, clock);
            mailer.Died = false;
            if (!deduplicates)
            {
                // It may have gone: five minutes later nobody knows, and it is left.
                Assert.Equal(Monday.AddMinutes(10), await sender.AdvanceAsync(FounderMail.RunOf("2026-02")));
                clock.Now = Monday.AddMinutes(10);
            }
            Assert.Null(await sender.AdvanceAsync(FounderMail.RunOf("2026-02")));
            Assert.Null(await sender.AdvanceAsync(FounderMail.RunOf("2026-02")));
            Assert.Equal(deduplicates ? MailResult.Accepted : MailResult.Unknown, (await tables.GetAsync<MailRecord>(Keys.ReviewMail("2026-02")))!.Value.Result);
            Assert.Equal(deduplicates ? 1 : 0, mailer.Taken.Count);
        }
    }

    [Fact]
    public async Task A_mailer_that_fails_without_saying_what_became_of_it_is_not_asked_again()
    {
        var (tables, mailer) = (new FakeTables(), new Mailer(deduplicates: false) { Died = true });
        var sender = Sender(tables, mailer, new StandingClock(Monday));
        Assert.Null(await sender.AdvanceAsync(FounderMail.RunOf("2026-02")));
        mailer.Died = false;
        Assert.Null(await sender.AdvanceAsync(FounderMail.RunOf("2026-02")));
        Assert.Empty(mailer.Taken);
        Assert.Equal(MailResult.Unknown, (await tables.GetAsync<MailRecord>(Keys.ReviewMail("2026-02")))!.Value.Result);
    }

    [Fact]
    public async Task Two_hosts_at_the_same_moment_send_one()
    {
        var (tables, mailer, clock) = (new FakeTables(), new Mailer(deduplicates: false), new StandingClock(Monday));
        var second = Sender(tables, mailer, clock);
        mailer.Meanwhile = async () => Assert.Equal(Monday.AddMinutes(5), await second.AdvanceAsync(FounderMail.RunOf("2026-02")));
        Assert.Null(await Sender(tables, mailer, clock).AdvanceAsync(FounderMail.RunOf("2026-02")));
        Assert.Single(mailer.Taken);
    }

    [Fact]
    public async Task Old_news_and_letters_to_nobody_are_left()
    {
        var mailer = new Mailer(deduplicates: true);
        var clock = new StandingClock(Monday.AddDays(7));
        Assert.Null(await Sender(new FakeTables(), mailer, clock).AdvanceAsync(FounderMail.RunOf("2026-02")));
        clock.Now = Monday;
        Assert.Null(await Sender(new FakeTables(), mailer, clock, to: null).AdvanceAsync(FounderMail.RunOf("2026-02")));
        // No sweep, nothing to tell of a week.
        Assert.Null(await Sender(new FakeTables(), mailer, clock).AdvanceAsync(FounderMail.RunOf("2026-03-02")));
        Assert.Empty(mailer.Taken);
    }

    [Fact]
    public async Task East_of_Greenwich_it_waits_until_the_month_is_over_where_it_is_counted()
    {
        // Monday 1 June, 9 o'clock in Auckland: still Sunday 31 May in UTC. At the end of May it is noon there.
        var (may, clock) = (Month.Of(new DateTimeOffset(2026, 5, 1, 0, 0, 0, TimeSpan.Zero)), new StandingClock(new DateTimeOffset(2026, 5, 31, 21, 0, 0, TimeSpan.Zero)));
        Assert.Equal(may.End, await Sender(new FakeTables(), new Mailer(deduplicates: true), clock, zone: "Pacific/Auckland").AdvanceAsync(FounderMail.RunOf("2026-05")));
    }

    [Fact]
    public async Task A_week_is_told_in_one_line()
    {
        var (tables, mailer) = (new FakeTables(), new Mailer(deduplicates: true));
        SweepResult Sweep(int daysAgo, long mrr, int paying, HealthTotals totals) =>
            new() { At = Monday.AddDays(-daysAgo), Customers = 1, Tiers = new Dictionary<HealthTier, int>(), Candidates = 0, Started = 0, Paying = paying, Mrr = new Dictionary<string, long> { ["usd"] = mrr }, Totals = totals };
        foreach (var sweep in (SweepResult[])[Sweep(7, 1_000_000, 100, new() { Customers = 110, MovedDown = 50 }), Sweep(3, 1, 1, new() { MovedDown = 2 }), Sweep(0, 980_000, 98, new() { Customers = 108, Wau = 60, FailedPayments = 1, MovedDown = 3, MovedUp = 4 })])
            await tables.UpsertAsync(Keys.SweepOf(DateOnly.FromDateTime(sweep.At.UtcDateTime)), sweep);
        await Sender(tables, mailer, new StandingClock(Monday)).AdvanceAsync(FounderMail.RunOf("2026-03-02"));
        Assert.Equal("Papertrail this week: MRR $9,800 (−$200), 98 paying (−2), WAU 60 of 108, 5 moved down, 4 up, 1 customer with a failed payment", Assert.Single(mailer.Taken).Subject);
    }

    [Fact]
    public void What_an_import_brought_is_no_growth_in_the_line_of_the_week()
    {
        SweepResult Sweep(int daysAgo, long mrr, int paying) => new()
        {
            At = Monday.AddDays(-daysAgo), Customers = 1, Tiers = new Dictionary<HealthTier, int>(), Candidates = 0, Started = 0, Paying = paying, Mrr = new Dictionary<string, long> { ["usd"] = mrr }, Totals = new() { Customers = paying, Wau = 1 },
        };
        string? Line(DateTimeOffset broughtInAt) => ReviewWeek.Of([Sweep(7, 1_000, 1), Sweep(0, 980_000, 98)], at => DateOnly.FromDateTime(at.UtcDateTime), broughtInAt)?.Line;
        Assert.Equal("MRR $9,800, 98 paying (not compared: customers who were there before were brought in), WAU 1 of 98, 0 moved down, 0 up, 0 customers with a failed payment", Line(Monday.AddDays(-3)));
        Assert.StartsWith("MRR $9,800 (+$9,790), 98 paying (+97)", Line(Monday.AddDays(-8)), StringComparison.Ordinal);
    }

    // What is in the tables when a host died after its first write.
    private static async Task DiesAsync(FakeTables tables, StandingClock clock) =>
        await tables.ChangeAsync<MailRecord>(Keys.ReviewMail("2026-02"), known => known! with { Result = MailResult.Sending, At = clock.Now, Attempts = 2 });

    private static ReviewSender Sender(FakeTables tables, Mailer mailer, StandingClock clock, string? to = "mira@papertrail.example", string zone = "UTC")
    {
        var settings = EmailSamples.Settings();
        settings.Product.TimeZone = zone;
        settings.Review.Email = to;
        return new ReviewSender(tables, mailer, EmailSamples.Composer(settings), Queries(tables, settings, clock), settings, clock);
    }

    private static ReviewQueries Queries(FakeTables tables, RetentionSettings settings, StandingClock clock) =>
        new(tables, new MetricsQueries(tables, clock), new HealthQueries(tables, settings, clock), new CohortQueries(Summaries(tables, clock)), new FlowQueries(Summaries(tables, clock), settings), Summaries(tables, clock), new ReviewActions(tables, clock), settings, clock);

    private static SummaryQueries Summaries(FakeTables tables, StandingClock clock) => new(tables, new JobRunner(tables, new HostedPipeline.KeptMessages(), [], clock, NullLogger<JobRunner>.Instance), clock);

    private sealed class Mailer(bool deduplicates) : IMailer
    {
        public bool Deduplicates => deduplicates;

        public List<OutgoingEmail> Taken { get; } = [];

        public MailOutcome? Next { get; set; }

        public bool Died { get; set; }

        public Func<Task>? Meanwhile { get; set; }

        public async Task<MailOutcome> SendAsync(OutgoingEmail email, CancellationToken cancel = default)
        {
            if (Died) throw new HostDiedException();
            if (Meanwhile is not null) await Meanwhile();
            if (Next is { } next) return next;
            Taken.Add(email);
            return new MailOutcome.Accepted(email.Id);
        }
    }
}
