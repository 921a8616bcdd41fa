using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using RetentionFunctions.Local;
using RetentionFunctions.Local.Sqlite;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.Tests.Host;

/// <summary>The real process, started wrongly: plain words on the error stream, a non-zero exit, nothing of the inside.</summary>
public sealed class RefusedStartTests : IDisposable
{
    private const string Simulated = "2026-01-01T00:00:00Z";

    private readonly TempFolder folder = new();

    public void Dispose() => folder.Dispose();

    public static TheoryData<string[], string> WrongOptions => new()
    {
        { ["serve"], "There is no option 'serve'." },
        { ["--clock", "2026-13-01"], "--clock '2026-13-01' is not a time." },
        { ["--data"], "The option --data needs a value." },
        { ["--data="], "The option --data needs a value." },
        { ["--Flows:SilentDays=many"], "Flows:SilentDays" },
        { ["--urls", "http://shop.example:5080"], "names 'shop.example'" },
    };

    [Theory, MemberData(nameof(WrongOptions))]
    public Task A_wrong_option_or_setting_is_refused_in_words(string[] arguments, string told) => RefusedAsync(told, arguments);

    [Theory]
    [InlineData("http://shop.example:5080", "names 'shop.example'")]
    [InlineData("http://127.0.0.1:5080;http://shop.example:5081", "names 'shop.example'")]
    [InlineData("http://somebody@127.0.0.1:5080", "names 'somebody@127.0.0.1'")]
    [InlineData("http://localhost.example:5080", "names 'localhost.example'")]
    [InlineData("https://127.0.0.1:5080", "is not an http address")]
    [InlineData("http://127.0.0.1:5080/path", "is not an http address")]
    [InlineData("http://localhost:0", "is not an http address")]
    [InlineData("http://127.0.0.1:port", "names '127.0.0.1:port'")]
    [InlineData("127.0.0.1:5080", "is not an http address")]
    [InlineData(";", "is not an http address")]
    public void An_address_that_the_server_would_take_for_all_addresses_is_refused(string urls, string told) =>
        Assert.Contains(told, Assert.Throws<LocalStartException>(() => LocalOptions.Parse(["--urls", urls])).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("http://127.0.0.1:5080")]
    [InlineData("http://[::1]:5080")]
    [InlineData("http://LOCALHOST:5080")]
    [InlineData("http://+:5080")]
    [InlineData("http://*:5080; http://127.0.0.1:0")]
    public void An_address_of_this_machine_is_taken_as_it_is(string urls) => Assert.Equal(urls, LocalOptions.Parse(["--urls", urls]).Urls);

    [Fact]
    public async Task A_port_in_use_is_told_with_what_to_do()
    {
        using var other = new TcpListener(IPAddress.Loopback, 0);
        other.Start();
        await RefusedAsync("address already in use", ["--urls", $"http://{other.LocalEndpoint}", "--data", folder.File("data"), "--clock", Simulated], "--urls http://127.0.0.1:5081");
    }

    [Fact]
    public async Task An_address_of_another_machine_is_told_with_what_to_do() =>
        // A documentation address (RFC 5737) is nobody's.
        await RefusedAsync("cannot listen", ["--urls", "http://192.0.2.1:5080", "--data", folder.File("data"), "--clock", Simulated], "--urls http://127.0.0.1:5081");

    [Fact]
    public async Task A_data_folder_in_use_by_another_copy_is_told()
    {
        await using var held = SqliteStore.Open(folder.File("data"));
        await RefusedAsync("is in use by another running copy", ["--data", held.Folder]);
    }

    [Fact]
    public async Task A_data_folder_of_a_newer_version_is_told_and_left_alone()
    {
        await using (var store = SqliteStore.Open(folder.File("data"))) await store.WriteAsync(writer => writer.Execute("PRAGMA user_version=99"));
        await RefusedAsync("newer version", ["--data", folder.File("data")]);
    }

    [Fact]
    public async Task A_data_folder_that_is_a_file_is_told()
    {
        await File.WriteAllTextAsync(folder.File("data"), "a file");
        await RefusedAsync($"The data folder '{folder.File("data")}' cannot be used", ["--data", folder.File("data")]);
        Assert.Equal("a file", await File.ReadAllTextAsync(folder.File("data")));
    }

    [Fact]
    public async Task A_settings_file_that_is_no_json_is_told()
    {
        await File.WriteAllTextAsync(folder.File("retention.json"), "{ \"flows\": ");
        await RefusedAsync("retention.json", []);
    }

    [Fact]
    public async Task A_full_disk_is_told()
    {
        // /dev/full stands in where the system has it: whatever is written there finds no room.
        Assert.SkipUnless(File.Exists("/dev/full"), "There is no /dev/full on this system.");
        Directory.CreateDirectory(folder.File("data"));
        File.CreateSymbolicLink(Path.Combine(folder.File("data"), SqliteStore.FileName), "/dev/full");
        await RefusedAsync("There is no space left on the disk", ["--data", folder.File("data")]);
    }

    private async Task RefusedAsync(string told, string[] arguments, string advice = "")
    {
        var start = new ProcessStartInfo(Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") is { Length: > 0 } dotnet ? dotnet : "dotnet")
        {
            // Its own folder: no retention.json of the repository is above it, and a data folder that is not named would be made in it.
            WorkingDirectory = folder.Path,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var argument in (string[])["exec", Path.Combine(AppContext.BaseDirectory, "RetentionFunctions.Local.dll"), .. arguments]) start.ArgumentList.Add(argument);
        using var process = Process.Start(start)!;
        using var late = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        var output = process.StandardOutput.ReadToEndAsync(late.Token);
        var error = process.StandardError.ReadToEndAsync(late.Token);
        try
        {
            await process.WaitForExitAsync(late.Token);
        }
        catch (OperationCanceledException)
        {
            process.Kill();
            Assert.Fail("It started, or hangs, where it should have refused.");
        }
        var said = await error;
        Assert.Equal(1, process.ExitCode);
        Assert.Contains(told, said, StringComparison.OrdinalIgnoreCase);
        Assert.Contains(advice, said, StringComparison.Ordinal);
        Assert.Equal("", await output);
        foreach (var inside in (string[])["   at ", "Exception", "Unhandled"]) Assert.DoesNotContain(inside, said, StringComparison.Ordinal);
    }
}
