namespace RetentionFunctions.Jobs;

/// <summary>A job that is started once a day, after the sweep.</summary>
public interface INightlyJob : IJob;

/// <summary>A job that brings many customers, or much of their past, at once; or takes one away with all of theirs.</summary>
public interface IBulkJob : IJob;

/// <summary>A job that is also started whenever an <see cref="IBulkJob"/> is done. What that put into the inbox may still be waiting there.</summary>
public interface IAfterBulkJob : IJob
{
    private const string After = "after ";

    /// <summary>For what it is started then.</summary>
    public static string Occasion(JobState bulk) => string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{After}{bulk.Name} {bulk.Number} {bulk.StartedAt.UtcDateTime:O}");

    /// <summary>Whether it was started for this reason.</summary>
    public static bool IsAfterBulk(string occasion) => occasion.StartsWith(After, StringComparison.Ordinal);
}

/// <summary>A job that keeps something between its times, which must not be forgotten there.</summary>
public interface ITidyJob : IJob
{
    /// <summary>Removes what has been kept for too long. Asked at least once a day, mostly for nothing.</summary>
    Task TidyAsync(CancellationToken cancel);
}

/// <summary>Starts what is done every night. Called by both hosts when the day's sweep is done, and again by their timers: the same day starts each job once.</summary>
public sealed class Nightly(JobRunner runner, IEnumerable<IJob> jobs)
{
    /// <summary>Starts the jobs of a day that were not started yet, and queues again what stands still.</summary>
    /// <param name="on">The day of the sweep, in the business's time zone.</param>
    /// <param name="cancel">Gives up; the next call goes on.</param>
    public async Task StartAsync(DateOnly on, CancellationToken cancel = default)
    {
        foreach (var job in jobs.OfType<INightlyJob>()) await runner.StartAsync(job.Name, on, cancel);
        foreach (var job in jobs.OfType<ITidyJob>()) await job.TidyAsync(cancel);
        await runner.NudgeAsync(cancel);
    }
}
