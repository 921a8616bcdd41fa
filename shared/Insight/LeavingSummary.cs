using System.Globalization;
using RetentionFunctions.Customers;

namespace RetentionFunctions.Insight;

/// <summary>Counts every night what those who left by their own decision gave as the reason, in the survey that Stripe shows when somebody cancels (<c>cancellation_details.feedback</c>).</summary>
public sealed class LeavingSummary : ISummary
{
    /// <summary>The name of its rows.</summary>
    public const string SummaryName = "leaving";

    /// <summary>Stripe's codes, a closed list (docs.stripe.com/api/subscriptions/object, <c>cancellation_details.feedback</c>): nothing else that somebody wrote can get into a figure.</summary>
    public static IReadOnlyList<string> Codes { get; } = ["too_expensive", "missing_features", "switched_service", "unused", "customer_service", "too_complex", "low_quality", "other"];

    /// <inheritdoc/>
    public string Name => SummaryName;

    /// <inheritdoc/>
    public CustomerNouns Reads => CustomerNouns.Months;

    /// <inheritdoc/>
    public object? Count(IReadOnlyList<CustomerRows> customers, DateTimeOffset asOf)
    {
        var left = customers.SelectMany(c => c.Read<StoredMonths>(CustomerNouns.Months).SelectMany(months => Of(c.Customer, months.Cells()))).ToList();
        return left.Count == 0 ? null : StoredLeaving.Of(left);
    }

    /// <summary>Why one customer left, in each month and currency in which they were lost by their own decision; null: nothing was said.</summary>
    internal static IEnumerable<(Month Month, string Currency, string? Code)> Of(Customer customer, IReadOnlyDictionary<CellKey, MonthCell> cells) =>
        from cell in cells
        where cell.Value is { Lost: > 0, LostInvoluntary: 0 }
        // The last that ended is the one with which they left.
        let last = customer.Subscriptions.Where(s => s.Latest.Currency == cell.Key.Currency && s.EndedAt is { } at && Month.Of(at) == cell.Key.Month).MaxBy(s => (s.EndedAt, s.Latest.SubscriptionId))
        select (cell.Key.Month, cell.Key.Currency, last?.Latest.CancellationFeedback is { } code ? Codes.Contains(code) ? code : "other" : null);
}

/// <summary>How many gave which reason, as a row has it: a property for each month (<c>m202603</c>).</summary>
public sealed class StoredLeaving : SortedDictionary<string, IReadOnlyList<StoredReason>>
{
    /// <summary>By ordinal order, which is that of time.</summary>
    public StoredLeaving() : base(StringComparer.Ordinal) { }

    internal static StoredLeaving Of(IEnumerable<(Month Month, string Currency, string? Code)> left)
    {
        var stored = new StoredLeaving();
        foreach (var month in left.GroupBy(l => l.Month))
            stored[NameOf(month.Key)] = [.. month.CountBy(l => (l.Currency, l.Code)).Select(c => new StoredReason(c.Key.Currency, c.Key.Code, c.Value)).OrderBy(r => r.Currency, StringComparer.Ordinal).ThenBy(r => r.Code, StringComparer.Ordinal)];
        return stored;
    }

    internal static string NameOf(Month month) => month.Start.ToString("'m'yyyyMM", CultureInfo.InvariantCulture);
}

/// <summary>One reason.</summary>
/// <param name="Currency">Lower case ISO code, of the subscription that ended.</param>
/// <param name="Code">One of <see cref="LeavingSummary.Codes"/>; null: nothing was said.</param>
/// <param name="Customers">How many.</param>
public sealed record StoredReason(string Currency, string? Code, int Customers);

/// <summary>Why those left who left a month by their own decision, in one currency.</summary>
/// <param name="Currency">Lower case ISO code.</param>
/// <param name="Asked">How many left: the denominator.</param>
/// <param name="Reasons">How many gave which of <see cref="LeavingSummary.Codes"/>, the most frequent first.</param>
public sealed record LeavingReasons(string Currency, int Asked, IReadOnlyList<(string Code, int Customers)> Reasons)
{
    /// <summary>How many gave any.</summary>
    public int Given => Reasons.Sum(r => r.Customers);

    /// <summary>With their denominator: <c>Of 9 who left by their own decision 4 gave a reason: 3 too expensive, 1 unused</c>.</summary>
    public string Text => $"Of {FigureText.Count(Asked)} who left by their own decision {(Given == 0 ? "nobody gave a reason" : $"{FigureText.Count(Given)} gave a reason: {string.Join(", ", Reasons.Select(r => $"{FigureText.Count(r.Customers)} {r.Code.Replace('_', ' ')}"))}")}.";

    /// <summary>Each currency of a month, from what was counted in all buckets.</summary>
    internal static IReadOnlyList<LeavingReasons> Of(IEnumerable<StoredLeaving> buckets, Month month) =>
    [
        .. buckets.SelectMany(b => b.GetValueOrDefault(StoredLeaving.NameOf(month)) ?? []).GroupBy(r => r.Currency, StringComparer.Ordinal).OrderBy(g => g.Key, StringComparer.Ordinal).Select(g => new LeavingReasons(
            g.Key, g.Sum(r => r.Customers),
            [.. g.Where(r => r.Code is not null).GroupBy(r => r.Code!, StringComparer.Ordinal).Select(c => (c.Key, c.Sum(r => r.Customers))).OrderByDescending(c => c.Item2).ThenBy(c => c.Key, StringComparer.Ordinal)])),
    ];
}
