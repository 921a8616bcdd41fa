using System.Globalization;
using RetentionFunctions.Customers;

namespace RetentionFunctions.Health;

/// <summary>A signal's value, with the sentence that gives it as a reason.</summary>
/// <param name="Value">The x of the signal's curve.</param>
/// <param name="Text">In words.</param>
internal sealed record Reading(double Value, string Text);

/// <summary>How each built-in signal is read from a customer. Null is "no data": nothing is assumed.</summary>
internal static class HealthSignals
{
    // 90 days: as long as activity is kept. Three monthly payments, enough e-mails and ratings for a rate.
    private const int RecentDays = 90;

    // Fewer e-mails make no rate.
    private const int MinEmails = 3;

    // A feature is new for a quarter; in its first week nobody can be late.
    private const int NewForDays = 90;
    private const int AdoptionGraceDays = 7;

    // Tickets of a month against the months before.
    private const int TicketDays = 30;
    private const int UsualTicketDays = 60;
    private const int MinUsualTicketDays = 14;

    /// <summary>The built-in signals by their names in the settings.</summary>
    public static IReadOnlyDictionary<string, Func<HealthInput, ActivityView, HealthSettings, Reading?>> BuiltIn { get; } =
        new Dictionary<string, Func<HealthInput, ActivityView, HealthSettings, Reading?>>(StringComparer.OrdinalIgnoreCase)
        {
            ["signIns"] = (_, view, _) => AgainstBaseline(view, Counter.SignIns, "sign-ins"),
            ["minutes"] = (_, view, _) => AgainstBaseline(view, Counter.Minutes, "minutes of use"),
            ["coreUses"] = (_, view, _) => AgainstBaseline(view, Counter.CoreUses, "core feature uses"),
            ["daysSinceSeen"] = (_, view, _) => view.DaysSinceActive is { } days ? new(days, $"last active {Count(Math.Floor(days), "day")} ago") : null,
            ["activeDays"] = (_, view, _) => ActiveDays(view),
            ["breadth"] = (_, view, _) => Breadth(view),
            ["tickets"] = (_, view, _) => Tickets(view),
            ["resolutionHours"] = (_, view, _) => view.Sum(Counter.ResolutionsTimed, RecentDays) is var timed and > 0
                ? Resolution(view.Sum(Counter.ResolutionHours, RecentDays) / timed) : null,
            ["satisfaction"] = (_, view, _) => view.Sum(Counter.SatisfactionCount, RecentDays) is var rated and > 0
                ? Satisfaction(100 * view.Sum(Counter.SatisfactionSum, RecentDays) / rated) : null,
            ["cancellation"] = (input, _, _) => Cancellation(input),
            ["openInvoices"] = (input, _, _) => HasHistory(input.Customer) ? OpenInvoices(input) : null,
            ["failedPayments"] = (input, _, _) => HasHistory(input.Customer) ? FailedPayments(input) : null,
            ["planMovement"] = (input, _, _) => HasHistory(input.Customer) ? PlanMovement(input) : null,
            ["tenure"] = (input, _, _) => Tenure(input),
            ["renewal"] = (input, _, _) => HasHistory(input.Customer) ? Renewal(input) : null,
            ["emailOpens"] = (_, view, _) => PerEmail(view, Counter.EmailOpens, "opened"),
            ["emailClicks"] = (_, view, _) => PerEmail(view, Counter.EmailClicks, "clicked in"),
            ["adoption"] = (input, view, settings) => Adoption(input, view, settings),
        };

    /// <summary>A signal that the founder defined, from what <see cref="ActivityUpdate"/> kept under its name.</summary>
    public static Reading? Own(string name, HealthSignal signal, ActivityView view)
    {
        var label = signal.Label ?? name;
        double? counted = view.EverCounted(Counter.SignalMax(name)) ? view.Max(Counter.SignalMax(name), signal.Days) ?? 0
            : view.EverCounted(Counter.Signal(name)) ? view.Sum(Counter.Signal(name), signal.Days)
            : null;
        if (counted is { } value) return new(value, $"{label}: {Number(value)} in the last {Count(signal.Days, "day")}");
        if (view.Traits.TryGetValue(name, out var trait)) return new(trait.Value, $"{label}: {Number(trait.Value)}");
        return signal.WhenMissing is { } assumed ? new(assumed, $"{label}: none seen, taken as {Number(assumed)}") : null;
    }

    /// <summary>A subscription that came so far as to be one, or a payment.</summary>
    public static bool HasHistory(Customer customer) => customer.FirstPaidAt is not null || customer.Subscriptions.Any(s => s.State != SubscriptionState.Pending);

    /// <summary>Since when the customer is one: first paid, else made in Stripe, else subscribed, else first seen in the app; null where nothing says.</summary>
    public static DateTimeOffset? Since(HealthInput input, ActivityView view) =>
        input.Customer.FirstPaidAt ?? input.Customer.Profile.CreatedAt ?? SubscribedAt(input.Customer) ?? view.FirstEventAt;

    private static DateTimeOffset? SubscribedAt(Customer customer) => customer.Subscriptions.Select(s => (DateTimeOffset?)s.Latest.CreatedAt).Min();

    private static Reading? AgainstBaseline(ActivityView view, string counter, string what)
    {
        if (view.AgainstBaseline(counter) is not { } share) return null;
        var percent = Math.Round(Math.Abs(1 - share) * 100, MidpointRounding.AwayFromZero);
        return new(share * 100, $"{what} {(share < 1 ? "down" : "up")} {Number(percent)} % against the last {ActivityView.BaselineDays} days");
    }

    private static Reading? ActiveDays(ActivityView view)
    {
        if (!view.EverMeasured) return null;
        var of = Math.Clamp(view.MeasuredDays, 1, ActivityView.RecentDays);
        var active = view.ActiveDays(of);
        return new(100.0 * active / of, of == 1 ? $"active on {active} of 1 day" : $"active on {active} of the last {of} days");
    }

    private static Reading? Breadth(ActivityView view)
    {
        // Whoever never reported a feature may have an app that does not report them.
        if (view.FirstUses.Count == 0) return null;
        var used = view.FeaturesUsed(ActivityUpdate.FeatureDaysKept);
        return new(used, $"{(used == 0 ? "no core feature" : Count(used, "core feature"))} used in the last {ActivityUpdate.FeatureDaysKept} days");
    }

    private static Reading? Tickets(ActivityView view)
    {
        // No ticket ever is not good service: it may be a helpdesk that is not connected.
        if (!view.EverCounted(Counter.TicketsOpened)) return null;
        var historyDays = Math.Min(UsualTicketDays, view.EventDays - TicketDays);
        if (historyDays < MinUsualTicketDays) return null;
        var recent = view.Sum(Counter.TicketsOpened, TicketDays);
        var usual = view.Sum(Counter.TicketsOpened, UsualTicketDays, TicketDays) / historyDays * TicketDays;
        // Tickets come like a Poisson process: the deviation is the root of what is usual. At least 1, so that a first ticket is no event.
        var deviations = (recent - usual) / Math.Sqrt(Math.Max(1, usual));
        var usually = Math.Round(usual, 1, MidpointRounding.AwayFromZero);
        return new(deviations, $"{(recent == 0 ? "no tickets" : Count(recent, "ticket"))} in {TicketDays} days where {Number(usually)} {(usually == 1 ? "is" : "are")} usual");
    }

    private static Reading Resolution(double hours) => new(hours, $"tickets take {Count(Math.Round(hours, MidpointRounding.AwayFromZero), "hour")} to resolve");

    private static Reading Satisfaction(double percent) => new(percent, $"satisfaction at {Number(Math.Round(percent, MidpointRounding.AwayFromZero))} %");

    private static Reading? Cancellation(HealthInput input)
    {
        if (!HasHistory(input.Customer)) return null;
        var live = input.Customer.Subscriptions.Where(s => s.State is not (SubscriptionState.Ended or SubscriptionState.Pending)).ToList();
        if (live.Count == 0 || input.Customer.DeletedAt is not null) return new(1, "no subscription is left");
        var ending = live.Where(s => s.EndsAt is not null).ToList();
        if (ending.Count == 0) return new(0, "no cancellation is scheduled");
        var on = Day(ending.Min(s => s.EndsAt!.Value));
        return new((double)ending.Count / live.Count, ending.Count == live.Count ? $"cancels on {on}" : $"{ending.Count} of {live.Count} subscriptions {(ending.Count == 1 ? "ends" : "end")}, first on {on}");
    }

    private static Reading OpenInvoices(HealthInput input)
    {
        var known = input.Invoices.Select(i => i.Id).ToHashSet(StringComparer.Ordinal);
        var failing = input.Invoices.Count(i => i.IsFailing) + input.Customer.FailingInvoices.Count(id => !known.Contains(id));
        var late = input.Invoices.Count(i => !i.IsFailing && IsLate(i, input.Now));
        return new(failing + late, late == 0
            ? $"{Count(failing, "invoice")} open after a failed payment"
            : failing == 0 ? $"{Count(late, "invoice")} overdue" : $"{Count(failing + late, "invoice")} open after a failed payment or overdue");
    }

    // Of invoices that are sent and paid by hand; a charge that failed is failing, not late.
    private static bool IsLate(Invoice invoice, DateTimeOffset now) =>
        invoice.Latest is { CollectionMethod: "send_invoice", Status: "open", DueAt: { } due } && due < now
        && invoice.PaidAt is null && invoice.VoidedAt is null && invoice.UncollectibleAt is null;

    private static Reading FailedPayments(HealthInput input)
    {
        var since = input.Now.AddDays(-RecentDays);
        // By invoice, not by attempt: Stripe's retries of one invoice are one failure.
        var invoices = input.Invoices.Count(i => (i.LastFailedAt ?? i.FirstFailedAt) >= since);
        var failures = Math.Max(invoices, input.Customer.Failures.Any(f => f.At >= since) ? 1 : 0);
        return new(failures, $"{Count(failures, "failed payment")} in the last {RecentDays} days");
    }

    private static Reading PlanMovement(HealthInput input)
    {
        var since = input.Now.AddDays(-RecentDays);
        // Per currency, and of those the worst: two currencies are never added up.
        var net = input.Ledger
            .Where(m => m.At >= since && m.At <= input.Now && m.Kind is (MovementKind.Expansion or MovementKind.Contraction))
            .GroupBy(m => m.Currency, StringComparer.Ordinal)
            .Select(g => (Before: g.MinBy(m => m.At)!, Sum: g.Sum(m => m.Amount)))
            .Select(g => (Before: g.Before.MrrAfter - g.Before.Amount, g.Sum))
            .Where(g => g.Before > 0)
            .Select(g => 100.0 * g.Sum / g.Before)
            .DefaultIfEmpty(0).Min();
        return new(net, net < 0 ? $"plan reduced by {Number(Math.Round(-net, MidpointRounding.AwayFromZero))} % in the last {RecentDays} days" : $"no contraction in the last {RecentDays} days");
    }

    private static Reading? Tenure(HealthInput input)
    {
        if (!HasHistory(input.Customer) || (input.Customer.FirstPaidAt ?? SubscribedAt(input.Customer)) is not { } since) return null;
        var days = Math.Max(0, (input.Now - since).TotalDays);
        return new(days, $"a customer for {Count(Math.Floor(days), "day")}");
    }

    private static Reading Renewal(HealthInput input)
    {
        var days = input.Customer.Subscriptions
            .Where(s => s.State is (SubscriptionState.Active or SubscriptionState.PastDue or SubscriptionState.Trialing) && s.EndsAt is null && IsYearly(s.Latest))
            .Select(s => s.Latest.PeriodEndAt - input.Now)
            .Where(left => left >= TimeSpan.Zero)
            .Select(left => left!.Value.TotalDays)
            .DefaultIfEmpty(double.PositiveInfinity).Min();
        return new(days, double.IsInfinity(days) ? "no yearly renewal ahead" : $"yearly renewal in {Count(Math.Floor(days), "day")}");
    }

    private static bool IsYearly(SubscriptionSnapshot s) => s.Interval == "year" || (s.Interval == "month" && s.IntervalCount >= 12);

    private static Reading? PerEmail(ActivityView view, string counter, string did)
    {
        var sent = view.Sum(Counter.EmailsSent, RecentDays);
        if (sent < MinEmails) return null;
        // Opened twice is not two e-mails.
        var times = Math.Min(sent, view.Sum(counter, RecentDays));
        return new(100 * times / sent, $"{did} {Number(times)} of {Number(sent)} e-mails in the last {RecentDays} days");
    }

    private static Reading? Adoption(HealthInput input, ActivityView view, HealthSettings settings)
    {
        if (view.FirstUses.Count == 0) return null;
        var offered = settings.NewFeatures.Where(f => f.Since.AddDays(AdoptionGraceDays) <= input.AsOf && f.Since.AddDays(NewForDays) > input.AsOf).ToList();
        // A customer who came last week has had no time either.
        if (offered.Count == 0 || view.EventDays <= AdoptionGraceDays) return null;
        var used = offered.Count(f => view.FirstUses.Keys.Any(name => string.Equals(name, Cut(f.Name.Trim()), StringComparison.OrdinalIgnoreCase)));
        return new(100.0 * used / offered.Count, $"{(used == 0 ? "none" : Number(used))} of {Count(offered.Count, "new feature")} used");
    }

    private static string Cut(string name) => name.Length <= ActivityUpdate.MaxFeatureName ? name : name[..ActivityUpdate.MaxFeatureName].TrimEnd();

    private static string Count(double number, string noun) => $"{Number(number)} {noun}{(number == 1 ? "" : "s")}";

    private static string Number(double number) => number.ToString("0.###", CultureInfo.InvariantCulture);

    private static string Day(DateTimeOffset at) => at.UtcDateTime.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);
}
