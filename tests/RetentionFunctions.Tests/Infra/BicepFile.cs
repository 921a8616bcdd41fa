using System.Text;
using System.Text.RegularExpressions;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.Tests.Infra;

/// <summary>
/// A file of <c>infra/</c>, read as far as these tests need it: parameters, and objects with their properties as text. It understands comments, texts and brackets,
/// and nothing of what Bicep means; that is the compiler's.
/// </summary>
internal sealed partial class BicepFile
{
    private BicepFile(string name, string source)
    {
        Name = name;
        Source = source;
        Text = WithoutComments(source);
    }

    /// <summary>The path under <c>infra/</c>.</summary>
    public string Name { get; }

    /// <summary>As it stands in the file.</summary>
    public string Source { get; }

    /// <summary>Without its comments.</summary>
    public string Text { get; }

    public static BicepFile Main { get; } = Read("main.bicep");

    public static IReadOnlyList<BicepFile> Modules { get; } =
        [.. Directory.GetFiles(Path.Combine(Repository.Root, "infra", "modules"), "*.bicep").Order(StringComparer.Ordinal).Select(file => Read($"modules/{Path.GetFileName(file)}"))];

    public static BicepFile Module(string name) => Modules.Single(file => file.Name == $"modules/{name}.bicep");

    /// <summary>The parameters: name and default (null where there is none), with whether azd makes the value.</summary>
    public IReadOnlyDictionary<string, (string? Default, bool Made)> Parameters
    {
        get
        {
            var found = new Dictionary<string, (string?, bool)>();
            var made = false;
            foreach (var line in Text.Split('\n'))
            {
                if (line.StartsWith("@metadata", StringComparison.Ordinal)) made = line.Contains("'generate'", StringComparison.Ordinal);
                if (Parameter().Match(line) is not { Success: true } match) continue;
                found.Add(match.Groups["name"].Value, (match.Groups["default"] is { Success: true } given ? given.Value.Trim() : null, made));
                made = false;
            }
            return found;
        }
    }

    /// <summary>The properties of the object that follows the first occurrence of a text.</summary>
    public IReadOnlyDictionary<string, string> After(string text)
    {
        var at = Text.IndexOf(text, StringComparison.Ordinal);
        return at < 0 ? throw new InvalidOperationException($"{Name} has no '{text}'.") : Properties(Text[Text.IndexOf('{', at + text.Length)..]);
    }

    /// <summary>The properties of a resource's or module's body.</summary>
    public IReadOnlyDictionary<string, string> Body(string kind, string symbol) => After(Regex.Match(Text, $@"^{kind} {symbol} '[^']+' ?=", RegexOptions.Multiline) is { Success: true, Value: var head } ? head : $"{kind} {symbol} ");

    /// <summary>What is inside the brackets that a text begins with.</summary>
    public static IReadOnlyDictionary<string, string> Properties(string text)
    {
        var found = new Dictionary<string, string>();
        foreach (var item in Items(text))
        {
            var colon = Split(item, ':')[0].Length;
            found.Add(item[..colon].Trim().Trim('\''), item[(colon + 1)..].Trim());
        }
        return found;
    }

    /// <summary>The items of a list or an object, one a line or with commas between them.</summary>
    public static IReadOnlyList<string> Items(string text)
    {
        var end = Close(text, 0);
        return [.. Split(text[1..end], ',', '\n').Select(item => item.Trim()).Where(item => item.Length > 0)];
    }

    private static BicepFile Read(string name) => new(name, File.ReadAllText(Path.Combine(Repository.Root, "infra", name)).ReplaceLineEndings("\n"));

    // Where the bracket closes that opens at a place.
    private static int Close(string text, int open)
    {
        var depth = 0;
        for (var at = open; at < text.Length; at++)
        {
            at = OverText(text, at);
            if (text[at] is '{' or '[' or '(') depth++;
            else if (text[at] is '}' or ']' or ')' && --depth == 0) return at;
        }
        throw new InvalidOperationException($"A bracket is never closed: {text[open..Math.Min(text.Length, open + 60)]}");
    }

    private static List<string> Split(string text, params ReadOnlySpan<char> at)
    {
        var parts = new List<string>();
        var (depth, begin) = (0, 0);
        for (var i = 0; i < text.Length; i++)
        {
            i = OverText(text, i);
            if (text[i] is '{' or '[' or '(') depth++;
            else if (text[i] is '}' or ']' or ')') depth--;
            else if (depth == 0 && at.Contains(text[i]))
            {
                parts.Add(text[begin..i]);
                begin = i + 1;
            }
        }
        parts.Add(text[begin..]);
        return parts;
    }

    // The last character of a text in quotes that begins here; else the place itself.
    private static int OverText(string text, int at)
    {
        if (text[at] != '\'') return at;
        for (var i = at + 1; i < text.Length; i++)
            if (text[i] == '\\') i++;
            else if (text[i] == '\'') return i;
        throw new InvalidOperationException($"A text is never closed: {text[at..Math.Min(text.Length, at + 60)]}");
    }

    private static string WithoutComments(string source)
    {
        var text = new StringBuilder();
        for (var at = 0; at < source.Length; at++)
        {
            if (source[at] == '/' && at + 1 < source.Length && source[at + 1] == '/')
            {
                while (at < source.Length && source[at] != '\n') at++;
                if (at < source.Length) text.Append('\n');
                continue;
            }
            var end = OverText(source, at);
            text.Append(source, at, end - at + 1);
            at = end;
        }
        return text.ToString();
    }

    [GeneratedRegex(@"^param (?<name>\w+) \w+(\s*=\s*(?<default>.+))?")]
    private static partial Regex Parameter();
}
