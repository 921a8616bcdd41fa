using System.Globalization;
using RetentionFunctions.Customers;
using RetentionFunctions.Flows;
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
internal sealed record ScorePoint(HealthState State, double X, double Y, bool Turned, int? Change)
{
    /// <summary>What cost the most points, in words.</summary>
    public string Why => string.Join("; ", State.Reasons.Where(r => r.Impact < 0).Take(3).Select(r => $"{r.Text} (−{-r.Impact})")) is { Length: > 0 } why ? why : "nothing costs points";
}

/// <summary>One row of marks under a score line, on the same days.</summary>
/// <param name="Name">What they are.</param>
/// <param name="Marks">Each with from where to where, in the chart's units (the same for a moment), its class and its words.</param>
internal sealed record ScoreLane(string Name, IReadOnlyList<(double From, double To, string Class, string Says)> Marks)
{
    /// <summary>What else happened to a customer in the days of its scores: payments, e-mails, runs, notes; without the rows that are empty.</summary>
    public static IReadOnlyList<ScoreLane> Of(CustomerDetail detail, DateTimeOffset now)
    {
        if (detail.Scores.Count < 2) return [];
        var (first, last) = (detail.Scores.Min(s => s.ScoredOn).DayNumber, detail.Scores.Max(s => s.ScoredOn).DayNumber);
        var lanes = new List<ScoreLane>
        {
            new("Bills", [.. detail.Invoices.SelectMany(InvoiceMarks)]),
            new("E-mails", [.. detail.Mails.SelectMany(m => Moment(m.At, "email", $"{m.Subject} ({Words.Shown(m.Result).ToLowerInvariant()})"))]),
            new("Runs", [.. detail.Runs.Where(r => !r.Preview && r.Outcome != RunOutcome.HeldOut).SelectMany(RunMark)]),
            new("Notes", [.. detail.Notes.SelectMany(n => Moment(n.At, "note", n.Text))]),
        };
        return [.. lanes.Where(l => l.Marks.Count > 0)];

        double Day(DateTimeOffset at) => DateOnly.FromDateTime(at.UtcDateTime).DayNumber;
        double X(double day) => ScoreLine.Left + ((ScoreLine.Right - ScoreLine.Left) * (Math.Clamp(day, first, last) - first) / Math.Max(1, last - first));
        IEnumerable<(double, double, string, string)> Moment(DateTimeOffset? at, string kind, string says) =>
            at is { } when && Day(when) >= first && Day(when) <= last ? [(X(Day(when)), X(Day(when)), kind, $"{when:yyyy-MM-dd}: {says}")] : [];
        IEnumerable<(double, double, string, string)> InvoiceMarks(Invoice invoice)
        {
            var amount = invoice.Latest is { } latest ? Money.Text(latest.AmountDue, latest.Currency) : invoice.Id;
            return Moment(invoice.FirstFailedAt, "failed", $"payment of {amount} failed").Concat(Moment(invoice.SettledAt, "paid", $"{amount} paid"));
        }
        IEnumerable<(double, double, string, string)> RunMark(Run run)
        {
            var (from, to) = (Day(run.StartedAt), Day(run.EndedAt ?? now));
            if (to >= first && from <= last)
                yield return (X(from), X(to), "run", $"{run.StartedAt:yyyy-MM-dd}: {run.Id.Flow}, {run.Because}; {(run.Outcome is { } outcome ? $"ended {run.EndedAt:yyyy-MM-dd}, {Words.Of(outcome).Replace('_', ' ')}" : "open")}");
        }
    }
}
