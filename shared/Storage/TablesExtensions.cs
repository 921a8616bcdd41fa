using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace RetentionFunctions.Storage;

/// <summary>A value as it was read, with the ETag to replace it by.</summary>
/// <param name="Value">The value.</param>
/// <param name="ETag">The ETag of its row.</param>
public sealed record Stored<T>(T Value, string ETag);

/// <summary>Typed rows over <see cref="ITables"/>.</summary>
public static class TablesExtensions
{
    /// <summary>How every row is written: camelCase, enums as text, nulls left out, so that a founder can read the tables.</summary>
    public static JsonSerializerOptions Json { get; } = new(JsonSerializerDefaults.Web)
    {
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        NumberHandling = JsonNumberHandling.Strict,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.CamelCase) },
        // Rows are never put into HTML unencoded, so text in other scripts may stay readable.
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <summary>The body of a row.</summary>
    public static ReadOnlyMemory<byte> Write<T>(T value) => JsonSerializer.SerializeToUtf8Bytes(value, Json);

    /// <summary>The value of a row.</summary>
    public static T Read<T>(this Row row) =>
        JsonSerializer.Deserialize<T>(row.Body.Span, Json) ?? throw new JsonException($"The row {row.At} is null.");

    /// <summary>The value of a row, or null where there is none.</summary>
    public static async Task<Stored<T>?> GetAsync<T>(this ITables tables, RowKey key, CancellationToken cancel = default) where T : class =>
        await tables.GetAsync(key, cancel) is { } row ? new Stored<T>(row.Read<T>(), row.ETag) : null;

    /// <summary>The values of a range, in order of their keys.</summary>
    public static async Task<List<T>> ListAsync<T>(this ITables tables, KeyRange range, CancellationToken cancel = default)
    {
        var values = new List<T>();
        await foreach (var row in tables.QueryAsync(range, cancel)) values.Add(row.Read<T>());
        return values;
    }

    /// <summary>Inserts one row; false where it exists.</summary>
    public static Task<bool> TryInsertAsync<T>(this ITables tables, RowKey key, T value, CancellationToken cancel = default) =>
        tables.TryCommitAsync(key.Partition, [new Write.Insert(key.Key, Write(value))], cancel);

    /// <summary>Replaces one row; false where it changed since it was read.</summary>
    public static Task<bool> TryReplaceAsync<T>(this ITables tables, RowKey key, T value, string etag, CancellationToken cancel = default) =>
        tables.TryCommitAsync(key.Partition, [new Write.Replace(key.Key, Write(value), etag)], cancel);

    /// <summary>Writes one row whatever stood there.</summary>
    public static Task UpsertAsync<T>(this ITables tables, RowKey key, T value, CancellationToken cancel = default) =>
        tables.TryCommitAsync(key.Partition, [new Write.Upsert(key.Key, Write(value))], cancel);

    /// <summary>Removes one row, also where it is already gone.</summary>
    public static Task DeleteAsync(this ITables tables, RowKey key, CancellationToken cancel = default) =>
        tables.TryCommitAsync(key.Partition, [new Write.Delete(key.Key)], cancel);

    /// <summary>
    /// Read, decide, write, and again where somebody else wrote in between. <paramref name="change"/> gets the present value (null where
    /// there is none) and returns the new one, or null to leave the row as it is. Returns the value that stands at the end.
    /// </summary>
    /// <exception cref="TransientStorageException">The row was contended ten times in a row.</exception>
    public static async Task<T?> ChangeAsync<T>(this ITables tables, RowKey key, Func<T?, T?> change, CancellationToken cancel = default) where T : class
    {
        for (var attempt = 0; attempt < 10; attempt++)
        {
            var found = await tables.GetAsync<T>(key, cancel);
            if (change(found?.Value) is not { } wanted) return found?.Value;
            var done = found is null
                ? await tables.TryInsertAsync(key, wanted, cancel)
                : await tables.TryReplaceAsync(key, wanted, found.ETag, cancel);
            if (done) return wanted;
        }
        throw new TransientStorageException("A row was changed by others ten times in a row.");
    }
}
