using RetentionFunctions.Flows;
using RetentionFunctions.Settings;

namespace RetentionFunctions.Insight;

/// <summary>The tallies of all flows as they were last counted.</summary>
/// <param name="Tallies">In the order of their names.</param>
/// <param name="AsOf">The moment of the count; null where none was done yet.</param>
/// <param name="IsCounting">They are being counted anew at this moment.</param>
public sealed record CountedFlows(IReadOnlyList<FlowTally> Tallies, DateTimeOffset? AsOf, bool IsCounting);

/// <summary>Reads what flows did and brought: one range of at most 256 rows, for any number of customers.</summary>
public sealed class FlowQueries(SummaryQueries summaries, RetentionSettings settings)
{
    /// <summary>The tallies of all flows that ever ran.</summary>
    public async Task<CountedFlows> TalliesAsync(CancellationToken cancel = default)
    {
        var summed = await summaries.ReadAsync<StoredFlows>(FlowsSummary.SummaryName, cancel);
        return new CountedFlows(FlowTally.Sum(summed.Buckets.SelectMany(b => b.Values)), summed.AsOf, summed.IsCounting);
    }

    /// <summary>The report of one flow; null where neither the settings nor any run know it.</summary>
    public async Task<(FlowReport Report, FlowDefinition? Definition, CountedFlows Counted)?> ReportAsync(string name, CancellationToken cancel = default)
    {
        var counted = await TalliesAsync(cancel);
        // Names are told apart as the settings do.
        var known = settings.Flows.Definitions.FirstOrDefault(d => string.Equals(d.Key, name, StringComparison.OrdinalIgnoreCase));
        var tally = counted.Tallies.FirstOrDefault(t => t.Name == (known.Key ?? name));
        if (known.Value is null && tally is null) return null;
        return (FlowReport.Of(tally ?? new FlowTally { Name = known.Key!, Latest = known.Value! }, known.Value), known.Value, counted);
    }
}
