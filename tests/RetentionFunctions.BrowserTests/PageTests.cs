using System.Net;
using System.Text.RegularExpressions;
using Microsoft.Playwright;

namespace RetentionFunctions.BrowserTests;

/// <summary>Every page on a phone and on a desk, light and dark: nothing overflows, nothing is loaded from elsewhere, the browser has nothing to complain about, axe-core finds nothing serious.</summary>
public sealed partial class PageTests(Browser browser, Company company) : IClassFixture<Company>
{
    // Of pages that differ only in whom they are about, two; of those that differ only in the value of a filter, one.
    private static int OfOneKind(string kind) => kind.Contains('?', StringComparison.Ordinal) ? 1 : 2;

    [Fact]
    public async Task Every_page_that_the_founder_can_click_to_is_sound()
    {
        await using var founder = await browser.VisitAsync(company.Root);
        var page = await founder.OpenAsync();
        var seen = new Dictionary<string, int>();
        var visited = new HashSet<string>();
        var open = new Queue<string>(["/"]);
        while (open.TryDequeue(out var address))
        {
            if (!visited.Add(address)) continue;
            var kind = KindOf(address);
            if (seen.GetValueOrDefault(kind) >= OfOneKind(kind)) continue;
            seen[kind] = seen.GetValueOrDefault(kind) + 1;
            var answer = await page.GotoAsync(address);
            if (answer is not { Ok: true }) founder.Problems.Add($"{address}: {answer?.Status}");
            foreach (var link in await page.EvaluateAsync<string[]>("() => [...document.querySelectorAll('a[href]')].filter(a => a.origin === location.origin && !a.hasAttribute('download')).map(a => a.pathname + a.search)"))
                // What the customer opens is looked at below.
                if (!link.StartsWith("/l/", StringComparison.Ordinal) && !link.StartsWith("/local/", StringComparison.Ordinal)) open.Enqueue(link);
            // What is folded is part of the page.
            await page.EvaluateAsync("() => document.querySelectorAll('details').forEach(d => d.open = true)");
            await founder.InspectAsync(page);
        }
        founder.AssertNoProblem();
        Assert.Superset(new HashSet<string> { "/", "/customers/*", "/metrics", "/recovery", "/flows", "/flows/*", "/runs", "/outbox", "/outbox/*", "/dead-letters", "/system", "/settings", "/import", "/cohorts" }, seen.Keys.ToHashSet());
    }

    [Fact]
    public async Task Every_page_behind_the_links_of_the_emails_is_sound()
    {
        await using var customer = await browser.VisitAsync(company.Root, 375);
        var page = await customer.OpenAsync();
        var links = new SortedDictionary<string, string>();
        foreach (var mail in await company.Host.OutboxAsync())
            foreach (var (purpose, address) in mail["links"]!.AsObject())
                if (((string)address!).Contains("/l/", StringComparison.Ordinal)) links[purpose] = (string)address!;
        Assert.Subset(links.Keys.ToHashSet(), new HashSet<string> { "answer", "pause", "pay", "return", "unsubscribe" });
        foreach (var (purpose, address) in links)
        {
            // Some lead away at once, to the product itself.
            if ((await company.Host.Http.GetAsync(address)).StatusCode is HttpStatusCode.Redirect or HttpStatusCode.SeeOther) continue;
            await page.GotoAsync(address);
            await customer.InspectAsync(page, $"the page to {purpose}");
        }
        var forged = await page.GotoAsync(links["pay"][..^6] + "forged");
        Assert.Equal(404, forged!.Status);
        await customer.InspectAsync(page, "the page of a forged link");
        customer.AssertNoProblem();
    }

    [Fact]
    public async Task Every_page_that_stands_in_for_Stripes_is_sound_and_does_what_its_buttons_say()
    {
        await using var customer = await browser.VisitAsync(company.Root, 375);
        var page = await customer.OpenAsync("/local/sandbox");
        await customer.InspectAsync(page, "the sandbox");
        await page.GetByRole(AriaRole.Listitem).GetByRole(AriaRole.Link).First.ClickAsync();
        await page.EvaluateAsync("() => document.querySelectorAll('details').forEach(d => d.open = true)");
        await customer.InspectAsync(page, "the portal");
        await page.GetByRole(AriaRole.Link, new() { NameRegex = new("card$") }).ClickAsync();
        await customer.InspectAsync(page, "the page to change the card");
        await page.GetByRole(AriaRole.Button, new() { Name = "Use this card" }).ClickAsync();
        await Assertions.Expect(page.GetByRole(AriaRole.Status)).ToHaveTextAsync("The card is on file.");
        await page.GetByText("Cancel the subscription").First.ClickAsync();
        await page.GetByLabel("Why?").SelectOptionAsync("unused");
        await page.GetByRole(AriaRole.Button, new() { Name = "Cancel the subscription" }).ClickAsync();
        await Assertions.Expect(page.GetByRole(AriaRole.Status)).ToContainTextAsync("will end with the period");
        await customer.InspectAsync(page, "the portal of who leaves");
        await page.GetByRole(AriaRole.Button, new() { Name = "Don't cancel" }).ClickAsync();
        await Assertions.Expect(page.GetByRole(AriaRole.Status)).ToHaveTextAsync("Your subscription goes on.");
        customer.AssertNoProblem();
    }

    [Fact]
    public async Task Every_email_fits_phone_and_desk_and_can_be_read_by_everybody()
    {
        await using var customer = await browser.VisitAsync(company.Root, 375);
        var page = await customer.OpenAsync();
        var mails = (await company.Host.OutboxAsync()).DistinctBy(m => (string)m["template"]!).ToList();
        Assert.True(mails.Count >= 10, "Five of dunning and five of win-back.");
        foreach (var mail in mails)
        {
            await page.SetContentAsync((string)mail["html"]!);
            await customer.InspectAsync(page, $"the e-mail {mail["template"]}");
        }
        customer.AssertNoProblem();
    }

    [Fact]
    public async Task A_page_that_says_there_is_nothing_is_sound_too()
    {
        await using var founder = await browser.VisitAsync(company.Root);
        var page = await founder.OpenAsync();
        Assert.Equal(404, (await page.GotoAsync("/customers/cus_nobody"))!.Status);
        await founder.InspectAsync(page);
        founder.AssertNoProblem();
    }

    [Fact]
    public async Task What_is_unsound_is_seen()
    {
        await using var visitor = await browser.VisitAsync(company.Root);
        var page = await visitor.OpenAsync();
        await page.SetContentAsync("""
            <!doctype html><html lang="en"><title>Unsound</title><main><h1>Unsound</h1><div style="width: 900px">wide</div>
            <p style="color: #999; background: #fff">pale</p><img src="http://elsewhere.example/pixel.gif" alt=""><script>console.error("oh"); missing();</script></main></html>
            """);
        await visitor.InspectAsync(page, "it");
        string[] seen = ["it at 375 pixels, light: overflows, ", "it at 1440 pixels, dark: serious color-contrast", "a request left the host: http://elsewhere.example/", "console error: oh", "script error: ReferenceError"];
        Assert.All(seen, what => Assert.Contains(visitor.Problems, p => p.Contains(what, StringComparison.Ordinal)));
        Assert.DoesNotContain(visitor.Problems, p => p.Contains("1440 pixels, dark: overflows", StringComparison.Ordinal));
    }

    /// <summary>/customers/cus_Ada and /customers/cus_Bea are one kind; filters count by their names.</summary>
    private static string KindOf(string address)
    {
        var parts = address.Split('?', 2);
        var path = Id().Replace(parts[0], "$1*");
        return parts.Length == 1 ? path : $"{path}?{string.Join('&', parts[1].Split('&').Select(p => p.Split('=')[0]).Order(StringComparer.Ordinal))}";
    }

    [GeneratedRegex("^(/[^/]+/)[^/]+")]
    private static partial Regex Id();
}
