using System.Collections.Concurrent;
using System.Diagnostics;
using RetentionFunctions.Intake;
using RetentionFunctions.Local.Sandbox;
using RetentionFunctions.Local.Sqlite;

namespace RetentionFunctions.Local;

/// <summary>
/// Handles what is queued, as the queue's trigger does on Azure: many sessions at a time, each in its order; what throws is tried again later, and at last kept as a dead letter. In a burst it gives way to the doors.
/// </summary>
public sealed partial class InboxDrain(SqliteInbox inbox, InboxProcessor processor, SandboxCopies sandbox, IntakeEndpoints doors, LocalClock clock, ILogger<InboxDrain> log)
{
    // Sessions at the same time: enough that their commits share the disk's one sync. Measured on 2 cores: 64 of them 6,900 events a second, 128: 7,600, 256: 7,700.
    private const int Sessions = 256;
    private const int Batch = 512;

    // While more comes in than is handled: few at a time, and of the time at least a tenth.
    private const int BatchInBurst = 64;
    private const double MostRest = 9;

    private long seen;
    private double rest;

    /// <summary>Handles all that is queued at this moment. For one caller at a time.</summary>
    /// <returns>Whether there was anything.</returns>
    public async Task<bool> RunAsync(CancellationToken cancel)
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

    /// <summary>How many times as long as it worked the pump leaves the machine to the doors: not at all while it keeps up.</summary>
    internal static double Rest(long cameIn, int handled) => Math.Clamp((double)cameIn / handled - 1, 0, MostRest);

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
            await inbox.RetryLaterAsync(queued.Seq, attempts, clock.GetUtcNow() + NextTry.After(attempts), cancel);
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

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Warning, Message = "Handling message {Id} failed, attempt {Attempt}; it is tried again")]
        public static partial void Failed(ILogger log, Exception e, string id, int attempt);

        [LoggerMessage(Level = LogLevel.Error, Message = "Message {Id} could not be kept as a dead letter either; it stays in the queue and is tried again")]
        public static partial void NotGivenUp(ILogger log, Exception e, string id);
    }
}
