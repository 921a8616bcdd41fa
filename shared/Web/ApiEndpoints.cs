using System.Globalization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using RetentionFunctions.Customers;
using RetentionFunctions.Erasure;
using RetentionFunctions.Flows;
using RetentionFunctions.Health;
using RetentionFunctions.History;
using RetentionFunctions.Insight;
using RetentionFunctions.Intake;
using RetentionFunctions.Jobs;
using RetentionFunctions.Settings;

namespace RetentionFunctions.Web;

/// <summary>The JSON API under <c>/api/v1</c>. Its shapes are the records of <c>ApiRecords.cs</c>, pinned by tests.</summary>
internal static class ApiEndpoints
{
    public static void Map(IEndpointRouteBuilder endpoints)
    {
        var api = endpoints.MapGroup("/api/v1").RequireAdmin(AdminSurface.Api);
        api.MapGet("/customers", CustomersAsync);
        api.MapGet("/customers/{id}", CustomerAsync);
        api.MapDelete("/customers/{id}", EraseAsync);
        api.MapGet("/flows", FlowsAsync);
        api.MapPost("/flows/stop", StopAsync);
        api.MapGet("/dead-letters", DeadLettersAsync);
        api.MapPost("/dead-letters/{id}/replay", ReplayAsync);
        api.MapDelete("/dead-letters/{id}", DropAsync);
        api.MapGet("/counters", CountersAsync);
        api.MapGet("/metrics", MetricsAsync);
        api.MapGet("/health", async (HealthQueries health, RetentionSettings settings, CancellationToken cancel) => Json(ApiHealthReport.Of(await health.ReadAsync(cancel), settings)));
        api.MapGet("/cohorts", CohortsAsync);
        api.MapGet("/recovery", RecoveryAsync);
        api.MapGet("/flows/{name}/report", FlowReportAsync);
        api.MapGet("/system", async (SystemQueries system, WebActions actions, CancellationToken cancel) => Json(ApiSystem.Of(await system.ReadAsync(actions, cancel))));
        ReviewEndpoints.MapApi(api);
        api.MapGet("/backfill", async (JobRunner jobs, CancellationToken cancel) => Json(ApiBackfill.Of(await jobs.StateAsync(Backfill.JobName, cancel))));
        api.MapPost("/backfill", async (JobRunner jobs, TimeProvider clock, CancellationToken cancel) =>
        {
            await StartBackfillAsync(jobs, clock, cancel);
            return Json(ApiBackfill.Of(await jobs.StateAsync(Backfill.JobName, cancel)));
        });
        api.MapPost("/summaries/count", async (SummaryQueries summaries, CancellationToken cancel) =>
            await summaries.CountAsync(cancel) ? Results.Json(new ApiCounting("counting"), ApiJson.Options, statusCode: StatusCodes.Status202Accepted) : WebErrors.Problem(409, "The figures are being counted already; ask again in a minute."));
        api.MapPost("/sweep", async (WebActions actions, CancellationToken cancel) => Json(ApiSweep.Of(await actions.Sweep(cancel))));
    }

    /// <summary>Starts to read Stripe's history; false where it is being read.</summary>
    internal static Task<bool> StartBackfillAsync(JobRunner jobs, TimeProvider clock, CancellationToken cancel) =>
        jobs.StartAsync(Backfill.JobName, clock.GetUtcNow().ToString("O", CultureInfo.InvariantCulture), cancel);

    /// <summary>The filter that a query string asks for, or what is wrong with it. Shared with the page, whose addresses have the same names.</summary>
    internal static (CustomerFilter? Filter, string? Wrong) Filter(IQueryCollection query)
    {
        var filter = new CustomerFilter { Search = Text(query, "search"), After = Text(query, "after") };
        if (Text(query, "tier") is { } tier)
        {
            if (Words.Parse<HealthTier>(tier) is not { } value) return (null, $"tier is one of {Words.All<HealthTier>()}, not '{tier}'.");
            filter = filter with { Tier = value };
        }
        if (Text(query, "status") is { } status)
        {
            if (Words.Parse<CustomerStatus>(status) is not { } value) return (null, $"status is one of {Words.All<CustomerStatus>()}, not '{status}'.");
            filter = filter with { Status = value };
        }
        if (Text(query, "sort") is { } sort)
        {
            if (Words.Parse<CustomerSort>(sort) is not { } value) return (null, $"sort is one of {Words.All<CustomerSort>()}, not '{sort}'.");
            filter = filter with { Sort = value };
        }
        if (Text(query, "limit") is { } limit)
        {
            if (!int.TryParse(limit, NumberStyles.None, CultureInfo.InvariantCulture, out var value) || value is < 1 or > CustomerFilter.MaxLimit)
                return (null, $"limit is a whole number from 1 to {CustomerFilter.MaxLimit}, not '{limit}'.");
            filter = filter with { Limit = value };
        }
        return (filter, null);
    }

    /// <summary>A part of a path as it was meant: servers leave an encoded slash as it is, and ids of app events may hold one.</summary>
    internal static string Id(string part) => part.Replace("%2F", "/", StringComparison.OrdinalIgnoreCase);

    private static async Task<IResult> CustomersAsync(HttpRequest request, CustomerQueries queries, CancellationToken cancel)
    {
        var (filter, wrong) = Filter(request.Query);
        if (filter is null) return WebErrors.Problem(400, wrong!);
        // A person reads a page; a program that did not ask for pages wants as many as there may be.
        if (Text(request.Query, "limit") is null) filter = filter with { Limit = CustomerFilter.MaxLimit };
        if (await queries.ListAsync(filter, cancel) is not { } page)
            return WebErrors.Problem(400, $"after is the id of the last customer of the page before; there is no customer '{filter.After}'. Begin again without it.");
        // Lists are plain arrays; what belongs to the page and not to the customers stands in headers (RFC 8288).
        var headers = request.HttpContext.Response.Headers;
        headers["X-Total-Count"] = page.Matching.ToString(CultureInfo.InvariantCulture);
        if (page.Next is { } next)
            headers.Link = $"<{request.PathBase.Add(request.Path)}{QueryString.Create(request.Query.Where(q => q.Key != "after").Append(new("after", next)))}>; rel=\"next\"";
        return Json(page.Lines.Select(ApiCustomer.Of).ToList());
    }

    private static async Task<IResult> CustomerAsync(string id, CustomerQueries queries, CancellationToken cancel) =>
        await queries.GetAsync(Id(id), cancel) is { } detail ? Json(new ApiCustomerDetail(detail)) : WebErrors.Problem(404, $"There is no customer '{Id(id)}'.");

    private static async Task<IResult> EraseAsync(string id, CustomerErasure erasure, CancellationToken cancel) => await erasure.BeginAsync(Id(id), cancel) switch
    {
        ErasureStart.Begun => Results.Json(new ApiErasure("erasing"), ApiJson.Options, statusCode: StatusCodes.Status202Accepted),
        ErasureStart.AnotherIsRunning => WebErrors.Problem(409, "Another customer is being erased at this moment; ask again in a minute."),
        _ => WebErrors.Problem(404, $"There is no customer '{Id(id)}'."),
    };

    private static async Task<IResult> FlowsAsync(HttpRequest request, RunQueries runs, CancellationToken cancel) =>
        Json((Text(request.Query, "customer") is { } customer ? await runs.OfAsync(customer, cancel) : await runs.OpenAsync(cancel)).Select(ApiFlow.Of).ToList());

    private static async Task<IResult> StopAsync(HttpRequest request, WebActions actions, CancellationToken cancel)
    {
        if (Text(request.Query, "customer") is not { } customer || Text(request.Query, "flow") is not { } flow || Text(request.Query, "occasion") is not { } occasion)
            return WebErrors.Problem(400, "Say which run by ?customer=…&flow=…&occasion=…, as GET /api/v1/flows lists them.");
        return await actions.StopRun(new RunId(customer, flow, occasion), cancel)
            ? Json(new ApiStopped(true))
            : WebErrors.Problem(404, $"The customer '{customer}' has no open run of the flow '{flow}' for '{occasion}'.");
    }

    private static async Task<IResult> DeadLettersAsync(DeadLetters letters, CancellationToken cancel) =>
        Json((await letters.ListAsync(cancel)).Select(ApiDeadLetter.Of).ToList());

    private static async Task<IResult> MetricsAsync(HttpRequest request, MetricsQueries metrics, HealthQueries health, RetentionSettings settings, TimeProvider clock, CancellationToken cancel)
    {
        var (asked, wrong) = ApiMetrics.Request(request.Query, clock.GetUtcNow(), settings.Insight);
        if (asked is null) return WebErrors.Problem(400, wrong!);
        var use = await health.OfMonthsAsync(asked.From, asked.To, cancel);
        if (asked.Currency == MetricsRequest.Converted)
        {
            var converted = Conversion.Of(await metrics.MonthsAsync(asked with { Currency = null }, cancel), settings.Insight);
            return converted.Missing.Count > 0 ? WebErrors.Problem(400, ApiMetrics.Lacks(converted.Missing)) : Json(converted.Months.Select(m => WithUse(ApiMetrics.Of(m), m.Month)));
        }
        var months = await metrics.MonthsAsync(asked, cancel);
        return Json(months.Select(m => WithUse(ApiMetrics.Of(m), m)));

        ApiMetrics WithUse(ApiMetrics told, MetricsMonth month)
        {
            var totals = use.GetValueOrDefault(month.All.Month);
            return told with { Wau = totals?.Wau, Mau = totals?.Mau, UnknownUse = totals?.UnknownUse };
        }
    }

    private static async Task<IResult> CohortsAsync(HttpRequest request, CohortQueries cohorts, RetentionSettings settings, CancellationToken cancel)
    {
        var (asked, wrong) = ApiCohorts.Request(request.Query, settings.Customers);
        return asked is null ? WebErrors.Problem(400, wrong!) : Json(ApiCohorts.Of(await cohorts.ReadAsync(asked, cancel)));
    }

    private static async Task<IResult> RecoveryAsync(HttpRequest request, RecoveryQueries recovery, TimeProvider clock, CancellationToken cancel)
    {
        var (asked, wrong) = ApiRecovery.Request(request.Query, clock.GetUtcNow());
        return asked is null ? WebErrors.Problem(400, wrong!) : Json(ApiRecovery.Of(await recovery.ReadAsync(asked, cancel), asked));
    }

    private static async Task<IResult> FlowReportAsync(string name, FlowQueries flows, CancellationToken cancel) => await flows.ReportAsync(Id(name), cancel) is var (report, definition, counted)
        ? Json(ApiFlowReport.Of(report, definition, counted))
        : WebErrors.Problem(404, $"There is no flow '{Id(name)}': neither the settings nor any run counted so far know it.");

    private static async Task<IResult> CountersAsync(IntakeCounters counters, CancellationToken cancel) => Json(await counters.ListAsync(cancel));

    private static async Task<IResult> ReplayAsync(string id, DeadLetters letters, CancellationToken cancel) =>
        await letters.ReplayAsync(Id(id), cancel) ? Json(new ApiDeadLetterResult(Id(id), "replayed")) : WebErrors.Problem(404, $"There is no dead letter '{Id(id)}'.");

    private static async Task<IResult> DropAsync(string id, DeadLetters letters, CancellationToken cancel)
    {
        if (await letters.GetAsync(Id(id), cancel) is null) return WebErrors.Problem(404, $"There is no dead letter '{Id(id)}'.");
        await letters.DropAsync(Id(id), cancel);
        return Json(new ApiDeadLetterResult(Id(id), "dropped"));
    }

    private static string? Text(IQueryCollection query, string name) => query[name].ToString() is { Length: > 0 } text ? text : null;

    private static IResult Json<T>(T value) => Results.Json(value, ApiJson.Options);
}
