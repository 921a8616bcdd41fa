using System.Globalization;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using RetentionFunctions.Local.Sqlite;
using RetentionFunctions.Storage;
using RetentionFunctions.Tests.Faults;
using RetentionFunctions.Tests.Support;
using RetentionFunctions.Torture.Surroundings;

namespace RetentionFunctions.Torture.Older;

/// <summary>
/// Data folders that hosts of earlier versions wrote, really run: <c>tests/older-data.sh</c> builds those versions and names them here by <c>OLDER_HOSTS</c>. Without it the
/// present version stands in for an earlier one.
/// </summary>
public class OlderFolderTests(ITestOutputHelper output)
{
    private static readonly DateTimeOffset SignUp = new(2026, 1, 5, 10, 0, 0, TimeSpan.Zero);
    private static readonly string[] Customers = ["cus_Ada", "cus_Bob", "cus_Cyd", "cus_Dee"];

    public static TheoryData<string> Hosts => [.. (Environment.GetEnvironmentVariable("OLDER_HOSTS") ?? "").Split(';', StringSplitOptions.RemoveEmptyEntries).DefaultIfEmpty("")];

    [Theory, MemberData(nameof(Hosts))]
    public async Task A_folder_of_an_earlier_version_is_opened_with_nothing_lost_and_gone_on_with(string program)
    {
        using var folder = new TempFolder();
        var stories = Customers.Select(id => new Story(id, $"{id[4..].ToLowerInvariant()}@example.com")).ToList();
        var (ada, bob, cyd) = (stories[0], stories[1], stories[2]);
        var sent = new List<string>();
        JsonNode outbox, flows;
        using (var old = new KilledHost(folder.Path, SignUp, program.Length == 0 ? null : program))
        {
            await old.StartAsync();
            foreach (var story in stories) await SendAsync(story.SignsUp(SignUp));
            Assert.True(await old.AppAsync("identify", new JsonObject { ["userId"] = "user-1", ["messageId"] = "i1", ["traits"] = new JsonObject { ["email"] = ada.Email, ["name"] = "Ada" } }));
            for (var day = 0; day < 31; day++)
            {
                Assert.True(await old.AppAsync("track", new JsonObject { ["userId"] = "user-1", ["event"] = "Signed In", ["messageId"] = $"t{day}" }));
                Assert.True(await old.AppAsync("track", new JsonObject { ["userId"] = "user-untied", ["event"] = "Signed In", ["messageId"] = $"u{day}" }));
                await old.AdvanceAsync(TimeSpan.FromDays(1));
            }
            await SendAsync(ada.PaymentFails(old.Now, next: old.Now.AddDays(3)));
            await SendAsync([bob.Cancels(old.Now)]);
            await SendAsync([cyd.Pauses(old.Now, old.Now.AddDays(20))]);
            await old.AdvanceAsync(TimeSpan.FromDays(5));
            outbox = await old.GetAsync("/local/outbox");
            flows = await old.GetAsync("/api/v1/flows?customer=cus_Ada");
            // Killed while some of it may only be queued.
            await SendAsync(stories.Select(story => story.CustomerUpdated(old.Now, $"late.{story.Email}")));
            await old.KillAsync();

            async Task SendAsync(IEnumerable<JsonObject> events)
            {
                foreach (var e in events)
                {
                    Assert.True(await old.StripeAsync(e));
                    sent.Add((string)e["id"]!);
                }
            }
        }
        Assert.NotEmpty(outbox.AsArray());

        var data = Path.Combine(folder.Path, "data");
        await using var host = await TestHost.StartAsync(clock: null, data: data);
        await host.SettleAsync();
        Assert.Equal(SignUp.AddDays(36), host.Now);
        await AllHandledOnceAsync();
        foreach (var (customer, status, mrr) in new[] { ("cus_Ada", "past_due", 4900L), ("cus_Bob", "canceled", 0L), ("cus_Cyd", "active", 4900L), ("cus_Dee", "active", 4900L) })
        {
            var row = await host.CustomerAsync(customer);
            Assert.Equal($"late.{customer[4..].ToLowerInvariant()}@example.com", (string?)row["email"]);
            Assert.Equal((status, mrr), ((string)row["status"]!, (long)row["mrr"]!["amount"]!));
        }
        Assert.Null(Lost(outbox, await host.GetAsync("/local/outbox"), "outbox"));
        Assert.Null(Lost(flows, await host.GetAsync("/api/v1/flows?customer=cus_Ada"), "flows"));
        Assert.Equal(31, await CountAsync("event|cus_Ada|user-1%"));
        Assert.Equal(31, await CountAsync("event|user:user-untied|%"));

        // And on: the next e-mail of the run that the old version began comes once, the payment ends it, the sweep sweeps.
        var before = (await host.OutboxAsync()).Count;
        await host.AdvanceAsync(TimeSpan.FromDays(5));
        var mails = await host.OutboxAsync();
        Assert.True(mails.Count > before, "the run of the earlier version does not go on");
        Assert.Equal(mails.Count, mails.Select(m => (string?)m["id"]).Distinct().Count());
        await host.StripeAsync(ada.PaysAfterAll(host.Now));
        Assert.All(await host.FlowsAsync(), run => Assert.Equal("ended", (string?)run["status"]));
        await host.AdvanceAsync(TimeSpan.FromDays(20));
        Assert.Equal("active", (string?)(await host.CustomerAsync("cus_Ada"))["status"]);
        Assert.Equal("ok", SmallDisk.Integrity(data));
        foreach (var page in new[] { "/", "/customers", "/customers/cus_Ada", "/system", "/outbox" }) Assert.True((await host.Http.GetAsync(page)).IsSuccessStatusCode, page);
        output.WriteLine($"{(program.Length == 0 ? "the present version" : program)}: {sent.Count} events of Stripe and 63 of the app, {before} e-mails and {flows.AsArray().Count} run of before, 0 lost; {mails.Count - before} e-mail(s) of the run after it");

        async Task AllHandledOnceAsync()
        {
            Assert.Equal(0, await host.QueuedAsync());
            Assert.Empty(await host.DeadLettersAsync());
            var markers = await host.Services.GetRequiredService<SqliteStore>().ReadAsync(reader => reader.List("SELECT key FROM rows WHERE key LIKE 'event|cus\\_%|evt\\_%' ESCAPE '\\'", row => Keys.Parts(row.Text(0))[2]));
            Assert.Equal(sent.Order(StringComparer.Ordinal), markers.Order(StringComparer.Ordinal));
        }

        async Task<long?> CountAsync(string like) => await host.Services.GetRequiredService<SqliteStore>().ReadAsync(reader => reader.Number("SELECT count(*) FROM rows WHERE key LIKE $1", like));
    }

    // Where the present version says less, or otherwise, than the earlier one did; what it says besides is its own. The address was changed in between.
    private static string? Lost(JsonNode? before, JsonNode? now, string at) => (before, now) switch
    {
        (JsonObject a, JsonObject b) => a.Where(p => p.Key is not ("email" or "dueAt")).Select(p => Lost(p.Value, b[p.Key], $"{at}.{p.Key}")).FirstOrDefault(lost => lost is not null),
        (JsonArray a, JsonArray b) when a.Count == b.Count => a.Select((item, n) => Lost(item, b[n], $"{at}[{n}]")).FirstOrDefault(lost => lost is not null),
        _ => JsonNode.DeepEquals(before, now) ? null : $"{at} was {before?.ToJsonString() ?? "nothing"} and is {now?.ToJsonString() ?? "nothing"}",
    };
}
