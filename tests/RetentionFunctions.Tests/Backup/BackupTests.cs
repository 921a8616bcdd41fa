using System.Text;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using RetentionFunctions.Backup;
using RetentionFunctions.Intake;
using RetentionFunctions.Jobs;
using RetentionFunctions.Settings;
using RetentionFunctions.Storage;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.Tests.Backup;

public sealed class BackupTests
{
    private static readonly DateTimeOffset Night = DateTimeOffset.Parse("2026-03-01T06:10:05Z");

    private readonly FakeTables tables = new();
    private readonly MemoryBackups store = new();
    private readonly StandingClock clock = new(Night);
    private readonly RetentionSettings settings = new();

    [Fact]
    public async Task What_was_lost_comes_back_row_by_row()
    {
        // More than two files' worth, over buckets and indexes.
        await FillAsync(tables, 25_000);
        var before = await AllAsync(tables);
        await BackUpAsync();
        Assert.Equal(["000000.jsonl.gz", "000001.jsonl.gz", "000002.jsonl.gz", "manifest.json"], store.Kept["2026-03-01-0610-05Z"].Keys);

        var empty = new FakeTables();
        var state = await RestoreAsync(empty);
        Assert.Equal((null, before.Count), (state.Failed, (int)state.Counts["written"]));
        Assert.Equal(before, (await AllAsync(empty)).Where(row => !row.StartsWith("x-jobs", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task What_a_bad_day_spoiled_is_as_it_was_and_what_it_added_is_gone()
    {
        await FillAsync(tables, 300);
        var before = await AllAsync(tables);
        await BackUpAsync();
        await tables.TryCommitAsync("00", [new Write.Upsert("customer|c|0", Row("spoiled"))]);
        var spoiled = (await AllAsync(tables)).First(row => row.StartsWith("00/customer", StringComparison.Ordinal));
        foreach (var row in before.Where(row => row.Contains("ledger")).Take(40))
        {
            var (partition, key) = (row.Split('/')[0], row.Split('/')[1]);
            await tables.DeleteAsync(new RowKey(partition, key));
        }
        await tables.TryCommitAsync("7f", [new Write.Insert("snapshot|new|1", Row("new")), new Write.Insert("zzz|new", Row("new"))]);
        await tables.TryCommitAsync("x-zz", [new Write.Insert("new", Row("new"))]);

        await RestoreAsync(tables);
        Assert.Equal(before, (await AllAsync(tables)).Where(row => !row.StartsWith("x-jobs", StringComparison.Ordinal)));
        Assert.DoesNotContain(spoiled, await AllAsync(tables));
    }

    [Fact]
    public async Task A_host_that_dies_after_any_step_of_a_restore_goes_on_to_the_same_end()
    {
        await FillAsync(tables, 400);
        var before = await AllAsync(tables);
        await BackUpAsync();
        await tables.TryCommitAsync("x-new", [new Write.Insert("new", Row("new"))]);
        foreach (var row in before.Take(50)) await tables.DeleteAsync(new RowKey(row.Split('/')[0], row.Split('/')[1]));
        var messages = new Queue<InboxMessage>();
        var runner = Runner(tables, messages);
        await runner.StartAsync("restore", RestoreJob.OccasionOf("2026-03-01-0610-05Z", Night));
        while (messages.TryDequeue(out var message))
        {
            await runner.HandleAsync(message.Body);
            // Delivered again, as after a death before the message was settled.
            await runner.HandleAsync(message.Body);
        }
        Assert.Equal(before, (await AllAsync(tables)).Where(row => !row.StartsWith("x-jobs", StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData("gone", "is missing")]
    [InlineData("cut", "is damaged")]
    [InlineData("flipped", "is damaged")]
    public async Task A_damaged_backup_touches_nothing(string how, string said)
    {
        await FillAsync(tables, 12_000);
        await BackUpAsync();
        var files = store.Kept["2026-03-01-0610-05Z"];
        var last = files["000001.jsonl.gz"];
        if (how == "gone") files.Remove("000001.jsonl.gz");
        if (how == "cut") files["000001.jsonl.gz"] = last[..(last.Length / 2)];
        if (how == "flipped") last[last.Length / 2] ^= 0x55;
        var empty = new FakeTables();
        var state = await RestoreAsync(empty);
        Assert.Contains(said, state.Failed);
        Assert.All(await AllAsync(empty), row => Assert.StartsWith("x-jobs", row));
    }

    [Fact]
    public async Task A_backup_that_was_never_finished_is_none()
    {
        await FillAsync(tables, 10);
        await BackUpAsync();
        store.Kept["2026-03-01-0610-05Z"].Remove("manifest.json");
        Assert.Empty(await new Backups(store).ListAsync());
        Assert.Equal("There is no whole backup '2026-03-01-0610-05Z'.", (await RestoreAsync(new FakeTables())).Failed);
    }

    [Fact]
    public async Task A_backup_of_a_newer_version_says_what_to_do()
    {
        await store.WriteAsync("2026-03-01-0610-05Z", "manifest.json", Encoding.UTF8.GetBytes("""{"format":2,"startedAt":"2026-03-01T06:10:05Z","endedAt":"2026-03-01T06:10:05Z","rows":0,"bytes":0,"files":1}"""));
        Assert.Contains("deploy the version that made it", (await RestoreAsync(new FakeTables())).Failed);
    }

    [Fact]
    public async Task The_last_nights_are_kept_and_older_ones_go_but_never_before_there_is_a_new_one()
    {
        settings.Backup.Keep = 2;
        for (var night = 0; night < 4; night++)
        {
            clock.Now = Night.AddDays(night);
            await BackUpAsync();
        }
        // One that broke off, older than those that are kept.
        Assert.Equal(["2026-03-03-0610-05Z", "2026-03-04-0610-05Z"], store.Kept.Keys);
        Assert.Equal(["2026-03-04-0610-05Z", "2026-03-03-0610-05Z"], (await new Backups(store).ListAsync()).Select(kept => kept.Name));
        Assert.Equal(Night.AddDays(3), (await new Backups(store).ListAsync())[0].Manifest.StartedAt);
    }

    [Fact]
    public async Task The_backup_that_is_being_restored_is_not_removed_by_the_night_that_comes_meanwhile()
    {
        settings.Backup.Keep = 1;
        await FillAsync(tables, 300);
        await BackUpAsync();
        clock.Now = Night.AddDays(1);
        var restoring = Runner(tables, out var steps);
        await restoring.StartAsync("restore", RestoreJob.OccasionOf("2026-03-01-0610-05Z", clock.Now));
        await BackUpAsync();
        await DeliverAsync(restoring, steps);
        Assert.Null((await restoring.StateAsync("restore"))!.Failed);
        Assert.Contains("2026-03-01-0610-05Z", store.Kept.Keys);
        // The night after, it goes.
        clock.Now = Night.AddDays(2);
        await BackUpAsync();
        Assert.Equal(["2026-03-03-0610-05Z"], store.Kept.Keys);
    }

    /// <summary>Bodies of large messages and of dead letters: some after a bad night are more than an instance has memory.</summary>
    [Fact]
    public async Task Large_rows_make_more_files_and_not_larger_ones()
    {
        var chunk = Encoding.UTF8.GetBytes(new JsonObject { ["data"] = new string('x', 32_000) }.ToJsonString());
        for (var i = 0; i < 1_200; i++) await tables.TryCommitAsync($"body|dead:{i}", [new Write.Upsert("chunk|0000", chunk)]);
        var before = await AllAsync(tables);
        await BackUpAsync();
        Assert.Equal(["000000.jsonl.gz", "000001.jsonl.gz", "manifest.json"], store.Kept["2026-03-01-0610-05Z"].Keys);
        var empty = new FakeTables();
        Assert.Null((await RestoreAsync(empty)).Failed);
        Assert.Equal(before, (await AllAsync(empty)).Where(row => !row.StartsWith("x-jobs", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task What_a_year_of_one_customer_left_comes_back_into_another_host_the_same_on_every_page()
    {
        await using var host = await TestHost.StartAsync();
        await host.StripeAsync(host.Ada.SignsUp(host.Now));
        await host.AdvanceAsync(TimeSpan.FromDays(3));
        var runner = Runner(host.Services.GetRequiredService<ITables>(), out var messages);
        await runner.StartAsync("backup", "now");
        await DeliverAsync(runner, messages);

        await using var other = await TestHost.StartAsync(host.Now.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'"));
        runner = Runner(other.Services.GetRequiredService<ITables>(), out messages);
        await runner.StartAsync("restore", RestoreJob.OccasionOf("2026-03-01-0610-05Z", Night));
        await DeliverAsync(runner, messages);
        Assert.Equal((await host.CustomerAsync(host.Ada.Customer)).ToJsonString(), (await other.CustomerAsync(host.Ada.Customer)).ToJsonString());
        Assert.Contains(host.Ada.Customer, await other.Http.GetStringAsync("/customers"));
    }

    private Task BackUpAsync() => RunAsync(tables, "backup", clock.Now.ToString("O"));

    private Task<JobState> RestoreAsync(ITables into) => RunAsync(into, "restore", RestoreJob.OccasionOf("2026-03-01-0610-05Z", clock.Now));

    private async Task<JobState> RunAsync(ITables on, string job, string occasion)
    {
        var messages = new Queue<InboxMessage>();
        var runner = Runner(on, messages);
        Assert.True(await runner.StartAsync(job, occasion));
        await DeliverAsync(runner, messages);
        var state = (await runner.StateAsync(job))!;
        // Not in a backup, and not to be compared.
        await on.DeleteAsync(Keys.Job("backup"));
        return state;
    }

    private static async Task DeliverAsync(JobRunner runner, Queue<InboxMessage> messages)
    {
        while (messages.TryDequeue(out var message)) await runner.HandleAsync(message.Body);
    }

    private JobRunner Runner(ITables on, out Queue<InboxMessage> messages) => Runner(on, messages = new Queue<InboxMessage>());

    private JobRunner Runner(ITables on, Queue<InboxMessage> messages) =>
        new(on, new Queued(messages), [new BackupJob(on, store, settings, clock), new RestoreJob(on, store, new Backups(store))], clock, NullLogger<JobRunner>.Instance);

    // Rows as the product has them: buckets with several nouns, and indexes with a partition for each row.
    private static async Task FillAsync(ITables tables, int rows)
    {
        string[] nouns = ["invoice", "ledger", "score", "snapshot"];
        for (var i = 0; i < rows;)
        {
            var bucket = (i / 100 % 256).ToString("x2");
            var batch = Enumerable.Range(i, Math.Min(99, rows - i)).Select(n => (Write)new Write.Upsert($"{nouns[n % 4]}|c{n}|{n}", Row($"row {n} ü"))).ToList();
            i += batch.Count;
            await tables.TryCommitAsync(bucket, batch);
            if (i >= rows) break;
            await tables.TryCommitAsync($"x-invoice|in_{i}", [new Write.Upsert("customer", Row($"index {i}"))]);
            i++;
        }
    }

    private static ReadOnlyMemory<byte> Row(string text) => Encoding.UTF8.GetBytes(new JsonObject { ["text"] = text, ["at"] = "2026-03-01T00:00:00Z", ["n"] = 1.50, ["list"] = new JsonArray(1, "x") }.ToJsonString());

    private static async Task<List<string>> AllAsync(ITables tables)
    {
        var all = new List<string>();
        await foreach (var row in tables.ScanAsync()) all.Add($"{row.At.Partition}/{row.At.Key}/{JsonNode.Parse(row.Body.Span)!.ToJsonString()}");
        return all;
    }

    private sealed class Queued(Queue<InboxMessage> messages) : IInbox
    {
        public Task EnqueueAsync(IReadOnlyList<InboxMessage> some, CancellationToken cancel = default)
        {
            foreach (var message in some) messages.Enqueue(message);
            return Task.CompletedTask;
        }
    }
}
