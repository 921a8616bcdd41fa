namespace RetentionFunctions.Intake;

/// <summary>
/// What came in cannot be read. The message says what was wrong, where (a JSON path) and what to do; it never quotes the content, which may be personal.
/// At the door it becomes a 400, behind the inbox a dead letter: trying again cannot help until the reader or the sender changes.
/// </summary>
/// <param name="message">What, where and what to do, for the founder.</param>
/// <param name="inner">What the parser said, where there was one.</param>
public sealed class UnreadableException(string message, Exception? inner = null) : Exception(message, inner)
{
    /// <summary>A field that is missing or is not what it must be.</summary>
    /// <param name="path">Its JSON path, for example <c>$.data.object.customer</c>.</param>
    /// <param name="wrong">What is wrong with it: "is missing", "is a string where a whole number belongs".</param>
    internal static UnreadableException At(string path, string wrong) =>
        new($"{path} {wrong}. Compare the event with the one that Stripe's dashboard shows; when it is the same there, the reader must learn it: report it, then replay the dead letter.");
}
