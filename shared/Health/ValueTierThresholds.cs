using RetentionFunctions.Customers;
using RetentionFunctions.Settings;

namespace RetentionFunctions.Health;

/// <summary>From which MRR on a customer is in tier A or B, by currency: amounts of two currencies are never compared.</summary>
/// <param name="A">Minor units from which tier A begins, by currency.</param>
/// <param name="B">Minor units from which tier B begins, by currency.</param>
public sealed record ValueTierThresholds(IReadOnlyDictionary<string, long> A, IReadOnlyDictionary<string, long> B)
{
    /// <summary>
    /// The thresholds among the MRRs of all paying customers (DEFINITIONS, "Value tiers"). A tier never holds more than its share: where many pay the same,
    /// they fall together into the tier below, so that a single price does not make everybody tier A.
    /// </summary>
    public static ValueTierThresholds Of(IEnumerable<(string Currency, long Amount)> mrr, CustomerSettings settings)
    {
        var a = new Dictionary<string, long>(StringComparer.Ordinal);
        var b = new Dictionary<string, long>(StringComparer.Ordinal);
        foreach (var currency in mrr.Where(m => m.Amount > 0).GroupBy(m => m.Currency, StringComparer.Ordinal))
        {
            var amounts = currency.Select(m => m.Amount).OrderDescending().ToList();
            var top = From(amounts, settings.TierAShare);
            a[currency.Key] = settings.TierAFrom.TryGetValue(currency.Key, out var from) ? Math.Min(top, from) : top;
            b[currency.Key] = From(amounts, settings.TierAShare + settings.TierBShare);
        }
        return new ValueTierThresholds(a, b);
    }

    // The smallest amount that no more than the share of all reach.
    private static long From(List<long> descending, double share)
    {
        var room = (int)Math.Floor((share * descending.Count) + 1e-9);
        if (room >= descending.Count) return descending[^1];
        return descending.Take(room).LastOrDefault(amount => amount > descending[room], long.MaxValue);
    }

    /// <summary>The tier of a customer: the best over its currencies; null where nothing is paid.</summary>
    public ValueTier? Of(IReadOnlyDictionary<string, long> mrr)
    {
        ValueTier? best = null;
        foreach (var (currency, amount) in mrr)
        {
            var tier = amount >= A.GetValueOrDefault(currency, long.MaxValue) ? ValueTier.A : amount >= B.GetValueOrDefault(currency, long.MaxValue) ? ValueTier.B : ValueTier.C;
            if (best is null || tier < best) best = tier;
        }
        return best;
    }
}
