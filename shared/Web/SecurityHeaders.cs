using Microsoft.AspNetCore.Http;

namespace RetentionFunctions.Web;

/// <summary>The headers on every answer. What an endpoint set itself stays: a frame with its own policy, a style sheet that may be cached.</summary>
internal static class SecurityHeaders
{
    /// <summary>No script, nothing from elsewhere, nobody may frame us.</summary>
    public const string Policy =
        "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

    /// <summary>The page that follows a demo year being played: our own script, which asks our own host how far it is.</summary>
    public const string PolicyOfProgress = Policy + "; script-src 'self'; connect-src 'self'";

    /// <summary>The page that shows an e-mail in a frame of our own.</summary>
    public const string PolicyOfMailPage = Policy + "; frame-src 'self'";

    /// <summary>
    /// The e-mail inside its frame: the inline styles that e-mails need, no script, no form, nothing loaded from elsewhere; its links open in
    /// a tab of their own, outside the sandbox, as they would for the customer.
    /// </summary>
    public const string PolicyOfMail =
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'none'; base-uri 'none'; frame-ancestors 'self'; " +
        "sandbox allow-popups allow-popups-to-escape-sandbox";

    public static Task InvokeAsync(HttpContext context, RequestDelegate next)
    {
        context.Response.OnStarting(static state =>
        {
            var headers = ((HttpResponse)state).Headers;
            headers.TryAdd("Content-Security-Policy", Policy);
            headers.TryAdd("X-Content-Type-Options", "nosniff");
            headers.TryAdd("Referrer-Policy", "no-referrer");
            headers.TryAdd("Cross-Origin-Opener-Policy", "same-origin");
            headers.TryAdd("Cache-Control", "no-store");
            return Task.CompletedTask;
        }, context.Response);
        return next(context);
    }
}
