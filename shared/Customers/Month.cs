using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace RetentionFunctions.Customers;

/// <summary>A calendar month in UTC. From <see cref="Start"/> up to, not including, <see cref="End"/>.</summary>
[JsonConverter(typeof(MonthConverter))]
public readonly record struct Month : IComparable<Month>
{
    private readonly int _number;

    private Month(int number) => _number = number;

    /// <summary>The month of a moment.</summary>
    public static Month Of(DateTimeOffset at) => new(at.UtcDateTime.Year * 12 + at.UtcDateTime.Month - 1);

    // Whoever asks for months around one reaches no end of the calendar. Nothing was ever billed online outside.
    private const int FirstYear = 1900;
    private const int LastYear = 2999;

    /// <summary>Reads <c>yyyy-MM</c>, of the years 1900 to 2999; false where it is something else.</summary>
    public static bool TryParse(string? text, out Month month)
    {
        var read = DateOnly.TryParseExact(text, "yyyy-MM", CultureInfo.InvariantCulture, DateTimeStyles.None, out var day) && day.Year is >= FirstYear and <= LastYear;
        month = read ? new Month(day.Year * 12 + day.Month - 1) : default;
        return read;
    }

    /// <summary>Its first moment.</summary>
    public DateTimeOffset Start => new(_number / 12, _number % 12 + 1, 1, 0, 0, 0, TimeSpan.Zero);

    /// <summary>The first moment after it.</summary>
    public DateTimeOffset End => Plus(1).Start;

    /// <summary>So many months later; earlier where negative.</summary>
    public Month Plus(int months) => new(_number + months);

    /// <summary>How many months this one is after another.</summary>
    public int Since(Month other) => _number - other._number;

    /// <inheritdoc />
    public int CompareTo(Month other) => _number.CompareTo(other._number);

    /// <summary>Whether one is earlier.</summary>
    public static bool operator <(Month a, Month b) => a._number < b._number;

    /// <summary>Whether one is later.</summary>
    public static bool operator >(Month a, Month b) => a._number > b._number;

    /// <summary>Whether one is no later.</summary>
    public static bool operator <=(Month a, Month b) => a._number <= b._number;

    /// <summary>Whether one is no earlier.</summary>
    public static bool operator >=(Month a, Month b) => a._number >= b._number;

    /// <summary><c>yyyy-MM</c>.</summary>
    public override string ToString() => Start.ToString("yyyy-MM", CultureInfo.InvariantCulture);

    private sealed class MonthConverter : JsonConverter<Month>
    {
        public override Month Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            TryParse(reader.GetString(), out var month) ? month : throw new JsonException("A month is written yyyy-MM.");

        public override void Write(Utf8JsonWriter writer, Month value, JsonSerializerOptions options) => writer.WriteStringValue(value.ToString());
    }
}
