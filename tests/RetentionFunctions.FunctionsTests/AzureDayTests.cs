using System.Text;
using System.Text.Json.Nodes;
using Azure.Data.Tables;
using Azure.Messaging.ServiceBus;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.DurableTask;
using Microsoft.DurableTask.Client;
using Microsoft.DurableTask.Testing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Moq;
using RetentionFunctions.Customers;
using RetentionFunctions.Email;
using RetentionFunctions.Flows;
using RetentionFunctions.Functions;
using RetentionFunctions.History;
using RetentionFunctions.Intake;
using RetentionFunctions.Intake.Stripe;
using RetentionFunctions.Links;
using RetentionFunctions.Settings;
using RetentionFunctions.Storage;
using RetentionFunctions.Tests.Faults;
using RetentionFunctions.Tests.Support;
using RetentionFunctions.Web;

namespace RetentionFunctions.FunctionsTests;

/// <summary>
/// A day of one customer on Azure's adapters as the app puts them together: the signed event at the door, the queue, its handling, the tables, the orchestrator of the flows on the
/// in-process durable host. Only the mailer is in memory, and the queue where <c>SERVICEBUS_EMULATOR</c> names none.
/// </summary>
public sealed class AzureDayTests : IAsyncLifetime
{
    private const string Secret = "whsec_test_of_the_day";

    private readonly CancellationTokenSource _patience = new(TimeSpan.FromSeconds(90));
    private readonly string? _connection = Environment.GetEnvironmentVariable("AZURITE_TABLES");
    private readonly ServiceBusClient? _bus = Environment.GetEnvironmentVariable("SERVICEBUS_EMULATOR") is { Length: > 0 } bus ? new ServiceBusClient(bus) : null;
    private readonly MemoryInbox _memory = new();
    private readonly DurableClients _durable = new();

    // Next Monday morning: what is due later is never due while the test runs.
    private readonly StandingClock _clock = new(new DateTimeOffset(DateTime.UtcNow.Date, TimeSpan.Zero).AddDays(8 - (int)DateTime.UtcNow.DayOfWeek).AddHours(10));
    private readonly Story _ada = new($"cus_{Guid.NewGuid():N}");
    private TableClient? _table;
    private MemoryMailer? _mailer;
    private WebApplication? _app;
    private RequestDelegate? _door;
    private DurableTaskTestHost? _host;

    private ITables Tables => _app!.Services.GetRequiredService<ITables>();

    public async ValueTask InitializeAsync()
    {
        Assert.SkipWhen(string.IsNullOrEmpty(_connection), "AZURITE_TABLES names no emulator of Table Storage (npm azurite).");
        _table = new TableClient(_connection, $"day{Guid.NewGuid():N}");
        _mailer = new MemoryMailer(_clock, deduplicates: false);
        var builder = WebApplication.CreateSlimBuilder();
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?> { ["Stripe:WebhookSecrets:0"] = Secret, ["Product:Name"] = "Acme" });
        builder.Services.AddRooms(SettingsLoader.Load(builder.Configuration), EmailTemplates.Load(null), builder.Configuration, _ => new Uri("https://retention.example.com"))
            .AddSingleton(new AzureTables(_table, _table)).AddSingleton<ITables>(all => all.GetRequiredService<AzureTables>())
            .AddSingleton<IInbox>(_bus is null ? _memory : new ServiceBusInbox(_bus.CreateSender(ServiceBusInbox.Queue)))
            .AddSingleton(_durable).AddSingleton<IFlowEngine, DurableFlowEngine>()
            .AddSingleton<TimeProvider>(_clock).AddSingleton<IMailer>(_mailer).AddSingleton(Mock.Of<IBilling>()).AddSingleton(Mock.Of<IBillingHistory>())
            .AddSingleton(new WebActions { StopRun = (_, _) => Task.FromResult(false), Sweep = _ => throw new InvalidOperationException(), Waiting = _ => throw new InvalidOperationException(), Backups = new BackupView(_ => throw new InvalidOperationException()) });
        _app = builder.Build();
        await _app.Services.GetRequiredService<AzureTables>().CreateAsync();
        _door = Composition.BuildPipeline(_app.Services);
        var advance = new Advance(_app.Services.GetRequiredService<FlowAdvance>());
        for (var attempt = 1; _host is null; attempt++)
            try
            {
                _host = await DurableTaskTestHost.StartAsync(tasks =>
                {
                    tasks.AddOrchestratorFunc<string, bool>(nameof(Flow), async (context, _) =>
                    {
                        await Flow.RunAsync(context);
                        return true;
                    });
                    tasks.AddActivityFunc<string, DateTimeOffset?>(nameof(Advance), (_, run) => advance.RunAsync(run, default));
                }, cancellationToken: _patience.Token);
            }
            catch (IOException) when (attempt < 5)
            {
                // It takes a port by chance and may meet one that is taken.
            }
        _durable.Use(_host.Client);
    }

    public async ValueTask DisposeAsync()
    {
        if (_host is not null) await _host.DisposeAsync();
        if (_app is not null) await _app.DisposeAsync();
        if (_bus is not null) await _bus.DisposeAsync();
        if (_table is not null) await _table.DeleteAsync();
        _patience.Dispose();
    }

    private async Task<int> PostAsync(JsonObject e, string secret = Secret)
    {
        var body = Encoding.UTF8.GetBytes(e.ToJsonString());
        await using var scope = _app!.Services.CreateAsyncScope();
        var http = new DefaultHttpContext { RequestServices = scope.ServiceProvider, Response = { Body = new MemoryStream() } };
        http.Request.Method = "POST";
        http.Request.Path = "/stripe/webhook";
        http.Request.Host = new HostString("retention.example.com");
        http.Request.Headers[StripeSignature.HeaderName] = StripeSignature.Sign(body, secret, _clock.Now);
        http.Request.ContentLength = body.Length;
        http.Request.Body = new MemoryStream(body);
        await _door!(http);
        return http.Response.StatusCode;
    }

    // The events at the door, and then at the trigger.
    private async Task StripeAsync(params IEnumerable<JsonObject> events)
    {
        var count = 0;
        foreach (var e in events)
        {
            Assert.Equal(200, await PostAsync(e));
            count++;
        }
        var trigger = new ProcessInbox(_app!.Services.GetRequiredService<InboxProcessor>(), _durable);
        if (_bus is null)
        {
            for (; _memory.Take() is { } message; _memory.Complete(message)) await trigger.HandleAsync(message, 1, _ => TimeSpan.Zero, _patience.Token);
            return;
        }
        await using var session = await _bus.AcceptSessionAsync(ServiceBusInbox.Queue, InboxEnvelope.SessionOf(_ada.Customer), cancellationToken: _patience.Token);
        while (count > 0)
        {
            var message = await session.ReceiveMessageAsync(cancellationToken: _patience.Token);
            // Another test may have left something there.
            if (ServiceBusInbox.Read(message) is { } ours && ours.Session == _ada.Customer)
            {
                await trigger.HandleAsync(ours, message.DeliveryCount, _ => TimeSpan.Zero, _patience.Token);
                count--;
            }
            await session.CompleteMessageAsync(message, _patience.Token);
        }
    }

    private async Task<Run?> RunAsync() => (await Tables.ListAsync<Run>(Keys.Runs(_ada.Customer))).SingleOrDefault();

    [Fact]
    public async Task A_payment_fails_an_email_goes_out_the_customer_pays_and_the_flow_ends()
    {
        Assert.Equal(400, await PostAsync(_ada.CustomerUpdated(_clock.Now, "mallory@example.com"), "whsec_of_somebody_else"));
        await StripeAsync(_ada.SignsUp(_clock.Now.AddDays(-31)));
        Assert.Equal("ada@example.com", (await Tables.GetAsync<Customer>(Keys.Customer(_ada.Customer)))!.Value.Email);
        Assert.Null(await RunAsync());

        var failed = _ada.PaymentFails(_clock.Now, next: _clock.Now.AddDays(3)).ToList();
        await StripeAsync(failed);
        var instance = DurableFlowEngine.InstanceOf((await RunAsync())!.Id);
        while (await RunAsync() is not { DueAt: not null }) await Task.Delay(20, _patience.Token);
        Assert.Equal("ada@example.com", Assert.Single(_mailer!.Delivered).To);
        Assert.Equal(OrchestrationRuntimeStatus.Running, (await _host!.Client.GetInstanceAsync(instance, _patience.Token))!.RuntimeStatus);

        await StripeAsync(_ada.PaysAfterAll(_clock.Now.AddMinutes(1)));
        Assert.Equal(OrchestrationRuntimeStatus.Completed, (await _host.Client.WaitForInstanceCompletionAsync(instance, _patience.Token)).RuntimeStatus);
        Assert.Equal((RunStatus.Ended, RunOutcome.Paid), ((await RunAsync())!.Status, (await RunAsync())!.Outcome));

        var swept = await _app!.Services.GetRequiredService<Health.DailySweep>().RunAsync(_patience.Token);
        Assert.Equal((1, 0), (swept.Customers, swept.Started));
        Assert.Single(_mailer.Delivered);
        Assert.Empty(await _app.Services.GetRequiredService<DeadLetters>().ListAsync());
    }
}
