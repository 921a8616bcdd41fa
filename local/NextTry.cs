namespace RetentionFunctions.Local;

/// <summary>When something that failed is tried again.</summary>
internal static class NextTry
{
    /// <summary>Two tries at once, for what a moment mends (a simulated clock has no other moment); then one second, doubling up to an hour.</summary>
    /// <param name="attempts">How many have failed.</param>
    public static TimeSpan After(int attempts) => attempts < 3 ? TimeSpan.Zero : TimeSpan.FromSeconds(Math.Min(Math.Pow(2, attempts - 3), 3600));
}
