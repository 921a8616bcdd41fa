using System.Net;
using System.Text;
using System.Text.RegularExpressions;
using RetentionFunctions.Web;

namespace RetentionFunctions.Tests.Web;

public partial class SignInTests
{
    private const string Key = "a-key-of-some-length";
    private static readonly DateTimeOffset Now = new(2026, 3, 10, 12, 0, 0, TimeSpan.Zero);

    [Fact]
    public async Task The_key_gives_a_cookie_that_scripts_and_other_sites_cannot_use()
    {
        await using var host = await HostedPipeline.StartAsync(Key);
        var answer = await TryAsync(host, Key, "/runs?x=1");
        Assert.Equal((HttpStatusCode.SeeOther, "/runs?x=1"), (answer.StatusCode, answer.Headers.Location!.ToString()));
        var cookie = answer.Headers.GetValues("Set-Cookie").Single(c => c.StartsWith(SignIn.Cookie, StringComparison.Ordinal));
        Assert.Contains("httponly", cookie);
        Assert.Contains("samesite=strict", cookie);
        Assert.Contains("max-age=43200", cookie);
        // Plain http on this very machine: a browser would throw a secure cookie away.
        Assert.DoesNotContain("secure", cookie);
        Assert.DoesNotContain(Key, cookie);
        Assert.Contains("Sign out", await host.Client.GetStringAsync("/"));
    }

    [Theory]
    [InlineData("")]
    [InlineData("wrong")]
    [InlineData(Key + "x")]
    public async Task A_wrong_key_gives_nothing_and_may_be_tried_again(string key)
    {
        await using var host = await HostedPipeline.StartAsync(Key);
        var answer = await TryAsync(host, key, "/runs");
        Assert.Equal(HttpStatusCode.Unauthorized, answer.StatusCode);
        var html = await answer.Content.ReadAsStringAsync();
        Assert.Contains("That is not the key.", html);
        Assert.Contains("name=\"to\" value=\"/runs\"", html);
        Assert.Equal(HttpStatusCode.SeeOther, (await host.Client.GetAsync("/runs")).StatusCode);
        Assert.Equal("/runs", (await TryAsync(host, $" {Key} ", "/runs")).Headers.Location!.ToString());
    }

    [Fact]
    public async Task Ten_wrong_keys_a_minute_and_then_none_is_looked_at()
    {
        await using var host = await HostedPipeline.StartAsync(Key);
        for (var i = 0; i < FailedKeys.PerWindow; i++) Assert.Equal(HttpStatusCode.Unauthorized, (await TryAsync(host, "wrong", "/")).StatusCode);
        var refused = await TryAsync(host, Key, "/");
        Assert.Equal((HttpStatusCode.TooManyRequests, "60"), (refused.StatusCode, refused.Headers.RetryAfter!.ToString()));
        host.Milliseconds += FailedKeys.WindowMilliseconds;
        Assert.Equal(HttpStatusCode.SeeOther, (await TryAsync(host, Key, "/")).StatusCode);
    }

    [Fact]
    public async Task A_session_ends_twelve_hours_after_the_last_visit()
    {
        await using var host = await HostedPipeline.StartAsync(Key);
        await TryAsync(host, Key, "/");
        for (var visit = 0; visit < 3; visit++)
        {
            host.RealTime += TimeSpan.FromHours(11);
            Assert.Equal(HttpStatusCode.OK, (await host.Client.GetAsync("/runs")).StatusCode);
        }
        host.RealTime += TimeSpan.FromHours(12);
        Assert.Equal(HttpStatusCode.SeeOther, (await host.Client.GetAsync("/runs")).StatusCode);
    }

    [Fact]
    public async Task Signing_out_ends_it_and_wants_our_own_form()
    {
        await using var host = await HostedPipeline.StartAsync(Key);
        await TryAsync(host, Key, "/");
        Assert.Equal(HttpStatusCode.BadRequest, (await host.Client.PostAsync("/sign-out", new FormUrlEncodedContent([]))).StatusCode);
        var answer = await host.SubmitAsync("/", "/sign-out", []);
        Assert.Equal((HttpStatusCode.SeeOther, "/sign-in"), (answer.StatusCode, answer.Headers.Location!.ToString()));
        Assert.Equal(HttpStatusCode.SeeOther, (await host.Client.GetAsync("/")).StatusCode);
    }

    [Fact]
    public async Task The_sign_in_itself_wants_our_own_form_from_our_own_site()
    {
        await using var host = await HostedPipeline.StartAsync(Key);
        Assert.Equal(HttpStatusCode.BadRequest, (await host.Client.PostAsync("/sign-in", new FormUrlEncodedContent([new("key", Key)]))).StatusCode);
        using var request = new HttpRequestMessage(HttpMethod.Post, "/sign-in") { Content = new FormUrlEncodedContent([new("key", Key)]) };
        request.Headers.Add("Sec-Fetch-Site", "cross-site");
        Assert.Equal(HttpStatusCode.Forbidden, (await host.Client.SendAsync(request)).StatusCode);
    }

    [Theory]
    [InlineData("//evil.example/")]
    [InlineData("https://evil.example/")]
    [InlineData("/\\evil.example/")]
    [InlineData("/sign-in?to=/")]
    public async Task Afterwards_it_leads_to_our_own_pages_only(string to)
    {
        await using var host = await HostedPipeline.StartAsync(Key);
        Assert.Equal("/", (await TryAsync(host, Key, to)).Headers.Location!.ToString());
    }

    [Fact]
    public async Task A_forged_cookie_and_the_password_of_before_open_nothing_and_a_session_is_no_key_of_the_api()
    {
        await using var host = await HostedPipeline.StartAsync(Key);
        foreach (var (name, value) in new[] { ("Cookie", $"{SignIn.Cookie}={SignIn.Note(Key, host.RealTime)}"), ("Cookie", $"{SignIn.Cookie}=x"), ("Authorization", $"Basic {Convert.ToBase64String(Encoding.UTF8.GetBytes($"me:{Key}"))}"), ("Authorization", $"Bearer {Key}") })
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, "/");
            request.Headers.TryAddWithoutValidation(name, value);
            Assert.Equal(HttpStatusCode.SeeOther, (await host.Client.SendAsync(request)).StatusCode);
        }
        await TryAsync(host, Key, "/");
        Assert.Equal(HttpStatusCode.Unauthorized, (await host.Client.GetAsync("/api/v1/customers")).StatusCode);
    }

    [Fact]
    public async Task A_form_sent_without_a_session_does_nothing_and_leads_to_the_sign_in()
    {
        await using var host = await HostedPipeline.StartAsync(Key);
        var answer = await host.Client.PostAsync("/clock/advance", new FormUrlEncodedContent([new("days", "1")]));
        Assert.Equal((HttpStatusCode.SeeOther, "/sign-in"), (answer.StatusCode, answer.Headers.Location!.ToString()));
        Assert.Empty(host.Advanced);
    }

    [Fact]
    public async Task Without_a_key_there_is_nothing_to_sign_in_to()
    {
        await using var host = await HostedPipeline.StartAsync();
        Assert.Equal("/runs", (await host.Client.GetAsync("/sign-in?to=/runs")).Headers.Location!.ToString());
        Assert.DoesNotContain("Sign out", await host.Client.GetStringAsync("/"));
    }

    [Theory]
    [InlineData(0, true)]
    [InlineData(43_199, true)]
    [InlineData(43_200, false)]
    [InlineData(-1, false)]
    public void A_note_is_good_for_twelve_hours_and_none_comes_from_the_future(int ageSeconds, bool good) =>
        Assert.Equal(good, SignIn.IsValid(SignIn.Note(Key, Now.AddSeconds(-ageSeconds)), Key, Now, out _));

    [Fact]
    public void A_changed_key_ends_every_session() => Assert.False(SignIn.IsValid(SignIn.Note(Key, Now), Key + "2", Now, out _));

    [Theory]
    [InlineData("")]
    [InlineData("|")]
    [InlineData("1|2|3")]
    [InlineData("99999999999999999999|x")]
    public void What_is_no_note_is_no_session(string note) => Assert.False(SignIn.IsValid(note, Key, Now, out _));

    private static async Task<HttpResponseMessage> TryAsync(HostedPipeline host, string key, string to)
    {
        var token = TokenField().Match(await host.Client.GetStringAsync("/sign-in")).Groups[1].Value;
        return await host.Client.PostAsync("/sign-in", new FormUrlEncodedContent([new("form_token", WebUtility.HtmlDecode(token)), new("key", key), new("to", to)]));
    }

    [GeneratedRegex("name=\"form_token\" value=\"([^\"]+)\"")]
    private static partial Regex TokenField();
}
