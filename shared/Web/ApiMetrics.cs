using System.Globalization;
using Microsoft.AspNetCore.Http;
using RetentionFunctions.Customers;
using RetentionFunctions.Insight;

namespace RetentionFunctions.Web;

/// <summary>
/// The figures of one month in one currency (docs/definitions.md). Amounts are minor units, losses negative; rates are fractions, null where there is no denominator.
/// </summary>
/// <param name="Month"><c>yyyy-MM</c>, UTC.</param>
/// <param name="Currency">Lower case ISO code.</param>
/// <param name="CustomersAtStart">Paying or paused right before the month.</param>
/// <param name="CustomersNew">First MRR above 0.</param>
/// <param name="CustomersLost">Customers at the start who were none at the end.</param>
/// <param name="CustomersReturned">Had left in an earlier month and were back at the end.</param>
/// <param name="CustomersAtEnd">At the start, new and returned, less lost and early.</param>
/// <param name="EarlyChurn">Joined and left within the month: in no rate.</param>
/// <param name="ChurnRate">The customer churn rate, by the formula that was asked for.</param>
/// <param name="RetentionRate">1 − the churn rate.</param>
/// <param name="VoluntaryChurnRate">Of those who left by themselves ÷ customers at the start.</param>
/// <param name="InvoluntaryChurnRate">Of those whose last payment failed ÷ customers at the start.</param>
/// <param name="MrrAtStart">Right before the month.</param>
/// <param name="MrrNew">Of first payments.</param>
/// <param name="MrrExpansion">More than before.</param>
/// <param name="MrrContraction">Less than before.</param>
/// <param name="MrrChurned">To 0 by ending.</param>
/// <param name="MrrReactivation">Above 0 again after having churned.</param>
/// <param name="MrrPaused">Less by pausing.</param>
/// <param name="MrrResumed">More by the end of a pause.</param>
/// <param name="MrrExchange">With <c>currency=converted</c>: what the change of the rates did to the MRR at the start, with what rounding leaves over; else 0.</param>
/// <param name="MrrAtEnd">At the start plus all seven and the exchange effect.</param>
/// <param name="GrossMrrChurnRate">Churned and contraction ÷ MRR at the start.</param>
/// <param name="NetMrrChurnRate">Gross less expansion.</param>
/// <param name="Nrr">1 − net.</param>
/// <param name="Grr">1 − gross.</param>
/// <param name="Arpa">Minor units of MRR for each paying customer at the end.</param>
/// <param name="Ltv">ARPA ÷ churn rate: what a customer brings if price and churn stay as they were in this month. No costs are taken off. Null where nobody left.</param>
/// <param name="Band">Of the churn rate: <c>good, improve, serious</c>; null where there is none, or where <paramref name="Mixed"/>.</param>
/// <param name="Formula">Which churn rate: <c>standard</c> or <c>stripe</c>.</param>
/// <param name="Mixed">Customers who are billed monthly and yearly are in one rate: <paramref name="Terms"/> has them apart.</param>
/// <param name="Terms">By billing term: <c>monthly, yearly</c>.</param>
/// <param name="Closed">It is over, and so are the three days in which Stripe repeats events.</param>
/// <param name="CorrectedAt">When an event of it came after it was closed; null where none did.</param>
/// <param name="Formulas">Of each rate: its formula, numerator and denominator.</param>
/// <param name="Rates">With <c>currency=converted</c>: units of this currency for one of each other; a customer counts once in each currency that they pay in. Else null.</param>
public sealed record ApiMetrics(
    string Month, string Currency, int CustomersAtStart, int CustomersNew, int CustomersLost, int CustomersReturned, int CustomersAtEnd, int EarlyChurn, double? ChurnRate, double? RetentionRate,
    double? VoluntaryChurnRate, double? InvoluntaryChurnRate, long MrrAtStart, long MrrNew, long MrrExpansion, long MrrContraction, long MrrChurned, long MrrReactivation, long MrrPaused, long MrrResumed,
    long MrrExchange, long MrrAtEnd, double? GrossMrrChurnRate, double? NetMrrChurnRate, double? Nrr, double? Grr, double? Arpa, double? Ltv, string? Band, string Formula, bool Mixed,
    IReadOnlyDictionary<string, ApiTerm> Terms, bool Closed, DateTimeOffset? CorrectedAt, IReadOnlyDictionary<string, ApiRatio> Formulas, IReadOnlyDictionary<string, decimal>? Rates)
{
    /// <summary>Customers of all currencies with a sign-in or core use in the 7 days before the month's last sweep; null where none counted it.</summary>
    public int? Wau { get; init; }

    /// <summary>The same of 30 days.</summary>
    public int? Mau { get; init; }

    /// <summary>Those of whom no use was ever measured.</summary>
    public int? UnknownUse { get; init; }

    internal static ApiMetrics Of(MetricsMonth month) => Of(month, null);

    internal static ApiMetrics Of(ConvertedMonth converted) => Of(converted.Month, converted.Rates);

    private static ApiMetrics Of(MetricsMonth month, IReadOnlyDictionary<string, decimal>? rates)
    {
        var (m, cell) = (month.All, month.All.Cell);
        return new ApiMetrics(
            m.Month.ToString(), m.Currency, m.CustomersAtStart, cell.New, cell.Lost, cell.Returned, m.CustomersAtEnd, cell.Early, m.Churn.Value, 1 - m.Churn.Value,
            m.VoluntaryChurn.Value, m.InvoluntaryChurn.Value, m.MrrAtStart, cell.MrrNew, cell.MrrExpansion, cell.MrrContraction, cell.MrrChurned, cell.MrrReactivation, cell.MrrPaused, cell.MrrResumed,
            m.MrrExchange, m.MrrAtEnd, m.GrossMrrChurn.Value, m.NetMrrChurn.Value, m.Nrr.Value, m.Grr.Value, m.Arpa.Value, m.Ltv,
            month.IsMixed || m.Churn.Value is not { } rate ? null : Words.Of(ChurnBands.Of(rate, month.Terms.Keys.FirstOrDefault())), Words.Of(m.Formula), month.IsMixed,
            month.Terms.OrderBy(t => t.Key).ToDictionary(t => Words.Of(t.Key), t => ApiTerm.Of(t.Value, t.Key)), month.IsClosed, month.CorrectedAt,
            MetricFormulas.All.ToDictionary(f => f.Name, f => new ApiRatio(f.Text(m.Formula), f.Of(m).Numerator, f.Of(m).Denominator)), rates);
    }

    /// <summary>The rates that are missing, in a sentence: by currency the months.</summary>
    internal static string Lacks(IReadOnlyList<MissingRate> missing) => string.Join(" ", missing.GroupBy(m => m.Currency, StringComparer.Ordinal).Select(currency => currency.Min(m => m.Month) is var first && currency.Max(m => m.Month) is var last
        ? $"No rate of {currency.Key.ToUpperInvariant()} is known for {(first == last ? $"{first}" : $"{first} to {last}")}: add one to insight.rates that begins by {first}-01." : ""));

    /// <summary>The months that a query asks for (<c>from, to, formula, currency</c>), or what is wrong with it. Shared with the page.</summary>
    internal static (MetricsRequest? Request, string? Wrong) Request(IQueryCollection query, DateTimeOffset now, InsightSettings settings)
    {
        if (query["currency"] == Insight.MetricsRequest.Converted && settings.Currency is null)
            return (null, "There is no currency to convert into: set insight.currency, and insight.rates for the others.");
        var request = new MetricsRequest(Insight.MetricsRequest.FirstOfYear(Customers.Month.Of(now)), Customers.Month.Of(now), ChurnFormula.Standard, null);
        if (query["to"].ToString() is { Length: > 0 } to)
        {
            if (!Customers.Month.TryParse(to, out var month)) return (null, $"to is a month such as {Customers.Month.Of(now)}, not '{to}'.");
            request = request with { To = month, From = Insight.MetricsRequest.FirstOfYear(month) };
        }
        if (query["from"].ToString() is { Length: > 0 } from)
        {
            if (!Customers.Month.TryParse(from, out var month)) return (null, $"from is a month such as {Customers.Month.Of(now)}, not '{from}'.");
            request = request with { From = month };
        }
        if (request.From > request.To) return (null, string.Create(CultureInfo.InvariantCulture, $"from ({request.From}) is after to ({request.To})."));
        if (request.To.Since(request.From) >= Insight.MetricsRequest.MostMonths) return (null, $"At most {Insight.MetricsRequest.MostMonths} months at once.");
        if (query["formula"].ToString() is { Length: > 0 } formula)
        {
            if (Words.Parse<ChurnFormula>(formula) is not { } value) return (null, $"formula is one of {Words.All<ChurnFormula>()}, not '{formula}'.");
            request = request with { Formula = value };
        }
        var (currency, wrong) = PageQuery.CurrencyOf(query, Insight.MetricsRequest.Converted);
        return wrong is null ? (request with { Currency = currency }, null) : (null, wrong);
    }
}

/// <summary>The figures of the customers of one billing term.</summary>
/// <param name="CustomersAtStart">Paying or paused right before the month.</param>
/// <param name="CustomersNew">First MRR above 0.</param>
/// <param name="CustomersLost">Customers at the start who were none at the end.</param>
/// <param name="ChurnRate">The customer churn rate, by the formula that was asked for.</param>
/// <param name="MrrAtStart">Right before the month.</param>
/// <param name="GrossMrrChurnRate">Churned and contraction ÷ MRR at the start.</param>
/// <param name="NetMrrChurnRate">Gross less expansion.</param>
/// <param name="Band">Of the churn rate: <c>good, improve, serious</c>.</param>
public sealed record ApiTerm(int CustomersAtStart, int CustomersNew, int CustomersLost, double? ChurnRate, long MrrAtStart, double? GrossMrrChurnRate, double? NetMrrChurnRate, string? Band)
{
    internal static ApiTerm Of(MonthMetrics m, BillingTerm term) => new(
        m.CustomersAtStart, m.Cell.New, m.Cell.Lost, m.Churn.Value, m.MrrAtStart, m.GrossMrrChurn.Value, m.NetMrrChurn.Value, m.Churn.Value is { } rate ? Words.Of(ChurnBands.Of(rate, term)) : null);
}

/// <summary>What a rate is made of.</summary>
/// <param name="Formula">In words.</param>
/// <param name="Numerator">A count of customers, or minor units.</param>
/// <param name="Denominator">The same; 0 or less: the rate is null.</param>
public sealed record ApiRatio(string Formula, long Numerator, long Denominator);
