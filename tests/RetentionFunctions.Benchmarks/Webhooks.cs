using System.Globalization;

namespace RetentionFunctions.Benchmarks;

/// <summary>
/// How many of Stripe's webhooks are acknowledged a second: signature checked, deduplicated and on the disk (SQLite, <c>synchronous=FULL</c>) before the 200, against an
/// endpoint that only reads, checks and parses. Each round has a server process of its own, with an empty folder, so that what one still has to do slows no other.
/// </summary>
internal static class Webhooks
{
    public static async Task RunAsync(IReadOnlyList<string> args)
    {
        int Option(string name, int otherwise) => args.SkipWhile(arg => arg != name).Skip(1).FirstOrDefault() is { } text ? int.Parse(text, CultureInfo.InvariantCulture) : otherwise;
        var (connections, customers, rounds) = (Option("--connections", 32), Option("--customers", 1000), Option("--rounds", Rounds.Least));
        var (warm, counted) = (TimeSpan.FromMilliseconds(Option("--warm", 3000)), TimeSpan.FromMilliseconds(Option("--counted", 2000)));
        // Valid until five minutes after its time: enough for all rounds.
        var requests = new StripeRequests(Option("--requests", 220_000), customers, DateTimeOffset.UtcNow.AddMinutes(4));
        var loads = new Dictionary<string, List<Loaded>>(StringComparer.Ordinal);
        Contender Of(string name, Func<Child> start, bool again = false) => new(name, () =>
        {
            using var child = start();
            var loaded = Load.Run(requests, child.Port, connections, warm, counted, again);
            if (!loads.TryGetValue(name, out var known)) loads.Add(name, known = []);
            known.Add(loaded);
            return Task.FromResult(loaded.PerSecond);
        });
        List<Contender> contenders =
        [
            Of("bare endpoint: read, signature, parse", () => Child.Own(Serve.Bare), again: true),
            Of("the host as founders start it, handling what it acknowledged meanwhile", () => Child.Host()),
            Of("the host, handling held", () => Child.Own(Serve.Held)),
            Of("bare endpoint + the host's inbox, shared commits", () => Child.Own(Serve.Shared)),
            Of("bare endpoint + the host's inbox, one transaction per request", () => Child.Own(Serve.Single)),
        ];
        if (args.SkipWhile(arg => arg != "--only").Skip(1).FirstOrDefault() is { } only) contenders = [.. contenders.Where((_, i) => only.Contains((char)('0' + i)))];
        var results = await Rounds.MeasureAsync(contenders, rounds, fresh: true);
        Rounds.Print(string.Create(CultureInfo.InvariantCulture, $"Acknowledged webhooks of {requests.BodyBytes} bytes, {connections} connections, {customers} customers"), "a second", results);
        Console.WriteLine("\n| what | p50 ms | p99 ms | p99 × bare |\n|---|---|---|---|");
        var bare = Rounds.Median([.. loads[results[0].Name].Select(l => l.P99)]);
        foreach (var (name, all) in loads.OrderBy(l => contenders.FindIndex(c => c.Name == l.Key)))
        {
            var p99 = Rounds.Median([.. all.Select(l => l.P99)]);
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {name} | {Rounds.Median([.. all.Select(l => l.P50)]):F2} | {p99:F2} | {p99 / bare:F1} |"));
        }
    }
}
