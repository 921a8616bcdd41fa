namespace RetentionFunctions.Intake;

/// <summary>What came in cannot be read, and trying again cannot help. The message says what was wrong, where, and what to do.</summary>
public sealed class UnreadableException(string message, Exception? inner = null) : Exception(message, inner);
