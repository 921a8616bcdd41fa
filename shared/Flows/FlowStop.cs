using RetentionFunctions.Storage;

namespace RetentionFunctions.Flows;

/// <summary>Stops a run by hand. Keyed to the run's row, so it survives the next retry of the same invoice.</summary>
public sealed class FlowStop(ITables tables, IFlowEngine engine, TimeProvider clock)
{
    /// <summary>Asks the run to stop; it ends at once. False where there is no open run of this name.</summary>
    public async Task<bool> StopAsync(RunId id, CancellationToken cancel = default)
    {
        var key = Keys.Run(id.CustomerId, id.Flow, id.Occasion);
        var run = await tables.ChangeAsync<Run>(key, run => run is null or { Status: RunStatus.Ended } or { StopRequestedAt: not null } ? null : run with { StopRequestedAt = clock.GetUtcNow() }, cancel);
        if (run is null or { Status: RunStatus.Ended }) return false;
        await engine.WakeAsync(id, cancel);
        return true;
    }
}
