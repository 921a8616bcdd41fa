using Microsoft.Playwright;

[assembly: AssemblyFixture(typeof(RetentionFunctions.BrowserTests.Browser))]

namespace RetentionFunctions.BrowserTests;

/// <summary>One chromium for all tests: the machine's own, never a downloaded one. Where there is none, or it does not start, the tests are skipped and say why.</summary>
public sealed class Browser : IAsyncLifetime
{
    // Nothing in the background, and no name is looked up: whatever would leave the machine fails and is seen.
    private static readonly string[] Arguments =
    [
        "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
        "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
    ];

    private IPlaywright? playwright;
    private IBrowser? browser;
    private string missing = "";

    public async ValueTask InitializeAsync()
    {
        if (Find() is not { } path)
        {
            missing = "There is no chromium on this machine. Install it (Debian: apt-get install chromium), or name it in the environment variable CHROMIUM.";
            return;
        }
        playwright = await Playwright.CreateAsync();
        browser = await playwright.Chromium.LaunchAsync(new BrowserTypeLaunchOptions { ExecutablePath = path, Args = Arguments, Timeout = 60_000 });
    }

    public async ValueTask DisposeAsync()
    {
        if (browser is not null) await browser.DisposeAsync();
        playwright?.Dispose();
    }

    /// <summary>A new visitor, without cookies. Skips the test where there is no browser.</summary>
    internal async Task<Visitor> VisitAsync(Uri root, int width = 1440)
    {
        Assert.SkipWhen(browser is null, missing);
        var context = await browser!.NewContextAsync(new BrowserNewContextOptions { BaseURL = root.ToString(), ViewportSize = new ViewportSize { Width = width, Height = 900 }, Locale = "en-US", TimezoneId = "UTC" });
        context.SetDefaultTimeout(15_000);
        return new Visitor(context, root);
    }

    private static string? Find()
    {
        if (Environment.GetEnvironmentVariable("CHROMIUM") is { Length: > 0 } named) return File.Exists(named) ? named : null;
        string[] folders = [.. (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries), "/usr/bin", "/snap/bin", "/Applications/Google Chrome.app/Contents/MacOS", "/Applications/Chromium.app/Contents/MacOS"];
        string[] names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "Google Chrome", "Chromium", "chrome.exe"];
        return names.SelectMany(name => folders.Select(folder => Path.Combine(folder, name))).FirstOrDefault(File.Exists);
    }
}
