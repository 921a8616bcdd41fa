using RetentionFunctions.Customers;

namespace RetentionFunctions.Insight;

/// <summary>By what cohorts are measured.</summary>
public enum CohortMeasure
{
    /// <summary>How many customers are left.</summary>
    Customers,

    /// <summary>How much MRR is left, in one currency.</summary>
    Mrr,
}

/// <summary>Which cohorts are asked for.</summary>
/// <param name="By">What is measured.</param>
/// <param name="Split">The trait by which they are told apart; null: not at all.</param>
/// <param name="Currency">Of MRR: lower case ISO code; null: the one with the most MRR at the beginning of all cohorts.</param>
public sealed record CohortRequest(CohortMeasure By, string? Split, string? Currency);

/// <summary>One cohort: those who first paid in one month.</summary>
/// <param name="Month">The month, UTC.</param>
/// <param name="Customers">How many there are.</param>
/// <param name="Remaining">At the end of the so manieth month after: customers paying or paused, or their MRR in minor units; the first is what the cohort began with. Only months that are over.</param>
public sealed record CohortRow(Month Month, int Customers, IReadOnlyList<long> Remaining)
{
    /// <summary>The share that is left at the end of a month after the first; null where that is not over.</summary>
    public Ratio? At(int months) => months < Remaining.Count ? new Ratio(Remaining[months], Remaining[0]) : null;
}

/// <summary>All cohorts of one value of a trait.</summary>
/// <param name="Value">The value; null: nobody said, or they are not told apart.</param>
/// <param name="Rows">Oldest first; months without anybody are left out.</param>
public sealed record CohortGroup(string? Value, IReadOnlyList<CohortRow> Rows)
{
    /// <summary>How many customers.</summary>
    public int Customers => Rows.Sum(r => r.Customers);

    /// <summary>The weighted average: of all cohorts whose month is over, what is left ÷ what they began with. Null where there is none.</summary>
    public Ratio? At(int months) => Cohorts.Average(Rows, months);
}

/// <summary>Cohorts by the month of the first payment (DEFINITIONS, "Cohort").</summary>
/// <param name="Request">What was asked for; the currency is filled in.</param>
/// <param name="Groups">The largest first; one where nothing is split.</param>
/// <param name="Currencies">All currencies, the one with the most MRR at the beginning of all cohorts first.</param>
/// <param name="AsOf">When it was counted; null where it never was.</param>
/// <param name="IsCounting">It is being counted anew.</param>
public sealed record Cohorts(CohortRequest Request, IReadOnlyList<CohortGroup> Groups, IReadOnlyList<string> Currencies, DateTimeOffset? AsOf, bool IsCounting)
{
    /// <summary>The months of the headline.</summary>
    public static readonly IReadOnlyList<int> Headline = [1, 3, 6, 12];

    /// <summary>Most values of a trait that are shown; the others are put together as <see cref="CohortSummary.Other"/>.</summary>
    public const int MostGroups = 12;

    /// <summary>How many months the oldest cohort has had.</summary>
    public int Months => Groups.SelectMany(g => g.Rows).Select(r => r.Remaining.Count - 1).DefaultIfEmpty(0).Max();

    /// <summary>The weighted average of all groups together; null where no cohort is so old.</summary>
    public Ratio? At(int months) => Average(Groups.SelectMany(g => g.Rows), months);

    internal static Ratio? Average(IEnumerable<CohortRow> rows, int months)
    {
        var ratios = rows.Select(r => r.At(months)).OfType<Ratio>().ToList();
        return ratios.Count == 0 ? null : new Ratio(ratios.Sum(r => r.Numerator), ratios.Sum(r => r.Denominator));
    }

    /// <summary>From what was counted in each bucket.</summary>
    /// <param name="counted">Of all buckets.</param>
    /// <param name="request">Which.</param>
    public static Cohorts Of(Summed<StoredCohorts> counted, CohortRequest request)
    {
        var all = counted.Buckets.SelectMany(b => b.Sums()).ToList();
        List<string> currencies =
        [
            .. all.Where(s => s.Key is { Split: null, Currency: not null }).GroupBy(s => s.Key.Currency!, StringComparer.Ordinal)
                .OrderByDescending(g => g.Sum(s => s.Sum.Base ?? 0)).ThenBy(g => g.Key, StringComparer.Ordinal).Select(g => g.Key),
        ];
        var currency = request.By == CohortMeasure.Customers ? null : request.Currency ?? (currencies.Count > 0 ? currencies[0] : "");
        var own = all.Where(s => s.Key.Split == request.Split && s.Key.Currency == currency).ToList();
        // The values with the most customers; who did not say is no value.
        var told = own.Where(s => s.Key.Value is not null and not CohortSummary.Other).GroupBy(s => s.Key.Value!, StringComparer.Ordinal)
            .OrderByDescending(g => g.Sum(s => s.Sum.Customers)).ThenBy(g => g.Key, StringComparer.Ordinal).Take(MostGroups).Select(g => g.Key).ToHashSet(StringComparer.Ordinal);
        var groups = own.GroupBy(s => s.Key.Value is null || told.Contains(s.Key.Value) ? s.Key.Value : CohortSummary.Other, StringComparer.Ordinal)
            .Select(g => new CohortGroup(g.Key, [.. g.GroupBy(s => s.Key.Cohort).OrderBy(c => c.Key).Select(c => Row(c.Key, c.Select(s => s.Sum), counted.AsOf ?? default))]))
            .OrderBy(g => g.Value is null ? 2 : g.Value == CohortSummary.Other ? 1 : 0).ThenByDescending(g => g.Customers).ThenBy(g => g.Value, StringComparer.Ordinal).ToList();
        return new Cohorts(request with { Currency = currency }, groups, currencies, counted.AsOf, counted.IsCounting);
    }

    private static CohortRow Row(Month month, IEnumerable<StoredCohort> parts, DateTimeOffset asOf)
    {
        var sum = new CohortSum();
        foreach (var part in parts) sum.Add(part);
        // The month of the first payment is there as soon as somebody pays; each other one when it is over.
        var left = new List<long> { sum.Base };
        for (var k = 1; month.Plus(k).End <= asOf; k++) left.Add(sum.At(k));
        return new CohortRow(month, sum.Customers, left);
    }
}

/// <summary>How good the retention of a cohort after twelve months is.</summary>
public static class CohortBands
{
    /// <summary>More than 70 % good, 50 to 70 % to improve, under 50 % serious.</summary>
    public static ChurnBand Of(double rate) => rate > 0.70 ? ChurnBand.Good : rate >= 0.50 ? ChurnBand.Improve : ChurnBand.Serious;

    /// <summary>The borders in words, with where they come from.</summary>
    public const string Source = "More than 70 % of the customers after twelve months is good, 50–70 % to improve, under 50 % serious.";
}

/// <summary>Reads cohorts.</summary>
public sealed class CohortQueries(SummaryQueries summaries)
{
    /// <summary>One range of at most 256 rows, whatever the number of customers.</summary>
    public async Task<Cohorts> ReadAsync(CohortRequest request, CancellationToken cancel = default) =>
        Cohorts.Of(await summaries.ReadAsync<StoredCohorts>(CohortSummary.SummaryName, cancel), request);
}
