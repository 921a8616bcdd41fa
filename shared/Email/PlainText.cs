using System.Globalization;
using System.Text;

namespace RetentionFunctions.Email;

/// <summary>Text from outside (names, addresses), made fit for one line of a header, a page or a body.</summary>
internal static class PlainText
{
    /// <summary>Most characters of a subject: RFC 5322 (2.1.1) allows 998 per line; clients show about 70.</summary>
    public const int SubjectLength = 200;

    /// <summary>Most characters of a name.</summary>
    public const int NameLength = 80;

    /// <summary>
    /// One line of at most <paramref name="max"/> UTF-16 characters: control characters and line breaks become single spaces, and the invisible
    /// characters that reorder or hide text (bidirectional overrides, zero-width spaces, tags) are left out. Joiners stay: emoji and several
    /// scripts need them. Never cuts a character in two.
    /// </summary>
    public static string Line(string? text, int max)
    {
        if (string.IsNullOrEmpty(text)) return "";
        var line = new StringBuilder(Math.Min(text.Length, max));
        var space = false;
        foreach (var rune in text.EnumerateRunes())
        {
            if (Hides(rune)) continue;
            if (Rune.IsControl(rune) || Rune.IsWhiteSpace(rune))
            {
                space = line.Length > 0;
                continue;
            }
            if (space) line.Append(' ');
            space = false;
            line.Append(rune.ToString());
            // Read a little further than asked, so that the cut below sees whole characters; never megabytes.
            if (line.Length > max + 64) break;
        }
        return Cut(line.ToString(), max);
    }

    /// <summary>The text where a person would see anything of it, else null: one of spaces, control characters or hidden ones alone says nothing.</summary>
    public static string? Seen(string? text)
    {
        if (text is null) return null;
        foreach (var rune in text.EnumerateRunes())
            if (!Rune.IsControl(rune) && !Rune.IsWhiteSpace(rune) && !Hides(rune)) return text;
        return null;
    }

    /// <summary>At most <paramref name="max"/> UTF-16 characters, cut between characters as people see them.</summary>
    public static string Cut(string text, int max)
    {
        if (text.Length <= max) return text;
        var end = 0;
        while (end < text.Length)
        {
            var length = StringInfo.GetNextTextElementLength(text, end);
            if (end + length > max) break;
            end += length;
        }
        return text[..end].TrimEnd();
    }

    private static bool Hides(Rune rune) => rune.Value is
        0x00AD or 0x061C or 0x180E or 0x200B or 0x200E or 0x200F or (>= 0x202A and <= 0x202E) or (>= 0x2060 and <= 0x2069) or 0xFEFF or (>= 0xFFF9 and <= 0xFFFB) or (>= 0xE0000 and <= 0xE007F);
}
