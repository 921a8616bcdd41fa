using System.Globalization;
using System.Text;

namespace RetentionFunctions.Tests.Cost;

/// <summary>Writes <c>docs/cost.md</c>.</summary>
internal static class CostDocument
{
    // Below this a type of event is not frequent.
    private const double Frequent = 0.02;

    public static string Write(CostSheet sheet, CountedStory counted)
    {
        var text = new StringBuilder();
        text.Append($$"""
            # What it costs

            A month on Azure, in US dollars without tax and without e-mail, at list prices of {{sheet.Data.Region}} as of {{sheet.Data.AsOf}}. **Nothing here was read off a real bill**: the operations
            are counted by a test that runs the real code, the workload and the prices are the tables below, the rest is multiplication. This page is written by that test;
            change [`cost.json`](cost.json) and run `WRITE_COST=1 dotnet test tests/RetentionFunctions.Tests --filter FullyQualifiedName~CostTests`.

            | customers | {{Row(size => Whole(size))}} |
            |---|{{string.Concat(CostSheet.Sizes.Select(_ => "---:|"))}}
            | **a month** | {{Row(size => $"**{Dollars(sheet.Total(size))}**")}} |
            | a customer and month, in cents | {{Row(size => Number(100 * sheet.Total(size) / size, "0.00"))}} |
            | with instances of 2,048 MB instead of 512 | {{Row(size => Dollars(sheet.Total(size, ("instanceGigabytes", 2))))}} |
            | with every trace kept instead of a tenth | {{Row(size => Dollars(sheet.Total(size, ("tracesKept", 1))))}} |
            | with app events sent ten to a request | {{Row(size => Dollars(sheet.Total(size, ("appEventsPerRequest", 10))))}} |

            What is fixed, whoever comes: Service Bus Standard with {{Dollars(sheet.Price("serviceBusBase"))}} (sessions and duplicate detection need it), the alert rules, and what Durable's queues and leases cost
            while they wait. An HTTP instance that is always ready is an option, so that a customer's click never meets a cold start: it stands by for
            {{Dollars(730 * 3600 * 0.5 * sheet.Price("alwaysReadyBaseline"))}} a month (512 MB), works at a lower price than one on demand, and has no free grant.

            ## The bill

            | | {{Row(size => Whole(size))}} |
            |---|{{string.Concat(CostSheet.Sizes.Select(_ => "---:|"))}}

            """);
        var bills = CostSheet.Sizes.Select(size => sheet.Bill(size)).ToList();
        for (var i = 0; i < bills[0].Count; i++) text.Append($"| {bills[0][i].Line} | {string.Join(" | ", bills.Select(bill => Dollars(bill[i].Dollars)))} |\n");
        text.Append($"| **together** | {Row(size => $"**{Dollars(sheet.Total(size))}**")} |\n\nIn operations a month:\n\n| | {Row(size => Whole(size))} |\n|---|{string.Concat(CostSheet.Sizes.Select(_ => "---:|"))}\n");
        foreach (var (name, of) in (IEnumerable<(string, Func<Month, double>)>)
        [
            ("events of Stripe, the app and the mail provider", m => m.Events),
            ("operations of Service Bus", m => m.QueueOperations),
            ("requests to Table Storage", m => m.TableRequests),
            ("executions of functions", m => m.Executions),
            ("seconds in which an instance works", m => m.ActiveSeconds),
            ("requests to Durable's queues", m => m.DurableQueueRequests),
            ("GB in the tables after a year", m => m.TableGigabytes),
            ("GB of telemetry", m => m.LogGigabytes),
        ]) text.Append($"| {name} | {Row(size => of(sheet.Of(size)) is < 100 and var few ? Number(few, "0.0") : Whole(of(sheet.Of(size))))} |\n");

        text.Append($$"""

            **Instances of 512 MB are enough for the events; whether they are for the pages of very many customers was not tried.** The overview and the lists read every customer's row (about 3 KB each).
            With 10,000 that is some 30 MB; with 100,000 it is 300 MB and several times that as objects, so until those pages read less, the line with 2,048 MB is the one to reckon with there.

            ## What each thing asks for

            Counted over {{Whole(counted.StripeMean.Times)}} Stripe events and {{Whole(counted.Alone.Times + counted.BatchEvents)}} app events of a small demo company, one at a time, through the doors to the end of their handling.
            A table request is a get, a query for each 1,000 rows or part of them, or a batch, however many rows it writes (Azure bills a batch as one). A message of the queue is three operations: sent, received,
            completed (each is billed; a message of over 64 KB several times, which none of these is). Beside these the bill counts two for each message, because with 64 sessions nearly every message takes its session and asks once in vain at its end.

            | Stripe event | times | table requests, mean | usual | most | queue operations |
            |---|---:|---:|---:|---:|---:|

            """);
        foreach (var (type, cost) in counted.Stripe) text.Append($"| `{type}` | {cost.Times} | {Number(cost.Tables, "0.0")} | {cost.Usual} | {cost.Most} | {Number(cost.Queue, "0.0")} |\n");
        text.Append($"| **all** | {counted.StripeMean.Times} | **{Number(counted.StripeMean.Tables, "0.0")}** | {counted.StripeMean.Usual} | {counted.StripeMean.Most} | **{Number(counted.StripeMean.Queue, "0.0")}** |\n");
        var over = FrequentTypes(counted).Where(t => t.Value.Tables > 6).Select(t => $"`{t.Key}`").ToList();
        var rare = counted.Stripe.Where(t => t.Value.Tables > 6).Select(t => t.Key).Except(FrequentTypes(counted).Select(t => t.Key)).Select(t => $"`{t}`").ToList();
        text.Append($$"""

            More than six table requests on average: of the frequent types (2 % of all or more) {{(over.Count == 0 ? "none" : string.Join(", ", over))}}; of the rare ones {{(rare.Count == 0 ? "none" : string.Join(", ", rare))}}.
            What exceeds the usual is an event that starts a run, or comes while one is open and asks whether it must look; the looks themselves are counted below.

            | | times | table requests, mean | usual | most | queue operations |
            |---|---:|---:|---:|---:|---:|

            """);
        foreach (var (name, cost) in (IEnumerable<(string, Cost)>)
        [
            ("an app event that comes alone", counted.Alone),
            ($"a request with {Number(counted.BatchEvents / (double)counted.Batch.Times, "0.0")} app events of one user", counted.Batch),
            ("a user says who it is (identify)", counted.Identify),
            ("an event of the mail provider", counted.Mail),
        ]) text.Append($"| {name} | {cost.Times} | {Number(cost.Tables, "0.0")} | {cost.Usual} | {cost.Most} | {Number(cost.Queue, "0.0")} |\n");
        text.Append($$"""

            - **A look at a run** (a flow's step): {{Number(counted.Look.Tables, "0.0")}} table requests on average. {{counted.Look.Times}} looks sent {{counted.Look.Sum.Mails}} e-mails.
            - **The sweep**, once a day: four ranges of each of the 256 buckets, also of the empty ones, then {{Number(counted.SweptTables, "0.0")}} table requests for each customer (its row and its score are one batch; the rest is what open runs need), and {{Number(counted.SweepEnd.Tables, "0.0")}} at its end.
            - **Pages and API**, each view, with next to no rows; those that read all buckets need one more for each 1,000 rows of a bucket:

            | page | table requests |
            |---|---:|

            """);
        foreach (var (page, cost) in counted.Pages) text.Append($"| `{page}` | {Number(cost.Tables, "0")} |\n");
        text.Append($$"""

            ## What a customer does

            | assumption | value | | why |
            |---|---:|---|---|

            """);
        foreach (var (name, line) in sheet.Data.Workload) text.Append($"| `{name}` | {Number(line.Value, "0.######")} | {line.Unit} | {line.Why} |\n");
        text.Append("\n## Prices\n\n| price | dollars | for | source |\n|---|---:|---|---|\n");
        foreach (var line in sheet.Data.Prices.Values) text.Append($"| {line.What} | {Number(line.Price, "0.00######")} | a {line.Unit.TrimStart()} | {line.Source} |\n");
        text.Append($$"""

            Prices change, differ between regions by a few tenths, and are asked for at https://azure.microsoft.com/pricing. Those above were not read there by this project.

            ## How it is reckoned

            - **Functions, time.** An instance is billed while it works, at least a second for each stretch of work, rounded up to 100 ms (Microsoft Learn, "Flex Consumption plan hosting"); what overlaps is taken to be billed once. Handling takes tens of milliseconds, so a
              stretch is taken as a second. HTTP functions, the inbox and Durable have instances of their own. Events are taken to come independently of each other all day long; the busy seconds of a month are then
              `seconds × (1 − e^(−events ÷ seconds))`. Events that come in bursts overlap more and cost less, unless they need a second instance at once.
            - **Durable** on Azure Storage is reckoned from its documentation, not counted: a look is three executions, nine requests to queues and six to tables. While an instance lives it asks its queues at least every
              30 seconds (`maxQueuePollingInterval`), and the platform's scale controller about every 10; so the four partitions cost {{Dollars(DurableFloor(sheet))}} a month in any case. Two would save some 30 cents, and cannot be changed later without a new hub: not worth it.
            - **Waiting for sessions.** 64 receivers (`maxConcurrentSessions`) ask for a session once a minute; if Azure bills that, it is inside the 13 million of the base charge up to about 10,000 customers.
            - **Telemetry.** `host.json` logs no line for an execution that went well. Traces are to be sampled (`OTEL_TRACES_SAMPLER=parentbased_traceidratio`, `OTEL_TRACES_SAMPLER_ARG=0.1`); a daily cap bounds the rest.
            - **Storage** grows by {{Number(sheet.Workload("megabytesPerYear"), "0.0")}} MB and {{Whole(sheet.Workload("rowsPerYear"))}} rows for each customer and year, more than half of it the daily scores with their reasons, most of the rest the markers by which each app event counts once. Nothing is deleted, so the second year costs twice that line.
            - **Nightly export:** all rows are read, `rows ÷ 1,000` requests, and {{Number(sheet.Workload("exportShare") * 100, "0")}} % of their bytes kept for {{Number(sheet.Workload("exportDays"), "0")}} days. **Reconcile:** three days of events, one table request each.
            - **Summaries** (cohorts, recovery, reports of flows) at night: six ranges of each bucket, and as if every row of six summaries were read and written, though only what changed is.
            - **Not in it:** e-mail (SendGrid), Stripe's own fees, taxes, traffic out of Azure (100 GB a month are free), and everything that a dead letter or an attack brings.

            """);
        return text.ToString().ReplaceLineEndings("\n");
    }

    /// <summary>The types that are at least 2 % of all events of the story.</summary>
    public static IEnumerable<KeyValuePair<string, Cost>> FrequentTypes(CountedStory counted) => counted.Stripe.Where(t => t.Value.Times >= Frequent * counted.StripeMean.Times);

    private static double DurableFloor(CostSheet sheet) => sheet.Bill(0).Single(line => line.Line.StartsWith("Durable", StringComparison.Ordinal)).Dollars;

    private static string Row(Func<int, string> cell) => string.Join(" | ", CostSheet.Sizes.Select(cell));

    private static string Dollars(double dollars) => "$" + Number(dollars, dollars is > 0 and < 0.005 ? "0.000" : "#,##0.00");

    private static string Whole(double value) => Number(value, "#,##0");

    private static string Number(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);
}
