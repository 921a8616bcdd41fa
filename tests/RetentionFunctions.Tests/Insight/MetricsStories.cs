using System.Globalization;
using System.Net;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using RetentionFunctions.Customers;
using RetentionFunctions.Insight;
using RetentionFunctions.Storage;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.Tests.Insight;

/// <summary>The figures of months over HTTP, kept as events come.</summary>
public class MetricsStories
{
    private static readonly DateTimeOffset January = new(2026, 1, 5, 10, 0, 0, TimeSpan.Zero);

    [Fact]
    public async Task The_months_of_a_small_business_follow_its_events()
    {
        await using var host = await TestHost.StartAsync("2026-01-05T10:00:00Z");
        var (ada, bob, eve) = (new Story(), new Story("cus_Bob", "bob@example.com"), new Story("cus_Eve", "eve@example.com", interval: "year", amount: 58800));
        foreach (var story in (Story[])[ada, bob, eve]) await host.StripeAsync(story.SignsUp(January));
        await host.AdvanceToAsync(January.AddDays(40));
        await host.StripeAsync(bob.Cancels(host.Now));
        await host.AdvanceToAsync(new DateTimeOffset(2026, 3, 10, 0, 0, 0, TimeSpan.Zero));

        var months = await MonthsAsync(host, "from=2026-01&to=2026-12");
        Assert.Equal(["2026-01", "2026-02", "2026-03"], months.Select(m => (string)m["month"]!));
        Assert.Equal((0, 3, 3, 0L, 14700L, 14700L), (Int(months[0], "customersAtStart"), Int(months[0], "customersNew"), Int(months[0], "customersAtEnd"), Long(months[0], "mrrAtStart"), Long(months[0], "mrrNew"), Long(months[0], "mrrAtEnd")));
        // No denominator, no rate; and it is there as null.
        Assert.True(months[0].AsObject().ContainsKey("churnRate"));
        Assert.Null(months[0]["churnRate"]);
        var february = months[1];
        Assert.Equal((3, 1, 14700L, -4900L, 9800L), (Int(february, "customersAtStart"), Int(february, "customersLost"), Long(february, "mrrAtStart"), Long(february, "mrrChurned"), Long(february, "mrrAtEnd")));
        Assert.Equal((1 / 3.0, 1 - 1 / 3.0, 1 / 3.0, 1 / 3.0, 2 / 3.0, 2 / 3.0),
            (Double(february, "churnRate"), Double(february, "retentionRate"), Double(february, "grossMrrChurnRate"), Double(february, "netMrrChurnRate"), Double(february, "nrr"), Double(february, "grr")));
        Assert.Equal((4900.0, 14700.0), (Double(february, "arpa"), Double(february, "ltv")));
        // Monthly and yearly customers are in one rate: it says so, has no band, and has the two apart.
        Assert.True((bool)february["mixed"]!);
        Assert.Null(february["band"]);
        Assert.Equal((0.5, 0.0), (Double(february["terms"]!["monthly"]!, "churnRate"), Double(february["terms"]!["yearly"]!, "churnRate")));
        Assert.Equal((1L, 3L), (Long(february["formulas"]!["churnRate"]!, "numerator"), Long(february["formulas"]!["churnRate"]!, "denominator")));
        Assert.Equal([true, true, false], months.Select(m => (bool)m["closed"]!));
        Assert.Equal(1 / 3.0, Double((await MonthsAsync(host, "from=2026-02&to=2026-02&formula=stripe")).Single(), "churnRate"));
        Assert.Empty(await MonthsAsync(host, "currency=eur"));
    }

    [Fact]
    public async Task A_closed_month_changes_only_by_an_event_of_it_and_then_says_when()
    {
        await using var host = await TestHost.StartAsync("2026-01-05T10:00:00Z");
        await host.StripeAsync(host.Ada.SignsUp(January));
        await host.AdvanceToAsync(January.AddDays(70));
        var before = await MonthsAsync(host, "from=2026-01&to=2026-02");
        await host.SweepAsync();
        await host.StripeAsync(host.Ada.Renews(host.Now));
        Assert.Equal(before.Select(m => m.ToJsonString()), (await MonthsAsync(host, "from=2026-01&to=2026-02")).Select(m => m.ToJsonString()));
        Assert.All(before, m => Assert.Null(m["correctedAt"]));

        // An upgrade of February is heard of in the middle of March.
        var late = host.Ada.Renews(January.AddDays(40));
        late["data"]!["object"]!["items"]!["data"]![0]!["price"]!["unit_amount"] = 9900;
        late["data"]!["object"]!["items"]!["data"]![0]!["price"]!["unit_amount_decimal"] = "9900";
        await host.StripeAsync(late);
        var after = await MonthsAsync(host, "from=2026-01&to=2026-02");
        Assert.Equal(before[0].ToJsonString(), after[0].ToJsonString());
        Assert.Equal(5000, Long(after[1], "mrrExpansion"));
        Assert.Equal(host.Now, DateTimeOffset.Parse((string)after[1]["correctedAt"]!, CultureInfo.InvariantCulture));
    }

    [Theory]
    [InlineData("from=2026-13", "from is a month such as 2026-01, not '2026-13'.")]
    [InlineData("from=0001-01&to=0001-02", "to is a month such as 2026-01, not '0001-02'.")]
    [InlineData("to=9999-12", "to is a month such as 2026-01, not '9999-12'.")]
    [InlineData("to=yesterday", "to is a month such as 2026-01, not 'yesterday'.")]
    [InlineData("from=2026-03&to=2026-02", "from (2026-03) is after to (2026-02).")]
    [InlineData("from=1990-01&to=2026-02", "At most 120 months at once.")]
    [InlineData("formula=baremetrics", "formula is one of standard, stripe, not 'baremetrics'.")]
    public async Task What_cannot_be_asked_for_is_refused_in_words(string query, string detail)
    {
        await using var host = await TestHost.StartAsync("2026-01-05T10:00:00Z");
        using var answer = await host.Http.GetAsync($"/api/v1/metrics?{query}");
        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        Assert.Equal(detail, (string)JsonNode.Parse(await answer.Content.ReadAsStringAsync())!["detail"]!);
    }

    [Fact]
    public async Task The_sum_of_a_bucket_is_the_sum_of_its_customers_however_many_change_at_once()
    {
        await using var host = await TestHost.StartAsync("2026-01-05T10:00:00Z");
        // Many customers, few buckets: they stand in each other's way.
        var buckets = Keys.AllBuckets.Take(2).ToHashSet();
        var stories = Enumerable.Range(0, 100_000).Select(i => $"cus_{i}").Where(id => buckets.Contains(Keys.Bucket(id))).Take(60).Select(id => new Story(id, $"{id}@example.com")).ToList();
        var events = stories.SelectMany(s => s.SignsUp(January)).Concat(stories.Where((_, i) => i % 3 == 0).Select(s => s.Cancels(January.AddMinutes(1)))).ToList();
        await Parallel.ForEachAsync(events, async (e, _) => Assert.Equal(HttpStatusCode.OK, (await host.SendStripeAsync(e.ToJsonString())).StatusCode));
        await host.AdvanceAsync(TimeSpan.FromHours(1));
        Assert.Empty(await host.DeadLettersAsync());

        var tables = host.Services.GetRequiredService<ITables>();
        foreach (var bucket in buckets)
        {
            var parts = new Dictionary<CellKey, MonthCell>();
            foreach (var own in await tables.ListAsync<StoredMonths>(Keys.MonthsOfCustomers(bucket)))
                foreach (var (key, cell) in own.Cells()) parts[key] = parts.GetValueOrDefault(key) + cell;
            Assert.Equal(parts, (await tables.GetAsync<StoredMonths>(Keys.MonthsOfBucket(bucket)))!.Value.Cells());
        }
        var month = Assert.Single(await MonthsAsync(host, "from=2026-01&to=2026-01"));
        Assert.Equal((60, 20, 40), (Int(month, "customersNew"), Int(month, "earlyChurn"), Int(month, "customersAtEnd")));
    }

    [Fact]
    public async Task Customers_of_before_there_were_months_get_theirs_with_the_next_sweep()
    {
        await using var host = await TestHost.StartAsync("2026-01-05T10:00:00Z");
        await host.StripeAsync(host.Ada.SignsUp(January));
        var bob = new Story("cus_Bob", "bob@example.com");
        await host.StripeAsync(bob.SignsUp(January).Append(new Story("cus_Bob").Event("customer.deleted", January.AddMinutes(5), new JsonObject { ["id"] = "cus_Bob", ["object"] = "customer" })));
        // Use is counted by the sweep: here and below.
        await host.SweepAsync();
        var whole = await MonthsAsync(host, "");
        var tables = host.Services.GetRequiredService<ITables>();
        foreach (var id in (string[])["cus_Ada", "cus_Bob"])
        {
            await tables.DeleteAsync(Keys.Months(id));
            await tables.DeleteAsync(Keys.MonthsOfBucket(Keys.Bucket(id)));
            await tables.ChangeAsync<Customer>(Keys.Customer(id), known => known! with { MonthsVersion = 0 });
        }
        Assert.Empty(await MonthsAsync(host, ""));
        await host.SweepAsync();
        Assert.Equal(whole.Select(m => m.ToJsonString()), (await MonthsAsync(host, "")).Select(m => m.ToJsonString()));
    }

    [Fact]
    public async Task An_event_before_that_sweep_fills_their_months_and_corrects_none()
    {
        await using var host = await TestHost.StartAsync("2026-01-05T10:00:00Z");
        await host.StripeAsync(host.Ada.SignsUp(January));
        await host.AdvanceToAsync(January.AddDays(70));
        var tables = host.Services.GetRequiredService<ITables>();
        await tables.DeleteAsync(Keys.Months("cus_Ada"));
        await tables.DeleteAsync(Keys.MonthsOfBucket(Keys.Bucket("cus_Ada")));
        await tables.ChangeAsync<Customer>(Keys.Customer("cus_Ada"), known => known! with { MonthsVersion = 0 });
        await host.StripeAsync(host.Ada.Renews(host.Now));
        var months = await MonthsAsync(host, "");
        Assert.Equal(3, months.Count);
        Assert.All(months, m => Assert.Null(m["correctedAt"]));
    }

    private static async Task<List<JsonNode>> MonthsAsync(TestHost host, string query) => [.. (await host.GetAsync($"/api/v1/metrics?{query}"))!.AsArray().Select(m => m!)];

    private static int Int(JsonNode node, string name) => (int)node[name]!;

    private static long Long(JsonNode node, string name) => (long)node[name]!;

    private static double? Double(JsonNode node, string name) => (double?)node[name];
}
