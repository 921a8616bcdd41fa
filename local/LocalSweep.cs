using RetentionFunctions.Health;
using RetentionFunctions.Local.Sqlite;

namespace RetentionFunctions.Local;

/// <summary>The daily sweep on one machine: as <see cref="DailySweep.RunAsync"/>, without the buckets in which there is nothing, and several at a time, so that their commits share the disk's one sync.</summary>
public sealed class LocalSweep(DailySweep sweep, SqliteTables stored, LocalClock clock)
{
    // While one waits for its commit the others score. Each is in memory meanwhile.
    private const int BucketsAtOnce = 3;

    /// <summary>Sweeps now.</summary>
    public async Task<SweepResult> RunAsync(CancellationToken cancel)
    {
        var now = clock.GetUtcNow();
        var names = await stored.BucketsInUseAsync(cancel);
        var tiers = await sweep.ValueTiersAsync(names, cancel);
        var buckets = new BucketResult[names.Count];
        await Parallel.ForAsync(0, buckets.Length, new ParallelOptions { MaxDegreeOfParallelism = BucketsAtOnce, CancellationToken = cancel },
            async (i, token) => buckets[i] = await sweep.BucketAsync(names[i], tiers, now, token));
        return await sweep.FinishAsync(buckets, now, cancel);
    }
}
