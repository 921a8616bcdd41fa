using System.Runtime.CompilerServices;
using Azure;
using Azure.Data.Tables;
using RetentionFunctions.Storage;

namespace RetentionFunctions.Functions;

/// <summary>
/// The tables as one table of Azure Table Storage. Limits are checked before anything is sent: Azure refuses less helpfully, and the emulator takes more than
/// Azure does.
/// </summary>
/// <param name="reads">A client that tries again by itself.</param>
/// <param name="writes">One that does not: an insert whose answer was lost would, tried again, be told that its own row stands in its way.</param>
public sealed class AzureTables(TableClient reads, TableClient writes) : ITables
{
    /// <summary>The name of the table.</summary>
    public const string Name = "retention";

    /// <summary>Makes the table where it is not there yet.</summary>
    public async Task CreateAsync(CancellationToken cancel = default) => await reads.CreateIfNotExistsAsync(cancel);

    /// <inheritdoc/>
    public async Task<Row?> GetAsync(RowKey key, CancellationToken cancel = default)
    {
        try
        {
            var found = await reads.GetEntityIfExistsAsync<TableEntity>(key.Partition, key.Key, cancellationToken: cancel);
            return found.HasValue ? Read(found.Value!) : null;
        }
        catch (Exception e) when (IsTransient(e, cancel))
        {
            throw Transient(e);
        }
    }

    /// <inheritdoc/>
    public IAsyncEnumerable<Row> QueryAsync(KeyRange range, CancellationToken cancel = default) =>
        ListAsync($"PartitionKey eq {Quoted(range.Partition)} and RowKey ge {Quoted(range.From)} and RowKey lt {Quoted(range.To)}", cancel);

    /// <inheritdoc/>
    public async IAsyncEnumerable<Row> ScanAsync(RowKey? after = null, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        // Two questions, each a range: Azure answers an "or" of both by reading the whole table.
        if (after is { } last)
            await foreach (var row in ListAsync($"PartitionKey eq {Quoted(last.Partition)} and RowKey gt {Quoted(last.Key)}", cancel)) yield return row;
        await foreach (var row in ListAsync(after is { } from ? $"PartitionKey gt {Quoted(from.Partition)}" : null, cancel)) yield return row;
    }

    private async IAsyncEnumerable<Row> ListAsync(string? filter, [EnumeratorCancellation] CancellationToken cancel)
    {
        await using var rows = reads.QueryAsync<TableEntity>(filter, cancellationToken: cancel).GetAsyncEnumerator(cancel);
        while (true)
        {
            Row row;
            try
            {
                if (!await rows.MoveNextAsync()) yield break;
                row = Read(rows.Current);
            }
            catch (Exception e) when (IsTransient(e, cancel))
            {
                throw Transient(e);
            }
            yield return row;
        }
    }

    /// <inheritdoc/>
    public async Task<bool> TryCommitAsync(string partition, IReadOnlyList<Write> batch, CancellationToken cancel = default)
    {
        TableLimits.Check(partition, batch);
        if (batch.Any(write => write is Write.Replace { ETag: var replaced } && !IsOurs(replaced) || write is Write.Delete { ETag: { } deleted } && !IsOurs(deleted))) return false;
        try
        {
            return batch.Count == 1 ? await WriteAsync(partition, batch[0], cancel) : await WriteAsync(partition, [.. batch], cancel);
        }
        catch (Exception e) when (IsTransient(e, cancel))
        {
            throw Transient(e);
        }
    }

    private async Task<bool> WriteAsync(string partition, Write write, CancellationToken cancel)
    {
        try
        {
            switch (write)
            {
                case Write.Insert insert:
                    await writes.AddEntityAsync(Entity(partition, insert.Key, insert.Body), cancel);
                    return true;
                case Write.Replace replace:
                    await writes.UpdateEntityAsync(Entity(partition, replace.Key, replace.Body), new ETag(replace.ETag), TableUpdateMode.Replace, cancel);
                    return true;
                case Write.Upsert upsert:
                    await writes.UpsertEntityAsync(Entity(partition, upsert.Key, upsert.Body), TableUpdateMode.Replace, cancel);
                    return true;
                case Write.Delete delete:
                    // This one client of the SDK does not throw where the row is gone: it answers 404.
                    var answer = await writes.DeleteEntityAsync(partition, delete.Key, ETagOf(delete), cancel);
                    return answer.Status != 404 || delete.ETag is null;
                default:
                    throw new ArgumentException($"A write of the kind {write.GetType().Name} is not known.", nameof(write));
            }
        }
        catch (RequestFailedException e) when (IsConflict(e))
        {
            return e.Status == 404 && write is Write.Delete { ETag: null };
        }
    }

    private async Task<bool> WriteAsync(string partition, List<Write> batch, CancellationToken cancel)
    {
        while (batch.Count > 0)
        {
            try
            {
                await writes.SubmitTransactionAsync(batch.Select(write => Action(partition, write)), cancel);
                return true;
            }
            catch (TableTransactionFailedException e) when (IsConflict(e))
            {
                // In a transaction a delete needs its row, conditional or not. One that is gone already is what the delete wants.
                if (e is not { Status: 404, FailedTransactionActionIndex: { } at } || at >= batch.Count || batch[at] is not Write.Delete { ETag: null }) return false;
                batch.RemoveAt(at);
            }
            catch (RequestFailedException e) when (IsConflict(e))
            {
                return false;
            }
        }
        return true;
    }

    private static TableTransactionAction Action(string partition, Write write) => write switch
    {
        Write.Insert insert => new(TableTransactionActionType.Add, Entity(partition, insert.Key, insert.Body)),
        Write.Replace replace => new(TableTransactionActionType.UpdateReplace, Entity(partition, replace.Key, replace.Body), new ETag(replace.ETag)),
        Write.Upsert upsert => new(TableTransactionActionType.UpsertReplace, Entity(partition, upsert.Key, upsert.Body)),
        Write.Delete delete => new(TableTransactionActionType.Delete, new TableEntity(partition, delete.Key), ETagOf(delete)),
        _ => throw new ArgumentException($"A write of the kind {write.GetType().Name} is not known.", nameof(write)),
    };

    private static TableEntity Entity(string partition, string key, ReadOnlyMemory<byte> body)
    {
        var entity = new TableEntity(partition, key);
        foreach (var (name, value) in Columns.Of(body)) entity[name] = value;
        return entity;
    }

    private static Row Read(TableEntity entity) => new(new RowKey(entity.PartitionKey, entity.RowKey), Columns.Read(entity), entity.ETag.ToString());

    private static ETag ETagOf(Write.Delete delete) => delete.ETag is { } tag ? new ETag(tag) : ETag.All;

    // Azure's are weak and quoted. Anything else was read elsewhere and matches nothing; "*" would match everything.
    private static bool IsOurs(string etag) => etag.StartsWith("W/\"", StringComparison.Ordinal);

    private static string Quoted(string text) => $"'{text.Replace("'", "''", StringComparison.Ordinal)}'";

    // 404: the row of a replace or delete is gone; not where the table itself is.
    private static bool IsConflict(RequestFailedException e) =>
        e.Status is 412 || (e.Status == 409 && e.ErrorCode is "EntityAlreadyExists") || (e.Status == 404 && e.ErrorCode is not "TableNotFound");

    private static bool IsTransient(Exception e, CancellationToken cancel) => !cancel.IsCancellationRequested && e switch
    {
        // 0: no answer at all. A table that is being made or deleted answers 404 or 409.
        RequestFailedException { Status: 0 or 408 or 429 or >= 500 } => true,
        RequestFailedException { ErrorCode: "TableNotFound" or "TableBeingDeleted" } => true,
        OperationCanceledException or TimeoutException or IOException or HttpRequestException => true,
        // What the SDK throws when it has tried often enough.
        AggregateException many => many.InnerExceptions.All(inner => IsTransient(inner, cancel)),
        _ => false,
    };

    private static TransientStorageException Transient(Exception e) => new($"The table storage did not answer: {(e is RequestFailedException failed ? $"{failed.Status} {failed.ErrorCode}" : e.Message)}", e);
}
