using RetentionFunctions.Customers;

namespace RetentionFunctions.Insight;

/// <summary>Which weeks of failure are asked for.</summary>
/// <param name="From">The Monday of the first week.</param>
/// <param name="To">The Monday of the last.</param>
/// <param name="Currency">Only this one; null: each by itself.</param>
public sealed record RecoveryRequest(DateOnly From, DateOnly To, string? Currency)
{
    /// <summary>Ten years.</summary>
    public const int MostWeeks = 522;

    /// <summary>Half a year.</summary>
    public const int Weeks = 26;
}

/// <summary>So many invoices.</summary>
/// <param name="Count">How many.</param>
/// <param name="Amount">What was due on them, in minor units.</param>
public readonly record struct Tally(int Count, long Amount)
{
    /// <summary>Both together.</summary>
    public static Tally operator +(Tally a, Tally b) => new(a.Count + b.Count, a.Amount + b.Amount);
}

/// <summary>The figures of some invoices whose first attempt failed, all of one currency.</summary>
public sealed class RecoveryFigures
{
    private readonly Dictionary<InvoiceFate, Tally> _fates;

    /// <summary>Of these cells.</summary>
    public RecoveryFigures(IEnumerable<RecoveryCell> cells)
    {
        List<RecoveryCell> all = [.. cells];
        _fates = all.GroupBy(c => c.Key.Fate).ToDictionary(g => g.Key, g => g.Aggregate(new Tally(), (sum, c) => sum + new Tally(c.Count, c.Amount)));
        Days = RecoveryFacts.Days(all);
    }

    /// <summary>Those of one fate.</summary>
    public Tally Of(InvoiceFate fate) => _fates.GetValueOrDefault(fate);

    /// <summary>All of them: the denominator.</summary>
    public Tally Failed => Sum(_ => true);

    /// <summary>Those that were paid later, in whatever way.</summary>
    public Tally Recovered => Sum(RecoveryFacts.IsRecovered);

    /// <summary>Those recovered neither silently nor after an e-mail: held out, in preview, without a run, or after an e-mail of unknown fate.</summary>
    public Tally Other => Sum(fate => RecoveryFacts.IsRecovered(fate) && fate is not (InvoiceFate.Silent or InvoiceFate.AfterEmail));

    /// <summary>Neither paid nor lost yet.</summary>
    public Tally StillOpen => Of(InvoiceFate.StillOpen);

    /// <summary>Recovered ÷ failed, by count. While some are still open it is at least this.</summary>
    public Ratio AtLeast => new(Recovered.Count, Failed.Count);

    /// <summary>What it would be if all that are open were paid.</summary>
    public Ratio AtMost => new(Recovered.Count + StillOpen.Count, Failed.Count);

    /// <summary>Recovered ÷ failed, by count; without a denominator while some are still open.</summary>
    public Ratio Rate => StillOpen.Count > 0 ? default : AtLeast;

    /// <summary>The same by amount.</summary>
    public Ratio AmountRate => StillOpen.Count > 0 ? default : new Ratio(Recovered.Amount, Failed.Amount);

    /// <summary>How many were paid after so many whole days; <see cref="RecoveryFacts.MostDays"/> stands for that and more.</summary>
    public SortedDictionary<int, int> Days { get; }

    /// <summary>The median of the days to recovery, each in whole days; null where none was recovered.</summary>
    public double? MedianDays
    {
        get
        {
            var count = Days.Values.Sum();
            return count == 0 ? null : (Nth((count - 1) / 2) + Nth(count / 2)) / 2.0;

            int Nth(int place)
            {
                foreach (var (day, of) in Days)
                    if ((place -= of) < 0) return day;
                return 0;
            }
        }
    }

    private Tally Sum(Func<InvoiceFate, bool> wanted) => _fates.Where(f => wanted(f.Key)).Aggregate(new Tally(), (sum, f) => sum + f.Value);
}

/// <summary>One week of failure.</summary>
/// <param name="Week">Its Monday.</param>
/// <param name="Figures">Of the invoices that failed first in it.</param>
/// <param name="IsOver">None of them is counted as open any more.</param>
public sealed record RecoveryWeek(DateOnly Week, RecoveryFigures Figures, bool IsOver);

/// <summary>One kind of decline.</summary>
/// <param name="Kind">The kind.</param>
/// <param name="Figures">Of the weeks that are over.</param>
public sealed record RecoveryKind(DeclineGroup Kind, RecoveryFigures Figures);

/// <summary>The recovery of one currency.</summary>
/// <param name="Currency">Lower case ISO code.</param>
/// <param name="Decided">Of the weeks that are over: only there early payments and late losses are both known.</param>
/// <param name="Young">Of the later weeks: in no rate of the whole.</param>
/// <param name="Weeks">Every week from the first to the last in which anything failed, oldest first.</param>
/// <param name="Kinds">The most frequent first.</param>
public sealed record RecoveryReport(string Currency, RecoveryFigures Decided, RecoveryFigures Young, IReadOnlyList<RecoveryWeek> Weeks, IReadOnlyList<RecoveryKind> Kinds)
{
    /// <summary>The buckets in which days to recovery are shown: up to, not including, so many days.</summary>
    public static IReadOnlyList<(int From, int To)> DayBuckets { get; } = [(0, 1), (1, 3), (3, 7), (7, 14), (14, 30), (30, int.MaxValue)];

    /// <summary>How many of each bucket.</summary>
    public static IReadOnlyList<int> ByBucket(RecoveryFigures figures) => [.. DayBuckets.Select(b => figures.Days.Where(d => d.Key >= b.From && d.Key < b.To).Sum(d => d.Value))];

    /// <summary>The reports of a request, each currency by itself; the one with the most invoices first.</summary>
    /// <param name="cells">Of all customers.</param>
    /// <param name="request">Which.</param>
    /// <param name="openDays">See <see cref="RecoveryFacts.OpenDays"/>.</param>
    /// <param name="asOf">When the cells were counted.</param>
    public static IReadOnlyList<RecoveryReport> Of(IEnumerable<RecoveryCell> cells, RecoveryRequest request, int openDays, DateTimeOffset asOf) =>
    [
        .. cells.Where(c => c.Key.Week >= request.From && c.Key.Week <= request.To && (request.Currency is null || c.Key.Currency == request.Currency))
            .GroupBy(c => c.Key.Currency, StringComparer.Ordinal).Select(g => Of(g.Key, [.. g], openDays, asOf))
            .OrderByDescending(r => r.Decided.Failed.Count + r.Young.Failed.Count).ThenBy(r => r.Currency, StringComparer.Ordinal),
    ];

    private static RecoveryReport Of(string currency, List<RecoveryCell> cells, int openDays, DateTimeOffset asOf)
    {
        var byWeek = cells.ToLookup(c => c.Key.Week);
        var weeks = new List<RecoveryWeek>();
        for (var week = cells.Min(c => c.Key.Week); week <= cells.Max(c => c.Key.Week); week = week.AddDays(7)) weeks.Add(new RecoveryWeek(week, new RecoveryFigures(byWeek[week]), IsOver(week)));
        var decided = cells.Where(c => IsOver(c.Key.Week)).ToList();
        return new RecoveryReport(currency, new RecoveryFigures(decided), new RecoveryFigures(cells.Where(c => !IsOver(c.Key.Week))), weeks,
            [.. decided.GroupBy(c => c.Key.Kind).Select(g => new RecoveryKind(g.Key, new RecoveryFigures(g))).OrderByDescending(k => k.Figures.Failed.Count).ThenBy(k => k.Kind)]);

        bool IsOver(DateOnly week) => RecoveryFacts.OverAt(week, openDays) <= asOf;
    }
}
