using DurableTask.Core.Exceptions;
using Microsoft.AspNetCore.Http;
using Microsoft.Azure.Functions.Worker;
using Microsoft.DurableTask;
using Microsoft.DurableTask.Client;
using RetentionFunctions.Health;
using RetentionFunctions.Storage;

namespace RetentionFunctions.Functions;

/// <summary>The sweep, fanned out: the value tiers from all customers, then all buckets in chunks at the same time, then what follows from all of them.</summary>
public static class Sweep
{
    // Buckets of one activity: 32 activities, each short enough to be done within its time even where a bucket is large.
    private const int Chunk = 8;

    private static readonly TaskOptions Again = new(new RetryPolicy(maxNumberOfAttempts: 4, firstRetryInterval: TimeSpan.FromSeconds(10), backoffCoefficient: 3));

    [Function(nameof(Sweep))]
    public static async Task<SweepResult> RunAsync([OrchestrationTrigger] TaskOrchestrationContext context)
    {
        var now = new DateTimeOffset(context.CurrentUtcDateTime, TimeSpan.Zero);
        var tiers = await context.CallActivityAsync<ValueTierThresholds>(nameof(SweepTiers), "", Again);
        var parts = await Task.WhenAll(Keys.AllBuckets.Chunk(Chunk).Select(buckets => context.CallActivityAsync<List<BucketResult>>(nameof(SweepBuckets), new SweepPart(buckets, tiers, now), Again)));
        return await context.CallActivityAsync<SweepResult>(nameof(SweepFinish), new SweepWhole([.. parts.SelectMany(part => part)], now), Again);
    }

    /// <summary>Starts it under an id; nothing where that one runs. One that failed is done again.</summary>
    public static async Task StartAsync(DurableTaskClient client, string id, CancellationToken cancel)
    {
        if (await client.GetInstanceAsync(id, cancel) is { } known)
        {
            if (!known.IsCompleted) return;
            await client.PurgeInstanceAsync(id, options: null, cancel);
        }
        try
        {
            await client.ScheduleNewOrchestrationInstanceAsync(nameof(Sweep), null, new StartOrchestrationOptions { InstanceId = id }.WithDedupeStatuses([.. StartOrchestrationOptionsExtensions.ValidDedupeStatuses]), cancel);
        }
        catch (OrchestrationAlreadyExistsException)
        {
            // Another timer was first.
        }
    }
}

/// <summary>Some buckets of a sweep.</summary>
/// <param name="Buckets">Their names.</param>
/// <param name="Tiers">The thresholds of the value tiers.</param>
/// <param name="Now">The moment of the whole sweep.</param>
public sealed record SweepPart(IReadOnlyList<string> Buckets, ValueTierThresholds Tiers, DateTimeOffset Now);

/// <summary>All buckets of a sweep.</summary>
/// <param name="Buckets">What was found in each.</param>
/// <param name="Now">The moment of the whole sweep.</param>
public sealed record SweepWhole(IReadOnlyList<BucketResult> Buckets, DateTimeOffset Now);

/// <summary>The thresholds of the value tiers.</summary>
public sealed class SweepTiers(Health.DailySweep sweep)
{
    [Function(nameof(SweepTiers))]
    public Task<ValueTierThresholds> RunAsync([ActivityTrigger] string nothing, CancellationToken cancel) => sweep.ValueTiersAsync(Keys.AllBuckets, cancel);
}

/// <summary>Some buckets, one after another.</summary>
public sealed class SweepBuckets(Health.DailySweep sweep, DurableClients durable)
{
    [Function(nameof(SweepBuckets))]
    public async Task<List<BucketResult>> RunAsync([ActivityTrigger] SweepPart part, [DurableClient] DurableTaskClient client, CancellationToken cancel)
    {
        durable.Use(client);
        var results = new List<BucketResult>();
        foreach (var bucket in part.Buckets) results.Add(await sweep.BucketAsync(bucket, part.Tiers, part.Now, cancel));
        return results;
    }
}

/// <summary>What follows from all buckets: win-back for the most valuable first.</summary>
public sealed class SweepFinish(Health.DailySweep sweep, DurableClients durable)
{
    [Function(nameof(SweepFinish))]
    public Task<SweepResult> RunAsync([ActivityTrigger] SweepWhole whole, [DurableClient] DurableTaskClient client, CancellationToken cancel)
    {
        durable.Use(client);
        return sweep.FinishAsync(whole.Buckets, whole.Now, cancel);
    }
}

/// <summary>The sweep that the founder asks for on a page, or by the API.</summary>
public sealed class SweepNow(DurableClients durable, TimeProvider clock)
{
    // Azure's front end gives up after 230 s.
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(200);

    /// <summary>Sweeps, or joins the one asked for in the same minute, and waits for the result.</summary>
    /// <exception cref="BadHttpRequestException">It takes longer than a request may: 504.</exception>
    public async Task<SweepResult> RunAsync(CancellationToken cancel)
    {
        var id = $"sweep by hand {clock.GetUtcNow().UtcDateTime:yyyy-MM-ddTHHmm}";
        if (await durable.Client.GetInstanceAsync(id, cancel) is null) await Sweep.StartAsync(durable.Client, id, cancel);
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        patience.CancelAfter(Longest);
        try
        {
            var done = await durable.Client.WaitForInstanceCompletionAsync(id, getInputsAndOutputs: true, patience.Token);
            return done.ReadOutputAs<SweepResult>() ?? throw new InvalidOperationException($"The sweep ended as {done.RuntimeStatus}: {done.FailureDetails?.ErrorMessage}");
        }
        catch (Exception) when (patience.IsCancellationRequested && !cancel.IsCancellationRequested)
        {
            throw new BadHttpRequestException("The sweep takes longer than a request may. It goes on; the overview shows its result.", StatusCodes.Status504GatewayTimeout);
        }
    }
}
