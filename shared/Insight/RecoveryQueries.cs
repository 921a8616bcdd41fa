using RetentionFunctions.Settings;

namespace RetentionFunctions.Insight;

/// <summary>The recovery of failed payments as it was last counted.</summary>
/// <param name="Reports">Each currency by itself.</param>
/// <param name="OpenDays">For how many days after the first failure an invoice is still open.</param>
/// <param name="AsOf">The moment of the count; null where none was done yet.</param>
/// <param name="IsCounting">It is being counted anew at this moment.</param>
public sealed record CountedRecovery(IReadOnlyList<RecoveryReport> Reports, int OpenDays, DateTimeOffset? AsOf, bool IsCounting);

/// <summary>Reads what became of failed payments: one range of at most 256 rows, for any number of customers.</summary>
public sealed class RecoveryQueries(SummaryQueries summaries, RetentionSettings settings)
{
    /// <summary>What is asked for.</summary>
    public async Task<CountedRecovery> ReadAsync(RecoveryRequest request, CancellationToken cancel = default)
    {
        var summed = await summaries.ReadAsync<StoredRecovery>(RecoverySummary.SummaryName, cancel);
        var openDays = RecoveryFacts.OpenDays(settings);
        // Rows of a count that was never finished are of moments of their own.
        var reports = summed.AsOf is { } asOf ? RecoveryReport.Of(summed.Buckets.SelectMany(b => b.Cells()), request, openDays, asOf) : [];
        return new CountedRecovery(reports, openDays, summed.AsOf, summed.IsCounting);
    }
}
