using System.ComponentModel;
using System.Diagnostics;
using System.Text.Json.Nodes;
using RetentionFunctions.Health;
using RetentionFunctions.Storage;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.Tests.Host;

/// <summary>Segment's own SDK for Node.js, unchanged, with its host set to ours.</summary>
public class SegmentSdkStories
{
    [Fact]
    public async Task What_a_real_sdk_sends_is_counted_for_the_customer_it_names()
    {
        var client = Path.Combine(Repository.Root, "tests", "segment-client");
        Assert.SkipUnless(Directory.Exists(Path.Combine(client, "node_modules", "@segment", "analytics-node")), "Segment's SDK is not installed: run 'npm ci' in tests/segment-client (test.sh does).");
        await using var host = await TestHost.StartAsync("2026-02-01T12:00:00Z");
        var (code, output, error) = await NodeAsync(client, "send.mjs", host.Http.BaseAddress!.ToString().TrimEnd('/'), TestHost.WriteKey, "u1", "cus_Ada");
        Assert.True(code == 0, $"{output}\n{error}");
        var sent = JsonNode.Parse(output)!["sent"]!.AsArray();
        Assert.Equal(["identify", "track", "track", "track"], sent.Select(s => (string)s!["type"]!).Order(StringComparer.Ordinal));
        await host.SettleAsync();

        Assert.Empty(await host.DeadLettersAsync());
        var activity = ActivityUpdate.Merge(await host.Tables().ListAsync<RetentionFunctions.Health.Activity>(Keys.Activities("cus_Ada")))!;
        var day = Assert.Single(activity.Days.Values);
        Assert.Equal((1, 12, 1, 1), (day[Counter.SignIns], day[Counter.Minutes], day[Counter.CoreUses], day[Counter.Feature("reports")]));
        // Each by the id that the SDK gave it.
        foreach (var id in sent.Select(s => (string)s!["messageId"]!))
        {
            var places = new[] { Keys.Event("cus_Ada", $"u1:{id}"), Keys.Event(Keys.UntiedUser("u1"), $"u1:{id}") };
            Assert.Contains(true, await Task.WhenAll(places.Select(async p => await host.Tables().GetAsync(p) is not null)));
        }
    }

    [Fact]
    public async Task A_wrong_write_key_is_an_error_to_the_sdk()
    {
        var client = Path.Combine(Repository.Root, "tests", "segment-client");
        Assert.SkipUnless(Directory.Exists(Path.Combine(client, "node_modules", "@segment", "analytics-node")), "Segment's SDK is not installed: run 'npm ci' in tests/segment-client (test.sh does).");
        await using var host = await TestHost.StartAsync("2026-02-01T12:00:00Z");
        var (code, output, _) = await NodeAsync(client, "send.mjs", host.Http.BaseAddress!.ToString().TrimEnd('/'), "write_key_of_another");
        Assert.Equal(1, code);
        Assert.NotEmpty(JsonNode.Parse(output)!["errors"]!.AsArray());
    }

    private static async Task<(int Code, string Output, string Error)> NodeAsync(string folder, params string[] arguments)
    {
        using var node = new Process { StartInfo = new ProcessStartInfo("node", arguments) { WorkingDirectory = folder, RedirectStandardOutput = true, RedirectStandardError = true } };
        try
        {
            node.Start();
        }
        catch (Win32Exception)
        {
            Assert.Skip("There is no Node.js on this machine.");
        }
        var (output, error) = (node.StandardOutput.ReadToEndAsync(), node.StandardError.ReadToEndAsync());
        await node.WaitForExitAsync();
        return (node.ExitCode, await output, await error);
    }
}
