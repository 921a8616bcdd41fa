using RetentionFunctions.Backup;

namespace RetentionFunctions.Tests.Backup;

/// <summary>Backups in memory.</summary>
internal sealed class MemoryBackups : IBackupStore
{
    public SortedDictionary<string, SortedDictionary<string, byte[]>> Kept { get; } = new(StringComparer.Ordinal);

    public Task WriteAsync(string backup, string file, ReadOnlyMemory<byte> content, CancellationToken cancel = default)
    {
        if (!Kept.TryGetValue(backup, out var files)) Kept[backup] = files = new(StringComparer.Ordinal);
        files[file] = content.ToArray();
        return Task.CompletedTask;
    }

    // Not as one conditional: its null would become memory that is empty and there.
    public Task<ReadOnlyMemory<byte>?> ReadAsync(string backup, string file, CancellationToken cancel = default)
    {
        ReadOnlyMemory<byte>? found = null;
        if (Kept.TryGetValue(backup, out var files) && files.TryGetValue(file, out var content)) found = content;
        return Task.FromResult(found);
    }

    public Task<IReadOnlyList<string>> ListAsync(CancellationToken cancel = default) => Task.FromResult<IReadOnlyList<string>>([.. Kept.Keys]);

    public Task DeleteAsync(string backup, CancellationToken cancel = default)
    {
        Kept.Remove(backup);
        return Task.CompletedTask;
    }
}
