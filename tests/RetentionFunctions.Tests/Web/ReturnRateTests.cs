using System.Net;
using RetentionFunctions.Customers;
using RetentionFunctions.Flows;
using RetentionFunctions.Health;
using RetentionFunctions.Web;

namespace RetentionFunctions.Tests.Web;

/// <summary>DEFINITIONS, "Reactivation rate of a flow": back within 14 days after the last step ÷ those who entered, beside those held out.</summary>
public class ReturnRateTests
{
    private static DateTimeOffset Now => HostedPipeline.Now;

    // Began 40 days ago, the last e-mail went out 20 days ago: the 14 days were over 6 days ago.
    private static readonly Run Silent = SampleRows.Run("cus_1", "win-back", "2026-01-29", RunOutcome.Completed) with
    {
        StartedAt = Now.AddDays(-40),
        EndedAt = Now.AddDays(-20),
        Sent = [new SentStep(1, "win-back-1", Now.AddDays(-40), MailResult.Accepted), new SentStep(2, "win-back-2", Now.AddDays(-20), MailResult.Accepted)],
    };

    [Theory]
    [InlineData(-41, false)]
    [InlineData(-39, true)]
    [InlineData(-7, true)]
    [InlineData(-5, false)]
    public void A_sign_in_counts_from_the_start_until_14_days_after_the_last_e_mail(int day, bool back)
    {
        Assert.Equal(new Share(back ? 1 : 0, 1), Of(Silent, activity: Active(Now.AddDays(day))).Treated);
        // Used again since: the latest moment hides the earlier one, the day does not.
        Assert.Equal(new Share(back ? 1 : 0, 1), Of(Silent, activity: Active(Now.AddDays(day)) with { LastActiveAt = Now }).Treated);
    }

    [Fact]
    public void An_opened_e_mail_is_no_return() => Assert.Equal(new Share(0, 1), Of(Silent, activity: Active(Now.AddDays(-30)) with { Source = "mail" }).Treated);

    [Fact]
    public void Im_back_and_paying_again_after_having_left_are_returns_and_a_renewal_is_none()
    {
        Assert.Equal(new Share(1, 1), Of(Silent, c => c with { ReturnedAt = Now.AddDays(-10) }).Treated);
        Assert.Equal(new Share(1, 1), Of(Silent, c => c with { RecentMovements = [new Movement(Now.AddDays(-10), MovementKind.Reactivation, 2900, "usd", 2900)] }).Treated);
        Assert.Equal(new Share(0, 1), Of(Silent, c => c with { RecentMovements = [new Movement(Now.AddDays(-10), MovementKind.Expansion, 2900, "usd", 5800)] }).Treated);
    }

    [Fact]
    public void Who_came_less_but_came_is_back_only_when_use_has_recovered()
    {
        Assert.Equal(new Share(0, 1), Of(Silent with { UseFell = true }, activity: Active(Now.AddDays(-30))).Treated);
        Assert.Equal(new Share(1, 1), Of(Silent with { UseFell = true, Outcome = RunOutcome.Returned }, activity: Active(Now.AddDays(-30))).Treated);
    }

    [Theory]
    // The 14 days after the last e-mail are not over.
    [InlineData(13, 0)]
    [InlineData(14, 1)]
    [InlineData(43, 1)]
    // They were over more than 30 days ago.
    [InlineData(44, 0)]
    public void A_run_counts_in_the_thirty_days_after_its_time_to_return(int lastMailDaysAgo, int of) =>
        Assert.Equal(of, Of(Silent with { StartedAt = Now.AddDays(-60), Sent = [new SentStep(1, "t", Now.AddDays(-lastMailDaysAgo), MailResult.Accepted)] }).Treated.Of);

    [Fact]
    public void An_early_return_waits_for_its_14_days_as_silence_does() =>
        Assert.Equal(new Share(0, 0), Of(Silent with { Outcome = RunOutcome.Returned, Sent = [Silent.Sent[0] with { At = Now.AddDays(-3) }] }).Treated);

    [Fact]
    public void Open_runs_previews_and_dunning_are_not_in_it()
    {
        foreach (var run in new[] { Silent with { Status = RunStatus.Running }, Silent with { Preview = true }, Silent with { Definition = Silent.Definition with { Trigger = FlowTrigger.FailedPayment } } })
            Assert.Equal(new Share(0, 0), Of(run).Treated);
    }

    [Fact]
    public void Who_was_held_out_stands_beside_with_the_time_that_the_flow_would_have_taken()
    {
        // Steps to day 14, and 14 days: over 12 days ago.
        var held = Silent with { Outcome = RunOutcome.HeldOut, Sent = [] };
        Assert.Equal((new Share(0, 0), new Share(1, 1)), Of(held, activity: Active(Now.AddDays(-13))));
        Assert.Equal((new Share(0, 0), new Share(0, 1)), Of(held, activity: Active(Now.AddDays(-11))));
    }

    [Fact]
    public async Task The_start_page_reads_the_activity_of_those_runs()
    {
        await using var host = await HostedPipeline.StartAsync();
        await host.Tables.SeedAsync(SampleRows.Customer("cus_1"));
        await host.Tables.SeedAsync(Silent);
        await Storage(host, Active(Now.AddDays(-9)));
        Assert.Contains("of 1 who entered win-back, 100\u00a0%", WebUtility.HtmlDecode(await host.Client.GetStringAsync("/")));
    }

    private static Task Storage(HostedPipeline host, Activity activity) => RetentionFunctions.Storage.TablesExtensions.UpsertAsync(host.Tables, RetentionFunctions.Storage.Keys.Activity("cus_1", "u_1"), activity);

    private static (Share Treated, Share HeldOut) Of(Run run, Func<Customer, Customer>? customer = null, Activity? activity = null) => ReturnRate.Of(new OverviewRows
    {
        Customers = [customer is null ? SampleRows.Customer("cus_1") : customer(SampleRows.Customer("cus_1"))],
        Runs = [run],
        Activities = new Dictionary<string, IReadOnlyList<Activity>> { ["cus_1"] = activity is null ? [] : [activity] },
    }, Now);

    private static Activity Active(DateTimeOffset at) => new()
    {
        Source = "u_1",
        FirstSeenAt = at.AddDays(-100),
        LastSeenAt = at,
        LastActiveAt = at,
        Days = new() { [DateOnly.FromDateTime(at.UtcDateTime)] = new() { [Counter.SignIns] = 1 } },
    };
}
