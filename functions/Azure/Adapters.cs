using Azure.Monitor.OpenTelemetry.Exporter;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using OpenTelemetry;
using OpenTelemetry.Metrics;
using OpenTelemetry.Trace;
using Microsoft.Azure.Functions.Worker.OpenTelemetry;
using RetentionFunctions.Backup;
using RetentionFunctions.Email;
using RetentionFunctions.Flows;
using RetentionFunctions.History;
using RetentionFunctions.Intake;
using RetentionFunctions.Jobs;
using RetentionFunctions.Links;
using RetentionFunctions.Settings;
using RetentionFunctions.Storage;
using RetentionFunctions.Telemetry;
using RetentionFunctions.Web;
using SendGrid;
using Stripe;

namespace RetentionFunctions.Functions;

/// <summary>Registers Azure's side of the ports.</summary>
public static class Adapters
{
    // Longer than SendGrid takes on a bad day; shorter than the five minutes after which an e-mail "about to be sent" counts as left by a crash.
    private static readonly TimeSpan MailTimeout = TimeSpan.FromSeconds(60);

    // With two retries: somebody waits for the page.
    private static readonly TimeSpan BillingTimeout = TimeSpan.FromSeconds(20);

    // Each event has a trace of some ten spans, and traces are what fills the daily cap. The alerts look at metrics, which are all sent.
    private const float SampledTraces = 0.1f;

    public static IServiceCollection AddAdapters(this IServiceCollection services, AzureSettings azure)
    {
        services.AddSingleton(azure).AddSingleton(TimeProvider.System);
        services.AddSingleton(_ => new AzureTables(azure.TablesClient(retries: 5), azure.TablesClient(retries: 0))).AddSingleton<ITables>(all => all.GetRequiredService<AzureTables>());
        services.AddSingleton(_ => azure.ServiceBusClient());
        services.AddSingleton<IInbox>(all => new ServiceBusInbox(all.GetRequiredService<Azure.Messaging.ServiceBus.ServiceBusClient>().CreateSender(ServiceBusInbox.Queue)));
        services.AddSingleton(all => new ServiceBusPeek(all.GetRequiredService<Azure.Messaging.ServiceBus.ServiceBusClient>().CreateReceiver(ServiceBusInbox.Queue)));
        services.AddSingleton<DurableClients>().AddSingleton<DurableFlowEngine>().AddSingleton<IFlowEngine>(all => all.GetRequiredService<DurableFlowEngine>());
        services.AddSingleton<IMailer>(_ => new SendGridMailer(new SendGridClient(Http(MailTimeout), azure.SendGridKey)));
        services.AddSingleton<IBilling>(_ => new StripeBilling(new StripeClient(azure.StripeKey, httpClient: new SystemNetHttpClient(Http(BillingTimeout), maxNetworkRetries: 2))));
        services.AddSingleton(_ => new BlobBackups(azure.BackupsClient())).AddSingleton<IBackupStore>(all => all.GetRequiredService<BlobBackups>()).AddSingleton<Backups>();
        services.AddSingleton<IJob, BackupJob>().AddSingleton<IJob, RestoreJob>();
        services.AddSingleton<IBillingHistory>(_ => new StripeLists(new StripeClient(azure.StripeKey, httpClient: new SystemNetHttpClient(Http(BillingTimeout), maxNetworkRetries: 2))));
        services.AddSingleton<SweepNow>().AddHostedService<CounterFlush>();
        services.AddSingleton(all => new WebActions
        {
            StopRun = all.GetRequiredService<FlowStop>().StopAsync,
            Sweep = all.GetRequiredService<SweepNow>().RunAsync,
            Pending = [.. AzureSettings.Pending(all.GetRequiredService<RetentionSettings>())],
            Waiting = all.GetRequiredService<ServiceBusPeek>().WaitingAsync,
            Backups = new BackupView(
                async cancel => [.. (await all.GetRequiredService<Backups>().ListAsync(cancel)).Select(kept => new ShownBackup(kept.Name, kept.Manifest.StartedAt, kept.Manifest.Bytes, kept.Manifest.Rows))],
                (backup, cancel) => all.GetRequiredService<JobRunner>().StartAsync("restore", RestoreJob.OccasionOf(backup, TimeProvider.System.GetUtcNow()), cancel)),
            ReadsStripe = true,
        });
        return services;
    }

    /// <summary>
    /// The product's own traces, metrics and logs, and the worker's: to Application Insights where APPLICATIONINSIGHTS_CONNECTION_STRING says which, by OTLP where
    /// OTEL_EXPORTER_OTLP_ENDPOINT says where. With neither the host goes on taking the logs: a worker that announces OpenTelemetry exports by itself, and the host
    /// passes on nothing of it any more.
    /// </summary>
    public static IServiceCollection AddTelemetry(this IServiceCollection services, IConfiguration configuration)
    {
        var (insights, otlp) = (configuration["APPLICATIONINSIGHTS_CONNECTION_STRING"], configuration["OTEL_EXPORTER_OTLP_ENDPOINT"]);
        if (string.IsNullOrEmpty(insights) && string.IsNullOrEmpty(otlp)) return services;
        var telemetry = services.AddOpenTelemetry().UseFunctionsWorkerDefaults()
            .WithMetrics(metrics => metrics.AddMeter(RetentionTelemetry.Name))
            .WithTracing(traces => traces.AddSource(RetentionTelemetry.Name));
        if (insights is { Length: > 0 })
            telemetry.UseAzureMonitorExporter(options =>
            {
                options.ConnectionString = insights;
                options.Credential = AzureSettings.Identity();
                // Of the two this one would win, and it is not null unless told so.
                options.TracesPerSecond = null;
                options.SamplingRatio = SampledTraces;
                // With it a log goes the way of its trace, and nine errors of ten were not told.
                options.EnableTraceBasedLogsSampler = false;
                // Azure's own metrics of the plan tell the same.
                options.EnablePerformanceCounters = false;
            });
        if (otlp is { Length: > 0 }) telemetry.UseOtlpExporter();
        return services;
    }

    // Connections are renewed, so that a change of the provider's addresses is noticed.
    private static HttpClient Http(TimeSpan timeout) => new(new SocketsHttpHandler { PooledConnectionLifetime = TimeSpan.FromMinutes(5) }) { Timeout = timeout };
}
