using System.Globalization;
using System.Net;
using RetentionFunctions.Email;
using RetentionFunctions.Local.Demo;
using RetentionFunctions.Local.Sandbox;
using RetentionFunctions.Local.Sqlite;
using RetentionFunctions.Web;

namespace RetentionFunctions.Local;

/// <summary>What only the local host has: the outbox as JSON, and the clock.</summary>
public static class LocalEndpoints
{
    /// <summary>Adds <c>/local/*</c>.</summary>
    public static void Map(IEndpointRouteBuilder routes)
    {
        var local = routes.MapGroup("/local");
        local.MapGet("/outbox", OutboxAsync).RequireAdmin(AdminSurface.Api);
        local.MapPost("/mail-events", ReportAsync).RequireAdmin(AdminSurface.Api);
        local.MapGet("/clock", (LocalClock clock) => new ClockAnswer(clock.GetUtcNow(), clock.IsSimulated)).RequireAdmin(AdminSurface.Api);
        local.MapPost("/clock", MoveAsync).RequireAdmin(AdminSurface.Api);
    }

    private static async Task<IResult> OutboxAsync(SqliteOutbox outbox, int? limit, long? before, CancellationToken cancel) =>
        Results.Json((await outbox.ListAsync(Math.Clamp(limit ?? 1000, 1, 10_000), before, cancel)).Select(sent => new OutboxAnswer(
            sent.Email.Id, sent.Email.To.Address, sent.Email.Subject, sent.Email.Template, sent.Email.Flow, sent.Email.Step, sent.SentAt, sent.Email.CustomerId, sent.Email.From.Address,
            sent.Email.Kind == MailKind.Marketing ? "marketing" : "transactional", sent.Email.Headers, sent.Email.Links, sent.Email.Text, sent.Email.Html)));

    private static async Task<IResult> ReportAsync(MailReport report, SandboxMail sandbox, CancellationToken cancel)
    {
        if (report is not { Id: { Length: > 0 } id, Event: { Length: > 0 } happened })
            return Wrong(400, "Say which e-mail and what happened to it: {\"id\":\"…\",\"event\":\"open\"}; also delivered, click, bounce, blocked, dropped, spamreport, unsubscribe. The ids are those of /local/outbox.");
        return await sandbox.ReportAsync(id, happened, report.At, report.Url, cancel) is var (status, text)
            ? Results.Text(text, "application/json", statusCode: (int)status)
            : Wrong(404, $"There is no e-mail '{id}' in the outbox.");
    }

    private static async Task<IResult> MoveAsync(ClockMove move, LocalClock clock, DemoPlayer demo, CancellationToken cancel)
    {
        if (!clock.IsSimulated) return Wrong(409, "This host runs on the real clock. Start it with --clock 2026-01-01T00:00:00Z to move the time.");
        var now = clock.GetUtcNow();
        DateTimeOffset to;
        if (move is { Advance: { } advance, To: null })
        {
            if (!TimeSpan.TryParse(advance, CultureInfo.InvariantCulture, out var span) || span < TimeSpan.Zero || span > TimeSpan.FromDays(3660))
                return Wrong(400, $"'{advance}' is not a span of time from 0 to ten years. Example: {{\"advance\":\"3.00:00:00\"}} for three days.");
            to = now + span;
        }
        else if (move is { To: { } target, Advance: null })
        {
            to = target.ToUniversalTime();
            if (to < now) return Wrong(400, $"The clock stands at {now:O} and never goes back.");
        }
        else
        {
            return Wrong(400, "Say either {\"advance\":\"3.00:00:00\"} or {\"to\":\"2026-02-01T09:00:00Z\"}.");
        }
        await demo.AdvanceAsync(to, cancel);
        return Results.Json(new ClockAnswer(clock.GetUtcNow(), true));
    }

    private static IResult Wrong(int status, string error) => Results.Json(new { error }, statusCode: status);

    // Without an icon of its own a browser asks for /favicon.ico, which is not there.
    internal static IResult Page(string title, string body, int status = (int)HttpStatusCode.OK) => Results.Content(
        $"<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>{title}</title><link rel=\"icon\" href=\"data:,\"><link rel=\"stylesheet\" href=\"/links.css\"><main><h1>{title}</h1>{body}</main></html>",
        "text/html; charset=utf-8", statusCode: status);

    private sealed record OutboxAnswer(string Id, string To, string Subject, string Template, string Flow, int Step, DateTimeOffset At, string CustomerId, string From, string Kind,
        IReadOnlyDictionary<string, string> Headers, IReadOnlyDictionary<string, string> Links, string Text, string Html);

    private sealed record ClockAnswer(DateTimeOffset Now, bool Simulated);

    private sealed record MailReport(string? Id, string? Event, DateTimeOffset? At, string? Url);

    private sealed record ClockMove(string? Advance, DateTimeOffset? To);
}
