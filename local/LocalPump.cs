using RetentionFunctions.Health;
using RetentionFunctions.Intake;
using RetentionFunctions.Jobs;
using RetentionFunctions.Local.Sqlite;
using RetentionFunctions.Storage;

namespace RetentionFunctions.Local;

/// <summary>
/// The one loop of the local host: handles what is queued (<see cref="InboxDrain"/>) and does what is due (<see cref="DueWork"/>), until there is neither, and waits for more. One at a time: whoever asks
/// for something else meanwhile waits for their turn. On the simulated clock <see cref="AdvanceAsync"/> walks from one due time to the next.
/// </summary>
public sealed partial class LocalPump(
    SqliteInbox inbox, SqliteDueTable due, InboxDrain drain, DueWork work, LocalSweep sweep, IntakeCounters counters, JobRunner jobs, ITables tables, LocalClock clock, ILogger<LocalPump> log) : BackgroundService
{
    private readonly SemaphoreSlim working = new(1, 1);
    private DateTimeOffset nudged;

    /// <summary>Handles all that is queued or due at this moment.</summary>
    public Task SettleAsync(CancellationToken cancel = default) => AloneAsync(() => SettleNowAsync(cancel), cancel);

    /// <summary>Handles all that is queued, and nothing that is due: without a server, e-mails would have no address to link to.</summary>
    public Task HandleQueuedAsync(CancellationToken cancel = default) => AloneAsync(() => drain.RunAsync(cancel), cancel);

    /// <summary>Sweeps now, whatever the hour.</summary>
    public Task<SweepResult> SweepAsync(CancellationToken cancel = default) => AloneAsync(async () =>
    {
        await SettleNowAsync(cancel);
        var result = await sweep.RunAsync(cancel);
        await SettleNowAsync(cancel);
        return result;
    }, cancel);

    /// <summary>Moves the simulated clock, stopping at everything that falls due on the way; answers when all is settled.</summary>
    public Task AdvanceAsync(DateTimeOffset to, CancellationToken cancel = default) => AloneAsync(async () =>
    {
        await SettleNowAsync(cancel);
        while (await NextAsync(cancel) is { } at && at <= to)
        {
            // What is still due in the past failed and waits for its next try: never stand still.
            await MoveToAsync(at > clock.GetUtcNow() ? at : clock.GetUtcNow().AddSeconds(1), cancel);
            await SettleNowAsync(cancel);
        }
        await MoveToAsync(to, cancel);
        return await SettleNowAsync(cancel);
    }, cancel);

    /// <summary>Takes a folder to which nothing has happened yet from the real clock to a simulated one, also one in the past.</summary>
    /// <param name="at">Where the simulated clock stands from then on.</param>
    /// <param name="isEmpty">Asked when all that came in is handled and nothing else is.</param>
    /// <param name="cancel">Gives up.</param>
    /// <returns>False where the folder is not empty; nothing is changed then.</returns>
    internal Task<bool> SimulateFromAsync(DateTimeOffset at, Func<Task<bool>> isEmpty, CancellationToken cancel = default) => AloneAsync(async () =>
    {
        await SettleNowAsync(cancel);
        if (!await isEmpty()) return false;
        await ClockRow.KeepAsync(tables, at, cancel);
        clock.SimulateFrom(at);
        // The sweep had its hour on the real clock, which the simulated one would not reach for long.
        await work.KeepSweepAsync(at, cancel);
        return true;
    }, cancel);

    /// <summary>Handles nothing until the caller disposes of the answer: what comes in meanwhile is then handled together, in few large commits.</summary>
    public async Task<IDisposable> HoldAsync(CancellationToken cancel = default)
    {
        await working.WaitAsync(cancel);
        return new Held(working);
    }

    /// <summary>Before the first request is served: the sweep has its hour, so that a clock that is moved at once meets it.</summary>
    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        // At the latest then: a folder that was only looked at on the real clock has an hour that a simulated clock would not reach.
        await work.KeepSweepAsync(clock.GetUtcNow(), cancellationToken);
        await base.StartAsync(cancellationToken);
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        Task arrived = inbox.Arrived.WaitAsync(stoppingToken), changed = due.Changed.WaitAsync(stoppingToken);
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await SettleAsync(stoppingToken);
                await counters.FlushAsync(stoppingToken);
                // Now and then what stands still; on a simulated clock every night does.
                if (!clock.IsSimulated && clock.GetUtcNow() - nudged >= JobRunner.Stuck)
                {
                    nudged = clock.GetUtcNow();
                    await jobs.NudgeAsync(stoppingToken);
                }
                using (var waited = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken))
                {
                    await Task.WhenAny(arrived, changed, Task.Delay(await UntilNextAsync(stoppingToken), TimeProvider.System, waited.Token));
                    // A wait that was overtaken would stay until its hour is over, one for each time something came in.
                    await waited.CancelAsync();
                }
                if (arrived.IsCompleted) arrived = inbox.Arrived.WaitAsync(stoppingToken);
                if (changed.IsCompleted) changed = due.Changed.WaitAsync(stoppingToken);
            }
            catch (TransientStorageException e)
            {
                // The disk is full or busy: nothing is lost, the same work is found again.
                Log.Faltered(log, e.Message);
                await Task.Delay(TimeSpan.FromSeconds(1), TimeProvider.System, stoppingToken);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
        }
    }

    private async Task<T> AloneAsync<T>(Func<Task<T>> what, CancellationToken cancel)
    {
        using (await HoldAsync(cancel)) return await what();
    }

    // True where there was anything.
    private async Task<bool> SettleNowAsync(CancellationToken cancel)
    {
        for (var any = false; ; any = true)
        {
            var handled = await drain.RunAsync(cancel);
            if (!await work.RunAsync(cancel) && !handled) return any;
        }
    }

    // Kept before anything happens at that time: after a crash the clock must not stand before what is already stored.
    private async Task MoveToAsync(DateTimeOffset at, CancellationToken cancel)
    {
        if (at > clock.GetUtcNow()) await ClockRow.KeepAsync(tables, at, cancel);
        clock.MoveTo(at);
    }

    private async Task<DateTimeOffset?> NextAsync(CancellationToken cancel) => (await due.NextDueAsync(cancel), await inbox.NextDelayedAsync(cancel)) switch
    {
        ({ } run, { } message) => run < message ? run : message,
        var (run, message) => run ?? message,
    };

    private async Task<TimeSpan> UntilNextAsync(CancellationToken cancel)
    {
        // A simulated clock stands: only arrivals and wake-ups count.
        if (clock.IsSimulated) return Timeout.InfiniteTimeSpan;
        if (await NextAsync(cancel) is not { } at) return TimeSpan.FromHours(1);
        var wait = at - clock.GetUtcNow();
        return wait <= TimeSpan.Zero ? TimeSpan.FromMilliseconds(50) : wait < TimeSpan.FromHours(1) ? wait : TimeSpan.FromHours(1);
    }

    private sealed class Held(SemaphoreSlim working) : IDisposable
    {
        private int released;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref released, 1) == 0) working.Release();
        }
    }

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Error, Message = "The data folder faltered: {Reason}")]
        public static partial void Faltered(ILogger log, string reason);
    }
}
