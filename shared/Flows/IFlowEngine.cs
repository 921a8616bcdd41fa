namespace RetentionFunctions.Flows;

/// <summary>
/// Keeps time for the runs: calls <see cref="FlowAdvance"/> for a run when it is due or woken, and asks again when it said so.
/// It decides nothing. Both calls may be repeated, and may come for a run that has ended: the run's row is the guard.
/// </summary>
public interface IFlowEngine
{
    /// <summary>Starts to keep time for a run, due at once; nothing where it already does.</summary>
    Task StartAsync(RunId run, CancellationToken cancel = default);

    /// <summary>Makes a run look again now; starts it where the engine does not know it.</summary>
    Task WakeAsync(RunId run, CancellationToken cancel = default);
}

/// <summary>The name of a run: whom it is for, which flow, and what it is keyed to.</summary>
/// <param name="CustomerId">The customer.</param>
/// <param name="Flow">The name of the flow: <c>win-back</c>, <c>dunning</c>.</param>
/// <param name="Occasion">What it is keyed to: the invoice for dunning, the day of its start (yyyy-MM-dd) for win-back.</param>
public sealed record RunId(string CustomerId, string Flow, string Occasion)
{
    /// <summary>As one text, <c>customer|flow|occasion</c>: the instance id of the engine.</summary>
    public override string ToString() => $"{Storage.Keys.Escape(CustomerId)}|{Storage.Keys.Escape(Flow)}|{Storage.Keys.Escape(Occasion)}";

    /// <summary>Takes <see cref="ToString"/> back.</summary>
    /// <exception cref="FormatException">It has other than three parts.</exception>
    public static RunId Parse(string text) =>
        Storage.Keys.Parts(text) is [var customer, var flow, var occasion] ? new RunId(customer, flow, occasion) : throw new FormatException($"'{text}' is not the id of a run.");
}
