using System.Globalization;
using RetentionFunctions.Customers;

namespace RetentionFunctions.Email;

/// <summary>Amounts, dates, cards and names as a customer reads them: English, whatever the culture of the host.</summary>
public static class CustomerText
{
    /// <summary>What is left to pay of an invoice, else what the failed payment was for; null where neither is known.</summary>
    public static string? AmountDue(Invoice? invoice, PaymentFailure? failure)
    {
        if (invoice?.Latest is { } latest)
        {
            var left = latest.AmountDue - latest.AmountPaid;
            if ((left > 0 ? left : latest.AmountDue) is var due and > 0) return Money.Text(due, latest.Currency);
        }
        return failure is { Amount: > 0 } ? Money.Text(failure.Amount, failure.Currency) : null;
    }

    /// <summary>The day of an instant where the customer is: <c>3 March 2026</c>.</summary>
    /// <param name="at">The instant.</param>
    /// <param name="timeZone">IANA name; where it is null or unknown, <paramref name="fallback"/>, and then UTC.</param>
    /// <param name="fallback">The business's own time zone.</param>
    public static string Day(DateTimeOffset at, string? timeZone, string? fallback) =>
        TimeZoneInfo.ConvertTime(at, Zone(timeZone) ?? Zone(fallback) ?? TimeZoneInfo.Utc).ToString("d MMMM yyyy", CultureInfo.InvariantCulture);

    /// <summary>The card as words after "your": <c>Visa card ending in 4242</c>; <c>card</c> where nothing is known of it.</summary>
    public static string Card(Card? card)
    {
        var brand = PlainText.Line(card?.Brand, 24).ToLowerInvariant() switch
        {
            "" or "unknown" => "",
            "amex" or "american express" => "American Express ",
            "cartes_bancaires" => "Cartes Bancaires ",
            "diners" or "diners club" => "Diners Club ",
            "eftpos_au" => "eftpos ",
            "jcb" => "JCB ",
            "unionpay" => "UnionPay ",
            var other => char.ToUpperInvariant(other[0]) + other[1..] + " ",
        };
        return card?.Last4 is { Length: 4 } last4 && last4.All(char.IsAsciiDigit) ? $"{brand}card ending in {last4}" : $"{brand}card";
    }

    /// <summary>
    /// What to call the customer after "Hi": the first name where the name is plainly a person's (two or three words without a company's ending),
    /// else the whole name; null where there is none, or where it holds a web or e-mail address: anyone can sign up under somebody else's
    /// address with a link as the name, and mail programs make such text clickable.
    /// </summary>
    public static string? Greeting(string? name)
    {
        var line = PlainText.Line(name, PlainText.NameLength);
        if (line.Length == 0 || LooksLikeAddress(line)) return null;
        var words = line.Split(' ');
        var person = words.Length is 2 or 3
            && words.All(word => word.All(c => char.IsLetter(c) || char.IsSurrogate(c) || c is '\'' or '’' or '-' or '.' || char.GetUnicodeCategory(c) == UnicodeCategory.NonSpacingMark))
            && words[0].Length > 1 && !words[0].Contains('.')
            && !CompanyWords.Contains(words[^1].TrimEnd('.').ToLowerInvariant())
            && !Titles.Contains(words[0].ToLowerInvariant());
        return person ? words[0] : line;
    }

    private static readonly HashSet<string> CompanyWords =
    [
        "inc", "llc", "ltd", "limited", "gmbh", "ag", "ug", "kg", "co", "corp", "company", "plc", "bv", "nv", "sa", "sas", "sarl", "srl", "spa", "oy", "ab", "as", "aps",
        "pty", "labs", "lab", "studio", "studios", "agency", "group", "team", "software", "solutions", "consulting", "media", "design", "digital", "systems", "ventures", "partners",
    ];

    private static readonly HashSet<string> Titles = ["the", "team", "dr", "mr", "mrs", "ms", "prof", "studio", "hotel", "le", "la", "el", "los", "die", "das", "der"];

    private static bool LooksLikeAddress(string line)
    {
        if (line.Contains("://", StringComparison.Ordinal) || line.Contains('@') || line.Contains("www.", StringComparison.OrdinalIgnoreCase)) return true;
        // "evil.example" is made clickable too; "J. R. Tolkien" and "Acme Inc." are not of this form.
        for (var i = 1; i + 2 < line.Length; i++)
            if (line[i] == '.' && char.IsLetterOrDigit(line[i - 1]) && char.IsLetter(line[i + 1]) && char.IsLetter(line[i + 2])) return true;
        return false;
    }

    private static TimeZoneInfo? Zone(string? id) => id is not null && TimeZoneInfo.TryFindSystemTimeZoneById(id, out var zone) ? zone : null;
}
