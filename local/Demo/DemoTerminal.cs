using System.Globalization;

namespace RetentionFunctions.Local.Demo;

/// <summary>The demo year in the terminal: one line that fills, or on a terminal that cannot be drawn on (a pipe, a log) a line for each tenth.</summary>
internal static class DemoTerminal
{
    private const int Width = 40;

    public static async Task PlayAsync(WebApplication app)
    {
        var progress = app.Services.GetRequiredService<DemoProgress>();
        var clock = app.Services.GetRequiredService<LocalClock>();
        var playing = app.Services.GetRequiredService<DemoPlayer>().PlayAsync(app.Lifetime.ApplicationStopping);
        if (!playing.IsCompleted) Console.WriteLine($"Playing a year of a made-up company; it can be watched on {app.Services.GetRequiredService<LocalAddress>().Root.GetLeftPart(UriPartial.Authority)}");
        var tenth = -1;
        while (!playing.IsCompleted)
        {
            if (!Console.IsOutputRedirected) Console.Write($"\r{Line(progress.Share, clock.GetUtcNow())}");
            else if ((int)(progress.Share * 10) is var now && now > tenth) Console.WriteLine(Line((tenth = now) / 10.0, clock.GetUtcNow()));
            await Task.WhenAny(playing, Task.Delay(200));
        }
        if (!Console.IsOutputRedirected) Console.WriteLine();
        await playing;
    }

    internal static string Line(double share, DateTimeOffset now)
    {
        var full = (int)(Math.Clamp(share, 0, 1) * Width);
        return string.Create(CultureInfo.InvariantCulture, $"  [{new string('#', full)}{new string('.', Width - full)}] {Math.Floor(share * 100),3} %  {now:yyyy-MM-dd}");
    }
}
