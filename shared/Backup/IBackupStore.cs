namespace RetentionFunctions.Backup;

/// <summary>
/// Where nightly backups are kept: files in folders, one folder a backup, apart from the tables, so that who loses the tables still has them.
/// Transient faults throw <see cref="Storage.TransientStorageException"/>.
/// </summary>
public interface IBackupStore
{
    /// <summary>Writes a file, over one of the same name.</summary>
    /// <param name="backup">The name of the backup: letters, digits, <c>-</c>.</param>
    /// <param name="file">The name of the file in it: letters, digits, <c>-</c> and <c>.</c></param>
    /// <param name="content">All of it.</param>
    /// <param name="cancel">Gives up.</param>
    Task WriteAsync(string backup, string file, ReadOnlyMemory<byte> content, CancellationToken cancel = default);

    /// <summary>Reads a file; null where there is none.</summary>
    Task<ReadOnlyMemory<byte>?> ReadAsync(string backup, string file, CancellationToken cancel = default);

    /// <summary>The names of all backups, whole or not, in ordinal order.</summary>
    Task<IReadOnlyList<string>> ListAsync(CancellationToken cancel = default);

    /// <summary>Removes a backup with all its files, also where it is already gone.</summary>
    Task DeleteAsync(string backup, CancellationToken cancel = default);
}
