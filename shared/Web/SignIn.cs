using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Antiforgery;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using RetentionFunctions.Settings;
using RetentionFunctions.Web.Pages;

namespace RetentionFunctions.Web;

/// <summary>
/// Sign-in to the pages by the admin key, once, for a cookie. The cookie holds no key: a protected note of when it was given and of which key, so
/// that a changed key ends every session, and any instance with the same Data Protection keys takes it.
/// </summary>
internal static class SignIn
{
    public const string Path = "/sign-in";
    public const string Cookie = "rf_session";

    /// <summary>A working day, counted from the last visit.</summary>
    public static readonly TimeSpan Lifetime = TimeSpan.FromHours(12);

    // A cookie with every page would be noise; to these few minutes nobody holds us.
    private static readonly TimeSpan Renewal = TimeSpan.FromMinutes(5);

    public static void Map(IEndpointRouteBuilder endpoints)
    {
        endpoints.MapMethods(Path, ["GET", "HEAD"], (HttpContext context, RetentionSettings settings, SessionClock clock) =>
            !HasKey(settings) || Holds(context, settings.Admin.Key!, clock) ? new SeeOther(To(context.Request.Query["to"])) : Page(context, 200, null));
        endpoints.MapPost(Path, PostAsync);
        endpoints.MapPost("/sign-out", (HttpContext context) =>
        {
            context.Response.Cookies.Delete(Cookie, Options(context));
            return new SeeOther(Path);
        }).RequireAdmin(AdminSurface.Page);
    }

    /// <summary>The browser is signed in; the visit prolongs the session.</summary>
    public static bool Holds(HttpContext context, string key, SessionClock clock)
    {
        if (context.Request.Cookies[Cookie] is not { Length: > 0 } cookie) return false;
        var protector = Protector(context);
        string note;
        try
        {
            note = protector.Unprotect(cookie);
        }
        catch (CryptographicException)
        {
            // Forged, or of keys that are gone: nobody's session.
            return false;
        }
        var now = clock.Time.GetUtcNow();
        if (!IsValid(note, key, now, out var since)) return false;
        if (now - since > Renewal) Give(context, key, clock);
        return true;
    }

    /// <summary>Whether a session's note is of this key and not too old. What lies in the future was given by another clock and is not trusted.</summary>
    internal static bool IsValid(string note, string key, DateTimeOffset now, out DateTimeOffset since)
    {
        since = default;
        var parts = note.Split('|');
        if (parts.Length != 2 || !long.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out var seconds) || seconds > now.ToUnixTimeSeconds()) return false;
        since = DateTimeOffset.FromUnixTimeSeconds(seconds);
        return now - since < Lifetime && AdminAccess.IsSame(parts[1], Fingerprint(key));
    }

    internal static string Note(string key, DateTimeOffset now) => string.Create(CultureInfo.InvariantCulture, $"{now.ToUnixTimeSeconds()}|{Fingerprint(key)}");

    /// <summary>Where a page sends a browser that is not signed in: back to that page afterwards, unless it was a form.</summary>
    public static string Address(HttpRequest request) =>
        HttpMethods.IsGet(request.Method) || HttpMethods.IsHead(request.Method) ? Path + QueryString.Create("to", request.PathBase.Add(request.Path) + request.QueryString) : Path;

    private static async Task<IResult> PostAsync(HttpContext context, RetentionSettings settings, FailedKeys failed, SessionClock clock, IAntiforgery antiforgery)
    {
        if (!await AdminAccess.MayChangeAsync(context, AdminSurface.Page)) return Results.Empty;
        await antiforgery.ValidateRequestAsync(context);
        var form = await context.Request.ReadFormAsync(context.RequestAborted);
        var to = To(form["to"]);
        if (!HasKey(settings)) return new SeeOther(to);
        var from = context.Connection.RemoteIpAddress;
        if (failed.WaitSeconds(from) is > 0 and var wait)
        {
            context.Response.Headers.RetryAfter = wait.ToString(CultureInfo.InvariantCulture);
            return Page(context, 429, $"Too many wrong keys came from your address. Try again in {wait} s.", to);
        }
        // People copy a key with the blank beside it; a key itself never begins or ends with one.
        if (!AdminAccess.IsSame(form["key"].ToString().Trim(), settings.Admin.Key!.Trim()))
        {
            failed.Count(from);
            return Page(context, 401, "That is not the key.", to);
        }
        Give(context, settings.Admin.Key!, clock);
        return new SeeOther(to);
    }

    private static void Give(HttpContext context, string key, SessionClock clock)
    {
        var options = Options(context);
        options.MaxAge = Lifetime;
        context.Response.Cookies.Append(Cookie, Protector(context).Protect(Note(key, clock.Time.GetUtcNow())), options);
    }

    // Local runs on plain http; on Azure every request is https.
    private static CookieOptions Options(HttpContext context) => new() { HttpOnly = true, SameSite = SameSiteMode.Strict, Secure = context.Request.IsHttps, Path = "/", IsEssential = true };

    private static IDataProtector Protector(HttpContext context) => context.RequestServices.GetRequiredService<IDataProtectionProvider>().CreateProtector("RetentionFunctions.Web.SignIn.1");

    private static bool HasKey(RetentionSettings settings) => !string.IsNullOrEmpty(settings.Admin.Key);

    private static string Fingerprint(string key) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"session\n{key}")));

    private static string To(string? address) => PageEndpoints.OwnPath(address) is var path && path.StartsWith(Path, StringComparison.Ordinal) ? "/" : path;

    private static IResult Page(HttpContext context, int status, string? wrong, string? to = null)
    {
        var services = context.RequestServices;
        var token = services.GetRequiredService<IAntiforgery>().GetAndStoreTokens(context);
        return PageEndpoints.Render<SignInPage>(new()
        {
            [nameof(SignInPage.Product)] = services.GetRequiredService<RetentionSettings>().Product.Name,
            [nameof(SignInPage.TokenField)] = token.FormFieldName,
            [nameof(SignInPage.Token)] = token.RequestToken,
            [nameof(SignInPage.To)] = to ?? To(context.Request.Query["to"]),
            [nameof(SignInPage.Wrong)] = wrong,
        }, status);
    }
}

/// <summary>The clock of sign-in sessions: real time. On the product's simulated clock, which stands still and then leaps, a session would never end or end at once.</summary>
/// <param name="Time">The clock.</param>
internal sealed record SessionClock(TimeProvider Time);

/// <summary>The browser asks for the next page by GET, whatever it sent before.</summary>
/// <param name="path">A path of our own.</param>
internal sealed class SeeOther(string path) : IResult
{
    public Task ExecuteAsync(HttpContext context)
    {
        context.Response.StatusCode = StatusCodes.Status303SeeOther;
        context.Response.Headers.Location = path;
        return Task.CompletedTask;
    }
}
