using System.Globalization;

namespace RetentionFunctions.Web;

/// <summary>Amounts by day as areas stacked on each other, in the units of an SVG: one for a line, several for the parts of a whole.</summary>
internal sealed record HistoryChart
{
    /// <summary>The drawing area in the chart's own units.</summary>
    public const double Left = 52, Right = 552, Top = 12, Bottom = 172;

    // At most so many lines across and names of months below, or they run into each other on a phone.
    private const int MostMarks = 4;
    private const int MostMonths = 6;

    /// <summary>The outline of each part, the lowest first, as SVG has the points of a polygon.</summary>
    public required IReadOnlyList<string> Areas { get; init; }

    /// <summary>The upper edge of all parts together, as SVG has the points of a line.</summary>
    public required string Line { get; init; }

    /// <summary>The lines across: where, and for which amount.</summary>
    public required IReadOnlyList<(double Y, long Amount)> Marks { get; init; }

    /// <summary>The first days of months: where, and which.</summary>
    public required IReadOnlyList<(double X, DateOnly On)> Months { get; init; }

    /// <summary>The chart of some days.</summary>
    /// <param name="days">Oldest first, at least two different ones; each with the same number of parts, none below 0.</param>
    public static HistoryChart Of(IReadOnlyList<(DateOnly On, IReadOnlyList<long> Parts)> days)
    {
        var (first, last) = (days[0].On.DayNumber, days[^1].On.DayNumber);
        var step = Step(days.Max(d => d.Parts.Sum()));
        var top = Math.Max(1, (days.Max(d => d.Parts.Sum()) + step - 1) / step) * step;
        var areas = new List<string>();
        for (var part = 0; part < days[0].Parts.Count; part++)
        {
            var upper = days.Select(d => Point(d.On, d.Parts.Take(part + 1).Sum()));
            var lower = days.Reverse().Select(d => Point(d.On, d.Parts.Take(part).Sum()));
            areas.Add(string.Join(' ', upper.Concat(lower)));
        }
        return new HistoryChart
        {
            Areas = areas,
            Line = string.Join(' ', days.Select(d => Point(d.On, d.Parts.Sum()))),
            Marks = [.. Enumerable.Range(0, (int)(top / step) + 1).Select(i => (Y(i * step), i * step))],
            Months = MonthsOf(days[0].On, days[^1].On).Select(on => (X(on), on)).ToList(),
        };

        string Point(DateOnly on, long amount) => $"{Text(X(on))},{Text(Y(amount))}";
        double X(DateOnly on) => Left + ((Right - Left) * (on.DayNumber - first) / Math.Max(1, last - first));
        double Y(long amount) => Bottom - ((Bottom - Top) * amount / top);
    }

    /// <summary>A number of the chart as SVG wants it.</summary>
    public static string Text(double number) => number.ToString("0.#", CultureInfo.InvariantCulture);

    /// <summary>The smallest of 1, 2, 5, 10, 20, 50 … of which at most four reach the largest amount.</summary>
    internal static long Step(long largest)
    {
        for (long power = 1; ; power *= 10)
            foreach (var digit in new long[] { 1, 2, 5 })
                if (digit * power * MostMarks >= largest) return digit * power;
    }

    private static List<DateOnly> MonthsOf(DateOnly from, DateOnly to)
    {
        var months = new List<DateOnly>();
        for (var on = new DateOnly(from.Year, from.Month, 1); on <= to; on = on.AddMonths(1))
            if (on >= from) months.Add(on);
        var every = (months.Count + MostMonths - 1) / MostMonths;
        return every <= 1 ? months : [.. months.Where((_, i) => i % every == 0)];
    }
}
