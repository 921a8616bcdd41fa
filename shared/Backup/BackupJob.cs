using System.Globalization;
using System.Text.Json;
using RetentionFunctions.Jobs;
using RetentionFunctions.Settings;
using RetentionFunctions.Storage;

namespace RetentionFunctions.Backup;

/// <summary>
/// Every night: all rows of the tables into files, <see cref="RowsPerFile"/> a step. The product goes on meanwhile, so a backup is not of one moment: each row is as it
/// stood when it was read. What is derived (the customer from its snapshots and invoices, the indexes) is put right by the next event or sweep, as after a crash.
/// </summary>
public sealed class BackupJob(ITables tables, IBackupStore store, RetentionSettings settings, TimeProvider clock) : INightlyJob
{
    /// <summary>Rows of one file at most: read, zipped and written in a few seconds; some ten megabytes in memory.</summary>
    public const int RowsPerFile = 10_000;

    // Bytes of one file at most, before they are zipped: the chunks of large bodies are 32 KB each, and an instance has 512 MB.
    private const int BytesPerFile = 32 * 1024 * 1024;

    private const string NameFormat = "yyyy-MM-dd-HHmm-ss'Z'";

    /// <inheritdoc/>
    public string Name => "backup";

    /// <inheritdoc/>
    public async Task<JobStep> StepAsync(JobState state, CancellationToken cancel)
    {
        if (settings.Backup.Keep == 0) return JobStep.NothingToDo;
        var backup = NameOf(state.StartedAt);
        var rows = new List<Row>();
        var (size, full) = (0L, false);
        await foreach (var row in tables.ScanAsync(state.Cursor.Deserialize<RowKey?>(TablesExtensions.Json), cancel))
        {
            // Put back, it would be a backup that runs for ever.
            if (row.At == Keys.Job(Name)) continue;
            rows.Add(row);
            size += row.Body.Length;
            full = rows.Count == RowsPerFile || size >= BytesPerFile;
            if (full) break;
        }
        // An empty last file does no harm, and each step is a file.
        var file = BackupFile.Write(rows);
        await store.WriteAsync(backup, BackupFile.Name(state.Steps), file, cancel);
        var counts = new Dictionary<string, long> { ["rows"] = state.Counts.GetValueOrDefault("rows") + rows.Count, ["bytes"] = state.Counts.GetValueOrDefault("bytes") + file.Length };
        if (full) return new JobStep(JsonSerializer.SerializeToNode(rows[^1].At, TablesExtensions.Json), counts);

        var manifest = new BackupManifest(BackupManifest.Current, state.StartedAt, clock.GetUtcNow(), counts["rows"], counts["bytes"], (int)state.Steps + 1);
        await store.WriteAsync(backup, BackupManifest.FileName, JsonSerializer.SerializeToUtf8Bytes(manifest, TablesExtensions.Json), cancel);
        counts["removed"] = await PruneAsync(backup, cancel);
        return new JobStep(null, counts);
    }

    /// <summary>The name of a backup: <c>2026-11-22-0610-05Z</c>. Names sort as times.</summary>
    internal static string NameOf(DateTimeOffset startedAt) => startedAt.UtcDateTime.ToString(NameFormat, CultureInfo.InvariantCulture);

    /// <summary>When the backup of a name was begun, whole seconds; null where it is no name of ours.</summary>
    internal static DateTimeOffset? StartedAt(string name) =>
        DateTimeOffset.TryParseExact(name, NameFormat, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var at) ? at : null;

    // Only now that there is a whole new one. Those that were never finished go with the whole ones that are as old.
    private async Task<long> PruneAsync(string newest, CancellationToken cancel)
    {
        var removed = 0L;
        var whole = 0;
        // Half way back to a backup, there is nowhere to go without it.
        var restoring = await tables.GetAsync<JobState>(Keys.Job(RestoreJob.JobName), cancel) is { Value: { IsRunning: true } restore } ? RestoreJob.BackupOf(restore.Occasion) : null;
        foreach (var name in (await store.ListAsync(cancel)).Where(n => string.CompareOrdinal(n, newest) <= 0).Reverse())
        {
            if (whole < settings.Backup.Keep)
            {
                if (await store.ReadAsync(name, BackupManifest.FileName, cancel) is not null) whole++;
                continue;
            }
            if (name == restoring) continue;
            await store.DeleteAsync(name, cancel);
            removed++;
        }
        return removed;
    }
}

/// <summary>How backups are kept.</summary>
public sealed class BackupSettings
{
    /// <summary>How many nights' backups are kept, 1 to 30; 0: none are made.</summary>
    public int Keep { get; set; } = 7;
}
