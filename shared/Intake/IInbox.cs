namespace RetentionFunctions.Intake;

/// <summary>
/// The durable queue between receiving and handling. Messages of one session are handled one after another, in the order in which they
/// were enqueued; of different sessions at the same time. A message id that is still queued is queued once. Handling is at least once.
/// </summary>
public interface IInbox
{
    /// <summary>Returns when all messages are durably kept. All or none.</summary>
    Task EnqueueAsync(IReadOnlyList<InboxMessage> messages, CancellationToken cancel = default);
}

/// <summary>One message of the inbox.</summary>
/// <param name="Session">What is handled in order: the customer or the app user. Adapters may hash it into fewer sessions.</param>
/// <param name="Id">Unique by what it carries: the id of the Stripe event, the user and message id of an app event.</param>
/// <param name="Kind">Which reader it is for.</param>
/// <param name="Body">What came in, as it came in; or, with <see cref="BodyStored"/>, the key of the body in the tables.</param>
/// <param name="ReceivedAt">When it came in, UTC.</param>
public sealed record InboxMessage(string Session, string Id, MessageKind Kind, ReadOnlyMemory<byte> Body, DateTimeOffset ReceivedAt)
{
    /// <summary>The body was over 200 KB: <see cref="Body"/> is the id under which its chunks are stored.</summary>
    public bool BodyStored { get; init; }

    /// <summary>
    /// Put back by hand: unique to this replay. A queue that remembers the ids of what it carried (Service Bus) must take the same id again then; null for what comes
    /// through the doors.
    /// </summary>
    public string? Replay { get; init; }
}

/// <summary>Which reader a message is for. A stored format.</summary>
public enum MessageKind
{
    /// <summary>A Stripe event, verified at the door.</summary>
    StripeEvent,

    /// <summary>One item of Segment's HTTP API.</summary>
    AppEvent,

    /// <summary>What the mail provider reports of one customer's e-mails, verified at the door.</summary>
    MailEvent,

    /// <summary>The next step of a job of our own.</summary>
    Job,

    /// <summary>What Stripe's lists say of the past or the present, fed by the backfill or the reconcile.</summary>
    StripeHistory,
}
