using Microsoft.Azure.Functions.Worker;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using RetentionFunctions.Functions;

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
}
