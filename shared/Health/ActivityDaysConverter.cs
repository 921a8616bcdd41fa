using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace RetentionFunctions.Health;

/// <summary>
/// Reads and writes <see cref="Activity.Days"/> as the serializer by itself would, several times as fast: 90 days of counters are nearly all that is parsed
/// for an app event and most of what the sweep parses, and their names are the same every day.
/// </summary>
internal sealed class ActivityDaysConverter : JsonConverter<SortedList<DateOnly, Dictionary<string, double>>>
{
    private const string Format = "yyyy-MM-dd";

    public override SortedList<DateOnly, Dictionary<string, double>> Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        if (reader.TokenType != JsonTokenType.StartObject) throw new JsonException("The days of an activity are an object.");
        var days = new SortedList<DateOnly, Dictionary<string, double>>(Activity.DaysKept);
        var room = new char[128];
        var names = new Dictionary<string, string>(StringComparer.Ordinal).GetAlternateLookup<ReadOnlySpan<char>>();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (!DateOnly.TryParseExact(Text(ref reader, room), Format, CultureInfo.InvariantCulture, DateTimeStyles.None, out var day)) throw new JsonException($"'{reader.GetString()}' is no day.");
            reader.Read();
            days[day] = Counters(ref reader, names, room);
        }
        return days;
    }

    public override void Write(Utf8JsonWriter writer, SortedList<DateOnly, Dictionary<string, double>> value, JsonSerializerOptions options)
    {
        Span<char> name = stackalloc char[Format.Length];
        writer.WriteStartObject();
        for (var i = 0; i < value.Count; i++)
        {
            value.Keys[i].TryFormat(name, out _, Format, CultureInfo.InvariantCulture);
            writer.WriteStartObject(name);
            foreach (var (counter, amount) in value.Values[i])
                // The same text as the number would have as a double, found sooner.
                if (amount is > -1e9 and < 1e9 && amount == (int)amount) writer.WriteNumber(counter, (int)amount);
                else writer.WriteNumber(counter, amount);
            writer.WriteEndObject();
        }
        writer.WriteEndObject();
    }

    private static Dictionary<string, double> Counters(ref Utf8JsonReader reader, Dictionary<string, string>.AlternateLookup<ReadOnlySpan<char>> names, char[] room)
    {
        if (reader.TokenType != JsonTokenType.StartObject) throw new JsonException("The counters of a day are an object.");
        var counters = new Dictionary<string, double>();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var text = Text(ref reader, room);
            if (!names.TryGetValue(text, out var name)) names[text] = name = text.ToString();
            reader.Read();
            counters[name] = reader.GetDouble();
        }
        return counters;
    }

    private static ReadOnlySpan<char> Text(ref Utf8JsonReader reader, char[] room) =>
        // Characters are never more than bytes.
        reader.ValueSpan.Length <= room.Length ? room.AsSpan(0, reader.CopyString(room)) : reader.GetString();
}
