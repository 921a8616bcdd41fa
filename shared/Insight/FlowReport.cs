using System.Globalization;
using RetentionFunctions.Flows;

namespace RetentionFunctions.Insight;

/// <summary>What the difference of a flow to its hold-out lets one say.</summary>
public enum FlowVerdict
{
    /// <summary>Nobody is held out: what would have happened without the flow is not known.</summary>
    NoHoldOut,

    /// <summary>On one side there is nobody yet of whom it is known.</summary>
    NothingToCompare,

    /// <summary>Both more and less than the hold-out are possible: the customers are too few for a difference of this size, or there is none.</summary>
    NotShown,

    /// <summary>More than the hold-out, with 95 % confidence.</summary>
    Helps,

    /// <summary>Less than the hold-out, with 95 % confidence.</summary>
    Harms,
}

/// <summary>How many customers would have to enter for a difference to be seen.</summary>
/// <param name="Customers">In all, held out or not; null where no number suffices.</param>
/// <param name="Difference">Which difference, as a fraction.</param>
/// <param name="BaseRate">The rate without the flow that this is worked out from.</param>
/// <param name="IsAssumed">Too few were held out to have a rate of their own: it is assumed.</param>
/// <param name="HeldOut">The share that is held out.</param>
public sealed record FlowNeed(long? Customers, double Difference, double BaseRate, bool IsAssumed, double HeldOut);

/// <summary>MRR of one currency that the difference is worth, in minor units: what the treated paid a month when they entered × the difference.</summary>
/// <param name="Low">At the lower end of the interval.</param>
/// <param name="Observed">At the difference as observed.</param>
/// <param name="High">At the upper end.</param>
public sealed record KeptMrr(long Low, long Observed, long High);

/// <summary>
/// What a flow did and what may be said of it, from the tallies of all customers. Never more is claimed than the comparison with those held out shows.
/// </summary>
public sealed record FlowReport
{
    /// <summary>The difference by which the number of customers needed is told: five points of a hundred.</summary>
    public const double WantedDifference = 0.05;

    /// <summary>What good campaigns reach, from …: DEFINITIONS, "Reactivation rate of a flow".</summary>
    public const double BenchmarkLow = 0.05;

    /// <summary>… to.</summary>
    public const double BenchmarkHigh = 0.15;

    /// <summary>Where nobody is held out, the share that the number needed is told for: the setting that is advised.</summary>
    public const double AdvisedHoldOut = 0.1;

    /// <summary>Of so many on at least, a side has a rate that a plan may rest on. Judgement: below, one customer more or less is five points.</summary>
    public const int FewestForRate = 20;

    // Assumed where nothing is observed: win-back the middle of what good campaigns reach (DEFINITIONS, 5 to 15 %), dunning about half
    // (median 47.6 % of failed payments recovered, Recurly 2023-24, as reference/product.md, C5, quotes it).
    private const double AssumedReturn = 0.10;
    private const double AssumedRecovery = 0.50;

    /// <summary>The flow.</summary>
    public required FlowTally Tally { get; init; }

    /// <summary>What it is for: an invoice paid, or a customer back.</summary>
    public required FlowTrigger Trigger { get; init; }

    /// <summary>The share that is held out now; 0: nobody.</summary>
    public required double HoldOut { get; init; }

    /// <summary>What may be said.</summary>
    public FlowVerdict Verdict { get; private init; }

    /// <summary>The rate of the treated less that of the held out; null where there is nothing to compare.</summary>
    public double? Difference { get; private init; }

    /// <summary>Its 95 % interval.</summary>
    public Interval? Interval { get; private init; }

    /// <summary>How many would be needed.</summary>
    public required FlowNeed Need { get; init; }

    /// <summary>By currency; empty where there is nothing to compare.</summary>
    public IReadOnlyDictionary<string, KeptMrr> Kept { get; private init; } = new Dictionary<string, KeptMrr>();

    /// <summary>The customers who entered and are compared, held out or not, known or not yet.</summary>
    public int Compared => All(Tally.ComparedTreated) + All(Tally.ComparedHeld);

    /// <summary>The report of a flow.</summary>
    /// <param name="tally">Of all customers.</param>
    /// <param name="definition">As it starts now; null where it left the settings.</param>
    public static FlowReport Of(FlowTally tally, FlowDefinition? definition)
    {
        var trigger = (definition ?? tally.Latest).Trigger;
        var (treated, held) = (tally.ComparedTreated.Rate, tally.ComparedHeld.Rate);
        var holdOut = definition?.HoldOut ?? 0;
        var report = new FlowReport { Tally = tally, Trigger = trigger, HoldOut = holdOut, Need = NeedOf(tally, trigger, holdOut), Verdict = holdOut <= 0 && tally.LeastHeldOut is null ? FlowVerdict.NoHoldOut : FlowVerdict.NothingToCompare };
        if (treated.Denominator == 0 || held.Denominator == 0) return report;
        var difference = treated.Value!.Value - held.Value!.Value;
        var interval = Proportions.Difference(treated, held);
        return report with
        {
            Difference = difference,
            Interval = interval,
            Verdict = interval.ContainsZero ? FlowVerdict.NotShown : interval.Low > 0 ? FlowVerdict.Helps : FlowVerdict.Harms,
            Kept = tally.ComparedMrr.ToDictionary(m => m.Key, m => new KeptMrr(Worth(m.Value, interval.Low), Worth(m.Value, difference), Worth(m.Value, interval.High)), StringComparer.Ordinal),
        };
    }

    /// <summary>What the comparison shows, in a sentence or two: the same on the page, in the API and in the monthly review.</summary>
    public string Text() => Verdict switch
    {
        FlowVerdict.NoHoldOut => "Nobody is held out, so nobody can say what would have happened without the flow. A tenth of the customers held out (holdOut 0.1 of this flow in the settings) begins to tell.",
        FlowVerdict.NothingToCompare => $"There is nothing to compare yet: {Entered()}, and of one side nothing is known before its time is over. {NeedText()}",
        FlowVerdict.NotShown => $"No difference is shown: with 95 % confidence it lies between {Points(Interval!.Value.Low)} and {Points(Interval.Value.High)} points, and 0 is among them. {Entered(capital: true)}. {NeedText()}",
        FlowVerdict.Helps => $"Of 100 who entered, {Bounds(Interval!.Value.Low, Interval.Value.High)} more {What} than without the flow, with 95 % confidence.",
        _ => $"Of 100 who entered, {Bounds(-Interval!.Value.High, -Interval.Value.Low)} fewer {What} than without the flow, with 95 % confidence: switch it off, or change it.",
    };

    /// <summary>How many are needed, in a sentence.</summary>
    public string NeedText()
    {
        var based = $"(from {(Need.IsAssumed ? "an assumed" : "the observed")} {Percent(Need.BaseRate)} without the flow, {Percent(Need.HeldOut)} held out)";
        return Need.Customers is { } customers
            ? $"To see a difference of {Points(Need.Difference, sign: false)} percentage points with 80 % certainty some {Rounded(customers).ToString("N0", CultureInfo.InvariantCulture)} are needed {based}."
            : $"A difference of {Points(Need.Difference, sign: false)} percentage points cannot be seen here with any number of customers {based}.";
    }

    private string What => Trigger == FlowTrigger.FailedPayment ? "pay" : "come back";

    private string Entered(bool capital = false)
    {
        var (entered, held) = (Compared, All(Tally.ComparedHeld));
        var text = $"{entered.ToString("N0", CultureInfo.InvariantCulture)} customer{(entered == 1 ? "" : "s")} entered while some are held out, of whom {held.ToString("N0", CultureInfo.InvariantCulture)} {(held == 1 ? "was" : "were")} held out";
        return capital || entered > 0 ? text : "nobody entered while some are held out";
    }

    private static FlowNeed NeedOf(FlowTally tally, FlowTrigger trigger, double holdOut)
    {
        // Never from those who got the e-mails: that would assume that the flow does nothing.
        var observed = tally.ComparedHeld.Rate.Denominator >= FewestForRate ? tally.ComparedHeld.Rate.Value : null;
        var rate = observed ?? (trigger == FlowTrigger.FailedPayment ? AssumedRecovery : AssumedReturn);
        var share = holdOut is > 0 and < 1 ? holdOut : tally.MostHeldOut ?? AdvisedHoldOut;
        return new FlowNeed(Proportions.Needed(rate, WantedDifference, share), WantedDifference, rate, observed is null, share);
    }

    private static int All(FlowSide side) => side.Succeeded + side.Failed + side.NotYetKnown + side.NeverKnown;

    // Two digits: more would pretend to know.
    private static long Rounded(long customers)
    {
        var unit = 1L;
        while (customers / unit >= 100) unit *= 10;
        return (customers + unit - 1) / unit * unit;
    }

    private static long Worth(long mrr, double difference) => (long)Math.Round((decimal)mrr * (decimal)difference, MidpointRounding.AwayFromZero);

    private static string Points(double fraction, bool sign = true) => (fraction * 100).ToString(sign ? "+0.#;−0.#;0" : "0.#", CultureInfo.InvariantCulture);

    private static string Bounds(double low, double high) => $"{(low * 100).ToString("0.#", CultureInfo.InvariantCulture)} to {(high * 100).ToString("0.#", CultureInfo.InvariantCulture)}";

    private static string Percent(double fraction) => (fraction * 100).ToString("0.#", CultureInfo.InvariantCulture) + " %";
}
