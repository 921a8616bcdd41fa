
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.DependencyInjection;
using RetentionFunctions.Local.Demo;
using RetentionFunctions.Local.Sqlite;
using RetentionFunctions.Storage;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.Tests.Host;

/// <summary>The nightly copy of the data file, and the way back to it.</summary>
public sealed class BackupStories : IDisposable
{
    private static readonly Dictionary<string, string?> Kept = new() { ["Backup:Keep"] = "7" };

    private readonly TempFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task After_the_nights_sweep_there_is_a_backup_and_a_host_started_from_it_is_the_host_of_that_night()
    {
        string then;
        await using (var host = await TestHost.StartAsync(settings: Kept, data: folder.Path))
        {
            await host.StripeAsync(host.Ada.SignsUp(host.Now));
            await host.AdvanceAsync(TimeSpan.FromDays(1));
            then = (await host.CustomerAsync(host.Ada.Customer)).ToJsonString();
            Assert.Equal("2026-01-01T06:00:00", (await SystemAsync(host))["lastBackupAt"]!.ToString()[..19]);
            // What a bad day does.
            await host.StripeAsync(host.Ada.Cancels(host.Now));
            await host.AdvanceAsync(TimeSpan.FromHours(1));
            Assert.NotEqual(then, (await host.CustomerAsync(host.Ada.Customer)).ToJsonString());
        }
        var backup = Assert.Single(FileBackup.List(folder.Path));
        var kept = FileRestore.Run(folder.Path, backup.FullName, DateTimeOffset.Parse("2026-01-02T09:00:00Z"));
        Assert.True(File.Exists(kept));

        var before = new Story();
        await using var again = await TestHost.StartAsync(settings: Kept, data: folder.Path);
        Assert.Equal("active", (string)(await again.CustomerAsync(before.Customer))["status"]!);
    }

    [Fact]
    public async Task Only_so_many_nights_are_kept()
    {
        await using var host = await TestHost.StartAsync(settings: new() { ["Backup:Keep"] = "3" }, data: folder.Path);
        await host.AdvanceAsync(TimeSpan.FromDays(6));
        Assert.Equal(["retention-2026-01-06-0600-00.db", "retention-2026-01-05-0600-00.db", "retention-2026-01-04-0600-00.db"], FileBackup.List(folder.Path).Select(file => file.Name));
        Assert.Empty(Directory.GetFiles(Path.Combine(folder.Path, "backups"), "*.part"));
    }

    [Fact]
    public async Task The_system_page_shows_the_backup_and_starts_another_when_asked()
    {
        await using var host = await TestHost.StartAsync(settings: Kept, data: folder.Path);
        Assert.Contains("the first is made after the next sweep", await host.Http.GetStringAsync("/system"));
        await host.AdvanceAsync(TimeSpan.FromDays(1));
        var page = await host.Http.GetStringAsync("/system");
        Assert.Contains("retention-2026-01-01-0600-00.db", page);
        Assert.Contains("--restore", page);
        Assert.Contains("All is well", page);
    }

    [Fact]
    public async Task A_demo_which_can_be_played_again_is_not_backed_up_and_the_page_says_so()
    {
        await using var host = await TestHost.StartAsync(settings: Kept, data: folder.Path);
        await DemoPlayer.BeginAsync(host.Services.GetRequiredService<ITables>(), new DemoYear(1, 1, 1, host.Now));
        await host.AdvanceAsync(TimeSpan.FromDays(2));
        Assert.Empty(FileBackup.List(folder.Path));
        var page = await host.Http.GetStringAsync("/system");
        Assert.Contains("is not backed up", page);
        // Nothing there claims that one was made, or offers to.
        Assert.Contains("Makes none", page);
        Assert.DoesNotContain("value=\"backup\"", page);
        Assert.Contains("value=\"reconcile\"", page);
        Assert.True((bool)(await SystemAsync(host))["well"]!);
    }

    [Fact]
    public async Task Who_keeps_none_has_none_and_is_not_told_that_one_is_missing()
    {
        await using var host = await TestHost.StartAsync(settings: new() { ["Backup:Keep"] = "0" }, data: folder.Path);
        await host.AdvanceAsync(TimeSpan.FromDays(3));
        Assert.Empty(FileBackup.List(folder.Path));
        Assert.Contains("Backup:Keep is 0", await host.Http.GetStringAsync("/system"));
        Assert.True((bool)(await SystemAsync(host))["well"]!);
    }

    [Theory]
    [InlineData("missing", "There is no backup")]
    [InlineData("text", "is damaged or is no backup")]
    [InlineData("foreign", "is no backup of this program")]
    [InlineData("newer", "was written by a newer version")]
    [InlineData("cut", "damaged")]
    public async Task What_is_no_backup_is_refused_and_the_data_stays(string what, string said)
    {
        await using (var host = await TestHost.StartAsync(settings: Kept, data: folder.Path)) await host.StripeAsync(host.Ada.SignsUp(host.Now));
        var data = Path.Combine(folder.Path, SqliteStore.FileName);
        var before = await File.ReadAllBytesAsync(data);
        var file = Path.Combine(folder.Path, "given.db");
        switch (what)
        {
            case "text": await File.WriteAllTextAsync(file, new string('x', 5000)); break;
            case "foreign" or "newer":
                File.Copy(data, file);
                await using (var connection = new SqliteConnection($"Data Source={file};Pooling=False"))
                {
                    connection.Open();
                    using var command = connection.CreateCommand();
                    command.CommandText = what == "foreign" ? "PRAGMA journal_mode=DELETE; PRAGMA application_id=7" : "PRAGMA journal_mode=DELETE; PRAGMA user_version=99";
                    command.ExecuteNonQuery();
                }
                break;
            case "cut": await File.WriteAllBytesAsync(file, before[..(before.Length / 2)]); break;
        }
        Assert.Contains(said, Assert.Throws<DataFolderException>(() => FileRestore.Run(folder.Path, file, DateTimeOffset.UnixEpoch)).Message);
        Assert.Equal(before, await File.ReadAllBytesAsync(data));
        Assert.Empty(Directory.GetFiles(folder.Path, "retention-replaced-*"));
    }

    /// <summary>A restore that died between two names: the data file is away, its write-ahead log is not. SQLite would play it into whatever file comes next.</summary>
    [Fact]
    public async Task A_log_that_an_interrupted_restore_left_behind_is_not_taken_for_the_backups_own()
    {
        await using (var host = await TestHost.StartAsync(settings: Kept, data: folder.Path)) await host.AdvanceAsync(TimeSpan.FromDays(1));
        var data = Path.Combine(folder.Path, SqliteStore.FileName);
        File.Delete(data);
        await File.WriteAllTextAsync(data + "-wal", "of the file that stood here");
        FileRestore.Run(folder.Path, FileBackup.List(folder.Path)[0].FullName, DateTimeOffset.UnixEpoch);
        Assert.False(File.Exists(data + "-wal"));
        Assert.Equal("of the file that stood here", await File.ReadAllTextAsync(Path.Combine(folder.Path, "retention-replaced-1970-01-01-0000-00.db-wal")));
    }

    [Fact]
    public async Task A_folder_in_use_is_not_put_back_under_a_running_host()
    {
        await using var host = await TestHost.StartAsync(settings: Kept, data: folder.Path);
        await host.AdvanceAsync(TimeSpan.FromDays(1));
        Assert.Contains("in use", Assert.Throws<DataFolderException>(() => FileRestore.Run(folder.Path, FileBackup.List(folder.Path)[0].FullName, DateTimeOffset.UnixEpoch)).Message);
    }

    private static async Task<JsonNode> SystemAsync(TestHost host) => (await host.Http.GetFromJsonAsync<JsonNode>("/api/v1/system"))!;
}
