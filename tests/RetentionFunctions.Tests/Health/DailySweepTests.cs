using Microsoft.Extensions.Logging.Abstractions;
using RetentionFunctions.Customers;
using RetentionFunctions.Flows;
using RetentionFunctions.Health;
using RetentionFunctions.Settings;
using RetentionFunctions.Storage;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.Tests.Health;

/// <summary>How the sweep writes the customers of a bucket.</summary>
public sealed class DailySweepTests
{
    private static readonly DateTimeOffset Now = new(2026, 3, 1, 6, 0, 0, TimeSpan.Zero);

    private readonly FakeTables tables = new();

    [Fact]
    public async Task Customers_of_a_bucket_are_written_together()
    {
        var ids = await CustomersOfOneBucketAsync(120);
        var before = tables.Commits;

        Assert.Equal(120, (await SweepAsync(tables)).Customers);

        Assert.All(ids, id => Assert.Equal(new DateOnly(2026, 3, 1), Read(id).Health!.ScoredOn));
        // Fifty customers to a batch, each with its row and its score.
        Assert.Equal(3, tables.Commits - before);
    }

    [Fact]
    public async Task Who_is_changed_while_it_is_scored_holds_up_nobody_and_is_scored_as_changed()
    {
        var ids = await CustomersOfOneBucketAsync(5);
        var late = new ChangedMeanwhile(tables, ids[2]);

        Assert.Equal(5, (await SweepAsync(late)).Customers);

        Assert.All(ids, id => Assert.NotNull(Read(id).Health));
        Assert.Equal("new@example.com", Read(ids[2]).BillingEmail);
    }

    private Customer Read(string id) => tables.GetAsync<Customer>(Keys.Customer(id)).Result!.Value;

    private static Task<BucketResult> SweepAsync(ITables tables)
    {
        var settings = new RetentionSettings();
        var clock = new StandingClock(Now);
        return new DailySweep(tables, new FlowDispatch(tables, new NoEngine(), settings, clock), settings, clock, NullLogger<DailySweep>.Instance)
            .BucketAsync("00", ValueTierThresholds.Of([], settings.Customers), Now);
    }

    private async Task<List<string>> CustomersOfOneBucketAsync(int count)
    {
        var ids = Enumerable.Range(0, int.MaxValue).Select(i => $"cus_{i}").Where(id => Keys.Bucket(id) == "00").Take(count).ToList();
        foreach (var id in ids) await tables.TryInsertAsync(Keys.Customer(id), new Customer { Id = id });
        return ids;
    }

    /// <summary>Changes a customer when the first batch is about to be written.</summary>
    private sealed class ChangedMeanwhile(FakeTables inner, string id) : ITables
    {
        private bool changed;

        public Task<Row?> GetAsync(RowKey key, CancellationToken cancel = default) => inner.GetAsync(key, cancel);

        public IAsyncEnumerable<Row> QueryAsync(KeyRange range, CancellationToken cancel = default) => inner.QueryAsync(range, cancel);

        public IAsyncEnumerable<Row> ScanAsync(RowKey? after = null, CancellationToken cancel = default) => inner.ScanAsync(after, cancel);

        public async Task<bool> TryCommitAsync(string partition, IReadOnlyList<Write> writes, CancellationToken cancel = default)
        {
            if (!changed)
            {
                changed = true;
                await inner.UpsertAsync(Keys.Customer(id), new Customer { Id = id, BillingEmail = "new@example.com" }, cancel);
            }
            return await inner.TryCommitAsync(partition, writes, cancel);
        }
    }

    private sealed class NoEngine : IFlowEngine
    {
        public Task StartAsync(RunId run, CancellationToken cancel = default) => Task.CompletedTask;

        public Task WakeAsync(RunId run, CancellationToken cancel = default) => Task.CompletedTask;
    }
}
