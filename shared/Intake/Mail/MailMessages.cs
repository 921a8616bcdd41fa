using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Unicode;

namespace RetentionFunctions.Intake.Mail;

/// <summary>What one request of the mail provider becomes.</summary>
/// <param name="Messages">For the inbox.</param>
/// <param name="Events">How many events are in them.</param>
/// <param name="Unknown">Events about no e-mail of ours: others may send by the same account.</param>
/// <param name="Unhandled">How many there are of each type with which nothing is done.</param>
public sealed record MailRequest(IReadOnlyList<InboxMessage> Messages, int Events, int Unknown, IReadOnlyDictionary<string, int> Unhandled);

/// <summary>
/// How the provider's events lie in the inbox: those that one request brought of one customer in one message, as an array, each as it came. A stored format.
/// The session is the customer's, as for Stripe's events, so that they are handled one after another.
/// </summary>
public static class MailMessages
{
    /// <summary>Most events in one message: with their markers and the rows that they change they fit into one batch (<see cref="Storage.TableLimits.BatchRows"/>).</summary>
    public const int MostEvents = 50;

    // Well below what a queue carries itself.
    private const int MostBytes = BodyStore.QueueBytes * 3 / 4;

    /// <summary>The messages for a request's body. The same request gives the same ids again.</summary>
    /// <param name="body">An array of events.</param>
    /// <param name="receivedAt">When it came in.</param>
    /// <exception cref="UnreadableException">It is not an array.</exception>
    public static MailRequest Of(ReadOnlyMemory<byte> body, DateTimeOffset receivedAt)
    {
        using var document = Parse(body);
        var unknown = 0;
        var unhandled = new Dictionary<string, int>(StringComparer.Ordinal);
        var byCustomer = new Dictionary<string, List<(string Id, string Json)>>(StringComparer.Ordinal);
        var messages = new List<InboxMessage>();
        foreach (var item in document.RootElement.EnumerateArray())
        {
            if (MailEventReader.MailOf(item) is not (var run, _))
            {
                unknown++;
                continue;
            }
            try
            {
                if (MailEventReader.Read(item) is not { } read)
                {
                    var type = Name(item.GetProperty("event").GetString()!);
                    unhandled[type] = unhandled.GetValueOrDefault(type) + 1;
                    continue;
                }
                if (!byCustomer.TryGetValue(run.CustomerId, out var own)) byCustomer[run.CustomerId] = own = [];
                if (own.All(e => e.Id != read.Id)) own.Add((read.Id, item.GetRawText()));
            }
            catch (UnreadableException)
            {
                // Alone, so that it takes no good one with it; behind the inbox it becomes a dead letter with its body.
                messages.Add(Message(run.CustomerId, [("unreadable", item.GetRawText())], receivedAt));
            }
        }
        var events = messages.Count;
        foreach (var (customer, own) in byCustomer)
        {
            events += own.Count;
            messages.AddRange(Parts(own).Select(part => Message(customer, part, receivedAt)));
        }
        return new MailRequest([.. messages.DistinctBy(m => m.Id)], events, unknown, unhandled);
    }

    /// <summary>The events of a message; all of one customer.</summary>
    /// <exception cref="UnreadableException">It is not one of ours, or an event of it cannot be read.</exception>
    public static IReadOnlyList<MailEvent> Read(ReadOnlyMemory<byte> body)
    {
        using var document = Parse(body);
        var events = document.RootElement.EnumerateArray().Select(MailEventReader.Read).OfType<MailEvent>().ToList();
        if (events.Any(e => e.Run.CustomerId != events[0].Run.CustomerId)) throw new UnreadableException("The queued events of e-mails are of several customers.");
        return events;
    }

    private static JsonDocument Parse(ReadOnlyMemory<byte> body)
    {
        if (!Utf8.IsValid(body.Span)) throw new UnreadableException("The body is not UTF-8: SendGrid sends an array of events as JSON.");
        JsonDocument document;
        try
        {
            document = JsonDocument.Parse(body);
        }
        catch (JsonException e)
        {
            throw new UnreadableException($"The body is not JSON: SendGrid sends an array of events. {e.Message}", e);
        }
        if (document.RootElement.ValueKind == JsonValueKind.Array) return document;
        document.Dispose();
        throw new UnreadableException("The body is not an array of events, as SendGrid's Event Webhook sends them.");
    }

    private static IEnumerable<List<(string Id, string Json)>> Parts(List<(string Id, string Json)> all)
    {
        var part = new List<(string Id, string Json)>();
        var bytes = 0;
        foreach (var one in all)
        {
            var length = Encoding.UTF8.GetByteCount(one.Json) + 1;
            if (part.Count > 0 && (part.Count == MostEvents || bytes + length > MostBytes))
            {
                yield return part;
                part = [];
                bytes = 0;
            }
            part.Add(one);
            bytes += length;
        }
        if (part.Count > 0) yield return part;
    }

    private static InboxMessage Message(string customerId, List<(string Id, string Json)> part, DateTimeOffset receivedAt)
    {
        var body = Encoding.UTF8.GetBytes($"[{string.Join(',', part.Select(p => p.Json))}]");
        // By what it carries, not by the ids alone: what cannot be read may have none.
        var id = $"mail:{customerId}:{Convert.ToHexStringLower(SHA256.HashData(body), 0, 16)}";
        return new InboxMessage(customerId, id, MessageKind.MailEvent, body, receivedAt);
    }

    // It becomes the name of a counter.
    private static string Name(string type) => type.Length <= 40 && type.All(c => char.IsAsciiLetterLower(c) || c == '_') ? type : "other";
}
