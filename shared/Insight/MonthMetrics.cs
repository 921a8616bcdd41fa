using RetentionFunctions.Customers;

namespace RetentionFunctions.Insight;

/// <summary>Which customer churn rate is meant.</summary>
public enum ChurnFormula
{
    /// <summary>Ours (DEFINITIONS, "Customer churn rate"): lost in the calendar month ÷ at its start. Who joined and left within the month is early churn, beside it.</summary>
    Standard,

    /// <summary>Stripe's: all who left in the last 30 days ÷ those there 30 days ago and those who joined since (its documentation, "Subscriber churn rate").</summary>
    Stripe,
}

/// <summary>A share with what it is made of: nothing is shown without its denominator.</summary>
/// <param name="Numerator">A count of customers, or minor units.</param>
/// <param name="Denominator">Of the same kind.</param>
public readonly record struct Ratio(long Numerator, long Denominator)
{
    /// <summary>The fraction; null where there is no denominator.</summary>
    public double? Value => Denominator > 0 ? (double)Numerator / Denominator : null;
}

/// <summary>
/// The figures of one month in one currency, of all its customers or of those of one billing term. Amounts are minor units, losses negative. All of DEFINITIONS.md;
/// docs/definitions.md has an example of each.
/// </summary>
public sealed record MonthMetrics
{
    /// <summary>The calendar month, UTC.</summary>
    public required Month Month { get; init; }

    /// <summary>Lower case ISO code.</summary>
    public required string Currency { get; init; }

    /// <summary>What happened in it.</summary>
    public required MonthCell Cell { get; init; }

    /// <summary>Customers paying or paused right before it.</summary>
    public required int CustomersAtStart { get; init; }

    /// <summary>Of these, those who paid.</summary>
    public required int PayingAtStart { get; init; }

    /// <summary>MRR right before it.</summary>
    public required long MrrAtStart { get; init; }

    /// <summary>Where several currencies are converted into one: what the change of the rates did to the MRR at the start, with what rounding leaves over; else 0. No movement of a customer's, and in no rate.</summary>
    public long MrrExchange { get; init; }

    /// <summary>Which churn rate <see cref="Churn"/> is.</summary>
    public ChurnFormula Formula { get; init; }

    /// <summary>Customers at its end (now, while it runs). Those who changed their billing term in it count where they were.</summary>
    public int CustomersAtEnd => CustomersAtStart + Cell.Change;

    /// <summary>MRR at its end: at the start plus all movements, and the exchange effect.</summary>
    public long MrrAtEnd => MrrAtStart + Cell.MrrChange + MrrExchange;

    /// <summary>The customer churn rate, by <see cref="Formula"/>.</summary>
    public Ratio Churn => Formula == ChurnFormula.Stripe ? new Ratio(Cell.Lost30, CustomersAtEnd - Cell.Change30 + Cell.New30) : new Ratio(Cell.Lost, CustomersAtStart);

    /// <summary>Of the customers at the start, those whose last payment failed, not they.</summary>
    public Ratio InvoluntaryChurn => new(Cell.LostInvoluntary, CustomersAtStart);

    /// <summary>Of the customers at the start, those who left by themselves.</summary>
    public Ratio VoluntaryChurn => new(Cell.Lost - Cell.LostInvoluntary, CustomersAtStart);

    /// <summary>Joined and left within the month ÷ joined.</summary>
    public Ratio EarlyChurn => new(Cell.Early, Cell.New);

    /// <summary>Churned and contraction ÷ MRR at the start.</summary>
    public Ratio GrossMrrChurn => new(-(Cell.MrrChurned + Cell.MrrContraction), MrrAtStart);

    /// <summary>Gross less expansion; reactivation is in neither.</summary>
    public Ratio NetMrrChurn => new(-(Cell.MrrChurned + Cell.MrrContraction + Cell.MrrExpansion), MrrAtStart);

    /// <summary>1 − gross MRR churn.</summary>
    public Ratio Grr => new(MrrAtStart + Cell.MrrChurned + Cell.MrrContraction, MrrAtStart);

    /// <summary>1 − net MRR churn.</summary>
    public Ratio Nrr => new(MrrAtStart + Cell.MrrChurned + Cell.MrrContraction + Cell.MrrExpansion, MrrAtStart);

    /// <summary>Average MRR of a paying customer at the end.</summary>
    public Ratio Arpa => new(MrrAtEnd, PayingAtStart + Cell.Paying);

    /// <summary>ARPA ÷ churn rate, in minor units: what a customer brings if price and churn stay as they were in this month. No costs are taken off. Null where nobody left.</summary>
    public double? Ltv => Churn.Value is > 0 and var churn ? Arpa.Value / churn : null;
}

/// <summary>One month in one currency: all customers, and each billing term by itself.</summary>
/// <param name="All">All of them.</param>
/// <param name="Terms">Monthly and yearly apart; of those that have any customer in the month.</param>
/// <param name="IsClosed">It is over, and so are the three days in which Stripe repeats events.</param>
/// <param name="CorrectedAt">When an event of the month came after it was closed; null where none did.</param>
public sealed record MetricsMonth(MonthMetrics All, IReadOnlyDictionary<BillingTerm, MonthMetrics> Terms, bool IsClosed, DateTimeOffset? CorrectedAt)
{
    /// <summary>Both terms are in the figures of <see cref="All"/>: a yearly customer can leave in one month of twelve only, so the rates of the two are not alike.</summary>
    public bool IsMixed => Terms.Count > 1;
}

/// <summary>The months of a business, from the sums that are kept as events come.</summary>
public static class Metrics
{
    /// <summary>From the cells of all customers.</summary>
    /// <param name="cells">All of them, from the first month on.</param>
    /// <param name="corrections">When months were changed after they were closed.</param>
    /// <param name="from">The first month.</param>
    /// <param name="to">The last month.</param>
    /// <param name="formula">Which churn rate.</param>
    /// <param name="now">Decides which months are closed; later months are left out.</param>
    public static IReadOnlyList<MetricsMonth> Of(
        IReadOnlyDictionary<CellKey, MonthCell> cells, IReadOnlyDictionary<Month, DateTimeOffset> corrections, Month from, Month to, ChurnFormula formula, DateTimeOffset now)
    {
        var last = Month.Of(now) < to ? Month.Of(now) : to;
        var months = new List<MetricsMonth>();
        foreach (var currency in cells.GroupBy(c => c.Key.Currency, StringComparer.Ordinal).OrderBy(g => g.Key, StringComparer.Ordinal))
        {
            var byMonth = currency.ToLookup(c => c.Key.Month);
            var running = Enum.GetValues<BillingTerm>().ToDictionary(t => t, _ => new Standing());
            for (var month = currency.Min(c => c.Key.Month); month <= last; month = month.Plus(1))
            {
                var own = byMonth[month].ToDictionary(c => c.Key.Term, c => c.Value);
                if (month >= from)
                {
                    var terms = running.Where(t => t.Value.Customers > 0 || own.ContainsKey(t.Key)).ToDictionary(t => t.Key, t => Figures(t.Value, own.GetValueOrDefault(t.Key)));
                    var all = running.Values.Aggregate(new Standing(), (a, b) => a + b);
                    var cell = own.Values.Aggregate(new MonthCell(), (a, b) => a + b);
                    months.Add(new MetricsMonth(Figures(all, cell), terms, month.End + MonthRows.OpenFor <= now, corrections.TryGetValue(month, out var at) ? at : null));
                }
                foreach (var (term, cell) in own) running[term] = running[term].After(cell);

                MonthMetrics Figures(Standing at, MonthCell cell) => new()
                {
                    Month = month, Currency = currency.Key, Cell = cell, CustomersAtStart = at.Customers, PayingAtStart = at.Paying, MrrAtStart = at.Mrr, Formula = formula,
                };
            }
        }
        return [.. months.OrderBy(m => m.All.Month).ThenBy(m => m.All.Currency, StringComparer.Ordinal)];
    }

    // Where all the months before lead to.
    private readonly record struct Standing(int Customers, int Paying, long Mrr)
    {
        public Standing After(MonthCell cell) => new(Customers + cell.Change + cell.Switched, Paying + cell.Paying, Mrr + cell.MrrChange + cell.MrrSwitched);

        public static Standing operator +(Standing a, Standing b) => new(a.Customers + b.Customers, a.Paying + b.Paying, a.Mrr + b.Mrr);
    }
}
