using System.Globalization;
using RetentionFunctions.Customers;
using RetentionFunctions.Settings;

namespace RetentionFunctions.Insight;

/// <summary>
/// Counts cohorts from the months that are kept of each customer: who first paid in which month, and how many of them, with how much MRR, are left at the end of each month after. As a whole, and
/// by each value of each trait.
/// </summary>
public sealed class CohortSummary(RetentionSettings settings) : ISummary
{
    /// <summary>The name of the summary.</summary>
    public const string SummaryName = "cohorts";

    /// <summary>Most values of a trait that are told apart in a bucket: a trait with more (an address, say) splits nothing.</summary>
    public const int MostValues = 60;

    /// <summary>What all values beyond those are called.</summary>
    public const string Other = "other";

    /// <inheritdoc/>
    public string Name => SummaryName;

    /// <inheritdoc/>
    public CustomerNouns Reads => CustomerNouns.Months;

    /// <inheritdoc/>
    public object? Count(IReadOnlyList<CustomerRows> customers, DateTimeOffset asOf)
    {
        var members = customers.SelectMany(c => c.Read<StoredMonths>(CustomerNouns.Months).Select(months => (c.Customer, Lives: CohortLife.Of(months.Cells())))).Where(m => m.Lives.Count > 0).ToList();
        if (members.Count == 0) return null;
        var sums = new SortedDictionary<CohortKey, CohortSum>();
        Add(split: null, _ => null);
        foreach (var trait in CustomerTraits.Names(settings.Customers))
        {
            // The most frequent are told apart; of those that are as frequent, the first by name.
            var told = members.Select(m => m.Customer.Trait(trait)).OfType<string>().CountBy(value => value, StringComparer.Ordinal)
                .OrderByDescending(v => v.Value).ThenBy(v => v.Key, StringComparer.Ordinal).Take(MostValues).Select(v => v.Key).ToHashSet(StringComparer.Ordinal);
            Add(trait, customer => customer.Trait(trait) is not { } value ? null : told.Contains(value) ? value : Other);
        }
        return StoredCohorts.Of(sums);

        void Add(string? split, Func<Customer, string?> valueOf)
        {
            foreach (var (customer, lives) in members)
                foreach (var life in lives)
                {
                    var key = new CohortKey(life.First, split, valueOf(customer), life.Currency);
                    if (!sums.TryGetValue(key, out var sum)) sums[key] = sum = new CohortSum();
                    sum.Add(life);
                }
        }
    }
}

/// <summary>One customer in its cohort: as a customer, whatever the currencies; and by MRR, in each of them.</summary>
/// <param name="Currency">Lower case ISO code; null: the customer, counted as 1.</param>
/// <param name="First">The month of its first MRR above 0, in this currency or in any.</param>
/// <param name="Base">What it began with: 1, or the MRR of the first payment.</param>
/// <param name="Changes">By how many months after the first (0: in it) the amount at the end of a month differs from the one before; where it does.</param>
public sealed record CohortLife(string? Currency, Month First, long Base, IReadOnlyList<(int Offset, long Change)> Changes)
{
    /// <summary>From a customer's months: empty where nothing was ever paid.</summary>
    public static IReadOnlyList<CohortLife> Of(IReadOnlyDictionary<CellKey, MonthCell> cells)
    {
        var lives = new List<CohortLife>();
        var present = new SortedDictionary<Month, int>();
        foreach (var currency in cells.GroupBy(c => c.Key.Currency, StringComparer.Ordinal).OrderBy(g => g.Key, StringComparer.Ordinal))
        {
            // Of both billing terms together: who goes over from one to the other neither leaves nor joins.
            var months = currency.GroupBy(c => c.Key.Month).OrderBy(g => g.Key).Select(g => (Month: g.Key, Cell: g.Aggregate(new MonthCell(), (sum, c) => sum + c.Value))).ToList();
            if (months.FindIndex(m => m.Cell.New > 0) is var first && first < 0) continue;
            foreach (var (month, cell) in months) present[month] = present.GetValueOrDefault(month) + cell.Change;
            lives.Add(Life(currency.Key, months[first].Month, months[first].Cell.MrrNew, months.Select(m => (m.Month, m.Cell.MrrChange))));
        }
        if (lives.Count == 0) return lives;
        // In how many currencies at the end of each month, and from that whether in any.
        var (sum, was) = (0, false);
        var joined = new List<(Month, long)>();
        foreach (var (month, change) in present)
        {
            var (before, now) = (was, (sum += change) > 0);
            was = now;
            joined.Add((month, (now ? 1 : 0) - (before ? 1 : 0)));
        }
        return [Life(null, lives.Min(l => l.First), 1, joined), .. lives];
    }

    // The first month's change is against nothing; against what it began with, it is less by that.
    private static CohortLife Life(string? currency, Month first, long began, IEnumerable<(Month Month, long Change)> months) => new(
        currency, first, began, [.. months.Select(m => (m.Month.Since(first), m.Month == first ? m.Change - began : m.Change)).Where(m => m.Item2 != 0)]);
}

/// <summary>Which sum: a cohort, all of it or one value of a trait, of customers or of MRR in a currency.</summary>
/// <param name="Cohort">The month of the first payment.</param>
/// <param name="Split">The trait; null: all customers.</param>
/// <param name="Value">Its value; null: nobody said, or all customers.</param>
/// <param name="Currency">Lower case ISO code; null: customers.</param>
public readonly record struct CohortKey(Month Cohort, string? Split, string? Value, string? Currency) : IComparable<CohortKey>
{
    /// <inheritdoc/>
    public int CompareTo(CohortKey other) =>
        Cohort.CompareTo(other.Cohort) is var month && month != 0 ? month
        : string.CompareOrdinal(Split, other.Split) is var split && split != 0 ? split
        : string.CompareOrdinal(Value, other.Value) is var value && value != 0 ? value
        : string.CompareOrdinal(Currency, other.Currency);
}

/// <summary>Several lives of one cohort together.</summary>
public sealed class CohortSum
{
    private readonly SortedDictionary<int, long> _changes = [];

    /// <summary>How many customers.</summary>
    public int Customers { get; private set; }

    /// <summary>What they began with: as many customers, or the MRR of their first payments.</summary>
    public long Base { get; private set; }

    /// <summary>By how much the amount changed with the end of which month after the first.</summary>
    public IReadOnlyDictionary<int, long> Changes => _changes;

    /// <summary>What is left at the end of the so manieth month after the first; at 0, what they began with.</summary>
    public long At(int months) => months == 0 ? Base : Base + _changes.TakeWhile(c => c.Key <= months).Sum(c => c.Value);

    internal void Add(CohortLife life) => Add(1, life.Base, life.Changes);

    internal void Add(StoredCohort stored) => Add(stored.Customers, stored.Base ?? stored.Customers, stored.Changes.Chunk(2).Select(pair => ((int)pair[0], pair[1])));

    internal void Add(CohortSum other) => Add(other.Customers, other.Base, other.Changes.Select(c => (c.Key, c.Value)));

    private void Add(int customers, long began, IEnumerable<(int Offset, long Change)> changes)
    {
        Customers += customers;
        Base += began;
        foreach (var (offset, change) in changes)
            if ((_changes[offset] = _changes.GetValueOrDefault(offset) + change) == 0) _changes.Remove(offset);
    }
}

/// <summary>The cohorts of a bucket as their row has them: a property for each cohort (<c>m202603</c>), so that no property grows with the years.</summary>
public sealed class StoredCohorts : SortedDictionary<string, IReadOnlyList<StoredCohort>>
{
    // A property takes 32,768 characters of JSON, a row some 500,000.
    private const int MostOfMonth = 30_000;
    private const int MostOfRow = 450_000;

    /// <summary>By ordinal order, which is that of time.</summary>
    public StoredCohorts() : base(StringComparer.Ordinal) { }

    /// <summary>Puts sums into a row. Where that would not fit (thousands of customers in one bucket, with many values), the values with the fewest customers of the largest months are put together.</summary>
    public static StoredCohorts Of(IEnumerable<KeyValuePair<CohortKey, CohortSum>> sums)
    {
        var row = new StoredCohorts();
        var months = sums.GroupBy(s => s.Key.Cohort).Select(m => (Name: m.Key.Start.ToString("'m'yyyyMM", CultureInfo.InvariantCulture), Sums: m.ToDictionary(s => s.Key, s => s.Value))).ToList();
        var sizes = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var (name, own) in months) Put(name, own);
        while (sizes.Values.Any(size => size > MostOfMonth) || sizes.Values.Sum() > MostOfRow)
            if (!months.OrderByDescending(m => sizes[m.Name]).Any(m => PutTogether(m.Sums) && Put(m.Name, m.Sums))) break;
        return row;

        bool Put(string name, Dictionary<CohortKey, CohortSum> own)
        {
            row[name] = Stored(own);
            sizes[name] = Length(row[name]);
            return true;
        }
    }

    /// <summary>The sums, by their keys.</summary>
    public IEnumerable<(CohortKey Key, StoredCohort Sum)> Sums() => this.SelectMany(m => m.Value.Select(s => (
        new CohortKey(Month.Of(DateTimeOffset.ParseExact(m.Key, "'m'yyyyMM", CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal)), s.Split, s.Value, s.Currency), s)));

    private static List<StoredCohort> Stored(Dictionary<CohortKey, CohortSum> sums) =>
    [
        .. sums.OrderBy(s => s.Key).Select(s => new StoredCohort(s.Key.Split, s.Key.Value, s.Key.Currency, s.Value.Customers, s.Key.Currency is null ? null : s.Value.Base, [.. s.Value.Changes.SelectMany(c => (long[])[c.Key, c.Value])])),
    ];

    private static int Length(IReadOnlyList<StoredCohort> list) => System.Text.Encoding.UTF8.GetCharCount(Storage.TablesExtensions.Write(list).Span);

    // Of the trait with the most values, the half of them with the fewest customers.
    private static bool PutTogether(Dictionary<CohortKey, CohortSum> sums)
    {
        var values = sums.Where(s => s.Key is { Split: not null, Value: not null and not CohortSummary.Other }).GroupBy(s => s.Key.Split!, StringComparer.Ordinal)
            .Select(trait => (trait.Key, Values: trait.GroupBy(s => s.Key.Value!, StringComparer.Ordinal).OrderBy(v => v.Max(s => s.Value.Customers)).ThenBy(v => v.Key, StringComparer.Ordinal).Select(v => v.Key).ToList())).MaxBy(t => t.Values.Count);
        if (values.Values is not { Count: > 0 }) return false;
        foreach (var (key, sum) in sums.Where(s => s.Key.Split == values.Key && s.Key.Value is { } value && values.Values.Take((values.Values.Count + 1) / 2).Contains(value)).ToList())
        {
            sums.Remove(key);
            var other = key with { Value = CohortSummary.Other };
            if (!sums.TryGetValue(other, out var together)) sums[other] = together = new CohortSum();
            together.Add(sum);
        }
        return true;
    }
}

/// <summary>One sum.</summary>
/// <param name="Split">The trait; null: all customers.</param>
/// <param name="Value">Its value.</param>
/// <param name="Currency">Lower case ISO code; null: customers.</param>
/// <param name="Customers">How many customers.</param>
/// <param name="Base">The MRR of their first payments, minor units; null where customers are counted.</param>
/// <param name="Changes">In pairs: how many months after the first, and by how much the amount at its end differs.</param>
public sealed record StoredCohort(string? Split, string? Value, string? Currency, int Customers, long? Base, IReadOnlyList<long> Changes);
