namespace RetentionFunctions.Email;

/// <summary>Sends one e-mail.</summary>
public interface IMailer
{
    /// <summary>
    /// True where sending the same <see cref="OutgoingEmail.Id"/> twice delivers once. An e-mail that a crash left between "about to be sent" and
    /// "sent" is then simply sent again; elsewhere its fate is <see cref="MailOutcome.Unknown"/> and it is never sent again blindly.
    /// </summary>
    bool Deduplicates { get; }

    /// <summary>Sends it and says what became of it. An exception means the same as <see cref="MailOutcome.Unknown"/>.</summary>
    Task<MailOutcome> SendAsync(OutgoingEmail email, CancellationToken cancel = default);
}

/// <summary>What became of a send.</summary>
public abstract record MailOutcome
{
    private MailOutcome() { }

    /// <summary>The provider has it.</summary>
    /// <param name="ProviderId">The provider's id of the message, where it gives one.</param>
    public sealed record Accepted(string? ProviderId = null) : MailOutcome;

    /// <summary>The provider will never take it (a bad address, a suppressed recipient).</summary>
    /// <param name="Reason">What the provider said.</param>
    public sealed record Refused(string Reason) : MailOutcome;

    /// <summary>It certainly was not sent; try again later (throttled, provider down before it took anything).</summary>
    /// <param name="Reason">What happened.</param>
    public sealed record NotSent(string Reason) : MailOutcome;

    /// <summary>It may have gone (a connection lost after the request went out).</summary>
    /// <param name="Reason">What happened.</param>
    public sealed record Unknown(string Reason) : MailOutcome;
}

/// <summary>Marketing needs the customer's leave and an unsubscribe link; transactional is about a payment that is due.</summary>
public enum MailKind
{
    /// <summary>Win-back, tips, offers.</summary>
    Marketing,

    /// <summary>Dunning, confirmations.</summary>
    Transactional,
}

/// <summary>A name and an address.</summary>
/// <param name="Name">Shown name; may be empty.</param>
/// <param name="Address">The e-mail address.</param>
public sealed record Mailbox(string Name, string Address);

/// <summary>One e-mail, ready to go.</summary>
public sealed record OutgoingEmail
{
    /// <summary>Unique by run and step.</summary>
    public required string Id { get; init; }

    /// <summary>The customer it is for.</summary>
    public required string CustomerId { get; init; }

    /// <summary>The flow, for example <c>dunning</c>.</summary>
    public required string Flow { get; init; }

    /// <summary>What the run is keyed to.</summary>
    public required string Occasion { get; init; }

    /// <summary>The step of the flow, from 1.</summary>
    public required int Step { get; init; }

    /// <summary>The name of its template.</summary>
    public required string Template { get; init; }

    /// <summary>Marketing or transactional.</summary>
    public required MailKind Kind { get; init; }

    /// <summary>The recipient.</summary>
    public required Mailbox To { get; init; }

    /// <summary>The sender.</summary>
    public required Mailbox From { get; init; }

    /// <summary>Where answers go; the sender where null.</summary>
    public Mailbox? ReplyTo { get; init; }

    /// <summary>One line, no control characters.</summary>
    public required string Subject { get; init; }

    /// <summary>The HTML part.</summary>
    public required string Html { get; init; }

    /// <summary>The plain-text part.</summary>
    public required string Text { get; init; }

    /// <summary>Further headers: List-Unsubscribe and List-Unsubscribe-Post of marketing mail (RFC 8058).</summary>
    public IReadOnlyDictionary<string, string> Headers { get; init; } = new Dictionary<string, string>();

    /// <summary>The links of the body by purpose (<c>pay</c>, <c>pause</c>, <c>unsubscribe</c> …).</summary>
    public IReadOnlyDictionary<string, string> Links { get; init; } = new Dictionary<string, string>();
}
