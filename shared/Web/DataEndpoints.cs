using System.Globalization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using RetentionFunctions.Export;
using RetentionFunctions.Import;
using RetentionFunctions.Intake;
using RetentionFunctions.Jobs;
using RetentionFunctions.Web.Pages;

namespace RetentionFunctions.Web;

/// <summary>Data in and out: the page and the API of imports and exports. An export is the founder's alone, and nothing on the way may keep it.</summary>
internal static class DataEndpoints
{
    // Around the file in a form: the token, the boundaries.
    private const int FormBytes = 64 * 1024;

    private static readonly string[] Look = ["GET", "HEAD"];

    public static void Map(IEndpointRouteBuilder endpoints)
    {
        var pages = endpoints.MapGroup("").RequireAdmin(AdminSurface.Page);
        pages.MapMethods("/import", Look, (HttpContext context, Imports _) => PageAsync(context, null));
        pages.MapPost("/import", UploadAsync).TakesUpTo(ImportFile.MaxBytes + FormBytes, ImportFile.TooLarge);
        pages.MapPost("/import/start", StartAsync);
        pages.MapPost("/import/discard", async (HttpContext context, Imports imports) =>
        {
            await imports.DiscardAsync(await PageEndpoints.FieldAsync(context, "file"), context.RequestAborted);
            return PageEndpoints.Back("/import", "discarded");
        });
        pages.MapGet("/export/csv", (DataExport export, TimeProvider clock) => Zip(export, clock));
        pages.MapGet("/export/json", (DataExport export, TimeProvider clock) => Lines(export, clock));
        pages.MapGet("/customers/{id}/export", (string id, DataExport export, CancellationToken cancel) => CustomerAsync(id, export, cancel));

        var api = endpoints.MapGroup("/api/v1").RequireAdmin(AdminSurface.Api);
        api.MapGet("/import", async (JobRunner jobs, CancellationToken cancel) => Json(ApiBackfill.Of(await jobs.StateAsync(ImportJob.JobName, cancel))));
        api.MapPost("/import", ImportAsync).TakesUpTo(ImportFile.MaxBytes, ImportFile.TooLarge);
        api.MapGet("/export", (string? format, DataExport export, TimeProvider clock) => format switch
        {
            "csv" => Zip(export, clock),
            "json" => Lines(export, clock),
            _ => WebErrors.Problem(400, $"format is csv (a zip with a file for each kind of row) or json (a line for each row), not '{format}'."),
        });
        api.MapGet("/customers/{id}/export", (string id, DataExport export, CancellationToken cancel) => CustomerAsync(id, export, cancel));
    }

    private static async Task<IResult> PageAsync(HttpContext context, ImportReading? wrong) => PageEndpoints.Render<ImportPage>(new()
    {
        [nameof(ImportPage.Frame)] = await PageFrame.OfAsync(context),
        [nameof(ImportPage.Waiting)] = await Service<Imports>(context).WaitingAsync(context.RequestAborted),
        [nameof(ImportPage.Job)] = await Service<JobRunner>(context).StateAsync(ImportJob.JobName, context.RequestAborted),
        [nameof(ImportPage.Wrong)] = wrong,
    }, wrong is null ? 200 : 400);

    private static async Task<IResult> UploadAsync(HttpContext context, Imports imports)
    {
        var form = await context.Request.ReadFormAsync(context.RequestAborted);
        if (form.Files["file"] is not { Length: > 0 } file) throw new BadHttpRequestException("No file was chosen, or it is empty. Go back and choose one.");
        if (file.Length > ImportFile.MaxBytes) throw new BadHttpRequestException(ImportFile.TooLarge, StatusCodes.Status413PayloadTooLarge);
        var bytes = new byte[file.Length];
        await using (var stream = file.OpenReadStream()) await stream.ReadExactlyAsync(bytes, context.RequestAborted);
        return await imports.KeepAsync(bytes, context.RequestAborted) switch
        {
            null => PageEndpoints.Back("/import", "imports-already"),
            { Reading: { IsSound: false } reading } => await PageAsync(context, reading),
            _ => PageEndpoints.Back("/import", null),
        };
    }

    private static async Task<IResult> StartAsync(HttpContext context, Imports imports) =>
        PageEndpoints.Back("/import", await imports.StartAsync(await PageEndpoints.FieldAsync(context, "file"), context.RequestAborted) switch
        {
            ImportStart.Begun => "importing",
            ImportStart.AnotherIsRunning => "imports-already",
            _ => "file-gone",
        });

    private static async Task<IResult> ImportAsync(HttpContext context, Imports imports)
    {
        var cancel = context.RequestAborted;
        if (context.Request.Query["dryRun"].ToString() is var asked && asked is not ("" or "true" or "false")) return WebErrors.Problem(400, $"dryRun is true or false, not '{asked}'.");
        if (await RequestBody.ReadAsync(context.Request, ImportFile.MaxBytes, cancel) is not { } file) return WebErrors.Problem(413, ImportFile.TooLarge);
        var dryRun = asked == "true";
        if ((dryRun ? await imports.CheckAsync(file, cancel) : await imports.KeepAsync(file, cancel)) is not var (reading, summary)) return AnotherIsRunning();
        if (!reading.IsSound)
            return Results.Problem(title: "Bad Request", statusCode: 400, type: "about:blank",
                detail: string.Create(CultureInfo.InvariantCulture, $"{reading.ProblemCount} {(reading.ProblemCount == 1 ? "mistake" : "mistakes")} in the file; nothing of it was written. The first: {reading.Problems[0]}"),
                extensions: new Dictionary<string, object?> { ["errors"] = reading.Problems.Select(p => new { row = p.Row, column = p.Column, message = p.Message }).ToList() });
        if (dryRun) return Json(ApiImport.Of("checked", summary));
        return await imports.StartAsync(summary.Id, cancel) switch
        {
            ImportStart.Begun => Results.Json(ApiImport.Of("importing", summary), ApiJson.Options, statusCode: StatusCodes.Status202Accepted),
            ImportStart.AnotherIsRunning => AnotherIsRunning(),
            _ => WebErrors.Problem(409, "Another file was uploaded at this moment and took the place of this one; nothing of this one was written. Ask again."),
        };
    }

    private static IResult AnotherIsRunning() => WebErrors.Problem(409, "Another file is being written at this moment; ask again when GET /api/v1/import says that it is done.");

    private static IResult Zip(DataExport export, TimeProvider clock) => new Download("application/zip", $"{Name(clock)}.zip", export.WriteZipAsync);

    private static IResult Lines(DataExport export, TimeProvider clock) => new Download("application/x-ndjson", $"{Name(clock)}.jsonl", export.WriteLinesAsync);

    private static async Task<IResult> CustomerAsync(string id, DataExport export, CancellationToken cancel) => await export.CustomerAsync(ApiEndpoints.Id(id), cancel) is { } customer
        ? new Download("application/json", "customer.json", (stream, token) => stream.WriteAsync(customer, token).AsTask())
        : throw new BadHttpRequestException($"There is no customer '{ApiEndpoints.Id(id)}'.", StatusCodes.Status404NotFound);

    private static string Name(TimeProvider clock) => $"retention-{clock.GetUtcNow().UtcDateTime:yyyy-MM-dd}";

    private static T Service<T>(HttpContext context) where T : notnull => (T)context.RequestServices.GetService(typeof(T))!;

    private static IResult Json<T>(T value) => Results.Json(value, ApiJson.Options);

    // Written as it is read, so that its size does not matter. That nobody keeps it says the header of all answers (no-store).
    private sealed class Download(string type, string name, Func<Stream, CancellationToken, Task> write) : IResult
    {
        public async Task ExecuteAsync(HttpContext context)
        {
            context.Response.ContentType = type;
            context.Response.Headers.ContentDisposition = $"attachment; filename=\"{name}\"";
            await write(context.Response.Body, context.RequestAborted);
        }
    }
}

/// <summary>What was made of a file.</summary>
/// <param name="Status"><c>checked</c>: nothing was written; <c>importing</c>: <c>GET /api/v1/import</c> says how far it is.</param>
/// <param name="Layout"><c>own, stripe_customers, stripe_subscriptions</c>.</param>
/// <param name="Rows">Rows below the header.</param>
/// <param name="Customers">How many customers.</param>
/// <param name="Subscriptions">How many subscriptions.</param>
/// <param name="Unpriced">Those of them of which the file says no amount.</param>
/// <param name="Erased">Customers who were erased, and are left out.</param>
/// <param name="Mrr">The MRR at this moment of all that is in the file, in minor units by currency.</param>
/// <param name="Ignored">Columns that are not read.</param>
internal sealed record ApiImport(string Status, string Layout, int Rows, int Customers, int Subscriptions, int Unpriced, int Erased, IReadOnlyDictionary<string, long> Mrr, IReadOnlyList<string> Ignored)
{
    internal static ApiImport Of(string status, ImportSummary of) =>
        new(status, Words.Of(of.Layout!.Value), of.Rows, of.Customers, of.Subscriptions, of.Unpriced, of.Erased, of.Mrr, of.Ignored);
}
