using RetentionFunctions.Flows;

namespace RetentionFunctions.Intake.Mail;

/// <summary>What the mail provider reports of one of our e-mails.</summary>
/// <param name="Id">The provider's id of the event (<c>sg_event_id</c>): the same in every copy.</param>
/// <param name="Type">What happened.</param>
/// <param name="At">When, to the second, UTC.</param>
/// <param name="Run">The run that the e-mail is of.</param>
/// <param name="Step">Its step, from 1.</param>
public sealed record MailEvent(string Id, MailEventType Type, DateTimeOffset At, RunId Run, int Step)
{
    /// <summary>What the provider or the other mail server said; null where nothing.</summary>
    public string? Reason { get; init; }

    /// <summary>A hash of the link that was clicked; null for other events.</summary>
    public string? Link { get; init; }

    /// <summary>The provider itself says that no person opened it (<c>sg_machine_open</c>).</summary>
    public bool ByMachine { get; init; }

    /// <summary>The id under which the provider took the e-mail; null where it is not said, as for bounces that come later.</summary>
    public string? ProviderId { get; init; }
}

/// <summary>What happened to an e-mail, in SendGrid's order: first what becomes of it, then what is done with it.</summary>
public enum MailEventType
{
    /// <summary>The provider began with it.</summary>
    Processed,

    /// <summary>The other mail server wants it later; the provider tries again by itself.</summary>
    Deferred,

    /// <summary>The other mail server took it.</summary>
    Delivered,

    /// <summary>It came back for good: <c>bounce</c> of the type <c>bounce</c>.</summary>
    Bounce,

    /// <summary>It came back for now: <c>bounce</c> of the type <c>blocked</c>, or of another.</summary>
    Block,

    /// <summary>The provider did not send it.</summary>
    Dropped,

    /// <summary>It was opened, by whomever.</summary>
    Open,

    /// <summary>A link in it was clicked, by whomever.</summary>
    Click,

    /// <summary>The customer reported it as spam.</summary>
    SpamReport,

    /// <summary>The customer unsubscribed at the provider.</summary>
    Unsubscribe,

    /// <summary>The customer unsubscribed from one of the provider's groups.</summary>
    GroupUnsubscribe,
}
