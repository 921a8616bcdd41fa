using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using RetentionFunctions.Intake;

namespace RetentionFunctions.Functions;

/// <summary>How a message of the inbox lies in the queue. A stored format: messages may wait while a new version is deployed.</summary>
/// <param name="MessageId">By which the queue knows copies.</param>
/// <param name="SessionId">One of <see cref="Sessions"/>.</param>
/// <param name="Properties">What the message says of itself.</param>
/// <param name="Body">Its body as it came in, or the key of it.</param>
public sealed record InboxEnvelope(string MessageId, string? SessionId, IReadOnlyDictionary<string, object> Properties, ReadOnlyMemory<byte> Body)
{
    /// <summary>
    /// Into so many sessions customers are hashed. A session per customer would crawl: the host serves a set number of sessions at a time and holds each for some
    /// seconds after its last message. The same number as <c>maxConcurrentSessions</c> in host.json, so none ever waits for another.
    /// </summary>
    public const int Sessions = 64;

    // The most that Service Bus takes as a message id.
    private const int MostMessageId = 128;

    /// <summary>The envelope of a message.</summary>
    /// <exception cref="ArgumentException">It has no session or no id.</exception>
    public static InboxEnvelope Of(InboxMessage message)
    {
        ArgumentException.ThrowIfNullOrEmpty(message.Session);
        ArgumentException.ThrowIfNullOrEmpty(message.Id);
        var properties = new Dictionary<string, object>(StringComparer.Ordinal)
        {
            ["id"] = message.Id,
            ["session"] = message.Session,
            ["kind"] = message.Kind.ToString(),
            ["receivedAt"] = message.ReceivedAt.ToString("O", CultureInfo.InvariantCulture),
        };
        if (message.BodyStored) properties["bodyStored"] = true;
        if (message.Replay is { } replay) properties["replay"] = replay;
        return new InboxEnvelope(IdOf(message), SessionOf(message.Session), properties, message.Body);
    }

    /// <summary>The message of an envelope. One that is not of ours is still read, as of no known kind: it ends among the dead letters, with its body.</summary>
    /// <param name="enqueuedAt">When the queue took it, which stands for a missing time of receipt.</param>
    public InboxMessage Read(DateTimeOffset enqueuedAt)
    {
        var id = Text("id") ?? MessageId;
        return new InboxMessage(
            Text("session") ?? (string.IsNullOrEmpty(SessionId) ? id : SessionId),
            id,
            Enum.TryParse<MessageKind>(Text("kind"), out var kind) && Enum.IsDefined(kind) ? kind : (MessageKind)(-1),
            Body,
            DateTimeOffset.TryParseExact(Text("receivedAt"), "O", CultureInfo.InvariantCulture, DateTimeStyles.RoundtripKind, out var at) ? at : enqueuedAt)
        {
            BodyStored = Properties.GetValueOrDefault("bodyStored") is true,
            Replay = Text("replay"),
        };
    }

    /// <summary>The session of a customer or app user, the same for ever and in every process.</summary>
    public static string SessionOf(string session) => (SHA256.HashData(Encoding.UTF8.GetBytes(session))[0] % Sessions).ToString("D2", CultureInfo.InvariantCulture);

    // A replay is a message of its own: the queue still remembers the id of the one that died. Each death of a message has its own letter, and a replay that
    // is asked for twice is one.
    private static string IdOf(InboxMessage message)
    {
        var id = message.Replay is null ? message.Id : $"{message.Id}|{message.Replay}";
        return id.Length <= MostMessageId ? id : $"sha256-{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(id)))}";
    }

    private string? Text(string name) => Properties.GetValueOrDefault(name) as string;
}
