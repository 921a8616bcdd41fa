using System.Globalization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Components;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Configuration;
using RetentionFunctions.Customers;
using RetentionFunctions.Erasure;
using RetentionFunctions.Flows;
using RetentionFunctions.History;
using RetentionFunctions.Insight;
using RetentionFunctions.Intake;
using RetentionFunctions.Jobs;
using RetentionFunctions.Settings;
using RetentionFunctions.Storage;
using RetentionFunctions.Web.Pages;

namespace RetentionFunctions.Web;

/// <summary>The founder's pages: rendered on the server, no script. A GET shows, a POST acts and leads back to a page (303).</summary>
internal static class PageEndpoints
{
    // Raw bodies are looked at, not read to the end: the whole of it comes with a replay.
    private const int BodyCharacters = 4_000;
    private const int LettersShown = 50;
    private const int EndedShown = 100;
    private const int OpenShown = 500;

    private static readonly string[] Look = ["GET", "HEAD"];

    public static void Map(IEndpointRouteBuilder endpoints)
    {
        var pages = endpoints.MapGroup("").RequireAdmin(AdminSurface.Page);
        pages.MapMethods("/", Look, OverviewAsync);
        pages.MapMethods("/customers", Look, CustomersAsync).Takes("show", "tier", "status", "search", "sort", "after", "limit");
        pages.MapMethods("/customers/{id}", Look, CustomerAsync).Takes("show");
        pages.MapMethods("/runs", Look, RunsAsync);
        pages.MapMethods("/flows", Look, FlowsAsync);
        pages.MapMethods("/flows/{name}", Look, FlowAsync);
        pages.MapMethods("/metrics", Look, MetricsAsync).Takes("month", "formula", "currency", "from", "to");
        pages.MapMethods("/health", Look, HealthAsync);
        pages.MapMethods("/cohorts", Look, CohortsAsync).Takes("by", "currency", "split", "value");
        pages.MapMethods("/recovery", Look, RecoveryAsync).Takes("from", "to", "currency");
        pages.MapMethods("/system", Look, SystemAsync);
        pages.MapMethods("/settings", Look, SettingsAsync).Takes("show");
        pages.MapMethods("/history", Look, HistoryAsync);
        pages.MapMethods("/dead-letters", Look, DeadLettersAsync);
        pages.MapMethods("/outbox", Look, OutboxAsync);
        pages.MapMethods("/outbox/{id}", Look, MailAsync);
        pages.MapMethods("/outbox/{id}/body", Look, MailBodyAsync);
        ReviewEndpoints.MapPages(pages);
        pages.MapPost("/runs/stop", StopAsync);
        pages.MapPost("/dead-letters/replay", async (HttpContext context, DeadLetters letters) =>
            Back("/dead-letters", await letters.ReplayAsync(await FieldAsync(context, "id"), context.RequestAborted) ? "replayed" : "gone"));
        pages.MapPost("/dead-letters/drop", async (HttpContext context, DeadLetters letters) =>
        {
            await letters.DropAsync(await FieldAsync(context, "id"), context.RequestAborted);
            return Back("/dead-letters", "dropped");
        });
        pages.MapPost("/history/start", async (JobRunner jobs, TimeProvider clock, CancellationToken cancel) =>
            Back("/history", await ApiEndpoints.StartBackfillAsync(jobs, clock, cancel) ? "reading" : "reads-already"));
        pages.MapPost("/notes/done", NoteDoneAsync);
        pages.MapPost("/customers/erase", EraseAsync);
        pages.MapPost("/system/jobs", StartJobAsync);
        pages.MapPost("/summaries/count", async (HttpContext context, SummaryQueries summaries) =>
            Back(OwnPath(await FieldAsync(context, "back")), await summaries.CountAsync(context.RequestAborted) ? "counting" : "counting-already"));
        pages.MapPost("/system/restore", RestoreAsync);
        pages.MapPost("/clock/advance", AdvanceAsync);
    }

    /// <summary>A component as a whole page.</summary>
    public static IResult Render<T>(Dictionary<string, object?> parameters, int status = 200) where T : IComponent =>
        new RazorComponentResult<T>(parameters) { StatusCode = status, PreventStreamingRendering = true };

    /// <summary>The address of a page of customers with this filter; what is at its default is left out.</summary>
    public static string CustomersAddress(string? show, CustomerFilter filter, string? after = null) =>
        "/customers" + QueryString.Create(new Dictionary<string, string?>
        {
            ["show"] = show,
            ["tier"] = filter.Tier is { } tier ? Words.Of(tier) : null,
            ["status"] = filter.Status is { } status ? Words.Of(status) : null,
            ["search"] = filter.Search,
            ["sort"] = filter.Sort == CustomerSort.Risk ? null : Words.Of(filter.Sort),
            ["after"] = after,
        }.Where(p => !string.IsNullOrEmpty(p.Value))).Value;

    /// <summary>A path of our own, whatever a form says: nobody is led elsewhere.</summary>
    internal static string OwnPath(string? address) =>
        address is ['/', not ('/' or '\\'), ..] && !address.Any(char.IsControl) ? address : "/";

    private static async Task<IResult> OverviewAsync(HttpContext context, CustomerQueries queries, RunQueries runs, FlowQueries flows, IntakeCounters counters, TimeProvider clock, RetentionSettings settings)
    {
        var now = clock.GetUtcNow();
        var rows = await OverviewRows.ReadAsync(queries, runs, flows, counters, now, context.RequestAborted);
        var frame = await PageFrame.OfAsync(context);
        if (frame.Demo is { Playing: true }) context.Response.Headers.ContentSecurityPolicy = SecurityHeaders.PolicyOfProgress;
        var overview = Overview.Of(rows, SendTime.Zone(null, settings.Product.TimeZone), now);
        return Render<OverviewPage>(new()
        {
            [nameof(OverviewPage.Frame)] = frame,
            [nameof(OverviewPage.O)] = overview,
            [nameof(OverviewPage.AtRisk)] = await queries.TheseAsync(overview.AtRisk.Select(c => c.Id), context.RequestAborted),
            [nameof(OverviewPage.Failing)] = await queries.TheseAsync(overview.Failing.Select(c => c.Id), context.RequestAborted),
        });
    }

    private static async Task<IResult> CustomersAsync(HttpContext context, CustomerQueries queries)
    {
        var cancel = context.RequestAborted;
        var (filter, wrong) = ApiEndpoints.Filter(context.Request.Query);
        if (filter is null) throw new BadHttpRequestException(wrong!);
        // Those who are gone are not at risk any more: they are shown when asked for.
        var everyone = IsShown(context, "all") || filter.Status is not null;
        filter = filter with { CurrentOnly = !everyone };
        var page = await queries.ListAsync(filter, cancel) ?? (await queries.ListAsync(filter = filter with { After = null }, cancel))!;
        return Render<CustomersPage>(new()
        {
            [nameof(CustomersPage.Frame)] = await PageFrame.OfAsync(context),
            [nameof(CustomersPage.Customers)] = page,
            [nameof(CustomersPage.Filter)] = filter,
        });
    }

    private static async Task<IResult> CustomerAsync(string id, HttpContext context, CustomerQueries queries)
    {
        if (await queries.GetAsync(ApiEndpoints.Id(id), context.RequestAborted) is not { } detail) return NotThere("There is no such customer. It may not have been heard of yet: its first Stripe event makes it.");
        TimeEntryKind? kind = context.Request.Query["show"].ToString() is not { Length: > 0 } shown ? null
            : Words.Parse<TimeEntryKind>(shown) ?? throw new BadHttpRequestException($"show is one of {Words.All<TimeEntryKind>()}, not '{shown}'.");
        return Render<CustomerPage>(new()
        {
            [nameof(CustomerPage.Frame)] = await PageFrame.OfAsync(context),
            [nameof(CustomerPage.Detail)] = detail,
            [nameof(CustomerPage.Kind)] = kind,
        });
    }

    private static async Task<IResult> RunsAsync(HttpContext context, RunQueries runs, CustomerQueries customers)
    {
        var rows = await runs.PageAsync(OpenShown, EndedShown, context.RequestAborted);
        return Render<RunsPage>(new()
        {
            [nameof(RunsPage.Frame)] = await PageFrame.OfAsync(context),
            [nameof(RunsPage.Rows)] = rows,
            [nameof(RunsPage.Names)] = await customers.NamesAsync(rows.Open.Concat(rows.Ended).Select(r => r.Id.CustomerId), context.RequestAborted),
        });
    }

    private static async Task<IResult> FlowsAsync(HttpContext context, RunQueries runs, RetentionSettings settings) => Render<FlowsPage>(new()
    {
        [nameof(FlowsPage.Frame)] = await PageFrame.OfAsync(context),
        [nameof(FlowsPage.Flows)] = FlowFigures.Of(settings.Flows.Definitions, await runs.TalliesAsync(context.RequestAborted)),
        [nameof(FlowsPage.Mode)] = settings.Flows.Mode,
    });

    private static async Task<IResult> FlowAsync(string name, HttpContext context, FlowQueries flows)
    {
        if (await flows.ReportAsync(ApiEndpoints.Id(name), context.RequestAborted) is not var (report, definition, counted)) return NotThere("There is no such flow: neither the settings nor any run counted so far know it.");
        return Render<FlowPage>(new()
        {
            [nameof(FlowPage.Frame)] = await PageFrame.OfAsync(context),
            [nameof(FlowPage.Report)] = report,
            [nameof(FlowPage.Definition)] = definition,
            [nameof(FlowPage.Counted)] = counted,
        });
    }

    private static async Task<IResult> RecoveryAsync(HttpContext context, RecoveryQueries recovery, TimeProvider clock)
    {
        var (request, wrong) = ApiRecovery.Request(context.Request.Query, clock.GetUtcNow());
        if (request is null) throw new BadHttpRequestException(wrong!);
        // All currencies: the page leads from one to the other.
        return Render<RecoveryPage>(new()
        {
            [nameof(RecoveryPage.Frame)] = await PageFrame.OfAsync(context),
            [nameof(RecoveryPage.Request)] = request,
            [nameof(RecoveryPage.Counted)] = await recovery.ReadAsync(request with { Currency = null }, context.RequestAborted),
        });
    }

    private static async Task<IResult> SystemAsync(HttpContext context, SystemQueries queries, WebActions actions) => Render<SystemPage>(new()
    {
        [nameof(SystemPage.Frame)] = await PageFrame.OfAsync(context),
        [nameof(SystemPage.S)] = await queries.ReadAsync(actions, context.RequestAborted),
        [nameof(SystemPage.Restore)] = actions.Backups.Restore is not null,
        [nameof(SystemPage.How)] = actions.Backups.How,
    });

    private static async Task<IResult> MetricsAsync(HttpContext context, MetricsQueries metrics, HealthQueries health, RetentionSettings settings, TimeProvider clock)
    {
        var query = context.Request.Query;
        var (request, wrong) = ApiMetrics.Request(query, clock.GetUtcNow(), settings.Insight);
        if (request is null) throw new BadHttpRequestException(wrong!);
        Month? told = query["month"].ToString() is not { Length: > 0 } asked ? null
            : Month.TryParse(asked, out var month) ? month : throw new BadHttpRequestException($"month is one such as {Month.Of(clock.GetUtcNow())}, not '{asked}'.");
        // All currencies: the page leads from one to the other.
        return Render<MetricsPage>(new()
        {
            [nameof(MetricsPage.Frame)] = await PageFrame.OfAsync(context),
            [nameof(MetricsPage.Request)] = request,
            [nameof(MetricsPage.All)] = await metrics.MonthsAsync(request with { Currency = null }, context.RequestAborted),
            [nameof(MetricsPage.Use)] = await health.OfMonthsAsync(request.From, request.To, context.RequestAborted),
            [nameof(MetricsPage.Settings)] = settings.Insight,
            [nameof(MetricsPage.Told)] = told,
        });
    }

    private static async Task<IResult> HealthAsync(HttpContext context, HealthQueries health, RetentionSettings settings) => Render<HealthPage>(new()
    {
        [nameof(HealthPage.Frame)] = await PageFrame.OfAsync(context),
        [nameof(HealthPage.R)] = await health.ReadAsync(context.RequestAborted),
        [nameof(HealthPage.Settings)] = settings,
    });
    private static async Task<IResult> CohortsAsync(HttpContext context, CohortQueries cohorts, RetentionSettings settings)
    {
        var query = context.Request.Query;
        var (request, wrong) = ApiCohorts.Request(query, settings.Customers);
        if (request is null) throw new BadHttpRequestException(wrong!);
        var counted = await cohorts.ReadAsync(request, context.RequestAborted);
        var value = query["value"].ToString();
        if (value.Length > 0 && !counted.Groups.Any(g => (g.Value ?? CohortsPage.Unknown) == value))
            throw new BadHttpRequestException(request.Split is null || counted.Groups.Count == 0 ? "value is one of a split's, and nothing is split here." : $"value is one of {string.Join(", ", counted.Groups.Select(g => g.Value).OfType<string>())}, not '{value}'.");
        return Render<CohortsPage>(new()
        {
            [nameof(CohortsPage.Frame)] = await PageFrame.OfAsync(context),
            [nameof(CohortsPage.C)] = counted,
            [nameof(CohortsPage.Splits)] = CustomerTraits.Names(settings.Customers),
            [nameof(CohortsPage.Value)] = value,
        });
    }

    private static async Task<IResult> SettingsAsync(HttpContext context, RetentionSettings settings, IConfiguration configuration) => Render<SettingsPage>(new()
    {
        [nameof(SettingsPage.Frame)] = await PageFrame.OfAsync(context),
        [nameof(SettingsPage.All)] = SettingsReport.Of(configuration, settings),
        [nameof(SettingsPage.Changed)] = IsShown(context, "changed"),
    });

    // Whether the one other view of a page is asked for.
    private static bool IsShown(HttpContext context, string other) => context.Request.Query["show"].ToString() is { Length: > 0 } show
        && (show == other ? true : throw new BadHttpRequestException($"show is {other} or left out, not '{show}'."));

    private static async Task<IResult> HistoryAsync(HttpContext context, JobRunner jobs, RetentionSettings settings) => Render<HistoryPage>(new()
    {
        [nameof(HistoryPage.Frame)] = await PageFrame.OfAsync(context),
        [nameof(HistoryPage.Backfill)] = await jobs.StateAsync(Backfill.JobName, context.RequestAborted),
        [nameof(HistoryPage.Reconcile)] = await jobs.StateAsync(Reconcile.JobName, context.RequestAborted),
        [nameof(HistoryPage.Years)] = settings.Stripe.HistoryYears,
    });

    private static async Task<IResult> DeadLettersAsync(HttpContext context, DeadLetters letters)
    {
        var all = await letters.ListAsync(context.RequestAborted);
        var shown = new List<ShownLetter>();
        foreach (var letter in all.Take(LettersShown))
        {
            var body = await letters.GetAsync(letter.Id, context.RequestAborted) is var (_, bytes) ? System.Text.Encoding.UTF8.GetString(bytes.Span) : "";
            shown.Add(new ShownLetter(letter, body.Length <= BodyCharacters ? body : body[..BodyCharacters], body.Length));
        }
        return Render<DeadLettersPage>(new()
        {
            [nameof(DeadLettersPage.Frame)] = await PageFrame.OfAsync(context),
            [nameof(DeadLettersPage.Letters)] = shown,
            [nameof(DeadLettersPage.Total)] = all.Count,
        });
    }

    private static async Task<IResult> OutboxAsync(HttpContext context, WebActions actions)
    {
        if (actions.Outbox is not { } outbox) return NotThere("This host has no outbox: its e-mails are sent.");
        return Render<OutboxPage>(new() { [nameof(OutboxPage.Frame)] = await PageFrame.OfAsync(context), [nameof(OutboxPage.Mails)] = await outbox.List(context.RequestAborted) });
    }

    private static async Task<IResult> MailAsync(string id, HttpContext context, WebActions actions)
    {
        if (actions.Outbox is not { } outbox || await outbox.Get(ApiEndpoints.Id(id), context.RequestAborted) is not { } mail) return NotThere("There is no such e-mail in the outbox.");
        context.Response.Headers.ContentSecurityPolicy = SecurityHeaders.PolicyOfMailPage;
        return Render<MailPage>(new() { [nameof(MailPage.Frame)] = await PageFrame.OfAsync(context), [nameof(MailPage.Mail)] = mail });
    }

    private static async Task<IResult> MailBodyAsync(string id, HttpContext context, WebActions actions)
    {
        if (actions.Outbox is not { } outbox || await outbox.Get(ApiEndpoints.Id(id), context.RequestAborted) is not { } mail) return NotThere("There is no such e-mail in the outbox.");
        context.Response.Headers.ContentSecurityPolicy = SecurityHeaders.PolicyOfMail;
        return Results.Content(WithLinksInNewTab(mail.Email.Html), "text/html; charset=utf-8");
    }

    // A link of the e-mail would open inside the frame, where our own pages refuse to be shown.
    private static string WithLinksInNewTab(string html)
    {
        const string Base = "<base target=\"_blank\">";
        var head = html.IndexOf("<head>", StringComparison.OrdinalIgnoreCase);
        return head < 0 ? Base + html : html.Insert(head + "<head>".Length, Base);
    }

    private static async Task<IResult> StopAsync(HttpContext context, WebActions actions)
    {
        var run = new RunId(await FieldAsync(context, "customer"), await FieldAsync(context, "flow"), await FieldAsync(context, "occasion"));
        var stopped = await actions.StopRun(run, context.RequestAborted);
        return Back(OwnPath(context.Request.Form["back"]), stopped ? "stopped" : "not-open");
    }

    // Which of two clicks comes last decides; the first moment of "done" is kept.
    private static async Task<IResult> NoteDoneAsync(HttpContext context, ITables tables, TimeProvider clock)
    {
        var done = await FieldAsync(context, "done") == "yes";
        var note = await tables.ChangeAsync<Note>(Keys.Note(await FieldAsync(context, "customer"), await FieldAsync(context, "note")),
            found => found is null || done == found.DoneAt is not null ? null : found with { DoneAt = done ? clock.GetUtcNow() : null }, context.RequestAborted);
        return Back(OwnPath(context.Request.Form["back"]), note is null ? "no-note" : done ? "done" : "open");
    }

    // By hand only what is done every night anyway: other jobs have pages of their own, which say what they do.
    private static async Task<IResult> StartJobAsync(HttpContext context, IEnumerable<IJob> jobs, JobRunner runner, TimeProvider clock)
    {
        var name = await FieldAsync(context, "job");
        if (!jobs.Any(job => job is INightlyJob && job.Name == name)) throw new BadHttpRequestException("There is no such nightly job.");
        return Back("/system", await runner.StartAsync(name, $"by hand {clock.GetUtcNow().UtcDateTime:O}", context.RequestAborted) ? "job-started" : "job-running");
    }

    private static async Task<IResult> EraseAsync(HttpContext context, CustomerErasure erasure)
    {
        var id = await FieldAsync(context, "customer");
        if (context.Request.Form["confirm"].ToString().Trim() != id) return Back($"/customers/{Uri.EscapeDataString(id)}", "not-confirmed");
        return await erasure.BeginAsync(id, context.RequestAborted) switch
        {
            ErasureStart.Begun => Back("/system", "erasing"),
            ErasureStart.AnotherIsRunning => Back($"/customers/{Uri.EscapeDataString(id)}", "erasing-another"),
            _ => NotThere("There is no such customer any more."),
        };
    }

    private static async Task<IResult> RestoreAsync(HttpContext context, WebActions actions)
    {
        if (actions.Backups.Restore is not { } restore) return NotThere("This host is put back to a backup when it starts: --restore FILE.");
        var backup = await FieldAsync(context, "backup");
        if (context.Request.Form["confirm"].ToString().Trim() != backup) return Back("/system", "not-confirmed");
        if ((await actions.Backups.List(context.RequestAborted)).All(kept => kept.Name != backup)) return NotThere("There is no such backup any more.");
        return Back("/system", await restore(backup, context.RequestAborted) ? "restore-started" : "job-running");
    }

    private static async Task<IResult> AdvanceAsync(HttpContext context, WebActions actions)
    {
        if (actions.AdvanceClock is not { } advance) return NotThere("This host runs on the real clock, which cannot be moved.");
        if (!int.TryParse(await FieldAsync(context, "days"), NumberStyles.None, CultureInfo.InvariantCulture, out var days) || days is < 1 or > 366)
            throw new BadHttpRequestException("days is a whole number from 1 to 366.");
        // It would wait until the year is played.
        if (actions.Demo is { } demo && await demo(context.RequestAborted) is { Playing: true })
            throw new BadHttpRequestException("A demo year is being played, and moves the clock. When it is over the clock is yours.", StatusCodes.Status409Conflict);
        await advance(TimeSpan.FromDays(days), context.RequestAborted);
        return Back(OwnPath(context.Request.Form["back"]), null);
    }

    internal static async Task<string> FieldAsync(HttpContext context, string name) =>
        (await context.Request.ReadFormAsync(context.RequestAborted))[name].ToString() is { Length: > 0 } text ? text : throw new BadHttpRequestException($"The form lacks its field '{name}'.");

    internal static SeeOther Back(string path, string? done)
    {
        if (done is null) return new SeeOther(path);
        var bare = path.Split('?')[0];
        return new SeeOther($"{bare}?done={done}");
    }

    private static IResult NotThere(string text) => new ErrorPage(404, text);

    private sealed class ErrorPage(int status, string text) : IResult
    {
        public Task ExecuteAsync(HttpContext context) => WebErrors.WriteAsync(context, status, text);
    }
}

/// <summary>A dead letter with the beginning of its body.</summary>
/// <param name="Letter">The letter.</param>
/// <param name="Body">The beginning of the raw body, as text.</param>
/// <param name="Characters">How many characters all of it has.</param>
public sealed record ShownLetter(DeadLetter Letter, string Body, int Characters);
