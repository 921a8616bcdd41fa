using RetentionFunctions.Intake;
using RetentionFunctions.Local.Sqlite;
using RetentionFunctions.Tests.Storage;

namespace RetentionFunctions.Tests.Intake;

public sealed class SqliteInboxTests : InboxContract, IAsyncDisposable
{
    private readonly SqliteFixture _sqlite = new();
    private SqliteInbox? _inbox;

    private SqliteInbox Queue => _inbox ??= new SqliteInbox(_sqlite.Store);

    protected override IInbox Inbox => Queue;

    protected override async Task RestartAsync()
    {
        await _sqlite.ReopenAsync();
        _inbox = null;
    }

    protected override async Task<IReadOnlyList<InboxMessage>> DrainAsync()
    {
        var drained = new List<InboxMessage>();
        while (await Queue.NextAsync(Noon, 100) is { Count: > 0 } batch)
        {
            drained.AddRange(batch.Select(queued => queued.Message));
            await Queue.CompleteAsync([.. batch.Select(queued => queued.Seq)]);
        }
        return drained;
    }

    private async Task<List<QueuedMessage>> TakeAsync(DateTimeOffset? now = null, int max = 100) => [.. await Queue.NextAsync(now ?? Noon, max)];

    private static string[] Ids(IEnumerable<QueuedMessage> taken) => [.. taken.Select(queued => queued.Message.Id)];

    [Fact]
    public async Task Of_each_session_one_message_at_a_time_is_taken()
    {
        await Inbox.EnqueueAsync([Message("a", "a1"), Message("a", "a2"), Message("b", "b1"), Message("a", "a3")]);
        var taken = await TakeAsync();
        Assert.Equal(["a1", "b1"], Ids(taken));
        Assert.Empty(await TakeAsync());
        await Queue.CompleteAsync([taken[0].Seq]);
        taken = await TakeAsync();
        Assert.Equal(["a2"], Ids(taken));
        await Inbox.EnqueueAsync([Message("a", "a4"), Message("c", "c1")]);
        Assert.Equal(["c1"], Ids(await TakeAsync()));
        await Queue.CompleteAsync([taken[0].Seq]);
        Assert.Equal(["a3"], Ids(await TakeAsync()));
    }

    [Fact]
    public async Task A_message_whose_commit_was_undone_for_the_sake_of_a_neighbour_is_queued_all_the_same_and_once()
    {
        // While the first write holds the writer, the others gather for one commit, which is undone for the one that throws and run again.
        using var gathered = new ManualResetEventSlim();
        var first = _sqlite.Store.WriteAsync(_ => { gathered.Wait(); return 0; });
        var queued = Inbox.EnqueueAsync([Message("a", "a1")]);
        var fails = _sqlite.Store.WriteAsync<int>(_ => throw new InvalidDataException("a neighbour"));
        var again = Inbox.EnqueueAsync([Message("a", "a1")]);
        gathered.Set();
        await Task.WhenAll(first, queued, again);
        await Assert.ThrowsAsync<InvalidDataException>(() => fails);
        Assert.Equal(["a1"], (await DrainAsync()).Select(m => m.Id));
    }

    [Fact]
    public async Task A_file_of_version_1_goes_on_with_its_messages_and_they_still_count_once()
    {
        await Inbox.EnqueueAsync([Message("a", "a1"), Message("b", "b1")]);
        await _sqlite.Store.WriteAsync(writer => writer.Execute("CREATE UNIQUE INDEX inbox_by_id ON inbox(id)") + writer.Execute("PRAGMA user_version=1"));
        await RestartAsync();
        await Inbox.EnqueueAsync([Message("a", "a1"), Message("b", "b2")]);
        Assert.Equal(2, await _sqlite.Store.ReadAsync(reader => reader.Number("PRAGMA user_version")));
        Assert.Equal(0, await _sqlite.Store.ReadAsync(reader => reader.Number("SELECT count(*) FROM sqlite_master WHERE name = 'inbox_by_id'")));
        Assert.Equal(["a1", "b1", "b2"], (await DrainAsync()).Select(m => m.Id).Order());
    }

    [Fact]
    public async Task No_more_are_taken_than_asked_for_and_the_oldest_first()
    {
        await Inbox.EnqueueAsync([.. Enumerable.Range(0, 5).Select(i => Message($"s{i}", $"{i}"))]);
        Assert.Equal(["0", "1"], Ids(await TakeAsync(max: 2)));
        Assert.Equal(["2", "3"], Ids(await TakeAsync(max: 2)));
        Assert.Equal(["4"], Ids(await TakeAsync(max: 2)));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_delayed_message_holds_back_its_session_and_no_other(bool restarted)
    {
        await Inbox.EnqueueAsync([Message("a", "a1"), Message("a", "a2"), Message("b", "b1")]);
        var taken = await TakeAsync();
        Assert.Equal(["a1", "b1"], Ids(taken));
        Assert.Null(await Queue.NextDelayedAsync());
        await Queue.RetryLaterAsync(taken[0].Seq, 1, Noon.AddMinutes(5));
        await Queue.CompleteAsync([taken[1].Seq]);
        await Inbox.EnqueueAsync([Message("b", "b2")]);
        if (restarted) await RestartAsync();

        Assert.Equal(["b2"], Ids(await TakeAsync(Noon.AddMinutes(4))));
        Assert.Equal(Noon.AddMinutes(5), await Queue.NextDelayedAsync());
        Assert.Equal(3, await Queue.CountAsync());
        var again = Assert.Single(await TakeAsync(Noon.AddMinutes(5)));
        Assert.Equal("a1", again.Message.Id);
        Assert.Equal(1, again.Attempts);
        Assert.Null(await Queue.NextDelayedAsync());
        await Queue.CompleteAsync([again.Seq]);
        Assert.Equal(["a2"], Ids(await TakeAsync(Noon.AddMinutes(5))));
    }

    [Fact]
    public async Task The_earliest_of_several_delays_is_told()
    {
        await Inbox.EnqueueAsync([Message("a", "a"), Message("b", "b"), Message("c", "c")]);
        var taken = await TakeAsync();
        await Queue.RetryLaterAsync(taken[0].Seq, 1, Noon.AddMinutes(3));
        await Queue.RetryLaterAsync(taken[1].Seq, 1, Noon.AddMinutes(2));
        Assert.Equal(Noon.AddMinutes(2), await Queue.NextDelayedAsync());
        Assert.Equal(["b"], Ids(await TakeAsync(Noon.AddMinutes(2))));
        Assert.Equal(Noon.AddMinutes(3), await Queue.NextDelayedAsync());
    }

    [Fact]
    public async Task What_was_taken_and_not_done_comes_again_after_a_restart()
    {
        await Inbox.EnqueueAsync([Message("a", "a1"), Message("a", "a2")]);
        Assert.Equal(["a1"], Ids(await TakeAsync()));
        await RestartAsync();
        Assert.Equal(["a1", "a2"], (await DrainAsync()).Select(m => m.Id));
    }

    [Fact]
    public async Task What_is_released_comes_again_at_once_and_before_the_later_ones()
    {
        await Inbox.EnqueueAsync([Message("a", "a1"), Message("a", "a2"), Message("b", "b1")]);
        var taken = await TakeAsync(max: 1);
        Queue.Release(taken[0].Seq);
        Assert.Equal(["a1", "b1"], Ids(await TakeAsync()));
    }

    [Fact]
    public async Task An_id_may_be_queued_again_once_it_is_done_and_completing_twice_harms_nothing()
    {
        await Inbox.EnqueueAsync([Message("a", "1")]);
        var first = await TakeAsync();
        await Queue.CompleteAsync([first[0].Seq]);
        await Inbox.EnqueueAsync([Message("a", "1")]);
        await Queue.CompleteAsync([first[0].Seq]);
        Assert.Equal(1, await Queue.CountAsync());
        Assert.Equal(["1"], Ids(await TakeAsync()));
    }

    [Fact]
    public async Task Arriving_and_finishing_wake_the_one_who_waits()
    {
        var waiting = Queue.Arrived.WaitAsync();
        Assert.False(waiting.IsCompleted);
        await Inbox.EnqueueAsync([Message("a", "a1"), Message("a", "a2")]);
        await waiting.WaitAsync(TimeSpan.FromSeconds(10));
        var taken = await TakeAsync();
        Assert.Empty(await TakeAsync(max: 5));
        waiting = Queue.Arrived.WaitAsync();
        Assert.False(waiting.IsCompleted);
        await Queue.CompleteAsync([taken[0].Seq]);
        await waiting.WaitAsync(TimeSpan.FromSeconds(10));
    }

    [Fact]
    public async Task Twenty_thousand_messages_of_two_thousand_sessions_come_in_order_within_each_session()
    {
        var sent = Enumerable.Range(0, 20_000).Select(i => Message($"s{i * 7919 % 2000}", $"{i:D5}")).ToList();
        await Task.WhenAll(sent.Chunk(1000).Select(part => Inbox.EnqueueAsync(part)));
        Assert.Equal(20_000, await Queue.CountAsync());
        var open = new List<QueuedMessage>();
        var handled = new List<InboxMessage>();
        // Half of what is taken stays open while the next is taken, as with handlers of different speed; every 50th is first put back.
        while (true)
        {
            var taken = await TakeAsync(max: 400);
            open.AddRange(taken);
            if (open.Count == 0) break;
            Assert.Equal(open.Count, open.Select(queued => queued.Message.Session).Distinct().Count());
            var done = open.Where((_, i) => i % 2 == 0).ToList();
            open.RemoveAll(done.Contains);
            foreach (var back in done.Where((queued, i) => i % 50 == 49).ToList())
            {
                done.Remove(back);
                Queue.Release(back.Seq);
            }
            handled.AddRange(done.Select(queued => queued.Message));
            await Queue.CompleteAsync([.. done.Select(queued => queued.Seq)]);
        }
        Assert.Equal(0, await Queue.CountAsync());
        Assert.Equal(20_000, handled.Select(m => m.Id).Distinct().Count());
        Assert.Equal(20_000, handled.Count);
        var order = sent.GroupBy(m => m.Session).ToDictionary(g => g.Key, g => g.Select(m => m.Id).ToList());
        foreach (var session in handled.GroupBy(m => m.Session)) Assert.Equal(order[session.Key], session.Select(m => m.Id));
    }

    public ValueTask DisposeAsync() => _sqlite.DisposeAsync();
}
