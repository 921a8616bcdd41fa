using System.Net;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using RetentionFunctions.Health;
using RetentionFunctions.Storage;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.Tests.Web;

/// <summary>The health page and WAU/MAU, from events over the sweep to the page.</summary>
public sealed class HealthPageTests
{
    private static readonly DateTimeOffset January = new(2026, 1, 5, 10, 0, 0, TimeSpan.Zero);

    [Fact]
    public async Task Who_falls_silent_moves_down_with_the_reasons_and_up_again_when_they_are_back()
    {
        await using var host = await TestHost.StartAsync("2026-01-05T10:00:00Z");
        Assert.Contains("Nothing yet: it begins with the next daily sweep, at 06:00 (UTC)", await host.Http.GetStringAsync("/health"));
        Assert.Null((await host.GetAsync("/api/v1/health"))!["at"]);
        var bob = new Story("cus_Bob", "bob@example.com");
        foreach (var story in (Story[])[host.Ada, bob])
        {
            await host.StripeAsync(story.SignsUp(January));
            await host.IdentifyAsync(story.Customer, new JsonObject { ["email"] = story.Email, ["name"] = "Ada <i>Lovelace</i>" });
        }
        for (var day = 0; day < 20; day++)
        {
            await host.TrackAsync(host.Ada.Customer, "Signed In");
            await host.AdvanceAsync(TimeSpan.FromDays(1));
        }
        var health = (await host.GetAsync("/api/v1/health"))!;
        // Bob's app user said who it is, and nothing of use.
        Assert.Equal((2, 1, 1, 1), (Int(health, "customers"), Int(health, "wau"), Int(health, "mau"), Int(health, "unknownUse")));
        Assert.Equal(0, Int(health["moved"]!, "downCount"));

        // Silent until the first day on which the tier is another.
        for (var day = 0; day < 20 && Int((health = (await host.GetAsync("/api/v1/health"))!)["moved"]!, "downCount") == 0; day++) await host.AdvanceAsync(TimeSpan.FromDays(1));
        var move = health["moved"]!["down"]!.AsArray().Single()!;
        Assert.Equal(("cus_Ada", "healthy", "low_risk", 4900), ((string)move["customerId"]!, (string)move["from"]!, (string)move["to"]!, Int(move["mrr"]!, "usd")));
        Assert.NotEmpty(move["reasons"]!.AsArray());
        Assert.All(move["reasons"]!.AsArray(), r => Assert.True(Int(r!, "change") < 0));
        Assert.Equal(1, Int(health["days"]!.AsArray().Last()!, "movedDown"));
        Assert.True((double)health["averageScore"]! < 100);
        Assert.Equal(100 - (double)health["averageScore"]!, health["signals"]!.AsArray().Sum(s => (double)s!["points"]!), 9);

        // A later sweep of the day has the same move, and one of the same moment finds the same in all.
        await host.SweepAsync();
        health = (await host.GetAsync("/api/v1/health"))!;
        Assert.Equal("cus_Ada", (string)health["moved"]!["down"]!.AsArray().Single()!["customerId"]!);
        await host.SweepAsync();
        var again = (await host.GetAsync("/api/v1/health"))!;
        Assert.Equal((health["moved"]!.ToJsonString(), health["signals"]!.ToJsonString()), (again["moved"]!.ToJsonString(), again["signals"]!.ToJsonString()));

        var page = await host.Http.GetStringAsync("/health");
        Assert.Contains("Ada Lovelace", WebUtility.HtmlDecode(page));
        Assert.DoesNotContain("<i>", page);
        Assert.Contains("with a sign-in or core use in the last 7 days, of 2 customers with us", page);
        Assert.Contains("Days since last active", page);

        // She is back: while both moves are in the week she did not move, and when only the second is, up.
        for (var day = 0; day < 10 && Int((health = (await host.GetAsync("/api/v1/health"))!)["moved"]!, "upCount") == 0; day++)
        {
            await host.TrackAsync(host.Ada.Customer, "Signed In");
            await host.AdvanceAsync(TimeSpan.FromDays(1));
        }
        move = health["moved"]!["up"]!.AsArray().Single()!;
        Assert.Equal(("low_risk", "healthy"), ((string)move["from"]!, (string)move["to"]!));
        Assert.All(move["reasons"]!.AsArray(), r => Assert.True(Int(r!, "change") > 0));

        // Metrics have the last sweep of each month.
        var months = (await host.GetAsync("/api/v1/metrics?from=2025-12&to=2026-02"))!.AsArray();
        Assert.Equal((1, 1), (Int(months[0]!, "mau"), Int(months[0]!, "unknownUse")));
        Assert.Contains("WAU ÷ MAU: 1 ÷ 1", WebUtility.HtmlDecode(await host.Http.GetStringAsync("/metrics?month=2026-02")));

        // Erased: no row speaks of her.
        var moves = Keys.MovesBetween(new DateOnly(2026, 1, 1), new DateOnly(2026, 12, 31));
        Assert.NotEmpty(await host.Services.GetRequiredService<ITables>().ListAsync<TierMove>(moves));
        await host.Http.DeleteAsync("/api/v1/customers/cus_Ada");
        await host.SettleAsync();
        Assert.Empty(await host.Services.GetRequiredService<ITables>().ListAsync<TierMove>(moves));
    }

    [Fact]
    public async Task A_month_without_a_sweep_that_counted_has_no_use_and_says_so()
    {
        await using var host = await TestHost.StartAsync("2026-01-05T10:00:00Z");
        await host.StripeAsync(host.Ada.SignsUp(January));
        var january = (await host.GetAsync("/api/v1/metrics"))!.AsArray().Single()!;
        Assert.True(january.AsObject().ContainsKey("wau"));
        Assert.Null(january["wau"]);
        Assert.Contains("Not counted: there was no daily sweep", await host.Http.GetStringAsync("/metrics"));
    }

    [Fact]
    public async Task Of_a_day_the_moves_with_the_largest_mrr_are_kept_and_a_second_sweep_corrects_the_first()
    {
        var (tables, day) = (new FakeTables(), new DateOnly(2026, 3, 10));
        TierMove Move(int i, HealthTier to) => new($"cus_{i:D3}", day, HealthTier.LowRisk, to, new Dictionary<string, long> { ["usd"] = i });
        var all = Enumerable.Range(0, 150).Select(i => Move(i, HealthTier.HighRisk)).Append(Move(900, HealthTier.Healthy)).ToList();
        await TierMoves.KeepAsync(tables, day, [.. TierMoves.Largest(all)], default);
        var kept = await tables.ListAsync<TierMove>(Keys.MovesOf(day));
        Assert.Equal((101, "cus_050", "cus_900"), (kept.Count, kept[0].CustomerId, kept[^1].CustomerId));

        var before = tables.Commits;
        await TierMoves.KeepAsync(tables, day, [.. TierMoves.Largest(all)], default);
        Assert.Equal(before, tables.Commits);
        await TierMoves.KeepAsync(tables, day, [Move(7, HealthTier.HighRisk)], default);
        Assert.Equal(["cus_007"], (await tables.ListAsync<TierMove>(Keys.MovesOf(day))).Select(m => m.CustomerId));
        // Nobody looks back so far.
        await TierMoves.KeepAsync(tables, day.AddDays(TierMoves.DaysKept), [], default);
        Assert.Empty(await tables.ListAsync<TierMove>(Keys.MovesOf(day)));
    }

    private static int Int(JsonNode node, string name) => (int)node[name]!;
}
