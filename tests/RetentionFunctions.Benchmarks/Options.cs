using System.Globalization;

namespace RetentionFunctions.Benchmarks;

/// <summary>Options of a benchmark: a name and its value, as two words.</summary>
internal static class Options
{
    /// <summary>The value of an option, or what counts without it.</summary>
    public static string Text(IReadOnlyList<string> args, string name, string otherwise)
    {
        for (var i = 0; i + 1 < args.Count; i++)
            if (args[i] == name) return args[i + 1];
        return otherwise;
    }

    /// <summary>The same as a number.</summary>
    public static int Number(IReadOnlyList<string> args, string name, int otherwise) =>
        int.Parse(Text(args, name, otherwise.ToString(CultureInfo.InvariantCulture)), CultureInfo.InvariantCulture);
}
