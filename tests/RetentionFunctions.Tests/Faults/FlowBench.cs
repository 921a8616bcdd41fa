using System.Text;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using RetentionFunctions.Email;
using RetentionFunctions.Flows;
using RetentionFunctions.Intake;
using RetentionFunctions.Intake.App;
using RetentionFunctions.Jobs;
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
    private Lazy<IServiceProvider> rooms = null!;
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

    /// <summary>Adds a host's other ports, which fail by a plan, and what of the product needs them; without it there are no jobs.</summary>
    public Action<IServiceCollection, FaultPlan>? Adapters { get; init; }

    /// <summary>The host is started anew over what is stored, and from here on its ports fail as planned.</summary>
    public void Compose(FaultPlan planned) => (plan, rooms) = (planned, new Lazy<IServiceProvider>(() => Composed(planned)));

    private ServiceProvider Composed(FaultPlan plan)
    {
        var services = new ServiceCollection().AddSingleton(Settings).AddSingleton(Templates).AddSingleton<IDataProtectionProvider>(Protection)
            .AddSingleton<TimeProvider>(Clock).AddSingleton(typeof(ILogger<>), typeof(NullLogger<>))
            .AddSingleton<ITables>(new FaultyTables(stored, plan)).AddSingleton<IInbox>(new FaultyInbox(queue, plan)).AddSingleton<IFlowEngine>(new FaultyFlowEngine(engine, plan))
            .AddSingleton<IMailer>(new FaultyMailer(Mailer, plan)).AddSingleton<IBilling>(new FaultyBilling(Billing, plan))
            .AddWithoutDoors(_ => new Uri("https://links.example.com"));
        if (Adapters is null) services.RemoveAll<IJob>();
        else Adapters(services, plan);
        return services.BuildServiceProvider();
    }

    /// <summary>What the page of a review shows of its e-mail.</summary>
    public async Task<MailRecord?> ReviewMailAsync(string occasion) => (await rows.GetAsync<MailRecord>(Keys.ReviewMail(occasion)))?.Value;

    // Of the host as it stands: the next one has its own.
    private T Room<T>() where T : notnull => rooms.Value.GetRequiredService<T>();

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
        await RetryAsync(() => press(Room<LinkActions>(), claims));
        await SettleAsync();
    }

    /// <summary>The founder stops a run, again where an error page came.</summary>
    public async Task StopAsync(RunId run)
    {
        await RetryAsync(() => Room<FlowStop>().StopAsync(run));
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
    public Task<DateTimeOffset?> AdvanceRunAsync(RunId run) => Room<FlowAdvance>().AdvanceAsync(run);

    /// <summary>One message is handled, beside the queue.</summary>
    public Task HandleAsync(InboxMessage message) => RetryAsync(() => Room<InboxProcessor>().HandleAsync(message, 1));

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
                await RetryAsync(() => Room<InboxProcessor>().HandleAsync(message, 1));
                queue.Complete(message);
                Handled.Add(message);
            }
            else if (engine.TakeDue() is var (id, version))
            {
                DateTimeOffset? next = null;
                await RetryAsync(async () => next = await Room<FlowAdvance>().AdvanceAsync(RunId.Parse(id)));
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
