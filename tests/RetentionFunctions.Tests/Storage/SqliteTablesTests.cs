using RetentionFunctions.Local.Sqlite;
using RetentionFunctions.Storage;

namespace RetentionFunctions.Tests.Storage;

public sealed class SqliteTablesTests : TablesContract, IAsyncDisposable
{
    private readonly SqliteFixture _sqlite = new();

    protected override ITables Tables => new SqliteTables(_sqlite.Store);

    [Fact]
    public async Task The_buckets_in_use_are_those_with_a_row_in_order_without_other_partitions()
    {
        var tables = new SqliteTables(_sqlite.Store);
        Assert.Empty(await tables.BucketsInUseAsync());

        foreach (var partition in new[] { "ff", "x-tie", "00", "a7", "account", "a7", "fg" })
            await tables.TryCommitAsync(partition, [new Write.Upsert($"key {partition}", Body("1"))]);
        Assert.Equal(["00", "a7", "ff"], await tables.BucketsInUseAsync());

        await tables.TryCommitAsync("a7", [new Write.Delete("key a7")]);
        Assert.Equal(["00", "ff"], await tables.BucketsInUseAsync());
    }

    [Fact]
    public async Task Rows_and_their_ETags_outlive_the_program_and_no_ETag_comes_twice()
    {
        await Tables.TryCommitAsync("p", [new Write.Insert("a", Body("1")), new Write.Insert("b", Body("1"))]);
        var a = await Tables.GetAsync(new RowKey("p", "a"));
        var b = await Tables.GetAsync(new RowKey("p", "b"));
        await _sqlite.ReopenAsync();
        Assert.Equal(a!.ETag, (await Tables.GetAsync(a.At))!.ETag);
        await Tables.TryCommitAsync("p", [new Write.Delete("a"), new Write.Delete("b")]);
        await _sqlite.ReopenAsync();
        await Tables.TryCommitAsync("p", [new Write.Insert("a", Body("1")), new Write.Insert("b", Body("1"))]);
        var again = new[] { (await Tables.GetAsync(a.At))!.ETag, (await Tables.GetAsync(b!.At))!.ETag };
        Assert.DoesNotContain(a.ETag, again);
        Assert.DoesNotContain(b.ETag, again);
    }

    [Theory]
    [InlineData("")]
    [InlineData("*")]
    [InlineData("W/\"datetime'2026-01-01'\"")]
    [InlineData("-1")]
    public async Task An_ETag_of_another_store_matches_nothing(string foreign)
    {
        await Tables.TryCommitAsync("p", [new Write.Insert("a", Body("1"))]);
        Assert.False(await Tables.TryCommitAsync("p", [new Write.Replace("a", Body("2"), foreign)]));
        Assert.False(await Tables.TryCommitAsync("p", [new Write.Delete("a", foreign), new Write.Upsert("b", Body("2"))]));
    }

    public ValueTask DisposeAsync() => _sqlite.DisposeAsync();
}
