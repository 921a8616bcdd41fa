using System.Globalization;
using FsCheck;
using FsCheck.Fluent;
using RetentionFunctions.Customers;
using RetentionFunctions.Insight;
using RetentionFunctions.Settings;
using RetentionFunctions.Storage;
using RetentionFunctions.Tests.Support;
using static RetentionFunctions.Tests.Support.Snapshots;

namespace RetentionFunctions.Tests.Insight;

/// <summary>Cohorts, from lives of subscriptions. Day 0 is 1 January 2026: January ends with day 31, February with 59, March with 90; it is 11 April.</summary>
public class CohortsTests
{
    private const int April = 100;
    private static readonly RetentionSettings Settings = new();

    /// <summary>The edge cases of docs/definitions.md, one customer each: what it began with, and what was left at the end of each month after.</summary>
    public static TheoryData<string, SubscriptionSnapshot[], string> Lives => new()
    {
        { "a new customer is the cohort of their month", [Created(day: 5)], "2026-01: 1, then 1, 1; usd 4900, then 4900, 4900" },
        { "who leaves is missing from the end of that month on", [Created(), Deleted("d", 70)], "2026-01: 1, then 1, 0; usd 4900, then 4900, 0" },
        { "who joins and leaves within a month is in its cohort, and missing from month 1 on", [Created(day: 32), Deleted("d", 50)], "2026-02: 1, then 0; usd 4900, then 0" },
        { "who comes back stays in the first cohort", [Created(), Deleted("d", 35), Created("r", 62, sub: "sub_2")], "2026-01: 1, then 0, 1; usd 4900, then 0, 4900" },
        { "a paused customer is left, without MRR while the pause lasts", [Created(), Of("p", 40, pause: "keep_as_draft", resumes: 70)], "2026-01: 1, then 1, 1; usd 4900, then 0, 4900" },
        { "who expands is more MRR than the cohort began with", [Created(), Of("u", 40, mrr: 9800)], "2026-01: 1, then 1, 1; usd 4900, then 9800, 9800" },
        { "who pays in two currencies is one customer, and in the MRR cohort of each", [Created(), Created("e", 40, 2000, sub: "sub_2", currency: "eur")], "2026-01: 1, then 1, 1; usd 4900, then 4900, 4900; 2026-02: eur 2000, then 2000" },
        { "who goes from one currency to another is left, and gone from the MRR of the first", [Created(), Deleted("d", 45), Created("e", 40, 2000, sub: "sub_2", currency: "eur")], "2026-01: 1, then 1, 1; usd 4900, then 0, 0; 2026-02: eur 2000, then 2000" },
        { "a failed payment counts for thirty days, and then no more", [Created(), Of("f", 31, "past_due", was: "active")], "2026-01: 1, then 1, 0; usd 4900, then 4900, 0" },
        { "a cohort of this month has only its beginning", [Created(day: 95)], "2026-04: 1; usd 4900" },
        { "a trial that ends without paying is in no cohort", [Created(status: "trialing"), Deleted("d", 14)], "" },
    };

    [Theory, MemberData(nameof(Lives))]
    public void A_life_gives_its_cohort(string life, SubscriptionSnapshot[] snapshots, string cohorts) => Assert.Equal((life, cohorts), (life, Told([snapshots])));

    [Theory, MemberData(nameof(Lives))]
    public void The_life_stands_in_the_definitions(string life, SubscriptionSnapshot[] snapshots, string cohorts)
    {
        Assert.NotEmpty(snapshots);
        Assert.Contains($"| {life} | {(cohorts.Length > 0 ? cohorts : "no cohort")} |", File.ReadAllText(Path.Combine(Repository.Root, "docs", "definitions.md")));
    }

    [Fact]
    public void The_average_over_cohorts_weighs_each_by_its_customers_and_leaves_out_those_too_young()
    {
        // Ten of January, of whom five leave in March; two of February, who stay.
        var lives = Enumerable.Range(0, 10).Select(i => i < 5 ? (SubscriptionSnapshot[])[Created(), Deleted("d", 70)] : [Created()]).Concat([[Created(day: 40)], [Created(day: 41)]]).ToList();
        var group = Assert.Single(Counted(lives, new(CohortMeasure.Customers, null, null)).Groups);
        Assert.Equal((new Ratio(12, 12), new Ratio(5, 10), null), (group.At(1), group.At(2), group.At(3)));
        Assert.Equal(12, group.Customers);
        Assert.Contains("| weighted average after two months | 5 ÷ 10: the cohort of February is too young |", File.ReadAllText(Path.Combine(Repository.Root, "docs", "definitions.md")));
    }

    [Fact]
    public void The_plan_of_the_first_payment_splits_also_after_another_was_chosen()
    {
        var cohorts = Counted([[Created() with { Plan = "Starter" }, Of("u", 40, mrr: 9800) with { Plan = "Pro" }], [Created(day: 3) with { Plan = "Pro" }], [Created(day: 3)]], new(CohortMeasure.Customers, "plan", null));
        Assert.Equal(["Pro", "Starter", null], cohorts.Groups.Select(g => g.Value));
        // Of two that begin at once the larger.
        var both = CustomerDerivation.Derive(new Customer { Id = "cus_1" }, [Created() with { Plan = "Add-on", Mrr = 100 }, Created("b", sub: "sub_2") with { Plan = "Pro" }], new CustomerSettings(), Day(10)).Customer;
        Assert.Equal("Pro", both.FirstPlan);
        // A trial is no payment: what was chosen at its end counts.
        Assert.Equal("Pro", CustomerDerivation.Derive(new Customer { Id = "cus_1" }, [Created(status: "trialing") with { Plan = "Starter" }, Of("a", 14, was: "trialing") with { Plan = "Pro" }], new CustomerSettings(), Day(20)).Customer.FirstPlan);
    }

    [Fact]
    public void Values_beyond_the_twelve_most_frequent_are_put_together_and_nobody_is_lost()
    {
        var lives = Enumerable.Range(0, 40).SelectMany(i => Enumerable.Range(0, 40 - i).Select(_ => (SubscriptionSnapshot[])[Created() with { Plan = $"plan {i:D2}" }])).ToList();
        var cohorts = Counted(lives, new(CohortMeasure.Customers, "plan", null));
        Assert.Equal([.. Enumerable.Range(0, 12).Select(i => $"plan {i:D2}"), "other"], cohorts.Groups.Select(g => g.Value!));
        Assert.Equal((lives.Count, new Ratio(lives.Count, lives.Count)), (cohorts.Groups.Sum(g => g.Customers), cohorts.At(1)));
    }

    [Theory]
    [InlineData(0.71, ChurnBand.Good)]
    [InlineData(0.70, ChurnBand.Improve)]
    [InlineData(0.50, ChurnBand.Improve)]
    [InlineData(0.49, ChurnBand.Serious)]
    public void The_bands_of_twelve_months(double rate, ChurnBand band) => Assert.Equal(band, CohortBands.Of(rate));

    /// <summary>Beside the months' cells, from ledgers and timelines alone.</summary>
    [Fact]
    public void Whatever_happens_the_cohorts_are_those_of_a_second_reckoning()
    {
        var business = RandomLives.ArrayOf().Where(lives => lives.Any(life => life.Length > 0));
        Prop.ForAll(business.ToArbitrary(), lives =>
        {
            const int asOf = 260;
            var people = lives.Where(l => l.Length > 0).Select(life => new Person(life, Day(asOf))).Where(p => p.Ledger.Count > 0).ToList();
            var counted = Counted(lives, new(CohortMeasure.Customers, null, null), asOf);
            // The beginnings of all cohorts are all who ever paid.
            Assert.Equal(people.Count, counted.Groups.Sum(g => g.Rows.Sum(r => r.Remaining[0])));
            foreach (var row in counted.Groups.SelectMany(g => g.Rows))
            {
                var own = people.Where(p => Month.Of(p.Ledger[0].At) == row.Month).ToList();
                Assert.Equal((own.Count, own.Count), ((int)row.Remaining[0], row.Customers));
                // Its beginning, and every month that is over.
                Assert.Equal(Math.Max(1, Month.Of(Day(asOf)).Since(row.Month)), row.Remaining.Count);
                for (var k = 1; k < row.Remaining.Count; k++) Assert.Equal(own.Count(p => p.IsThereAt(row.Month.Plus(k).End)), row.Remaining[k]);
            }
            foreach (var currency in counted.Currencies)
                foreach (var row in Counted(lives, new(CohortMeasure.Mrr, null, currency), asOf).Groups.SelectMany(g => g.Rows))
                {
                    var ledgers = people.Select(p => p.Ledger.Where(m => m.Currency == currency).ToList()).Where(l => l.Count > 0 && Month.Of(l[0].At) == row.Month).ToList();
                    Assert.Equal((ledgers.Count, ledgers.Sum(l => l[0].Amount)), (row.Customers, row.Remaining[0]));
                    for (var k = 1; k < row.Remaining.Count; k++) Assert.Equal(ledgers.Sum(l => l.Where(m => m.At < row.Month.Plus(k).End).Sum(m => m.Amount)), row.Remaining[k]);
                }
            // Told apart or not, they are the same customers.
            foreach (var split in (string[])["plan", "country"])
                Assert.Equal(counted.Groups.SelectMany(g => g.Rows).Select(r => (r.Month, r.Remaining[^1])),
                    Counted(lives, new(CohortMeasure.Customers, split, null), asOf).Groups.SelectMany(g => g.Rows).GroupBy(r => r.Month).OrderBy(g => g.Key).Select(g => (g.Key, g.Sum(r => r.Remaining[^1]))));
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void Any_order_and_any_copies_of_the_events_give_the_same_cohorts() =>
        Prop.ForAll((from life in RandomLives from shuffled in Gen.Shuffle(life.Concat(life).ToArray()) select (life, shuffled)).ToArbitrary(),
            pair => Assert.Equal(Written([pair.life]), Written([pair.shuffled]))).QuickCheckThrowOnFailure();

    [Fact]
    public void A_bucket_with_thousands_of_customers_and_eight_traits_of_many_values_fits_into_its_row()
    {
        var settings = new RetentionSettings { Customers = { Traits = [.. Enumerable.Range(0, 8).Select(i => $"trait{i}")] } };
        var customers = Enumerable.Range(0, 4000).Select(i =>
        {
            var derived = CustomerDerivation.Derive(new Customer { Id = $"cus_{i}" }, [Created(day: i % 900), Of("u", i % 900 + 40 + i % 7, mrr: 5000 + i), Deleted("d", i % 900 + 90 + i % 300)], settings.Customers, Day(1200));
            var traits = settings.Customers.Traits.ToDictionary(t => t, t => $"a rather long value of {t} number {i * 7919 % 500}");
            return CustomerRows.Of(derived.Customer with { Profile = new StripeProfile { Traits = traits } }, (CustomerNouns.Months, StoredMonths.Of(derived.Months)));
        }).ToList();
        var row = (StoredCohorts)new CohortSummary(settings).Count(customers, Day(1200))!;
        TableLimits.Check("x", [new Write.Upsert("k", TablesExtensions.Write(row))]);
        foreach (var split in (string?[])[null, "trait0", "trait7"])
            Assert.Equal(4000, Cohorts.Of(new Summed<StoredCohorts>([row], Day(1200), false), new(CohortMeasure.Customers, split, null)).Groups.Sum(g => g.Customers));
    }

    [Fact]
    public void A_summary_names_nobody()
    {
        var derived = CustomerDerivation.Derive(new Customer { Id = "cus_Ada", BillingEmail = "ada@example.com" }, [Created()], new CustomerSettings(), Day(10));
        Assert.DoesNotContain("ada", System.Text.Encoding.UTF8.GetString(TablesExtensions.Write((StoredCohorts)new CohortSummary(Settings).Count([Rows(derived)], Day(10))!).Span), StringComparison.OrdinalIgnoreCase);
        Assert.Null(new CohortSummary(Settings).Count([CustomerRows.Of(new Customer { Id = "cus_1" })], Day(10)));
    }

    // In two currencies, and with the names of plans.
    private static Gen<SubscriptionSnapshot[]> RandomLives { get; } =
        MonthsTests.RandomLife.Select(life => life.Select(s => s with { Currency = s.SubscriptionId == "sub_2" ? "eur" : "usd", Plan = s.Mrr == 0 ? null : $"{s.Mrr}" }).ToArray());

    private sealed class Person(SubscriptionSnapshot[] life, DateTimeOffset asOf)
    {
        private readonly List<SubscriptionTimeline> timelines = [.. life.GroupBy(s => s.SubscriptionId).Select(g => SubscriptionTimeline.Of(g, new CustomerSettings()))];

        public IReadOnlyList<Movement> Ledger { get; } = CustomerDerivation.Derive(new Customer { Id = "cus_1" }, life, new CustomerSettings(), asOf).Ledger;

        // In any currency in which something was paid by then.
        public bool IsThereAt(DateTimeOffset moment) => timelines.Any(t =>
            Ledger.Any(m => m.Currency == t.Snapshots[^1].Currency && m.At < moment) && t.Steps.LastOrDefault(s => s.At < moment) is { } step && (step.Mrr > 0 || step.State == SubscriptionState.Paused));
    }

    private static CustomerRows Rows(Derived derived) => CustomerRows.Of(derived.Customer, (CustomerNouns.Months, StoredMonths.Of(derived.Months)));

    private static List<StoredCohorts> Buckets(IEnumerable<SubscriptionSnapshot[]> lives, double asOf) =>
    [
        // Spread over three buckets: sums do not depend on where a customer is.
        .. lives.Select(life => Rows(CustomerDerivation.Derive(new Customer { Id = "cus_1" }, life, new CustomerSettings(), Day(asOf)))).Chunk(3)
            .Select(some => new CohortSummary(Settings).Count(some, Day(asOf))).OfType<StoredCohorts>(),
    ];

    private static Cohorts Counted(IEnumerable<SubscriptionSnapshot[]> lives, CohortRequest request, double asOf = April) => Cohorts.Of(new Summed<StoredCohorts>(Buckets(lives, asOf), Day(asOf), false), request);

    private static string Written(IEnumerable<SubscriptionSnapshot[]> lives) => string.Concat(Buckets(lives, 260).Select(b => System.Text.Encoding.UTF8.GetString(TablesExtensions.Write(b).Span)));

    private static string Told(IReadOnlyList<SubscriptionSnapshot[]> lives)
    {
        var customers = Counted(lives, new(CohortMeasure.Customers, null, null));
        var rows = customers.Groups.SelectMany(g => g.Rows).Select(r => (r.Month, Text: Row("", r)))
            .Concat(customers.Currencies.SelectMany(c => Counted(lives, new(CohortMeasure.Mrr, null, c)).Groups.SelectMany(g => g.Rows).Select(r => (r.Month, Text: Row(c + " ", r)))));
        return string.Join("; ", rows.GroupBy(r => r.Month).OrderBy(g => g.Key).Select(g => $"{g.Key}: {string.Join("; ", g.Select(r => r.Text))}"));

        static string Row(string unit, CohortRow row) =>
            unit + row.Remaining[0].ToString(CultureInfo.InvariantCulture) + (row.Remaining.Count > 1 ? $", then {string.Join(", ", row.Remaining.Skip(1).Select(r => r.ToString(CultureInfo.InvariantCulture)))}" : "");
    }
}
