using System.Globalization;
using Microsoft.Azure.Functions.Worker;
using Microsoft.DurableTask.Client;
using RetentionFunctions.Health;
using RetentionFunctions.Jobs;
using RetentionFunctions.Settings;
using RetentionFunctions.Storage;

namespace RetentionFunctions.Functions;

/// <summary>
/// Starts the sweep of the day. The set hour is one of the business's time zone, which no timer's expression knows, and offsets come in quarters of an hour: so it
/// asks every quarter whether the sweep of the last due time has been done, and when it has, starts the night's other work. A timer that fires twice, late, or not at all for some hours changes nothing.
/// </summary>
public sealed class DailySweep(ITables tables, Nightly nightly, JobRunner jobs, RetentionSettings settings, TimeProvider clock)
{
    [Function(nameof(DailySweep))]
    public async Task RunAsync([TimerTrigger("0 */15 * * * *")] TimerInfo timer, [DurableClient] DurableTaskClient client, CancellationToken cancel)
    {
        var due = LastDue(clock.GetUtcNow(), settings);
        if (await IsDoneAsync(due, cancel))
        {
            await nightly.StartAsync(DayOf(due), cancel);
            return;
        }
        // A job that stands still does not wait for a sweep that does not come to its end.
        await jobs.NudgeAsync(cancel);
        await Sweep.StartAsync(client, InstanceOf(due), cancel);
    }

    /// <summary>When the sweep was last due at or before a moment.</summary>
    internal static DateTimeOffset LastDue(DateTimeOffset now, RetentionSettings settings)
    {
        // Two days back there is at least one, also where the clocks change.
        var due = Health.DailySweep.NextDue(now.AddDays(-2), settings);
        for (var next = due; next <= now; next = Health.DailySweep.NextDue(next, settings)) due = next;
        return due;
    }

    internal static string InstanceOf(DateTimeOffset due) => $"sweep {due.UtcDateTime.ToString("yyyy-MM-ddTHHmm", CultureInfo.InvariantCulture)}";

    private DateOnly DayOf(DateTimeOffset due) => Health.DailySweep.Day(due, settings);

    // The result is written at the end; one from before the due time was made by hand. Not the row of the day: after midnight a late sweep is one of the next day.
    private async Task<bool> IsDoneAsync(DateTimeOffset due, CancellationToken cancel) =>
        await tables.GetAsync<SweepResult>(Keys.LastSweep, cancel) is { Value: var result } && result.At >= due;
}
