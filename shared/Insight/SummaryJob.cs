using System.Text.Json;
using System.Text.Json.Nodes;
using RetentionFunctions.Jobs;
using RetentionFunctions.Storage;

namespace RetentionFunctions.Insight;

/// <summary>
/// Every night, after an import or an erasure, and when somebody asks: counts all summaries, each bucket's rows read once for all of them. A bucket whose figures are as they were is not written; one without
/// customers costs a request, or none where the store knows which are empty.
/// </summary>
public sealed class SummaryJob(ITables tables, IEnumerable<ISummary> summaries) : INightlyJob, IAfterBulkJob
{
    /// <summary>The name of the job.</summary>
    public const string JobName = "summaries";

    /// <summary>Rows of a step, at least, where there are more: some seconds of reading.</summary>
    public const int RowsPerStep = 20_000;

    // Buckets read at the same time: on Azure each request takes some milliseconds. Each is in memory meanwhile.
    private const int AtOnce = 4;

    // After an import what it brought is still in the inbox, of one customer several messages behind each other. Each turn is a message behind them.
    private const int Turns = 30;

    private static readonly (CustomerNouns Noun, Func<string, KeyRange> Range)[] Ranges =
    [
        (CustomerNouns.Months, Keys.MonthsOfCustomers), (CustomerNouns.Invoices, Keys.InvoicesOfBucket), (CustomerNouns.Runs, Keys.RunsOfBucket),
        (CustomerNouns.Mails, Keys.MailsOfBucket), (CustomerNouns.Activities, Keys.ActivitiesOfBucket),
        (CustomerNouns.Failures, Keys.FailuresOfBucket),
    ];

    private readonly List<ISummary> all = [.. summaries];

    /// <inheritdoc/>
    public string Name => JobName;

    /// <inheritdoc/>
    public async Task<JobStep> StepAsync(JobState state, CancellationToken cancel)
    {
        var turn = (int?)state.Cursor?["turn"] ?? 0;
        if (IAfterBulkJob.IsAfterBulk(state.Occasion) && turn < Turns) return new JobStep(new JsonObject { ["turn"] = turn + 1 }, state.Counts, 0);

        var after = (string?)state.Cursor?["after"];
        var inUse = await tables.BucketsInUseAsync(cancel);
        if (after is null && inUse.Count < Keys.Buckets) await RemoveAllButAsync([.. inUse], cancel);
        var buckets = inUse.Where(bucket => string.CompareOrdinal(bucket, after) > 0).ToList();
        var counts = new Dictionary<string, long>(state.Counts, StringComparer.Ordinal);
        var rows = 0;
        foreach (var some in buckets.Chunk(AtOnce))
        {
            foreach (var counted in await Task.WhenAll(some.Select(bucket => CountAsync(bucket, state.StartedAt, cancel))))
            {
                rows += counted.Rows;
                counts["customers"] = counts.GetValueOrDefault("customers") + counted.Customers;
                counts["rows changed"] = counts.GetValueOrDefault("rows changed") + counted.Changed;
            }
            if (rows >= RowsPerStep && some[^1] != buckets[^1])
                return new JobStep(new JsonObject { ["turn"] = turn, ["after"] = some[^1] }, counts, Convert.ToInt32(some[^1], 16) / (double)Keys.Buckets);
        }
        await tables.UpsertAsync(Keys.SummariesCounted, new SummariesCounted(state.StartedAt, [.. all.Select(s => s.Name)]), cancel);
        return new JobStep(null, counts);
    }

    private async Task<(int Rows, int Customers, int Changed)> CountAsync(string bucket, DateTimeOffset asOf, CancellationToken cancel)
    {
        var customers = new List<Row>();
        await foreach (var row in tables.QueryAsync(Keys.Customers(bucket), cancel)) customers.Add(row);
        var (read, reads) = (customers.Count, all.Aggregate(CustomerNouns.None, (nouns, summary) => nouns | summary.Reads));
        // As they are stored: what they say takes several times as much.
        var others = customers.ToDictionary(row => Keys.Parts(row.At.Key)[1], _ => new Dictionary<CustomerNouns, List<Row>>(), StringComparer.Ordinal);
        if (customers.Count > 0)
            foreach (var (noun, range) in Ranges.Where(r => reads.HasFlag(r.Noun)))
                await foreach (var row in tables.QueryAsync(range(bucket), cancel))
                {
                    read++;
                    if (!others.TryGetValue(Keys.Parts(row.At.Key)[1], out var own)) continue;
                    if (!own.TryGetValue(noun, out var rows)) own[noun] = rows = [];
                    rows.Add(row);
                }
        List<CustomerRows> subjects = [.. customers.Select(row => new CustomerRows(row, others[Keys.Parts(row.At.Key)[1]]))];
        var changed = 0;
        foreach (var summary in all)
            if (await KeepAsync(Keys.Summary(summary.Name, bucket), subjects.Count == 0 ? null : summary.Count(subjects, asOf), cancel)) changed++;
        return (read, customers.Count, changed);
    }

    // False where it is as it was.
    private async Task<bool> KeepAsync(RowKey at, object? value, CancellationToken cancel)
    {
        var known = await tables.GetAsync(at, cancel);
        if (value is null)
        {
            if (known is not null) await tables.DeleteAsync(at, cancel);
            return known is not null;
        }
        var body = JsonSerializer.SerializeToUtf8Bytes(value, value.GetType(), TablesExtensions.Json);
        if (known is not null && known.Body.Span.SequenceEqual(body)) return false;
        await tables.TryCommitAsync(at.Partition, [new Write.Upsert(at.Key, body)], cancel);
        return true;
    }

    // Whose last customer was erased.
    private async Task RemoveAllButAsync(HashSet<string> inUse, CancellationToken cancel)
    {
        foreach (var summary in all)
        {
            var gone = new List<RowKey>();
            await foreach (var row in tables.QueryAsync(Keys.SummaryOfBuckets(summary.Name), cancel))
                if (!inUse.Contains(Keys.Parts(row.At.Key)[1])) gone.Add(row.At);
            foreach (var at in gone) await tables.DeleteAsync(at, cancel);
        }
    }
}

/// <summary>The last count that was done to its end.</summary>
/// <param name="AsOf">When it was begun, UTC.</param>
/// <param name="Names">What was counted.</param>
public sealed record SummariesCounted(DateTimeOffset AsOf, IReadOnlyList<string> Names);
