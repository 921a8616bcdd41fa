using System.Text.Json.Nodes;
using RetentionFunctions.Functions;
using RetentionFunctions.History;
using RetentionFunctions.Links;
using Stripe;
using static RetentionFunctions.FunctionsTests.RecordedAnswers;

namespace RetentionFunctions.FunctionsTests;

public sealed class StripeListsTests
{
    private static readonly DateTimeOffset From = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    private readonly List<double> waits = [];

    private (StripeLists Lists, RecordedAnswers Stripe) Of(params object[] answers)
    {
        var stripe = new RecordedAnswers(answers);
        return (new StripeLists(new StripeClient("rk_test_1", httpClient: new SystemNetHttpClient(new HttpClient(stripe), maxNetworkRetries: 0)), (pause, _) =>
        {
            waits.Add(pause.TotalSeconds);
            return Task.CompletedTask;
        }), stripe);
    }

    private static string Page(bool more, params string[] ids) => new JsonObject
    {
        ["object"] = "list", ["has_more"] = more, ["data"] = new JsonArray([.. ids.Select(id => new JsonObject { ["id"] = id, ["object"] = "thing" })]),
    }.ToJsonString();

    private static string Error(string message) => new JsonObject { ["error"] = new JsonObject { ["type"] = "invalid_request_error", ["message"] = message } }.ToJsonString();

    public static TheoryData<BillingQuery, string> Queries => new()
    {
        { new(BillingList.Customers), "/v1/customers?limit=100&expand[]=data.invoice_settings.default_payment_method" },
        { new(BillingList.Subscriptions) { Limit = 20, After = "sub_1" }, "/v1/subscriptions?limit=20&starting_after=sub_1&status=all" },
        { new(BillingList.Invoices) { SubscriptionId = "sub_1", CreatedFrom = From }, $"/v1/invoices?limit=100&created[gte]={1767225600}&subscription=sub_1" },
        { new(BillingList.PendingItems) { CustomerId = "cus_1" }, "/v1/invoiceitems?limit=100&customer=cus_1&pending=true" },
        { new(BillingList.Events) { CreatedFrom = From }, "/v1/events?limit=100&created[gte]=1767225600" },
    };

    [Theory, MemberData(nameof(Queries), DisableDiscoveryEnumeration = true)]
    public async Task Each_list_is_asked_for_as_Stripe_names_it(BillingQuery query, string path)
    {
        var (lists, stripe) = Of(Answer(200, Page(false)));
        var page = await lists.ListAsync(query);
        Assert.Equal(("GET", path), (stripe.Requests[0].Method, Uri.UnescapeDataString(stripe.Requests[0].Path)));
        Assert.Equal((0, false, null), (page.Items.Count, page.HasMore, page.LastId));
    }

    [Fact]
    public async Task A_page_is_raw_and_as_of_Stripes_own_clock()
    {
        var (lists, _) = Of(Answer(200, Page(true, "sub_2", "sub_1"), ("Date", "Thu, 01 Jan 2026 00:00:10 GMT")));
        var page = await lists.ListAsync(new BillingQuery(BillingList.Subscriptions));
        Assert.Equal((true, "sub_1", "thing"), (page.HasMore, page.LastId, page.Items[0].GetProperty("object").GetString()));
        Assert.InRange(page.AsOf, From, From.AddSeconds(10));
    }

    [Fact]
    public async Task Throttled_it_waits_longer_each_time_and_then_leaves_it_for_later()
    {
        var tooMany = Answer(429, Error("Too many requests"));
        var (lists, _) = Of(tooMany, tooMany, Answer(200, Page(false, "evt_1")));
        Assert.Equal("evt_1", (await lists.ListAsync(new BillingQuery(BillingList.Events))).LastId);
        Assert.Equal([1, 2], waits);
        waits.Clear();
        (lists, _) = Of(tooMany, tooMany, tooMany, tooMany, tooMany);
        await Assert.ThrowsAsync<TransientBillingException>(() => lists.ListAsync(new BillingQuery(BillingList.Events)));
        Assert.Equal([1, 2, 4, 8], waits);
    }

    [Theory]
    [InlineData(500)]
    [InlineData(502)]
    [InlineData(409)]
    public async Task What_passes_by_itself_may_be_asked_again(int status)
    {
        var (lists, _) = Of(Answer(status, Error("Ours")));
        await Assert.ThrowsAsync<TransientBillingException>(() => lists.ListAsync(new BillingQuery(BillingList.Customers)));
        (lists, _) = Of(new HttpRequestException(HttpRequestError.ConnectionError, "refused"));
        await Assert.ThrowsAsync<TransientBillingException>(() => lists.PriceAsync("price_1"));
    }

    [Fact]
    public async Task A_key_that_may_not_is_told_by_the_permission_that_it_lacks_and_never_by_itself()
    {
        var (lists, _) = Of(Answer(403, Error("The provided key 'rk_test_*1' does not have the required permissions")));
        var forbidden = await Assert.ThrowsAsync<BillingForbiddenException>(() => lists.ListAsync(new BillingQuery(BillingList.Events)));
        Assert.Contains("Events: read", forbidden.Message);
        Assert.DoesNotContain("rk_test", forbidden.Message);
        (lists, _) = Of(Answer(401, Error("Invalid API Key provided: rk_test_*1")));
        Assert.Contains("STRIPE_API_KEY", (await Assert.ThrowsAsync<BillingForbiddenException>(() => lists.ListAsync(new BillingQuery(BillingList.Invoices)))).Message);
    }

    [Fact]
    public async Task A_price_is_fetched_by_its_id_and_one_that_is_gone_is_none()
    {
        var (lists, stripe) = Of(Answer(200, """{"id":"price_1","object":"price"}"""), Answer(404, Error("No such price")));
        Assert.Equal("price_1", (await lists.PriceAsync("price_1"))!.Value.GetProperty("id").GetString());
        Assert.Null(await lists.PriceAsync("price_2"));
        Assert.Equal("/v1/prices/price_1", stripe.Requests[0].Path);
    }
}
