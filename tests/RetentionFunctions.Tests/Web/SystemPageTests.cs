using System.Net;
using System.Text.Json.Nodes;
using RetentionFunctions.Email;
using RetentionFunctions.Flows;
using RetentionFunctions.Health;
using RetentionFunctions.Intake;
using RetentionFunctions.Jobs;
using RetentionFunctions.Storage;
using RetentionFunctions.Web;

namespace RetentionFunctions.Tests.Web;

public sealed class SystemPageTests
{
    private static DateTimeOffset Now => HostedPipeline.Now;

    [Fact]
    public async Task A_host_of_which_nothing_needs_anybody_says_so()
    {
        await using var host = await HostedPipeline.StartAsync();
        await SweptAsync(host, Now.AddHours(-3));
        host.Kept.Add(new ShownBackup("2026-03-10-0610-05Z", Now.AddHours(-3), 1_234_567, 4_321));
        var page = await host.Client.GetStringAsync("/system");
        Assert.Contains("All is well", page);
        Assert.DoesNotContain("role=\"alert\"", page);
        Assert.Contains("1.2 MB", page);
        Assert.Contains("4,321 rows", page);
        Assert.True((bool)(await JsonAsync(host))["well"]!);
    }

    public static TheoryData<string, string> Troubles => new()
    {
        { "pending", "No event of Stripe is taken yet" },
        { "late", "The oldest event has waited for 20 min" },
        { "dead", "One message could not be handled" },
        { "missed", "The daily sweep was missed" },
        { "warned", "The app has probably stopped sending" },
        { "stuck", "1 run has stood still" },
        { "no backup", "There is no backup of the last night" },
        { "failed", "The job “count” failed: the key may not read" },
    };

    [Theory, MemberData(nameof(Troubles))]
    public async Task What_needs_somebody_stands_at_the_top_and_in_the_JSON(string what, string said)
    {
        await using var host = await HostedPipeline.StartAsync();
        await SweptAsync(host, Now.AddHours(what == "missed" ? -27 : -3), what == "warned" ? "No app event has come in. The app has probably stopped sending: no win-back flow was started." : null);
        host.Kept.Add(new ShownBackup("b", Now.AddHours(what == "no backup" ? -31 : -3), 1, 1));
        if (what == "pending") host.Pending.Add("No event of Stripe is taken yet: set the secret.");
        if (what == "late") host.Waiting = new WaitingMessages(3, false, Now.AddMinutes(-20));
        if (what == "dead") await host.Letters.KeepAsync(new("cus_1", "evt_1", MessageKind.StripeEvent, "{}"u8.ToArray(), Now), "{}"u8.ToArray(), "why", 1, Now);
        if (what == "stuck") await host.Tables.SeedAsync(SampleRows.Run("cus_1") with { DueAt = Now.AddHours(-3) });
        if (what == "failed") await host.Tables.UpsertAsync(Keys.Job("count"), new JobState { Name = "count", Number = 1, Occasion = "x", StartedAt = Now, EndedAt = Now, Failed = "the key may not read" });
        var page = WebUtility.HtmlDecode(await host.Client.GetStringAsync("/system"));
        Assert.Contains(said, page);
        Assert.DoesNotContain("All is well", page);
        Assert.False((bool)(await JsonAsync(host))["well"]!);
    }

    [Theory]
    [InlineData(-14)]
    [InlineData(null)]
    public async Task An_event_that_waits_for_some_minutes_is_no_trouble(int? minutes)
    {
        await using var host = await HostedPipeline.StartAsync();
        await SweptAsync(host, Now);
        host.Kept.Add(new ShownBackup("b", Now, 1, 1));
        if (minutes is { } m) host.Waiting = new WaitingMessages(3, true, Now.AddMinutes(m));
        Assert.Contains("All is well", await host.Client.GetStringAsync("/system"));
    }

    [Fact]
    public async Task Runs_are_counted_by_state_and_emails_by_what_became_of_them_without_previews()
    {
        await using var host = await HostedPipeline.StartAsync();
        await host.Tables.SeedAsync(SampleRows.Run("cus_1"));
        await host.Tables.SeedAsync(SampleRows.Run("cus_2", occasion: "in_2") with { Status = RunStatus.Starting, StartedAt = Now });
        await host.Tables.SeedAsync(SampleRows.Run("cus_3", outcome: RunOutcome.Paid));
        await host.Tables.SeedAsync(SampleRows.Run("cus_4", outcome: RunOutcome.HeldOut));
        await host.Tables.SeedAsync(SampleRows.Run("cus_5") with { Preview = true });
        foreach (var (customer, result, days) in new[] { ("cus_1", MailResult.Accepted, 1), ("cus_2", MailResult.Accepted, 29), ("cus_3", MailResult.Accepted, 31), ("cus_4", MailResult.Unknown, 2), ("cus_5", MailResult.Previewed, 2) })
            await host.Tables.UpsertAsync(Keys.Mail(customer, "dunning", "in_1", 1), new MailRecord
            {
                Id = $"{customer}-1", CustomerId = customer, Flow = "dunning", Occasion = "in_1", Step = 1, Template = "t", Subject = "s", To = "a@example.com", At = Now.AddDays(-days), Result = result,
            });
        var json = await JsonAsync(host);
        Assert.Equal("""{"starting":1,"waiting":1,"stuck":0,"ended":1}""", json["runs"]!.ToJsonString());
        Assert.Equal("""{"sending":0,"not_sent":0,"accepted":2,"refused":0,"unknown":1}""", json["emails"]!.ToJsonString());
        Assert.Contains("1 perhaps sent", await host.Client.GetStringAsync("/system"));
    }

    [Fact]
    public async Task A_nightly_job_is_started_by_hand_once_and_its_progress_is_shown()
    {
        await using var host = await HostedPipeline.StartAsync();
        Assert.Equal("/system?done=job-started", await PostAsync(host, "/system/jobs", ("job", "count")));
        Assert.Equal("/system?done=job-running", await PostAsync(host, "/system/jobs", ("job", "count")));
        var first = Assert.Single(host.Inbox.Messages);
        await host.Jobs.HandleAsync(first.Body);
        Assert.Contains("Running, 50 %", await host.Client.GetStringAsync("/system"));
        await host.Jobs.HandleAsync(host.Inbox.Messages[^1].Body);
        var job = (await JsonAsync(host))["jobs"]!.AsArray().Single(j => (string)j!["name"]! == "count")!;
        Assert.Equal(("done", 2), ((string)job["state"]!, (int)job["counts"]!["rows"]!));
    }

    [Fact]
    public async Task A_restore_needs_the_name_of_the_backup_typed()
    {
        await using var host = await HostedPipeline.StartAsync();
        host.Kept.Add(new ShownBackup("2026-03-10-0610-05Z", Now, 1, 1));
        Assert.Equal("/system?done=not-confirmed", await PostAsync(host, "/system/restore", ("backup", "2026-03-10-0610-05Z"), ("confirm", "yes")));
        Assert.Empty(host.Restored);
        Assert.Equal("/system?done=restore-started", await PostAsync(host, "/system/restore", ("backup", "2026-03-10-0610-05Z"), ("confirm", " 2026-03-10-0610-05Z ")));
        Assert.Equal(["2026-03-10-0610-05Z"], host.Restored);
        await PostAsync(host, "/system/restore", ("backup", "another"), ("confirm", "another"));
        Assert.Single(host.Restored);
    }

    [Theory]
    [InlineData("job-started", "<p class=\"done\" role=\"status\">The job has started.")]
    [InlineData("not-confirmed", "<p class=\"warning\" role=\"status\">Nothing was done")]
    [InlineData("job-running", "<p class=\"warning\" role=\"status\">It is running already.")]
    public async Task What_a_form_did_not_do_does_not_look_like_success(string done, string said)
    {
        await using var host = await HostedPipeline.StartAsync();
        Assert.Contains(said, await host.Client.GetStringAsync($"/system?done={done}"));
    }

    private static Task SweptAsync(HostedPipeline host, DateTimeOffset at, string? warning = null) =>
        host.Tables.UpsertAsync(Keys.Account("last-sweep"), new SweepResult { At = at, Customers = 3, Tiers = new Dictionary<HealthTier, int>(), Candidates = 0, Started = 0, Warning = warning });

    private static async Task<JsonNode> JsonAsync(HostedPipeline host) => JsonNode.Parse(await host.Client.GetStringAsync("/api/v1/system"))!;

    private static async Task<string> PostAsync(HostedPipeline host, string path, params (string, string)[] fields) =>
        (await host.PostAsync(await host.Client.GetStringAsync("/system"), path, fields.ToDictionary(f => f.Item1, f => f.Item2))).Headers.Location?.OriginalString ?? "";
}
