using RetentionFunctions.Customers;
using RetentionFunctions.Local.Demo;
using RetentionFunctions.Local.Sandbox;
using RetentionFunctions.Settings;
using RetentionFunctions.Storage;

namespace RetentionFunctions.Tests.History;

/// <summary>The demo company, heard by its events and read from its lists: the same ledger.</summary>
public sealed class BackfillLedgerTests
{
    private static readonly DateTimeOffset Start = new(2025, 1, 1, 0, 0, 0, TimeSpan.Zero);

    // Pauses, changes of plan, failed payments, trials without a card, customers who leave and come back.
    private static readonly Lazy<(DemoCompany Company, List<SandboxEvent> Events, DateTimeOffset Now)> Company = new(() => Live(40, 300, 4));

    internal static (DemoCompany Company, List<SandboxEvent> Events, DateTimeOffset Now) Live(int customers, int days, ulong seed)
    {
        var company = new DemoCompany(new DemoYear(customers, days, seed, Start));
        var events = new List<SandboxEvent>();
        var end = Start.AddDays(days);
        foreach (var step in company.Until(end).Cast<DemoStep.Tells>()) events.AddRange(step.Events);
        return (company, events, end);
    }

    [Fact]
    public async Task Customers_invoices_and_ledger_are_those_that_webhooks_would_have_made()
    {
        var (company, events, now) = Company.Value;
        var heard = await HeardAsync();
        var read = new HistoryBench(company.Stripe, now);
        var state = await read.BackfillAsync();
        Assert.Null(state.Failed);
        Assert.Empty(await read.DeadLettersAsync());
        Assert.Equal(company.Stripe.States().Count(s => !s.Customer.Deleted), state.Counts["customers"]);
        Assert.Equal(company.Stripe.States().Sum(s => s.Invoices.Count), state.Counts["invoices"]);

        await SameAsync(heard, read, exactFrom: now.AddDays(-30));
        foreach (var id in People(company))
        {
            var deleted = company.Stripe.Customer(id)!.Deleted;
            var (a, b) = ((await heard.CustomerAsync(id))!, (await read.CustomerAsync(id))!);
            // Stripe does not list who was deleted: the name, the card and that it was deleted are known only where it was in the last thirty days.
            if (!deleted) Assert.Equal((a.Profile.Email, a.Profile.Name, a.Profile.UserId, a.Card?.Last4), (b.Profile.Email, b.Profile.Name, b.Profile.UserId, b.Card?.Last4));
            Assert.Equal(a.Subscriptions.Select(Shown), b.Subscriptions.Select(Shown));
            Assert.Equal((await heard.InvoicesAsync(id)).Select(Shown), (await read.InvoicesAsync(id)).Select(Shown));
        }

        // Told by events only: what the coupon's line says, and of an invoice its failures between the first and the last thirty days.
        static object Shown<T>(T thing) => thing switch
        {
            Subscription s => (s.Latest.SubscriptionId, s.Latest.Status, s.Mrr, s.State, s.EndsAt, s.EndedAt, s.Latest.CancellationFeedback, s.Latest.Plan),
            Invoice i => (i.Id, i.Latest!.Status, i.Latest.AmountDue, i.Latest.AmountPaid, i.Latest.SubscriptionId, i.Latest.BillingReason, i.SettledAt, i.VoidedAt, i.UncollectibleAt, i.IsFailing),
            _ => thing!,
        };
    }

    [Fact]
    public async Task Read_again_it_stays_the_same()
    {
        var (company, _, now) = Company.Value;
        var read = new HistoryBench(company.Stripe, now);
        await read.BackfillAsync();
        var once = await RowsAsync(read, company);
        await read.BackfillAsync("again");
        Assert.Equal(once, await RowsAsync(read, company));
    }

    /// <summary>The endpoint was set up ninety days ago; what has not been handled yet comes late, twice and between the pages of the backfill.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task Webhooks_that_come_before_meanwhile_and_after_count_once(int seed)
    {
        var (company, events, now) = Company.Value;
        var random = new Random(seed);
        var connected = now.AddDays(-90);
        var byDoor = events.Where(e => e.CreatedAt >= connected).ToList();
        var early = byDoor.Where(_ => random.Next(3) == 0).ToHashSet();
        var bench = new HistoryBench(company.Stripe, now) { Next = random.Next };
        bench.Stripe.PageSize = 9;
        bench.Arrive(byDoor.Where(early.Contains));
        await bench.SettleAsync();
        await bench.StartAsync();
        foreach (var e in byDoor.Where(e => !early.Contains(e)).OrderBy(_ => random.Next()))
        {
            bench.Arrive(e);
            if (random.Next(2) == 0) await bench.StepAsync();
        }
        await bench.SettleAsync();
        bench.Arrive(byDoor.Where(_ => random.Next(5) == 0));
        await bench.SettleAsync();
        Assert.Empty(await bench.DeadLettersAsync());
        await SameAsync(await HeardAsync(), bench, exactFrom: connected);
    }

    private static Task<HistoryBench>? heardOnce;

    private static Task<HistoryBench> HeardAsync() => heardOnce ??= HearAsync();

    private static async Task<HistoryBench> HearAsync()
    {
        var (company, events, now) = Company.Value;
        var heard = new HistoryBench(company.Stripe, now);
        heard.Settings.Flows.Mode = FlowMode.Preview;
        foreach (var e in events)
        {
            heard.Arrive(e);
            await heard.SettleAsync();
        }
        return heard;
    }

    private static IEnumerable<string> People(DemoCompany company) => company.Stripe.States().Select(s => s.Customer.Id);

    private static async Task<List<string>> RowsAsync(HistoryBench bench, DemoCompany company)
    {
        var rows = new List<string>();
        foreach (var id in People(company))
            rows.Add($"{id} {string.Join(' ', await bench.LedgerAsync(id))} {(await bench.CustomerAsync(id))!.Status} {(await bench.InvoicesAsync(id)).Count} {(await bench.Tables.ListAsync<SubscriptionSnapshot>(Keys.Snapshots(id))).Count}");
        return rows;
    }

    /// <summary>
    /// The same movements. One thing no list of Stripe's tells: on which day within a skipped period a pause ended. It is booked when the next period begins;
    /// also where the events of it are not on the list any more (<paramref name="exactFrom"/>).
    /// </summary>
    private static async Task SameAsync(HistoryBench heard, HistoryBench read, DateTimeOffset exactFrom)
    {
        var wrong = new List<string>();
        foreach (var id in People(Company.Value.Company))
        {
            var (expected, actual) = (await heard.LedgerAsync(id), await read.LedgerAsync(id));
            if (expected.Count != actual.Count || expected.Zip(actual).Any(p => !Same(p.First, p.Second))) wrong.Add($"{id}:\n  {string.Join("\n  ", expected)}\nbut\n  {string.Join("\n  ", actual)}");
            var (a, b) = ((await heard.CustomerAsync(id))!, (await read.CustomerAsync(id))!);
            if (a.Status != b.Status || !a.Mrr.SequenceEqual(b.Mrr) || a.FirstPaidAt != b.FirstPaidAt || a.ChurnedAt != b.ChurnedAt) wrong.Add($"{id}: {a.Status}, but {b.Status}");
        }
        Assert.True(wrong.Count == 0, string.Join('\n', wrong));

        bool Same(Movement a, Movement b) => a == b ||
            (a.Kind == MovementKind.Resumed && a.At < exactFrom && b.At > a.At && b.At - a.At <= TimeSpan.FromDays(31) && a == b with { At = a.At });
    }
}
