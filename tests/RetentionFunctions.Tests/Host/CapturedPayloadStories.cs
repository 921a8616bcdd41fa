using System.Text.Json.Nodes;
using RetentionFunctions.Intake.Stripe;
using RetentionFunctions.Tests.Intake.Stripe;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.Tests.Host;

/// <summary>The payloads that lie beside the repository, sent through the door of the whole host.</summary>
public class CapturedPayloadStories
{
    private static string Folder()
    {
        var folder = Path.GetFullPath(Path.Combine(Repository.Root, "..", "shared", "data", "stripe"));
        Assert.SkipUnless(Directory.Exists(folder), "The folder ../shared/data/stripe is not beside this repository.");
        return folder;
    }

    [Theory]
    [InlineData(false, 14)]
    [InlineData(true, 1)]
    public async Task Every_captured_event_is_taken_and_those_of_a_handled_type_are_handled(bool live, int atLeast)
    {
        var bodies = Directory.EnumerateFiles(Folder(), "*.json", SearchOption.AllDirectories).Where(f => !Path.GetFileName(f).StartsWith("objects-", StringComparison.Ordinal)).Order().Select(File.ReadAllText).ToList();
        await using var host = await TestHost.StartAsync("2026-04-01T00:00:00Z", new() { ["Stripe:Mode"] = live ? "live" : "test" });
        var handled = 0;
        foreach (var body in bodies)
        {
            var answer = await host.SendStripeAsync(body);
            var text = await answer.Content.ReadAsStringAsync();
            Assert.True(answer.IsSuccessStatusCode, $"{text}\n{body[..200]}");
            var e = JsonNode.Parse(body)!;
            var handles = StripeReader.Handles((string)e["type"]!);
            Assert.Contains((bool)e["livemode"]! != live ? "set aside" : handles ? "queued" : "counted", text);
            if (handles && (bool)e["livemode"]! == live) handled++;
        }
        Assert.True(handled >= atLeast, $"only {handled} were of a handled type");
        await NothingIsLeftAsync(host);
    }

    [Fact]
    public async Task Every_published_object_is_handled_in_the_events_that_carry_it()
    {
        await using var host = await TestHost.StartAsync("2026-04-01T00:00:00Z");
        var events = new List<string>();
        foreach (var file in Directory.EnumerateFiles(Folder(), "objects-asof-*.json").Order())
            foreach (var (kind, about) in JsonNode.Parse(File.ReadAllBytes(file))!.AsObject())
                foreach (var type in StripePayloadsTests.TypesOf.GetValueOrDefault(kind, []))
                {
                    var n = events.Count;
                    var copy = about!.DeepClone().AsObject();
                    // Customers and things of their own, so that none of them is the end of another.
                    if ((string?)copy["id"] is { } id) copy["id"] = $"{id}_{n}";
                    if (copy["customer"] is JsonValue customer) copy["customer"] = $"{(string)customer!}_{n}";
                    // The published example is one that is not paid: what an event of paid always has is filled in.
                    if (kind == "invoice_payment") copy["amount_paid"] ??= 100;
                    var e = StripeFixtures.Event("2020-08-27", type, copy);
                    e["id"] = $"evt_{n}";
                    events.Add(e.ToJsonString());
                }
        Assert.True(events.Count >= 150, $"only {events.Count} events");
        await Parallel.ForEachAsync(events, new ParallelOptions { MaxDegreeOfParallelism = 8 }, async (e, _) =>
        {
            var answer = await host.SendStripeAsync(e);
            var text = await answer.Content.ReadAsStringAsync();
            Assert.True(answer.IsSuccessStatusCode && text.Contains("queued", StringComparison.Ordinal), $"{text}\n{e[..200]}");
        });
        await NothingIsLeftAsync(host);
    }

    private static async Task NothingIsLeftAsync(TestHost host)
    {
        await host.SettleAsync();
        Assert.Equal("[]", (await host.DeadLettersAsync()).ToJsonString());
        Assert.Equal(0, await host.QueuedAsync());
        Assert.True((await host.GetAsync("/api/v1/customers"))!.AsArray().Count > 0);
    }
}
