using System.Globalization;
using System.Runtime.CompilerServices;
using Microsoft.Data.Sqlite;
using RetentionFunctions.Storage;

namespace RetentionFunctions.Local.Sqlite;

/// <summary>
/// The tables of the local host. Keys compare as UTF-8 bytes, which is ordinal order: the two differ only for surrogates, and <see cref="Keys"/> escapes those.
/// A range is read in pages of one statement each, as Azure does, so rows written meanwhile further on may show.
/// </summary>
public sealed class SqliteTables(SqliteStore store) : ITables
{
    // One page of a range: enough rows to make the seek cheap, few enough bytes to be kept at once.
    private const int PageRows = 1000;
    private const int PageBytes = 2 * 1024 * 1024;

    private static readonly HashSet<string> Buckets = [.. Keys.AllBuckets];
    private static readonly string LastBucket = Keys.AllBuckets.Last();

    /// <inheritdoc />
    public async Task<Row?> GetAsync(RowKey key, CancellationToken cancel = default)
    {
        if (store.Rows.Find(key, out var turn) is { } kept) return kept;
        var found = await store.ReadAsync(
            reader => reader.First("SELECT body, etag FROM rows WHERE partition = ?1 AND key = ?2", row => new Row(key, Body(row, 0), ETag(row.Number(1))), key.Partition, key.Key),
            cancel);
        if (found is not null) store.Rows.Keep(found, turn);
        return found;
    }

    /// <inheritdoc />
    public async IAsyncEnumerable<Row> QueryAsync(KeyRange range, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        string? last = null;
        while (true)
        {
            var after = last;
            var (page, more) = await store.ReadAsync(reader => after is null
                ? Page(reader, "SELECT partition, key, body, etag FROM rows WHERE partition = ?1 AND key >= ?2 AND key < ?3 ORDER BY key", range.Partition, range.From, range.To)
                : Page(reader, "SELECT partition, key, body, etag FROM rows WHERE partition = ?1 AND key > ?2 AND key < ?3 ORDER BY key", range.Partition, after, range.To), cancel);
            foreach (var row in page) yield return row;
            if (!more) yield break;
            last = page[^1].At.Key;
        }
    }

    /// <inheritdoc />
    public async IAsyncEnumerable<Row> ScanAsync(RowKey? after = null, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        // Every partition and every key is longer than nothing.
        var last = after ?? new RowKey("", "");
        while (true)
        {
            var from = last;
            var (page, more) = await store.ReadAsync(
                reader => Page(reader, "SELECT partition, key, body, etag FROM rows WHERE (partition, key) > (?1, ?2) ORDER BY partition, key", from.Partition, from.Key), cancel);
            foreach (var row in page) yield return row;
            if (!more) yield break;
            last = page[^1].At;
        }
    }

    /// <inheritdoc />
    public async Task<bool> TryCommitAsync(string partition, IReadOnlyList<Write> writes, CancellationToken cancel = default)
    {
        TableLimits.Check(partition, writes);
        return await store.WriteAsync(writer => Commit(writer, partition, writes), cancel);
    }

    /// <inheritdoc />
    /// <remarks>Those that hold any row: the buckets of a small business are few, and what goes through all of them need not ask the empty ones.</remarks>
    public Task<IReadOnlyList<string>> BucketsInUseAsync(CancellationToken cancel = default) => store.ReadAsync<IReadOnlyList<string>>(reader =>
    {
        var used = new List<string>();
        // From each partition straight to the next one: rows in between are not touched.
        for (var after = ""; reader.First("SELECT partition FROM rows WHERE partition > ?1 AND partition <= ?2 ORDER BY partition LIMIT 1", row => row.Text(0), after, LastBucket) is { } next; after = next)
            if (Buckets.Contains(next)) used.Add(next);
        return used;
    }, cancel);

    private static (List<Row> Rows, bool More) Page(SqliteReader reader, string sql, params ReadOnlySpan<object?> values)
    {
        var rows = new List<Row>();
        var bytes = 0L;
        var more = false;
        reader.While(sql, found =>
        {
            if (rows.Count == PageRows || bytes >= PageBytes)
            {
                more = true;
                return false;
            }
            var row = new Row(new RowKey(found.Text(0), found.Text(1)), Body(found, 2), ETag(found.Number(3)));
            rows.Add(row);
            bytes += row.Body.Length;
            return true;
        }, values);
        return (rows, more);
    }

    private static bool Commit(SqliteWriter writer, string partition, IReadOnlyList<Write> writes)
    {
        // A single write checks and changes in one statement. Of several, all are checked before the first changes anything,
        // so that a refused batch has nothing to undo; nobody comes in between, since there is one writer.
        if (writes.Count == 1) return Apply(writer, partition, writes[0]);
        foreach (var write in writes)
            if (!MayApply(writer, partition, write)) return false;
        foreach (var write in writes)
            if (!Apply(writer, partition, write)) throw new InvalidOperationException($"The row '{write.Key}' of '{partition}' refused what it had just allowed.");
        return true;
    }

    private static bool MayApply(SqliteWriter writer, string partition, Write write) => write switch
    {
        Write.Insert => Find(writer, partition, write.Key) is null,
        Write.Replace replace => Find(writer, partition, write.Key) is { } etag && etag == Number(replace.ETag),
        Write.Delete { ETag: { } expected } => Find(writer, partition, write.Key) is { } etag && etag == Number(expected),
        _ => true,
    };

    private static bool Apply(SqliteWriter writer, string partition, Write write)
    {
        switch (write)
        {
            case Write.Insert insert:
                var inserted = writer.NextNumber();
                return writer.Execute("INSERT INTO rows(partition, key, etag, body) VALUES (?1, ?2, ?3, ?4) ON CONFLICT(partition, key) DO NOTHING",
                    partition, insert.Key, inserted, insert.Body) == 1 && Note(insert.Body, inserted);
            case Write.Replace replace:
                var replacing = writer.NextNumber();
                return Number(replace.ETag) is { } replaced && writer.Execute("UPDATE rows SET etag = ?4, body = ?5 WHERE partition = ?1 AND key = ?2 AND etag = ?3",
                    partition, replace.Key, replaced, replacing, replace.Body) == 1 && Note(replace.Body, replacing);
            case Write.Upsert upsert:
                var upserted = writer.NextNumber();
                writer.Execute("""
                    INSERT INTO rows(partition, key, etag, body) VALUES (?1, ?2, ?3, ?4)
                    ON CONFLICT(partition, key) DO UPDATE SET etag = excluded.etag, body = excluded.body
                    """, partition, upsert.Key, upserted, upsert.Body);
                return Note(upsert.Body, upserted);
            case Write.Delete { ETag: { } expected } delete:
                return Number(expected) is { } deleted && writer.Execute("DELETE FROM rows WHERE partition = ?1 AND key = ?2 AND etag = ?3", partition, delete.Key, deleted) == 1 && Note();
            case Write.Delete delete:
                writer.Execute("DELETE FROM rows WHERE partition = ?1 AND key = ?2", partition, delete.Key);
                return Note();
            default:
                throw new ArgumentException($"A write of the kind {write.GetType().Name} is not known.", nameof(write));
        }

        bool Note(ReadOnlyMemory<byte>? body = null, long etag = 0)
        {
            var at = new RowKey(partition, write.Key);
            writer.Changes.Add(new RowChange(at, body is { } after ? new Row(at, after, ETag(etag)) : null));
            return true;
        }
    }

    private static long? Find(SqliteWriter writer, string partition, string key) => writer.Number("SELECT etag FROM rows WHERE partition = ?1 AND key = ?2", partition, key);

    private static byte[] Body(SqliteRow row, int column) => row.Bytes(column);

    private static string ETag(long number) => number.ToString(CultureInfo.InvariantCulture);

    // An ETag of another store is no number of ours and therefore matches nothing.
    private static long? Number(string etag) => long.TryParse(etag, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : null;
}
