using System.Collections.Concurrent;
using System.Globalization;

namespace RetentionFunctions.Torture.Faults;

/// <summary>What the tests of faults count, written to <c>TestResults/torture.txt</c> beside the tests' own output: a line for each figure, and when the process ends the sums.</summary>
internal static class Figures
{
    private static readonly Lock Gate = new();
    private static readonly ConcurrentDictionary<string, long> Sums = new(StringComparer.Ordinal);
    private static readonly string File = Path.Combine(Directory.CreateDirectory(Path.Combine(Tests.Support.Repository.Root, "TestResults")).FullName, "torture.txt");

    static Figures() => AppDomain.CurrentDomain.ProcessExit += (_, _) =>
    {
        foreach (var (name, sum) in Sums.OrderBy(s => s.Key, StringComparer.Ordinal)) Say($"{name}: {sum.ToString("N0", CultureInfo.InvariantCulture)}");
    };

    /// <summary>Adds to a sum over all tests of this run.</summary>
    public static void Add(string name, long by) => Sums.AddOrUpdate(name, by, (_, known) => known + by);

    /// <summary>One line.</summary>
    public static void Say(string line, ITestOutputHelper? output = null)
    {
        output?.WriteLine(line);
        lock (Gate) System.IO.File.AppendAllText(File, $"{TimeProvider.System.GetUtcNow():yyyy-MM-dd HH:mm:ss}Z {line}\n");
    }
}
