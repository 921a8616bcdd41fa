using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Unicode;

namespace RetentionFunctions.Intake.App;

/// <summary>The calls of Segment's HTTP Tracking API: the last part of the address under <c>/v1/</c>.</summary>
public enum SegmentCall
{
    /// <summary><c>/v1/track</c></summary>
    Track,

    /// <summary><c>/v1/identify</c></summary>
    Identify,

    /// <summary><c>/v1/page</c></summary>
    Page,

    /// <summary><c>/v1/screen</c></summary>
    Screen,

    /// <summary><c>/v1/group</c>: accepted, means nothing here.</summary>
    Group,

    /// <summary><c>/v1/alias</c>: accepted, means nothing here.</summary>
    Alias,

    /// <summary><c>/v1/batch</c></summary>
    Batch,
}

/// <summary>What one request of the app-event API holds.</summary>
/// <param name="Accepted">The events to queue, in the order of the request.</param>
/// <param name="Ignored">How many items were well formed but mean nothing here: <c>group</c>, <c>alias</c>, and items with an anonymousId but no userId.</param>
/// <param name="Rejected">The items that are wrong, with the reason; the rest is not affected.</param>
/// <param name="WriteKey">The body's <c>writeKey</c>, null where it has none.</param>
public sealed record SegmentRequest(IReadOnlyList<AppEvent> Accepted, int Ignored, IReadOnlyList<RejectedItem> Rejected, string? WriteKey);

/// <summary>An item that is wrong.</summary>
/// <param name="Index">Its place in the batch, from 0; 0 for a single call.</param>
/// <param name="Reason">What is wrong with it, in words for the developer.</param>
public sealed record RejectedItem(int Index, string Reason);

/// <summary>
/// Reads Segment's HTTP Tracking API (segment.com/docs/connections/sources/catalog/libraries/server/http-api). Pure: the time is an argument.
/// </summary>
public static class SegmentReader
{
    /// <summary>Most bytes of one item: Segment's own limit, 32 KB per call.</summary>
    public const int MaxItemBytes = 32 * 1024;

    /// <summary>Most items of a batch. What SDKs send has over 100 bytes an item, so the 500 KB of a batch never hold as many; the answer names each item that is wrong.</summary>
    public const int MaxBatchItems = 5_000;

    /// <summary>Longest event name, in characters.</summary>
    public const int MaxNameLength = 256;

    /// <summary>
    /// Longest userId, in characters as a key has them: other than plain ones take five there. A key has 512, and that of
    /// what a user did before it was tied holds the customer and the userId twice.
    /// </summary>
    public const int MaxUserIdLength = 160;

    // Segment's own limit, in characters as a key has them; a longer one is replaced by its hash.
    private const int MaxMessageIdLength = 100;

    // The whole body may nest more than one item may, so that a single item beyond the limit is refused alone. What is queued is read back
    // with System.Text.Json's own limit of 64, envelope included.
    private const int MaxBodyDepth = 1000;
    private const int MaxItemDepth = 48;

    // Nobody's app history begins earlier, and correcting a year 1 by a clock's skew would leave the calendar.
    private static readonly DateTimeOffset Earliest = new(2000, 1, 1, 0, 0, 0, TimeSpan.Zero);

    /// <summary>The call of an address, from its last part (<c>track</c>, <c>batch</c> …), in any case; false for anything else.</summary>
    public static bool TryCall(string lastPart, out SegmentCall call) =>
        Enum.TryParse(lastPart, ignoreCase: true, out call) && Enum.IsDefined(call) && char.IsAsciiLetter(lastPart[0]);

    /// <summary>Reads a request.</summary>
    /// <param name="call">Which call.</param>
    /// <param name="body">The raw body.</param>
    /// <param name="receivedAt">When it came in: nothing happened after it. The sender's clock is corrected by it, where the request says <c>sentAt</c> (an unreadable one corrects nothing).</param>
    /// <param name="requestId">Unique to this request: tells apart items that have neither <c>messageId</c> nor <c>timestamp</c>.</param>
    /// <exception cref="UnreadableException">The body as a whole is no request: not UTF-8, not JSON, not an object, or a batch without its list or with more than <see cref="MaxBatchItems"/>.</exception>
    public static SegmentRequest Read(SegmentCall call, ReadOnlyMemory<byte> body, DateTimeOffset receivedAt, string requestId)
    {
        if (body.Span.StartsWith("\uFEFF"u8)) body = body[3..];
        if (!Utf8.IsValid(body.Span)) throw new UnreadableException("The body is not UTF-8.");
        JsonDocument document;
        try
        {
            document = JsonDocument.Parse(body, new JsonDocumentOptions { MaxDepth = MaxBodyDepth });
        }
        catch (JsonException e)
        {
            throw new UnreadableException($"The body is not JSON: {e.Message}", e);
        }
        using (document)
        {
            JsonElement? root = document.RootElement;
            if (root is not { ValueKind: JsonValueKind.Object }) throw new UnreadableException("The body is not a JSON object.");
            var reading = new Reading(receivedAt.ToUniversalTime(), Top(document.RootElement, "sentAt"), requestId);
            if (call != SegmentCall.Batch)
            {
                reading.Take(0, document.RootElement, call);
            }
            else
            {
                if (!TryGet(document.RootElement, "batch", out var batch) || batch.ValueKind != JsonValueKind.Array)
                    throw new UnreadableException("The body has no list named batch: {\"batch\": [ … ]}.");
                if (batch.GetArrayLength() is > MaxBatchItems and var count) throw new UnreadableException($"The batch has {count} items; {MaxBatchItems} is the most: send smaller batches.");
                var index = 0;
                foreach (var item in batch.EnumerateArray()) reading.Take(index++, item, null);
            }
            return new SegmentRequest(reading.Accepted, reading.Ignored, reading.Rejected, Top(document.RootElement, "writeKey"));
        }
    }

    // A text of the envelope. One that is no Unicode is no key and no time.
    private static string? Top(JsonElement root, string name) =>
        TryGet(root, name, out var value) && value.ValueKind == JsonValueKind.String && IsUnicode(value) ? value.GetString() : null;

    private static bool TryGet(JsonElement root, string name, out JsonElement value)
    {
        try
        {
            return root.TryGetProperty(name, out value);
        }
        catch (InvalidOperationException e) // what JsonElement throws where it meets a name with half of a surrogate pair
        {
            throw new UnreadableException("The body has a property name that is not Unicode (half of a surrogate pair).", e);
        }
    }

    private static bool IsUnicode(JsonElement text) => JsonMarshal.GetRawUtf8Value(text).IndexOf((byte)'\\') < 0 || NoLoneSurrogate(text);

    // "\ud800" is JSON but no text: reading it throws. It has no Try form.
    private static bool NoLoneSurrogate(JsonElement text)
    {
        try
        {
            return text.GetString() is not null;
        }
        catch (InvalidOperationException)
        {
            return false;
        }
    }

    private sealed class Reading(DateTimeOffset receivedAt, string? sentAt, string requestId)
    {
        public List<AppEvent> Accepted { get; } = [];

        public List<RejectedItem> Rejected { get; } = [];

        public int Ignored { get; private set; }

        /// <param name="index">The item's place.</param>
        /// <param name="item">The item.</param>
        /// <param name="single">The call where the item is the body; null in a batch, where the item says its type.</param>
        public void Take(int index, JsonElement item, SegmentCall? single)
        {
            var (accepted, problem) = Read(item, single);
            if (problem is not null) Rejected.Add(new RejectedItem(index, problem));
            else if (accepted is not null) Accepted.Add(accepted);
            else Ignored++;
        }

        private (AppEvent? Accepted, string? Problem) Read(JsonElement item, SegmentCall? single)
        {
            var raw = JsonMarshal.GetRawUtf8Value(item);
            if (raw.Length > MaxItemBytes) return (null, $"the item has {raw.Length} bytes; {MaxItemBytes} (32 KB) is the most");
            if (item.ValueKind != JsonValueKind.Object) return (null, "the item is not a JSON object");
            if (Unsound(item, 1) is { } unsound) return (null, unsound);
            JsonElement? fields = item;

            if (!TryType(fields, single, out var call, out var problem)) return (null, problem);
            if (call is SegmentCall.Group or SegmentCall.Alias) return (null, null);

            if (fields.Text("userId") is not { } userId)
                return fields.Text("anonymousId") is null ? (null, "userId is missing (and there is no anonymousId either)") : (null, null);
            if (Storage.Keys.Escape(userId).Length > MaxUserIdLength) return (null, $"userId is longer than {MaxUserIdLength} characters (other than plain ones count as five)");

            var name = call == SegmentCall.Track ? fields.Text("event") : fields.Text("name") ?? fields.Text("category");
            if (call == SegmentCall.Track && name is null) return (null, "event, the name of what happened, is missing");
            if (name?.Length > MaxNameLength) return (null, $"the name is longer than {MaxNameLength} characters");

            if (!TryObject(fields, "properties", out var properties)) return (null, "properties is not a JSON object");
            if (!TryObject(fields, "context", out var context)) return (null, "context is not a JSON object");
            if (!TryObject(fields, "traits", out var traits)) return (null, "traits is not a JSON object");
            if (traits is null && !TryObject(context, "traits", out traits)) return (null, "context.traits is not a JSON object");

            var at = receivedAt;
            var timestamp = Timestamp(fields);
            if (timestamp is { } said && !TryCorrect(said, fields, out at))
                return (null, $"timestamp {said.GetRawText()} is not an ISO 8601 time from the year 2000 on, like 2026-01-31T09:30:00.000Z");

            var type = call switch { SegmentCall.Track => AppEventType.Track, SegmentCall.Identify => AppEventType.Identify, _ => AppEventType.Page };
            var messageId = fields.Text("messageId");
            return (new AppEvent
            {
                MessageId = messageId is not null && Storage.Keys.Escape(messageId).Length <= MaxMessageIdLength
                    ? messageId
                    : Derived(type.ToString(), userId, messageId, name, Raw(timestamp), Raw(properties), Raw(traits),
                        messageId is null && timestamp is null ? $"{requestId} {Accepted.Count}" : null),
                Type = type,
                UserId = userId,
                Name = name,
                At = at,
                ReceivedAt = receivedAt,
                Properties = properties?.Clone(),
                Traits = traits?.Clone(),
                TimeZone = context.Text("timezone"),
            }, null);
        }

        private static bool TryType(JsonElement? fields, SegmentCall? single, out SegmentCall call, out string? problem)
        {
            problem = null;
            call = single.GetValueOrDefault();
            if (single is not null) return true;
            if (fields.Text("type") is not { } type) problem = "type is missing: track, identify, page, screen, group or alias";
            else if (!TryCall(type, out call) || call == SegmentCall.Batch) problem = $"type '{(type.Length > 40 ? type[..40] : type)}' is not known: track, identify, page, screen, group or alias";
            return problem is null;
        }

        // Present and null is the same as missing; another kind is a mistake that the sender should hear of.
        private static bool TryObject(JsonElement? fields, string name, out JsonElement? value)
        {
            value = fields.Property(name);
            return value is null or { ValueKind: JsonValueKind.Object };
        }

        private static JsonElement? Timestamp(JsonElement? fields) => fields.Property("timestamp");

        private bool TryCorrect(JsonElement said, JsonElement? fields, out DateTimeOffset at)
        {
            at = receivedAt;
            if (said.ValueKind != JsonValueKind.String || !JsonValues.TryInstant(said.GetString(), out var happened) || happened < Earliest) return false;
            // timestamp and sentAt are of the same clock; what it is off by is the difference of sentAt and receivedAt (Segment's own rule).
            if (JsonValues.TryInstant(sentAt ?? fields.Text("sentAt"), out var sent) && sent >= Earliest)
            {
                var age = sent - happened;
                happened = age <= TimeSpan.Zero ? receivedAt : age > receivedAt - Earliest ? Earliest : receivedAt - age;
            }
            at = happened > receivedAt ? receivedAt : happened;
            return true;
        }

        // Without an id from the sender the same content of the same time is the same event: a repeated request counts once. Without a time either, each
        // request is an event of its own, as at Segment: two equal sign-ins are two. Never the envelope (sentAt), which differs between repetitions.
        private static string Derived(params ReadOnlySpan<string?> parts)
        {
            using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            foreach (var part in parts)
            {
                var bytes = Encoding.UTF8.GetBytes(part ?? "");
                // The length before each part keeps ("ab","c") and ("a","bc") apart; -1 tells missing from empty.
                hash.AppendData(BitConverter.GetBytes(part is null ? -1 : bytes.Length));
                hash.AppendData(bytes);
            }
            return $"derived-{Convert.ToHexStringLower(hash.GetHashAndReset().AsSpan(0, 16))}";
        }

        private static string? Raw(JsonElement? element) => element?.GetRawText();

        private static string? Unsound(JsonElement element, int depth)
        {
            if (depth > MaxItemDepth) return $"the item nests deeper than {MaxItemDepth} levels";
            switch (element.ValueKind)
            {
                case JsonValueKind.String:
                    return IsUnicode(element) ? null : "the item has text that is not Unicode (half of a surrogate pair)";
                case JsonValueKind.Array:
                    foreach (var child in element.EnumerateArray())
                        if (Unsound(child, depth + 1) is { } problem) return problem;
                    return null;
                case JsonValueKind.Object:
                    foreach (var property in element.EnumerateObject())
                    {
                        if (!IsReadableName(property)) return "the item has a property name that is not Unicode (half of a surrogate pair)";
                        if (Unsound(property.Value, depth + 1) is { } problem) return problem;
                    }
                    return null;
                default:
                    return null;
            }
        }

        private static bool IsReadableName(JsonProperty property)
        {
            try
            {
                return property.Name is not null;
            }
            catch (InvalidOperationException)
            {
                return false;
            }
        }
    }
}
