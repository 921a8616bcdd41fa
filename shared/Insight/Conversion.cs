using RetentionFunctions.Customers;

namespace RetentionFunctions.Insight;

/// <summary>One month of all currencies in one.</summary>
/// <param name="Month">In <c>insight.currency</c>; counts are of customers in each currency, added up.</param>
/// <param name="Rates">The rate of each other currency that was needed.</param>
public sealed record ConvertedMonth(MetricsMonth Month, IReadOnlyDictionary<string, decimal> Rates);

/// <summary>A rate that would have been needed.</summary>
/// <param name="Currency">Of which currency.</param>
/// <param name="Month">In which month.</param>
public readonly record struct MissingRate(string Currency, Month Month);

/// <summary>
/// Figures of several currencies in one, at dated rates: what happens in a month at the month's rate, the MRR at its start at the rate of the month before. What the change of the rate does to
/// the standing MRR is a movement by itself, the exchange effect.
/// </summary>
/// <param name="Months">Those of which all rates are known.</param>
/// <param name="Missing">The rates of the others.</param>
public sealed record Conversion(IReadOnlyList<ConvertedMonth> Months, IReadOnlyList<MissingRate> Missing)
{
    /// <summary>Converts.</summary>
    /// <param name="months">Each currency by itself.</param>
    /// <param name="settings">With a currency.</param>
    public static Conversion Of(IReadOnlyList<MetricsMonth> months, InsightSettings settings)
    {
        var (converted, missing) = (new List<ConvertedMonth>(), new List<MissingRate>());
        foreach (var month in months.GroupBy(m => m.All.Month).OrderBy(g => g.Key))
        {
            // A currency in which nothing is and nothing happens needs none.
            List<MetricsMonth> own = [.. month.Where(m => m.All.MrrAtStart != 0 || m.All.Cell != default || m.All.CustomersAtStart > 0)];
            List<MissingRate> unknown = [.. own.Where(m => settings.RateIn(month.Key, m.All.Currency) is null).Select(m => new MissingRate(m.All.Currency, month.Key))];
            missing.AddRange(unknown);
            if (unknown.Count > 0) continue;
            var terms = own.SelectMany(m => m.Terms).GroupBy(t => t.Key, t => t.Value).ToDictionary(g => g.Key, g => Together([.. g], month.Key, settings, month.First().All.Formula));
            converted.Add(new ConvertedMonth(
                new MetricsMonth(Together([.. own.Select(m => m.All)], month.Key, settings, month.First().All.Formula), terms, month.First().IsClosed, month.Max(m => m.CorrectedAt)),
                own.Select(m => m.All.Currency).Where(c => c != settings.Currency).ToDictionary(c => c, c => settings.RateIn(month.Key, c)!.Value)));
        }
        return new Conversion(converted, missing);
    }

    // Each figure is rounded once, half away from zero, after adding up; what that leaves over is in the exchange effect, so that start, movements and exchange are the end exactly.
    private static MonthMetrics Together(IReadOnlyList<MonthMetrics> parts, Month month, InsightSettings settings, ChurnFormula formula)
    {
        var start = Sum(p => p.MrrAtStart, p => settings.RateIn(month.Plus(-1), p.Currency) ?? Rate(p));
        var end = Sum(p => p.MrrAtStart + p.Cell.MrrChange, Rate);
        var cell = parts.Aggregate(new MonthCell(), (sum, p) => sum + p.Cell) with
        {
            MrrNew = Sum(p => p.Cell.MrrNew, Rate),
            MrrExpansion = Sum(p => p.Cell.MrrExpansion, Rate),
            MrrContraction = Sum(p => p.Cell.MrrContraction, Rate),
            MrrChurned = Sum(p => p.Cell.MrrChurned, Rate),
            MrrReactivation = Sum(p => p.Cell.MrrReactivation, Rate),
            MrrPaused = Sum(p => p.Cell.MrrPaused, Rate),
            MrrResumed = Sum(p => p.Cell.MrrResumed, Rate),
            MrrSwitched = Sum(p => p.Cell.MrrSwitched, Rate),
        };
        return new MonthMetrics
        {
            Month = month, Currency = settings.Currency!, Cell = cell, CustomersAtStart = parts.Sum(p => p.CustomersAtStart), PayingAtStart = parts.Sum(p => p.PayingAtStart),
            MrrAtStart = start, MrrExchange = end - start - cell.MrrChange, Formula = formula,
        };

        decimal Rate(MonthMetrics part) => settings.RateIn(month, part.Currency)!.Value;

        long Sum(Func<MonthMetrics, long> amount, Func<MonthMetrics, decimal> rate) =>
            decimal.ToInt64(Math.Round(parts.Sum(p => amount(p) * rate(p) / Money.MinorUnits(p.Currency) * Money.MinorUnits(settings.Currency!)), MidpointRounding.AwayFromZero));
    }
}
