using System.Collections.Concurrent;
using Microsoft.DurableTask;
using Microsoft.DurableTask.Client;
using Microsoft.DurableTask.Testing;
using RetentionFunctions.Functions;

namespace RetentionFunctions.FunctionsTests;

/// <summary>The orchestrator on the in-process durable host: real history and replay, real clock; what it is told is scripted.</summary>
public sealed class FlowTests : IAsyncDisposable
{
    private static readonly TimeSpan Never = TimeSpan.FromHours(1);
    private static readonly FlowPace Quick = new(50, TimeSpan.FromMilliseconds(1), new RetryPolicy(3, TimeSpan.FromMilliseconds(10)), TimeSpan.FromMilliseconds(20));

    private readonly CancellationTokenSource _patience = new(TimeSpan.FromSeconds(20));
    private readonly ConcurrentQueue<string> _looks = new();
    private DurableTaskTestHost? _host;

    private DurableTaskClient Client => _host!.Client;

    /// <summary>A host whose looks answer by their number, from 1.</summary>
    private async Task StartAsync(Func<int, Task<DateTimeOffset?>> advance, FlowPace? pace = null)
    {
        // The host takes a port by chance and may meet one that is taken.
        for (var attempt = 1; ; attempt++)
            try
            {
                _host = await DurableTaskTestHost.StartAsync(tasks =>
                {
                    tasks.AddOrchestratorFunc<string, bool>(nameof(Flow), async (context, _) =>
                    {
                        await Flow.KeepTimeAsync(context, pace ?? Quick);
                        return true;
                    });
                    tasks.AddActivityFunc<string, DateTimeOffset?>(nameof(Advance), (_, run) =>
                    {
                        _looks.Enqueue(run);
                        return advance(_looks.Count);
                    });
                }, cancellationToken: _patience.Token);
                break;
            }
            catch (IOException) when (attempt < 5)
            {
            }
        await Client.ScheduleNewOrchestrationInstanceAsync(nameof(Flow), "cus_1|dunning|in_1", new StartOrchestrationOptions { InstanceId = "run" }, _patience.Token);
    }

    private async Task<OrchestrationMetadata> EndAsync() => await Client.WaitForInstanceCompletionAsync("run", getInputsAndOutputs: true, _patience.Token);

    private Task WakeAsync() => Client.RaiseEventAsync("run", Flow.WakeUp, "", _patience.Token);

    private async Task LooksAsync(int count)
    {
        while (_looks.Count < count) await Task.Delay(5, _patience.Token);
    }

    private static Task<DateTimeOffset?> At(TimeSpan after) => Task.FromResult<DateTimeOffset?>(DateTimeOffset.UtcNow + after);

    private static readonly Task<DateTimeOffset?> Over = Task.FromResult<DateTimeOffset?>(null);

    private async Task AssertEndedAfterAsync(int looks)
    {
        var end = await EndAsync();
        Assert.True(end.RuntimeStatus == OrchestrationRuntimeStatus.Completed, $"{end.RuntimeStatus}: {end.FailureDetails}");
        Assert.Equal(Enumerable.Repeat("cus_1|dunning|in_1", looks), _looks);
    }

    [Fact]
    public async Task A_run_that_is_over_at_once_is_looked_at_once()
    {
        await StartAsync(_ => Over);
        await AssertEndedAfterAsync(1);
    }

    [Fact]
    public async Task It_looks_again_when_it_was_told_to_and_not_before()
    {
        var second = DateTimeOffset.MinValue;
        var due = DateTimeOffset.UtcNow.AddSeconds(1.5);
        await StartAsync(look =>
        {
            if (look == 1) return Task.FromResult<DateTimeOffset?>(due);
            second = DateTimeOffset.UtcNow;
            return Over;
        });
        await AssertEndedAfterAsync(2);
        Assert.True(second >= due, $"It looked at {second:O} and was told {due:O}.");
    }

    [Fact]
    public async Task A_due_time_that_has_passed_is_looked_at_at_once()
    {
        await StartAsync(look => look == 1 ? At(-Never) : Over);
        await AssertEndedAfterAsync(2);
    }

    [Fact]
    public async Task A_wake_up_while_it_waits_ends_the_wait_and_the_timer()
    {
        await StartAsync(look => look == 1 ? At(Never) : Over);
        await LooksAsync(1);
        await Task.Delay(200, _patience.Token);
        await WakeAsync();
        // An instance whose timer still ran would go on for an hour.
        await AssertEndedAfterAsync(2);
    }

    [Fact]
    public async Task A_wake_up_before_the_wait_is_not_lost()
    {
        var mayAnswer = new TaskCompletionSource();
        await StartAsync(async look =>
        {
            if (look > 1) return null;
            await mayAnswer.Task;
            return DateTimeOffset.UtcNow + Never;
        });
        await LooksAsync(1);
        await WakeAsync();
        await Task.Delay(200, _patience.Token);
        mayAnswer.SetResult();
        await AssertEndedAfterAsync(2);
    }

    [Fact]
    public async Task Several_wake_ups_at_once_are_seen_and_none_is_swallowed_by_an_earlier_wait()
    {
        // Each look after the first waits for ever: only a wake-up gets it on. Were one of them swallowed, the last look would not come.
        await StartAsync(look => look < 5 ? At(Never) : Over);
        await LooksAsync(1);
        await Task.Delay(100, _patience.Token);
        await Task.WhenAll(WakeAsync(), WakeAsync(), WakeAsync());
        for (var look = 2; look < 5; look++)
        {
            await LooksAsync(look);
            await Task.Delay(100, _patience.Token);
            await WakeAsync();
        }
        var end = await EndAsync();
        Assert.Equal(OrchestrationRuntimeStatus.Completed, end.RuntimeStatus);
        Assert.Equal(5, _looks.Count);
    }

    [Fact]
    public async Task A_timer_that_wins_leaves_nothing_that_swallows_the_next_wake_up()
    {
        await StartAsync(look => look switch { 1 or 2 => At(TimeSpan.FromMilliseconds(50)), 3 => At(Never), _ => Over });
        await LooksAsync(3);
        await Task.Delay(100, _patience.Token);
        await WakeAsync();
        await AssertEndedAfterAsync(4);
    }

    [Fact]
    public async Task A_look_that_fails_twice_is_tried_again()
    {
        await StartAsync(look => look < 3 ? throw new InvalidOperationException("the storage faltered") : Over);
        await AssertEndedAfterAsync(3);
    }

    [Fact]
    public async Task When_all_retries_have_failed_it_waits_and_goes_round_again_instead_of_dying()
    {
        await StartAsync(look => look <= 7 ? throw new InvalidOperationException("the storage faltered") : Over);
        await AssertEndedAfterAsync(8);
    }

    [Fact]
    public async Task A_long_life_of_many_looks_is_no_long_history()
    {
        await StartAsync(look => look < 120 ? At(-Never) : Over, Quick with { Rounds = 10 });
        await AssertEndedAfterAsync(120);
    }

    [Fact]
    public async Task A_wake_up_around_a_new_history_is_not_lost()
    {
        // A new history at every look.
        await StartAsync(look => look < 10 ? At(Never) : Over, Quick with { Rounds = 1 });
        for (var look = 1; look < 10; look++)
        {
            await LooksAsync(look);
            await WakeAsync();
        }
        await AssertEndedAfterAsync(10);
    }

    public async ValueTask DisposeAsync()
    {
        if (_host is not null) await _host.DisposeAsync();
        _patience.Dispose();
    }
}
