namespace RetentionFunctions.Customers;

/// <summary>A note on a customer: one row, at <see cref="Storage.Keys.Note"/>.</summary>
public sealed record Note
{
    /// <summary>Unique among the customer's notes, and derived from what it is about, so that writing it twice leaves one.</summary>
    public required string Id { get; init; }

    /// <summary>When it was written.</summary>
    public required DateTimeOffset At { get; init; }

    /// <summary><c>answer</c>: what the customer answered to an e-mail; <c>task</c>: what the founder should do, such as to write personally.</summary>
    public required string Kind { get; init; }

    /// <summary>What it says. Written by people: encode it wherever it is shown.</summary>
    public required string Text { get; init; }

    /// <summary>Who wrote it, in words: "the customer, by win-back e-mail 4".</summary>
    public required string By { get; init; }

    /// <summary>When the founder said that it is dealt with; null while it is open.</summary>
    public DateTimeOffset? DoneAt { get; init; }
}
