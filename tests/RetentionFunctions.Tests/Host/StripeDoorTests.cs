using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using RetentionFunctions.Intake;
using RetentionFunctions.Intake.Stripe;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.Tests.Host;

/// <summary>POST /stripe/webhook over HTTP: what is let in, what is refused, and that nothing is left of what is refused.</summary>
public class StripeDoorTests
{
    private static readonly DateTimeOffset SignUp = new(2025, 12, 20, 10, 0, 0, TimeSpan.Zero);

    private static JsonObject Created(string customer = "cus_Ada", bool live = false) => new Story(customer) { Livemode = live }.SignsUp(SignUp).First();

    [Theory]
    [InlineData(-300, null)]
    [InlineData(300, null)]
    [InlineData(-301, "Too old: signed 301 s ago")]
    [InlineData(301, "From the future: signed 301 s ahead")]
    public async Task A_signature_holds_for_five_minutes_of_the_hosts_clock(int seconds, string? refused)
    {
        await using var host = await TestHost.StartAsync();
        // Not the time of the start: the clock that counts is the one that was moved.
        await host.AdvanceAsync(TimeSpan.FromDays(3));
        var body = Created().Utf8();
        var before = await host.RowsAsync();
        var (status, text) = await host.PostAsync("/stripe/webhook", body, false, (StripeSignature.HeaderName, StripeSignature.Sign(body, TestHost.Secret, host.Now.AddSeconds(seconds))));
        await host.SettleAsync();
        if (refused is null)
        {
            Assert.Equal(HttpStatusCode.OK, status);
            Assert.Equal("ada@example.com", (string?)(await host.CustomerAsync())["email"]);
            return;
        }
        Assert.Equal(HttpStatusCode.BadRequest, status);
        Assert.Contains(refused, text);
        Assert.Equal(before, await host.RowsAsync());
    }

    [Fact]
    public async Task While_a_secret_is_rotated_both_are_right()
    {
        await using var host = await TestHost.StartAsync(settings: new() { ["Stripe:WebhookSecrets:0"] = "whsec_the_old_one", ["Stripe:WebhookSecrets:1"] = "whsec_the_new_one" });
        foreach (var (secret, customer, expected) in new[] { ("whsec_the_old_one", "cus_a", 200), ("whsec_the_new_one", "cus_b", 200), ("whsec_of_another", "cus_c", 400) })
        {
            var body = Created(customer).Utf8();
            var (status, text) = await host.PostAsync("/stripe/webhook", body, false, (StripeSignature.HeaderName, StripeSignature.Sign(body, secret, host.Now)));
            Assert.Equal(expected, (int)status);
            if (expected == 400) Assert.Contains("No secret matches", text);
        }
        // Stripe signs with both while one is rolled; one that is right is enough.
        var both = Created("cus_d").Utf8();
        var right = StripeSignature.Sign(both, "whsec_the_new_one", host.Now);
        Assert.Equal(HttpStatusCode.OK, (await host.PostAsync("/stripe/webhook", both, false, (StripeSignature.HeaderName, $"{right.Split(',')[0]},v1={new string('0', 64)},{right.Split(',')[1]}"))).Status);
        await host.SettleAsync();
        Assert.Equal(3, (await host.GetAsync("/api/v1/customers"))!.AsArray().Count);
    }

    [Theory]
    [InlineData(null, "Stripe-Signature")]
    [InlineData("", "Stripe-Signature")]
    [InlineData("nonsense", "no t=")]
    [InlineData("t=1767225600", "no v1=")]
    [InlineData("t=soon,v1=00", "not a time")]
    [InlineData("t=1767225600,v1=abc", "no v1=")]
    [InlineData("t=1767225600,v0={right}", "no v1=")]
    [InlineData("t=1767225600,v1={wrong}", "No secret matches")]
    public async Task What_is_not_signed_is_refused_with_the_reason_and_leaves_nothing(string? header, string reason)
    {
        await using var host = await TestHost.StartAsync();
        await host.SettleAsync();
        var before = await host.RowsAsync();
        var body = Created().Utf8();
        var right = StripeSignature.Sign(body, TestHost.Secret, host.Now).Split("v1=")[1];
        var (status, text) = await host.PostAsync("/stripe/webhook", body, false,
            header is null ? [] : [(StripeSignature.HeaderName, header.Replace("{right}", right, StringComparison.Ordinal).Replace("{wrong}", new string('a', 64), StringComparison.Ordinal))]);
        Assert.Equal(HttpStatusCode.BadRequest, status);
        Assert.Contains(reason, text);
        Assert.Equal(0, await host.QueuedAsync());
        await host.SettleAsync();
        Assert.Equal(before, await host.RowsAsync());
    }

    [Theory]
    [InlineData("", "not JSON")]
    [InlineData("{\"id\":", "not JSON")]
    [InlineData("[]", "not an object")]
    [InlineData("{}", "id is missing")]
    [InlineData("{\"object\":\"v2.core.event\"}", "Snapshot")]
    [InlineData("""{"id":"evt_1","object":"event","type":"invoice.paid","created":1,"livemode":false}""", "data.object")]
    [InlineData("""{"id":"evt_1","object":"event","type":"invoice.paid","created":1,"data":{"object":{"id":"in_1"}}}""", "livemode")]
    [InlineData("""{"id":"evt_1","object":"event","type":"invoice.paid","created":"now","livemode":false,"data":{"object":{"id":"in_1"}}}""", "created")]
    public async Task What_is_signed_but_no_event_is_refused_with_the_reason_and_leaves_nothing(string body, string reason)
    {
        await using var host = await TestHost.StartAsync();
        await host.SettleAsync();
        var before = await host.RowsAsync();
        var answer = await host.SendStripeAsync(body);
        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        Assert.Contains(reason, await answer.Content.ReadAsStringAsync());
        await host.SettleAsync();
        Assert.Equal(before, await host.RowsAsync());
        Assert.Equal(0, await host.QueuedAsync());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_body_over_the_limit_is_too_large_and_leaves_nothing_and_one_at_the_limit_is_taken(bool chunked)
    {
        const int Most = 256 * 1024;
        await using var host = await TestHost.StartAsync(settings: new() { ["Web:MaxStripeBodyBytes"] = $"{Most}" });
        await host.SettleAsync();
        var before = await host.RowsAsync();
        var (status, text) = await SendAsync(Padded(Most + 1));
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, status);
        Assert.Contains("Web:MaxStripeBodyBytes", text);
        await host.SettleAsync();
        Assert.Equal(before, await host.RowsAsync());
        Assert.Equal(0, await host.QueuedAsync());

        Assert.Equal(HttpStatusCode.OK, (await SendAsync(Padded(Most))).Status);

        Task<(HttpStatusCode Status, string Text)> SendAsync(byte[] body) =>
            host.PostAsync("/stripe/webhook", body, chunked, (StripeSignature.HeaderName, StripeSignature.Sign(body, TestHost.Secret, host.Now)));
    }

    [Fact]
    public async Task A_body_far_over_what_the_server_itself_takes_is_too_large_as_well()
    {
        await using var host = await TestHost.StartAsync();
        var body = new byte[31 * 1024 * 1024];
        var (status, _) = await host.PostAsync("/stripe/webhook", body, false, ("Stripe-Signature", "t=1,v1=00"), ("Expect", "100-continue"));
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, status);
    }

    [Fact]
    public async Task A_body_that_says_it_is_gzip_and_is_not_is_refused()
    {
        await using var host = await TestHost.StartAsync();
        var body = Created().Utf8();
        foreach (var path in new[] { "/stripe/webhook", "/v1/track" })
        {
            var (status, text) = await host.PostAsync(path, body, false, ("Content-Encoding", "gzip"), ("Stripe-Signature", StripeSignature.Sign(body, TestHost.Secret, host.Now)));
            Assert.Equal(HttpStatusCode.BadRequest, status);
            Assert.Contains("gzip", text);
        }
    }

    [Fact]
    public async Task A_type_that_nobody_handles_is_answered_and_counted_and_not_queued()
    {
        await using var host = await TestHost.StartAsync();
        await host.SettleAsync();
        var before = await host.RowsAsync();
        var story = new Story();
        for (var i = 0; i < 3; i++)
        {
            var answer = await host.SendStripeAsync(story.Event("product.updated", SignUp, new JsonObject { ["id"] = "prod_1", ["customer"] = 7 }).ToJsonString());
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
            Assert.Contains("counted", await answer.Content.ReadAsStringAsync());
        }
        Assert.Equal(0, await host.QueuedAsync());
        await host.SettleAsync();
        Assert.Equal(before, await host.RowsAsync());
        Assert.Equal(3, await host.CountedAsync("stripe.unhandled.product.updated"));
    }

    [Theory]
    [InlineData(null, false)]
    [InlineData(null, true)]
    [InlineData("test", false)]
    [InlineData("live", true)]
    public async Task Events_of_the_other_mode_are_answered_and_counted_and_change_nothing(string? mode, bool live)
    {
        using var folder = new TempFolder();
        var settings = mode is null ? null : new Dictionary<string, string?> { ["Stripe:Mode"] = mode };
        await using (var host = await TestHost.StartAsync(settings: settings, data: folder.Path))
        {
            // Where the mode is a setting, the other mode may even be the first to come.
            if (mode is not null) await OtherAsync(host);
            await host.StripeAsync(Created("cus_ours", live));
            await OtherAsync(host);
            Assert.Equal(mode is null ? 1 : 2, await host.CountedAsync("stripe.other-mode"));
        }
        // For good: also after a restart.
        await using (var host = await TestHost.StartAsync(settings: settings, data: folder.Path))
        {
            await OtherAsync(host);
            await host.StripeAsync(Created("cus_ours2", live));
            var ids = (await host.GetAsync("/api/v1/customers"))!.AsArray().Select(c => (string)c!["id"]!).Order();
            Assert.Equal(["cus_ours", "cus_ours2"], ids);
        }

        async Task OtherAsync(TestHost host)
        {
            await host.SettleAsync();
            var before = await host.RowsAsync();
            var answer = await host.SendStripeAsync(Created("cus_theirs", !live).ToJsonString());
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
            Assert.Contains("set aside", await answer.Content.ReadAsStringAsync());
            Assert.Equal(0, await host.QueuedAsync());
            await host.SettleAsync();
            Assert.Equal(before, await host.RowsAsync());
        }
    }

    [Fact]
    public async Task A_large_event_is_handled_like_any_other_and_leaves_no_body_behind()
    {
        await using var host = await TestHost.StartAsync();
        var body = Padded(900 * 1024);
        for (var copy = 0; copy < 2; copy++)
        {
            Assert.Equal(HttpStatusCode.OK, (await host.SendStripeAsync(Encoding.UTF8.GetString(body))).StatusCode);
            await host.SettleAsync();
            Assert.Equal("ada@example.com", (string?)(await host.CustomerAsync())["email"]);
            Assert.Empty(await host.RowsAsync("body|%"));
            Assert.Empty(await host.DeadLettersAsync());
        }
    }

    [Fact]
    public async Task A_large_event_whose_handling_was_done_before_a_crash_is_no_dead_letter()
    {
        // The body was removed as the last thing of handling, and the message itself not yet: it is delivered again.
        await using var host = await TestHost.StartAsync();
        await host.Services.GetRequiredService<IInbox>().EnqueueAsync([new InboxMessage("cus_Ada", "evt_1", MessageKind.StripeEvent, "inbox:evt_1"u8.ToArray(), host.Now) { BodyStored = true }]);
        await host.SettleAsync();
        Assert.Equal(0, await host.QueuedAsync());
        Assert.Empty(await host.DeadLettersAsync());
    }

    /// <summary>A new customer with so much metadata that the event has this many bytes.</summary>
    private static byte[] Padded(int bytes)
    {
        var e = Created();
        var metadata = e["data"]!["object"]!["metadata"]!.AsObject();
        metadata["notes"] = "";
        metadata["notes"] = new string('x', bytes - e.Utf8().Length);
        Assert.Equal(bytes, e.Utf8().Length);
        return e.Utf8();
    }
}
