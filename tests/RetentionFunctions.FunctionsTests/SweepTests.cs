using System.Collections.Concurrent;
using Microsoft.Azure.Functions.Worker;
using Microsoft.DurableTask;
using Microsoft.DurableTask.Client;
using Microsoft.DurableTask.Testing;
using Microsoft.Extensions.Logging.Abstractions;
using Moq;
using RetentionFunctions.Functions;
using RetentionFunctions.Health;
using RetentionFunctions.Intake;
using RetentionFunctions.Jobs;
using RetentionFunctions.Settings;
using RetentionFunctions.Storage;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.FunctionsTests;

public sealed class SweepTests
{
    [Fact]
    public async Task Every_bucket_is_swept_once_and_what_was_found_comes_through_the_engine()
    {
        var swept = new ConcurrentBag<string>();
        SweepWhole? whole = null;
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        await using var host = await DurableTaskTestHost.StartAsync(tasks =>
        {
            tasks.AddOrchestratorFunc<SweepResult>(nameof(Sweep), Sweep.RunAsync);
            tasks.AddActivityFunc<string, ValueTierThresholds>(nameof(SweepTiers), (_, _) => new ValueTierThresholds(new Dictionary<string, long> { ["usd"] = 10_000 }, new Dictionary<string, long>()));
            tasks.AddActivityFunc<SweepPart, List<BucketResult>>(nameof(SweepBuckets), (_, part) =>
            {
                Assert.Equal(10_000, part.Tiers.A["usd"]);
                foreach (var bucket in part.Buckets) swept.Add(bucket);
                return [.. part.Buckets.Select(bucket => new BucketResult { Customers = 1, LastSeenAt = part.Now, Tiers = { [HealthTier.Healthy] = 1 }, Candidates = { new Candidate(bucket, 5, "silent") } })];
            });
            tasks.AddActivityFunc<SweepWhole, SweepResult>(nameof(SweepFinish), (_, all) =>
            {
                whole = all;
                return new SweepResult { At = all.Now, Customers = all.Buckets.Sum(b => b.Customers), Tiers = new Dictionary<HealthTier, int> { [HealthTier.Healthy] = all.Buckets.Sum(b => b.Tiers[HealthTier.Healthy]) }, Candidates = all.Buckets.Sum(b => b.Candidates.Count), Started = 0 };
            });
        }, cancellationToken: patience.Token);
        await host.Client.ScheduleNewOrchestrationInstanceAsync(nameof(Sweep), null, new StartOrchestrationOptions { InstanceId = "sweep" }, patience.Token);
        var end = await host.Client.WaitForInstanceCompletionAsync("sweep", getInputsAndOutputs: true, patience.Token);
        Assert.True(end.RuntimeStatus == OrchestrationRuntimeStatus.Completed, end.FailureDetails?.ToString());
        Assert.Equal(Keys.AllBuckets, swept.Order(StringComparer.Ordinal));
        var result = end.ReadOutputAs<SweepResult>()!;
        Assert.Equal((256, 256, 256), (result.Customers, result.Candidates, result.Tiers[HealthTier.Healthy]));
        Assert.Equal(Keys.AllBuckets, whole!.Buckets.Select(b => b.Candidates.Single().CustomerId));
        Assert.All(whole.Buckets, bucket => Assert.Equal(whole.Now, bucket.LastSeenAt));
    }

    [Theory]
    [InlineData("UTC", "2026-01-10T06:00:00Z", "2026-01-10T06:00:00Z")]
    [InlineData("UTC", "2026-01-10T05:59:59Z", "2026-01-09T06:00:00Z")]
    [InlineData("UTC", "2026-01-10T23:45:00Z", "2026-01-10T06:00:00Z")]
    // 6 o'clock in Kolkata is half past midnight, UTC.
    [InlineData("Asia/Kolkata", "2026-01-10T00:30:00Z", "2026-01-10T00:30:00Z")]
    [InlineData("Asia/Kolkata", "2026-01-10T00:29:00Z", "2026-01-09T00:30:00Z")]
    // The night in which the clocks go forward.
    [InlineData("Europe/Berlin", "2026-03-29T04:00:00Z", "2026-03-29T04:00:00Z")]
    [InlineData("Europe/Berlin", "2026-03-29T03:59:00Z", "2026-03-28T05:00:00Z")]
    public void The_sweep_was_last_due_at_the_set_hour_of_the_business(string zone, string now, string due) =>
        Assert.Equal(DateTimeOffset.Parse(due), Functions.DailySweep.LastDue(DateTimeOffset.Parse(now), new RetentionSettings { Product = { TimeZone = zone } }));

    [Theory]
    [InlineData("2026-01-10T05:45:00Z", true)]
    [InlineData("2026-01-10T06:00:01Z", false)]
    // The app was down in the evening, or is new: done after midnight, before the next is due.
    [InlineData("2026-01-11T03:30:00Z", false)]
    public async Task A_sweep_that_was_done_since_it_was_due_is_not_done_again_however_late_it_was(string doneAt, bool again)
    {
        var tables = new FakeTables();
        await tables.UpsertAsync(Keys.LastSweep, new SweepResult { At = DateTimeOffset.Parse(doneAt), Customers = 1, Tiers = new Dictionary<HealthTier, int>(), Candidates = 0, Started = 0 });
        var started = new List<string?>();
        var client = new Mock<DurableTaskClient>("test");
        client.Setup(c => c.ScheduleNewOrchestrationInstanceAsync(It.IsAny<TaskName>(), It.IsAny<object?>(), It.IsAny<StartOrchestrationOptions?>(), It.IsAny<CancellationToken>()))
            .Callback((TaskName _, object? _, StartOrchestrationOptions? options, CancellationToken _) => started.Add(options?.InstanceId)).ReturnsAsync("id");
        var clock = new StandingClock(DateTimeOffset.Parse("2026-01-11T03:45:00Z"));
        var inbox = new Mock<IInbox>();
        var night = new Mock<INightlyJob>();
        night.Setup(job => job.Name).Returns("backup");
        var runner = new JobRunner(tables, inbox.Object, [night.Object], clock, NullLogger<JobRunner>.Instance);
        var timer = new Functions.DailySweep(tables, new Nightly(runner, [night.Object]), runner, new RetentionSettings(), clock);
        await timer.RunAsync(new TimerInfo(), client.Object, default);
        Assert.Equal(again ? ["sweep 2026-01-10T0600"] : [], started);
        // The night's other work waits for the sweep, and is begun once however often the timer fires.
        Assert.Equal(again ? null : "2026-01-10", (await runner.StateAsync("backup"))?.Occasion);
        await timer.RunAsync(new TimerInfo(), client.Object, default);
        inbox.Verify(i => i.EnqueueAsync(It.IsAny<IReadOnlyList<InboxMessage>>(), It.IsAny<CancellationToken>()), Times.Exactly(again ? 0 : 1));
    }

    [Fact]
    public async Task A_job_that_stands_still_goes_on_also_while_no_sweep_comes_to_its_end()
    {
        var clock = new StandingClock(DateTimeOffset.Parse("2026-01-11T07:00:00Z"));
        var queued = new List<string>();
        var inbox = new Mock<IInbox>();
        inbox.Setup(i => i.EnqueueAsync(It.IsAny<IReadOnlyList<InboxMessage>>(), It.IsAny<CancellationToken>()))
            .Callback((IReadOnlyList<InboxMessage> messages, CancellationToken _) => queued.AddRange(messages.Select(m => m.Session))).Returns(Task.CompletedTask);
        var import = new Mock<IJob>();
        import.Setup(job => job.Name).Returns("import");
        var (tables, client) = (new FakeTables(), new Mock<DurableTaskClient>("test"));
        var runner = new JobRunner(tables, inbox.Object, [import.Object], clock, NullLogger<JobRunner>.Instance);
        await runner.StartAsync("import", "a file");
        clock.Now += JobRunner.Stuck;
        await new Functions.DailySweep(tables, new Nightly(runner, [import.Object]), runner, new RetentionSettings(), clock).RunAsync(new TimerInfo(), client.Object, default);
        Assert.Equal(["job:import", "job:import"], queued);
        client.Verify(c => c.ScheduleNewOrchestrationInstanceAsync(It.IsAny<TaskName>(), It.IsAny<object?>(), It.IsAny<StartOrchestrationOptions?>(), It.IsAny<CancellationToken>()), Times.Once);
    }
}
