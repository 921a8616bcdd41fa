using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using RetentionFunctions.Intake.App;
using RetentionFunctions.Intake.Mail;
using RetentionFunctions.Intake.Stripe;
using RetentionFunctions.Settings;
using RetentionFunctions.Storage;
using RetentionFunctions.Telemetry;

namespace RetentionFunctions.Intake;

/// <summary>The doors: check, put into the inbox, answer. Nothing is handled here.</summary>
public sealed class IntakeEndpoints(IInbox inbox, BodyStore bodies, StripeMode mode, IntakeCounters counters, RetentionSettings settings, TimeProvider clock)
{
    private long accepted;

    /// <summary>How many messages were put into the inbox since the start: whoever handles them can see by it whether more come in than are handled.</summary>
    public long Accepted => Interlocked.Read(ref accepted);

    /// <summary>Adds <c>POST /stripe/webhook</c>, <c>POST /sendgrid/events</c> and Segment's <c>POST /v1/{call}</c>.</summary>
    public static void Map(IEndpointRouteBuilder routes)
    {
        routes.MapPost("/stripe/webhook", (HttpContext context, IntakeEndpoints doors) => doors.StripeAsync(context));
        routes.MapPost("/sendgrid/events", (HttpContext context, IntakeEndpoints doors) => doors.MailAsync(context));
        routes.MapPost("/v1/{call:regex(^(track|identify|page|screen|group|alias|batch)$)}", (string call, HttpContext context, IntakeEndpoints doors) => doors.AppAsync(call, context));
    }

    private async Task<IResult> StripeAsync(HttpContext context)
    {
        var cancel = context.RequestAborted;
        if (await RequestBody.ReadAsync(context.Request, settings.Web.MaxStripeBodyBytes, cancel) is not { } body)
            return Refuse(MessageKind.StripeEvent, "too_large", StatusCodes.Status413PayloadTooLarge, $"The body is larger than {settings.Web.MaxStripeBodyBytes} bytes (setting Web:MaxStripeBodyBytes).");
        var now = clock.GetUtcNow();
        if (StripeSignature.Verify(body.Span, context.Request.Headers[StripeSignature.HeaderName], settings.Stripe.WebhookSecrets, now, settings.Stripe.ToleranceSeconds) is { } wrong)
            return Refuse(MessageKind.StripeEvent, "signature", StatusCodes.Status400BadRequest, wrong);

        StripeEnvelope envelope;
        try
        {
            envelope = StripeEnvelope.Read(body);
        }
        catch (UnreadableException e)
        {
            return Refuse(MessageKind.StripeEvent, "unreadable", StatusCodes.Status400BadRequest, e.Message);
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
        Accept(MessageKind.StripeEvent, 1, 1);
        return Queued;
    }

    private async Task<IResult> AppAsync(string name, HttpContext context)
    {
        var cancel = context.RequestAborted;
        if (!SegmentReader.TryCall(name, out var call)) return Refuse(MessageKind.AppEvent, "no_such_call", StatusCodes.Status404NotFound, $"There is no call '{name}'.");
        if (await RequestBody.ReadAsync(context.Request, settings.Web.MaxAppBodyBytes, cancel) is not { } body)
            return Refuse(MessageKind.AppEvent, "too_large", StatusCodes.Status413PayloadTooLarge, $"The body is larger than {settings.Web.MaxAppBodyBytes} bytes (setting Web:MaxAppBodyBytes): send smaller batches.");
        var now = clock.GetUtcNow();
        SegmentRequest request;
        try
        {
            request = SegmentReader.Read(call, body, now, Convert.ToHexString(RandomNumberGenerator.GetBytes(16)));
        }
        catch (UnreadableException e)
        {
            return Refuse(MessageKind.AppEvent, "unreadable", StatusCodes.Status400BadRequest, e.Message);
        }
        if (WriteKeyCheck.Check(context.Request.Headers.Authorization, request.WriteKey, settings.AppEvents.WriteKey) is not WriteKeyVerdict.Right)
        {
            context.Response.Headers.WWWAuthenticate = "Basic realm=\"app events\"";
            return Refuse(MessageKind.AppEvent, "key", StatusCodes.Status401Unauthorized, "The write key is missing or wrong: send it as the user name of Basic auth, with an empty password.");
        }

        // All of a user's together: they are counted in one row anyway, and what a batch brings of one user is then one message, one read and one commit.
        var messages = new List<InboxMessage>();
        foreach (var message in AppMessages.Of(request.Accepted, now)) messages.Add(await bodies.FitAsync(message, cancel));
        if (messages.Count > 0)
        {
            await inbox.EnqueueAsync(messages, cancel);
            Accept(MessageKind.AppEvent, request.Accepted.Count, messages.Count);
        }
        if (request.Ignored > 0) counters.Count("app.ignored", request.Ignored);
        if (request.Rejected.Count > 0) counters.Count("app.rejected", request.Rejected.Count);
        // A single bad call is the caller's mistake; a bad item of a batch must not make an SDK send the good ones again.
        var status = call != SegmentCall.Batch && request.Rejected.Count > 0 ? StatusCodes.Status400BadRequest : StatusCodes.Status200OK;
        return Results.Json(new AppAnswer(request.Rejected.Count == 0, request.Accepted.Count, request.Ignored, request.Rejected), Answers, statusCode: status);
    }

    private async Task<IResult> MailAsync(HttpContext context)
    {
        var cancel = context.RequestAborted;
        if (await RequestBody.ReadAsync(context.Request, settings.Web.MaxMailBodyBytes, cancel) is not { } body)
            return Refuse(MessageKind.MailEvent, "too_large", StatusCodes.Status413PayloadTooLarge, $"The body is larger than {settings.Web.MaxMailBodyBytes} bytes (setting Web:MaxMailBodyBytes).");
        var now = clock.GetUtcNow();
        var (headers, rules) = (context.Request.Headers, settings.Email.SendGrid);
        if (SendGridSignature.Verify(body.Span, headers[SendGridSignature.SignatureHeader], headers[SendGridSignature.TimestampHeader], rules.EventPublicKeys, now, rules.ToleranceSeconds) is { } wrong)
            return Refuse(MessageKind.MailEvent, $"signature_{wrong.Fault.ToString().ToLowerInvariant()}", wrong.Fault == SignatureFault.Malformed ? StatusCodes.Status400BadRequest : StatusCodes.Status401Unauthorized, wrong.Text);
        MailRequest request;
        try
        {
            request = MailMessages.Of(body, now);
        }
        catch (UnreadableException e)
        {
            return Refuse(MessageKind.MailEvent, "unreadable", StatusCodes.Status400BadRequest, e.Message);
        }

        var messages = new List<InboxMessage>();
        foreach (var message in request.Messages) messages.Add(await bodies.FitAsync(message, cancel));
        if (messages.Count > 0)
        {
            await inbox.EnqueueAsync(messages, cancel);
            Accept(MessageKind.MailEvent, request.Events, messages.Count);
        }
        if (request.Unknown > 0) counters.Count("mail.unknown", request.Unknown);
        foreach (var (type, count) in request.Unhandled) counters.Count($"mail.unhandled.{type}", count);
        return Results.Json(new MailAnswer(request.Events, request.Unknown, request.Unhandled.Values.Sum()), Answers);
    }

    private void Accept(MessageKind door, int events, int messages)
    {
        Interlocked.Add(ref accepted, messages);
        RetentionTelemetry.Accepted(door, events);
    }

    private static readonly JsonSerializerOptions Answers = new(JsonSerializerDefaults.Web);

    // Written once: nearly every answer of the busiest door is this one.
    private static readonly IResult Queued = Taken("queued");

    private static IResult Taken(string what) => Results.Text(JsonSerializer.Serialize(new { received = true, what }, Answers), "application/json", Encoding.UTF8);

    private static IResult Refuse(MessageKind door, string reason, int status, string error)
    {
        RetentionTelemetry.Refused(door, reason);
        return Results.Json(new { error }, Answers, statusCode: status);
    }

    private sealed record MailAnswer(int Queued, int Unknown, int Unhandled);

    private sealed record AppAnswer(bool Success, int Accepted, int Ignored, IReadOnlyList<RejectedItem> Rejected);
}
