using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using RetentionFunctions.Storage;

namespace RetentionFunctions.Intake.App;

/// <summary>How app events lie in the inbox: those that one request brought of one user in one message, as an array. A stored format.</summary>
public static class AppMessages
{
    /// <summary>Most events in one message: with their markers and the row they are counted in they fit into one batch (<see cref="TableLimits.BatchRows"/>).</summary>
    public const int MostEvents = 50;

    // Well below what a queue carries itself, so that only a single event of that size is stored beside the queue.
    private const int MostBytes = BodyStore.QueueBytes * 3 / 4;

    /// <summary>The messages for the events of one request, the users in the order of their first event. The same request gives the same ids again.</summary>
    /// <param name="events">What was accepted; of several with one message id the first counts.</param>
    /// <param name="receivedAt">When the request came in.</param>
    public static IReadOnlyList<InboxMessage> Of(IEnumerable<AppEvent> events, DateTimeOffset receivedAt)
    {
        var messages = new List<InboxMessage>();
        foreach (var user in events.GroupBy(e => e.UserId, StringComparer.Ordinal))
        {
            var part = new List<(AppEvent Event, ReadOnlyMemory<byte> Json)>();
            var bytes = 0;
            foreach (var one in user.DistinctBy(e => e.MessageId, StringComparer.Ordinal))
            {
                var json = TablesExtensions.Write(one);
                if (part.Count > 0 && (part.Count == MostEvents || bytes + json.Length > MostBytes))
                {
                    messages.Add(Message(user.Key, part, bytes, receivedAt));
                    part.Clear();
                    bytes = 0;
                }
                part.Add((one, json));
                bytes += json.Length + 1;
            }
            messages.Add(Message(user.Key, part, bytes, receivedAt));
        }
        return messages;
    }

    /// <summary>The events of a message; all of one user. Also of the messages of earlier versions, which held one event each.</summary>
    /// <exception cref="UnreadableException">It is not one of ours.</exception>
    public static IReadOnlyList<AppEvent> Read(ReadOnlyMemory<byte> body)
    {
        List<AppEvent>? events;
        try
        {
            events = body.Span is [(byte)'[', ..]
                ? JsonSerializer.Deserialize<List<AppEvent>>(body.Span, TablesExtensions.Json)
                : JsonSerializer.Deserialize<AppEvent>(body.Span, TablesExtensions.Json) is { } one ? [one] : null;
        }
        catch (JsonException e)
        {
            throw new UnreadableException($"The queued app event is not readable: {e.Message}", e);
        }
        if (events is not { Count: > 0 } || events.Contains(null!)) throw new UnreadableException("The queued app event is null.");
        if (events.Any(e => e.UserId != events[0].UserId)) throw new UnreadableException("The queued app events are of several users.");
        return events;
    }

    private static InboxMessage Message(string userId, List<(AppEvent Event, ReadOnlyMemory<byte> Json)> part, int bytes, DateTimeOffset receivedAt)
    {
        var body = new byte[bytes + 1];
        var at = 0;
        foreach (var (_, json) in part)
        {
            body[at++] = (byte)(at == 1 ? '[' : ',');
            json.CopyTo(body.AsMemory(at));
            at += json.Length;
        }
        body[at] = (byte)']';
        // A lone event keeps the id that it is known by on the pages; of several the id is short, whatever theirs are.
        var id = part.Count == 1 ? part[0].Event.MessageId
            : $"{part.Count}:{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\n', part.Select(p => p.Event.MessageId)))), 0, 16)}";
        return new InboxMessage($"user:{userId}", $"{userId}:{id}", MessageKind.AppEvent, body, receivedAt);
    }
}
