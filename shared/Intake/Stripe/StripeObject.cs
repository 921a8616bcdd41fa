using System.Globalization;
using System.Text.Json;
using RetentionFunctions.Email;
using RetentionFunctions.Storage;

namespace RetentionFunctions.Intake.Stripe;

/// <summary>
/// One object of a payload and its JSON path, read field by field. A field that is missing or null is absent, never an error, unless it is required.
/// Of another type than it should be: money, times, flags and ids throw <see cref="UnreadableException"/> (a wrong number is worse than a dead letter), descriptive
/// text and nested objects count as absent (Stripe turns ids into objects and back from version to version).
/// </summary>
internal readonly struct StripeObject(JsonElement element, string path)
{
    /// <summary>Deepest nesting that is read. Stripe's deepest objects stay under 20; 64 is the parser's own default.</summary>
    public const int MaxDepth = 64;

    /// <summary>Stripe's documentation asks to allow 255 characters for an id.</summary>
    public const int MaxIdLength = 255;

    // Of those that become parts of keys, as a key has them (other than plain characters take five): three stand in one of 512. Stripe's own have under 70.
    private const int MaxKeyIdLength = 160;

    /// <summary>
    /// Most characters of a text that are kept. Stripe's own limits are 500 (values of metadata) and less (names: 256); what is longer would not fit into a row, and
    /// no try would help.
    /// </summary>
    public const int MaxTextLength = 500;

    /// <summary>Most characters of an e-mail address (Stripe's limit is 512) or a URL (longer ones are not followed by every browser).</summary>
    public const int MaxAddressLength = 2048;

    private const int MaxCurrencyLength = 8;

    private const long LastSecond = 253_402_300_799; // 9999-12-31T23:59:59Z, the last that a DateTimeOffset can hold

    private static readonly JsonDocumentOptions Options = new() { MaxDepth = MaxDepth };

    /// <summary>Parses a whole body. Dispose the document only when all that was read from it is copied.</summary>
    public static JsonDocument Parse(ReadOnlyMemory<byte> body)
    {
        try
        {
            return JsonDocument.Parse(body, Options);
        }
        catch (JsonException e)
        {
            throw new UnreadableException(
                $"$ is not JSON that can be read, nested at most {MaxDepth} deep: line {e.LineNumber + 1}, byte {e.BytePositionInLine + 1}. Send the event's body exactly as Stripe sent it.", e);
        }
    }

    /// <summary>Where it stands in the payload.</summary>
    public string Path => path;

    /// <summary>There is such an object.</summary>
    public bool Exists => element.ValueKind == JsonValueKind.Object;

    /// <summary>The object in a field; one that does not <see cref="Exists"/> where the field holds none.</summary>
    public StripeObject Object(string name) =>
        TryField(name, out var value) && value.ValueKind == JsonValueKind.Object ? new(value, $"{path}.{name}") : new(default, $"{path}.{name}");

    /// <summary>The entries of a list, in Stripe's form (<c>{"data": […]}</c>) or a plain array: objects, or ids where they are not expanded.</summary>
    public IReadOnlyList<StripeEntry> List(string name)
    {
        if (!TryField(name, out var value)) return [];
        var at = $"{path}.{name}";
        if (value.ValueKind == JsonValueKind.Object)
        {
            if (!new StripeObject(value, at).TryField("data", out value)) return [];
            at += ".data";
        }
        if (value.ValueKind != JsonValueKind.Array) throw UnreadableException.At(at, $"is {Name(value.ValueKind)} where a list belongs");
        var entries = new List<StripeEntry>(value.GetArrayLength());
        foreach (var item in value.EnumerateArray())
        {
            var itemPath = $"{at}[{entries.Count}]";
            entries.Add(item.ValueKind == JsonValueKind.String ? new(new(default, itemPath), TextOf(item, itemPath)) : new(new(item, itemPath), null));
        }
        return entries;
    }

    /// <summary>Descriptive text, null where it is absent, empty or something else; of a longer one the beginning.</summary>
    public string? Text(string name, int most = MaxTextLength) => FullText(name) is { } text ? PlainText.Cut(text, most) : null;

    /// <summary>An e-mail address or a URL, null where it is absent, empty or something else; also where it is longer, since half of one leads elsewhere.</summary>
    public string? Address(string name) => FullText(name) is { Length: <= MaxAddressLength } text ? text : null;

    /// <summary>Text that must be there.</summary>
    public string RequiredText(string name) => Text(name) ?? throw Missing(name);

    /// <summary>An id, given as text or as the expanded object.</summary>
    public string? Id(string name)
    {
        if (!TryField(name, out var value)) return null;
        if (value.ValueKind == JsonValueKind.Object) return new StripeObject(value, $"{path}.{name}").Id("id");
        if (value.ValueKind != JsonValueKind.String) throw Wrong(name, value, "an id");
        var id = TextOf(value, $"{path}.{name}");
        if (id.Length == 0) return null;
        // Ids become keys of rows and lines of logs.
        if (id.Length > MaxIdLength || id.Any(char.IsControl))
            throw UnreadableException.At($"{path}.{name}", $"is not an id: longer than {MaxIdLength} characters, or with control characters in it");
        return id;
    }

    /// <summary>An id that must be there.</summary>
    public string RequiredId(string name) => Id(name) ?? throw Missing(name);

    /// <summary>Minor units or a count.</summary>
    public long? Whole(string name)
    {
        if (!TryField(name, out var value)) return null;
        if (value.ValueKind != JsonValueKind.Number) throw Wrong(name, value, "a whole number");
        if (value.TryGetInt64(out var whole)) return whole;
        throw UnreadableException.At($"{path}.{name}", "is a number where a whole number of 64 bits belongs");
    }

    /// <summary>A number with decimals, as JSON number or (Stripe's <c>…_decimal</c> fields) as text.</summary>
    public decimal? Number(string name)
    {
        if (!TryField(name, out var value)) return null;
        if (value.ValueKind == JsonValueKind.Number && value.TryGetDecimal(out var number)) return number;
        if (value.ValueKind == JsonValueKind.String
            && decimal.TryParse(TextOf(value, $"{path}.{name}"), NumberStyles.Float, CultureInfo.InvariantCulture, out number)) return number;
        throw Wrong(name, value, "a decimal number");
    }

    /// <summary>A time in whole seconds since 1970, UTC.</summary>
    public DateTimeOffset? Time(string name)
    {
        if (Whole(name) is not { } seconds) return null;
        if (seconds is < 0 or > LastSecond) throw UnreadableException.At($"{path}.{name}", "is not a time in seconds since 1970");
        return DateTimeOffset.FromUnixTimeSeconds(seconds);
    }

    /// <summary>True or false; null where it is absent.</summary>
    public bool? Flag(string name)
    {
        if (!TryField(name, out var value)) return null;
        if (value.ValueKind is JsonValueKind.True or JsonValueKind.False) return value.ValueKind == JsonValueKind.True;
        throw Wrong(name, value, "true or false");
    }

    /// <summary>Whether an id can be part of a key beside two others.</summary>
    public static bool FitsKey(string id) => Keys.Escape(id).Length <= MaxKeyIdLength;

    /// <summary>A currency: lower-case ISO code (three letters; a little room for what is no country's).</summary>
    public string? Currency(string name)
    {
        if (Text(name) is not { } code) return null;
        // It becomes a part of keys, and amounts of it are added up.
        if (code.Length > MaxCurrencyLength || !code.All(char.IsAsciiLetter)) throw UnreadableException.At($"{path}.{name}", "is not a currency: a code of three letters");
        return code.ToLowerInvariant();
    }

    /// <summary>A value of the metadata, which founders write as text or number.</summary>
    public string? Metadata(params ReadOnlySpan<string> names)
    {
        var metadata = Object("metadata");
        foreach (var name in names)
        {
            if (metadata.Text(name)?.Trim() is { Length: > 0 } text) return text;
            if (metadata.TryField(name, out var value) && value.ValueKind == JsonValueKind.Number) return value.GetRawText();
        }
        return null;
    }

    /// <summary>The failure to be thrown where a field must be there.</summary>
    public UnreadableException Missing(string name) => UnreadableException.At($"{path}.{name}", "is missing");

    private string? FullText(string name) =>
        TryField(name, out var value) && value.ValueKind == JsonValueKind.String && TextOf(value, $"{path}.{name}") is { Length: > 0 } text ? text : null;

    private UnreadableException Wrong(string name, JsonElement value, string expected) =>
        UnreadableException.At($"{path}.{name}", $"is {Name(value.ValueKind)} where {expected} belongs");

    private bool TryField(string name, out JsonElement value)
    {
        value = default;
        try
        {
            return Exists && element.TryGetProperty(name, out value) && value.ValueKind != JsonValueKind.Null;
        }
        catch (InvalidOperationException e) // what JsonElement throws for a name with half a surrogate pair
        {
            throw new UnreadableException($"{path} has a field whose name is not valid Unicode. Send the event's body exactly as Stripe sent it.", e);
        }
    }

    private static string TextOf(JsonElement value, string at)
    {
        try
        {
            return value.GetString()!;
        }
        catch (InvalidOperationException e) // what JsonElement throws for invalid UTF-8 and half surrogate pairs
        {
            throw new UnreadableException($"{at} is text that is not valid Unicode. Send the event's body exactly as Stripe sent it.", e);
        }
    }

    private static string Name(JsonValueKind kind) => kind switch
    {
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => "a list",
        JsonValueKind.String => "text",
        JsonValueKind.Number => "a number",
        _ => "true or false",
    };
}

/// <summary>An entry of a list: the object, or its id where it is not expanded.</summary>
internal readonly record struct StripeEntry(StripeObject Object, string? Id);
