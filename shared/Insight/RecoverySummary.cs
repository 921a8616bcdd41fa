using System.Globalization;
using RetentionFunctions.Customers;
using RetentionFunctions.Flows;
using RetentionFunctions.Settings;

namespace RetentionFunctions.Insight;

/// <summary>Counts every night what became of the invoices whose first attempt failed.</summary>
public sealed class RecoverySummary(RetentionSettings settings) : ISummary
{
    /// <summary>The name of its rows.</summary>
    public const string SummaryName = "recovery";

    /// <inheritdoc/>
    public string Name => SummaryName;

    /// <inheritdoc/>
    public CustomerNouns Reads => CustomerNouns.Invoices | CustomerNouns.Runs | CustomerNouns.Failures;

    /// <inheritdoc/>
    public object? Count(IReadOnlyList<CustomerRows> customers, DateTimeOffset asOf)
    {
        var cells = RecoveryFacts.Sum(customers.SelectMany(rows => Of(rows, asOf)));
        return cells.Count == 0 ? null : StoredRecovery.Of(cells);
    }

    private IEnumerable<RecoveryCell> Of(CustomerRows rows, DateTimeOffset asOf)
    {
        // Most customers have none.
        var failed = rows.Read<Invoice>(CustomerNouns.Invoices).Where(i => RecoveryFacts.FailedAt(i) is not null).ToList();
        if (failed.Count == 0) return [];
        // The customer's own row has those of before they were rows of their own.
        List<PaymentFailure> failures = [.. rows.Read<PaymentFailure>(CustomerNouns.Failures), .. rows.Customer.Failures];
        return RecoveryFacts.Of(rows.Customer, failed, failures, [.. rows.Read<Run>(CustomerNouns.Runs)], RecoveryFacts.OpenDays(settings), asOf);
    }
}

/// <summary>Cells as a row has them: a property for the weeks that begin in a month (<c>m202603</c>), so that no property grows with the years.</summary>
public sealed class StoredRecovery : SortedDictionary<string, IReadOnlyList<StoredRecoveryCell>>
{
    /// <summary>By ordinal order, which is that of time.</summary>
    public StoredRecovery() : base(StringComparer.Ordinal) { }

    /// <summary>Puts cells into a row.</summary>
    public static StoredRecovery Of(IEnumerable<RecoveryCell> cells)
    {
        var stored = new StoredRecovery();
        foreach (var month in cells.GroupBy(c => c.Key.Week.ToString("'m'yyyyMM", CultureInfo.InvariantCulture)))
            stored[month.Key] = [.. month.Select(c => new StoredRecoveryCell(c.Key.Week, c.Key.Currency, c.Key.Kind, c.Key.Fate, c.Count, c.Amount, c.Days))];
        return stored;
    }

    /// <summary>The cells.</summary>
    public IEnumerable<RecoveryCell> Cells() => Values.SelectMany(cells => cells).Select(c => new RecoveryCell(new RecoveryKey(c.Week, c.Currency, c.Kind, c.Fate), c.Count, c.Amount) { Days = c.Days });
}

/// <summary>One <see cref="RecoveryCell"/>.</summary>
/// <param name="Week">The Monday.</param>
/// <param name="Currency">Lower case ISO code.</param>
/// <param name="Kind">Why it failed.</param>
/// <param name="Fate">What became of it.</param>
/// <param name="Count">How many.</param>
/// <param name="Amount">In minor units.</param>
/// <param name="Days">Invoices by whole days to recovery.</param>
public sealed record StoredRecoveryCell(DateOnly Week, string Currency, DeclineGroup Kind, InvoiceFate Fate, int Count, long Amount, IReadOnlyDictionary<int, int>? Days);
