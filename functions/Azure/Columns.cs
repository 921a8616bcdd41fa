using System.Globalization;
using System.Text;
using System.Text.Json;

namespace RetentionFunctions.Functions;

/// <summary>
/// A row's JSON object as columns: top-level texts, numbers and truth values are typed, so that the founder can read and filter them in Storage Explorer;
/// whatever else is JSON text. A stored format.
/// <para>Text that begins like JSON gets an apostrophe before it, as in a spreadsheet; numbers that no column holds exactly, and null, are <c>=…</c>.</para>
/// </summary>
internal static class Columns
{
    private const char IsText = '\'';
    private const char IsJson = '=';

    // Names that are no identifiers, or Azure's own, are spelled in hex behind this.
    private const string Spelled = "x_";

    private static readonly string[] Azures = ["PartitionKey", "RowKey", "Timestamp", "odata.etag"];

    /// <summary>The columns of a row.</summary>
    public static IEnumerable<KeyValuePair<string, object>> Of(ReadOnlyMemory<byte> body)
    {
        using var document = JsonDocument.Parse(body);
        var columns = new List<KeyValuePair<string, object>>();
        foreach (var property in document.RootElement.EnumerateObject()) columns.Add(new(Name(property.Name), Value(property.Value)));
        return columns;
    }

    /// <summary>The row of the columns, whatever Azure adds left out.</summary>
    public static ReadOnlyMemory<byte> Read(IEnumerable<KeyValuePair<string, object>> columns)
    {
        using var body = new MemoryStream();
        using (var json = new Utf8JsonWriter(body, new JsonWriterOptions { Encoder = Storage.TablesExtensions.Json.Encoder, SkipValidation = true }))
        {
            json.WriteStartObject();
            foreach (var (name, value) in columns)
            {
                if (value is null || Azures.Contains(name, StringComparer.Ordinal)) continue;
                json.WritePropertyName(NameOf(name));
                Write(json, value);
            }
            json.WriteEndObject();
        }
        return body.ToArray();
    }

    private static object Value(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        JsonValueKind.String => Text(value.GetString()!),
        JsonValueKind.Number => Number(value),
        JsonValueKind.Null => $"{IsJson}null",
        _ => value.GetRawText(),
    };

    private static string Text(string text) => text.Length > 0 && text[0] is '{' or '[' or IsText or IsJson ? IsText + text : text;

    private static object Number(JsonElement value)
    {
        if (value.TryGetInt64(out var whole)) return whole;
        var raw = value.GetRawText();
        // What a decimal does not hold is too large for one (1e100: as good as a double) or has more digits than a double keeps.
        return value.TryGetDouble(out var number) && double.IsFinite(number)
            && (!value.TryGetDecimal(out var exact) ? raw.Contains('e', StringComparison.OrdinalIgnoreCase) : decimal.TryParse(number.ToString("R", CultureInfo.InvariantCulture), NumberStyles.Float, CultureInfo.InvariantCulture, out var kept) && kept == exact)
            ? number : IsJson + raw;
    }

    private static void Write(Utf8JsonWriter json, object value)
    {
        switch (value)
        {
            case string { Length: > 0 } text when text[0] == IsText: json.WriteStringValue(text.AsSpan(1)); break;
            case string { Length: > 0 } text when text[0] == IsJson: json.WriteRawValue(text.AsSpan(1)); break;
            case string { Length: > 0 } text when text[0] is '{' or '[': json.WriteRawValue(text); break;
            case string text: json.WriteStringValue(text); break;
            case bool truth: json.WriteBooleanValue(truth); break;
            case int whole: json.WriteNumberValue(whole); break;
            case long whole: json.WriteNumberValue(whole); break;
            case double number: json.WriteNumberValue(number); break;
            // Nothing here writes the other types of Azure; somebody may have changed a column by hand.
            case DateTimeOffset at: json.WriteStringValue(at); break;
            case IFormattable other: json.WriteStringValue(other.ToString(null, CultureInfo.InvariantCulture)); break;
            default: json.WriteStringValue(value.ToString()); break;
        }
    }

    private static string Name(string name) =>
        IsIdentifier(name) && !name.StartsWith(Spelled, StringComparison.Ordinal) && !Azures.Contains(name, StringComparer.OrdinalIgnoreCase) ? name : Spelled + Convert.ToHexStringLower(Encoding.UTF8.GetBytes(name));

    private static string NameOf(string column) =>
        column.StartsWith(Spelled, StringComparison.Ordinal) ? Encoding.UTF8.GetString(Convert.FromHexString(column.AsSpan(Spelled.Length))) : column;

    private static bool IsIdentifier(string name) =>
        name.Length is > 0 and <= 100 && (char.IsAsciiLetter(name[0]) || name[0] == '_') && name.All(c => char.IsAsciiLetterOrDigit(c) || c == '_');
}
