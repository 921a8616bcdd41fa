using System.Reflection;
using System.Text.Json.Nodes;
using Microsoft.Azure.Functions.Worker;
using RetentionFunctions.Functions;
using RetentionFunctions.Intake;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.FunctionsTests;

/// <summary>All that Azure is told: a function more or less, or a setting that changed, shows here.</summary>
public sealed class FunctionListTests
{
    private static IEnumerable<(string Name, MethodInfo Method)> Functions =>
        from type in typeof(Flow).Assembly.GetTypes()
        from method in type.GetMethods(BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly)
        let function = method.GetCustomAttribute<FunctionAttribute>()
        where function is not null
        select (function.Name, method);

    private static string Trigger(MethodInfo method) => method.GetParameters().SelectMany(p => p.GetCustomAttributes()).Select(attribute => attribute switch
    {
        HttpTriggerAttribute http => $"http {http.Methods switch { null or [] => "any", var methods => string.Join(',', methods) }} /{http.Route} {http.AuthLevel}",
        ServiceBusTriggerAttribute queue => $"queue {queue.QueueName} of {queue.Connection}{(queue.IsSessionsEnabled ? ", sessions" : "")}{(queue.IsBatched ? ", batched" : "")}",
        TimerTriggerAttribute timer => $"timer {timer.Schedule}",
        OrchestrationTriggerAttribute => "orchestration",
        ActivityTriggerAttribute => "activity",
        _ => null,
    }).Single(trigger => trigger is not null)!;

    [Fact]
    public void These_are_the_functions_and_their_triggers() => Assert.Equal(
        [
            "Advance: activity",
            "AppEvents: http post /v1/{*call} Anonymous",
            "DailySweep: timer 0 */15 * * * *",
            "DrainDeadLetters: queue inbox/$DeadLetterQueue of ServiceBus",
            "Flow: orchestration",
            "MailEvents: http post /sendgrid/events Anonymous",
            "ProcessInbox: queue inbox of ServiceBus, sessions",
            "StripeWebhook: http post /stripe/webhook Anonymous",
            "Sweep: orchestration",
            "SweepBuckets: activity",
            "SweepFinish: activity",
            "SweepTiers: activity",
            "Watchdog: timer 0 30 3 * * *",
            "Web: http any /{*path} Anonymous",
        ], Functions.Select(f => $"{f.Name}: {Trigger(f.Method)}").Order(StringComparer.Ordinal));

    [Fact]
    public void Every_function_is_public_so_that_the_worker_can_call_it() => Assert.All(Functions, f => Assert.True(f.Method.IsPublic && f.Method.DeclaringType!.IsPublic, f.Name));

    // The worker looks a function up by the name of its class and method alone: of two methods of the same name it loads none, and says so only in its log.
    [Fact]
    public void Every_function_is_the_only_method_of_its_name_so_that_the_worker_finds_it() =>
        Assert.All(Functions, f => Assert.Equal(f.Method, f.Method.DeclaringType!.GetMethod(f.Method.Name)));

    [Fact]
    public void The_host_serves_our_own_addresses_and_the_queue_as_the_inbox_needs_it()
    {
        var host = JsonNode.Parse(File.ReadAllText(Path.Combine(Repository.Root, "host.json")))!;
        Assert.Equal("", (string?)host["extensions"]!["http"]!["routePrefix"]);
        var queue = host["extensions"]!["serviceBus"]!;
        Assert.True((int)queue["maxConcurrentSessions"]! >= InboxEnvelope.Sessions, "Each session can be served at the same time as all others.");
        Assert.True(TimeSpan.Parse((string)queue["sessionIdleTimeout"]!) <= TimeSpan.FromSeconds(5), "A session is not held long after its last message.");
        // A delivery that failed is held up to 30 s before it is given back; its lock must outlast that.
        Assert.True(TimeSpan.Parse((string)queue["maxAutoLockRenewalDuration"]!) > ProcessInbox.Pause(InboxProcessor.MaxAttempts) + TimeSpan.FromMinutes(1));
        Assert.True(TimeSpan.Parse((string)host["functionTimeout"]!) <= TimeSpan.FromMinutes(10), "The most that a Consumption plan gives.");
        Assert.Equal("OpenTelemetry", (string?)host["telemetryMode"]);
        // Otherwise a run whose instance failed could not be started again under its id.
        Assert.Equal("NonRunningStates", (string?)host["extensions"]!["durableTask"]!["overridableExistingInstanceStates"]);
    }

    [Fact]
    public void The_program_has_host_json_and_the_founders_settings_beside_it() => Assert.All(["host.json", "retention.json"], file =>
        Assert.Equal(File.ReadAllText(Path.Combine(Repository.Root, file)), File.ReadAllText(Path.Combine(AppContext.BaseDirectory, file))));
}
