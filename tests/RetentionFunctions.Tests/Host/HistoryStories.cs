using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using RetentionFunctions.History;
using RetentionFunctions.Links;
using RetentionFunctions.Local.Sandbox;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.Tests.Host;

/// <summary>The whole local host reads the history of the sandbox's own customers.</summary>
public sealed class HistoryStories
{
    private static readonly SandboxPrice Basic = new("price_basic", "Basic", 2000, "usd", "month");

    /// <summary>Twenty-five customers of five months, of whom nobody told this host.</summary>
    private static async Task SandboxAsync(TestHost host)
    {
        var stripe = new SandboxStripe(new SandboxOptions());
        for (var n = 1; n <= 25; n++)
        {
            var at = host.Now.AddMonths(-5).AddHours(n);
            stripe.CreateCustomer($"cus_{n:D2}", $"c{n}@example.com", $"Customer {n}", "GB", new SandboxCard("visa", "4242", 8, 2030), at);
            stripe.Subscribe($"cus_{n:D2}", $"sub_{n:D2}", Basic, n, at);
        }
        stripe.AdvanceTo(host.Now);
        await host.Services.GetRequiredService<SandboxAccounts>().KeepAsync(new SandboxOptions(), stripe.States());
    }

    private static async Task<JsonNode> StartAsync(TestHost host)
    {
        var answer = await host.Http.PostAsync("/api/v1/backfill", null);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        return (await answer.Content.ReadFromJsonAsync<JsonNode>())!;
    }

    [Fact]
    public async Task A_host_that_is_stopped_midway_goes_on_where_it_stood()
    {
        using var data = new TempFolder();
        await using (var first = await TestHost.StartAsync("2026-06-01T00:00:00Z", data: data.Path, services: s => s.AddSingleton<IBillingHistory>(all => new Stopping(all.GetRequiredService<SandboxHistory>()))))
        {
            await SandboxAsync(first);
            Assert.Equal("running", (string)(await StartAsync(first))["status"]!);
            await first.SettleAsync();
            var midway = (await first.GetAsync("/api/v1/backfill"))!;
            Assert.Equal(("running", 25, null), ((string)midway["status"]!, (int)midway["counts"]!["customers"]!, (int?)midway["counts"]!["subscriptions"]));
        }
        await using var host = await TestHost.StartAsync("2026-06-01T00:00:00Z", data: data.Path);
        await host.AdvanceAsync(TimeSpan.FromMinutes(5));
        var done = (await host.GetAsync("/api/v1/backfill"))!;
        Assert.Equal(("done", 25, 25, 125), ((string)done["status"]!, (int)done["counts"]!["customers"]!, (int)done["counts"]!["subscriptions"]!, (int)done["counts"]!["invoices"]!));
        Assert.Empty(await host.DeadLettersAsync());
        Assert.Empty(await host.OutboxAsync());
        var last = await host.CustomerAsync("cus_25");
        Assert.Equal(("active", "c25@example.com"), ((string)last["status"]!, (string)last["email"]!));
        Assert.Contains("50000", last["mrr"]!.ToJsonString());
        Assert.Contains("25 customers", await host.Http.GetStringAsync("/history"));
    }

    /// <summary>Stripe is away from the second list on.</summary>
    private sealed class Stopping(IBillingHistory stripe) : IBillingHistory
    {
        public Task<BillingPage> ListAsync(BillingQuery query, CancellationToken cancel = default) =>
            query.List == BillingList.Customers ? stripe.ListAsync(query, cancel) : throw new TransientBillingException("Too many requests (429).");

        public Task<System.Text.Json.JsonElement?> PriceAsync(string priceId, CancellationToken cancel = default) => stripe.PriceAsync(priceId, cancel);
    }
}
