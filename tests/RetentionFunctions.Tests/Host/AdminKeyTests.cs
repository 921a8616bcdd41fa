using System.Net;
using System.Net.Http.Headers;
using System.Text;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.Tests.Host;

/// <summary>With an admin key, over all addresses of the whole host: the founder's are shut, those of Stripe, of the app and of customers stay open.</summary>
public class AdminKeyTests
{
    private const string Key = "a-key-of-some-length";

    // Whoever adds an address that is open to anyone says so here.
    private static readonly string[] Open =
    [
        "/stripe/webhook", "/v1/{call:regex(^(track|identify|page|screen|group|alias|batch)$)}", "/l/{token}", "/links.css", "/site.css", "/demo.js", "/healthz", "/readyz", "/sign-in",
        // The sandbox's stand-in for Stripe's own page, to which customers come from an e-mail.
        "/local/pay/{invoice}", "/local/portal/{token}", "/local/portal/{token}/card", "/local/sandbox.css",
    ];

    [Fact]
    public async Task Every_address_is_shut_without_the_key_except_those_that_are_meant_for_others()
    {
        await using var host = await TestHost.StartAsync(settings: new() { ["Admin:Key"] = Key });
        var open = new HashSet<string>();
        var shut = new HashSet<string>();
        foreach (var endpoint in host.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>())
        {
            var pattern = "/" + endpoint.RoutePattern.RawText!.TrimStart('/');
            var path = System.Text.RegularExpressions.Regex.Replace(pattern.Replace("{call:regex(^(track|identify|page|screen|group|alias|batch)$)}", "track", StringComparison.Ordinal), "{[^}]*}", "x");
            foreach (var method in endpoint.Metadata.GetMetadata<HttpMethodMetadata>()!.HttpMethods)
            {
                using var request = new HttpRequestMessage(new HttpMethod(method), path);
                using var answer = await host.Http.SendAsync(request);
                // The app's own door has a key of its own, and asks for it by another name.
                var asked = answer.StatusCode == HttpStatusCode.Unauthorized && !answer.Headers.WwwAuthenticate.ToString().Contains("app events", StringComparison.Ordinal);
                // People are led to the sign-in, programs are asked for the key.
                var led = answer.StatusCode == HttpStatusCode.SeeOther && answer.Headers.Location!.ToString().StartsWith("/sign-in", StringComparison.Ordinal);
                (asked || led ? shut : open).Add(pattern);
            }
        }
        Assert.Equal(Open.Order(StringComparer.Ordinal), open.Order(StringComparer.Ordinal));
        Assert.Empty(shut.Intersect(open));
        foreach (var expected in new[] { "/", "/customers/{id}", "/runs", "/dead-letters", "/outbox", "/outbox/{id}/body", "/clock/advance", "/local/outbox", "/local/clock", "/local/demo", "/notes/done", "/api/v1/customers", "/api/v1/sweep", "/api/v1/dead-letters/{id}/replay" })
            Assert.Contains(expected, shut);
    }

    [Fact]
    public async Task With_the_key_the_founder_gets_in_and_events_come_in_without_it()
    {
        await using var host = await TestHost.StartAsync(settings: new() { ["Admin:Key"] = Key });
        Assert.Equal(HttpStatusCode.OK, (await host.SendStripeAsync(new Story().SignsUp(host.Now.AddDays(-1)).First().ToJsonString())).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await host.SendAppAsync("track", """{"userId":"u1","event":"Signed In"}""")).StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, (await host.Http.GetAsync("/l/no-token-of-ours")).StatusCode);
        Assert.Equal(HttpStatusCode.Unauthorized, (await host.Http.GetAsync("/api/v1/customers/cus_Ada")).StatusCode);

        host.Http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", Key);
        await host.SettleAsync();
        Assert.Equal("ada@example.com", (string?)(await host.CustomerAsync())["email"]);
        Assert.Empty(await host.OutboxAsync());
        host.Http.DefaultRequestHeaders.Authorization = null;
        using var browser = new HttpClient(new HttpClientHandler()) { BaseAddress = host.Http.BaseAddress };
        var signIn = await browser.GetStringAsync("/customers/cus_Ada");
        Assert.DoesNotContain("Ada Lovelace", signIn);
        var token = WebUtility.HtmlDecode(System.Text.RegularExpressions.Regex.Match(signIn, "name=\"form_token\" value=\"([^\"]+)\"").Groups[1].Value);
        var answer = await browser.PostAsync("/sign-in", new FormUrlEncodedContent([new("form_token", token), new("key", Key), new("to", "/customers/cus_Ada")]));
        Assert.Contains("Ada Lovelace", await answer.Content.ReadAsStringAsync());
    }
}
