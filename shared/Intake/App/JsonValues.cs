using System.Globalization;
using System.Text.Json;

namespace RetentionFunctions.Intake.App;

/// <summary>Reads single values out of an app's free-form properties and traits.</summary>
internal static class JsonValues
{
    // ISO 8601 as SDKs write it: seconds and their fraction may be missing, a time without a zone is UTC.
    private static readonly string[] Formats =
    [
        "yyyy-MM-dd'T'HH:mm:ss.FFFFFFFK", "yyyy-MM-dd'T'HH:mm:ss.FFFFFFFzz", "yyyy-MM-dd'T'HH:mmK", "yyyy-MM-dd HH:mm:ss.FFFFFFFK", "yyyy-MM-dd",
    ];

    /// <summary>The property by its exact name, else by its name in another case; null where it is missing or null.</summary>
    public static JsonElement? Property(this JsonElement? of, string name)
    {
        if (of is not { ValueKind: JsonValueKind.Object } element) return null;
        if (!element.TryGetProperty(name, out var value))
        {
            foreach (var property in element.EnumerateObject())
                if (string.Equals(property.Name, name, StringComparison.OrdinalIgnoreCase)) { value = property.Value; break; }
        }
        return value.ValueKind is JsonValueKind.Undefined or JsonValueKind.Null ? null : value;
    }

    /// <summary>A finite number, also where it is written as text, or true and false as 1 and 0; null for everything else.</summary>
    public static double? Number(this JsonElement? of, string name)
    {
        double number;
        switch (of.Property(name))
        {
            case { ValueKind: JsonValueKind.Number } value when value.TryGetDouble(out number): break;
            case { ValueKind: JsonValueKind.String } value when double.TryParse(value.GetString(), NumberStyles.Float, CultureInfo.InvariantCulture, out number): break;
            case { ValueKind: JsonValueKind.True }: return 1;
            case { ValueKind: JsonValueKind.False }: return 0;
            default: return null;
        }
        return double.IsFinite(number) ? number : null;
    }

    /// <summary>A text that is not blank, trimmed; a number as it is written. Null for everything else.</summary>
    public static string? Text(this JsonElement? of, string name)
    {
        var text = of.Property(name) switch
        {
            { ValueKind: JsonValueKind.String } value => value.GetString(),
            { ValueKind: JsonValueKind.Number } value => value.GetRawText(),
            _ => null,
        };
        return string.IsNullOrWhiteSpace(text) ? null : text.Trim();
    }

    /// <summary>An ISO 8601 date and time in UTC. A fraction finer than .NET's 100 ns (Go's SDK sends nanoseconds) is cut off.</summary>
    public static bool TryInstant(string? text, out DateTimeOffset at)
    {
        at = default;
        if (text is null) return false;
        text = text.Trim();
        var dot = text.IndexOf('.');
        if (dot >= 0)
        {
            var end = dot + 1;
            while (end < text.Length && char.IsAsciiDigit(text[end])) end++;
            if (end - dot - 1 > 7) text = text.Remove(dot + 8, end - dot - 8);
        }
        return DateTimeOffset.TryParseExact(text, Formats, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out at);
    }
}
