using System.Text.Json.Nodes;
using RetentionFunctions.Functions;
using RetentionFunctions.Links;
using Stripe;
using static RetentionFunctions.FunctionsTests.RecordedAnswers;

namespace RetentionFunctions.FunctionsTests;

public sealed class StripeBillingTests
{
    private static readonly DateTimeOffset Until = new(2026, 3, 1, 10, 0, 0, TimeSpan.Zero);
    private static readonly Uri Back = new("https://retention.example.com/l/token");

    private static (StripeBilling Billing, RecordedAnswers Stripe) Of(params object[] answers)
    {
        var stripe = new RecordedAnswers(answers);
        return (new StripeBilling(new StripeClient("sk_test_1", httpClient: new SystemNetHttpClient(new HttpClient(stripe), maxNetworkRetries: 0))), stripe);
    }

    private static string Subscription => """{"id":"sub_1","object":"subscription","customer":"cus_1","status":"active"}""";

    private static string Error(string type, string code, string message) =>
        new JsonObject { ["error"] = new JsonObject { ["type"] = type, ["code"] = code, ["message"] = message } }.ToJsonString();

    private static string Invoice(string status, string? url, string customer = "cus_1") =>
        new JsonObject { ["id"] = "in_1", ["object"] = "invoice", ["customer"] = customer, ["status"] = status, ["hosted_invoice_url"] = url }.ToJsonString();

    private const string Session = """{"id":"bps_1","object":"billing_portal.session","customer":"cus_1","url":"https://billing.stripe.com/p/session/1"}""";

    [Fact]
    public async Task A_pause_voids_what_falls_due_until_it_resumes_and_carries_its_key()
    {
        var (billing, stripe) = Of(Answer(200, Subscription));
        Assert.Equal(new BillingResult.Done(), await billing.PauseAsync("cus_1", "sub_1", Until, "pause-1"));
        var request = Assert.Single(stripe.Requests);
        Assert.Equal(("POST", "/v1/subscriptions/sub_1", "pause-1"), (request.Method, request.Path, request.Headers["Idempotency-Key"]));
        Assert.Equal($"pause_collection[behavior]=void&pause_collection[resumes_at]={Until.ToUnixTimeSeconds()}", Uri.UnescapeDataString(request.Body));
    }

    [Fact]
    public async Task To_resume_the_pause_is_unset_and_not_left_out()
    {
        var (billing, stripe) = Of(Answer(200, Subscription));
        Assert.Equal(new BillingResult.Done(), await billing.ResumeAsync("cus_1", "sub_1", "resume-1"));
        Assert.Equal(("pause_collection=", "resume-1"), (stripe.Requests[0].Body, stripe.Requests[0].Headers["Idempotency-Key"]));
    }

    [Theory]
    [InlineData(404, "invalid_request_error", "resource_missing")]
    [InlineData(400, "invalid_request_error", "resource_missing")]
    [InlineData(400, "idempotency_error", "idempotency_key_in_use")]
    public async Task What_Stripe_will_never_do_is_refused_with_its_words(int status, string type, string code)
    {
        var (billing, _) = Of(Answer(status, Error(type, code, "No such subscription: 'sub_1'")));
        Assert.Equal(new BillingResult.Refused("No such subscription: 'sub_1'"), await billing.PauseAsync("cus_1", "sub_1", Until, "k"));
    }

    public static TheoryData<string, object> Passing => new()
    {
        { "wrong key", Answer(401, Error("invalid_request_error", "", "Invalid API Key")) },
        { "missing right", Answer(403, Error("invalid_request_error", "", "The key lacks a right")) },
        { "locked", Answer(409, Error("invalid_request_error", "lock_timeout", "Locked")) },
        { "too many", Answer(429, Error("invalid_request_error", "rate_limit", "Too many")) },
        { "broken", Answer(500, Error("api_error", "", "Ours")) },
        { "a proxy's page", Answer(502, "<html></html>") },
        { "unreachable", new HttpRequestException(HttpRequestError.ConnectionError, "refused") },
        { "time-out", new TaskCanceledException("timeout", new TimeoutException()) },
    };

    [Theory, MemberData(nameof(Passing), DisableDiscoveryEnumeration = true)]
    public async Task What_passes_by_itself_may_be_asked_again_with_the_same_key(string what, object answer)
    {
        var (billing, _) = Of(answer);
        var fault = await Record.ExceptionAsync(() => billing.PauseAsync("cus_1", "sub_1", Until, "k"));
        Assert.True(fault is TransientBillingException, $"{what}: {fault}");
        (billing, _) = Of(answer);
        fault = await Record.ExceptionAsync(() => billing.PaymentPageAsync("cus_1", null, Back));
        Assert.True(fault is TransientBillingException, $"{what}: {fault}");
    }

    [Fact]
    public async Task An_open_invoice_is_paid_on_its_own_page()
    {
        var (billing, stripe) = Of(Answer(200, Invoice("open", "https://invoice.stripe.com/i/1")));
        Assert.Equal(new Uri("https://invoice.stripe.com/i/1"), await billing.PaymentPageAsync("cus_1", "in_1", Back));
        Assert.Equal(("GET", "/v1/invoices/in_1"), (stripe.Requests[0].Method, stripe.Requests[0].Path));
    }

    public static TheoryData<string, object> NothingToPay => new()
    {
        { "paid", Answer(200, Invoice("paid", "https://invoice.stripe.com/i/1")) },
        { "no page", Answer(200, Invoice("open", null)) },
        { "somebody else's", Answer(200, Invoice("open", "https://invoice.stripe.com/i/1", "cus_2")) },
        { "gone", Answer(404, Error("invalid_request_error", "resource_missing", "No such invoice")) },
    };

    [Theory, MemberData(nameof(NothingToPay), DisableDiscoveryEnumeration = true)]
    public async Task Without_an_invoice_to_pay_the_customers_portal_opens_and_leads_back(string what, object invoice)
    {
        var (billing, stripe) = Of(invoice, Answer(200, Session));
        Assert.Equal(new Uri("https://billing.stripe.com/p/session/1"), await billing.PaymentPageAsync("cus_1", "in_1", Back));
        Assert.True(stripe.Requests[1].Path == "/v1/billing_portal/sessions", what);
        Assert.Equal($"customer=cus_1&return_url={Back}", Uri.UnescapeDataString(stripe.Requests[1].Body));
    }
}
