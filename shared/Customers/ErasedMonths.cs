using RetentionFunctions.Storage;

namespace RetentionFunctions.Customers;

/// <summary>What becomes of the months of a customer who is erased: their part stays in the sums, and names nobody. Who was a customer to that moment leaves with it.</summary>
public static class ErasedMonths
{
    // Stripe's formula, as in CustomerMonths.
    private const int StripeDays = 30;

    /// <summary>
    /// Moves a customer's months into those of all who were erased, in one batch with the customer's row: an event that is handled at this moment then does not find the customer and add
    /// the months once more.
    /// </summary>
    /// <param name="tables">Read and written.</param>
    /// <param name="customerId">Who is erased.</param>
    /// <param name="at">When the erasure was begun.</param>
    /// <param name="cancel">Gives up.</param>
    public static async Task LeaveAsync(ITables tables, string customerId, DateTimeOffset at, CancellationToken cancel = default)
    {
        var (customer, own, bucket) = (Keys.Customer(customerId), Keys.Months(customerId), Keys.Bucket(customerId));
        while (await tables.GetAsync<StoredMonths>(own, cancel) is { } months)
        {
            var end = End(months.Value.Cells(), at);
            var cells = months.Value.Cells().Concat(end).GroupBy(c => c.Key, c => c.Value).ToDictionary(g => g.Key, g => g.Aggregate((a, b) => a + b));
            List<Write> writes = [new Write.Delete(own.Key, months.ETag), await WithAsync(tables, Keys.MonthsOfErased(bucket), cells, cancel)];
            if (end.Count > 0) writes.Add(await WithAsync(tables, Keys.MonthsOfBucket(bucket), end, cancel));
            if (await tables.GetAsync(customer, cancel) is { } row) writes.Add(new Write.Delete(customer.Key, row.ETag));
            if (await tables.TryCommitAsync(bucket, writes, cancel)) return;
        }
    }

    /// <summary>What makes a customer who is one at a moment leave then; nothing where they left before. Pure.</summary>
    /// <param name="cells">The customer's.</param>
    /// <param name="at">The moment.</param>
    public static IReadOnlyDictionary<CellKey, MonthCell> End(IReadOnlyDictionary<CellKey, MonthCell> cells, DateTimeOffset at)
    {
        var end = new Dictionary<CellKey, MonthCell>();
        var month = Month.Of(at);
        foreach (var kept in cells.GroupBy(c => (c.Key.Currency, c.Key.Term), c => c.Value))
        {
            var sum = kept.Aggregate((a, b) => a + b);
            var (customers, mrr) = (sum.Change + sum.Switched, sum.MrrChange + sum.MrrSwitched);
            if (customers == 0 && mrr == 0 && sum.Paying == 0) continue;
            // Who joined or came back in this very month was none at its start, and is not lost in it.
            var own = cells.GetValueOrDefault(new CellKey(month, kept.Key.Currency, kept.Key.Term));
            for (var of = month; at >= of.End.AddDays(-StripeDays) || of == month; of = of.Plus(1))
            {
                var cell = at < of.End.AddDays(-StripeDays) ? default : new MonthCell { Lost30 = customers, Change30 = -customers };
                if (of == month) cell += new MonthCell
                {
                    Lost = own.New + own.Returned > 0 ? 0 : customers, Early = own.New > 0 ? customers : 0, Returned = own is { New: 0, Returned: > 0 } ? -customers : 0, Paying = -sum.Paying, MrrChurned = -mrr,
                };
                if (cell != default) end[new CellKey(of, kept.Key.Currency, kept.Key.Term)] = cell;
            }
        }
        return end;
    }

    private static async Task<Write> WithAsync(ITables tables, RowKey at, IReadOnlyDictionary<CellKey, MonthCell> cells, CancellationToken cancel)
    {
        var known = await tables.GetAsync<StoredMonths>(at, cancel);
        var row = TablesExtensions.Write((known?.Value ?? []).With(cells, _ => null));
        return known is null ? new Write.Insert(at.Key, row) : new Write.Replace(at.Key, row, known.ETag);
    }
}
