using RetentionFunctions.Customers;
using RetentionFunctions.Flows;
using RetentionFunctions.Health;
using RetentionFunctions.Storage;
using RetentionFunctions.Tests.Support;
using RetentionFunctions.Tests.Web;

namespace RetentionFunctions.Tests.Insight;

/// <summary>DEFINITIONS, "Reactivation rate of a flow": back within 14 days after the last step. The steps of the sample are on days 0 to 14, so its time is over on day 28, for everybody.</summary>
public class FlowResultsTests
{
    private static readonly DateTimeOffset Start = new(2026, 2, 2, 9, 0, 0, TimeSpan.Zero);

    private static readonly Run Silent = SampleRows.Run("cus_1", "win-back", "2026-02-02", RunOutcome.Completed) with { StartedAt = Start, EndedAt = Start.AddDays(16) };

    private static readonly Run HeldOut = Silent with { Outcome = RunOutcome.HeldOut, Sent = [], EndedAt = Start };

    /// <summary>The edge cases of docs/definitions.md.</summary>
    public static TheoryData<string, Run, Evidence, FlowResult> Cases => new()
    {
        { "signed in before the start", Silent, new(Active: -1), FlowResult.Failed },
        { "signed in on the third day", Silent, new(Active: 3), FlowResult.Succeeded },
        { "signed in on day 27", Silent, new(Active: 27), FlowResult.Succeeded },
        { "signed in on day 29", Silent, new(Active: 29), FlowResult.Failed },
        { "held out, and signed in on day 27", HeldOut, new(Active: 27), FlowResult.Succeeded },
        { "held out, and signed in on day 29", HeldOut, new(Active: 29), FlowResult.Failed },
        { "got the last e-mail late, and signed in on day 29", Silent with { Sent = [new SentStep(1, "t", Start.AddDays(17), MailResult.Accepted)] }, new(Active: 29), FlowResult.Failed },
        { "left after the first e-mail, and was back on day 20", Silent with { Outcome = RunOutcome.Canceled, EndedAt = Start.AddDays(1) }, new(Reactivated: 20), FlowResult.Succeeded },
        { "opened an e-mail", Silent, new(Opened: 3), FlowResult.Failed },
        { "said \"I'm back\"", Silent, new(Said: 3), FlowResult.Succeeded },
        { "renewed", Silent, new(Renewed: 3), FlowResult.Failed },
        { "came less, but came, and signed in", Silent with { UseFell = true }, new(Active: 3), FlowResult.Failed },
        { "came less, and the sweep saw use recover", Silent with { UseFell = true, SucceededAt = Start.AddDays(9) }, new(), FlowResult.Succeeded },
        { "signed in on the third day, and it is day 27", Silent, new(Active: 3, AsOf: 27), FlowResult.NotYetKnown },
        { "its time was over long before anybody looked", Silent, new(Active: 3, AsOf: 60), FlowResult.NeverKnown },
        { "settled, and the activity is gone since", Silent with { SettledAt = Start.AddDays(31), SucceededAt = Start.AddDays(3) }, new(AsOf: 200), FlowResult.Succeeded },
        { "settled as not back, and seen much later", Silent with { SettledAt = Start.AddDays(31) }, new(Active: 3, AsOf: 32), FlowResult.Failed },
        { "the invoice was paid on day 27", Dunning(Silent), new(Paid: 27), FlowResult.Succeeded },
        { "the invoice was paid on day 29", Dunning(Silent), new(Paid: 29), FlowResult.Failed },
        { "Stripe retries for two months, and the invoice was paid on day 70", Dunning(Silent), new(Paid: 70, Retries: 60, AsOf: 75), FlowResult.Succeeded },
        { "held out, and the invoice was paid on day 27", Dunning(HeldOut), new(Paid: 27, AsOf: 300), FlowResult.Succeeded },
    };

    [Theory, MemberData(nameof(Cases))]
    public void A_run_is_judged(string name, Run run, Evidence evidence, FlowResult result) => Assert.Equal((name, result), (name, evidence.Judge(run)));

    [Theory, MemberData(nameof(Cases))]
    public void The_case_stands_in_the_definitions(string name, Run run, Evidence evidence, FlowResult result)
    {
        Assert.NotNull(run);
        Assert.NotNull(evidence);
        Assert.Contains($"| {name} | {RetentionFunctions.Web.Words.Of(result).Replace('_', ' ')} |", File.ReadAllText(Path.Combine(Repository.Root, "docs", "definitions.md")));
    }

    [Fact]
    public void Who_is_held_out_is_judged_by_the_same_evidence_as_who_is_not()
    {
        for (var day = -2.0; day < 32; day += 0.5)
            foreach (var evidence in new Evidence[] { new(Active: day), new(Said: day), new(Reactivated: day) })
                Assert.Equal(evidence.Judge(Silent), evidence.Judge(HeldOut));
    }

    [Fact]
    public async Task The_sweep_keeps_what_it_saw_and_looks_no_further_when_the_time_is_over()
    {
        var tables = new FakeTables();
        await tables.UpsertAsync(Keys.Run("cus_1", "win-back", "2026-02-02"), HeldOut);
        var customer = SampleRows.Customer("cus_1") with { WatchedRuns = [new WatchedRun("win-back", "2026-02-02")] };
        var active = new Evidence(Active: 5).Activities();
        await LookAsync(5.5, active);
        Assert.Equal((Day(5), null), ((await RunAsync()).SucceededAt, (await RunAsync()).SettledAt));
        // An event that comes late counts for three days more.
        Assert.NotNull((await LookAsync(30, active)));
        Assert.Null(await LookAsync(31.5, []));
        Assert.Equal((Day(5), Start.AddDays(31.5)), ((await RunAsync()).SucceededAt, (await RunAsync()).SettledAt));

        static DateTimeOffset? Day(double day) => new DateTimeOffset(Start.AddDays(day).UtcDateTime.Date, TimeSpan.Zero);
        async Task<Run> RunAsync() => (await tables.GetAsync<Run>(Keys.Run("cus_1", "win-back", "2026-02-02")))!.Value;
        Task<IReadOnlyList<WatchedRun>?> LookAsync(double day, IReadOnlyList<Activity> activities) =>
            FlowResults.WatchAsync(tables, customer, activities, ActivityView.Of(activities, Start.AddDays(day)), 0.5, Start.AddDays(day), TestContext.Current.CancellationToken);
    }

    [Theory]
    [InlineData(FlowTrigger.Inactivity, false, true)]
    [InlineData(FlowTrigger.Inactivity, true, false)]
    [InlineData(FlowTrigger.FailedPayment, false, false)]
    public void Only_what_leaves_no_lasting_trace_is_watched(FlowTrigger trigger, bool preview, bool watched) =>
        Assert.Equal(watched, FlowResults.IsWatched(Silent with { Preview = preview, Definition = Silent.Definition with { Trigger = trigger } }));

    private static Run Dunning(Run run) => run with { InvoiceId = "in_1", Definition = run.Definition with { Trigger = FlowTrigger.FailedPayment } };

    /// <summary>What is known of the customer, in days from the start.</summary>
    public sealed record Evidence(double? Active = null, double? Opened = null, double? Said = null, double? Reactivated = null, double? Renewed = null, double? Paid = null, double? Retries = null, double AsOf = 29.5)
    {
        public FlowResult Judge(Run run)
        {
            var customer = SampleRows.Customer("cus_1") with { ReturnedAt = At(Said), RecentMovements = [.. Moves(Reactivated, MovementKind.Reactivation), .. Moves(Renewed, MovementKind.Expansion)] };
            var invoice = new Invoice { Id = "in_1", FirstFailedAt = Start, PaidAt = At(Paid), FarthestAttemptAt = At(Retries) };
            return FlowResults.Of(run, customer, Activities(), invoice, retryWindowDays: null, Start.AddDays(AsOf));
        }

        public IReadOnlyList<Activity> Activities() => [.. Seen(Active, "u_1"), .. Seen(Opened, "mail")];

        private static IEnumerable<Movement> Moves(double? day, MovementKind kind) => day is { } days ? [new Movement(Start.AddDays(days), kind, 2900, "usd", 2900)] : [];

        // Used again since: the latest moment hides the earlier one, the day does not.
        private static IEnumerable<Activity> Seen(double? day, string source) => At(day) is not { } at ? [] :
        [
            new Activity
            {
                Source = source, FirstSeenAt = Start.AddDays(-100), LastSeenAt = Start.AddDays(80), LastActiveAt = Start.AddDays(80), Days = new() { [DateOnly.FromDateTime(at.UtcDateTime)] = new() { [Counter.SignIns] = 1 } },
            },
        ];

        private static DateTimeOffset? At(double? day) => day is { } days ? Start.AddDays(days) : null;
    }
}
