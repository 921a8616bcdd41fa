using System.Globalization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using RetentionFunctions.Customers;
using RetentionFunctions.Email;
using RetentionFunctions.Insight;
using RetentionFunctions.Settings;
using RetentionFunctions.Web.Pages;

namespace RetentionFunctions.Web;

/// <summary>The monthly review: its page, its actions, its JSON.</summary>
internal static class ReviewEndpoints
{
    private static readonly string[] Look = ["GET", "HEAD"];

    /// <param name="pages">The group of the founder's pages.</param>
    public static void MapPages(RouteGroupBuilder pages)
    {
        pages.MapMethods("/review", Look, (HttpContext context, ReviewQueries reviews, RetentionSettings settings) => PageAsync(reviews.Latest, context, reviews, settings)).Takes("currency");
        pages.MapMethods("/review/{month}", Look, (string month, HttpContext context, ReviewQueries reviews, RetentionSettings settings, TimeProvider clock) =>
            PageAsync(Asked(month, clock), context, reviews, settings)).Takes("currency");
        pages.MapPost("/review/actions", AddAsync);
        pages.MapPost("/review/actions/done", DoneAsync);
    }

    /// <param name="api">The group of the JSON API.</param>
    public static void MapApi(RouteGroupBuilder api) => api.MapGet("/review", async (HttpRequest request, ReviewQueries reviews, TimeProvider clock, CancellationToken cancel) =>
    {
        var month = reviews.Latest;
        if (request.Query["month"].ToString() is { Length: > 0 } text && Wrong(text, clock, out month) is { } wrong) return WebErrors.Problem(400, wrong);
        return Results.Json(ApiReview.Of(await reviews.ReadAsync(month, cancel)), ApiJson.Options);
    });

    private static async Task<IResult> PageAsync(Month month, HttpContext context, ReviewQueries reviews, RetentionSettings settings)
    {
        var (currency, wrong) = PageQuery.CurrencyOf(context.Request.Query);
        if (wrong is not null) throw new BadHttpRequestException(wrong);
        return PageEndpoints.Render<ReviewPage>(new()
        {
            [nameof(ReviewPage.Frame)] = await PageFrame.OfAsync(context),
            [nameof(ReviewPage.R)] = await reviews.ReadAsync(month, context.RequestAborted),
            [nameof(ReviewPage.Mail)] = await reviews.MailAsync(month.ToString(), context.RequestAborted),
            [nameof(ReviewPage.To)] = settings.Review.Email,
            [nameof(ReviewPage.Currency)] = currency,
        });
    }

    private static async Task<IResult> AddAsync(HttpContext context, ReviewActions actions, TimeProvider clock)
    {
        var form = await context.Request.ReadFormAsync(context.RequestAborted);
        var month = Asked(form["month"].ToString(), clock);
        var text = PlainText.Line(form["text"].ToString(), ReviewAction.MaxText + 1);
        if (text.Length == 0) throw new BadHttpRequestException("Say what is to be done: the text is empty.");
        if (text.Length > ReviewAction.MaxText) throw new BadHttpRequestException($"An action has at most {ReviewAction.MaxText} characters.");
        DateOnly? due = null;
        if (form["due"].ToString() is { Length: > 0 } day)
        {
            if (!DateOnly.TryParseExact(day, "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out var on)) throw new BadHttpRequestException($"The day is written like 2026-03-31, not '{day}'.");
            due = on;
        }
        return Back(month, await actions.AddAsync(month, text, due, context.RequestAborted) ? "action-written" : "action-there");
    }

    private static async Task<IResult> DoneAsync(HttpContext context, ReviewActions actions, TimeProvider clock)
    {
        var form = await context.Request.ReadFormAsync(context.RequestAborted);
        var month = Asked(form["month"].ToString(), clock);
        var done = form["done"] == "yes";
        return Back(month, await actions.SetDoneAsync(form["action"].ToString(), done, context.RequestAborted) ? done ? "action-done" : "action-open" : "no-action");
    }

    private static SeeOther Back(Month month, string done) => new($"/review/{month}?done={done}#actions");

    private static Month Asked(string text, TimeProvider clock) => Wrong(text, clock, out var month) is { } wrong ? throw new BadHttpRequestException(wrong) : month;

    private static string? Wrong(string text, TimeProvider clock, out Month month)
    {
        var now = Month.Of(clock.GetUtcNow());
        if (!Month.TryParse(text, out month)) return $"A review is of a month such as {now.Plus(-1)}, not of '{text}'.";
        if (month > now) return $"The month {month} has not begun.";
        return now.Since(month) >= MetricsRequest.MostMonths ? $"Reviews go back ten years, not to {month}." : null;
    }
}
