using System.Net;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using RetentionFunctions.Customers;
using RetentionFunctions.Email;
using RetentionFunctions.Flows;
using RetentionFunctions.Health;
using RetentionFunctions.Storage;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.Tests.Host;

/// <summary>What the mail provider reports, from its signed request to the rows.</summary>
public class MailEventStories
{
    private static readonly DateTimeOffset Renewal = new(2026, 2, 5, 10, 0, 0, TimeSpan.Zero);
    private static readonly DateTimeOffset Delivered = Renewal.AddSeconds(3);

    [Fact]
    public async Task A_customer_who_opens_and_clicks_is_seen_on_the_mail_the_step_the_page_and_in_the_engagement()
    {
        await using var host = await DunnedAsync();
        await host.AdvanceAsync(TimeSpan.FromDays(8));
        var mails = (await host.OutboxAsync()).Select(m => ((string)m["id"]!, (DateTimeOffset)m["at"]!)).ToList();
        Assert.Equal(3, mails.Count);
        foreach (var (id, at) in mails) await host.MailAsync(MailProvider.Event(id, "processed", at), MailProvider.Event(id, "delivered", at.AddSeconds(2)));
        var before = await ScoreAsync(host);
        foreach (var (id, at) in mails)
        {
            await host.MailAsync(MailProvider.Event(id, "open", at.AddMinutes(5), machine: false));
            await host.MailAsync(MailProvider.Event(id, "click", at.AddMinutes(6), url: "https://a.example/1"));
        }
        var after = await ScoreAsync(host);

        Assert.True(after > before, $"{before} -> {after}");
        var mail = (await MailsAsync(host))[0];
        Assert.Equal((mails[0].Item2.AddSeconds(2), mails[0].Item2.AddMinutes(5), mails[0].Item2.AddMinutes(6)), (mail.DeliveredAt, mail.OpenedAt, mail.ClickedAt));
        var sent = (await host.FlowsAsync())[0]["sent"]![0]!;
        Assert.Equal(mail.ClickedAt, (DateTimeOffset)sent["clickedAt"]!);
        Assert.Contains("1 delivered, 1 opened, 1 clicked", await host.Http.GetStringAsync("/flows"));
        Assert.Contains("Clicked", await host.Http.GetStringAsync("/customers/cus_Ada"));
    }

    [Fact]
    public async Task A_hard_bounce_ends_all_e_mails_and_a_block_ends_nothing()
    {
        await using var host = await DunnedAsync();
        var id = await FirstAsync(host);
        await host.MailAsync(MailProvider.Event(id, "bounce", Delivered, "blocked", "450 try later"));
        Assert.Null((await AdaAsync(host)).Suppressed);
        await host.MailAsync(MailProvider.Event(id, "bounce", Delivered.AddSeconds(1), "bounce", "550 5.1.1 unknown"));
        Assert.Contains("550 5.1.1", (await AdaAsync(host)).Suppressed!.Reason);
        Assert.Equal("suppressed", (string)Assert.Single(await host.FlowsAsync())["outcome"]!);
        await host.AdvanceAsync(TimeSpan.FromDays(20));
        Assert.Single(await host.OutboxAsync());
    }

    [Theory]
    [InlineData("spamreport", null, false, true)]
    [InlineData("unsubscribe", null, true, false)]
    [InlineData("group_unsubscribe", null, true, false)]
    [InlineData("dropped", "Bounced Address", false, true)]
    [InlineData("dropped", "Unsubscribed Address", true, false)]
    [InlineData("dropped", "Recipient List over Package Quota", false, false)]
    public async Task Who_complains_or_unsubscribes_is_left_in_peace(string happened, string? reason, bool unsubscribed, bool suppressed)
    {
        await using var host = await DunnedAsync();
        await host.MailAsync(MailProvider.Event(await FirstAsync(host), happened, Delivered, reason: reason));
        var ada = await AdaAsync(host);
        Assert.Equal((unsubscribed, suppressed), (ada.Unsubscribed is not null, ada.Suppressed is not null));
    }

    [Theory]
    [InlineData("delivered", null, MailResult.Accepted)]
    [InlineData("open", null, MailResult.Accepted)]
    [InlineData("bounce", "blocked", MailResult.Accepted)]
    [InlineData("dropped", null, MailResult.Refused)]
    public async Task An_e_mail_of_which_nobody_knew_whether_it_went_out_is_settled(string happened, string? type, MailResult result)
    {
        await using var host = await DunnedAsync();
        var key = Keys.Mail("cus_Ada", "dunning", new Story().InvoiceId("renewal"), 1);
        await host.Tables().ChangeAsync<MailRecord>(key, m => m! with { Result = MailResult.Unknown, Reason = "the connection was lost", ProviderId = null });
        await host.Tables().ChangeAsync<Run>(Keys.Run("cus_Ada", "dunning", new Story().InvoiceId("renewal")), r => r! with { Sent = [r.Sent[0] with { Result = MailResult.Unknown }] });
        await host.MailAsync(MailProvider.Event(await FirstAsync(host), happened, Delivered, type, "Spam Content"));

        var mail = (await host.Tables().GetAsync<MailRecord>(key))!.Value;
        Assert.Equal((result, "aBcDeF"), (mail.Result, mail.ProviderId));
        Assert.DoesNotContain("connection", mail.Reason ?? "");
        Assert.Equal(result, (await host.Tables().GetAsync<Run>(Keys.Run("cus_Ada", "dunning", new Story().InvoiceId("renewal"))))!.Value.Sent[0].Result);
        Assert.Single(await host.OutboxAsync());
    }

    [Fact]
    public async Task Copies_and_any_order_end_in_the_same_rows()
    {
        string[]? expected = null;
        for (var round = 0; round < 4; round++)
        {
            await using var host = await DunnedAsync();
            var id = await FirstAsync(host);
            JsonObject[] events =
            [
                MailProvider.Event(id, "processed", Renewal.AddSeconds(1)), MailProvider.Event(id, "deferred", Renewal.AddSeconds(2)), MailProvider.Event(id, "delivered", Delivered),
                MailProvider.Event(id, "open", Delivered.AddSeconds(1)), MailProvider.Event(id, "open", Delivered.AddMinutes(7)), MailProvider.Event(id, "open", Delivered.AddMinutes(4), machine: true),
                MailProvider.Event(id, "click", Delivered.AddMinutes(8), url: "https://a.example/1"), MailProvider.Event(id, "unsubscribe", Delivered.AddMinutes(9)),
                MailProvider.Event(id, "group_unsubscribe", Delivered.AddMinutes(10)), MailProvider.Event(id, "spamreport", Delivered.AddMinutes(11)),
            ];
            var order = round switch { 0 => events, 1 => [.. events.Reverse()], 2 => [.. events.Concat(events)], _ => [.. events.OrderBy(e => (string)e["sg_event_id"]!, StringComparer.Ordinal)] };
            if (round == 0) await host.MailAsync(order);
            else foreach (var part in order.Chunk(round + 1)) await host.MailAsync(part);

            var tables = host.Tables();
            string[] rows =
            [
                .. (await MailsAsync(host)).Select(m => System.Text.Encoding.UTF8.GetString(TablesExtensions.Write(m).Span)),
                System.Text.Encoding.UTF8.GetString((await tables.GetAsync(Keys.Activity("cus_Ada", "mail")))!.Body.Span),
                $"{(await AdaAsync(host)).Unsubscribed} {(await AdaAsync(host)).Suppressed}",
                .. (await tables.ListAsync<EventMarker>(Keys.Events("cus_Ada"))).Where(e => e.FromMail).Select(e => e.ToString()),
            ];
            expected ??= rows;
            Assert.Equal(expected, rows);
            Assert.Empty(await host.DeadLettersAsync());
        }
    }

    [Fact]
    public async Task What_a_scanner_or_apples_privacy_protection_does_counts_as_nothing()
    {
        await using var host = await DunnedAsync();
        var id = await FirstAsync(host);
        // The clicks come before anybody said that it was delivered, and are judged again then.
        await host.MailAsync(MailProvider.Event(id, "click", Delivered.AddSeconds(12), url: "https://a.example/1"));
        await host.MailAsync(MailProvider.Event(id, "delivered", Delivered), MailProvider.Event(id, "open", Delivered.AddSeconds(2)), MailProvider.Event(id, "open", Delivered.AddHours(2), machine: true));
        await host.MailAsync(MailProvider.Event(id, "click", Delivered.AddMinutes(20), url: "https://a.example/1"), MailProvider.Event(id, "click", Delivered.AddMinutes(20).AddSeconds(1), url: "https://a.example/2"));
        var mail = Assert.Single(await MailsAsync(host));
        Assert.Equal((Delivered, null, null), (mail.DeliveredAt, mail.OpenedAt, mail.ClickedAt));
        var activity = (await host.Tables().GetAsync<Activity>(Keys.Activity("cus_Ada", "mail")))!.Value;
        Assert.Equal([Counter.EmailsSent], activity.Days.Values.SelectMany(day => day.Keys));
    }

    [Fact]
    public async Task What_is_not_signed_by_sendgrid_or_is_stale_or_too_large_changes_nothing()
    {
        await using var host = await DunnedAsync();
        var body = MailProvider.Body(MailProvider.Event(await FirstAsync(host), "bounce", Delivered, "bounce"));
        using var other = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        async Task RefusedAsync(int status, string says, Task<HttpResponseMessage> sending)
        {
            using var answer = await sending;
            Assert.Equal(status, (int)answer.StatusCode);
            Assert.Contains(says, (string)(await answer.Content.ReadFromJsonAsync<JsonNode>())!["error"]!);
        }

        await RefusedAsync(401, "are missing", host.SendMailAsync(body, signature: ""));
        await RefusedAsync(400, "malformed", host.SendMailAsync(body, signature: "not base64!"));
        await RefusedAsync(401, "No verification key matches", host.SendMailAsync(body, signature: Convert.ToBase64String(new byte[70])));
        await RefusedAsync(401, "No verification key matches", host.SendMailAsync(body, key: other));
        await RefusedAsync(401, "Too old", host.SendMailAsync(body, signedAt: host.Now.AddHours(-25).AddSeconds(-1)));
        await RefusedAsync(401, "From the future", host.SendMailAsync(body, signedAt: host.Now.AddSeconds(301)));
        await RefusedAsync(400, "not an array", host.SendMailAsync("{}"u8.ToArray()));
        await RefusedAsync(400, "not JSON", host.SendMailAsync("["u8.ToArray()));
        await RefusedAsync(413, "MaxMailBodyBytes", host.SendMailAsync(new byte[1024 * 1024 + 1]));
        await host.SettleAsync();
        Assert.Null((await AdaAsync(host)).Suppressed);

        // An outage of hours is not too long: SendGrid repeats for a day.
        using var late = await host.SendMailAsync(body, signedAt: host.Now.AddHours(-24));
        Assert.Equal(HttpStatusCode.OK, late.StatusCode);
    }

    [Fact]
    public async Task What_a_receiving_server_answers_may_be_no_unicode_and_takes_nothing_with_it()
    {
        await using var host = await DunnedAsync();
        var bounce = MailProvider.Event(await FirstAsync(host), "bounce", Delivered, "bounce", reason: "half");
        var text = Encoding.UTF8.GetString(MailProvider.Body(bounce)).Replace("\"half\"", "\"550 \\ud83d no such user\"", StringComparison.Ordinal);
        using var answer = await host.SendMailAsync(Encoding.UTF8.GetBytes(text));
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        await host.SettleAsync();
        Assert.NotNull((await AdaAsync(host)).Suppressed);
        using var odd = await host.SendMailAsync([.. "[{\"a\":\""u8, 0xFF, .. "\"}]"u8]);
        Assert.Equal(HttpStatusCode.BadRequest, odd.StatusCode);
        Assert.Contains("not UTF-8", await odd.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task Events_of_other_e_mails_are_counted_and_those_that_cannot_be_read_are_kept_beside_the_good_ones()
    {
        await using var host = await DunnedAsync();
        var id = await FirstAsync(host);
        var odd = MailProvider.Event(id, "open", Delivered);
        odd["timestamp"] = "yesterday";
        var foreign = MailProvider.Event("x", "open", Delivered);
        foreign.Remove("retention_mail");
        await host.MailAsync(odd, foreign, MailProvider.Event("cus_Ada|dunning|in_of_another_store|1", "open", Delivered), MailProvider.Event(id, "group_resubscribe", Delivered), MailProvider.Event(id, "delivered", Delivered));

        Assert.Equal(2, await host.CountedAsync("mail.unknown"));
        Assert.Equal(1, await host.CountedAsync("mail.unhandled.group_resubscribe"));
        Assert.Equal(Delivered, Assert.Single(await MailsAsync(host)).DeliveredAt);
        var letter = Assert.Single(await host.DeadLettersAsync())!;
        Assert.Contains("$.timestamp", (string)letter["reason"]!);
        Assert.Contains("yesterday", await host.Http.GetStringAsync("/dead-letters"));
    }

    [Fact]
    public async Task Locally_the_sandbox_reports_by_the_same_door()
    {
        await using var host = await DunnedAsync();
        var id = await FirstAsync(host);
        foreach (var happened in new[] { "delivered", "open", "click" })
            Assert.Equal(HttpStatusCode.OK, (await host.Http.PostAsJsonAsync("/local/mail-events", new { id, @event = happened })).StatusCode);
        await host.SettleAsync();
        Assert.NotNull(Assert.Single(await MailsAsync(host)).ClickedAt);
        Assert.Equal(HttpStatusCode.NotFound, (await host.Http.PostAsJsonAsync("/local/mail-events", new { id = "none", @event = "open" })).StatusCode);
    }

    private static async Task<TestHost> DunnedAsync()
    {
        var host = await TestHost.StartAsync("2026-01-05T10:00:00Z");
        await host.StripeAsync(host.Ada.SignsUp(new(2026, 1, 5, 10, 0, 0, TimeSpan.Zero)));
        await host.AdvanceToAsync(Renewal);
        await host.StripeAsync(host.Ada.PaymentFails(Renewal, next: Renewal.AddDays(3)));
        return host;
    }

    private static async Task<string> FirstAsync(TestHost host) => (string)(await host.OutboxAsync())[0]["id"]!;

    private static Task<List<MailRecord>> MailsAsync(TestHost host) => host.Tables().ListAsync<MailRecord>(Keys.Mails("cus_Ada"));

    private static async Task<Customer> AdaAsync(TestHost host) => (await host.Tables().GetAsync<Customer>(Keys.Customer("cus_Ada")))!.Value;

    private static async Task<double> ScoreAsync(TestHost host)
    {
        await host.SweepAsync();
        return (await AdaAsync(host)).Health!.Score;
    }
}
