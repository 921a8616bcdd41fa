using System.Net;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using RetentionFunctions.Links;
using RetentionFunctions.Local.Sandbox;
using RetentionFunctions.Settings;
using RetentionFunctions.Tests.Support;
using static RetentionFunctions.Tests.Sandbox.SandboxStripeTests;

namespace RetentionFunctions.Tests.Sandbox;

/// <summary>The sandbox's own customers in the whole host: they renew, fail and pay by themselves, through the host's own door.</summary>
public class SandboxStories
{
    private const string SignedUp = "2026-01-05T10:00:00Z";

    private static async Task<SandboxAccounts> SignUpAsync(TestHost host)
    {
        var accounts = host.Services.GetRequiredService<SandboxAccounts>();
        Assert.IsType<BillingResult.Done>(await accounts.DoAsync("cus_Ada", "sign-up", stripe =>
        [
            .. stripe.CreateCustomer("cus_Ada", "ada@example.com", "Ada", "GB", Good, host.Now), .. stripe.Subscribe("cus_Ada", "sub_Ada", Pro, 1, host.Now),
        ]));
        await host.AdvanceAsync(SandboxDelivery.Longest);
        return accounts;
    }

    [Fact]
    public async Task A_renewal_fails_by_itself_the_email_comes_the_customer_pays_and_it_renews_again()
    {
        await using var host = await TestHost.StartAsync(SignedUp);
        var accounts = await SignUpAsync(host);
        Assert.Equal("active", (string)(await host.CustomerAsync())["status"]!);
        await accounts.DoAsync("cus_Ada", "card", stripe => stripe.SetCard("cus_Ada", Poor, host.Now));
        await host.AdvanceAsync(TimeSpan.FromDays(32));

        Assert.Equal("past_due", (string)(await host.CustomerAsync())["status"]!);
        Assert.Equal("dunning-1", (string)Assert.Single(await host.OutboxAsync())["template"]!);
        var invoice = (await accounts.StateAsync("cus_Ada"))!.Invoices[^1];
        Assert.Equal("open", invoice.Status);
        Assert.Equal("paid", await SandboxPageTests.PostAsync(host, $"/local/pay/{invoice.Id}", ("card", "works")));

        Assert.Equal("active", (string)(await host.CustomerAsync())["status"]!);
        Assert.Equal("paid", (string)Assert.Single(await host.FlowsAsync())["outcome"]!);
        await accounts.DoAsync("cus_Ada", "good card", stripe => stripe.SetCard("cus_Ada", Good, host.Now));
        await host.AdvanceAsync(TimeSpan.FromDays(30));
        Assert.Equal((3, "paid"), ((await accounts.StateAsync("cus_Ada"))!.Invoices.Count, (await accounts.StateAsync("cus_Ada"))!.Invoices[^1].Status));
        Assert.Empty(await host.DeadLettersAsync());
    }

    [Fact]
    public async Task The_same_pause_asked_for_again_changes_nothing_and_a_stranger_is_refused()
    {
        await using var host = await TestHost.StartAsync(SignedUp);
        var accounts = await SignUpAsync(host);
        var billing = host.Services.GetRequiredService<IBilling>();
        var until = host.Now.AddMonths(2);
        Assert.IsType<BillingResult.Done>(await billing.PauseAsync("cus_Ada", "sub_Ada", until, "pause-1"));
        Assert.IsType<BillingResult.Done>(await billing.ResumeAsync("cus_Ada", "sub_Ada", "resume-1"));
        var before = (await accounts.StateAsync("cus_Ada"))!.Made;
        Assert.IsType<BillingResult.Done>(await billing.PauseAsync("cus_Ada", "sub_Ada", until, "pause-1"));
        Assert.Equal((before, null), ((await accounts.StateAsync("cus_Ada"))!.Made, (await accounts.StateAsync("cus_Ada"))!.Subscriptions[0].PausedUntil));
        Assert.IsType<BillingResult.Refused>(await billing.PauseAsync("cus_Ada", "sub_Eve", until, "pause-2"));
        Assert.IsType<BillingResult.Refused>(await billing.PauseAsync("cus_Eve", "sub_Ada", until, "pause-2"));

        await billing.PauseAsync("cus_Ada", "sub_Ada", until, "pause-3");
        await host.AdvanceAsync(TimeSpan.FromDays(40));
        Assert.Equal("paused", (string)(await host.CustomerAsync())["status"]!);
        await host.AdvanceAsync(TimeSpan.FromDays(30));
        Assert.Equal("active", (string)(await host.CustomerAsync())["status"]!);
    }

    [Fact]
    public async Task Events_that_the_door_did_not_take_are_delivered_later()
    {
        await using var host = await TestHost.StartAsync(SignedUp);
        var accounts = await SignUpAsync(host);
        var settings = host.Services.GetRequiredService<RetentionSettings>();
        var bytes = settings.Web.MaxStripeBodyBytes;
        settings.Web.MaxStripeBodyBytes = 10;
        await accounts.DoAsync("cus_Ada", "leave", stripe => stripe.CancelNow("sub_Ada", "unused", host.Now));
        await host.AdvanceAsync(TimeSpan.FromMinutes(30));
        Assert.Equal("active", (string)(await host.CustomerAsync())["status"]!);
        Assert.InRange((int)Assert.Single((await host.GetAsync("/local/sandbox/events"))!.AsArray(), l => (string)l!["type"]! == "customer.subscription.deleted")!["failures"]!, 1, 3);
        settings.Web.MaxStripeBodyBytes = bytes;
        await host.AdvanceAsync(TimeSpan.FromHours(2));
        Assert.Equal("canceled", (string)(await host.CustomerAsync())["status"]!);
    }

    [Fact]
    public async Task What_the_door_does_not_take_for_three_days_is_given_up_made_up_for_at_night_and_can_be_sent_again_by_hand()
    {
        await using var host = await TestHost.StartAsync(SignedUp);
        var accounts = await SignUpAsync(host);
        var settings = host.Services.GetRequiredService<RetentionSettings>();
        var bytes = settings.Web.MaxStripeBodyBytes;
        settings.Web.MaxStripeBodyBytes = 10;
        await accounts.DoAsync("cus_Ada", "leave", stripe => stripe.CancelNow("sub_Ada", "unused", host.Now));
        await host.AdvanceAsync(TimeSpan.FromDays(3));
        settings.Web.MaxStripeBodyBytes = bytes;
        await host.AdvanceAsync(TimeSpan.FromDays(3));
        // The night's reconcile read it from the list of events.
        Assert.Equal("canceled", (string)(await host.CustomerAsync())["status"]!);
        var left = Assert.Single((await host.GetAsync("/local/sandbox/events"))!.AsArray())!;
        Assert.Equal((10, null), ((int)left["failures"]!, left["dueAt"]));
        Assert.Equal(HttpStatusCode.OK, (await host.Http.PostAsync("/local/sandbox/resend", null)).StatusCode);
        await host.SettleAsync();
        Assert.Equal("canceled", (string)(await host.CustomerAsync())["status"]!);
        Assert.DoesNotContain((await host.GetAsync("/local/sandbox/events"))!.AsArray(), l => (int)l!["failures"]! > 0);
    }

    [Fact]
    public async Task What_is_on_its_way_arrives_also_after_a_restart()
    {
        using var data = new TempFolder();
        await using (var first = await TestHost.StartAsync(SignedUp, data: data.Path))
        {
            var accounts = await SignUpAsync(first);
            await accounts.DoAsync("cus_Ada", "leave", stripe => stripe.CancelNow("sub_Ada", "unused", first.Now));
            await first.SettleAsync();
            Assert.Equal("active", (string)(await first.CustomerAsync())["status"]!); // no time has passed
        }
        await using var host = await TestHost.StartAsync(SignedUp, data: data.Path);
        await host.AdvanceAsync(SandboxDelivery.Longest);
        Assert.Equal("canceled", (string)(await host.CustomerAsync())["status"]!);
    }

    [Fact]
    public async Task Customers_taken_over_from_a_year_played_elsewhere_live_on_also_after_a_restart()
    {
        using var data = new TempFolder();
        await using (var first = await TestHost.StartAsync(SignedUp, data: data.Path))
        {
            var played = new SandboxStripe(new SandboxOptions { ApiVersion = Older });
            await first.StripeAsync(played.CreateCustomer("cus_Ada", "ada@example.com", "Ada", null, Good, first.Now).Concat(played.Subscribe("cus_Ada", "sub_Ada", Pro, 1, first.Now))
                .Select(e => JsonNode.Parse(e.Body.Span)!.AsObject()));
            await first.Services.GetRequiredService<SandboxAccounts>().KeepAsync(new SandboxOptions { ApiVersion = Older }, played.States());
        }
        await using var host = await TestHost.StartAsync(SignedUp, data: data.Path);
        await host.AdvanceAsync(TimeSpan.FromDays(32));
        var invoices = (await host.Services.GetRequiredService<SandboxAccounts>().StateAsync("cus_Ada"))!.Invoices;
        Assert.Equal(["paid", "paid"], invoices.Select(i => i.Status));
        Assert.Equal("active", (string)(await host.CustomerAsync())["status"]!);
        Assert.Contains("4900", (await host.CustomerAsync())["mrr"]!.ToJsonString());
    }
}
