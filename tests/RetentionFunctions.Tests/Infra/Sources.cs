using System.Text.RegularExpressions;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.Tests.Infra;

/// <summary>The sources of <c>functions/</c> as text: these tests run without Azure's packages.</summary>
internal static class Sources
{
    public static string Functions { get; } = string.Join('\n', Directory.GetFiles(Path.Combine(Repository.Root, "functions"), "*.cs", SearchOption.AllDirectories)
        .Where(file => !file.Contains("/obj/", StringComparison.Ordinal) && !file.Contains("/bin/", StringComparison.Ordinal)).Order(StringComparer.Ordinal).Select(File.ReadAllText));

    public static string HostJson { get; } = File.ReadAllText(Path.Combine(Repository.Root, "host.json"));

    /// <summary>The value of a constant text or number of a class.</summary>
    public static string Constant(string type, string name)
    {
        var body = Functions[Functions.IndexOf($" {type}", Functions.IndexOf($"class {type}", StringComparison.Ordinal) is var at and >= 0 ? at : Functions.IndexOf($"record {type}", StringComparison.Ordinal), StringComparison.Ordinal)..];
        var match = Regex.Match(body, $@"const \w+ {name} = ""?([^"";]+)""?;");
        return match.Success ? match.Groups[1].Value : throw new InvalidOperationException($"There is no constant {type}.{name}.");
    }

    public static IEnumerable<string> All(string pattern, int group = 1) => Regex.Matches(Functions, pattern).Select(match => match.Groups[group].Value);
}
