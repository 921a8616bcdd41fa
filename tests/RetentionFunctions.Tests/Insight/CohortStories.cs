using System.Net;
using System.Text.Json.Nodes;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.Tests.Insight;

/// <summary>Cohorts over HTTP: events in, JSON and page out.</summary>
public class CohortStories
{
    private static readonly DateTimeOffset January = new(2026, 1, 5, 10, 0, 0, TimeSpan.Zero);

    [Fact]
    public async Task The_cohorts_of_a_small_business_follow_its_events_as_of_the_last_night()
    {
        await using var host = await TestHost.StartAsync("2026-01-05T10:00:00Z");
        Assert.Contains("Not counted yet", await host.Http.GetStringAsync("/cohorts"));
        var (bob, eve, kim) = (new Story("cus_Bob", "bob@example.com"), new Story("cus_Eve", "eve@example.com", amount: 9900), new Story("cus_Kim", "kim@example.com"));
        foreach (var story in (Story[])[host.Ada, bob, eve]) await host.StripeAsync(story.SignsUp(January));
        await host.AdvanceToAsync(January.AddDays(40));
        await host.StripeAsync(bob.Cancels(host.Now));
        await host.StripeAsync(kim.SignsUp(host.Now));
        await host.StripeAsync(eve.Pauses(host.Now, host.Now.AddDays(60)));
        await host.AdvanceToAsync(new DateTimeOffset(2026, 4, 10, 8, 0, 0, TimeSpan.Zero));

        var cohorts = await host.GetAsync("/api/v1/cohorts")!;
        Assert.Equal(("customers", "2026-04-10T06:00:00+00:00"), ((string)cohorts!["by"]!, (string)cohorts["asOf"]!));
        var group = Assert.Single(cohorts["groups"]!.AsArray())!;
        // Of January three, of whom one left in February; a paused one is still there. March of February's is over, and its month 2 is not.
        Assert.Equal("""[{"cohort":"2026-01","customers":3,"remaining":[3,2,2],"retention":[1,0.6666666666666666,0.6666666666666666]},{"cohort":"2026-02","customers":1,"remaining":[1,1,null],"retention":[1,1,null]}]""", group["cohorts"]!.ToJsonString());
        Assert.Equal((4, 0.75, null, null), ((int)group["customers"]!, (double)group["month1"]!, (double?)group["month3"], (string?)group["band"]));
        Assert.Equal([1, 0.75, 2 / 3.0], group["average"]!.AsArray().Select(a => (double)a!));

        var mrr = await host.GetAsync("/api/v1/cohorts?by=mrr");
        Assert.Equal("usd", (string)mrr!["currency"]!);
        // Eve pauses with the end of what she had paid, so that her 9900 are missing at the end of March.
        Assert.Equal("[19700,14800,4900]", mrr["groups"]![0]!["cohorts"]![0]!["remaining"]!.ToJsonString());
        Assert.Empty((await host.GetAsync("/api/v1/cohorts?by=mrr&currency=eur"))!["groups"]!.AsArray());

        var page = WebUtility.HtmlDecode(await host.Http.GetStringAsync("/cohorts"));
        Assert.Contains("Counted <time datetime=\"2026-04-10T06:00:00Z\"", page);
        Assert.Contains("<b>75 %</b>", page);
        Assert.Contains("3 of 4", page);
        Assert.Contains("title=\"2 of 3\">66.7 %</td>", page);
        Assert.Contains("title=\"$148 of $197\">75.1 %</td>", WebUtility.HtmlDecode(await host.Http.GetStringAsync("/cohorts?by=mrr")));
    }

    [Fact]
    public async Task What_a_file_says_of_a_trait_splits_cohorts_too_and_a_later_file_that_is_silent_of_it_leaves_it()
    {
        await using var host = await TestHost.StartAsync("2026-04-15T10:00:00Z");
        await ImportAsync("customer_id,email,subscription_id,status,amount,currency,interval,started,trait.channel\nctm_ada,ada@example.com,sub_ada,active,49.00,usd,month,2026-01-01,newsletter\nctm_bob,bob@example.com,sub_bob,active,49.00,usd,month,2026-01-10,search\n");
        await ImportAsync("customer_id,email,name\nctm_bob,bob@example.com,Bob\n");
        Assert.Equal([("newsletter", 1), ("search", 1)], await GroupsAsync(host, "channel"));

        async Task ImportAsync(string file)
        {
            using var answer = await host.Http.PostAsync("/api/v1/import", new StringContent(file));
            Assert.Equal(HttpStatusCode.Accepted, answer.StatusCode);
            await host.AdvanceToAsync(host.Now.AddDays(1));
        }
    }

    [Fact]
    public async Task Cohorts_are_split_by_plan_country_and_what_the_app_or_stripe_says()
    {
        await using var host = await TestHost.StartAsync("2026-01-05T10:00:00Z", new() { ["Customers:Traits:0"] = "channel", ["Customers:Traits:1"] = "industry" });
        var (bob, eve) = (new Story("cus_Bob", "bob@example.com"), new Story("cus_Eve", "eve@example.com"));
        await host.StripeAsync(With(host.Ada.SignsUp(January), "de", ("channel", "ads"), ("industry", "retail"), ("secret", "kept by nobody")));
        await host.StripeAsync(With(bob.SignsUp(January), "FR", ("channel", "ads")));
        await host.StripeAsync(eve.SignsUp(January));
        // What the app says wins over Stripe's metadata, and its later word over the earlier one, in whatever order they come.
        await host.IdentifyAsync("u_ada", new JsonObject { ["stripeCustomerId"] = "cus_Ada", ["channel"] = "podcast" }, "m2");
        await host.AppAsync("identify", new JsonObject { ["userId"] = "u_ada", ["messageId"] = "m1", ["timestamp"] = "2026-01-01T00:00:00Z", ["traits"] = new JsonObject { ["channel"] = "search", ["industry"] = "toys" } });
        await host.AdvanceToAsync(January.AddDays(60));

        Assert.Equal([("ads", 1), ("podcast", 1), (null, 1)], await GroupsAsync(host, "channel"));
        Assert.Equal([("DE", 1), ("FR", 1), (null, 1)], await GroupsAsync(host, "country"));
        Assert.Equal([("toys", 1), (null, 2)], await GroupsAsync(host, "industry"));
        Assert.Equal([("Pro", 3)], await GroupsAsync(host, "plan"));
        Assert.DoesNotContain("kept by nobody", (await host.CustomerAsync()).ToJsonString());
        var page = WebUtility.HtmlDecode(await host.Http.GetStringAsync("/cohorts?split=channel&value=ads"));
        Assert.Contains("Month by month: ads", page);
        Assert.Contains("Month by month: not known", WebUtility.HtmlDecode(await host.Http.GetStringAsync("/cohorts?split=channel&value=%20")));
    }

    [Fact]
    public async Task It_is_counted_again_by_a_button_and_by_the_api_and_an_erased_customer_is_missing_then()
    {
        await using var host = await TestHost.StartAsync("2026-01-05T10:00:00Z");
        await host.StripeAsync(host.Ada.SignsUp(January));
        await host.StripeAsync(new Story("cus_Bob", "bob@example.com").SignsUp(January));
        await CountAsync();
        Assert.Equal(2, (int)(await host.GetAsync("/api/v1/cohorts"))!["groups"]![0]!["customers"]!);
        Assert.Equal(HttpStatusCode.Accepted, (await host.Http.DeleteAsync("/api/v1/customers/cus_Bob")).StatusCode);
        await host.SettleAsync();
        await CountAsync();
        Assert.Equal(1, (int)(await host.GetAsync("/api/v1/cohorts"))!["groups"]![0]!["customers"]!);

        async Task CountAsync()
        {
            using var answer = await host.Http.PostAsync("/api/v1/summaries/count", null);
            Assert.Equal(HttpStatusCode.Accepted, answer.StatusCode);
            await host.SettleAsync();
        }
    }

    [Theory]
    [InlineData("by=people", "by is one of customers, mrr, not 'people'.")]
    [InlineData("split=shoe", "split is one of plan, country, channel, not 'shoe'. More are kept where customers.traits names them.")]
    public async Task What_cannot_be_asked_for_is_refused_in_words(string query, string detail)
    {
        await using var host = await TestHost.StartAsync("2026-01-05T10:00:00Z");
        using var answer = await host.Http.GetAsync($"/api/v1/cohorts?{query}");
        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        Assert.Equal(detail, (string)JsonNode.Parse(await answer.Content.ReadAsStringAsync())!["detail"]!);
        Assert.Equal(HttpStatusCode.BadRequest, (await host.Http.GetAsync($"/cohorts?{query}")).StatusCode);
    }

    private static async Task<List<(string? Value, int Customers)>> GroupsAsync(TestHost host, string split) =>
        [.. (await host.GetAsync($"/api/v1/cohorts?split={split}"))!["groups"]!.AsArray().Select(g => ((string?)g!["value"], (int)g["customers"]!))];

    private static List<JsonObject> With(IEnumerable<JsonObject> events, string country, params (string Name, string Value)[] metadata)
    {
        var all = events.ToList();
        var customer = all[0]["data"]!["object"]!;
        customer["address"] = new JsonObject { ["country"] = country };
        foreach (var (name, value) in metadata) customer["metadata"]![name] = value;
        return all;
    }
}
