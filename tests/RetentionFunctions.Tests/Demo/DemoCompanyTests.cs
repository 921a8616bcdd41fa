using System.Security.Cryptography;
using System.Text;
using RetentionFunctions.Intake.Stripe;
using RetentionFunctions.Local.Demo;

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

    [Theory]
    [InlineData("customer.created")]
    [InlineData("customer.subscription.created")]
    [InlineData("customer.subscription.updated")]
    [InlineData("customer.subscription.deleted")]
    [InlineData("customer.subscription.trial_will_end")]
    [InlineData("checkout.session.completed")]
    [InlineData("invoice.created")]
    [InlineData("invoice.finalized")]
    [InlineData("invoice.paid")]
    [InlineData("invoice.payment_failed")]
    [InlineData("invoice.payment_action_required")]
    [InlineData("invoice.upcoming")]
    [InlineData("charge.failed")]
    [InlineData("charge.refunded")]
    [InlineData("charge.dispute.created")]
    [InlineData("payment_intent.payment_failed")]
    [InlineData("payment_method.attached")]
    public void A_year_has_every_kind_of_stripe_event_that_belongs_to_it(string type) => Assert.True(Year.Value.Types.GetValueOrDefault(type) > 0, $"no {type} among {string.Join(", ", Year.Value.Types.Select(t => $"{t.Key} {t.Value}"))}");

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

    [Fact]
    public void Deliveries_hold_every_event_and_some_twice()
    {
        var actions = Year.Value.Actions;
        var copies = 0;
        foreach (var action in actions)
        {
            var arriving = DemoPlayer.Delivery(1, action);
            Assert.Equal(action.Select(e => e.Id).ToHashSet(), arriving.Select(e => e.Id).ToHashSet());
            copies += arriving.Count - action.Count;
        }
        Assert.InRange(copies / (double)Year.Value.Events.Count, .02, .06);
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
                lived.Actions.Add(tells.Events);
                foreach (var told in tells.Events)
                {
                    hash.AppendData(told.Body.Span);
                    lived.Types[told.Type] = lived.Types.GetValueOrDefault(told.Type) + 1;
                    lived.Events.Add(told);
                }
            }
            if (!withUse || stop.TimeOfDay != TimeSpan.Zero) continue;
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

        public List<IReadOnlyList<Local.Sandbox.SandboxEvent>> Actions { get; } = [];

        public Dictionary<string, int> Types { get; } = [];

        public int AppEvents { get; set; }

        public string Hash { get; set; } = "";
    }
}
