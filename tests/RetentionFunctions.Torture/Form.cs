using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace RetentionFunctions.Torture;

/// <summary>How much of a test is run, and by which dice: a little in every run, all of it with <c>TORTURE=1</c>.</summary>
internal static partial class Form
{
    private static readonly bool Full = Environment.GetEnvironmentVariable("TORTURE") == "1";

    // What readers of text have been known to trip over; each alone, and in each other's company.
    private static readonly string[] Pieces =
    [
        "\r\nBcc: all@evil.example\r\n", "\n\n<h1>body</h1>", "\r", "\n", "<script>alert(1)</script>", "<rfx rfy=1>", "\"><img src=x onerror=alert(1)>", "' onmouseover='alert(1)", "</title><rfx>", "<!--", "]]>", "&lt;rfx&gt;",
        "{{product}}", "{{#if name}}", "{{{name}}}", "@Model", "${7*7}", "RfValue2x", "[x](javascript:alert(1))", "![x](https://evil.example/x.png)", "`code`", "**b**", "# h", "javascript:alert(1)", "https://evil.example/",
        "\u202Egpj.exe", "\u2066\u2069", "\u200F", "שלום", "\0", "\u0001\u001b[2J", "\u0085", "\u2028", "\u2029", "\uFEFF", "\uFFFE", "../../etc/passwd", "..\\..\\", "%2e%2e%2f", "/", "\\", "#", "?", "|", "%00", "%0d%0a", "'; DROP TABLE rows; --",
        "👩‍💻", "é", "e\u0301", "=cmd()", "\t", " ", "null", "-1", "1e999", "x-account", "cus_Ada", ":", "~", "\u007f", "\u00a0", "ß", "İ",
    ];

    /// <summary>How often: a little, or as often as the full form asks.</summary>
    public static int Times(int few, int many) => Full ? many : few;

    /// <summary>Runs a test with dice of a known seed (<c>TORTURE_SEED</c>; else 1), which a failure names.</summary>
    public static async Task WithDiceAsync(Func<Random, Task> test)
    {
        var seed = int.TryParse(Environment.GetEnvironmentVariable("TORTURE_SEED"), out var given) ? given : 1;
        try
        {
            await test(new Random(seed));
        }
        catch (Exception e)
        {
            throw new InvalidOperationException($"With TORTURE_SEED={seed}{(Full ? " TORTURE=1" : "")}: {e.Message}", e);
        }
    }

    /// <summary>The same for what waits for nothing.</summary>
    public static void WithDice(Action<Random> test) => WithDiceAsync(dice =>
    {
        test(dice);
        return Task.CompletedTask;
    }).GetAwaiter().GetResult();

    public static T Pick<T>(this Random dice, IReadOnlyList<T> of) => of[dice.Next(of.Count)];

    /// <summary>A text that somebody outside might send; now and then a long one. Half of a surrogate pair stands in it, where asked for, as <see cref="Json"/> writes it.</summary>
    public static string HostileText(this Random dice, bool anyUnicode = false)
    {
        var text = new StringBuilder();
        for (var n = dice.Next(1, 5); n > 0; n--) text.Append(dice.Pick(Pieces));
        if (dice.Next(8) == 0) text.Append((char)dice.Next(0x20));
        if (dice.Next(8) == 0) text.Insert(0, Rune.IsValid(dice.Next(0x1_0000)) ? "\uD83D\uDE00" : "\u0301");
        if (dice.Next(40) == 0) text.Insert(0, new string('A', 5000));
        if (dice.Next(200) == 0) text.Append('<', 20_000);
        if (anyUnicode && dice.Next(8) == 0) text.Insert(dice.Next(text.Length), (char)(dice.Next(0x800) + StandsForHalf));
        return text.ToString();
    }

    /// <summary>A body with half surrogate pairs, as careless clients send them: no text of .NET can hold one through its own writer.</summary>
    public static string Json(JsonNode node) => Half().Replace(node.ToJsonString(), half => $"\\uD{"89ABCDEF"[half.Groups[1].Value[0] - '0']}{half.Groups[2].Value}");

    // Characters of private use, which nobody else here uses, one for each half of a pair.
    private const int StandsForHalf = 0xE000;

    [GeneratedRegex(@"\\uE([0-7])([0-9A-F]{2})")]
    private static partial Regex Half();
}
