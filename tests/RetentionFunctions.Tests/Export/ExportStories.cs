using System.IO.Compression;
using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using CsvHelper;
using Microsoft.Extensions.DependencyInjection;
using RetentionFunctions.Customers;
using RetentionFunctions.Export;
using RetentionFunctions.Storage;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.Tests.Export;

/// <summary>Everything out again, from the whole local host.</summary>
public sealed class ExportStories
{
    private static readonly DateTimeOffset SignUp = new(2026, 1, 5, 10, 0, 0, TimeSpan.Zero);

    /// <summary>Ada with something of every kind, and Bob whose name and e-mail are formulas.</summary>
    private static async Task<TestHost> CompanyAsync()
    {
        var host = await TestHost.StartAsync("2026-01-05T10:00:00Z");
        var bob = new Story("cus_Bob", "=cmd|' /C calc'!A0@example.com");
        foreach (var (story, user) in new[] { (host.Ada, "user-of-ada"), (bob, "-1+1") })
        {
            await host.TrackAsync(user, "Signed In");
            await host.IdentifyAsync(user, new JsonObject { ["stripeCustomerId"] = story.Customer, ["name"] = "@SUM(A1)" });
            await host.StripeAsync(story.SignsUp(SignUp));
        }
        await host.AdvanceAsync(TimeSpan.FromDays(30));
        await host.StripeAsync(host.Ada.PaymentFails(host.Now));
        await host.AdvanceAsync(TimeSpan.FromDays(12));
        await host.StripeAsync(host.Ada.Cancels(host.Now, "payment_failed"));
        await host.Services.GetRequiredService<ITables>().UpsertAsync(Keys.Note("cus_Ada", "n"), new Note { Id = "n", At = host.Now, Kind = "answer", Text = "=HYPERLINK(\"http://evil\");=1+1\n+1", By = "the customer" });
        return host;
    }

    private static async Task<List<(string Key, JsonNode Body)>> StoredAsync(TestHost host)
    {
        var rows = new List<(string, JsonNode)>();
        await foreach (var row in host.Services.GetRequiredService<ITables>().ScanAsync())
            if (Keys.IsBucket(row.At.Partition) || row.At.Partition == Keys.Sweeps.Partition) rows.Add(($"{row.At.Key}", JsonNode.Parse(row.Body.Span)!));
        return rows;
    }

    [Fact]
    public async Task The_zip_has_every_row_of_every_kind_as_CSV_without_a_formula_and_all_of_it_comes_back()
    {
        await using var host = await CompanyAsync();
        // A kind of row that this version does not know, as a newer one may have written.
        await host.Services.GetRequiredService<ITables>().UpsertAsync(new RowKey(Keys.Bucket("cus_Ada"), "novelty|cus_Ada|1"), new { text = "new" });
        var answer = await host.Http.GetAsync("/api/v1/export?format=csv");
        Assert.Equal(("application/zip", "no-store"), (answer.Content.Headers.ContentType!.MediaType, answer.Headers.CacheControl!.ToString()));
        Assert.Contains("attachment; filename=\"retention-2026-02-16.zip\"", answer.Content.Headers.ContentDisposition!.ToString());
        using var zip = new ZipArchive(await answer.Content.ReadAsStreamAsync());
        var found = new List<(string Key, JsonNode Body)>();
        foreach (var entry in zip.Entries)
        {
            using var stream = await entry.OpenAsync();
            using var csv = CsvReader.Create(stream, CsvReaderOptions.Default with { Separator = ',' });
            while (csv.Read())
            {
                for (var i = 0; i < csv.FieldCount; i++) Assert.DoesNotMatch("(^|[;\t\n])[=+@\t\r-](?![0-9.]+$)", csv.GetString(i));
                var body = JsonNode.Parse(csv.GetString("data"))!;
                found.Add((SpreadsheetCell.Read(csv.GetString("key")), body));
                if (entry.Name == "customers.csv" && csv.GetString("customer_id") == "cus_Bob") Assert.Equal("=cmd|' /C calc'!A0@example.com", SpreadsheetCell.Read(csv.GetString("email")));
                if (entry.Name == "movements.csv") Assert.Equal((long)body["amount"]!, long.Parse(csv.GetString("amount")));
                if (entry.Name == "notes.csv") Assert.Equal("'=HYPERLINK(\"http://evil\");'=1+1\n'+1", csv.GetString("text"));
            }
        }
        var stored = await StoredAsync(host);
        Assert.Equal(stored.Select(r => r.Key).Order(StringComparer.Ordinal), found.Select(r => r.Key).Order(StringComparer.Ordinal));
        Assert.All(stored, row => Assert.Contains(found, f => f.Key == row.Key && JsonNode.DeepEquals(f.Body, row.Body)));
        Assert.Equal("novelty|cus_Ada|1", Assert.Single(found, f => f.Key.StartsWith("novelty", StringComparison.Ordinal)).Key);
        // Each kind has a file, and each was needed.
        var kinds = stored.Select(r => r.Key.Split('|')[0]).ToHashSet();
        Assert.Superset(ExportKind.All.Select(k => k.Noun).Where(n => n is not "moved").ToHashSet(), kinds);
    }

    [Fact]
    public async Task The_lines_of_JSON_are_every_row_and_say_where_they_end()
    {
        await using var host = await CompanyAsync();
        var lines = (await host.Http.GetStringAsync("/export/json")).TrimEnd('\n').Split('\n').Select(line => JsonNode.Parse(line)!).ToList();
        var stored = await StoredAsync(host);
        Assert.Equal(("export", "end", stored.Count), ((string)lines[0]["kind"]!, (string)lines[^1]["kind"]!, (int)lines[^1]["rows"]!));
        Assert.Equal(stored.Select(r => r.Body.ToJsonString()), lines[1..^1].Select(l => l["data"]!.ToJsonString()));
        Assert.All(stored.Zip(lines[1..^1]), pair => Assert.Equal(pair.First.Key, string.Join('|', pair.Second["key"]!.AsArray().Select(part => Keys.Escape((string)part!)))));
    }

    [Fact]
    public async Task Of_one_customer_everything_comes_as_JSON_and_nothing_of_anybody_else()
    {
        await using var host = await CompanyAsync();
        var customer = (await host.GetAsync("/api/v1/customers/cus_Ada/export"))!;
        var rows = customer["rows"]!.AsArray();
        var kinds = rows.Select(r => (string)r!["kind"]!).ToHashSet();
        Assert.Superset(new HashSet<string> { "customer", "snapshot", "ledger", "invoice", "activity", "score", "event", "run", "mail", "note", "months" }, kinds);
        Assert.All(rows, row => Assert.Contains((string)row!["customer"]!, (string[])["cus_Ada", "user:user-of-ada"]));
        Assert.DoesNotContain("Bob", customer.ToJsonString());
        Assert.Equal(HttpStatusCode.NotFound, (await host.Http.GetAsync("/api/v1/customers/cus_nobody/export")).StatusCode);
        Assert.Contains("href=\"/customers/cus_Ada/export\" download", await host.Http.GetStringAsync("/customers/cus_Ada"));
        Assert.Equal("attachment; filename=\"customer.json\"", (await host.Http.GetAsync("/customers/cus_Ada/export")).Content.Headers.ContentDisposition!.ToString());
    }

    [Fact]
    public async Task Only_the_founder_may_take_data_out_and_no_key_or_secret_is_among_it()
    {
        await using var host = await TestHost.StartAsync("2026-01-05T10:00:00Z", new() { ["Admin:Key"] = "the founders own key" });
        foreach (var address in new[] { "/api/v1/export?format=csv", "/api/v1/export?format=json", "/api/v1/customers/cus_Ada/export" }) Assert.Equal(HttpStatusCode.Unauthorized, (await host.Http.GetAsync(address)).StatusCode);
        foreach (var address in new[] { "/export/csv", "/export/json", "/customers/cus_Ada/export", "/import" }) Assert.Equal(HttpStatusCode.SeeOther, (await host.Http.GetAsync(address)).StatusCode);
        Assert.Equal(HttpStatusCode.Unauthorized, (await host.Http.PostAsync("/api/v1/import", new StringContent("customer_id\nc1"))).StatusCode);
        // A page makes the keys that protect its forms.
        await host.Http.GetStringAsync("/sign-in");
        host.Http.DefaultRequestHeaders.Authorization = new("Bearer", "the founders own key");
        Assert.Equal(HttpStatusCode.BadRequest, (await host.Http.GetAsync("/api/v1/export?format=xml")).StatusCode);
        var lines = await host.Http.GetStringAsync("/api/v1/export?format=json");
        var secrets = new List<string> { TestHost.Secret, TestHost.WriteKey, "the founders own key", "masterKey" };
        await foreach (var row in host.Services.GetRequiredService<ITables>().ScanAsync())
            if (row.At.Partition == Keys.ProtectionKeys.Partition) secrets.Add(row.At.Key);
        Assert.True(secrets.Count > 4);
        Assert.All(secrets, secret => Assert.DoesNotContain(secret, lines, StringComparison.Ordinal));
    }

    [Fact]
    public async Task An_export_needs_no_more_memory_for_more_customers()
    {
        var tables = new FakeTables();
        var name = new byte[900];
        for (var n = 0; n < 3_000; n++)
        {
            // What cannot be zipped smaller.
            new Random(n).NextBytes(name);
            await tables.UpsertAsync(Keys.Customer($"cus_{n}"), new { id = $"cus_{n}", profile = new { name = Convert.ToBase64String(name) } });
        }
        var export = new DataExport(tables, new StandingClock(SignUp));
        foreach (var write in new Func<Stream, Task>[] { stream => export.WriteZipAsync(stream), stream => export.WriteLinesAsync(stream) })
        {
            var measure = new Counting();
            await write(measure);
            Assert.True(measure.Bytes > 2_000_000);
            // What is held back at any time.
            Assert.InRange(measure.Largest, 1, 300_000);
            Assert.Equal(0, measure.Synchronous);
        }
    }

    private sealed class Counting : Stream
    {
        public long Bytes { get; private set; }

        public int Largest { get; private set; }

        public int Synchronous { get; private set; }

        public override bool CanRead => false;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override void Write(byte[] buffer, int offset, int count) => Synchronous++;

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            (Bytes, Largest) = (Bytes + buffer.Length, Math.Max(Largest, buffer.Length));
            return ValueTask.CompletedTask;
        }

        public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override void Flush() { }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();
    }
}
