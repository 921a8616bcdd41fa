using RetentionFunctions.Flows;
using RetentionFunctions.Health;
using RetentionFunctions.Jobs;
using RetentionFunctions.Local.Demo;
using RetentionFunctions.Local.Sandbox;
using RetentionFunctions.Local.Sqlite;
using RetentionFunctions.Settings;

namespace RetentionFunctions.Local;

/// <summary>
/// Does what is due, as the timer and the orchestrator do on Azure: the daily sweep with the jobs of the night behind it, runs of flows, what the sandbox delivers later. What throws keeps its place, and is tried again later.
/// </summary>
public sealed partial class DueWork(
    SqliteDueTable due, LocalSweep sweep, FlowAdvance flows, SandboxCopies sandbox, Nightly nightly, DemoProgress demo, LocalClock clock, RetentionSettings settings, ILogger<DueWork> log)
{
    private const string SweepId = "daily-sweep";
    private const int Batch = 512;
    private const int AtOnce = 16;

    private readonly Dictionary<string, int> failures = new(StringComparer.Ordinal);

    /// <summary>The sweep is due at its next hour after a moment; from the first start on.</summary>
    public Task KeepSweepAsync(DateTimeOffset after, CancellationToken cancel) => due.WakeAsync(SweepId, DailySweep.NextDue(after, settings), cancel);

    /// <summary>Does what is due at this moment. For one caller at a time.</summary>
    /// <returns>Whether there was anything.</returns>
    public async Task<bool> RunAsync(CancellationToken cancel)
    {
        var items = await due.TakeDueAsync(clock.GetUtcNow(), Batch, cancel);
        // The sweep alone: it starts runs and looks at every customer.
        if (items.FirstOrDefault(d => d.Id == SweepId) is { } daily) await RunAsync(daily, cancel);
        await Parallel.ForEachAsync(items.Where(d => d.Id != SweepId), new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = cancel }, async (item, token) => await RunAsync(item, token));
        return items.Count > 0;
    }

    private async Task RunAsync(Due item, CancellationToken cancel)
    {
        DateTimeOffset? next;
        try
        {
            next = item.Id switch
            {
                SweepId => await SweepAsync(cancel),
                SandboxPost.DueId => await sandbox.RunDueAsync(cancel),
                _ => await flows.AdvanceAsync(RunId.Parse(item.Id), cancel),
            };
            lock (failures) failures.Remove(item.Id);
        }
        catch (Exception e) when (!cancel.IsCancellationRequested)
        {
            int count;
            lock (failures) failures[item.Id] = count = failures.GetValueOrDefault(item.Id) + 1;
            Log.Failed(log, e, Named(item.Id), count);
            next = clock.GetUtcNow() + NextTry.After(count);
        }
        await due.SettleAsync(item.Id, item.Version, next, cancel);
    }

    private async Task<DateTimeOffset?> SweepAsync(CancellationToken cancel)
    {
        var swept = await sweep.RunAsync(cancel);
        // The year of the demo has no nights to back up: it can be played again.
        if (demo.NotReady is null) await nightly.StartAsync(DailySweep.Day(swept.At, settings), cancel);
        return DailySweep.NextDue(clock.GetUtcNow(), settings);
    }

    // A run by its flow alone: its id names the customer. The sweep and the sandbox's post are no runs.
    private static string Named(string id) => id is SweepId or SandboxPost.DueId ? id : RunId.Parse(id).Flow;

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Warning, Message = "Advancing a run of {Flow} failed, attempt {Attempt}; it is tried again")]
        public static partial void Failed(ILogger log, Exception e, string flow, int attempt);
    }
}
