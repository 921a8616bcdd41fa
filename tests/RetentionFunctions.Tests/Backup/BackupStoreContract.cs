using System.Text;
using RetentionFunctions.Backup;

namespace RetentionFunctions.Tests.Backup;

/// <summary>What every implementation of <see cref="IBackupStore"/> does, whatever stands behind it. Others may keep backups there at the same time.</summary>
public abstract class BackupStoreContract
{
    protected abstract IBackupStore Store { get; }

    /// <summary>Begins the names of this test's backups.</summary>
    protected string Name { get; } = $"test{Guid.NewGuid():N}";

    [Fact]
    public async Task What_was_written_is_read_and_written_again_it_is_the_new()
    {
        await WriteAsync("a", "000000.jsonl.gz", "first");
        Assert.Equal("first", await ReadAsync("a", "000000.jsonl.gz"));
        await WriteAsync("a", "000000.jsonl.gz", "second, and longer");
        Assert.Equal("second, and longer", await ReadAsync("a", "000000.jsonl.gz"));
    }

    [Fact]
    public async Task What_was_never_written_is_not_there()
    {
        Assert.Null(await ReadAsync("a", "manifest.json"));
        await WriteAsync("a", "000000.jsonl.gz", "x");
        Assert.Null(await ReadAsync("a", "manifest.json"));
        Assert.Null(await ReadAsync("b", "000000.jsonl.gz"));
    }

    [Fact]
    public async Task Backups_are_listed_in_order_once_each_also_those_that_are_not_whole()
    {
        await WriteAsync("2026-03-02", "000000.jsonl.gz", "x");
        await WriteAsync("2026-03-01", "000000.jsonl.gz", "x");
        await WriteAsync("2026-03-01", "manifest.json", "x");
        Assert.Equal([$"{Name}2026-03-01", $"{Name}2026-03-02"], await ListAsync());
    }

    [Fact]
    public async Task A_backup_is_removed_with_all_its_files_and_no_other_and_may_be_removed_again()
    {
        await WriteAsync("1", "000000.jsonl.gz", "x");
        await WriteAsync("1", "manifest.json", "x");
        await WriteAsync("10", "manifest.json", "x");
        await Store.DeleteAsync(Name + "1");
        Assert.Equal([$"{Name}10"], await ListAsync());
        Assert.Null(await ReadAsync("1", "000000.jsonl.gz"));
        await Store.DeleteAsync(Name + "1");
        await Store.DeleteAsync(Name + "10");
        Assert.Empty(await ListAsync());
    }

    [Fact]
    public async Task A_file_of_several_megabytes_comes_back_whole()
    {
        var large = new byte[9_000_000];
        new Random(1).NextBytes(large);
        await Store.WriteAsync(Name + "a", "large", large);
        Assert.True((await Store.ReadAsync(Name + "a", "large"))!.Value.Span.SequenceEqual(large));
    }

    private Task WriteAsync(string backup, string file, string text) => Store.WriteAsync(Name + backup, file, Encoding.UTF8.GetBytes(text));

    private async Task<string?> ReadAsync(string backup, string file) => await Store.ReadAsync(Name + backup, file) is { } content ? Encoding.UTF8.GetString(content.Span) : null;

    private async Task<IEnumerable<string>> ListAsync() => (await Store.ListAsync()).Where(name => name.StartsWith(Name, StringComparison.Ordinal));
}

/// <summary>The fake of the other tests keeps to it too.</summary>
public sealed class MemoryBackupsTests : BackupStoreContract
{
    protected override IBackupStore Store { get; } = new MemoryBackups();
}
