using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using RetentionFunctions.Email;
using RetentionFunctions.Flows;

namespace RetentionFunctions.Intake.Mail;

/// <summary>Reads one event of SendGrid's Event Webhook. Field names: SendGrid's documentation, "Event Webhook Reference".</summary>
public static class MailEventReader
{
    // Ids are some dozen characters; a longer one is known by its hash, because it becomes part of a key.
    private const int LongestId = 200;

    private const long LastSecond = 253_402_300_799; // 9999-12-31T23:59:59Z, the last that a DateTimeOffset can hold

    private static readonly Dictionary<string, MailEventType> Types = new(StringComparer.Ordinal)
    {
        ["processed"] = MailEventType.Processed,
        ["deferred"] = MailEventType.Deferred,
        ["delivered"] = MailEventType.Delivered,
        ["dropped"] = MailEventType.Dropped,
        ["open"] = MailEventType.Open,
        ["click"] = MailEventType.Click,
        ["spamreport"] = MailEventType.SpamReport,
        ["unsubscribe"] = MailEventType.Unsubscribe,
        ["group_unsubscribe"] = MailEventType.GroupUnsubscribe,
    };

    /// <summary>The e-mail that an event is about, by its custom arguments; null where it is about none of ours.</summary>
    public static (RunId Run, int Step)? MailOf(JsonElement item) =>
        item.ValueKind == JsonValueKind.Object && Text(item, MailArguments.MailId) is { } id ? MailArguments.Read(id) : null;

    /// <summary>The event; null where nothing is done with events of its type (<c>group_resubscribe</c>, those of the account).</summary>
    /// <exception cref="UnreadableException">It lacks what every event has, or has it in another form.</exception>
    public static MailEvent? Read(JsonElement item)
    {
        if (item.ValueKind != JsonValueKind.Object) throw Wrong("$", "is not an object");
        if (MailOf(item) is not (var run, var step)) throw Wrong($"$.{MailArguments.MailId}", "is not the id of an e-mail of ours");
        var name = Text(item, "event") ?? throw Wrong("$.event", "is missing or is not a text");
        if (TypeOf(item, name) is not { } type) return null;
        return new MailEvent(Id(item), type, Time(item), run, step)
        {
            Reason = Text(item, "reason") ?? Text(item, "response"),
            Link = type == MailEventType.Click ? Hash(Text(item, "url") ?? "")[..16] : null,
            ByMachine = Has(item, "sg_machine_open", out var machine) && machine.ValueKind == JsonValueKind.True,
            // What the API answers as X-Message-Id is the part before the first dot.
            ProviderId = Text(item, "sg_message_id")?.Split('.')[0] is { Length: > 0 and <= LongestId } id ? id : null,
        };
    }

    private static MailEventType? TypeOf(JsonElement item, string name) => name switch
    {
        // Only what is said to be for good is: "blocked" and what may come besides says that this one did not arrive.
        "bounce" => Text(item, "type") == "bounce" ? MailEventType.Bounce : MailEventType.Block,
        _ => Types.TryGetValue(name, out var type) ? type : null,
    };

    private static string Id(JsonElement item) => Text(item, "sg_event_id") is { Length: > 0 } id ? id.Length <= LongestId ? id : Hash(id) : Hash(item.GetRawText());

    private static DateTimeOffset Time(JsonElement item)
    {
        if (!Has(item, "timestamp", out var value)) throw Wrong("$.timestamp", "is missing");
        var isTime = value.ValueKind switch
        {
            JsonValueKind.Number => value.TryGetInt64(out var seconds) && seconds is > 0 and <= LastSecond,
            JsonValueKind.String => long.TryParse(Text(item, "timestamp"), NumberStyles.None, CultureInfo.InvariantCulture, out var seconds) && seconds is > 0 and <= LastSecond,
            _ => false,
        };
        if (!isTime) throw Wrong("$.timestamp", "is not a time in seconds since 1970");
        return DateTimeOffset.FromUnixTimeSeconds(value.ValueKind == JsonValueKind.Number ? value.GetInt64() : long.Parse(Text(item, "timestamp")!, CultureInfo.InvariantCulture));
    }

    // What the receiving server answered stands in "reason" as it came: half of a surrogate pair must not take the event with it, nor all others of the request.
    private static string? Text(JsonElement item, string name)
    {
        try
        {
            return Has(item, name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
        }
        catch (InvalidOperationException)
        {
            return null;
        }
    }

    // A name that is half of a surrogate pair stops the search for any other.
    private static bool Has(JsonElement item, string name, out JsonElement value)
    {
        try
        {
            return item.TryGetProperty(name, out value);
        }
        catch (InvalidOperationException)
        {
            value = default;
            return false;
        }
    }

    private static string Hash(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));

    private static UnreadableException Wrong(string path, string wrong) =>
        new($"{path} of an event of the mail provider {wrong}. Compare it with SendGrid's Event Webhook Reference; when it is the same there, the reader must learn it: report it, then replay the dead letter.");
}
