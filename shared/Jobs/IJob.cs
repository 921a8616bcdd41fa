using System.Text.Json.Nodes;

namespace RetentionFunctions.Jobs;

/// <summary>
/// A long piece of work, cut into steps that are each done within a minute: a page of a list, some buckets of the tables. A step is one message of the inbox,
/// so it is delivered at least once, tried again when it throws, and ends among the dead letters, from where it can be replayed, when it never succeeds.
/// </summary>
public interface IJob
{
    /// <summary>By which it is started and its state is kept. A stored format: lower-case letters.</summary>
    string Name { get; }

    /// <summary>
    /// Does the next step. It may be done again from the same state (a crash before the answer was kept), so what it writes must be the same then.
    /// </summary>
    /// <param name="state">Where the job stands: <see cref="JobState.Cursor"/> is what the step before answered, null at the first.</param>
    /// <param name="cancel">The host stops.</param>
    /// <exception cref="JobFailedException">The job cannot go on, and trying again would not help.</exception>
    Task<JobStep> StepAsync(JobState state, CancellationToken cancel);
}

/// <summary>What a step answered.</summary>
/// <param name="Cursor">Where the next step goes on; null: the job is done.</param>
/// <param name="Counts">What has been counted since the start of the job, by name, for its page; all of it, not only this step's.</param>
/// <param name="Share">How much is done, 0 to 1, where that is known.</param>
public sealed record JobStep(JsonNode? Cursor, IReadOnlyDictionary<string, long> Counts, double? Share = null)
{
    /// <summary>The job is done, and had nothing to do.</summary>
    public static JobStep NothingToDo { get; } = new(null, new Dictionary<string, long>());
}

/// <summary>A job ended without being done: what is wrong is wrong for good (a key that is not allowed to read, a backup that is not there).</summary>
public sealed class JobFailedException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>Where a job stands: one row by name, of the last time it was started.</summary>
public sealed record JobState
{
    /// <summary>Its name.</summary>
    public required string Name { get; init; }

    /// <summary>The how manieth time it was started, from 1: messages of an earlier time do nothing.</summary>
    public required long Number { get; init; }

    /// <summary>What it was started for: a day, or something the founder gave. The same occasion starts it once.</summary>
    public required string Occasion { get; init; }

    /// <summary>The night for which it was last started, this time or an earlier one; null where it never was.</summary>
    public DateOnly? Night { get; init; }

    /// <summary>When it was started, UTC.</summary>
    public required DateTimeOffset StartedAt { get; init; }

    /// <summary>Steps done.</summary>
    public long Steps { get; init; }

    /// <summary>What the last step answered; null before the first.</summary>
    public JsonNode? Cursor { get; init; }

    /// <summary>What has been counted, by name.</summary>
    public IReadOnlyDictionary<string, long> Counts { get; init; } = new Dictionary<string, long>();

    /// <summary>How much is done, 0 to 1, where that is known.</summary>
    public double? Share { get; init; }

    /// <summary>When the last step was done, UTC.</summary>
    public DateTimeOffset MovedAt { get; init; }

    /// <summary>When it was done or failed, UTC; null while it goes on.</summary>
    public DateTimeOffset? EndedAt { get; init; }

    /// <summary>Why it failed, in words; null where it did not.</summary>
    public string? Failed { get; init; }

    /// <summary>What was wrong when its step was given up for now; it is tried again within the hour. Null where the last step went well.</summary>
    public string? Trouble { get; init; }

    /// <summary>When it was last done to the end, UTC, this time or an earlier one.</summary>
    public DateTimeOffset? DoneAt { get; init; }

    /// <summary>For what it was asked once more while it ran: started for that when it is done. Null where it was not.</summary>
    public string? Then { get; init; }

    /// <summary>It goes on.</summary>
    public bool IsRunning => EndedAt is null;
}
