using RetentionFunctions.Flows;

namespace RetentionFunctions.Web;

/// <summary>A flow with what its runs did at each step, from run rows of all time; previews are counted apart.</summary>
public sealed record FlowFigures
{
    /// <summary>The flow.</summary>
    public required string Name { get; init; }

    /// <summary>As it starts now; null where it is no longer among the settings.</summary>
    public FlowDefinition? Definition { get; init; }

    /// <summary>Runs started, held out or not, without previews.</summary>
    public required int Started { get; init; }

    /// <summary>Of those, held out.</summary>
    public required int HeldOut { get; init; }

    /// <summary>Runs that have not ended.</summary>
    public required int Open { get; init; }

    /// <summary>Runs that only list what they would send.</summary>
    public required int Previews { get; init; }

    /// <summary>How those that were not held out ended, the most frequent first.</summary>
    public required IReadOnlyList<KeyValuePair<RunOutcome, int>> Ended { get; init; }

    /// <summary>Place 0 is before the first e-mail; then one for each step.</summary>
    public required IReadOnlyList<FlowPlace> Places { get; init; }

    /// <summary>All flows of the settings in their order, then those that only old runs know.</summary>
    internal static IReadOnlyList<FlowFigures> Of(IReadOnlyDictionary<string, FlowDefinition> definitions, IReadOnlyList<Run> runs) =>
    [
        .. definitions.Select(d => Of(d.Key, d.Value, [.. runs.Where(r => r.Id.Flow == d.Key)])),
        .. runs.Where(r => !definitions.ContainsKey(r.Id.Flow)).GroupBy(r => r.Id.Flow, StringComparer.Ordinal).OrderBy(g => g.Key, StringComparer.Ordinal).Select(g => Of(g.Key, null, [.. g])),
    ];

    private static FlowFigures Of(string name, FlowDefinition? definition, IReadOnlyList<Run> all)
    {
        var runs = all.Where(r => !r.Preview).ToList();
        var treated = runs.Where(r => r.Outcome != RunOutcome.HeldOut).ToList();
        var steps = definition?.Steps ?? runs.MaxBy(r => r.StartedAt)?.Definition.Steps ?? [];
        // A run keeps the definition that it started with, which may have had more steps than the flow has now.
        var places = Math.Max(steps.Count, treated.SelectMany(r => r.Sent).Select(s => s.Step).DefaultIfEmpty().Max());
        return new FlowFigures
        {
            Name = name,
            Definition = definition,
            Started = runs.Count,
            HeldOut = runs.Count - treated.Count,
            Open = treated.Count(r => r.Status != RunStatus.Ended),
            Previews = all.Count - runs.Count,
            Ended = ByOutcome(treated),
            Places = [.. Enumerable.Range(0, places + 1).Select(step => Place(step, step == 0 || step > steps.Count ? null : steps[step - 1], treated))],
        };
    }

    private static FlowPlace Place(int step, FlowStep? definition, List<Run> runs)
    {
        var here = runs.Where(r => Reached(r) == step).ToList();
        var sent = runs.SelectMany(r => r.Sent).Where(s => s.Step == step).ToList();
        return new FlowPlace
        {
            Step = step,
            Day = definition?.Day,
            Template = definition?.Template,
            Tried = sent.Count,
            Accepted = sent.Count(s => s.Result == MailResult.Accepted),
            Unknown = sent.Count(s => s.Result == MailResult.Unknown),
            Refused = sent.Count(s => s.Result == MailResult.Refused),
            Delivered = sent.Count(s => s.DeliveredAt is not null),
            Opened = sent.Count(s => s.OpenedAt is not null),
            Clicked = sent.Count(s => s.ClickedAt is not null),
            Waiting = here.Count(r => r.Status != RunStatus.Ended),
            Ended = ByOutcome(here),
        };
    }

    private static int Reached(Run run) => run.Sent.Select(s => s.Step).DefaultIfEmpty().Max();

    private static List<KeyValuePair<RunOutcome, int>> ByOutcome(IEnumerable<Run> runs) =>
        [.. runs.Where(r => r is { Status: RunStatus.Ended, Outcome: not null }).CountBy(r => r.Outcome!.Value).OrderByDescending(o => o.Value).ThenBy(o => o.Key)];
}

/// <summary>One place in a flow: before the first e-mail, or at a step.</summary>
public sealed record FlowPlace
{
    /// <summary>0 before the first e-mail; else the step, from 1.</summary>
    public required int Step { get; init; }

    /// <summary>Days after the first send; null at place 0, or where the flow has no such step any more.</summary>
    public double? Day { get; init; }

    /// <summary>The template; null as above.</summary>
    public string? Template { get; init; }

    /// <summary>Runs that did this step, whatever became of the e-mail.</summary>
    public required int Tried { get; init; }

    /// <summary>E-mails that the provider took.</summary>
    public required int Accepted { get; init; }

    /// <summary>E-mails that may have gone.</summary>
    public required int Unknown { get; init; }

    /// <summary>E-mails that the provider would not take.</summary>
    public required int Refused { get; init; }

    /// <summary>E-mails of which the provider reported that they were delivered; 0 also where it reports nothing.</summary>
    public required int Delivered { get; init; }

    /// <summary>E-mails that the customer opened or clicked in, without those that only machines did.</summary>
    public required int Opened { get; init; }

    /// <summary>E-mails in which the customer clicked, without those in which only machines did.</summary>
    public required int Clicked { get; init; }

    /// <summary>Runs that stand here now.</summary>
    public required int Waiting { get; init; }

    /// <summary>Runs that ended here, before the next step, by outcome.</summary>
    public required IReadOnlyList<KeyValuePair<RunOutcome, int>> Ended { get; init; }
}
