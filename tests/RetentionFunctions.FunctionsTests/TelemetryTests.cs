using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.IO.Compression;
using System.Net;
using System.Text.Json;
using Azure.Core;
using Azure.Core.Pipeline;
using Azure.Monitor.OpenTelemetry.Exporter;
using Microsoft.Azure.Functions.Worker;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using OpenTelemetry.Logs;
using OpenTelemetry.Metrics;
using OpenTelemetry.Trace;
using RetentionFunctions.Functions;
using RetentionFunctions.Telemetry;

namespace RetentionFunctions.FunctionsTests;

public sealed class TelemetryTests
{
    [Theory]
    [InlineData(null, false)]
    [InlineData("", false)]
    [InlineData("http://127.0.0.1:4318", true)]
    // The host writes nothing of a worker that exports by itself: what it logs would be nowhere.
    public void The_host_is_told_to_leave_the_telemetry_to_us_only_where_we_send_it_somewhere(string? endpoint, bool told)
    {
        var configuration = new ConfigurationBuilder().AddInMemoryCollection([new("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)]).Build();
        using var services = new ServiceCollection().AddTelemetry(configuration).BuildServiceProvider();
        Assert.Equal(told, services.GetService<IOptions<WorkerOptions>>()?.Value.Capabilities.ContainsKey("WorkerOpenTelemetryEnabled") == true);
    }

    [Fact]
    public async Task Application_Insights_gets_a_tenth_of_the_traces_and_every_log_and_measurement()
    {
        const int Count = 1000;
        // Other tests make spans and measurements of the product meanwhile.
        const string Ours = "of.this.test";
        var insights = new Insights();
        TokenCredential? credential = null;
        var configuration = new ConfigurationBuilder().AddInMemoryCollection([new("APPLICATIONINSIGHTS_CONNECTION_STRING", $"InstrumentationKey={Guid.NewGuid()};IngestionEndpoint=https://insights.invalid/")]).Build();
        using var http = new HttpClient(insights);
        await using var services = new ServiceCollection().AddTelemetry(configuration).PostConfigureAll<AzureMonitorExporterOptions>(options =>
        {
            (credential, options.Credential) = (options.Credential, null);
            (options.Transport, options.DisableOfflineStorage, options.EnableLiveMetrics) = (new HttpClientTransport(http), true, false);
        }).BuildServiceProvider();
        // As the host does: only then are the exporters there.
        foreach (var started in services.GetServices<IHostedService>()) await started.StartAsync(CancellationToken.None);
        var (traces, metrics, logs) = (services.GetRequiredService<TracerProvider>(), services.GetRequiredService<MeterProvider>(), services.GetRequiredService<LoggerProvider>());
        var log = services.GetRequiredService<ILogger<TelemetryTests>>();

        using (var source = new ActivitySource(RetentionTelemetry.Name))
        using (var meter = new Meter(RetentionTelemetry.Name))
        {
            for (var i = 0; i < Count; i++)
            {
                using var span = source.StartActivity(Ours);
                log.LogError(Ours);
            }
            meter.CreateCounter<long>(Ours).Add(7);
            Assert.True(traces.ForceFlush() && logs.ForceFlush() && metrics.ForceFlush());
        }

        Assert.NotNull(credential);
        var spans = insights.Of("RemoteDependencyData").Where(item => item.Data.GetProperty("name").GetString() == Ours).ToList();
        // A tenth by chance: six standard deviations to either side.
        Assert.InRange(spans.Count, Count / 10 - 57, Count / 10 + 57);
        Assert.All(spans, span => Assert.Equal(10, span.SampleRate));
        Assert.Equal(Count, insights.Of("MessageData").Count(item => item.Data.GetProperty("message").GetString() == Ours));
        Assert.Equal(7, Assert.Single(insights.Of("MetricData").SelectMany(item => item.Data.GetProperty("metrics").EnumerateArray()), metric => metric.GetProperty("name").GetString() == Ours).GetProperty("value").GetDouble());
    }

    /// <summary>Takes what is sent to Application Insights.</summary>
    private sealed class Insights : HttpMessageHandler
    {
        private readonly List<JsonElement> items = [];

        public IEnumerable<(JsonElement Data, double SampleRate)> Of(string type)
        {
            lock (items)
                return [.. from item in items let data = item.GetProperty("data") where data.GetProperty("baseType").GetString() == type
                    select (data.GetProperty("baseData"), item.TryGetProperty("sampleRate", out var rate) ? rate.GetDouble() : 100)];
        }

        protected override HttpResponseMessage Send(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            using var body = new MemoryStream();
            request.Content!.CopyTo(body, null, cancellationToken);
            body.Position = 0;
            using var text = new StreamReader(request.Content.Headers.ContentEncoding.Contains("gzip") ? new GZipStream(body, CompressionMode.Decompress) : body);
            var count = 0;
            lock (items)
                while (text.ReadLine() is { } line)
                {
                    items.Add(JsonDocument.Parse(line).RootElement);
                    count++;
                }
            return new HttpResponseMessage(HttpStatusCode.OK) { Content = new StringContent($$"""{"itemsReceived":{{count}},"itemsAccepted":{{count}},"errors":[]}""") };
        }

        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) => Task.FromResult(Send(request, cancellationToken));
    }
}
