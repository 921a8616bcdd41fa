using RetentionFunctions.Local.Sqlite;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.Tests.Storage;

/// <summary>A SQLite store in a folder of its own, which can be closed and opened again. Without options it does not wait for the disk, to be quick.</summary>
internal sealed class SqliteFixture(SqliteStoreOptions? options = null) : IAsyncDisposable
{
    private readonly TempFolder _folder = new();
    private SqliteStore? _store;

    public string Folder => _folder.Path;

    // Tests with many callers come here at once.
    public SqliteStore Store
    {
        get { lock (_folder) return _store ??= SqliteStore.Open(_folder.Path, options ?? new SqliteStoreOptions { SurvivesPowerCut = false }); }
    }

    public async Task<SqliteStore> ReopenAsync()
    {
        if (_store is not null) await _store.DisposeAsync();
        _store = null;
        return Store;
    }

    public async ValueTask DisposeAsync()
    {
        if (_store is not null) await _store.DisposeAsync();
        _folder.Dispose();
    }
}
