using System.Globalization;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using RetentionFunctions.Intake;
using RetentionFunctions.Storage;
using RetentionFunctions.Telemetry;

namespace RetentionFunctions.Jobs;

/// <summary>
/// Starts jobs and does their steps, alike in both hosts: the state is a row, the next step a message of the inbox. The row is written first, then the message;
/// a crash between the two is repaired by the redelivery of the step before, or by <see cref="NudgeAsync"/>.
/// </summary>
public sealed partial class JobRunner(ITables tables, IInbox inbox, IEnumerable<IJob> jobs, TimeProvider clock, ILogger<JobRunner> log)
{
    /// <summary>A job whose last step is this old has lost its message, or is tried again after faults; nudging the second does no harm.</summary>
    public static readonly TimeSpan Stuck = TimeSpan.FromMinutes(30);

    private readonly Dictionary<string, IJob> byName = jobs.ToDictionary(j => j.Name, StringComparer.Ordinal);

    /// <summary>The names of all jobs, in the order in which they were registered.</summary>
    public IReadOnlyCollection<string> Names => byName.Keys;

    /// <summary>Where a job stands; null where it was never started.</summary>
    public async Task<JobState?> StateAsync(string name, CancellationToken cancel = default) => (await tables.GetAsync<JobState>(Keys.Job(name), cancel))?.Value;

    /// <summary>Starts a job. False where it is running, or was started for this occasion already.</summary>
    /// <param name="name">One of <see cref="Names"/>.</param>
    /// <param name="occasion">What for: the same again starts nothing.</param>
    /// <param name="cancel">Gives up.</param>
    /// <exception cref="ArgumentException">There is no such job.</exception>
    public Task<bool> StartAsync(string name, string occasion, CancellationToken cancel = default) => StartAsync(name, occasion, night: null, cancel);

    /// <summary>Starts a job for a night. False where it is running, or was started for this night already, also where it was started by hand since.</summary>
    /// <param name="name">One of <see cref="Names"/>.</param>
    /// <param name="night">The day of the sweep.</param>
    /// <param name="cancel">Gives up.</param>
    /// <exception cref="ArgumentException">There is no such job.</exception>
    public Task<bool> StartAsync(string name, DateOnly night, CancellationToken cancel = default) =>
        StartAsync(name, night.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture), night, cancel);

    private async Task<bool> StartAsync(string name, string occasion, DateOnly? night, CancellationToken cancel)
    {
        if (!byName.ContainsKey(name)) throw new ArgumentException($"There is no job '{name}'; there are: {string.Join(", ", Names)}.", nameof(name));
        var now = clock.GetUtcNow();
        var known = await tables.GetAsync<JobState>(Keys.Job(name), cancel);
        if (known is { Value: var before } && (before.IsRunning || before.Occasion == occasion || (night is not null && before.Night == night))) return false;
        var state = new JobState
        {
            Name = name, Number = (known?.Value.Number ?? 0) + 1, Occasion = occasion, Night = night ?? known?.Value.Night, StartedAt = now, MovedAt = now, DoneAt = known?.Value.DoneAt,
        };
        var kept = known is null ? await tables.TryInsertAsync(Keys.Job(name), state, cancel) : await tables.TryReplaceAsync(Keys.Job(name), state, known.ETag, cancel);
        // Somebody else started it at this moment.
        if (!kept) return false;
        Log.Started(log, name, occasion);
        await EnqueueAsync(state, replay: null, cancel);
        return true;
    }

    /// <summary>Does the step of a message of the inbox. A step that was done, or is of an earlier start, does nothing.</summary>
    /// <exception cref="UnreadableException">It is no message of a job, or of a job that this version does not have.</exception>
    public async Task HandleAsync(ReadOnlyMemory<byte> body, CancellationToken cancel = default)
    {
        var message = Read(body);
        if (!byName.TryGetValue(message.Job, out var job)) throw new UnreadableException($"There is no job '{message.Job}'.");
        if (await tables.GetAsync<JobState>(Keys.Job(message.Job), cancel) is not { } stored) return;
        var state = stored.Value;
        if (state.Number != message.Number) return;
        if (state.Steps == message.Step + 1)
        {
            // This very step was done; what follows it may not have been queued.
            await FollowAsync(job, state, cancel);
            return;
        }
        if (state.Steps != message.Step || !state.IsRunning) return;
        var after = await DoAsync(job, state, cancel);
        while (!await tables.TryReplaceAsync(Keys.Job(message.Job), after, stored.ETag, cancel))
        {
            // Somebody else did the same step at the same moment: both did the same. Or the job was only asked for once more.
            if (await tables.GetAsync<JobState>(Keys.Job(message.Job), cancel) is not { Value: { IsRunning: true } now } again || now.Number != state.Number || now.Steps != state.Steps) return;
            (stored, after) = (again, after with { Then = now.Then });
        }
        if (after.Failed is { } reason) Log.Failed(log, job.Name, reason);
        else if (!after.IsRunning) Log.Done(log, job.Name, after.Steps);
        if (!after.IsRunning) RetentionTelemetry.JobEnded(job.Name, after.Failed is null);
        await FollowAsync(job, after, cancel);
    }

    // What a step leads to: the next one, or the jobs after it. Done again after a crash: the occasion for which a job was started last does not start it once more.
    private async Task FollowAsync(IJob job, JobState after, CancellationToken cancel)
    {
        if (after.IsRunning)
        {
            await EnqueueAsync(after, replay: null, cancel);
            return;
        }
        if (after.Then is { } then) await StartAsync(job.Name, then, cancel);
        if (after.Failed is null && job is IBulkJob)
            foreach (var next in byName.Values.OfType<IAfterBulkJob>()) await StartOrAgainAsync(next.Name, IAfterBulkJob.Occasion(after), cancel);
    }

    // One that runs may have passed by already what is new or gone now: it is started once more when it is done.
    private async Task StartOrAgainAsync(string name, string occasion, CancellationToken cancel)
    {
        while (!await StartAsync(name, occasion, cancel))
        {
            var isAsked = false;
            await tables.ChangeAsync<JobState>(Keys.Job(name), known =>
            {
                isAsked = known is not null && (known.Occasion == occasion || known.Then == occasion || known.IsRunning);
                return known is { IsRunning: true } && known.Occasion != occasion && known.Then != occasion ? known with { Then = occasion } : null;
            }, cancel);
            // Not, where it was done at this very moment.
            if (isAsked) return;
        }
    }

    /// <summary>
    /// The step of a message failed as often as the queue tries. The job keeps where it stands and what was wrong, and <see cref="NudgeAsync"/> tries again: its message need not
    /// be kept as a dead letter.
    /// </summary>
    /// <returns>False where the message is of no job that goes on.</returns>
    public async Task<bool> GiveUpAsync(ReadOnlyMemory<byte> body, string lastError, CancellationToken cancel = default)
    {
        var message = Read(body);
        var state = await tables.ChangeAsync<JobState>(Keys.Job(message.Job),
            known => known is { IsRunning: true } && known.Number == message.Number && known.Steps == message.Step ? known with { Trouble = lastError } : null, cancel);
        if (state is not { IsRunning: true } || state.Number != message.Number || state.Steps != message.Step) return false;
        Log.Faltered(log, message.Job, lastError);
        RetentionTelemetry.JobEnded(message.Job, done: false);
        return true;
    }

    /// <summary>Queues the next step of every job that has stood still for <see cref="Stuck"/>. For a timer.</summary>
    public async Task NudgeAsync(CancellationToken cancel = default)
    {
        var now = clock.GetUtcNow();
        foreach (var name in Names)
            if (await StateAsync(name, cancel) is { IsRunning: true } state && now - state.MovedAt >= Stuck)
            {
                Log.Nudged(log, name, state.MovedAt);
                // A queue that remembers ids would drop the same id again: one nudge of an hour has one id.
                await EnqueueAsync(state, $"nudge {now.UtcDateTime.ToString("yyyy-MM-ddTHH", CultureInfo.InvariantCulture)}", cancel);
            }
    }

    private async Task<JobState> DoAsync(IJob job, JobState state, CancellationToken cancel)
    {
        try
        {
            var step = await job.StepAsync(state, cancel);
            var now = clock.GetUtcNow();
            var moved = state with { Steps = state.Steps + 1, Cursor = step.Cursor, Counts = step.Counts, Share = step.Share, MovedAt = now, Trouble = null };
            return step.Cursor is null ? moved with { EndedAt = now, DoneAt = now, Share = 1 } : moved;
        }
        catch (JobFailedException e)
        {
            var now = clock.GetUtcNow();
            return state with { MovedAt = now, EndedAt = now, Failed = e.Message, Trouble = null };
        }
    }

    private Task EnqueueAsync(JobState state, string? replay, CancellationToken cancel)
    {
        var body = JsonSerializer.SerializeToUtf8Bytes(new JobMessage(state.Name, state.Number, state.Steps), TablesExtensions.Json);
        // With the time of the start: a queue remembers ids for days, and in a table that was lost, or put back, numbers begin anew.
        var id = string.Create(CultureInfo.InvariantCulture, $"job:{state.Name}:{state.Number}:{state.StartedAt.ToUnixTimeMilliseconds()}:{state.Steps}");
        return inbox.EnqueueAsync([new InboxMessage($"job:{state.Name}", id, MessageKind.Job, body, clock.GetUtcNow()) { Replay = replay }], cancel);
    }

    private static JobMessage Read(ReadOnlyMemory<byte> body)
    {
        try
        {
            return JsonSerializer.Deserialize<JobMessage>(body.Span, TablesExtensions.Json) is { Job: not null } message ? message : throw new UnreadableException("The message names no job.");
        }
        catch (JsonException e)
        {
            throw new UnreadableException($"The message of a job is no JSON: {e.Message}", e);
        }
    }

    private sealed record JobMessage(string Job, long Number, long Step);

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Information, Message = "Job {Name} started for {Occasion}")]
        public static partial void Started(ILogger log, string name, string occasion);

        [LoggerMessage(Level = LogLevel.Information, Message = "Job {Name} is done, in {Steps} steps")]
        public static partial void Done(ILogger log, string name, long steps);

        [LoggerMessage(Level = LogLevel.Error, Message = "Job {Name} cannot go on: {Reason}")]
        public static partial void Failed(ILogger log, string name, string reason);

        [LoggerMessage(Level = LogLevel.Error, Message = "A step of the job {Name} failed too often and is tried again later: {Reason}")]
        public static partial void Faltered(ILogger log, string name, string reason);

        [LoggerMessage(Level = LogLevel.Warning, Message = "Job {Name} has not moved since {MovedAt} and is nudged")]
        public static partial void Nudged(ILogger log, string name, DateTimeOffset movedAt);
    }
}
