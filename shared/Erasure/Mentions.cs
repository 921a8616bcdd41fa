using System.Text.Json;

namespace RetentionFunctions.Erasure;

/// <summary>
/// Whether stored text speaks of one customer: by the id, or by one of the addresses. Ids may be anything that a founder's own system counts by (<c>7</c>, <c>pro</c>), so a text that only has the
/// same letters somewhere in it is about somebody else, and must stay. Pure.
/// </summary>
/// <param name="customerId">The customer.</param>
/// <param name="emails">Their addresses, in any case.</param>
internal sealed class Mentions(string customerId, IEnumerable<string> emails)
{
    // A number or a short word stands in many texts and means nobody there. Stripe's ids have an underscore.
    private readonly bool standsOut = customerId.Contains('_') || (customerId.Length >= 8 && !customerId.All(char.IsAsciiDigit));
    private readonly List<string> addresses = [.. emails.Where(e => e.Length > 0)];

    /// <summary>Whether a value by itself is the id, or speaks of the customer.</summary>
    public bool In(string value) => value == customerId || (standsOut && Has(value, customerId, StringComparison.Ordinal)) || addresses.Exists(email => Has(value, email, StringComparison.OrdinalIgnoreCase));

    /// <summary>Whether any value in a body speaks of the customer: each string and name of JSON by what it means, however it is escaped; what is no JSON as one text.</summary>
    public bool In(ReadOnlySpan<byte> body)
    {
        var json = new Utf8JsonReader(body, new JsonReaderOptions { MaxDepth = 256, AllowTrailingCommas = true, CommentHandling = JsonCommentHandling.Skip });
        try
        {
            while (json.Read())
                if (json.TokenType is JsonTokenType.String or JsonTokenType.PropertyName && json.GetString() is { } value && (In(value) || InNested(value))) return true;
            return false;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // Broken off, or no JSON at all.
            return In(System.Text.Encoding.UTF8.GetString(body));
        }
    }

    /// <summary>Whether a founder's file has the customer in any cell. A cell that is only as their id is will do: a file that is forgotten is uploaded again, one that is kept is full of them.</summary>
    public bool InFile(ReadOnlySpan<byte> file) => In(file) || Has(System.Text.Encoding.UTF8.GetString(file), customerId, StringComparison.Ordinal);

    // An event kept as text within another.
    private bool InNested(string value) => value.AsSpan().TrimStart() is ['{' or '[', ..] && In(System.Text.Encoding.UTF8.GetBytes(value));

    // Somewhere in a text, by itself: not as a part of a longer id or address.
    private static bool Has(string text, string what, StringComparison comparison)
    {
        for (var at = text.IndexOf(what, comparison); at >= 0; at = text.IndexOf(what, at + 1, comparison))
            if (Begins(text, at) && Ends(text, at + what.Length)) return true;
        return false;
    }

    private static bool Begins(string text, int at) => at == 0 || !IsPart(text[at - 1]) || IsEscape(text, at);

    // A full stop ends a sentence, unless it goes on without a blank.
    private static bool Ends(string text, int end) =>
        end == text.Length || !IsPart(text[end]) || (text[end] is '.' && (end + 1 == text.Length || !IsPart(text[end + 1])));

    private static bool IsPart(char c) => char.IsLetterOrDigit(c) || c is '_' or '-' or '.' or '+' or '%';

    // In text that was escaped once more, or broken off: \n or \u003c before it is none of its letters.
    private static bool IsEscape(string text, int at) =>
        (at >= 2 && text[at - 2] == '\\' && text[at - 1] is 'n' or 'r' or 't' or 'b' or 'f') || (at >= 6 && text[at - 6] == '\\' && text[at - 5] == 'u' && text.AsSpan(at - 4, 4).IndexOfAnyExcept("0123456789abcdefABCDEF") < 0);
}
