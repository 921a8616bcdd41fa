using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Microsoft.Extensions.DependencyInjection;
using RetentionFunctions.Local;
using RetentionFunctions.Local.Demo;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.Tests.Demo;

/// <summary>The button of the empty start page, over HTTP as a browser presses it.</summary>
public partial class DemoButtonTests
{
    private static readonly DemoSize Small = new(8, 40, 3);

    [Fact]
    public async Task On_a_fresh_folder_on_the_real_clock_the_button_plays_a_year_that_ends_today()
    {
        await using var host = await StartAsync(null);
        var today = host.Now;
        using var browser = Browser(host);
        var start = await browser.GetStringAsync("/");
        Assert.Contains("action=\"/local/demo\"", start);
        Assert.DoesNotContain("Simulated clock", start);

        var answer = await PressAsync(browser, start);
        Assert.Equal((HttpStatusCode.SeeOther, "/"), (answer.StatusCode, answer.Headers.Location!.ToString()));
        Assert.Contains("Simulated clock", await browser.GetStringAsync("/"));
        await PlayedAsync(host);

        Assert.True(host.Services.GetRequiredService<LocalClock>().IsSimulated);
        Assert.InRange(today - host.Now, TimeSpan.Zero, TimeSpan.FromDays(1));
        Assert.Equal(HttpStatusCode.OK, (await browser.GetAsync("/readyz")).StatusCode);
        Assert.Equal(Small.Customers, (await host.GetAsync("/api/v1/customers"))!.AsArray().Count);
        Assert.Empty(await host.DeadLettersAsync());
        var overview = await browser.GetStringAsync("/");
        Assert.Contains("action=\"/clock/advance\"", overview);
        Assert.DoesNotContain("action=\"/local/demo\"", overview);
        Assert.Contains("MRR by day", overview);
    }

    [Fact]
    public async Task However_often_it_is_pressed_one_demo_is_played()
    {
        await using var host = await StartAsync(null);
        using var browser = Browser(host);
        var start = await browser.GetStringAsync("/");
        var answers = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => PressAsync(browser, start)));
        Assert.All(answers, a => Assert.Equal(HttpStatusCode.SeeOther, a.StatusCode));
        await PlayedAsync(host);
        var played = host.Now;
        Assert.Equal(HttpStatusCode.SeeOther, (await PressAsync(browser, start)).StatusCode);
        Assert.Equal((played, false), (host.Now, host.Services.GetRequiredService<DemoProgress>().IsPlaying));
        Assert.Equal(Small.Customers, (await host.GetAsync("/api/v1/customers"))!.AsArray().Count);
    }

    [Fact]
    public async Task A_folder_with_data_of_its_own_says_plainly_what_to_run_and_keeps_its_clock()
    {
        await using var host = await StartAsync(null);
        using var browser = Browser(host);
        var start = await browser.GetStringAsync("/");
        await host.SendAppAsync("track", """{"userId":"u1","event":"Signed In"}""");
        var answer = await PressAsync(browser, start);
        Assert.Equal((HttpStatusCode.Conflict, "text/html"), (answer.StatusCode, answer.Content.Headers.ContentType!.MediaType));
        Assert.Contains("dotnet run --project local -- --demo --data .demo", await answer.Content.ReadAsStringAsync());
        Assert.False(host.Services.GetRequiredService<LocalClock>().IsSimulated);
    }

    [Fact]
    public async Task A_year_that_was_broken_off_goes_on_by_its_button_after_the_next_start()
    {
        using var folder = new TempFolder();
        await using (var host = await StartAsync(null, folder.Path))
        {
            using var browser = Browser(host);
            await PressAsync(browser, await browser.GetStringAsync("/"));
            while ((await browser.GetFromJsonAsync<JsonNode>("/local/demo"))!["percent"]!.GetValue<int>() < 20) { }
        }
        await using (var host = await StartAsync(null, folder.Path))
        {
            using var browser = Browser(host);
            var start = await browser.GetStringAsync("/");
            Assert.Matches("The demo year stands at [1-9][0-9]? %", start);
            await PressAsync(browser, start);
            await PlayedAsync(host);
            Assert.Equal(Small.Customers, (await host.GetAsync("/api/v1/customers"))!.AsArray().Count);
            Assert.Empty(await host.DeadLettersAsync());
        }
    }

    [Fact]
    public async Task While_it_is_played_the_clock_is_not_moved_by_hand_and_the_progress_can_be_asked_for()
    {
        await using var host = await StartAsync(size: Small with { Days = 365 });
        using var browser = Browser(host);
        var start = await browser.GetStringAsync("/");
        await PressAsync(browser, start);
        var state = (await browser.GetFromJsonAsync<JsonNode>("/local/demo"))!;
        Assert.True((bool)state["playing"]!);
        Assert.InRange((int)state["percent"]!, 0, 99);
        var moved = await browser.PostAsync("/clock/advance", new FormUrlEncodedContent(new Dictionary<string, string> { ["form_token"] = Token(start), ["days"] = "1" }));
        Assert.Equal(HttpStatusCode.Conflict, moved.StatusCode);
    }

    private static Task<TestHost> StartAsync(string? clock = "2026-01-01T00:00:00Z", string? data = null, DemoSize? size = null) =>
        TestHost.StartAsync(clock, data: data, services: services => services.AddSingleton(size ?? Small));

    private static HttpClient Browser(TestHost host) => new(new HttpClientHandler { AllowAutoRedirect = false }) { BaseAddress = host.Http.BaseAddress };

    private static Task<HttpResponseMessage> PressAsync(HttpClient browser, string page) => browser.PostAsync("/local/demo", new FormUrlEncodedContent(new Dictionary<string, string> { ["form_token"] = Token(page) }));

    private static async Task PlayedAsync(TestHost host)
    {
        await host.Services.GetRequiredService<DemoStart>().Played;
        Assert.False((bool)(await host.GetAsync("/local/demo"))!["playing"]!);
        Assert.Null(host.Services.GetRequiredService<DemoProgress>().NotReady);
    }

    private static string Token(string page) => WebUtility.HtmlDecode(TokenField().Match(page).Groups[1].Value);

    [GeneratedRegex("name=\"form_token\" value=\"([^\"]+)\"")]
    private static partial Regex TokenField();
}
