namespace RetentionFunctions.Customers;

/// <summary>
/// Monthly recurring revenue of one subscription (DEFINITIONS, "MRR"). All amounts are in the currency's minor units as Stripe counts them, so that
/// zero-decimal currencies (JPY) need no scaling.
/// </summary>
internal static class SubscriptionMrr
{
    /// <summary>The MRR of its items less its discounts.</summary>
    /// <param name="items">The recurring items; one-off ones are left out by the caller.</param>
    /// <param name="discounts">Discounts of the whole subscription, in Stripe's order.</param>
    /// <param name="at">The moment it is counted for: a discount that has ended by then is over.</param>
    /// <param name="temporaryDiscountsReduce">Setting <c>customers.temporaryDiscountsReduceMrr</c>.</param>
    /// <exception cref="OverflowException">Amounts or quantities beyond anything a business has.</exception>
    public static PricedSubscription Of(
        IReadOnlyList<PriceTerms> items, IReadOnlyList<DiscountTerms> discounts, DateTimeOffset at, bool temporaryDiscountsReduce)
    {
        var unpriced = new List<string>();
        decimal perYear = 0;
        PriceTerms? mostOften = null; // the item that is invoiced most often
        foreach (var item in items)
        {
            if (PeriodsPerYear(item, 1) is not { } often)
            {
                unpriced.Add($"{item.Name} is billed by an interval that is not known ({item.Interval ?? "none"}); it is not in the MRR.");
                continue;
            }
            var amount = PerYear(item, PerPeriod(item, unpriced));
            if (amount > 0) amount = Math.Max(0, Reduced(amount, item.Discounts, item));
            else Reduced(0, item.Discounts, item); // what is unpriced in its discounts is told all the same
            perYear += amount;
            if (amount != 0 && (mostOften is null || often > PeriodsPerYear(mostOften, 1))) mostOften = item;
        }
        // An amount off is taken from every invoice, so it comes as often as the item that is invoiced most often.
        perYear = Reduced(perYear, discounts, mostOften);

        // Decimals cut thirds off after 28 digits: the first rounding mends that, so that what is a half stays a half for the second, the only real one.
        var perMonth = Math.Round(Math.Round(Math.Max(0, perYear) / 12, 12), MidpointRounding.AwayFromZero);
        return new PricedSubscription(decimal.ToInt64(perMonth), unpriced);

        decimal Reduced(decimal amount, IReadOnlyList<DiscountTerms> reductions, PriceTerms? spread)
        {
            foreach (var discount in reductions)
            {
                if (discount.Unreadable is { } why)
                {
                    unpriced.Add(why);
                    continue;
                }
                if (discount.EndsAt <= at || !(discount.Forever || temporaryDiscountsReduce)) continue;
                // Stripe applies them one after the other, each to what the one before left.
                if (discount.PercentOff is { } percent) amount = amount * (100 - Math.Clamp(percent, 0, 100)) / 100;
                else if (discount.AmountOff is { } off && spread is not null) amount -= PerYear(spread, off);
            }
            return amount;
        }
    }

    /// <summary>Months count 12 a year, weeks 52, days 365 (DEFINITIONS); null for an interval that Stripe does not have.</summary>
    private static decimal? PeriodsPerYear(PriceTerms item, decimal times) => item.Interval switch
    {
        "day" => 365 * times / item.IntervalCount,
        "week" => 52 * times / item.IntervalCount,
        "month" => 12 * times / item.IntervalCount,
        "year" => times / item.IntervalCount,
        _ => null,
    };

    // Multiplied before it is divided, and by year rather than by month: so nearly every amount is exact until the end.
    private static decimal PerYear(PriceTerms item, decimal perPeriod) => PeriodsPerYear(item, perPeriod) ?? 0;

    private static decimal PerPeriod(PriceTerms item, List<string> unpriced)
    {
        if (item.Unpriceable is { } why)
        {
            unpriced.Add(why);
            return 0;
        }
        var quantity = item.Quantity ?? 1;
        if (item.Tiered)
        {
            if (item.Tiers.Count == 0)
            {
                unpriced.Add($"{item.Name} is a tiered price and the event does not hold its tiers; it is not in the MRR.");
                return 0;
            }
            // By use: only what is due whatever the use, the flat fee of the first tier.
            return item.Metered ? item.Tiers[0].Flat : item.Volume ? ByVolume(item.Tiers, quantity) : Graduated(item.Tiers, quantity);
        }
        if (item.Metered) return 0;
        if (item.UnitAmount is not { } unit)
        {
            unpriced.Add($"{item.Name} has no amount in the event; it is not in the MRR.");
            return 0;
        }
        if (item.DivideBy is { } divideBy)
            quantity = item.RoundUp ? Math.Ceiling(quantity / divideBy) : Math.Floor(quantity / divideBy);
        return unit * quantity;
    }

    // The whole quantity at the price of the tier that it falls into.
    private static decimal ByVolume(IReadOnlyList<PriceTier> tiers, decimal quantity)
    {
        var tier = tiers.FirstOrDefault(t => t.UpTo is not { } upTo || quantity <= upTo) ?? tiers[^1];
        return tier.Flat + tier.Unit * quantity;
    }

    // Each unit at the price of its own tier. The first tier's flat fee is due at any quantity, the others' when they are reached.
    private static decimal Graduated(IReadOnlyList<PriceTier> tiers, decimal quantity)
    {
        decimal amount = 0, from = 0;
        foreach (var tier in tiers)
        {
            if (from > 0 && quantity <= from) break;
            var to = Math.Min(quantity, tier.UpTo ?? quantity);
            amount += tier.Flat + tier.Unit * Math.Max(0, to - from);
            from = tier.UpTo ?? quantity;
        }
        return amount;
    }
}

/// <summary>What a subscription counts for.</summary>
/// <param name="Mrr">Minor units per month, at least 0.</param>
/// <param name="Unpriced">What could not be priced, one plain sentence each.</param>
internal sealed record PricedSubscription(long Mrr, IReadOnlyList<string> Unpriced);

/// <summary>How one recurring item is priced.</summary>
/// <param name="Name">What the founder calls it, for <see cref="PricedSubscription.Unpriced"/>.</param>
/// <param name="Interval"><c>day, week, month, year</c>.</param>
/// <param name="IntervalCount">How many of them make one period, at least 1.</param>
internal sealed record PriceTerms(string Name, string? Interval, long IntervalCount)
{
    /// <summary>Minor units for one unit and period; null for tiered prices.</summary>
    public decimal? UnitAmount { get; init; }

    /// <summary>How many units; null counts as one.</summary>
    public decimal? Quantity { get; init; }

    /// <summary>Billed by use.</summary>
    public bool Metered { get; init; }

    /// <summary>Priced by tiers.</summary>
    public bool Tiered { get; init; }

    /// <summary>All units at the price of the tier reached; else each unit at its own tier's price.</summary>
    public bool Volume { get; init; }

    /// <summary>The tiers from the lowest, where the event holds them.</summary>
    public IReadOnlyList<PriceTier> Tiers { get; init; } = [];

    /// <summary>Units are sold in packages of so many, above 0.</summary>
    public decimal? DivideBy { get; init; }

    /// <summary>A package that is not full counts as a whole one; else not at all.</summary>
    public bool RoundUp { get; init; }

    /// <summary>Discounts of this item alone.</summary>
    public IReadOnlyList<DiscountTerms> Discounts { get; init; } = [];

    /// <summary>Why it cannot be priced, where that is known beforehand.</summary>
    public string? Unpriceable { get; init; }

    /// <summary>The length of its period in days, to compare periods by.</summary>
    public decimal PeriodDays => IntervalCount * Interval switch { "day" => 1m, "week" => 7m, "month" => 365m / 12, "year" => 365m, _ => 0m };
}

/// <summary>One tier of a price.</summary>
/// <param name="UpTo">The last unit of it; null for the last tier.</param>
/// <param name="Flat">Minor units for reaching it.</param>
/// <param name="Unit">Minor units for each unit in it.</param>
internal sealed record PriceTier(decimal? UpTo, decimal Flat, decimal Unit);

/// <summary>One discount. Either a percentage or an amount.</summary>
/// <param name="PercentOff">0–100.</param>
/// <param name="AmountOff">Minor units off every invoice.</param>
/// <param name="Forever">Duration <c>forever</c>; else <c>once</c> or <c>repeating</c>.</param>
/// <param name="EndsAt">When it ends, where that is set.</param>
/// <param name="Unreadable">Why its value is not known, for <see cref="PricedSubscription.Unpriced"/>.</param>
internal sealed record DiscountTerms(decimal? PercentOff, decimal? AmountOff, bool Forever, DateTimeOffset? EndsAt = null, string? Unreadable = null);
