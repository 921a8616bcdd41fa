using FsCheck;
using FsCheck.Fluent;
using RetentionFunctions.Customers;
using RetentionFunctions.Insight;
using RetentionFunctions.Settings;
using RetentionFunctions.Tests.Support;
using static RetentionFunctions.Tests.Support.Snapshots;

namespace RetentionFunctions.Tests.Insight;

/// <summary>The figures of months, from lives of subscriptions. Day 0 is 1 January 2026: January ends with day 31, February with 59, March with 90.</summary>
public class MonthsTests
{
    private static readonly CustomerSettings Settings = new();

    /// <summary>The edge cases of docs/definitions.md, one customer each: what the months say.</summary>
    public static TheoryData<string, SubscriptionSnapshot[], string> Lives => new()
    {
        { "a new customer is none at the start of the first month", [Created(day: 5)], "2026-01: start 0, new 1, end 1, 0 +4900 = 4900; 2026-02: start 1, end 1, 4900 = 4900; 2026-03: start 1, end 1, 4900 = 4900" },
        { "who leaves is lost in the month in which what was paid ends", [Created(), Of("c", 40, cancelAt: 62), Deleted("d", 62)], "2026-01: start 0, new 1, end 1, 0 +4900 = 4900; 2026-02: start 1, end 1, 4900 = 4900; 2026-03: start 1, lost 1, end 0, 4900 -4900 = 0" },
        { "who joins and leaves within a month is early churn and in no rate", [Created(day: 32), Deleted("d", 50)], "2026-02: start 0, new 1, early 1, end 0, 0 +4900 -4900 = 0; 2026-03: start 0, end 0, 0 = 0" },
        { "who leaves and is back within the month was not lost", [Created(), Deleted("d", 35), Created("r", 45, sub: "sub_2")], "2026-01: start 0, new 1, end 1, 0 +4900 = 4900; 2026-02: start 1, end 1, 4900 -4900 +4900 = 4900; 2026-03: start 1, end 1, 4900 = 4900" },
        { "who comes back later is returned, not new", [Created(), Deleted("d", 35), Created("r", 62, sub: "sub_2")], "2026-01: start 0, new 1, end 1, 0 +4900 = 4900; 2026-02: start 1, lost 1, end 0, 4900 -4900 = 0; 2026-03: start 0, returned 1, end 1, 0 +4900 = 4900" },
        { "a paused customer stays a customer, without MRR", [Created(), Of("p", 40, pause: "keep_as_draft", resumes: 70)], "2026-01: start 0, new 1, end 1, 0 +4900 = 4900; 2026-02: start 1, end 1, 4900 -4900 = 0; 2026-03: start 1, end 1, 0 +4900 = 4900" },
        { "a pause that ends in cancellation is churn of one customer and of the MRR it had", [Created(), Of("p", 40, pause: "keep_as_draft"), Deleted("d", 70)], "2026-01: start 0, new 1, end 1, 0 +4900 = 4900; 2026-02: start 1, end 1, 4900 -4900 = 0; 2026-03: start 1, lost 1, end 0, 0 +4900 -4900 = 0" },
        { "a pause of one of two subscriptions that outlives the other keeps the customer", [Created(), Created("c2", 0, 2000, sub: "sub_2"), Of("p", 40, pause: "keep_as_draft"), Deleted("d", 70, sub: "sub_2")], "2026-01: start 0, new 1, end 1, 0 +6900 = 6900; 2026-02: start 1, end 1, 6900 -4900 = 2000; 2026-03: start 1, end 1, 2000 -2000 = 0" },
        { "losing one of two subscriptions loses no customer", [Created(), Created("c2", 5, 2000, sub: "sub_2"), Deleted("d", 40, sub: "sub_2")], "2026-01: start 0, new 1, end 1, 0 +4900 +2000 = 6900; 2026-02: start 1, end 1, 6900 -2000 = 4900; 2026-03: start 1, end 1, 4900 = 4900" },
        { "a failed payment is involuntary churn after thirty days", [Created(), Of("f", 31, "past_due", was: "active")], "2026-01: start 0, new 1, end 1, 0 +4900 = 4900; 2026-02: start 1, end 1, 4900 = 4900; 2026-03: start 1, lost 1 involuntary, end 0, 4900 -4900 = 0" },
        { "a cancellation at the very first moment of a month belongs to that month", [Created(), Deleted("d", 31)], "2026-01: start 0, new 1, end 1, 0 +4900 = 4900; 2026-02: start 1, lost 1, end 0, 4900 -4900 = 0; 2026-03: start 0, end 0, 0 = 0" },
        { "who first pays at the very first moment of a month is new in that month", [Created(day: 31)], "2026-02: start 0, new 1, end 1, 0 +4900 = 4900; 2026-03: start 1, end 1, 4900 = 4900" },
        { "who joins and pauses within a month has not left", [Created(day: 32), Of("p", 40, pause: "keep_as_draft")], "2026-02: start 0, new 1, end 1, 0 +4900 -4900 = 0; 2026-03: start 1, end 1, 0 = 0" },
        { "lost to a failed payment, back, and gone by their own decision within a month is voluntary", [Created(), Of("f", 5, "past_due", was: "active"), Created("r", 45, sub: "sub_2"), Deleted("d", 50, sub: "sub_2")], "2026-01: start 0, new 1, end 1, 0 +4900 = 4900; 2026-02: start 1, lost 1, end 0, 4900 -9800 +4900 = 0; 2026-03: start 0, end 0, 0 = 0" },
        { "a pause from before anything was paid is no customer", [Created() with { PauseBehavior = "keep_as_draft" }, Of("r", 40), Deleted("d", 50)], "2026-02: start 0, new 1, early 1, end 0, 0 +4900 -4900 = 0; 2026-03: start 0, end 0, 0 = 0" },
        { "a trial that ends without paying was never a customer", [Created(status: "trialing"), Deleted("d", 14)], "" },
    };

    [Theory, MemberData(nameof(Lives))]
    public void A_life_gives_its_months(string life, SubscriptionSnapshot[] snapshots, string months) => Assert.Equal((life, months), (life, Told(Months([snapshots], 80).Where(m => m.All.Month <= March))));

    [Theory, MemberData(nameof(Lives))]
    public void The_life_stands_in_the_definitions(string life, SubscriptionSnapshot[] snapshots, string months)
    {
        Assert.NotEmpty(snapshots);
        Assert.Contains($"| {life} | {(months.Length > 0 ? months : "no month")} |", File.ReadAllText(Path.Combine(Repository.Root, "docs", "definitions.md")));
    }

    [Theory, MemberData(nameof(Lives))]
    public void Any_order_and_any_copies_give_the_same_months(string life, SubscriptionSnapshot[] snapshots, string months)
    {
        Assert.NotEmpty(life);
        Prop.ForAll(Gen.Shuffle(snapshots.Concat(snapshots).ToArray()).ToArbitrary(), shuffled => Told(Months([shuffled], 80).Where(m => m.All.Month <= March)) == months).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void The_rates_of_a_month_with_their_denominators()
    {
        // Ten customers of $49 at the start of February: one leaves, one's card fails for good, one doubles, one halves, one pauses; two join, and one of them leaves at once; one of long ago is back.
        var customers = Enumerable.Range(0, 10).Select(_ => new List<SubscriptionSnapshot> { Created() }).ToList();
        customers[0].Add(Deleted("d", 40));
        customers[1].AddRange([Of("f", 33, "past_due", was: "active"), Deleted("d", 45, "payment_failed")]);
        customers[2].Add(Of("u", 40, mrr: 9800));
        customers[3].Add(Of("u", 40, mrr: 2450));
        customers[4].Add(Of("p", 40, pause: "keep_as_draft"));
        customers.AddRange([[Created(day: 35)], [Created(day: 36), Deleted("d", 50)]]);
        customers.Add([Created(day: 1), Deleted("d", 10), Created("r", 48, sub: "sub_2")]);
        var m = Months(customers, 62).Single(m => m.All.Month == February).All;

        Assert.Equal((10, 49000L), (m.CustomersAtStart, m.MrrAtStart));
        Assert.Equal(new Ratio(2, 10), m.Churn);
        Assert.Equal(0.2, m.Churn.Value);
        Assert.Equal((new Ratio(1, 10), new Ratio(1, 10)), (m.VoluntaryChurn, m.InvoluntaryChurn));
        Assert.Equal(new Ratio(1, 2), m.EarlyChurn);
        // Two who left, one who joined and left, one who halved.
        Assert.Equal(new Ratio(3 * 4900 + 2450, 49000), m.GrossMrrChurn);
        Assert.Equal(new Ratio(3 * 4900 + 2450 - 4900, 49000), m.NetMrrChurn);
        Assert.Equal((1 - m.GrossMrrChurn.Value, 1 - m.NetMrrChurn.Value), (m.Grr.Value, m.Nrr.Value));
        Assert.Equal((4900, -4900), (m.Cell.MrrReactivation, m.Cell.MrrPaused));
        // Ten, one joined and stayed, one is back, two left.
        Assert.Equal((10, 49000 - 3 * 4900 - 2450 + 4900 + 2 * 4900 + 4900 - 4900), (m.CustomersAtEnd, m.MrrAtEnd));
        // All but the paused one pay.
        Assert.Equal(new Ratio(m.MrrAtEnd, 9), m.Arpa);
        // Stripe's: from 30 January on eleven were there or joined first, three left; who is back had been there before.
        var stripe = Months(customers, 62, ChurnFormula.Stripe).Single(s => s.All.Month == February).All;
        Assert.Equal(new Ratio(3, 12), stripe.Churn);
    }

    [Fact]
    public void Customers_billed_monthly_and_yearly_are_told_apart_and_a_month_with_both_says_so()
    {
        SubscriptionSnapshot[] monthly = [Created(), Deleted("d", 40)], yearly = [Yearly(Created())], switches = [Created(), Yearly(Of("y", 45, mrr: 4000))];
        var months = Months([monthly, yearly, switches], 80);
        var february = months.Single(m => m.All.Month == February);
        Assert.True(february.IsMixed);
        Assert.Equal((2, new Ratio(1, 2)), (february.Terms[BillingTerm.Monthly].CustomersAtStart, february.Terms[BillingTerm.Monthly].Churn));
        Assert.Equal((1, new Ratio(0, 1)), (february.Terms[BillingTerm.Yearly].CustomersAtStart, february.Terms[BillingTerm.Yearly].Churn));
        // Who changed counts where they were until the month's end, and in the other from then on.
        var march = months.Single(m => m.All.Month == March);
        Assert.False(march.IsMixed);
        Assert.Equal((2, 8900L), (march.Terms[BillingTerm.Yearly].CustomersAtStart, march.Terms[BillingTerm.Yearly].MrrAtStart));
    }

    [Fact]
    public void Twelve_months_at_once_are_a_yearly_plan_and_a_paused_yearly_customer_stays_one()
    {
        var february = Months([[Created() with { IntervalCount = 12 }], [Yearly(Created()), Yearly(Of("p", 20, pause: "keep_as_draft"))], [Created() with { IntervalCount = 6 }]], 62).Single(m => m.All.Month == February);
        Assert.Equal((1, 2), (february.Terms[BillingTerm.Monthly].CustomersAtStart, february.Terms[BillingTerm.Yearly].CustomersAtStart));
    }

    [Fact]
    public void What_lies_in_the_future_has_not_happened_in_a_month_that_runs()
    {
        // The payment failed on 1 February and stops counting on 3 March; it is 2 March.
        var march = Months([[Created(), Of("f", 31, "past_due", was: "active")]], 60).Single(m => m.All.Month == March).All;
        Assert.Equal((1, 1, 0, 4900L), (march.CustomersAtStart, march.CustomersAtEnd, march.Cell.Lost, march.MrrAtEnd));
        Assert.Equal(1, march.PayingAtStart + march.Cell.Paying);
    }

    [Fact]
    public void Currencies_are_never_added_up()
    {
        var months = Months([[Created()], [Created(currency: "eur", mrr: 3000)]], 20);
        Assert.Equal(["eur", "usd"], months.Select(m => m.All.Currency));
        Assert.Equal([3000, 4900], months.Select(m => m.All.MrrAtEnd));
    }

    [Fact]
    public void February_has_two_days_of_january_in_the_last_thirty()
    {
        // Left on 31 January: not in February's calendar month, and in its last 30 days.
        var february = Months([[Created(), Deleted("d", 30.5)], [Created()]], 62, ChurnFormula.Stripe).Single(m => m.All.Month == February).All;
        Assert.Equal(new Ratio(1, 2), february.Churn);
        // Also where it was derived on the day itself, and never again.
        var derived = CustomerDerivation.Derive(new Customer { Id = "cus_1" }, [Created(), Deleted("d", 30.5)], Settings, Day(30.5)).Months;
        Assert.Equal(CustomerDerivation.Derive(new Customer { Id = "cus_1" }, [Created(), Deleted("d", 30.5)], Settings, Day(100)).Months, derived);
    }

    [Fact]
    public void Whatever_happens_the_months_follow_from_each_other_and_from_who_was_there()
    {
        var business = RandomLife.ArrayOf().Where(lives => lives.Any(life => life.Length > 0));
        Prop.ForAll(business.ToArbitrary(), lives =>
        {
            var asOf = 260;
            var months = Months(lives, asOf);
            var derived = lives.Where(l => l.Length > 0).Select(life => (Timelines: TimelinesOf(life), CustomerDerivation.Derive(new Customer { Id = "cus_1" }, life, Settings, Day(asOf)).Ledger)).ToList();
            foreach (var m in months)
            {
                var (month, cell) = (m.All.Month, m.All.Cell);
                var movements = derived.SelectMany(d => d.Ledger).ToList();
                Assert.Equal(movements.Where(x => x.At < month.Start).Sum(x => x.Amount), m.All.MrrAtStart);
                Assert.Equal(movements.Where(x => x.At < month.End).Sum(x => x.Amount), m.All.MrrAtEnd);
                var atStart = derived.Where(d => Was(d, month.Start)).ToList();
                Assert.Equal(atStart.Count, m.All.CustomersAtStart);
                Assert.Equal(atStart.Count(d => !Was(d, month.End)), cell.Lost);
                Assert.Equal(derived.Count(d => Was(d, month.End)), m.All.CustomersAtEnd);
                Assert.Equal(derived.Count(d => d.Ledger.Count > 0 && Month.Of(d.Ledger[0].At) == month && !Was(d, month.End)), cell.Early);
                Assert.Equal((m.All.CustomersAtStart, m.All.MrrAtStart, m.All.PayingAtStart), (m.Terms.Values.Sum(t => t.CustomersAtStart), m.Terms.Values.Sum(t => t.MrrAtStart), m.Terms.Values.Sum(t => t.PayingAtStart)));
                Assert.Equal(atStart.Count(d => d.Timelines.Any(t => Last(t, month.Start)?.Mrr > 0)), m.All.PayingAtStart);
                var window = month.End.AddDays(-30);
                Assert.Equal(derived.Count(d => (Was(d, window) || (d.Ledger.Count > 0 && d.Ledger[0].At >= window && d.Ledger[0].At < month.End)) && !Was(d, month.End)), cell.Lost30);
                Assert.Equal(derived.Count(d => Was(d, window)), m.All.CustomersAtEnd - cell.Change30);
            }
            return true;

            bool Was((List<SubscriptionTimeline> Timelines, IReadOnlyList<Movement> Ledger) d, DateTimeOffset at)
            {
                var moment = at < Day(asOf) ? at : Day(asOf).AddTicks(1);
                return d.Ledger.Any(x => x.At < moment) && d.Timelines.Any(t => Last(t, moment) is { } step && (step.Mrr > 0 || step.State == SubscriptionState.Paused));
            }
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void A_late_event_changes_no_month_before_its_own()
    {
        Prop.ForAll(RandomLife.ToArbitrary(), life =>
        {
            for (var i = 0; i < life.Length; i++)
            {
                var late = Month.Of(life[i].Stamp.At);
                var (before, after) = (Months([[.. life.Where((_, n) => n != i)]], 260), Months([life], 260));
                Assert.Equal(Told(before.Where(m => m.All.Month < late)), Told(after.Where(m => m.All.Month < late)));
            }
        }).QuickCheckThrowOnFailure();
    }

    [Theory]
    [InlineData(0.049, BillingTerm.Monthly, ChurnBand.Good)]
    [InlineData(0.05, BillingTerm.Monthly, ChurnBand.Improve)]
    [InlineData(0.10, BillingTerm.Monthly, ChurnBand.Improve)]
    [InlineData(0.101, BillingTerm.Monthly, ChurnBand.Serious)]
    [InlineData(0.005, BillingTerm.Yearly, ChurnBand.Good)]
    [InlineData(0.02, BillingTerm.Yearly, ChurnBand.Serious)]
    public void The_bands_of_the_churn_rate(double rate, BillingTerm term, ChurnBand band) => Assert.Equal(band, ChurnBands.Of(rate, term));

    private static readonly Month January = Month.Of(Start), February = January.Plus(1), March = January.Plus(2);

    // Events that say what was before them, so that nobody's past is made longer by them; two subscriptions, pauses, yearly plans. One event says one thing.
    internal static Gen<SubscriptionSnapshot[]> RandomLife { get; } =
        (from day in Gen.Choose(1, 240)
         from status in Gen.Elements("incomplete", "trialing", "active", "active", "active", "past_due", "unpaid", "paused", "canceled")
         from mrr in Gen.Choose(0, 3)
         from sub in Gen.Elements("sub_1", "sub_2")
         from pause in Gen.Elements(null, null, null, "void", "keep_as_draft")
         from resumes in Gen.Choose(0, 300)
         from yearly in Gen.Elements(false, false, true)
         select Of($"evt_{day}_{status}_{mrr}_{sub}", day, status, mrr * 1000, sub: sub, was: "incomplete", pause: pause, resumes: pause is null ? null : resumes, ended: status == "canceled" ? day : null, periodEnd: day + 10)
             with { Interval = yearly ? "year" : "month" }).ArrayOf().Select(life => life.DistinctBy(s => s.Stamp.EventId).ToArray());

    private static SubscriptionSnapshot Yearly(SubscriptionSnapshot snapshot) => snapshot with { Interval = "year" };

    private static TimelineStep? Last(SubscriptionTimeline timeline, DateTimeOffset before) => timeline.Steps.LastOrDefault(s => s.At < before);

    private static List<SubscriptionTimeline> TimelinesOf(IEnumerable<SubscriptionSnapshot> life) => [.. life.GroupBy(s => s.SubscriptionId).Select(g => SubscriptionTimeline.Of(g, Settings))];

    private static IReadOnlyList<MetricsMonth> Months(IEnumerable<IEnumerable<SubscriptionSnapshot>> lives, double asOf, ChurnFormula formula = ChurnFormula.Standard)
    {
        var cells = new Dictionary<CellKey, MonthCell>();
        foreach (var life in lives)
            foreach (var (key, cell) in CustomerDerivation.Derive(new Customer { Id = "cus_1" }, [.. life], Settings, Day(asOf)).Months) cells[key] = cells.GetValueOrDefault(key) + cell;
        return Metrics.Of(cells, new Dictionary<Month, DateTimeOffset>(), January, January.Plus(24), formula, Day(asOf));
    }

    private static string Told(IEnumerable<MetricsMonth> months) => string.Join("; ", months.Select(m =>
    {
        var (all, c) = (m.All, m.All.Cell);
        var counts = new[] { ("new", c.New), ("early", c.Early), ("returned", c.Returned), ("lost", c.Lost) }.Where(x => x.Item2 != 0).Select(x => $", {x.Item1} {x.Item2}{(x.Item1 == "lost" && c.LostInvoluntary > 0 ? " involuntary" : "")}");
        var moved = new[] { c.MrrNew, c.MrrResumed, c.MrrExpansion, c.MrrContraction, c.MrrPaused, c.MrrChurned, c.MrrReactivation }.Where(x => x != 0).Select(x => FormattableString.Invariant($" {x:+0;-0}"));
        return $"{all.Month}: start {all.CustomersAtStart}{string.Concat(counts)}, end {all.CustomersAtEnd}, {all.MrrAtStart}{string.Concat(moved)} = {all.MrrAtEnd}";
    }));
}
