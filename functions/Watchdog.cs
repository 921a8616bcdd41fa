using Microsoft.Azure.Functions.Worker;
using Microsoft.DurableTask.Client;
using Microsoft.Extensions.Logging;
using RetentionFunctions.Customers;
using RetentionFunctions.Flows;
using RetentionFunctions.Storage;
using RetentionFunctions.Telemetry;

namespace RetentionFunctions.Functions;

/// <summary>
/// Once a night: looks for open runs whose due time has passed, which an engine that lost them would never look at again, and removes the histories of
/// instances that ended long ago.
/// </summary>
public sealed partial class Watchdog(ITables tables, DurableFlowEngine engine, DurableClients durable, TimeProvider clock, ILogger<Watchdog> log)
{
    // Longer than the retries of a look and the pause after them: who is later than this was woken by nobody.
    private static readonly TimeSpan Late = TimeSpan.FromHours(1);

    // The night before it was woken already, in vain.
    private static readonly TimeSpan VeryLate = TimeSpan.FromHours(25);

    // Longer than any flow's history is of interest; the runs themselves stay in the tables.
    private static readonly TimeSpan Kept = TimeSpan.FromDays(30);

    // Removed in one night: each is a call, and the whole must fit into the time of a function.
    private const int MostPurged = 2000;
    private const int Page = 100;

    private static readonly OrchestrationRuntimeStatus[] Over = [OrchestrationRuntimeStatus.Completed, OrchestrationRuntimeStatus.Failed, OrchestrationRuntimeStatus.Terminated];

    [Function(nameof(Watchdog))]
    public async Task RunAsync([TimerTrigger("0 30 3 * * *")] TimerInfo timer, [DurableClient] DurableTaskClient client, CancellationToken cancel)
    {
        durable.Use(client);
        await LookAsync(cancel);
        await PurgeAsync(cancel);
    }

    /// <summary>What a run needs.</summary>
    internal static Lateness Of(Run run, DateTimeOffset now)
    {
        if (run.Status == RunStatus.Ended) return Lateness.None;
        var late = now - (run.DueAt ?? run.StartedAt);
        return late > VeryLate ? Lateness.Restart : late > Late ? Lateness.Wake : Lateness.None;
    }

    internal async Task LookAsync(CancellationToken cancel)
    {
        foreach (var bucket in Keys.AllBuckets)
            await foreach (var row in tables.QueryAsync(Keys.Customers(bucket), cancel))
            {
                // The customer's row names its open runs: nobody needs to read all runs that ever were.
                var customer = row.Read<Customer>();
                foreach (var open in customer.OpenRuns) await LookAsync(new RunId(customer.Id, open.Flow, open.Occasion), cancel);
            }
    }

    private async Task LookAsync(RunId id, CancellationToken cancel)
    {
        if (await tables.GetAsync<Run>(Keys.Run(id.CustomerId, id.Flow, id.Occasion), cancel) is not { Value: var run }) return;
        switch (Of(run, clock.GetUtcNow()))
        {
            case Lateness.Wake:
                RetentionTelemetry.Late(id.Flow, restarted: false);
                Log.Woken(log, id.Flow, run.DueAt ?? run.StartedAt);
                await engine.WakeAsync(id, cancel);
                break;
            case Lateness.Restart:
                RetentionTelemetry.Late(id.Flow, restarted: true);
                Log.Restarted(log, id.Flow, run.DueAt ?? run.StartedAt);
                await engine.RestartAsync(id, cancel);
                break;
        }
    }

    internal async Task PurgeAsync(CancellationToken cancel)
    {
        var purged = 0;
        var query = new OrchestrationQuery(CreatedTo: clock.GetUtcNow() - Kept, Statuses: Over, PageSize: Page);
        await foreach (var instance in durable.Client.GetAllInstancesAsync(query).WithCancellation(cancel))
        {
            await durable.Client.PurgeInstanceAsync(instance.InstanceId, options: null, cancel);
            if (++purged == MostPurged) break;
        }
        Log.Purged(log, purged);
    }

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Warning, Message = "A run of {Flow} has been due since {Due:O} and nobody looked: it is woken")]
        public static partial void Woken(ILogger log, string flow, DateTimeOffset due);

        [LoggerMessage(Level = LogLevel.Error, Message = "A run of {Flow} has been due since {Due:O} and waking it did not help: its instance is replaced")]
        public static partial void Restarted(ILogger log, string flow, DateTimeOffset due);

        [LoggerMessage(Level = LogLevel.Information, Message = "{Count} instances that ended long ago were removed")]
        public static partial void Purged(ILogger log, int count);
    }
}

/// <summary>What a run needs whose due time has passed.</summary>
public enum Lateness
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>To be woken.</summary>
    Wake,

    /// <summary>Another instance.</summary>
    Restart,
}
