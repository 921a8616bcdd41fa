using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using RetentionFunctions.Intake.Stripe;
using RetentionFunctions.Local;
using RetentionFunctions.Local.Sqlite;

namespace RetentionFunctions.Tests.Support;

/// <summary>The local host, whole, on a simulated clock and a free port: HTTP in, outbox and tables out.</summary>
internal sealed class TestHost : IAsyncDisposable
{
    public const string Secret = "whsec_test_of_the_tests";
    public const string WriteKey = "write_key_of_the_tests";

    private readonly WebApplication app;
    private readonly TempFolder? folder;

    private TestHost(WebApplication app, TempFolder? folder)
    {
        this.app = app;
        this.folder = folder;
        Http = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false }) { BaseAddress = app.Services.GetRequiredService<LocalAddress>().Root };
    }

    public HttpClient Http { get; }

    public IServiceProvider Services => app.Services;

    public DateTimeOffset Now => app.Services.GetRequiredService<LocalClock>().GetUtcNow();

    /// <summary>Starts it on a folder of its own, or on a given one (which is then left); on the real clock where <paramref name="clock"/> is null.</summary>
    public static async Task<TestHost> StartAsync(string? clock = "2026-01-01T00:00:00Z", Dictionary<string, string?>? settings = null, Action<IServiceCollection>? services = null, string? data = null)
    {
        var folder = data is null ? new TempFolder() : null;
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["Stripe:WebhookSecrets:0"] = Secret,
            ["AppEvents:WriteKey"] = WriteKey,
            ["Email:SendGrid:EventPublicKeys:0"] = MailProvider.PublicKey,
            ["Product:Name"] = "Acme",
            // A copy of the file every night of every story is what takes long; those that are about it ask for it.
            ["Backup:Keep"] = "0",
        }).AddInMemoryCollection(settings ?? []).Build();
        var app = await LocalHost.CreateAsync(
            new LocalOptions { Urls = "http://127.0.0.1:0", DataFolder = data ?? folder!.Path, Clock = clock is null ? null : DateTimeOffset.Parse(clock, CultureInfo.InvariantCulture) }, configuration, services: services);
        // Stories are not about power cuts, and a commit that waits for the disk takes ten times as long.
        app.Services.GetRequiredService<SqliteStore>().SurvivePowerCut(false);
        try
        {
            await app.StartAsync();
        }
        catch
        {
            // Else the folder stays locked.
            await app.DisposeAsync();
            throw;
        }
        return new TestHost(app, folder);
    }

    /// <summary>Delivers events as Stripe does, signed at the host's time, and lets everything that follows happen.</summary>
    public async Task StripeAsync(params IEnumerable<JsonObject> events)
    {
        foreach (var e in events) Assert.Equal(HttpStatusCode.OK, (await SendStripeAsync(e.ToJsonString())).StatusCode);
        await SettleAsync();
    }

    public Task<HttpResponseMessage> SendStripeAsync(string body, string? signature = null)
    {
        var bytes = Encoding.UTF8.GetBytes(body);
        var request = new HttpRequestMessage(HttpMethod.Post, "/stripe/webhook") { Content = new ByteArrayContent(bytes) };
        request.Headers.TryAddWithoutValidation(StripeSignature.HeaderName, signature ?? StripeSignature.Sign(bytes, Secret, Now));
        return Http.SendAsync(request);
    }

    /// <summary>Sends one call of Segment's API and lets everything that follows happen.</summary>
    public async Task<JsonNode> AppAsync(string call, JsonObject body)
    {
        var answer = await SendAppAsync(call, body.ToJsonString());
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        await SettleAsync();
        return (await answer.Content.ReadFromJsonAsync<JsonNode>())!;
    }

    public Task<HttpResponseMessage> SendAppAsync(string call, string body, string key = WriteKey)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, $"/v1/{call}") { Content = new StringContent(body, Encoding.UTF8, "application/json") };
        request.Headers.Authorization = new AuthenticationHeaderValue("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes($"{key}:")));
        return Http.SendAsync(request);
    }

    /// <summary>A user does something at the host's time, or earlier.</summary>
    public Task TrackAsync(string user, string name, DateTimeOffset? at = null, JsonObject? properties = null, string? messageId = null) => AppAsync("track", new JsonObject
    {
        ["userId"] = user,
        ["event"] = name,
        ["messageId"] = messageId ?? $"{user} {name} {(at ?? Now):O}",
        ["timestamp"] = (at ?? Now).ToString("O", CultureInfo.InvariantCulture),
        ["properties"] = properties ?? [],
    });

    public Task IdentifyAsync(string user, JsonObject traits, string? messageId = null) =>
        AppAsync("identify", new JsonObject { ["userId"] = user, ["messageId"] = messageId ?? $"{user} identify {Now:O}", ["traits"] = traits });

    public Task SettleAsync() => AdvanceAsync(TimeSpan.Zero);

    /// <summary>The customer whom most stories are about; one story to a host, because it numbers its events.</summary>
    public Story Ada { get; set; } = new();

    /// <summary>What goes on in the background while the time moves: called once for each whole day.</summary>
    public Func<Task>? EachDay { get; set; }

    public async Task AdvanceAsync(TimeSpan span)
    {
        for (; EachDay is not null && span >= TimeSpan.FromDays(1); span -= TimeSpan.FromDays(1))
        {
            await MoveAsync(TimeSpan.FromDays(1));
            await EachDay();
        }
        await MoveAsync(span);
    }

    private async Task MoveAsync(TimeSpan span)
    {
        var answer = await Http.PostAsJsonAsync("/local/clock", new { advance = span.ToString("c", CultureInfo.InvariantCulture) });
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync());
    }

    public async Task AdvanceToAsync(DateTimeOffset to)
    {
        var answer = await Http.PostAsJsonAsync("/local/clock", new { to });
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync());
    }

    /// <summary>The outbox, oldest first.</summary>
    public async Task<List<JsonNode>> OutboxAsync() => [.. ((await GetAsync("/local/outbox"))!.AsArray().Select(m => m!)).Reverse()];

    public async Task<JsonNode> CustomerAsync(string id = "cus_Ada") => (await GetAsync($"/api/v1/customers/{id}"))!;

    /// <summary>The runs of a customer, oldest first.</summary>
    public async Task<List<JsonNode>> FlowsAsync(string customer = "cus_Ada") =>
        [.. (await GetAsync($"/api/v1/flows?customer={customer}"))!.AsArray().Select(f => f!).OrderBy(f => (string?)f["startedAt"], StringComparer.Ordinal)];

    public async Task<JsonArray> DeadLettersAsync() => (await GetAsync("/api/v1/dead-letters"))!.AsArray();

    public async Task<JsonNode?> GetAsync(string path)
    {
        var answer = await Http.GetAsync(path);
        Assert.True(answer.IsSuccessStatusCode, $"GET {path}: {(int)answer.StatusCode} {await answer.Content.ReadAsStringAsync()}");
        return await answer.Content.ReadFromJsonAsync<JsonNode>();
    }

    public async Task SweepAsync()
    {
        var answer = await Http.PostAsync("/api/v1/sweep", null);
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync());
    }

    /// <summary>Posts a link of an e-mail as the button on its page does.</summary>
    public async Task<HttpResponseMessage> ClickAsync(string link, params (string Name, string Value)[] form)
    {
        var answer = await Http.PostAsync(link, new FormUrlEncodedContent(form.Select(f => KeyValuePair.Create(f.Name, f.Value))));
        await SettleAsync();
        return answer;
    }

    public async ValueTask DisposeAsync()
    {
        Http.Dispose();
        await app.StopAsync();
        await app.DisposeAsync();
        folder?.Dispose();
    }
}
