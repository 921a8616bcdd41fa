using System.Globalization;
using RetentionFunctions.Jobs;
using RetentionFunctions.Storage;

namespace RetentionFunctions.Insight;

/// <summary>A summary as it was last counted.</summary>
/// <param name="Buckets">What was counted in each bucket in which there is something: to be added up.</param>
/// <param name="AsOf">The moment of the count, UTC; null where none was done to its end yet.</param>
/// <param name="IsCounting">It is being counted anew at this moment: some buckets may be newer.</param>
public sealed record Summed<T>(IReadOnlyList<T> Buckets, DateTimeOffset? AsOf, bool IsCounting);

/// <summary>Reads summaries, and has them counted anew.</summary>
public sealed class SummaryQueries(ITables tables, JobRunner jobs, TimeProvider clock)
{
    /// <summary>One summary: one range of at most 256 rows.</summary>
    /// <param name="name">Its <see cref="ISummary.Name"/>.</param>
    /// <param name="cancel">Gives up.</param>
    public async Task<Summed<T>> ReadAsync<T>(string name, CancellationToken cancel = default)
    {
        var counted = (await tables.GetAsync<SummariesCounted>(Keys.SummariesCounted, cancel))?.Value;
        var running = await jobs.StateAsync(SummaryJob.JobName, cancel) is { IsRunning: true };
        return new Summed<T>(await tables.ListAsync<T>(Keys.SummaryOfBuckets(name), cancel), counted is not null && counted.Names.Contains(name) ? counted.AsOf : null, running);
    }

    /// <summary>Counts all of them anew; false where that is being done.</summary>
    public async Task<bool> CountAsync(CancellationToken cancel = default)
    {
        // By number too: a simulated clock stands.
        var number = await jobs.StateAsync(SummaryJob.JobName, cancel) is { } last ? last.Number + 1 : 1;
        return await jobs.StartAsync(SummaryJob.JobName, string.Create(CultureInfo.InvariantCulture, $"by hand {number} {clock.GetUtcNow().UtcDateTime:O}"), cancel);
    }
}
