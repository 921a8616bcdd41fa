using RetentionFunctions.Email;
using RetentionFunctions.Flows;
using RetentionFunctions.Intake;
using RetentionFunctions.Links;
using RetentionFunctions.Storage;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.Tests.Faults;

/// <summary>Tables over which others come in between, before and after each call.</summary>
internal sealed class InterleavedTables(ITables inner) : ITables
{
    public async Task<Row?> GetAsync(RowKey key, CancellationToken cancel = default)
    {
        await Task.Yield();
        var row = await inner.GetAsync(key, cancel);
        await Task.Yield();
        return row;
    }

    public async IAsyncEnumerable<Row> QueryAsync(KeyRange range, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancel = default)
    {
        await Task.Yield();
        await foreach (var row in inner.QueryAsync(range, cancel))
        {
            yield return row;
            await Task.Yield();
        }
    }

    public IAsyncEnumerable<Row> ScanAsync(RowKey? after = null, CancellationToken cancel = default) => inner.ScanAsync(after, cancel);

    public async Task<IReadOnlyList<string>> BucketsInUseAsync(CancellationToken cancel = default)
    {
        await Task.Yield();
        return await inner.BucketsInUseAsync(cancel);
    }

    public async Task<bool> TryCommitAsync(string partition, IReadOnlyList<Write> writes, CancellationToken cancel = default)
    {
        await Task.Yield();
        var done = await inner.TryCommitAsync(partition, writes, cancel);
        await Task.Yield();
        return done;
    }
}

/// <summary>An inbox in memory: one after another, a queued id once.</summary>
internal sealed class MemoryInbox : IInbox
{
    private readonly List<InboxMessage> waiting = [];

    public Task EnqueueAsync(IReadOnlyList<InboxMessage> messages, CancellationToken cancel = default)
    {
        waiting.AddRange(messages.Where(m => waiting.All(w => w.Id != m.Id)));
        return Task.CompletedTask;
    }

    public InboxMessage? Take() => waiting.FirstOrDefault();

    /// <summary>The first of each session.</summary>
    public IReadOnlyList<InboxMessage> Heads() => [.. waiting.DistinctBy(m => m.Session)];

    public void Complete(InboxMessage message) => waiting.Remove(message);
}

/// <summary>The due table of the local host, in memory.</summary>
internal sealed class MemoryEngine(TimeProvider clock) : IFlowEngine
{
    private readonly SortedDictionary<string, (DateTimeOffset At, int Version)> due = new(StringComparer.Ordinal);
    private int version;

    public DateTimeOffset? Next => due.Count == 0 ? null : due.Values.Min(d => d.At);

    public Task StartAsync(RunId run, CancellationToken cancel = default)
    {
        due.TryAdd(run.ToString(), (clock.GetUtcNow(), ++version));
        return Task.CompletedTask;
    }

    public Task WakeAsync(RunId run, CancellationToken cancel = default)
    {
        var now = clock.GetUtcNow();
        due[run.ToString()] = (due.TryGetValue(run.ToString(), out var known) && known.At < now ? known.At : now, ++version);
        return Task.CompletedTask;
    }

    public (string Id, int Version)? TakeDue()
    {
        foreach (var (id, at) in due)
            if (at.At <= clock.GetUtcNow()) return (id, at.Version);
        return null;
    }

    public IReadOnlyList<(string Id, int Version)> AllDue() => [.. due.Where(d => d.Value.At <= clock.GetUtcNow()).Select(d => (d.Key, d.Value.Version))];

    public void Settle(string id, int taken, DateTimeOffset? next)
    {
        if (due[id].Version != taken) return;
        if (next is { } at) due[id] = (at, taken);
        else due.Remove(id);
    }
}

/// <summary>A provider in memory: one that delivers an id once, like the outbox, or one that delivers whatever it is given, like SendGrid.</summary>
internal sealed class MemoryMailer(TimeProvider clock, bool deduplicates) : IMailer
{
    private readonly Lock gate = new();

    public bool Deduplicates => deduplicates;

    /// <summary>What reached the customer.</summary>
    public List<(DateTimeOffset At, string Id, string To, string Subject)> Delivered { get; } = [];

    public Task<MailOutcome> SendAsync(OutgoingEmail email, CancellationToken cancel = default)
    {
        lock (gate)
        {
            if (!deduplicates || Delivered.All(d => d.Id != email.Id)) Delivered.Add((clock.GetUtcNow(), email.Id, email.To.Address, email.Subject));
            return Task.FromResult<MailOutcome>(new MailOutcome.Accepted(email.Id));
        }
    }
}

/// <summary>Billing that does a thing once per key, as Stripe does, and remembers what it did.</summary>
internal sealed class MemoryBilling : IBilling
{
    private readonly HashSet<string> keys = new(StringComparer.Ordinal);

    public List<string> Did { get; } = [];

    public Task<BillingResult> PauseAsync(string customerId, string subscriptionId, DateTimeOffset resumesAt, string idempotencyKey, CancellationToken cancel = default) =>
        DoAsync($"pause {subscriptionId} until {resumesAt:yyyy-MM-dd}", idempotencyKey);

    public Task<BillingResult> ResumeAsync(string customerId, string subscriptionId, string idempotencyKey, CancellationToken cancel = default) =>
        DoAsync($"resume {subscriptionId}", idempotencyKey);

    public Task<Uri> PaymentPageAsync(string customerId, string? invoiceId, Uri returnUrl, CancellationToken cancel = default) => Task.FromResult(new Uri($"https://pay.example.com/{invoiceId}"));

    private Task<BillingResult> DoAsync(string what, string key)
    {
        if (keys.Add(key)) Did.Add(what);
        return Task.FromResult<BillingResult>(new BillingResult.Done());
    }
}

/// <summary>Billing that fails as planned: the request never arrived, or its answer never came back.</summary>
internal sealed class FaultyBilling(IBilling inner, FaultPlan plan) : IBilling
{
    public Task<BillingResult> PauseAsync(string customerId, string subscriptionId, DateTimeOffset resumesAt, string idempotencyKey, CancellationToken cancel = default) =>
        CallAsync("IBilling.Pause", () => inner.PauseAsync(customerId, subscriptionId, resumesAt, idempotencyKey, cancel));

    public Task<BillingResult> ResumeAsync(string customerId, string subscriptionId, string idempotencyKey, CancellationToken cancel = default) =>
        CallAsync("IBilling.Resume", () => inner.ResumeAsync(customerId, subscriptionId, idempotencyKey, cancel));

    public Task<Uri> PaymentPageAsync(string customerId, string? invoiceId, Uri returnUrl, CancellationToken cancel = default) =>
        CallAsync("IBilling.PaymentPage", () => inner.PaymentPageAsync(customerId, invoiceId, returnUrl, cancel));

    private Task<T> CallAsync<T>(string name, Func<Task<T>> call) => plan.CallAsync(name, call, what => new TransientBillingException(what));
}
