using System.Globalization;
using Microsoft.Data.Sqlite;
using RetentionFunctions.Storage;

namespace RetentionFunctions.Local.Sqlite;

/// <summary>How a <see cref="SqliteStore"/> works; the defaults suit one machine.</summary>
public sealed record SqliteStoreOptions
{
    /// <summary>
    /// Most writes that share one commit. Measured on 2 cores with inbox messages of 3 KB: 16 to a commit 11,000 messages a second, 64: 16,000, 250: 21,000,
    /// 2,000: 24,000; one each: 1,900. Beyond some hundreds little is gained, and the first of a group only waits longer.
    /// </summary>
    public int MostInOneCommit { get; init; } = 512;

    /// <summary>How many reads may run at once.</summary>
    public int Readers { get; init; } = Math.Clamp(2 * Environment.ProcessorCount, 4, 16);

    /// <summary>How much memory rows may take that were asked for lately, in bytes: some ten thousand customers'.</summary>
    public long CacheBytes { get; init; } = 32 * 1024 * 1024;

    /// <summary>How long another program (a database browser, say) may hold the file before a call gives up. Whole seconds, at least 1.</summary>
    public TimeSpan BusyTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>False only for the demo and in tests of something else: a killed process still loses nothing then, a power cut may.</summary>
    internal bool SurvivesPowerCut { get; init; } = true;
}

/// <summary>
/// The one data file of the local host, <c>retention.db</c> in the data folder: SQLite in WAL mode with <c>synchronous=FULL</c>, so that what was
/// acknowledged survives a power cut. One process at a time. All writes go through one thread, which commits those that wait together and answers
/// them only then; reads have connections of their own and see everything that was answered before they began.
/// </summary>
public sealed class SqliteStore : IAsyncDisposable
{
    /// <summary>The name of the data file.</summary>
    public const string FileName = "retention.db";

    private const string LockName = "retention.lock";

    private readonly SqliteStoreOptions _options;
    private readonly FileStream _lock;
    private readonly SqliteWriterThread _writer;
    private readonly SemaphoreSlim _readSlots;
    private readonly Stack<SqliteReader> _idleReaders = new();
    private int _closing;
    private volatile bool _closed;

    private SqliteStore(string folder, SqliteStoreOptions options, FileStream held, SqliteWriter writer, NumberSource numbers)
    {
        Folder = folder;
        _options = options;
        _lock = held;
        _readSlots = new SemaphoreSlim(options.Readers);
        Rows = new RowCache(options.CacheBytes);
        _writer = new SqliteWriterThread(writer, () => OpenWriter(folder, options, numbers), Rows, options.MostInOneCommit);
    }

    /// <summary>The rows that are in memory.</summary>
    internal RowCache Rows { get; }

    /// <summary>The data folder, as a full path.</summary>
    public string Folder { get; }

    /// <summary>How many transactions were committed since the store was opened: less than the writes, where writes shared one.</summary>
    public long Commits => _writer.Commits;

    /// <summary>Opens the data file in a folder, and makes both where they are missing.</summary>
    /// <exception cref="DataFolderException">The folder is in use, cannot be written to, or holds something else, something newer or something damaged.</exception>
    public static SqliteStore Open(string folder, SqliteStoreOptions? options = null)
    {
        options ??= new SqliteStoreOptions();
        folder = Path.GetFullPath(folder);
        var held = TakeFolder(folder);
        try
        {
            var opening = SqliteSchema.Prepare(folder, () => Connect(folder, options, SqliteOpenMode.ReadWriteCreate), Synchronous(options.SurvivesPowerCut));
            var numbers = new NumberSource(opening);
            return new SqliteStore(folder, options, held, OpenWriter(folder, options, numbers), numbers);
        }
        catch (SqliteException e)
        {
            held.Dispose();
            throw SqliteSchema.CannotOpen(folder, e);
        }
        catch
        {
            held.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Runs a piece of work on the writing connection and returns its result once it is durably committed, together with others that waited.
    /// A piece that throws changes nothing, and its neighbours nothing either. For that it may be run a second time from the state before,
    /// so it must do nothing but read and write through its argument, and must not wait for anything.
    /// </summary>
    /// <exception cref="TransientStorageException">The file was busy, full or failed; the work may be submitted again. If the commit itself failed it may have happened.</exception>
    public Task<T> WriteAsync<T>(Func<SqliteWriter, T> work, CancellationToken cancel = default) => _writer.SubmitAsync(work, cancel);

    /// <summary>
    /// From the next commit on: whether it waits until the disk has it. False only while something is written that can be written again, such as a demo year; a killed
    /// process still loses nothing then.
    /// </summary>
    internal void SurvivePowerCut(bool survives) => _writer.RunFirst(Synchronous(survives));

    /// <summary>Runs a short read on a connection of its own, on the caller's thread. It must not wait for another read or a write.</summary>
    /// <exception cref="TransientStorageException">The file was busy or failed; the read may be tried again.</exception>
    public async Task<T> ReadAsync<T>(Func<SqliteReader, T> read, CancellationToken cancel = default)
    {
        ObjectDisposedException.ThrowIf(_closed, this);
        await _readSlots.WaitAsync(cancel);
        SqliteReader? reader = null;
        var sound = false;
        try
        {
            ObjectDisposedException.ThrowIf(_closed, this);
            lock (_idleReaders) _idleReaders.TryPop(out reader);
            reader ??= new SqliteReader(Connect(Folder, _options, SqliteOpenMode.ReadOnly));
            var result = read(reader);
            sound = true;
            return result;
        }
        catch (SqliteException e) when (SqliteFaults.IsTransient(e))
        {
            throw SqliteFaults.Transient(e);
        }
        finally
        {
            // A connection on which something failed is not used again.
            if (reader is not null && sound) lock (_idleReaders) _idleReaders.Push(reader);
            else reader?.Dispose();
            _readSlots.Release();
        }
    }

    /// <summary>Writes a copy of the whole data file, as it stands at one moment, while the product goes on; over nothing: the path must be free.</summary>
    /// <exception cref="TransientStorageException">The disk is full or busy.</exception>
    public Task CopyAsync(string path, CancellationToken cancel = default) => ReadAsync(reader => reader.Number("VACUUM INTO ?1", path), cancel);

    /// <summary>Commits all that was submitted, folds the write-ahead log into the file, and gives the folder free.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _closing, 1) != 0)
        {
            await _writer.EndedAsync;
            return;
        }
        _writer.Close();
        await _writer.EndedAsync;
        _closed = true;
        // Once all slots are ours no read runs; those that still wait are let in only to be told that the store is closed.
        for (var i = 0; i < _options.Readers; i++) await _readSlots.WaitAsync();
        foreach (var reader in _idleReaders) reader.Dispose();
        _idleReaders.Clear();
        _readSlots.Release(_options.Readers);
        try
        {
            _writer.Checkpoint();
        }
        finally
        {
            _lock.Dispose();
        }
    }

    /// <summary>The operating system frees the lock when the process ends, however it ends; the lock file itself stays.</summary>
    internal static FileStream TakeFolder(string folder)
    {
        try
        {
            // The file holds the data of people: where the folder is made here, only its owner may look into it.
            if (OperatingSystem.IsWindows()) Directory.CreateDirectory(folder);
            else Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            return new FileStream(Path.Combine(folder, LockName), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (UnauthorizedAccessException e)
        {
            throw new DataFolderException($"The data folder '{folder}' cannot be written to; give this user the right to, or name another folder with --data.", e);
        }
        catch (IOException e) when (IsHeldByAnother(e))
        {
            throw new DataFolderException($"The data folder '{folder}' is in use by another running copy of this program; stop that one, or name another folder with --data.", e);
        }
        catch (IOException e)
        {
            throw new DataFolderException($"The data folder '{folder}' cannot be used ({e.Message.TrimEnd('.')}); name another folder with --data.", e);
        }
    }

    // ERROR_SHARING_VIOLATION and ERROR_LOCK_VIOLATION on Windows; EWOULDBLOCK on Linux (11) and macOS (35).
    private static bool IsHeldByAnother(IOException e) =>
        OperatingSystem.IsWindows() ? (e.HResult & 0xFFFF) is 32 or 33 : e.HResult == (OperatingSystem.IsMacOS() ? 35 : 11);

    private static SqliteWriter OpenWriter(string folder, SqliteStoreOptions options, NumberSource numbers)
    {
        var writer = new SqliteWriter(Connect(folder, options, SqliteOpenMode.ReadWrite), numbers);
        writer.Execute(Synchronous(options.SurvivesPowerCut));
        // Every 16 MB rather than every 4 MB: a checkpoint syncs the file twice, and the pages of hot rows then go home once instead of four times.
        writer.Execute(string.Create(CultureInfo.InvariantCulture, $"PRAGMA wal_autocheckpoint={16_000_000 / writer.Number("PRAGMA page_size")}"));
        // A log that grew during a burst is cut back to this afterwards.
        writer.Execute("PRAGMA journal_size_limit=67108864");
        writer.Execute("PRAGMA cache_size=-16384");
        // What is deleted is overwritten: otherwise an erased customer's name stays readable in the free pages of the file. The people of a demo are made up.
        if (options.SurvivesPowerCut) writer.Execute("PRAGMA secure_delete=ON");
        SqliteSchema.PrepareWriter(writer.Connection);
        return writer;
    }

    private static string Synchronous(bool survives) => survives ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=OFF";

    private static SqliteConnection Connect(string folder, SqliteStoreOptions options, SqliteOpenMode mode)
    {
        var connection = new SqliteConnection(new SqliteConnectionStringBuilder
        {
            DataSource = Path.Combine(folder, FileName),
            Mode = mode,
            // The store keeps its own connections; the driver's pool would hold the file open after they are closed.
            Pooling = false,
            DefaultTimeout = Math.Max(1, (int)options.BusyTimeout.TotalSeconds),
        }.ToString());
        try
        {
            connection.Open();
            using var pragma = connection.CreateCommand();
            pragma.CommandText = $"PRAGMA busy_timeout={Math.Max(1, (int)options.BusyTimeout.TotalMilliseconds)}; PRAGMA temp_store=MEMORY;";
            pragma.ExecuteNonQuery();
            return connection;
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }
}

/// <summary>Which errors of SQLite pass by themselves. Source: "Result and Error Codes" of SQLite's documentation.</summary>
internal static class SqliteFaults
{
    // BUSY, LOCKED, NOMEM, INTERRUPT, IOERR, FULL, CANTOPEN (no file handle left), PROTOCOL (a race for the log).
    public static bool IsTransient(Exception e) => e is SqliteException { SqliteErrorCode: 5 or 6 or 7 or 9 or 10 or 13 or 14 or 15 };

    public static TransientStorageException Transient(Exception e) => new($"The data file did not answer as it should: {e.Message}", e);
}
