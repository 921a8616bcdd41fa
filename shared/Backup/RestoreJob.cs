using System.Text.Json;
using System.Text.Json.Nodes;
using RetentionFunctions.Customers;
using RetentionFunctions.Jobs;
using RetentionFunctions.Storage;

namespace RetentionFunctions.Backup;

/// <summary>
/// Puts the tables back to a backup, a file of it a step (<see cref="RestoreRule"/>): rows of the file are written, rows that stand between them and are not in it go.
/// At the end each bucket's months are added up anew: a backup is not of one moment, so a sum in it may be of a moment after its parts. A step may be done again, and the whole job too. Started for <c>{backup}|{when it was asked for}</c>.
/// </summary>
public sealed class RestoreJob(ITables tables, IBackupStore store, Backups backups) : IJob
{
    private const int BatchBytes = TableLimits.BatchBytes / 2;

    // Partitions that are written at the same time: those of the indexes hold a row or two each.
    private const int AtOnce = 16;

    private const int ChecksPerStep = 20;

    /// <summary>The name of the job.</summary>
    public const string JobName = "restore";

    /// <inheritdoc/>
    public string Name => JobName;

    /// <summary>What the job is started for, for a backup.</summary>
    public static string OccasionOf(string backup, DateTimeOffset askedAt) => $"{backup}|{askedAt.UtcDateTime:O}";

    /// <summary>Of which backup an occasion is.</summary>
    public static string BackupOf(string occasion) => occasion.Split('|')[0];

    /// <inheritdoc/>
    public async Task<JobStep> StepAsync(JobState state, CancellationToken cancel)
    {
        var backup = BackupOf(state.Occasion);
        var manifest = await backups.ManifestAsync(backup, cancel) ?? throw new JobFailedException($"There is no whole backup '{backup}'.");
        var at = state.Cursor.Deserialize<Position>(TablesExtensions.Json) ?? new Position(Checked: 0, Written: 0, After: null);
        // Nothing is touched before every file is known to be there and sound.
        if (at.Checked < manifest.Files)
        {
            var upTo = Math.Min(manifest.Files, at.Checked + ChecksPerStep);
            for (var number = at.Checked; number < upTo; number++) await FileAsync(backup, number, cancel);
            return Step(at with { Checked = upTo }, state.Counts);
        }

        if (at.Written == manifest.Files)
        {
            var sums = await MonthRows.SumAsync(tables, cancel);
            return new JobStep(null, new Dictionary<string, long>(state.Counts) { ["sums put right"] = sums });
        }
        var rows = await FileAsync(backup, at.Written, cancel);
        var isLast = at.Written == manifest.Files - 1;
        var changes = await ChangesAsync(rows, at.After, isLast, cancel);
        await Parallel.ForEachAsync(changes.GroupBy(change => change.Partition, StringComparer.Ordinal), new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = cancel },
            async (partition, token) => await WriteAsync(partition.Key, [.. partition.Select(change => change.Write)], token));
        var counts = new Dictionary<string, long>
        {
            ["rows"] = state.Counts.GetValueOrDefault("rows") + rows.Count,
            ["written"] = state.Counts.GetValueOrDefault("written") + changes.Count(change => change.Write is not Write.Delete),
            ["removed"] = state.Counts.GetValueOrDefault("removed") + changes.Count(change => change.Write is Write.Delete),
        };
        return Step(at with { Written = at.Written + 1, After = isLast ? null : rows[^1].At }, counts);

        JobStep Step(Position position, IReadOnlyDictionary<string, long> counted) =>
            new(JsonSerializer.SerializeToNode(position, TablesExtensions.Json), counted, (position.Checked + (9.0 * position.Written)) / (10.0 * manifest.Files));
    }

    // Both in the same order: side by side from after the file before to the end of this one; behind the last file comes whatever is new.
    private async Task<List<(string Partition, Write Write)>> ChangesAsync(List<Row> rows, RowKey? before, bool isLast, CancellationToken cancel)
    {
        var changes = new List<(string, Write)>();
        var next = 0;
        await foreach (var present in tables.ScanAsync(before, cancel))
        {
            for (; next < rows.Count && Compare(rows[next].At, present.At) < 0; next++) Change(rows[next].At, null, rows[next]);
            var past = next < rows.Count && rows[next].At == present.At ? rows[next++] : null;
            if (past is null && next == rows.Count && !isLast) break;
            Change(present.At, present, past);
        }
        for (; next < rows.Count; next++) Change(rows[next].At, null, rows[next]);
        return changes;

        // Only where it still is as it was read: what comes in meanwhile is handled at the same time, and then the step is done again.
        void Change(RowKey at, Row? now, Row? then)
        {
            var wanted = RestoreRule.Of(at, now?.Body, then?.Body);
            if (wanted is not { } body)
            {
                if (now is not null) changes.Add((at.Partition, new Write.Delete(at.Key, now.ETag)));
            }
            else if (now is null) changes.Add((at.Partition, new Write.Insert(at.Key, body)));
            else if (!JsonNode.DeepEquals(JsonNode.Parse(now.Body.Span), JsonNode.Parse(body.Span))) changes.Add((at.Partition, new Write.Replace(at.Key, body, now.ETag)));
        }
    }

    private async Task WriteAsync(string partition, List<Write> writes, CancellationToken cancel)
    {
        var batch = new List<Write>();
        var bytes = 0;
        foreach (var write in writes)
        {
            var size = write switch { Write.Insert w => w.Body.Length, Write.Replace w => w.Body.Length, _ => 0 };
            if (batch.Count == TableLimits.BatchRows || (batch.Count > 0 && bytes + size > BatchBytes)) await CommitAsync();
            batch.Add(write);
            bytes += size;
        }
        if (batch.Count > 0) await CommitAsync();

        async Task CommitAsync()
        {
            if (!await tables.TryCommitAsync(partition, batch, cancel)) throw new TransientStorageException($"Rows of '{partition}' were changed while they were restored; the step is done again.");
            batch.Clear();
            bytes = 0;
        }
    }

    private async Task<List<Row>> FileAsync(string backup, int number, CancellationToken cancel)
    {
        var name = BackupFile.Name(number);
        var file = await store.ReadAsync(backup, name, cancel) ?? throw new JobFailedException($"The file {name} of the backup '{backup}' is missing. Choose another backup; nothing more was changed.");
        try
        {
            return BackupFile.Read(file);
        }
        catch (InvalidDataException e)
        {
            throw new JobFailedException($"The file {name} of the backup '{backup}' is damaged. Choose another backup; nothing more was changed. {e.Message}", e);
        }
    }

    private static int Compare(RowKey a, RowKey b) => string.CompareOrdinal(a.Partition, b.Partition) is var order and not 0 ? order : string.CompareOrdinal(a.Key, b.Key);

    private sealed record Position(int Checked, int Written, RowKey? After);
}
