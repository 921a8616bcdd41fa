using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Components;
using Microsoft.AspNetCore.Components.Web;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using RetentionFunctions.Links.Pages;
using RetentionFunctions.Settings;
using RetentionFunctions.Storage;

namespace RetentionFunctions.Links;

/// <summary>
/// The pages behind the links. Needs <see cref="LinkTokens"/>, <see cref="LinkBuilder"/>, <see cref="LinkActions"/> and
/// <see cref="RetentionSettings"/> from the services. Nothing here uses a cookie, so no antiforgery token is needed: who can post to a link
/// holds the link. Mail scanners follow links with GET and HEAD, which change nothing (RFC 9110, 9.2.1); only POST acts.
/// </summary>
public static class LinkEndpoints
{
    private const string StylePath = "/links.css";

    // Longest form: the free text, every character of which may take nine in the encoding of forms.
    private const int MaxBodyBytes = 32 * 1024;

    private static readonly byte[] Style = ReadStyle();

    private static readonly string StyleAddress = $"{StylePath}?v={Convert.ToHexStringLower(SHA256.HashData(Style))[..12]}";

    private static readonly LinkPage.Message Unknown = new(404, "This link does not work",
        "It may have been cut off or changed on its way. Open it from the e-mail again, or reply to the e-mail. Nothing was changed.");

    private static readonly LinkPage.Message TooOld = new(410, "This link has expired",
        "For your safety, links in e-mails work for a limited time. Reply to the e-mail and we will help you. Nothing was changed.");

    private static readonly LinkPage.Message Unreadable = new(400, "That could not be read", "The form did not arrive as it should. Open the link from the e-mail and try again. Nothing was changed.");

    private static readonly LinkPage.Message Later = new(503, "That did not work just now", "We could not reach our billing or our records. Please try again in a minute.");

    /// <summary>Maps <c>/l/{token}</c> and the style sheet of its pages.</summary>
    public static IEndpointRouteBuilder Map(IEndpointRouteBuilder routes)
    {
        // MapGet alone would answer HEAD with 405.
        routes.MapMethods(StylePath, ["GET", "HEAD"], (RequestDelegate)StyleAsync);
        routes.MapMethods("/l/{token}", ["GET", "HEAD"], (RequestDelegate)ShowAsync);
        routes.MapPost("/l/{token}", (RequestDelegate)ActAsync);
        return routes;
    }

    private static Task ShowAsync(HttpContext context) => AnswerAsync(context, async (_, actions, reading) => reading switch
    {
        LinkReading.Valid valid => await actions.ShowAsync(valid.Claims, context.RequestAborted),
        LinkReading.Expired => TooOld,
        _ => Unknown,
    });

    private static Task ActAsync(HttpContext context) => AnswerAsync(context, async (token, actions, _) =>
    {
        if (await FormAsync(context.Request) is not { } form) return Unreadable;
        // Every form says what it is about to do, and the mail program's one click says it in its own words (RFC 8058, 3.2). A token that was made
        // for something else does neither. A post that says nothing does what its link is for.
        LinkPurpose? named = null;
        if (form["List-Unsubscribe"] == "One-Click") named = LinkPurpose.Unsubscribe;
        else if (form.ContainsKey("action"))
        {
            if (!Enum.TryParse<LinkPurpose>(form["action"], ignoreCase: true, out var said) || !Enum.IsDefined(said)) return Unreadable;
            named = said;
        }
        var services = context.RequestServices;
        switch (services.GetRequiredService<LinkTokens>().Read(token, named))
        {
            case LinkReading.Expired:
                return TooOld;
            case LinkReading.Valid { Claims: var link }:
                return link.Purpose switch
                {
                    LinkPurpose.Unsubscribe => await actions.UnsubscribeAsync(link, context.RequestAborted),
                    LinkPurpose.Return => await actions.ReturnAsync(link, context.RequestAborted),
                    LinkPurpose.Pause => await actions.PauseAsync(link, int.TryParse(form["months"], NumberStyles.None, CultureInfo.InvariantCulture, out var months) ? months : 0, context.RequestAborted),
                    LinkPurpose.Answer => await actions.AnswerAsync(link, form.TryGetValue("answer", out var answer) ? answer : link.Subject, form["text"], context.RequestAborted),
                    LinkPurpose.Pay => await actions.PayAsync(link, new Uri(services.GetRequiredService<LinkBuilder>().UrlOf(token)), context.RequestAborted),
                    _ => await actions.ShowAsync(link, context.RequestAborted),
                };
            default:
                return Unknown;
        }
    });

    private static async Task AnswerAsync(HttpContext context, Func<string, LinkActions, LinkReading, Task<LinkPage>> answer)
    {
        var services = context.RequestServices;
        var token = (string?)context.Request.RouteValues["token"] ?? "";
        LinkPage page;
        try
        {
            page = await answer(token, services.GetRequiredService<LinkActions>(), services.GetRequiredService<LinkTokens>().Read(token));
        }
        catch (Exception fault) when (fault is TransientBillingException or TransientStorageException)
        {
            services.GetRequiredService<ILoggerFactory>().CreateLogger("RetentionFunctions.Links").LogWarning(fault, "A link could not be answered; the customer is asked to try again.");
            context.Response.Headers.RetryAfter = "60";
            page = Later;
        }
        await WriteAsync(context, page);
    }

    private static async Task<IFormCollection?> FormAsync(HttpRequest request)
    {
        if (request.ContentType is null && request.ContentLength is null or 0) return FormCollection.Empty;
        if (!request.HasFormContentType || request.ContentLength > MaxBodyBytes) return null;
        if (request.HttpContext.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } size) size.MaxRequestBodySize = MaxBodyBytes;
        try
        {
            return await new FormFeature(request, new FormOptions { ValueCountLimit = 16, KeyLengthLimit = 128, ValueLengthLimit = MaxBodyBytes, MultipartBodyLengthLimit = MaxBodyBytes }).ReadFormAsync(request.HttpContext.RequestAborted);
        }
        catch (Exception fault) when (fault is InvalidDataException or BadHttpRequestException)
        {
            // The caller tells the sender.
            return null;
        }
    }

    private static async Task WriteAsync(HttpContext context, LinkPage page)
    {
        var response = context.Response;
        var headers = response.Headers;
        headers.CacheControl = "no-store";
        headers["Referrer-Policy"] = "no-referrer";
        headers["X-Robots-Tag"] = "noindex, nofollow";
        headers.XContentTypeOptions = "nosniff";
        // Browsers hold redirects after a form against form-action too, and the payment page is on Stripe's own host or the founder's custom one.
        headers.ContentSecurityPolicy = $"default-src 'none'; style-src 'self'; form-action 'self'{(page is LinkPage.Pay ? " https:" : "")}; base-uri 'none'; frame-ancestors 'none'";
        if (page is LinkPage.Leave leave)
        {
            // 303: what follows is a GET, whatever this was.
            response.StatusCode = leave.Status;
            headers.Location = leave.To.AbsoluteUri;
            return;
        }
        var services = context.RequestServices;
        await using var renderer = new HtmlRenderer(services, services.GetRequiredService<ILoggerFactory>());
        var html = await renderer.Dispatcher.InvokeAsync(async () => (await renderer.RenderComponentAsync<LinkDocument>(ParameterView.FromDictionary(new Dictionary<string, object?>
        {
            [nameof(LinkDocument.Page)] = page,
            [nameof(LinkDocument.Address)] = context.Request.PathBase.Add(context.Request.Path).Value,
            [nameof(LinkDocument.Product)] = services.GetRequiredService<RetentionSettings>().Product,
            [nameof(LinkDocument.Style)] = context.Request.PathBase + StyleAddress,
        }))).ToHtmlString());
        await BodyAsync(context, page.Status, "text/html; charset=utf-8", Encoding.UTF8.GetBytes(html));
    }

    private static Task StyleAsync(HttpContext context)
    {
        context.Response.Headers.CacheControl = "public, max-age=31536000, immutable";
        context.Response.Headers.XContentTypeOptions = "nosniff";
        return BodyAsync(context, 200, "text/css; charset=utf-8", Style);
    }

    private static async Task BodyAsync(HttpContext context, int status, string type, byte[] body)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = type;
        context.Response.ContentLength = body.Length;
        if (!HttpMethods.IsHead(context.Request.Method)) await context.Response.Body.WriteAsync(body, context.RequestAborted);
    }

    private static byte[] ReadStyle()
    {
        using var stream = typeof(LinkEndpoints).Assembly.GetManifestResourceStream("Links/links.css")!;
        using var copy = new MemoryStream();
        stream.CopyTo(copy);
        return copy.ToArray();
    }
}
