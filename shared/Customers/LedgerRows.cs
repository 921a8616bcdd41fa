using RetentionFunctions.Storage;

namespace RetentionFunctions.Customers;

/// <summary>The stored ledger of a customer against the derived one.</summary>
public static class LedgerRows
{
    /// <summary>The writes that make the stored ledger the derived one; none where they agree.</summary>
    public static async Task<IReadOnlyList<Write>> DifferenceAsync(ITables tables, string customerId, IReadOnlyList<Movement> ledger, CancellationToken cancel = default)
    {
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
        return writes;
    }

    /// <summary>
    /// Commits a change of the customer together with the ledger's. A late event in a long history may move more rows than one batch holds: the surplus goes
    /// first. It is derived, so a crash before the batch leaves nothing that the next attempt does not derive and write again.
    /// </summary>
    public static async Task<bool> TryCommitAsync(ITables tables, string partition, IReadOnlyList<Write> writes, IReadOnlyList<Write> ledger, CancellationToken cancel = default)
    {
        var room = TableLimits.BatchRows - writes.Count;
        foreach (var part in ledger.Skip(room).Chunk(TableLimits.BatchRows)) await tables.TryCommitAsync(partition, part, cancel);
        return await tables.TryCommitAsync(partition, [.. writes, .. ledger.Take(room)], cancel);
    }
}
