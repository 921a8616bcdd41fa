using System.Text;
using System.Text.Unicode;
using CsvHelper;

namespace RetentionFunctions.Import;

/// <summary>One row of a file.</summary>
/// <param name="Number">As a spreadsheet numbers it: the header is 1.</param>
/// <param name="Cells">Trimmed, as many as there are headers.</param>
internal sealed record ImportRow(int Number, string[] Cells);

/// <summary>Takes a file apart: its encoding, its separator, its rows. What it means is <see cref="ImportReader"/>'s.</summary>
internal static class ImportFile
{
    /// <summary>The largest file, in bytes: with all its rows it is in memory while it is checked, on an instance of 512 MB.</summary>
    public const int MaxBytes = 20 * 1024 * 1024;

    /// <summary>The most rows, for the same reason.</summary>
    public const int MaxRows = 200_000;

    private const int MaxRecordBytes = 256 * 1024;
    private const int MaxColumns = 500;

    /// <summary>The headers and rows; no headers where it is no file that can be read, which is then among the problems.</summary>
    public static (IReadOnlyList<string> Headers, List<ImportRow> Rows) Read(ReadOnlyMemory<byte> file, ImportProblems problems)
    {
        if (Unfit(file.Span) is { } unfit)
        {
            problems.Add(null, null, unfit);
            return ([], []);
        }
        var rows = new List<ImportRow>();
        IReadOnlyList<string> headers = [];
        try
        {
            using var csv = CsvReader.Create(file, CsvReaderOptions.Default with
            {
                SkipEmptyLines = false, TrimWhitespace = true, TrimInsideQuotes = true, MaxRecordSize = MaxRecordBytes, PoolStrings = true, IncludeValuesInExceptions = false,
                OnMalformedRecord = bad => problems.Add((int)bad.RecordNumber, null, bad.Reason switch
                {
                    CsvMalformedReason.UnterminatedQuote => "a quote is opened and never closed",
                    _ => "a quote stands inside of a cell; write it twice, and the whole cell in quotes",
                }),
            });
            csv.ReadHeader();
            headers = [.. csv.Headers];
            if (headers.Count > MaxColumns)
            {
                problems.Add(1, null, FormattableString.Invariant($"has {headers.Count} columns; {MaxColumns} are the most"));
                return ([], []);
            }
            while (csv.Read())
            {
                var number = (int)csv.RowNumber + 1;
                var cells = new string[headers.Count];
                var any = false;
                for (var i = 0; i < csv.FieldCount || i < cells.Length; i++)
                {
                    var cell = i < csv.FieldCount ? csv.GetString(i) : "";
                    any |= cell.Length > 0;
                    if (i < cells.Length) cells[i] = cell;
                    else if (cell.Length > 0)
                    {
                        problems.Add(number, null, FormattableString.Invariant($"has more cells than the header, which has {headers.Count}; a cell with a comma in it stands in quotes"));
                        break;
                    }
                }
                if (!any) continue;
                rows.Add(new ImportRow(number, cells));
                if (rows.Count <= MaxRows) continue;
                problems.Add(null, null, FormattableString.Invariant($"The file has more than {MaxRows} rows. Split it: each part is imported by itself, and all rows of a customer belong into one part."));
                return ([], []);
            }
        }
        catch (CsvFormatException e)
        {
            problems.Add(Math.Max(1, (int)e.RecordNumber), null, "is longer than any row can be: a quote is opened there and not closed");
            return ([], []);
        }
        if (rows.Count == 0 && problems.Count == 0) problems.Add(null, null, "The file has a header and no row below it.");
        return (headers, rows);
    }

    private static string? Unfit(ReadOnlySpan<byte> file)
    {
        if (file.Length > MaxBytes) return TooLarge;
        if (file.StartsWith((ReadOnlySpan<byte>)[0xFF, 0xFE]) || file.StartsWith((ReadOnlySpan<byte>)[0xFE, 0xFF]) || file[..Math.Min(file.Length, 1024)].Contains((byte)0))
            return "The file is not UTF-8 text (it looks like UTF-16). Save it once more as “CSV UTF-8”.";
        if (file.StartsWith("PK\u0003\u0004"u8)) return "The file is a workbook or a zip, not CSV. Save the sheet as “CSV UTF-8”.";
        if (!Utf8.IsValid(file)) return FormattableString.Invariant($"The file is not UTF-8: line {LineOf(file)} has characters in another encoding (Latin-1, Windows-1252). Save it once more as “CSV UTF-8”; what would be read otherwise are wrong names.");
        return Encoding.UTF8.GetString(file[..Math.Min(file.Length, 1024)]).Trim('\uFEFF', ' ', '\r', '\n', '\t').Length == 0 ? "The file is empty." : null;
    }

    /// <summary>That a file is too large, in words.</summary>
    public static string TooLarge => FormattableString.Invariant($"The file is larger than {MaxBytes / 1024 / 1024} MB, the most that is taken at once. Split it: each part is imported by itself, and all rows of a customer belong into one part.");

    private static int LineOf(ReadOnlySpan<byte> file)
    {
        var line = 1;
        while (Rune.DecodeFromUtf8(file, out var rune, out var length) == System.Buffers.OperationStatus.Done)
        {
            if (rune.Value == '\n') line++;
            file = file[length..];
        }
        return line;
    }
}
