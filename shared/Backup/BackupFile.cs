using System.IO.Compression;
using System.Text.Json;
using RetentionFunctions.Storage;

namespace RetentionFunctions.Backup;

/// <summary>
/// One file of a backup: a line of JSON for each row, <c>{"partition":…,"key":…,"body":{…}}</c>, and at the end <c>{"rows":…}</c>, gzipped. A stored format that any
/// tool can read (<c>zcat 000000.jsonl.gz | jq</c>).
/// </summary>
internal static class BackupFile
{
    /// <summary>The name of the n-th file of a backup, from 0: names sort as numbers.</summary>
    public static string Name(long number) => FormattableString.Invariant($"{number:D6}.jsonl.gz");

    /// <summary>The bytes of these rows.</summary>
    public static ReadOnlyMemory<byte> Write(IReadOnlyCollection<Row> rows)
    {
        using var file = new MemoryStream();
        using (var zip = new GZipStream(file, CompressionLevel.Fastest, leaveOpen: true))
        {
            using var json = new Utf8JsonWriter(zip, new JsonWriterOptions { Encoder = TablesExtensions.Json.Encoder, SkipValidation = true });
            foreach (var row in rows)
            {
                json.WriteStartObject();
                json.WriteString("partition", row.At.Partition);
                json.WriteString("key", row.At.Key);
                json.WritePropertyName("body");
                json.WriteRawValue(row.Body.Span, skipInputValidation: true);
                json.WriteEndObject();
                EndLine();
            }
            json.WriteStartObject();
            json.WriteNumber("rows", rows.Count);
            json.WriteEndObject();
            EndLine();

            void EndLine()
            {
                json.Flush();
                json.Reset();
                zip.WriteByte((byte)'\n');
            }
        }
        return file.ToArray();
    }

    /// <summary>The rows of a file, in their order, without ETags.</summary>
    /// <exception cref="InvalidDataException">It is damaged.</exception>
    public static List<Row> Read(ReadOnlyMemory<byte> file)
    {
        var rows = new List<Row>();
        using var zip = new GZipStream(new MemoryStream(file.ToArray(), writable: false), CompressionMode.Decompress);
        using var lines = new StreamReader(zip);
        try
        {
            while (lines.ReadLine() is { } line)
            {
                using var json = JsonDocument.Parse(line);
                var row = json.RootElement;
                if (row.TryGetProperty("rows", out var count))
                    return count.GetInt64() == rows.Count ? rows : throw new InvalidDataException($"It has {rows.Count} rows and should have {count.GetInt64()}.");
                var body = JsonSerializer.SerializeToUtf8Bytes(row.GetProperty("body"), TablesExtensions.Json);
                rows.Add(new Row(new RowKey(row.GetProperty("partition").GetString()!, row.GetProperty("key").GetString()!), body, ""));
            }
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException)
        {
            throw new InvalidDataException($"Line {rows.Count + 1} is no row: {e.Message}", e);
        }
        throw new InvalidDataException($"It breaks off after {rows.Count} rows.");
    }
}

/// <summary>What a whole backup says of itself; written last, so a backup without it is not whole.</summary>
/// <param name="Format">The version of the format: <see cref="Current"/>.</param>
/// <param name="StartedAt">When the first row was read, UTC. Rows were read one after another until <paramref name="EndedAt"/>, while the product went on.</param>
/// <param name="EndedAt">When the last row was read, UTC.</param>
/// <param name="Rows">How many rows.</param>
/// <param name="Bytes">How many bytes, gzipped.</param>
/// <param name="Files">How many files.</param>
public sealed record BackupManifest(int Format, DateTimeOffset StartedAt, DateTimeOffset EndedAt, long Rows, long Bytes, int Files)
{
    /// <summary>The format that this version writes. It reads this one and earlier ones.</summary>
    public const int Current = 1;

    /// <summary>The name of its file.</summary>
    public const string FileName = "manifest.json";
}
