using System.Collections.Concurrent;
using System.IO.Compression;
using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using RetentionFunctions.Customers;
using RetentionFunctions.Import;
using RetentionFunctions.Intake;
using RetentionFunctions.Storage;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.Tests.Erasure;

/// <summary>A customer is marked in every field of everything that comes in, and erased; then everything that there is is searched for the mark.</summary>
public sealed class EraseEverywhereTests
{
    private const string Mark = "zqxMARKzqx";

    private static readonly DateTimeOffset SignUp = new(2026, 1, 5, 10, 0, 0, TimeSpan.Zero);

    [Fact]
    public async Task A_mark_in_every_field_of_every_input_is_nowhere_after_the_erasure()
    {
        using var data = new TempFolder();
        var log = new Log();
        var others = new Story("cus_Other", "other@example.com");
        await using (var host = await TestHost.StartAsync("2026-01-05T10:00:00Z", data: data.Path, services: s => s.AddLogging(l => l.AddProvider(log))))
        {
            var marked = new Story($"cus_{Mark}", $"{Mark}@example.com");
            var user = $"user {Mark}";
            await host.StripeAsync(others.SignsUp(SignUp));
            // From the app, before anybody knew whose user it was, and after; with a mark in each name and value.
            var traits = new JsonObject { ["email"] = $"second.{Mark}@example.com", ["name"] = Mark, ["title"] = Mark, ["company"] = Mark, ["plan"] = Mark };
            await host.TrackAsync(user, "Signed In", properties: new JsonObject { [Mark] = Mark });
            await host.TrackAsync(user, $"Custom {Mark}", properties: new JsonObject { ["feature"] = Mark });
            await host.IdentifyAsync(user, traits.DeepClone().AsObject());
            await host.StripeAsync(marked.SignsUp(SignUp).Select(MarkAll));
            await host.IdentifyAsync(user, new JsonObject { ["stripeCustomerId"] = marked.Customer, ["name"] = Mark });
            await host.TrackAsync(user, "Feature Used", properties: new JsonObject { ["feature"] = Mark });
            await host.StripeAsync(MarkAll(marked.CustomerUpdated(SignUp.AddHours(1), $"third.{Mark}@example.com")));
            await host.AdvanceAsync(TimeSpan.FromDays(30));
            // E-mails with links, an answer to one, what the provider reports.
            await host.StripeAsync(marked.PaymentFails(host.Now).Select(MarkAll));
            await host.AdvanceAsync(TimeSpan.FromDays(12));
            foreach (var mail in (await host.OutboxAsync()).Where(m => (string)m["customerId"]! == marked.Customer))
                await host.Http.PostAsync("/local/mail-events", new StringContent(new JsonObject { ["id"] = (string)mail["id"]!, ["event"] = "delivered" }.ToJsonString(), Encoding.UTF8, "application/json"));
            await host.Services.GetRequiredService<ITables>().UpsertAsync(Keys.Note(marked.Customer, "note"), new Note { Id = "note", At = host.Now, Kind = "answer", Text = Mark, By = "the customer" });
            // What cannot be read, small and large; an event that waits for its owner; a file, imported, and one that waits.
            foreach (var padding in new[] { 0, 250_000 })
            {
                var broken = MarkAll(marked.Event($"invoice.paid", host.Now.AddSeconds(padding), new JsonObject { ["object"] = "invoice", ["id"] = $"in_{padding}", ["customer"] = marked.Customer, ["amount_due"] = "plenty", ["padding"] = new string('x', padding) }));
                await host.StripeAsync(broken);
            }
            var file = $"customer_id,email,name,user_id,subscription_id,plan,amount,currency,interval,started,country,trait.x\n{marked.Customer},file.{Mark}@example.com,{Mark},other {Mark},sub_file_{Mark},{Mark},5,usd,month,2025-10-01,{Mark},{Mark}\n";
            Assert.Equal(HttpStatusCode.Accepted, (await host.Http.PostAsync("/api/v1/import", new StringContent(file))).StatusCode);
            await host.SettleAsync();
            Assert.Equal("done", (string)(await host.GetAsync("/api/v1/import"))!["status"]!);
            await host.Services.GetRequiredService<Imports>().KeepAsync(Encoding.UTF8.GetBytes(file + "cus_Other,,,,sub_x,B,5,usd,month,2025-11-01,,\n"));
            // What cannot be handled of the app's either.
            await host.Services.GetRequiredService<IInbox>().EnqueueAsync([new InboxMessage($"user:{user}", $"{user}:1", MessageKind.AppEvent, Encoding.UTF8.GetBytes($"[{Mark}"), host.Now)]);
            await host.SettleAsync();
            // A message that was received before, and is tried until long after.
            var late = new InboxMessage(marked.Customer, $"evt_late_{Mark}", MessageKind.StripeEvent, Encoding.UTF8.GetBytes($"{{\"{Mark}\":1}}"), host.Now);

            var before = await FoundAsync(host);
            // It was really everywhere.
            Assert.All((string[])["customer", "snapshot", "ledger", "invoice", "activity", "event", "run", "mail", "note", "months", "score", "x-user", "x-email", "x-invoice", "dead-letters", "body", "export", "outbox"],
                kind => Assert.Contains(before, place => place.StartsWith(kind, StringComparison.Ordinal)));

            Assert.Equal(HttpStatusCode.Accepted, (await host.Http.DeleteAsync($"/api/v1/customers/{marked.Customer}")).StatusCode);
            await host.SettleAsync();
            await host.Services.GetRequiredService<DeadLetters>().KeepAsync(late, late.Body, "tried too often", 10, host.Now);
            Assert.Empty(await FoundAsync(host));
            await host.AdvanceAsync(TimeSpan.FromDays(3));
            Assert.Empty(await FoundAsync(host));
            Assert.Equal(HttpStatusCode.OK, (await host.Http.GetAsync("/api/v1/customers/cus_Other")).StatusCode);
        }
        Assert.Contains(log.Lines, line => line.StartsWith("Message AppEvent", StringComparison.Ordinal));
        Assert.Empty(log.Lines.Where(line => line.Contains(Mark, StringComparison.OrdinalIgnoreCase)).Distinct());
        // Whatever stands in any table of the file, and in its bytes: what is erased is overwritten.
        Assert.Empty(InFiles(data.Path));
    }

    /// <summary>The rule that the product's own e-mails and pages keep, and this test needs: the same story without an erasure is found in the file.</summary>
    [Fact]
    public async Task Before_the_erasure_the_file_does_hold_the_mark()
    {
        using var data = new TempFolder();
        await using (var host = await TestHost.StartAsync("2026-01-05T10:00:00Z", data: data.Path)) await host.StripeAsync(new Story($"cus_{Mark}", $"{Mark}@example.com").SignsUp(SignUp));
        Assert.NotEmpty(InFiles(data.Path));
    }

    [Fact]
    public async Task The_past_months_keep_their_figures_when_a_customer_is_erased_and_the_sum_is_still_that_of_its_parts()
    {
        await using var host = await TestHost.StartAsync("2026-01-05T10:00:00Z");
        var bob = new Story("cus_Bob", "bob@example.com");
        await host.StripeAsync(host.Ada.SignsUp(SignUp));
        await host.StripeAsync(bob.SignsUp(SignUp));
        await host.AdvanceAsync(TimeSpan.FromDays(40));
        var before = (await host.GetAsync("/api/v1/metrics?from=2026-01&to=2026-01"))!.ToJsonString();
        await host.Http.DeleteAsync("/api/v1/customers/cus_Ada");
        await host.SettleAsync();
        Assert.Equal(before, (await host.GetAsync("/api/v1/metrics?from=2026-01&to=2026-01"))!.ToJsonString());
        // Who was a customer to that moment leaves with it.
        Assert.Equal((2, 1, 9800, -4900, 4900), await FebruaryAsync());
        await AssertSumsAsync(host);
        var tables = host.Services.GetRequiredService<ITables>();
        var kept = (await tables.GetAsync(Keys.MonthsOfErased(Keys.Bucket("cus_Ada"))))!;
        Assert.DoesNotContain("Ada", Encoding.UTF8.GetString(kept.Body.Span));

        // They come back by an event of Stripe, as one who was never there, and leave again.
        await host.AdvanceAsync(TimeSpan.FromDays(1));
        await host.StripeAsync(host.Ada.SignsUp(host.Now));
        await AssertSumsAsync(host);
        await host.Http.DeleteAsync("/api/v1/customers/cus_Ada");
        await host.SettleAsync();
        await AssertSumsAsync(host);
        Assert.Equal((2, 1, 9800, -9800, 4900), await FebruaryAsync());
        await host.AdvanceAsync(TimeSpan.FromDays(30));
        var march = (await host.GetAsync("/api/v1/metrics?from=2026-03&to=2026-03"))!.AsArray()[0]!;
        Assert.Equal((1, 4900), ((int)march["customersAtStart"]!, (int)march["mrrAtEnd"]!));

        async Task<(int, int, int, int, int)> FebruaryAsync()
        {
            var month = (await host.GetAsync("/api/v1/metrics?from=2026-02&to=2026-02"))!.AsArray()[0]!;
            return ((int)month["customersAtStart"]!, (int)month["customersLost"]!, (int)month["mrrAtStart"]!, (int)month["mrrChurned"]!, (int)month["mrrAtEnd"]!);
        }
    }

    /// <summary>As the figures would have it had the customer cancelled at that moment: joined so many days before, in the windows of Stripe's formula and not.</summary>
    [Theory]
    [InlineData(3, 20)]
    [InlineData(3, 30)]
    [InlineData(3, 31)]
    [InlineData(3, 40)]
    [InlineData(33, 40)]
    [InlineData(29, 30)]
    [InlineData(3, 59)]
    public void Who_is_erased_leaves_as_who_cancels(int joined, int erased)
    {
        var settings = new RetentionFunctions.Settings.CustomerSettings();
        var at = Snapshots.Day(erased);
        var without = CustomerDerivation.Derive(new Customer { Id = "c" }, [Snapshots.Created(day: joined)], settings, at).Months;
        var cancelled = CustomerDerivation.Derive(new Customer { Id = "c" }, [Snapshots.Created(day: joined), Snapshots.Deleted("d", erased)], settings, at).Months;
        var ended = without.Concat(ErasedMonths.End(without, at)).GroupBy(c => c.Key, c => c.Value).ToDictionary(g => g.Key, g => g.Aggregate((a, b) => a + b)).Where(c => c.Value != default).ToDictionary();
        Assert.Equal(cancelled, ended);
        Assert.Empty(ErasedMonths.End(cancelled, at.AddDays(50)));
    }

    [Fact]
    public async Task A_sum_that_a_backup_took_at_another_moment_than_its_parts_is_put_right_and_no_other_is_touched()
    {
        await using var host = await TestHost.StartAsync("2026-01-05T10:00:00Z");
        await host.StripeAsync(host.Ada.SignsUp(SignUp));
        await host.StripeAsync(new Story("cus_Bob", "bob@example.com").SignsUp(SignUp));
        await host.Http.DeleteAsync("/api/v1/customers/cus_Bob");
        await host.SettleAsync();
        var tables = host.Services.GetRequiredService<ITables>();
        var before = (await host.GetAsync("/api/v1/metrics?from=2026-01&to=2026-01"))!.ToJsonString();
        Assert.Equal(0, await MonthRows.SumAsync(tables));
        await tables.DeleteAsync(Keys.MonthsOfBucket(Keys.Bucket("cus_Ada")));
        Assert.NotEqual(before, (await host.GetAsync("/api/v1/metrics?from=2026-01&to=2026-01"))!.ToJsonString());
        Assert.Equal(1, await MonthRows.SumAsync(tables));
        Assert.Equal(before, (await host.GetAsync("/api/v1/metrics?from=2026-01&to=2026-01"))!.ToJsonString());
    }

    private static async Task AssertSumsAsync(TestHost host)
    {
        var tables = host.Services.GetRequiredService<ITables>();
        foreach (var bucket in Keys.AllBuckets)
        {
            var parts = await tables.ListAsync<StoredMonths>(Keys.MonthsOfCustomers(bucket));
            if (await tables.GetAsync<StoredMonths>(Keys.MonthsOfErased(bucket)) is { Value: var erased }) parts.Add(erased);
            var sum = parts.SelectMany(p => p.Cells()).GroupBy(c => c.Key, c => c.Value).ToDictionary(g => g.Key, g => g.Aggregate((a, b) => a + b)).Where(c => c.Value != default).ToDictionary();
            Assert.Equal(sum, (await tables.GetAsync<StoredMonths>(Keys.MonthsOfBucket(bucket)))?.Value.Cells() ?? []);
        }
    }

    // Every text of an event's object; ids of things too, but for what says which kind of thing it is.
    private static JsonObject MarkAll(JsonObject e)
    {
        var about = e["data"]!["object"]!.AsObject();
        // Stripe's ids of events are drawn by lot, and say nothing of anybody.
        e["id"] = ((string)e["id"]!).Replace(Mark, "1", StringComparison.Ordinal);
        about["description"] = Mark;
        about["metadata"] = new JsonObject { [Mark] = Mark, ["userId"] = $"third {Mark}" };
        about["name"] = Mark;
        about["phone"] = Mark;
        about["address"] = new JsonObject { ["line1"] = Mark, ["city"] = Mark, ["country"] = Mark };
        about["customer_name"] = Mark;
        about["hosted_invoice_url"] = $"https://invoice.example/{Mark}";
        about["number"] = Mark;
        about["nickname"] = Mark;
        return e;
    }

    /// <summary>Where the mark is: rows by their kind (keys, bodies, chunked bodies), the outbox, exports, pages.</summary>
    private static async Task<List<string>> FoundAsync(TestHost host)
    {
        var found = new List<string>();
        // The sandbox stands for Stripe, which is asked separately.
        await foreach (var (at, text) in Everywhere.TextsAsync(host.Services.GetRequiredService<ITables>()))
            if (at.Partition != "x-sandbox" && Has(text)) found.Add(Keys.IsBucket(at.Partition) ? at.Key : at.Partition);
        foreach (var address in new[] { "/local/outbox", "/api/v1/dead-letters", "/api/v1/customers", "/api/v1/flows", "/api/v1/system", "/api/v1/import", "/import", "/", "/customers", "/runs", "/system", "/dead-letters", "/outbox" })
            if (Has(await host.Http.GetStringAsync(address))) found.Add(address.EndsWith("outbox", StringComparison.Ordinal) ? "outbox" : address);
        if (Has(await host.Http.GetStringAsync("/export/json"))) found.Add("export as JSON");
        using var zip = new ZipArchive(new MemoryStream(await host.Http.GetByteArrayAsync("/export/csv")));
        foreach (var entry in zip.Entries)
        {
            using var reader = new StreamReader(await entry.OpenAsync());
            if (Has(await reader.ReadToEndAsync())) found.Add($"export as CSV, {entry.Name}");
        }
        return found;
    }

    private static bool Has(string text) => text.Contains(Mark, StringComparison.OrdinalIgnoreCase);

    private static List<string> InFiles(string folder)
    {
        var found = new List<string>();
        SqliteConnection.ClearAllPools();
        foreach (var file in Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories))
            if (Has(Encoding.Latin1.GetString(File.ReadAllBytes(file)))) found.Add(Path.GetFileName(file));
        return found;
    }

    private sealed class Log : ILoggerProvider, ILogger
    {
        public ConcurrentQueue<string> Lines { get; } = new();

        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        void ILogger.Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            Lines.Enqueue($"{formatter(state, exception)} {exception}");
        }

        public void Dispose() { }
    }
}
