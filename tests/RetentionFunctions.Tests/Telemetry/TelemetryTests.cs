using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Metrics;
using RetentionFunctions.Telemetry;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.Tests.Telemetry;

/// <summary>Alone in time: the instruments are of the process, and other stories would be heard too.</summary>
[CollectionDefinition(nameof(TelemetryTests), DisableParallelization = true)]
public class TelemetryTests;

/// <summary>What the product says of itself while a story happens.</summary>
[Collection(nameof(TelemetryTests))]
public class TelemetryStories
{
    [Fact]
    public async Task A_story_is_measured_at_its_places_and_no_tag_tells_of_a_customer()
    {
        var measured = new ConcurrentQueue<(string Name, double Value, string Tags)>();
        var spans = new ConcurrentQueue<Activity>();
        using var listener = new MeterListener { InstrumentPublished = (instrument, l) => { if (instrument.Meter.Name == RetentionTelemetry.Name) l.EnableMeasurementEvents(instrument); } };
        listener.SetMeasurementEventCallback<long>((i, value, tags, _) => measured.Enqueue((i.Name, value, Text(tags))));
        listener.SetMeasurementEventCallback<double>((i, value, tags, _) => measured.Enqueue((i.Name, value, Text(tags))));
        listener.Start();
        using var spanListener = new ActivityListener { ShouldListenTo = s => s.Name == RetentionTelemetry.Name, Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllData, ActivityStopped = spans.Enqueue };
        ActivitySource.AddActivityListener(spanListener);

        var renewal = new DateTimeOffset(2026, 2, 5, 10, 0, 0, TimeSpan.Zero);
        await using var host = await TestHost.StartAsync("2026-01-05T10:00:00Z");
        await host.StripeAsync(host.Ada.SignsUp(renewal.AddMonths(-1)));
        await host.AdvanceToAsync(renewal);
        await host.StripeAsync(host.Ada.PaymentFails(renewal, next: renewal.AddDays(3)));
        var id = (string)(await host.OutboxAsync())[0]["id"]!;
        var odd = MailProvider.Event(id, "open", renewal);
        odd["timestamp"] = "yesterday";
        await host.MailAsync(MailProvider.Event(id, "delivered", renewal), odd);
        await host.TrackAsync("user-1", "Signed In");
        await host.StripeAsync(host.Ada.PaysAfterAll(host.Now));
        await host.SweepAsync();
        (await host.SendMailAsync("[]"u8.ToArray(), signature: "")).Dispose();
        (await host.SendAppAsync("track", "{}", "another")).Dispose();

        Assert.Equal(9, Sum(RetentionTelemetry.EventsAccepted, "kind=stripe"));
        Assert.Equal(2, Sum(RetentionTelemetry.EventsAccepted, "kind=mail"));
        Assert.Equal(1, Sum(RetentionTelemetry.EventsAccepted, "kind=app"));
        Assert.Equal(9, Sum(RetentionTelemetry.MessagesHandled, "kind=stripe"));
        Assert.Equal(12, measured.Count(m => m.Name == RetentionTelemetry.InboxLag && m.Value >= 0 && m.Tags != "kind=job"));
        Assert.Equal(1, Sum(RetentionTelemetry.DeadLetters, "kind=mail reason=unreadable"));
        Assert.Equal(1, Sum(RetentionTelemetry.Emails, "flow=dunning outcome=accepted"));
        Assert.Equal(1, Sum(RetentionTelemetry.RunsStarted, "flow=dunning"));
        Assert.Equal(1, Sum(RetentionTelemetry.RunsEnded, "flow=dunning outcome=paid"));
        Assert.Contains(measured, m => m.Name == RetentionTelemetry.SweepCustomers && m.Value == 1);
        Assert.Contains(measured, m => m.Name == RetentionTelemetry.SweepDuration);
        Assert.Equal(1, Sum(RetentionTelemetry.RequestsRefused, "kind=mail reason=signature_missing"));
        Assert.Equal(1, Sum(RetentionTelemetry.RequestsRefused, "kind=app reason=key"));
        Assert.Superset(new HashSet<string> { RetentionTelemetry.HandleSpan, RetentionTelemetry.AdvanceSpan, RetentionTelemetry.BucketSpan }, spans.Select(s => s.OperationName).ToHashSet());

        string[] personal = ["Ada", "ada@", "user-1", "in_", "evt_"];
        Assert.DoesNotContain(measured.Select(m => m.Tags).Concat(spans.SelectMany(s => s.TagObjects.Select(t => $"{t.Value}"))), tags => personal.Any(p => tags.Contains(p, StringComparison.Ordinal)));

        double Sum(string name, string tags) => measured.Where(m => m.Name == name && m.Tags == tags).Sum(m => m.Value);
    }

    [Fact]
    public void What_fails_is_counted_at_each_attempt_and_its_span_says_so_without_words()
    {
        var failed = 0L;
        var spans = new ConcurrentQueue<Activity>();
        using var listener = new MeterListener { InstrumentPublished = (instrument, l) => { if (instrument.Name == RetentionTelemetry.MessagesFailed) l.EnableMeasurementEvents(instrument); } };
        listener.SetMeasurementEventCallback<long>((_, value, _, _) => Interlocked.Add(ref failed, value));
        listener.Start();
        using var spanListener = new ActivityListener { ShouldListenTo = s => s.Name == RetentionTelemetry.Name, Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllData, ActivityStopped = spans.Enqueue };
        ActivitySource.AddActivityListener(spanListener);
        using var span = RetentionTelemetry.Handling(RetentionFunctions.Intake.MessageKind.AppEvent)!;
        span.Fault(new InvalidOperationException("The customer cus_Ada was changed."));
        RetentionTelemetry.Failed(RetentionFunctions.Intake.MessageKind.AppEvent);
        span.Stop();
        Assert.Equal(1, failed);
        var told = Assert.Single(spans);
        Assert.Equal((ActivityStatusCode.Error, null), (told.Status, told.StatusDescription));
        Assert.DoesNotContain("cus_Ada", string.Join(' ', told.TagObjects.Select(t => $"{t.Value}")));
    }

    private static string Text(ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        var parts = new List<string>();
        foreach (var (name, value) in tags) parts.Add($"{name}={value}");
        return string.Join(' ', parts);
    }
}
