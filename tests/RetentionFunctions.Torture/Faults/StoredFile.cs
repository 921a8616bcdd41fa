using System.Globalization;
using Microsoft.Data.Sqlite;
using RetentionFunctions.Local.Sqlite;

namespace RetentionFunctions.Torture.Faults;

/// <summary>The data file of a host, read past it.</summary>
internal static class StoredFile
{
    /// <summary>What SQLite says of the whole file: <c>ok</c>.</summary>
    public static string Integrity(string folder) => Read(folder, "PRAGMA integrity_check").Single();

    /// <summary>The first column of what a statement answers.</summary>
    public static List<string> Read(string folder, string sql)
    {
        using var connection = new SqliteConnection(new SqliteConnectionStringBuilder
        {
            DataSource = Path.Combine(folder, "data", SqliteStore.FileName), Mode = SqliteOpenMode.ReadOnly, Pooling = false,
        }.ToString());
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        using var reader = command.ExecuteReader();
        var read = new List<string>();
        while (reader.Read()) read.Add(Convert.ToString(reader.GetValue(0), CultureInfo.InvariantCulture)!);
        return read;
    }
}
