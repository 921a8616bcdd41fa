using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using RetentionFunctions.Intake.Stripe;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.Tests.Faults;

/// <summary>The local host as a process of its own, which can be killed and started again on the same folder.</summary>
/// <param name="folder">Where its data lies.</param>
/// <param name="clock">Where its simulated clock begins; null: it runs on the real one.</param>
/// <param name="program">The host to start; null: the present one.</param>
internal sealed class KilledHost(string folder, DateTimeOffset? clock, string? program = null) : IDisposable
{
    // A step of the clock handles all that is due on its way.
    private readonly HttpClient http = new(new SocketsHttpHandler { UseCookies = false }) { Timeout = TimeSpan.FromMinutes(2) };
    private Process? process;
    private volatile string root = "";
    private long ticks = clock?.UtcTicks ?? 0;

    /// <summary>The host's time, as it was last heard of.</summary>
    public DateTimeOffset Now => clock is null ? TimeProvider.System.GetUtcNow() : new DateTimeOffset(Volatile.Read(ref ticks), TimeSpan.Zero);

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
        // The first versions took in nothing from the mail provider, and refuse a setting that they do not know.
        if (program is null) start.Environment["Email__SendGrid__EventPublicKeys__0"] = MailProvider.PublicKey;
        // A copy of the whole file each night.
        start.Environment["Backup__Keep"] = "1";
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
        await LookAtClockAsync();
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
        request.Headers.TryAddWithoutValidation(StripeSignature.HeaderName, StripeSignature.Sign(body, TestHost.Secret, Now));
        return TrySendAsync(request);
    }

    /// <summary>Sends one call of Segment's API. True only where 200 came back.</summary>
    public Task<bool> AppAsync(string call, JsonObject item)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, $"{root}/v1/{call}") { Content = new StringContent(item.ToJsonString(), Encoding.UTF8, "application/json") };
        request.Headers.Authorization = new AuthenticationHeaderValue("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes($"{TestHost.WriteKey}:")));
        return TrySendAsync(request);
    }

    /// <summary>Reports events of e-mails as the mail provider does. True only where 200 came back.</summary>
    public Task<bool> MailAsync(params JsonObject[] events) => TrySendAsync(MailProvider.Request(MailProvider.Body(events), Now, root));

    /// <summary>Moves the simulated clock on. True only where it was done to the end.</summary>
    public async Task<bool> MoveAsync(DateTimeOffset to)
    {
        var done = await TrySendAsync(new HttpRequestMessage(HttpMethod.Post, $"{root}/local/clock") { Content = new StringContent($$"""{"to":"{{to:O}}"}""", Encoding.UTF8, "application/json") });
        await LookAtClockAsync();
        return done;
    }

    private async Task LookAtClockAsync()
    {
        if (clock is null) return;
        try
        {
            var answer = JsonNode.Parse(await http.GetStringAsync(new Uri($"{root}/local/clock")))!;
            Volatile.Write(ref ticks, ((DateTimeOffset)answer["now"]!).UtcTicks);
        }
        catch (HttpRequestException)
        {
            // Gone again.
        }
    }

    /// <summary>What an address of the API answers.</summary>
    public async Task<JsonNode> GetAsync(string path) => JsonNode.Parse(await http.GetStringAsync($"{root}{path}"))!;

    /// <summary>Moves the simulated clock; answers when all is settled.</summary>
    public async Task AdvanceAsync(TimeSpan span)
    {
        using var answer = await http.PostAsync($"{root}/local/clock", new StringContent(new JsonObject { ["advance"] = span.ToString("c", CultureInfo.InvariantCulture) }.ToJsonString(), Encoding.UTF8, "application/json"));
        answer.EnsureSuccessStatusCode();
        await LookAtClockAsync();
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
        var signedAt = Now;
        try
        {
            using (request)
            using (var answer = await http.SendAsync(request))
            {
                if (answer.IsSuccessStatusCode) return true;
                var text = await answer.Content.ReadAsStringAsync();
                // The clock was moved between signing and arriving: then it stands elsewhere now.
                if (clock is not null && answer.StatusCode is HttpStatusCode.BadRequest or HttpStatusCode.Unauthorized) await LookAtClockAsync();
                if (Now == signedAt || clock is null) throw new InvalidOperationException($"{(int)answer.StatusCode}: {text}");
                return false;
            }
        }
        catch (Exception e) when (e is HttpRequestException or TaskCanceledException)
        {
            // The host is gone, or went before it answered: the event is not acknowledged.
            return false;
        }
    }
}
