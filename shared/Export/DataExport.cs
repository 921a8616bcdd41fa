using System.IO.Compression;
using System.Text.Encodings.Web;
using System.Text.Json;
using CsvHelper;
using RetentionFunctions.Customers;
using RetentionFunctions.Storage;

namespace RetentionFunctions.Export;

/// <summary>
/// Everything that is kept of customers and app users, and what each sweep found, row by row as it is read: the memory that it needs does not grow with the data. Only those rows are read, so no
/// key of ours can be among them (they stand elsewhere). The product goes on meanwhile, so it is not of one moment.
/// </summary>
public sealed class DataExport(ITables tables, TimeProvider clock)
{
    private const int FlushBytes = 64 * 1024;

    private static readonly JsonWriterOptions Plain = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>A zip with a CSV file for each kind of row (RFC 4180, UTF-8 with a byte order mark); see <see cref="SpreadsheetCell"/>.</summary>
    public async Task WriteZipAsync(Stream output, CancellationToken cancel = default)
    {
        using var pending = new PendingBytes();
        using (var zip = new ZipArchive(pending, ZipArchiveMode.Create, leaveOpen: true))
        {
            foreach (var kind in ExportKind.All) await FileAsync(kind.File, kind.Columns, Keys.AllBuckets.Select(bucket => Keys.RowsOfBucket(bucket, kind.Noun)));
            var nouns = ExportKind.All.Select(k => k.Noun).ToList();
            await FileAsync("other.csv", [], Keys.AllBuckets.SelectMany(bucket => Keys.OtherRowsOfBucket(bucket, nouns)));
            await FileAsync("sweeps.csv", [], [Keys.Sweeps]);

            Task FileAsync(string name, IReadOnlyList<(string Header, string Path)> columns, IEnumerable<KeyRange> ranges) => WriteFileAsync(zip, name, columns, ranges, () => pending.DrainAsync(output, cancel), cancel);
        }
        await pending.DrainAsync(output, cancel);
    }

    /// <summary>A line of JSON for each row: <c>{"kind":…,"customer":…,"key":[…],"data":{…}}</c>. The first says when, the last how many rows: without it the file broke off.</summary>
    public async Task WriteLinesAsync(Stream output, CancellationToken cancel = default)
    {
        using var buffer = new MemoryStream();
        await using var json = new Utf8JsonWriter(buffer, Plain);
        var rows = 0L;
        json.WriteStartObject();
        json.WriteString("kind", "export");
        json.WriteNumber("format", 1);
        json.WriteString("at", clock.GetUtcNow());
        json.WriteEndObject();
        await EndLineAsync();
        foreach (var range in Keys.AllBuckets.Select(Keys.WholePartition).Append(Keys.Sweeps))
            await foreach (var row in tables.QueryAsync(range, cancel))
            {
                WriteRow(json, row);
                rows++;
                await EndLineAsync();
            }
        json.WriteStartObject();
        json.WriteString("kind", "end");
        json.WriteNumber("rows", rows);
        json.WriteEndObject();
        await EndLineAsync();
        await FlushAsync();

        async Task EndLineAsync()
        {
            json.Flush();
            json.Reset();
            buffer.WriteByte((byte)'\n');
            if (buffer.Length >= FlushBytes) await FlushAsync();
        }

        async Task FlushAsync()
        {
            await output.WriteAsync(buffer.GetBuffer().AsMemory(0, (int)buffer.Length), cancel);
            buffer.SetLength(0);
        }
    }

    /// <summary>Everything that is kept of one customer and the app users tied to it, as JSON; null where there is no such customer.</summary>
    public async Task<ReadOnlyMemory<byte>?> CustomerAsync(string customerId, CancellationToken cancel = default)
    {
        if (await tables.GetAsync<Customer>(Keys.Customer(customerId), cancel) is not { Value.IsUntiedUser: false }) return null;
        var rows = new List<Row>();
        // All of the bucket is read, so that no kind of row can be forgotten.
        await foreach (var row in tables.QueryAsync(Keys.WholePartition(Keys.Bucket(customerId)), cancel))
            if (Keys.Parts(row.At.Key) is [_, var owner, ..] && owner == customerId) rows.Add(row);
        // What a user left before the tie.
        foreach (var user in rows.Select(r => Keys.Parts(r.At.Key)).Where(p => p is ["activity" or "moved", _, _]).Select(p => Keys.UntiedUser(p[2])).Distinct(StringComparer.Ordinal).ToList())
            foreach (var range in new[] { Keys.Activities(user), Keys.Events(user) })
                await foreach (var row in tables.QueryAsync(range, cancel)) rows.Add(row);

        using var file = new MemoryStream();
        await using (var json = new Utf8JsonWriter(file, Plain with { Indented = true }))
        {
            json.WriteStartObject();
            json.WriteString("customer", customerId);
            json.WriteString("at", clock.GetUtcNow());
            json.WriteStartArray("rows");
            foreach (var row in rows) WriteRow(json, row);
            json.WriteEndArray();
            json.WriteEndObject();
        }
        return file.ToArray();
    }

    private static void WriteRow(Utf8JsonWriter json, Row row)
    {
        var parts = Keys.Parts(row.At.Key);
        json.WriteStartObject();
        json.WriteString("kind", parts[0]);
        if (Owner(row, parts) is { } owner) json.WriteString("customer", owner);
        json.WriteStartArray("key");
        foreach (var part in parts) json.WriteStringValue(part);
        json.WriteEndArray();
        json.WritePropertyName("data");
        json.WriteRawValue(row.Body.Span, skipInputValidation: true);
        json.WriteEndObject();
    }

    // A sum of a bucket is nobody's, and so is a sweep.
    private static string? Owner(Row row, string[] parts) => Keys.IsBucket(row.At.Partition) && parts.Length > 1 ? parts[1] : null;

    private async Task WriteFileAsync(ZipArchive zip, string name, IReadOnlyList<(string Header, string Path)> columns, IEnumerable<KeyRange> ranges, Func<Task> drain, CancellationToken cancel)
    {
        var entry = zip.CreateEntry(name, CompressionLevel.Fastest);
        entry.LastWriteTime = clock.GetUtcNow();
        using var file = entry.Open();
        using var csv = CsvWriter.Create(file, CsvWriterOptions.Default with { WriteByteOrderMark = true }, leaveOpen: true);
        csv.WriteRecord(["customer_id", .. columns.Select(c => c.Header), "key", "data"]);
        foreach (var range in ranges)
            await foreach (var row in tables.QueryAsync(range, cancel))
            {
                var parts = Keys.Parts(row.At.Key);
                using var json = JsonDocument.Parse(row.Body);
                csv.WriteField(SpreadsheetCell.Of(Owner(row, parts) ?? ""));
                foreach (var (_, path) in columns) csv.WriteField(Cell(json.RootElement, path));
                csv.WriteField(SpreadsheetCell.Of(row.At.Key));
                csv.WriteField(SpreadsheetCell.OfJson(json.RootElement.GetRawText()));
                csv.EndRecord();
                await drain();
            }
    }

    // Text is made harmless; a number is none.
    private static string Cell(JsonElement row, string path)
    {
        foreach (var name in path.Split('.'))
            if (row.ValueKind != JsonValueKind.Object || !row.TryGetProperty(name, out row)) return "";
        return row.ValueKind switch
        {
            JsonValueKind.String => SpreadsheetCell.Of(row.GetString()!),
            JsonValueKind.Null => "",
            _ => SpreadsheetCell.OfJson(row.GetRawText()),
        };
    }

    /// <summary>What the zip wrote, until it goes out: zip and CSV write without waiting, which a web server's answer does not take.</summary>
    private sealed class PendingBytes : MemoryStream
    {
        // Then sizes stand behind each file, and nothing is written twice.
        public override bool CanSeek => false;

        public async Task DrainAsync(Stream output, CancellationToken cancel)
        {
            if (Length == 0) return;
            await output.WriteAsync(GetBuffer().AsMemory(0, (int)Length), cancel);
            SetLength(0);
        }
    }
}
