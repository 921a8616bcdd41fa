using System.Globalization;
using System.Security.Cryptography;
using RetentionFunctions.Intake;
using RetentionFunctions.Jobs;
using RetentionFunctions.Settings;
using RetentionFunctions.Storage;

namespace RetentionFunctions.Import;

/// <summary>
/// Files that the founder gives us: checked at once, kept until the founder says that they shall be written, written by <see cref="ImportJob"/>. One at a time.
/// A file that is wrong is not kept at all.
/// </summary>
public sealed class Imports(ITables tables, BodyStore bodies, JobRunner jobs, RetentionSettings settings, TimeProvider clock)
{
    /// <summary>How long a file waits to be confirmed: it is full of people, and must not be forgotten here.</summary>
    public static readonly TimeSpan KeptFor = TimeSpan.FromDays(1);

    /// <summary>The largest file, in bytes.</summary>
    public const int MaxBytes = ImportFile.MaxBytes;

    /// <summary>What is said of a larger one.</summary>
    public static string TooLarge => ImportFile.TooLarge;

    internal static readonly RowKey Waiting = Keys.Account("import");

    /// <summary>Checks a file, and keeps and writes nothing.</summary>
    public async Task<(ImportReading Reading, ImportSummary Summary)> CheckAsync(ReadOnlyMemory<byte> file, CancellationToken cancel = default)
    {
        var reading = ImportReader.Read(file, settings.Customers, clock.GetUtcNow());
        var erased = new HashSet<string>(StringComparer.Ordinal);
        await foreach (var row in tables.QueryAsync(Keys.WholePartition(Keys.Erased("").Partition), cancel)) erased.Add(row.At.Key);
        return (reading, ImportSummary.Of(reading, reading.Customers.Count(c => erased.Contains(Keys.Erased(c.Id).Key)), IdOf(file), clock.GetUtcNow()));
    }

    /// <summary>Checks a file, and keeps it where nothing is wrong with it, in the place of one that was not confirmed.</summary>
    /// <returns>Null where another file is being written at this moment.</returns>
    public async Task<(ImportReading Reading, ImportSummary Summary)?> KeepAsync(ReadOnlyMemory<byte> file, CancellationToken cancel = default)
    {
        if (await IsRunningAsync(cancel)) return null;
        var (reading, summary) = await CheckAsync(file, cancel);
        if (!reading.IsSound) return (reading, summary);
        if (await WaitingAsync(cancel) is { } former && former.Id != summary.Id) await DiscardAsync(former.Id, cancel);
        // The row first: by it a file is found that a crash left half written.
        await tables.UpsertAsync(Waiting, summary, cancel);
        await bodies.PutAsync(BodyOf(summary.Id), file, cancel);
        return (reading, summary);
    }

    /// <summary>The file that waits to be confirmed; null where none does.</summary>
    public async Task<ImportSummary?> WaitingAsync(CancellationToken cancel = default) => (await tables.GetAsync<ImportSummary>(Waiting, cancel))?.Value;

    /// <summary>Begins to write the file that waits.</summary>
    /// <param name="id">Of which file this was said: another may have come meanwhile.</param>
    /// <param name="cancel">Gives up.</param>
    public async Task<ImportStart> StartAsync(string id, CancellationToken cancel = default)
    {
        var before = await jobs.StateAsync(ImportJob.JobName, cancel);
        if (before is { IsRunning: true }) return ImportStart.AnotherIsRunning;
        if (await WaitingAsync(cancel) is not { } waiting || waiting.Id != id) return ImportStart.NotThere;
        // The same file may be written again, whenever the founder says so.
        return await jobs.StartAsync(ImportJob.JobName, string.Create(CultureInfo.InvariantCulture, $"{id}|{before?.Number ?? 0}"), cancel) ? ImportStart.Begun : ImportStart.AnotherIsRunning;
    }

    /// <summary>Forgets a file. One that is being written is needed until that is done.</summary>
    public async Task DiscardAsync(string id, CancellationToken cancel = default)
    {
        if (await jobs.StateAsync(ImportJob.JobName, cancel) is { IsRunning: true } running && IdOf(running) == id) return;
        await RemoveAsync(tables, bodies, id, cancel);
    }

    internal static async Task RemoveAsync(ITables tables, BodyStore bodies, string id, CancellationToken cancel)
    {
        await bodies.DeleteAsync(BodyOf(id), cancel);
        if (await tables.GetAsync<ImportSummary>(Waiting, cancel) is { Value: var waiting, ETag: var etag } && waiting.Id == id)
            await tables.TryCommitAsync(Waiting.Partition, [new Write.Delete(Waiting.Key, etag)], cancel);
    }

    /// <summary>The whole file that was kept; null where it is not there, or only a part of it is: its upload broke off, or the host died.</summary>
    internal static async Task<ReadOnlyMemory<byte>?> FileAsync(BodyStore bodies, string id, CancellationToken cancel)
    {
        var file = await bodies.GetAsync(BodyOf(id), cancel);
        // Not as one conditional: its null would become memory that is empty and there.
        if (file is not { } kept || IdOf(kept) != id) return null;
        return file;
    }

    internal static string BodyOf(string id) => $"{BodyName}{id}";

    /// <summary>Whether this partition holds a file.</summary>
    internal static bool IsFile(string partition) => partition.StartsWith(Keys.BodyChunk(BodyName, 0).Partition, StringComparison.Ordinal);

    private const string BodyName = "import:";

    /// <summary>The file that a job writes.</summary>
    internal static string IdOf(JobState state) => state.Occasion.Split('|')[0];

    private static string IdOf(ReadOnlyMemory<byte> file) => Convert.ToHexStringLower(SHA256.HashData(file.Span))[..32];

    private async Task<bool> IsRunningAsync(CancellationToken cancel) => await jobs.StateAsync(ImportJob.JobName, cancel) is { IsRunning: true };
}

/// <summary>Whether a file is being written.</summary>
public enum ImportStart
{
    /// <summary>It is, from now on.</summary>
    Begun,

    /// <summary>It is not there any more: discarded, a day old, or another was chosen meanwhile.</summary>
    NotThere,

    /// <summary>Another is being written.</summary>
    AnotherIsRunning,
}

/// <summary>What would be written of a file, in numbers: nobody is named in it.</summary>
/// <param name="Id">The beginning of the SHA-256 of the file.</param>
/// <param name="Layout">Which file it is.</param>
/// <param name="CheckedAt">When, UTC.</param>
/// <param name="Rows">Rows below the header.</param>
/// <param name="Customers">How many customers.</param>
/// <param name="Subscriptions">How many subscriptions.</param>
/// <param name="Unpriced">Those of them of which the file says no amount.</param>
/// <param name="Erased">Customers in it who were erased, and are left out.</param>
/// <param name="Mrr">The MRR at this moment of all that is in the file, by currency.</param>
/// <param name="Ignored">Columns that are not read.</param>
public sealed record ImportSummary(string Id, ImportLayout? Layout, DateTimeOffset CheckedAt, int Rows, int Customers, int Subscriptions, int Unpriced, int Erased, IReadOnlyDictionary<string, long> Mrr, IReadOnlyList<string> Ignored)
{
    private const int IgnoredShown = 50;

    internal static ImportSummary Of(ImportReading reading, int erased, string id, DateTimeOffset now) =>
        new(id, reading.Layout, now, reading.Rows, reading.Customers.Count, reading.Subscriptions, reading.Unpriced, erased, reading.Mrr, [.. reading.Ignored.Take(IgnoredShown).Select(c => c.Length <= 100 ? c : c[..100])]);

    /// <summary>In a few words: <c>7 customers, 9 subscriptions, MRR $1,200.00</c>.</summary>
    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"{Customers:N0} {(Customers == 1 ? "customer" : "customers")}, {Subscriptions:N0} {(Subscriptions == 1 ? "subscription" : "subscriptions")}, MRR {RetentionFunctions.Customers.Money.Text(Mrr)}");
}
