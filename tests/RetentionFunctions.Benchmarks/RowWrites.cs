using System.Collections.Concurrent;
using System.Globalization;
using Microsoft.Data.Sqlite;
using RetentionFunctions.Local.Sqlite;
using RetentionFunctions.Storage;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.Benchmarks;

/// <summary>Notes what is written through it, in the order of the commits.</summary>
internal sealed class RecordingTables(ITables inner) : ITables
{
    public ConcurrentQueue<(string Partition, Write Write)> Written { get; } = new();

    public Task<Row?> GetAsync(RowKey key, CancellationToken cancel = default) => inner.GetAsync(key, cancel);

    public IAsyncEnumerable<Row> QueryAsync(KeyRange range, CancellationToken cancel = default) => inner.QueryAsync(range, cancel);

    public IAsyncEnumerable<Row> ScanAsync(RowKey? after = null, CancellationToken cancel = default) => inner.ScanAsync(after, cancel);

    public async Task<bool> TryCommitAsync(string partition, IReadOnlyList<Write> writes, CancellationToken cancel = default)
    {
        if (!await inner.TryCommitAsync(partition, writes, cancel)) return false;
        foreach (var write in writes) Written.Enqueue((partition, write));
        return true;
    }
}

/// <summary>
/// The bare baseline: the same rows with the same bytes into the same table and index, with the same pragmas (each commit is on the disk, what is deleted is overwritten),
/// by four prepared statements of Microsoft.Data.Sqlite on one connection and one thread. No reads, no parsing, no preconditions, no queue.
/// </summary>
internal static class BareWrites
{
    /// <summary>Writes to a commit: as many as the product's writer takes at most.</summary>
    public const int ToACommit = 512;

    /// <summary>Makes the writes in an empty store; how many seconds they took.</summary>
    /// <param name="overwrite">Whether what is deleted is overwritten, as the product does.</param>
    public static async Task<double> SecondsAsync(IReadOnlyList<(string Partition, Write Write)> writes, bool overwrite = true)
    {
        using var folder = new TempFolder();
        await SqliteStore.Open(folder.Path).DisposeAsync();
        using var file = new SqliteConnection($"Data Source={folder.File(SqliteStore.FileName)};Pooling=False");
        file.Open();
        Run($"PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=976; PRAGMA cache_size=-16384; PRAGMA secure_delete={(overwrite ? "ON" : "OFF")}");
        using var insert = Prepare("INSERT INTO rows(partition, key, etag, body) VALUES ($1, $2, $3, $4)");
        using var update = Prepare("UPDATE rows SET etag = $3, body = $4 WHERE partition = $1 AND key = $2");
        using var upsert = Prepare("INSERT INTO rows(partition, key, etag, body) VALUES ($1, $2, $3, $4) ON CONFLICT(partition, key) DO UPDATE SET etag = excluded.etag, body = excluded.body");
        using var delete = Prepare("DELETE FROM rows WHERE partition = $1 AND key = $2");
        var etag = 0L;
        var from = TimeProvider.System.GetTimestamp();
        foreach (var commit in writes.Chunk(ToACommit))
        {
            using var transaction = file.BeginTransaction();
            foreach (var (partition, write) in commit)
            {
                var (statement, body) = write switch
                {
                    Write.Insert w => (insert, w.Body),
                    Write.Replace w => (update, w.Body),
                    Write.Upsert w => (upsert, w.Body),
                    _ => (delete, default),
                };
                statement.Transaction = transaction;
                statement.Parameters[0].Value = partition;
                statement.Parameters[1].Value = write.Key;
                if (statement != delete)
                {
                    statement.Parameters[2].Value = ++etag;
                    statement.Parameters[3].Value = body.ToArray();
                }
                statement.ExecuteNonQuery();
            }
            transaction.Commit();
        }
        return TimeProvider.System.GetElapsedTime(from).TotalSeconds;

        void Run(string sql)
        {
            using var command = file.CreateCommand();
            command.CommandText = sql;
            command.ExecuteNonQuery();
        }

        SqliteCommand Prepare(string sql)
        {
            var command = file.CreateCommand();
            command.CommandText = sql;
            for (var i = 1; i <= (sql.Contains("$4", StringComparison.Ordinal) ? 4 : 2); i++) command.Parameters.AddWithValue(string.Create(CultureInfo.InvariantCulture, $"${i}"), DBNull.Value);
            command.Prepare();
            return command;
        }
    }
}
