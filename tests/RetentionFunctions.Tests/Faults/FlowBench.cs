using System.Text;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.Extensions.Logging.Abstractions;
using RetentionFunctions.Customers;
using RetentionFunctions.Email;
using RetentionFunctions.Erasure;
using RetentionFunctions.Flows;
using RetentionFunctions.Health;
using RetentionFunctions.Import;
using RetentionFunctions.Insight;
using RetentionFunctions.Intake;
using RetentionFunctions.Jobs;
using RetentionFunctions.Intake.App;
using RetentionFunctions.Intake.Stripe;
using RetentionFunctions.Links;
using RetentionFunctions.Settings;
using RetentionFunctions.Storage;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.Tests.Faults;

/// <summary>
/// The product without a host: the real intake, flows, sweep and links over tables, inbox, engine and mailer in memory, on a standing clock; or over other tables. What throws is
/// delivered again, as every host does. Small enough to be run thousands of times, once for each call that can fail.
/// </summary>
internal sealed partial class FlowBench
{
    // No decision depends on them, and compiling the templates takes longer than a story.
    private static readonly EmailTemplates Templates = EmailTemplates.Load();
    private static readonly EphemeralDataProtectionProvider Protection = new();

    private readonly ITables rows;
    private readonly ITables stored;
    private readonly MemoryInbox queue = new();
    private readonly MemoryEngine engine;
    private IInbox inbox = null!;
    private InboxProcessor processor = null!;
    private FlowAdvance flows = null!;
    private DailySweep sweep = null!;
    private LinkActions links = null!;
    private FlowStop stop = null!;
    private BodyStore bodies = null!;
    private StripeMode mode = null!;
    private JobRunner runner = null!;
    private Nightly nightly = null!;
    private CustomerErasure erasure = null!;
    private DeadLetters letters = null!;
    private Imports imports = null!;
    private FaultPlan plan = null!;

    public FlowBench(DateTimeOffset start, bool deduplicates = true, bool interleaved = false, ITables? over = null)
    {
        rows = over ?? Tables;
        stored = interleaved ? new InterleavedTables(rows) : rows;
        Clock = new StandingClock(start);
        engine = new MemoryEngine(Clock);
        Mailer = new MemoryMailer(Clock, deduplicates);
        // Three e-mails say as much as five, and cost less.
        foreach (var (name, definition) in Settings.Flows.Definitions.ToList())
            Settings.Flows.Definitions[name] = definition with { Steps = [.. definition.Steps.Take(3)] };
        Compose(FaultPlan.None());
    }

    public RetentionSettings Settings { get; } = new();

    public StandingClock Clock { get; }

    public DateTimeOffset Now => Clock.Now;

    public FakeTables Tables { get; } = new() { KnowsItsBuckets = true };

    public MemoryMailer Mailer { get; }

    public MemoryBilling Billing { get; } = new();

    /// <summary>How often anything was delivered again because it had thrown.</summary>
    public int Redeliveries { get; private set; }

    /// <summary>How often whoever gets no answer asks again. One fault is overcome by the second attempt; more than that is a fault that stays.</summary>
    public int Patience { get; set; } = 4;

    /// <summary>How the ports of a host fail that is started anew after the one before died.</summary>
    public Func<FaultPlan> Reborn { get; set; } = FaultPlan.None;

    /// <summary>How often the host died and was started anew over what it had stored.</summary>
    public int Deaths { get; private set; }

    /// <summary>What was handled to its end, each time that it was.</summary>
    public List<InboxMessage> Handled { get; } = [];

    /// <summary>The jobs of the host, made anew with each composition of its rooms.</summary>
    public Func<Rooms, IReadOnlyList<IJob>> Jobs { get; init; } = _ => [];

    /// <summary>What jobs are made of.</summary>
    internal sealed record Rooms(FaultPlan Plan, ITables Tables, IInbox Inbox, IFlowEngine Engine, BodyStore Bodies, StripeIntake Stripe, StripeHistory History, StripeMode Mode, RetentionSettings Settings, TimeProvider Clock);

    /// <summary>The host is started anew over what is stored, and from here on its ports fail as planned.</summary>
    public void Compose(FaultPlan planned)
    {
        plan = planned;
        var tables = new FaultyTables(stored, plan);
        var faultyEngine = new FaultyFlowEngine(engine, plan);
        inbox = new FaultyInbox(queue, plan);
        bodies = new BodyStore(tables);
        mode = new StripeMode(tables, Settings);
        letters = new DeadLetters(tables, bodies, inbox);
        var ties = new UserTies(tables);
        var dispatch = new FlowDispatch(tables, faultyEngine, Settings, Clock);
        var stripe = new StripeIntake(tables, bodies, ties, dispatch, Settings, Clock);
        var history = new StripeHistory(tables, stripe, dispatch, new IntakeCounters(tables, Clock), Settings, Clock);
        var jobs = Jobs(new Rooms(plan, tables, inbox, faultyEngine, bodies, stripe, history, mode, Settings, Clock));
        runner = new JobRunner(tables, inbox, jobs, Clock, NullLogger<JobRunner>.Instance);
        nightly = new Nightly(runner, jobs);
        erasure = new CustomerErasure(tables, runner, Clock);
        imports = new Imports(tables, bodies, runner, Settings, Clock);
        processor = new InboxProcessor(bodies, letters, stripe, history, new AppIntake(tables, ties, dispatch, Settings), new MailIntake(tables, dispatch, new IntakeCounters(tables, Clock), Settings),
            runner, Clock, NullLogger<InboxProcessor>.Instance);
        var composer = new EmailComposer(Templates, Settings, new LinkBuilder(new LinkTokens(Protection, Clock), () => new Uri("https://links.example.com")));
        var mailer = new FaultyMailer(Mailer, plan);
        flows = new FlowAdvance(tables, mailer, composer, Settings, Clock, new ReviewSender(tables, mailer, composer, Reviews(tables), Settings, Clock));
        sweep = new DailySweep(tables, dispatch, Settings, Clock, NullLogger<DailySweep>.Instance);
        links = new LinkActions(tables, new FaultyBilling(Billing, plan), dispatch, Clock, Settings);
        stop = new FlowStop(tables, faultyEngine, Clock);
    }

    /// <summary>What the page of a review shows of its e-mail.</summary>
    public Task<MailRecord?> ReviewMailAsync(string occasion) => Reviews(rows).MailAsync(occasion);

    private ReviewQueries Reviews(ITables tables)
    {
        var summaries = new SummaryQueries(tables, runner, Clock);
        return new ReviewQueries(tables, new MetricsQueries(tables, Clock), new HealthQueries(tables, Settings, Clock), new CohortQueries(summaries), new FlowQueries(summaries, Settings), summaries, new ReviewActions(tables, Clock), Settings, Clock);
    }

    /// <summary>What a user did or said; the same again is a copy.</summary>
    public AppEvent Item(string user, string? name, DateTimeOffset? at = null, string? traits = null) => new()
    {
        MessageId = $"{name ?? "identify"} {at ?? Now:O}",
        Type = name is null ? AppEventType.Identify : AppEventType.Track,
        UserId = user,
        Name = name,
        At = at ?? Now,
        ReceivedAt = Now,
        Traits = traits is null ? null : System.Text.Json.JsonDocument.Parse(traits).RootElement,
    };

    /// <summary>The customer presses the button behind a link, again where an error page came.</summary>
    public async Task ClickAsync(LinkPurpose purpose, RunId run, int step, Func<LinkActions, LinkClaims, Task> press)
    {
        var claims = new LinkClaims
        {
            CustomerId = run.CustomerId, Purpose = purpose, Flow = run.Flow, Occasion = run.Occasion, Step = step, ExpiresAt = Now.AddDays(-1) + LinkTokens.Lifetime(purpose),
        };
        await RetryAsync(() => press(links, claims));
        await SettleAsync();
    }

    /// <summary>The founder stops a run, again where an error page came.</summary>
    public async Task StopAsync(RunId run)
    {
        await RetryAsync(() => stop.StopAsync(run));
        await SettleAsync();
    }

    /// <summary>The daily sweep over the buckets in which anybody of the story stands.</summary>
    public async Task SweepAsync(params string[] ids)
    {
        await RetryAsync(() => SweepNowAsync(ids));
        await SettleAsync();
    }

    /// <summary>Moves the clock, stopping at everything that falls due on the way.</summary>
    public async Task AdvanceAsync(double days)
    {
        var to = Now.AddDays(days);
        while (engine.Next is { } next && next <= to)
        {
            if (next > Now) Clock.Now = next;
            await SettleAsync();
        }
        Clock.Now = to;
        await SettleAsync();
    }

    /// <summary>One look at a run, as the engine asks for it.</summary>
    public Task<DateTimeOffset?> AdvanceRunAsync(RunId run) => flows.AdvanceAsync(run);

    /// <summary>One message is handled, beside the queue.</summary>
    public Task HandleAsync(InboxMessage message) => RetryAsync(() => processor.HandleAsync(message, 1));

    public async Task<List<Run>> RunsAsync(string customer) => await rows.ListAsync<Run>(Keys.Runs(customer));

    public async Task<List<MailRecord>> MailsAsync(string customer) => await rows.ListAsync<MailRecord>(Keys.Mails(customer));

    /// <summary>All rows of the partitions of these customers and users, of their indexes, and of whatever should be empty: the end of a story.</summary>
    public async Task<string> EndAsync(IEnumerable<string> partitions)
    {
        var text = new StringBuilder();
        foreach (var partition in partitions.Distinct().Order(StringComparer.Ordinal))
            await foreach (var row in rows.QueryAsync(new KeyRange(partition, "", "\uffff")))
                text.Append(partition).Append(' ').Append(row.At.Key).Append(' ').AppendLine(Encoding.UTF8.GetString(row.Body.Span));
        return text.ToString();
    }

    /// <summary>Every row of all tables but the counters, which a host may count too high.</summary>
    public async Task<string> EverythingAsync()
    {
        var text = new StringBuilder();
        await foreach (var row in rows.ScanAsync())
            if (row.At.Partition != Keys.Counters.Partition) text.Append(row.At.Partition).Append(' ').Append(row.At.Key).Append(' ').AppendLine(Encoding.UTF8.GetString(row.Body.Span));
        return text.ToString();
    }

    private async Task SettleAsync()
    {
        if (Together)
        {
            await SettleTogetherAsync();
            return;
        }
        for (var round = 0; round < 1000; round++)
        {
            if (queue.Take() is { } message)
            {
                await RetryAsync(() => processor.HandleAsync(message, 1));
                queue.Complete(message);
                Handled.Add(message);
            }
            else if (engine.TakeDue() is var (id, version))
            {
                DateTimeOffset? next = null;
                await RetryAsync(async () => next = await flows.AdvanceAsync(RunId.Parse(id)));
                engine.Settle(id, version, next);
            }
            else
            {
                return;
            }
        }
        throw new InvalidOperationException("The story does not settle.");
    }

    private async Task RetryAsync(Func<Task> work)
    {
        for (var attempt = 1; ; attempt++)
        {
            var mine = plan;
            try
            {
                await work();
                // What swallowed that it was dead was none the less: nobody was told that it is done.
                if (!mine.IsDead) return;
                throw new HostDiedException();
            }
            catch (HostDiedException)
            {
                Bury(mine);
            }
            catch (Exception e) when (e is TransientStorageException or TransientBillingException && attempt < Patience)
            {
                Redeliveries++;
            }
        }
    }

    // Whoever notices first starts the next.
    private void Bury(FaultPlan dead)
    {
        if (dead != plan) return;
        Deaths++;
        Compose(Reborn());
    }
}

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
