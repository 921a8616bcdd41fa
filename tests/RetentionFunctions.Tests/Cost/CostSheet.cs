using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using RetentionFunctions.Storage;

namespace RetentionFunctions.Tests.Cost;

/// <summary>A month's bill: what the real code was counted to ask for, times the workload, times the prices of <c>docs/cost.json</c>.</summary>
internal sealed class CostSheet
{
    /// <summary>For so many customers the bill is shown.</summary>
    public static readonly int[] Sizes = [100, 1_000, 10_000, 100_000];

    private const double MonthSeconds = 730 * 3600;
    private const double Days = 365 / 12.0;

    // What Azure gives away every month.
    private const double FreeQueueOperations = 13e6;
    private const double FreeExecutions = 250_000;
    private const double FreeGigabyteSeconds = 100_000;
    private const double FreeLogGigabytes = 5;

    // A session is taken before its first message and asked once more after its last; with 64 sessions nearly every message is both.
    private const double SessionOperations = 2;

    // A receiver that finds nothing asks again after a minute.
    private const double ReceiverWaitSeconds = 60;

    // Durable on Azure Storage, of its documentation, not counted by a test: the queues are asked by the instance and by the platform's scale controller
    // (every 10 s); leases of the partitions and the host's own are renewed every 10 s.
    private const double ScalerPollSeconds = 10;
    private const double LeaseSeconds = 10;

    // The same: a look is two runs of the orchestrator and one of the activity. Three messages (work, its result, the timer), each put, taken and deleted;
    // at each run of the orchestrator the history is read and written, and the instance's row.
    private const double LookExecutions = 3;
    private const double LookQueueRequests = 9;
    private const double LookTableRequests = 6;

    // The sweep: its orchestrator is run again as each of its 34 activities comes back.
    private const double SweepExecutions = 2 * 34;
    private const double SweepQueueRequests = 34 * 6;
    private const double InvoicesPerYear = 12;
    private const double QueryRows = 1000;

    // Of each bucket at night: all nouns that summaries may read, and more summaries than there are.
    private const double SummaryRanges = 5;
    private const double SummariesMost = 6;

    // Timers: every quarter of an hour, and once a night.
    private const double TimerRuns = 96 + 1;
    private const double TimerTableRequests = 96 * 5;

    // All of them are read, also those in which there is nothing.
    private static readonly double Buckets = Keys.AllBuckets.Count();

    private readonly CountedStory counted;

    // Of host.json: receivers that wait for a session, and one for the dead letters; Durable's control queues, and the one of work items.
    private readonly double receivers;
    private readonly double partitions;
    private readonly double pollSeconds;

    /// <param name="counted">What was counted.</param>
    /// <param name="costs"><c>docs/cost.json</c>.</param>
    /// <param name="host"><c>host.json</c>.</param>
    public CostSheet(CountedStory counted, string costs, string host)
    {
        this.counted = counted;
        Data = JsonSerializer.Deserialize<CostData>(costs, JsonSerializerOptions.Web)!;
        var extensions = JsonNode.Parse(host)!["extensions"]!;
        receivers = (double)extensions["serviceBus"]!["maxConcurrentSessions"]! + 1;
        partitions = (double)extensions["durableTask"]!["storageProvider"]!["partitionCount"]!;
        pollSeconds = TimeSpan.Parse((string)extensions["durableTask"]!["storageProvider"]!["maxQueuePollingInterval"]!, CultureInfo.InvariantCulture).TotalSeconds;
    }

    public CostData Data { get; private set; }

    /// <summary>What a month brings, in numbers of operations.</summary>
    public Month Of(double customers)
    {
        var stripe = customers * Workload("stripeEvents");
        var app = customers * Workload("appEvents");
        var mails = customers * Workload("mails");
        var reports = mails * Workload("mailEvents");
        var looks = mails * Workload("looks");
        var views = Workload("overviewViews") + Workload("customerViews");
        var messages = stripe + app + reports;
        var http = stripe + (app / Workload("appEventsPerRequest")) + reports + (mails * Workload("clicks") * 2) + views;
        var rows = customers * Workload("rowsPerYear");
        var sweepSeconds = Days * customers / Workload("sweptPerSecond");
        var exportSeconds = Days * rows / Workload("exportedPerSecond");

        var identify = Workload("identifyShare");
        var events = (stripe * counted.StripeMean.Tables) + (app * (1 - identify) * counted.Alone.Tables) + (app * identify * counted.Identify.Tables) + (reports * counted.Mail.Tables);
        var sweep = Days * ((Buckets * (1 + CountedStory.ReadsOfBucket + Math.Floor(customers * InvoicesPerYear / Buckets / QueryRows))) + (customers * counted.SweptTables) + counted.SweepEnd.Tables);
        // Summaries: of each bucket all ranges they may read, hardly fewer rows than a year's invoices and e-mails, and each summary's row read and written.
        var summaries = Days * Buckets * (1 + SummaryRanges + (2 * SummariesMost) + Math.Floor(customers * InvoicesPerYear / Buckets / QueryRows));
        var night = Days * ((rows / QueryRows) + Buckets + TimerTableRequests + (3 * stripe / Days)) + summaries;
        var pages = (Workload("overviewViews") * counted.Pages["/"].Tables) + (Workload("customerViews") * counted.Pages["/customers/{id}"].Tables);

        return new Month
        {
            Events = stripe + app + reports,
            QueueOperations = (messages * (Operations.PerMessage + SessionOperations)) + (receivers * MonthSeconds / ReceiverWaitSeconds),
            TableRequests = events + sweep + night + pages + (looks * (counted.Look.Tables + LookTableRequests)),
            DurableQueueRequests = (looks * LookQueueRequests) + (Days * SweepQueueRequests) + ((partitions + 1) * ((MonthSeconds / pollSeconds) + (MonthSeconds / ScalerPollSeconds))),
            Executions = http + messages + (looks * LookExecutions) + (Days * (SweepExecutions + TimerRuns)),
            // Each group of functions has instances of its own; what overlaps on one is billed once.
            ActiveSeconds = Busy(http, Workload("secondsPerExecution")) + Busy(messages, Workload("secondsPerExecution")) + exportSeconds
                + Busy(looks, Workload("secondsPerLook")) + sweepSeconds + (Days * TimerRuns),
            LeaseRequests = (partitions + 1) * MonthSeconds / LeaseSeconds,
            BlobWrites = Days * TimerRuns * 2,
            TableGigabytes = customers * Workload("megabytesPerYear") / 1000,
            LogGigabytes = (http + messages + (looks * LookExecutions)) * Workload("tracesKept") * Workload("kilobytesPerExecution") / 1e6,
        };
    }

    /// <summary>The lines of the bill in dollars.</summary>
    /// <param name="customers">Of how many.</param>
    /// <param name="otherwise">Assumptions that are other than those of the file.</param>
    public IReadOnlyList<(string Line, double Dollars)> Bill(double customers, params IEnumerable<(string Name, double Value)> otherwise)
    {
        if (otherwise.ToList() is { Count: > 0 } changes) return With(changes).Bill(customers);
        var month = Of(customers);
        var gigabyteSeconds = month.ActiveSeconds * Workload("instanceGigabytes");
        return
        [
            ("Service Bus Standard, base charge (fixed)", Price("serviceBusBase")),
            ("Service Bus, operations beyond 13 million", Beyond(month.QueueOperations, FreeQueueOperations) / 1e6 * Price("serviceBusMillion")),
            ("Functions, time", Beyond(gigabyteSeconds, FreeGigabyteSeconds) * Price("gigabyteSeconds")),
            ("Functions, executions", Beyond(month.Executions, FreeExecutions) / 1e6 * Price("executions")),
            ("Table Storage, requests", month.TableRequests / 1e4 * Price("tableRequests")),
            ("Table Storage, a year's rows kept", month.TableGigabytes * Price("tableGigabyte")),
            ("Durable's queues and leases (mostly fixed)", (month.DurableQueueRequests / 1e4 * Price("queueRequests")) + (month.LeaseRequests / 1e4 * Price("blobOthers")) + (month.BlobWrites / 1e4 * Price("blobWrites"))),
            ("Nightly exports kept", month.TableGigabytes * Workload("exportShare") * Workload("exportDays") * Price("blobGigabyte")),
            ("Application Insights beyond 5 GB", Beyond(month.LogGigabytes, FreeLogGigabytes) * Price("logGigabyte")),
            ("Alert rules (fixed)", Workload("alertRules") * Price("alertRule")),
            ("Key Vault (fixed)", Price("keyVault")),
        ];
    }

    /// <summary>The sum of the bill in dollars.</summary>
    public double Total(double customers, params IEnumerable<(string Name, double Value)> otherwise) => Bill(customers, otherwise).Sum(line => line.Dollars);

    public double Price(string name) => Data.Prices[name].Price;

    public double Workload(string name) => Data.Workload[name].Value;

    private CostSheet With(IReadOnlyList<(string Name, double Value)> changes)
    {
        var workload = Data.Workload.ToDictionary(StringComparer.Ordinal);
        foreach (var (name, value) in changes) workload[name] = workload[name] with { Value = value };
        var other = (CostSheet)MemberwiseClone();
        other.Data = Data with { Workload = workload };
        return other;
    }

    // Seconds of a month in which at least one of so many executions goes on, where they come independently of each other.
    private static double Busy(double times, double seconds) => MonthSeconds * (1 - Math.Exp(-times * seconds / MonthSeconds));

    private static double Beyond(double used, double free) => Math.Max(0, used - free);
}

/// <summary>What a month brings.</summary>
internal sealed record Month
{
    public double Events { get; init; }
    public double QueueOperations { get; init; }
    public double TableRequests { get; init; }
    public double DurableQueueRequests { get; init; }
    public double LeaseRequests { get; init; }
    public double BlobWrites { get; init; }
    public double Executions { get; init; }
    public double ActiveSeconds { get; init; }
    public double TableGigabytes { get; init; }
    public double LogGigabytes { get; init; }
}

/// <summary><c>docs/cost.json</c>.</summary>
internal sealed record CostData(string AsOf, string Region, IReadOnlyDictionary<string, PriceLine> Prices, IReadOnlyDictionary<string, WorkloadLine> Workload);

/// <summary>A price in US dollars, without tax.</summary>
internal sealed record PriceLine(double Price, string Unit, string What, string Source);

/// <summary>An assumption about what customers do.</summary>
internal sealed record WorkloadLine(double Value, string Unit, string Why);
