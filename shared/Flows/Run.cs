namespace RetentionFunctions.Flows;

/// <summary>One run of a flow for one customer: one row.</summary>
public sealed record Run
{
    /// <summary>Its name.</summary>
    public required RunId Id { get; init; }

    /// <summary>The definition it started with.</summary>
    public required FlowDefinition Definition { get; init; }

    /// <summary>When it was started.</summary>
    public required DateTimeOffset StartedAt { get; init; }

    /// <summary>The invoice that it is about, for dunning.</summary>
    public string? InvoiceId { get; init; }

    /// <summary>It was started because use fell, not because of silence: then a sign-in alone is no return, use that recovered is.</summary>
    public bool UseFell { get; init; }

    /// <summary>Why, in words.</summary>
    public required string Because { get; init; }

    /// <summary>The customer's MRR at the start, in minor units by currency. Null in rows of before it was kept.</summary>
    public IReadOnlyDictionary<string, long>? Mrr { get; init; }

    /// <summary>When the sweep first saw that the customer was back, in the time in which that counts (<see cref="FlowResults"/>): activity itself is kept for 90 days only.</summary>
    public DateTimeOffset? SucceededAt { get; init; }

    /// <summary>When the sweep saw that this time was over: what came of it stands. Null before, and in rows of before it was looked at.</summary>
    public DateTimeOffset? SettledAt { get; init; }

    /// <summary>Where it is.</summary>
    public RunStatus Status { get; init; }

    /// <summary>What was sent, in order.</summary>
    public IReadOnlyList<SentStep> Sent { get; init; } = [];

    /// <summary>When it looks again.</summary>
    public DateTimeOffset? DueAt { get; init; }

    /// <summary>The earliest moment of the first e-mail: two days later where the founder writes first.</summary>
    public DateTimeOffset? NotBefore { get; init; }

    /// <summary>The founder asked to stop it.</summary>
    public DateTimeOffset? StopRequestedAt { get; init; }

    /// <summary>How it ended.</summary>
    public RunOutcome? Outcome { get; init; }

    /// <summary>When it ended.</summary>
    public DateTimeOffset? EndedAt { get; init; }

    /// <summary>How it ended, in words.</summary>
    public string? EndedBecause { get; init; }

    /// <summary>It lists what it would send and sends nothing (<c>flows.mode: preview</c>).</summary>
    public bool Preview { get; init; }
}

/// <summary>Where a run is.</summary>
public enum RunStatus
{
    /// <summary>The row stands; the engine may not know of it yet.</summary>
    Starting,

    /// <summary>The engine keeps time for it.</summary>
    Running,

    /// <summary>Over, for good.</summary>
    Ended,
}

/// <summary>How a run ended.</summary>
public enum RunOutcome
{
    /// <summary>All e-mails went out and nothing came of it within the time.</summary>
    Completed,

    /// <summary>The invoice was paid.</summary>
    Paid,

    /// <summary>The customer came back.</summary>
    Returned,

    /// <summary>The customer paused.</summary>
    Paused,

    /// <summary>The customer cancelled, or will.</summary>
    Canceled,

    /// <summary>The customer wants no more such e-mails.</summary>
    Unsubscribed,

    /// <summary>No e-mail can reach the customer, or there is no address.</summary>
    Suppressed,

    /// <summary>The founder stopped it.</summary>
    Stopped,

    /// <summary>The invoice was voided or given up.</summary>
    NoLongerDue,

    /// <summary>A payment failed: dunning goes first.</summary>
    PaymentFailed,

    /// <summary>Held out, to compare with.</summary>
    HeldOut,
}

/// <summary>One step of a run that is done.</summary>
/// <param name="Step">From 1.</param>
/// <param name="Template">The template.</param>
/// <param name="At">When.</param>
/// <param name="Result">What became of it.</param>
public sealed record SentStep(int Step, string Template, DateTimeOffset At, MailResult Result)
{
    /// <summary>When the customer's mail server took it; null where nobody said so.</summary>
    public DateTimeOffset? DeliveredAt { get; init; }

    /// <summary>When the customer first opened it or clicked in it; scanners do not count.</summary>
    public DateTimeOffset? OpenedAt { get; init; }

    /// <summary>When the customer first clicked in it; scanners do not count.</summary>
    public DateTimeOffset? ClickedAt { get; init; }

    /// <summary>The step as the row of its e-mail has it.</summary>
    internal static SentStep Of(Email.MailRecord mail) => new(mail.Step, mail.Template, mail.At, mail.Result) { DeliveredAt = mail.DeliveredAt, OpenedAt = mail.OpenedAt, ClickedAt = mail.ClickedAt };
}

/// <summary>What became of an e-mail. A stored format.</summary>
public enum MailResult
{
    /// <summary>About to be sent.</summary>
    Sending,

    /// <summary>Certainly not sent; tried again later.</summary>
    NotSent,

    /// <summary>The provider has it.</summary>
    Accepted,

    /// <summary>The provider will not take it.</summary>
    Refused,

    /// <summary>It may have gone: never sent again blindly.</summary>
    Unknown,

    /// <summary>Only listed (<c>flows.mode: preview</c>).</summary>
    Previewed,
}

/// <summary>A run whose end in good or ill is not known yet, as the customer's row carries it, so that the sweep knows where to look.</summary>
/// <param name="Flow">The flow.</param>
/// <param name="Occasion">What it is keyed to.</param>
public sealed record WatchedRun(string Flow, string Occasion);

/// <summary>An open run, as the customer's row carries it, so that one read tells what may be woken.</summary>
/// <param name="Flow">The flow.</param>
/// <param name="Occasion">What it is keyed to.</param>
/// <param name="Kind">Marketing flows exclude each other.</param>
public sealed record OpenRun(string Flow, string Occasion, Email.MailKind Kind);
