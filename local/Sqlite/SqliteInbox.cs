using Microsoft.Data.Sqlite;
using RetentionFunctions.Intake;

namespace RetentionFunctions.Local.Sqlite;

/// <summary>A message that was taken from the inbox to be handled.</summary>
/// <param name="Seq">Its place in the queue; what <see cref="SqliteInbox.CompleteAsync"/> and the others name it by.</param>
/// <param name="Message">What was enqueued.</param>
/// <param name="Attempts">How often it was already tried, as <see cref="SqliteInbox.RetryLaterAsync"/> last said; 0 at first.</param>
public sealed record QueuedMessage(long Seq, InboxMessage Message, int Attempts);

/// <summary>
/// The inbox of the local host: the port for those who receive, and the other end for the loop that handles. A message that was taken comes again only
/// after <see cref="RetryLaterAsync"/> or <see cref="Release"/>, or when the program was started anew; until it is done or put back, the later ones of its
/// session wait. One instance per store, since what is taken is known in memory only.
/// </summary>
public sealed class SqliteInbox(SqliteStore store) : IInbox
{
    private const string Columns = "seq, session, not_before, id, kind, received_at, attempts, body_stored, body";

    // How many messages one read passes over at most before it lets other reads in.
    private const int ScanRows = 4096;

    private readonly SemaphoreSlim _oneAtATime = new(1);
    private readonly Lock _gate = new();
    private readonly SessionOrder _order = new();

    /// <summary>Set when <see cref="NextAsync"/> may have something new: a message came in, or one was done whose session has more, or was given back.</summary>
    public Signal Arrived { get; } = new();

    /// <inheritdoc />
    /// <exception cref="ArgumentException">A message has no session or no id.</exception>
    public async Task EnqueueAsync(IReadOnlyList<InboxMessage> messages, CancellationToken cancel = default)
    {
        foreach (var message in messages)
            if (message.Session.Length == 0 || message.Id.Length == 0) throw new ArgumentException("A message of the inbox has a session and an id.", nameof(messages));
        if (messages.Count == 0) return;
        try
        {
            await store.WriteAsync(writer =>
            {
                var queued = 0;
                foreach (var message in messages)
                {
                    if (writer.Execute("INSERT INTO queued(id) VALUES (?1) ON CONFLICT DO NOTHING", message.Id) == 0) continue;
                    queued += writer.Execute("""
                        INSERT INTO inbox(seq, session, id, kind, received_at, attempts, not_before, body_stored, body)
                        VALUES (?1, ?2, ?3, ?4, ?5, 0, NULL, ?6, ?7)
                        """,
                        writer.NextNumber(), message.Session, message.Id, message.Kind.ToString(), SqliteReader.Ticks(message.ReceivedAt), message.BodyStored, message.Body);
                }
                return queued;
            }, cancel);
        }
        finally
        {
            // Also after a fault: the commit may have happened.
            Arrived.Set();
        }
    }

    /// <summary>
    /// Takes up to <paramref name="max"/> messages to handle, the oldest first and of each session at most one, so all of them may be handled at the same time.
    /// A message delayed beyond <paramref name="now"/> holds back the later ones of its session, and only those.
    /// </summary>
    public async Task<IReadOnlyList<QueuedMessage>> NextAsync(DateTimeOffset now, int max, CancellationToken cancel = default)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(max);
        await _oneAtATime.WaitAsync(cancel);
        var taken = new List<QueuedMessage>();
        // Also of those whose body is still to be read, so that none is lost when the reading fails.
        var marked = new List<long>();
        try
        {
            await TakeReadyAsync(now, max, taken, marked, cancel);
            while (taken.Count < max && await ScanAsync(now, max, taken, marked, cancel)) { }
            return taken;
        }
        catch
        {
            foreach (var seq in marked) Release(seq);
            throw;
        }
        finally
        {
            _oneAtATime.Release();
        }
    }

    /// <summary>These were handled: removes them for good, in one commit. Those already gone are passed over, so it may be repeated after a fault.</summary>
    public async Task CompleteAsync(IReadOnlyCollection<long> seqs, CancellationToken cancel = default)
    {
        if (seqs.Count == 0) return;
        await store.WriteAsync(writer => seqs.Sum(seq => writer.Execute("DELETE FROM inbox WHERE seq = ?1", seq)), cancel);
        Completed(seqs);
    }

    /// <summary>This one is to be tried again from <paramref name="notBefore"/> on; its session waits for it. Both are kept across a restart.</summary>
    public async Task RetryLaterAsync(long seq, int attempts, DateTimeOffset notBefore, CancellationToken cancel = default)
    {
        await store.WriteAsync(writer => writer.Execute("UPDATE inbox SET attempts = ?2, not_before = ?3 WHERE seq = ?1", seq, attempts, SqliteReader.Ticks(notBefore)), cancel);
        lock (_gate) _order.Delay(seq, notBefore);
        Arrived.Set();
    }

    /// <summary>This one was taken and not handled (the loop is stopping, say): it may be taken again at once, and counts as not tried. Nothing where it is not taken any more.</summary>
    public void Release(long seq)
    {
        bool released;
        lock (_gate) released = _order.Release(seq);
        if (released) Arrived.Set();
    }

    /// <summary>How many messages are queued: waiting, delayed or being handled.</summary>
    public Task<long> CountAsync(CancellationToken cancel = default) => store.ReadAsync(reader => reader.Number("SELECT count(*) FROM inbox") ?? 0, cancel);

    /// <summary>How many messages wait, delayed and being handled included, and since when the oldest of them does; null where none waits.</summary>
    public Task<(long Count, DateTimeOffset? Oldest)> WaitingAsync(CancellationToken cancel = default) =>
        store.ReadAsync(reader => reader.First("SELECT count(*), min(received_at) FROM inbox", row => (row.Number(0), row.IsNull(1) ? (DateTimeOffset?)null : SqliteReader.Time(row.Number(1)))), cancel);

    /// <summary>When the first delayed message may be tried again, leaving out those that are being handled; null where none is delayed. May lie in the past: then <see cref="NextAsync"/> has it.</summary>
    public Task<DateTimeOffset?> NextDelayedAsync(CancellationToken cancel = default) => store.ReadAsync(reader =>
    {
        DateTimeOffset? first = null;
        reader.While("SELECT seq, not_before FROM inbox WHERE not_before IS NOT NULL ORDER BY not_before", row =>
        {
            bool taken;
            lock (_gate) taken = _order.IsTaken(row.Number(0));
            if (!taken) first = SqliteReader.Time(row.Number(1));
            return taken;
        });
        return first;
    }, cancel);

    private void Completed(IEnumerable<long> seqs)
    {
        var more = false;
        lock (_gate)
            foreach (var seq in seqs) more |= _order.Complete(seq);
        if (more) Arrived.Set();
    }

    private async Task TakeReadyAsync(DateTimeOffset now, int max, List<QueuedMessage> taken, List<long> marked, CancellationToken cancel)
    {
        var ready = new List<long>();
        lock (_gate)
            while (ready.Count < max && _order.TryTakeReady(now, out var seq)) ready.Add(seq);
        if (ready.Count == 0) return;
        marked.AddRange(ready);
        var gone = new List<long>();
        await store.ReadAsync(reader =>
        {
            foreach (var seq in ready)
                if (reader.First($"SELECT {Columns} FROM inbox WHERE seq = ?1", Read, seq) is { } message) taken.Add(message);
                else gone.Add(seq);
            return taken.Count;
        }, cancel);
        // Removed by a completion that reported a fault although it went through, and were then released.
        Completed(gone);
    }

    /// <summary>Reads the queue on from where it was left; false at its end.</summary>
    private Task<bool> ScanAsync(DateTimeOffset now, int max, List<QueuedMessage> taken, List<long> marked, CancellationToken cancel) => store.ReadAsync(reader =>
    {
        long cursor;
        lock (_gate) cursor = _order.Cursor;
        var seen = 0;
        reader.While($"SELECT {Columns} FROM inbox WHERE seq > ?1 ORDER BY seq LIMIT {ScanRows}", row =>
        {
            seen++;
            var seq = row.Number(0);
            bool take;
            lock (_gate) take = _order.Offer(seq, row.Text(1), row.IsNull(2) ? null : SqliteReader.Time(row.Number(2)), now);
            if (!take) return true;
            marked.Add(seq);
            taken.Add(Read(row));
            return taken.Count < max;
        }, cursor);
        return seen == ScanRows;
    }, cancel);

    private static QueuedMessage Read(SqliteRow row) => new(
        row.Number(0),
        new InboxMessage(row.Text(1), row.Text(3), Enum.Parse<MessageKind>(row.Text(4)), row.Bytes(8), SqliteReader.Time(row.Number(5)))
        {
            BodyStored = row.Number(7) != 0,
        },
        (int)row.Number(6));
}
