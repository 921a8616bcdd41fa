using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace RetentionFunctions.Health;

/// <summary>A piecewise-linear curve from a signal's value to a score of 0–100, written as <c>x:score</c> pairs: <c>0:0, 50:40, 90:100</c>. Before the first and after the last point it is level.</summary>
internal sealed class HealthCurve
{
    private readonly (double X, double Score)[] points;

    private HealthCurve(string text, (double, double)[] points)
    {
        Text = text;
        this.points = points;
    }

    /// <summary>As it was written.</summary>
    public string Text { get; }

    /// <summary>Reads a curve.</summary>
    /// <param name="text">The pairs, separated by commas.</param>
    /// <param name="curve">The curve.</param>
    /// <param name="problem">What is wrong, in words.</param>
    public static bool TryParse(string? text, [NotNullWhen(true)] out HealthCurve? curve, [NotNullWhen(false)] out string? problem)
    {
        curve = null;
        var points = new List<(double X, double Score)>();
        foreach (var pair in (text ?? "").Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            var parts = pair.Split(':', StringSplitOptions.TrimEntries);
            if (parts.Length != 2 || !TryNumber(parts[0], out var x) || !TryNumber(parts[1], out var score))
            {
                problem = $"'{pair}' is no pair of numbers x:score";
                return false;
            }
            if (score is < 0 or > 100)
            {
                problem = $"the score of '{pair}' is not within 0–100";
                return false;
            }
            if (points.Count > 0 && x <= points[^1].X)
            {
                problem = $"'{pair}' does not come after {points[^1].X.ToString(CultureInfo.InvariantCulture)}: the x have to ascend";
                return false;
            }
            points.Add((x, score));
        }
        problem = points.Count == 0 ? "the curve has no points" : null;
        if (problem is not null) return false;
        curve = new HealthCurve(text!, [.. points]);
        problem = null!;
        return true;
    }

    /// <summary>The score at a value, 0–100.</summary>
    public double At(double x)
    {
        if (x <= points[0].X) return points[0].Score;
        for (var i = 1; i < points.Length; i++)
        {
            var (toX, to) = points[i];
            if (x >= toX) continue;
            var (fromX, from) = points[i - 1];
            return from + (to - from) * (x - fromX) / (toX - fromX);
        }
        return points[^1].Score;
    }

    private static bool TryNumber(string text, out double number) =>
        double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out number) && double.IsFinite(number);
}
