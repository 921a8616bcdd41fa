using System.Collections.Concurrent;
using System.Globalization;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using RetentionFunctions.Customers;
using RetentionFunctions.Flows;
using RetentionFunctions.Health;
using RetentionFunctions.Jobs;
using RetentionFunctions.Insight;
using RetentionFunctions.Local;
using RetentionFunctions.Local.Sqlite;
using RetentionFunctions.Storage;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.Benchmarks;

/// <summary>
/// Pages at size: the founder's pages over HTTP from a data file of many customers with two years of months, invoices and sweeps, beside the same reads (each key and each
/// range that the page asked the port for, as many at a time), of which nothing is parsed. With each the requests that it would make of Azure's tables, where a range of more
/// than a thousand rows is several.
/// </summary>
internal static class Pages
{
    // As many as the pages ask for at the same time.
    private const int AtOnce = 16;

    private static readonly (string Name, string Path)[] Shown =
    [
        ("overview", "/"), ("metrics", "/metrics"), ("search", "/customers?search=company4711"), ("customers", "/customers"), ("cohorts", "/cohorts"), ("recovery", "/recovery"),
        ("a flow", "/flows/win-back"), ("health", "/health"), ("review", "/review"),
    ];

    /// <summary>Runs it: <c>--customers N</c> (100,000), <c>--rounds N</c> (5), <c>--only NAME</c>. With <c>--store DIR</c> the data file is made there where it is missing, and left.</summary>
    public static async Task RunAsync(IReadOnlyList<string> args)
    {
        var (customers, rounds) = (Options.Number(args, "--customers", 100_000), Options.Number(args, "--rounds", Rounds.Least));
        using var temp = new TempFolder();
        var store = Options.Text(args, "--store", temp.Path);
        var now = TimeProvider.System.GetUtcNow();
        var isNew = !File.Exists(Path.Combine(store, SqliteStore.FileName));
        if (isNew) await SeededStore.WriteAsync(store, customers, now, more: (i, customer) => TwoYears(i, customer, now));
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(new Dictionary<string, string?> { ["Product:Name"] = "Acme", ["Web:PublicUrl"] = "https://acme.example" }).Build();
        ReadsNoted? noted = null;
        await using var app = await LocalHost.CreateAsync(new LocalOptions { DataFolder = store }, configuration, services: services =>
            services.AddSingleton<ITables>(all => noted = new ReadsNoted(all.GetRequiredService<SqliteTables>())));
        app.Urls.Add("http://127.0.0.1:0");
        await app.StartAsync();
        if (isNew) await AddUpAsync(app.Services, now);
        using var client = new HttpClient { BaseAddress = new Uri(app.Urls.First()), Timeout = TimeSpan.FromMinutes(2) };
        var (tables, kept) = (app.Services.GetRequiredService<SqliteTables>(), app.Services.GetRequiredService<SqliteStore>().Rows);
        foreach (var (name, path) in Shown.Where(p => Options.Text(args, "--only", p.Name) == p.Name))
        {
            using (var first = await client.GetAsync(path))
            {
                if (!first.IsSuccessStatusCode)
                {
                    Console.WriteLine($"\n{path}: {(int)first.StatusCode}");
                    continue;
                }
            }
            noted!.Begin();
            await client.GetByteArrayAsync(path);
            var (keys, ranges, rows, requests) = noted.End();
            var results = await Rounds.MeasureAsync(
            [
                new("the same reads, bare", () => MillisecondsAsync(keys, () => ReadAsync(tables, keys, ranges))),
                new("the page", () => MillisecondsAsync(keys, () => client.GetByteArrayAsync(path))),
            ], rounds);
            Rounds.Print(string.Create(CultureInfo.InvariantCulture, $"{name}: {path}"), "ms", results);
            using var self = System.Diagnostics.Process.GetCurrentProcess();
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"\n{keys.Count:N0} keys and {ranges.Count:N0} ranges with {rows:N0} rows: {requests:N0} requests of Azure's tables. Most memory of the process so far: {self.PeakWorkingSet64 / 1024.0 / 1024:N0} MiB."));
        }

        // From the file in every round: the rows that are in memory are taken out, as if each had just been changed by a commit that failed.
        async Task<double> MillisecondsAsync(IReadOnlyList<RowKey> keys, Func<Task> work)
        {
            List<RowChange> changed = [.. keys.Distinct().Select(key => new RowChange(key, null))];
            kept.Committing(changed);
            kept.Committed(changed, succeeded: false);
            return await TookAsync(work);
        }
    }

    private static async Task<double> TookAsync(Func<Task> work)
    {
        var from = TimeProvider.System.GetTimestamp();
        await work();
        return TimeProvider.System.GetElapsedTime(from).TotalMilliseconds;
    }

    private static async Task ReadAsync(SqliteTables tables, IReadOnlyList<RowKey> keys, IReadOnlyList<KeyRange> ranges)
    {
        var options = new ParallelOptions { MaxDegreeOfParallelism = AtOnce };
        await Parallel.ForEachAsync(keys, options, async (key, cancel) => await tables.GetAsync(key, cancel));
        await Parallel.ForEachAsync(ranges, options, async (range, cancel) =>
        {
            await foreach (var _ in tables.QueryAsync(range, cancel)) { }
        });
    }

    // What a customer of two years has besides what the sweep reads; one in five left, one in five has had a win-back, one in ten a dunning.
    private static (Customer, IEnumerable<(RowKey, ReadOnlyMemory<byte>)>) TwoYears(int i, Customer customer, DateTimeOffset now)
    {
        var rows = new List<(RowKey, ReadOnlyMemory<byte>)>();
        var joined = Month.Of(now).Plus(-1 - (i % 24));
        var cells = new Dictionary<CellKey, MonthCell> { [new CellKey(joined, "usd", BillingTerm.Monthly)] = new() { New = 1, Paying = 1, MrrNew = 4900 } };
        if (i % 3 == 0) cells[new CellKey(joined.Plus(1), "usd", BillingTerm.Monthly)] = new() { MrrExpansion = 1000 };
        Add(Keys.Months(customer.Id), StoredMonths.Of(cells));
        for (var n = 3; n < 24; n++)
        {
            var at = now.AddDays(-10 - 30 * n);
            Add(Keys.Invoice(customer.Id, $"in_{i:D7}_{n}"), new Invoice
            {
                Id = $"in_{i:D7}_{n}", PaidAt = at, LatestFrom = Stamp.Of(at, $"evt_{i:D7}_i{n}", "invoice.paid"),
                Latest = new InvoiceSnapshot { InvoiceId = $"in_{i:D7}_{n}", Change = InvoiceChange.Paid, SubscriptionId = $"sub_{i:D7}Kq3vT8", Number = $"A-{i}-{n}", Status = "paid", BillingReason = "subscription_cycle", AmountDue = 4900, AmountPaid = 4900, Currency = "usd", AttemptCount = 1, CreatedAt = at, PaidAt = at },
            });
        }
        if (i % 5 == 0)
        {
            var (with, run) = SeededStore.WithRun(customer, now.AddDays(-4), now.AddDays(3));
            customer = i % 10 == 0 ? with : customer;
            rows.AddRange(run);
        }
        var health = new HealthState { Score = i * 7 % 101, Tier = HealthTiers(i * 7 % 101), Stage = Stage.Value, ScoredOn = DateOnly.FromDateTime(now.UtcDateTime), Reasons = [], Dimensions = [] };
        return (customer with { Health = health, MonthsVersion = CustomerMonths.Version }, rows);

        void Add<T>(RowKey at, T value) => rows.Add((at, TablesExtensions.Write(value)));
    }

    private static HealthTier HealthTiers(int score) => score >= 80 ? HealthTier.Healthy : score >= 60 ? HealthTier.LowRisk : score >= 40 ? HealthTier.MediumRisk : HealthTier.HighRisk;

    // The sums of the buckets, as events would have kept them, the sweeps of two years, and last night's count.
    private static async Task AddUpAsync(IServiceProvider services, DateTimeOffset now)
    {
        var tables = services.GetRequiredService<SqliteTables>();
        foreach (var bucket in Keys.AllBuckets)
        {
            var sum = new Dictionary<CellKey, MonthCell>();
            await foreach (var row in tables.QueryAsync(Keys.MonthsOfCustomers(bucket)))
                foreach (var (key, cell) in row.Read<StoredMonths>().Cells()) sum[key] = sum.GetValueOrDefault(key) + cell;
            await tables.UpsertAsync(Keys.MonthsOfBucket(bucket), StoredMonths.Of(sum));
        }
        var swept = await services.GetRequiredService<LocalPump>().SweepAsync();
        for (var day = 1; day < 730; day++) await tables.UpsertAsync(Keys.SweepOf(DateOnly.FromDateTime(now.AddDays(-day).UtcDateTime)), swept with { At = now.AddDays(-day) });
        var jobs = services.GetRequiredService<JobRunner>();
        await jobs.StartAsync(SummaryJob.JobName, "the benchmark");
        while (await jobs.StateAsync(SummaryJob.JobName) is not { IsRunning: false }) await services.GetRequiredService<LocalPump>().SettleAsync();
    }
}

/// <summary>Notes what is read through it between two moments.</summary>
internal sealed class ReadsNoted(ITables inner) : ITables
{
    private readonly ConcurrentQueue<RowKey> keys = new();
    private readonly ConcurrentQueue<(KeyRange Range, int Rows)> ranges = new();
    private volatile bool noting;

    public void Begin()
    {
        keys.Clear();
        ranges.Clear();
        noting = true;
    }

    /// <summary>What was read since <see cref="Begin"/>; a request of Azure's tables answers with a thousand rows at most.</summary>
    public (IReadOnlyList<RowKey> Keys, IReadOnlyList<KeyRange> Ranges, int Rows, int Requests) End()
    {
        noting = false;
        return ([.. keys], [.. ranges.Select(r => r.Range)], ranges.Sum(r => r.Rows), keys.Count + ranges.Sum(r => Math.Max(1, (r.Rows + 999) / 1000)));
    }

    public Task<Row?> GetAsync(RowKey key, CancellationToken cancel = default)
    {
        if (noting) keys.Enqueue(key);
        return inner.GetAsync(key, cancel);
    }

    public async IAsyncEnumerable<Row> QueryAsync(KeyRange range, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancel = default)
    {
        var rows = 0;
        try
        {
            await foreach (var row in inner.QueryAsync(range, cancel))
            {
                rows++;
                yield return row;
            }
        }
        finally
        {
            if (noting) ranges.Enqueue((range, rows));
        }
    }

    public IAsyncEnumerable<Row> ScanAsync(RowKey? after = null, CancellationToken cancel = default) => inner.ScanAsync(after, cancel);

    public Task<IReadOnlyList<string>> BucketsInUseAsync(CancellationToken cancel = default) => inner.BucketsInUseAsync(cancel);

    public Task<bool> TryCommitAsync(string partition, IReadOnlyList<Write> writes, CancellationToken cancel = default) => inner.TryCommitAsync(partition, writes, cancel);
}
