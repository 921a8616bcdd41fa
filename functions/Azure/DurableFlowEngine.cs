using System.Security.Cryptography;
using System.Text;
using DurableTask.Core.Exceptions;
using Grpc.Core;
using Microsoft.DurableTask;
using Microsoft.DurableTask.Client;
using RetentionFunctions.Email;
using RetentionFunctions.Flows;
using RetentionFunctions.Storage;

namespace RetentionFunctions.Functions;

/// <summary>
/// Keeps time for the runs with Durable: one instance of <see cref="Flow"/> a run. Whether a run may start is never left to the engine's own check for
/// duplicates, which differs by backend: the run's row is written first, and a run that has ended stays ended whoever looks at it.
/// </summary>
public sealed class DurableFlowEngine(DurableClients durable, ITables tables) : IFlowEngine
{
    // What the engine takes as an id, of characters that every backend allows (RunId escapes the others).
    private const int MostInstanceId = 100;

    private static readonly OrchestrationRuntimeStatus[] Every = [.. StartOrchestrationOptionsExtensions.ValidDedupeStatuses];

    /// <summary>The id of the instance that keeps time for a run.</summary>
    public static string InstanceOf(RunId run)
    {
        var id = run.ToString();
        return id.Length <= MostInstanceId ? id : $"sha256-{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(id)))}";
    }

    /// <inheritdoc/>
    public async Task StartAsync(RunId run, CancellationToken cancel = default)
    {
        // Of one that is there already time is kept, unless its instance has ended and the run has not.
        if (await TryStartAsync(run, cancel) || await durable.Client.GetInstanceAsync(InstanceOf(run), cancel) is not { IsCompleted: true }) return;
        if (await IsOpenAsync(run, cancel)) await ReplaceAsync(run, cancel);
    }

    // False where there is an instance already, of whatever status.
    private async Task<bool> TryStartAsync(RunId run, CancellationToken cancel)
    {
        // A status that is not listed would mean: end the present instance and replace it.
        var options = new StartOrchestrationOptions { InstanceId = InstanceOf(run) }.WithDedupeStatuses(Every);
        try
        {
            await durable.Client.ScheduleNewOrchestrationInstanceAsync(nameof(Flow), run.ToString(), options, cancel);
            return true;
        }
        catch (OrchestrationAlreadyExistsException)
        {
            return false;
        }
    }

    /// <inheritdoc/>
    public async Task WakeAsync(RunId run, CancellationToken cancel = default)
    {
        try
        {
            await durable.Client.RaiseEventAsync(InstanceOf(run), Flow.WakeUp, "", cancel);
        }
        catch (RpcException e) when (e.StatusCode == StatusCode.NotFound)
        {
            if (await IsOpenAsync(run, cancel)) await StartAsync(run, cancel);
        }
        catch (RpcException e) when (e.StatusCode == StatusCode.FailedPrecondition)
        {
            if (await IsOpenAsync(run, cancel)) await ReplaceAsync(run, cancel);
        }
    }

    /// <summary>For a run that should have looked long ago although it was woken: ends its instance, if it has one, and starts another.</summary>
    public async Task RestartAsync(RunId run, CancellationToken cancel = default)
    {
        if (await durable.Client.GetInstanceAsync(InstanceOf(run), cancel) is { IsCompleted: false } stuck)
        {
            await durable.Client.TerminateInstanceAsync(stuck.InstanceId, "It did not look when it was due; another instance goes on.", cancel);
            await durable.Client.WaitForInstanceCompletionAsync(stuck.InstanceId, cancel);
        }
        if (await IsOpenAsync(run, cancel)) await ReplaceAsync(run, cancel);
    }

    // Its instance has ended and the run has not. Without the old history the same id can start anew on every backend.
    private async Task ReplaceAsync(RunId run, CancellationToken cancel)
    {
        await durable.Client.PurgeInstanceAsync(InstanceOf(run), options: null, cancel);
        await TryStartAsync(run, cancel);
    }

    // The review's e-mails have no row of a run: whoever asks for one has looked whether it was sent.
    private async Task<bool> IsOpenAsync(RunId run, CancellationToken cancel) =>
        FounderMail.Is(run) || await tables.GetAsync<Run>(Keys.Run(run.CustomerId, run.Flow, run.Occasion), cancel) is { Value.Status: not RunStatus.Ended };
}
