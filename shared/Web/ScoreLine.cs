using System.Globalization;
using RetentionFunctions.Health;

namespace RetentionFunctions.Web;

/// <summary>A customer's scores as points of a chart, and the days on which they turned.</summary>
internal sealed record ScoreLine
{
    /// <summary>The drawing area in the chart's own units.</summary>
    public const double Left = 34, Right = 548, Top = 10, Bottom = 170;

    // Below this a change is the day's noise: a single sign-in more or less moves a score by a few points.
    private const int TurnPoints = 10;

    /// <summary>Every score, oldest first.</summary>
    public required IReadOnlyList<ScorePoint> Points { get; init; }

    /// <summary>The points of the line, as SVG has them.</summary>
    public string Path => string.Join(' ', Points.Select(p => $"{Text(p.X)},{Text(p.Y)}"));

    /// <summary>The line of some scores, in any order.</summary>
    public static ScoreLine Of(IEnumerable<HealthState> scores)
    {
        var ordered = scores.OrderBy(s => s.ScoredOn).ToList();
        var days = ordered.Count > 1 ? ordered[^1].ScoredOn.DayNumber - ordered[0].ScoredOn.DayNumber : 0;
        var points = new List<ScorePoint>();
        // A slow fall turns too: each score is held against the last one that was told, not only against the day before.
        HealthState? told = null;
        foreach (var state in ordered)
        {
            var turned = told is null || state.Tier != told.Tier || Math.Abs(state.Score - told.Score) >= TurnPoints;
            var x = days == 0 ? Right : Left + ((Right - Left) * (state.ScoredOn.DayNumber - ordered[0].ScoredOn.DayNumber) / days);
            points.Add(new ScorePoint(state, x, Y(state.Score), turned, turned && told is not null ? state.Score - told.Score : null));
            if (turned) told = state;
        }
        return new ScoreLine { Points = points };
    }

    /// <summary>Where a score stands: 100 at the top.</summary>
    public static double Y(int score) => Bottom - ((Bottom - Top) * score / 100);

    /// <summary>A number of the chart as SVG wants it.</summary>
    public static string Text(double number) => number.ToString("0.#", CultureInfo.InvariantCulture);
}

/// <summary>One day of a score line.</summary>
/// <param name="State">The score with its reasons.</param>
/// <param name="X">Across.</param>
/// <param name="Y">Down.</param>
/// <param name="Turned">The first, in another tier than, or ten points or more away from the turn before.</param>
/// <param name="Change">Points against the turn before; null where it is no turn, or the first.</param>
internal sealed record ScorePoint(HealthState State, double X, double Y, bool Turned, int? Change);
