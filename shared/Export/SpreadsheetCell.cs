namespace RetentionFunctions.Export;

/// <summary>
/// Text of a CSV cell that no spreadsheet runs as a formula. Rule (OWASP, "CSV Injection"): what begins with <c>= + - @</c>, a tab, a line break, or one of the wide forms of the four, also behind
/// blanks, gets one <c>'</c> in front, which spreadsheets take for "this is text". So does what begins with <c>'</c> itself; hence whoever reads the file takes one <c>'</c> away from
/// the beginning of a cell, and has what it was. Numbers are no text: a negative one stays a number.
/// </summary>
public static class SpreadsheetCell
{
    /// <summary>Text as it is written.</summary>
    public static string Of(string text)
    {
        foreach (var c in text)
        {
            if (c is '=' or '+' or '-' or '@' or '\'' or '\t' or '\r' or '\n' or '\0' or '＝' or '＋' or '－' or '＠' or '−') return "'" + text;
            if (!char.IsWhiteSpace(c) && !char.IsControl(c) && char.GetUnicodeCategory(c) != System.Globalization.UnicodeCategory.Format) return text;
        }
        return text;
    }

    /// <summary>What a cell said before it was written.</summary>
    public static string Read(string cell) => cell.StartsWith('\'') ? cell[1..] : cell;
}
