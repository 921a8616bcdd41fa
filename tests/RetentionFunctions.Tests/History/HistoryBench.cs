using System.Text.Json;
using Microsoft.Extensions.Logging.Abstractions;
using RetentionFunctions.Customers;
using RetentionFunctions.Flows;
using RetentionFunctions.History;
using RetentionFunctions.Intake;
using RetentionFunctions.Intake.Stripe;
using RetentionFunctions.Jobs;
using RetentionFunctions.Local.Sandbox;
using RetentionFunctions.Settings;
using RetentionFunctions.Storage;
using RetentionFunctions.Tests.Faults;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.Tests.History;

/// <summary>Intake, jobs and flows' beginnings over tables and an inbox in memory, beside a simulated Stripe account. What throws is delivered again.</summary>
internal sealed class HistoryBench
{
    private const int Attempts = 4;

    private readonly List<InboxMessage> waiting = [];
    private readonly Queue queue;
    private InboxProcessor processor = null!;
    private StripeIntake stripe = null!;
    private Nightly nightly = null!;

    public HistoryBench(SandboxStripe account, DateTimeOffset now)
    {
        Clock = new StandingClock(now);
        Stripe = new ListedStripe(account, Clock);
        Engine = new MemoryEngine(Clock);
        queue = new Queue(waiting);
        Compose(FaultPlan.None());
    }

    public StandingClock Clock { get; }

    public ListedStripe Stripe { get; }

    public FakeTables Tables { get; } = new();

    public MemoryEngine Engine { get; }

    public RetentionSettings Settings { get; } = new();

    public JobRunner Jobs { get; private set; } = null!;

    /// <summary>In which order messages are taken: an index into those that wait. A session's own stay in their order.</summary>
    public Func<int, int> Next { get; set; } = _ => 0;

    public int Redeliveries { get; private set; }

    /// <summary>A host that is started anew, on the same tables and queue; its ports fail as planned.</summary>
    public void Compose(FaultPlan plan)
    {
        var (tables, inbox) = (new FaultyTables(Tables, plan), new FaultyInbox(queue, plan));
        var bodies = new BodyStore(tables);
        var dispatch = new FlowDispatch(tables, new FaultyFlowEngine(Engine, plan), Settings, Clock);
        var ties = new UserTies(tables);
        var counters = new IntakeCounters(tables, Clock);
        var mode = new StripeMode(tables, Settings);
        stripe = new StripeIntake(tables, bodies, ties, dispatch, Settings, Clock);
        var history = new StripeHistory(tables, stripe, dispatch, counters, Settings, Clock);
        IJob[] jobs = [new Backfill(Stripe, inbox, bodies, stripe, mode, Settings, Clock), new Reconcile(Stripe, inbox, bodies, stripe, history, mode, tables, Clock, NullLogger<Reconcile>.Instance)];
        Jobs = new JobRunner(tables, inbox, jobs, Clock, NullLogger<JobRunner>.Instance);
        nightly = new Nightly(Jobs, jobs);
        processor = new InboxProcessor(bodies, new DeadLetters(tables, bodies, inbox), stripe, history, new AppIntake(tables, ties, dispatch, Settings), new MailIntake(tables, dispatch, counters, Settings),
            Jobs, Clock, NullLogger<InboxProcessor>.Instance);
    }

    /// <summary>Events by the door, as they come; handled when things settle.</summary>
    public void Arrive(params IEnumerable<SandboxEvent> events)
    {
        foreach (var e in events)
            if (StripeReader.Handles(e.Type)) waiting.Add(new InboxMessage(StripeEnvelope.Read(e.Body).Session, e.Id, MessageKind.StripeEvent, e.Body, Clock.Now));
    }

    public async Task<JobState> BackfillAsync(string occasion = "first")
    {
        await StartAsync(occasion);
        await SettleAsync();
        return (await Jobs.StateAsync(Backfill.JobName))!;
    }

    public async Task StartAsync(string occasion = "first")
    {
        for (var attempt = 1; ; attempt++)
            try
            {
                await Jobs.StartAsync(Backfill.JobName, occasion);
                break;
            }
            catch (TransientStorageException) when (attempt < Attempts)
            {
                Redeliveries++;
            }
        // Where the fault was between the row and the message, the night's nudge finds it.
        if (waiting.Count > 0) return;
        var now = Clock.Now;
        Clock.Now += JobRunner.Stuck;
        await Jobs.NudgeAsync();
        Clock.Now = now;
    }

    public async Task<JobState> ReconcileAsync()
    {
        await nightly.StartAsync(DateOnly.FromDateTime(Clock.Now.UtcDateTime));
        await SettleAsync();
        return (await Jobs.StateAsync(Reconcile.JobName))!;
    }

    /// <summary>Handles all that waits.</summary>
    public async Task SettleAsync()
    {
        while (waiting.Count > 0) await StepAsync();
    }

    /// <summary>Handles one message.</summary>
    public async Task StepAsync()
    {
        var heads = waiting.DistinctBy(m => m.Session).ToList();
        var message = heads[Next(heads.Count)];
        for (var attempt = 1; ; attempt++)
            try
            {
                await processor.HandleAsync(message, attempt);
                break;
            }
            catch (Exception e) when (attempt < Attempts && e is TransientStorageException or RetentionFunctions.Links.TransientBillingException)
            {
                Redeliveries++;
            }
        waiting.Remove(message);
    }

    public async Task<IReadOnlyList<Movement>> LedgerAsync(string customerId) => await Tables.ListAsync<Movement>(Keys.Ledger(customerId));

    public async Task<Customer?> CustomerAsync(string id) => (await Tables.GetAsync<Customer>(Keys.Customer(id)))?.Value;

    public async Task<IReadOnlyList<Invoice>> InvoicesAsync(string customerId) => await Tables.ListAsync<Invoice>(Keys.Invoices(customerId));

    public async Task<IReadOnlyList<DeadLetter>> DeadLettersAsync() => await Tables.ListAsync<DeadLetter>(Keys.DeadLetters);

    public async Task<List<Run>> RunsAsync()
    {
        var runs = new List<Run>();
        foreach (var bucket in Keys.AllBuckets) runs.AddRange(await Tables.ListAsync<Run>(Keys.RunsOfBucket(bucket)));
        return runs;
    }

    private sealed class Queue(List<InboxMessage> waiting) : IInbox
    {
        public Task EnqueueAsync(IReadOnlyList<InboxMessage> messages, CancellationToken cancel = default)
        {
            foreach (var message in messages)
                if (!waiting.Exists(w => w.Id == message.Id)) waiting.Add(message);
            return Task.CompletedTask;
        }
    }
}

/// <summary>Stripe's lists of a simulated account.</summary>
internal sealed class ListedStripe(SandboxStripe account, TimeProvider clock) : IBillingHistory
{
    /// <summary>Thrown by the next calls, one each.</summary>
    public Queue<Exception> Faults { get; } = new();

    /// <summary>What was asked for.</summary>
    public List<BillingQuery> Asked { get; } = [];

    /// <summary>The most that a page holds, where it should be less than is asked for.</summary>
    public int PageSize { get; set; } = int.MaxValue;

    /// <summary>The whole account; another where time goes on elsewhere.</summary>
    public SandboxStripe Account { get; set; } = account;

    public Task<BillingPage> ListAsync(BillingQuery query, CancellationToken cancel = default)
    {
        Asked.Add(query);
        if (Faults.TryDequeue(out var fault)) throw fault;
        return Task.FromResult(SandboxLists.Page(SandboxLists.Of(Account, query), query with { Limit = Math.Min(query.Limit, PageSize) }, clock.GetUtcNow()));
    }

    public Task<JsonElement?> PriceAsync(string priceId, CancellationToken cancel = default) =>
        Task.FromResult(SandboxLists.Price(Account, priceId) is { } price ? JsonSerializer.SerializeToElement(SandboxPayloads.Price(price)) : (JsonElement?)null);
}
