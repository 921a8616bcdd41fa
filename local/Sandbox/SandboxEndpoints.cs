using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Antiforgery;
using Microsoft.AspNetCore.Components;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.WebUtilities;
using RetentionFunctions.Customers;
using RetentionFunctions.Links;
using RetentionFunctions.Local.Sandbox.Pages;
using RetentionFunctions.Settings;
using RetentionFunctions.Storage;
using RetentionFunctions.Web;

namespace RetentionFunctions.Local.Sandbox;

/// <summary>
/// What stands in for Stripe's own pages: an invoice's, and the customer's portal. A GET shows; a POST carries the form token, acts and leads back to a page (303). For the
/// founder there is a list of whom to try it with, and the same as JSON.
/// </summary>
public static class SandboxEndpoints
{
    private const string StylePath = "/local/sandbox.css";
    private const int CustomersShown = 100;
    private const int MaxComment = 500;

    private static readonly string[] Look = ["GET", "HEAD"];
    private static readonly byte[] Style = ReadStyle();
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web) { UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow };

    /// <summary>The address of the pages' style sheet; it changes with its content.</summary>
    internal static string StyleAddress { get; } = $"{StylePath}?v={Convert.ToHexStringLower(SHA256.HashData(Style))[..12]}";

    /// <summary>The coupons that a customer can put in by their codes, as a founder would have made them at Stripe.</summary>
    internal static IReadOnlyList<SandboxCoupon> Coupons { get; } = [new("STAY20", 20, null, "forever"), new("HALF3", 50, null, "repeating", 3), new("TEN-OFF", null, 1000, "once")];

    /// <summary>The cards that a customer can put in. Their digits are those of Stripe's test cards.</summary>
    internal static IReadOnlyDictionary<string, SandboxCard> Cards { get; } = new Dictionary<string, SandboxCard>(StringComparer.Ordinal)
    {
        ["works"] = new("visa", "4242", 12, 2099),
        ["declines"] = new("visa", "0341", 12, 2099, "insufficient_funds"),
    };

    /// <summary>Adds the pages, and <c>/local/sandbox</c>.</summary>
    public static void Map(IEndpointRouteBuilder routes)
    {
        routes.MapMethods(StylePath, Look, (HttpContext context) =>
        {
            context.Response.Headers.CacheControl = "public, max-age=31536000, immutable";
            return Results.Bytes(Style, "text/css; charset=utf-8");
        });
        // Customers come here from an e-mail or from the product, as they would come to Stripe's pages.
        routes.MapMethods("/local/pay/{invoice}", Look, ShowInvoiceAsync);
        routes.MapPost("/local/pay/{invoice}", PayAsync);
        routes.MapMethods("/local/portal/{token}", Look, (string token, HttpContext context) => ShowPortalAsync(token, context, card: false));
        routes.MapMethods("/local/portal/{token}/card", Look, (string token, HttpContext context) => ShowPortalAsync(token, context, card: true));
        routes.MapPost("/local/portal/{token}", ChangeAsync);

        var founder = routes.MapGroup("/local/sandbox");
        founder.MapMethods("", Look, ListAsync).RequireAdmin(AdminSurface.Page);
        founder.MapMethods("/open", Look, OpenAsync).RequireAdmin(AdminSurface.Page).Takes("customer");
        founder.MapGet("/events", async (SandboxPost post, CancellationToken cancel) => Results.Json((await post.OnItsWayAsync(cancel)).Select(l => new { l.Id, l.Type, l.CustomerId, l.CreatedAt, l.DueAt, l.Failures, l.Copy })))
            .RequireAdmin(AdminSurface.Api);
        founder.MapPost("/resend", async (SandboxPost post, CancellationToken cancel) => Results.Json(new { resent = await post.SendAgainAsync(cancel) })).RequireAdmin(AdminSurface.Api);
        founder.MapGet("/customers/{id}", async (string id, SandboxBilling sandbox, SandboxPages pages, CancellationToken cancel) =>
            await sandbox.ViewAsync(id, cancel) is { } view ? Results.Json(new { view.CustomerId, view.Name, view.Card, Portal = pages.PortalOf(id), view.Subscriptions, view.Invoices }) : Wrong(404, $"The sandbox knows no customer {id}."))
            .RequireAdmin(AdminSurface.Api);
        founder.MapPost("/customers/{id}", ActAsync).RequireAdmin(AdminSurface.Api);
    }

    // ------------------------------------------------------------------ the customer's pages

    private static async Task<IResult> ShowInvoiceAsync(string invoice, HttpContext context, SandboxBilling sandbox, SandboxPages pages)
    {
        var cancel = context.RequestAborted;
        if (await sandbox.OwnerAsync(invoice, cancel) is not { } owner || await sandbox.ViewAsync(owner, cancel) is not { } view || view.Invoices.FirstOrDefault(i => i.Id == invoice) is not { } shown)
            return Message(context, 404, "Unknown invoice", "The sandbox has never seen this invoice. It knows those of the demo company, and those whose events came in here.");
        return Page<PayPage>(context, new()
        {
            [nameof(PayPage.View)] = view, [nameof(PayPage.Invoice)] = shown, [nameof(PayPage.Said)] = context.Request.Query["said"].ToString(),
        });
    }

    private static async Task<IResult> PayAsync(string invoice, HttpContext context, SandboxBilling sandbox, SandboxArrival arrival)
    {
        var form = await FormAsync(context);
        var cancel = context.RequestAborted;
        if (await sandbox.OwnerAsync(invoice, cancel) is not { } owner) return Message(context, 404, "Unknown invoice", "The sandbox has never seen this invoice.");
        var declines = form["card"] == "declines";
        var act = declines ? new SandboxAct { Deed = SandboxDeed.PayInVain, Invoice = invoice, Card = Cards["declines"] with { Last4 = "0002" } }
            : new SandboxAct { Deed = SandboxDeed.Pay, Invoice = invoice, Card = form["keep"] == "yes" ? Cards["works"] : null };
        var result = await sandbox.DoAsync(owner, $"page {form["version"]} {act.Deed} {invoice}", act, cancel);
        // Somebody was faster: the page says what is.
        if (result is BillingResult.Done) await arrival.LetAsync(cancel);
        return new SeeOther($"{context.Request.Path}?said={(result is BillingResult.Done ? declines ? "declined" : "paid" : "late")}");
    }

    private static async Task<IResult> ShowPortalAsync(string token, HttpContext context, bool card)
    {
        var services = context.RequestServices;
        if (services.GetRequiredService<SandboxPages>().CustomerOf(token) is not { } customer)
            return Message(context, 410, "This page has expired", "A customer's portal is open for a day. Open it again from where you came.");
        if (await services.GetRequiredService<SandboxBilling>().ViewAsync(customer, context.RequestAborted) is not { } view)
            return Message(context, 404, "Unknown customer", "The sandbox knows this customer no more.");
        var said = context.Request.Query["said"].ToString();
        var address = $"/local/portal/{token}";
        return card ? Page<CardPage>(context, new() { [nameof(CardPage.View)] = view, [nameof(CardPage.Portal)] = address })
            : Page<PortalPage>(context, new() { [nameof(PortalPage.View)] = view, [nameof(PortalPage.Portal)] = address, [nameof(PortalPage.Said)] = said });
    }

    private static async Task<IResult> ChangeAsync(string token, HttpContext context, SandboxPages pages, SandboxBilling sandbox, SandboxArrival arrival)
    {
        var form = await FormAsync(context);
        var cancel = context.RequestAborted;
        if (pages.CustomerOf(token) is not { } customer) return Message(context, 410, "This page has expired", "A customer's portal is open for a day. Nothing was changed.");
        if (!Enum.TryParse<SandboxDeed>(form["deed"], ignoreCase: true, out var deed) || !Enum.IsDefined(deed)) return Message(context, 400, "That could not be read", "The form did not arrive as it should. Nothing was changed.");
        string? Text(string name) => form[name].ToString().Trim() is { Length: > 0 } text ? text[..Math.Min(text.Length, MaxComment)] : null;
        var code = Text("code");
        var coupon = Coupons.FirstOrDefault(c => c.Id.Equals(code, StringComparison.OrdinalIgnoreCase));
        if (deed == SandboxDeed.ApplyCoupon && coupon is null) return new SeeOther($"/local/portal/{token}?said=unknown-code");
        if (deed == SandboxDeed.CancelAtPeriodEnd && form["when"] == "now") deed = SandboxDeed.CancelNow;
        var act = new SandboxAct
        {
            Deed = deed, Subscription = Text("subscription"), Coupon = deed == SandboxDeed.ApplyCoupon ? coupon : null, Card = deed == SandboxDeed.SetCard ? Cards[form["card"] == "declines" ? "declines" : "works"] : null,
            Feedback = Text("feedback"), Comment = Text("comment"),
        };
        var result = await sandbox.DoAsync(customer, $"page {form["version"]} {deed} {act.Subscription} {code}", act, cancel);
        if (result is BillingResult.Done) await arrival.LetAsync(cancel);
        return new SeeOther($"/local/portal/{token}?said={(result is BillingResult.Done ? deed.ToString() : "late")}");
    }

    // ------------------------------------------------------------------ the founder's

    private static async Task<IResult> ListAsync(HttpContext context, ITables tables, CancellationToken cancel)
    {
        var customers = new List<Customer>();
        foreach (var bucket in Keys.AllBuckets)
            await foreach (var row in tables.QueryAsync(Keys.Customers(bucket), cancel))
                if (row.Read<Customer>() is { IsUntiedUser: false, DeletedAt: null, Subscriptions.Count: > 0 } customer) customers.Add(customer);
        // Those with whom there is most to try first.
        var shown = customers.OrderByDescending(c => c.FailingInvoices.Count > 0).ThenByDescending(c => c.IsCurrent).ThenBy(c => c.Called, StringComparer.OrdinalIgnoreCase).Take(CustomersShown).ToList();
        return Page<ListPage>(context, new() { [nameof(ListPage.Customers)] = shown, [nameof(ListPage.All)] = customers.Count });
    }

    private static async Task<IResult> OpenAsync(string? customer, HttpContext context, SandboxBilling sandbox, SandboxPages pages, CancellationToken cancel) =>
        customer is { Length: > 0 } && await sandbox.ViewAsync(customer.Trim(), cancel) is { } view ? new SeeOther(pages.PortalPath(view.CustomerId))
        : Message(context, 404, "Unknown customer", "The sandbox knows no customer of this id.");

    private static async Task<IResult> ActAsync(string id, HttpContext context, SandboxBilling sandbox, SandboxArrival arrival, CancellationToken cancel)
    {
        SandboxAct? act;
        try
        {
            act = await JsonSerializer.DeserializeAsync<SandboxAct>(context.Request.Body, Json, cancel);
        }
        catch (JsonException)
        {
            act = null;
        }
        if (act is null)
            return Wrong(400, "Say what is to be done, for example {\"deed\":\"ApplyCoupon\",\"subscription\":\"sub_…\",\"coupon\":{\"id\":\"STAY20\",\"percentOff\":20,\"duration\":\"forever\"}}. Deeds: " + string.Join(", ", Enum.GetNames<SandboxDeed>()) + ".");
        var key = context.Request.Headers["Idempotency-Key"].ToString() is { Length: > 0 } given ? $"api {given}" : $"api {Guid.NewGuid():N}";
        if (await sandbox.DoAsync(id, key, act, cancel) is BillingResult.Refused refused) return Wrong(409, refused.Reason);
        await arrival.LetAsync(cancel);
        return await sandbox.ViewAsync(id, cancel) is { } view ? Results.Json(view) : Results.NoContent();
    }

    private static IResult Wrong(int status, string error) => Results.Json(new { error }, statusCode: status);

    // ------------------------------------------------------------------ pages

    private static async Task<IFormCollection> FormAsync(HttpContext context)
    {
        await context.RequestServices.GetRequiredService<IAntiforgery>().ValidateRequestAsync(context);
        return await context.Request.ReadFormAsync(context.RequestAborted);
    }

    private static IResult Message(HttpContext context, int status, string title, string text) =>
        Page<MessagePage>(context, new() { [nameof(MessagePage.Title)] = title, [nameof(MessagePage.Text)] = text }, status);

    private static IResult Page<T>(HttpContext context, Dictionary<string, object?> parameters, int status = 200) where T : IComponent
    {
        var token = context.RequestServices.GetRequiredService<IAntiforgery>().GetAndStoreTokens(context);
        parameters["Frame"] = new SandboxFrame(context.RequestServices.GetRequiredService<RetentionSettings>().Product, token.FormFieldName, token.RequestToken!);
        return new RazorComponentResult<T>(parameters) { StatusCode = status, PreventStreamingRendering = true };
    }

    private static byte[] ReadStyle()
    {
        using var stream = typeof(SandboxEndpoints).Assembly.GetManifestResourceStream("Sandbox/sandbox.css")!;
        using var copy = new MemoryStream();
        stream.CopyTo(copy);
        return copy.ToArray();
    }

    // 303: what follows is a GET, whatever this was.
    private sealed class SeeOther(string to) : IResult
    {
        public Task ExecuteAsync(HttpContext context)
        {
            context.Response.StatusCode = StatusCodes.Status303SeeOther;
            context.Response.Headers.Location = to;
            return Task.CompletedTask;
        }
    }
}

/// <summary>What every page of the sandbox needs besides its own content.</summary>
/// <param name="Product">The founder's product.</param>
/// <param name="TokenField">The name of the form field that carries the token.</param>
/// <param name="Token">The token that makes a form ours.</param>
public sealed record SandboxFrame(ProductSettings Product, string TokenField, string Token);
