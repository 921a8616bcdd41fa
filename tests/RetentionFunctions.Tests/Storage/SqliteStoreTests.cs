using Microsoft.Data.Sqlite;
using RetentionFunctions.Local.Sqlite;
using RetentionFunctions.Storage;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.Tests.Storage;

public sealed class SqliteStoreTests : IAsyncDisposable
{
    private const string Table = "CREATE TABLE things(name TEXT PRIMARY KEY)";

    // As the program opens it.
    private readonly SqliteFixture _sqlite = new(new SqliteStoreOptions());

    private SqliteStore Store => _sqlite.Store;

    private Task AddAsync(string name) => Store.WriteAsync(writer => writer.Execute("INSERT INTO things(name) VALUES ($1)", name));

    private Task<List<string>> ThingsAsync() => Store.ReadAsync(reader => reader.List("SELECT name FROM things ORDER BY name", row => row.Text(0)));

    /// <summary>Holds the writer up, so that all that is submitted meanwhile waits for the same commit.</summary>
    private async Task WhileTheWriterIsHeldAsync(Action submit)
    {
        var begun = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var gate = new ManualResetEventSlim();
        var held = Store.WriteAsync(writer =>
        {
            begun.SetResult();
            return gate.Wait(TimeSpan.FromSeconds(30));
        });
        await begun.Task;
        submit();
        gate.Set();
        Assert.True(await held);
    }

    [Fact]
    public async Task What_was_answered_is_seen_by_the_next_read_and_is_there_after_a_restart()
    {
        await Store.WriteAsync(writer => writer.Execute(Table));
        await AddAsync("a");
        Assert.Equal(["a"], await ThingsAsync());
        await _sqlite.ReopenAsync();
        Assert.Equal(["a"], await ThingsAsync());
    }

    [Fact]
    public async Task After_closing_all_is_in_the_one_file_and_the_log_is_gone()
    {
        await Store.WriteAsync(writer => writer.Execute(Table));
        Assert.Equal(["retention.db", "retention.db-shm", "retention.db-wal", "retention.lock"], Directory.GetFiles(_sqlite.Folder).Select(Path.GetFileName).Order());
        await Store.DisposeAsync();
        Assert.Equal(["retention.db", "retention.lock"], Directory.GetFiles(_sqlite.Folder).Select(Path.GetFileName).Order());
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3_000)]
    public async Task What_was_deleted_cannot_be_read_from_the_bytes_of_the_file(int times)
    {
        await Store.WriteAsync(writer => writer.Execute(Table));
        await AddAsync("bob@example.com");
        await AddAsync(string.Concat(Enumerable.Repeat("ada@example.com ", times)));
        await _sqlite.ReopenAsync();
        await Store.WriteAsync(writer => writer.Execute("DELETE FROM things WHERE name LIKE 'ada%'"));
        await Store.DisposeAsync();
        var bytes = System.Text.Encoding.Latin1.GetString(await File.ReadAllBytesAsync(Path.Combine(_sqlite.Folder, "retention.db")));
        Assert.Contains("bob@example.com", bytes);
        Assert.DoesNotContain("ada@example.com", bytes);
    }

    [Fact]
    public async Task The_file_syncs_every_commit_to_the_disk()
    {
        Assert.Equal(2, await Store.WriteAsync(writer => writer.Number("PRAGMA synchronous")));
        Assert.Equal("wal", await Store.WriteAsync(writer => writer.First("PRAGMA journal_mode", row => row.Text(0))));
    }

    [Fact]
    public async Task A_thousand_waiting_writes_share_two_commits()
    {
        await Store.WriteAsync(writer => writer.Execute(Table));
        var before = Store.Commits;
        var writes = new List<Task>();
        await WhileTheWriterIsHeldAsync(() => writes.AddRange(Enumerable.Range(0, 1000).Select(i => AddAsync($"{i:D4}"))));
        await Task.WhenAll(writes);
        Assert.Equal(1000, (await ThingsAsync()).Count);
        // One for the write that held the others up, then 512 and 488.
        Assert.Equal(3, Store.Commits - before);
    }

    [Fact]
    public async Task Writes_that_come_at_once_share_commits_without_anybody_arranging_it()
    {
        await Store.WriteAsync(writer => writer.Execute(Table));
        var before = Store.Commits;
        await Task.WhenAll(Enumerable.Range(0, 1000).Select(i => AddAsync($"{i:D4}")));
        Assert.Equal(1000, (await ThingsAsync()).Count);
        Assert.InRange(Store.Commits - before, 1, 500);
    }

    [Fact]
    public async Task A_piece_of_work_that_throws_changes_nothing_and_does_not_hurt_its_neighbours()
    {
        await Store.WriteAsync(writer => writer.Execute(Table));
        Task thrown = Task.CompletedTask, constraint = Task.CompletedTask;
        var sound = new List<Task>();
        await WhileTheWriterIsHeldAsync(() =>
        {
            sound.Add(AddAsync("a"));
            thrown = Store.WriteAsync<int>(writer =>
            {
                writer.Execute("INSERT INTO things(name) VALUES ('half')");
                throw new FormatException("bad");
            });
            sound.Add(AddAsync("b"));
            constraint = Store.WriteAsync(writer => writer.Execute("INSERT INTO things(name) VALUES ('also half')") + writer.Execute("INSERT INTO things(name) VALUES ('a')"));
            sound.Add(AddAsync("c"));
        });
        await Task.WhenAll(sound);
        Assert.Equal("bad", (await Assert.ThrowsAsync<FormatException>(() => thrown)).Message);
        await Assert.ThrowsAsync<SqliteException>(() => constraint);
        Assert.Equal(["a", "b", "c"], await ThingsAsync());
    }

    [Fact]
    public async Task A_lone_piece_of_work_that_throws_changes_nothing_and_the_next_goes_through()
    {
        await Store.WriteAsync(writer => writer.Execute(Table));
        await Assert.ThrowsAsync<FormatException>(() => Store.WriteAsync<int>(writer => writer.Execute("INSERT INTO things(name) VALUES ('half')") == 1 ? throw new FormatException() : 0));
        await AddAsync("a");
        Assert.Equal(["a"], await ThingsAsync());
    }

    [Fact]
    public async Task A_full_disk_is_told_as_transient_to_all_who_shared_the_commit_and_passes()
    {
        await Store.WriteAsync(writer => writer.Execute("CREATE TABLE blobs(body BLOB)"));
        // The same error as a full disk gives, made by a limit that the connection forgets.
        await Store.WriteAsync(writer => writer.Execute("PRAGMA max_page_count=40"));
        Task<int> small = Task.FromResult(0), large = Task.FromResult(0);
        await WhileTheWriterIsHeldAsync(() =>
        {
            small = Store.WriteAsync(writer => writer.Execute("INSERT INTO blobs(body) VALUES (zeroblob(10))"));
            large = Store.WriteAsync(writer => writer.Execute("INSERT INTO blobs(body) VALUES (zeroblob(1000000))"));
        });
        await Assert.ThrowsAsync<TransientStorageException>(() => small);
        await Assert.ThrowsAsync<TransientStorageException>(() => large);
        Assert.Equal(0, await Store.ReadAsync(reader => reader.Number("SELECT count(*) FROM blobs")));
        Assert.Equal(1, await Store.WriteAsync(writer => writer.Execute("INSERT INTO blobs(body) VALUES (zeroblob(1000000))")));
        Assert.Equal(1, await Store.ReadAsync(reader => reader.Number("SELECT count(*) FROM blobs")));
    }

    [Fact]
    public async Task A_file_held_by_another_program_is_told_as_transient_and_passes()
    {
        await using var impatient = new SqliteFixture(new SqliteStoreOptions { BusyTimeout = TimeSpan.FromMilliseconds(1) });
        await impatient.Store.WriteAsync(writer => writer.Execute(Table));
        using (var browser = new SqliteConnection($"Data Source={Path.Combine(impatient.Folder, SqliteStore.FileName)};Pooling=False"))
        {
            browser.Open();
            using var hold = browser.CreateCommand();
            hold.CommandText = "BEGIN IMMEDIATE";
            hold.ExecuteNonQuery();
            await Assert.ThrowsAsync<TransientStorageException>(() => impatient.Store.WriteAsync(writer => writer.Execute("INSERT INTO things(name) VALUES ('a')")));
        }
        Assert.Equal(1, await impatient.Store.WriteAsync(writer => writer.Execute("INSERT INTO things(name) VALUES ('a')")));
    }

    [Fact]
    public async Task A_write_given_up_while_it_waits_is_not_made()
    {
        await Store.WriteAsync(writer => writer.Execute(Table));
        using var given = new CancellationTokenSource();
        Task<int> up = Task.FromResult(0);
        await WhileTheWriterIsHeldAsync(() =>
        {
            up = Store.WriteAsync(writer => writer.Execute("INSERT INTO things(name) VALUES ('a')"), given.Token);
            given.Cancel();
        });
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => up);
        Assert.Empty(await ThingsAsync());
    }

    [Fact]
    public async Task Closing_commits_all_that_was_submitted_and_then_takes_no_more()
    {
        await Store.WriteAsync(writer => writer.Execute(Table));
        var closed = Store;
        var closing = ValueTask.CompletedTask;
        var writes = new List<Task>();
        await WhileTheWriterIsHeldAsync(() =>
        {
            writes.AddRange(Enumerable.Range(0, 600).Select(i => AddAsync($"{i:D4}")));
            closing = closed.DisposeAsync();
        });
        await Task.WhenAll(writes);
        await closing;
        await closed.DisposeAsync();
        Assert.Throws<ObjectDisposedException>(() => { _ = closed.WriteAsync(writer => 1); });
        await Assert.ThrowsAsync<ObjectDisposedException>(() => closed.ReadAsync(reader => 1));
        await _sqlite.ReopenAsync();
        Assert.Equal(600, (await ThingsAsync()).Count);
    }

    [Fact]
    public async Task Reads_go_on_while_a_write_is_under_way_and_see_the_last_commit()
    {
        await Store.WriteAsync(writer => writer.Execute(Table));
        await AddAsync("a");
        var seen = new List<string>();
        await Store.WriteAsync(writer =>
        {
            writer.Execute("INSERT INTO things(name) VALUES ('b')");
            seen.AddRange(ThingsAsync().GetAwaiter().GetResult());
            return 0;
        });
        Assert.Equal(["a"], seen);
        Assert.Equal(["a", "b"], await ThingsAsync());
    }

    [Fact]
    public async Task More_reads_at_once_than_connections_wait_for_each_other()
    {
        await Store.WriteAsync(writer => writer.Execute(Table));
        var counts = await Task.WhenAll(Enumerable.Range(0, 200).Select(_ => Task.Run(() => Store.ReadAsync(reader => reader.Number("SELECT count(*) FROM things")))));
        Assert.All(counts, count => Assert.Equal(0, count));
    }

    [Fact]
    public void A_second_program_on_the_same_folder_is_told_so_in_a_plain_sentence()
    {
        _ = Store;
        var refused = Assert.Throws<DataFolderException>(() => SqliteStore.Open(_sqlite.Folder));
        Assert.Equal($"The data folder '{_sqlite.Folder}' is in use by another running copy of this program; stop that one, or name another folder with --data.", refused.Message);
    }

    [Fact]
    public async Task A_folder_is_free_again_after_closing_and_after_a_refused_opening()
    {
        await Store.DisposeAsync();
        await using (SqliteStore.Open(_sqlite.Folder)) { }
        var file = Path.Combine(_sqlite.Folder, SqliteStore.FileName);
        var good = await File.ReadAllBytesAsync(file);
        await File.WriteAllTextAsync(file, new string('?', 5000));
        Assert.Throws<DataFolderException>(() => SqliteStore.Open(_sqlite.Folder));
        await File.WriteAllBytesAsync(file, good);
        await using (SqliteStore.Open(_sqlite.Folder)) { }
    }

    public static TheoryData<string, string> Unusable => new()
    {
        { "PRAGMA user_version=3", "newer version" },
        { "PRAGMA user_version=0", "data version 0" },
        { "PRAGMA application_id=7", "another program" },
        { "DROP TABLE meta", "damaged" },
        { "DELETE FROM meta", "damaged" },
    };

    [Theory, MemberData(nameof(Unusable))]
    public async Task A_file_that_is_not_ours_or_not_of_this_version_is_refused_and_left_alone(string change, string sentence)
    {
        await Store.WriteAsync(writer => writer.Execute(change));
        await Store.DisposeAsync();
        var file = Path.Combine(_sqlite.Folder, SqliteStore.FileName);
        var before = await File.ReadAllBytesAsync(file);
        var refused = Assert.Throws<DataFolderException>(() => SqliteStore.Open(_sqlite.Folder));
        Assert.Contains(sentence, refused.Message, StringComparison.Ordinal);
        Assert.Contains(file, refused.Message, StringComparison.Ordinal);
        Assert.EndsWith("name another folder with --data.", refused.Message, StringComparison.Ordinal);
        Assert.Equal(before, await File.ReadAllBytesAsync(file));
    }

    [Fact]
    public async Task A_truncated_file_is_refused_as_damaged()
    {
        await Store.DisposeAsync();
        var file = Path.Combine(_sqlite.Folder, SqliteStore.FileName);
        await File.WriteAllBytesAsync(file, (await File.ReadAllBytesAsync(file))[..6000]);
        Assert.Contains("damaged", Assert.Throws<DataFolderException>(() => SqliteStore.Open(_sqlite.Folder)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_folder_that_cannot_be_made_is_refused_with_its_name()
    {
        using var folder = new TempFolder();
        File.WriteAllText(folder.File("taken"), "a file stands where the folder should be");
        var refused = Assert.Throws<DataFolderException>(() => SqliteStore.Open(folder.File("taken")));
        Assert.Contains(folder.File("taken"), refused.Message, StringComparison.Ordinal);
        Assert.EndsWith("name another folder with --data.", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Numbers_rise_within_a_run_and_from_run_to_run()
    {
        var last = 0L;
        for (var run = 0; run < 3; run++)
        {
            for (var i = 0; i < 3; i++)
            {
                var next = await Store.WriteAsync(writer => writer.NextNumber());
                Assert.True(next > last);
                last = next;
            }
            await _sqlite.ReopenAsync();
        }
    }

    public ValueTask DisposeAsync() => _sqlite.DisposeAsync();
}
