using System.Globalization;
using System.Text;

namespace RetentionFunctions.Export;

/// <summary>
/// Text of a CSV cell that no spreadsheet runs as a formula. Rule (OWASP, "CSV Injection"): what begins with <c>= + - @</c>, a tab, a line break, or one of the wide forms of the four, also behind
/// blanks, gets one <c>'</c> in front, which spreadsheets take for "this is text". So does what begins with <c>'</c> itself. A spreadsheet of a country that writes decimals with a comma takes the
/// file apart at semicolons, and quotes inside of what it then holds for one cell mean nothing to it: so a new cell begins behind each semicolon, tab and line break too. Hence whoever reads the file takes
/// away one <c>'</c> from the beginning of a cell and from behind each of those, and has what it was. Numbers are no text: a negative one stays a number.
/// </summary>
public static class SpreadsheetCell
{
    /// <summary>Text as it is written.</summary>
    public static string Of(string text)
    {
        StringBuilder? cell = null;
        for (var i = 0; i < text.Length; i++)
        {
            if ((i == 0 || IsSeparator(text[i - 1])) && Runs(text.AsSpan(i))) (cell ??= new StringBuilder(text, 0, i, text.Length + 8)).Append('\'');
            cell?.Append(text[i]);
        }
        return cell?.ToString() ?? text;
    }

    /// <summary>JSON as it is written: it begins with a bracket, and its strings have no line breaks; a semicolon in them is written as JSON may write any character.</summary>
    public static string OfJson(string json) => json.Replace(";", "\\u003b", StringComparison.Ordinal);

    /// <summary>What a cell said before it was written.</summary>
    public static string Read(string cell)
    {
        var text = new StringBuilder(cell.Length);
        for (var i = 0; i < cell.Length; i++)
            if (cell[i] != '\'' || (i > 0 && !IsSeparator(cell[i - 1]))) text.Append(cell[i]);
        return text.ToString();
    }

    private static bool IsSeparator(char c) => c is ';' or '\t' or '\r' or '\n';

    // What a spreadsheet would not show as it stands.
    private static bool Runs(ReadOnlySpan<char> text)
    {
        foreach (var c in text)
        {
            if (c is '=' or '+' or '-' or '@' or '\'' or '\t' or '\r' or '\n' or '\0' or '＝' or '＋' or '－' or '＠' or '−') return true;
            if (!char.IsWhiteSpace(c) && !char.IsControl(c) && char.GetUnicodeCategory(c) != UnicodeCategory.Format) return false;
        }
        return false;
    }
}
