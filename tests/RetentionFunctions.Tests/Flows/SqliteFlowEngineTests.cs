using RetentionFunctions.Tests.Support;
using RetentionFunctions.Flows;
using RetentionFunctions.Local.Sqlite;
using RetentionFunctions.Tests.Storage;

namespace RetentionFunctions.Tests.Flows;

public sealed class SqliteFlowEngineTests : FlowEngineContract, IAsyncDisposable
{
    private static readonly DateTimeOffset Start = new(2026, 1, 1, 12, 0, 0, TimeSpan.Zero);

    private readonly SqliteFixture _sqlite = new();
    private readonly StandingClock _clock = new(Start);
    private SqliteDueTable? _due;

    private SqliteDueTable Table => _due ??= new SqliteDueTable(_sqlite.Store);

    protected override IFlowEngine Engine => new SqliteFlowEngine(Table, _clock);

    protected override DateTimeOffset Now => _clock.Now;

    protected override void Move(TimeSpan by) => _clock.Now += by;

    protected override async Task<IReadOnlyList<RunId>> AskAsync(Func<RunId, Task<DateTimeOffset?>> advance)
    {
        var asked = new List<RunId>();
        foreach (var due in await Table.TakeDueAsync(Now, 100))
        {
            var run = RunId.Parse(due.Id);
            asked.Add(run);
            await Table.SettleAsync(due.Id, due.Version, await advance(run));
        }
        return asked;
    }

    private async Task<string[]> DueIdsAsync(DateTimeOffset now, int max = 100) => [.. (await Table.TakeDueAsync(now, max)).Select(due => due.Id)];

    [Fact]
    public async Task What_is_due_comes_in_order_of_time_and_then_of_id()
    {
        await Table.StartAsync("c", Start);
        await Table.StartAsync("b", Start.AddMinutes(-1));
        await Table.StartAsync("a", Start);
        await Table.StartAsync("later", Start.AddTicks(1));
        Assert.Equal(["b", "a", "c"], await DueIdsAsync(Start));
        Assert.Equal(["b", "a"], await DueIdsAsync(Start, max: 2));
        Assert.Equal(Start.AddMinutes(-1), await Table.NextDueAsync());
    }

    [Fact]
    public async Task Nothing_waiting_means_no_next_time()
    {
        Assert.Null(await Table.NextDueAsync());
        Assert.True(await Table.StartAsync("sweep", Start));
        var due = Assert.Single(await Table.TakeDueAsync(Start, 10));
        Assert.Equal(new Due("sweep", Start, due.Version), due);
        Assert.True(await Table.SettleAsync("sweep", due.Version, null));
        Assert.Null(await Table.NextDueAsync());
    }

    [Fact]
    public async Task Starting_what_is_known_leaves_its_time_alone()
    {
        Assert.True(await Table.StartAsync("a", Start.AddDays(1)));
        Assert.False(await Table.StartAsync("a", Start));
        Assert.Equal(Start.AddDays(1), await Table.NextDueAsync());
    }

    [Fact]
    public async Task Waking_never_makes_anything_later()
    {
        await Table.StartAsync("a", Start);
        await Table.WakeAsync("a", Start.AddHours(1));
        Assert.Equal(Start, await Table.NextDueAsync());
    }

    [Fact]
    public async Task An_answer_given_before_a_wake_up_changes_nothing()
    {
        await Table.StartAsync("a", Start);
        var before = Assert.Single(await Table.TakeDueAsync(Start, 10));
        await Table.WakeAsync("a", Start);
        Assert.False(await Table.SettleAsync("a", before.Version, Start.AddDays(3)));
        Assert.False(await Table.SettleAsync("a", before.Version, null));
        Assert.Equal(["a"], await DueIdsAsync(Start));
    }

    [Fact]
    public async Task An_answer_of_a_run_that_ended_and_was_started_again_changes_nothing()
    {
        await Table.StartAsync("a", Start);
        var before = Assert.Single(await Table.TakeDueAsync(Start, 10));
        await Table.SettleAsync("a", before.Version, null);
        await Table.StartAsync("a", Start);
        Assert.False(await Table.SettleAsync("a", before.Version, null));
        Assert.Equal(["a"], await DueIdsAsync(Start));
    }

    [Fact]
    public async Task What_was_due_when_the_program_stopped_is_due_when_it_starts_again()
    {
        await Engine.StartAsync(Ada);
        await Table.TakeDueAsync(Now, 10);
        await _sqlite.ReopenAsync();
        _due = null;
        Assert.Equal([Ada.ToString()], await DueIdsAsync(Now));
    }

    [Fact]
    public async Task A_change_wakes_the_one_who_waits()
    {
        var waiting = Table.Changed.WaitAsync();
        Assert.False(waiting.IsCompleted);
        await Engine.WakeAsync(Ada);
        await waiting.WaitAsync(TimeSpan.FromSeconds(10));
    }

    public ValueTask DisposeAsync() => _sqlite.DisposeAsync();
}
