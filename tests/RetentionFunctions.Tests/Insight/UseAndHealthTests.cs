using RetentionFunctions.Customers;
using RetentionFunctions.Health;
using RetentionFunctions.Insight;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.Tests.Insight;

/// <summary>The examples of docs/definitions.md, "Use and health".</summary>
public sealed class UseAndHealthTests
{
    private static readonly DateTimeOffset Now = new(2026, 3, 10, 6, 0, 0, TimeSpan.Zero);
    private static readonly DateOnly Today = new(2026, 3, 10);

    public static TheoryData<string, CustomerStatus, double?, string> Uses => new()
    {
        { "a sign-in six days ago counts in both", CustomerStatus.Paying, 6, "WAU 1, MAU 1, unknown 0, of 1" },
        { "a sign-in seven days ago to the second counts in MAU only", CustomerStatus.Paying, 7, "WAU 0, MAU 1, unknown 0, of 1" },
        { "a sign-in thirty days ago to the second counts in none", CustomerStatus.Paying, 30, "WAU 0, MAU 0, unknown 0, of 1" },
        { "who is in a trial or paused counts too", CustomerStatus.Trialing, 1, "WAU 1, MAU 1, unknown 0, of 1" },
        { "of whom the app never told any use is unknown, not inactive", CustomerStatus.Paying, null, "WAU 0, MAU 0, unknown 1, of 1" },
        { "who has left does not count, also where they still sign in", CustomerStatus.Canceled, 1, "WAU 0, MAU 0, unknown 0, of 0" },
    };

    [Theory, MemberData(nameof(Uses))]
    public void A_customer_is_active_by_their_last_use(string what, CustomerStatus status, double? daysAgo, string counted)
    {
        Assert.NotEmpty(what);
        var totals = Totals((Scored(status), daysAgo is { } days ? [SignIn(days)] : []));
        Assert.Equal(counted, $"WAU {totals.Wau}, MAU {totals.Mau}, unknown {totals.UnknownUse}, of {totals.Customers}");
    }

    [Theory, MemberData(nameof(Uses))]
    public void The_use_stands_in_the_definitions(string what, CustomerStatus status, double? daysAgo, string counted)
    {
        Assert.True(Enum.IsDefined(status) && daysAgo is null or > 0);
        Assert.Contains($"| {what} | {counted} |", Definitions);
    }

    [Fact]
    public void What_was_opened_and_app_events_without_use_are_no_use()
    {
        var totals = Totals(
            (Scored(), [ActivityUpdate.Count(null, ActivityView.MailSource, Now.AddDays(-1), Counter.EmailOpens)]),
            (Scored(), [ActivityUpdate.Count(null, "u_1", Now.AddDays(-1), Counter.TicketsOpened)]));
        Assert.Equal((0, 0, 2, 2), (totals.Wau, totals.Mau, totals.UnknownUse, totals.Customers));
    }

    [Fact]
    public void The_rates_of_a_sweep_with_their_denominators()
    {
        // Four customers: one came yesterday, one three weeks ago, one forty days ago, one was never heard of. Ten e-mails arrived, four were opened.
        var mails = Enumerable.Range(0, 10).Aggregate((Activity?)null, (a, i) => ActivityUpdate.Count(a, ActivityView.MailSource, Now.AddDays(-i), Counter.EmailsSent));
        mails = Enumerable.Range(0, 4).Aggregate(mails, (a, i) => ActivityUpdate.Count(a, ActivityView.MailSource, Now.AddDays(-i), Counter.EmailOpens));
        var totals = Totals((Scored(), [SignIn(1), mails!]), (Scored(), [SignIn(21)]), (Scored(score: 60, lost: ("signIns", 40)), [SignIn(40)]), (Scored(score: 80, lost: ("tenure", 20)), []));
        Assert.Equal(new Ratio(1, 2), UseRates.Stickiness(totals));
        Assert.Equal(new Ratio(6, 10), UseRates.Unopened(totals));
        // 100 + 100 + 60 + 80, or 100 less the points: (40 + 20) ÷ 4.
        Assert.Equal(85, UseRates.AverageScore(totals));
        Assert.Equal([new SignalCost("signIns", 10, null), new SignalCost("tenure", 5, null)], SignalCost.Of(totals, null));
        // Nobody, nothing: no rate.
        Assert.Equal((null, null, null), (UseRates.Stickiness(new()).Value, UseRates.Unopened(new()).Value, UseRates.AverageScore(new())));
        foreach (var line in (string[])["| WAU/MAU | 1 ÷ 2 = 50 % |", "| unopened | (10 − 4) ÷ 10 = 60 % |", "| average health | 100 − (40 + 20) ÷ 4 = 85 |", "| points that sign-ins cost | 40 ÷ 4 = 10 |"]) Assert.Contains(line, Definitions);
    }

    [Fact]
    public void An_email_that_came_long_ago_and_is_opened_now_makes_no_rate_below_zero() =>
        Assert.Equal(new Ratio(0, 0), UseRates.Unopened(Totals((Scored(), [ActivityUpdate.Count(null, ActivityView.MailSource, Now.AddDays(-1), Counter.EmailOpens)]))));

    public static TheoryData<string, string, string> Weeks => new()
    {
        { "down on Monday, further down on Thursday", "04 Healthy LowRisk, 07 LowRisk HighRisk", "Healthy → HighRisk" },
        { "down on Monday, back on Thursday", "04 Healthy LowRisk, 07 LowRisk Healthy", "" },
        { "up once", "05 HighRisk Healthy", "HighRisk → Healthy" },
    };

    [Theory, MemberData(nameof(Weeks))]
    public void The_moves_of_a_week_come_to_one(string what, string moves, string net)
    {
        var all = moves.Split(", ").Select(m => m.Split(' ')).Select(m => new TierMove("cus_1", new DateOnly(2026, 3, int.Parse(m[0])), Enum.Parse<HealthTier>(m[1]), Enum.Parse<HealthTier>(m[2]), new Dictionary<string, long>()));
        Assert.Equal(net, string.Join("; ", WeekMove.Net(all).Select(m => $"{m.From} → {m.To}")));
        Assert.Contains($"| {what} | {(net.Length == 0 ? "did not move" : net.Replace("HighRisk", "high risk").Replace("Healthy", "healthy"))} |", Definitions);
    }

    [Fact]
    public void Why_is_what_changed_the_score_most_in_the_direction_of_the_move()
    {
        HealthState before = State(90, ("tenure", "2 months with us", 6), ("tickets", "3 tickets", 8)), since = State(52, ("signIns", "sign-ins down 71 %", 21), ("minutes", "minutes down 40 %", 12), ("tenure", "2 months with us", 6), ("renewal", "renews in 5 days", 5), ("adoption", "no new feature", 4));
        Assert.Equal([("signIns", -21), ("minutes", -12), ("renewal", -5)], MoveReason.Of(before, since).Select(r => (r.Signal, r.Change)));
        var back = MoveReason.Of(since, before);
        Assert.Equal([("no longer: sign-ins down 71 %", 21), ("no longer: minutes down 40 %", 12), ("no longer: renews in 5 days", 5)], back.Select(r => (r.Text, r.Change)));
    }

    [Fact]
    public void A_week_is_compared_with_the_sweep_seven_days_before_or_a_little_older()
    {
        SweepResult Sweep(int daysAgo) => new() { At = Now.AddDays(-daysAgo), Customers = 1, Tiers = new Dictionary<HealthTier, int>(), Candidates = 0, Started = 0, Totals = new HealthTotals { Customers = 1 } };
        HealthReport Report(params int[] daysAgo) => HealthReport.Of([.. daysAgo.Select(Sweep)], [], at => DateOnly.FromDateTime(at.UtcDateTime));
        Assert.Equal(Now.AddDays(-7), Report(9, 8, 7, 6, 0).WeekBefore!.At);
        Assert.Equal(Now.AddDays(-10), Report(11, 10, 0).WeekBefore!.At);
        Assert.Null(Report(11, 6, 0).WeekBefore);
    }

    private static string Definitions { get; } = File.ReadAllText(Path.Combine(Repository.Root, "docs", "definitions.md"));

    private static HealthTotals Totals(params (Customer Customer, IReadOnlyList<Activity> Activity)[] all)
    {
        var totals = new HealthTotals();
        foreach (var (customer, activity) in all)
        {
            // Bucket by bucket, as the sweep does it.
            var bucket = new HealthTotals();
            bucket.Add(customer, ActivityView.Of(activity, Now), Now);
            totals.Add(bucket);
        }
        return totals;
    }

    private static Customer Scored(CustomerStatus status = CustomerStatus.Paying, int score = 100, (string Signal, int Points)? lost = null) =>
        new() { Id = "cus_1", Status = status, Health = State(score, lost is { } l ? [(l.Signal, l.Signal, l.Points)] : []) };

    private static HealthState State(int score, params (string Signal, string Text, int Points)[] lost) => new()
    {
        Score = score, Tier = HealthScore.TierOf(score), Stage = Stage.Value, ScoredOn = Today, Dimensions = [],
        Reasons = [.. lost.Select(l => new HealthReason(l.Signal, l.Text, -l.Points)), new HealthReason("service", "nothing known", 0)],
    };

    private static Activity SignIn(double daysAgo) => ActivityUpdate.Count(null, "u_1", Now.AddDays(-daysAgo), Counter.SignIns);
}
