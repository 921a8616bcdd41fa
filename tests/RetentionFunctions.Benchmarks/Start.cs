using System.Globalization;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.Benchmarks;

/// <summary>How long it takes from the start of the process to the first request served (<c>GET /healthz</c>, 200), against an empty ASP.NET Core application that is started the same way.</summary>
internal static class Start
{
    public static async Task RunAsync(IReadOnlyList<string> args)
    {
        using var used = new TempFolder();
        // Once before: what a folder needs is made, and some events are in it.
        using (var first = Child.Host(used.Path))
            Load.Run(new StripeRequests(20_000, 100, DateTimeOffset.UtcNow), first.Port, connections: 1, warm: TimeSpan.Zero, counted: TimeSpan.FromMilliseconds(200), again: false);
        static Contender Of(string name, Func<Child> start) => new(name, () =>
        {
            using var child = start();
            return Task.FromResult(child.StartedIn.TotalMilliseconds);
        });
        var rounds = args.SkipWhile(arg => arg != "--rounds").Skip(1).FirstOrDefault() is { } text ? int.Parse(text, CultureInfo.InvariantCulture) : 9;
        Rounds.Print("From the start of the process to the first request served", "ms", await Rounds.MeasureAsync(
        [
            Of("an empty ASP.NET Core application (WebApplication.CreateBuilder, one MapGet)", () => Child.Own(Serve.Empty)),
            Of("the host on a folder that is used already", () => Child.Host(used.Path)),
            Of("the host on a new folder", () => Child.Host()),
        ], rounds));
    }
}
