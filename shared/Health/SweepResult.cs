using RetentionFunctions.Customers;

namespace RetentionFunctions.Health;

/// <summary>What the sweep found in one bucket.</summary>
public sealed class BucketResult
{
    /// <summary>Customers scored.</summary>
    public int Customers { get; set; }

    /// <summary>Customers for whom win-back was started earlier on this day.</summary>
    public int StartedToday { get; set; }

    /// <summary>The latest app event of anybody, tied or not.</summary>
    public DateTimeOffset? LastSeenAt { get; set; }

    /// <summary>Customers by tier.</summary>
    public Dictionary<HealthTier, int> Tiers { get; init; } = [];

    /// <summary>Customers with MRR above 0.</summary>
    public int Paying { get; set; }

    /// <summary>Their MRR in minor units, by currency.</summary>
    public Dictionary<string, long> Mrr { get; init; } = new(StringComparer.Ordinal);

    /// <summary>Customers still with us (in a trial, paying, past due or paused) by tier.</summary>
    public Dictionary<HealthTier, int> CurrentTiers { get; init; } = [];

    /// <summary>Use and health of those still with us.</summary>
    public HealthTotals Totals { get; init; } = new();

    /// <summary>Who is in another tier than before; at most <see cref="TierMoves.Kept"/> of each direction.</summary>
    public List<TierMove> Moves { get; init; } = [];

    /// <summary>For whom win-back is called for.</summary>
    public List<Candidate> Candidates { get; init; } = [];

    internal void Saw(DateTimeOffset at) => LastSeenAt = LastSeenAt is { } known && known > at ? known : at;

    internal void Add(Customer customer, HealthTier tier, ActivityView view, DateTimeOffset now)
    {
        Totals.Add(customer, view, now);
        Customers++;
        Tiers[tier] = Tiers.GetValueOrDefault(tier) + 1;
        // The same rows that the overview counts: app users without a customer are none, and who left is at no risk.
        if (customer.IsUntiedUser) return;
        if (customer.IsCurrent) CurrentTiers[tier] = CurrentTiers.GetValueOrDefault(tier) + 1;
        if (customer.Mrr.Count > 0) Paying++;
        foreach (var (currency, amount) in customer.Mrr) Mrr[currency] = Mrr.GetValueOrDefault(currency) + amount;
        if (customer.IsCurrent && TierMove.Of(customer) is { } move) Moves.Add(move);
    }
}

/// <summary>A customer for whom win-back is called for.</summary>
/// <param name="CustomerId">The customer.</param>
/// <param name="Mrr">The larger of its MRRs, in minor units: the most valuable come first.</param>
/// <param name="Because">In words.</param>
public sealed record Candidate(string CustomerId, long Mrr, string Because);

/// <summary>What a sweep did.</summary>
public sealed record SweepResult
{
    /// <summary>When.</summary>
    public required DateTimeOffset At { get; init; }

    /// <summary>Customers scored.</summary>
    public required int Customers { get; init; }

    /// <summary>Customers by tier.</summary>
    public required IReadOnlyDictionary<HealthTier, int> Tiers { get; init; }

    /// <summary>Customers with MRR above 0 (DEFINITIONS, "Paying customer"). 0 in rows written before it was counted.</summary>
    public int Paying { get; init; }

    /// <summary>MRR in minor units by currency (DEFINITIONS, "MRR").</summary>
    public IReadOnlyDictionary<string, long> Mrr { get; init; } = new Dictionary<string, long>();

    /// <summary>Customers still with us (in a trial, paying, past due or paused) by tier.</summary>
    public IReadOnlyDictionary<HealthTier, int> CurrentTiers { get; init; } = new Dictionary<HealthTier, int>();

    /// <summary>Use and health of those still with us; null in rows written before it was counted.</summary>
    public HealthTotals? Totals { get; init; }

    /// <summary>For how many win-back was called for on this day.</summary>
    public required int Candidates { get; init; }

    /// <summary>How many of their runs were started on this day; at most the set number.</summary>
    public required int Started { get; init; }

    /// <summary>What the founder should know: the app's events have stopped.</summary>
    public string? Warning { get; init; }
}
