using Microsoft.Azure.Functions.Worker;
using Microsoft.DurableTask;

namespace RetentionFunctions.Functions;

/// <summary>
/// Keeps time for one run of any flow: asks <see cref="Advance"/> when to look again, waits for that time or a wake-up, and asks again. It decides
/// nothing and knows no flow, so it never needs a version.
/// </summary>
public static class Flow
{
    /// <summary>The event that says "look again".</summary>
    public const string WakeUp = "WakeUp";

    [Function(nameof(Flow))]
    public static Task RunAsync([OrchestrationTrigger] TaskOrchestrationContext context) => KeepTimeAsync(context, FlowPace.Usual);

    /// <summary>The loop, at a pace. Not another <c>RunAsync</c>: the worker finds a function by the name of its method alone, and loads none that is there twice.</summary>
    public static async Task KeepTimeAsync(TaskOrchestrationContext context, FlowPace pace)
    {
        var run = context.GetInput<string>() ?? throw new InvalidOperationException("A flow is started with the id of its run.");
        // One wait at a time: one that is left behind stays in line and swallows the next event.
        var wakeUp = context.WaitForExternalEvent<string>(WakeUp);
        for (var round = 0; round < pace.Rounds; round++)
        {
            // Whatever woke it before this look is seen by this look, however often it was.
            while (wakeUp.IsCompleted) wakeUp = context.WaitForExternalEvent<string>(WakeUp);
            DateTime lookAt;
            try
            {
                if (await context.CallActivityAsync<DateTimeOffset?>(nameof(Advance), run, new TaskOptions(pace.Retries)) is not { } due) return;
                // Timers of Azure Storage fire up to 0.6 s early, and what looks too early would be sent to wait again.
                lookAt = (due.UtcDateTime > context.CurrentUtcDateTime ? due.UtcDateTime : context.CurrentUtcDateTime) + pace.Slack;
            }
            catch (TaskFailedException)
            {
                // An instance that failed is dead, and with it its timer: wait, and go round again. Each failed try is in the activity's log.
                lookAt = context.CurrentUtcDateTime + pace.AfterFailure;
            }
            if (wakeUp.IsCompleted) continue;
            using var timerEnds = new CancellationTokenSource();
            var timer = context.CreateTimer(lookAt, timerEnds.Token);
            await Task.WhenAny(timer, wakeUp);
            // A timer that is left running would keep the instance from ending. Not CancelAsync: it goes on on the thread pool, where no replay would find it.
            timerEnds.Cancel();
        }
        // A new history. What woke it since is seen by its first look; what is still on the way is kept for it.
        context.ContinueAsNew(run, preserveUnprocessedEvents: true);
    }
}

/// <summary>How patient a flow is. Tests are less so.</summary>
/// <param name="Rounds">Looks until the history is begun anew: about eight entries a look, and each is read again at every look.</param>
/// <param name="Slack">How long after the due time it looks.</param>
/// <param name="Retries">Of a look that failed.</param>
/// <param name="AfterFailure">How long it waits when the retries are used up.</param>
public sealed record FlowPace(int Rounds, TimeSpan Slack, RetryPolicy Retries, TimeSpan AfterFailure)
{
    /// <summary>Four retries within about three minutes, then one round in a quarter of an hour.</summary>
    public static FlowPace Usual { get; } = new(50, TimeSpan.FromSeconds(1),
        new RetryPolicy(maxNumberOfAttempts: 5, firstRetryInterval: TimeSpan.FromSeconds(5), backoffCoefficient: 3, maxRetryInterval: TimeSpan.FromMinutes(5)),
        TimeSpan.FromMinutes(15));
}
