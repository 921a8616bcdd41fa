using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Antiforgery;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using RetentionFunctions.Settings;

namespace RetentionFunctions.Web;

/// <summary>
/// Who may see the pages and use the JSON API: whoever has the key (<c>Admin:Key</c>); without a key, only this very machine. Checked once,
/// between routing and the endpoint, for every endpoint that says <see cref="RequireAdmin{TBuilder}"/>.
/// </summary>
public static class AdminAccess
{
    // Forms carry ids and a token, API calls have no body: nothing of ours comes near it.
    private const long MaxBodyBytes = 64 * 1024;

    private static readonly object Founder = new();

    /// <summary>The founder asks for a page: what goes wrong is told with the way to the other pages. Never so on a page of a customer's.</summary>
    internal static bool IsFounder(HttpContext context) => context.Items.ContainsKey(Founder);

    /// <summary>For the founder only.</summary>
    /// <param name="builder">The endpoint or group.</param>
    /// <param name="surface">How the caller shows the key, and what protects a POST.</param>
    public static TBuilder RequireAdmin<TBuilder>(this TBuilder builder, AdminSurface surface) where TBuilder : IEndpointConventionBuilder =>
        builder.WithMetadata(new AdminOnly(surface));

    /// <summary>Takes larger bodies than a form.</summary>
    /// <param name="builder">The endpoint.</param>
    /// <param name="most">Bytes.</param>
    /// <param name="refusal">What is said of a larger one.</param>
    internal static TBuilder TakesUpTo<TBuilder>(this TBuilder builder, long most, string refusal) where TBuilder : IEndpointConventionBuilder => builder.WithMetadata(new BodyLimit(most, refusal));

    internal static async Task InvokeAsync(HttpContext context, RequestDelegate next)
    {
        var key = context.RequestServices.GetRequiredService<RetentionSettings>().Admin.Key;
        if (context.GetEndpoint()?.Metadata.GetMetadata<AdminOnly>() is not { } admin)
        {
            // Nobody's address, or a method that a page does not take: what is answered to the founder leads on to the pages.
            if (context.GetEndpoint() is not RouteEndpoint && (string.IsNullOrEmpty(key) ? IsLocal(context) : SignIn.Holds(context, key, context.RequestServices.GetRequiredService<SessionClock>()))) context.Items[Founder] = true;
            await next(context);
            return;
        }
        if (!(string.IsNullOrEmpty(key) ? await IsLocalAsync(context) : admin.Surface == AdminSurface.Page ? IsSignedIn(context, key) : await HasKeyAsync(context, key))) return;

        if (admin.Surface == AdminSurface.Page) context.Items[Founder] = true;
        if (HttpMethods.IsGet(context.Request.Method) || HttpMethods.IsHead(context.Request.Method))
        {
            if (admin.Surface == AdminSurface.Page) PageQuery.Check(context);
        }
        else
        {
            if (!await MayChangeAsync(context, admin.Surface)) return;
            if (admin.Surface == AdminSurface.Page)
                await context.RequestServices.GetRequiredService<IAntiforgery>().ValidateRequestAsync(context);
        }
        await next(context);
    }

    /// <summary>What holds for every request that changes something, signing in included. False where it was refused and answered.</summary>
    internal static async Task<bool> MayChangeAsync(HttpContext context, AdminSurface surface)
    {
        if (IsCrossOrigin(context.Request, surface))
        {
            await WebErrors.WriteAsync(context, 403, "A page of another site sent this request. Only our own pages may.");
            return false;
        }
        var most = context.GetEndpoint()?.Metadata.GetMetadata<BodyLimit>() ?? new BodyLimit(MaxBodyBytes, $"The request is larger than {MaxBodyBytes / 1024} KB, the most that is taken here.");
        if (context.Request.ContentLength > most.Bytes)
        {
            await WebErrors.WriteAsync(context, StatusCodes.Status413PayloadTooLarge, most.Refusal);
            return false;
        }
        // Of one that does not tell its length.
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } limit) limit.MaxRequestBodySize = most.Bytes;
        return true;
    }

    /// <summary>
    /// From this machine, and called by a name of this machine. The name guards against DNS rebinding: a foreign page whose host name is made
    /// to point to 127.0.0.1 still sends its own name. A forwarded request came from elsewhere, whatever its last hop was.
    /// </summary>
    internal static bool IsLocal(IPAddress? remote, string host, bool forwarded)
    {
        if (forwarded || remote is null) return false;
        if (!IPAddress.IsLoopback(remote.IsIPv4MappedToIPv6 ? remote.MapToIPv4() : remote)) return false;
        return host.Equals("localhost", StringComparison.OrdinalIgnoreCase)
            || (IPAddress.TryParse(host.Trim('[', ']'), out var name) && IPAddress.IsLoopback(name));
    }

    /// <summary>The key that a caller of the API shows, null where none: <c>Bearer</c> only. Basic and cookies are what browsers add to requests that other sites cause.</summary>
    internal static string? KeyShown(string? authorization) =>
        AuthenticationHeaderValue.TryParse(authorization, out var header) && header.Scheme.Equals("Bearer", StringComparison.OrdinalIgnoreCase) ? header.Parameter : null;

    /// <summary>Compares in a time that depends on neither text: both are hashed to the same length first.</summary>
    internal static bool IsSame(string shown, string key) =>
        CryptographicOperations.FixedTimeEquals(SHA256.HashData(Encoding.UTF8.GetBytes(shown)), SHA256.HashData(Encoding.UTF8.GetBytes(key)));

    /// <summary>Another site caused the request. Browsers say so; other clients say nothing and have no credentials to be abused.</summary>
    internal static bool IsCrossOrigin(HttpRequest request, AdminSurface surface)
    {
        var site = request.Headers["Sec-Fetch-Site"].ToString();
        if (site.Length > 0) return site is not ("same-origin" or "none");
        var origin = request.Headers.Origin.ToString();
        if (origin.Length == 0) return false;
        // Our own pages say no-referrer, for which browsers send "null" with a form; there the form's token decides.
        if (origin == "null") return surface != AdminSurface.Page;
        return !Uri.TryCreate(origin, UriKind.Absolute, out var from) || !from.Authority.Equals(WithoutDefaultPort(request.Host, from.Scheme), StringComparison.OrdinalIgnoreCase);
    }

    private static string WithoutDefaultPort(HostString host, string scheme) =>
        (scheme, host.Port) is ("https", 443) or ("http", 80) ? host.Host : host.Value ?? "";

    private static bool IsLocal(HttpContext context)
    {
        var headers = context.Request.Headers;
        // "X-Original-For" is what ASP.NET Core leaves of X-Forwarded-For after it has been applied.
        var forwarded = headers.ContainsKey("X-Forwarded-For") || headers.ContainsKey("Forwarded") || headers.ContainsKey("X-Real-IP") || headers.ContainsKey("X-Original-For") || headers.ContainsKey("Via");
        return IsLocal(context.Connection.RemoteIpAddress, context.Request.Host.Host, forwarded);
    }

    private static async Task<bool> IsLocalAsync(HttpContext context)
    {
        if (IsLocal(context)) return true;
        await WebErrors.WriteAsync(context, 403,
            "No admin key is set, so this is open only on the machine itself, at http://127.0.0.1 or http://localhost. " +
            "To use it from elsewhere set Admin:Key (environment variable Admin__Key) to a secret of at least 16 characters and start again.");
        return false;
    }

    // A person is led to the sign-in and back; a form that was sent without a session is not repeated, the page before it is.
    private static bool IsSignedIn(HttpContext context, string key)
    {
        if (SignIn.Holds(context, key, context.RequestServices.GetRequiredService<SessionClock>())) return true;
        context.Response.StatusCode = StatusCodes.Status303SeeOther;
        context.Response.Headers.Location = SignIn.Address(context.Request);
        return false;
    }

    private static async Task<bool> HasKeyAsync(HttpContext context, string key)
    {
        var failed = context.RequestServices.GetRequiredService<FailedKeys>();
        var from = context.Connection.RemoteIpAddress;
        if (KeyShown(context.Request.Headers.Authorization) is { } shown)
        {
            if (failed.WaitSeconds(from) is > 0 and var wait)
            {
                context.Response.Headers.RetryAfter = wait.ToString(CultureInfo.InvariantCulture);
                await WebErrors.WriteAsync(context, 429, $"Too many wrong keys came from your address. Try again in {wait} s.");
                return false;
            }
            if (IsSame(shown, key)) return true;
            failed.Count(from);
        }
        // The same answer for a missing and for a wrong key.
        context.Response.Headers.WWWAuthenticate = "Bearer";
        await WebErrors.WriteAsync(context, 401, "Send the header 'Authorization: Bearer <key>' with the value of the setting Admin:Key (environment variable Admin__Key).");
        return false;
    }
}

/// <summary>How a caller shows the key, and what protects a POST.</summary>
public enum AdminSurface
{
    /// <summary>Programs: <c>Authorization: Bearer</c>; errors as JSON.</summary>
    Api,

    /// <summary>A browser: the cookie that <c>/sign-in</c> gives for the key; every POST carries the form token.</summary>
    Page,
}

/// <summary>How large a body may be.</summary>
/// <param name="Bytes">At most.</param>
/// <param name="Refusal">What is said of a larger one.</param>
internal sealed record BodyLimit(long Bytes, string Refusal);

/// <summary>Marks an endpoint as the founder's.</summary>
/// <param name="Surface">Which kind.</param>
internal sealed record AdminOnly(AdminSurface Surface);
