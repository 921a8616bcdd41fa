namespace RetentionFunctions.Links;

/// <summary>An answer that can be given with one click.</summary>
/// <param name="Key">Stands in links: may not change.</param>
/// <param name="Text">What the customer reads.</param>
public sealed record AnswerOption(string Key, string Text);

/// <summary>
/// The answers to "What has kept you from using it?". They sort into what a founder can do: nothing now (time), teach (hard), build (missing),
/// let go (need), compare (other).
/// </summary>
public static class AnswerOptions
{
    /// <summary>Longest free text, in characters.</summary>
    public const int MaxText = 2000;

    /// <summary>In the order in which they are shown.</summary>
    public static IReadOnlyList<AnswerOption> All { get; } =
    [
        new("no-time", "I haven't had the time"),
        new("too-hard", "It was harder to use than I thought"),
        new("missing", "It lacks something I need"),
        new("no-need", "I don't need it at the moment"),
        new("other-tool", "I use something else for it now"),
    ];

    /// <summary>The option of a key; null for any other text.</summary>
    public static AnswerOption? Find(string? key) => All.FirstOrDefault(option => option.Key == key);
}
