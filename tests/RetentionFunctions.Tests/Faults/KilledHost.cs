using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using RetentionFunctions.Intake.Stripe;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.Tests.Faults;

/// <summary>The local host as a process of its own, which can be killed and started again on the same folder.</summary>
/// <param name="program">The host to start; null: the present one.</param>
internal sealed class KilledHost(string folder, DateTimeOffset? clock, string? program = null) : IDisposable
{
    private readonly HttpClient http = new(new SocketsHttpHandler { UseCookies = false }) { Timeout = TimeSpan.FromSeconds(5) };
    private Process? process;
    private volatile string root = "";

    /// <summary>Where its clock stands, once that was moved.</summary>
    public DateTimeOffset? Now { get; set; }

    /// <summary>Starts it on a free port; answers when it listens.</summary>
    public async Task StartAsync()
    {
        var start = new ProcessStartInfo(Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") is { Length: > 0 } dotnet ? dotnet : "dotnet")
        {
            WorkingDirectory = folder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        string[] arguments = ["exec", program ?? Path.Combine(AppContext.BaseDirectory, "RetentionFunctions.Local.dll"), "--urls", "http://127.0.0.1:0", "--data", Path.Combine(folder, "data")];
        foreach (var argument in arguments) start.ArgumentList.Add(argument);
        if (clock is { } at)
        {
            start.ArgumentList.Add("--clock");
            start.ArgumentList.Add(at.ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture));
        }
        start.Environment["Stripe__WebhookSecrets__0"] = TestHost.Secret;
        start.Environment["AppEvents__WriteKey"] = TestHost.WriteKey;
        var said = new StringBuilder();
        var ready = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        process = new Process { StartInfo = start, EnableRaisingEvents = true };
        void Hear(string? line)
        {
            if (line is null) return;
            lock (said) said.AppendLine(line);
            if (line.Contains("runs on http://", StringComparison.Ordinal)) ready.TrySetResult(line.Split(' ', StringSplitOptions.RemoveEmptyEntries).First(w => w.StartsWith("http://", StringComparison.Ordinal)));
        }
        process.OutputDataReceived += (_, line) => Hear(line.Data);
        process.ErrorDataReceived += (_, line) => Hear(line.Data);
        process.Exited += (_, _) => ready.TrySetException(new InvalidOperationException($"The host ended before it listened:\n{said}"));
        process.Start();
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        root = await ready.Task.WaitAsync(TimeSpan.FromSeconds(60));
    }

    /// <summary>SIGKILL: nothing is flushed, nothing is closed.</summary>
    public async Task KillAsync()
    {
        process!.Kill();
        await process.WaitForExitAsync();
        process.Dispose();
        process = null;
    }

    /// <summary>Sends an event as Stripe does. True only where 200 came back.</summary>
    public Task<bool> StripeAsync(JsonObject e)
    {
        var body = Encoding.UTF8.GetBytes(e.ToJsonString());
        var request = new HttpRequestMessage(HttpMethod.Post, $"{root}/stripe/webhook") { Content = new ByteArrayContent(body) };
        request.Headers.TryAddWithoutValidation(StripeSignature.HeaderName, StripeSignature.Sign(body, TestHost.Secret, Now ?? clock ?? TimeProvider.System.GetUtcNow()));
        return TrySendAsync(request);
    }

    /// <summary>Sends one call of Segment's API. True only where 200 came back.</summary>
    public Task<bool> AppAsync(string call, JsonObject item)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, $"{root}/v1/{call}") { Content = new StringContent(item.ToJsonString(), Encoding.UTF8, "application/json") };
        request.Headers.Authorization = new AuthenticationHeaderValue("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes($"{TestHost.WriteKey}:")));
        return TrySendAsync(request);
    }

    /// <summary>What an address of the API answers.</summary>
    public async Task<JsonNode> GetAsync(string path) => JsonNode.Parse(await http.GetStringAsync($"{root}{path}"))!;

    /// <summary>Moves the simulated clock; answers when all is settled.</summary>
    public async Task AdvanceAsync(TimeSpan span)
    {
        using var answer = await http.PostAsync($"{root}/local/clock", new StringContent(new JsonObject { ["advance"] = span.ToString("c", CultureInfo.InvariantCulture) }.ToJsonString(), Encoding.UTF8, "application/json"));
        answer.EnsureSuccessStatusCode();
    }

    public void Dispose()
    {
        http.Dispose();
        if (process is null) return;
        process.Kill();
        process.WaitForExit();
        process.Dispose();
    }

    private async Task<bool> TrySendAsync(HttpRequestMessage request)
    {
        try
        {
            using (request)
            using (var answer = await http.SendAsync(request))
                return answer.IsSuccessStatusCode ? true : throw new InvalidOperationException($"{(int)answer.StatusCode}: {await answer.Content.ReadAsStringAsync()}");
        }
        catch (Exception e) when (e is HttpRequestException or TaskCanceledException)
        {
            // The host is gone, or went before it answered: the event is not acknowledged.
            return false;
        }
    }
}
