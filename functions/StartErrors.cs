namespace RetentionFunctions.Functions;

/// <summary>
/// Says what stops the start so that it is seen. The Functions host takes a line of the error stream for an error only where it says so; any other
/// line is information, which host.json does not keep.
/// </summary>
internal static class StartErrors
{
    /// <summary>The lines to write, one for each paragraph: of what a worker wrote the host repeats the last three lines when it gives up.</summary>
    /// <param name="message">What is wrong, in paragraphs.</param>
    public static IEnumerable<string> Of(string message) =>
        message.Split("\n\n", StringSplitOptions.RemoveEmptyEntries).Select(paragraph =>
            $"Error: {string.Join(' ', paragraph.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))}");
}
