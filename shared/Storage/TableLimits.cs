using System.Text.Json;

namespace RetentionFunctions.Storage;

/// <summary>
/// The limits of Azure Table Storage, refused by every implementation alike, so that what passes locally passes on Azure.
/// Source: "Understanding the Table service data model" and "Performing entity group transactions" of Azure's documentation.
/// </summary>
public static class TableLimits
{
    /// <summary>Most writes in one batch.</summary>
    public const int BatchRows = 100;

    /// <summary>Most bytes in one batch: 4 MiB.</summary>
    public const int BatchBytes = 4 * 1024 * 1024;

    /// <summary>Most bytes in one row: 1 MiB.</summary>
    public const int RowBytes = 1024 * 1024;

    /// <summary>Most UTF-16 bytes in one property: 64 KiB.</summary>
    public const int PropertyBytes = 64 * 1024;

    /// <summary>Most properties in one row: 252 besides the keys and the timestamp.</summary>
    public const int Properties = 252;

    /// <summary>Most UTF-16 bytes in a partition key or row key: 1 KiB.</summary>
    public const int KeyBytes = 1024;

    /// <summary>Throws where a batch breaks a limit.</summary>
    /// <exception cref="ArgumentException">Says which limit, of which row.</exception>
    public static void Check(string partition, IReadOnlyList<Write> writes)
    {
        CheckKey("partition key", partition);
        if (writes.Count is 0 or > BatchRows) throw new ArgumentException($"A batch holds 1 to {BatchRows} rows, not {writes.Count}.", nameof(writes));
        var keys = new HashSet<string>(writes.Count, StringComparer.Ordinal);
        long total = 0;
        foreach (var write in writes)
        {
            CheckKey("row key", write.Key);
            if (!keys.Add(write.Key)) throw new ArgumentException($"A batch names the row '{write.Key}' twice.", nameof(writes));
            var body = write switch
            {
                Write.Insert w => w.Body,
                Write.Replace w => w.Body,
                Write.Upsert w => w.Body,
                _ => default,
            };
            if (write is Write.Delete) continue;
            total += CheckBody(write.Key, body);
        }
        if (total > BatchBytes) throw new ArgumentException($"A batch holds at most {BatchBytes} bytes, not {total}.", nameof(writes));
    }

    /// <summary>Throws where a key is empty, too long, or has a character that Table Storage forbids.</summary>
    /// <exception cref="ArgumentException">Says what is wrong with it.</exception>
    public static void CheckKey(string what, string key)
    {
        if (key.Length == 0) throw new ArgumentException($"An empty {what}.");
        if (key.Length * 2 > KeyBytes) throw new ArgumentException($"A {what} has at most {KeyBytes / 2} characters, not {key.Length}.");
        foreach (var c in key)
            if (c is '/' or '\\' or '#' or '?' or < ' ' or (>= '\u007f' and <= '\u009f'))
                throw new ArgumentException($"The {what} '{key}' has the forbidden character U+{(int)c:X4}.");
    }

    private static int CheckBody(string key, ReadOnlyMemory<byte> body)
    {
        if (body.Length > RowBytes) throw new ArgumentException($"The row '{key}' has {body.Length} bytes; {RowBytes} is the most.");
        var reader = new Utf8JsonReader(body.Span);
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject) throw new ArgumentException($"The body of the row '{key}' is not a JSON object.");
        var properties = 0;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            properties++;
            var name = reader.ValueSpan;
            var start = reader.TokenStartIndex + name.Length;
            reader.Read();
            reader.Skip();
            // UTF-8 bytes times two is never less than the UTF-16 bytes of the same text.
            var bytes = 2 * (reader.BytesConsumed - start);
            if (bytes > 2 * PropertyBytes || (bytes > PropertyBytes && Utf16Bytes(body.Span[(int)start..(int)reader.BytesConsumed]) > PropertyBytes))
                throw new ArgumentException($"The property '{System.Text.Encoding.UTF8.GetString(name)}' of the row '{key}' has more than {PropertyBytes} bytes.");
        }
        if (properties > Properties) throw new ArgumentException($"The row '{key}' has {properties} properties; {Properties} is the most.");
        return body.Length;
    }

    private static int Utf16Bytes(ReadOnlySpan<byte> utf8) => 2 * System.Text.Encoding.UTF8.GetCharCount(utf8);
}
