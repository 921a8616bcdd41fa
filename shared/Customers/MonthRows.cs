using System.Globalization;
using RetentionFunctions.Storage;

namespace RetentionFunctions.Customers;

/// <summary>
/// The facts of months as they are stored: each customer's own cells, and beside them, in the same bucket, the sum of all customers' of that bucket. Both are written in one batch
/// with the ledger that they follow from, so a page reads 256 rows for any number of customers and years, and no crash leaves the sum other than its parts.
/// </summary>
public static class MonthRows
{
    /// <summary>
    /// How long after its end a month is still open: Stripe repeats an event that was not taken for three days (its documentation, "Retries"), so what comes later than that is
    /// a correction, and the month says so.
    /// </summary>
    public static readonly TimeSpan OpenFor = TimeSpan.FromDays(3);

    /// <summary>The writes that make a customer's stored months those derived, and the bucket's sum follow; none where they agree.</summary>
    /// <param name="tables">Read, not written.</param>
    /// <param name="customerId">Whose.</param>
    /// <param name="months">As derived.</param>
    /// <param name="now">Decides which months are closed.</param>
    /// <param name="past">It is read from Stripe's lists, not heard: a month that is filled so is not corrected.</param>
    /// <param name="cancel">Gives up.</param>
    public static async Task<IReadOnlyList<Write>> DifferenceAsync(ITables tables, string customerId, IReadOnlyDictionary<CellKey, MonthCell> months, DateTimeOffset now, bool past = false, CancellationToken cancel = default)
    {
        var (own, sum) = (Keys.Months(customerId), Keys.MonthsOfBucket(Keys.Bucket(customerId)));
        var stored = await tables.GetAsync<StoredMonths>(own, cancel);
        var before = stored?.Value.Cells() ?? [];
        var changes = before.Keys.Union(months.Keys).ToDictionary(key => key, key => months.GetValueOrDefault(key) + -before.GetValueOrDefault(key));
        if (changes.Values.All(change => change == default)) return [];

        var total = await tables.GetAsync<StoredMonths>(sum, cancel);
        // The parts and the sum are only ever written together: who was first wins, and the other reads again.
        return
        [
            To(own, stored?.ETag, StoredMonths.Of(months)),
            To(sum, total?.ETag, (total?.Value ?? []).With(changes, month => !past && month.End + OpenFor <= now ? now : null)),
        ];
    }

    /// <summary>Puts every bucket's sum right: its customers' months and those of who was erased. When a month was corrected stays. For after a restore; otherwise they agree.</summary>
    /// <returns>How many were wrong.</returns>
    public static async Task<long> SumAsync(ITables tables, CancellationToken cancel = default)
    {
        var wrong = 0L;
        await BucketWalk.EachAsync(async (bucket, token) =>
        {
            while (true)
            {
                var total = await tables.GetAsync<StoredMonths>(Keys.MonthsOfBucket(bucket), token);
                var parts = await tables.ListAsync<StoredMonths>(Keys.MonthsOfCustomers(bucket), token);
                if (await tables.GetAsync<StoredMonths>(Keys.MonthsOfErased(bucket), token) is { Value: var erased }) parts.Add(erased);
                var changes = parts.SelectMany(part => part.Cells()).Concat((total?.Value.Cells() ?? []).Select(c => KeyValuePair.Create(c.Key, -c.Value)))
                    .GroupBy(c => c.Key, c => c.Value).ToDictionary(g => g.Key, g => g.Aggregate((a, b) => a + b));
                if (changes.Values.All(change => change == default)) return;
                if (!await tables.TryCommitAsync(bucket, [To(Keys.MonthsOfBucket(bucket), total?.ETag, (total?.Value ?? []).With(changes, _ => null))], token)) continue;
                Interlocked.Increment(ref wrong);
                return;
            }
        }, cancel);
        return wrong;
    }

    // What turns out to be nothing leaves nothing: a payment that was none, say.
    private static Write To(RowKey at, string? etag, StoredMonths months) =>
        etag is null ? new Write.Insert(at.Key, TablesExtensions.Write(months))
        : months.Count == 0 ? new Write.Delete(at.Key, etag) : new Write.Replace(at.Key, TablesExtensions.Write(months), etag);
}

/// <summary>Cells by month as a row has them: a property for each month (<c>m202603</c>), so that a founder can read the table and no property grows with the years.</summary>
public sealed class StoredMonths : SortedDictionary<string, StoredMonth>
{
    /// <summary>By ordinal order, which is that of time.</summary>
    public StoredMonths() : base(StringComparer.Ordinal) { }

    /// <summary>Puts cells into a row.</summary>
    public static StoredMonths Of(IReadOnlyDictionary<CellKey, MonthCell> cells) => new StoredMonths().With(cells, _ => null);

    /// <summary>The cells, by their keys.</summary>
    public Dictionary<CellKey, MonthCell> Cells() =>
        this.SelectMany(m => m.Value.Cells.Select(c => KeyValuePair.Create(new CellKey(Month(m.Key), c.Currency, c.Term), c.Cell))).ToDictionary();

    /// <summary>The cells of many rows added up. By the months' names as they are stored: those of all buckets are the same few.</summary>
    public static Dictionary<CellKey, MonthCell> Sum(IEnumerable<StoredMonths> rows)
    {
        var sums = new Dictionary<(string Month, string Currency, BillingTerm Term), MonthCell>();
        foreach (var row in rows)
            foreach (var (name, month) in row)
                foreach (var (currency, term, cell) in month.Cells) sums[(name, currency, term)] = sums.GetValueOrDefault((name, currency, term)) + cell;
        return sums.ToDictionary(s => new CellKey(Month(s.Key.Month), s.Key.Currency, s.Key.Term), s => s.Value);
    }

    /// <summary>When a month was last changed after it was closed, for those that were.</summary>
    public IEnumerable<(Month Month, DateTimeOffset At)> Corrections() =>
        from month in this where month.Value.CorrectedAt is not null select (Month(month.Key), month.Value.CorrectedAt!.Value);

    /// <summary>The row with changes added; a month that is closed says when.</summary>
    /// <param name="changes">What is added to which cell.</param>
    /// <param name="corrected">The time of the correction, where it is one.</param>
    public StoredMonths With(IReadOnlyDictionary<CellKey, MonthCell> changes, Func<Month, DateTimeOffset?> corrected)
    {
        var after = new StoredMonths();
        foreach (var (name, month) in this) after[name] = month;
        foreach (var month in changes.Where(c => c.Value != default).GroupBy(c => c.Key.Month))
        {
            var known = after.GetValueOrDefault(Name(month.Key)) ?? new StoredMonth([]);
            var cells = known.Cells.ToDictionary(c => (c.Currency, c.Term), c => c.Cell);
            foreach (var ((_, currency, term), change) in month) cells[(currency, term)] = cells.GetValueOrDefault((currency, term)) + change;
            after[Name(month.Key)] = new StoredMonth([.. cells.Where(c => c.Value != default).OrderBy(c => c.Key.Currency, StringComparer.Ordinal).ThenBy(c => c.Key.Term).Select(c => new StoredCell(c.Key.Currency, c.Key.Term, c.Value))])
            {
                CorrectedAt = corrected(month.Key) ?? known.CorrectedAt,
            };
        }
        foreach (var empty in after.Where(m => m.Value is { Cells.Count: 0, CorrectedAt: null }).Select(m => m.Key).ToList()) after.Remove(empty);
        return after;
    }

    private static string Name(Month month) => month.Start.ToString("'m'yyyyMM", CultureInfo.InvariantCulture);

    private static Month Month(string name) =>
        Customers.Month.Of(DateTimeOffset.ParseExact(name, "'m'yyyyMM", CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal));
}

/// <summary>The cells of one month.</summary>
/// <param name="Cells">Those that are not empty.</param>
public sealed record StoredMonth(IReadOnlyList<StoredCell> Cells)
{
    /// <summary>When it was last changed after it was closed; null where it was not.</summary>
    public DateTimeOffset? CorrectedAt { get; init; }
}

/// <summary>One cell.</summary>
/// <param name="Currency">Lower case ISO code.</param>
/// <param name="Term">The billing term.</param>
/// <param name="Cell">What happened.</param>
public sealed record StoredCell(string Currency, BillingTerm Term, MonthCell Cell);
