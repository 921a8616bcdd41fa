using System.Net;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using RetentionFunctions.Storage;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.Tests.Web;

/// <summary>What may stand behind the question mark of a page's address, and how a wrong one is answered.</summary>
public partial class PageQueryTests
{
    [Theory]
    [InlineData("/recovery?weeks=x", "This page does not know 'weeks'. Behind the question mark it takes: from, to, currency.")]
    [InlineData("/recovery?from=x", "from is a day such as 2025-09-15, not 'x'.")]
    [InlineData("/recovery?currency=$", "currency is one of three letters such as usd, not '$'.")]
    [InlineData("/customers?show=zz", "show is all or left out, not 'zz'.")]
    [InlineData("/customers?page=-3", "This page does not know 'page'. Behind the question mark it takes: show, tier, status, search, sort, after, limit.")]
    [InlineData("/customers?limit=0", "limit is a whole number from 1 to 500, not '0'.")]
    [InlineData("/customers/cus_1?show=zz", "show is one of event, payment, email, run, note, health, not 'zz'.")]
    [InlineData("/metrics?month=soon", "month is one such as 2026-03, not 'soon'.")]
    [InlineData("/metrics?currency=dollar", "currency is one of three letters such as usd, or converted, not 'dollar'.")]
    [InlineData("/metrics?currency=converted", "There is no currency to convert into: set insight.currency, and insight.rates for the others.")]
    [InlineData("/cohorts?split=shoe", "split is one of plan, country, channel, not 'shoe'. More are kept where customers.traits names them.")]
    [InlineData("/cohorts?value=x", "value is one of a split's, and nothing is split here.")]
    [InlineData("/cohorts?currency=us", "currency is one of three letters such as usd, not 'us'.")]
    [InlineData("/review?currency=x1y", "currency is one of three letters such as usd, not 'x1y'.")]
    [InlineData("/review/2026-02?month=2026-01", "This page does not know 'month'. Behind the question mark it takes: currency.")]
    [InlineData("/settings?show=all", "show is changed or left out, not 'all'.")]
    [InlineData("/health?days=7", "This page does not know 'days'. It takes nothing behind the question mark.")]
    [InlineData("/?x=1", "This page does not know 'x'. It takes nothing behind the question mark.")]
    public async Task What_a_page_does_not_know_is_refused_with_what_it_takes_and_the_way_to_the_other_pages(string address, string told)
    {
        await using var host = await HostedPipeline.StartAsync();
        await host.Tables.SeedAsync(SampleRows.Customer("cus_1"));
        using var answer = await host.Client.GetAsync(address);
        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        var html = WebUtility.HtmlDecode(await answer.Content.ReadAsStringAsync());
        Assert.Contains($"<p>{told}</p>", html);
        Assert.Contains("<a href=\"/recovery\"", html);
    }

    [Fact]
    public async Task What_is_left_empty_and_what_a_form_did_are_no_mistakes()
    {
        await using var host = await HostedPipeline.StartAsync();
        foreach (var address in (string[])["/customers?search=&tier=&show=&sort=", "/recovery?from=&to=&currency=", "/cohorts?by=&split=&value=&currency=", "/runs?done=stopped", "/metrics?Currency=USD"])
            Assert.Equal(HttpStatusCode.OK, (await host.Client.GetAsync(address)).StatusCode);
    }

    [Fact]
    public async Task No_link_of_a_page_leads_to_what_a_page_refuses()
    {
        await using var host = await TestHost.StartAsync("2026-01-05T10:00:00Z");
        await host.StripeAsync(host.Ada.SignsUp(host.Now));
        await host.StripeAsync(new Story("cus_Bob", "bob@example.com").SignsUp(host.Now).Select(e => (JsonObject)JsonNode.Parse(e.ToJsonString().Replace("\"usd\"", "\"eur\"", StringComparison.Ordinal))!));
        await host.AdvanceAsync(TimeSpan.FromDays(70));
        var (waiting, seen) = (new Queue<string>(["/"]), new HashSet<string>(StringComparer.Ordinal));
        while (waiting.TryDequeue(out var address))
        {
            using var answer = await host.Http.GetAsync(address);
            Assert.True(answer.StatusCode is HttpStatusCode.OK, $"{address}: {answer.StatusCode}");
            foreach (Match link in Links().Matches(await answer.Content.ReadAsStringAsync()))
                if (WebUtility.HtmlDecode(link.Groups[1].Value) is var to && !to.StartsWith("/export", StringComparison.Ordinal) && !to.StartsWith("/review/", StringComparison.Ordinal) && seen.Add(to)) waiting.Enqueue(to);
        }
        Assert.True(seen.Count(a => a.Contains('?', StringComparison.Ordinal)) > 15, string.Join("\n", seen));
    }

    [Fact]
    public async Task A_currency_in_which_nobody_pays_is_told_as_such()
    {
        await using var host = await TestHost.StartAsync("2026-01-05T10:00:00Z");
        await host.StripeAsync(host.Ada.SignsUp(host.Now));
        await host.AdvanceToAsync(new DateTimeOffset(2026, 2, 10, 0, 0, 0, TimeSpan.Zero));
        Assert.Contains("There are no figures in EUR: customers pay in USD.", await host.Http.GetStringAsync("/metrics?currency=eur"));
        Assert.Equal("[]", (await host.GetAsync("/api/v1/metrics?currency=eur"))!.ToJsonString());
        Assert.Contains("There are no figures in EUR: here are those in USD.", await host.Http.GetStringAsync("/review?currency=eur"));
        foreach (var api in (string[])["metrics", "recovery", "cohorts"])
        {
            using var wrong = await host.Http.GetAsync($"/api/v1/{api}?currency=dollar");
            Assert.Equal(HttpStatusCode.BadRequest, wrong.StatusCode);
            Assert.Contains("currency is one of three letters such as usd", await wrong.Content.ReadAsStringAsync());
        }
    }

    [Fact]
    public async Task A_rate_that_is_missing_leaves_the_page_standing_and_says_which()
    {
        await using var host = await TestHost.StartAsync("2026-01-05T10:00:00Z", new() { ["Insight:Currency"] = "eur" });
        await host.StripeAsync(host.Ada.SignsUp(host.Now));
        await host.AdvanceToAsync(new DateTimeOffset(2026, 2, 10, 0, 0, 0, TimeSpan.Zero));
        var page = await host.Http.GetStringAsync("/metrics?currency=converted");
        Assert.Contains("No rate of USD is known for 2026-01 to 2026-02: add one to insight.rates that begins by 2026-01-01.", page);
        Assert.Contains("<a href=\"/metrics\">Each currency by itself</a>", page);
        Assert.DoesNotContain("<h2 id=\"month\">", page);
    }

    [Fact]
    public async Task An_error_leads_the_founder_to_the_other_pages_and_nobody_else()
    {
        const string Key = "a-key-of-some-length";
        await using var host = await HostedPipeline.StartAsync(Key);
        Assert.DoesNotContain("aria-label=\"Main\"", await TextAsync("/nowhere", HttpStatusCode.NotFound));
        Assert.Equal(HttpStatusCode.SeeOther, (await host.SubmitAsync("/sign-in", "/sign-in", new() { ["key"] = Key, ["to"] = "/" })).StatusCode);
        // Nobody's address, one that takes no GET, a customer that is none, a wrong query.
        Assert.Contains("aria-label=\"Main\"", await TextAsync("/nowhere", HttpStatusCode.NotFound));
        Assert.Contains("aria-label=\"Main\"", await TextAsync("/runs/stop", HttpStatusCode.MethodNotAllowed));
        Assert.Contains("aria-label=\"Main\"", await TextAsync("/customers/cus_none", HttpStatusCode.NotFound));
        Assert.Contains("aria-label=\"Main\"", await TextAsync("/metrics?from=x", HttpStatusCode.BadRequest));
        // Where the storage fails too: nothing of the frame is read from it.
        host.Tables.StandingFault = new TransientStorageException("down");
        Assert.Contains("aria-label=\"Main\"", await TextAsync("/customers", HttpStatusCode.ServiceUnavailable));

        async Task<string> TextAsync(string address, HttpStatusCode expected)
        {
            using var answer = await host.Client.GetAsync(address);
            Assert.Equal(expected, answer.StatusCode);
            return await answer.Content.ReadAsStringAsync();
        }
    }

    [Fact]
    public async Task A_customer_on_whose_page_something_is_wrong_sees_none_of_the_founders_pages()
    {
        // On the founder's own machine, where everybody is the founder.
        await using var host = await TestHost.StartAsync("2026-01-05T10:00:00Z");
        var answer = await host.Http.GetAsync("/l/no-token");
        Assert.NotEqual(HttpStatusCode.OK, answer.StatusCode);
        Assert.DoesNotContain("aria-label=\"Main\"", await answer.Content.ReadAsStringAsync());
    }

    [GeneratedRegex("href=\"(/[^\"#]*)[\"#]")]
    private static partial Regex Links();
}
