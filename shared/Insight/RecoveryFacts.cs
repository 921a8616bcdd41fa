using System.Text.Json.Serialization;
using RetentionFunctions.Customers;
using RetentionFunctions.Flows;

namespace RetentionFunctions.Insight;

/// <summary>What became of an invoice whose first attempt failed. A stored format.</summary>
public enum InvoiceFate
{
    /// <summary>Neither paid, voided nor given up, and young enough that it may well be paid.</summary>
    StillOpen,

    /// <summary>Voided, given up, or open for longer than <see cref="RecoveryFacts.OpenDays"/>. Should it be paid after all, it is recovered.</summary>
    Unpaid,

    /// <summary>Paid before the first e-mail of its dunning run.</summary>
    Silent,

    /// <summary>Paid after an e-mail of its dunning run that the provider took. After, not because of: the hold-out says more.</summary>
    AfterEmail,

    /// <summary>Paid, and before it only e-mails of which nobody knows whether they went.</summary>
    EmailUnknown,

    /// <summary>Paid by a customer who was held out.</summary>
    HeldOut,

    /// <summary>Paid while the flows only listed what they would send.</summary>
    Preview,

    /// <summary>Paid without a run of dunning: it was switched off, had no address, or only the past told of the invoice.</summary>
    NoFlow,
}

/// <summary>Of which invoices a cell is.</summary>
/// <param name="Week">The Monday of the week in which the first attempt failed, UTC.</param>
/// <param name="Currency">Lower case ISO code.</param>
/// <param name="Kind">Why it failed.</param>
/// <param name="Fate">What became of it.</param>
public readonly record struct RecoveryKey(DateOnly Week, string Currency, DeclineGroup Kind, InvoiceFate Fate);

/// <summary>Some invoices of one kind; adds up.</summary>
/// <param name="Key">Of which.</param>
/// <param name="Count">How many.</param>
/// <param name="Amount">What was due on them, in minor units.</param>
public sealed record RecoveryCell(RecoveryKey Key, int Count, long Amount)
{
    /// <summary>Of those that were paid: how many after so many whole days from the first failure; <see cref="RecoveryFacts.MostDays"/> stands for that and more.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyDictionary<int, int>? Days { get; init; }
}

/// <summary>The part of one invoice in the recovery rate (DEFINITIONS, "Recovery rate"; docs/definitions.md has an example of each case). Pure, and the same in any order of events.</summary>
public static class RecoveryFacts
{
    /// <summary>Beyond, days to recovery are not told apart.</summary>
    public const int MostDays = 99;

    // An invoice that is made together with its subscription, or when the trial ends, is so within this time: Stripe makes it about then, and finishes it an hour later.
    private static readonly TimeSpan Together = TimeSpan.FromHours(1);
    private static readonly TimeSpan AfterTrial = TimeSpan.FromDays(1);

    /// <summary>For how many days after the first failure an invoice is still open: as long as its MRR still counts, or as Stripe retries, whichever is longer.</summary>
    public static int OpenDays(Settings.RetentionSettings settings) => Math.Max(settings.Customers.PastDueDays, settings.Flows.RetryWindowDays ?? 0);

    /// <summary>When the week of failure is over for good: none of its invoices is still open then.</summary>
    public static DateTimeOffset OverAt(DateOnly week, int openDays) => new DateTimeOffset(week.ToDateTime(TimeOnly.MinValue), TimeSpan.Zero).AddDays(7 + openDays);

    /// <summary>The Monday of a moment's week, UTC.</summary>
    public static DateOnly WeekOf(DateTimeOffset at) => WeekOf(DateOnly.FromDateTime(at.UtcDateTime));

    /// <summary>The Monday of a day's week.</summary>
    public static DateOnly WeekOf(DateOnly on) => on.AddDays(-(((int)on.DayOfWeek + 6) % 7));

    /// <summary>The cells of one customer's invoices.</summary>
    /// <param name="customer">The customer.</param>
    /// <param name="invoices">All of its invoices.</param>
    /// <param name="failures">All failures of its payments.</param>
    /// <param name="runs">All of its runs.</param>
    /// <param name="openDays">See <see cref="OpenDays"/>.</param>
    /// <param name="asOf">Decides what is still open.</param>
    public static IEnumerable<RecoveryCell> Of(Customer customer, IEnumerable<Invoice> invoices, IReadOnlyCollection<PaymentFailure> failures, IReadOnlyCollection<Run> runs, int openDays, DateTimeOffset asOf)
    {
        foreach (var invoice in invoices)
        {
            if (FailedAt(invoice) is not { } failed || !IsRecurring(invoice, customer)) continue;
            var fate = Fate(invoice, failed, runs.Where(r => r.InvoiceId == invoice.Id && r.Definition.Trigger == FlowTrigger.FailedPayment), openDays, asOf);
            var key = new RecoveryKey(WeekOf(failed), invoice.Latest!.Currency, DeclineGroups.OfFirst(invoice, failures), fate);
            yield return new RecoveryCell(key, 1, invoice.Latest.AmountDue)
            {
                Days = IsRecovered(fate) ? new Dictionary<int, int> { [Math.Clamp((int)(invoice.SettledAt!.Value - failed).TotalDays, 0, MostDays)] = 1 } : null,
            };
        }
    }

    /// <summary>Cells of the same key as one, in the order of their keys.</summary>
    public static IReadOnlyList<RecoveryCell> Sum(IEnumerable<RecoveryCell> cells) =>
    [
        .. cells.GroupBy(c => c.Key).Select(g => new RecoveryCell(g.Key, g.Sum(c => c.Count), g.Sum(c => c.Amount)) { Days = IsRecovered(g.Key.Fate) ? Days(g) : null })
            .OrderBy(c => c.Key.Week).ThenBy(c => c.Key.Currency, StringComparer.Ordinal).ThenBy(c => c.Key.Kind).ThenBy(c => c.Key.Fate),
    ];

    /// <summary>The days of some cells together.</summary>
    public static SortedDictionary<int, int> Days(IEnumerable<RecoveryCell> cells)
    {
        var days = new SortedDictionary<int, int>();
        foreach (var (day, count) in cells.SelectMany(c => c.Days ?? new Dictionary<int, int>())) days[day] = days.GetValueOrDefault(day) + count;
        return days;
    }

    /// <summary>It was paid.</summary>
    public static bool IsRecovered(InvoiceFate fate) => fate is not (InvoiceFate.StillOpen or InvoiceFate.Unpaid);

    /// <summary>When the first attempt failed, or the bank first wanted a confirmation; null where neither happened. Whoever fails at all fails at the first attempt: else it would be paid.</summary>
    public static DateTimeOffset? FailedAt(Invoice invoice) =>
        invoice.FirstFailedAt is { } failed && invoice.ActionRequiredAt is { } asked ? failed < asked ? failed : asked : invoice.FirstFailedAt ?? invoice.ActionRequiredAt;

    /// <summary>
    /// Whether it bills a subscription that goes on: not one-off, not nothing, not the first of a subscription (whose customer stands at the checkout), and not the first after a trial
    /// (Stripe's own recovery analytics leave it out too: nobody has paid before).
    /// </summary>
    public static bool IsRecurring(Invoice invoice, Customer customer)
    {
        if (invoice.Latest is not { SubscriptionId: { } id, AmountDue: > 0 } latest || latest.BillingReason == "subscription_create") return false;
        var subscription = customer.Subscriptions.FirstOrDefault(s => s.Latest.SubscriptionId == id)?.Latest;
        // Before 2018 the first had no reason of its own: it is made together with its subscription.
        if (subscription is null) return latest.BillingReason is not null;
        if (latest.BillingReason != "subscription_cycle" && (latest.CreatedAt - subscription.CreatedAt).Duration() < Together) return false;
        return !(subscription.TrialEndAt is { } trial && (latest.CreatedAt - trial).Duration() < AfterTrial);
    }

    private static InvoiceFate Fate(Invoice invoice, DateTimeOffset failed, IEnumerable<Run> runs, int openDays, DateTimeOffset asOf)
    {
        if (invoice.SettledAt is not { } paid)
            return invoice.VoidedAt is not null || invoice.UncollectibleAt is not null || failed.AddDays(openDays) <= asOf ? InvoiceFate.Unpaid : InvoiceFate.StillOpen;
        // The real run, where there is one beside a preview.
        if (runs.OrderBy(r => r.Preview).FirstOrDefault() is not { } run) return InvoiceFate.NoFlow;
        if (run.Preview) return InvoiceFate.Preview;
        if (run.Outcome == RunOutcome.HeldOut) return InvoiceFate.HeldOut;
        var before = run.Sent.Where(s => s.At < paid).ToList();
        return before.Exists(s => s.Result == MailResult.Accepted) ? InvoiceFate.AfterEmail : before.Exists(s => s.Result == MailResult.Unknown) ? InvoiceFate.EmailUnknown : InvoiceFate.Silent;
    }
}
