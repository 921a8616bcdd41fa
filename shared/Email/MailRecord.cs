using RetentionFunctions.Flows;

namespace RetentionFunctions.Email;

/// <summary>The send-once ledger: inserted before the send, settled after it. One row by run and step.</summary>
public sealed record MailRecord
{
    /// <summary>The id of the e-mail.</summary>
    public required string Id { get; init; }

    /// <summary>The customer.</summary>
    public required string CustomerId { get; init; }

    /// <summary>The flow.</summary>
    public required string Flow { get; init; }

    /// <summary>What the run is keyed to.</summary>
    public required string Occasion { get; init; }

    /// <summary>The step, from 1.</summary>
    public required int Step { get; init; }

    /// <summary>The template.</summary>
    public required string Template { get; init; }

    /// <summary>The subject as sent.</summary>
    public required string Subject { get; init; }

    /// <summary>The address as sent.</summary>
    public required string To { get; init; }

    /// <summary>When the sender last changed the row; what the provider's events say changes it no more.</summary>
    public required DateTimeOffset At { get; init; }

    /// <summary>What became of it.</summary>
    public required MailResult Result { get; init; }

    /// <summary>What the provider said, where it said no or nothing.</summary>
    public string? Reason { get; init; }

    /// <summary>How often it was tried.</summary>
    public int Attempts { get; init; }

    /// <summary>The provider's id of the message.</summary>
    public string? ProviderId { get; init; }

    /// <summary>When the provider began with it; null where it does not say.</summary>
    public DateTimeOffset? ProcessedAt { get; init; }

    /// <summary>When the customer's mail server took it; null where nobody said so.</summary>
    public DateTimeOffset? DeliveredAt { get; init; }

    /// <summary>The earliest event that proves that it left the provider: delivered, bounced, opened by anybody, clicked, reported, unsubscribed by.</summary>
    public DateTimeOffset? ProvenAt { get; init; }

    /// <summary>The first time that the customer, and no machine, opened it or clicked in it (<see cref="Engagement"/>).</summary>
    public DateTimeOffset? OpenedAt { get; init; }

    /// <summary>The first time that the customer, and no machine, clicked in it.</summary>
    public DateTimeOffset? ClickedAt { get; init; }

    /// <summary>It came back, for good or for now.</summary>
    public MailTrouble? Bounced { get; init; }

    /// <summary>The provider took it and then did not send it.</summary>
    public MailTrouble? Dropped { get; init; }

    /// <summary>
    /// The opens and clicks that may be the customer's, in order of time: what <see cref="OpenedAt"/> and <see cref="ClickedAt"/> are derived from, anew with
    /// every event. At most <see cref="MailFacts.TouchesKept"/> of each kind, the earliest. Null where there are none.
    /// </summary>
    public IReadOnlyList<MailTouch>? Touches { get; init; }
}

/// <summary>Why an e-mail did not arrive.</summary>
/// <param name="At">When.</param>
/// <param name="Reason">What the provider said, in one line.</param>
public sealed record MailTrouble(DateTimeOffset At, string Reason);

/// <summary>Something opened an e-mail or clicked in it.</summary>
/// <param name="At">When, to the second.</param>
/// <param name="Link">A hash of the link that was clicked: the link itself is a secret of the customer's. Null for an open.</param>
public sealed record MailTouch(DateTimeOffset At, string? Link = null);
