using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.Tests.Host;

/// <summary>The monthly review through the whole host: what it says, what is written down, and when it is e-mailed.</summary>
public sealed partial class ReviewStories
{
    // A Monday.
    private static readonly DateTimeOffset SignUp = new(2026, 1, 5, 10, 0, 0, TimeSpan.Zero);

    private static Dictionary<string, string?> To(string? address, string zone = "UTC") => new() { ["Review:Email"] = address, ["Product:TimeZone"] = zone, ["Flows:Definitions:win-back:Enabled"] = "false" };

    [Fact]
    public async Task The_founder_gets_each_month_and_each_week_once_in_the_hours_of_the_business_also_over_restarts()
    {
        using var folder = new TempFolder();
        var settings = To("mira@example.com", "America/New_York");
        await using (var host = await TestHost.StartAsync("2026-01-05T10:00:00Z", settings, data: folder.Path))
        {
            await host.StripeAsync(host.Ada.SignsUp(SignUp));
            await host.AdvanceToAsync(new DateTimeOffset(2026, 2, 2, 13, 59, 0, TimeSpan.Zero));
        }
        // Between the night and the hour, and right after it.
        await using (var host = await TestHost.StartAsync("2026-02-02T13:59:30Z", settings, data: folder.Path)) await host.AdvanceToAsync(new DateTimeOffset(2026, 2, 2, 14, 0, 30, TimeSpan.Zero));
        await using (var host = await TestHost.StartAsync("2026-02-02T14:01:00Z", settings, data: folder.Path))
        {
            await host.SweepAsync();
            await host.AdvanceToAsync(new DateTimeOffset(2026, 4, 3, 0, 0, 0, TimeSpan.Zero));
            var mails = await ReviewsAsync(host);
            // The first Monday had nothing to compare with; nine o'clock in New York, in winter and in summer; February and March begin on a Sunday, April on a Wednesday.
            Assert.Equal(["2026-02-02T14:00", "2026-03-02T14:00", "2026-04-01T13:00"], mails.Where(m => (string)m["template"]! == "review-month").Select(At));
            Assert.Equal(["2026-01-12T14:00", "2026-01-19T14:00", "2026-01-26T14:00", "2026-02-02T14:00", "2026-02-09T14:00", "2026-02-16T14:00", "2026-02-23T14:00", "2026-03-02T14:00", "2026-03-09T13:00", "2026-03-16T13:00", "2026-03-23T13:00", "2026-03-30T13:00"],
                mails.Where(m => (string)m["template"]! == "review-week").Select(At));
            Assert.All(mails, m => Assert.Equal(("mira@example.com", "transactional"), ((string)m["to"]!, (string)m["kind"]!)));
            // Figures, and no customer.
            Assert.All(mails, m => Assert.DoesNotContain("ada", $"{m["text"]}{m["html"]}", StringComparison.OrdinalIgnoreCase));
            Assert.StartsWith("Acme in March 2026: churn 0 % (0 % the month before), MRR $49 (±$0)", (string)mails.Last(m => (string)m["template"]! == "review-month")["subject"]!);
            Assert.Contains("mira@example.com (you)", await host.Http.GetStringAsync("/outbox"));
            Assert.Contains("As you see it", await host.Http.GetStringAsync($"/outbox/{Uri.EscapeDataString((string)mails[0]["id"]!)}"));
            Assert.Contains("By e-mail to mira@example.com: sent on 2026-03-02 14:00 UTC", await host.Http.GetStringAsync("/review/2026-02"));

            // What the provider reports of it is the founder's to know, and no dead letter.
            await host.MailAsync(MailProvider.Event((string)mails.Last(m => (string)m["template"]! == "review-month")["id"]!, "bounce", host.Now, "bounce", "550 no such user"));
            Assert.Contains("; it bounced: 550 no such user.", await host.Http.GetStringAsync("/review/2026-03"));
            Assert.Empty(await host.DeadLettersAsync());
        }
    }

    [Fact]
    public async Task Nothing_is_sent_of_the_time_before_the_product_was_set_up_and_nothing_to_nobody()
    {
        // Set up on the first weekday of February, before the sweep: January is only read of.
        await using (var late = await TestHost.StartAsync("2026-02-02T05:00:00Z", To("mira@example.com")))
        {
            await late.StripeAsync(late.Ada.SignsUp(SignUp));
            await late.AdvanceToAsync(new DateTimeOffset(2026, 2, 9, 8, 0, 0, TimeSpan.Zero));
            Assert.Empty(await ReviewsAsync(late));
            Assert.Contains("that of this month has not been sent", await late.Http.GetStringAsync("/review"));
        }
        await using var host = await TestHost.StartAsync("2026-01-05T10:00:00Z", To(null));
        await host.StripeAsync(host.Ada.SignsUp(SignUp));
        await host.AdvanceToAsync(new DateTimeOffset(2026, 2, 10, 0, 0, 0, TimeSpan.Zero));
        Assert.Empty(await ReviewsAsync(host));
        Assert.Contains("set <code>review.email</code> in <code>retention.json</code>", await host.Http.GetStringAsync("/review"));
    }

    [Fact]
    public async Task Who_was_away_on_the_day_gets_it_on_the_next_days()
    {
        using var folder = new TempFolder();
        await using (var host = await TestHost.StartAsync("2026-01-05T10:00:00Z", To(null), data: folder.Path))
        {
            await host.StripeAsync(host.Ada.SignsUp(SignUp));
            await host.AdvanceToAsync(new DateTimeOffset(2026, 2, 4, 12, 0, 0, TimeSpan.Zero));
        }
        await using var back = await TestHost.StartAsync("2026-02-04T12:00:01Z", To("mira@example.com"), data: folder.Path);
        await back.AdvanceToAsync(new DateTimeOffset(2026, 2, 8, 0, 0, 0, TimeSpan.Zero));
        Assert.Equal(["2026-02-05T09:00"], (await ReviewsAsync(back)).Select(At));
    }

    [Fact]
    public async Task The_page_tells_the_month_in_the_order_of_the_meeting_and_json_says_the_same()
    {
        await using var host = await BusinessAsync();
        var page = WebUtility.HtmlDecode(await host.Http.GetStringAsync("/review/2026-02"));
        string[] order = ["Actions from before", "Churn and MRR", "Recent cohorts", "Why people left", "Flows", "Experiments", "Leading indicators", "What we do"];
        var at = order.Select(title => page.IndexOf($"<span>{title}</span>", StringComparison.Ordinal)).ToList();
        Assert.DoesNotContain(-1, at);
        Assert.Equal(at.Order(), at);
        Assert.Contains("1 min<span class=\"visually-hidden\">utes</span>, until 15:00", page);
        Assert.Contains("lost ÷ customers at the start: 1 ÷ 3", page);
        Assert.Contains("No experiment runs", page);
        Assert.Contains("Of 1 who left by their own decision 1 gave a reason: 1 unused.", page);
        Assert.Contains("no ticket was ever told of", page);

        var json = (await host.GetAsync("/api/v1/review?month=2026-02"))!;
        Assert.Equal(("2026-02", true, 15), ((string)json["month"]!, (bool)json["over"]!, json["sections"]!.AsArray().Sum(s => (int)s!["minutes"]!)));
        Assert.Equal((1, 3), ((int)json["churn"]![0]!["customersLost"]!, (int)json["churn"]![0]!["customersAtStart"]!));
        Assert.Equal("2026-01", (string)json["before"]![0]!["month"]!);
        Assert.Equal((1, 0), ((int)json["leaving"]![0]!["voluntary"]!, (int)json["leaving"]![0]!["involuntary"]!));
        Assert.Equal(("2026-01", 3), ((string)json["joined"]![1]!["month"]!, (int)json["joined"]![1]!["joined"]!));
        // Three first paid in January; one of them left in February.
        Assert.Equal([1, 2 / 3.0], json["cohorts"]!.AsArray().Single()!["retention"]!.AsArray().Select(r => (double)r!));
        Assert.Equal(2 / 3.0, (double)json["cohortAverage"]![1]!);
        Assert.Contains("Nobody is held out, so nobody can say what would have happened without the flow.", (string)json["flows"]![0]!["lift"]!);
        Assert.Equal("""[{"reason":"unused","customers":1}]""", json["leaving"]![0]!["reasons"]!.ToJsonString());
        Assert.Empty(json["experiments"]!.AsArray());
        Assert.Equal(["wauMau", "movedDown", "movedUp", "failedPayments", "unopenedMail", "tickets"], json["indicators"]!.AsArray().Select(i => (string)i!["name"]!));
        // The latest is the last month that is over.
        Assert.Equal("2026-02", (string)(await host.GetAsync("/api/v1/review"))!["month"]!);
        Assert.Contains("Review of February 2026", await host.Http.GetStringAsync("/review"));
        Assert.Contains("The month is not over", await host.Http.GetStringAsync("/review/2026-03"));
        Golden.Matches("Review/page.html", Content(await host.Http.GetStringAsync("/review/2026-02")));
    }

    [Fact]
    public async Task A_flow_that_holds_some_out_is_an_experiment_with_both_sides_and_what_is_still_needed()
    {
        await using var host = await BusinessAsync(("Flows:Definitions:dunning:HoldOut", "0.5"));
        var experiment = Assert.Single((await host.GetAsync("/api/v1/review?month=2026-02"))!["experiments"]!.AsArray())!;
        Assert.Equal(("dunning", true, 0.5, "nothing_to_compare"), ((string)experiment["flow"]!, (bool)experiment["running"]!, (double)experiment["holdOut"]!, (string)experiment["difference"]!["verdict"]!));
        // Eve's card failed: one customer, on one side or the other.
        Assert.Equal((long)experiment["difference"]!["needed"]!["customers"]! - 1, (long)experiment["stillNeeded"]!);
        var page = WebUtility.HtmlDecode(await host.Http.GetStringAsync("/review/2026-02"));
        Assert.Contains("dunning</a>, 50 % held out", page);
        Assert.Contains("There is nothing to compare yet: 1 customer entered while some are held out", page);
        Assert.DoesNotContain("No experiment runs", page);
        Assert.DoesNotContain("dunning</a>, of all time", page);
    }

    [Fact]
    public async Task A_month_of_which_nothing_is_known_has_a_page_and_what_is_no_month_is_refused_in_words()
    {
        await using var host = await TestHost.StartAsync("2026-03-10T10:00:00Z");
        Assert.Contains("Nobody had paid by then", await host.Http.GetStringAsync("/review"));
        foreach (var (month, why) in ((string, string)[])[("2026-13", "A review is of a month such as 2026-02, not of '2026-13'."), ("2026-04", "The month 2026-04 has not begun."), ("1990-01", "Reviews go back ten years, not to 1990-01.")])
        {
            var page = await host.Http.GetAsync($"/review/{month}");
            Assert.Equal(HttpStatusCode.BadRequest, page.StatusCode);
            Assert.Contains(why, WebUtility.HtmlDecode(await page.Content.ReadAsStringAsync()));
            var json = await host.Http.GetAsync($"/api/v1/review?month={month}");
            Assert.Equal((HttpStatusCode.BadRequest, why), (json.StatusCode, (string)JsonNode.Parse(await json.Content.ReadAsStringAsync())!["detail"]!));
        }
    }

    [Fact]
    public async Task An_action_is_written_down_once_carried_while_it_is_open_and_done()
    {
        await using var host = await BusinessAsync();
        using var browser = new HttpClient(new HttpClientHandler { AllowAutoRedirect = false }) { BaseAddress = host.Http.BaseAddress };
        async Task<string> PostAsync(string action, params (string Name, string Value)[] fields)
        {
            var token = WebUtility.HtmlDecode(Token().Match(await browser.GetStringAsync("/review/2026-02")).Groups[1].Value);
            using var answer = await browser.PostAsync(action, new FormUrlEncodedContent(fields.Append(("form_token", token)).Select(f => KeyValuePair.Create(f.Item1, f.Item2))));
            return answer.StatusCode == HttpStatusCode.SeeOther ? answer.Headers.Location!.ToString() : $"{(int)answer.StatusCode} {WebUtility.HtmlDecode(await answer.Content.ReadAsStringAsync())}";
        }
        const string Text = "Call <b>all</b> who left";
        Assert.Equal("/review/2026-02?done=action-written#actions", await PostAsync("/review/actions", ("month", "2026-02"), ("text", Text), ("due", "2026-03-31")));
        Assert.Equal("/review/2026-02?done=action-there#actions", await PostAsync("/review/actions", ("month", "2026-02"), ("text", Text), ("due", "2026-03-31")));
        Assert.Contains("Say what is to be done", await PostAsync("/review/actions", ("month", "2026-02"), ("text", " \u200b ")));
        Assert.Contains("An action has at most 500 characters", await PostAsync("/review/actions", ("month", "2026-02"), ("text", new string('x', 501))));
        Assert.Contains("The day is written like 2026-03-31, not 'soon'", await PostAsync("/review/actions", ("month", "2026-02"), ("text", "x"), ("due", "soon")));
        Assert.Contains("400", await PostAsync("/review/actions", ("month", "x"), ("text", "x")));
        using (var forged = await browser.PostAsync("/review/actions", new FormUrlEncodedContent([KeyValuePair.Create("month", "2026-02"), KeyValuePair.Create("text", "forged")]))) Assert.Equal(HttpStatusCode.BadRequest, forged.StatusCode);

        var page = await host.Http.GetStringAsync("/review/2026-02");
        Assert.Contains("Call &lt;b&gt;all&lt;/b&gt; who left", page);
        Assert.DoesNotContain("forged", page);
        Assert.Contains("until 31 March 2026", page);
        var id = (string)(await host.GetAsync("/api/v1/review?month=2026-02"))!["actions"]!.AsArray().Single()!["id"]!;

        // April: it is still open, and stands at the top of March's review.
        await host.AdvanceToAsync(new DateTimeOffset(2026, 4, 1, 12, 0, 0, TimeSpan.Zero));
        Assert.Contains("from the review of February 2026; until 31 March 2026", await host.Http.GetStringAsync("/review/2026-03"));
        Assert.Contains($"Still open from before:\n\n- {Text} (until 31 March)", (string)(await ReviewsAsync(host)).Last(m => (string)m["template"]! == "review-month")["text"]!);
        Assert.Equal("/review/2026-03?done=action-done#actions", await PostAsync("/review/actions/done", ("month", "2026-03"), ("action", id), ("done", "yes")));
        Assert.NotNull((await host.GetAsync("/api/v1/review?month=2026-03"))!["carried"]![0]!["doneAt"]);
        Assert.Empty((await host.GetAsync("/api/v1/review?month=2026-04"))!["carried"]!.AsArray());
        Assert.Equal("/review/2026-03?done=action-open#actions", await PostAsync("/review/actions/done", ("month", "2026-03"), ("action", id), ("done", "no")));
        Assert.Single((await host.GetAsync("/api/v1/review?month=2026-04"))!["carried"]!.AsArray());
        Assert.Equal("/review/2026-03?done=no-action#actions", await PostAsync("/review/actions/done", ("month", "2026-03"), ("action", "none"), ("done", "yes")));
    }

    // Three join in January, one of them leaves in February; the payment of another fails and is made up for.
    private static async Task<TestHost> BusinessAsync(params IEnumerable<(string Key, string Value)> settings)
    {
        var all = To("mira@example.com");
        foreach (var (key, value) in settings) all[key] = value;
        var host = await TestHost.StartAsync("2026-01-05T10:00:00Z", all);
        var (bob, eve) = (new Story("cus_Bob", "bob@example.com"), new Story("cus_Eve", "eve@example.com"));
        foreach (var story in (Story[])[host.Ada, bob, eve])
        {
            await host.StripeAsync(story.SignsUp(SignUp));
            await host.IdentifyAsync(story.Customer, new JsonObject { ["email"] = story.Email });
        }
        host.EachDay = () => host.TrackAsync(host.Ada.Customer, "Signed In");
        await host.AdvanceAsync(TimeSpan.FromDays(31));
        await host.StripeAsync(eve.PaymentFails(host.Now));
        await host.AdvanceAsync(TimeSpan.FromDays(2));
        await host.StripeAsync(eve.PaysAfterAll(host.Now));
        await host.StripeAsync(bob.Cancels(host.Now));
        await host.AdvanceAsync(TimeSpan.FromDays(26));
        host.EachDay = null;
        return host;
    }

    private static async Task<List<JsonNode>> ReviewsAsync(TestHost host) => [.. (await host.OutboxAsync()).Where(m => (string)m["flow"]! == "review")];

    private static string At(JsonNode mail) => ((DateTimeOffset)mail["at"]!).UtcDateTime.ToString("yyyy-MM-ddTHH:mm");

    // The content of a page without what differs by the start.
    private static string Content(string html) => Secret().Replace(html[html.IndexOf("<main", StringComparison.Ordinal)..html.IndexOf("</main>", StringComparison.Ordinal)], "name=\"form_token\" value=\"…\"").ReplaceLineEndings("\n") + "</main>\n";

    [GeneratedRegex("name=\"form_token\" value=\"[^\"]+\"")]
    private static partial Regex Secret();

    [GeneratedRegex("name=\"form_token\" value=\"([^\"]+)\"")]
    private static partial Regex Token();
}
