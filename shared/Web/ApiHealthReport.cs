using System.Globalization;
using RetentionFunctions.Health;
using RetentionFunctions.Insight;
using RetentionFunctions.Settings;

namespace RetentionFunctions.Web;

/// <summary>How health stands and moves (docs/definitions.md, "Use and health").</summary>
/// <param name="At">The sweep that counted; null before there is one, and the rest is empty.</param>
/// <param name="Customers">Customers with us: in a trial, paying, past due or paused. All that follows is of them.</param>
/// <param name="Wau">With a sign-in or core use in 7 days.</param>
/// <param name="Mau">In 30 days.</param>
/// <param name="WauMau">WAU ÷ MAU.</param>
/// <param name="UnknownUse">Of whom no use was ever measured.</param>
/// <param name="AverageScore">0 to 100.</param>
/// <param name="Days">At most 90, oldest first.</param>
/// <param name="Moved">Who is in another tier than a week before.</param>
/// <param name="Signals">What each signal costs, most first.</param>
public sealed record ApiHealthReport(
    DateTimeOffset? At, int? Customers, int? Wau, int? Mau, double? WauMau, int? UnknownUse, double? AverageScore, IReadOnlyList<ApiHealthDay> Days, ApiMoves Moved, IReadOnlyList<ApiSignal> Signals)
{
    internal static ApiHealthReport Of(HealthReport report, RetentionSettings settings)
    {
        var totals = report.Latest?.Totals;
        return new ApiHealthReport(
            report.Latest?.At, totals?.Customers, totals?.Wau, totals?.Mau, totals is null ? null : UseRates.Stickiness(totals).Value, totals?.UnknownUse, totals is null ? null : UseRates.AverageScore(totals),
            [.. report.History.Select(s => ApiHealthDay.Of(s, settings))],
            new ApiMoves(report.DownCount, report.UpCount, report.IsCut, [.. report.Down.Select(ApiMove.Of)], [.. report.Up.Select(ApiMove.Of)]),
            [.. report.Signals.Select(s => new ApiSignal(s.Signal, Label(s.Signal, settings), s.Points, s.Change))]);
    }

    /// <summary>What a signal is called.</summary>
    internal static string Label(string signal, RetentionSettings settings) =>
        signal == HealthScore.NothingKnown ? "nothing known yet" : settings.Health.Signals.GetValueOrDefault(signal)?.Label ?? signal;
}

/// <summary>One day.</summary>
/// <param name="Day">Of the business's time zone.</param>
/// <param name="Healthy">Customers with us in this tier.</param>
/// <param name="LowRisk">The same.</param>
/// <param name="MediumRisk">The same.</param>
/// <param name="HighRisk">The same.</param>
/// <param name="Wau">Null where it was not counted.</param>
/// <param name="Mau">The same.</param>
/// <param name="UnknownUse">The same.</param>
/// <param name="MovedUp">In a better tier than at the sweep before.</param>
/// <param name="MovedDown">In a worse one.</param>
public sealed record ApiHealthDay(string Day, int Healthy, int LowRisk, int MediumRisk, int HighRisk, int? Wau, int? Mau, int? UnknownUse, int? MovedUp, int? MovedDown)
{
    internal static ApiHealthDay Of(SweepResult sweep, RetentionSettings settings)
    {
        int In(HealthTier tier) => sweep.CurrentTiers.GetValueOrDefault(tier);
        var totals = sweep.Totals;
        return new ApiHealthDay(
            DailySweep.Day(sweep.At, settings).ToString("yyyy-MM-dd", CultureInfo.InvariantCulture), In(HealthTier.Healthy), In(HealthTier.LowRisk), In(HealthTier.MediumRisk), In(HealthTier.HighRisk),
            totals?.Wau, totals?.Mau, totals?.UnknownUse, totals?.MovedUp, totals?.MovedDown);
    }
}

/// <summary>Who moved between tiers within a week.</summary>
/// <param name="DownCount">In a worse tier than a week before.</param>
/// <param name="UpCount">In a better one.</param>
/// <param name="Cut">On some day more moved than are kept: the counts are of those with the largest MRR.</param>
/// <param name="Down">At most 20, the largest MRR first.</param>
/// <param name="Up">The same.</param>
public sealed record ApiMoves(int DownCount, int UpCount, bool Cut, IReadOnlyList<ApiMove> Down, IReadOnlyList<ApiMove> Up);

/// <summary>One customer.</summary>
/// <param name="CustomerId">Stripe's id.</param>
/// <param name="Name">What to call it.</param>
/// <param name="From">The tier a week before.</param>
/// <param name="To">The tier now.</param>
/// <param name="On">The day of the last move.</param>
/// <param name="Mrr">Minor units by currency.</param>
/// <param name="Reasons">What changed the score most.</param>
public sealed record ApiMove(string CustomerId, string Name, string From, string To, string On, IReadOnlyDictionary<string, long> Mrr, IReadOnlyList<MoveReason> Reasons)
{
    internal static ApiMove Of(WeekMove move) =>
        new(move.CustomerId, move.Name, Words.Of(move.From), Words.Of(move.To), move.On.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture), move.Mrr, move.Reasons);
}

/// <summary>What a signal costs.</summary>
/// <param name="Signal">Its name in the settings.</param>
/// <param name="Label">What it is called.</param>
/// <param name="Points">Points of health on average over all customers with us.</param>
/// <param name="Change">Against a week before; null where there is nothing to compare with.</param>
public sealed record ApiSignal(string Signal, string Label, double Points, double? Change);
