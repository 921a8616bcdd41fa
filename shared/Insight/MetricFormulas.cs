using RetentionFunctions.Customers;

namespace RetentionFunctions.Insight;

/// <summary>Which months are asked for.</summary>
/// <param name="From">The first.</param>
/// <param name="To">The last.</param>
/// <param name="Formula">Which churn rate.</param>
/// <param name="Currency">Only this one, or <see cref="Converted"/>; null: each by itself.</param>
public sealed record MetricsRequest(Month From, Month To, ChurnFormula Formula, string? Currency)
{
    /// <summary>All currencies, converted into that of the settings.</summary>
    public const string Converted = "converted";

    /// <summary>Ten years.</summary>
    public const int MostMonths = 120;

    /// <summary>The first of twelve months of which this is the last.</summary>
    public static Month FirstOfYear(Month last) => last.Plus(-11);
}

/// <summary>How good a customer churn rate is.</summary>
public enum ChurnBand
{
    /// <summary>Under 5 % a month.</summary>
    Good,

    /// <summary>5 to 10 % a month.</summary>
    Improve,

    /// <summary>More than 10 % a month.</summary>
    Serious,
}

/// <summary>The bands of DEFINITIONS.md.</summary>
public static class ChurnBands
{
    /// <summary>The band of a month's customer churn rate. Of yearly contracts 0.4 to 0.6 % a month (5 to 7 % a year) is healthy, and the other borders are as many times lower.</summary>
    public static ChurnBand Of(double rate, BillingTerm term)
    {
        var (good, serious) = term == BillingTerm.Yearly ? (0.006, 0.012) : (0.05, 0.10);
        return rate < good ? ChurnBand.Good : rate <= serious ? ChurnBand.Improve : ChurnBand.Serious;
    }

    /// <summary>The borders in words, with where they come from.</summary>
    public static string Source(BillingTerm term) => term == BillingTerm.Yearly
        ? "Yearly contracts: up to 0.6 % a month (7 % a year) is healthy, more than 1.2 % serious."
        : "Under 5 % a month is good, 5–10 % to improve, more than 10 % serious.";
}

/// <summary>A rate: its name in the API, its formula in words, and how it follows.</summary>
/// <param name="Name">Camel case.</param>
/// <param name="Text">In words, by which churn formula was asked for.</param>
/// <param name="Of">Numerator and denominator.</param>
public sealed record MetricFormula(string Name, Func<ChurnFormula, string> Text, Func<MonthMetrics, Ratio> Of);

/// <summary>All rates.</summary>
public static class MetricFormulas
{
    /// <summary>In the order of the page.</summary>
    public static IReadOnlyList<MetricFormula> All { get; } =
    [
        new("churnRate", formula => formula == ChurnFormula.Stripe ? "left in the last 30 days ÷ (customers 30 days before the end + joined since)" : "lost ÷ customers at the start", m => m.Churn),
        new("voluntaryChurnRate", _ => "lost by their own decision ÷ customers at the start", m => m.VoluntaryChurn),
        new("involuntaryChurnRate", _ => "lost after a failed payment ÷ customers at the start", m => m.InvoluntaryChurn),
        new("earlyChurnRate", _ => "joined and left within the month ÷ joined", m => m.EarlyChurn),
        new("grossMrrChurnRate", _ => "(churned + contraction) ÷ MRR at the start", m => m.GrossMrrChurn),
        new("netMrrChurnRate", _ => "(churned + contraction − expansion) ÷ MRR at the start", m => m.NetMrrChurn),
        new("nrr", _ => "(MRR at the start − churned − contraction + expansion) ÷ MRR at the start", m => m.Nrr),
        new("grr", _ => "(MRR at the start − churned − contraction) ÷ MRR at the start", m => m.Grr),
        new("arpa", _ => "MRR at the end ÷ paying customers at the end", m => m.Arpa),
    ];
}
