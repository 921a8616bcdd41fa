using System.Diagnostics;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Logging.Abstractions;
using RetentionFunctions.Customers;
using RetentionFunctions.Flows;
using RetentionFunctions.Health;
using RetentionFunctions.Intake;
using RetentionFunctions.Intake.Stripe;
using RetentionFunctions.Local.Sandbox;
using RetentionFunctions.Settings;
using RetentionFunctions.Storage;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.Torture.Histories;

/// <summary>Whatever the order in which Stripe's events arrive, however often and however late, a life ends in one state and one ledger.</summary>
public class HistoryTests(ITestOutputHelper output)
{
    // Stripe tries "for up to three days" (docs.stripe.com/webhooks).
    private static readonly TimeSpan Latest = TimeSpan.FromDays(3);
    private const int MostCopies = 5;

    [Fact]
    public Task Random_lives_end_in_one_state_and_one_ledger_in_any_order_with_copies_up_to_three_days_late() => Form.WithDiceAsync(async dice =>
    {
        var histories = Form.Times(150, 12_000);
        var watch = Stopwatch.StartNew();
        int events = 0, deliveries = 0, copies = 0, ended = 0, deleted = 0, several = 0, currencies = 0, movements = 0, sweeps = 0;
        var statuses = new SortedDictionary<string, int>(StringComparer.Ordinal);
        for (var number = 0; number < histories; number++)
        {
            // Of a seed of its own, which a failure names: it can be lived alone.
            var seed = dice.Next();
            var own = new Random(seed);
            var life = new Life(own);
            try
            {
                var truth = new Bench();
                foreach (var e in life.Events) await truth.DeliverAsync(e, e.CreatedAt);
                await truth.EndAsync(life.End + Latest);
                await IsStripesOwnAsync(truth, life);
                var expected = await truth.StateAsync();

                var arrivals = Arrivals(life.Events, own);
                var bench = new Bench();
                var nextSweep = own.Next(2) == 0 ? DateTimeOffset.MaxValue : life.Events[0].CreatedAt.AddDays(1);
                var over = new HashSet<string>(StringComparer.Ordinal);
                var gone = false;
                foreach (var (at, e) in arrivals)
                {
                    for (; nextSweep <= at; nextSweep = nextSweep.AddDays(own.Next(1, 9))) { await bench.SweepAsync(nextSweep); sweeps++; }
                    await bench.DeliverAsync(e, at);
                    if (e.Type == "customer.subscription.deleted") over.Add((string)JsonNode.Parse(e.Body.Span)!["data"]!["object"]!["id"]!);
                    gone |= e.Type == "customer.deleted";
                    await NobodyIsRevivedAsync(bench, over, gone, e);
                }
                await bench.EndAsync(life.End + Latest);
                FinalState.Same(expected, await bench.StateAsync());

                events += life.Events.Count;
                deliveries += arrivals.Count;
                copies += arrivals.Count - life.Events.Count;
                var customer = (await bench.CustomerAsync())!;
                statuses[customer.Status.ToString()] = statuses.GetValueOrDefault(customer.Status.ToString()) + 1;
                if (over.Count > 0) ended++;
                if (life.Deleted) deleted++;
                if (life.Statuses.Count > 1) several++;
                var ledger = await bench.LedgerAsync();
                movements += ledger.Count;
                if (ledger.Select(m => m.Currency).Distinct().Count() > 1) currencies++;
            }
            catch (Exception e)
            {
                throw new InvalidOperationException($"History {number}, of the seed {seed}: {e.Message}", e);
            }
        }
        // What the dice never made was not tried.
        Assert.True(ended > 0 && several > 0 && currencies > 0 && movements > histories / 2 && copies > events, "the dice made too little");
        output.WriteLine($"{histories} histories, {events} events, {deliveries} deliveries ({copies} copies), {sweeps} sweeps in between, {movements} movements; {several} with several subscriptions, {currencies} in two currencies, {ended} with an end, {deleted} deleted; " +
            $"{string.Join(", ", statuses.Select(s => $"{s.Value} {s.Key}"))}; 0 differ, 0 revived; {watch.Elapsed.TotalSeconds:F0} s");
    });

    // Each event one to five times; half of them soon, the others whenever within three days, and in one of four histories all at once, in no order at all.
    private static List<(DateTimeOffset At, SandboxEvent Event)> Arrivals(IReadOnlyList<SandboxEvent> events, Random dice)
    {
        var end = events[^1].CreatedAt + Latest;
        var outage = dice.Next(4) == 0;
        var arrivals = new List<(DateTimeOffset At, SandboxEvent Event)>();
        foreach (var e in events)
            for (var copy = dice.Next(1, MostCopies + 1); copy > 0; copy--)
                arrivals.Add((outage ? end : e.CreatedAt + (dice.Next(2) == 0 ? TimeSpan.FromSeconds(dice.Next(10)) : Latest * dice.NextDouble()), e));
        // Shuffled first: what arrives in the same second does so in any order.
        var all = arrivals.ToArray();
        dice.Shuffle(all);
        return [.. all.OrderBy(a => a.At)];
    }

    // Against what Stripe itself knows, not only against ourselves.
    private static async Task IsStripesOwnAsync(Bench bench, Life life)
    {
        var customer = (await bench.CustomerAsync())!;
        Assert.Equal(life.Statuses.Keys.Order(StringComparer.Ordinal), customer.Subscriptions.Select(s => s.Latest.SubscriptionId));
        foreach (var subscription in customer.Subscriptions)
        {
            var status = life.Statuses[subscription.Latest.SubscriptionId];
            Assert.Equal(status, subscription.Latest.Status);
            Assert.Equal(SubscriptionStatus.IsEnded(status), subscription.State == SubscriptionState.Ended);
        }
        Assert.Equal(life.Deleted, customer.DeletedAt is not null);
        var ledger = await bench.LedgerAsync();
        foreach (var currency in ledger.Select(m => m.Currency).Union(customer.Mrr.Keys))
            Assert.Equal(ledger.Where(m => m.Currency == currency).Sum(m => m.Amount), customer.Mrr.GetValueOrDefault(currency));
    }

    private static async Task NobodyIsRevivedAsync(Bench bench, HashSet<string> over, bool gone, SandboxEvent last)
    {
        if (over.Count == 0 && !gone) return;
        if (await bench.CustomerAsync() is not { } customer) return;
        foreach (var subscription in customer.Subscriptions.Where(s => over.Contains(s.Latest.SubscriptionId)))
            Assert.True(subscription is { State: SubscriptionState.Ended, Mrr: 0 }, $"{subscription.Latest.SubscriptionId} ended and is {subscription.State} after {last.Type} {last.Id}");
        if (gone) Assert.True(customer is { Status: CustomerStatus.Canceled, Mrr.Count: 0 }, $"deleted, and {customer.Status} after {last.Type} {last.Id}");
    }

    /// <summary>The rooms that handle Stripe's events, over tables in memory and a clock that the test sets.</summary>
    private sealed class Bench
    {
        private static readonly RetentionSettings Settings = new();
        private static readonly ValueTierThresholds Tiers = ValueTierThresholds.Of(Enumerable.Repeat(("usd", 4900L), 10), Settings.Customers);

        private readonly FakeTables tables = new();
        private readonly StandingClock clock = new(DateTimeOffset.UnixEpoch);
        private readonly StripeIntake intake;
        private readonly DailySweep sweep;

        public Bench()
        {
            var dispatch = new FlowDispatch(tables, new Tests.Links.IdleEngine(), Settings, clock);
            intake = new StripeIntake(tables, new BodyStore(tables), new UserTies(tables), dispatch, Settings, clock);
            sweep = new DailySweep(tables, dispatch, Settings, clock, NullLogger<DailySweep>.Instance);
        }

        public Task DeliverAsync(SandboxEvent e, DateTimeOffset at)
        {
            clock.Now = at;
            return intake.HandleAsync(e.Body);
        }

        public async Task SweepAsync(DateTimeOffset at)
        {
            clock.Now = at;
            await sweep.BucketAsync(Keys.Bucket(Life.Customer), Tiers, at);
        }

        // The sweep of the day after: what the passing of time changed is derived again.
        public Task EndAsync(DateTimeOffset at) => SweepAsync(at.AddDays(1));

        public async Task<Customer?> CustomerAsync() => (await tables.GetAsync<Customer>(Keys.Customer(Life.Customer)))?.Value;

        public Task<List<Movement>> LedgerAsync() => tables.ListAsync<Movement>(Keys.Ledger(Life.Customer));

        public async Task<SortedDictionary<string, string>> StateAsync()
        {
            var rows = new SortedDictionary<string, string>(StringComparer.Ordinal);
            await foreach (var row in tables.ScanAsync())
                if (FinalState.Counts(row.At)) rows[row.At.ToString()] = FinalState.Of(row.At, row.Body);
            return rows;
        }
    }
}
