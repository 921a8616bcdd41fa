using System.Net;
using System.Text.Json;
using RetentionFunctions.Customers;
using RetentionFunctions.Flows;
using RetentionFunctions.Health;
using RetentionFunctions.Storage;

namespace RetentionFunctions.Tests.Web;

/// <summary>The JSON API is a contract: its shapes are literals here.</summary>
public class ApiTests
{
    private const string Health = """
        {"score":34,"tier":"high_risk","scoredOn":"2026-03-10","previousScore":42,"reasons":[
          {"signal":"signIns","text":"seldom here","impact":-18},{"signal":"satisfaction","text":"no ratings: the weight went to the other signals","impact":0}],"dimensions":[
          {"dimension":"use","score":38,"weight":50},{"dimension":"service","score":null,"weight":0},{"dimension":"commercial","score":71.5,"weight":30},{"dimension":"engagement","score":90,"weight":20}]}
        """;

    private const string OpenRun = """
        {"customer":"cus_1","flow":"dunning","occasion":"in_1","status":"running","outcome":null,"preview":false,"startedAt":"2026-03-06T12:00:00+00:00","dueAt":"2026-03-13T12:00:00+00:00","endedAt":null,
         "because":"seldom here","endedBecause":null,"sent":[{"step":1,"template":"dunning-1","at":"2026-03-06T12:00:00+00:00","result":"accepted"},{"step":2,"template":"dunning-2","at":"2026-03-09T12:00:00+00:00","result":"accepted"}]}
        """;

    private const string EndedRun = """
        {"customer":"cus_1","flow":"win-back","occasion":"2025-11-02","status":"ended","outcome":"returned","preview":false,"startedAt":"2026-03-06T12:00:00+00:00","dueAt":null,"endedAt":"2026-03-09T12:00:00+00:00",
         "because":"the payment of $29.00 failed: insufficient funds","endedBecause":"seldom here","sent":[{"step":1,"template":"win-back-1","at":"2026-03-06T12:00:00+00:00","result":"accepted"},{"step":2,"template":"win-back-2","at":"2026-03-09T12:00:00+00:00","result":"accepted"}]}
        """;

    [Fact]
    public async Task One_customer_has_its_documented_shape()
    {
        await using var host = await HostedPipeline.StartAsync();
        await SampleRows.FullAsync(host, "cus_1", "Ada Ltd", "seldom here");
        await host.Tables.UpsertAsync(Keys.Score("cus_1", new DateOnly(2026, 3, 9)), new HealthState { Score = 42, Tier = HealthTier.MediumRisk, Stage = Stage.Value, ScoredOn = new DateOnly(2026, 3, 9), Reasons = [], Dimensions = [] });
        var churned = new Movement(new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero), MovementKind.Churned, -4900, "usd", 0) { Involuntary = true };
        await host.Tables.UpsertAsync(Keys.Movement("cus_1", churned.At, "usd", 0), churned);
        await ExpectAsync(host, "/api/v1/customers/cus_1", $$"""
            {"unsubscribedAt":"2026-03-08T12:00:00+00:00","suppressedAt":"2026-03-09T12:00:00+00:00",
             "subscriptions":[{"id":"sub_1","plan":"seldom here","state":"past_due","mrr":{"amount":4900,"currency":"usd"},"periodEndAt":"2026-03-22T12:00:00+00:00","endsAt":"2026-03-22T12:00:00+00:00","endedAt":null}],
             "flows":[{{OpenRun}},{{EndedRun}}],
             "history":[{"on":"2026-03-09","score":42,"tier":"medium_risk"}],
             "ledger":[{"at":"2026-01-02T03:04:05+00:00","kind":"churned","amount":-4900,"currency":"usd","mrrAfter":0,"involuntary":true}],
             "id":"cus_1","email":"cus_1@example.com","name":"Ada Ltd","status":"past_due","mrr":{"amount":4900,"currency":"usd"},"mrrByCurrency":{"usd":4900},"health":{{Health}},
             "stage":"value","valueTier":"A","lastSeenAt":"2026-02-26T12:00:00+00:00","openFlows":["dunning"]}
            """);
    }

    [Fact]
    public async Task The_list_of_customers_has_its_documented_shape()
    {
        await using var host = await HostedPipeline.StartAsync();
        await SampleRows.FullAsync(host, "cus_1", "Ada Ltd", "seldom here");
        await host.Tables.SeedAsync(SampleRows.Customer("user:u_7"));
        await host.Tables.SeedAsync(SampleRows.Customer("cus_2", status: CustomerStatus.None, mrr: 0, currency: "eur"));
        await ExpectAsync(host, "/api/v1/customers", $$"""
            [
             {"id":"cus_1","email":"cus_1@example.com","name":"Ada Ltd","status":"past_due","mrr":{"amount":4900,"currency":"usd"},"mrrByCurrency":{"usd":4900},"health":{{Health}},
              "stage":"value","valueTier":"A","lastSeenAt":"2026-02-26T12:00:00+00:00","openFlows":["dunning"]},
             {"id":"cus_2","email":"cus_2@example.com","name":null,"status":"none","mrr":{"amount":0,"currency":"eur"},"mrrByCurrency":{},"health":null,"stage":null,"valueTier":null,"lastSeenAt":null,"openFlows":[]}]
            """);
    }

    [Fact]
    public async Task The_mrr_of_two_currencies_is_never_added_up()
    {
        await using var host = await HostedPipeline.StartAsync();
        await host.Tables.SeedAsync(SampleRows.Customer("cus_1") with { Mrr = new Dictionary<string, long> { ["eur"] = 1000, ["usd"] = 2000 } });
        var customer = JsonDocument.Parse(await host.Client.GetStringAsync("/api/v1/customers/cus_1")).RootElement;
        Assert.Equal("""{"amount":2000,"currency":"usd"}""", customer.GetProperty("mrr").GetRawText());
        Assert.Equal("""{"eur":1000,"usd":2000}""", customer.GetProperty("mrrByCurrency").GetRawText());
    }

    [Theory]
    [InlineData("", "cus_c cus_b cus_a cus_d")]
    [InlineData("?sort=mrr", "cus_d cus_b cus_c cus_a")]
    [InlineData("?sort=email", "cus_a cus_b cus_c cus_d")]
    [InlineData("?tier=high_risk", "cus_c cus_d")]
    [InlineData("?tier=HEALTHY", "cus_a")]
    [InlineData("?status=active", "cus_b cus_a")]
    [InlineData("?status=canceled", "cus_d")]
    [InlineData("?search=CUS_B%40", "cus_b")]
    [InlineData("?search=nobody", "")]
    public async Task Customers_are_filtered_and_ordered(string query, string expected)
    {
        await using var host = await HostedPipeline.StartAsync();
        await host.Tables.SeedAsync(SampleRows.Customer("cus_a", score: 90, mrr: 100));
        await host.Tables.SeedAsync(SampleRows.Customer("cus_b", score: 50, mrr: 300));
        await host.Tables.SeedAsync(SampleRows.Customer("cus_c", score: 10, mrr: 200, status: CustomerStatus.PastDue));
        await host.Tables.SeedAsync(SampleRows.Customer("cus_d", score: 0, mrr: 900, status: CustomerStatus.Canceled));
        Assert.Equal(expected, string.Join(' ', (await PageAsync(host, query)).Ids));
    }

    [Fact]
    public async Task The_pages_together_are_the_whole_list_once()
    {
        await using var host = await HostedPipeline.StartAsync();
        for (var i = 0; i < 11; i++) await host.Tables.SeedAsync(SampleRows.Customer($"cus_{i:00}", score: i % 3 * 20));
        var walked = new List<string>();
        var address = "?limit=4";
        while (address is not null)
        {
            var (ids, next) = await PageAsync(host, address);
            walked.AddRange(ids);
            address = next?["/api/v1/customers".Length..];
        }
        Assert.Equal((await PageAsync(host, "")).Ids, walked);
        Assert.Equal(11, walked.Count);
    }

    [Theory]
    [InlineData("?tier=awful", "tier is one of healthy, low_risk, medium_risk, high_risk, not 'awful'.")]
    [InlineData("?status=paying", "status is one of none, trialing, active, past_due, paused, canceled, not_paying, not 'paying'.")]
    [InlineData("?sort=age", "sort is one of risk, mrr, email, risk_mrr, not 'age'.")]
    [InlineData("?limit=0", "limit is a whole number from 1 to 500, not '0'.")]
    [InlineData("?after=cus_x", "after is the id of the last customer of the page before; there is no customer 'cus_x'. Begin again without it.")]
    public async Task A_wrong_filter_is_told(string query, string detail)
    {
        await using var host = await HostedPipeline.StartAsync();
        await ExpectAsync(host, $"/api/v1/customers{query}", $$"""{"type":"about:blank","title":"Bad Request","status":400,"detail":{{JsonSerializer.Serialize(detail)}}}""", HttpStatusCode.BadRequest);
    }

    [Theory]
    [InlineData("cus_x")]
    [InlineData("user:u_1")]
    public async Task A_customer_that_is_none_is_404(string id)
    {
        await using var host = await HostedPipeline.StartAsync();
        await host.Tables.SeedAsync(SampleRows.Customer("user:u_1"));
        await ExpectAsync(host, $"/api/v1/customers/{id}", $$"""{"type":"about:blank","title":"Not Found","status":404,"detail":"There is no customer '{{id}}'."}""", HttpStatusCode.NotFound);
    }

    [Fact]
    public async Task Flows_are_all_runs_of_a_customer_or_all_open_runs()
    {
        await using var host = await HostedPipeline.StartAsync();
        await SampleRows.FullAsync(host, "cus_1", "Ada", "seldom here");
        await ExpectAsync(host, "/api/v1/flows?customer=cus_1", $$"""[{{OpenRun}},{{EndedRun}}]""");
        await ExpectAsync(host, "/api/v1/flows", $$"""[{{OpenRun}}]""");
    }

    [Fact]
    public async Task A_run_is_stopped_by_its_name()
    {
        await using var host = await HostedPipeline.StartAsync();
        var done = await host.Client.PostAsync("/api/v1/flows/stop?customer=cus_1&flow=dunning&occasion=in_1", null);
        Assert.Equal("""{"stopped":true}""", await done.Content.ReadAsStringAsync());
        Assert.Equal([new RunId("cus_1", "dunning", "in_1")], host.Stopped);
        Assert.Equal(HttpStatusCode.NotFound, (await host.Client.PostAsync("/api/v1/flows/stop?customer=cus_nobody&flow=dunning&occasion=in_1", null)).StatusCode);
        Assert.Equal(HttpStatusCode.BadRequest, (await host.Client.PostAsync("/api/v1/flows/stop?customer=cus_1&flow=dunning", null)).StatusCode);
        Assert.Equal(HttpStatusCode.MethodNotAllowed, (await host.Client.GetAsync("/api/v1/flows/stop?customer=cus_1&flow=dunning&occasion=in_1")).StatusCode);
    }

    [Fact]
    public async Task A_dead_letter_is_listed_replayed_and_dropped()
    {
        await using var host = await HostedPipeline.StartAsync();
        await SampleRows.FullAsync(host, "cus_1", "Ada", "seldom here");
        await ExpectAsync(host, "/api/v1/dead-letters", """
            [{"id":"evt_cus_1/odd","kind":"stripe_event","session":"cus_1","reason":"seldom here","receivedAt":"2026-03-10T09:00:00+00:00","at":"2026-03-10T10:00:00+00:00","attempts":5}]
            """);
        var replayed = await host.Client.PostAsync("/api/v1/dead-letters/evt_cus_1%2Fodd/replay", null);
        Assert.Equal("""{"id":"evt_cus_1/odd","result":"replayed"}""", await replayed.Content.ReadAsStringAsync());
        Assert.Equal("seldom here", System.Text.Encoding.UTF8.GetString(Assert.Single(host.Inbox.Messages).Body.Span));
        Assert.Equal(HttpStatusCode.NotFound, (await host.Client.PostAsync("/api/v1/dead-letters/evt_cus_1%2Fodd/replay", null)).StatusCode);

        await SampleRows.FullAsync(host, "cus_1", "Ada", "seldom here");
        var dropped = await host.Client.DeleteAsync("/api/v1/dead-letters/evt_cus_1%2Fodd");
        Assert.Equal("""{"id":"evt_cus_1/odd","result":"dropped"}""", await dropped.Content.ReadAsStringAsync());
        Assert.Equal(HttpStatusCode.NotFound, (await host.Client.DeleteAsync("/api/v1/dead-letters/evt_cus_1%2Fodd")).StatusCode);
    }

    [Fact]
    public async Task The_sweep_answers_with_what_it_did()
    {
        await using var host = await HostedPipeline.StartAsync();
        Assert.Equal("""{"at":"2026-03-10T12:00:00+00:00","customers":3,"tiers":{"healthy":1,"low_risk":0,"medium_risk":0,"high_risk":2},"candidates":2,"started":1,"warning":null}""", await (await host.Client.PostAsync("/api/v1/sweep", null)).Content.ReadAsStringAsync());
    }

    private static async Task<(List<string> Ids, string? Next)> PageAsync(HostedPipeline host, string query)
    {
        var answer = await host.Client.GetAsync($"/api/v1/customers{query}");
        var page = JsonDocument.Parse(await answer.Content.ReadAsStringAsync()).RootElement;
        var next = answer.Headers.TryGetValues("Link", out var links) ? System.Text.RegularExpressions.Regex.Match(links.Single(), "^<([^>]+)>; rel=\"next\"$").Groups[1].Value : null;
        if (answer.IsSuccessStatusCode) Assert.True(int.Parse(answer.Headers.GetValues("X-Total-Count").Single(), System.Globalization.CultureInfo.InvariantCulture) >= page.GetArrayLength());
        return ([.. page.EnumerateArray().Select(c => c.GetProperty("id").GetString()!)], next);
    }

    private static async Task ExpectAsync(HostedPipeline host, string address, string json, HttpStatusCode status = HttpStatusCode.OK)
    {
        var answer = await host.Client.GetAsync(address);
        Assert.Equal(status, answer.StatusCode);
        var body = JsonDocument.Parse(await answer.Content.ReadAsStringAsync()).RootElement;
        Assert.Equal(JsonSerializer.Serialize(Sorted(JsonDocument.Parse(json).RootElement)), JsonSerializer.Serialize(Sorted(body)));
    }

    // The order of properties is no part of the contract, and a trace id differs each time.
    private static object? Sorted(JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.Object => new SortedDictionary<string, object?>(element.EnumerateObject().Where(p => p.Name != "traceId").ToDictionary(p => p.Name, p => Sorted(p.Value)), StringComparer.Ordinal),
        JsonValueKind.Array => element.EnumerateArray().Select(Sorted).ToList(),
        _ => element,
    };
}
