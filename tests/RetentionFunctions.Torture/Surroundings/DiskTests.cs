using System.Globalization;
using System.Net;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using RetentionFunctions.Local;
using RetentionFunctions.Local.Sqlite;
using RetentionFunctions.Storage;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.Torture.Surroundings;

/// <summary>Disks that are full or may not be written to, and two hosts on one folder: a plain message or the right result, and never a file that is broken.</summary>
public class DiskTests(ITestOutputHelper output)
{
    private static readonly DateTimeOffset Begin = new(2026, 3, 2, 10, 0, 0, TimeSpan.Zero);

    [Fact]
    public async Task A_disk_that_fills_refuses_in_words_loses_nothing_and_is_worked_off_when_there_is_space_again()
    {
        var (taken, refused, full) = (0, 0, 0);
        for (var round = Form.Times(1, 10); round > 0; round--)
        {
            using var disk = new SmallDisk(32);
            var data = Path.Combine(disk.Path, "data");
            var sent = new List<string>();
            await using (var host = await StartAsync(data))
            {
                var stories = Enumerable.Range(0, 20).Select(n => new Story($"cus_D{n:D2}", $"d{n}@example.com")).ToList();
                await host.StripeAsync(stories.SelectMany(s => s.SignsUp(Begin.AddDays(-60))).Tap(e => sent.Add((string)e["id"]!)));
                disk.FillUpTo(round * 8192);
                var turnedAway = new List<string>();
                for (var n = 0; turnedAway.Count < 25 && n < 4000; n++)
                {
                    var e = stories[n % 20].CustomerUpdated(Begin.AddMinutes(-n), $"{n}@example.com").ToJsonString();
                    using var answer = await host.SendStripeAsync(e);
                    if (answer.StatusCode == HttpStatusCode.OK)
                    {
                        sent.Add(Id(e));
                        continue;
                    }
                    Assert.Equal(HttpStatusCode.ServiceUnavailable, answer.StatusCode);
                    Assert.Contains("The storage does not answer at the moment. Try again in a few seconds.", await answer.Content.ReadAsStringAsync());
                    turnedAway.Add(e);
                }
                Assert.Equal(25, turnedAway.Count);
                Assert.Equal("ok", SmallDisk.Integrity(data));
                // A page is still shown to whoever looks why.
                Assert.True((await host.Http.GetAsync("/healthz")).StatusCode is HttpStatusCode.OK or HttpStatusCode.NotFound or HttpStatusCode.ServiceUnavailable);

                disk.FreeAgain();
                foreach (var e in turnedAway)
                {
                    Assert.Equal(HttpStatusCode.OK, (await host.SendStripeAsync(e)).StatusCode);
                    sent.Add(Id(e));
                }
                await host.SettleAsync();
                await AllHandledAsync(host, sent);
                taken += sent.Count;
                refused += turnedAway.Count;
                full++;
            }
            Assert.Equal("ok", SmallDisk.Integrity(data));
            await using var again = await StartAsync(data);
            await AllHandledAsync(again, sent);
        }
        output.WriteLine($"{full} full disks: {taken} events acknowledged, {refused} refused with 503 and taken later, 0 lost, integrity ok");
    }

    [Fact]
    public async Task A_start_on_a_disk_that_is_full_or_nearly_so_works_or_says_so_and_the_file_stays_whole()
    {
        using var disk = new SmallDisk(16);
        var data = Path.Combine(disk.Path, "data");
        await using (var host = await StartAsync(data)) await host.StripeAsync(new Story().SignsUp(Begin.AddDays(-60)));
        var (started, refused) = (0, 0);
        for (var free = 0; free <= 512 * 1024; free += Form.Times(64, 4) * 1024)
        {
            disk.FillUpTo(free);
            try
            {
                await using var host = await StartAsync(data);
                started++;
            }
            catch (TransientStorageException)
            {
                // Thrown by the start of the loops: Program says it as a DataFolderException.
                refused++;
            }
            catch (DataFolderException e)
            {
                Assert.True(e.Message.Contains("no space left on the disk", StringComparison.Ordinal) || e.Message.Contains("make space on its disk", StringComparison.Ordinal), $"with {free} bytes: {e.Message}");
                refused++;
            }
            disk.FreeAgain();
            Assert.Equal("ok", SmallDisk.Integrity(data));
        }
        // A new folder too: what a refused start leaves behind is no obstacle.
        var fresh = Path.Combine(disk.Path, "fresh");
        for (var free = 0; free <= 256 * 1024; free += Form.Times(64, 4) * 1024)
        {
            disk.FillUpTo(free);
            try
            {
                await using var host = await StartAsync(fresh);
                started++;
            }
            catch (Exception e) when (e is DataFolderException or TransientStorageException)
            {
                refused++;
            }
            disk.FreeAgain();
        }
        Assert.True(started > 0 && refused > 0, $"{started} started, {refused} refused");
        await using (var host = await StartAsync(data)) Assert.Equal("active", (string?)(await host.CustomerAsync())["status"]);
        await using (var host = await StartAsync(fresh)) await host.StripeAsync(new Story().SignsUp(Begin.AddDays(-60)));
        output.WriteLine($"{started} starts with little space worked, {refused} were refused in words; both folders whole");
    }

    [Fact]
    public async Task A_folder_that_may_only_be_read_is_refused_in_words_and_left_as_it_was()
    {
        using var disk = new SmallDisk(16);
        var data = Path.Combine(disk.Path, "data");
        await using (var host = await StartAsync(data)) await host.StripeAsync(new Story().SignsUp(Begin.AddDays(-60)));
        var before = await File.ReadAllBytesAsync(Path.Combine(data, SqliteStore.FileName), TestContext.Current.CancellationToken);
        disk.ReadOnly();
        foreach (var folder in new[] { data, Path.Combine(disk.Path, "new") })
        {
            var told = (await Assert.ThrowsAsync<DataFolderException>(() => StartAsync(folder))).Message;
            Assert.Contains("--data", told);
            output.WriteLine(told.Replace(disk.Path, "…", StringComparison.Ordinal));
        }
        Assert.Equal(before, await File.ReadAllBytesAsync(Path.Combine(data, SqliteStore.FileName), TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task A_second_host_on_the_same_folder_is_refused_in_words_and_the_first_goes_on()
    {
        using var folder = new TempFolder();
        await using var first = await StartAsync(folder.Path);
        await first.StripeAsync(new Story().SignsUp(Begin.AddDays(-60)));
        for (var n = Form.Times(3, 50); n > 0; n--)
            Assert.Contains("is in use by another running copy of this program", (await Assert.ThrowsAsync<DataFolderException>(() => StartAsync(folder.Path))).Message);
        await first.StripeAsync(new Story("cus_Bob").SignsUp(Begin.AddDays(-30)));
        Assert.Equal("active", (string?)(await first.CustomerAsync("cus_Bob"))["status"]);
        Assert.Equal("ok", SmallDisk.Integrity(folder.Path));
    }

    private static async Task<TestHost> StartAsync(string data)
    {
        var host = await TestHost.StartAsync(Begin.ToString("O", CultureInfo.InvariantCulture), data: data);
        host.Services.GetRequiredService<SqliteStore>().SurvivePowerCut(true);
        return host;
    }

    private static string Id(string e) => (string)System.Text.Json.Nodes.JsonNode.Parse(e)!["id"]!;

    private static async Task AllHandledAsync(TestHost host, IEnumerable<string> ids)
    {
        Assert.Equal(0, await host.QueuedAsync());
        Assert.Empty(await host.DeadLettersAsync());
        var markers = await host.Services.GetRequiredService<SqliteStore>().ReadAsync(reader => reader.List("SELECT key FROM rows WHERE key LIKE 'event|%'", row => Keys.Parts(row.Text(0))[2]));
        Assert.Equal(ids.Order(StringComparer.Ordinal), markers.Order(StringComparer.Ordinal));
    }
}

internal static class Taps
{
    public static IEnumerable<T> Tap<T>(this IEnumerable<T> items, Action<T> see) => items.Select(item =>
    {
        see(item);
        return item;
    });
}
