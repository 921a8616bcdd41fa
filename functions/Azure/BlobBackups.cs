using Azure;
using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;
using RetentionFunctions.Backup;
using RetentionFunctions.Storage;

namespace RetentionFunctions.Functions;

/// <summary>The nightly backups as blobs of one container, <c>{backup}/{file}</c>. The lifecycle rule of the infrastructure removes what is left over.</summary>
public sealed class BlobBackups(BlobContainerClient container) : IBackupStore
{
    /// <summary>Makes the container where it is not there yet: on a developer's emulator, or where somebody removed it.</summary>
    public async Task CreateAsync(CancellationToken cancel = default) => await container.CreateIfNotExistsAsync(cancellationToken: cancel);

    /// <inheritdoc/>
    public Task WriteAsync(string backup, string file, ReadOnlyMemory<byte> content, CancellationToken cancel = default) =>
        CallAsync(() => container.GetBlobClient($"{backup}/{file}").UploadAsync(BinaryData.FromBytes(content), overwrite: true, cancel), cancel);

    /// <inheritdoc/>
    public Task<ReadOnlyMemory<byte>?> ReadAsync(string backup, string file, CancellationToken cancel = default) => CallAsync<ReadOnlyMemory<byte>?>(async () =>
    {
        try
        {
            return (await container.GetBlobClient($"{backup}/{file}").DownloadContentAsync(cancel)).Value.Content.ToMemory();
        }
        catch (RequestFailedException e) when (e.Status == 404)
        {
            return null;
        }
    }, cancel);

    /// <inheritdoc/>
    public Task<IReadOnlyList<string>> ListAsync(CancellationToken cancel = default) => CallAsync<IReadOnlyList<string>>(async () =>
    {
        var names = new List<string>();
        await foreach (var item in container.GetBlobsByHierarchyAsync(BlobTraits.None, BlobStates.None, delimiter: "/", prefix: null, cancel))
            if (item.IsPrefix) names.Add(item.Prefix.TrimEnd('/'));
        names.Sort(StringComparer.Ordinal);
        return names;
    }, cancel);

    /// <inheritdoc/>
    public Task DeleteAsync(string backup, CancellationToken cancel = default) => CallAsync(async () =>
    {
        var files = new List<string>();
        await foreach (var file in container.GetBlobsAsync(BlobTraits.None, BlobStates.None, prefix: $"{backup}/", cancel)) files.Add(file.Name);
        // The manifest first: what is half removed is no whole backup any more.
        foreach (var file in files.OrderBy(name => !name.EndsWith($"/{BackupManifest.FileName}", StringComparison.Ordinal))) await container.DeleteBlobIfExistsAsync(file, cancellationToken: cancel);
        return true;
    }, cancel);

    // The client has tried again by itself before it throws.
    private static async Task<T> CallAsync<T>(Func<Task<T>> call, CancellationToken cancel)
    {
        try
        {
            return await call();
        }
        catch (Exception e) when (!cancel.IsCancellationRequested && (e is RequestFailedException { Status: 0 or 408 or 429 or >= 500 } or AggregateException or OperationCanceledException or IOException))
        {
            throw new TransientStorageException($"The storage of the backups did not answer: {e.Message}", e);
        }
    }
}
