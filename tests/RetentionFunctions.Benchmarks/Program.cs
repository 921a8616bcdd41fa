using System.Runtime.InteropServices;
using RetentionFunctions.Benchmarks;

// The child processes of the benchmarks of the door and of the start.
if (args is ["serve", var mode, var port, var folder]) return await Serve.RunAsync(mode, port, folder);

// Each benchmark is a class with a name; without arguments all of them run, which takes some minutes.
var benchmarks = new Dictionary<string, (string What, Func<IReadOnlyList<string>, Task> RunAsync)>(StringComparer.Ordinal)
{
    ["webhooks"] = ("webhooks acknowledged a second, durable and deduplicated, against a bare endpoint", Webhooks.RunAsync),
    ["start"] = ("from the start of the process to the first request served, against an empty application", Start.RunAsync),
    ["events"] = ("events handled end to end, beside the same row writes made bare", Events.RunAsync),
    ["sweep"] = ("the daily sweep of many customers, beside a bare program that reads, parses and writes as much", Sweep.RunAsync),
    ["pages"] = ("the founder's pages with many customers, beside the same reads bare", Pages.RunAsync),
    ["runs"] = ("runs that are due, while others wait", Runs.RunAsync),
};
var chosen = args.TakeWhile(a => !a.StartsWith("--", StringComparison.Ordinal)).ToList();
if (args.Contains("--help") || chosen.Exists(name => !benchmarks.ContainsKey(name)))
{
    Console.WriteLine("dotnet run -c Release --project tests/RetentionFunctions.Benchmarks [NAME …] [OPTION …]\n");
    foreach (var (name, benchmark) in benchmarks) Console.WriteLine($"  {name,-10} {benchmark.What}");
    return chosen.Count == 0 ? 0 : 2;
}
Console.WriteLine($"{RuntimeInformation.FrameworkDescription}, {RuntimeInformation.OSDescription}, {Environment.ProcessorCount} cores");
foreach (var (name, benchmark) in benchmarks)
    if (chosen.Count == 0 || chosen.Contains(name)) await benchmark.RunAsync([.. args.Skip(chosen.Count)]);
return 0;
