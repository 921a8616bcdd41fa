using System.Net;
using System.Text.Json.Nodes;
using RetentionFunctions.Jobs;
using RetentionFunctions.Storage;

namespace RetentionFunctions.Tests.Web;

public sealed class HistoryPageTests
{
    private static JobState State(string name, Dictionary<string, long>? counts = null) => new()
    {
        Name = name, Number = 1, Occasion = "o", StartedAt = HostedPipeline.Now.AddMinutes(-9), MovedAt = HostedPipeline.Now.AddMinutes(-1), Counts = counts ?? new() { ["customers"] = 1200, ["subscriptions"] = 40 }, Share = .2,
    };

    [Fact]
    public async Task It_is_started_by_a_button_and_a_second_press_starts_nothing()
    {
        await using var host = await HostedPipeline.StartAsync();
        Assert.Contains("Not read yet", await host.Client.GetStringAsync("/history"));
        var answer = await host.SubmitAsync("/history", "/history/start", []);
        Assert.Equal((HttpStatusCode.SeeOther, "/history?done=reading"), (answer.StatusCode, answer.Headers.Location!.ToString()));
        var page = await host.Client.GetStringAsync("/history?done=reading");
        Assert.Contains("Being read", page);
        Assert.DoesNotContain("<button class=\"primary\">Read the history", page);
        Assert.Single(host.Inbox.Messages);
        Assert.Equal("running", (string)JsonNode.Parse(await (await host.Client.PostAsync("/api/v1/backfill", null)).Content.ReadAsStringAsync())!["status"]!);
        Assert.Single(host.Inbox.Messages);
    }

    [Fact]
    public async Task It_says_how_far_it_is_what_it_did_and_why_it_could_not_go_on()
    {
        await using var host = await HostedPipeline.StartAsync();
        await host.Tables.UpsertAsync(Keys.Job("backfill"), State("backfill"));
        var page = await host.Client.GetStringAsync("/history");
        Assert.Contains("20 %", page);
        Assert.Contains("1,200 customers, 40 subscriptions", page);

        await host.Tables.UpsertAsync(Keys.Job("backfill"), State("backfill") with { EndedAt = HostedPipeline.Now, Failed = "The Stripe key may not read events (403)." });
        page = await host.Client.GetStringAsync("/history");
        Assert.Contains("It could not go on", page);
        Assert.Contains("The Stripe key may not read events (403).", page);
        Assert.Contains("Begin again", page);

        await host.Tables.UpsertAsync(Keys.Job("backfill"), State("backfill") with { EndedAt = HostedPipeline.Now, DoneAt = HostedPipeline.Now });
        Assert.Contains("Read it again", await host.Client.GetStringAsync("/history"));
        var json = JsonNode.Parse(await host.Client.GetStringAsync("/api/v1/backfill"))!;
        Assert.Equal(("done", 1200), ((string)json["status"]!, (int)json["counts"]!["customers"]!));
    }

    [Fact]
    public async Task A_night_in_which_something_was_missed_is_a_warning()
    {
        await using var host = await HostedPipeline.StartAsync();
        await host.Tables.UpsertAsync(Keys.Job("reconcile"), State("reconcile", new() { ["events"] = 70, ["subscriptions"] = 40 }) with { EndedAt = HostedPipeline.Now, DoneAt = HostedPipeline.Now });
        Assert.Contains("Nothing was missed", await host.Client.GetStringAsync("/history"));
        await host.Tables.UpsertAsync(Keys.Job("reconcile"), State("reconcile", new() { ["missed events"] = 3, ["different subscriptions"] = 1 }) with { EndedAt = HostedPipeline.Now });
        var page = await host.Client.GetStringAsync("/history");
        Assert.Contains("3 events had not arrived", page);
        Assert.Contains("class=\"warning\"", page);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task The_empty_start_page_offers_it_where_there_is_a_Stripe_account_to_read(bool readsStripe)
    {
        await using var host = await HostedPipeline.StartAsync(readsStripe: readsStripe);
        Assert.Equal(readsStripe, (await host.Client.GetStringAsync("/")).Contains("You have customers at Stripe already"));
    }
}
