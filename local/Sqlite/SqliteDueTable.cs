using RetentionFunctions.Flows;

namespace RetentionFunctions.Local.Sqlite;

/// <summary>Something that is due.</summary>
/// <param name="Id">The id of a run (<see cref="RunId.ToString"/>), or the plain name of a timer of the host, such as <c>sweep</c>.</param>
/// <param name="DueAt">Since when, UTC.</param>
/// <param name="Version">Changes when it is woken; hand it back to <see cref="SqliteDueTable.SettleAsync"/>.</param>
public sealed record Due(string Id, DateTimeOffset DueAt, long Version);

/// <summary>
/// Who wants to be asked when. The loop takes what is due, asks each, and settles it with the next time. Taking removes nothing, so what a crash
/// interrupts is due again: take the next only when those taken are settled, or leave out those under way.
/// </summary>
public sealed class SqliteDueTable(SqliteStore store)
{
    /// <summary>Set when something may be due earlier than before.</summary>
    public Signal Changed { get; } = new();

    /// <summary>Keeps time for an id, due at <paramref name="at"/>; nothing where it is already known, whatever its time. True where it was new.</summary>
    public Task<bool> StartAsync(string id, DateTimeOffset at, CancellationToken cancel = default) => ChangeAsync(
        writer => writer.Execute("INSERT INTO due(run_id, due_at, version) VALUES (?1, ?2, ?3) ON CONFLICT(run_id) DO NOTHING", id, SqliteReader.Ticks(at), writer.NextNumber()) == 1,
        cancel);

    /// <summary>
    /// Makes an id due at <paramref name="at"/> at the latest, and known where it was not. If it is being asked at this moment, it will be asked once more:
    /// the answer under way may not have seen what it is woken for.
    /// </summary>
    public Task WakeAsync(string id, DateTimeOffset at, CancellationToken cancel = default) => ChangeAsync(
        writer => writer.Execute("""
            INSERT INTO due(run_id, due_at, version) VALUES (?1, ?2, ?3)
            ON CONFLICT(run_id) DO UPDATE SET due_at = min(due_at, excluded.due_at), version = excluded.version
            """, id, SqliteReader.Ticks(at), writer.NextNumber()),
        cancel);

    /// <summary>Up to <paramref name="max"/> of what is due at <paramref name="now"/>, in order of time and then of id.</summary>
    public Task<IReadOnlyList<Due>> TakeDueAsync(DateTimeOffset now, int max, CancellationToken cancel = default) => store.ReadAsync<IReadOnlyList<Due>>(
        reader => reader.List("SELECT run_id, due_at, version FROM due WHERE due_at <= ?1 ORDER BY due_at, run_id LIMIT ?2",
            row => new Due(row.Text(0), SqliteReader.Time(row.Number(1)), row.Number(2)), SqliteReader.Ticks(now), max),
        cancel);

    /// <summary>
    /// It was asked and wants to be asked again at <paramref name="nextDue"/>, or, with null, never. False where it was woken since it was taken: nothing
    /// is changed then and it stays due.
    /// </summary>
    public Task<bool> SettleAsync(string id, long version, DateTimeOffset? nextDue, CancellationToken cancel = default) => ChangeAsync(
        writer => (nextDue is { } next
            ? writer.Execute("UPDATE due SET due_at = ?3 WHERE run_id = ?1 AND version = ?2", id, version, SqliteReader.Ticks(next))
            : writer.Execute("DELETE FROM due WHERE run_id = ?1 AND version = ?2", id, version)) == 1,
        cancel);

    /// <summary>The earliest time at which anything is due, also where it is past; null where nothing is waiting.</summary>
    public Task<DateTimeOffset?> NextDueAsync(CancellationToken cancel = default) => store.ReadAsync<DateTimeOffset?>(
        reader => reader.Number("SELECT due_at FROM due ORDER BY due_at LIMIT 1") is { } ticks ? SqliteReader.Time(ticks) : null,
        cancel);

    private async Task<T> ChangeAsync<T>(Func<SqliteWriter, T> change, CancellationToken cancel)
    {
        try
        {
            return await store.WriteAsync(change, cancel);
        }
        finally
        {
            // Also after a fault: the commit may have happened.
            Changed.Set();
        }
    }
}

/// <summary>Keeps time for the runs in the due table; the loop of the local host does the asking.</summary>
public sealed class SqliteFlowEngine(SqliteDueTable due, TimeProvider time) : IFlowEngine
{
    /// <inheritdoc />
    public Task StartAsync(RunId run, CancellationToken cancel = default) => due.StartAsync(run.ToString(), time.GetUtcNow(), cancel);

    /// <inheritdoc />
    public Task WakeAsync(RunId run, CancellationToken cancel = default) => due.WakeAsync(run.ToString(), time.GetUtcNow(), cancel);
}
