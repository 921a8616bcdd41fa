using System.Net;
using RetentionFunctions.Customers;
using RetentionFunctions.Flows;
using RetentionFunctions.Storage;
using RetentionFunctions.Web;

namespace RetentionFunctions.Tests.Web;

public class PageTests
{
    private const string Policy = "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

    [Theory]
    [InlineData("/")]
    [InlineData("/customers")]
    [InlineData("/customers/cus_1")]
    [InlineData("/runs")]
    [InlineData("/dead-letters")]
    [InlineData("/outbox")]
    [InlineData("/outbox/cus_1-1")]
    public async Task What_people_write_is_text_on_every_page_and_never_markup(string path)
    {
        await using var host = await HostedPipeline.StartAsync();
        await SampleRows.FullAsync(host, "cus_1", SampleRows.Hostile, SampleRows.Hostile);
        var html = await host.Client.GetStringAsync(path);
        Assert.Contains("&lt;script&gt;alert(1)&lt;/script&gt;", html);
        Assert.DoesNotContain("<script", html);
        Assert.DoesNotContain("<img", html);
        // Razor takes "word@if" for an e-mail address and shows the code.
        Assert.DoesNotMatch("@(if|for|foreach|switch)\\b", html);
        Assert.DoesNotContain("href=\"javascript", html);
        Assert.DoesNotContain(" style=", html);
        Assert.DoesNotContain("value=\"<", html);
    }

    [Fact]
    public async Task A_search_is_shown_again_as_text()
    {
        await using var host = await HostedPipeline.StartAsync();
        await host.Tables.SeedAsync(SampleRows.Customer("cus_1"));
        var html = await host.Client.GetStringAsync($"/customers?search={Uri.EscapeDataString(SampleRows.Hostile)}");
        Assert.Contains("value=\"&lt;script&gt;", html);
        Assert.DoesNotContain("<script", html);
        Assert.Contains("Nobody matches", html);
    }

    [Theory]
    [InlineData("/", "No customers yet")]
    [InlineData("/", "/stripe/webhook")]
    [InlineData("/", "/v1/track")]
    [InlineData("/customers", "No customers yet")]
    [InlineData("/runs", "Nothing runs now")]
    [InlineData("/runs", "No run has ended yet")]
    [InlineData("/dead-letters", "Everything that came in was handled")]
    [InlineData("/outbox", "No e-mail yet")]
    public async Task An_empty_page_says_what_to_do_or_what_will_be_there(string path, string text)
    {
        await using var host = await HostedPipeline.StartAsync();
        Assert.Contains(text, await host.Client.GetStringAsync(path));
    }

    [Fact]
    public async Task A_customer_of_whom_nothing_is_known_but_the_id_has_a_page()
    {
        await using var host = await HostedPipeline.StartAsync();
        await host.Tables.SeedAsync(new Customer { Id = "cus_bare" });
        var html = await host.Client.GetStringAsync("/customers/cus_bare");
        Assert.Contains("Not scored yet", html);
        Assert.Contains("never measured", html);
        Assert.Contains("No invoice yet", html);
        Assert.Contains("No flow has run", html);
    }

    [Fact]
    public async Task The_page_of_a_customer_says_who_why_and_what_ran()
    {
        await using var host = await HostedPipeline.StartAsync();
        await SampleRows.FullAsync(host, "cus_1", "Ada Ltd", "sign-ins down 62 %");
        var html = WebUtility.HtmlDecode(await host.Client.GetStringAsync("/customers/cus_1"));
        foreach (var text in new[] { "Ada Ltd", "cus_1@example.com", "34 of 100, 42 at the scoring before", "−18", "no data", "$49.00", "in_1", "LED-0041", "12 days ago", "+$20.00", "•••• 4242, 04/2026", "invoice.payment_failed", "Past due" })
            Assert.Contains(text, html);
    }

    [Fact]
    public async Task Those_who_left_are_shown_when_asked_for()
    {
        await using var host = await HostedPipeline.StartAsync();
        await host.Tables.SeedAsync(SampleRows.Customer("cus_here", "Here Ltd", score: 50));
        await host.Tables.SeedAsync(SampleRows.Customer("cus_gone", "Gone Ltd", score: 3, status: CustomerStatus.Canceled, mrr: 0));
        var now = await host.Client.GetStringAsync("/customers");
        Assert.Contains("Here Ltd", now);
        Assert.DoesNotContain("Gone Ltd", now);
        Assert.Contains("Gone Ltd", await host.Client.GetStringAsync("/customers?show=all"));
        Assert.Contains("Gone Ltd", await host.Client.GetStringAsync("/customers?status=canceled"));
    }

    [Fact]
    public async Task More_customers_than_one_page_are_reached_by_next()
    {
        await using var host = await HostedPipeline.StartAsync();
        for (var i = 0; i < 51; i++) await host.Tables.SeedAsync(SampleRows.Customer($"cus_{i:00}", score: 50));
        var first = await host.Client.GetStringAsync("/customers?search=cus");
        Assert.DoesNotContain("cus_50@", first);
        var next = WebUtility.HtmlDecode(System.Text.RegularExpressions.Regex.Match(first, "rel=\"next\" href=\"([^\"]+)\"").Groups[1].Value);
        var second = await host.Client.GetStringAsync(next);
        Assert.Contains("cus_50@", second);
        Assert.DoesNotContain("cus_49@", second);
        Assert.DoesNotContain("rel=\"next\"", second);
    }

    [Fact]
    public async Task The_stop_button_stops_the_run_and_leads_back()
    {
        await using var host = await HostedPipeline.StartAsync();
        await SampleRows.FullAsync(host, "cus_1", "Ada", "text");
        var answer = await host.SubmitAsync("/runs", "/runs/stop", new() { ["customer"] = "cus_1", ["flow"] = "dunning", ["occasion"] = "in_1", ["back"] = "/customers/cus_1?x=1" });
        Assert.Equal(HttpStatusCode.SeeOther, answer.StatusCode);
        Assert.Equal("/customers/cus_1?done=stopped", answer.Headers.Location!.ToString());
        Assert.Equal([new RunId("cus_1", "dunning", "in_1")], host.Stopped);
        Assert.Contains("The run is stopped.", await host.Client.GetStringAsync(answer.Headers.Location));
    }

    [Fact]
    public async Task A_dead_letter_is_replayed_and_dropped_by_its_buttons()
    {
        await using var host = await HostedPipeline.StartAsync();
        await SampleRows.FullAsync(host, "cus_1", "Ada", "text");
        await SampleRows.FullAsync(host, "cus_2", "Bob", "text");
        Assert.Contains("<span class=\"count\">2</span>", await host.Client.GetStringAsync("/"));
        Assert.Equal("/dead-letters?done=replayed", (await host.SubmitAsync("/dead-letters", "/dead-letters/replay", new() { ["id"] = "evt_cus_1/odd" })).Headers.Location!.ToString());
        Assert.Equal("/dead-letters?done=dropped", (await host.SubmitAsync("/dead-letters", "/dead-letters/drop", new() { ["id"] = "evt_cus_2/odd" })).Headers.Location!.ToString());
        Assert.Equal("evt_cus_1/odd", Assert.Single(host.Inbox.Messages).Id);
        Assert.Empty(await host.Letters.ListAsync());
    }

    [Fact]
    public async Task A_long_body_of_a_dead_letter_is_cut()
    {
        await using var host = await HostedPipeline.StartAsync();
        await host.Letters.KeepAsync(new("s", "evt_1", RetentionFunctions.Intake.MessageKind.StripeEvent, default, HostedPipeline.Now), System.Text.Encoding.UTF8.GetBytes(new string('x', 50_000)), "too odd", 1, HostedPipeline.Now);
        var html = await host.Client.GetStringAsync("/dead-letters");
        Assert.Contains("Raw body, 50,000 characters, the first 4,000 shown", html);
        Assert.DoesNotContain(new string('x', 4_001), html);
    }

    [Fact]
    public async Task The_clocks_bar_moves_the_clock_and_leads_back()
    {
        await using var host = await HostedPipeline.StartAsync();
        Assert.Contains("2026-03-10 12:00 UTC", await host.Client.GetStringAsync("/runs"));
        var answer = await host.SubmitAsync("/runs", "/clock/advance", new() { ["days"] = "14", ["back"] = "/runs?x=1" });
        Assert.Equal("/runs?x=1", answer.Headers.Location!.ToString());
        Assert.Equal([TimeSpan.FromDays(14)], host.Advanced);
        Assert.Equal(HttpStatusCode.BadRequest, (await host.SubmitAsync("/runs", "/clock/advance", new() { ["days"] = "-1" })).StatusCode);
    }

    [Fact]
    public async Task On_the_real_clock_and_without_an_outbox_neither_is_offered()
    {
        await using var host = await HostedPipeline.StartAsync(outbox: false, clock: false);
        await host.Tables.SeedAsync(SampleRows.Customer("cus_1"));
        var html = await host.Client.GetStringAsync("/");
        Assert.DoesNotContain("Simulated clock", html);
        Assert.DoesNotContain("Outbox", html);
        Assert.Equal(HttpStatusCode.NotFound, (await host.Client.GetAsync("/outbox")).StatusCode);
    }

    [Theory]
    [InlineData("/runs?x=1", "/runs?x=1")]
    [InlineData("//evil.example/", "/")]
    [InlineData("/\\evil.example/", "/")]
    [InlineData("https://evil.example/", "/")]
    [InlineData("/a\r\nSet-Cookie: x", "/")]
    [InlineData("", "/")]
    [InlineData(null, "/")]
    public void A_form_leads_back_to_our_own_pages_only(string? address, string path) => Assert.Equal(path, PageEndpoints.OwnPath(address));

    [Fact]
    public async Task An_e_mail_is_shown_in_a_frame_that_runs_nothing()
    {
        await using var host = await HostedPipeline.StartAsync();
        await SampleRows.FullAsync(host, "cus_1", "Ada", "text");
        var page = await host.Client.GetAsync("/outbox/cus_1-1");
        Assert.Equal(Policy + "; frame-src 'self'", Header(page, "Content-Security-Policy"));
        Assert.Contains("sandbox=\"allow-popups allow-popups-to-escape-sandbox\"", await page.Content.ReadAsStringAsync());
        var body = await host.Client.GetAsync("/outbox/cus_1-1/body");
        var policy = Header(body, "Content-Security-Policy");
        Assert.StartsWith("default-src 'none'; style-src 'unsafe-inline'; img-src data:;", policy);
        Assert.EndsWith("frame-ancestors 'self'; sandbox allow-popups allow-popups-to-escape-sandbox", policy);
        Assert.Contains("<head><base target=\"_blank\">", await body.Content.ReadAsStringAsync());
    }

    [Theory]
    [InlineData("/", 200)]
    [InlineData("/nothing", 404)]
    [InlineData("/broken", 500)]
    [InlineData("/api/v1/customers", 200)]
    [InlineData("/api/v1/nothing", 404)]
    [InlineData("/api/v1/broken", 500)]
    [InlineData("/healthz", 200)]
    [InlineData("/open", 200)]
    public async Task Every_answer_carries_the_headers(string path, int status)
    {
        await using var host = await HostedPipeline.StartAsync();
        var answer = await host.Client.GetAsync(path);
        Assert.Equal(status, (int)answer.StatusCode);
        Assert.Equal(Policy, Header(answer, "Content-Security-Policy"));
        Assert.Equal("nosniff", Header(answer, "X-Content-Type-Options"));
        Assert.Equal("no-referrer", Header(answer, "Referrer-Policy"));
        Assert.Contains("no-store", Header(answer, "Cache-Control"));
    }

    [Fact]
    public async Task Errors_are_pages_to_people_and_json_to_programs_and_never_a_stack_trace()
    {
        await using var host = await HostedPipeline.StartAsync();
        foreach (var (path, type, text) in new[]
        {
            ("/nothing", "text/html", "Nothing is at this address."),
            ("/customers/cus_x", "text/html", "There is no such customer."),
            ("/broken", "text/html", "Something went wrong"),
            ("/api/v1/nothing", "application/problem+json", "Nothing is at this address."),
            ("/v1/nothing", "application/problem+json", "Nothing is at this address."),
            ("/api/v1/broken", "application/problem+json", "The log has the details"),
            ("/api/v1/too-large", "application/problem+json", "\"status\":413"),
            ("/customers?tier=awful", "text/html", "tier is one of"),
        })
        {
            var answer = await host.Client.GetAsync(path);
            Assert.Equal(type, answer.Content.Headers.ContentType!.MediaType);
            var body = await answer.Content.ReadAsStringAsync();
            Assert.Contains(text, body);
            Assert.DoesNotContain("secret of the stack", body);
            Assert.DoesNotContain("   at ", body);
        }
    }

    [Fact]
    public async Task A_storage_that_does_not_answer_is_said_and_not_ready()
    {
        await using var host = await HostedPipeline.StartAsync();
        Assert.Equal("ready", await host.Client.GetStringAsync("/readyz"));
        host.NotReady = "the demo year is at day 12";
        var playing = await host.Client.GetAsync("/readyz");
        Assert.Equal((HttpStatusCode.ServiceUnavailable, host.NotReady), (playing.StatusCode, await playing.Content.ReadAsStringAsync()));
        host.Tables.StandingFault = new TransientStorageException("busy");
        foreach (var path in new[] { "/readyz", "/", "/api/v1/customers" })
        {
            var answer = await host.Client.GetAsync(path);
            Assert.Equal(HttpStatusCode.ServiceUnavailable, answer.StatusCode);
            Assert.Contains("The storage does not answer at the moment.", await answer.Content.ReadAsStringAsync());
        }
        Assert.Equal(HttpStatusCode.OK, (await host.Client.GetAsync("/healthz")).StatusCode);
    }

    [Fact]
    public async Task The_style_sheet_is_cached_by_its_content()
    {
        await using var host = await HostedPipeline.StartAsync();
        var address = System.Text.RegularExpressions.Regex.Match(await host.Client.GetStringAsync("/"), "href=\"(/site.css[^\"]+)\"").Groups[1].Value;
        var css = await host.Client.GetAsync(address);
        Assert.Equal("text/css", css.Content.Headers.ContentType!.MediaType);
        Assert.Equal("public, max-age=31536000, immutable", Header(css, "Cache-Control"));
        using var again = new HttpRequestMessage(HttpMethod.Get, "/site.css");
        again.Headers.IfNoneMatch.Add(css.Headers.ETag!);
        Assert.Equal(HttpStatusCode.NotModified, (await host.Client.SendAsync(again)).StatusCode);
        Assert.DoesNotContain("http", (await css.Content.ReadAsStringAsync()).Replace("http-equiv", "", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(0, "just now")]
    [InlineData(-59, "just now")]
    [InlineData(-119, "1 min ago")]
    [InlineData(7200, "in 2 h")]
    [InlineData(-86400, "1 day ago")]
    [InlineData(-59 * 86400, "59 days ago")]
    [InlineData(-61 * 86400, "2 months ago")]
    [InlineData(731 * 86400, "in 2 years")]
    public void Times_are_told_in_whole_units(int seconds, string text) => Assert.Equal(text, Words.Relative(HostedPipeline.Now.AddSeconds(seconds), HostedPipeline.Now));

    [Theory]
    [InlineData(-30, "30 days ago")]
    [InlineData(-31, "2026-02-07")]
    [InlineData(31, "2026-04-10")]
    public void What_is_far_off_is_told_by_its_day(int days, string text) => Assert.Equal(text, Words.Near(HostedPipeline.Now.AddDays(days), HostedPipeline.Now));

    [Fact]
    public async Task A_busy_customers_older_events_are_folded_away()
    {
        await using var host = await HostedPipeline.StartAsync();
        await host.Tables.SeedAsync(new Customer { Id = "cus_busy" });
        for (var i = 0; i < 23; i++)
            await host.Tables.UpsertAsync(Keys.Event("cus_busy", $"evt_{i:00}"), new EventMarker($"evt_{i:00}", "invoice.paid", HostedPipeline.Now.AddHours(-i), $"invoice {i:00}: paid"));
        var html = await host.Client.GetStringAsync("/customers/cus_busy");
        var folded = html.IndexOf("<summary>3 more</summary>", StringComparison.Ordinal);
        Assert.InRange(folded, html.IndexOf("invoice 19: paid <small>", StringComparison.Ordinal), html.IndexOf("invoice 20: paid <small>", StringComparison.Ordinal));
    }

    private static string Header(HttpResponseMessage answer, string name) => string.Join(", ", answer.Headers.GetValues(name));
}
