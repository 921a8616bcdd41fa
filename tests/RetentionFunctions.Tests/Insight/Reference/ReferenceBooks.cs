namespace RetentionFunctions.Tests.Insight.Reference;

/// <summary>What one event says of a subscription, in plain words: its MRR is given, not worked out by the product.</summary>
internal sealed record Said(string Customer, string Subscription, DateTimeOffset At, string Status, long Mrr, string Currency, bool IsYearly, DateTimeOffset PaidUntil)
{
    public string? Pause { get; init; }

    public DateTimeOffset? ResumesAt { get; init; }

    public DateTimeOffset? EndedAt { get; init; }

    public string? Reason { get; init; }
}

/// <summary>An invoice whose first attempt failed, and what became of it.</summary>
internal sealed record FailedInvoice(string Currency, long Due, DateTimeOffset FailedAt, string Kind)
{
    /// <summary>The first of a subscription, or the first after its trial: no part of the recovery rate.</summary>
    public bool IsFirst { get; init; }

    public DateTimeOffset? PaidAt { get; init; }

    /// <summary>Voided or given up.</summary>
    public bool IsGivenUp { get; init; }
}

/// <summary>A change of a customer's MRR in one currency.</summary>
internal sealed record Moved(DateTimeOffset At, string Kind, long Amount);

/// <summary>
/// A second opinion on every figure: slow, naive, written from docs/definitions.md alone, and sharing no code with what it judges. It adds up nothing beforehand: it goes through all that was
/// said for each question, and only remembers the answers that it gave.
/// </summary>
internal sealed class ReferenceBooks(IReadOnlyCollection<Said> said, DateTimeOffset now)
{
    private enum Standing { None, Pays, Paused, Ended, EndedByFailure }

    private static readonly TimeSpan PastDueCounts = TimeSpan.FromDays(30);

    // Each question is asked many times: of each subscription its own words, in order of time.
    private readonly Dictionary<string, ILookup<string, Said>> customers = said.GroupBy(s => s.Customer).ToDictionary(c => c.Key, c => c.OrderBy(s => s.At).ToLookup(s => s.Subscription));

    private readonly Dictionary<(string Customer, string Currency), IReadOnlyList<Moved>> movements = [];
    private readonly Dictionary<(string Customer, string Currency), DateTimeOffset?> firstPaid = [];

    public IEnumerable<string> Currencies => said.Select(s => s.Currency).Distinct().Where(currency => customers.Keys.Any(c => FirstPaid(c, currency) is not null)).Order(StringComparer.Ordinal);

    /// <summary>The first moments of all months from the first payment in a currency until now.</summary>
    public IEnumerable<DateTimeOffset> Months(string currency)
    {
        var first = customers.Keys.Select(c => FirstPaid(c, currency)).OfType<DateTimeOffset>().Min();
        for (var month = StartOf(first); month <= now; month = month.AddMonths(1)) yield return month;
    }

    /// <summary>The figures of a month in one currency by their names in the API, of all customers or of those who are billed monthly or yearly.</summary>
    public Dictionary<string, decimal?> Figures(string currency, DateTimeOffset start, bool stripe, bool? yearly = null)
    {
        var end = start.AddMonths(1);
        var (first, last) = (Before(start), Before(end));
        List<string> all = [.. customers.Keys.Where(c => yearly is null || IsYearly(c, currency, IsCustomer(c, currency, first) ? first : JoinedAt(c, currency, start, end) ?? first) == yearly)];
        var atStart = all.Where(c => IsCustomer(c, currency, first)).ToList();
        var isNew = all.Where(c => FirstPaid(c, currency) is { } at && at >= start && at < end).ToList();
        var lost = atStart.Where(c => !IsCustomer(c, currency, last)).ToList();
        var failed = lost.Where(c => LastEnd(c, currency, start, end) == Standing.EndedByFailure).ToList();
        var mrr = new Dictionary<string, decimal> { ["start"] = all.Sum(c => Mrr(c, currency, first)), ["end"] = all.Sum(c => Mrr(c, currency, last)) };
        foreach (var kind in (string[])["New", "Expansion", "Contraction", "Churned", "Reactivation", "Paused", "Resumed"])
            mrr[kind] = all.SelectMany(c => Movements(c, currency)).Where(m => m.Kind == kind && m.At >= start && m.At < end).Sum(m => m.Amount);

        // Stripe's: those there thirty days before the end, and those who joined since; of these, those who are gone at the end.
        var window = end.AddDays(-30);
        var thirty = all.Where(c => IsCustomer(c, currency, Before(window)) || (FirstPaid(c, currency) is { } at && at >= window && at < end)).ToList();
        var churn = stripe ? Share(thirty.Count(c => !IsCustomer(c, currency, last)), thirty.Count) : Share(lost.Count, atStart.Count);
        var gross = Share(-(mrr["Churned"] + mrr["Contraction"]), mrr["start"]);
        var net = Share(-(mrr["Churned"] + mrr["Contraction"] + mrr["Expansion"]), mrr["start"]);
        var arpa = Share(mrr["end"], all.Count(c => Mrr(c, currency, last) > 0));
        return new Dictionary<string, decimal?>
        {
            ["customersAtStart"] = atStart.Count, ["customersNew"] = isNew.Count, ["customersLost"] = lost.Count, ["customersAtEnd"] = all.Count(c => IsCustomer(c, currency, last)),
            ["customersReturned"] = all.Except(atStart).Except(isNew).Count(c => IsCustomer(c, currency, last)), ["earlyChurn"] = isNew.Count(c => !IsCustomer(c, currency, last)),
            ["churnRate"] = churn, ["retentionRate"] = 1 - churn,
            ["voluntaryChurnRate"] = Share(lost.Count - failed.Count, atStart.Count), ["involuntaryChurnRate"] = Share(failed.Count, atStart.Count),
            ["mrrAtStart"] = mrr["start"], ["mrrNew"] = mrr["New"], ["mrrExpansion"] = mrr["Expansion"], ["mrrContraction"] = mrr["Contraction"], ["mrrChurned"] = mrr["Churned"],
            ["mrrReactivation"] = mrr["Reactivation"], ["mrrPaused"] = mrr["Paused"], ["mrrResumed"] = mrr["Resumed"], ["mrrAtEnd"] = mrr["end"],
            ["grossMrrChurnRate"] = gross, ["netMrrChurnRate"] = net, ["grr"] = 1 - gross, ["nrr"] = 1 - net,
            ["arpa"] = arpa, ["ltv"] = churn > 0 ? arpa / churn : null,
        };
    }

    /// <summary>By the month of the first payment: what a cohort began with, and what is left at the end of each month after that is over. Customers where no currency is given, else MRR.</summary>
    public Dictionary<string, List<long>> Cohorts(string? currency)
    {
        var cohorts = new Dictionary<string, List<long>>();
        var members = customers.Keys.Select(c => (Customer: c, First: currency is null ? said.Select(s => s.Currency).Distinct().Select(m => FirstPaid(c, m)).Min() : FirstPaid(c, currency))).Where(m => m.First is not null);
        foreach (var cohort in members.GroupBy(m => StartOf(m.First!.Value)))
        {
            var left = new List<long> { currency is null ? cohort.Count() : cohort.Sum(m => Movements(m.Customer, currency).Single(x => x.Kind == "New").Amount) };
            for (var end = cohort.Key.AddMonths(2); end <= now; end = end.AddMonths(1))
                left.Add(cohort.Sum(m => currency is null ? IsCustomer(m.Customer, null, Before(end)) ? 1 : 0 : Mrr(m.Customer, currency, Before(end))));
            cohorts[cohort.Key.ToString("yyyy-MM")] = left;
        }
        return cohorts;
    }

    /// <summary>All changes of a customer's MRR in a currency, in order of time: what each moment says against the moment before it.</summary>
    public IReadOnlyList<Moved> Movements(string customer, string currency)
    {
        if (!movements.TryGetValue((customer, currency), out var known)) movements[(customer, currency)] = known = [.. Moved(customer, currency)];
        return known;
    }

    private IEnumerable<Moved> Moved(string customer, string currency)
    {
        var paidOnce = false;
        foreach (var at in Moments(customer))
        {
            var (before, after) = (Mrr(customer, currency, Before(at)), Mrr(customer, currency, at));
            foreach (var subscription in Of(customer, currency))
            {
                var ((was, had), (now, has)) = (At(subscription, Before(at)), At(subscription, at));
                // Taken back first, so that what was paused churns as if it had never been.
                if (was == Standing.Paused && now is Standing.Ended or Standing.EndedByFailure)
                {
                    yield return new Moved(at, "Resumed", had);
                    before += had;
                }
                if (was == Standing.Pays && now == Standing.Paused)
                {
                    yield return new Moved(at, "Paused", -had);
                    before -= had;
                }
                if (was == Standing.Paused && now == Standing.Pays)
                {
                    yield return new Moved(at, "Resumed", has);
                    before += has;
                }
            }
            if (after > before) yield return new Moved(at, !paidOnce ? "New" : IsCustomer(customer, currency, Before(at)) ? "Expansion" : "Reactivation", after - before);
            if (after < before) yield return new Moved(at, IsCustomer(customer, currency, at) ? "Contraction" : "Churned", after - before);
            paidOnce |= after > 0;
        }
    }

    private DateTimeOffset? FirstPaid(string customer, string currency)
    {
        if (!firstPaid.TryGetValue((customer, currency), out var known)) firstPaid[(customer, currency)] = known = FirstOf(customer, currency);
        return known;
    }

    private DateTimeOffset? FirstOf(string customer, string currency) => Moments(customer).Where(at => Mrr(customer, currency, at) > 0).Select(at => (DateTimeOffset?)at).Min();

    private DateTimeOffset? JoinedAt(string customer, string currency, DateTimeOffset from, DateTimeOffset to) =>
        Moments(customer).Where(at => at >= from && at < to && IsCustomer(customer, currency, at)).Select(at => (DateTimeOffset?)at).Min();

    private Standing? LastEnd(string customer, string currency, DateTimeOffset from, DateTimeOffset to)
    {
        var end = Moments(customer).Last(at => at >= from && at < to && IsCustomer(customer, currency, Before(at)) && !IsCustomer(customer, currency, at));
        return Of(customer, currency).Where(s => At(s, Before(end)).Is is Standing.Pays or Standing.Paused).Select(s => At(s, end).Is).Single();
    }

    private bool IsCustomer(string customer, string? currency, DateTimeOffset at) => Of(customer, currency).Any(s => At(s, at) is (Standing.Pays or Standing.Paused, > 0));

    private long Mrr(string customer, string currency, DateTimeOffset at) => Of(customer, currency).Select(s => At(s, at)).Where(s => s.Is == Standing.Pays).Sum(s => s.Mrr);

    // One with both counts as yearly.
    private bool IsYearly(string customer, string currency, DateTimeOffset at) =>
        Of(customer, currency).Any(s => At(s, at) is (Standing.Pays or Standing.Paused, > 0) && s.Last(x => x.At <= at).IsYearly);

    private IEnumerable<IGrouping<string, Said>> Of(string customer, string? currency) => customers[customer].Where(s => currency is null || s.First().Currency == currency);

    // Whenever anything could be other than before.
    private IEnumerable<DateTimeOffset> Moments(string customer) =>
        customers[customer].SelectMany(s => s).SelectMany(s => (DateTimeOffset?[])[s.At, s.EndedAt, s.ResumesAt, s.PaidUntil, s.At + PastDueCounts]).OfType<DateTimeOffset>().Where(at => at <= now).Distinct().Order();

    // What a subscription is at a moment (with all that happens at it), and its MRR: paid, or, of one that is paused, what it had.
    private static (Standing Is, long Mrr) At(IGrouping<string, Said> subscription, DateTimeOffset at)
    {
        if (subscription.LastOrDefault(s => s.EndedAt <= at) is { } end)
        {
            var failed = end.Reason == "payment_failed" || (end.Reason is null && subscription.Last(s => s.EndedAt is null).Status is "past_due" or "unpaid");
            return (failed ? Standing.EndedByFailure : Standing.Ended, 0);
        }
        List<Said> heard = [.. subscription.Where(s => s.At <= at && s.EndedAt is null)];
        if (heard.Count == 0) return default;
        var last = heard[^1];
        if (last.Status == "unpaid") return (Standing.EndedByFailure, 0);
        if (last.Status == "paused") return heard.Exists(s => s.Status is "active" or "past_due") ? (Standing.Paused, last.Mrr) : default;
        if (last.Status is not ("active" or "past_due")) return default;
        if (last.Pause is not null)
        {
            // The first word of the pause decides when it began: what was paid before is kept where it is "void".
            var began = heard[heard.FindLastIndex(s => s.Pause is null) + 1];
            var from = began.Pause == "void" ? began.PaidUntil : began.At;
            return at >= from && !(last.ResumesAt <= at) ? (Standing.Paused, last.Mrr) : (Standing.Pays, last.Mrr);
        }
        if (last.Status == "past_due" && at >= heard[heard.FindLastIndex(s => s.Status != "past_due") + 1].At + PastDueCounts) return (Standing.EndedByFailure, 0);
        return (Standing.Pays, last.Mrr);
    }

    // Right before a moment; nothing is known of what is yet to come.
    private DateTimeOffset Before(DateTimeOffset at) => at > now ? now : at.AddTicks(-1);

    private static DateTimeOffset StartOf(DateTimeOffset at) => new(at.Year, at.Month, 1, 0, 0, 0, TimeSpan.Zero);

    private static decimal? Share(decimal numerator, decimal denominator) => denominator > 0 ? numerator / denominator : null;
}
