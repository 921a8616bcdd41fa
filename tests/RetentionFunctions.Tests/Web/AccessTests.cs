using System.Net;
using System.Net.Http.Headers;
using System.Text;
using Microsoft.AspNetCore.Http;
using RetentionFunctions.Web;

namespace RetentionFunctions.Tests.Web;

public class AccessTests
{
    private const string Key = "a-key-of-some-length";

    [Theory]
    [InlineData("127.0.0.1", "127.0.0.1", false, true)]
    [InlineData("127.0.0.1", "localhost", false, true)]
    [InlineData("::1", "[::1]", false, true)]
    [InlineData("::ffff:127.0.0.1", "LOCALHOST", false, true)]
    [InlineData("127.0.0.1", "evil.example", false, false)]
    [InlineData("127.0.0.1", "localhost.evil.example", false, false)]
    [InlineData("127.0.0.1", "127.0.0.1.evil.example", false, false)]
    [InlineData("127.0.0.1", "", false, false)]
    [InlineData("192.168.1.20", "localhost", false, false)]
    [InlineData("203.0.113.9", "127.0.0.1", false, false)]
    [InlineData("127.0.0.1", "localhost", true, false)]
    [InlineData(null, "localhost", false, false)]
    public void Without_a_key_only_this_machine_by_its_own_name_may_look(string? remote, string host, bool forwarded, bool allowed) =>
        Assert.Equal(allowed, AdminAccess.IsLocal(remote is null ? null : IPAddress.Parse(remote), host, forwarded));

    [Theory]
    [InlineData("/api/v1/customers", "application/problem+json")]
    [InlineData("/", "text/html")]
    public async Task A_rebound_host_name_and_a_forwarded_request_are_refused(string path, string type)
    {
        await using var host = await HostedPipeline.StartAsync();
        foreach (var (name, value) in new[] { ("Host", "evil.example"), ("X-Forwarded-For", "203.0.113.9") })
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, path);
            request.Headers.TryAddWithoutValidation(name, value);
            var answer = await host.Client.SendAsync(request);
            Assert.Equal(HttpStatusCode.Forbidden, answer.StatusCode);
            Assert.Equal(type, answer.Content.Headers.ContentType!.MediaType);
            Assert.Contains("Admin__Key", await answer.Content.ReadAsStringAsync());
        }
        Assert.Equal(HttpStatusCode.OK, (await host.Client.GetAsync(path)).StatusCode);
    }

    [Fact]
    public async Task The_api_wants_the_key_and_says_the_same_to_no_key_and_a_wrong_one()
    {
        await using var host = await HostedPipeline.StartAsync(Key);
        var answers = new List<string>();
        foreach (var header in new[] { null, "Bearer wrong", "Bearer", $"Basic {Convert.ToBase64String(Encoding.UTF8.GetBytes($"me:{Key}"))}", $"Bearer {Key}x" })
        {
            var answer = await GetAsync(host, "/api/v1/customers", header);
            Assert.Equal(HttpStatusCode.Unauthorized, answer.StatusCode);
            Assert.Equal("Bearer", answer.Headers.WwwAuthenticate.Single().ToString());
            answers.Add(System.Text.RegularExpressions.Regex.Replace(await answer.Content.ReadAsStringAsync(), ",?\"traceId\":\"[^\"]*\"", ""));
        }
        Assert.Equal("""{"type":"about:blank","title":"Unauthorized","status":401,"detail":"Send the header 'Authorization: Bearer <key>' with the value of the setting Admin:Key (environment variable Admin__Key)."}""", Assert.Single(answers.Distinct()));
        Assert.Equal(HttpStatusCode.OK, (await GetAsync(host, "/api/v1/customers", $"Bearer {Key}")).StatusCode);
    }

    [Fact]
    public async Task With_a_key_the_machine_itself_needs_it_too_and_what_is_open_stays_open()
    {
        await using var host = await HostedPipeline.StartAsync(Key);
        foreach (var path in new[] { "/", "/customers", "/metrics", "/flows", "/system", "/settings", "/runs", "/history", "/dead-letters", "/outbox", "/outbox/x", "/outbox/x/body", "/customers/x" })
        {
            var answer = await host.Client.GetAsync(path);
            Assert.Equal((HttpStatusCode.SeeOther, $"/sign-in?to={Uri.EscapeDataString(path)}"), (answer.StatusCode, answer.Headers.Location!.ToString()));
            Assert.Empty(await answer.Content.ReadAsStringAsync());
        }
        foreach (var path in new[] { "/api/v1/flows", "/api/v1/dead-letters" })
            Assert.Equal(HttpStatusCode.Unauthorized, (await host.Client.GetAsync(path)).StatusCode);
        foreach (var path in new[] { "/healthz", "/readyz", "/site.css", "/open", "/sign-in" })
            Assert.Equal(HttpStatusCode.OK, (await host.Client.GetAsync(path)).StatusCode);
    }

    [Fact]
    public async Task Ten_wrong_keys_a_minute_and_then_none_is_looked_at()
    {
        await using var host = await HostedPipeline.StartAsync(Key);
        for (var i = 0; i < FailedKeys.PerWindow; i++) Assert.Equal(HttpStatusCode.Unauthorized, (await GetAsync(host, "/api/v1/flows", "Bearer wrong")).StatusCode);
        var refused = await GetAsync(host, "/api/v1/flows", $"Bearer {Key}");
        Assert.Equal(HttpStatusCode.TooManyRequests, refused.StatusCode);
        Assert.Equal("60", refused.Headers.RetryAfter!.ToString());
        host.Milliseconds += FailedKeys.WindowMilliseconds;
        Assert.Equal(HttpStatusCode.OK, (await GetAsync(host, "/api/v1/flows", $"Bearer {Key}")).StatusCode);
    }

    [Fact]
    public void Addresses_are_counted_apart_and_a_subnet_of_ipv6_together()
    {
        var failed = new FailedKeys(() => 0);
        for (var i = 0; i < FailedKeys.PerWindow; i++) failed.Count(IPAddress.Parse($"2001:db8::{i + 1}"));
        Assert.Equal(60, failed.WaitSeconds(IPAddress.Parse("2001:db8::ffff")));
        Assert.Equal(0, failed.WaitSeconds(IPAddress.Parse("2001:db8:0:1::1")));
        Assert.Equal(0, failed.WaitSeconds(IPAddress.Parse("192.0.2.1")));
    }

    [Theory]
    [InlineData("cross-site", null, AdminSurface.Page, true)]
    [InlineData("same-site", null, AdminSurface.Page, true)]
    [InlineData("same-origin", "null", AdminSurface.Api, false)]
    [InlineData("none", null, AdminSurface.Page, false)]
    [InlineData(null, null, AdminSurface.Api, false)]
    [InlineData(null, "http://127.0.0.1:5080", AdminSurface.Api, false)]
    [InlineData(null, "http://127.0.0.1:5081", AdminSurface.Api, true)]
    [InlineData(null, "https://evil.example", AdminSurface.Page, true)]
    [InlineData(null, "null", AdminSurface.Api, true)]
    [InlineData(null, "null", AdminSurface.Page, false)]
    public void A_change_asked_for_by_another_site_is_told_apart(string? site, string? origin, AdminSurface surface, bool crossOrigin)
    {
        var request = new DefaultHttpContext().Request;
        request.Scheme = "http";
        request.Host = new HostString("127.0.0.1", 5080);
        if (site is not null) request.Headers["Sec-Fetch-Site"] = site;
        if (origin is not null) request.Headers.Origin = origin;
        Assert.Equal(crossOrigin, AdminAccess.IsCrossOrigin(request, surface));
    }

    [Fact]
    public async Task Another_site_changes_nothing_by_api_or_form()
    {
        await using var host = await HostedPipeline.StartAsync();
        foreach (var path in new[] { "/api/v1/flows/stop?customer=cus_1&flow=dunning&occasion=in_1", "/runs/stop" })
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = new FormUrlEncodedContent([new("customer", "cus_1")]) };
            request.Headers.Add("Sec-Fetch-Site", "cross-site");
            Assert.Equal(HttpStatusCode.Forbidden, (await host.Client.SendAsync(request)).StatusCode);
        }
        Assert.Empty(host.Stopped);
    }

    [Theory]
    [InlineData("/runs/stop")]
    [InlineData("/dead-letters/replay")]
    [InlineData("/dead-letters/drop")]
    [InlineData("/clock/advance")]
    [InlineData("/history/start")]
    public async Task A_form_without_its_token_does_nothing(string action)
    {
        await using var host = await HostedPipeline.StartAsync();
        await SampleRows.FullAsync(host, "cus_1", "Ada", "text");
        var fields = new Dictionary<string, string> { ["customer"] = "cus_1", ["flow"] = "dunning", ["occasion"] = "in_1", ["id"] = "evt_cus_1/odd", ["days"] = "1" };
        foreach (var token in new[] { null, "forged" })
        {
            if (token is not null) fields["form_token"] = token;
            var answer = await host.Client.PostAsync(action, new FormUrlEncodedContent(fields));
            Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
            Assert.Contains("load the page again", await answer.Content.ReadAsStringAsync());
        }
        Assert.Empty(host.Stopped);
        Assert.Empty(host.Advanced);
        Assert.Empty(host.Inbox.Messages);
        Assert.Single(await host.Letters.ListAsync());
    }

    [Fact]
    public async Task The_token_of_another_browser_is_no_token()
    {
        await using var host = await HostedPipeline.StartAsync();
        using var other = host.NewClient();
        var html = await other.GetStringAsync("/");
        var token = System.Text.RegularExpressions.Regex.Match(html, "name=\"form_token\" value=\"([^\"]+)\"").Groups[1].Value;
        await host.Client.GetStringAsync("/");
        var answer = await host.Client.PostAsync("/clock/advance", new FormUrlEncodedContent([new("days", "1"), new("form_token", token)]));
        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        Assert.Empty(host.Advanced);
    }

    private static async Task<HttpResponseMessage> GetAsync(HostedPipeline host, string path, string? authorization)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        if (authorization is not null) request.Headers.TryAddWithoutValidation("Authorization", authorization);
        return await host.Client.SendAsync(request);
    }
}
