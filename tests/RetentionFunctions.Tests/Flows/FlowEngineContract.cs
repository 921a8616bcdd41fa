using RetentionFunctions.Flows;

namespace RetentionFunctions.Tests.Flows;

/// <summary>What every implementation of <see cref="IFlowEngine"/> does, whatever stands behind it.</summary>
public abstract class FlowEngineContract
{
    protected static readonly RunId Ada = new("cus_ada", "win-back", "2026-01-01");
    protected static readonly RunId Ben = new("cus|ben", "dunning", "in_1");

    protected abstract IFlowEngine Engine { get; }

    /// <summary>The engine's clock.</summary>
    protected abstract DateTimeOffset Now { get; }

    /// <summary>Moves the engine's clock.</summary>
    protected abstract void Move(TimeSpan by);

    /// <summary>Lets the engine ask every run that is due now, once; <paramref name="advance"/> says when it wants to be asked again, or null for never.</summary>
    protected abstract Task<IReadOnlyList<RunId>> AskAsync(Func<RunId, Task<DateTimeOffset?>> advance);

    private Task<IReadOnlyList<RunId>> AskAnsweringAsync(DateTimeOffset? next) => AskAsync(_ => Task.FromResult(next));

    [Fact]
    public async Task A_started_run_is_asked_at_once_and_then_when_it_said_so()
    {
        await Engine.StartAsync(Ada);
        Assert.Equal([Ada], await AskAnsweringAsync(Now.AddDays(3)));
        Move(TimeSpan.FromDays(3) - TimeSpan.FromSeconds(1));
        Assert.Empty(await AskAnsweringAsync(null));
        Move(TimeSpan.FromSeconds(1));
        Assert.Equal([Ada], await AskAnsweringAsync(null));
    }

    [Fact]
    public async Task A_run_that_is_over_is_never_asked_again()
    {
        await Engine.StartAsync(Ada);
        await AskAnsweringAsync(null);
        Move(TimeSpan.FromDays(365));
        Assert.Empty(await AskAnsweringAsync(null));
    }

    [Fact]
    public async Task Starting_a_run_twice_keeps_time_for_it_once()
    {
        await Engine.StartAsync(Ada);
        await Engine.StartAsync(Ada);
        Assert.Equal([Ada], await AskAnsweringAsync(Now.AddDays(3)));
        await Engine.StartAsync(Ada);
        Assert.Empty(await AskAnsweringAsync(null));
    }

    [Fact]
    public async Task A_woken_run_is_asked_at_once_and_not_a_second_time_for_its_old_time()
    {
        await Engine.StartAsync(Ada);
        await AskAnsweringAsync(Now.AddDays(3));
        await Engine.WakeAsync(Ada);
        await Engine.WakeAsync(Ada);
        Assert.Equal([Ada], await AskAnsweringAsync(Now.AddDays(5)));
        Move(TimeSpan.FromDays(3));
        Assert.Empty(await AskAnsweringAsync(null));
        Move(TimeSpan.FromDays(2));
        Assert.Equal([Ada], await AskAnsweringAsync(null));
    }

    [Fact]
    public async Task Waking_a_run_that_the_engine_does_not_know_starts_it()
    {
        await Engine.WakeAsync(Ben);
        Assert.Equal([Ben], await AskAnsweringAsync(null));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_run_woken_while_it_is_asked_is_asked_once_more(bool ends)
    {
        await Engine.StartAsync(Ada);
        await AskAsync(async run =>
        {
            await Engine.WakeAsync(run);
            return ends ? null : Now.AddDays(3);
        });
        Assert.Equal([Ada], await AskAnsweringAsync(null));
        Assert.Empty(await AskAnsweringAsync(null));
    }

    [Fact]
    public async Task Runs_do_not_touch_each_other()
    {
        await Engine.StartAsync(Ada);
        await Engine.StartAsync(Ben);
        Assert.Equal([Ada, Ben], (await AskAnsweringAsync(Now.AddDays(3))).OrderBy(run => run.CustomerId, StringComparer.Ordinal));
        await Engine.WakeAsync(Ben);
        Assert.Equal([Ben], await AskAnsweringAsync(null));
        Move(TimeSpan.FromDays(3));
        Assert.Equal([Ada], await AskAnsweringAsync(null));
    }
}
