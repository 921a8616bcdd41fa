namespace RetentionFunctions.Local.Sqlite;

/// <summary>
/// Which message of the inbox comes next, so that the messages of a session are handled one after another. The queue is read once, forward;
/// remembered are only the sessions of which something is being handled, is delayed, or was passed over because of that. So a call costs what it
/// returns, however long the queue is. Values only; not safe for several threads.
/// </summary>
internal sealed class SessionOrder
{
    private readonly Dictionary<string, Session> _sessions = new(StringComparer.Ordinal);
    private readonly Dictionary<long, Session> _taken = [];
    private readonly PriorityQueue<Session, long> _ready = new();
    private readonly PriorityQueue<Session, (DateTimeOffset Until, long Head)> _delayed = new();

    private sealed class Session(string name, long head)
    {
        public string Name => name;

        public long Head { get; set; } = head;

        // Those that were passed over, in order.
        public Queue<long> Later { get; } = new();
    }

    /// <summary>The last message that was offered: the queue is to be read on from here.</summary>
    public long Cursor { get; private set; }

    /// <summary>The next message of the queue: true where it is to be handled now, and then it is taken.</summary>
    public bool Offer(long seq, string session, DateTimeOffset? notBefore, DateTimeOffset now)
    {
        if (seq <= Cursor) throw new ArgumentOutOfRangeException(nameof(seq), seq, $"The queue was already read up to {Cursor}.");
        Cursor = seq;
        if (_sessions.TryGetValue(session, out var known))
        {
            known.Later.Enqueue(seq);
            return false;
        }
        var found = new Session(session, seq);
        _sessions.Add(session, found);
        if (notBefore is { } until && until > now)
        {
            _delayed.Enqueue(found, (until, seq));
            return false;
        }
        _taken.Add(seq, found);
        return true;
    }

    /// <summary>Takes the oldest message that was passed over or delayed and may be handled now.</summary>
    public bool TryTakeReady(DateTimeOffset now, out long seq)
    {
        while (_delayed.TryPeek(out var over, out var delay) && delay.Until <= now)
        {
            _delayed.Dequeue();
            _ready.Enqueue(over, over.Head);
        }
        seq = 0;
        if (!_ready.TryDequeue(out var session, out _)) return false;
        seq = session.Head;
        _taken.Add(seq, session);
        return true;
    }

    /// <summary>It is being handled.</summary>
    public bool IsTaken(long seq) => _taken.ContainsKey(seq);

    /// <summary>It is done: the session's next message may come. True where one is known to wait.</summary>
    public bool Complete(long seq)
    {
        if (!_taken.Remove(seq, out var session)) return false;
        if (!session.Later.TryDequeue(out var next))
        {
            _sessions.Remove(session.Name);
            return false;
        }
        session.Head = next;
        _ready.Enqueue(session, next);
        return true;
    }

    /// <summary>It is to be handled again from <paramref name="until"/> on; its session waits for it.</summary>
    public void Delay(long seq, DateTimeOffset until)
    {
        if (_taken.Remove(seq, out var session)) _delayed.Enqueue(session, (until, seq));
    }

    /// <summary>It was not handled and may be taken again at once. False where it was not taken.</summary>
    public bool Release(long seq)
    {
        if (!_taken.Remove(seq, out var session)) return false;
        _ready.Enqueue(session, seq);
        return true;
    }
}
