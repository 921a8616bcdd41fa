using RetentionFunctions.Storage;

namespace RetentionFunctions.Local.Sqlite;

/// <summary>
/// Rows that were asked for by their key, in memory, so that a customer's next event need not fetch them again: with every commit of anybody SQLite forgets the pages of all
/// reading connections. It is exact, since this process alone writes the file: a row leaves before the commit that changes it and comes back after, as it then is, and what a
/// reader found is kept only where no commit touched it while it was read. So nobody finds here what is older than what they could have found in the file.
/// </summary>
/// <param name="mostBytes">What keys and bodies may take; the rows that were not asked for the longest go first.</param>
internal sealed class RowCache(long mostBytes)
{
    // What a row takes besides its key and body: entries of the table and the list, the row itself.
    private const int Overhead = 200;

    // Many keys share a turn: a collision only means that a row is not kept this time.
    private readonly int[] _turns = new int[4096];
    private readonly Dictionary<RowKey, LinkedListNode<Row>> _rows = [];
    private readonly LinkedList<Row> _latestFirst = [];
    private readonly HashSet<int> _committing = [];
    private readonly HashSet<RowKey> _returning = [];
    private long _bytes;

    /// <summary>The row, where it is here; otherwise the turn to hand to <see cref="Keep"/> with what the file then says.</summary>
    public Row? Find(RowKey key, out int turn)
    {
        lock (_rows)
        {
            turn = _turns[Turn(key)];
            if (!_rows.TryGetValue(key, out var node)) return null;
            _latestFirst.Remove(node);
            _latestFirst.AddFirst(node);
            return node.Value;
        }
    }

    /// <summary>Keeps what a reader found, unless a commit touched it since <see cref="Find"/>, or was about to.</summary>
    public void Keep(Row row, int turn)
    {
        lock (_rows)
            if (turn % 2 == 0 && _turns[Turn(row.At)] == turn) Add(row);
    }

    /// <summary>Before a commit. Only the writer's thread comes here, and calls <see cref="Committed"/> with the same changes next.</summary>
    public void Committing(List<RowChange> changes)
    {
        lock (_rows)
        {
            foreach (var change in changes)
            {
                _committing.Add(Turn(change.At));
                if (_rows.Remove(change.At, out var node))
                {
                    Forget(node);
                    _returning.Add(change.At);
                }
            }
            // Odd while its rows are committed.
            foreach (var turn in _committing) _turns[turn]++;
        }
    }

    /// <summary>After the commit.</summary>
    /// <param name="changes">Those of <see cref="Committing"/>, in the order in which they were made.</param>
    /// <param name="succeeded">Otherwise only the file knows what stands there now.</param>
    public void Committed(List<RowChange> changes, bool succeeded)
    {
        lock (_rows)
        {
            foreach (var turn in _committing) _turns[turn]++;
            _committing.Clear();
            if (succeeded)
                foreach (var change in changes)
                    if (_returning.Contains(change.At)) Set(change);
            _returning.Clear();
        }
    }

    private void Set(RowChange change)
    {
        // Changed several times within one commit: the last counts.
        if (_rows.Remove(change.At, out var earlier)) Forget(earlier);
        if (change.After is { } row) Add(row);
    }

    private void Add(Row row)
    {
        if (_rows.TryGetValue(row.At, out var known)) Forget(known);
        _rows[row.At] = _latestFirst.AddFirst(row);
        _bytes += Bytes(row);
        while (_bytes > mostBytes && _latestFirst.Last is { } oldest)
        {
            _rows.Remove(oldest.Value.At);
            Forget(oldest);
        }
    }

    private void Forget(LinkedListNode<Row> node)
    {
        _latestFirst.Remove(node);
        _bytes -= Bytes(node.Value);
    }

    private int Turn(RowKey key) => (int)((uint)key.GetHashCode() % (uint)_turns.Length);

    private static long Bytes(Row row) => row.Body.Length + (2L * row.At.Key.Length) + Overhead;
}

/// <summary>A row as a commit leaves it.</summary>
/// <param name="At">Where it stands.</param>
/// <param name="After">As it is then; null where it is gone.</param>
internal readonly record struct RowChange(RowKey At, Row? After);
