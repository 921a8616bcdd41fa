using System.Runtime.InteropServices;
using RetentionFunctions.Benchmarks;

// Each benchmark is a class with a name; without arguments all of them run, which takes some minutes.
var benchmarks = new Dictionary<string, (string What, Func<IReadOnlyList<string>, Task> RunAsync)>(StringComparer.Ordinal)
{
    ["events"] = ("events handled end to end, beside the same row writes made bare", Events.RunAsync),
    ["sweep"] = ("the daily sweep of many customers, beside a bare program that reads, parses and writes as much", Sweep.RunAsync),
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
