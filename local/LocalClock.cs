namespace RetentionFunctions.Local;

/// <summary>The host's clock: the real one, or a simulated one that stands still until it is told to move. Timers stay real; only the time of day is simulated.</summary>
/// <param name="simulatedFrom">Where the simulated one stands at first; null: the real clock.</param>
/// <param name="real">The real one; null: the machine's. Tests set it wrong.</param>
public sealed class LocalClock(DateTimeOffset? simulatedFrom, TimeProvider? real = null) : TimeProvider
{
    private readonly TimeProvider real = real ?? System;

    // Ticks, so that a reader on another thread never sees half a time; 0 is the real clock.
    private long simulated = simulatedFrom?.UtcTicks ?? 0;

    /// <summary>It stands still until it is told to move. Once true it stays so.</summary>
    public bool IsSimulated => Interlocked.Read(ref simulated) != 0;

    /// <inheritdoc/>
    public override DateTimeOffset GetUtcNow() => Interlocked.Read(ref simulated) is not 0 and var ticks ? new DateTimeOffset(ticks, TimeSpan.Zero) : real.GetUtcNow();

    /// <summary>Moves the simulated time; never back.</summary>
    /// <exception cref="InvalidOperationException">The clock is the real one.</exception>
    public void MoveTo(DateTimeOffset to)
    {
        if (!IsSimulated) throw new InvalidOperationException("The real clock cannot be moved.");
        if (to.UtcTicks > simulated) Interlocked.Exchange(ref simulated, to.UtcTicks);
    }

    /// <summary>Makes the real clock a simulated one that stands at this time, also in the past: for a folder to which nothing has happened yet.</summary>
    /// <exception cref="InvalidOperationException">The clock is simulated already.</exception>
    public void SimulateFrom(DateTimeOffset at)
    {
        if (Interlocked.CompareExchange(ref simulated, at.UtcTicks, 0) != 0) throw new InvalidOperationException("The clock is simulated already; it is moved, and never back.");
    }
}
