using System.Globalization;
using RetentionFunctions.Customers;

namespace RetentionFunctions.Insight;

/// <summary>Figures as a person reads them, on pages and in e-mails alike. English, whatever the culture of the host.</summary>
internal static class FigureText
{
    /// <summary>What stands where there is nothing to say.</summary>
    public const string None = "–";

    /// <summary>In percent with one decimal; a dash where there is no denominator.</summary>
    public static string Percent(Ratio ratio) => ratio.Value is { } value ? (value * 100).ToString("0.# '%';−0.# '%';0 '%'", CultureInfo.InvariantCulture) : None;

    /// <summary>A number of things.</summary>
    public static string Count(long number) => number.ToString("N0", CultureInfo.InvariantCulture);

    /// <summary>An amount, without decimals that say nothing.</summary>
    public static string Amount(long amount, string currency) => Money.Text(amount, currency) is var text && text.EndsWith(".00", StringComparison.Ordinal) ? text[..^3] : text;

    /// <summary>An average amount, rounded half away from zero; a dash where there is none.</summary>
    public static string Amount(double? average, string currency) => average is { } amount ? Amount((long)Math.Round(amount, MidpointRounding.AwayFromZero), currency) : None;

    /// <summary>A change of an amount, with its sign.</summary>
    public static string Change(long amount, string currency) => (amount > 0 ? "+" : amount == 0 ? "±" : "") + Amount(amount, currency);

    /// <summary>A month by its name: <c>February 2026</c>.</summary>
    public static string Name(Month month) => month.Start.ToString("MMMM yyyy", CultureInfo.InvariantCulture);

    /// <summary>A count with its noun: <c>1 customer</c>, <c>2 customers</c>.</summary>
    public static string Of(long number, string noun) => $"{Count(number)} {noun}{(number == 1 ? "" : "s")}";
}
