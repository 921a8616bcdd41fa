using RetentionFunctions.Customers;
using RetentionFunctions.Storage;

namespace RetentionFunctions.Insight;

/// <summary>Reads what the figures are made of: one row of each bucket, whatever the number of customers and years.</summary>
public sealed class MetricsQueries(ITables tables, TimeProvider clock)
{
    // Point reads at the same time: on Azure each takes some milliseconds.
    private const int AtOnce = 32;

    // What the rows said when they were last read. They are read each time; what takes most of it, by far, is to understand them, and mostly none has changed.
    private Sums? known;

    /// <summary>The months that are asked for, each currency by itself; those that are yet to come are left out.</summary>
    public async Task<IReadOnlyList<MetricsMonth>> MonthsAsync(MetricsRequest request, CancellationToken cancel = default)
    {
        var sums = await SumsAsync(cancel);
        var months = Metrics.Of(sums.Cells, sums.Corrections, request.From, request.To, request.Formula, clock.GetUtcNow());
        return request.Currency is { } only ? [.. months.Where(m => m.All.Currency == only)] : months;
    }

    private async Task<Sums> SumsAsync(CancellationToken cancel)
    {
        var buckets = Keys.AllBuckets.ToList();
        var rows = new Row?[buckets.Count];
        await Parallel.ForAsync(0, rows.Length, new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = cancel }, async (i, token) =>
            rows[i] = await tables.GetAsync(Keys.MonthsOfBucket(buckets[i]), token));
        List<string?> tags = [.. rows.Select(row => row?.ETag)];
        if (known is { } before && before.ETags.SequenceEqual(tags)) return before;

        List<StoredMonths> read = [.. rows.OfType<Row>().Select(row => row.Read<StoredMonths>())];
        var corrections = new Dictionary<Month, DateTimeOffset>();
        foreach (var (month, at) in read.SelectMany(row => row.Corrections()))
            if (!corrections.TryGetValue(month, out var latest) || latest < at) corrections[month] = at;
        return known = new Sums(tags, StoredMonths.Sum(read), corrections);
    }

    // Not changed once it is made: several requests may have it.
    private sealed record Sums(IReadOnlyList<string?> ETags, IReadOnlyDictionary<CellKey, MonthCell> Cells, IReadOnlyDictionary<Month, DateTimeOffset> Corrections);
}
