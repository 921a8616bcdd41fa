using System.Text.Json;
using RetentionFunctions.Jobs;
using RetentionFunctions.Storage;

namespace RetentionFunctions.Backup;

/// <summary>The backups that there are.</summary>
public sealed class Backups(IBackupStore store)
{
    /// <summary>All whole ones, newest first.</summary>
    public async Task<IReadOnlyList<KeptBackup>> ListAsync(CancellationToken cancel = default)
    {
        var kept = new List<KeptBackup>();
        foreach (var name in (await store.ListAsync(cancel)).Reverse())
            if (await ManifestAsync(name, cancel) is { } manifest) kept.Add(new KeptBackup(name, manifest));
        return kept;
    }

    /// <summary>What a backup says of itself; null where there is no such backup, or it is not whole.</summary>
    /// <exception cref="JobFailedException">A newer version of the product wrote it, or it is damaged.</exception>
    public async Task<BackupManifest?> ManifestAsync(string name, CancellationToken cancel = default)
    {
        if (await store.ReadAsync(name, BackupManifest.FileName, cancel) is not { } file) return null;
        BackupManifest? manifest;
        try
        {
            manifest = JsonSerializer.Deserialize<BackupManifest>(file.Span, TablesExtensions.Json);
        }
        catch (JsonException e)
        {
            throw new JobFailedException($"The manifest of the backup '{name}' is damaged: {e.Message}", e);
        }
        if (manifest is null) throw new JobFailedException($"The manifest of the backup '{name}' is damaged: it is empty.");
        return manifest.Format <= BackupManifest.Current
            ? manifest
            : throw new JobFailedException($"The backup '{name}' has the format {manifest.Format}, and this version knows formats up to {BackupManifest.Current}: deploy the version that made it, or a newer one.");
    }
}

/// <summary>A whole backup.</summary>
/// <param name="Name">Its name: when it was begun.</param>
/// <param name="Manifest">What it says of itself.</param>
public sealed record KeptBackup(string Name, BackupManifest Manifest);
