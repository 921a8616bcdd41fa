using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using RetentionFunctions.Intake.App;
using RetentionFunctions.Intake.Stripe;
using RetentionFunctions.Settings;
using RetentionFunctions.Storage;

namespace RetentionFunctions.Intake;

/// <summary>The doors: check, put into the inbox, answer. Nothing is handled here.</summary>
public sealed class IntakeEndpoints(IInbox inbox, BodyStore bodies, StripeMode mode, IntakeCounters counters, RetentionSettings settings, TimeProvider clock)
{
    /// <summary>Adds <c>POST /stripe/webhook</c> and Segment's <c>POST /v1/{call}</c>.</summary>
    public static void Map(IEndpointRouteBuilder routes)
    {
        routes.MapPost("/stripe/webhook", (HttpContext context, IntakeEndpoints doors) => doors.StripeAsync(context));
        routes.MapPost("/v1/{call:regex(^(track|identify|page|screen|group|alias|batch)$)}", (string call, HttpContext context, IntakeEndpoints doors) => doors.AppAsync(call, context));
    }

    private async Task<IResult> StripeAsync(HttpContext context)
    {
        var cancel = context.RequestAborted;
        if (await RequestBody.ReadAsync(context.Request, settings.Web.MaxStripeBodyBytes, cancel) is not { } body)
            return Refuse(StatusCodes.Status413PayloadTooLarge, $"The body is larger than {settings.Web.MaxStripeBodyBytes} bytes (setting Web:MaxStripeBodyBytes).");
        var now = clock.GetUtcNow();
        if (StripeSignature.Verify(body.Span, context.Request.Headers[StripeSignature.HeaderName], settings.Stripe.WebhookSecrets, now, settings.Stripe.ToleranceSeconds) is { } wrong)
            return Refuse(StatusCodes.Status400BadRequest, wrong);

        StripeEnvelope envelope;
        try
        {
            envelope = StripeEnvelope.Read(body);
        }
        catch (UnreadableException e)
        {
            return Refuse(StatusCodes.Status400BadRequest, e.Message);
        }

        if (!await mode.TakesAsync(envelope.Livemode, cancel))
        {
            counters.Count("stripe.other-mode");
            return Taken($"set aside: this is a {(envelope.Livemode ? "live" : "test")}-mode event, and this store is of the other mode");
        }
        if (!StripeReader.Handles(envelope.Type))
        {
            counters.Count($"stripe.unhandled.{envelope.Type}");
            return Taken("counted: nothing here handles this type");
        }
        await inbox.EnqueueAsync([await bodies.FitAsync(new InboxMessage(envelope.Session, envelope.Id, MessageKind.StripeEvent, body, now), cancel)], cancel);
        return Taken("queued");
    }

    private async Task<IResult> AppAsync(string name, HttpContext context)
    {
        var cancel = context.RequestAborted;
        if (!SegmentReader.TryCall(name, out var call)) return Refuse(StatusCodes.Status404NotFound, $"There is no call '{name}'.");
        if (await RequestBody.ReadAsync(context.Request, settings.Web.MaxAppBodyBytes, cancel) is not { } body)
            return Refuse(StatusCodes.Status413PayloadTooLarge, $"The body is larger than {settings.Web.MaxAppBodyBytes} bytes (setting Web:MaxAppBodyBytes): send smaller batches.");
        var now = clock.GetUtcNow();
        SegmentRequest request;
        try
        {
            request = SegmentReader.Read(call, body, now, Convert.ToHexString(RandomNumberGenerator.GetBytes(16)));
        }
        catch (UnreadableException e)
        {
            return Refuse(StatusCodes.Status400BadRequest, e.Message);
        }
        if (WriteKeyCheck.Check(context.Request.Headers.Authorization, request.WriteKey, settings.AppEvents.WriteKey) is not WriteKeyVerdict.Right)
        {
            context.Response.Headers.WWWAuthenticate = "Basic realm=\"app events\"";
            return Refuse(StatusCodes.Status401Unauthorized, "The write key is missing or wrong: send it as the user name of Basic auth, with an empty password.");
        }

        // All of a user's together: they are counted in one row anyway, and what a batch brings of one user is then one message, one read and one commit.
        var messages = new List<InboxMessage>();
        foreach (var message in AppMessages.Of(request.Accepted, now)) messages.Add(await bodies.FitAsync(message, cancel));
        if (messages.Count > 0) await inbox.EnqueueAsync(messages, cancel);
        if (request.Ignored > 0) counters.Count("app.ignored", request.Ignored);
        if (request.Rejected.Count > 0) counters.Count("app.rejected", request.Rejected.Count);
        // A single bad call is the caller's mistake; a bad item of a batch must not make an SDK send the good ones again.
        var status = call != SegmentCall.Batch && request.Rejected.Count > 0 ? StatusCodes.Status400BadRequest : StatusCodes.Status200OK;
        return Results.Json(new AppAnswer(request.Rejected.Count == 0, request.Accepted.Count, request.Ignored, request.Rejected), Answers, statusCode: status);
    }

    private static readonly JsonSerializerOptions Answers = new(JsonSerializerDefaults.Web);

    private static IResult Taken(string what) => Results.Json(new { received = true, what }, Answers);

    private static IResult Refuse(int status, string error) => Results.Json(new { error }, Answers, statusCode: status);

    private sealed record AppAnswer(bool Success, int Accepted, int Ignored, IReadOnlyList<RejectedItem> Rejected);
}
