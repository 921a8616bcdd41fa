using System.Text.Json.Nodes;
using RetentionFunctions.Storage;

namespace RetentionFunctions.Intake;

/// <summary>Keeps bodies that are too large for a queue or a column, in chunks.</summary>
public sealed class BodyStore(ITables tables)
{
    /// <summary>Largest body that a queue carries itself: Service Bus allows 256 KB a message with its headers.</summary>
    public const int QueueBytes = 200 * 1024;

    // A column holds 64 KiB of UTF-16; base64 of 24,000 bytes is 32,000 characters.
    private const int ChunkBytes = 24_000;

    // 4 MiB a batch at UTF-8 sizes: eighty chunks stay well below it.
    private const int ChunksPerBatch = 80;

    /// <summary>The message as the queue can carry it: a large body is stored and replaced by its key.</summary>
    public async Task<InboxMessage> FitAsync(InboxMessage message, CancellationToken cancel = default)
    {
        if (message.Body.Length <= QueueBytes) return message;
        var id = $"inbox:{message.Id}";
        await PutAsync(id, message.Body, cancel);
        return message with { Body = System.Text.Encoding.UTF8.GetBytes(id), BodyStored = true };
    }

    /// <summary>
    /// The body of a message as it came in; null where it was stored and is gone. It is stored before the message is queued and removed when the message
    /// is done, so then this is a second delivery of what was handled: after a crash in between, or a copy that came while the first was handled.
    /// </summary>
    public async Task<ReadOnlyMemory<byte>?> BodyOfAsync(InboxMessage message, CancellationToken cancel = default) =>
        message.BodyStored ? await GetAsync(System.Text.Encoding.UTF8.GetString(message.Body.Span), cancel) : message.Body;

    /// <summary>Removes the stored body of a message that is done.</summary>
    public Task DoneAsync(InboxMessage message, CancellationToken cancel = default) =>
        message.BodyStored ? DeleteAsync(System.Text.Encoding.UTF8.GetString(message.Body.Span), cancel) : Task.CompletedTask;

    /// <summary>Keeps a body under an id; the same again changes nothing.</summary>
    public async Task PutAsync(string id, ReadOnlyMemory<byte> body, CancellationToken cancel = default)
    {
        var chunks = Math.Max(1, (body.Length + ChunkBytes - 1) / ChunkBytes);
        foreach (var batch in Enumerable.Range(0, chunks).Chunk(ChunksPerBatch))
        {
            var writes = batch.Select(i => (Write)new Write.Upsert(Keys.BodyChunk(id, i).Key, TablesExtensions.Write(
                new JsonObject { ["data"] = Convert.ToBase64String(body.Span.Slice(i * ChunkBytes, Math.Min(ChunkBytes, body.Length - i * ChunkBytes))) }))).ToList();
            await tables.TryCommitAsync(Keys.BodyChunk(id, 0).Partition, writes, cancel);
        }
    }

    /// <summary>The body, or null where there is none.</summary>
    public async Task<ReadOnlyMemory<byte>?> GetAsync(string id, CancellationToken cancel = default)
    {
        using var body = new MemoryStream();
        var any = false;
        await foreach (var row in tables.QueryAsync(Keys.BodyChunks(id), cancel))
        {
            any = true;
            body.Write(Convert.FromBase64String((string)row.Read<JsonObject>()["data"]!));
        }
        // Not as one conditional: its null would become memory that is empty and there, as arrays turn into memory by themselves.
        if (!any) return null;
        return body.ToArray();
    }

    /// <summary>Removes it, also where it is already gone.</summary>
    public async Task DeleteAsync(string id, CancellationToken cancel = default)
    {
        var keys = new List<string>();
        await foreach (var row in tables.QueryAsync(Keys.BodyChunks(id), cancel)) keys.Add(row.At.Key);
        foreach (var batch in keys.Chunk(TableLimits.BatchRows))
            await tables.TryCommitAsync(Keys.BodyChunk(id, 0).Partition, [.. batch.Select(k => new Write.Delete(k))], cancel);
    }
}
