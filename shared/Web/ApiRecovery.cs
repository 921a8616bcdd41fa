using System.Globalization;
using Microsoft.AspNetCore.Http;
using RetentionFunctions.Customers;
using RetentionFunctions.Insight;

namespace RetentionFunctions.Web;

/// <summary>What became of recurring invoices whose first attempt failed (docs/definitions.md). Amounts are minor units; rates are fractions, null where there is no denominator or some are still open.</summary>
/// <param name="AsOf">When it was counted, UTC; null before the first night.</param>
/// <param name="Counting">It is being counted anew at this moment.</param>
/// <param name="From">The Monday of the first week asked for, UTC.</param>
/// <param name="To">The Monday of the last.</param>
/// <param name="OpenDays">For so many days after its first failure an unpaid invoice is still open.</param>
/// <param name="Definition">The formula in words.</param>
/// <param name="Currencies">Each by itself, the one with the most invoices first.</param>
public sealed record ApiRecovery(DateTimeOffset? AsOf, bool Counting, DateOnly From, DateOnly To, int OpenDays, string Definition, IReadOnlyList<ApiRecoveryOfCurrency> Currencies)
{
    internal const string Formula = "recurring invoices whose first attempt failed and that were paid later ÷ all whose first attempt failed; without the first of a subscription and the first after a trial";

    internal static ApiRecovery Of(CountedRecovery counted, RecoveryRequest request) =>
        new(counted.AsOf, counted.IsCounting, request.From, request.To, counted.OpenDays, Formula, [.. counted.Reports.Select(ApiRecoveryOfCurrency.Of)]);

    /// <summary>The weeks that a query asks for (<c>from, to, currency</c>), or what is wrong with it. Shared with the page.</summary>
    internal static (RecoveryRequest? Request, string? Wrong) Request(IQueryCollection query, DateTimeOffset now)
    {
        var to = RecoveryFacts.WeekOf(now);
        if (query["to"].ToString() is { Length: > 0 } last)
        {
            if (!Day(last, out var day)) return (null, $"to is a day such as {Text(to)}, not '{last}'.");
            to = RecoveryFacts.WeekOf(day);
        }
        // The calendar begins with a Monday, the first of January of year 1.
        var from = to.DayNumber < 7 * (RecoveryRequest.Weeks - 1) ? DateOnly.MinValue : to.AddDays(-7 * (RecoveryRequest.Weeks - 1));
        if (query["from"].ToString() is { Length: > 0 } first)
        {
            if (!Day(first, out var day)) return (null, $"from is a day such as {Text(from)}, not '{first}'.");
            from = RecoveryFacts.WeekOf(day);
        }
        if (from > to) return (null, $"from ({Text(from)}) is after to ({Text(to)}).");
        if ((to.DayNumber - from.DayNumber) / 7 >= RecoveryRequest.MostWeeks) return (null, $"At most {RecoveryRequest.MostWeeks} weeks at once.");
        var (currency, wrong) = PageQuery.CurrencyOf(query);
        return wrong is null ? (new RecoveryRequest(from, to, currency), null) : (null, wrong);
    }

    private static bool Day(string text, out DateOnly day) => DateOnly.TryParseExact(text, "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out day);

    private static string Text(DateOnly day) => day.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);
}

/// <summary>The recovery of one currency.</summary>
/// <param name="Currency">Lower case ISO code.</param>
/// <param name="Decided">Of the weeks that are over: only there early payments and late losses are both known.</param>
/// <param name="Young">Of the later weeks: in no rate of the whole.</param>
/// <param name="Weeks">Every week from the first to the last in which anything failed, oldest first.</param>
/// <param name="Kinds">Why the first attempt failed, of the weeks that are over, the most frequent first.</param>
public sealed record ApiRecoveryOfCurrency(string Currency, ApiRecoveryFigures Decided, ApiRecoveryFigures Young, IReadOnlyList<ApiRecoveryWeek> Weeks, IReadOnlyList<ApiRecoveryKind> Kinds)
{
    internal static ApiRecoveryOfCurrency Of(RecoveryReport report) => new(
        report.Currency, ApiRecoveryFigures.Of(report.Decided), ApiRecoveryFigures.Of(report.Young),
        [.. report.Weeks.Select(w => new ApiRecoveryWeek(w.Week, w.IsOver, ApiRecoveryFigures.Of(w.Figures)))], [.. report.Kinds.Select(k => new ApiRecoveryKind(Words.Of(k.Kind), ApiRecoveryFigures.Of(k.Figures)))]);
}

/// <summary>One week of failure.</summary>
/// <param name="Week">Its Monday, UTC.</param>
/// <param name="Over">None of its invoices is open any more.</param>
/// <param name="Figures">Of the invoices that failed first in it.</param>
public sealed record ApiRecoveryWeek(DateOnly Week, bool Over, ApiRecoveryFigures Figures);

/// <summary>One kind of decline.</summary>
/// <param name="Kind"><c>insufficient_funds, card_expired, declined, authentication_required, lost_or_fraud, card_not_usable, bank_not_reached, revoked, other, unknown</c>.</param>
/// <param name="Figures">Of the invoices that failed first so.</param>
public sealed record ApiRecoveryKind(string Kind, ApiRecoveryFigures Figures);

/// <summary>So many invoices.</summary>
/// <param name="Count">How many.</param>
/// <param name="Amount">What was due on them.</param>
public sealed record ApiTally(int Count, long Amount)
{
    internal static ApiTally Of(Tally tally) => new(tally.Count, tally.Amount);
}

/// <summary>Figures of some invoices whose first attempt failed.</summary>
/// <param name="Failed">All of them: the denominator.</param>
/// <param name="Recovered">Paid later, in whatever way.</param>
/// <param name="Silent">Of those, paid before the first e-mail of their dunning run.</param>
/// <param name="AfterEmail">Paid after an e-mail that the provider took.</param>
/// <param name="Other">Paid otherwise, by how: <c>held_out, preview, no_flow, email_unknown</c>.</param>
/// <param name="StillOpen">Neither paid nor lost yet.</param>
/// <param name="Unpaid">Voided, given up, or open for too long.</param>
/// <param name="RecoveryRate">Recovered ÷ failed, by count.</param>
/// <param name="AmountRecoveryRate">The same by amount.</param>
/// <param name="RateAtLeast">Recovered ÷ failed, whatever is still open.</param>
/// <param name="RateAtMost">If all that is open were paid.</param>
/// <param name="MedianDays">From the first failure to the payment, in whole days.</param>
/// <param name="Days">How many were paid after so many days: <c>0, 1-2, 3-6, 7-13, 14-29, 30+</c>.</param>
public sealed record ApiRecoveryFigures(
    ApiTally Failed, ApiTally Recovered, ApiTally Silent, ApiTally AfterEmail, IReadOnlyDictionary<string, ApiTally> Other, ApiTally StillOpen, ApiTally Unpaid,
    double? RecoveryRate, double? AmountRecoveryRate, double? RateAtLeast, double? RateAtMost, double? MedianDays, IReadOnlyDictionary<string, int> Days)
{
    internal static ApiRecoveryFigures Of(RecoveryFigures f) => new(
        ApiTally.Of(f.Failed), ApiTally.Of(f.Recovered), ApiTally.Of(f.Of(InvoiceFate.Silent)), ApiTally.Of(f.Of(InvoiceFate.AfterEmail)),
        new[] { InvoiceFate.HeldOut, InvoiceFate.Preview, InvoiceFate.NoFlow, InvoiceFate.EmailUnknown }.ToDictionary(Words.Of, fate => ApiTally.Of(f.Of(fate))),
        ApiTally.Of(f.StillOpen), ApiTally.Of(f.Of(InvoiceFate.Unpaid)), f.Rate.Value, f.AmountRate.Value, f.AtLeast.Value, f.AtMost.Value, f.MedianDays,
        RecoveryReport.DayBuckets.Zip(RecoveryReport.ByBucket(f)).ToDictionary(b => Name(b.First), b => b.Second));

    /// <summary>A bucket of days as the API and the page call it.</summary>
    internal static string Name((int From, int To) bucket) => bucket.To == int.MaxValue ? $"{bucket.From}+" : bucket.To == bucket.From + 1 ? $"{bucket.From}" : $"{bucket.From}-{bucket.To - 1}";
}
