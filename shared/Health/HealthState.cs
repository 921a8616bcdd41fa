namespace RetentionFunctions.Health;

/// <summary>A score with its reasons, as of a day.</summary>
public sealed record HealthState
{
    /// <summary>0–100; 100 is best.</summary>
    public required int Score { get; init; }

    /// <summary>The tier of the score.</summary>
    public required HealthTier Tier { get; init; }

    /// <summary>The stage whose weights were used.</summary>
    public required Stage Stage { get; init; }

    /// <summary>The day, in the business's time zone.</summary>
    public required DateOnly ScoredOn { get; init; }

    /// <summary>The score of the scoring before; null at the first.</summary>
    public int? PreviousScore { get; init; }

    /// <summary>What cost points, most first; then what had no data. The impacts add up to the score minus 100 (before rounding).</summary>
    public required IReadOnlyList<HealthReason> Reasons { get; init; }

    /// <summary>The four dimensions; <see cref="DimensionScore.Score"/> is null where there was no data.</summary>
    public required IReadOnlyList<DimensionScore> Dimensions { get; init; }
}

/// <summary>One reason of a score.</summary>
/// <param name="Signal">The signal's name in the settings, for example <c>signIns</c>.</param>
/// <param name="Text">In words: "sign-ins down 62 % against the last 60 days".</param>
/// <param name="Impact">Points it cost, 0 or negative.</param>
public sealed record HealthReason(string Signal, string Text, int Impact);

/// <summary>One dimension of a score.</summary>
/// <param name="Dimension">Which.</param>
/// <param name="Score">0–100, null without data.</param>
/// <param name="Weight">Its share of the score in percent, after those without data gave theirs away.</param>
public sealed record DimensionScore(Dimension Dimension, double? Score, double Weight);

/// <summary>The four dimensions.</summary>
public enum Dimension
{
    /// <summary>Product use.</summary>
    Use,

    /// <summary>Service.</summary>
    Service,

    /// <summary>Commercial.</summary>
    Commercial,

    /// <summary>Engagement.</summary>
    Engagement,
}

/// <summary>Health tiers (DEFINITIONS): healthy 80–100, low risk 60–79, medium risk 40–59, high risk 0–39.</summary>
public enum HealthTier
{
    /// <summary>80–100.</summary>
    Healthy,

    /// <summary>60–79.</summary>
    LowRisk,

    /// <summary>40–59.</summary>
    MediumRisk,

    /// <summary>0–39.</summary>
    HighRisk,
}

/// <summary>Where a customer is on the way: each stage has its own weights.</summary>
public enum Stage
{
    /// <summary>The first 7 days.</summary>
    Onboarding,

    /// <summary>Days 8–90.</summary>
    Habit,

    /// <summary>Later.</summary>
    Value,
}
