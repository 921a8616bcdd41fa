using System.Globalization;
using RetentionFunctions.Customers;
using RetentionFunctions.Insight;

namespace RetentionFunctions.Web;

/// <summary>A rate by month as bars, in the units of an SVG; a month without a denominator has none.</summary>
internal sealed record TrendChart
{
    /// <summary>The drawing area in the chart's own units.</summary>
    public const double Left = 8, Right = 552, Top = 20, Bottom = 112;

    /// <summary>The width of a bar.</summary>
    public const double Width = 26;

    /// <summary>The bars, oldest first.</summary>
    public required IReadOnlyList<TrendBar> Bars { get; init; }

    /// <summary>The chart of some months.</summary>
    /// <param name="months">Oldest first.</param>
    public static TrendChart Of(IReadOnlyList<(Month Month, Ratio Rate)> months)
    {
        var most = Math.Max(months.Select(m => m.Rate.Value ?? 0).DefaultIfEmpty().Max(), 0.01);
        var step = (Right - Left) / Math.Max(1, months.Count);
        return new TrendChart
        {
            Bars = [.. months.Select((m, i) =>
            {
                var height = Math.Max(m.Rate.Value is null ? 0 : 1, (Bottom - Top) * Math.Max(0, m.Rate.Value ?? 0) / most);
                return new TrendBar(Left + (step * i) + ((step - Width) / 2), Bottom - height, height, m.Month.Start.ToString(m.Month.Start.Month == 1 ? "MMM ’yy" : "MMM", CultureInfo.InvariantCulture), FigureText.Percent(m.Rate));
            })],
        };
    }
}

/// <summary>One month.</summary>
/// <param name="X">Its left edge.</param>
/// <param name="Y">Its upper edge.</param>
/// <param name="Height">0 where there is no rate.</param>
/// <param name="Name">Of the month.</param>
/// <param name="Text">The rate.</param>
internal sealed record TrendBar(double X, double Y, double Height, string Name, string Text);
