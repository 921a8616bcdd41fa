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
/// Counts every call of every port that is wrapped with it and lets one of them fail, once. For "a fault at each call in turn": run the story once
/// with <see cref="None"/>, then again for each number up to its <see cref="Calls"/>, at both moments, and compare how it ends.
/// </summary>
public sealed class FaultPlan
{
    private readonly Lock _gate = new();
    private readonly List<string> _names = [];
    private readonly int _failAt;
    private readonly FaultMoment _moment;

    private FaultPlan(int failAt, FaultMoment moment)
    {
        _failAt = failAt;
        _moment = moment;
    }

    /// <summary>Only counts.</summary>
    public static FaultPlan None() => new(0, FaultMoment.Before);

    /// <summary>Lets call number <paramref name="call"/> (from 1) fail.</summary>
    public static FaultPlan At(int call, FaultMoment moment) => new(call, moment);

    /// <summary>How many calls there were.</summary>
    public int Calls
    {
        get { lock (_gate) return _names.Count; }
    }

    /// <summary>The call that failed, as port and method, or null where none did.</summary>
    public string? Failed
    {
        get { lock (_gate) return _failAt > 0 && _failAt <= _names.Count ? $"{_names[_failAt - 1]}, call {_failAt}, {_moment}" : null; }
    }

    /// <summary>Counts a call: what is to happen to it, or null.</summary>
    public FaultMoment? Count(string name)
    {
        lock (_gate)
        {
            _names.Add(name);
            return _names.Count == _failAt ? _moment : null;
        }
    }

    /// <summary>Counts a call and makes it, or fails.</summary>
    public async Task<T> CallAsync<T>(string name, Func<Task<T>> call)
    {
        var fault = Count(name);
        if (fault is FaultMoment.Before) throw Thrown(name);
        var result = await call();
        if (fault is FaultMoment.After) throw Thrown(name);
        return result;
    }

    /// <summary>Counts a call and makes it, or fails.</summary>
    public Task CallAsync(string name, Func<Task> call) => CallAsync(name, async () =>
    {
        await call();
        return true;
    });

    /// <summary>What a planned fault throws.</summary>
    public static TransientStorageException Thrown(string name) => new($"A planned fault of {name}.");
}

/// <summary>Tables that fail as planned. A query is one call: it fails before its first row or after its last.</summary>
public sealed class FaultyTables(ITables inner, FaultPlan plan) : ITables
{
    public Task<Row?> GetAsync(RowKey key, CancellationToken cancel = default) => plan.CallAsync("ITables.Get", () => inner.GetAsync(key, cancel));

    public async IAsyncEnumerable<Row> QueryAsync(KeyRange range, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        var fault = plan.Count("ITables.Query");
        if (fault is FaultMoment.Before) throw FaultPlan.Thrown("ITables.Query");
        await foreach (var row in inner.QueryAsync(range, cancel)) yield return row;
        if (fault is FaultMoment.After) throw FaultPlan.Thrown("ITables.Query");
    }

    public async IAsyncEnumerable<Row> ScanAsync(RowKey? after = null, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        var fault = plan.Count("ITables.Scan");
        if (fault is FaultMoment.Before) throw FaultPlan.Thrown("ITables.Scan");
        await foreach (var row in inner.ScanAsync(after, cancel)) yield return row;
        if (fault is FaultMoment.After) throw FaultPlan.Thrown("ITables.Scan");
    }

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
        var fault = plan.Count("IMailer.Send");
        if (fault is FaultMoment.Before) return new MailOutcome.NotSent("A planned fault.");
        var outcome = await inner.SendAsync(email, cancel);
        return fault is FaultMoment.After ? throw FaultPlan.Thrown("IMailer.Send") : outcome;
    }
}
