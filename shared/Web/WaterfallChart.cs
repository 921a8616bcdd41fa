using RetentionFunctions.Insight;

namespace RetentionFunctions.Web;

/// <summary>One bar of a waterfall.</summary>
/// <param name="Name">Below it.</param>
/// <param name="Amount">The change; of the first and last bar the whole.</param>
/// <param name="Class"><c>whole, up, down</c>.</param>
/// <param name="X">Its left edge.</param>
/// <param name="Y">Its upper edge.</param>
/// <param name="Height">At least so much that it can be seen.</param>
internal sealed record WaterfallBar(string Name, long Amount, string Class, double X, double Y, double Height);

/// <summary>How MRR came from the start of a month to its end: a bar for each movement, in the units of an SVG.</summary>
internal sealed record WaterfallChart(IReadOnlyList<WaterfallBar> Bars, IReadOnlyList<(double Y, long Amount)> Marks)
{
    /// <summary>The drawing area, and how wide a bar is.</summary>
    public const double Left = 52, Right = 552, Top = 20, Bottom = 172, Width = 40;

    // Thinner than that nobody sees it.
    private const double LeastHeight = 1.5;

    /// <summary>The chart of some movements; those that are 0 are left out, but for start and end.</summary>
    public static WaterfallChart Of(long start, IReadOnlyList<(string Name, long Amount)> movements, long end)
    {
        var moved = movements.Where(m => m.Amount != 0).ToList();
        var levels = new List<long> { 0, start, end };
        for (var (i, level) = (0, start); i < moved.Count; i++) levels.Add(level += moved[i].Amount);
        // The bars of losses hang from the level before; where all is small beside the whole, the axis begins higher up.
        var least = moved.Count == 0 ? 0 : levels.Skip(1).Min();
        var most = Math.Max(1, levels.Max());
        var floor = least > most * 0.7 ? (long)(least - ((most - least) * 1.5)) : 0;
        var step = HistoryChart.Step(Math.Max(1, most - floor));
        floor = Math.Max(0, floor / step * step);
        var top = Math.Max(1, (most - floor + step - 1) / step) * step + floor;

        var bars = new List<WaterfallBar>();
        var place = (Right - Left) / (moved.Count + 2);
        Add("Start", start, "whole", floor, start);
        var at = start;
        foreach (var (name, amount) in moved)
        {
            Add(name, amount, amount > 0 ? "up" : "down", Math.Min(at, at + amount), Math.Max(at, at + amount));
            at += amount;
        }
        Add("End", end, "whole", floor, end);
        return new WaterfallChart(bars, [.. Enumerable.Range(0, (int)((top - floor) / step) + 1).Select(i => (Y(floor + (i * step)), floor + (i * step)))]);

        double Y(long amount) => Bottom - ((Bottom - Top) * (amount - floor) / (top - floor));
        void Add(string name, long amount, string kind, long from, long to) =>
            bars.Add(new WaterfallBar(name, amount, kind, Left + (place * bars.Count) + ((place - Width) / 2), Math.Min(Y(to), Bottom - LeastHeight), Math.Max(LeastHeight, Y(Math.Max(from, floor)) - Y(to))));
    }

    /// <summary>The seven movements of a month and the exchange effect, as they are called on the page.</summary>
    public static IReadOnlyList<(string Name, long Amount)> Movements(MonthMetrics month)
    {
        var cell = month.Cell;
        return
        [
            ("New", cell.MrrNew), ("Expansion", cell.MrrExpansion), ("Reactivation", cell.MrrReactivation), ("Resumed", cell.MrrResumed), ("Contraction", cell.MrrContraction), ("Churned", cell.MrrChurned), ("Paused", cell.MrrPaused),
            ("Exchange", month.MrrExchange),
        ];
    }
}
