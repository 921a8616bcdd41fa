using System.Globalization;
using System.Text;
using RetentionFunctions.Local.Sqlite;
using RetentionFunctions.Storage;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.Tests.Storage;

/// <summary>What is answered from memory is what the file would have said.</summary>
public sealed class RowCacheTests : IAsyncDisposable
{
    private static readonly RowKey Ada = new("7f", "customer|cus_Ada");

    private readonly SqliteFixture _sqlite = new();

    private RowCache Cache => _sqlite.Store.Rows;

    private SqliteTables Tables => new(_sqlite.Store);

    [Fact]
    public async Task A_row_that_was_asked_for_is_in_memory_until_somebody_changes_it_and_then_as_it_was_changed()
    {
        Assert.True(await Tables.TryCommitAsync(Ada.Partition, [new Write.Insert(Ada.Key, Body(1))]));
        Assert.Null(Kept(Ada));

        var first = (await Tables.GetAsync(Ada))!;
        Assert.Same(first, await Tables.GetAsync(Ada));

        Assert.True(await Tables.TryCommitAsync(Ada.Partition, [new Write.Replace(Ada.Key, Body(2), first.ETag)]));
        var second = Kept(Ada)!;
        Assert.Equal(2, Number(second));
        Assert.True(await Tables.TryCommitAsync(Ada.Partition, [new Write.Replace(Ada.Key, Body(3), second.ETag)]));

        Assert.True(await Tables.TryCommitAsync(Ada.Partition, [new Write.Upsert(Ada.Key, Body(4))]));
        Assert.Equal(4, Number(Kept(Ada)!));
        Assert.True(await Tables.TryCommitAsync(Ada.Partition, [new Write.Delete(Ada.Key)]));
        Assert.Null(Kept(Ada));
        Assert.Null(await Tables.GetAsync(Ada));
    }

    [Fact]
    public async Task A_refused_change_changes_nothing_in_memory_either()
    {
        await Tables.TryCommitAsync(Ada.Partition, [new Write.Insert(Ada.Key, Body(1))]);
        var row = (await Tables.GetAsync(Ada))!;
        Assert.False(await Tables.TryCommitAsync(Ada.Partition, [new Write.Replace(Ada.Key, Body(2), "1")]));
        Assert.False(await Tables.TryCommitAsync(Ada.Partition, [new Write.Delete(Ada.Key, "1")]));
        Assert.Same(row, Kept(Ada));
    }

    [Fact]
    public async Task What_one_of_those_who_share_a_commit_undid_is_not_remembered_and_what_the_others_did_is()
    {
        var bob = new RowKey("7f", "customer|cus_Bob");
        foreach (var key in new[] { Ada, bob })
        {
            await Tables.TryCommitAsync(key.Partition, [new Write.Insert(key.Key, Body(1))]);
            await Tables.GetAsync(key);
        }
        using var gate = new ManualResetEventSlim();
        var held = _sqlite.Store.WriteAsync(_ => gate.Wait(TimeSpan.FromSeconds(30)));
        var undone = _sqlite.Store.WriteAsync<bool>(writer =>
        {
            writer.Execute("UPDATE rows SET body = ?1, etag = 99 WHERE key = ?2", Body(9), Ada.Key);
            writer.Changes.Add(new RowChange(Ada, new Row(Ada, Body(9), "99")));
            throw new InvalidOperationException("The writer thought better of it.");
        });
        var done = Tables.TryCommitAsync(bob.Partition, [new Write.Upsert(bob.Key, Body(2))]);
        gate.Set();
        Assert.True(await held);
        await Assert.ThrowsAsync<InvalidOperationException>(() => undone);
        Assert.True(await done);
        Assert.Equal(1, Number((await Tables.GetAsync(Ada))!));
        Assert.Equal(2, Number(Kept(bob)!));
    }

    [Fact]
    public void What_was_read_before_a_commit_is_not_kept_after_it_nor_what_was_read_during_one()
    {
        var cache = new RowCache(1 << 20);
        var changes = new List<RowChange> { new(Ada, Row(2)) };

        Assert.Null(cache.Find(Ada, out var before));
        cache.Committing(changes);
        Assert.Null(cache.Find(Ada, out var during));
        cache.Keep(Row(1), before);
        cache.Keep(Row(1), during);
        Assert.Null(cache.Find(Ada, out _));
        cache.Committed(changes, succeeded: true);
        cache.Keep(Row(1), before);
        cache.Keep(Row(1), during);
        Assert.Null(cache.Find(Ada, out var after));

        cache.Keep(Row(2), after);
        Assert.Equal(2, Number(cache.Find(Ada, out _)!));
    }

    [Fact]
    public void After_a_commit_that_failed_only_the_file_knows_what_stands_there()
    {
        var cache = new RowCache(1 << 20);
        cache.Find(Ada, out var turn);
        cache.Keep(Row(1), turn);
        var changes = new List<RowChange> { new(Ada, Row(2)) };
        cache.Committing(changes);
        cache.Committed(changes, succeeded: false);
        Assert.Null(cache.Find(Ada, out _));
    }

    [Fact]
    public void Memory_is_bounded_and_what_was_not_asked_for_the_longest_goes_first()
    {
        var cache = new RowCache(100_000);
        RowKey At(int i) => new("7f", $"customer|cus_{i}");
        for (var i = 0; i < 1000; i++)
        {
            cache.Find(At(0), out _);
            cache.Find(At(i), out var turn);
            cache.Keep(new Row(At(i), new byte[1000], "1"), turn);
        }
        Assert.NotNull(cache.Find(At(0), out _));
        Assert.NotNull(cache.Find(At(999), out _));
        Assert.Null(cache.Find(At(500), out _));
        Assert.InRange(Enumerable.Range(0, 1000).Count(i => cache.Find(At(i), out _) is not null), 70, 100);
    }

    // Every reader must find at least what was acknowledged before it asked, and never go back: by key and by range alike.
    [Fact]
    public async Task Whoever_reads_while_others_write_never_goes_back_in_time()
    {
        const int Rounds = 400;
        var keys = Enumerable.Range(0, 4).Select(i => new RowKey("7f", $"customer|cus_{i}")).ToArray();
        var acknowledged = new int[keys.Length];
        foreach (var key in keys) await Tables.TryCommitAsync(key.Partition, [new Write.Insert(key.Key, Body(0))]);
        var writers = keys.Select((key, i) => Task.Run(async () =>
        {
            for (var n = 1; n <= Rounds; n++)
            {
                var row = (await Tables.GetAsync(key))!;
                Assert.Equal(n - 1, Number(row));
                Assert.True(await Tables.TryCommitAsync(key.Partition, [new Write.Replace(key.Key, Body(n), row.ETag)]));
                Volatile.Write(ref acknowledged[i], n);
            }
        })).ToList();
        var done = Task.WhenAll(writers);
        var readers = Enumerable.Range(0, 4).Select(reader => Task.Run(async () =>
        {
            var last = new int[keys.Length];
            while (!done.IsCompleted)
                for (var i = 0; i < keys.Length; i++)
                {
                    var least = Math.Max(last[i], Volatile.Read(ref acknowledged[i]));
                    var row = reader % 2 == 0 ? (await Tables.GetAsync(keys[i]))! : await InRangeAsync(keys[i]);
                    Assert.True(Number(row) >= least, $"{Number(row)} after {least}");
                    last[i] = Number(row);
                    // By the other way it must not be older.
                    var again = Number((await Tables.GetAsync(keys[i]))!);
                    Assert.True(again >= last[i], $"{again} after {last[i]}");
                    last[i] = again;
                }
        })).ToList();
        await done;
        await Task.WhenAll(readers);
    }

    public ValueTask DisposeAsync() => _sqlite.DisposeAsync();

    private Row? Kept(RowKey key) => Cache.Find(key, out _);

    private async Task<Row> InRangeAsync(RowKey key)
    {
        await foreach (var row in Tables.QueryAsync(new KeyRange(key.Partition, key.Key, key.Key + "}"))) return row;
        throw new InvalidOperationException("The row is gone.");
    }

    private static Row Row(int number) => new(Ada, Body(number), number.ToString(CultureInfo.InvariantCulture));

    private static ReadOnlyMemory<byte> Body(int number) => Encoding.UTF8.GetBytes($$"""{"number":{{number}}}""");

    private static int Number(Row row) => int.Parse(Encoding.UTF8.GetString(row.Body.Span)[10..^1], CultureInfo.InvariantCulture);
}
