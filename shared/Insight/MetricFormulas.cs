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

/// <summary>What a figure is a fraction of.</summary>
public enum MetricUnit
{
    /// <summary>Customers by customers.</summary>
    Customers,

    /// <summary>MRR by MRR.</summary>
    Mrr,

    /// <summary>MRR by customers: an amount.</summary>
    MrrPerCustomer,
}

/// <summary>A rate: what it is called, its formula in words, and how it follows. The same in the API, on the page of metrics and in the review.</summary>
/// <param name="Name">In the API, camel case.</param>
/// <param name="Title">On pages.</param>
/// <param name="Unit">What it is a fraction of.</param>
/// <param name="Text">In words, by which churn formula was asked for.</param>
/// <param name="Of">Numerator and denominator.</param>
public sealed record MetricFormula(string Name, string Title, MetricUnit Unit, Func<ChurnFormula, string> Text, Func<MonthMetrics, Ratio> Of)
{
    /// <summary>The figure as a person reads it: <c>33.3 %</c>, <c>$49</c>.</summary>
    internal string Value(MonthMetrics m) => Unit == MetricUnit.MrrPerCustomer ? FigureText.Amount(Of(m).Value, m.Currency) : FigureText.Percent(Of(m));

    /// <summary>The formula with what is in it: <c>lost ÷ customers at the start: 1 ÷ 3</c>.</summary>
    internal string Explained(MonthMetrics m)
    {
        var (numerator, denominator) = Of(m);
        string Count(long number) => FigureText.Count(number);
        string Amount(long number) => FigureText.Amount(number, m.Currency);
        return $"{Text(m.Formula)}: {(Unit == MetricUnit.Customers ? Count(numerator) : Amount(numerator))} ÷ {(Unit == MetricUnit.Mrr ? Amount(denominator) : Count(denominator))}";
    }
}

/// <summary>All rates.</summary>
public static class MetricFormulas
{
    /// <summary>The customer churn rate, by the formula that was asked for.</summary>
    public static MetricFormula Churn { get; } = new("churnRate", "Customer churn", MetricUnit.Customers,
        formula => formula == ChurnFormula.Stripe ? "left in the last 30 days ÷ (customers 30 days before the end + joined since)" : "lost ÷ customers at the start", m => m.Churn);

    /// <summary>Gross MRR churn.</summary>
    public static MetricFormula GrossMrrChurn { get; } = new("grossMrrChurnRate", "Gross MRR churn", MetricUnit.Mrr, _ => "(churned + contraction) ÷ MRR at the start", m => m.GrossMrrChurn);

    /// <summary>Net MRR churn.</summary>
    public static MetricFormula NetMrrChurn { get; } = new("netMrrChurnRate", "Net MRR churn", MetricUnit.Mrr, _ => "(churned + contraction − expansion) ÷ MRR at the start", m => m.NetMrrChurn);

    /// <summary>In the order of the page.</summary>
    public static IReadOnlyList<MetricFormula> All { get; } =
    [
        Churn,
        new("voluntaryChurnRate", "By their decision", MetricUnit.Customers, _ => "lost by their own decision ÷ customers at the start", m => m.VoluntaryChurn),
        new("involuntaryChurnRate", "After a failed payment", MetricUnit.Customers, _ => "lost after a failed payment ÷ customers at the start", m => m.InvoluntaryChurn),
        new("earlyChurnRate", "Early churn", MetricUnit.Customers, _ => "joined and left within the month ÷ joined", m => m.EarlyChurn),
        GrossMrrChurn,
        NetMrrChurn,
        new("nrr", "NRR", MetricUnit.Mrr, _ => "(MRR at the start − churned − contraction + expansion) ÷ MRR at the start", m => m.Nrr),
        new("grr", "GRR", MetricUnit.Mrr, _ => "(MRR at the start − churned − contraction) ÷ MRR at the start", m => m.Grr),
        new("arpa", "ARPA", MetricUnit.MrrPerCustomer, _ => "MRR at the end ÷ paying customers at the end", m => m.Arpa),
    ];
}
