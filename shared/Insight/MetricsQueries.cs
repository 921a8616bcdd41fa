using RetentionFunctions.Customers;
using RetentionFunctions.Storage;

namespace RetentionFunctions.Insight;

/// <summary>Reads what the figures are made of: one row of each bucket, whatever the number of customers and years.</summary>
public sealed class MetricsQueries(ITables tables, TimeProvider clock)
{
    // Point reads at the same time: on Azure each takes some milliseconds.
    private const int AtOnce = 32;

    /// <summary>The months that are asked for, each currency by itself; those that are yet to come are left out.</summary>
    public async Task<IReadOnlyList<MetricsMonth>> MonthsAsync(MetricsRequest request, CancellationToken cancel = default)
    {
        var buckets = Keys.AllBuckets.ToList();
        var rows = new StoredMonths?[buckets.Count];
        await Parallel.ForAsync(0, rows.Length, new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = cancel }, async (i, token) =>
            rows[i] = (await tables.GetAsync<StoredMonths>(Keys.MonthsOfBucket(buckets[i]), token))?.Value);
        var cells = new Dictionary<CellKey, MonthCell>();
        var corrections = new Dictionary<Month, DateTimeOffset>();
        foreach (var row in rows.OfType<StoredMonths>())
        {
            foreach (var (key, cell) in row.Cells()) cells[key] = cells.GetValueOrDefault(key) + cell;
            foreach (var (month, at) in row.Corrections())
                if (!corrections.TryGetValue(month, out var known) || known < at) corrections[month] = at;
        }
        var months = Metrics.Of(cells, corrections, request.From, request.To, request.Formula, clock.GetUtcNow());
        return request.Currency is { } only ? [.. months.Where(m => m.All.Currency == only)] : months;
    }
}
