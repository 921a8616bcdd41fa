using RetentionFunctions.Flows;
using RetentionFunctions.Health;
using RetentionFunctions.Intake;
using RetentionFunctions.Jobs;
using RetentionFunctions.Links;
using RetentionFunctions.Storage;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.Tests.Faults;

// As every host does it: sessions and runs at the same time, what fails is tried again after a pause that doubles, and after ten times it is a dead letter.
internal sealed partial class FlowBench
{
    private readonly Dictionary<string, (int Attempts, DateTimeOffset NotBefore)> tried = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int> failed = new(StringComparer.Ordinal);
    private readonly HashSet<string> underWay = new(StringComparer.Ordinal);
    private DateTimeOffset nextSweep;

    /// <summary>Everything that waits is done at the same time, and faults may stay as long as they like.</summary>
    public bool Together { get; init; }

    /// <summary>Whom the daily sweep looks at; nobody: there is none.</summary>
    public string[] Swept { get; set; } = [];

    /// <summary>Nothing waits to be handled.</summary>
    public bool IsIdle => queue.Take() is null;

    /// <summary>Moves the clock, stopping at everything that falls due on the way, tries and sweeps too.</summary>
    public async Task LiveAsync(DateTimeOffset to)
    {
        while (true)
        {
            await SettleTogetherAsync();
            DateTimeOffset?[] times = [engine.Next, .. queue.Heads().Where(m => tried.ContainsKey(m.Id)).Select(m => (DateTimeOffset?)tried[m.Id].NotBefore), Swept.Length > 0 ? nextSweep : null];
            if (times.Min() is not { } next || next > to) break;
            Clock.Now = next > Now ? next : Now.AddSeconds(1);
        }
        if (to > Now) Clock.Now = to;
        await SettleTogetherAsync();
    }

    private async Task SettleTogetherAsync()
    {
        for (var round = 0; round < 100_000; round++)
        {
            var work = queue.Heads().Where(m => (!tried.TryGetValue(m.Id, out var t) || t.NotBefore <= Now) && underWay.Add(m.Id)).Select(TryAsync).ToList();
            if (work.Count == 0) work = [.. engine.AllDue().Where(d => underWay.Add(d.Id)).Select(d => LookAsync(d.Id, d.Version))];
            if (work.Count == 0 && Swept.Length > 0 && nextSweep <= Now && underWay.Add("the sweep")) work = [SweepOnceAsync()];
            if (work.Count == 0) return;
            await Task.WhenAll(work);
        }
        throw new InvalidOperationException("The story does not settle.");
    }

    private async Task TryAsync(InboxMessage message)
    {
        var attempts = tried.GetValueOrDefault(message.Id).Attempts + 1;
        var done = await OnceAsync(() => Room<InboxProcessor>().HandleAsync(message, attempts));
        if (done is false && attempts >= InboxProcessor.MaxAttempts) done = await OnceAsync(() => Room<InboxProcessor>().GiveUpAsync(message, attempts, "A planned fault."));
        if (done is true)
        {
            queue.Complete(message);
            tried.Remove(message.Id);
            Handled.Add(message);
        }
        // A host that dies has not counted the attempt.
        else if (done is false)
        {
            tried[message.Id] = (attempts, Now + Pause(attempts));
        }
        underWay.Remove(message.Id);
    }

    private async Task LookAsync(string id, int version)
    {
        DateTimeOffset? next = null;
        var done = await OnceAsync(async () => next = await Room<FlowAdvance>().AdvanceAsync(RunId.Parse(id)));
        if (done is true) failed.Remove(id);
        else next = Now + Pause(failed[id] = failed.GetValueOrDefault(id) + 1);
        engine.Settle(id, version, next);
        underWay.Remove(id);
    }

    private async Task SweepOnceAsync()
    {
        var done = await OnceAsync(async () =>
        {
            await SweepNowAsync(Swept);
            await Room<Nightly>().StartAsync(DailySweep.Day(Now, Settings));
        });
        if (done is true) failed.Remove("the sweep");
        nextSweep = done is true ? DailySweep.NextDue(Now, Settings) : Now + Pause(failed["the sweep"] = failed.GetValueOrDefault("the sweep") + 1);
        underWay.Remove("the sweep");
    }

    // True: done. False: it failed. Null: the host died meanwhile.
    private async Task<bool?> OnceAsync(Func<Task> work)
    {
        var mine = plan;
        try
        {
            await work();
            if (!mine.IsDead) return true;
        }
        catch (Exception) when (!mine.IsDead)
        {
            Redeliveries++;
            return false;
        }
        catch (Exception e) when (e is HostDiedException or TransientStorageException or TransientBillingException)
        {
            // Of a host that is dead by now.
        }
        Bury(mine);
        return null;
    }

    private static TimeSpan Pause(int attempts) => attempts < 3 ? TimeSpan.Zero : TimeSpan.FromSeconds(Math.Min(Math.Pow(2, attempts - 3), 3600));
}
