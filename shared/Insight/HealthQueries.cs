using RetentionFunctions.Customers;
using RetentionFunctions.Health;
using RetentionFunctions.Settings;
using RetentionFunctions.Storage;

namespace RetentionFunctions.Insight;

/// <summary>Reads what the health page tells: two ranges, and two small reads for each customer shown, whatever the number of customers.</summary>
public sealed class HealthQueries(ITables tables, RetentionSettings settings, TimeProvider clock)
{
    // The score before a move is that of the day before; a sweep may have been missed.
    private const int OldestScore = 10;

    private const int AtOnce = 16;

    /// <summary>The report as of the latest sweep.</summary>
    public async Task<HealthReport> ReadAsync(CancellationToken cancel = default)
    {
        var now = clock.GetUtcNow();
        var today = Day(now);
        var sweeps = await SweepsAsync(today.AddDays(1 - HealthReport.Days), today, cancel);
        var moves = new List<TierMove>();
        if (sweeps.LastOrDefault(s => s.Totals is not null) is { } latest)
            moves = await tables.ListAsync<TierMove>(Keys.MovesBetween(Day(latest.At).AddDays(1 - HealthReport.WeekDays), Day(latest.At)), cancel);
        var report = HealthReport.Of(sweeps, moves, Day);
        return report with { Down = await ToldAsync(report.Down, cancel), Up = await ToldAsync(report.Up, cancel) };
    }

    /// <summary>The sweeps of some days, oldest first; none that is yet to come, as where a demo began in a folder of the real clock.</summary>
    public async Task<IReadOnlyList<SweepResult>> SweepsAsync(DateOnly from, DateOnly to, CancellationToken cancel = default)
    {
        var now = clock.GetUtcNow();
        return [.. (await tables.ListAsync<SweepResult>(Keys.SweepsBetween(from, to), cancel)).Where(s => s.At <= now)];
    }

    /// <summary>Of each month the last sweep that counted use (calendar months in UTC).</summary>
    public async Task<IReadOnlyDictionary<Month, HealthTotals>> OfMonthsAsync(Month from, Month to, CancellationToken cancel = default)
    {
        var (now, rows) = (clock.GetUtcNow(), new List<Row>());
        await foreach (var row in tables.QueryAsync(Keys.SweepsBetween(FirstDay(from).AddDays(-1), FirstDay(to.Plus(1))), cancel)) rows.Add(row);
        rows.Reverse();
        var found = new Dictionary<Month, HealthTotals>();
        for (var month = from; month <= to; month = month.Plus(1))
        {
            // The day of a row is the business's: what was swept in this month of UTC may stand under the first day of the next. Of its rows all but the last are left unread.
            var last = Keys.SweepOf(FirstDay(month.Plus(1))).Key;
            var latest = rows.SkipWhile(row => string.CompareOrdinal(row.At.Key, last) > 0).Select(row => row.Read<SweepResult>()).TakeWhile(sweep => sweep.At >= month.Start)
                .FirstOrDefault(sweep => sweep.Totals is not null && sweep.At < month.End && sweep.At <= now);
            if (latest is not null) found[month] = latest.Totals!;
        }
        return found;

        static DateOnly FirstDay(Month month) => DateOnly.FromDateTime(month.Start.UtcDateTime);
    }

    private DateOnly Day(DateTimeOffset at) => DailySweep.Day(at, settings);

    // Names and reasons, of those shown only.
    private async Task<IReadOnlyList<WeekMove>> ToldAsync(IReadOnlyList<WeekMove> moves, CancellationToken cancel)
    {
        var told = new WeekMove[moves.Count];
        await Parallel.ForAsync(0, told.Length, new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = cancel }, async (i, token) =>
        {
            var move = moves[i];
            var customer = (await tables.GetAsync<Customer>(Keys.Customer(move.CustomerId), token))?.Value;
            var scores = await tables.ListAsync<HealthState>(Keys.ScoresFrom(move.CustomerId, move.FirstOn.AddDays(-OldestScore)), token);
            var (before, since) = (scores.LastOrDefault(s => s.ScoredOn < move.FirstOn), scores.Find(s => s.ScoredOn == move.On));
            told[i] = move with { Name = customer?.Called ?? move.CustomerId, Reasons = before is null || since is null ? [] : MoveReason.Of(before, since) };
        });
        return told;
    }
}
