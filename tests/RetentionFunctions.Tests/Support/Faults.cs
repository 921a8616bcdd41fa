using System.Runtime.CompilerServices;
using RetentionFunctions.Email;
using RetentionFunctions.Flows;
using RetentionFunctions.Intake;
using RetentionFunctions.Storage;

namespace RetentionFunctions.Tests.Support;

/// <summary>When a planned fault strikes.</summary>
public enum FaultMoment
{
    /// <summary>Nothing was done.</summary>
    Before,

    /// <summary>All was done, and the caller is told that it failed.</summary>
    After,
}

/// <summary>
/// Counts every call of every port that is wrapped with it and says what becomes of each. For "a fault at each call in turn": run the story once
/// with <see cref="None"/>, then again for each number up to its <see cref="Calls"/>, at both moments, and compare how it ends.
/// </summary>
public sealed class FaultPlan
{
    private readonly Lock _gate = new();
    private readonly List<string> _names = [];
    private readonly Func<int, (FaultMoment Moment, bool Kills)?> _strikes;
    private bool _kills;
    private string? _failed;

    private FaultPlan(Func<int, (FaultMoment Moment, bool Kills)?> strikes) => _strikes = strikes;

    /// <summary>Only counts.</summary>
    public static FaultPlan None() => new(_ => null);

    /// <summary>Lets call number <paramref name="call"/> (from 1) fail.</summary>
    public static FaultPlan At(int call, FaultMoment moment) => new(number => number == call ? (moment, false) : null);

    /// <summary>The host dies at call number <paramref name="call"/> (from 1): this call and every later one throws <see cref="HostDiedException"/>.</summary>
    public static FaultPlan CrashAt(int call, FaultMoment moment) => new(number => number == call ? (moment, true) : null);

    /// <summary>Every call fails with a probability, before or after it by the same dice; and with another, much smaller one, the host dies at it.</summary>
    public static FaultPlan ByDice(Random dice, double probability, double death = 0, Func<Task>? slowly = null) => new(_ =>
    {
        var moment = dice.Next(2) == 0 ? FaultMoment.Before : FaultMoment.After;
        var chance = dice.NextDouble();
        return chance < death ? (moment, true) : chance < death + probability ? (moment, false) : null;
    }) { Slowly = slowly };

    /// <summary>What every call waits for before it begins: others get their turn meanwhile.</summary>
    public Func<Task>? Slowly { get; init; }

    /// <summary>The host has died: nothing of it does anything any more.</summary>
    public bool IsDead { get; private set; }

    /// <summary>How many calls there were.</summary>
    public int Calls
    {
        get { lock (_gate) return _names.Count; }
    }

    /// <summary>How many calls failed.</summary>
    public int Failures { get; private set; }

    /// <summary>The calls by name, each once.</summary>
    public IReadOnlyCollection<string> Names
    {
        get { lock (_gate) return [.. _names.Distinct()]; }
    }

    /// <summary>The first call that failed, as port and method, or null where none did.</summary>
    public string? Failed
    {
        get { lock (_gate) return _failed; }
    }

    /// <summary>Counts a call: what is to happen to it, or null.</summary>
    public FaultMoment? Count(string name)
    {
        lock (_gate)
        {
            if (IsDead) throw new HostDiedException();
            _names.Add(name);
            if (_strikes(_names.Count) is not var (moment, kills)) return null;
            Failures++;
            _kills |= kills;
            _failed ??= $"{name}, call {_names.Count}, {moment}";
            return _kills && moment is FaultMoment.Before ? throw Thrown(name) : moment;
        }
    }

    /// <summary>Counts a call and makes it, or fails.</summary>
    public async Task<T> CallAsync<T>(string name, Func<Task<T>> call, Func<string, Exception>? failure = null)
    {
        if (Slowly is { } slowly) await slowly();
        var fault = Count(name);
        if (fault is FaultMoment.Before) throw Thrown(name, failure);
        var result = await call();
        if (fault is FaultMoment.After) throw Thrown(name, failure);
        return result;
    }

    /// <summary>Counts a call and makes it, or fails.</summary>
    public Task CallAsync(string name, Func<Task> call) => CallAsync(name, async () =>
    {
        await call();
        return true;
    });

    /// <summary>What a planned fault throws.</summary>
    /// <param name="name">The call.</param>
    /// <param name="failure">What the port throws for what passes; a transient fault of the store where null.</param>
    public Exception Thrown(string name, Func<string, Exception>? failure = null)
    {
        if (!_kills) return failure?.Invoke($"A planned fault of {name}.") ?? new TransientStorageException($"A planned fault of {name}.");
        IsDead = true;
        return new HostDiedException();
    }
}

/// <summary>The host is gone: what it had in memory is lost, and what it stored stays. No code of the product knows of it.</summary>
public sealed class HostDiedException() : Exception("The host died.");

/// <summary>Tables that fail as planned. A query is one call: it fails before its first row or after its last.</summary>
public sealed class FaultyTables(ITables inner, FaultPlan plan) : ITables
{
    public Task<Row?> GetAsync(RowKey key, CancellationToken cancel = default) => plan.CallAsync("ITables.Get", () => inner.GetAsync(key, cancel));

    public async IAsyncEnumerable<Row> QueryAsync(KeyRange range, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        if (plan.Slowly is { } slowly) await slowly();
        var fault = plan.Count("ITables.Query");
        if (fault is FaultMoment.Before) throw plan.Thrown("ITables.Query");
        await foreach (var row in inner.QueryAsync(range, cancel)) yield return row;
        if (fault is FaultMoment.After) throw plan.Thrown("ITables.Query");
    }

    public async IAsyncEnumerable<Row> ScanAsync(RowKey? after = null, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        var fault = plan.Count("ITables.Scan");
        if (fault is FaultMoment.Before) throw plan.Thrown("ITables.Scan");
        await foreach (var row in inner.ScanAsync(after, cancel)) yield return row;
        if (fault is FaultMoment.After) throw plan.Thrown("ITables.Scan");
    }

    public Task<IReadOnlyList<string>> BucketsInUseAsync(CancellationToken cancel = default) => plan.CallAsync("ITables.BucketsInUse", () => inner.BucketsInUseAsync(cancel));

    public Task<bool> TryCommitAsync(string partition, IReadOnlyList<Write> writes, CancellationToken cancel = default) =>
        plan.CallAsync("ITables.TryCommit", () => inner.TryCommitAsync(partition, writes, cancel));
}

/// <summary>An inbox that fails as planned.</summary>
public sealed class FaultyInbox(IInbox inner, FaultPlan plan) : IInbox
{
    public Task EnqueueAsync(IReadOnlyList<InboxMessage> messages, CancellationToken cancel = default) =>
        plan.CallAsync("IInbox.Enqueue", () => inner.EnqueueAsync(messages, cancel));
}

/// <summary>An engine that fails as planned.</summary>
public sealed class FaultyFlowEngine(IFlowEngine inner, FaultPlan plan) : IFlowEngine
{
    public Task StartAsync(RunId run, CancellationToken cancel = default) => plan.CallAsync("IFlowEngine.Start", () => inner.StartAsync(run, cancel));

    public Task WakeAsync(RunId run, CancellationToken cancel = default) => plan.CallAsync("IFlowEngine.Wake", () => inner.WakeAsync(run, cancel));
}

/// <summary>A mailer that fails as planned: before, it says that nothing was sent; after, the e-mail has gone and the call throws, so that nobody knows.</summary>
public sealed class FaultyMailer(IMailer inner, FaultPlan plan) : IMailer
{
    public bool Deduplicates => inner.Deduplicates;

    public async Task<MailOutcome> SendAsync(OutgoingEmail email, CancellationToken cancel = default)
    {
        if (plan.Slowly is { } slowly) await slowly();
        var fault = plan.Count("IMailer.Send");
        if (fault is FaultMoment.Before) return new MailOutcome.NotSent("A planned fault.");
        var outcome = await inner.SendAsync(email, cancel);
        return fault is FaultMoment.After ? throw plan.Thrown("IMailer.Send") : outcome;
    }
}
