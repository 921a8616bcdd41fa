using System.Text.Json.Serialization;

namespace RetentionFunctions.Customers;

/// <summary>By how often its customers are billed: rates of the two are never mixed into one without saying so (DEFINITIONS, "Bands").</summary>
public enum BillingTerm
{
    /// <summary>More often than once a year.</summary>
    Monthly,

    /// <summary>Once a year or less often. A customer with both kinds counts here: the longer contract is what keeps them.</summary>
    Yearly,
}

/// <summary>
/// What happened to a set of customers within one month, in one currency and billing term: only changes, so that cells add up over customers, and a month's
/// beginning is the sum of all cells before it. All counts are of customers; amounts are MRR in minor units, losses negative (DEFINITIONS, "Movements" and "Customer churn rate").
/// </summary>
public readonly record struct MonthCell
{
    /// <summary>First MRR above 0.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public int New { get; init; }

    /// <summary>Paying or paused at the start, neither at the end.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public int Lost { get; init; }

    /// <summary>Of <see cref="Lost"/>, those of whom the last payment failed.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public int LostInvoluntary { get; init; }

    /// <summary>Joined and left within the month: no part of the churn rate.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public int Early { get; init; }

    /// <summary>Had left in an earlier month and are back at the end.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public int Returned { get; init; }

    /// <summary>Change of the billing term with the end of the month: plus in the one, minus in the other.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public int Switched { get; init; }

    /// <summary>Change in the number of those who pay: paused ones are customers that do not. <see cref="Switched"/> ones included.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public int Paying { get; init; }

    /// <summary>MRR of first payments.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public long MrrNew { get; init; }

    /// <summary>More than before.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public long MrrExpansion { get; init; }

    /// <summary>Less than before, above 0.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public long MrrContraction { get; init; }

    /// <summary>To 0 by ending.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public long MrrChurned { get; init; }

    /// <summary>Above 0 again after having churned.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public long MrrReactivation { get; init; }

    /// <summary>Less by pausing.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public long MrrPaused { get; init; }

    /// <summary>More by the end of a pause.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public long MrrResumed { get; init; }

    /// <summary>What <see cref="Switched"/> customers took along.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public long MrrSwitched { get; init; }

    /// <summary>First MRR above 0 in the last 30 days of the month: this and the next are Stripe's formula.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public int New30 { get; init; }

    /// <summary>Customers who left in the last 30 days of the month, also those who joined in them.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public int Lost30 { get; init; }

    /// <summary>Change in the number of customers within the last 30 days of the month.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public int Change30 { get; init; }

    /// <summary>The change in the number of customers from the month's start to its end; without <see cref="Switched"/>.</summary>
    [JsonIgnore]
    public int Change => New + Returned - Lost - Early;

    /// <summary>The change in MRR from the month's start to its end: all movements; without <see cref="MrrSwitched"/>.</summary>
    [JsonIgnore]
    public long MrrChange => MrrNew + MrrExpansion + MrrContraction + MrrChurned + MrrReactivation + MrrPaused + MrrResumed;

    /// <summary>Both together.</summary>
    public static MonthCell operator +(MonthCell a, MonthCell b) => new()
    {
        New = a.New + b.New,
        Lost = a.Lost + b.Lost,
        LostInvoluntary = a.LostInvoluntary + b.LostInvoluntary,
        Early = a.Early + b.Early,
        Returned = a.Returned + b.Returned,
        Switched = a.Switched + b.Switched,
        Paying = a.Paying + b.Paying,
        MrrNew = a.MrrNew + b.MrrNew,
        MrrExpansion = a.MrrExpansion + b.MrrExpansion,
        MrrContraction = a.MrrContraction + b.MrrContraction,
        MrrChurned = a.MrrChurned + b.MrrChurned,
        MrrReactivation = a.MrrReactivation + b.MrrReactivation,
        MrrPaused = a.MrrPaused + b.MrrPaused,
        MrrResumed = a.MrrResumed + b.MrrResumed,
        MrrSwitched = a.MrrSwitched + b.MrrSwitched,
        New30 = a.New30 + b.New30,
        Lost30 = a.Lost30 + b.Lost30,
        Change30 = a.Change30 + b.Change30,
    };

    /// <summary>What undoes it.</summary>
    public static MonthCell operator -(MonthCell a) => new()
    {
        New = -a.New,
        Lost = -a.Lost,
        LostInvoluntary = -a.LostInvoluntary,
        Early = -a.Early,
        Returned = -a.Returned,
        Switched = -a.Switched,
        Paying = -a.Paying,
        MrrNew = -a.MrrNew,
        MrrExpansion = -a.MrrExpansion,
        MrrContraction = -a.MrrContraction,
        MrrChurned = -a.MrrChurned,
        MrrReactivation = -a.MrrReactivation,
        MrrPaused = -a.MrrPaused,
        MrrResumed = -a.MrrResumed,
        MrrSwitched = -a.MrrSwitched,
        New30 = -a.New30,
        Lost30 = -a.Lost30,
        Change30 = -a.Change30,
    };
}

/// <summary>Which cell: a month, a currency, a billing term.</summary>
/// <param name="Month">The calendar month, UTC.</param>
/// <param name="Currency">Lower case ISO code.</param>
/// <param name="Term">That of the customers at the month's start, or when they joined in it.</param>
public readonly record struct CellKey(Month Month, string Currency, BillingTerm Term);
