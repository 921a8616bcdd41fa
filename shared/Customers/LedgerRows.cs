using RetentionFunctions.Storage;

namespace RetentionFunctions.Customers;

/// <summary>The stored ledger of a customer against the derived one.</summary>
public static class LedgerRows
{
    /// <summary>The writes that make the stored ledger the derived one; none where they agree.</summary>
    /// <param name="tables">Read, not written.</param>
    /// <param name="derived">As it shall be.</param>
    /// <param name="now">Decides which months are closed.</param>
    /// <param name="past">It follows from what was read from Stripe's lists, not heard.</param>
    /// <param name="cancel">Gives up.</param>
    public static async Task<LedgerWrites> DifferenceAsync(ITables tables, Derived derived, DateTimeOffset now, bool past = false, CancellationToken cancel = default)
    {
        var (customerId, ledger) = (derived.Customer.Id, derived.Ledger);
        var stored = new Dictionary<string, Movement>(StringComparer.Ordinal);
        await foreach (var row in tables.QueryAsync(Keys.Ledger(customerId), cancel)) stored[row.At.Key] = row.Read<Movement>();
        var writes = new List<Write>();
        foreach (var instant in ledger.GroupBy(m => (m.At, m.Currency)))
        {
            var place = 0;
            foreach (var movement in instant)
            {
                var key = Keys.Movement(customerId, movement.At, movement.Currency, place++).Key;
                if (!stored.Remove(key, out var known) || known != movement) writes.Add(new Write.Upsert(key, TablesExtensions.Write(movement)));
            }
        }
        writes.AddRange(stored.Keys.Select(key => new Write.Delete(key)));
        return new LedgerWrites(writes, await MonthRows.DifferenceAsync(tables, customerId, derived.Months, now, past || derived.FillsMonths, cancel));
    }

    /// <summary>
    /// Commits a change of the customer together with the ledger's. A late event in a long history may move more rows than one batch holds: the surplus goes
    /// first. It is derived, so a crash before the batch leaves nothing that the next attempt does not derive and write again.
    /// </summary>
    public static async Task<bool> TryCommitAsync(ITables tables, string partition, IReadOnlyList<Write> writes, LedgerWrites ledger, CancellationToken cancel = default)
    {
        var room = TableLimits.BatchRows - writes.Count - ledger.Months.Count;
        foreach (var part in ledger.Movements.Skip(room).Chunk(TableLimits.BatchRows)) await tables.TryCommitAsync(partition, part, cancel);
        return await tables.TryCommitAsync(partition, [.. writes, .. ledger.Months, .. ledger.Movements.Take(room)], cancel);
    }
}

/// <summary>What makes the stored ledger and months those that were derived.</summary>
/// <param name="Movements">Of the ledger: may go before the rest, since each is what it shall be.</param>
/// <param name="Months">The customer's months and their bucket's sum: only with the rest, and together.</param>
public sealed record LedgerWrites(IReadOnlyList<Write> Movements, IReadOnlyList<Write> Months)
{
    /// <summary>Nothing to write.</summary>
    public static LedgerWrites None { get; } = new([], []);

    /// <summary>All is stored as it was derived.</summary>
    public bool IsEmpty => Movements.Count == 0 && Months.Count == 0;
}
