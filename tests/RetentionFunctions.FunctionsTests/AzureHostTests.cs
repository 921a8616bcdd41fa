using System.Reflection;
using System.Text;
using System.Text.Json.Nodes;
using Azure.Data.Tables;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Azure.Functions.Worker;
using Microsoft.DurableTask;
using Microsoft.DurableTask.Client;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Moq;
using RetentionFunctions.Backup;
using RetentionFunctions.Email;
using RetentionFunctions.Flows;
using RetentionFunctions.Functions;
using RetentionFunctions.Health;
using RetentionFunctions.History;
using RetentionFunctions.Insight;
using RetentionFunctions.Intake;
using RetentionFunctions.Jobs;
using RetentionFunctions.Links;
using RetentionFunctions.Settings;
using RetentionFunctions.Storage;
using RetentionFunctions.Tests.Backup;
using RetentionFunctions.Tests.Faults;
using RetentionFunctions.Tests.Support;
using RetentionFunctions.Web;

namespace RetentionFunctions.FunctionsTests;

/// <summary>
/// The app as <c>Program</c> puts it together: what the rooms have, Azure has. The queue, the mailer, Stripe and the engine are stood in for.
/// </summary>
public sealed class AzureHostTests : IAsyncLifetime
{
    private readonly string? _connection = Environment.GetEnvironmentVariable("AZURITE_TABLES");
    private readonly MemoryInbox _inbox = new();
    private readonly Mock<DurableTaskClient> _durable = new("test");
    private readonly List<string> _flows = [];

    // A Monday, and the first of a month: both e-mails of the review are due.
    private readonly StandingClock _clock = new(new DateTimeOffset(2026, 6, 1, 10, 0, 0, TimeSpan.Zero));
    private readonly MemoryMailer _mailer;
    private readonly TableClient _table;
    private WebApplication _app;

    public AzureHostTests()
    {
        _mailer = new MemoryMailer(_clock, deduplicates: false);
        var storage = new Connection(string.IsNullOrEmpty(_connection) ? "UseDevelopmentStorage=true" : _connection, null);
        _table = new TableClient(storage.String, $"host{Guid.NewGuid():N}");
        _app = Compose(storage, services => services.AddSingleton(new AzureTables(_table, _table)));
    }

    private WebApplication Compose(Connection storage, Action<IServiceCollection> tables)
    {
        var azure = new AzureSettings(storage, storage, new Connection("Endpoint=sb://localhost;SharedAccessKeyName=name;SharedAccessKey=a2V5", null), "SG.key", "rk_test_key", new Uri("http://localhost:7071"));
        var builder = WebApplication.CreateSlimBuilder();
        builder.Host.UseDefaultServiceProvider(services => (services.ValidateOnBuild, services.ValidateScopes) = (true, true));
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?> { ["Product:Name"] = "Acme", ["Product:Url"] = "https://acme.example.com", ["Review:Email"] = "founder@example.com" });
        builder.Services.AddAdapters(azure).AddRooms(SettingsLoader.Load(builder.Configuration), EmailTemplates.Load(null), builder.Configuration, _ => azure.PublicUrl).AddSingleton<HandOff>();
        var actions = builder.Services.Single(service => service.ServiceType == typeof(WebActions)).ImplementationFactory!;
        _durable.Setup(c => c.ScheduleNewOrchestrationInstanceAsync(It.IsAny<TaskName>(), It.IsAny<object?>(), It.IsAny<StartOrchestrationOptions?>(), It.IsAny<CancellationToken>()))
            .Callback((TaskName _, object? run, StartOrchestrationOptions? _, CancellationToken _) => _flows.Add((string)run!)).ReturnsAsync("id");
        var stripe = new Mock<IBillingHistory>();
        stripe.Setup(s => s.ListAsync(It.IsAny<BillingQuery>(), It.IsAny<CancellationToken>())).ReturnsAsync(new BillingPage([], HasMore: false, _clock.Now));
        builder.Services.AddSingleton<IInbox>(_inbox).AddSingleton<TimeProvider>(_clock)
            .AddSingleton<IMailer>(_mailer).AddSingleton(Mock.Of<IBilling>()).AddSingleton(stripe.Object)
            .AddSingleton(all => (WebActions)actions(all) with { Waiting = _ => Task.FromResult(new WaitingMessages(0, AtLeast: false, null)) });
        tables(builder.Services);
        return builder.Build();
    }

    public async ValueTask InitializeAsync()
    {
        if (string.IsNullOrEmpty(_connection)) return;
        await _app.Services.GetRequiredService<AzureTables>().CreateAsync();
        await _app.Services.GetRequiredService<BlobBackups>().CreateAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _app.DisposeAsync();
        if (!string.IsNullOrEmpty(_connection)) await _table.DeleteAsync();
    }

    // All that the rooms have of a kind.
    private void AllAreThere<T>() where T : notnull => Assert.Equal(
        typeof(T).Assembly.GetTypes().Where(type => type is { IsClass: true, IsAbstract: false } && type.IsAssignableTo(typeof(T))).Select(type => type.Name).Order(StringComparer.Ordinal),
        _app.Services.GetServices<T>().Select(one => one.GetType().Name).Order(StringComparer.Ordinal));

    [Fact]
    public void Every_function_is_given_what_it_needs()
    {
        var functions = typeof(Flow).Assembly.GetTypes().Where(type => type is { IsAbstract: false } && type.GetMethods().Any(method => method.GetCustomAttribute<FunctionAttribute>() is not null)).ToList();
        Assert.NotEmpty(functions);
        Assert.All(functions, function => Assert.NotNull(ActivatorUtilities.CreateInstance(_app.Services, function)));
    }

    [Fact]
    public void Every_job_every_summary_and_the_review_are_there()
    {
        AllAreThere<IJob>();
        Assert.Equal(["backfill", "backup", "erase", "import", "reconcile", "restore", "review", "summaries"], _app.Services.GetRequiredService<JobRunner>().Names.Order(StringComparer.Ordinal));
        AllAreThere<ISummary>();
        // Optional to the engine: nothing would miss it.
        AllAreThere<IOtherRuns>();
    }

    private async Task<(int Status, string Body)> AskAsync(string method, string address, byte[]? body = null)
    {
        await using var scope = _app.Services.CreateAsyncScope();
        var http = new DefaultHttpContext { RequestServices = scope.ServiceProvider, Response = { Body = new MemoryStream() } };
        var parts = address.Split('?');
        (http.Request.Method, http.Request.Path, http.Request.QueryString) = (method, parts[0], new QueryString(parts.Length > 1 ? $"?{parts[1]}" : ""));
        // Without an admin key the machine itself may.
        (http.Request.Scheme, http.Request.Host, http.Connection.RemoteIpAddress) = ("http", new HostString("localhost", 7071), System.Net.IPAddress.Loopback);
        if (body is not null) (http.Request.ContentLength, http.Request.Body) = (body.Length, new MemoryStream(body));
        await (await _app.Services.GetRequiredService<HandOff>().AnswerAsync(http.Request, Mock.Of<FunctionContext>(), _durable.Object)).ExecuteAsync(http);
        return (http.Response.StatusCode, Encoding.UTF8.GetString(((MemoryStream)http.Response.Body).ToArray()));
    }

    private async Task<JsonNode> GetAsync(string address)
    {
        var (status, body) = await AskAsync("GET", address);
        Assert.True(status == 200, $"{address}: {status} {body}");
        return JsonNode.Parse(body)!;
    }

    // As the queue's trigger does, until nothing waits.
    private async Task HandleAsync()
    {
        var trigger = ActivatorUtilities.CreateInstance<ProcessInbox>(_app.Services);
        for (; _inbox.Take() is { } message; _inbox.Complete(message)) await trigger.HandleAsync(message, 1, _ => TimeSpan.Zero, default);
    }

    [Fact]
    public async Task Every_page_and_every_address_of_the_API_that_shows_something_is_answered()
    {
        // In memory: it is about what the app puts together, and some of the pages read every bucket.
        await _app.DisposeAsync();
        _app = Compose(new Connection("UseDevelopmentStorage=true", null), services => services.AddSingleton<ITables>(new FakeTables()).AddSingleton<IBackupStore>(new MemoryBackups()));
        IEndpointRouteBuilder? routes = null;
        Composition.BuildPipeline(_app.Services, mapped => routes = mapped);
        var addresses = routes!.DataSources.SelectMany(source => source.Endpoints).OfType<RouteEndpoint>()
            .Where(endpoint => endpoint.RoutePattern.Parameters.Count == 0 && endpoint.Metadata.GetMetadata<IHttpMethodMetadata>()?.HttpMethods.Contains("GET") == true)
            .Select(endpoint => $"/{endpoint.RoutePattern.RawText!.Trim('/')}").Except(["/outbox"]).ToList();
        Assert.Empty(new[] { "/", "/metrics", "/cohorts", "/review", "/import", "/export/csv", "/api/v1/recovery", "/api/v1/export", "/system" }.Except(addresses));
        foreach (var address in addresses)
        {
            var (status, body) = await AskAsync("GET", address == "/api/v1/export" ? $"{address}?format=csv" : address);
            // Signed in already.
            Assert.True(status == (address == "/sign-in" ? 303 : 200), $"{address}: {status} {body}");
        }
    }

    [Fact]
    public async Task A_file_is_imported_counted_at_night_reviewed_exported_and_a_customer_of_it_erased()
    {
        Assert.SkipWhen(string.IsNullOrEmpty(_connection), "AZURITE_TABLES names no emulator of Table Storage (npm azurite).");
        var file = await File.ReadAllBytesAsync(Path.Combine(Repository.Root, "docs", "import-example.csv"));
        Assert.Equal(202, (await AskAsync("POST", "/api/v1/import", file)).Status);
        await HandleAsync();
        Assert.Equal("done", (string?)(await GetAsync("/api/v1/import"))["status"]);
        Assert.Equal("Bob", (string?)(await GetAsync("/api/v1/customers/ctm_bob"))["name"]);

        // It ran before the month was over.
        await _app.Services.GetRequiredService<ITables>().UpsertAsync(Keys.SweepOf(new DateOnly(2026, 5, 29)), new SweepResult { At = _clock.Now.AddDays(-3), Customers = 0, Tiers = new Dictionary<HealthTier, int>(), Candidates = 0, Started = 0 });
        // The sweep of the day, and the timer that finds it done.
        await _app.Services.GetRequiredService<Health.DailySweep>().RunAsync();
        await ActivatorUtilities.CreateInstance<Functions.DailySweep>(_app.Services).RunAsync(new TimerInfo(), _durable.Object, default);
        await HandleAsync();
        Assert.Equal(["founder|review|2026-05", "founder|review|2026-06-01"], _flows);
        foreach (var flow in _flows) Assert.Null(await ActivatorUtilities.CreateInstance<Advance>(_app.Services).RunAsync(flow, default));
        Assert.Equal("founder@example.com", _mailer.Delivered[0].To);
        var jobs = (await GetAsync("/api/v1/system"))["jobs"]!.AsArray().ToDictionary(job => (string)job!["name"]!, job => (string?)job!["state"]);
        Assert.Equal(["done", "done", "done"], new[] { "backup", "review", "summaries" }.Select(job => jobs[job]));
        Assert.NotEmpty((await GetAsync("/api/v1/cohorts"))["groups"]!.AsArray());

        Assert.Contains("ctm_bob", (await AskAsync("GET", "/api/v1/export?format=json")).Body, StringComparison.Ordinal);
        Assert.Equal(202, (await AskAsync("DELETE", "/api/v1/customers/ctm_bob")).Status);
        await HandleAsync();
        Assert.Equal(404, (await AskAsync("GET", "/api/v1/customers/ctm_bob")).Status);
        var export = (await AskAsync("GET", "/api/v1/export?format=json")).Body;
        Assert.DoesNotContain("ctm_bob", export, StringComparison.Ordinal);
        Assert.Contains("ctm_ada", export, StringComparison.Ordinal);
    }
}
