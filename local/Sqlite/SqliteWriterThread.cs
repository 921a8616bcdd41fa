using RetentionFunctions.Storage;

namespace RetentionFunctions.Local.Sqlite;

/// <summary>
/// The group commit: one thread takes all writes that wait, runs them in one transaction, syncs the disk once, and answers them all. While it syncs,
/// the next group gathers by itself, so no timer is needed and a lone write waits for nobody.
/// </summary>
internal sealed class SqliteWriterThread
{
    private readonly Func<SqliteWriter> _reopen;
    private readonly RowCache _rows;
    private readonly int _most;
    private readonly Queue<WorkItem> _waiting = new();
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private SqliteWriter? _writer;
    private bool _closing;
    private long _commits;
    private string? _first;

    public SqliteWriterThread(SqliteWriter writer, Func<SqliteWriter> reopen, RowCache rows, int most)
    {
        _writer = writer;
        _reopen = reopen;
        _rows = rows;
        _most = most;
        new Thread(Run) { IsBackground = true, Name = "retention.db writer" }.Start();
    }

    public long Commits => Interlocked.Read(ref _commits);

    /// <summary>Ends when everything submitted before <see cref="Close"/> was answered.</summary>
    public Task EndedAsync => _ended.Task;

    public Task<T> SubmitAsync<T>(Func<SqliteWriter, T> work, CancellationToken cancel)
    {
        if (cancel.IsCancellationRequested) return Task.FromCanceled<T>(cancel);
        var item = new WorkItem<T>(work, cancel);
        lock (_waiting)
        {
            ObjectDisposedException.ThrowIf(_closing, typeof(SqliteStore));
            _waiting.Enqueue(item);
            if (_waiting.Count == 1) Monitor.Pulse(_waiting);
        }
        return item.Task;
    }

    /// <summary>A statement that is run before the next transaction: some cannot stand in one. A connection that had to be opened anew has forgotten it.</summary>
    public void RunFirst(string pragma) => Interlocked.Exchange(ref _first, pragma);

    public void Close()
    {
        lock (_waiting)
        {
            _closing = true;
            Monitor.Pulse(_waiting);
        }
    }

    /// <summary>After the thread ended and the readers are closed: the log goes into the file, and is gone.</summary>
    public void Checkpoint()
    {
        if (_writer is not { } writer) return;
        _writer = null;
        using (writer) writer.Execute("PRAGMA wal_checkpoint(TRUNCATE)");
    }

    private void Run()
    {
        var batch = new List<WorkItem>(_most);
        while (Take(batch))
        {
            Commit(batch);
            batch.Clear();
        }
        _ended.SetResult();
    }

    private bool Take(List<WorkItem> batch)
    {
        lock (_waiting)
        {
            while (_waiting.Count == 0)
            {
                if (_closing) return false;
                Monitor.Wait(_waiting);
            }
            while (batch.Count < _most && _waiting.TryDequeue(out var item)) batch.Add(item);
        }
        return true;
    }

    private void Commit(List<WorkItem> batch)
    {
        // Given up by the caller while it waited: not run at all. From here on the outcome is reported whatever the caller's token says.
        batch.RemoveAll(item => item.GivenUp());
        if (batch.Count == 0) return;
        Exception? fault = null;
        try
        {
            var writer = _writer ??= _reopen();
            if (Interlocked.Exchange(ref _first, null) is { } pragma) writer.Execute(pragma);
            // Savepoints around each item would cost every write for the sake of a rare one, so the first pass goes without, and only
            // where an item threw is all of it undone and run again with them.
            if (!TryPass(writer, batch, guarded: false)) TryPass(writer, batch, guarded: true);
        }
        catch (Exception e)
        {
            // Reported to every caller of the batch. The connection may be in the middle of anything: closing it rolls back.
            fault = e;
            _writer?.Dispose();
            _writer = null;
        }
        foreach (var item in batch)
        {
            if (fault is null) item.Answer();
            else item.Fail(SqliteFaults.IsTransient(fault) ? SqliteFaults.Transient(fault) : new InvalidOperationException($"The data file could not be written: {fault.Message}", fault));
        }
    }

    /// <summary>All items in one transaction; false where, unguarded, one of several threw and all was undone.</summary>
    private bool TryPass(SqliteWriter writer, List<WorkItem> batch, bool guarded)
    {
        writer.Changes.Clear();
        writer.Execute("BEGIN IMMEDIATE");
        foreach (var item in batch)
        {
            if (guarded) writer.Execute("SAVEPOINT item");
            var before = writer.Changes.Count;
            var error = item.Run(writer);
            if (error is not null && SqliteFaults.IsTransient(error)) throw error;
            if (error is not null && !guarded)
            {
                writer.Execute("ROLLBACK");
                return batch.Count == 1;
            }
            if (error is not null)
            {
                writer.Execute("ROLLBACK TO item");
                writer.Changes.RemoveRange(before, writer.Changes.Count - before);
            }
            if (guarded) writer.Execute("RELEASE item");
        }
        _rows.Committing(writer.Changes);
        var committed = false;
        try
        {
            writer.Execute("COMMIT");
            committed = true;
        }
        finally
        {
            _rows.Committed(writer.Changes, committed);
        }
        Interlocked.Increment(ref _commits);
        return true;
    }

    private abstract class WorkItem(CancellationToken cancel)
    {
        protected CancellationToken Cancel => cancel;

        public abstract bool GivenUp();

        /// <summary>Runs it and keeps what it returned or threw; what it threw is also returned.</summary>
        public abstract Exception? Run(SqliteWriter writer);

        public abstract void Answer();

        public abstract void Fail(Exception fault);
    }

    private sealed class WorkItem<T>(Func<SqliteWriter, T> work, CancellationToken cancel) : WorkItem(cancel)
    {
        // Asynchronously, or the callers' code would run on the writer's thread and hold up the next commit.
        private readonly TaskCompletionSource<T> _done = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private T? _result;
        private Exception? _error;

        public Task<T> Task => _done.Task;

        public override bool GivenUp() => Cancel.IsCancellationRequested && _done.TrySetCanceled(Cancel);

        public override Exception? Run(SqliteWriter writer)
        {
            _error = null;
            try
            {
                _result = work(writer);
            }
            catch (Exception e)
            {
                // Handed to the caller who submitted it.
                _error = e;
            }
            return _error;
        }

        public override void Answer()
        {
            if (_error is null) _done.SetResult(_result!);
            else _done.SetException(_error);
        }

        public override void Fail(Exception fault) => _done.SetException(fault);
    }
}
