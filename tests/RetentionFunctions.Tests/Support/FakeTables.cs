using System.Globalization;
using System.Runtime.CompilerServices;
using RetentionFunctions.Storage;

namespace RetentionFunctions.Tests.Support;

/// <summary>The contract of <see cref="ITables"/> in memory: atomic batches, ETags, ordinal order, the limits of Table Storage.</summary>
public sealed class FakeTables : ITables
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, SortedDictionary<string, Row>> _partitions = new(StringComparer.Ordinal);
    private int _version;

    /// <summary>How many batches were written: unchanged means that nothing changed.</summary>
    public int Commits => _version;

    /// <summary>Thrown by every call while it is set.</summary>
    public Exception? StandingFault { get; set; }

    /// <summary>Thrown by the next call, once.</summary>
    public Exception? NextFault { get; set; }

    /// <summary>Whether it can say which buckets are empty, as SQLite can; else, as Azure, it names all.</summary>
    public bool KnowsItsBuckets { get; init; }

    public Task<Row?> GetAsync(RowKey key, CancellationToken cancel = default)
    {
        Fault();
        lock (_lock) return Task.FromResult(_partitions.GetValueOrDefault(key.Partition)?.GetValueOrDefault(key.Key));
    }

    public async IAsyncEnumerable<Row> QueryAsync(KeyRange range, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        Fault();
        List<Row> rows;
        lock (_lock)
            rows = [.. (_partitions.GetValueOrDefault(range.Partition)?.Values ?? Enumerable.Empty<Row>())
                .Where(row => string.CompareOrdinal(row.At.Key, range.From) >= 0 && string.CompareOrdinal(row.At.Key, range.To) < 0)];
        foreach (var row in rows) yield return row;
        await Task.CompletedTask;
    }

    public async IAsyncEnumerable<Row> ScanAsync(RowKey? after = null, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        Fault();
        List<Row> rows;
        lock (_lock)
            rows = [.. _partitions.OrderBy(p => p.Key, StringComparer.Ordinal).SelectMany(p => p.Value.Values)
                .Where(row => after is not { } last || string.CompareOrdinal(row.At.Partition, last.Partition) is var order && (order > 0 || order == 0 && string.CompareOrdinal(row.At.Key, last.Key) > 0))];
        foreach (var row in rows) yield return row;
        await Task.CompletedTask;
    }

    public Task<IReadOnlyList<string>> BucketsInUseAsync(CancellationToken cancel = default)
    {
        Fault();
        lock (_lock) return Task.FromResult<IReadOnlyList<string>>([.. Keys.AllBuckets.Where(bucket => !KnowsItsBuckets || _partitions.GetValueOrDefault(bucket) is { Count: > 0 })]);
    }

    public Task<bool> TryCommitAsync(string partition, IReadOnlyList<Write> writes, CancellationToken cancel = default)
    {
        TableLimits.Check(partition, writes);
        Fault();
        lock (_lock)
        {
            var rows = _partitions.TryGetValue(partition, out var found) ? found : _partitions[partition] = new(StringComparer.Ordinal);
            foreach (var write in writes)
            {
                var present = rows.GetValueOrDefault(write.Key);
                if (write is Write.Insert && present is not null) return Task.FromResult(false);
                if (write is Write.Replace replace && present?.ETag != replace.ETag) return Task.FromResult(false);
                if (write is Write.Delete { ETag: { } etag } && present?.ETag != etag) return Task.FromResult(false);
            }
            var version = (++_version).ToString(CultureInfo.InvariantCulture);
            foreach (var write in writes)
                switch (write)
                {
                    case Write.Insert(var key, var body): rows[key] = new Row(new(partition, key), body, version); break;
                    case Write.Replace(var key, var body, _): rows[key] = new Row(new(partition, key), body, version); break;
                    case Write.Upsert(var key, var body): rows[key] = new Row(new(partition, key), body, version); break;
                    case Write.Delete: rows.Remove(write.Key); break;
                }
            return Task.FromResult(true);
        }
    }

    private void Fault()
    {
        if (StandingFault is not null) throw StandingFault;
        if (NextFault is not { } fault) return;
        NextFault = null;
        throw fault;
    }
}
