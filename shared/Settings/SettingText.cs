using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace RetentionFunctions.Settings;

/// <summary>Single values between the text of an environment variable and JSON.</summary>
internal static class SettingText
{
    /// <summary>The value, or what is wrong with the text.</summary>
    public static (JsonNode? Node, string? Problem) Read(Type type, string text)
    {
        if (type == typeof(string)) return (JsonValue.Create(text), null);
        text = text.Trim();
        if (type == typeof(bool)) return bool.TryParse(text, out var flag) ? (JsonValue.Create(flag), null) : (null, $"'{text}' is neither true nor false");
        if (type.IsEnum)
        {
            var name = Enum.GetNames(type).FirstOrDefault(name => string.Equals(name, text, StringComparison.OrdinalIgnoreCase));
            return name is not null
                ? (JsonValue.Create(SettingsJson.EnumName(name)), null)
                : (null, $"'{text}' is not one of: {string.Join(", ", Enum.GetNames(type).Select(SettingsJson.EnumName))}");
        }
        if (type == typeof(int) || type == typeof(long))
        {
            if (!long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var whole)) return (null, $"'{text}' is not a whole number");
            return type == typeof(int) && whole is < int.MinValue or > int.MaxValue ? (null, $"'{text}' is too large a number") : (JsonValue.Create(whole), null);
        }
        if (type == typeof(double))
        {
            return double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && double.IsFinite(number)
                ? (JsonValue.Create(number), null)
                : (null, $"'{text}' is not a number (decimals have a point: 0.5)");
        }
        if (type == typeof(decimal))
        {
            return decimal.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var exact)
                ? (JsonValue.Create(exact), null)
                : (null, $"'{text}' is not a number (decimals have a point: 0.5)");
        }

        // Dates, spans of time and what else a room may choose: the serialiser knows their text.
        var node = JsonValue.Create(text);
        try
        {
            _ = node.Deserialize(type, SettingsJson.Options);
            return (node, null);
        }
        catch (JsonException)
        {
            return (null, $"'{text}' is not {Kind(type)}");
        }
    }

    /// <summary>A right setting, ready to copy.</summary>
    public static string Example(SettingPath path, JsonNode? byDefault, SettingRule? rule)
    {
        if (byDefault is JsonValue) return path.Example(byDefault.ToJsonString());
        if (rule?.Example is { } example) return path.Example(rule.Min is null ? SettingPath.Quote(example) : example);
        if (rule?.Min is { } least) return path.Example(least.ToString(CultureInfo.InvariantCulture));
        return path.Example(byDefault switch { JsonArray => "[ … ]", JsonObject => "{ … }", _ => "…" });
    }

    private static string Kind(Type type) => type switch
    {
        _ when type == typeof(DateOnly) => "a date (2026-01-31)",
        _ when type == typeof(DateTimeOffset) => "a time (2026-01-31T09:00:00Z)",
        _ when type == typeof(TimeSpan) => "a span of time (1.00:00:00 is a day)",
        _ when type == typeof(TimeOnly) => "a time of day (09:00:00)",
        _ => $"a {type.Name}",
    };
}
