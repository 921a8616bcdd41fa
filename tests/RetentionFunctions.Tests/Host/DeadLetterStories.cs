using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using RetentionFunctions.Intake;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.Tests.Host;

/// <summary>What cannot be handled is kept with its raw body and the reason, and can be put back or dropped.</summary>
public class DeadLetterStories
{
    private static readonly DateTimeOffset SignUp = new(2025, 12, 20, 10, 0, 0, TimeSpan.Zero);

    private static JsonObject Broken(string field, JsonNode value)
    {
        var e = new Story().SignsUp(SignUp).First(e => (string?)e["type"] == "invoice.paid");
        e["data"]!["object"]![field] = value;
        return e;
    }

    [Theory]
    [InlineData("amount_due", "\"plenty\"")]
    [InlineData("currency", "null")]
    [InlineData("id", "5")]
    [InlineData("object", "5")]
    public async Task An_event_that_cannot_be_read_is_kept_with_its_raw_body_and_the_reason_at_once(string field, string value)
    {
        await using var host = await TestHost.StartAsync();
        var e = Broken(field, JsonNode.Parse(value)!);
        if (value == "null") e["data"]!["object"]!.AsObject().Remove(field);
        await host.StripeAsync(e);
        if (field == "object")
        {
            // What kind of object it is, is known from the type of the event.
            Assert.Empty(await host.DeadLettersAsync());
            Assert.Equal(0, await host.QueuedAsync());
            return;
        }
        var letter = Assert.Single(await host.DeadLettersAsync())!;
        Assert.Equal(((string)e["id"]!, "stripe_event", "cus_Ada", 1), ((string)letter["id"]!, (string)letter["kind"]!, (string)letter["session"]!, (int)letter["attempts"]!));
        Assert.Contains($"$.data.object.{field}", (string)letter["reason"]!);
        Assert.Equal(host.Now, (DateTimeOffset)letter["at"]!);
        Assert.Equal(0, await host.QueuedAsync());
        Assert.Equal(e.ToJsonString(), await BodyAsync(host, (string)e["id"]!));
        Assert.Contains("Replay", await host.Http.GetStringAsync("/dead-letters"));
    }

    [Fact]
    public async Task Replayed_and_still_unreadable_it_is_a_dead_letter_again_and_only_once()
    {
        await using var host = await TestHost.StartAsync();
        var e = Broken("amount_due", "plenty");
        await host.StripeAsync(e);
        for (var replay = 0; replay < 3; replay++)
        {
            await host.AdvanceAsync(TimeSpan.FromHours(1));
            Assert.Equal("replayed", await ReplayAsync(host, (string)e["id"]!));
            await host.SettleAsync();
            var letter = Assert.Single(await host.DeadLettersAsync())!;
            Assert.Equal(host.Now, (DateTimeOffset)letter["at"]!);
            Assert.Equal(host.Now.AddHours(-1 - replay), (DateTimeOffset)letter["receivedAt"]!);
            Assert.Equal(e.ToJsonString(), await BodyAsync(host, (string)e["id"]!));
        }
        // And its body is kept once.
        Assert.Single(await host.RowsAsync("body|%"));
    }

    [Fact]
    public async Task Replayed_and_readable_now_it_is_handled_and_gone()
    {
        await using var host = await TestHost.StartAsync();
        var e = new Story().SignsUp(SignUp).First();
        var id = (string)e["id"]!;
        await host.Services.GetRequiredService<DeadLetters>().KeepAsync(new InboxMessage("cus_Ada", id, MessageKind.StripeEvent, e.Utf8(), host.Now), e.Utf8(), "The reader did not know it yet.", 1, host.Now);
        Assert.Equal(HttpStatusCode.NotFound, (await host.Http.GetAsync("/api/v1/customers/cus_Ada")).StatusCode);
        Assert.Equal("replayed", await ReplayAsync(host, id));
        await host.SettleAsync();
        Assert.Equal("ada@example.com", (string?)(await host.CustomerAsync())["email"]);
        Assert.Empty(await host.DeadLettersAsync());
        Assert.Empty(await host.RowsAsync("body|%"));
        Assert.Equal(HttpStatusCode.NotFound, (await host.Http.PostAsync($"/api/v1/dead-letters/{id}/replay", null)).StatusCode);
    }

    [Fact]
    public async Task A_large_one_comes_back_whole()
    {
        await using var host = await TestHost.StartAsync();
        var e = Broken("amount_due", "plenty");
        e["data"]!["object"]!["description"] = new string('x', 700_000);
        await host.StripeAsync(e);
        Assert.Equal("replayed", await ReplayAsync(host, (string)e["id"]!));
        await host.SettleAsync();
        Assert.Equal(e.ToJsonString(), await BodyAsync(host, (string)e["id"]!));
    }

    [Fact]
    public async Task Dropped_it_is_forgotten()
    {
        await using var host = await TestHost.StartAsync();
        var e = Broken("amount_due", "plenty");
        await host.StripeAsync(e);
        Assert.Equal(HttpStatusCode.OK, (await host.Http.DeleteAsync($"/api/v1/dead-letters/{(string)e["id"]!}")).StatusCode);
        await host.SettleAsync();
        Assert.Empty(await host.DeadLettersAsync());
        Assert.Empty(await host.RowsAsync("body|%"));
        Assert.Equal(HttpStatusCode.NotFound, (await host.Http.DeleteAsync($"/api/v1/dead-letters/{(string)e["id"]!}")).StatusCode);
    }

    [Fact]
    public async Task The_events_after_it_are_handled_all_the_same()
    {
        await using var host = await TestHost.StartAsync();
        await host.StripeAsync([Broken("amount_due", "plenty"), .. new Story(email: "later@example.com").SignsUp(SignUp).Take(1)]);
        Assert.Equal("later@example.com", (string?)(await host.CustomerAsync())["email"]);
        Assert.Single(await host.DeadLettersAsync());
    }

    private static async Task<string> ReplayAsync(TestHost host, string id)
    {
        var answer = await host.Http.PostAsync($"/api/v1/dead-letters/{id}/replay", null);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        return (string)JsonNode.Parse(await answer.Content.ReadAsStringAsync())!["result"]!;
    }

    private static async Task<string> BodyAsync(TestHost host, string id) =>
        Encoding.UTF8.GetString((await host.Services.GetRequiredService<DeadLetters>().GetAsync(id))!.Value.Body.Span);
}
