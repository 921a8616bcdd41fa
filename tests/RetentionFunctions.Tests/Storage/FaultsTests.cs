using RetentionFunctions.Email;
using RetentionFunctions.Flows;
using RetentionFunctions.Intake;
using RetentionFunctions.Local.Sqlite;
using RetentionFunctions.Storage;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.Tests.Storage;

/// <summary>The planned faults themselves: a crash test is worth what its faults are.</summary>
public sealed class FaultsTests : IAsyncDisposable
{
    private static readonly DateTimeOffset Start = new(2026, 1, 1, 12, 0, 0, TimeSpan.Zero);
    private static readonly RunId Run = new("cus_1", "dunning", "in_1");

    private readonly SqliteFixture _sqlite = new();
    private readonly StandingClock _clock = new(Start);

    private static OutgoingEmail Email => new()
    {
        Id = "m1", CustomerId = "cus_1", Flow = "dunning", Occasion = "in_1", Step = 1, Template = "t", Kind = MailKind.Transactional,
        To = new Mailbox("", "a@example.com"), From = new Mailbox("", "b@example.com"), Subject = "s", Html = "h", Text = "t",
    };

    /// <summary>One call of each, in this order: commit, get, query, enqueue, start, wake, send.</summary>
    private async Task<List<string>> StoryAsync(FaultPlan plan)
    {
        var tables = new FaultyTables(new SqliteTables(_sqlite.Store), plan);
        var engine = new FaultyFlowEngine(new SqliteFlowEngine(new SqliteDueTable(_sqlite.Store), _clock), plan);
        var failed = new List<string>();
        async Task Try(string what, Func<Task> call)
        {
            try { await call(); }
            catch (TransientStorageException) { failed.Add(what); }
        }
        await Try("commit", () => tables.TryCommitAsync("p", [new Write.Upsert("a", "{}"u8.ToArray())]));
        await Try("get", () => tables.GetAsync(new RowKey("p", "a")));
        await Try("query", async () =>
        {
            await foreach (var row in tables.QueryAsync(new KeyRange("p", "a", "b"))) Assert.Equal("a", row.At.Key);
        });
        await Try("enqueue", () => new FaultyInbox(new SqliteInbox(_sqlite.Store), plan).EnqueueAsync([new InboxMessage("s", "1", MessageKind.AppEvent, "{}"u8.ToArray(), Start)]));
        await Try("start", () => engine.StartAsync(Run));
        await Try("wake", () => engine.WakeAsync(Run));
        await Try("send", async () =>
        {
            if (await new FaultyMailer(new SqliteOutbox(_sqlite.Store, _clock), plan).SendAsync(Email) is MailOutcome.NotSent) failed.Add("not sent");
        });
        return failed;
    }

    private async Task<(int Rows, long Queued, int Due, long Mails)> LeftAsync() => (
        await new SqliteTables(_sqlite.Store).GetAsync(new RowKey("p", "a")) is null ? 0 : 1,
        await new SqliteInbox(_sqlite.Store).CountAsync(),
        (await new SqliteDueTable(_sqlite.Store).TakeDueAsync(Start, 10)).Count,
        await new SqliteOutbox(_sqlite.Store, _clock).CountAsync());

    [Fact]
    public async Task Without_a_planned_fault_every_call_is_counted_and_none_fails()
    {
        var plan = FaultPlan.None();
        Assert.Empty(await StoryAsync(plan));
        Assert.Equal(7, plan.Calls);
        Assert.Null(plan.Failed);
    }

    [Theory]
    [InlineData(1, "commit")]
    [InlineData(2, "get")]
    [InlineData(3, "query")]
    [InlineData(4, "enqueue")]
    [InlineData(5, "start")]
    [InlineData(6, "wake")]
    [InlineData(7, "send")]
    public async Task A_fault_strikes_the_call_it_is_planned_for_and_only_that(int call, string what)
    {
        var before = FaultPlan.At(call, FaultMoment.Before);
        Assert.Equal([what == "send" ? "not sent" : what], await StoryAsync(before));
        Assert.Equal(7, before.Calls);
        Assert.Contains($"call {call}, Before", before.Failed, StringComparison.Ordinal);
        // Nothing of the call that failed was done; a run that was not started was woken, which starts it.
        Assert.Equal((call == 1 ? 0 : 1, call == 4 ? 0L : 1L, 1, call == 7 ? 0L : 1L), await LeftAsync());
    }

    [Theory]
    [InlineData(1, "commit")]
    [InlineData(2, "get")]
    [InlineData(3, "query")]
    [InlineData(4, "enqueue")]
    [InlineData(5, "start")]
    [InlineData(6, "wake")]
    [InlineData(7, "send")]
    public async Task A_fault_after_the_call_throws_although_all_was_done(int call, string what)
    {
        Assert.Equal([what], await StoryAsync(FaultPlan.At(call, FaultMoment.After)));
        Assert.Equal((1, 1L, 1, 1L), await LeftAsync());
    }

    public ValueTask DisposeAsync() => _sqlite.DisposeAsync();
}
