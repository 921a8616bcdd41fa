using System.Text.Json.Serialization;
using RetentionFunctions.Customers;
using RetentionFunctions.Storage;

namespace RetentionFunctions.Health;

/// <summary>A customer is in another tier than at the scoring before. Why, say the scores of the two days.</summary>
/// <param name="CustomerId">The customer.</param>
/// <param name="On">The day, in the business's time zone.</param>
/// <param name="From">The tier before.</param>
/// <param name="To">The tier since.</param>
/// <param name="Mrr">In minor units by currency, on that day.</param>
public sealed record TierMove(string CustomerId, DateOnly On, HealthTier From, HealthTier To, IReadOnlyDictionary<string, long> Mrr)
{
    /// <summary>To a worse tier.</summary>
    [JsonIgnore]
    public bool IsDown => To > From;

    /// <summary>The larger of its MRRs: the most valuable come first.</summary>
    [JsonIgnore]
    public long Most => Mrr.Values.DefaultIfEmpty().Max();

    /// <summary>The move of a customer as scored; null where there is none. A second scoring of the day says the same.</summary>
    internal static TierMove? Of(Customer customer) =>
        customer.Health is { PreviousScore: { } before } health && HealthScore.TierOf(before) is var from && from != health.Tier
            ? new TierMove(customer.Id, health.ScoredOn, from, health.Tier, customer.Mrr)
            : null;
}

/// <summary>
/// The moves of a day as they are kept: an index in order of days, so that a week is found without reading customers. At most so many a day, however many customers there are; all are counted
/// (<see cref="HealthTotals"/>). The scores have the same, by customer.
/// </summary>
internal static class TierMoves
{
    /// <summary>Most moves kept of a day in each direction, those with the largest MRR: what is shown of a week is much less.</summary>
    public const int Kept = 100;

    /// <summary>How many days they are kept: some weeks, so that one can look back from a page that was printed.</summary>
    public const int DaysKept = 60;

    /// <summary>Those that are kept.</summary>
    public static IEnumerable<TierMove> Largest(IEnumerable<TierMove> moves) =>
        moves.GroupBy(m => m.IsDown).SelectMany(side => side.OrderByDescending(m => m.Most).ThenBy(m => m.CustomerId, StringComparer.Ordinal).Take(Kept));

    /// <summary>Makes the rows of a day those of its latest sweep: a second one of the day changes nothing, or corrects the first.</summary>
    public static async Task KeepAsync(ITables tables, DateOnly on, IReadOnlyCollection<TierMove> moves, CancellationToken cancel)
    {
        var stored = new Dictionary<string, ReadOnlyMemory<byte>>(StringComparer.Ordinal);
        await foreach (var row in tables.QueryAsync(Keys.MovesOf(on), cancel)) stored[row.At.Key] = row.Body;
        var wanted = moves.ToDictionary(m => Keys.Move(on, m.CustomerId).Key, m => TablesExtensions.Write(m), StringComparer.Ordinal);
        var writes = stored.Keys.Where(key => !wanted.ContainsKey(key)).Select(Write (key) => new Write.Delete(key))
            .Concat(wanted.Where(w => !stored.TryGetValue(w.Key, out var known) || !known.Span.SequenceEqual(w.Value.Span)).Select(Write (w) => new Write.Upsert(w.Key, w.Value)));
        await foreach (var row in tables.QueryAsync(Keys.MovesBetween(DateOnly.MinValue, on.AddDays(-DaysKept)), cancel)) stored[row.At.Key] = row.Body;
        foreach (var batch in writes.Chunk(TableLimits.BatchRows)) await tables.TryCommitAsync(Keys.MovesOf(on).Partition, batch, cancel);
    }
}
