using System.Runtime.CompilerServices;
using RetentionFunctions.Storage;

namespace RetentionFunctions.Tests.Support;

/// <summary>The tables in memory, with the limits and preconditions of the contract.</summary>
internal sealed class MemoryTables : ITables
{
    private readonly SortedDictionary<(string Partition, string Key), Row> _rows = new(Comparer<(string Partition, string Key)>.Create((a, b) =>
        string.CompareOrdinal(a.Partition, b.Partition) is not 0 and var p ? p : string.CompareOrdinal(a.Key, b.Key)));

    private readonly Lock _lock = new();
    private int _version;

    /// <summary>When set, every call throws it.</summary>
    public Exception? Fault { get; set; }

    public Task<Row?> GetAsync(RowKey key, CancellationToken cancel = default)
    {
        if (Fault is not null) throw Fault;
        lock (_lock) return Task.FromResult(_rows.GetValueOrDefault((key.Partition, key.Key)));
    }

    public async IAsyncEnumerable<Row> QueryAsync(KeyRange range, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        if (Fault is not null) throw Fault;
        List<Row> found;
        lock (_lock)
            found = [.. _rows.Values.Where(r => r.At.Partition == range.Partition && string.CompareOrdinal(r.At.Key, range.From) >= 0 && string.CompareOrdinal(r.At.Key, range.To) < 0)];
        foreach (var row in found)
        {
            await Task.CompletedTask;
            yield return row;
        }
    }

    public Task<bool> TryCommitAsync(string partition, IReadOnlyList<Write> writes, CancellationToken cancel = default)
    {
        if (Fault is not null) throw Fault;
        TableLimits.Check(partition, writes);
        lock (_lock)
        {
            foreach (var write in writes)
            {
                var stands = _rows.GetValueOrDefault((partition, write.Key));
                var holds = write switch
                {
                    Write.Insert => stands is null,
                    Write.Replace replace => stands?.ETag == replace.ETag,
                    Write.Delete { ETag: { } etag } => stands?.ETag == etag,
                    _ => true,
                };
                if (!holds) return Task.FromResult(false);
            }
            foreach (var write in writes)
                if (write is Write.Delete) _rows.Remove((partition, write.Key));
                else
                    _rows[(partition, write.Key)] = new Row(new RowKey(partition, write.Key), write switch
                    {
                        Write.Insert insert => insert.Body,
                        Write.Replace replace => replace.Body,
                        Write.Upsert upsert => upsert.Body,
                        _ => throw new InvalidOperationException($"{write} writes nothing."),
                    }, $"v{++_version}");
        }
        return Task.FromResult(true);
    }
}
