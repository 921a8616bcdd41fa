using System.Net;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using RetentionFunctions.Erasure;
using RetentionFunctions.Flows;
using RetentionFunctions.Health;
using RetentionFunctions.History;
using RetentionFunctions.Intake;
using RetentionFunctions.Jobs;
using RetentionFunctions.Settings;
using RetentionFunctions.Storage;
using RetentionFunctions.Tests.Support;
using RetentionFunctions.Web;

namespace RetentionFunctions.Tests.Web;

/// <summary>The pipeline on Kestrel at a free loopback port, over tables in memory, with a note of what the host was asked to do.</summary>
internal sealed partial class HostedPipeline : IAsyncDisposable
{
    public static readonly DateTimeOffset Now = new(2026, 3, 10, 12, 0, 0, TimeSpan.Zero);

    private readonly WebApplication _app;
    private readonly List<OutboxMail> _mails;

    private HostedPipeline(string? key, bool outbox, bool clock, bool demo, bool readsStripe)
    {
        _mails = [];
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var settings = new RetentionSettings();
        settings.Product.Name = "Ledgerly";
        settings.Admin.Key = key;
        WebPipeline.AddServices(builder.Services);
        builder.Services.AddDataProtection().UseEphemeralDataProtectionProvider();
        builder.Services.AddSingleton(settings).AddSingleton<ITables>(Tables).AddSingleton<IInbox>(Inbox).AddSingleton<TimeProvider>(new StoppedClock())
            .AddSingleton<BodyStore>().AddSingleton<DeadLetters>().AddSingleton<IntakeCounters>()
            .AddSingleton<JobRunner>().AddSingleton<IJob, NoHistory>()
            .AddSingleton(new FailedKeys(() => Milliseconds))
            .AddSingleton(new SessionClock(new SessionTime(this)))
            .AddSingleton<JobRunner>().AddSingleton<CustomerErasure>().AddSingleton<IJob>(new NightlyCount())
            .AddSingleton(new WebActions
            {
                StopRun = (run, _) => { Stopped.Add(run); return Task.FromResult(run.CustomerId != "cus_nobody"); },
                Sweep = _ => Task.FromResult(new SweepResult { At = Now, Customers = 3, Tiers = new Dictionary<HealthTier, int> { [HealthTier.HighRisk] = 2, [HealthTier.Healthy] = 1 }, Candidates = 2, Started = 1 }),
                Pending = Pending,
                Waiting = _ => Task.FromResult(Waiting),
                Backups = new BackupView(_ => Task.FromResult<IReadOnlyList<ShownBackup>>([.. Kept]), (name, _) => { Restored.Add(name); return Task.FromResult(true); }),
                Outbox = outbox ? new OutboxView(_ => Task.FromResult<IReadOnlyList<OutboxMail>>(_mails), (id, _) => Task.FromResult(_mails.FirstOrDefault(m => m.Email.Id == id))) : null,
                AdvanceClock = clock ? (by, _) => { Advanced.Add(by); return Task.CompletedTask; } : null,
                PlayDemo = demo ? _ => Task.FromResult(true) : null,
                Demo = _ => Task.FromResult(Demo),
                ReadsStripe = readsStripe,
                NotReady = _ => Task.FromResult(NotReady),
            });
        _app = builder.Build();
        ((IApplicationBuilder)_app).Run(WebPipeline.Build(_app.Services, MapMore));
    }

    public FakeTables Tables { get; } = new();

    public KeptMessages Inbox { get; } = new();

    public List<RunId> Stopped { get; } = [];

    public List<TimeSpan> Advanced { get; } = [];

    public List<OutboxMail> Mails => _mails;

    public long Milliseconds { get; set; }

    /// <summary>The real time, by which sessions end; the product's own clock stands still.</summary>
    public DateTimeOffset RealTime { get; set; } = new(2030, 1, 1, 0, 0, 0, TimeSpan.Zero);

    public string? NotReady { get; set; }

    public DemoState? Demo { get; set; }

    public WaitingMessages Waiting { get; set; } = new(0, AtLeast: false, null);

    public List<string> Pending { get; } = [];

    public List<ShownBackup> Kept { get; } = [];

    public List<string> Restored { get; } = [];

    public JobRunner Jobs => _app.Services.GetRequiredService<JobRunner>();

    public HttpClient Client { get; private set; } = null!;

    public DeadLetters Letters => _app.Services.GetRequiredService<DeadLetters>();

    public static async Task<HostedPipeline> StartAsync(string? key = null, bool outbox = true, bool clock = true, bool demo = false, bool readsStripe = false)
    {
        var host = new HostedPipeline(key, outbox, clock, demo, readsStripe);
        await host._app.StartAsync();
        host.Client = host.NewClient();
        return host;
    }

    /// <summary>A browser of its own: its own cookies, follows no redirect.</summary>
    public HttpClient NewClient() => new(new HttpClientHandler { AllowAutoRedirect = false }) { BaseAddress = new Uri(_app.Urls.Single()) };

    /// <summary>Fills in the form on a page that acts at an address, as a browser would, and sends it.</summary>
    public async Task<HttpResponseMessage> SubmitAsync(string page, string action, Dictionary<string, string> fields)
    {
        var html = await Client.GetStringAsync(page);
        Assert.Contains($"action=\"{action}\"", html, StringComparison.Ordinal);
        return await PostAsync(html, action, fields);
    }

    /// <summary>Sends a form that stood on the page before it changed.</summary>
    public async Task<HttpResponseMessage> PostAsync(string html, string action, Dictionary<string, string> fields)
    {
        var token = TokenField().Match(html).Groups[1].Value;
        Assert.NotEmpty(token);
        return await Client.PostAsync(action, new FormUrlEncodedContent(new Dictionary<string, string>(fields) { ["form_token"] = WebUtility.HtmlDecode(token) }));
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await _app.DisposeAsync();
    }

    /// <summary>The name of the backfill; what it does is tried elsewhere.</summary>
    private sealed class NoHistory : IJob
    {
        public string Name => Backfill.JobName;

        public Task<JobStep> StepAsync(JobState state, CancellationToken cancel) => Task.FromResult(new JobStep(null, new Dictionary<string, long>()));
    }

    private static void MapMore(IEndpointRouteBuilder endpoints)
    {
        endpoints.MapGet("/open", () => "open to anyone");
        endpoints.MapGet("/api/v1/broken", Broken);
        endpoints.MapGet("/broken", Broken);
        endpoints.MapGet("/api/v1/too-large", IResult () => throw new BadHttpRequestException("The body is too large.", 413));
    }

    private static IResult Broken() => throw new InvalidOperationException("the secret of the stack");

    [GeneratedRegex("name=\"form_token\" value=\"([^\"]+)\"")]
    private static partial Regex TokenField();

    internal sealed class StoppedClock : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => Now;
    }

    private sealed class SessionTime(HostedPipeline host) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => host.RealTime;
    }

    internal sealed class KeptMessages : IInbox
    {
        public List<InboxMessage> Messages { get; } = [];

        public Task EnqueueAsync(IReadOnlyList<InboxMessage> messages, CancellationToken cancel = default)
        {
            Messages.AddRange(messages);
            return Task.CompletedTask;
        }
    }
}

/// <summary>A nightly job of two steps.</summary>
internal sealed class NightlyCount : INightlyJob
{
    public string Name => "count";

    public Task<JobStep> StepAsync(JobState state, CancellationToken cancel) => Task.FromResult(new JobStep(state.Steps == 0 ? System.Text.Json.Nodes.JsonValue.Create(1) : null, new Dictionary<string, long> { ["rows"] = state.Steps + 1 }, state.Steps == 0 ? 0.5 : null));
}
