using System.Text;
using RetentionFunctions.Local.Sqlite;
using RetentionFunctions.Storage;

namespace RetentionFunctions.Local.Sandbox;

/// <summary>
/// The sandbox's events on their way to the door. Each is a row with the time at which it arrives (<see cref="SandboxDelivery"/>), so that it survives a restart; the
/// pump delivers what is due. What the door does not take is tried again for three days; then it stays among those that were given up, until it is sent again by hand.
/// </summary>
public sealed partial class SandboxPost(ITables tables, SandboxDoor door, SqliteDueTable due, TimeProvider clock, ILogger<SandboxPost> log) : IDisposable
{
    /// <summary>The name of the sandbox's timer in the due table.</summary>
    public const string DueId = "sandbox";

    private readonly SemaphoreSlim gate = new(1, 1);
    private long queued;

    /// <summary>How often something was put on its way since the start: tells whether a request did.</summary>
    public long Queued => Interlocked.Read(ref queued);

    /// <summary>The partition of its rows: what changes with the events is committed with them.</summary>
    public static string Partition => Keys.SandboxEvents.Partition;

    /// <summary>Puts events on their way, in one batch with other rows of <see cref="Partition"/>. False where one of those did not match: nothing is written then.</summary>
    public async Task<bool> TryQueueAsync(IReadOnlyList<SandboxEvent> events, IReadOnlyList<Write> with, CancellationToken cancel = default)
    {
        var now = clock.GetUtcNow();
        // Asked for before it is written, so that after a crash somebody looks; and after it, because somebody may have looked in between.
        await due.WakeAsync(DueId, now, cancel);
        var done = await tables.TryCommitAsync(Partition,
        [
            .. with, .. events.Select(e => new Write.Upsert(Keys.SandboxTold(e.CreatedAt, e.Id).Key, TablesExtensions.Write(new Told(Encoding.UTF8.GetString(e.Body.Span))))),
            .. events.Select(e => new Write.Upsert(Keys.SandboxEvent(e.Id).Key, TablesExtensions.Write(new Letter(
                e.Id, e.Type, e.CreatedAt, e.CustomerId, Encoding.UTF8.GetString(e.Body.Span), Later(e.CreatedAt, now) + SandboxDelivery.Delay(e.Id), 0, false)))),
        ], cancel);
        Interlocked.Increment(ref queued);
        await due.WakeAsync(DueId, now, cancel);
        return done;
    }

    /// <summary>Delivers what is due, in the order in which it arrives. Returns when something is due next.</summary>
    public async Task<DateTimeOffset?> DeliverDueAsync(CancellationToken cancel = default)
    {
        await gate.WaitAsync(cancel);
        try
        {
            DateTimeOffset? next = null;
            foreach (var letter in (await tables.ListAsync<Letter>(Keys.SandboxEvents, cancel)).OrderBy(l => l.DueAt).ThenBy(l => l.Id, StringComparer.Ordinal))
            {
                var left = letter.DueAt <= clock.GetUtcNow() ? await DeliverAsync(letter, cancel) : letter;
                if (left?.DueAt is { } at && (next is null || at < next)) next = at;
            }
            return next;
        }
        finally
        {
            gate.Release();
        }
    }

    /// <summary>What was told in the last thirty days, oldest first, delivered or not; what is older is forgotten, as Stripe does.</summary>
    public async Task<IReadOnlyList<string>> ToldAsync(CancellationToken cancel = default)
    {
        var kept = clock.GetUtcNow() - History.Backfill.EventsKept;
        var (told, old) = (new List<string>(), new List<Write>());
        await foreach (var row in tables.QueryAsync(Keys.SandboxToldFrom(DateTimeOffset.UnixEpoch), cancel))
            if (string.CompareOrdinal(row.At.Key, Keys.SandboxToldFrom(kept).From) >= 0) told.Add(row.Read<Told>().Body);
            else old.Add(new Write.Delete(row.At.Key));
        foreach (var part in old.Chunk(TableLimits.BatchRows)) await tables.TryCommitAsync(Partition, part, cancel);
        return told;
    }

    /// <summary>What is on its way, in the order in which it arrives; first what was given up, which has no time.</summary>
    public async Task<IReadOnlyList<Letter>> OnItsWayAsync(CancellationToken cancel = default) =>
        [.. (await tables.ListAsync<Letter>(Keys.SandboxEvents, cancel)).OrderBy(l => l.DueAt).ThenBy(l => l.Id, StringComparer.Ordinal)];

    /// <summary>When all first deliveries that are under way have arrived; null where none is.</summary>
    public async Task<DateTimeOffset?> ArrivedByAsync(CancellationToken cancel = default) =>
        (await tables.ListAsync<Letter>(Keys.SandboxEvents, cancel)).Where(l => l is { Copy: false, Failures: 0 }).Max(l => l.DueAt);

    /// <summary>Sends again what was given up, and what waits for its next try. Returns how many.</summary>
    public async Task<int> SendAgainAsync(CancellationToken cancel = default)
    {
        await gate.WaitAsync(cancel);
        try
        {
            var waiting = (await tables.ListAsync<Letter>(Keys.SandboxEvents, cancel)).Where(l => l.Failures > 0).ToList();
            foreach (var letter in waiting) await tables.UpsertAsync(Keys.SandboxEvent(letter.Id), letter with { DueAt = clock.GetUtcNow(), Failures = 0 }, cancel);
            if (waiting.Count > 0) await due.WakeAsync(DueId, clock.GetUtcNow(), cancel);
            return waiting.Count;
        }
        finally
        {
            gate.Release();
        }
    }

    /// <inheritdoc/>
    public void Dispose() => gate.Dispose();

    // What is left of it: nothing, its copy, or its next try.
    private async Task<Letter?> DeliverAsync(Letter letter, CancellationToken cancel)
    {
        var now = clock.GetUtcNow();
        var refused = await door.TryDeliverAsync(new SandboxEvent(letter.Id, letter.Type, letter.CreatedAt, letter.CustomerId, Encoding.UTF8.GetBytes(letter.Body)), cancel);
        Letter? left = null;
        if (refused is not null)
        {
            // A copy is not worth a second try.
            if (!letter.Copy) left = letter with { Failures = letter.Failures + 1, DueAt = now + SandboxDelivery.RetryAfter(letter.Failures + 1) };
            if (left is { DueAt: null }) Log.GivenUp(log, letter.Id, letter.Type, refused);
            else Log.NotTaken(log, letter.Id, letter.Type, refused);
        }
        else if (!letter.Copy && SandboxDelivery.CopyAfter(letter.Id) is { } after)
        {
            left = letter with { Copy = true, Failures = 0, DueAt = now + after };
        }
        if (left is null) await tables.DeleteAsync(Keys.SandboxEvent(letter.Id), cancel);
        else await tables.UpsertAsync(Keys.SandboxEvent(letter.Id), left, cancel);
        return left;
    }

    private static DateTimeOffset Later(DateTimeOffset a, DateTimeOffset b) => a > b ? a : b;

    /// <summary>An event that was told.</summary>
    /// <param name="Body">All of it.</param>
    private sealed record Told(string Body);

    /// <summary>An event on its way.</summary>
    /// <param name="Id">The event's id.</param>
    /// <param name="Type">Its type.</param>
    /// <param name="CreatedAt">When it happened, UTC.</param>
    /// <param name="CustomerId">Whom it is about.</param>
    /// <param name="Body">All of it.</param>
    /// <param name="DueAt">When it arrives; null: it was given up.</param>
    /// <param name="Failures">How often the door did not take it.</param>
    /// <param name="Copy">It has arrived, and comes once more.</param>
    public sealed record Letter(string Id, string Type, DateTimeOffset CreatedAt, string CustomerId, string Body, DateTimeOffset? DueAt, int Failures, bool Copy);

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Warning, Message = "The sandbox's event {Id} ({Type}) was not taken and is delivered again later: {Reason}")]
        public static partial void NotTaken(ILogger log, string id, string type, string reason);

        [LoggerMessage(Level = LogLevel.Error, Message = "The sandbox's event {Id} ({Type}) was not taken for three days and is given up; POST /local/sandbox/resend sends it again: {Reason}")]
        public static partial void GivenUp(ILogger log, string id, string type, string reason);
    }
}
