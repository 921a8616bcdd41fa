using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using RetentionFunctions.Customers;
using RetentionFunctions.Flows;
using RetentionFunctions.Settings;
using RetentionFunctions.Storage;
using RetentionFunctions.Telemetry;

namespace RetentionFunctions.Health;

/// <summary>
/// Once a day: derives again what the passing of time changes, scores every customer, repairs what a crash left half done, and starts win-back for whom it
/// is called for. Bucket by bucket, so that a host may fan out; running it twice changes nothing.
/// </summary>
public sealed partial class DailySweep(ITables tables, FlowDispatch flows, RetentionSettings settings, TimeProvider clock, ILogger<DailySweep> log)
{
    // Nobody at all in a whole day: the app's events have stopped, not its customers.
    private static readonly TimeSpan SilentApp = TimeSpan.FromHours(24);

    // Customers whose rows are written in one batch: two rows each, and now and then a third would not fit.
    private const int Together = TableLimits.BatchRows / 2;

    // Bytes of a batch's rows: sent to Azure each may become six, and there is something around them.
    private const int TogetherBytes = TableLimits.BatchBytes / 8;

    // Buckets whose customers are read for the thresholds at the same time.
    private const int AtOnce = 4;

    private readonly WinBackStarts starts = new(tables, flows, settings);

    /// <summary>The next time the sweep is due after a moment: the set hour in the business's time zone.</summary>
    public static DateTimeOffset NextDue(DateTimeOffset after, RetentionSettings settings)
    {
        var zone = SendTime.Zone(null, settings.Product.TimeZone);
        return SendTime.Next(after.AddTicks(1), new SendWindow { FromHour = settings.Sweep.Hour, ToHour = settings.Sweep.Hour }, zone);
    }

    /// <summary>The day of a moment, in the business's time zone.</summary>
    public static DateOnly Day(DateTimeOffset at, RetentionSettings settings) =>
        DateOnly.FromDateTime(TimeZoneInfo.ConvertTime(at, SendTime.Zone(null, settings.Product.TimeZone)).DateTime);

    /// <summary>All of it, in one go.</summary>
    public async Task<SweepResult> RunAsync(CancellationToken cancel = default)
    {
        var now = clock.GetUtcNow();
        var tiers = await ValueTiersAsync(Keys.AllBuckets, cancel);
        var buckets = new List<BucketResult>();
        foreach (var bucket in Keys.AllBuckets) buckets.Add(await BucketAsync(bucket, tiers, now, cancel));
        return await FinishAsync(buckets, now, cancel);
    }

    /// <summary>The thresholds of the value tiers from all customers as they stand.</summary>
    /// <param name="buckets">All buckets; those without any row may be left out.</param>
    public async Task<ValueTierThresholds> ValueTiersAsync(IEnumerable<string> buckets, CancellationToken cancel = default)
    {
        var mrr = new ConcurrentBag<(string Currency, long Amount)>();
        await Parallel.ForEachAsync(buckets, new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = cancel }, async (bucket, token) =>
        {
            await foreach (var row in tables.QueryAsync(Keys.Customers(bucket), token))
                foreach (var (currency, amount) in row.Read<PayingGlance>().Mrr) mrr.Add((currency, amount));
        });
        return ValueTierThresholds.Of(mrr, settings.Customers);
    }

    /// <summary>One bucket: its customers and their activity, side by side.</summary>
    public async Task<BucketResult> BucketAsync(string bucket, ValueTierThresholds tiers, DateTimeOffset now, CancellationToken cancel = default)
    {
        using var span = RetentionTelemetry.Sweeping();
        var asOf = Today(now);
        var result = new BucketResult();
        // One bucket is a small part of all: the rows of its customers fit into memory, as they are stored, and each range is read once. What they say takes
        // several times as much, and is read when its customer's turn comes.
        var customers = new List<Row>();
        await foreach (var row in tables.QueryAsync(Keys.Customers(bucket), cancel)) customers.Add(row);
        var activities = await ByCustomerAsync(Keys.ActivitiesOfBucket(bucket), cancel);
        var invoices = customers.Count == 0 ? [] : await ByCustomerAsync(Keys.InvoicesOfBucket(bucket), cancel);
        var pending = new List<Scored>();
        var bytes = 0L;
        foreach (var row in customers)
        {
            var customer = row.Read<Customer>();
            var own = Take<Activity>(activities, customer.Id);
            foreach (var activity in own) Saw(activity.Source, activity.LastSeenAt);
            if (starts.StartedOn(customer, asOf)) result.StartedToday++;
            if (customer.DeletedAt is not null && customer.OpenRuns.Count == 0 && customer.WatchedRuns is not { Count: > 0 } && !CustomerMonths.AreMissing(customer)) continue;
            var scored = await ScoreAsync(customer, row.ETag, own, Take<Invoice>(invoices, customer.Id), tiers, asOf, now, cancel);
            if (pending.Count == Together || bytes + scored.Bytes > TogetherBytes) await WriteAsync();
            pending.Add(scored);
            bytes += scored.Bytes;
        }
        await WriteAsync();
        var largest = TierMoves.Largest(result.Moves).ToList();
        result.Moves.Clear();
        result.Moves.AddRange(largest);
        // Users whom nobody has tied to a customer.
        foreach (var row in activities.Values.SelectMany(rows => rows))
            if (row.Read<SeenGlance>() is var seen) Saw(seen.Source, seen.LastSeenAt);
        return result;

        // What the mail provider reports says nothing about the app: its silence must show all the same.
        void Saw(string source, DateTimeOffset at)
        {
            if (source != ActivityView.MailSource) result.Saw(at);
        }

        async Task WriteAsync()
        {
            await WriteTogetherAsync(bucket, pending, tiers, asOf, now, result, cancel);
            pending.Clear();
            bytes = 0;
        }
    }

    /// <summary>After all buckets: starts win-back, the most valuable first, at most so many a day; unless the whole app fell silent.</summary>
    public async Task<SweepResult> FinishAsync(IReadOnlyCollection<BucketResult> buckets, DateTimeOffset now, CancellationToken cancel = default)
    {
        var lastSeen = buckets.Select(b => b.LastSeenAt).DefaultIfEmpty().Max();
        var candidates = buckets.SelectMany(b => b.Candidates).OrderByDescending(c => c.Mrr).ThenBy(c => c.CustomerId, StringComparer.Ordinal).ToList();
        var silent = candidates.Count > 0 && lastSeen is { } at && now - at > SilentApp;
        var already = buckets.Sum(b => b.StartedToday);
        var started = silent ? 0 : await starts.StartAsync(candidates, already, now, cancel);
        var totals = new HealthTotals();
        foreach (var bucket in buckets) totals.Add(bucket.Totals);
        var result = new SweepResult
        {
            At = now,
            Customers = buckets.Sum(b => b.Customers),
            Paying = buckets.Sum(b => b.Paying),
            Mrr = buckets.SelectMany(b => b.Mrr).GroupBy(m => m.Key, StringComparer.Ordinal).ToDictionary(g => g.Key, g => g.Sum(m => m.Value)),
            CurrentTiers = buckets.SelectMany(b => b.CurrentTiers).GroupBy(t => t.Key).ToDictionary(g => g.Key, g => g.Sum(t => t.Value)),
            Tiers = buckets.SelectMany(b => b.Tiers).GroupBy(t => t.Key).ToDictionary(g => g.Key, g => g.Sum(t => t.Value)),
            Totals = totals,
            // Also those of an earlier sweep of this day, which may have been this one before it was interrupted.
            Candidates = already + candidates.Count,
            Started = already + started,
            Warning = silent ? $"No app event has come in since {lastSeen:yyyy-MM-dd HH:mm} UTC. The app has probably stopped sending: no win-back flow was started." : null,
        };
        if (result.Warning is not null) Log.Silent(log, result.Warning);
        await TierMoves.KeepAsync(tables, Today(now), [.. TierMoves.Largest(buckets.SelectMany(b => b.Moves))], cancel);
        await tables.UpsertAsync(Keys.LastSweep, result, cancel);
        await tables.UpsertAsync(Keys.SweepOf(Today(now)), result, cancel);
        RetentionTelemetry.Swept(result.Customers, clock.GetUtcNow() - now);
        return result;
    }

    private async Task<Dictionary<string, List<Row>>> ByCustomerAsync(KeyRange range, CancellationToken cancel)
    {
        var byCustomer = new Dictionary<string, List<Row>>(StringComparer.Ordinal);
        await foreach (var row in tables.QueryAsync(range, cancel))
        {
            var owner = Keys.Parts(row.At.Key)[1];
            if (!byCustomer.TryGetValue(owner, out var own)) byCustomer[owner] = own = [];
            own.Add(row);
        }
        return byCustomer;
    }

    private static List<T> Take<T>(Dictionary<string, List<Row>> rows, string customerId) => rows.Remove(customerId, out var own) ? own.ConvertAll(row => row.Read<T>()) : [];

    // All customers of a bucket share a partition, so many are written at once. Where one of them was changed meanwhile nothing is, and each goes by itself.
    private async Task WriteTogetherAsync(string bucket, List<Scored> pending, ValueTierThresholds tiers, DateOnly asOf, DateTimeOffset now, BucketResult result, CancellationToken cancel)
    {
        var together = pending.FindAll(s => s.Ledger.IsEmpty);
        var written = together.Count > 0 && await tables.TryCommitAsync(bucket, [.. together.SelectMany(s => s.Writes)], cancel);
        foreach (var scored in pending)
            if (written && scored.Ledger.IsEmpty) await DoneAsync(scored, now, result, cancel);
            else await WriteAloneAsync(scored, tiers, asOf, now, result, cancel);
    }

    private async Task WriteAloneAsync(Scored scored, ValueTierThresholds tiers, DateOnly asOf, DateTimeOffset now, BucketResult result, CancellationToken cancel)
    {
        var id = scored.After.Id;
        for (var attempt = 0; attempt < 10; attempt++)
        {
            if (await LedgerRows.TryCommitAsync(tables, Keys.Bucket(id), scored.Writes, scored.Ledger, cancel))
            {
                await DoneAsync(scored, now, result, cancel);
                return;
            }
            if (await CustomerView.LoadAsync(tables, id, cancel) is not { } view) return;
            scored = await ScoreAsync(view.Customer, view.ETag, view.Activities, scored.Invoices, tiers, asOf, now, cancel);
        }
        throw new TransientStorageException("A customer was changed by others ten times in a row.");
    }

    private async Task<Scored> ScoreAsync(Customer customer, string etag, IReadOnlyList<Activity> activities, IReadOnlyList<Invoice> invoices, ValueTierThresholds tiers, DateOnly asOf, DateTimeOffset now, CancellationToken cancel)
    {
        var ledger = LedgerWrites.None;
        var after = CustomerView.WithApp(customer, activities);
        if (after.NextChangeAt <= now || CustomerMonths.AreMissing(after))
        {
            var snapshots = await tables.ListAsync<SubscriptionSnapshot>(Keys.Snapshots(customer.Id), cancel);
            var derived = CustomerDerivation.Derive(after, snapshots, settings.Customers, now);
            ledger = await LedgerRows.DifferenceAsync(tables, derived, now, cancel: cancel);
            after = derived.Customer;
        }
        var view = ActivityView.Of(activities, now);
        var health = HealthScore.Compute(new HealthInput
        {
            AsOf = asOf,
            Now = now,
            Customer = after,
            Activity = activities,
            Invoices = invoices,
            Ledger = after.RecentMovements,
            Previous = customer.Health,
        }, settings.Health, view);
        after = after with { Health = health, ValueTier = tiers.Of(after.Mrr), WatchedRuns = await FlowResults.WatchAsync(tables, after, activities, view, settings.Flows.UseFellTo, now, cancel) };
        var (row, score) = (TablesExtensions.Write(after), TablesExtensions.Write(health));
        Write[] writes = [new Write.Replace(Keys.Customer(customer.Id).Key, row, etag), new Write.Upsert(Keys.Score(customer.Id, asOf).Key, score)];
        return new Scored(after, health.Tier, view, invoices, writes, ledger, row.Length + score.Length);
    }

    // Its rows are written.
    private async Task DoneAsync(Scored scored, DateTimeOffset now, BucketResult result, CancellationToken cancel)
    {
        var after = scored.After;
        result.Add(after, scored.Tier, scored.View, now);
        if (starts.CandidateOf(after, scored.View, now) is { } candidate) result.Candidates.Add(candidate);
        // What a crash left between the customer's row and the engine, and what the passing of time changed.
        await flows.AfterChangeAsync(after, cancel);
    }

    private DateOnly Today(DateTimeOffset now) => Day(now, settings);

    // Of a customer's row only what the thresholds are made of: reading all of it takes several times as long.
    private sealed record PayingGlance
    {
        public IReadOnlyDictionary<string, long> Mrr { get; init; } = new Dictionary<string, long>();
    }

    // Of a user's row only what says that the app still sends.
    private sealed record SeenGlance(string Source, DateTimeOffset LastSeenAt);

    // A customer as scored, and the rows that say so.
    private sealed record Scored(Customer After, HealthTier Tier, ActivityView View, IReadOnlyList<Invoice> Invoices, IReadOnlyList<Write> Writes, LedgerWrites Ledger, long Bytes);

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Warning, Message = "{Warning}")]
        public static partial void Silent(ILogger log, string warning);
    }
}
