using System.Text;
using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace RetentionFunctions.Local.Sqlite;

/// <summary>One row of a result, while it is read: it belongs to the statement, and is gone with the next row.</summary>
public readonly struct SqliteRow
{
    private readonly sqlite3_stmt _statement;

    internal SqliteRow(sqlite3_stmt statement) => _statement = statement;

    /// <summary>Whether there is nothing in a column.</summary>
    public bool IsNull(int column) => raw.sqlite3_column_type(_statement, column) == raw.SQLITE_NULL;

    /// <summary>A text.</summary>
    public string Text(int column) => Encoding.UTF8.GetString(raw.sqlite3_column_blob(_statement, column));

    /// <summary>A number.</summary>
    public long Number(int column) => raw.sqlite3_column_int64(_statement, column);

    /// <summary>Bytes, copied.</summary>
    public byte[] Bytes(int column) => raw.sqlite3_column_blob(_statement, column).ToArray();

    /// <summary>A time as <see cref="SqliteReader.Ticks"/> stored it; null where there is none.</summary>
    public DateTimeOffset? Time(int column) => IsNull(column) ? null : SqliteReader.Time(Number(column));
}

/// <summary>
/// Reads over one connection, with every statement prepared once. Parameters are <c>?1</c>, <c>?2</c> … in the order of the values: null, text,
/// <see cref="long"/>, <see cref="int"/>, <see cref="bool"/>, <see cref="double"/> or bytes; times go in as <see cref="Ticks"/>.
/// Lives as long as the call it was handed to, and belongs to that call's thread. Each statement sees what was committed when it began.
/// Statements are SQLite's own: through commands, parameters and readers of ADO.NET each of the many small ones took two to three times as long.
/// </summary>
public class SqliteReader : IDisposable
{
    private readonly Dictionary<string, sqlite3_stmt> _statements = new(StringComparer.Ordinal);

    internal SqliteReader(SqliteConnection connection)
    {
        Connection = connection;
        Database = connection.Handle ?? throw new InvalidOperationException("The connection is not open.");
    }

    internal SqliteConnection Connection { get; }

    private protected sqlite3 Database { get; }

    /// <summary>Every row, read by <paramref name="read"/>, which must not run the same statement again.</summary>
    public List<T> List<T>(string sql, Func<SqliteRow, T> read, params ReadOnlySpan<object?> values)
    {
        var list = new List<T>();
        var statement = Bound(sql, values);
        try
        {
            while (Step(statement)) list.Add(read(new SqliteRow(statement)));
        }
        finally
        {
            raw.sqlite3_reset(statement);
        }
        return list;
    }

    /// <summary>The first row, or the default where there is none.</summary>
    public T? First<T>(string sql, Func<SqliteRow, T> read, params ReadOnlySpan<object?> values)
    {
        var statement = Bound(sql, values);
        try
        {
            return Step(statement) ? read(new SqliteRow(statement)) : default;
        }
        finally
        {
            raw.sqlite3_reset(statement);
        }
    }

    /// <summary>Row by row until <paramref name="read"/> returns false: for reads that stop on what they have seen.</summary>
    public void While(string sql, Func<SqliteRow, bool> read, params ReadOnlySpan<object?> values)
    {
        var statement = Bound(sql, values);
        try
        {
            while (Step(statement) && read(new SqliteRow(statement))) { }
        }
        finally
        {
            raw.sqlite3_reset(statement);
        }
    }

    /// <summary>The number in the first column of the first row, or null where there is no row or no number.</summary>
    public long? Number(string sql, params ReadOnlySpan<object?> values) => First(sql, row => row.IsNull(0) ? (long?)null : row.Number(0), values);

    /// <summary>A time as it is stored: 100 ns since year 1, UTC, so that it comes back exactly and sorts as a number.</summary>
    public static long Ticks(DateTimeOffset at) => at.UtcTicks;

    /// <summary>Takes <see cref="Ticks"/> back.</summary>
    public static DateTimeOffset Time(long ticks) => new(ticks, TimeSpan.Zero);

    /// <summary>Closes the statements and the connection.</summary>
    public void Dispose()
    {
        foreach (var statement in _statements.Values) statement.Dispose();
        _statements.Clear();
        Connection.Dispose();
        GC.SuppressFinalize(this);
    }

    private protected bool Step(sqlite3_stmt statement)
    {
        var code = raw.sqlite3_step(statement);
        if (code == raw.SQLITE_ROW) return true;
        if (code != raw.SQLITE_DONE) SqliteException.ThrowExceptionForRC(code, Database);
        return false;
    }

    private protected sqlite3_stmt Bound(string sql, ReadOnlySpan<object?> values)
    {
        if (!_statements.TryGetValue(sql, out var statement))
        {
            SqliteException.ThrowExceptionForRC(raw.sqlite3_prepare_v3(Database, sql, raw.SQLITE_PREPARE_PERSISTENT, out statement), Database);
            _statements.Add(sql, statement);
        }
        for (var i = 0; i < values.Length; i++)
            SqliteException.ThrowExceptionForRC(values[i] switch
            {
                null => raw.sqlite3_bind_null(statement, i + 1),
                string text => BindText(statement, i + 1, text),
                long number => raw.sqlite3_bind_int64(statement, i + 1, number),
                int number => raw.sqlite3_bind_int64(statement, i + 1, number),
                bool flag => raw.sqlite3_bind_int64(statement, i + 1, flag ? 1 : 0),
                double number => raw.sqlite3_bind_double(statement, i + 1, number),
                // Nothing at all would be bound as null.
                ReadOnlyMemory<byte> { Length: 0 } => raw.sqlite3_bind_zeroblob(statement, i + 1, 0),
                ReadOnlyMemory<byte> bytes => raw.sqlite3_bind_blob(statement, i + 1, bytes.Span),
                var other => throw new ArgumentException($"A parameter of the type {other.GetType().Name} is not known.", nameof(values)),
            }, Database);
        return statement;
    }

    // By its length: a text that is given as C has it ends with the first NUL in it. One without any bytes would be bound as null.
    private static int BindText(sqlite3_stmt statement, int at, string text)
    {
        if (text.Length == 0) return raw.sqlite3_bind_text(statement, at, "");
        const int OnStack = 512;
        var most = Encoding.UTF8.GetMaxByteCount(text.Length);
        Span<byte> bytes = most <= OnStack ? stackalloc byte[OnStack] : new byte[most];
        return raw.sqlite3_bind_text(statement, at, bytes[..Encoding.UTF8.GetBytes(text, bytes)]);
    }
}

/// <summary>Writes over the one writing connection, inside a transaction that the store shares among all who wait.</summary>
public sealed class SqliteWriter : SqliteReader
{
    private readonly NumberSource _numbers;

    internal SqliteWriter(SqliteConnection connection, NumberSource numbers) : base(connection) => _numbers = numbers;

    /// <summary>The rows that this transaction changed so far, for <see cref="RowCache"/>: whoever changes one adds it.</summary>
    internal List<RowChange> Changes { get; } = [];

    /// <summary>Runs a statement and says how many rows it changed.</summary>
    public int Execute(string sql, params ReadOnlySpan<object?> values)
    {
        var statement = Bound(sql, values);
        try
        {
            // What a statement answers (a pragma does) is not asked for here.
            while (Step(statement)) { }
            return raw.sqlite3_changes(Database);
        }
        finally
        {
            raw.sqlite3_reset(statement);
        }
    }

    /// <summary>A number greater than every earlier one of this file, also of earlier runs of the program: for ETags, versions and the order of queues. Never the same twice.</summary>
    public long NextNumber() => _numbers.Next();
}

/// <summary>
/// Rising numbers without a write for each: the high bits are how often the file was opened (written once, at opening), the low 40 bits count
/// within that run. 2^40 writes would take a year at 30,000 a second; 2^23 openings are more than a lifetime's.
/// </summary>
internal sealed class NumberSource(long opening)
{
    private long _last = opening << 40;

    // Only the writer's thread comes here.
    public long Next() => ++_last;
}
