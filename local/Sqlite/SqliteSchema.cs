using Microsoft.Data.Sqlite;

namespace RetentionFunctions.Local.Sqlite;

/// <summary>What is in the data file, and whose file it is. A stored format: a change needs a new <see cref="Version"/> and a step that leads there.</summary>
internal static class SqliteSchema
{
    /// <summary>"RtFn", in the header of the file, so that another program's database is never mistaken for ours.</summary>
    public const int ApplicationId = 0x5274466E;

    /// <summary>The version of the tables below.</summary>
    public const int Version = 2;

    // A message of the inbox has about 3 KB, so five of them go to a page instead of one: 18,300 acknowledged webhooks a second instead of 16,400 (two rounds each, see
    // docs/measured.md). Files of version 1 keep their 4 KB.
    private const int PageBytes = 16 * 1024;

    // rows: the body stands in the order of its first writing and only the key is in the index. With the body inside the index (WITHOUT ROWID),
    //   batching gains nothing, because every row then lands on a page of its own: three times slower to write, measured.
    // inbox: appended to and read in order of seq; sessions are kept apart in memory (SessionOrder), so that receiving pays for no second index. Nor for one of the
    //   ids: they come at random, so that each message would write a page of the index beside its own (version 1 did). They are in a table of the writing
    //   connection's own, in memory (Queued), which takes part in its transactions.
    // The numbers etag, seq and version all come from SqliteWriter.NextNumber.
    private const string Tables = """
        CREATE TABLE meta(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
        INSERT INTO meta(name, value) VALUES ('openings', 0);

        CREATE TABLE rows(id INTEGER PRIMARY KEY, partition TEXT NOT NULL, key TEXT NOT NULL, etag INTEGER NOT NULL, body BLOB NOT NULL);
        CREATE UNIQUE INDEX rows_by_key ON rows(partition, key);

        CREATE TABLE inbox(seq INTEGER PRIMARY KEY, session TEXT NOT NULL, id TEXT NOT NULL, kind TEXT NOT NULL, received_at INTEGER NOT NULL,
            attempts INTEGER NOT NULL, not_before INTEGER, body_stored INTEGER NOT NULL, body BLOB NOT NULL);
        CREATE INDEX inbox_delayed ON inbox(not_before) WHERE not_before IS NOT NULL;

        CREATE TABLE due(run_id TEXT PRIMARY KEY, due_at INTEGER NOT NULL, version INTEGER NOT NULL) WITHOUT ROWID;
        CREATE INDEX due_by_time ON due(due_at, run_id);

        CREATE TABLE outbox(seq INTEGER PRIMARY KEY, id TEXT NOT NULL, sent_at INTEGER NOT NULL, email TEXT NOT NULL);
        CREATE UNIQUE INDEX outbox_by_id ON outbox(id);
        """;

    // The trigger: whoever takes a message out of the inbox, and however, takes out its id too.
    private const string Queued = """
        CREATE TEMP TABLE queued(id TEXT PRIMARY KEY) WITHOUT ROWID;
        INSERT INTO queued(id) SELECT id FROM inbox;
        CREATE TEMP TRIGGER inbox_left AFTER DELETE ON inbox BEGIN DELETE FROM queued WHERE id = old.id; END;
        """;

    /// <summary>Makes what the writing connection has in memory: <c>queued</c>, the ids of the inbox.</summary>
    public static void PrepareWriter(SqliteConnection writer)
    {
        using var command = writer.CreateCommand();
        command.CommandText = Queued;
        command.ExecuteNonQuery();
    }

    /// <summary>Makes the tables where the file is new, checks whose it is where not, and returns how often it was opened, this time included.</summary>
    public static long Prepare(string folder, Func<SqliteConnection> connect, string synchronous)
    {
        using var file = new SqliteReader(connect());
        var application = file.Number("PRAGMA application_id");
        var version = file.Number("PRAGMA user_version");
        var empty = file.Number("SELECT count(*) FROM sqlite_master") == 0;
        var path = Path.Combine(folder, SqliteStore.FileName);
        if (application != ApplicationId && !(application == 0 && empty))
            throw new DataFolderException($"The file '{path}' is the database of another program; move it away, or name another folder with --data.");
        if (!empty && version > Version)
            throw new DataFolderException($"The file '{path}' was written by a newer version of this program (data version {version}, this one knows {Version}); update the program, or name another folder with --data.");
        if (!empty && version is not (1 or Version))
            throw new DataFolderException($"The file '{path}' has the data version {version}, which this program cannot read; name another folder with --data.");

        file.First(synchronous, _ => true);
        if (empty) file.First(Invariant($"PRAGMA page_size={PageBytes}"), _ => true);
        file.First("PRAGMA journal_mode=WAL", _ => true);
        using var transaction = file.Connection.BeginTransaction();
        Run(Invariant($"PRAGMA application_id={ApplicationId}; PRAGMA user_version={Version};"));
        if (empty) Run(Tables);
        else if (version == 1) Run("DROP INDEX inbox_by_id");
        Run("UPDATE meta SET value = value + 1 WHERE name = 'openings'");
        using var openings = file.Connection.CreateCommand();
        openings.CommandText = "SELECT value FROM meta WHERE name = 'openings'";
        openings.Transaction = transaction;
        var opening = openings.ExecuteScalar() as long?
            ?? throw new DataFolderException($"The file '{path}' is damaged: it does not say how often it was opened; put back a copy, or name another folder with --data.");
        transaction.Commit();
        return opening;

        void Run(string sql)
        {
            using var command = file.Connection.CreateCommand();
            command.CommandText = sql;
            command.Transaction = transaction;
            command.ExecuteNonQuery();
        }
    }

    /// <summary>The sentence for an error of SQLite at opening.</summary>
    public static DataFolderException CannotOpen(string folder, SqliteException e)
    {
        var path = Path.Combine(folder, SqliteStore.FileName);
        return new DataFolderException(e.SqliteErrorCode switch
        {
            // CORRUPT, NOTADB; ERROR where a table is missing.
            1 or 11 or 26 => $"The file '{path}' is damaged or is no database; put back a copy, or name another folder with --data.",
            5 or 6 => $"The file '{path}' is held by another program; close that one, or name another folder with --data.",
            3 or 8 or 14 or 23 => $"The file '{path}' cannot be written to; give this user the right to, or name another folder with --data.",
            // With no space at all the log's index cannot even be made, which SQLite tells as an error of the disk.
            13 or 10 when e.SqliteErrorCode == 13 || IsFull(folder) => $"There is no space left on the disk for '{path}'; make some, or name another folder with --data.",
            _ => $"The file '{path}' cannot be opened ({e.Message.TrimEnd('.')}); name another folder with --data.",
        }, e);
    }

    private static bool IsFull(string folder)
    {
        try
        {
            return new DriveInfo(folder).AvailableFreeSpace < 1024 * 1024;
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return false;
        }
    }

    private static string Invariant(FormattableString text) => FormattableString.Invariant(text);
}
