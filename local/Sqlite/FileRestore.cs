using System.Globalization;
using Microsoft.Data.Sqlite;

namespace RetentionFunctions.Local.Sqlite;

/// <summary>Puts a backup in the place of the data file, before the host starts. The file that stood there is kept beside it under another name.</summary>
public static class FileRestore
{
    // The data file and what SQLite keeps beside it.
    private static readonly string[] Parts = ["", "-wal", "-shm"];

    /// <summary>Does it.</summary>
    /// <param name="folder">The data folder; made where it is missing.</param>
    /// <param name="backup">A data file of this product.</param>
    /// <param name="now">For the name of the file that stood there.</param>
    /// <returns>Where the file that stood there is kept; null where there was none.</returns>
    /// <exception cref="DataFolderException">The backup is none, is damaged or newer than this program, or the folder is in use. Nothing was changed then.</exception>
    public static string? Run(string folder, string backup, DateTimeOffset now)
    {
        folder = Path.GetFullPath(folder);
        backup = Path.GetFullPath(backup);
        if (!File.Exists(backup)) throw new DataFolderException($"There is no backup '{backup}'.{Others(folder)}");
        Check(backup);
        using var held = SqliteStore.TakeFolder(folder);
        var data = Path.Combine(folder, SqliteStore.FileName);
        var fresh = data + ".restoring";
        File.Copy(backup, fresh, overwrite: true);
        string? kept = null;
        // Also where only the log stands: a restore that broke off here left it, and SQLite would play it into the backup.
        if (Parts.Any(part => File.Exists(data + part)))
        {
            kept = Path.Combine(folder, $"retention-replaced-{now.UtcDateTime.ToString("yyyy-MM-dd-HHmm-ss", CultureInfo.InvariantCulture)}.db");
            foreach (var part in Parts)
                if (File.Exists(data + part)) File.Move(data + part, kept + part, overwrite: true);
        }
        File.Move(fresh, data);
        return kept;
    }

    private static void Check(string backup)
    {
        try
        {
            // Not beside a write-ahead log: a backup has none, and a data file that is in use must not be taken for one.
            if (File.Exists(backup + "-wal")) throw new DataFolderException($"'{backup}' is a data file in use, or one that was not closed; a backup stands alone.");
            using var file = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = backup, Mode = SqliteOpenMode.ReadOnly, Pooling = false }.ToString());
            file.Open();
            using var reader = new SqliteReader(file);
            if (reader.Number("PRAGMA application_id") != SqliteSchema.ApplicationId) throw new DataFolderException($"'{backup}' is no backup of this program.");
            if (reader.Number("PRAGMA user_version") is { } version && version > SqliteSchema.Version)
                throw new DataFolderException($"'{backup}' was written by a newer version of this program (data version {version}, this one knows {SqliteSchema.Version}); update the program.");
            if (reader.First("PRAGMA integrity_check", row => row.Text(0)) is var said && said != "ok") throw new DataFolderException($"'{backup}' is damaged ({said}); choose another backup.");
        }
        catch (SqliteException e)
        {
            throw new DataFolderException($"'{backup}' is damaged or is no backup ({e.Message.TrimEnd('.')}); choose another one.", e);
        }
    }

    private static string Others(string folder) => FileBackup.List(folder) is { Count: > 0 } there ? $" The folder has: {string.Join(", ", there.Select(f => f.FullName))}." : "";
}
