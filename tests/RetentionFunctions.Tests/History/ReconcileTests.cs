using RetentionFunctions.Backup;
using RetentionFunctions.Customers;
using RetentionFunctions.History;
using RetentionFunctions.Jobs;
using RetentionFunctions.Local.Sandbox;
using RetentionFunctions.Storage;

namespace RetentionFunctions.Tests.History;

/// <summary>Nights with a reconcile after an endpoint that did not work.</summary>
public sealed class ReconcileTests
{
    private static readonly SandboxPrice Basic = new("price_basic", "Basic", 2000, "usd", "month");

    /// <summary>Ninety days of the demo company; what was told on the days of the outage never arrives, and Stripe gives up trying.</summary>
    private static async Task<(HistoryBench Bench, long Missed, long Different)> NightsAsync(int outageFrom, int outageDays, bool hostIsDown = false)
    {
        var start = new DateTimeOffset(2025, 1, 1, 6, 0, 0, TimeSpan.Zero);
        var company = new Local.Demo.DemoCompany(new Local.Demo.DemoYear(20, 90, 2, start.AddHours(-6)));
        var bench = new HistoryBench(company.Stripe, start);
        var (missed, different) = (0L, 0L);
        for (var day = 1; day <= 90; day++)
        {
            bench.Clock.Now = start.AddDays(day);
            var events = company.Until(bench.Clock.Now).Cast<Local.Demo.DemoStep.Tells>().SelectMany(t => t.Events).ToList();
            var outage = day >= outageFrom && day < outageFrom + outageDays;
            if (!outage) bench.Arrive(events);
            await bench.SettleAsync();
            if (outage && hostIsDown) continue;
            var state = await bench.ReconcileAsync();
            Assert.Null(state.Failed);
            missed += state.Counts.GetValueOrDefault("missed events");
            different += state.Counts.GetValueOrDefault("different subscriptions");
        }
        Assert.Empty(await bench.DeadLettersAsync());
        return (bench, missed, different);
    }

    private static async Task<List<string>> EndAsync(HistoryBench bench, bool withMoments = true)
    {
        var rows = new List<string>();
        foreach (var id in bench.Stripe.Account.States().Select(s => s.Customer.Id))
        {
            var customer = await bench.CustomerAsync(id);
            rows.Add($"{id} {customer?.Status} {string.Join(' ', customer?.Mrr ?? new Dictionary<string, long>())} {string.Join(' ', customer?.Subscriptions.Select(s => $"{s.Latest.Status} {s.Latest.CancelAt} {s.Latest.PauseBehavior}") ?? [])}");
            if (withMoments) rows.AddRange([.. (await bench.LedgerAsync(id)).Select(m => m.ToString()), string.Join(' ', customer?.FailingInvoices ?? []), .. (await bench.InvoicesAsync(id)).Select(i => $"{i.Id} {i.SettledAt} {i.FirstFailedAt}")]);
        }
        return rows;
    }

    [Fact]
    public async Task A_quiet_night_finds_nothing_and_feeds_nothing()
    {
        var (_, missed, different) = await Undisturbed.Value;
        Assert.Equal((0, 0), (missed, different));
    }

    private static readonly Lazy<Task<(HistoryBench Bench, long Missed, long Different)>> Undisturbed = new(() => NightsAsync(0, 0));

    [Theory]
    [InlineData(4, false)]
    [InlineData(4, true)]
    [InlineData(20, true)]
    public async Task After_an_outage_longer_than_Stripes_retries_all_is_as_if_there_had_been_none(int days, bool hostIsDown)
    {
        var (bench, missed, different) = await NightsAsync(60, days, hostIsDown);
        Assert.True(missed > 0);
        Assert.Equal(0, different);
        Assert.Equal(await EndAsync((await Undisturbed.Value).Bench), await EndAsync(bench));
        // What was missed starts its flow now, unless it is over.
        var expected = await (await Undisturbed.Value).Bench.RunsAsync();
        var actual = (await bench.RunsAsync()).Select(r => r.Id).ToHashSet();
        Assert.Subset(expected.Select(r => r.Id).ToHashSet(), actual);
        foreach (var run in expected.Where(r => !actual.Contains(r.Id))) Assert.False((await bench.InvoicesAsync(run.Id.CustomerId)).Single(i => i.Id == run.InvoiceId).IsFailing, run.Id.ToString());
    }

    /// <summary>Stripe forgets events after thirty days. What was in between is then not known, but what is now.</summary>
    [Fact]
    public async Task After_an_outage_longer_than_Stripe_keeps_events_every_subscription_is_as_Stripe_has_it()
    {
        var (bench, _, different) = await NightsAsync(40, 45, hostIsDown: true);
        Assert.True(different > 0);
        Assert.Equal(await EndAsync((await Undisturbed.Value).Bench, withMoments: false), await EndAsync(bench, withMoments: false));
    }

    [Fact]
    public async Task The_first_night_starts_no_flow_from_before_anybody_listened_and_imports_no_subscriptions()
    {
        var start = new DateTimeOffset(2026, 1, 10, 9, 0, 0, TimeSpan.Zero);
        var stripe = new SandboxStripe(new SandboxOptions());
        stripe.CreateCustomer("cus_Ada", "ada@example.com", "Ada", "GB", new SandboxCard("visa", "4242", 8, 2028), start);
        stripe.Subscribe("cus_Ada", "sub_Ada", Basic, 1, start);
        stripe.CreateCustomer("cus_Bob", "bob@example.com", "Bob", "GB", new SandboxCard("visa", "4242", 8, 2028), start.AddDays(15));
        stripe.Subscribe("cus_Bob", "sub_Bob", Basic, 1, start.AddDays(15));
        stripe.SetCard("cus_Ada", new SandboxCard("visa", "4242", 8, 2028, "insufficient_funds"), start.AddDays(1));
        stripe.AdvanceTo(start.AddMonths(1).AddDays(1));
        var bench = new HistoryBench(stripe, start.AddMonths(1).AddDays(1));
        var state = await bench.ReconcileAsync();
        Assert.Equal(CustomerStatus.PastDue, (await bench.CustomerAsync("cus_Ada"))!.Status);
        Assert.Empty(await bench.RunsAsync());
        Assert.Null(await bench.CustomerAsync("cus_Bob"));
        Assert.Equal(1, state.Counts["not imported"]);
    }

    [Fact]
    public async Task After_the_backfill_an_unknown_subscription_is_taken_in()
    {
        var start = new DateTimeOffset(2026, 1, 10, 9, 0, 0, TimeSpan.Zero);
        var stripe = new SandboxStripe(new SandboxOptions());
        var bench = new HistoryBench(stripe, start);
        await bench.BackfillAsync();
        stripe.CreateCustomer("cus_Ada", "ada@example.com", "Ada", "GB", new SandboxCard("visa", "4242", 8, 2028), start);
        stripe.Subscribe("cus_Ada", "sub_Ada", Basic, 1, start);
        // The host was away for longer than Stripe keeps events.
        bench.Clock.Now = start.AddDays(40);
        stripe.AdvanceTo(bench.Clock.Now);
        var state = await bench.ReconcileAsync();
        Assert.Equal(1, state.Counts["different subscriptions"]);
        Assert.Equal((CustomerStatus.Paying, start), ((await bench.CustomerAsync("cus_Ada"))!.Status, (await bench.CustomerAsync("cus_Ada"))!.FirstPaidAt));
    }

    /// <summary>A backup of a week ago: the events since then are missing from the tables, whatever was done every night.</summary>
    [Fact]
    public async Task The_night_after_a_restore_looks_back_to_before_the_backup()
    {
        var start = new DateTimeOffset(2026, 1, 10, 9, 0, 0, TimeSpan.Zero);
        var stripe = new SandboxStripe(new SandboxOptions());
        var bench = new HistoryBench(stripe, start);
        await bench.BackfillAsync();
        await bench.ReconcileAsync();
        stripe.CreateCustomer("cus_Ada", "ada@example.com", "Ada", "GB", new SandboxCard("visa", "4242", 8, 2028), start.AddDays(1));
        bench.Clock.Now = start.AddDays(7);
        stripe.AdvanceTo(bench.Clock.Now);
        await bench.ReconcileAsync();
        bench.Clock.Now = start.AddDays(8);
        await bench.Tables.UpsertAsync(Keys.Job("restore"), new JobState
        {
            Name = "restore", Number = 1, Occasion = RestoreJob.OccasionOf(BackupJob.NameOf(start.AddHours(1)), bench.Clock.Now), StartedAt = bench.Clock.Now, EndedAt = bench.Clock.Now, DoneAt = bench.Clock.Now,
        });
        await bench.Tables.DeleteAsync(Keys.Customer("cus_Ada"));
        await foreach (var row in bench.Tables.QueryAsync(Keys.Events("cus_Ada"))) await bench.Tables.DeleteAsync(row.At);
        await bench.ReconcileAsync();
        Assert.Equal("ada@example.com", (await bench.CustomerAsync("cus_Ada"))?.Email);

        // Soon after that as ever.
        bench.Clock.Now = start.AddDays(10);
        await bench.ReconcileAsync();
        bench.Clock.Now = start.AddDays(11);
        bench.Stripe.Asked.Clear();
        await bench.ReconcileAsync();
        Assert.Equal(bench.Clock.Now - Reconcile.LookBack, bench.Stripe.Asked[0].CreatedFrom);
    }
}
