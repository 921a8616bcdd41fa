using System.Collections.Concurrent;
using RetentionFunctions.Flows;
using RetentionFunctions.Insight;
using RetentionFunctions.Storage;

namespace RetentionFunctions.Web;

/// <summary>
/// What the pages and the JSON API read of runs. A run's row carries its flow's whole definition, and there are some of each customer: what is asked of all of them is counted or chosen while they
/// are read, so that what is kept in memory does not grow with those that have ended.
/// </summary>
public sealed class RunQueries(ITables tables)
{
    /// <summary>The runs of one customer, the latest start first.</summary>
    public async Task<IReadOnlyList<Run>> OfAsync(string customerId, CancellationToken cancel = default) => InOrder(await tables.ListAsync<Run>(Keys.Runs(customerId), cancel));

    /// <summary>All runs that have not ended, the latest start first.</summary>
    public async Task<IReadOnlyList<Run>> OpenAsync(CancellationToken cancel = default) => InOrder(await ChosenAsync<Run>(run => run.Status != RunStatus.Ended, cancel));

    /// <summary>What a page of runs shows: of those that are open the ones due next, of those that have ended the latest.</summary>
    /// <param name="open">How many open ones at most.</param>
    /// <param name="ended">How many that have ended at most.</param>
    /// <param name="cancel">Gives up.</param>
    public async Task<RunPageRows> PageAsync(int open, int ended, CancellationToken cancel = default)
    {
        var (next, latest) = (new First(open), new First(ended));
        await tables.EachRowAsync(Keys.RunsOfBucket, row =>
        {
            var run = row.Read<Run>();
            if (run.Status != RunStatus.Ended) next.Add(run, (run.DueAt ?? DateTimeOffset.MinValue).UtcTicks);
            else latest.Add(run, -(run.EndedAt ?? DateTimeOffset.MinValue).UtcTicks);
        }, cancel);
        return new RunPageRows(next.InOrder(), next.Count, latest.InOrder(), latest.Count);
    }

    /// <summary>What is counted of the runs that are open or have ended since a moment, in no order.</summary>
    public Task<IReadOnlyList<RunGlance>> GlancesAsync(DateTimeOffset since, CancellationToken cancel = default) => ChosenAsync<RunGlance>(run => run.EndedAt is not { } ended || ended > since, cancel);

    /// <summary>How many runs of each kind there are.</summary>
    /// <param name="kind">Says of which kind one is.</param>
    /// <param name="cancel">Gives up.</param>
    public async Task<IReadOnlyDictionary<TKind, int>> CountAsync<TKind>(Func<RunStanding, TKind> kind, CancellationToken cancel = default) where TKind : notnull
    {
        var counts = new ConcurrentDictionary<TKind, int>();
        await tables.EachRowAsync(Keys.RunsOfBucket, row => counts.AddOrUpdate(kind(row.Read<RunStanding>()), 1, (_, count) => count + 1), cancel);
        return counts;
    }

    /// <summary>What the runs of all flows did, as they stand now. What they brought is not asked.</summary>
    public async Task<IReadOnlyList<FlowTally>> TalliesAsync(CancellationToken cancel = default)
    {
        var tallies = new ConcurrentBag<FlowTally>();
        await BucketWalk.EachAsync(async (bucket, token) =>
        {
            foreach (var tally in FlowTally.OfRuns(await tables.ListAsync<Run>(Keys.RunsOfBucket(bucket), token))) tallies.Add(tally);
        }, cancel);
        return FlowTally.Sum(tallies);
    }

    private async Task<IReadOnlyList<T>> ChosenAsync<T>(Func<T, bool> wanted, CancellationToken cancel)
    {
        var found = new ConcurrentBag<T>();
        await tables.EachRowAsync(Keys.RunsOfBucket, row =>
        {
            if (row.Read<T>() is var run && wanted(run)) found.Add(run);
        }, cancel);
        return [.. found];
    }

    private static List<Run> InOrder(IEnumerable<Run> runs) =>
        [.. runs.OrderByDescending(r => r.StartedAt).ThenBy(r => r.Id.ToString(), StringComparer.Ordinal)];

    /// <summary>The first so many of all that are added, by their places.</summary>
    private sealed class First(int most)
    {
        // The last place first: it is the one that has to go.
        private readonly PriorityQueue<Run, (long Place, string Id)> kept = new(Comparer<(long Place, string Id)>.Create((a, b) => InPlaces(b, a)));
        private readonly Lock gate = new();

        /// <summary>How many were added in all.</summary>
        public int Count { get; private set; }

        public void Add(Run run, long place)
        {
            lock (gate)
            {
                Count++;
                if (kept.Count < most) kept.Enqueue(run, (place, run.Id.ToString()));
                else kept.EnqueueDequeue(run, (place, run.Id.ToString()));
            }
        }

        public List<Run> InOrder() => [.. kept.UnorderedItems.OrderBy(k => k.Priority, Comparer<(long Place, string Id)>.Create(InPlaces)).Select(k => k.Element)];

        private static int InPlaces((long Place, string Id) a, (long Place, string Id) b) => a.Place != b.Place ? a.Place.CompareTo(b.Place) : string.CompareOrdinal(a.Id, b.Id);
    }
}

/// <summary>What a page of runs shows.</summary>
/// <param name="Open">Those that have not ended, the one due next first; those that only begin before all.</param>
/// <param name="OpenCount">How many those are in all.</param>
/// <param name="Ended">Those that have, the latest first.</param>
/// <param name="EndedCount">How many those are in all.</param>
public sealed record RunPageRows(IReadOnlyList<Run> Open, int OpenCount, IReadOnlyList<Run> Ended, int EndedCount);

/// <summary>What is read of a run to count it.</summary>
/// <param name="Status">Where it is.</param>
/// <param name="Preview">It sends nothing.</param>
/// <param name="EndedAt">When it ended.</param>
/// <param name="Outcome">How it ended.</param>
/// <param name="Sent">What was sent, in order.</param>
public sealed record RunGlance(RunStatus Status, bool Preview, DateTimeOffset? EndedAt, RunOutcome? Outcome, IReadOnlyList<SentStep>? Sent)
{
    /// <summary>Of a run that is at hand.</summary>
    public static RunGlance Of(Run run) => new(run.Status, run.Preview, run.EndedAt, run.Outcome, run.Sent);
}

/// <summary>What is read of a run to say how it stands.</summary>
/// <param name="Status">Where it is.</param>
/// <param name="Preview">It sends nothing.</param>
/// <param name="Outcome">How it ended.</param>
/// <param name="StartedAt">When it started.</param>
/// <param name="DueAt">When it is looked at next.</param>
public sealed record RunStanding(RunStatus Status, bool Preview, RunOutcome? Outcome, DateTimeOffset StartedAt, DateTimeOffset? DueAt);
