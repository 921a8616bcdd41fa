using RetentionFunctions.Erasure;
using RetentionFunctions.Flows;

namespace RetentionFunctions.Local.Sqlite;

/// <summary>What the data file has of people beside the tables: e-mails in the outbox, due times of runs.</summary>
public sealed class SqlitePersonalData(SqliteStore store) : IPersonalData
{
    /// <inheritdoc/>
    public Task EraseAsync(string customerId, CancellationToken cancel = default) => store.WriteAsync(writer =>
    {
        writer.Execute("DELETE FROM outbox WHERE json_extract(email, '$.customerId') = ?1", customerId);
        foreach (var run in writer.List("SELECT run_id FROM due WHERE instr(run_id, ?1) > 0", row => row.Text(0), customerId))
            if (RunId.Parse(run).CustomerId == customerId) writer.Execute("DELETE FROM due WHERE run_id = ?1", run);
        return true;
    }, cancel);
}
