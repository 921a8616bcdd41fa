using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using RetentionFunctions.Intake.Stripe;
using RetentionFunctions.Local.Demo;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.Tests.Demo;

/// <summary>The people of the demo year, without any host: nobody shows them e-mails.</summary>
public class DemoCompanyTests
{
    private static readonly DateTimeOffset Start = new(2025, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private static readonly Lazy<Lived> Year = new(() => Live(new DemoYear(300, 365, 1, Start)));

    [Fact]
    public void The_same_seed_gives_the_same_bytes_and_another_seed_other_ones()
    {
        var year = new DemoYear(12, 60, 7, Start);
        Assert.Equal(Live(year).Hash, Live(year).Hash);
        Assert.NotEqual(Live(year).Hash, Live(year with { Seed = 8 }).Hash);
    }

    [Fact]
    public void A_year_of_300_customers_has_at_least_150_000_app_events() => Assert.InRange(Year.Value.AppEvents, 150_000, 220_000);

    /// <summary>So that the bill in <c>docs/cost.md</c> is one of a company that we know.</summary>
    [Fact]
    public void The_workload_of_the_page_about_costs_is_that_of_the_year()
    {
        var workload = JsonNode.Parse(File.ReadAllText(Path.Combine(Repository.Root, "docs", "cost.json")))!["workload"]!;
        var months = Year.Value.SubscribedDays / (365 / 12.0);
        Assert.InRange(Year.Value.Types.Where(t => StripeReader.Handles(t.Key)).Sum(t => t.Value) / months / (double)workload["stripeEvents"]!["value"]!, .85, 1.05);
        Assert.InRange(Year.Value.AppEvents / months / (double)workload["appEvents"]!["value"]!, .85, 1.05);
    }

    /// <summary>All that the product reads comes, but for what no account of these years is sent.</summary>
    [Fact]
    public void A_year_has_every_kind_of_stripe_event_that_the_product_reads()
    {
        // The name that Stripe gave payment_method.automatically_updated before 2020; the sandbox speaks later versions.
        string[] exceptions = ["payment_method.card_automatically_updated"];
        Assert.Equal(StripeEventTypes.Meanings.Keys.Except(exceptions).Order(StringComparer.Ordinal), Year.Value.Types.Keys.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Some_try_it_without_a_card_and_most_of_those_give_one_in_time()
    {
        var without = Year.Value.People.Where(p => p.TriesWithoutCard).Select(p => p.CustomerId).ToHashSet();
        var stood = Year.Value.Events.Where(e => e.Type == "customer.subscription.paused").Select(e => e.CustomerId).ToHashSet();
        var resumed = Year.Value.Events.Where(e => e.Type == "customer.subscription.resumed").Select(e => e.CustomerId).ToHashSet();
        Assert.Subset(without, stood);
        Assert.Subset(stood, resumed);
        Assert.InRange(stood.Count / (double)without.Count, .2, .6);
        Assert.NotEmpty(resumed);
    }

    [Fact]
    public void Every_event_is_one_that_the_product_reads()
    {
        foreach (var told in Year.Value.Events.Where(e => StripeReader.Handles(e.Type))) StripeEnvelope.Read(told.Body);
    }

    [Fact]
    public void The_planted_channel_plan_and_feature_show_in_who_decides_to_leave()
    {
        // Over many more people than one year has, so that it is the rules that are tried and not the luck of a seed.
        var truths = DemoTruths.Planted;
        var people = Live(new DemoYear(1000, 365, 3, Start), withUse: false).People;
        Assert.InRange(Rate(p => p.Channel == truths.Channel) / Rate(p => p.Channel != truths.Channel), 1.8, 4.0);
        Assert.InRange(Rate(p => p.FirstPlan.Key == truths.Plan) / Rate(p => p.FirstPlan.Key != truths.Plan), 1.3, 2.8);
        Assert.InRange(Rate(p => p.UsesTruthFeature) / Rate(p => !p.UsesTruthFeature), .3, .7);

        double Rate(Func<DemoPerson, bool> of) => (double)people.Where(of).Count(p => p.DecidedToLeaveAt is not null) / people.Count(of);
    }

    [Fact]
    public void Also_in_the_year_that_everybody_sees_the_planted_channel_leaves_more_often()
    {
        var people = Year.Value.People;
        double Rate(bool planted) => people.Where(p => p.Channel == DemoTruths.Planted.Channel == planted).Average(p => p.DecidedToLeaveAt is null ? 0 : 1);
        Assert.True(Rate(true) > 1.5 * Rate(false), $"{Rate(true):P0} against {Rate(false):P0}");
    }

    [Fact]
    public void Between_a_tenth_and_half_of_the_customers_are_gone_at_the_end_some_for_a_payment_that_never_came()
    {
        var gone = Year.Value.People.Count(p => p.SignedUp && !p.Subscribed);
        Assert.InRange(gone, 30, 150);
        Assert.Contains(Year.Value.Events, e => e.Type == "customer.subscription.deleted" && Encoding.UTF8.GetString(e.Body.Span).Contains("\"payment_failed\"", StringComparison.Ordinal));
    }

    [Fact]
    public void Who_drifts_off_is_silent_and_who_comes_back_is_not()
    {
        var person = DemoPerson.Draw(1, 1, Start, 365);
        var day = new DateOnly(2025, 3, 3);
        person.Uses(day.AddDays(-40), 1);
        person.FadesOut(day);
        Assert.Equal([1, .65, .3, 0], new[] { -1, 0, 4, 10 }.Select(d => person.Level(day.AddDays(d))));
        person.Uses(day.AddDays(6), .9);
        Assert.Equal(.9, person.Level(day.AddDays(30)));
    }

    [Fact]
    public void Shares_of_kinds_channels_and_plans_add_up_to_one()
    {
        Assert.Equal(1, DemoKind.All.Sum(k => k.Share), 9);
        Assert.Equal(1, DemoPlan.All.Sum(p => p.Share), 9);
        Assert.Equal(1, DemoMarket.Channels.Sum(c => c.Share), 9);
        Assert.Equal(1, DemoMarket.Countries.Sum(c => c.Share), 9);
    }

    private static Lived Live(DemoYear year, bool withUse = true)
    {
        var company = new DemoCompany(year);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var lived = new Lived { People = company.People };
        for (var stop = year.StartsAt + DemoPlayer.Stop; stop <= year.StartsAt.AddDays(year.Days); stop += DemoPlayer.Stop)
        {
            foreach (var tells in company.Until(stop).Cast<DemoStep.Tells>())
            {
                foreach (var told in tells.Events)
                {
                    hash.AppendData(told.Body.Span);
                    lived.Types[told.Type] = lived.Types.GetValueOrDefault(told.Type) + 1;
                    lived.Events.Add(told);
                }
            }
            if (!withUse || stop.TimeOfDay != TimeSpan.Zero) continue;
            lived.SubscribedDays += company.People.Count(p => p.Subscribed);
            var use = company.AppEvents(DateOnly.FromDateTime(stop.UtcDateTime).AddDays(-1));
            lived.AppEvents += use.Count;
            foreach (var batch in DemoUse.Batches(use, 512 * 1024)) hash.AppendData(batch);
        }
        lived.Hash = Convert.ToHexStringLower(hash.GetHashAndReset());
        return lived;
    }

    private sealed class Lived
    {
        public required IReadOnlyList<DemoPerson> People { get; init; }

        public List<Local.Sandbox.SandboxEvent> Events { get; } = [];

        public Dictionary<string, int> Types { get; } = [];

        public int AppEvents { get; set; }

        /// <summary>Days with a subscription, of all customers.</summary>
        public int SubscribedDays { get; set; }

        public string Hash { get; set; } = "";
    }
}
