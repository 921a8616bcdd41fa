using RetentionFunctions.History;
using RetentionFunctions.Import;
using RetentionFunctions.Jobs;
using RetentionFunctions.Storage;

namespace RetentionFunctions.Insight;

/// <summary>
/// When customers who were there before were last brought in. A sweep counts those it knows; so two sweeps on either side of an import, or of a reading of Stripe's history, are of different customers, and what lies between
/// them is no growth. Months come from the ledger, which has each movement on its own day: they need nothing of this.
/// </summary>
public static class BroughtIn
{
    /// <summary>The last step of the last import or reading of Stripe's history, also of one that goes on or failed; null where there was none.</summary>
    /// <param name="tables">The rows.</param>
    /// <param name="cancel">Gives up.</param>
    public static async Task<DateTimeOffset?> AtAsync(ITables tables, CancellationToken cancel = default)
    {
        var (import, history) = (tables.GetAsync<JobState>(Keys.Job(ImportJob.JobName), cancel), tables.GetAsync<JobState>(Keys.Job(Backfill.JobName), cancel));
        await Task.WhenAll(import, history);
        return new[] { (await import)?.Value, (await history)?.Value }.Where(job => job is { Steps: > 0 }).Max(job => (DateTimeOffset?)job!.MovedAt);
    }
}
