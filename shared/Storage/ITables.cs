namespace RetentionFunctions.Storage;

/// <summary>
/// Rows by partition and row key, as Azure Table Storage has them; the only way in which the product keeps anything.
/// Implementations call <see cref="TableLimits"/> first, so that what one accepts every other accepts too.
/// Transient faults throw <see cref="TransientStorageException"/> and may be retried: a commit that threw may or may not have happened.
/// </summary>
public interface ITables
{
    /// <summary>The row, or null where there is none.</summary>
    Task<Row?> GetAsync(RowKey key, CancellationToken cancel = default);

    /// <summary>The rows of one partition from <see cref="KeyRange.From"/> up to, not including, <see cref="KeyRange.To"/>, in ordinal order of their keys.</summary>
    IAsyncEnumerable<Row> QueryAsync(KeyRange range, CancellationToken cancel = default);

    /// <summary>
    /// All rows of all partitions after a position, in ordinal order of their partitions and then of their keys: for what goes through everything, such as a
    /// backup. Rows that are written meanwhile further on may show.
    /// </summary>
    /// <param name="after">The last position that was seen; null: from the beginning.</param>
    /// <param name="cancel">Gives up.</param>
    IAsyncEnumerable<Row> ScanAsync(RowKey? after = null, CancellationToken cancel = default);

    /// <summary>
    /// The buckets of customers (<see cref="Keys.AllBuckets"/>) in which there may be rows, in order: for what goes through all of them. All of them, where the store cannot say which are empty.
    /// </summary>
    Task<IReadOnlyList<string>> BucketsInUseAsync(CancellationToken cancel = default) => Task.FromResult<IReadOnlyList<string>>([.. Keys.AllBuckets]);

    /// <summary>
    /// Writes all rows of one partition or none. False where a precondition does not hold (an <see cref="Write.Insert"/> whose row
    /// exists, a <see cref="Write.Replace"/> or conditional <see cref="Write.Delete"/> whose row changed or is gone): nothing was written then;
    /// read again and decide again. At most 100 writes, each key once, 4 MiB.
    /// </summary>
    /// <exception cref="ArgumentException">The batch breaks a limit of <see cref="TableLimits"/>; retrying cannot help.</exception>
    Task<bool> TryCommitAsync(string partition, IReadOnlyList<Write> writes, CancellationToken cancel = default);
}

/// <summary>Where a row stands. Built only by <see cref="Keys"/>.</summary>
/// <param name="Partition">The partition key.</param>
/// <param name="Key">The row key.</param>
public readonly record struct RowKey(string Partition, string Key);

/// <summary>A contiguous range of row keys in one partition. Built only by <see cref="Keys"/>.</summary>
/// <param name="Partition">The partition key.</param>
/// <param name="From">The first row key.</param>
/// <param name="To">The row key before which the range ends.</param>
public readonly record struct KeyRange(string Partition, string From, string To);

/// <summary>One stored row.</summary>
/// <param name="At">Where it stands.</param>
/// <param name="Body">A JSON object in UTF-8; in Azure its top-level properties are typed columns.</param>
/// <param name="ETag">Changes with every write of the row.</param>
public sealed record Row(RowKey At, ReadOnlyMemory<byte> Body, string ETag);

/// <summary>One change of one row inside a batch.</summary>
/// <param name="Key">The row key, in the partition of the batch.</param>
public abstract record Write(string Key)
{
    /// <summary>Writes a row that must not exist yet.</summary>
    public sealed record Insert(string Key, ReadOnlyMemory<byte> Body) : Write(Key);

    /// <summary>Writes a row that must still be as it was read.</summary>
    public sealed record Replace(string Key, ReadOnlyMemory<byte> Body, string ETag) : Write(Key);

    /// <summary>Writes a row whatever stood there.</summary>
    public sealed record Upsert(string Key, ReadOnlyMemory<byte> Body) : Write(Key);

    /// <summary>Removes a row; without an ETag also where it is already gone.</summary>
    public sealed record Delete(string Key, string? ETag = null) : Write(Key);
}

/// <summary>The store did not answer as it should (busy, unreachable, throttled); the same call may succeed later.</summary>
public sealed class TransientStorageException : Exception
{
    /// <summary>With what the store said.</summary>
    public TransientStorageException(string message, Exception? inner = null) : base(message, inner) { }
}
