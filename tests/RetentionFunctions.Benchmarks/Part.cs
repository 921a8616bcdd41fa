using System.Diagnostics;
using System.Globalization;

namespace RetentionFunctions.Benchmarks;

/// <summary>Runs a part of a benchmark in a process of its own, so that the most memory it ever had is its own too.</summary>
internal static class Part
{
    /// <summary>Starts this program with other arguments; what it said with <see cref="Say"/>.</summary>
    public static async Task<(double Seconds, double MiB)> RunAsync(params IEnumerable<string> args)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath!) { RedirectStandardOutput = true };
        // As "dotnet this.dll", or by its own executable.
        if (Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet") start.ArgumentList.Add(typeof(Part).Assembly.Location);
        foreach (var arg in args) start.ArgumentList.Add(arg);
        using var process = Process.Start(start)!;
        var lines = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        var said = lines.Split('\n').LastOrDefault(l => l.StartsWith("took ", StringComparison.Ordinal));
        if (process.ExitCode != 0 || said is null) throw new InvalidOperationException($"The child ended with {process.ExitCode}: {lines}");
        var words = said.Split(' ');
        return (double.Parse(words[1], CultureInfo.InvariantCulture), double.Parse(words[2], CultureInfo.InvariantCulture));
    }

    /// <summary>Says how long it took, and the most memory that this process had (resident, as the system counted it).</summary>
    public static void Say(TimeSpan took)
    {
        using var self = Process.GetCurrentProcess();
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"took {took.TotalSeconds} {self.PeakWorkingSet64 / 1024.0 / 1024}"));
    }
}
