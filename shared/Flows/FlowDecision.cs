using RetentionFunctions.Customers;
using RetentionFunctions.Email;

namespace RetentionFunctions.Flows;

/// <summary>What a run does now.</summary>
public abstract record FlowDecision
{
    private FlowDecision() { }

    /// <summary>Send this step now.</summary>
    /// <param name="Step">From 1.</param>
    public sealed record Send(int Step) : FlowDecision;

    /// <summary>Nothing before this time.</summary>
    /// <param name="At">When to look again.</param>
    public sealed record Wait(DateTimeOffset At) : FlowDecision;

    /// <summary>It is over.</summary>
    /// <param name="Outcome">How it ended.</param>
    /// <param name="Because">In words.</param>
    public sealed record End(RunOutcome Outcome, string Because) : FlowDecision;

    // Two steps are never closer than this; and one marketing e-mail a day per customer.
    private static readonly TimeSpan Apart = TimeSpan.FromHours(24);

    /// <summary>
    /// Decides from the state as it is now, whatever woke the run: first whether the reason for it still stands, then when the next step is due.
    /// Offsets count from the first send; the window only delays.
    /// </summary>
    public static FlowDecision Decide(Run run, FlowSubject subject, DateTimeOffset now)
    {
        if (Over(run, subject, now) is { } end) return end;
        var done = run.Sent.Count;
        if (done >= run.Definition.Steps.Count) return new End(RunOutcome.Completed, "all e-mails were sent");

        var earliest = done == 0
            ? run.NotBefore ?? run.StartedAt
            : Later(run.Sent[0].At.AddDays(run.Definition.Steps[done].Day * Stretch(run, subject)), run.Sent[^1].At + Apart);
        if (run.Definition.Kind == MailKind.Marketing && !run.Preview && subject.Customer.LastMarketingMailAt is { } last) earliest = Later(earliest, last + Apart);

        var due = SendTime.Next(Later(earliest, now), run.Definition.Window, subject.Zone);
        return due <= now ? new Send(done + 1) : new Wait(due);
    }

    /// <summary>How far the steps are stretched so that the last one falls at the end of the time in which Stripe retries; never under 1.</summary>
    public static double Stretch(Run run, FlowSubject subject) => Stretch(run.Definition, subject.Invoice, subject.RetryWindowDays);

    /// <summary>The same for whoever asks later.</summary>
    internal static double Stretch(FlowDefinition definition, Invoice? invoice, int? retryWindowDays)
    {
        var last = definition.Steps.Count == 0 ? 0 : definition.Steps[^1].Day;
        if (definition.Trigger != FlowTrigger.FailedPayment || last <= 0) return 1;
        var days = retryWindowDays ?? (invoice is { FarthestAttemptAt: { } farthest, FirstFailedAt: { } first } ? (farthest - first).TotalDays : 0);
        return Math.Max(1, days / last);
    }

    private static End? Over(Run run, FlowSubject subject, DateTimeOffset now)
    {
        var customer = subject.Customer;
        if (run.StopRequestedAt is not null) return new End(RunOutcome.Stopped, "stopped by hand");
        if (customer.DeletedAt is not null) return new End(RunOutcome.Canceled, "the customer was deleted");
        var over = run.Definition.Trigger == FlowTrigger.FailedPayment ? PaymentOver(subject, now) : InactivityOver(run, subject, now);
        if (over is not null) return over;
        if (run.Definition.Kind == MailKind.Marketing && customer.Unsubscribed is { } unsubscribed) return new End(RunOutcome.Unsubscribed, unsubscribed.Reason);
        if (customer.Suppressed is { } suppressed) return new End(RunOutcome.Suppressed, suppressed.Reason);
        return customer.Email is null ? new End(RunOutcome.Suppressed, "no e-mail address is known") : null;
    }

    private static End? PaymentOver(FlowSubject subject, DateTimeOffset now)
    {
        if (subject.Invoice?.SettledAt is { } paid) return new End(RunOutcome.Paid, $"the invoice was paid on {paid:yyyy-MM-dd}");
        if (subject.Invoice?.VoidedAt is not null) return new End(RunOutcome.NoLongerDue, "the invoice was voided");
        if (subject.Invoice?.UncollectibleAt is not null) return new End(RunOutcome.NoLongerDue, "the invoice was given up");
        var subscription = subject.Customer.Subscriptions.FirstOrDefault(s => s.Latest.SubscriptionId == subject.Invoice?.Latest?.SubscriptionId);
        if (subscription?.State == SubscriptionState.Ended || subject.Customer.Status == CustomerStatus.Canceled) return new End(RunOutcome.Canceled, "the subscription ended");
        return IsPaused(subject, now) ? new End(RunOutcome.Paused, "the customer paused") : null;
    }

    private static End? InactivityOver(Run run, FlowSubject subject, DateTimeOffset now)
    {
        var customer = subject.Customer;
        // Who still comes but less is back when use has recovered; who was silent is back with the first sign-in.
        if (run.UseFell && subject.UseAgainstBaseline > subject.UseFellTo) return new End(RunOutcome.Returned, "use has recovered");
        if (Latest(run.UseFell ? null : subject.LastActiveAt, customer.ReturnedAt) is { } back && back > run.StartedAt) return new End(RunOutcome.Returned, $"the customer came back on {back:yyyy-MM-dd}");
        if (IsPaused(subject, now)) return new End(RunOutcome.Paused, "the customer paused");
        if (customer.FailingInvoices.Count > 0 || customer.Status == CustomerStatus.PastDue) return new End(RunOutcome.PaymentFailed, "a payment failed: dunning goes first");
        if (customer.Status != CustomerStatus.Paying) return new End(RunOutcome.Canceled, "the customer no longer pays");
        return customer.Subscriptions.Where(s => s.Mrr > 0).All(s => s.EndsAt is not null) ? new End(RunOutcome.Canceled, "the cancellation is scheduled") : null;
    }

    // A pause of the "void" kind begins only with the next period, and one that was just asked for comes back as Stripe's event: both count at once.
    private static bool IsPaused(FlowSubject subject, DateTimeOffset now) =>
        Pausing.Of(subject.Customer, now) is PauseChoice.Paused;

    private static DateTimeOffset Later(DateTimeOffset a, DateTimeOffset b) => a > b ? a : b;

    private static DateTimeOffset? Latest(DateTimeOffset? a, DateTimeOffset? b) => a is null ? b : b is null ? a : Later(a.Value, b.Value);
}

/// <summary>What a decision about a run looks at.</summary>
public sealed record FlowSubject
{
    /// <summary>The customer now.</summary>
    public required Customer Customer { get; init; }

    /// <summary>The latest sign-in or core use.</summary>
    public DateTimeOffset? LastActiveAt { get; init; }

    /// <summary>Use against the customer's own baseline, as a share; null where too little is known.</summary>
    public double? UseAgainstBaseline { get; init; }

    /// <summary>The share at or below which use has fallen too far (setting).</summary>
    public double UseFellTo { get; init; }

    /// <summary>The invoice that the run is about.</summary>
    public Invoice? Invoice { get; init; }

    /// <summary>The customer's time zone, else the business's.</summary>
    public required TimeZoneInfo Zone { get; init; }

    /// <summary>How long the account retries, where the founder set it.</summary>
    public int? RetryWindowDays { get; init; }

    /// <summary>Puts together what was read.</summary>
    public static FlowSubject Of(CustomerView view, Invoice? invoice, Settings.RetentionSettings settings, DateTimeOffset now) => new()
    {
        Customer = view.Customer,
        LastActiveAt = view.Activities.Max(a => a.LastActiveAt),
        UseAgainstBaseline = Health.ActivityView.Of(view.Activities, now).UseAgainstBaseline,
        UseFellTo = settings.Flows.UseFellTo,
        Invoice = invoice,
        Zone = SendTime.Zone(view.Customer.TimeZone, settings.Product.TimeZone),
        RetryWindowDays = settings.Flows.RetryWindowDays,
    };
}
