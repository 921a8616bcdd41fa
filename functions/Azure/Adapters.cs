using Microsoft.Extensions.DependencyInjection;
using OpenTelemetry;
using OpenTelemetry.Metrics;
using OpenTelemetry.Trace;
using Microsoft.Azure.Functions.Worker.OpenTelemetry;
using RetentionFunctions.Email;
using RetentionFunctions.Flows;
using RetentionFunctions.History;
using RetentionFunctions.Intake;
using RetentionFunctions.Links;
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

    public static IServiceCollection AddAdapters(this IServiceCollection services, AzureSettings azure)
    {
        services.AddSingleton(azure).AddSingleton(TimeProvider.System);
        services.AddSingleton(_ => new AzureTables(azure.TablesClient(retries: 5), azure.TablesClient(retries: 0))).AddSingleton<ITables>(all => all.GetRequiredService<AzureTables>());
        services.AddSingleton(_ => azure.ServiceBusClient());
        services.AddSingleton<IInbox>(all => new ServiceBusInbox(all.GetRequiredService<Azure.Messaging.ServiceBus.ServiceBusClient>().CreateSender(ServiceBusInbox.Queue)));
        services.AddSingleton<DurableClients>().AddSingleton<DurableFlowEngine>().AddSingleton<IFlowEngine>(all => all.GetRequiredService<DurableFlowEngine>());
        services.AddSingleton<IMailer>(_ => new SendGridMailer(new SendGridClient(Http(MailTimeout), azure.SendGridKey)));
        services.AddSingleton<IBilling>(_ => new StripeBilling(new StripeClient(azure.StripeKey, httpClient: new SystemNetHttpClient(Http(BillingTimeout), maxNetworkRetries: 2))));
        services.AddSingleton<IBillingHistory>(_ => new StripeLists(new StripeClient(azure.StripeKey, httpClient: new SystemNetHttpClient(Http(BillingTimeout), maxNetworkRetries: 2))));
        services.AddSingleton<SweepNow>().AddHostedService<CounterFlush>();
        services.AddSingleton(all => new WebActions
        {
            StopRun = all.GetRequiredService<FlowStop>().StopAsync,
            Sweep = all.GetRequiredService<SweepNow>().RunAsync,
            ReadsStripe = true,
        });
        return services;
    }

    /// <summary>
    /// The product's own traces and metrics, and the worker's, by OTLP. It goes where OTEL_EXPORTER_OTLP_ENDPOINT says; without that nothing is sent from here,
    /// and what the Functions host itself measures still reaches Application Insights.
    /// </summary>
    public static IServiceCollection AddTelemetry(this IServiceCollection services)
    {
        var telemetry = services.AddOpenTelemetry().UseFunctionsWorkerDefaults()
            .WithMetrics(metrics => metrics.AddMeter(RetentionTelemetry.Name))
            .WithTracing(traces => traces.AddSource(RetentionTelemetry.Name));
        if (Environment.GetEnvironmentVariable("OTEL_EXPORTER_OTLP_ENDPOINT") is { Length: > 0 }) telemetry.UseOtlpExporter();
        return services;
    }

    // Connections are renewed, so that a change of the provider's addresses is noticed.
    private static HttpClient Http(TimeSpan timeout) => new(new SocketsHttpHandler { PooledConnectionLifetime = TimeSpan.FromMinutes(5) }) { Timeout = timeout };
}
