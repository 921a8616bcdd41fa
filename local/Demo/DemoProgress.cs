namespace RetentionFunctions.Local.Demo;

/// <summary>How far the demo year is played; for the terminal, pages and <c>/readyz</c>. Safe to read while it is played.</summary>
public sealed class DemoProgress
{
    private State state = new(false, 1, "");

    /// <summary>It is being played at this moment.</summary>
    public bool IsPlaying => Volatile.Read(ref state).Playing;

    /// <summary>How much of the year is played, 0 to 1; 1 where nothing is to be played.</summary>
    public double Share => Volatile.Read(ref state).Share;

    /// <summary>What is happening, in words; empty where nothing is.</summary>
    public string Words => Volatile.Read(ref state).Words;

    /// <summary>Why the host is not ready on account of the demo; null when it is.</summary>
    public string? NotReady => Volatile.Read(ref state) is { Words: { Length: > 0 } words } ? words : null;

    internal void Playing(double share) => Volatile.Write(ref state, new State(true, share, FormattableString.Invariant($"the demo year is being played: {Math.Floor(share * 100)} %")));

    internal void Done() => Volatile.Write(ref state, new State(false, 1, ""));

    internal void Failed(string why) => Volatile.Write(ref state, new State(false, Share, $"the demo year could not be played to its end: {why}"));

    private sealed record State(bool Playing, double Share, string Words);
}
