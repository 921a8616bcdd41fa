using RetentionFunctions.Flows;
using RetentionFunctions.Insight;

namespace RetentionFunctions.Web;

/// <summary>A flow with what its runs did at each step, from run rows of all time; previews are counted apart.</summary>
/// <param name="Name">The flow.</param>
/// <param name="Definition">As it starts now; null where it is no longer among the settings.</param>
/// <param name="Tally">What its runs did.</param>
public sealed record FlowFigures(string Name, FlowDefinition? Definition, FlowTally Tally)
{
    /// <summary>Runs started, held out or not, without previews.</summary>
    public int Started => Tally.Started;

    /// <summary>Of those, held out.</summary>
    public int HeldOut => Tally.HeldOut;

    /// <summary>Those that got the e-mails.</summary>
    public int Entered => Tally.Started - Tally.HeldOut;

    /// <summary>Runs that have not ended.</summary>
    public int Open => Tally.Open;

    /// <summary>Runs that only list what they would send.</summary>
    public int Previews => Tally.Previews;

    /// <summary>How those that were not held out ended, the most frequent first.</summary>
    public IReadOnlyList<KeyValuePair<RunOutcome, int>> Ended => MostFirst(Tally.Ended);

    /// <summary>Place 0 is before the first e-mail; then one for each step.</summary>
    public IReadOnlyList<FlowPlace> Places
    {
        get
        {
            var steps = (Definition ?? Tally.Latest).Steps;
            return [.. Enumerable.Range(0, Math.Max(steps.Count + 1, Tally.Places.Count)).Select(step =>
                new FlowPlace(step, step == 0 || step > steps.Count ? null : steps[step - 1], Tally.Places.ElementAtOrDefault(step) ?? new PlaceTally()))];
        }
    }

    /// <summary>All flows of the settings in their order, then those that only old runs know.</summary>
    internal static IReadOnlyList<FlowFigures> Of(IReadOnlyDictionary<string, FlowDefinition> definitions, IReadOnlyList<FlowTally> tallies) =>
    [
        .. definitions.Select(d => new FlowFigures(d.Key, d.Value, tallies.FirstOrDefault(t => t.Name == d.Key) ?? new FlowTally { Name = d.Key, Latest = d.Value })),
        .. tallies.Where(t => !definitions.ContainsKey(t.Name)).Select(t => new FlowFigures(t.Name, null, t)),
    ];

    internal static IReadOnlyList<KeyValuePair<RunOutcome, int>> MostFirst(IReadOnlyDictionary<RunOutcome, int> ended) => [.. ended.OrderByDescending(o => o.Value).ThenBy(o => o.Key)];
}

/// <summary>One place in a flow: before the first e-mail, or at a step.</summary>
/// <param name="Step">0 before the first e-mail; else the step, from 1.</param>
/// <param name="Definition">The step; null at place 0, or where the flow has no such step any more.</param>
/// <param name="Tally">What happened there.</param>
public sealed record FlowPlace(int Step, FlowStep? Definition, PlaceTally Tally)
{
    /// <summary>Days after the first send.</summary>
    public double? Day => Definition?.Day;

    /// <summary>The template.</summary>
    public string? Template => Definition?.Template;

    /// <summary>Runs that ended here, before the next step, by outcome, the most frequent first.</summary>
    public IReadOnlyList<KeyValuePair<RunOutcome, int>> Ended => FlowFigures.MostFirst(Tally.Ended);
}
