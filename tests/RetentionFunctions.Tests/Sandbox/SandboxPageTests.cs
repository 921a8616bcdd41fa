using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Microsoft.Extensions.DependencyInjection;
using RetentionFunctions.Links;
using RetentionFunctions.Local.Sandbox;
using RetentionFunctions.Tests.Support;
using static RetentionFunctions.Tests.Sandbox.SandboxStripeTests;

namespace RetentionFunctions.Tests.Sandbox;

/// <summary>The pages that stand in for Stripe's, used as a customer uses them; for the sandbox's own customers and for those whose events came from elsewhere.</summary>
public sealed partial class SandboxPageTests
{
    private const string SignedUp = "2026-01-05T10:00:00Z";

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_customer_cancels_with_a_reason_thinks_better_of_it_and_then_leaves_at_once(bool own)
    {
        await using var host = await StartAsync(own);
        var portal = await PortalAsync(host);
        Assert.Contains("Cancel the subscription", await TextAsync(host, portal));

        Assert.Equal("CancelAtPeriodEnd", await PostAsync(host, portal, ("deed", "CancelAtPeriodEnd"), ("subscription", "sub_Ada"), ("when", "end"), ("feedback", "too_expensive"), ("comment", "Too <b>dear</b>")));
        var customer = await host.CustomerAsync();
        Assert.NotNull(Subscription(customer)["endsAt"]);
        Assert.Contains("ends soon", await TextAsync(host, portal));

        Assert.Equal("UndoCancel", await PostAsync(host, portal, ("deed", "UndoCancel"), ("subscription", "sub_Ada")));
        Assert.Null(Subscription(await host.CustomerAsync())["endsAt"]);

        Assert.Equal("CancelNow", await PostAsync(host, portal, ("deed", "CancelAtPeriodEnd"), ("subscription", "sub_Ada"), ("when", "now"), ("feedback", "unused")));
        Assert.Equal("canceled", (string)(await host.CustomerAsync())["status"]!);
        Assert.Contains("ended", await TextAsync(host, portal));
        Assert.Empty(await host.DeadLettersAsync());
    }

    [Fact]
    public async Task A_promotion_code_lowers_the_mrr_where_the_version_says_what_it_takes_off()
    {
        await using var host = await StartAsync(own: true, Older);
        var portal = await PortalAsync(host);
        Assert.Equal("unknown-code", await PostAsync(host, portal, ("deed", "ApplyCoupon"), ("subscription", "sub_Ada"), ("code", "FREE")));
        Assert.Equal("ApplyCoupon", await PostAsync(host, portal, ("deed", "ApplyCoupon"), ("subscription", "sub_Ada"), ("code", "stay20")));
        Assert.Contains("20 % off", await TextAsync(host, portal));
        Assert.Contains("3920", (await host.CustomerAsync())["mrr"]!.ToJsonString());
        Assert.Equal("RemoveCoupon", await PostAsync(host, portal, ("deed", "RemoveCoupon"), ("subscription", "sub_Ada")));
        Assert.Contains("4900", (await host.CustomerAsync())["mrr"]!.ToJsonString());
    }

    [Fact]
    public async Task A_card_is_changed_on_its_page_and_a_portal_is_only_for_whom_it_was_made_and_for_a_day()
    {
        await using var host = await StartAsync(own: true);
        var card = await host.Services.GetRequiredService<IBilling>().PaymentPageAsync("cus_Ada", null, new Uri("http://example.com"));
        Assert.Contains("Change your card", await TextAsync(host, card.AbsolutePath));
        var portal = card.AbsolutePath[..^"/card".Length];
        Assert.Equal("SetCard", await PostAsync(host, portal, ("deed", "SetCard"), ("card", "declines")));
        Assert.Equal("0341", (await host.Services.GetRequiredService<SandboxAccounts>().StateAsync("cus_Ada"))!.Customer.Card!.Last4);

        Assert.Equal(HttpStatusCode.Gone, (await host.Http.GetAsync(portal[..^5] + "AAAAA")).StatusCode);
        Assert.Equal(HttpStatusCode.Gone, (await host.Http.GetAsync("/local/portal/no-token-of-ours")).StatusCode);
        await host.AdvanceAsync(TimeSpan.FromHours(24.5));
        Assert.Equal(HttpStatusCode.Gone, (await host.Http.GetAsync(portal)).StatusCode);
    }

    [Fact]
    public async Task A_form_without_its_token_changes_nothing()
    {
        await using var host = await StartAsync(own: true);
        var portal = await PortalAsync(host);
        var made = (await host.Services.GetRequiredService<SandboxAccounts>().StateAsync("cus_Ada"))!.Made;
        foreach (var address in new[] { portal, $"/local/pay/{(await host.Services.GetRequiredService<SandboxAccounts>().StateAsync("cus_Ada"))!.Invoices[0].Id}" })
            Assert.Equal(HttpStatusCode.BadRequest, (await host.Http.PostAsync(address, new FormUrlEncodedContent([new("deed", "CancelNow"), new("subscription", "sub_Ada")]))).StatusCode);
        Assert.Equal(made, (await host.Services.GetRequiredService<SandboxAccounts>().StateAsync("cus_Ada"))!.Made);
        var page = await host.Http.GetAsync(portal);
        Assert.StartsWith("default-src 'none'", page.Headers.GetValues("Content-Security-Policy").Single(), StringComparison.Ordinal);
        Assert.True(page.Headers.CacheControl!.NoStore);
        Assert.DoesNotContain("<script", await page.Content.ReadAsStringAsync(), StringComparison.OrdinalIgnoreCase);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_declined_card_is_said_on_the_invoices_page_and_a_good_one_pays(bool own)
    {
        await using var host = await StartAsync(own);
        var invoice = await FailAsync(host, own);
        var page = $"/local/pay/{invoice}";
        Assert.Contains("$49.00", await TextAsync(host, page));
        Assert.Equal("declined", await PostAsync(host, page, ("card", "declines")));
        Assert.Contains("The bank declined the card", await TextAsync(host, $"{page}?said=declined"));
        Assert.Equal("past_due", (string)(await host.CustomerAsync())["status"]!);
        Assert.Equal("paid", await PostAsync(host, page, ("card", "works"), ("keep", "yes")));
        Assert.Contains("<h1>Paid</h1>", await TextAsync(host, page));
        Assert.Equal("active", (string)(await host.CustomerAsync())["status"]!);
        Assert.Equal("paid", (string)Assert.Single(await host.FlowsAsync())["outcome"]!);
        Assert.Equal(HttpStatusCode.NotFound, (await host.Http.GetAsync("/local/pay/in_unknown")).StatusCode);
        Assert.Empty(await host.DeadLettersAsync());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task The_founder_does_all_of_it_as_json_and_the_same_key_again_changes_nothing(bool own)
    {
        await using var host = await StartAsync(own);
        var invoice = await FailAsync(host, own);
        Assert.Equal("cus_Ada", (string)(await host.GetAsync("/local/sandbox/customers/cus_Ada"))!["customerId"]!);
        await DoAsync(host, "pay", new JsonObject { ["deed"] = "Pay", ["invoice"] = invoice });
        Assert.Equal("active", (string)(await host.CustomerAsync())["status"]!);
        await DoAsync(host, "pause", new JsonObject { ["deed"] = "Pause", ["subscription"] = "sub_Ada", ["until"] = host.Now.AddDays(70).ToString("O") });
        await DoAsync(host, "resume", new JsonObject { ["deed"] = "Resume", ["subscription"] = "sub_Ada" });
        await DoAsync(host, "pause", new JsonObject { ["deed"] = "Pause", ["subscription"] = "sub_Ada", ["until"] = host.Now.AddDays(70).ToString("O") });
        var view = await DoAsync(host, "coupon", new JsonObject { ["deed"] = "ApplyCoupon", ["subscription"] = "sub_Ada", ["coupon"] = new JsonObject { ["id"] = "X", ["percentOff"] = 10, ["duration"] = "forever" } });
        Assert.False((bool)view["subscriptions"]![0]!["isPaused"]!);
        await DoAsync(host, "card", new JsonObject { ["deed"] = "SetCard", ["card"] = new JsonObject { ["brand"] = "amex", ["last4"] = "8431", ["expMonth"] = 4, ["expYear"] = 2031 } });
        await DoAsync(host, "leave", new JsonObject { ["deed"] = "CancelNow", ["subscription"] = "sub_Ada", ["feedback"] = "unused" });
        Assert.Equal("canceled", (string)(await host.CustomerAsync())["status"]!);
        Assert.Empty(await host.DeadLettersAsync());

        var late = await host.Http.PostAsJsonAsync("/local/sandbox/customers/cus_Ada", new { deed = "CancelNow", subscription = "sub_Ada" });
        Assert.Equal(HttpStatusCode.Conflict, late.StatusCode);
        Assert.Equal(HttpStatusCode.BadRequest, (await host.Http.PostAsJsonAsync("/local/sandbox/customers/cus_Ada", new { deed = "Steal" })).StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, (await host.Http.GetAsync("/local/sandbox/customers/cus_Eve")).StatusCode);
    }

    [Fact]
    public async Task The_founders_list_leads_to_a_customers_portal()
    {
        await using var host = await StartAsync(own: true);
        var list = await TextAsync(host, "/local/sandbox");
        var link = WebUtility.HtmlDecode(Regex.Match(list, "href=\"(/local/sandbox/open[^\"]+)\"").Groups[1].Value);
        var answer = await host.Http.GetAsync(link);
        Assert.Equal(HttpStatusCode.SeeOther, answer.StatusCode);
        Assert.Contains("Your subscription", await TextAsync(host, answer.Headers.Location!.ToString()));
        Assert.Equal(HttpStatusCode.NotFound, (await host.Http.GetAsync("/local/sandbox/open?customer=cus_Eve")).StatusCode);
    }

    // Her events are the sandbox's own, or they came from elsewhere.
    private static async Task<TestHost> StartAsync(bool own, string version = Newest)
    {
        var host = await TestHost.StartAsync(SignedUp);
        if (!own)
        {
            await host.StripeAsync(host.Ada.SignsUp(host.Now));
            return host;
        }
        var accounts = host.Services.GetRequiredService<SandboxAccounts>();
        await accounts.KeepAsync(new SandboxOptions { ApiVersion = version }, []);
        await accounts.DoAsync("cus_Ada", "sign-up", stripe =>
            [.. stripe.CreateCustomer("cus_Ada", "ada@example.com", "Ada", "GB", Good, host.Now), .. stripe.Subscribe("cus_Ada", "sub_Ada", Pro, 1, host.Now)]);
        await host.AdvanceAsync(SandboxDelivery.Longest);
        return host;
    }

    private static async Task<string> FailAsync(TestHost host, bool own)
    {
        if (own)
        {
            var accounts = host.Services.GetRequiredService<SandboxAccounts>();
            await accounts.DoAsync("cus_Ada", "card", stripe => stripe.SetCard("cus_Ada", Poor, host.Now));
            await host.AdvanceAsync(TimeSpan.FromDays(32));
            return (await accounts.StateAsync("cus_Ada"))!.Invoices[^1].Id;
        }
        await host.AdvanceAsync(TimeSpan.FromDays(31));
        await host.StripeAsync(host.Ada.PaymentFails(host.Now, next: host.Now.AddDays(3)));
        return host.Ada.InvoiceId("renewal");
    }

    private static async Task<JsonNode> DoAsync(TestHost host, string key, JsonObject act)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/local/sandbox/customers/cus_Ada") { Content = JsonContent.Create(act) };
        request.Headers.Add("Idempotency-Key", key);
        var answer = await host.Http.SendAsync(request);
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync());
        return (await answer.Content.ReadFromJsonAsync<JsonNode>())!;
    }

    private static JsonNode Subscription(JsonNode customer) => Assert.Single(customer["subscriptions"]!.AsArray())!;

    private static async Task<string> PortalAsync(TestHost host) => new Uri((string)(await host.GetAsync("/local/sandbox/customers/cus_Ada"))!["portal"]!).AbsolutePath;

    private static async Task<string> TextAsync(TestHost host, string path)
    {
        var answer = await host.Http.GetAsync(path);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        return await answer.Content.ReadAsStringAsync();
    }

    /// <summary>Sends the form of a page with its token and its cookie, as a browser does; returns what the page then says.</summary>
    internal static async Task<string> PostAsync(TestHost host, string path, params (string Name, string Value)[] fields)
    {
        var page = await host.Http.GetAsync(path);
        var html = await page.Content.ReadAsStringAsync();
        var cookie = page.Headers.GetValues("Set-Cookie").Select(c => c.Split(';')[0]).Single(c => c.StartsWith("rf_form=", StringComparison.Ordinal));
        var form = new Dictionary<string, string> { ["version"] = Version().Match(html).Groups[1].Value, ["form_token"] = WebUtility.HtmlDecode(Token().Match(html).Groups[1].Value) };
        Assert.True(form["form_token"].Length > 0, $"{path} has no form.");
        foreach (var (name, value) in fields) form[name] = value;
        using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = new FormUrlEncodedContent(form), Headers = { { "Cookie", cookie } } };
        var answer = await host.Http.SendAsync(request);
        Assert.True(answer.StatusCode == HttpStatusCode.SeeOther, $"{answer.StatusCode} {await answer.Content.ReadAsStringAsync()}");
        return answer.Headers.Location!.ToString().Split("?said=")[1];
    }

    [GeneratedRegex("name=\"form_token\" value=\"([^\"]+)\"")]
    private static partial Regex Token();

    [GeneratedRegex("name=\"version\" value=\"([^\"]+)\"")]
    private static partial Regex Version();
}
