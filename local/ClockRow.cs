using RetentionFunctions.Storage;

namespace RetentionFunctions.Local;

/// <summary>Where the simulated clock of a data folder stands.</summary>
/// <param name="Now">The simulated time.</param>
public sealed record ClockRow(DateTimeOffset Now)
{
    private static readonly RowKey At = Keys.Account("clock");

    /// <summary>Where it stood last; null in a folder of the real clock.</summary>
    public static async Task<ClockRow?> ReadAsync(ITables tables, CancellationToken cancel = default) => (await tables.GetAsync<ClockRow>(At, cancel))?.Value;

    /// <summary>Keeps where it stands.</summary>
    public static Task KeepAsync(ITables tables, DateTimeOffset now, CancellationToken cancel = default) => tables.UpsertAsync(At, new ClockRow(now), cancel);
}
