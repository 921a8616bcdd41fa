using Microsoft.Azure.Functions.Worker;
using RetentionFunctions.Flows;

namespace RetentionFunctions.Functions;

/// <summary>One look at a run: the only thing that a flow does. Called at least once; early, twice or after the end changes nothing.</summary>
public sealed class Advance(FlowAdvance flows)
{
    /// <returns>When to look again; null when the run has ended.</returns>
    [Function(nameof(Advance))]
    public Task<DateTimeOffset?> RunAsync([ActivityTrigger] string run, CancellationToken cancel) => flows.AdvanceAsync(RunId.Parse(run), cancel);
}
