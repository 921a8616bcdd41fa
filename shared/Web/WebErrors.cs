using System.Globalization;
using Microsoft.AspNetCore.Antiforgery;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using RetentionFunctions.Links;
using RetentionFunctions.Settings;
using RetentionFunctions.Storage;
using RetentionFunctions.Telemetry;
using RetentionFunctions.Web.Pages;

namespace RetentionFunctions.Web;

/// <summary>
/// What went wrong, told so that it helps: problem JSON (RFC 9457) to programs, a page to people, never a stack trace to either. The
/// exception goes to the log under the number that the answer names.
/// </summary>
internal static class WebErrors
{
    public static async Task InvokeAsync(HttpContext context, RequestDelegate next)
    {
        try
        {
            await next(context);
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            // The client went away: there is nobody to answer.
            return;
        }
        catch (Exception error) when (!context.Response.HasStarted)
        {
            context.Response.Clear();
            var (status, detail) = Told(error, context);
            if (status >= 500) RetentionTelemetry.Unanswered(context.Request.Path);
            await WriteAsync(context, status, detail);
            return;
        }
        var response = context.Response;
        if (response is { HasStarted: false, StatusCode: >= 400, ContentLength: null, ContentType: null })
            await WriteAsync(context, response.StatusCode, response.StatusCode switch
            {
                404 => "Nothing is at this address.",
                405 => $"This address does not take {context.Request.Method}.",
                _ => Title(response.StatusCode) + ".",
            });
    }

    /// <summary>Writes an error as its reader wants it: JSON under <c>/api</c>, <c>/v1</c>, <c>/stripe</c>, <c>/sendgrid</c> and <c>/local</c>, a page elsewhere and wherever a form of a page leads.</summary>
    public static Task WriteAsync(HttpContext context, int status, string detail)
    {
        var path = context.Request.Path;
        var ofPage = context.GetEndpoint()?.Metadata.GetMetadata<AdminOnly>()?.Surface == AdminSurface.Page;
        if (!ofPage && (path.StartsWithSegments("/api") || path.StartsWithSegments("/v1") || path.StartsWithSegments("/stripe") || path.StartsWithSegments("/sendgrid") || path.StartsWithSegments("/local")))
            return Problem(status, detail).ExecuteAsync(context);
        var product = context.RequestServices.GetRequiredService<RetentionSettings>().Product.Name;
        return PageEndpoints.Render<MessagePage>(new()
        {
            [nameof(MessagePage.Heading)] = Heading(status), [nameof(MessagePage.Text)] = detail, [nameof(MessagePage.Product)] = product,
            [nameof(MessagePage.Frame)] = AdminAccess.IsFounder(context) ? PageFrame.OfError(context) : null,
        }, status).ExecuteAsync(context);
    }

    /// <summary>An error as problem JSON.</summary>
    public static IResult Problem(int status, string detail) => Results.Problem(title: Title(status), statusCode: status, detail: detail, type: "about:blank");

    private static (int Status, string Detail) Told(Exception error, HttpContext context)
    {
        if (error is BadHttpRequestException bad) return Told(bad);
        // The token stands in the form, so what cannot be read of it is thrown as this.
        if (error is AntiforgeryValidationException { InnerException: BadHttpRequestException unread })
            return Told(unread);
        if (error is AntiforgeryValidationException) return (400, "This form was too old, or not sent from our own page. Go back, load the page again and repeat what you did.");
        var log = context.RequestServices.GetRequiredService<ILoggerFactory>().CreateLogger(typeof(WebErrors));
        if (error is TransientStorageException or TransientBillingException)
        {
            log.LogWarning(error, "{Method} {Path} could not be answered now ({Trace})", context.Request.Method, Address(context), context.TraceIdentifier);
            context.Response.Headers.RetryAfter = "5";
            return (503, $"{(error is TransientStorageException ? "The storage" : "Billing")} does not answer at the moment. Try again in a few seconds.");
        }
        log.LogError(error, "{Method} {Path} failed ({Trace})", context.Request.Method, Address(context), context.TraceIdentifier);
        return (500, $"Something went wrong on our side. The log has the details under {context.TraceIdentifier}.");

        // The server says how many bytes; what to do says the endpoint.
        (int, string) Told(BadHttpRequestException request) =>
            (request.StatusCode, request.StatusCode == StatusCodes.Status413PayloadTooLarge && context.GetEndpoint()?.Metadata.GetMetadata<BodyLimit>() is { } limit ? limit.Refusal : request.Message);
    }

    // The pattern, never the address itself: a link's token is a key, and customers' ids need not be in a log.
    private static string Address(HttpContext context) => (context.GetEndpoint() as RouteEndpoint)?.RoutePattern.RawText ?? "an address of nobody's";

    private static string Title(int status)
    {
        var phrase = Microsoft.AspNetCore.WebUtilities.ReasonPhrases.GetReasonPhrase(status);
        return phrase.Length > 0 ? phrase : status.ToString(CultureInfo.InvariantCulture);
    }

    private static string Heading(int status) => status switch
    {
        401 => "Please sign in",
        403 => "Not from here",
        404 => "Not found",
        429 => "Too many attempts",
        503 => "Back in a moment",
        >= 500 => "Something went wrong",
        _ => "That did not work",
    };
}
