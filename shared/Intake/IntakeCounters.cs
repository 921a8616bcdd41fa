using System.Collections.Concurrent;
using RetentionFunctions.Storage;

namespace RetentionFunctions.Intake;

/// <summary>
/// Counts what came in and was not queued: types that nobody handles, events of the other mode, ignored app events. Kept in memory and added to the day's rows
/// when somebody looks and by the sweep: a row written per request would be the hottest of the whole product.
/// </summary>
public sealed class IntakeCounters(ITables tables, TimeProvider clock)
{
    private readonly ConcurrentDictionary<(DateOnly On, string Name), long> pending = new();
    private readonly SemaphoreSlim writing = new(1, 1);

    /// <summary>Counts one (or more) of something.</summary>
    public void Count(string name, long by = 1) =>
        pending.AddOrUpdate((DateOnly.FromDateTime(clock.GetUtcNow().UtcDateTime), name), by, (_, known) => known + by);

    /// <summary>All counts by day and name, with what is pending written first.</summary>
    public async Task<IReadOnlyList<DailyCount>> ListAsync(CancellationToken cancel = default)
    {
        await FlushAsync(cancel);
        var counts = new List<DailyCount>();
        await foreach (var row in tables.QueryAsync(Keys.Counters, cancel))
            if (Keys.Parts(row.At.Key) is ["counter", var day, var name])
                counts.Add(new DailyCount(DateOnly.ParseExact(day, "yyyy-MM-dd", System.Globalization.CultureInfo.InvariantCulture), name, row.Read<Total>().Count));
        return counts;
    }

    /// <summary>Adds what is pending to the rows.</summary>
    public async Task FlushAsync(CancellationToken cancel = default)
    {
        await writing.WaitAsync(cancel);
        try
        {
            foreach (var key in pending.Keys)
                if (pending.TryRemove(key, out var by))
                    try
                    {
                        await tables.ChangeAsync<Total>(Keys.Counter(key.On, key.Name), known => new Total((known?.Count ?? 0) + by), cancel);
                    }
                    catch
                    {
                        // For the next time. It may have been written all the same: a count too high shows, one too low hides what was not handled.
                        pending.AddOrUpdate(key, by, (_, since) => since + by);
                        throw;
                    }
        }
        finally
        {
            writing.Release();
        }
    }

    private sealed record Total(long Count);
}

/// <summary>How often something came in on a day.</summary>
/// <param name="On">The UTC day.</param>
/// <param name="Name">What: <c>stripe.unhandled.charge.succeeded</c>, <c>stripe.other-mode</c>, <c>app.ignored</c>, <c>mail.unknown</c>.</param>
/// <param name="Count">How often.</param>
public sealed record DailyCount(DateOnly On, string Name, long Count);
