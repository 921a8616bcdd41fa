using System.Globalization;
using System.IO.Compression;
using System.Net;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using RetentionFunctions.Customers;
using RetentionFunctions.Health;
using RetentionFunctions.Storage;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.Tests.Host;

/// <summary>Users of the app and customers of Stripe: what ties them, and that nothing is lost or counted twice on the way.</summary>
public class IdentityStories
{
    private static readonly DateTimeOffset SignUp = new(2026, 1, 5, 10, 0, 0, TimeSpan.Zero);

    private static Task<TestHost> StartAsync() => TestHost.StartAsync("2026-02-01T12:00:00Z");

    private static JsonObject CustomerCreated(string customer, string? email, JsonObject? metadata = null, double day = 0)
    {
        var e = new Story(customer).SignsUp(SignUp.AddDays(day)).First();
        var about = e["data"]!["object"]!;
        about["email"] = email;
        about["metadata"] = metadata ?? [];
        return e;
    }

    private static JsonObject Checkout(string customer, string? reference, JsonObject? metadata = null)
    {
        var e = new Story(customer).Event("checkout.session.completed", SignUp.AddMinutes(1), new JsonObject
        {
            ["id"] = $"cs_{customer}", ["object"] = "checkout.session", ["customer"] = customer, ["client_reference_id"] = reference, ["metadata"] = metadata ?? [],
            ["customer_details"] = new JsonObject { ["email"] = $"{customer}@checkout.example.com" },
        });
        e["id"] = $"evt_{customer}_checkout";
        return e;
    }

    /// <summary>The tie by each way that there is, made before and after the customer is known; the user's sign-ins come before, between and after.</summary>
    [Theory]
    [InlineData("stripeCustomerId", false)]
    [InlineData("stripeCustomerId", true)]
    [InlineData("email", false)]
    [InlineData("email", true)]
    [InlineData("client_reference_id", false)]
    [InlineData("client_reference_id", true)]
    [InlineData("session metadata", false)]
    [InlineData("session metadata", true)]
    [InlineData("customer metadata", false)]
    [InlineData("customer metadata", true)]
    public async Task What_a_user_did_before_the_tie_is_kept_and_joined(string way, bool customerFirst)
    {
        await using var host = await StartAsync();
        await host.TrackAsync("u1", "Signed In", SignUp.AddDays(1));
        if (customerFirst) await StripeAsync();
        await AppAsync();
        await host.TrackAsync("u1", "Signed In", SignUp.AddDays(2));
        if (!customerFirst) await StripeAsync();
        await host.TrackAsync("u1", "Signed In", SignUp.AddDays(3));

        var activity = (await SumAsync(host, "cus_Ada"))!;
        Assert.Equal(3, activity.Days.Values.Sum(d => d.GetValueOrDefault(Counter.SignIns)));
        Assert.Equal((SignUp.AddDays(1), SignUp.AddDays(3)), (activity.FirstSeenAt, activity.LastActiveAt));
        Assert.Equal(SignUp.AddDays(3), (DateTimeOffset)(await host.CustomerAsync())["lastSeenAt"]!);

        Task AppAsync() => host.IdentifyAsync("u1", way switch
        {
            "stripeCustomerId" => new() { ["stripeCustomerId"] = "cus_Ada" },
            "email" => new() { ["email"] = "Ada@Example.com " },
            _ => new() { ["name"] = "Ada" },
        });

        Task StripeAsync() => host.StripeAsync(way switch
        {
            "client_reference_id" => [CustomerCreated("cus_Ada", "other@example.com"), Checkout("cus_Ada", "u1")],
            "session metadata" => [CustomerCreated("cus_Ada", "other@example.com"), Checkout("cus_Ada", null, new() { ["userId"] = "u1" })],
            "customer metadata" => [CustomerCreated("cus_Ada", "other@example.com", new() { ["user_id"] = "u1" })],
            "email" => [CustomerCreated("cus_Ada", "ada@example.com")],
            _ => [CustomerCreated("cus_Ada", "other@example.com")],
        });
    }

    [Fact]
    public async Task A_stronger_tie_wins_and_takes_all_with_it_and_a_weaker_one_changes_nothing()
    {
        await using var host = await StartAsync();
        await host.StripeAsync(CustomerCreated("cus_mail", "ada@example.com"), CustomerCreated("cus_ref", "x@example.com"), CustomerCreated("cus_app", "y@example.com"));
        await host.TrackAsync("u1", "Signed In", SignUp.AddDays(1));
        await host.IdentifyAsync("u1", new() { ["email"] = "ada@example.com" }, "m1");
        await host.TrackAsync("u1", "Signed In", SignUp.AddDays(2));
        await AllWithAsync("cus_mail", 2);
        await host.StripeAsync(Checkout("cus_ref", "u1"));
        await host.TrackAsync("u1", "Signed In", SignUp.AddDays(3));
        await AllWithAsync("cus_ref", 3);
        await host.IdentifyAsync("u1", new() { ["stripeCustomerId"] = "cus_app" }, "m2");
        await host.TrackAsync("u1", "Signed In", SignUp.AddDays(4));
        await AllWithAsync("cus_app", 4);
        // Weaker ones again, and copies of what was counted elsewhere.
        await host.IdentifyAsync("u1", new() { ["email"] = "ada@example.com" }, "m3");
        await host.StripeAsync(CustomerCreated("cus_late", "ada@example.com", new() { ["userId"] = "u1" }, day: 9));
        for (var day = 1; day <= 4; day++) await host.TrackAsync("u1", "Signed In", SignUp.AddDays(day));
        await AllWithAsync("cus_app", 4);

        async Task AllWithAsync(string customer, int signIns)
        {
            foreach (var id in new[] { "cus_mail", "cus_ref", "cus_app", "cus_late" })
                Assert.Equal(id == customer ? signIns : 0, (await SumAsync(host, id))?.Days.Values.Sum(d => d.GetValueOrDefault(Counter.SignIns)) ?? 0);
        }
    }

    [Fact]
    public async Task A_user_who_goes_to_and_fro_between_two_customers_loses_nothing()
    {
        await using var host = await StartAsync();
        await host.StripeAsync(CustomerCreated("cus_a", "a@example.com"), CustomerCreated("cus_b", "b@example.com"));
        for (var turn = 1; turn <= 5; turn++)
        {
            var (here, there) = turn % 2 == 1 ? ("cus_a", "cus_b") : ("cus_b", "cus_a");
            await host.AdvanceAsync(TimeSpan.FromMinutes(1));
            await host.IdentifyAsync("u1", new() { ["stripeCustomerId"] = here });
            await host.TrackAsync("u1", "Signed In");
            Assert.Equal(turn, (await SumAsync(host, here))!.Days.Values.Sum(d => d.GetValueOrDefault(Counter.SignIns)));
            Assert.Null(await SumAsync(host, there));
        }
    }

    [Fact]
    public async Task Any_order_with_copies_before_and_after_the_tie_gives_the_same_activity()
    {
        await using var host = await StartAsync();
        const int Orders = 40;
        await Parallel.ForEachAsync(Enumerable.Range(0, Orders), new ParallelOptions { MaxDegreeOfParallelism = 8 }, async (seed, _) =>
        {
            foreach (var send in Shuffled(Parts(seed), seed)) Assert.Equal(HttpStatusCode.OK, (await send(host)).StatusCode);
        });
        await host.SettleAsync();
        Assert.Empty(await host.DeadLettersAsync());

        string? expected = null;
        for (var seed = 0; seed < Orders; seed++)
        {
            var activity = (await SumAsync(host, $"cus_q{seed}"))!;
            Assert.Null(await SumAsync(host, $"cus_m{seed}"));
            var customer = CustomerView.WithApp(new Customer { Id = "" }, await host.Tables().ListAsync<Activity>(Keys.Activities($"cus_q{seed}")));
            Assert.Equal(("Ada", "Europe/Lisbon"), (customer.App?.Name, customer.App?.TimeZone));
            var text = JsonSerializer.Serialize(activity with { Source = "", App = null }, TablesExtensions.Json);
            expected ??= text;
            if (text != expected) Assert.Fail($"order {seed}:\n{expected}\n{text}");
            Assert.Equal((5, 36.5), (activity.Days.Values.Sum(d => d.GetValueOrDefault(Counter.SignIns)), activity.Days.Values.Sum(d => d.GetValueOrDefault(Counter.Minutes))));
        }
    }

    [Fact]
    public async Task A_batch_that_was_told_in_part_before_counts_only_what_is_new_wherever_the_rest_was_counted()
    {
        await using var host = await StartAsync();
        await BatchAsync(1, 2);
        // Once more with others, before the tie, over the tie and after it; and the first again, from before the tie.
        await BatchAsync(2, 3);
        await host.IdentifyAsync("u1", new() { ["stripeCustomerId"] = "cus_Ada" });
        await BatchAsync(3, 4, 4);
        await BatchAsync(1, 2, 3, 4, 5);
        await BatchAsync(5, 1);

        Assert.Equal(5, (await SumAsync(host, "cus_Ada"))!.Days.Values.Sum(d => d.GetValueOrDefault(Counter.SignIns)));

        async Task BatchAsync(params int[] days)
        {
            var answer = await host.AppAsync("batch", new JsonObject
            {
                ["batch"] = new JsonArray([.. days.Select(day => new JsonObject
                {
                    ["type"] = "track", ["userId"] = "u1", ["event"] = "Signed In", ["messageId"] = $"m{day}", ["timestamp"] = SignUp.AddDays(day).ToString("O", CultureInfo.InvariantCulture),
                })]),
            });
            Assert.Equal(days.Length, (int)answer["accepted"]!);
            await host.SettleAsync();
        }
    }

    // Sign-ins and sessions, an e-mail that ties to one customer, and the app's own word that ties to another.
    private static List<Func<TestHost, Task<HttpResponseMessage>>> Parts(int seed)
    {
        var user = $"user{seed}";
        var parts = new List<Func<TestHost, Task<HttpResponseMessage>>>();
        for (var day = 1; day <= 5; day++)
        {
            parts.Add(Track("Signed In", day, []));
            parts.Add(Track("Session Ended", day, new() { ["minutes"] = 7.3 }));
            parts.Add(Track("Feature Used", day, new() { ["feature"] = $"f{day % 3}" }));
        }
        parts.Add(Identify(6, new() { ["email"] = $"{user}@example.com", ["name"] = "A." }));
        parts.Add(Identify(7, new() { ["stripeCustomerId"] = $"cus_q{seed}", ["name"] = "Ada", ["timezone"] = "Europe/Lisbon" }));
        parts.Add(host => host.SendStripeAsync(CustomerCreated($"cus_m{seed}", $"{user}@example.com").ToJsonString()));
        parts.Add(host => host.SendStripeAsync(CustomerCreated($"cus_q{seed}", "z@example.com").ToJsonString()));
        return parts;

        Func<TestHost, Task<HttpResponseMessage>> Track(string name, int day, JsonObject properties)
        {
            var body = new JsonObject { ["userId"] = user, ["event"] = name, ["messageId"] = $"{name} {day}", ["timestamp"] = Time(day), ["properties"] = properties }.ToJsonString();
            return host => host.SendAppAsync("track", body);
        }

        Func<TestHost, Task<HttpResponseMessage>> Identify(int day, JsonObject traits)
        {
            var body = new JsonObject { ["userId"] = user, ["messageId"] = $"identify {day}", ["timestamp"] = Time(day), ["traits"] = traits }.ToJsonString();
            return host => host.SendAppAsync("identify", body);
        }

        static string Time(int day) => SignUp.AddDays(day).ToString("O", CultureInfo.InvariantCulture);
    }

    private static List<Func<TestHost, Task<HttpResponseMessage>>> Shuffled(List<Func<TestHost, Task<HttpResponseMessage>>> parts, int seed)
    {
        if (seed == 0) return parts;
        var random = new Random(seed);
        var all = parts.SelectMany(p => Enumerable.Repeat(p, random.Next(1, 4))).ToArray();
        random.Shuffle(all);
        return [.. all];
    }

    [Fact]
    public async Task A_bad_item_of_a_batch_is_named_by_its_place_and_the_others_count()
    {
        await using var host = await StartAsync();
        var answer = await host.AppAsync("batch", new JsonObject
        {
            ["batch"] = new JsonArray(
                new JsonObject { ["type"] = "identify", ["userId"] = "u1", ["messageId"] = "1", ["traits"] = new JsonObject { ["stripeCustomerId"] = "cus_Ada" } },
                new JsonObject { ["type"] = "track", ["userId"] = "u1", ["messageId"] = "2" },
                new JsonObject { ["type"] = "track", ["userId"] = "u1", ["messageId"] = "3", ["event"] = "Signed In" },
                7,
                new JsonObject { ["type"] = "page", ["userId"] = "u1", ["messageId"] = "4", ["name"] = "Home" },
                new JsonObject { ["type"] = "group", ["userId"] = "u1", ["groupId"] = "g" },
                new JsonObject { ["type"] = "alias", ["userId"] = "u1", ["previousId"] = "u0" },
                // A copy within the batch.
                new JsonObject { ["type"] = "track", ["userId"] = "u1", ["messageId"] = "3", ["event"] = "Signed In" }),
        });
        Assert.Equal([1, 3], answer["rejected"]!.AsArray().Select(r => (int)r!["index"]!));
        Assert.Contains("event", (string)answer["rejected"]![0]!["reason"]!);
        Assert.Equal((4, 2, false), ((int)answer["accepted"]!, (int)answer["ignored"]!, (bool)answer["success"]!));
        Assert.Equal(1, (await SumAsync(host, "cus_Ada"))!.Days.Values.Sum(d => d.GetValueOrDefault(Counter.SignIns)));
        Assert.Equal((2, 2), (await host.CountedAsync("app.ignored"), await host.CountedAsync("app.rejected")));
    }

    [Theory]
    [InlineData("page", 1, 0)]
    [InlineData("screen", 1, 0)]
    [InlineData("group", 0, 1)]
    [InlineData("alias", 0, 1)]
    public async Task Pages_count_as_being_seen_and_groups_and_aliases_are_taken_without_meaning(string call, int accepted, int ignored)
    {
        await using var host = await StartAsync();
        await host.IdentifyAsync("u1", new() { ["stripeCustomerId"] = "cus_Ada" });
        await host.AdvanceAsync(TimeSpan.FromHours(1));
        var answer = await host.AppAsync(call, new JsonObject { ["userId"] = "u1", ["name"] = "Home", ["messageId"] = "m" });
        Assert.Equal((accepted, ignored), ((int)answer["accepted"]!, (int)answer["ignored"]!));
        var seen = (await SumAsync(host, "cus_Ada"))!;
        Assert.Equal(accepted == 1 ? host.Now : host.Now.AddHours(-1), seen.LastSeenAt);
        Assert.Null(seen.LastActiveAt);
    }

    [Fact]
    public async Task Without_the_write_key_nothing_is_let_in()
    {
        await using var host = await StartAsync();
        await host.SettleAsync();
        var before = await host.RowsAsync();
        var body = """{"userId":"u1","event":"Signed In","messageId":"m"}""";
        Assert.Equal(HttpStatusCode.Unauthorized, (await host.SendAppAsync("track", body, "write_key_of_another")).StatusCode);
        Assert.Equal(HttpStatusCode.Unauthorized, (await host.PostAsync("/v1/track", Encoding.UTF8.GetBytes(body))).Status);
        Assert.Equal(HttpStatusCode.Unauthorized, (await host.PostAsync("/v1/batch", Encoding.UTF8.GetBytes($$"""{"writeKey":"no","batch":[{{body}}]}"""))).Status);
        await host.SettleAsync();
        Assert.Equal(before, await host.RowsAsync());
        // In the body, as SDKs of browsers send it.
        Assert.Equal(HttpStatusCode.OK, (await host.PostAsync("/v1/batch", Encoding.UTF8.GetBytes($$"""{"writeKey":"{{TestHost.WriteKey}}","batch":[]}"""))).Status);
    }

    [Fact]
    public async Task A_body_may_be_packed_with_gzip_and_its_limit_counts_unpacked()
    {
        await using var host = await StartAsync();
        await host.IdentifyAsync("u1", new() { ["stripeCustomerId"] = "cus_Ada" });
        Assert.Equal(HttpStatusCode.OK, (await SendAsync($$"""{"writeKey":"{{TestHost.WriteKey}}","userId":"u1","event":"Signed In","messageId":"m"}""")).Status);
        await host.SettleAsync();
        Assert.Equal(1, (await SumAsync(host, "cus_Ada"))!.Days.Values.Sum(d => d.GetValueOrDefault(Counter.SignIns)));
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, (await SendAsync(new string(' ', 20 * 1024 * 1024))).Status);

        Task<(HttpStatusCode Status, string Text)> SendAsync(string body)
        {
            using var packed = new MemoryStream();
            using (var gzip = new GZipStream(packed, CompressionLevel.Fastest, leaveOpen: true)) gzip.Write(Encoding.UTF8.GetBytes(body));
            return host.PostAsync("/v1/track", packed.ToArray(), false, ("Content-Type", "application/json"), ("Content-Encoding", "gzip"));
        }
    }

    private static async Task<Activity?> SumAsync(TestHost host, string customer) => ActivityUpdate.Merge(await host.Tables().ListAsync<Activity>(Keys.Activities(customer)));
}
