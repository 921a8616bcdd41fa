using System.Collections.Concurrent;
using System.Globalization;
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
            if (StartedOn(customer, asOf)) result.StartedToday++;
            if (customer.DeletedAt is not null && customer.OpenRuns.Count == 0 && customer.WatchedRuns is not { Count: > 0 } && !CustomerMonths.AreMissing(customer)) continue;
            var scored = await ScoreAsync(customer, row.ETag, own, Take<Invoice>(invoices, customer.Id), tiers, asOf, now, cancel);
            if (pending.Count == Together || bytes + scored.Bytes > TogetherBytes) await WriteAsync();
            pending.Add(scored);
            bytes += scored.Bytes;
        }
        await WriteAsync();
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
        var started = silent ? 0 : await StartAsync(candidates, already, now, cancel);
        var result = new SweepResult
        {
            At = now,
            Customers = buckets.Sum(b => b.Customers),
            Paying = buckets.Sum(b => b.Paying),
            Mrr = buckets.SelectMany(b => b.Mrr).GroupBy(m => m.Key, StringComparer.Ordinal).ToDictionary(g => g.Key, g => g.Sum(m => m.Value)),
            CurrentTiers = buckets.SelectMany(b => b.CurrentTiers).GroupBy(t => t.Key).ToDictionary(g => g.Key, g => g.Sum(t => t.Value)),
            Tiers = buckets.SelectMany(b => b.Tiers).GroupBy(t => t.Key).ToDictionary(g => g.Key, g => g.Sum(t => t.Value)),
            // Also those of an earlier sweep of this day, which may have been this one before it was interrupted.
            Candidates = already + candidates.Count,
            Started = already + started,
            Warning = silent ? $"No app event has come in since {lastSeen:yyyy-MM-dd HH:mm} UTC. The app has probably stopped sending: no win-back flow was started." : null,
        };
        if (result.Warning is not null) Log.Silent(log, result.Warning);
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
        result.Add(after, scored.Tier);
        if (settings.Flows.Definitions.TryGetValue(FlowDispatch.WinBackFlow, out var winBack) &&
            FlowStart.WinBack(after, scored.View, settings.Flows, winBack, FlowDispatch.WinBackFlow, now) is { } reason)
            result.Candidates.Add(new Candidate(after.Id, after.Mrr.Values.DefaultIfEmpty().Max(), reason.Because));
        // What a crash left between the customer's row and the engine, and what the passing of time changed.
        await flows.AfterChangeAsync(after, cancel);
    }

    // Counted on the customers themselves: a counter beside them would forget those that were started just before a crash.
    private bool StartedOn(Customer customer, DateOnly day) =>
        (customer.LastStarts.TryGetValue(FlowDispatch.WinBackFlow, out var at) && Today(at) == day) ||
        customer.OpenRuns.Any(r => r.Flow == FlowDispatch.WinBackFlow && r.Occasion == FlowStart.Occasion(Occasion(day), FlowMode.Preview));

    private async Task<int> StartAsync(List<Candidate> candidates, int already, DateTimeOffset now, CancellationToken cancel)
    {
        if (candidates.Count == 0 || !settings.Flows.Definitions.TryGetValue(FlowDispatch.WinBackFlow, out var definition)) return 0;
        var today = Today(now);
        var started = 0;
        foreach (var candidate in candidates)
        {
            if (already + started >= settings.Flows.MaxStartsPerDay) break;
            if (await StartAsync(candidate.CustomerId, definition, today, now, cancel)) started++;
        }
        return started;
    }

    private async Task<bool> StartAsync(string customerId, FlowDefinition definition, DateOnly today, DateTimeOffset now, CancellationToken cancel)
    {
        for (var attempt = 0; attempt < 10; attempt++)
        {
            // Read again: the sweep may have taken a while, and the customer may be back.
            if (await CustomerView.LoadAsync(tables, customerId, cancel) is not { } view) return false;
            if (StartedOn(view.Customer, today))
            {
                // By this very sweep, before it was interrupted: it counts, and the engine may not know of it.
                await flows.AfterChangeAsync(view.Customer, cancel);
                return true;
            }
            if (FlowStart.WinBack(view.Customer, ActivityView.Of(view.Activities, now), settings.Flows, definition, FlowDispatch.WinBackFlow, now) is not { } reason) return false;
            var run = FlowStart.Begin(FlowDispatch.WinBackFlow, definition, view.Customer, Occasion(today), null, reason.Because, settings.Flows.Mode, now) with { UseFell = reason.UseFell };
            if (await flows.StartAsync(run, view, cancel)) return true;
            // Started before, or the customer changed between reading and writing: then once more.
            if (await tables.GetAsync(Keys.Run(customerId, FlowDispatch.WinBackFlow, run.Id.Occasion), cancel) is not null) return false;
        }
        throw new TransientStorageException("A customer was changed by others ten times in a row.");
    }

    private static string Occasion(DateOnly day) => day.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);

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

/// <summary>What the sweep found in one bucket.</summary>
public sealed class BucketResult
{
    /// <summary>Customers scored.</summary>
    public int Customers { get; set; }

    /// <summary>Customers for whom win-back was started earlier on this day.</summary>
    public int StartedToday { get; set; }

    /// <summary>The latest app event of anybody, tied or not.</summary>
    public DateTimeOffset? LastSeenAt { get; set; }

    /// <summary>Customers by tier.</summary>
    public Dictionary<HealthTier, int> Tiers { get; init; } = [];

    /// <summary>Customers with MRR above 0.</summary>
    public int Paying { get; set; }

    /// <summary>Their MRR in minor units, by currency.</summary>
    public Dictionary<string, long> Mrr { get; init; } = new(StringComparer.Ordinal);

    /// <summary>Customers still with us (in a trial, paying, past due or paused) by tier.</summary>
    public Dictionary<HealthTier, int> CurrentTiers { get; init; } = [];

    /// <summary>For whom win-back is called for.</summary>
    public List<Candidate> Candidates { get; init; } = [];

    internal void Saw(DateTimeOffset at) => LastSeenAt = LastSeenAt is { } known && known > at ? known : at;

    internal void Add(Customer customer, HealthTier tier)
    {
        Customers++;
        Tiers[tier] = Tiers.GetValueOrDefault(tier) + 1;
        // The same rows that the overview counts: app users without a customer are none, and who left is at no risk.
        if (customer.IsUntiedUser) return;
        if (customer.IsCurrent) CurrentTiers[tier] = CurrentTiers.GetValueOrDefault(tier) + 1;
        if (customer.Mrr.Count > 0) Paying++;
        foreach (var (currency, amount) in customer.Mrr) Mrr[currency] = Mrr.GetValueOrDefault(currency) + amount;
    }
}

/// <summary>A customer for whom win-back is called for.</summary>
/// <param name="CustomerId">The customer.</param>
/// <param name="Mrr">The larger of its MRRs, in minor units: the most valuable come first.</param>
/// <param name="Because">In words.</param>
public sealed record Candidate(string CustomerId, long Mrr, string Because);

/// <summary>What a sweep did.</summary>
public sealed record SweepResult
{
    /// <summary>When.</summary>
    public required DateTimeOffset At { get; init; }

    /// <summary>Customers scored.</summary>
    public required int Customers { get; init; }

    /// <summary>Customers by tier.</summary>
    public required IReadOnlyDictionary<HealthTier, int> Tiers { get; init; }

    /// <summary>Customers with MRR above 0 (DEFINITIONS, "Paying customer"). 0 in rows written before it was counted.</summary>
    public int Paying { get; init; }

    /// <summary>MRR in minor units by currency (DEFINITIONS, "MRR").</summary>
    public IReadOnlyDictionary<string, long> Mrr { get; init; } = new Dictionary<string, long>();

    /// <summary>Customers still with us (in a trial, paying, past due or paused) by tier.</summary>
    public IReadOnlyDictionary<HealthTier, int> CurrentTiers { get; init; } = new Dictionary<HealthTier, int>();

    /// <summary>For how many win-back was called for on this day.</summary>
    public required int Candidates { get; init; }

    /// <summary>How many of their runs were started on this day; at most the set number.</summary>
    public required int Started { get; init; }

    /// <summary>What the founder should know: the app's events have stopped.</summary>
    public string? Warning { get; init; }
}

/// <summary>From which MRR on a customer is in tier A or B, by currency: amounts of two currencies are never compared.</summary>
/// <param name="A">Minor units from which tier A begins, by currency.</param>
/// <param name="B">Minor units from which tier B begins, by currency.</param>
public sealed record ValueTierThresholds(IReadOnlyDictionary<string, long> A, IReadOnlyDictionary<string, long> B)
{
    /// <summary>
    /// The thresholds among the MRRs of all paying customers (DEFINITIONS, "Value tiers"). A tier never holds more than its share: where many pay the same,
    /// they fall together into the tier below, so that a single price does not make everybody tier A.
    /// </summary>
    public static ValueTierThresholds Of(IEnumerable<(string Currency, long Amount)> mrr, CustomerSettings settings)
    {
        var a = new Dictionary<string, long>(StringComparer.Ordinal);
        var b = new Dictionary<string, long>(StringComparer.Ordinal);
        foreach (var currency in mrr.Where(m => m.Amount > 0).GroupBy(m => m.Currency, StringComparer.Ordinal))
        {
            var amounts = currency.Select(m => m.Amount).OrderDescending().ToList();
            var top = From(amounts, settings.TierAShare);
            a[currency.Key] = settings.TierAFrom.TryGetValue(currency.Key, out var from) ? Math.Min(top, from) : top;
            b[currency.Key] = From(amounts, settings.TierAShare + settings.TierBShare);
        }
        return new ValueTierThresholds(a, b);
    }

    // The smallest amount that no more than the share of all reach.
    private static long From(List<long> descending, double share)
    {
        var room = (int)Math.Floor((share * descending.Count) + 1e-9);
        if (room >= descending.Count) return descending[^1];
        return descending.Take(room).LastOrDefault(amount => amount > descending[room], long.MaxValue);
    }

    /// <summary>The tier of a customer: the best over its currencies; null where nothing is paid.</summary>
    public ValueTier? Of(IReadOnlyDictionary<string, long> mrr)
    {
        ValueTier? best = null;
        foreach (var (currency, amount) in mrr)
        {
            var tier = amount >= A.GetValueOrDefault(currency, long.MaxValue) ? ValueTier.A : amount >= B.GetValueOrDefault(currency, long.MaxValue) ? ValueTier.B : ValueTier.C;
            if (best is null || tier < best) best = tier;
        }
        return best;
    }
}
