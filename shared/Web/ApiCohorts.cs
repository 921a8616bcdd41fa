using Microsoft.AspNetCore.Http;
using RetentionFunctions.Customers;
using RetentionFunctions.Insight;
using RetentionFunctions.Settings;

namespace RetentionFunctions.Web;

/// <summary>
/// Cohorts by the UTC month of the first payment (docs/definitions.md). Rates are fractions, amounts minor units; null where a month is not over.
/// </summary>
/// <param name="By"><c>customers</c> or <c>mrr</c>.</param>
/// <param name="Split">The trait by which they are told apart; null: not at all.</param>
/// <param name="Currency">Of MRR; null where customers are counted.</param>
/// <param name="Currencies">All currencies there are.</param>
/// <param name="AsOf">When it was counted: at night, and by <c>POST /api/v1/summaries/count</c>. Null where it never was.</param>
/// <param name="Formula">In words.</param>
/// <param name="Groups">By value of the trait; one where nothing is split.</param>
public sealed record ApiCohorts(string By, string? Split, string? Currency, IReadOnlyList<string> Currencies, DateTimeOffset? AsOf, string Formula, IReadOnlyList<ApiCohortGroup> Groups)
{
    internal static ApiCohorts Of(Cohorts cohorts) => new(
        Words.Of(cohorts.Request.By), cohorts.Request.Split, cohorts.Request.Currency, cohorts.Currencies, cohorts.AsOf, Explained(cohorts.Request.By), [.. cohorts.Groups.Select(g => ApiCohortGroup.Of(g, cohorts))]);

    internal static string Explained(CohortMeasure by) => by == CohortMeasure.Customers
        ? "customers of the cohort who are paying or paused at the end of the month ÷ all who first paid in the cohort's month"
        : "MRR of the cohort at the end of the month ÷ MRR of its first payments";

    /// <summary>What a query asks for (<c>by, split, currency</c>), or what is wrong with it. Shared with the page.</summary>
    internal static (CohortRequest? Request, string? Wrong) Request(IQueryCollection query, CustomerSettings settings)
    {
        var request = new CohortRequest(CohortMeasure.Customers, null, null);
        if (query["by"].ToString() is { Length: > 0 } by)
        {
            if (Words.Parse<CohortMeasure>(by) is not { } value) return (null, $"by is one of {Words.All<CohortMeasure>()}, not '{by}'.");
            request = request with { By = value };
        }
        if (query["split"].ToString() is { Length: > 0 } split)
        {
            if (!CustomerTraits.Names(settings).Contains(split, StringComparer.Ordinal))
                return (null, $"split is one of {string.Join(", ", CustomerTraits.Names(settings))}, not '{split}'. More are kept where customers.traits names them.");
            request = request with { Split = split };
        }
        var (currency, wrong) = PageQuery.CurrencyOf(query);
        return wrong is null ? (request with { Currency = currency }, null) : (null, wrong);
    }
}

/// <summary>All cohorts of one value of a trait.</summary>
/// <param name="Value">The value; <c>other</c>: those beyond the twelve most frequent; null: nobody said, or nothing is split.</param>
/// <param name="Customers">How many first paid.</param>
/// <param name="Month1">The weighted average of all cohorts one month after the first.</param>
/// <param name="Month3">Three months after.</param>
/// <param name="Month6">Six months after.</param>
/// <param name="Month12">Twelve months after.</param>
/// <param name="Band">Of the twelfth month, by customers: <c>good, improve, serious</c>; null where there is none.</param>
/// <param name="Average">The weighted average, by months after the first.</param>
/// <param name="Cohorts">Oldest first.</param>
public sealed record ApiCohortGroup(string? Value, int Customers, double? Month1, double? Month3, double? Month6, double? Month12, string? Band, IReadOnlyList<double?> Average, IReadOnlyList<ApiCohort> Cohorts)
{
    internal static ApiCohortGroup Of(CohortGroup group, Cohorts all) => new(
        group.Value, group.Customers, group.At(1)?.Value, group.At(3)?.Value, group.At(6)?.Value, group.At(12)?.Value,
        all.Request.By == CohortMeasure.Customers && group.At(12)?.Value is { } rate ? Words.Of(CohortBands.Of(rate)) : null,
        [.. Enumerable.Range(0, all.Months + 1).Select(k => group.At(k)?.Value)], [.. group.Rows.Select(row => ApiCohort.Of(row, all.Months))]);
}

/// <summary>One cohort.</summary>
/// <param name="Cohort">The month of the first payment, <c>yyyy-MM</c>, UTC.</param>
/// <param name="Customers">How many first paid in it.</param>
/// <param name="Remaining">By months after the first: how many customers, or how much MRR in minor units, are left at its end; the first is what the cohort began with. Null: the month is not over.</param>
/// <param name="Retention">The same as a share of the first.</param>
public sealed record ApiCohort(string Cohort, int Customers, IReadOnlyList<long?> Remaining, IReadOnlyList<double?> Retention)
{
    // All as long as the oldest.
    internal static ApiCohort Of(CohortRow row, int months) => new(
        row.Month.ToString(), row.Customers, [.. Enumerable.Range(0, months + 1).Select(k => row.At(k)?.Numerator)], [.. Enumerable.Range(0, months + 1).Select(k => row.At(k)?.Value)]);
}
