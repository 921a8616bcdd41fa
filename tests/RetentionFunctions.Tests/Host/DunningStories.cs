using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.Tests.Host;

/// <summary>Failed payments, from the webhook to the outbox.</summary>
public class DunningStories
{
    private static readonly DateTimeOffset SignUp = new(2026, 1, 5, 10, 0, 0, TimeSpan.Zero);
    private static readonly DateTimeOffset Renewal = new(2026, 2, 5, 10, 0, 0, TimeSpan.Zero);

    [Theory]
    [InlineData("2025-03-31.basil")]
    [InlineData("2020-08-27")]
    public async Task A_failed_payment_brings_an_email_at_once_and_its_recovery_ends_the_flow(string version)
    {
        await using var host = await TestHost.StartAsync("2026-01-05T10:00:00Z");
        var ada = new Story(version: version);
        await host.StripeAsync(ada.SignsUp(SignUp));
        await host.AdvanceToAsync(Renewal);
        await host.StripeAsync(ada.PaymentFails(Renewal, next: Renewal.AddDays(3)));

        var mail = Assert.Single(await host.OutboxAsync());
        Assert.Equal(("ada@example.com", "dunning-1", "dunning", 1), ((string)mail["to"]!, (string)mail["template"]!, (string)mail["flow"]!, (int)mail["step"]!));
        var text = (string)mail["text"]!;
        Assert.Contains("$49.00", text);
        Assert.Contains("4242", text);
        Assert.Contains("8 February 2026", text);
        Assert.Contains("/l/", (string)mail["links"]!["pay"]!);
        Assert.Null(mail["headers"]!["List-Unsubscribe"]);
        Assert.Equal("past_due", (string)(await host.CustomerAsync())["status"]!);

        await host.AdvanceAsync(TimeSpan.FromDays(3));
        Assert.Equal(2, (await host.OutboxAsync()).Count);

        await host.StripeAsync(ada.PaysAfterAll(host.Now));
        var run = Assert.Single(await host.FlowsAsync());
        Assert.Equal(("ended", "paid"), ((string)run["status"]!, (string)run["outcome"]!));
        await host.AdvanceAsync(TimeSpan.FromDays(30));
        Assert.Equal(2, (await host.OutboxAsync()).Count);
        Assert.Equal("active", (string)(await host.CustomerAsync())["status"]!);
    }

    [Fact]
    public async Task A_payment_that_never_comes_brings_five_emails_on_days_0_3_7_10_14()
    {
        await using var host = await TestHost.StartAsync("2026-01-05T10:00:00Z");
        var ada = new Story();
        await host.StripeAsync(ada.SignsUp(SignUp));
        await host.AdvanceToAsync(Renewal);
        await host.StripeAsync(ada.PaymentFails(Renewal, next: Renewal.AddDays(3)));
        await host.AdvanceAsync(TimeSpan.FromDays(3));
        await host.StripeAsync(ada.PaymentFails(host.Now, next: Renewal.AddDays(12), attempt: 2));
        await host.AdvanceAsync(TimeSpan.FromDays(25));

        var mails = await host.OutboxAsync();
        Assert.Equal([0, 3, 7, 10, 14], mails.Select(m => Math.Round(((DateTimeOffset)m["at"]! - Renewal).TotalDays)));
        Assert.Equal(["dunning-1", "dunning-2", "dunning-3", "dunning-4", "dunning-5"], mails.Select(m => (string)m["template"]!));
        var run = Assert.Single(await host.FlowsAsync());
        Assert.Equal(("ended", "completed"), ((string)run["status"]!, (string)run["outcome"]!));
    }

    [Fact]
    public async Task A_customer_from_before_the_set_up_is_reached_by_the_address_on_the_invoice()
    {
        await using var host = await TestHost.StartAsync("2026-02-05T10:00:00Z");
        var failed = new Story().PaymentFails(Renewal, next: Renewal.AddDays(3)).ElementAt(1);
        failed["data"]!["object"]!["customer_email"] = "billing@example.com";
        await host.StripeAsync(failed);
        Assert.Equal("billing@example.com", (string)Assert.Single(await host.OutboxAsync())["to"]!);
    }

    [Fact]
    public async Task The_first_invoice_of_a_new_subscription_brings_none()
    {
        await using var host = await TestHost.StartAsync("2026-01-05T10:00:00Z");
        var ada = new Story();
        await host.StripeAsync(ada.SignsUp(SignUp).Take(2));
        var failed = ada.PaymentFails(SignUp, "first").ElementAt(1);
        failed["data"]!["object"]!["billing_reason"] = "subscription_create";
        await host.StripeAsync(failed);
        await host.AdvanceAsync(TimeSpan.FromDays(20));
        Assert.Empty(await host.OutboxAsync());
    }

    [Fact]
    public async Task A_manual_stop_survives_the_next_retry()
    {
        await using var host = await TestHost.StartAsync("2026-01-05T10:00:00Z");
        var ada = new Story();
        await host.StripeAsync(ada.SignsUp(SignUp));
        await host.AdvanceToAsync(Renewal);
        await host.StripeAsync(ada.PaymentFails(Renewal, next: Renewal.AddDays(3)));
        var stopped = await host.Http.PostAsync($"/api/v1/flows/stop?customer={ada.Customer}&flow=dunning&occasion={ada.InvoiceId("renewal")}", null);
        Assert.True(stopped.IsSuccessStatusCode);
        await host.SettleAsync();
        await host.AdvanceAsync(TimeSpan.FromDays(3));
        await host.StripeAsync(ada.PaymentFails(host.Now, next: Renewal.AddDays(7), attempt: 2));
        await host.AdvanceAsync(TimeSpan.FromDays(20));

        Assert.Single(await host.OutboxAsync());
        Assert.Equal("stopped", (string)Assert.Single(await host.FlowsAsync())["outcome"]!);
    }

    [Fact]
    public async Task The_customer_pays_by_the_link_in_the_email()
    {
        await using var host = await TestHost.StartAsync("2026-01-05T10:00:00Z");
        var ada = new Story();
        await host.StripeAsync(ada.SignsUp(SignUp));
        await host.AdvanceToAsync(Renewal);
        await host.StripeAsync(ada.PaymentFails(Renewal, next: Renewal.AddDays(3)));
        var link = (string)Assert.Single(await host.OutboxAsync())["links"]!["pay"]!;

        var page = await host.Http.GetStringAsync(link);
        Assert.Contains("$49.00", page);
        Assert.Equal("running", (string)Assert.Single(await host.FlowsAsync())["status"]!);
        var away = await host.ClickAsync(link, ("action", "pay"));
        Assert.Equal(303, (int)away.StatusCode);
        Assert.Equal("paid", await Sandbox.SandboxPageTests.PostAsync(host, away.Headers.Location!.AbsolutePath, ("card", "works")));

        Assert.Equal("paid", (string)Assert.Single(await host.FlowsAsync())["outcome"]!);
        Assert.Equal("active", (string)(await host.CustomerAsync())["status"]!);
    }

    [Theory]
    [InlineData("insufficient_funds")]
    [InlineData("expired_card")]
    public async Task The_email_is_worded_by_the_kind_of_failure(string decline)
    {
        await using var host = await TestHost.StartAsync("2026-01-05T10:00:00Z");
        var ada = new Story();
        await host.StripeAsync(ada.SignsUp(SignUp));
        await host.AdvanceToAsync(Renewal);
        await host.StripeAsync(ada.PaymentFails(Renewal, decline: decline, next: Renewal.AddDays(3)));
        var text = (string)Assert.Single(await host.OutboxAsync())["text"]!;
        Assert.Equal(decline == "expired_card", text.Contains("expired", StringComparison.OrdinalIgnoreCase));
    }

    [Fact]
    public async Task Preview_lists_what_would_be_sent_and_sends_nothing()
    {
        await using var host = await TestHost.StartAsync("2026-01-05T10:00:00Z", new() { ["Flows:Mode"] = "preview" });
        var ada = new Story();
        await host.StripeAsync(ada.SignsUp(SignUp));
        await host.AdvanceToAsync(Renewal);
        await host.StripeAsync(ada.PaymentFails(Renewal, next: Renewal.AddDays(3)));
        await host.AdvanceAsync(TimeSpan.FromDays(20));
        Assert.Empty(await host.OutboxAsync());
        var sent = Assert.Single(await host.FlowsAsync())["sent"]!.AsArray();
        Assert.Equal(5, sent.Count);
        Assert.All(sent, s => Assert.Equal("previewed", (string)s!["result"]!));
    }

    [Fact]
    public async Task Held_out_customers_get_nothing_and_the_run_says_so()
    {
        await using var host = await TestHost.StartAsync("2026-01-05T10:00:00Z", new() { ["Flows:Definitions:dunning:HoldOut"] = "1" });
        var ada = new Story();
        await host.StripeAsync(ada.SignsUp(SignUp));
        await host.AdvanceToAsync(Renewal);
        await host.StripeAsync(ada.PaymentFails(Renewal, next: Renewal.AddDays(3)));
        await host.AdvanceAsync(TimeSpan.FromDays(20));
        Assert.Empty(await host.OutboxAsync());
        Assert.Equal("held_out", (string)Assert.Single(await host.FlowsAsync())["outcome"]!);
    }
}
