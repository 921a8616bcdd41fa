using System.Globalization;

namespace RetentionFunctions.Benchmarks;

/// <summary>One way of doing a piece of work: what it is called, and one measured round of it, which answers with how much it did a second (or took, as its unit says).</summary>
/// <param name="Name">As it stands in the table.</param>
/// <param name="RoundAsync">Runs one round and returns its figure.</param>
internal sealed record Contender(string Name, Func<Task<double>> RoundAsync);

/// <summary>
/// Measures contenders in turn, round by round, so that what else the machine does meets all of them alike; what counts is the median of each and the ratio
/// to the first. Nothing is asserted: a bar is judged by whoever reads the table.
/// </summary>
internal static class Rounds
{
    /// <summary>The least rounds from which a median is taken.</summary>
    public const int Least = 5;

    /// <summary>One round of each that does not count (compiling, caches), then so many of each, interleaved. The first contender is the bare baseline.</summary>
    /// <param name="contenders">In the order in which they take their turns.</param>
    /// <param name="rounds">How many count.</param>
    /// <param name="fresh">Each round has a process of its own, which is warmed up in it: then there is no round that does not count.</param>
    public static async Task<IReadOnlyList<Result>> MeasureAsync(IReadOnlyList<Contender> contenders, int rounds = Least, bool fresh = false)
    {
        var figures = contenders.ToDictionary(c => c, _ => new List<double>());
        if (!fresh)
            foreach (var contender in contenders) await contender.RoundAsync();
        for (var round = 0; round < rounds; round++)
            foreach (var contender in contenders)
            {
                GC.Collect();
                figures[contender].Add(await contender.RoundAsync());
            }
        var bare = Median(figures[contenders[0]]);
        return [.. contenders.Select(c => new Result(c.Name, Median(figures[c]), figures[c].Min(), figures[c].Max(), Median([.. figures[c].Select((f, i) => f / figures[contenders[0]][i])]), bare))];
    }

    /// <summary>The middle one; of an even number the mean of the two in the middle.</summary>
    public static double Median(IReadOnlyList<double> figures)
    {
        var sorted = figures.Order().ToList();
        return sorted.Count % 2 == 1 ? sorted[sorted.Count / 2] : (sorted[sorted.Count / 2 - 1] + sorted[sorted.Count / 2]) / 2;
    }

    /// <summary>Prints a table in Markdown, as it goes into docs/measured.md.</summary>
    public static void Print(string title, string unit, IEnumerable<Result> results)
    {
        Console.WriteLine($"\n### {title}\n\n| what | median {unit} | least – most | × bare (median of the rounds' ratios) |\n|---|---|---|---|");
        foreach (var result in results)
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {result.Name} | {result.Median:G4} | {result.Least:G4} – {result.Most:G4} | {result.Ratio:F2} |"));
    }
}

/// <summary>What was measured of one contender.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Median">Of all rounds.</param>
/// <param name="Least">The least round.</param>
/// <param name="Most">The largest round.</param>
/// <param name="Ratio">The median of the ratios to the bare baseline, round by round.</param>
/// <param name="Bare">The baseline's median.</param>
internal sealed record Result(string Name, double Median, double Least, double Most, double Ratio, double Bare);
