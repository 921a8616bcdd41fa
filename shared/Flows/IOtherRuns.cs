namespace RetentionFunctions.Flows;

/// <summary>What the engine keeps time for besides the runs of customers: asked in their place where the id is one of its own.</summary>
public interface IOtherRuns
{
    /// <summary>Whether an id is one of its own.</summary>
    bool Keeps(RunId id);

    /// <summary>As <see cref="FlowAdvance.AdvanceAsync"/>: goes as far as it can now, and says when to call again; null when it has ended.</summary>
    Task<DateTimeOffset?> AdvanceAsync(RunId id, CancellationToken cancel = default);
}
