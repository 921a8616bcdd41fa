using System.Globalization;
using System.IO.Compression;
using System.Net;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using RetentionFunctions.Backup;
using RetentionFunctions.Storage;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.Tests.Backup;

/// <summary>
/// Rows as earlier versions wrote them: one file a version, a backup of a small story, never changed again. <c>WRITE_OLDER_DATA=2026-11-22 dotnet test …</c> writes that of the
/// present version when it is released.
/// </summary>
public sealed class OlderDataTests
{
    private static readonly DateTimeOffset SignUp = new(2026, 1, 5, 10, 0, 0, TimeSpan.Zero);

    private static readonly DateTimeOffset End = new(2026, 2, 12, 12, 0, 0, TimeSpan.Zero);

    private static string Folder => Path.Combine(Repository.Root, "tests", "RetentionFunctions.Tests", "Fixtures", "OlderData");

    public static TheoryData<string> Versions => [.. Directory.GetFiles(Folder, "*.jsonl").Select(file => Path.GetFileName(file)).Order(StringComparer.Ordinal)];

    [Fact]
    public async Task The_present_version_is_written_where_it_is_asked_for()
    {
        if (Environment.GetEnvironmentVariable("WRITE_OLDER_DATA") is not { Length: > 0 } version) return;
        await using var host = await TestHost.StartAsync(SignUp.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture));
        var (ada, bob) = (host.Ada, new Story("cus_Bob", "bob@example.com"));
        await host.StripeAsync([.. ada.SignsUp(SignUp), .. bob.SignsUp(SignUp)]);
        await host.IdentifyAsync("user-1", new JsonObject { ["email"] = ada.Email, ["name"] = "Ada" });
        await host.TrackAsync("user-1", "Signed In");
        await host.TrackAsync("user-untied", "Signed In");
        await host.AdvanceToAsync(SignUp.AddMonths(1));
        await host.StripeAsync(ada.PaymentFails(host.Now));
        await host.StripeAsync([bob.Cancels(host.Now)]);
        await host.AdvanceToAsync(End);
        var rows = new List<Row>();
        await foreach (var row in host.Services.GetRequiredService<ITables>().ScanAsync())
            if (!row.At.Partition.StartsWith("x-sandbox", StringComparison.Ordinal) && !row.At.Partition.StartsWith("x-protection", StringComparison.Ordinal)) rows.Add(row);
        Directory.CreateDirectory(Folder);
        using var zip = new GZipStream(new MemoryStream(BackupFile.Write(rows).ToArray()), CompressionMode.Decompress);
        await using var file = File.Create(Path.Combine(Folder, $"{version}.jsonl"));
        await zip.CopyToAsync(file);
    }

    [Theory, MemberData(nameof(Versions))]
    public async Task What_an_earlier_version_wrote_is_read_shown_and_gone_on_with(string version)
    {
        await using var host = await TestHost.StartAsync(End.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture));
        var tables = host.Services.GetRequiredService<ITables>();
        var file = new MemoryStream();
        await using (var zip = new GZipStream(file, CompressionLevel.Fastest)) await zip.WriteAsync(await File.ReadAllBytesAsync(Path.Combine(Folder, version)));
        foreach (var row in BackupFile.Read(file.ToArray()))
            if (row.At != Keys.Account("clock")) await tables.TryCommitAsync(row.At.Partition, [new Write.Upsert(row.At.Key, row.Body)]);

        var (ada, bob) = (await host.CustomerAsync("cus_Ada"), await host.CustomerAsync("cus_Bob"));
        Assert.Equal(("past_due", "canceled"), ((string)ada["status"]!, (string)bob["status"]!));
        Assert.Equal(4900, (long)ada["mrr"]!["amount"]!);
        Assert.Equal("running", (string)Assert.Single(await host.FlowsAsync())["status"]!);
        foreach (var page in new[] { "/", "/customers?show=all", "/customers/cus_Ada", "/customers/cus_Bob", "/flows", "/runs", "/dead-letters", "/system", "/history", "/settings" })
            Assert.Equal(HttpStatusCode.OK, (await host.Http.GetAsync(page)).StatusCode);
        await host.SweepAsync();
        // Stripe numbers its events on.
        var story = new Story();
        _ = story.SignsUp(SignUp).Concat(story.PaymentFails(SignUp.AddMonths(1))).ToList();
        await host.StripeAsync(story.PaysAfterAll(host.Now));
        await host.AdvanceAsync(TimeSpan.FromDays(2));
        Assert.Equal("active", (string)(await host.CustomerAsync("cus_Ada"))["status"]!);
        Assert.Equal("paid", (string)Assert.Single(await host.FlowsAsync())["outcome"]!);
        Assert.Empty(await host.DeadLettersAsync());
    }
}
