using System.Text;
using CsvHelper;
using FsCheck;
using FsCheck.Fluent;
using RetentionFunctions.Export;

namespace RetentionFunctions.Tests.Export;

/// <summary>No cell of an export is a formula, and none is lost.</summary>
public sealed class SpreadsheetCellTests
{
    private static readonly char[] Dangerous = ['=', '+', '-', '@', '\t', '\r', '\n', '\0', '＝', '＋', '－', '＠'];

    [Theory]
    [InlineData("=1+1", "'=1+1")]
    [InlineData("@SUM(A1)", "'@SUM(A1)")]
    [InlineData("+49 30 1234", "'+49 30 1234")]
    [InlineData("-4900", "'-4900")]
    [InlineData("\t=1", "'\t'=1")]
    [InlineData("Ada;=1+1", "Ada;'=1+1")]
    [InlineData("Ada; @SUM(A1);'", "Ada;' @SUM(A1);''")]
    [InlineData("Ada\n=1+1\r\n+1", "Ada\n'=1+1\r'\n'+1")]
    [InlineData("Ada; Bob\nEve", "Ada; Bob\nEve")]
    [InlineData("  =1", "'  =1")]
    [InlineData("'quoted'", "''quoted'")]
    [InlineData("Ada = Lovelace", "Ada = Lovelace")]
    [InlineData("ada@example.com", "ada@example.com")]
    [InlineData("", "")]
    public void Text_that_would_run_gets_an_apostrophe_in_front(string text, string cell) => Assert.Equal(cell, SpreadsheetCell.Of(text));

    [Fact]
    public void Any_hostile_text_is_harmless_as_a_cell_and_comes_back_as_it_was()
    {
        var part = Gen.Elements("=", "+", "-", "@", "\t", "\r", "\n", "\0", "'", "\"", ",", ";", " ", "\u00a0", "\u200b", "\ufeff", "＝", "cmd|' /C calc'!A0", "HYPERLINK(\"http://x\")", "a", "é", "\U0001F600");
        Prop.ForAll(part.ListOf().Select(parts => string.Concat(parts)).ToArbitrary(), text =>
        {
            var cell = SpreadsheetCell.Of(text);
            var file = new MemoryStream();
            using (var csv = CsvWriter.Create(file, leaveOpen: true)) {
                csv.WriteRecord(["a", "b"]);
                csv.WriteRecord([cell, "next"]);
            }
            using var read = CsvReader.Create(file.ToArray(), CsvReaderOptions.Default with { Separator = ',', SkipEmptyLines = false });
            return read.Read() && read.FieldCount == 2 && read.GetString(1) == "next" && SpreadsheetCell.Read(read.GetString(0)) == text
                // Also where it is taken apart at semicolons or tabs, and its quotes mean nothing.
                && cell.Split(';', '\t', '\r', '\n').All(part => !Dangerous.Contains(part.TrimStart(' ', '\u00a0', '\u200b', '\ufeff').FirstOrDefault('a')))
                && (cell.Length == 0 || !Dangerous.Contains(cell[0]));
        }).QuickCheckThrowOnFailure();
    }
}
