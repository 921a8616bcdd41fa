using RetentionFunctions.Insight;

namespace RetentionFunctions.Web;

/// <summary>One part of a bar.</summary>
/// <param name="Class">What it is: <c>silent, after_email, other, open, unpaid</c>.</param>
/// <param name="Y">Its upper edge.</param>
/// <param name="Height">Above 0.</param>
internal sealed record RecoveryPart(string Class, double Y, double Height);

/// <summary>One week.</summary>
/// <param name="Week">Its Monday.</param>
/// <param name="X">Its left edge.</param>
/// <param name="Parts">From below; none where nothing failed.</param>
internal sealed record RecoveryBar(DateOnly Week, double X, IReadOnlyList<RecoveryPart> Parts);

/// <summary>Invoices by week of their first failure, stacked by what became of them, in the units of an SVG.</summary>
internal sealed record RecoveryChart(IReadOnlyList<RecoveryBar> Bars, double Width, IReadOnlyList<(double Y, long Count)> Marks, IReadOnlyList<(double X, DateOnly On)> Months)
{
    /// <summary>The drawing area.</summary>
    public const double Left = 40, Right = 552, Top = 12, Bottom = 172;

    /// <summary>Bars of more weeks than two years would be too thin to be told apart: the latest are drawn.</summary>
    public const int MostWeeks = 104;

    private const double Widest = 22;
    private const int MostMonths = 6;

    /// <summary>What the parts are, from below, with how they are called.</summary>
    public static IReadOnlyList<(string Class, string Name, Func<RecoveryFigures, int> Count)> Kinds { get; } =
    [
        ("silent", "paid silently", f => f.Of(InvoiceFate.Silent).Count), ("after_email", "paid after our e-mail", f => f.Of(InvoiceFate.AfterEmail).Count), ("other", "paid otherwise", f => f.Other.Count),
        ("open", "still open", f => f.StillOpen.Count), ("unpaid", "not paid", f => f.Of(InvoiceFate.Unpaid).Count),
    ];

    /// <summary>The chart of some weeks, oldest first, at least one.</summary>
    public static RecoveryChart Of(IReadOnlyList<RecoveryWeek> all)
    {
        var weeks = all.Skip(Math.Max(0, all.Count - MostWeeks)).ToList();
        var most = Math.Max(1, weeks.Max(w => w.Figures.Failed.Count));
        var step = HistoryChart.Step(most);
        var top = (most + step - 1) / step * step;
        var place = (Right - Left) / weeks.Count;
        var width = Math.Min(Widest, place * 0.7);
        var bars = weeks.Select((week, i) => new RecoveryBar(week.Week, X(i), Parts(week.Figures))).ToList();
        var months = weeks.Select((week, i) => (X: X(i), On: week.Week)).Where((w, i) => i == 0 ? w.On.Day <= 7 : w.On.Month != weeks[i - 1].Week.Month).ToList();
        var every = (months.Count + MostMonths - 1) / MostMonths;
        return new RecoveryChart(bars, width, [.. Enumerable.Range(0, (int)(top / step) + 1).Select(i => (Y(i * step), i * step))], [.. months.Where((_, i) => every <= 1 || i % every == 0)]);

        double X(int i) => Left + (place * i) + ((place - width) / 2);
        double Y(double count) => Bottom - ((Bottom - Top) * count / top);
        List<RecoveryPart> Parts(RecoveryFigures figures)
        {
            var (parts, below) = (new List<RecoveryPart>(), 0);
            foreach (var (kind, _, count) in Kinds)
            {
                if (count(figures) is not (> 0 and var here)) continue;
                parts.Add(new RecoveryPart(kind, Y(below + here), Y(below) - Y(below + here)));
                below += here;
            }
            return parts;
        }
    }
}

/// <summary>A difference and its interval on a line with 0 on it, in the units of an SVG.</summary>
/// <param name="Low">Where the interval begins.</param>
/// <param name="High">Where it ends.</param>
/// <param name="At">Where the observed difference is.</param>
/// <param name="Zero">Where 0 is.</param>
/// <param name="Marks">Where, and which difference in points.</param>
internal sealed record DifferenceChart(double Low, double High, double At, double Zero, IReadOnlyList<(double X, int Points)> Marks)
{
    /// <summary>The drawing area.</summary>
    public const double Left = 20, Right = 540;

    private static readonly int[] Steps = [1, 2, 5, 10, 20, 25, 50];
    private const int MostMarks = 6;

    /// <summary>The chart of a difference; all as fractions.</summary>
    public static DifferenceChart Of(double difference, Interval interval)
    {
        var (low, high) = (Math.Min(0, interval.Low * 100), Math.Max(0, interval.High * 100));
        var step = Steps.FirstOrDefault(s => (high - low) / s <= MostMarks - 2, 50);
        var (from, to) = ((int)Math.Floor(low / step) * step, (int)Math.Ceiling(high / step) * step);
        if (from == to) to += step;
        return new DifferenceChart(X(interval.Low * 100), X(interval.High * 100), X(difference * 100), X(0), [.. Enumerable.Range(0, ((to - from) / step) + 1).Select(i => (X(from + (i * step)), from + (i * step)))]);

        double X(double points) => Left + ((Right - Left) * (points - from) / (to - from));
    }
}
