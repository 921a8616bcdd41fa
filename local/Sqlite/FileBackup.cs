using System.Globalization;
using RetentionFunctions.Jobs;
using RetentionFunctions.Local.Demo;
using RetentionFunctions.Settings;
using RetentionFunctions.Storage;

namespace RetentionFunctions.Local.Sqlite;

/// <summary>
/// Every night a copy of the data file into <c>backups/</c> of the data folder: a whole data file of its own, with the queue and the due times, by which
/// <c>--restore</c> starts (<see cref="FileRestore"/>).
/// </summary>
public sealed class FileBackup(SqliteStore store, ITables tables, RetentionSettings settings) : INightlyJob
{
    /// <summary>What is said where there is a demo year, whose people are made up and can be made again.</summary>
    public const string NotOfADemo = "The demo's made-up company is not backed up: it can be played again.";

    /// <summary>The folder in the data folder.</summary>
    public const string FolderName = "backups";

    private const string NameFormat = "'retention-'yyyy-MM-dd-HHmm-ss'.db'";

    /// <inheritdoc/>
    public string Name => "backup";

    /// <inheritdoc/>
    public async Task<JobStep> StepAsync(JobState state, CancellationToken cancel)
    {
        if (settings.Backup.Keep == 0 || await DemoPlayer.YearAsync(tables) is not null) return JobStep.NothingToDo;
        var folder = Path.Combine(store.Folder, FolderName);
        try
        {
            Directory.CreateDirectory(folder);
            var path = Path.Combine(folder, NameOf(state.StartedAt));
            // A step that broke off left a part of it; what stands under the final name is whole.
            File.Delete(path + ".part");
            await store.CopyAsync(path + ".part", cancel);
            File.Move(path + ".part", path, overwrite: true);
            var removed = 0;
            foreach (var old in List(store.Folder).Skip(settings.Backup.Keep))
            {
                old.Delete();
                removed++;
            }
            return new JobStep(null, new Dictionary<string, long> { ["bytes"] = new FileInfo(path).Length, ["removed"] = removed });
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new TransientStorageException($"The backup cannot be written into '{folder}': {e.Message}", e);
        }
    }

    /// <summary>The whole backups of a data folder, newest first.</summary>
    public static IReadOnlyList<FileInfo> List(string dataFolder)
    {
        var folder = new DirectoryInfo(Path.Combine(dataFolder, FolderName));
        return folder.Exists ? [.. folder.EnumerateFiles("retention-*.db").OrderByDescending(f => f.Name, StringComparer.Ordinal)] : [];
    }

    /// <summary>When a backup was begun, as its name says; where somebody renamed it, when it was written.</summary>
    public static DateTimeOffset StartedAt(FileInfo file) =>
        DateTimeOffset.TryParseExact(file.Name, NameFormat, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var at) ? at : new DateTimeOffset(file.LastWriteTimeUtc, TimeSpan.Zero);

    private static string NameOf(DateTimeOffset startedAt) => startedAt.UtcDateTime.ToString(NameFormat, CultureInfo.InvariantCulture);
}
