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

    /// <summary>When the row was last changed.</summary>
    public required DateTimeOffset At { get; init; }

    /// <summary>What became of it.</summary>
    public required MailResult Result { get; init; }

    /// <summary>What the provider said, where it said no or nothing.</summary>
    public string? Reason { get; init; }

    /// <summary>How often it was tried.</summary>
    public int Attempts { get; init; }

    /// <summary>The provider's id of the message.</summary>
    public string? ProviderId { get; init; }
}
