using RetentionFunctions.Customers;

namespace RetentionFunctions.Health;

/// <summary>All that a score depends on.</summary>
public sealed record HealthInput
{
    /// <summary>The day that is scored, in the business's time zone.</summary>
    public required DateOnly AsOf { get; init; }

    /// <summary>The instant as of which everything is counted.</summary>
    public required DateTimeOffset Now { get; init; }

    /// <summary>The customer.</summary>
    public required Customer Customer { get; init; }

    /// <summary>The customer's activity rows, of all sources; empty where the app never said anything.</summary>
    public IReadOnlyList<Activity> Activity { get; init; } = [];

    /// <summary>The customer's invoices.</summary>
    public IReadOnlyList<Invoice> Invoices { get; init; } = [];

    /// <summary>The customer's MRR ledger, in any order.</summary>
    public IReadOnlyList<Movement> Ledger { get; init; } = [];

    /// <summary>The score that stands so far; null at the first.</summary>
    public HealthState? Previous { get; init; }
}

/// <summary>
/// The health score: signals are read, each gets 0–100 by its curve, the weighted mean of a dimension's signals is its score, and the weighted mean
/// of the dimensions (by stage) is the customer's. What has no data gives its weight away in proportion and says so: unknown is not bad.
/// </summary>
public static class HealthScore
{
    // DEFINITIONS, "Health tiers".
    private const int HealthyFrom = 80;
    private const int LowRiskFrom = 60;
    private const int MediumRiskFrom = 40;

    // DEFINITIONS / the plan: onboarding is the first 7 days, habit days 8–90.
    private const int OnboardingDays = 7;
    private const int HabitDays = 90;

    /// <summary>The signal of the reason that a customer has where nothing is known.</summary>
    public const string NothingKnown = "nothingKnown";

    private static readonly Dimension[] Dimensions = Enum.GetValues<Dimension>();

    /// <summary>Scores a customer.</summary>
    /// <param name="input">The customer as of an instant.</param>
    /// <param name="settings">Weights and curves; <see cref="HealthSettings.Validate"/> has passed.</param>
    /// <param name="seen">What <see cref="ActivityView.Of"/> makes of the input, where the caller has it.</param>
    /// <returns>
    /// The score with its reasons. The impacts add up to the score minus 100: what each signal cost is its share of the whole times what it lacks
    /// of 100, rounded by the largest remainder. Where nothing that has a weight is known, the score is <see cref="HealthSettings.NothingKnownScore"/>.
    /// </returns>
    public static HealthState Compute(HealthInput input, HealthSettings settings, ActivityView? seen = null)
    {
        var view = seen ?? ActivityView.Of(input.Activity, input.Now);
        var stage = StageOf(HealthSignals.Since(input, view), input.Now);
        var profile = settings.Profiles[stage];

        var signals = new List<Measured>(settings.Signals.Count);
        foreach (var (name, signal) in settings.Signals)
            if (signal.Weight > 0)
                signals.Add(new Measured(name, signal, HealthSignals.BuiltIn.TryGetValue(name, out var measure) ? measure(input, view, settings) : HealthSignals.Own(name, signal, view)));
        var read = signals.FindAll(s => s.Reading is not null);
        var weighed = Array.FindAll(Dimensions, d => profile.WeightOf(d) > 0);
        var known = Array.FindAll(weighed, d => read.Exists(s => s.Signal.Dimension == d));
        var allWeight = known.Sum(profile.WeightOf);

        var losses = new List<Loss>(read.Count);
        var dimensions = new List<DimensionScore>(Dimensions.Length);
        foreach (var dimension in Dimensions)
        {
            var own = read.FindAll(s => s.Signal.Dimension == dimension);
            var signalWeight = own.Sum(s => s.Signal.Weight);
            var share = known.Contains(dimension) ? profile.WeightOf(dimension) / allWeight : 0;
            foreach (var s in own) losses.Add(new Loss(s.Name, s.Reading!.Text, share * 100 * (s.Signal.Weight / signalWeight) * (100 - s.Score) / 100));
            dimensions.Add(new DimensionScore(dimension, own.Count == 0 ? null : Math.Clamp(own.Sum(s => s.Score * s.Signal.Weight) / signalWeight, 0, 100), share * 100));
        }

        int score;
        var reasons = new List<HealthReason>();
        if (known.Length == 0)
        {
            score = settings.NothingKnownScore;
            reasons.Add(new HealthReason(NothingKnown, $"nothing known yet: {score} is neutral until something is", score - 100));
        }
        else
        {
            score = 100 - (int)Math.Round(Math.Clamp(losses.Sum(l => l.Points), 0, 100), MidpointRounding.AwayFromZero);
            reasons.AddRange(Rounded(losses, 100 - score));
            reasons.AddRange(weighed.Except(known).Select(d => new HealthReason(NameOf(d), UnknownText(d, view, known), 0)));
            reasons.AddRange(known.Select(d => Unread(d, signals)).OfType<HealthReason>());
        }

        return new HealthState
        {
            Score = score,
            Tier = TierOf(score),
            Stage = stage,
            ScoredOn = input.AsOf,
            // A second scoring of the same day compares with the same earlier day as the first.
            PreviousScore = input.Previous is { } previous ? previous.ScoredOn < input.AsOf ? previous.Score : previous.PreviousScore : null,
            Reasons = reasons,
            Dimensions = dimensions,
        };
    }

    /// <summary>The tier of a score (DEFINITIONS, "Health tiers").</summary>
    public static HealthTier TierOf(int score) => score switch
    {
        >= HealthyFrom => HealthTier.Healthy,
        >= LowRiskFrom => HealthTier.LowRisk,
        >= MediumRiskFrom => HealthTier.MediumRisk,
        _ => HealthTier.HighRisk,
    };

    /// <summary>The stage of a customer.</summary>
    /// <param name="since">Since when it is one; null where nothing says: as good as new.</param>
    /// <param name="now">The instant.</param>
    public static Stage StageOf(DateTimeOffset? since, DateTimeOffset now) => since is not { } first ? Stage.Onboarding : (now - first).TotalDays switch
    {
        < OnboardingDays => Stage.Onboarding,
        < HabitDays => Stage.Habit,
        _ => Stage.Value,
    };

    // Whole points that add up: each is rounded down, and those that lost most by it get the points that are missing. Ties by name, so that the
    // same customer has the same reasons every day.
    private static IEnumerable<HealthReason> Rounded(List<Loss> losses, int total)
    {
        var missing = total - losses.Sum(l => (int)Math.Floor(l.Points));
        return losses
            .OrderByDescending(l => l.Points - Math.Floor(l.Points)).ThenByDescending(l => l.Points).ThenBy(l => l.Name, StringComparer.Ordinal)
            .Select((l, i) => new HealthReason(l.Name, l.Text, -((int)Math.Floor(l.Points) + (i < missing ? 1 : 0))))
            .Where(r => r.Impact < 0)
            .OrderBy(r => r.Impact).ThenBy(r => r.Signal, StringComparer.Ordinal)
            .ToList();
    }

    private static string UnknownText(Dimension dimension, ActivityView view, IReadOnlyList<Dimension> known)
    {
        var to = $"its weight went to {And(known.Select(Words))}";
        return dimension switch
        {
            Dimension.Use => $"{(view.FirstEventAt is null ? "no app events yet" : "no sign-in or use seen yet")}: product use is unknown, {to}",
            Dimension.Service => $"no tickets or ratings yet: service is unknown, {to}",
            Dimension.Commercial => $"no subscription yet: the commercial side is unknown, {to}",
            _ => $"too few e-mails and no new features yet: engagement is unknown, {to}",
        };
    }

    private static HealthReason? Unread(Dimension dimension, List<Measured> signals)
    {
        var unread = signals.Where(s => s.Signal.Dimension == dimension && s.Reading is null).Select(s => s.Signal.Label ?? s.Name).ToList();
        return unread.Count == 0 ? null
            : new HealthReason(NameOf(dimension), $"not enough data for {And(unread)}: {(unread.Count == 1 ? "its" : "their")} weight went to the rest of {Words(dimension)}", 0);
    }

    private static string NameOf(Dimension dimension) => dimension.ToString().ToLowerInvariant();

    private static string Words(Dimension dimension) => dimension switch
    {
        Dimension.Use => "product use",
        Dimension.Service => "service",
        Dimension.Commercial => "the commercial side",
        _ => "engagement",
    };

    private static string And(IEnumerable<string> words)
    {
        var list = words.ToList();
        return list.Count == 1 ? list[0] : $"{string.Join(", ", list[..^1])} and {list[^1]}";
    }

    private sealed record Measured(string Name, HealthSignal Signal, Reading? Reading)
    {
        public double Score { get; } = Reading is null ? 0 : Signal.ScoreAt(Reading.Value);
    }

    private sealed record Loss(string Name, string Text, double Points);
}
