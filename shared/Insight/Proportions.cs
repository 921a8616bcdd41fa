using MathNet.Numerics.Distributions;

namespace RetentionFunctions.Insight;

/// <summary>From … to, both included, as fractions.</summary>
/// <param name="Low">The lower end.</param>
/// <param name="High">The upper end.</param>
public readonly record struct Interval(double Low, double High)
{
    /// <summary>Whether no difference at all is among what the data allow.</summary>
    public bool ContainsZero => Low <= 0 && High >= 0;
}

/// <summary>
/// What may be said of shares of few customers. The quantiles of the normal distribution are MathNet.Numerics'; the formulas over them are those of the papers named, with their
/// printed examples as tests.
/// </summary>
public static class Proportions
{
    /// <summary>How sure an interval is, in two-sided tests one minus the error: 95 %.</summary>
    public const double Confidence = 0.95;

    /// <summary>With which probability a difference that is there shall be seen: 80 %.</summary>
    public const double Power = 0.80;

    // Where the sample needed is sought no further: nobody has so many customers.
    private const double Most = 1e9;

    private static readonly double Z = Normal.InvCDF(0, 1, 1 - ((1 - Confidence) / 2));

    /// <summary>The score interval of one share (Wilson, J. Am. Stat. Assoc. 22, 1927).</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no denominator, or the numerator is not within it.</exception>
    public static Interval Of(Ratio share)
    {
        Check(share);
        var (n, p) = ((double)share.Denominator, share.Value!.Value);
        var middle = (2 * n * p) + (Z * Z);
        var half = Z * Math.Sqrt((Z * Z) + (4 * n * p * (1 - p)));
        var whole = 2 * (n + (Z * Z));
        // At none and at all the formula is exact, its rounding is not.
        return new Interval(share.Numerator == 0 ? 0 : (middle - half) / whole, share.Numerator == share.Denominator ? 1 : (middle + half) / whole);
    }

    /// <summary>
    /// The interval of the difference a − b of two independent shares: Newcombe's hybrid score interval without continuity correction (Statistics in Medicine 17, 1998, 873–890,
    /// method 10), which keeps its promise also for few customers and for shares of 0 and 1, where the textbook's does not.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">One has no denominator, or a numerator that is not within it.</exception>
    public static Interval Difference(Ratio a, Ratio b)
    {
        var (ofA, ofB) = (Of(a), Of(b));
        var (pA, pB) = (a.Value!.Value, b.Value!.Value);
        return new Interval(
            Math.Max(-1, pA - pB - Root(pA - ofA.Low, ofB.High - pB)),
            Math.Min(1, pA - pB + Root(ofA.High - pA, pB - ofB.Low)));

        static double Root(double x, double y) => Math.Sqrt((x * x) + (y * y));
    }

    /// <summary>
    /// How many customers there must be in both groups together for a difference to be seen in a two-sided test at 5 % (Fleiss, Tytun and Ury, Biometrics 36,
    /// 1980, 343–346, for groups of different sizes, without continuity correction; of equal sizes it is R's <c>power.prop.test</c>). Null where no number suffices.
    /// </summary>
    /// <param name="baseRate">What is expected without us, 0 to 1.</param>
    /// <param name="difference">How much more with us; baseRate + difference is at most 1.</param>
    /// <param name="heldOut">The share of all who are held out, between 0 and 1.</param>
    /// <param name="power">With which probability it shall be seen.</param>
    public static long? Needed(double baseRate, double difference, double heldOut, double power = Power)
    {
        var rate = baseRate + difference;
        if (difference <= 0 || baseRate < 0 || rate > 1 || heldOut is not (> 0 and < 1)) return null;
        // Of one who is held out so many are not.
        var others = (1 - heldOut) / heldOut;
        var pooled = (baseRate + (others * rate)) / (1 + others);
        var root = (Z * Math.Sqrt(pooled * (1 - pooled) * (1 + (1 / others)))) + (Normal.InvCDF(0, 1, power) * Math.Sqrt((baseRate * (1 - baseRate)) + (rate * (1 - rate) / others)));
        var held = root * root / (difference * difference);
        var all = held * (1 + others);
        return all > Most ? null : (long)Math.Ceiling(all);
    }

    private static void Check(Ratio share)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(share.Denominator, 1, nameof(share));
        ArgumentOutOfRangeException.ThrowIfNegative(share.Numerator, nameof(share));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(share.Numerator, share.Denominator, nameof(share));
    }
}
