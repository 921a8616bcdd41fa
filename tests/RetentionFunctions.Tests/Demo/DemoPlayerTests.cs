using System.Net;
using Microsoft.Extensions.DependencyInjection;
using RetentionFunctions.Local;
using RetentionFunctions.Links;
using RetentionFunctions.Local.Demo;
using RetentionFunctions.Local.Sandbox;
using RetentionFunctions.Storage;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.Tests.Demo;

/// <summary>Small demo years over the real host, its doors and its outbox.</summary>
public class DemoPlayerTests
{
    private static readonly DateTimeOffset Start = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    [Fact]
    public async Task A_small_demo_is_played_through_the_doors_without_a_dead_letter_and_its_flows_end_paid_and_returned()
    {
        await using var host = await TestHost.StartAsync();
        await DemoPlayer.BeginAsync(host.Tables(), Small);
        await host.Services.GetRequiredService<DemoPlayer>().PlayAsync(TestContext.Current.CancellationToken);

        Assert.Equal(Small.StartsAt.AddDays(Small.Days), host.Now);
        Assert.Empty(await host.DeadLettersAsync());
        var company = host.Services.GetRequiredService<DemoPlayer>().Company!;
        var customers = new List<string>();
        foreach (var bucket in Keys.AllBuckets)
            await foreach (var row in host.Tables().QueryAsync(Keys.Customers(bucket))) customers.Add(row.At.Key);
        Assert.Equal(Small.Customers, company.People.Count(p => p.SignedUp));
        Assert.Equal(Small.Customers, customers.Count);
        var outcomes = new HashSet<string?>();
        foreach (var person in company.People)
            foreach (var run in await host.FlowsAsync(person.CustomerId)) outcomes.Add($"{run["flow"]} {run["outcome"]}");
        Assert.Contains("dunning paid", outcomes);
        Assert.Contains("win-back returned", outcomes);
        Assert.Equal(HttpStatusCode.OK, (await host.Http.GetAsync("/readyz")).StatusCode);
    }

    [Fact]
    public async Task A_host_that_was_stopped_in_between_ends_where_one_that_was_not_ends()
    {
        using var folder = new TempFolder();
        var year = Small with { Customers = 6, Days = 45 };
        List<string> straight, resumed;
        await using (var host = await TestHost.StartAsync())
        {
            await DemoPlayer.BeginAsync(host.Tables(), year);
            await host.Services.GetRequiredService<DemoPlayer>().PlayAsync(TestContext.Current.CancellationToken);
            straight = await TellingAsync(host);
        }
        await using (var host = await TestHost.StartAsync(data: folder.Path))
        {
            await DemoPlayer.BeginAsync(host.Tables(), year);
            await host.Services.GetRequiredService<DemoPlayer>().AdvanceAsync(Start.AddDays(37), TestContext.Current.CancellationToken);
        }
        await using (var host = await TestHost.StartAsync(data: folder.Path))
        {
            Assert.Equal(Start.AddDays(37), host.Now);
            await host.Services.GetRequiredService<DemoPlayer>().PlayAsync(TestContext.Current.CancellationToken);
            resumed = await TellingAsync(host);
        }
        Assert.Equal(straight, resumed);
    }

    [Fact]
    public async Task What_the_founder_does_to_a_customer_of_the_demo_stays_in_the_companys_own_Stripe_also_after_a_restart()
    {
        using var folder = new TempFolder();
        var cancel = TestContext.Current.CancellationToken;
        string customer, subscription;
        await using (var host = await TestHost.StartAsync(data: folder.Path))
        {
            await DemoPlayer.BeginAsync(host.Tables(), Small with { Customers = 6, Days = 45 });
            var demo = host.Services.GetRequiredService<DemoPlayer>();
            await demo.AdvanceAsync(Start.AddDays(30), cancel);
            var person = demo.Company!.People.First(p => p is { Subscribed: true, CancelScheduled: false });
            (customer, subscription) = (person.CustomerId, person.SubscriptionId);
            Assert.IsType<BillingResult.Done>(await host.Services.GetRequiredService<SandboxBilling>().DoAsync(customer, "leaves", Leaves(subscription), cancel));
            Assert.False(person.Subscribed); // the person knows of it
            // The host stops before the event has arrived.
        }
        await using (var host = await TestHost.StartAsync(data: folder.Path))
        {
            var billing = host.Services.GetRequiredService<SandboxBilling>();
            Assert.True((await billing.ViewAsync(customer, cancel))!.Subscriptions.Single(s => s.Id == subscription).IsEnded);
            Assert.IsType<BillingResult.Done>(await billing.DoAsync(customer, "leaves", Leaves(subscription), cancel));
            Assert.IsType<BillingResult.Refused>(await billing.DoAsync(customer, "leaves again", Leaves(subscription), cancel));
            await host.Services.GetRequiredService<DemoPlayer>().PlayAsync(cancel);
            Assert.NotNull((await host.CustomerAsync(customer))["subscriptions"]!.AsArray().Single(s => (string)s!["id"]! == subscription)!["endedAt"]);
            Assert.Empty(await host.DeadLettersAsync());
        }

        static SandboxAct Leaves(string subscription) => new() { Deed = SandboxDeed.CancelNow, Subscription = subscription, Feedback = "unused" };
    }

    [Fact]
    public void While_it_is_played_the_host_says_how_far_it_is()
    {
        var progress = new DemoProgress();
        Assert.Null(progress.NotReady);
        progress.Playing(.4312);
        Assert.Equal("the demo year is being played: 43 %", progress.NotReady);
        Assert.Equal("  [####################....................]  50 %  2026-01-01", DemoTerminal.Line(.5, Start));
        progress.Done();
        Assert.Null(progress.NotReady);
    }

    [Fact]
    public async Task A_folder_with_data_of_its_own_takes_no_demo()
    {
        using var folder = new TempFolder();
        await using (var host = await TestHost.StartAsync(data: folder.Path)) await host.StripeAsync(host.Ada.SignsUp(host.Now));
        var refused = await Assert.ThrowsAsync<LocalStartException>(() => LocalHost.CreateAsync(
            new LocalOptions { Urls = "http://127.0.0.1:0", DataFolder = folder.Path, Demo = true }, new Microsoft.Extensions.Configuration.ConfigurationBuilder().Build()));
        Assert.Contains("has data of its own", refused.Message);
    }

    [Fact]
    public async Task A_demo_begins_a_year_before_the_given_day_and_another_year_needs_another_folder()
    {
        using var folder = new TempFolder();
        var options = new LocalOptions { Urls = "http://127.0.0.1:0", DataFolder = folder.Path, Demo = true, Clock = new DateTimeOffset(2026, 7, 2, 13, 0, 0, TimeSpan.Zero), Customers = 12 };
        await using (var app = await LocalHost.CreateAsync(options, new Microsoft.Extensions.Configuration.ConfigurationBuilder().Build()))
        {
            await app.StartAsync(TestContext.Current.CancellationToken);
            Assert.Equal(new DateTimeOffset(2025, 7, 2, 0, 0, 0, TimeSpan.Zero), app.Services.GetRequiredService<LocalClock>().GetUtcNow());
        }
        var refused = await Assert.ThrowsAsync<LocalStartException>(() => LocalHost.CreateAsync(options with { Seed = 9 }, new Microsoft.Extensions.Configuration.ConfigurationBuilder().Build()));
        Assert.Contains("--customers 12 --seed 1", refused.Message);
    }

    [Fact]
    public async Task The_button_wants_the_form_token()
    {
        await using var host = await TestHost.StartAsync();
        Assert.Equal(HttpStatusCode.BadRequest, (await host.Http.PostAsync("/local/demo", new FormUrlEncodedContent([]))).StatusCode);
        Assert.Null(await DemoPlayer.YearAsync(host.Tables()));
    }

    [Theory]
    [InlineData("--customers 0 --demo", "--customers '0'")]
    [InlineData("--demo --seed -1", "--seed '-1'")]
    [InlineData("--customers 5", "give --demo too")]
    public void Wrong_options_of_the_demo_are_told_in_one_sentence(string line, string said) =>
        Assert.Contains(said, Assert.Throws<LocalStartException>(() => LocalOptions.Parse(line.Split(' '))).Message);

    [Fact]
    public void The_demo_is_asked_for_on_the_command_line()
    {
        var options = LocalOptions.Parse(["--demo", "--customers", "40", "--seed=7"]);
        Assert.Equal((true, 40, 7UL), (options.Demo, options.Customers, options.Seed));
    }

    private static DemoYear Small => new(25, 80, 3, Start);

    // What the product has come to: the e-mails, and the state of every customer, without the secrets and chances of a host.
    private static async Task<List<string>> TellingAsync(TestHost host)
    {
        var told = (await host.OutboxAsync()).Select(m => $"{m["at"]} {m["to"]} {m["template"]}").Order(StringComparer.Ordinal).ToList();
        foreach (var person in host.Services.GetRequiredService<DemoPlayer>().Company!.People.Where(p => p.SignedUp))
        {
            var customer = await host.CustomerAsync(person.CustomerId);
            told.Add($"{person.CustomerId} {customer["status"]} {customer["mrr"]} {customer["health"]!["score"]}");
        }
        return told;
    }
}
