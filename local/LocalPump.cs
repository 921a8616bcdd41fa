using System.Collections.Concurrent;
using System.Diagnostics;
using RetentionFunctions.Flows;
using RetentionFunctions.Health;
using RetentionFunctions.Intake;
using RetentionFunctions.Jobs;
using RetentionFunctions.Local.Demo;
using RetentionFunctions.Local.Sandbox;
using RetentionFunctions.Local.Sqlite;
using RetentionFunctions.Settings;
using RetentionFunctions.Storage;

namespace RetentionFunctions.Local;

/// <summary>
/// Does what the queue trigger, the orchestrator and the timer do on Azure: handles what is queued, advances the runs that are due, sweeps once a day.
/// On the simulated clock <see cref="AdvanceAsync"/> walks from one due time to the next.
/// </summary>
public sealed partial class LocalPump(
    SqliteInbox inbox, SqliteDueTable due, InboxProcessor processor, FlowAdvance flows, DailySweep sweep, SandboxCopies sandbox, IntakeCounters counters, Nightly nightly, JobRunner jobs, DemoProgress demo,
    ITables tables, SqliteTables stored, IntakeEndpoints doors, LocalClock clock, RetentionSettings settings, ILogger<LocalPump> log) : BackgroundService
{
    private const string SweepId = "daily-sweep";

    // Sessions at the same time: enough that their commits share the disk's one sync. Measured on 2 cores: 64 of them 6,900 events a second, 128: 7,600, 256: 7,700.
    private const int Sessions = 256;
    private const int Batch = 512;

    // Buckets swept at the same time: while one waits for its commit the others score. Each is in memory meanwhile.
    private const int BucketsAtOnce = 3;
    private const int Runs = 16;

    // While more comes in than is handled: few at a time, and of the time at least a tenth.
    private const int BatchInBurst = 64;
    private const double MostRest = 9;

    private readonly SemaphoreSlim working = new(1, 1);
    private DateTimeOffset nudged;
    private long seen;
    private double rest;
    private readonly Dictionary<string, int> failures = new(StringComparer.Ordinal);

    /// <summary>Handles all that is queued or due at this moment.</summary>
    public Task SettleAsync(CancellationToken cancel = default) => AloneAsync(SettleNowAsync, cancel);

    /// <summary>Handles all that is queued, and nothing that is due: without a server, e-mails would have no address to link to.</summary>
    public Task HandleQueuedAsync(CancellationToken cancel = default) => AloneAsync(DrainInboxAsync, cancel);

    private async Task AloneAsync(Func<CancellationToken, Task> work, CancellationToken cancel)
    {
        await working.WaitAsync(cancel);
        try
        {
            await work(cancel);
        }
        finally
        {
            working.Release();
        }
    }

    /// <summary>Moves the simulated clock, stopping at everything that falls due on the way; answers when all is settled.</summary>
    public async Task AdvanceAsync(DateTimeOffset to, CancellationToken cancel = default)
    {
        await working.WaitAsync(cancel);
        try
        {
            while (true)
            {
                await SettleNowAsync(cancel);
                var next = Earlier(await due.NextDueAsync(cancel), await inbox.NextDelayedAsync(cancel));
                if (next is not { } at || at > to) break;
                // What is still due in the past failed and waits for its next try: never stand still.
                await MoveToAsync(at > clock.GetUtcNow() ? at : clock.GetUtcNow().AddSeconds(1), cancel);
            }
            await MoveToAsync(to, cancel);
            await SettleNowAsync(cancel);
        }
        finally
        {
            working.Release();
        }
    }

    /// <summary>Handles nothing until the caller disposes of the answer: what comes in meanwhile is then handled together, in few large commits.</summary>
    public async Task<IDisposable> HoldAsync(CancellationToken cancel = default)
    {
        await working.WaitAsync(cancel);
        return new Held(working);
    }

    private sealed class Held(SemaphoreSlim working) : IDisposable
    {
        private int released;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref released, 1) == 0) working.Release();
        }
    }

    /// <summary>Takes a folder to which nothing has happened yet from the real clock to a simulated one, also one in the past.</summary>
    /// <param name="at">Where the simulated clock stands from then on.</param>
    /// <param name="isEmpty">Asked when all that came in is handled and nothing else is.</param>
    /// <returns>False where the folder is not empty; nothing is changed then.</returns>
    internal async Task<bool> SimulateFromAsync(DateTimeOffset at, Func<Task<bool>> isEmpty, CancellationToken cancel = default)
    {
        await working.WaitAsync(cancel);
        try
        {
            await SettleNowAsync(cancel);
            if (!await isEmpty()) return false;
            await tables.UpsertAsync(Keys.Account("clock"), new ClockRow(at), cancel);
            clock.SimulateFrom(at);
            // The sweep had its hour on the real clock, which the simulated one would not reach for long.
            await due.WakeAsync(SweepId, DailySweep.NextDue(at, settings), cancel);
            return true;
        }
        finally
        {
            working.Release();
        }
    }

    /// <summary>Sweeps now, whatever the hour.</summary>
    public async Task<SweepResult> SweepAsync(CancellationToken cancel = default)
    {
        await working.WaitAsync(cancel);
        try
        {
            await SettleNowAsync(cancel);
            var result = await SweepBucketsAsync(cancel);
            await SettleNowAsync(cancel);
            return result;
        }
        finally
        {
            working.Release();
        }
    }

    /// <summary>Before the first request is served: the sweep has its hour, so that a clock that is moved at once meets it.</summary>
    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        // At the latest then: a folder that was only looked at on the real clock has an hour that a simulated clock would not reach.
        await due.WakeAsync(SweepId, DailySweep.NextDue(clock.GetUtcNow(), settings), cancellationToken);
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

    // Kept before anything happens at that time: after a crash the clock must not stand before what is already stored.
    private async Task MoveToAsync(DateTimeOffset at, CancellationToken cancel)
    {
        if (at > clock.GetUtcNow()) await tables.UpsertAsync(Keys.Account("clock"), new ClockRow(at), cancel);
        clock.MoveTo(at);
    }

    private async Task<TimeSpan> UntilNextAsync(CancellationToken cancel)
    {
        // A simulated clock stands: only arrivals and wake-ups count.
        if (clock.IsSimulated) return Timeout.InfiniteTimeSpan;
        var next = Earlier(await due.NextDueAsync(cancel), await inbox.NextDelayedAsync(cancel));
        if (next is not { } at) return TimeSpan.FromHours(1);
        var wait = at - clock.GetUtcNow();
        return wait <= TimeSpan.Zero ? TimeSpan.FromMilliseconds(50) : wait < TimeSpan.FromHours(1) ? wait : TimeSpan.FromHours(1);
    }

    private async Task SettleNowAsync(CancellationToken cancel)
    {
        while (true)
        {
            var handled = await DrainInboxAsync(cancel);
            if (!await RunDueAsync(cancel) && !handled) return;
        }
    }

    private async Task<bool> DrainInboxAsync(CancellationToken cancel)
    {
        var any = false;
        // What one round has handled is removed while the next is handled, so that both share commits and neither waits for the other.
        Task? removing = null;
        try
        {
            while (true)
            {
                var heads = await inbox.NextAsync(clock.GetUtcNow(), rest > 0 ? BatchInBurst : Batch, cancel);
                if (heads.Count == 0 && removing is null) return any;
                any = true;
                var began = Stopwatch.GetTimestamp();
                var handled = await HandleAsync(heads, cancel);
                var before = removing;
                removing = handled.Count == 0 ? null : RemoveAsync(handled, cancel);
                if (before is not null) await before;
                if (heads.Count > 0) await GiveWayAsync(heads.Count, Stopwatch.GetElapsedTime(began), cancel);
            }
        }
        finally
        {
            // Left by an exception of its own: only when nothing is under way any more may others take what is queued.
            if (removing is not null) await removing.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    // Several sessions at a time; which of the messages are done.
    private async Task<IReadOnlyCollection<long>> HandleAsync(IReadOnlyList<QueuedMessage> heads, CancellationToken cancel)
    {
        var (handled, settled) = (new ConcurrentQueue<long>(), new ConcurrentDictionary<long, bool>());
        try
        {
            await Parallel.ForEachAsync(heads, new ParallelOptions { MaxDegreeOfParallelism = Sessions, CancellationToken = cancel }, async (queued, token) =>
            {
                if (await HandleAsync(queued, token)) handled.Enqueue(queued.Seq);
                settled[queued.Seq] = true;
            });
            return handled;
        }
        catch
        {
            foreach (var seq in handled) inbox.Release(seq);
            throw;
        }
        finally
        {
            // Those that were neither handled nor delayed, because the loop stops or the data folder falters, also those whose turn never came:
            // what stays taken would hold back its session until the next start.
            foreach (var queued in heads)
                if (!settled.ContainsKey(queued.Seq)) inbox.Release(queued.Seq);
        }
    }

    private async Task RemoveAsync(IReadOnlyCollection<long> handled, CancellationToken cancel)
    {
        try
        {
            // Together: whoever crashes before this handles some again, which changes nothing.
            await inbox.CompleteAsync(handled, cancel);
        }
        catch
        {
            foreach (var seq in handled) inbox.Release(seq);
            throw;
        }
    }

    /// <summary>
    /// Senders wait for their answer and the queue waits for nobody: while more comes in than is handled, the machine is left to the doors for a time that grows with
    /// the excess. Without this a burst is acknowledged no faster than it is handled.
    /// </summary>
    private async Task GiveWayAsync(int handled, TimeSpan took, CancellationToken cancel)
    {
        // There a demo or a test waits for the pump itself, and nobody's webhooks do.
        if (clock.IsSimulated) return;
        var accepted = doors.Accepted;
        rest = Rest(accepted - seen, handled);
        seen = accepted;
        if (rest > 0) await Task.Delay(took * rest, cancel);
    }

    /// <summary>How many times as long as it worked the pump leaves the machine to the doors: not at all while it keeps up.</summary>
    internal static double Rest(long cameIn, int handled) => Math.Clamp((double)cameIn / handled - 1, 0, MostRest);

    // True where it is done; otherwise it has its next time.
    private async Task<bool> HandleAsync(QueuedMessage queued, CancellationToken cancel)
    {
        try
        {
            if (queued.Message.Kind == MessageKind.StripeEvent) await sandbox.ObserveAsync(queued.Message, cancel);
            await processor.HandleAsync(queued.Message, queued.Attempts + 1, cancel);
            return true;
        }
        catch (Exception e) when (!cancel.IsCancellationRequested)
        {
            var attempts = queued.Attempts + 1;
            Log.Failed(log, e, InboxProcessor.Named(queued.Message), attempts);
            if (attempts >= InboxProcessor.MaxAttempts && await TryGiveUpAsync(queued.Message, attempts, e.Message, cancel)) return true;
            await inbox.RetryLaterAsync(queued.Seq, attempts, clock.GetUtcNow() + Backoff(attempts), cancel);
            return false;
        }
    }

    private async Task<bool> TryGiveUpAsync(InboxMessage message, int attempts, string lastError, CancellationToken cancel)
    {
        try
        {
            await processor.GiveUpAsync(message, attempts, lastError, cancel);
            return true;
        }
        catch (Exception e) when (!cancel.IsCancellationRequested)
        {
            // Neither handled nor kept as a dead letter: it stays in the queue, so that nothing is lost, and only its own session waits.
            Log.NotGivenUp(log, e, InboxProcessor.Named(message));
            return false;
        }
    }

    private async Task<bool> RunDueAsync(CancellationToken cancel)
    {
        var items = await due.TakeDueAsync(clock.GetUtcNow(), Batch, cancel);
        // The sweep alone: it starts runs and looks at every customer.
        if (items.FirstOrDefault(d => d.Id == SweepId) is { } daily) await RunAsync(daily, cancel);
        await Parallel.ForEachAsync(items.Where(d => d.Id != SweepId), new ParallelOptions { MaxDegreeOfParallelism = Runs, CancellationToken = cancel }, async (item, token) => await RunAsync(item, token));
        return items.Count > 0;
    }

    // As DailySweep.RunAsync, without the buckets in which there is nothing, and several at a time: their commits share the disk's one sync too.
    private async Task<SweepResult> SweepBucketsAsync(CancellationToken cancel)
    {
        var now = clock.GetUtcNow();
        var names = await stored.BucketsInUseAsync(cancel);
        var tiers = await sweep.ValueTiersAsync(names, cancel);
        var buckets = new BucketResult[names.Count];
        await Parallel.ForEachAsync(Enumerable.Range(0, buckets.Length), new ParallelOptions { MaxDegreeOfParallelism = BucketsAtOnce, CancellationToken = cancel },
            async (i, token) => buckets[i] = await sweep.BucketAsync(names[i], tiers, now, token));
        return await sweep.FinishAsync(buckets, now, cancel);
    }

    private async Task RunAsync(Due item, CancellationToken cancel)
    {
        DateTimeOffset? next;
        try
        {
            if (item.Id == SweepId)
            {
                var swept = await SweepBucketsAsync(cancel);
                // The year of the demo has no nights to back up: it can be played again.
                if (demo.NotReady is null) await nightly.StartAsync(DailySweep.Day(swept.At, settings), cancel);
                next = DailySweep.NextDue(clock.GetUtcNow(), settings);
            }
            else if (item.Id == SandboxPost.DueId)
            {
                next = await sandbox.RunDueAsync(cancel);
            }
            else
            {
                next = await flows.AdvanceAsync(RunId.Parse(item.Id), cancel);
            }
            lock (failures) failures.Remove(item.Id);
        }
        catch (Exception e) when (!cancel.IsCancellationRequested)
        {
            int count;
            lock (failures) failures[item.Id] = count = failures.GetValueOrDefault(item.Id) + 1;
            Log.RunFailed(log, e, Named(item.Id), count);
            next = clock.GetUtcNow() + Backoff(count);
        }
        await due.SettleAsync(item.Id, item.Version, next, cancel);
    }

    // A run by its flow alone: its id names the customer. The sweep and the sandbox's post are no runs.
    private static string Named(string id) => id is SweepId or SandboxPost.DueId ? id : RunId.Parse(id).Flow;

    // Two tries at once, for what a moment mends (a simulated clock has no other moment); then one second, doubling up to an hour.
    private static TimeSpan Backoff(int attempts) => attempts < 3 ? TimeSpan.Zero : TimeSpan.FromSeconds(Math.Min(Math.Pow(2, attempts - 3), 3600));

    private static DateTimeOffset? Earlier(DateTimeOffset? a, DateTimeOffset? b) => a is null ? b : b is null ? a : a < b ? a : b;

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Warning, Message = "Handling message {Id} failed, attempt {Attempt}; it is tried again")]
        public static partial void Failed(ILogger log, Exception e, string id, int attempt);

        [LoggerMessage(Level = LogLevel.Warning, Message = "Advancing a run of {Flow} failed, attempt {Attempt}; it is tried again")]
        public static partial void RunFailed(ILogger log, Exception e, string flow, int attempt);

        [LoggerMessage(Level = LogLevel.Error, Message = "Message {Id} could not be kept as a dead letter either; it stays in the queue and is tried again")]
        public static partial void NotGivenUp(ILogger log, Exception e, string id);

        [LoggerMessage(Level = LogLevel.Error, Message = "The data folder faltered: {Reason}")]
        public static partial void Faltered(ILogger log, string reason);
    }
}

/// <summary>Where the simulated clock of a data folder stands.</summary>
/// <param name="Now">The simulated time.</param>
public sealed record ClockRow(DateTimeOffset Now);
