using System.Globalization;
using RetentionFunctions.Customers;

namespace RetentionFunctions.Import;

/// <summary>Reads single cells. Pure; what cannot be read says what to write instead. Nothing is guessed: an amount with a comma may be twelve or twelve thousand.</summary>
internal static class ImportCells
{
    // Before the first subscription software; a date below is a typing mistake, or a spreadsheet's 1900.
    private static readonly DateTimeOffset Earliest = new(1990, 1, 1, 0, 0, 0, TimeSpan.Zero);

    // As Stripe's dashboard writes them, and ISO 8601.
    private static readonly string[] Times =
    [
        "yyyy-MM-dd", "yyyy-MM-dd HH:mm", "yyyy-MM-dd HH:mm:ss", "yyyy-MM-dd HH:mm:ssK", "yyyy-MM-dd HH:mm:ss 'UTC'", "yyyy-MM-dd'T'HH:mm", "yyyy-MM-dd'T'HH:mmK", "yyyy-MM-dd'T'HH:mm:ss", "yyyy-MM-dd'T'HH:mm:ssK",
        "yyyy-MM-dd'T'HH:mm:ss.FFFFFFFK",
    ];

    /// <summary>A time in whole seconds, UTC where the cell names no zone; not before 1990 and not in the future.</summary>
    public static (DateTimeOffset? Value, string? Wrong) Time(string text, DateTimeOffset now)
    {
        if (!DateTimeOffset.TryParseExact(text, Times, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out var time))
            return (null, $"{Shown(text)} is no date; write 2026-04-03, or 2026-04-03 14:30 (UTC)");
        if (time < Earliest) return (null, $"{Shown(text)} is before 1990");
        // Our clock and theirs may differ, and a date without a time may be one of the business's own day.
        if (time > now.AddDays(1)) return (null, $"{Shown(text)} lies in the future; a file says what was");
        return (DateTimeOffset.FromUnixTimeSeconds(time.ToUnixTimeSeconds()), null);
    }

    /// <summary>An amount in major units: <c>12.50</c>, <c>1,250.00</c>.</summary>
    public static (decimal? Value, string? Wrong) Amount(string text)
    {
        const NumberStyles Grouped = NumberStyles.AllowThousands | NumberStyles.AllowDecimalPoint;
        var groups = text.Split('.')[0].Split(',');
        var plain = groups.Length == 1;
        // 1,250 is twelve hundred and fifty in one country, and one and a quarter in another.
        var clear = plain || (text.Contains('.') && groups[0].Length is >= 1 and <= 3 && groups.Skip(1).All(g => g.Length == 3));
        return clear && decimal.TryParse(text, Grouped, CultureInfo.InvariantCulture, out var amount) && amount < 1_000_000_000_000m
            ? (amount, null)
            : (null, $"{Shown(text)} is no amount; write 12.50, or 1250.00 without a currency sign");
    }

    /// <summary>A whole number, 1 up to a million. Stripe writes some as <c>1.0</c>.</summary>
    public static (long? Value, string? Wrong) Count(string text, bool zero = false) =>
        decimal.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number) && number == decimal.Truncate(number) && number <= 1_000_000 && number >= (zero ? 0 : 1)
            ? ((long)number, null)
            : (null, $"{Shown(text)} is no whole number from {(zero ? 0 : 1)} to 1000000");

    /// <summary>An interval and how many of it make a period: <c>month</c>, <c>3 months</c>, <c>yearly</c>.</summary>
    public static ((string Interval, int Count)? Value, string? Wrong) Interval(string text)
    {
        var words = text.ToLowerInvariant().Split(' ', StringSplitOptions.RemoveEmptyEntries);
        if (words is ["every", ..]) words = words[1..];
        var count = 1;
        if (words is [var number, _] && int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out count) && count is >= 1 and <= 1000) words = words[1..];
        (string, int)? read = words is not [var word] ? null : word switch
        {
            "day" or "days" or "daily" => ("day", count),
            "week" or "weeks" or "weekly" => ("week", count),
            "month" or "months" or "monthly" => ("month", count),
            "quarter" or "quarterly" => ("month", 3 * count),
            "year" or "years" or "yearly" or "annual" or "annually" => ("year", count),
            _ => null,
        };
        return read is null ? (null, $"{Shown(text)} is no interval; write day, week, month or year, or such as 3 months") : (read, null);
    }

    /// <summary>A status, by Stripe's name.</summary>
    public static (string? Value, string? Wrong) Status(string text) => text.ToLowerInvariant().Replace(' ', '_') switch
    {
        "active" => ("active", null),
        "trialing" or "trial" => ("trialing", null),
        "past_due" => ("past_due", null),
        "unpaid" => ("unpaid", null),
        "paused" => ("paused", null),
        "incomplete" => ("incomplete", null),
        "incomplete_expired" => ("incomplete_expired", null),
        "canceled" or "cancelled" or "deleted" or "ended" => ("canceled", null),
        _ => (null, $"{Shown(text)} is no status; write active, trialing, past_due, unpaid, paused or canceled"),
    };

    /// <summary>A currency: three letters, written in lower case from then on.</summary>
    public static (string? Value, string? Wrong) Currency(string text) =>
        text.Length == 3 && text.All(char.IsAsciiLetter) ? (text.ToLowerInvariant(), null) : (null, $"{Shown(text)} is no currency; write its code, such as usd");

    /// <summary>An e-mail address, as far as one can tell without writing to it.</summary>
    public static (string? Value, string? Wrong) Email(string text) =>
        text.Length <= 512 && text.IndexOf('@') is > 0 and var at && at == text.LastIndexOf('@') && at < text.Length - 1 && !text.Any(c => char.IsWhiteSpace(c) || char.IsControl(c))
            ? (text, null) : (null, $"{Shown(text)} is no e-mail address");

    /// <summary>An id: what becomes a part of keys.</summary>
    public static (string? Value, string? Wrong) Id(string text) =>
        text.Any(char.IsControl) || !Intake.Stripe.StripeObject.FitsKey(text) ? (null, $"{Shown(text)} is no id: longer than 160 characters, where other than letters, digits and - _ . : @ + = , ~ count as five")
        : Storage.Keys.IsUntiedUser(text) ? (null, $"{Shown(text)} is an id that is kept for users of the app; write another") : (text, null);

    /// <summary>Free text, up to a length.</summary>
    public static (string? Value, string? Wrong) Text(string text, int most = Intake.Stripe.StripeObject.MaxTextLength) =>
        text.Length <= most ? (text, null) : (null, FormattableString.Invariant($"is longer than {most} characters"));

    /// <summary>True or false.</summary>
    public static (bool? Value, string? Wrong) Flag(string text) => text.ToLowerInvariant() switch
    {
        "true" or "yes" or "1" => (true, null),
        "false" or "no" or "0" => (false, null),
        _ => (null, $"{Shown(text)} is neither true nor false"),
    };

    /// <summary>An amount in the currency's minor units.</summary>
    public static decimal Minor(decimal amount, string currency) => amount * Money.MinorUnits(currency);

    private static string Shown(string text) => $"'{(text.Length <= 40 ? text : $"{text[..40]}…")}'";
}
