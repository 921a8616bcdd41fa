using System.Text;
using RetentionFunctions.Storage;

namespace RetentionFunctions.Tests.Storage;

/// <summary>What every implementation of <see cref="ITables"/> does, whatever stands behind it.</summary>
public abstract class TablesContract
{
    /// <summary>Empty, or shared with tests that use other partitions than this one.</summary>
    protected abstract ITables Tables { get; }

    /// <summary>A partition that no other test uses.</summary>
    protected virtual string Partition => "p";

    protected static ReadOnlyMemory<byte> Body(string text) => Encoding.UTF8.GetBytes($$"""{"text":"{{text}}"}""");

    private RowKey At(string key) => new(Partition, key);

    private KeyRange Range(string from, string to) => new(Partition, from, to);

    private Task<bool> CommitAsync(params Write[] writes) => Tables.TryCommitAsync(Partition, writes);

    private async Task<string?> TextAsync(string key) =>
        await Tables.GetAsync(At(key)) is { } row ? System.Text.Json.JsonDocument.Parse(row.Body).RootElement.GetProperty("text").GetString() : null;

    private async Task<string> ETagAsync(string key) => (await Tables.GetAsync(At(key)))!.ETag;

    private async Task<List<string>> KeysAsync(KeyRange range)
    {
        var keys = new List<string>();
        await foreach (var row in Tables.QueryAsync(range)) keys.Add(row.At.Key);
        return keys;
    }

    [Fact]
    public async Task A_row_that_was_never_written_is_not_there() => Assert.Null(await Tables.GetAsync(At("a")));

    [Fact]
    public async Task A_row_comes_back_as_it_was_written()
    {
        Assert.True(await CommitAsync(new Write.Insert("a|1", Body("grüße 你好"))));
        var row = await Tables.GetAsync(At("a|1"));
        Assert.Equal(At("a|1"), row!.At);
        Assert.Equal("grüße 你好", await TextAsync("a|1"));
        Assert.NotEmpty(row.ETag);
    }

    [Fact]
    public async Task The_same_key_in_another_partition_is_another_row()
    {
        await CommitAsync(new Write.Insert("a", Body("here")));
        Assert.Null(await Tables.GetAsync(new RowKey(Partition + "-other", "a")));
        Assert.True(await Tables.TryCommitAsync(Partition + "-other", [new Write.Insert("a", Body("there"))]));
        Assert.Equal("here", await TextAsync("a"));
    }

    [Fact]
    public async Task An_insert_is_refused_where_a_row_stands()
    {
        await CommitAsync(new Write.Insert("a", Body("first")));
        Assert.False(await CommitAsync(new Write.Insert("a", Body("second"))));
        Assert.Equal("first", await TextAsync("a"));
    }

    [Fact]
    public async Task A_replace_needs_the_row_to_be_as_it_was_read()
    {
        await CommitAsync(new Write.Insert("a", Body("1")));
        var read = await ETagAsync("a");
        Assert.True(await CommitAsync(new Write.Replace("a", Body("2"), read)));
        Assert.False(await CommitAsync(new Write.Replace("a", Body("3"), read)));
        Assert.Equal("2", await TextAsync("a"));
        Assert.False(await CommitAsync(new Write.Replace("missing", Body("4"), read)));
        Assert.Null(await TextAsync("missing"));
    }

    [Fact]
    public async Task A_row_deleted_and_inserted_again_is_not_the_one_that_was_read()
    {
        await CommitAsync(new Write.Insert("a", Body("1")));
        var read = await ETagAsync("a");
        await CommitAsync(new Write.Delete("a"));
        await CommitAsync(new Write.Insert("a", Body("1")));
        Assert.False(await CommitAsync(new Write.Replace("a", Body("2"), read)));
        Assert.False(await CommitAsync(new Write.Delete("a", read)));
        Assert.Equal("1", await TextAsync("a"));
    }

    [Fact]
    public async Task An_upsert_writes_whatever_stood_there()
    {
        Assert.True(await CommitAsync(new Write.Upsert("a", Body("1"))));
        Assert.True(await CommitAsync(new Write.Upsert("a", Body("2"))));
        Assert.Equal("2", await TextAsync("a"));
    }

    [Fact]
    public async Task A_delete_removes_the_row_and_is_content_where_it_is_gone()
    {
        await CommitAsync(new Write.Insert("a", Body("1")));
        Assert.True(await CommitAsync(new Write.Delete("a")));
        Assert.Null(await Tables.GetAsync(At("a")));
        Assert.True(await CommitAsync(new Write.Delete("a")));
    }

    [Fact]
    public async Task A_conditional_delete_needs_the_row_to_be_as_it_was_read()
    {
        await CommitAsync(new Write.Insert("a", Body("1")));
        var read = await ETagAsync("a");
        await CommitAsync(new Write.Upsert("a", Body("2")));
        Assert.False(await CommitAsync(new Write.Delete("a", read)));
        Assert.Equal("2", await TextAsync("a"));
        Assert.True(await CommitAsync(new Write.Delete("a", await ETagAsync("a"))));
        Assert.False(await CommitAsync(new Write.Delete("a", read)));
    }

    [Fact]
    public async Task Every_write_gives_the_row_a_new_ETag_even_with_the_same_body()
    {
        var seen = new HashSet<string>();
        await CommitAsync(new Write.Insert("a", Body("1")));
        Assert.True(seen.Add(await ETagAsync("a")));
        await CommitAsync(new Write.Upsert("a", Body("1")));
        Assert.True(seen.Add(await ETagAsync("a")));
        await CommitAsync(new Write.Replace("a", Body("1"), await ETagAsync("a")));
        Assert.True(seen.Add(await ETagAsync("a")));
    }

    [Fact]
    public async Task A_query_gives_the_ETag_that_a_replace_takes()
    {
        await CommitAsync(new Write.Insert("a", Body("1")));
        await foreach (var row in Tables.QueryAsync(Range("a", "b")))
            Assert.True(await CommitAsync(new Write.Replace(row.At.Key, Body("2"), row.ETag)));
        Assert.Equal("2", await TextAsync("a"));
    }

    public enum Refusal { Insert, Replace, Delete }

    [Theory, MemberData(nameof(Refusals))]
    public async Task One_conflict_and_nothing_of_the_batch_is_written(Refusal refusal, bool first)
    {
        await CommitAsync(new Write.Insert("stale", Body("1")), new Write.Insert("kept", Body("1")), new Write.Insert("old", Body("1")));
        var stale = await ETagAsync("stale");
        await CommitAsync(new Write.Upsert("stale", Body("2")));
        Write refused = refusal switch
        {
            Refusal.Insert => new Write.Insert("stale", Body("3")),
            Refusal.Replace => new Write.Replace("stale", Body("3"), stale),
            _ => new Write.Delete("stale", stale),
        };
        Write[] sound = [new Write.Insert("new", Body("1")), new Write.Upsert("kept", Body("2")), new Write.Delete("old"), new Write.Upsert("also-new", Body("1"))];
        Assert.False(await CommitAsync(first ? [refused, .. sound] : [.. sound, refused]));
        Assert.Equal(["kept", "old", "stale"], await KeysAsync(Range("a", "z")));
        Assert.Equal("1", await TextAsync("kept"));
        Assert.Equal("2", await TextAsync("stale"));
    }


    public static MatrixTheoryData<Refusal, bool> Refusals => new(Enum.GetValues<Refusal>(), [true, false]);

    [Fact]
    public async Task A_batch_of_every_kind_is_written_as_a_whole()
    {
        await CommitAsync(new Write.Insert("replaced", Body("1")), new Write.Insert("deleted", Body("1")));
        Assert.True(await CommitAsync(
            new Write.Replace("replaced", Body("2"), await ETagAsync("replaced")),
            new Write.Delete("deleted", await ETagAsync("deleted")),
            new Write.Insert("inserted", Body("2")),
            new Write.Upsert("upserted", Body("2"))));
        Assert.Equal(["inserted", "replaced", "upserted"], await KeysAsync(Range("a", "z")));
        Assert.Equal("2", await TextAsync("replaced"));
    }

    [Fact]
    public async Task A_hundred_rows_go_into_one_batch_and_a_hundred_and_one_do_not()
    {
        Write[] Rows(int count) => [.. Enumerable.Range(0, count).Select(i => new Write.Insert($"row-{i:D3}", Body("1")))];
        await Assert.ThrowsAsync<ArgumentException>(() => CommitAsync(Rows(101)));
        Assert.Empty(await KeysAsync(Range("row", "s")));
        Assert.True(await CommitAsync(Rows(100)));
        Assert.Equal(100, (await KeysAsync(Range("row", "s"))).Count);
    }

    [Fact]
    public async Task A_range_is_ordinal_and_holds_its_first_key_and_not_its_last()
    {
        string[] ordinal = ["A", "Z", "a", "a b", "a-b", "a|", "a|1", "a|10", "a|2", "a}", "b", "é", "你", "\uffe5"];
        Assert.Equal(ordinal, ordinal.Order(StringComparer.Ordinal));
        await CommitAsync([.. ordinal.Reverse().Select(key => new Write.Insert(key, Body(key)))]);
        Assert.Equal(ordinal, await KeysAsync(Range("A", "\uffff")));
        Assert.Equal(["a|", "a|1", "a|10", "a|2"], await KeysAsync(Range("a|", "a}")));
        Assert.Equal(["a|1", "a|10"], await KeysAsync(Range("a|1", "a|2")));
        Assert.Empty(await KeysAsync(Range("a|1", "a|1")));
        Assert.Empty(await KeysAsync(Range("b", "a")));
        Assert.Empty(await KeysAsync(new KeyRange(Partition + "-none", "A", "\uffff")));
    }

    [Fact]
    public async Task A_range_longer_than_any_page_comes_whole_and_in_order()
    {
        var keys = Enumerable.Range(0, 2500).Select(i => $"long|{i:D5}").ToList();
        foreach (var batch in keys.Chunk(100)) Assert.True(await CommitAsync([.. batch.Select(key => new Write.Insert(key, Body(key)))]));
        Assert.Equal(keys, await KeysAsync(Range("long|", "long}")));
    }

    [Fact]
    public async Task A_range_of_large_rows_comes_whole_and_in_order()
    {
        // Nine rows of 600 KB: more than one answer of any store holds. Properties stay under 64 KiB of UTF-16.
        var large = Encoding.UTF8.GetBytes("{" + string.Join(',', Enumerable.Range(0, 20).Select(i => $"\"p{i}\":\"{new string('x', 30_000)}\"")) + "}");
        for (var i = 0; i < 9; i++) await CommitAsync(new Write.Insert($"large|{i}", large));
        Assert.Equal(Enumerable.Range(0, 9).Select(i => $"large|{i}"), await KeysAsync(Range("large|", "large}")));
    }

    [Fact]
    public async Task A_scan_comes_through_all_partitions_in_order_from_the_row_after_the_given_one()
    {
        string[] partitions = [Partition, Partition + "-b", Partition + "-c"];
        foreach (var partition in partitions.Reverse()) await Tables.TryCommitAsync(partition, [new Write.Insert("k|2", Body("2")), new Write.Insert("k|1", Body("1")), new Write.Insert("k|3", Body("3"))]);
        var all = partitions.SelectMany(partition => new[] { "k|1", "k|2", "k|3" }.Select(key => new RowKey(partition, key))).ToList();

        Assert.Equal(all[1..], await ScanAsync(all[0]));
        Assert.Equal(all[4..], await ScanAsync(all[3]));
        // A position at which no row stands.
        Assert.Equal(all[3..], await ScanAsync(new RowKey(Partition, "k|9")));
        Assert.Equal(all[6..], await ScanAsync(new RowKey(Partition + "-bb", "a")));
        Assert.Equal(all, (await ScanAsync(null)).Where(all.Contains));
    }

    // Other tests may use the same tables at this moment: only the partitions that begin like this one.
    private async Task<List<RowKey>> ScanAsync(RowKey? after)
    {
        var keys = new List<RowKey>();
        await foreach (var row in Tables.ScanAsync(after))
        {
            if (row.At.Partition.StartsWith(Partition, StringComparison.Ordinal)) keys.Add(row.At);
            else if (after is not null) break;
        }
        return keys;
    }

    [Fact]
    public async Task Of_many_inserts_of_one_row_at_once_exactly_one_wins()
    {
        var won = await Task.WhenAll(Enumerable.Range(0, 40).Select(i => Task.Run(() => CommitAsync(new Write.Insert("raced", Body($"{i}")), new Write.Insert($"winner-{i:D2}", Body("1"))))));
        var winner = Assert.Single(Enumerable.Range(0, 40), i => won[i]);
        Assert.Equal($"{winner}", await TextAsync("raced"));
        Assert.Equal([$"winner-{winner:D2}"], await KeysAsync(Range("winner-", "winner.")));
    }

    [Fact]
    public async Task Of_many_replaces_of_one_row_at_once_exactly_one_wins()
    {
        await CommitAsync(new Write.Insert("raced", Body("old")));
        var read = await ETagAsync("raced");
        var won = await Task.WhenAll(Enumerable.Range(0, 40).Select(i => Task.Run(() => CommitAsync(new Write.Replace("raced", Body($"{i}"), read)))));
        var winner = Assert.Single(Enumerable.Range(0, 40), i => won[i]);
        Assert.Equal($"{winner}", await TextAsync("raced"));
    }

    public static TheoryData<string, Write[]> Refused => new()
    {
        { "no write", [] },
        { "one key twice", [new Write.Insert("a", Body("1")), new Write.Delete("a")] },
        { "a forbidden character in the key", [new Write.Insert("a/b", Body("1"))] },
        { "an empty key", [new Write.Insert("", Body("1"))] },
        { "a key too long", [new Write.Insert(new string('k', 513), Body("1"))] },
        { "a body that is no object", [new Write.Insert("a", "[1]"u8.ToArray())] },
        { "a property over 64 KiB", [new Write.Insert("a", Body(new string('x', 40_000)))] },
        { "too many properties", [new Write.Insert("a", Encoding.UTF8.GetBytes("{" + string.Join(',', Enumerable.Range(0, 253).Select(i => $"\"p{i}\":1")) + "}"))] },
        { "one bad row among good ones", [new Write.Insert("good", Body("1")), new Write.Insert("bad#", Body("1"))] },
    };

    [Theory, MemberData(nameof(Refused), DisableDiscoveryEnumeration = true)]
    public async Task What_breaks_a_limit_is_refused_and_writes_nothing(string what, Write[] writes)
    {
        await Assert.ThrowsAsync<ArgumentException>(() => CommitAsync(writes));
        Assert.True((await KeysAsync(Range(" ", "\uffff"))).Count == 0, what);
    }

    [Fact]
    public async Task A_partition_with_a_forbidden_character_is_refused() =>
        await Assert.ThrowsAsync<ArgumentException>(() => Tables.TryCommitAsync("a#b", [new Write.Insert("a", Body("1"))]));
}
