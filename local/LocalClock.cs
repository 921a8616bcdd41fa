namespace RetentionFunctions.Local;

/// <summary>The host's clock: the real one, or a simulated one that stands still until it is told to move. Timers stay real; only the time of day is simulated.</summary>
public sealed class LocalClock(DateTimeOffset? simulatedFrom) : TimeProvider
{
    // Ticks, so that a reader on another thread never sees half a time.
    private long simulated = simulatedFrom?.UtcTicks ?? 0;

    /// <summary>It stands still until it is told to move.</summary>
    public bool IsSimulated { get; } = simulatedFrom is not null;

    /// <inheritdoc/>
    public override DateTimeOffset GetUtcNow() => IsSimulated ? new DateTimeOffset(Interlocked.Read(ref simulated), TimeSpan.Zero) : System.GetUtcNow();

    /// <summary>Moves the simulated time; never back.</summary>
    /// <exception cref="InvalidOperationException">The clock is the real one.</exception>
    public void MoveTo(DateTimeOffset to)
    {
        if (!IsSimulated) throw new InvalidOperationException("The real clock cannot be moved.");
        if (to.UtcTicks > simulated) Interlocked.Exchange(ref simulated, to.UtcTicks);
    }
}
