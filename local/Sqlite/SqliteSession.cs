using System.Globalization;
using System.Runtime.InteropServices;
using Microsoft.Data.Sqlite;

namespace RetentionFunctions.Local.Sqlite;

/// <summary>
/// Reads over one connection, with every statement prepared once. Parameters are <c>$1</c>, <c>$2</c> … in the order of the values: null, text,
/// <see cref="long"/>, <see cref="int"/>, <see cref="bool"/>, <see cref="double"/> or byte[]; times go in as <see cref="Ticks"/>.
/// Lives as long as the call it was handed to, and belongs to that call's thread. Each statement sees what was committed when it began.
/// </summary>
public class SqliteReader : IDisposable
{
    private readonly Dictionary<string, SqliteCommand> _statements = new(StringComparer.Ordinal);

    internal SqliteReader(SqliteConnection connection) => Connection = connection;

    internal SqliteConnection Connection { get; }

    /// <summary>Every row, read by <paramref name="read"/>, which must not run the same statement again.</summary>
    public List<T> List<T>(string sql, Func<SqliteDataReader, T> read, params ReadOnlySpan<object?> values)
    {
        using var rows = Statement(sql, values).ExecuteReader();
        var list = new List<T>();
        while (rows.Read()) list.Add(read(rows));
        return list;
    }

    /// <summary>The first row, or the default where there is none.</summary>
    public T? First<T>(string sql, Func<SqliteDataReader, T> read, params ReadOnlySpan<object?> values)
    {
        using var rows = Statement(sql, values).ExecuteReader();
        return rows.Read() ? read(rows) : default;
    }

    /// <summary>Row by row until <paramref name="read"/> returns false: for reads that stop on what they have seen.</summary>
    public void While(string sql, Func<SqliteDataReader, bool> read, params ReadOnlySpan<object?> values)
    {
        using var rows = Statement(sql, values).ExecuteReader();
        while (rows.Read() && read(rows)) { }
    }

    /// <summary>The number in the first column of the first row, or null where there is no row or no number.</summary>
    public long? Number(string sql, params ReadOnlySpan<object?> values) =>
        Statement(sql, values).ExecuteScalar() is { } value and not DBNull ? Convert.ToInt64(value, CultureInfo.InvariantCulture) : null;

    /// <summary>A time as it is stored: 100 ns since year 1, UTC, so that it comes back exactly and sorts as a number.</summary>
    public static long Ticks(DateTimeOffset at) => at.UtcTicks;

    /// <summary>Takes <see cref="Ticks"/> back.</summary>
    public static DateTimeOffset Time(long ticks) => new(ticks, TimeSpan.Zero);

    /// <summary>The bytes as an array, copied only where they are a part of a larger one: the driver takes nothing else.</summary>
    public static byte[] Bytes(ReadOnlyMemory<byte> body) =>
        MemoryMarshal.TryGetArray(body, out var part) && part.Array is { } whole && part.Offset == 0 && part.Count == whole.Length ? whole : body.ToArray();

    /// <summary>Closes the statements and the connection.</summary>
    public void Dispose()
    {
        foreach (var statement in _statements.Values) statement.Dispose();
        _statements.Clear();
        Connection.Dispose();
        GC.SuppressFinalize(this);
    }

    internal SqliteCommand Statement(string sql, params ReadOnlySpan<object?> values)
    {
        if (!_statements.TryGetValue(sql, out var statement))
        {
            statement = Connection.CreateCommand();
            statement.CommandText = sql;
            for (var i = 1; i <= values.Length; i++) statement.Parameters.Add(new SqliteParameter("$" + i.ToString(CultureInfo.InvariantCulture), null));
            _statements.Add(sql, statement);
        }
        for (var i = 0; i < values.Length; i++) statement.Parameters[i].Value = values[i] ?? DBNull.Value;
        return statement;
    }
}

/// <summary>Writes over the one writing connection, inside a transaction that the store shares among all who wait.</summary>
public sealed class SqliteWriter : SqliteReader
{
    private readonly NumberSource _numbers;

    internal SqliteWriter(SqliteConnection connection, NumberSource numbers) : base(connection) => _numbers = numbers;

    /// <summary>Runs a statement and says how many rows it changed.</summary>
    public int Execute(string sql, params ReadOnlySpan<object?> values) => Statement(sql, values).ExecuteNonQuery();

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
