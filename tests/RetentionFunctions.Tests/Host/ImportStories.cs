using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using RetentionFunctions.Customers;
using RetentionFunctions.Import;
using RetentionFunctions.Intake;
using RetentionFunctions.Jobs;
using RetentionFunctions.Local;
using RetentionFunctions.Storage;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.Tests.Host;

/// <summary>Files that are imported into the whole local host: by program, by page, by command.</summary>
public sealed class ImportStories
{
    private const string Ada = "customer_id,email,name,subscription_id,plan,amount,currency,interval,started,from,status,ended\n"
        + "cus_Ada,old@example.com,Ada of the file,sub_Ada,Basic,10.00,usd,month,2026-01-05,,,\n"
        + "cus_Ada,,,sub_Ada,Basic,20.00,usd,month,,2026-02-05,,\n";

    private static async Task<HttpResponseMessage> PostAsync(TestHost host, string file, bool dryRun = false) =>
        await host.Http.PostAsync($"/api/v1/import{(dryRun ? "?dryRun=true" : "")}", new StringContent(file, Encoding.UTF8, "text/csv"));

    private static async Task ImportAsync(TestHost host, string file)
    {
        var answer = await PostAsync(host, file);
        Assert.True(answer.StatusCode == HttpStatusCode.Accepted, await answer.Content.ReadAsStringAsync());
        await host.SettleAsync();
        Assert.Equal("done", (string)(await host.GetAsync("/api/v1/import"))!["status"]!);
        Assert.Empty(await host.DeadLettersAsync());
    }

    private static async Task<List<string>> LedgerAsync(TestHost host, string customer) =>
        [.. (await host.Services.GetRequiredService<ITables>().ListAsync<Movement>(Keys.Ledger(customer))).Select(m => $"{m.At:MM-dd} {m.Kind} {m.Amount}")];

    private static async Task<List<string>> RowsAsync(TestHost host)
    {
        var rows = new List<string>();
        await foreach (var row in host.Services.GetRequiredService<ITables>().ScanAsync())
            if (!row.At.Partition.StartsWith("x-account", StringComparison.Ordinal) && !Keys.IsJob(row.At)) rows.Add($"{row.At.Partition}/{row.At.Key} {Encoding.UTF8.GetString(row.Body.Span)}");
        return rows;
    }

    [Fact]
    public async Task A_dry_run_says_what_would_be_written_and_writes_nothing_and_then_it_is_written_once_however_often_it_comes()
    {
        await using var host = await TestHost.StartAsync("2026-04-01T00:00:00Z");
        var before = await RowsAsync(host);
        var answer = await PostAsync(host, Ada, dryRun: true);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        var told = (await answer.Content.ReadFromJsonAsync<JsonNode>())!;
        Assert.Equal(("checked", "own", 2, 1, 1, 2000), ((string)told["status"]!, (string)told["layout"]!, (int)told["rows"]!, (int)told["customers"]!, (int)told["subscriptions"]!, (int)told["mrr"]!["usd"]!));
        await host.SettleAsync();
        Assert.Equal(before, await RowsAsync(host));

        await ImportAsync(host, Ada);
        Assert.Equal(["01-05 New 1000", "02-05 Expansion 1000"], await LedgerAsync(host, "cus_Ada"));
        var once = await RowsAsync(host);
        Assert.DoesNotContain(once, row => row.StartsWith("body|", StringComparison.Ordinal));
        await ImportAsync(host, Ada);
        Assert.Equal(once, await RowsAsync(host));
        var months = (await host.GetAsync("/api/v1/metrics?from=2026-01&to=2026-03"))!.AsArray();
        Assert.Equal([(0, 1000, 1000), (1000, 0, 2000), (2000, 0, 2000)], months.Select(m => ((int)m!["mrrAtStart"]!, (int)m["mrrNew"]!, (int)m["mrrAtEnd"]!)));
        Assert.All(months, m => Assert.Null(m!["correctedAt"]));

        // Nobody is e-mailed, now or when the sweeps go over them.
        await host.AdvanceAsync(TimeSpan.FromDays(40));
        Assert.Empty(await host.OutboxAsync());
        Assert.Empty(await host.FlowsAsync());
        // A corrected file takes the place of the former one.
        await ImportAsync(host, Ada.Replace("2026-02-05", "2026-03-01", StringComparison.Ordinal).Replace("Ada of the file", "Ada King", StringComparison.Ordinal));
        Assert.Equal(["01-05 New 1000", "03-01 Expansion 1000"], await LedgerAsync(host, "cus_Ada"));
        Assert.Equal("Ada King", (string)(await host.CustomerAsync())["name"]!);
    }

    [Fact]
    public async Task The_overview_counts_none_of_what_a_file_brought_as_growth_of_the_week()
    {
        await using var host = await TestHost.StartAsync("2026-04-01T00:00:00Z");
        await host.StripeAsync(new Story("cus_Bob", "bob@example.com").SignsUp(host.Now));
        await host.AdvanceAsync(TimeSpan.FromDays(9));
        Assert.Contains("as a week ago", await host.Http.GetStringAsync("/"));
        await ImportAsync(host, Ada);
        await host.AdvanceAsync(TimeSpan.FromDays(2));
        var page = await host.Http.GetStringAsync("/");
        Assert.Contains("$69.00", page);
        Assert.DoesNotContain("in a week", page);
        Assert.Contains("changes show once a sweep of after 2026-04-10, when customers of before were brought in, is a week old.", page);
        Assert.Contains("On 2026-04-10 an import, or Stripe&#x27;s history, brought customers who were there before: that step, here and beside it, is no growth.", page);
        // A week later the sweeps on both sides know them.
        await host.AdvanceAsync(TimeSpan.FromDays(7));
        Assert.Contains("as a week ago", await host.Http.GetStringAsync("/"));
    }

    [Fact]
    public async Task With_a_mistake_in_any_row_nothing_of_the_file_is_written_and_every_mistake_is_told()
    {
        await using var host = await TestHost.StartAsync("2026-04-01T00:00:00Z");
        var before = await RowsAsync(host);
        var answer = await PostAsync(host, Ada + "cus_Bob,,,sub_Bob,Basic,\"12,5O\",usd,month,2026-01-05,,,\ncus_Eve,,,sub_Eve,Basic,5,usd,never,2026-01-05,,,\n");
        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        var errors = (await answer.Content.ReadFromJsonAsync<JsonNode>())!["errors"]!.AsArray();
        Assert.Equal([(4, "amount"), (5, "interval")], errors.Select(e => ((int)e!["row"]!, (string)e["column"]!)));
        Assert.StartsWith("'12,5O' is no amount; write 12.50", (string)errors[0]!["message"]!, StringComparison.Ordinal);
        await host.SettleAsync();
        Assert.Equal(before, await RowsAsync(host));
        Assert.Equal(HttpStatusCode.BadRequest, (await host.Http.PostAsync("/api/v1/import?dryRun=perhaps", new StringContent(Ada))).StatusCode);
    }

    [Fact]
    public async Task What_Stripe_says_before_or_after_the_file_wins_and_nothing_counts_twice()
    {
        foreach (var fileFirst in new[] { true, false })
        {
            await using var host = await TestHost.StartAsync("2026-03-10T00:00:00Z");
            var story = new Story();
            // Signed up in January, and nobody listened.
            Assert.NotEmpty(story.SignsUp(new DateTimeOffset(2026, 1, 5, 0, 0, 0, TimeSpan.Zero)).ToList());
            var renewal = story.Renews(host.Now);
            if (fileFirst) await ImportAsync(host, Ada);
            await host.StripeAsync(story.CustomerUpdated(host.Now, "new@example.com"), renewal);
            if (!fileFirst) await ImportAsync(host, Ada);
            // Up to the first event the file is all that is known; from there on Stripe knows better.
            Assert.Equal(["01-05 New 1000", "02-05 Expansion 1000", "03-10 Expansion 2900"], await LedgerAsync(host, "cus_Ada"));
            var customer = await host.CustomerAsync();
            Assert.Equal(("new@example.com", 4900), ((string)customer["email"]!, (int)customer["mrr"]!["amount"]!));
            await host.StripeAsync(story.Cancels(host.Now.AddSeconds(10)));
            await ImportAsync(host, Ada);
            Assert.Equal("03-10 Churned -4900", (await LedgerAsync(host, "cus_Ada"))[^1]);
        }
    }

    [Fact]
    public async Task Whoever_was_erased_is_not_brought_back_by_a_file_not_even_when_Stripe_speaks_of_them_again()
    {
        await using var host = await TestHost.StartAsync("2026-04-01T00:00:00Z");
        await ImportAsync(host, Ada);
        Assert.Equal(HttpStatusCode.Accepted, (await host.Http.DeleteAsync("/api/v1/customers/cus_Ada")).StatusCode);
        await host.SettleAsync();
        var told = (await (await PostAsync(host, Ada, dryRun: true)).Content.ReadFromJsonAsync<JsonNode>())!;
        Assert.Equal((1, 1), ((int)told["customers"]!, (int)told["erased"]!));
        await ImportAsync(host, Ada);
        Assert.Equal(HttpStatusCode.NotFound, (await host.Http.GetAsync("/api/v1/customers/cus_Ada")).StatusCode);
        await host.AdvanceAsync(TimeSpan.FromMinutes(1));
        Assert.NotEmpty(host.Ada.SignsUp(host.Now.AddMonths(-3)).ToList());
        await host.StripeAsync(host.Ada.CustomerUpdated(host.Now, "new@example.com"));
        Assert.Equal(HttpStatusCode.OK, (await host.Http.GetAsync("/api/v1/customers/cus_Ada")).StatusCode);
        await ImportAsync(host, Ada);
        Assert.Empty(await LedgerAsync(host, "cus_Ada"));
    }

    [Fact]
    public async Task A_large_file_survives_a_host_that_is_stopped_midway_and_says_how_far_it_is()
    {
        using var data = new TempFolder();
        // With more subscriptions' states than a batch holds, and a customer whose message is larger than the queue takes.
        var file = new StringBuilder("customer_id,subscription_id,plan,amount,currency,interval,started,from\n");
        for (var n = 0; n < 2_500; n++) file.Append($"cus_{n},sub_{n},Basic,10.00,usd,month,2026-01-05,\n");
        for (var n = 0; n < 700; n++) file.Append($"cus_many,sub_many,Basic,{n % 2 + 1},usd,month,2022-01-01,{new DateTime(2022, 1, 1).AddDays(n):yyyy-MM-dd}\n");
        await using (var first = await TestHost.StartAsync("2026-04-01T00:00:00Z", data: data.Path, services: s => s.AddSingleton<IInbox>(all => new Full(all.GetRequiredService<Local.Sqlite.SqliteInbox>()))))
        {
            Assert.Equal(HttpStatusCode.Accepted, (await PostAsync(first, file.ToString())).StatusCode);
            Assert.Equal(HttpStatusCode.Conflict, (await PostAsync(first, Ada)).StatusCode);
            await first.SettleAsync();
            var midway = (await first.GetAsync("/api/v1/import"))!;
            Assert.Equal(("running", 2_000), ((string)midway["status"]!, (int)midway["counts"]!["customers"]!));
            Assert.Contains("<b>79 %</b>", await first.Http.GetStringAsync("/import"));
        }
        await using var host = await TestHost.StartAsync("2026-04-01T00:00:00Z", data: data.Path);
        await host.AdvanceAsync(TimeSpan.FromMinutes(10));
        var done = (await host.GetAsync("/api/v1/import"))!;
        Assert.Equal(("done", 2_501, 2_501), ((string)done["status"]!, (int)done["counts"]!["customers"]!, (int)done["counts"]!["subscriptions"]!));
        Assert.Empty(await host.DeadLettersAsync());
        Assert.Equal(700, (await LedgerAsync(host, "cus_many")).Count);
        var march = (await host.GetAsync("/api/v1/metrics?from=2026-03&to=2026-03"))!.AsArray()[0]!;
        Assert.Equal((2_501, 2_500 * 1_000 + 200), ((int)march["customersAtStart"]!, (int)march["mrrAtEnd"]!));
    }

    [Fact]
    public async Task A_file_of_which_only_a_part_was_kept_is_not_written_as_if_it_were_whole()
    {
        await using var host = await TestHost.StartAsync("2026-04-01T00:00:00Z");
        var (imports, tables) = (host.Services.GetRequiredService<Imports>(), host.Services.GetRequiredService<ITables>());
        // Rows as long as chunks are multiples of.
        var file = "customer_id,country,nam\n" + string.Concat(Enumerable.Range(1000, 5000).Select(n => $"cus_{n},DE,Ada Lovelac\n"));
        var (_, kept) = (await imports.KeepAsync(Encoding.UTF8.GetBytes(file))).GetValueOrDefault();
        // The host died, or whoever uploads went away, before the last of it was kept; what is there ends with a whole row.
        var last = new RowKey("", "");
        await foreach (var row in tables.QueryAsync(Keys.BodyChunks(Imports.BodyOf(kept.Id)))) last = row.At;
        await tables.DeleteAsync(last);
        Assert.Equal(ImportStart.Begun, await imports.StartAsync(kept.Id));
        await host.SettleAsync();
        Assert.Contains("or not all of it", (await host.Services.GetRequiredService<JobRunner>().StateAsync("import"))!.Failed);
        Assert.Equal(HttpStatusCode.NotFound, (await host.Http.GetAsync("/api/v1/customers/cus_1000")).StatusCode);
        // The same file once more is whole again.
        await ImportAsync(host, file);
        Assert.Equal(HttpStatusCode.OK, (await host.Http.GetAsync("/api/v1/customers/cus_1000")).StatusCode);
    }

    [Fact]
    public async Task A_file_that_is_too_large_is_refused_before_it_is_read()
    {
        await using var host = await TestHost.StartAsync("2026-04-01T00:00:00Z");
        var answer = await host.Http.PostAsync("/api/v1/import", new ByteArrayContent(new byte[ImportFile.MaxBytes + 1]));
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, answer.StatusCode);
        Assert.Contains("larger than 20 MB", await answer.Content.ReadAsStringAsync());
        // One that does not tell its length.
        var chunked = new HttpRequestMessage(HttpMethod.Post, "/api/v1/import") { Content = new StreamContent(new MemoryStream(new byte[ImportFile.MaxBytes + 1])) };
        chunked.Headers.TransferEncodingChunked = true;
        answer = await host.Http.SendAsync(chunked);
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, answer.StatusCode);
        Assert.Contains("larger than 20 MB", await answer.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task On_the_page_a_file_is_checked_first_and_written_or_forgotten_when_the_founder_says_so()
    {
        await using var host = await TestHost.StartAsync("2026-04-01T00:00:00Z");
        using var browser = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = true }) { BaseAddress = host.Http.BaseAddress };
        async Task<(string Page, string Token)> LookAsync()
        {
            var page = await browser.GetStringAsync("/import");
            return (page, Regex.Match(page, "name=\"form_token\" value=\"([^\"]*)\"").Groups[1].Value);
        }
        async Task<HttpResponseMessage> ChooseAsync(string file, string token) => await browser.PostAsync("/import", new MultipartFormDataContent { { new StringContent(token), "form_token" }, { new ByteArrayContent(Encoding.UTF8.GetBytes(file)), "file", "ada.csv" } });
        async Task<HttpResponseMessage> PressAsync(string button, string page, string token) =>
            await browser.PostAsync($"/import/{button}", new FormUrlEncodedContent(new Dictionary<string, string> { ["form_token"] = token, ["file"] = Regex.Match(page, "name=\"file\" value=\"([0-9a-f]+)\"").Groups[1].Value }));

        var (empty, token) = await LookAsync();
        Assert.Contains("Check it", empty);
        var wrong = await ChooseAsync("customer_id,amount,currency,interval,started\nc1,<b>,usd,month,2026-01-01", token);
        Assert.Equal(HttpStatusCode.BadRequest, wrong.StatusCode);
        var said = await wrong.Content.ReadAsStringAsync();
        Assert.Contains("Row 2", said);
        Assert.Contains("&#x27;&lt;b&gt;&#x27; is no amount", said);
        Assert.DoesNotContain(await RowsAsync(host), row => row.StartsWith("body|", StringComparison.Ordinal));

        Assert.Equal("/import", (await ChooseAsync(Ada, token)).Headers.Location!.OriginalString);
        var (waiting, _) = await LookAsync();
        Assert.Contains("nothing is written yet", waiting);
        Assert.Contains("$20.00", waiting);
        Assert.Equal(HttpStatusCode.NotFound, (await host.Http.GetAsync("/api/v1/customers/cus_Ada")).StatusCode);
        Assert.Equal("/import?done=discarded", (await PressAsync("discard", waiting, token)).Headers.Location!.OriginalString);
        Assert.DoesNotContain(await RowsAsync(host), row => row.StartsWith("body|", StringComparison.Ordinal));
        Assert.Equal("/import?done=file-gone", (await PressAsync("start", waiting, token)).Headers.Location!.OriginalString);

        await ChooseAsync(Ada, token);
        Assert.Equal("/import?done=importing", (await PressAsync("start", (await LookAsync()).Page, token)).Headers.Location!.OriginalString);
        await host.SettleAsync();
        Assert.Contains("1 customer, 1 subscription", (await LookAsync()).Page);
        Assert.Equal(2000, (int)(await host.CustomerAsync())["mrr"]!["amount"]!);

        // One that nobody confirms is not kept for longer than a day.
        await ChooseAsync(Ada.Replace("cus_Ada", "cus_Bob", StringComparison.Ordinal), token);
        await host.AdvanceAsync(TimeSpan.FromDays(2));
        Assert.DoesNotContain(await RowsAsync(host), row => row.Contains("cus_Bob", StringComparison.Ordinal) || row.StartsWith("body|", StringComparison.Ordinal));
        Assert.Contains("Check it", (await LookAsync()).Page);
        // Nobody else's page can send one.
        var foreign = new HttpRequestMessage(HttpMethod.Post, "/import") { Content = new MultipartFormDataContent { { new ByteArrayContent("x"u8.ToArray()), "file", "x.csv" } } };
        foreign.Headers.Add("Sec-Fetch-Site", "cross-site");
        Assert.Equal(HttpStatusCode.Forbidden, (await browser.SendAsync(foreign)).StatusCode);
    }

    [Fact]
    public async Task A_file_with_a_customer_who_is_erased_while_it_waits_is_forgotten_with_them()
    {
        await using var host = await TestHost.StartAsync("2026-04-01T00:00:00Z");
        await host.StripeAsync(new Story().SignsUp(host.Now));
        var imports = host.Services.GetRequiredService<Imports>();
        var (_, summary) = (await imports.KeepAsync(Encoding.UTF8.GetBytes(Ada)))!.Value;
        await host.Http.DeleteAsync("/api/v1/customers/cus_Ada");
        await host.SettleAsync();
        Assert.DoesNotContain(await RowsAsync(host), row => row.StartsWith("body|", StringComparison.Ordinal));
        Assert.Equal(ImportStart.Begun, await imports.StartAsync(summary.Id));
        await host.SettleAsync();
        Assert.Contains("removed because a customer in it was erased", (await host.Services.GetRequiredService<JobRunner>().StateAsync("import"))!.Failed!);
    }

    [Fact]
    public async Task The_command_checks_and_writes_a_file_without_a_server()
    {
        using var data = new TempFolder();
        var file = Path.Combine(data.Path, "ada.csv");
        await File.WriteAllTextAsync(file, Ada);
        var folder = Path.Combine(data.Path, "data");
        async Task<(int Code, string Out, string Errors)> RunAsync(bool dryRun)
        {
            await using var app = await LocalHost.CreateAsync(new LocalOptions { Urls = "http://127.0.0.1:0", DataFolder = folder, Import = file, DryRun = dryRun, Clock = DateTimeOffset.Parse("2026-04-01T00:00:00Z") }, new ConfigurationBuilder().Build());
            var (output, errors) = (new StringWriter(), new StringWriter());
            return (await ImportCommand.RunAsync(app.Services, file, dryRun, output, errors), output.ToString(), errors.ToString());
        }
        Assert.Equal((0, $"No mistakes. It would write: 1 customer, 1 subscription, MRR $20.00.{Environment.NewLine}", ""), await RunAsync(dryRun: true));
        Assert.Equal((0, $"Written: 1 customer, 1 subscription, MRR $20.00.{Environment.NewLine}", ""), await RunAsync(dryRun: false));
        await using (var host = await TestHost.StartAsync("2026-04-01T00:00:00Z", data: folder))
            Assert.Equal(["01-05 New 1000", "02-05 Expansion 1000"], await LedgerAsync(host, "cus_Ada"));
        await File.WriteAllTextAsync(file, Ada.Replace("10.00", "ten", StringComparison.Ordinal));
        var (code, _, said) = await RunAsync(dryRun: false);
        Assert.Equal((1, $"row 2, column amount: 'ten' is no amount; write 12.50, or 1250.00 without a currency sign{Environment.NewLine}Nothing was written.{Environment.NewLine}"), (code, said));
        var asked = LocalOptions.Parse(["import", "a.csv", "--dry-run", "--data", "d"]);
        Assert.Equal(("a.csv", true, "d"), (asked.Import, asked.DryRun, asked.DataFolder));
        Assert.Throws<LocalStartException>(() => LocalOptions.Parse(["import"]));
        Assert.Throws<LocalStartException>(() => LocalOptions.Parse(["--dry-run"]));
    }

    /// <summary>Takes the messages of the first step of an import, and is full then.</summary>
    private sealed class Full(IInbox inbox) : IInbox
    {
        private int taken;

        public Task EnqueueAsync(IReadOnlyList<InboxMessage> messages, CancellationToken cancel = default) =>
            messages[0].Kind == MessageKind.StripeHistory && Interlocked.Add(ref taken, messages.Count) > 2_000 ? throw new TransientStorageException("The queue is full.") : inbox.EnqueueAsync(messages, cancel);
    }
}
