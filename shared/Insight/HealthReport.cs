using RetentionFunctions.Health;

namespace RetentionFunctions.Insight;

/// <summary>
/// How health stands and moves (docs/definitions.md, "Use and health"): the tiers by day, who moved between them within a week and why, what each signal costs. Pure, from what the sweeps counted.
/// </summary>
public sealed record HealthReport
{
    /// <summary>How far the days go back.</summary>
    public const int Days = 90;

    /// <summary>What "this week" is: so many days up to the latest sweep's, its own included.</summary>
    public const int WeekDays = 7;

    /// <summary>Customers shown of each direction, those with the largest MRR.</summary>
    public const int Shown = 20;

    /// <summary>The sweeps, one a day, oldest first.</summary>
    public required IReadOnlyList<SweepResult> History { get; init; }

    /// <summary>The latest sweep that counted; null before there is one.</summary>
    public SweepResult? Latest { get; init; }

    /// <summary>The one seven days before it, or up to three days older; null where there is none.</summary>
    public SweepResult? WeekBefore { get; init; }

    /// <summary>What each signal costs, most first.</summary>
    public required IReadOnlyList<SignalCost> Signals { get; init; }

    /// <summary>Customers in a worse tier than a week before, the largest MRR first; at most <see cref="Shown"/>.</summary>
    public required IReadOnlyList<WeekMove> Down { get; init; }

    /// <summary>Customers in a better tier, the same.</summary>
    public required IReadOnlyList<WeekMove> Up { get; init; }

    /// <summary>How many are in a worse tier in all.</summary>
    public required int DownCount { get; init; }

    /// <summary>How many are in a better tier in all.</summary>
    public required int UpCount { get; init; }

    /// <summary>On some day more customers moved than are kept: the counts are of those with the largest MRR.</summary>
    public required bool IsCut { get; init; }

    /// <summary>The report of some sweeps.</summary>
    /// <param name="sweeps">One a day, oldest first.</param>
    /// <param name="moves">Those of the week up to the latest sweep that counted.</param>
    /// <param name="day">The day of a moment where the business is.</param>
    internal static HealthReport Of(IReadOnlyList<SweepResult> sweeps, IReadOnlyList<TierMove> moves, Func<DateTimeOffset, DateOnly> day)
    {
        var latest = sweeps.LastOrDefault(s => s.Totals is not null);
        var today = latest is null ? default : day(latest.At);
        // A sweep may be missed; a comparison with one much older than a week would not be one with a week ago.
        var before = latest is null ? null : sweeps.LastOrDefault(s => s.Totals is not null && day(s.At) <= today.AddDays(-WeekDays) && day(s.At) >= today.AddDays(-WeekDays - 3));
        var week = sweeps.Where(s => s.Totals is not null && latest is not null && day(s.At) > today.AddDays(-WeekDays)).ToList();
        var net = WeekMove.Net(moves);
        var (down, up) = (net.FindAll(m => m.IsDown), net.FindAll(m => !m.IsDown));
        return new HealthReport
        {
            History = sweeps,
            Latest = latest,
            WeekBefore = before,
            Signals = SignalCost.Of(latest?.Totals, before?.Totals),
            Down = [.. down.Take(Shown)],
            Up = [.. up.Take(Shown)],
            DownCount = down.Count,
            UpCount = up.Count,
            IsCut = week.Any(s => Math.Max(s.Totals!.MovedDown, s.Totals.MovedUp) > TierMoves.Kept),
        };
    }
}

/// <summary>What a signal costs.</summary>
/// <param name="Signal">Its name in the settings; <c>nothingKnown</c> for customers of whom nothing is.</param>
/// <param name="Points">Points of health on average over all customers still with us, those who lose none by it included.</param>
/// <param name="Change">Against a week before: more is worse; null where there is nothing to compare with.</param>
public sealed record SignalCost(string Signal, double Points, double? Change)
{
    internal static IReadOnlyList<SignalCost> Of(HealthTotals? now, HealthTotals? before)
    {
        if (now is not { Customers: > 0 }) return [];
        return [.. now.PointsLost.Keys.Union(before is { Customers: > 0 } ? before.PointsLost.Keys : Enumerable.Empty<string>(), StringComparer.Ordinal)
            .Select(signal => new SignalCost(signal, Mean(now, signal)!.Value, Mean(now, signal) - Mean(before, signal)))
            .OrderByDescending(s => s.Points).ThenBy(s => s.Signal, StringComparer.Ordinal)];
    }

    private static double? Mean(HealthTotals? totals, string signal) => totals is { Customers: > 0 and var customers } ? (double)totals.PointsLost.GetValueOrDefault(signal) / customers : null;
}

/// <summary>A customer who is in another tier than a week before.</summary>
/// <param name="CustomerId">The customer.</param>
/// <param name="From">The tier before the first move of the week.</param>
/// <param name="To">The tier since the last.</param>
/// <param name="FirstOn">The day of the first move.</param>
/// <param name="On">The day of the last.</param>
/// <param name="Mrr">In minor units by currency, at the last.</param>
public sealed record WeekMove(string CustomerId, HealthTier From, HealthTier To, DateOnly FirstOn, DateOnly On, IReadOnlyDictionary<string, long> Mrr)
{
    /// <summary>To a worse tier.</summary>
    public bool IsDown => To > From;

    /// <summary>What to call the customer.</summary>
    public string Name { get; init; } = CustomerId;

    /// <summary>Why: what changed the score the most in the direction of the move, at most three reasons.</summary>
    public IReadOnlyList<MoveReason> Reasons { get; init; } = [];

    /// <summary>What the moves of some days come to: who is back where they were did not move. The largest MRR first.</summary>
    internal static List<WeekMove> Net(IEnumerable<TierMove> moves) =>
    [
        .. moves.GroupBy(m => m.CustomerId, StringComparer.Ordinal)
            .Select(own => (First: own.MinBy(m => m.On)!, Last: own.MaxBy(m => m.On)!))
            .Where(own => own.First.From != own.Last.To)
            .OrderByDescending(own => own.Last.Most).ThenBy(own => own.Last.CustomerId, StringComparer.Ordinal)
            .Select(own => new WeekMove(own.Last.CustomerId, own.First.From, own.Last.To, own.First.On, own.Last.On, own.Last.Mrr)),
    ];
}

/// <summary>One reason of a move: what a signal cost before and costs since.</summary>
/// <param name="Signal">The signal.</param>
/// <param name="Text">As the score's reason has it.</param>
/// <param name="Change">Points: negative where it costs more than before.</param>
public sealed record MoveReason(string Signal, string Text, int Change)
{
    private const int Told = 3;

    /// <summary>What the two scores say: the signals whose cost changed most in the direction of the move.</summary>
    internal static IReadOnlyList<MoveReason> Of(HealthState before, HealthState since)
    {
        var down = since.Score < before.Score;
        var (was, now) = (Cost(before), Cost(since));
        return
        [
            .. was.Keys.Union(now.Keys, StringComparer.Ordinal)
                .Select(signal => (Signal: signal, Change: (now.GetValueOrDefault(signal)?.Impact ?? 0) - (was.GetValueOrDefault(signal)?.Impact ?? 0)))
                .Where(s => down ? s.Change < 0 : s.Change > 0)
                .OrderByDescending(s => Math.Abs(s.Change)).ThenBy(s => s.Signal, StringComparer.Ordinal).Take(Told)
                .Select(s => new MoveReason(s.Signal, now.GetValueOrDefault(s.Signal)?.Text ?? $"no longer: {was[s.Signal].Text}", s.Change)),
        ];
    }

    private static Dictionary<string, HealthReason> Cost(HealthState state) => state.Reasons.Where(r => r.Impact < 0).ToDictionary(r => r.Signal, StringComparer.Ordinal);
}
