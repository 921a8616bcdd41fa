using System.Runtime.CompilerServices;
using Microsoft.Extensions.DependencyInjection;
using RetentionFunctions.Local.Sqlite;
using RetentionFunctions.Storage;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.Tests.Faults;

/// <summary>The loop of the local host when something cannot be handled.</summary>
public class PumpTests
{
    private static readonly DateTimeOffset SignUp = FlowStory.SignUp;

    [Theory]
    [InlineData(0, 64, 0)]
    [InlineData(64, 64, 0)]
    [InlineData(96, 64, 0.5)]
    [InlineData(320, 64, 4)]
    [InlineData(100_000, 64, 9)]
    public void The_pump_leaves_the_machine_to_the_doors_only_while_more_comes_in_than_it_handles_and_never_altogether(long cameIn, int handled, double rest) =>
        Assert.Equal(rest, RetentionFunctions.Local.InboxDrain.Rest(cameIn, handled));

    [Fact]
    public async Task A_message_that_can_neither_be_handled_nor_be_kept_as_a_dead_letter_waits_alone_and_is_not_lost()
    {
        BrokenTables? tables = null;
        await using var host = await TestHost.StartAsync("2026-01-05T10:00:00Z", services: services =>
        {
            var inner = (ITables)services.Last(s => s.ServiceType == typeof(ITables)).ImplementationInstance!;
            services.AddSingleton<ITables>(tables = new BrokenTables(inner));
        });
        var (bad, good) = (new Story("cus_Bad", "bad@example.com"), new Story("cus_Good", "good@example.com"));
        tables!.Broken = [Keys.Bucket(bad.Customer), Keys.DeadLetters.Partition];
        Assert.NotEqual(Keys.Bucket(bad.Customer), Keys.Bucket(good.Customer));

        await host.StripeAsync(bad.SignsUp(SignUp));
        // Ten attempts with a doubling pause take seventeen minutes; then it is given up, which fails too.
        await host.AdvanceAsync(TimeSpan.FromHours(2));
        await host.StripeAsync(good.SignsUp(SignUp));
        Assert.Equal("active", (string)(await host.CustomerAsync(good.Customer))["status"]!);
        Assert.True(await host.Services.GetRequiredService<SqliteInbox>().CountAsync() > 0);

        tables.Broken = [];
        await host.AdvanceAsync(TimeSpan.FromHours(2));
        Assert.Equal("active", (string)(await host.CustomerAsync(bad.Customer))["status"]!);
        Assert.Equal(0, await host.Services.GetRequiredService<SqliteInbox>().CountAsync());
        Assert.Empty(await host.DeadLettersAsync());
    }

    [Fact]
    public async Task When_the_store_falters_what_was_taken_is_taken_again_with_all_that_waited_behind_it()
    {
        BrokenTables? tables = null;
        await using var host = await TestHost.StartAsync("2026-01-05T10:00:00Z", services: services =>
        {
            var inner = (ITables)services.Last(s => s.ServiceType == typeof(ITables)).ImplementationInstance!;
            services.AddSingleton<ITables>(tables = new BrokenTables(inner));
        });
        var stories = Enumerable.Range(0, 25).Select(i => new Story($"cus_{i}", $"c{i}@example.com")).ToList();
        // As when the host is stopped in the middle of its work: some are being handled, most have not begun.
        tables!.Cancels = 10;
        foreach (var story in stories)
            foreach (var e in story.SignsUp(SignUp)) Assert.True((await host.SendStripeAsync(e.ToJsonString())).IsSuccessStatusCode);
        await host.AdvanceAsync(TimeSpan.FromHours(1));
        Assert.Equal(0, tables.Cancels);
        Assert.Equal(0, await host.Services.GetRequiredService<SqliteInbox>().CountAsync());
        foreach (var story in stories) Assert.Equal("active", (string)(await host.CustomerAsync(story.Customer))["status"]!);
    }

    [Fact]
    public async Task A_sweep_that_fails_is_tried_again_and_nothing_else_stands_still()
    {
        BrokenTables? tables = null;
        await using var host = await TestHost.StartAsync("2026-01-05T10:00:00Z", services: services =>
        {
            var inner = (ITables)services.Last(s => s.ServiceType == typeof(ITables)).ImplementationInstance!;
            services.AddSingleton<ITables>(tables = new BrokenTables(inner));
        });
        await host.StripeAsync(host.Ada.SignsUp(SignUp));
        tables!.Broken = [Keys.SweepOf(default).Partition];
        await host.AdvanceAsync(TimeSpan.FromDays(1));
        await host.StripeAsync(new Story("cus_Bob", "bob@example.com").SignsUp(SignUp));
        Assert.Equal("active", (string)(await host.CustomerAsync("cus_Bob"))["status"]!);

        tables.Broken = [];
        await host.AdvanceAsync(TimeSpan.FromHours(2));
        Assert.Single(await host.Services.GetRequiredService<ITables>().ListAsync<RetentionFunctions.Health.SweepResult>(Keys.Sweeps));
    }

    private sealed class BrokenTables(ITables inner) : ITables
    {
        private int cancels;

        public string[] Broken { get; set; } = [];

        /// <summary>How many of the next commits are cancelled from within, as a time-out of a client does.</summary>
        public int Cancels { get => Math.Max(0, cancels); set => cancels = value; }

        public Task<Row?> GetAsync(RowKey key, CancellationToken cancel = default) => inner.GetAsync(key, cancel);

        public async IAsyncEnumerable<Row> QueryAsync(KeyRange range, [EnumeratorCancellation] CancellationToken cancel = default)
        {
            await foreach (var row in inner.QueryAsync(range, cancel)) yield return row;
        }

        public IAsyncEnumerable<Row> ScanAsync(RowKey? after = null, CancellationToken cancel = default) => inner.ScanAsync(after, cancel);

        public Task<IReadOnlyList<string>> BucketsInUseAsync(CancellationToken cancel = default) => inner.BucketsInUseAsync(cancel);

        public Task<bool> TryCommitAsync(string partition, IReadOnlyList<Write> writes, CancellationToken cancel = default)
        {
            if (Broken.Contains(partition)) throw new InvalidOperationException("This part of the store is broken.");
            if (partition.Length == 2 && Interlocked.Decrement(ref cancels) >= 0) throw new TaskCanceledException("A time-out.");
            return inner.TryCommitAsync(partition, writes, cancel);
        }
    }
}
