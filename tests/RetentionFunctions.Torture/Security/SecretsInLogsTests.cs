using System.Collections.Concurrent;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.RegularExpressions;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using RetentionFunctions.Intake.Stripe;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.Torture.Security;

/// <summary>What opens something is in no line of the log: neither those that are set nor those that others try, nor what is made for a session or a link.</summary>
public sealed partial class SecretsInLogsTests
{
    private const string AdminKey = "admin-key-that-nobody-may-read";

    private readonly ConcurrentQueue<(string Category, string Line)> _lines = new();

    [Theory]
    [InlineData(false)]
    // A founder who looks for a fault turns on all that the framework says, with its scopes: it names addresses, and so the token of a link, but no key and no cookie.
    [InlineData(true)]
    public async Task No_key_cookie_signature_or_link_is_in_a_line_of_the_log(bool everything)
    {
        await using var host = await TestHost.StartAsync("2026-01-05T10:00:00Z", settings: new() { ["Admin:Key"] = AdminKey }, services: services =>
        {
            services.AddSingleton<ILoggerProvider>(new Recorder(_lines, scopes: everything));
            if (everything) services.Configure<LoggerFilterOptions>(filter => { filter.Rules.Clear(); filter.MinLevel = LogLevel.Trace; });
        });
        var secrets = new List<string> { AdminKey, TestHost.Secret, TestHost.WriteKey, "wrong-admin-key-of-somebody", "wrong-write-key-of-somebody" };

        // All doors, with the right key and a wrong one.
        var ada = host.Ada;
        foreach (var e in ada.SignsUp(host.Now.AddMonths(-1)).Concat(ada.PaymentFails(host.Now, next: host.Now.AddDays(3))))
        {
            var (body, signature) = (e.ToJsonString(), StripeSignature.Sign(Encoding.UTF8.GetBytes(e.ToJsonString()), TestHost.Secret, host.Now));
            secrets.Add(signature[(signature.IndexOf("v1=", StringComparison.Ordinal) + 3)..]);
            Assert.Equal(HttpStatusCode.OK, (await host.SendStripeAsync(body, signature)).StatusCode);
            Assert.Equal(HttpStatusCode.BadRequest, (await host.SendStripeAsync(body + " ", signature)).StatusCode);
        }
        Assert.Equal(HttpStatusCode.Unauthorized, (await host.SendAppAsync("track", """{"userId":"u","event":"Signed In"}""", "wrong-write-key-of-somebody")).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await host.SendAppAsync("track", """{"userId":"u","event":"Signed In"}""")).StatusCode);
        Assert.Equal(HttpStatusCode.Unauthorized, (await AskAsync(host, "/api/v1/customers", "wrong-admin-key-of-somebody")).StatusCode);
        host.Http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", AdminKey);
        await host.SettleAsync();

        // The dashboard, by its form: a session, and the token of its forms.
        foreach (var key in (string[])["wrong-admin-key-of-somebody", AdminKey])
        {
            using var form = await host.Http.GetAsync("/sign-in");
            var token = WebUtility.HtmlDecode(Token().Match(await form.Content.ReadAsStringAsync()).Groups[1].Value);
            Assert.NotEmpty(token);
            using var request = new HttpRequestMessage(HttpMethod.Post, "/sign-in") { Content = new FormUrlEncodedContent([new("form_token", token), new("key", key)]) };
            request.Headers.Add("Cookie", form.Headers.TryGetValues("Set-Cookie", out var set) ? string.Join("; ", set.Select(c => c.Split(';')[0])) : "");
            using var answer = await host.Http.SendAsync(request);
            Assert.Equal(key == AdminKey ? HttpStatusCode.SeeOther : HttpStatusCode.Unauthorized, answer.StatusCode);
            secrets.Add(token);
            foreach (var cookie in answer.Headers.TryGetValues("Set-Cookie", out var given) ? given : []) secrets.Add(cookie.Split(';')[0].Split('=', 2)[1]);
        }

        // The links of an e-mail: seen, pressed, and one that fails.
        var mail = Assert.Single(await host.OutboxAsync());
        var links = Link().Matches((string)mail["text"]!).Select(m => m.Groups[1].Value).Distinct().ToList();
        Assert.NotEmpty(links);
        foreach (var link in links)
        {
            await host.Http.GetAsync($"/l/{link}");
            await host.ClickAsync($"/l/{link}");
            await host.Http.GetAsync($"/l/{link}x");
        }
        if (!everything) secrets.AddRange(links);

        Assert.True(_lines.Any(line => line.Category.StartsWith("Microsoft", StringComparison.Ordinal)) || !everything, "The framework was to speak.");
        foreach (var secret in secrets.Where(s => s.Length > 8))
            Assert.DoesNotContain(_lines, line => line.Line.Contains(secret, StringComparison.Ordinal));
        Assert.DoesNotContain(_lines, line => line.Category.StartsWith("RetentionFunctions", StringComparison.Ordinal) && links.Exists(link => line.Line.Contains(link, StringComparison.Ordinal)));
    }

    private static async Task<HttpResponseMessage> AskAsync(TestHost host, string path, string key)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", key);
        return await host.Http.SendAsync(request);
    }

    [GeneratedRegex("name=\"form_token\" value=\"([^\"]+)\"")]
    private static partial Regex Token();

    [GeneratedRegex(@"/l/([A-Za-z0-9_\-]+)")]
    private static partial Regex Link();

    private sealed class Recorder(ConcurrentQueue<(string, string)> lines, bool scopes) : ILoggerProvider
    {
        public ILogger CreateLogger(string categoryName) => new Category(lines, scopes, categoryName);

        public void Dispose() { }

        private sealed class Category(ConcurrentQueue<(string, string)> lines, bool scopes, string name) : ILogger
        {
            public IDisposable? BeginScope<TState>(TState state) where TState : notnull
            {
                // As the console: it leaves scopes out.
                if (scopes) lines.Enqueue((name, state.ToString()!));
                return null;
            }

            public bool IsEnabled(LogLevel logLevel) => true;

            public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
                lines.Enqueue((name, $"{formatter(state, exception)} {exception}"));
        }
    }
}
