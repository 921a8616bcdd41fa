namespace RetentionFunctions.Storage;

/// <summary>Goes through what all buckets of customers hold, several buckets at a time: on Azure each query takes some milliseconds.</summary>
public static class BucketWalk
{
    // Enough to hide the way to Azure's tables, few enough not to be throttled.
    private const int AtOnce = 16;

    /// <summary>Does something with each bucket, in no order.</summary>
    public static Task EachAsync(Func<string, CancellationToken, ValueTask> work, CancellationToken cancel = default) =>
        Parallel.ForEachAsync(Keys.AllBuckets, new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = cancel }, work);

    /// <summary>Looks at each row of a range of all buckets, in no order, and keeps none.</summary>
    /// <param name="tables">Read.</param>
    /// <param name="range">The range of a bucket.</param>
    /// <param name="look">Called by several threads at a time.</param>
    /// <param name="cancel">Gives up.</param>
    public static Task EachRowAsync(this ITables tables, Func<string, KeyRange> range, Action<Row> look, CancellationToken cancel = default) => EachAsync(async (bucket, token) =>
    {
        await foreach (var row in tables.QueryAsync(range(bucket), token)) look(row);
    }, cancel);
}
