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

    /// <summary>Most bytes in one batch as it is sent: 4 MiB, with every character escaped that Azure's client escapes.</summary>
    public const int BatchBytes = 4 * 1024 * 1024;

    /// <summary>Most bytes in one row as it is kept: 1 MiB of UTF-16, so about half a million characters.</summary>
    public const int RowBytes = 1024 * 1024;

    /// <summary>Most UTF-16 bytes in one property: 64 KiB.</summary>
    public const int PropertyBytes = 64 * 1024;

    /// <summary>Most properties in one row: 252 besides the keys and the timestamp.</summary>
    public const int Properties = 252;

    /// <summary>Most UTF-8 bytes in the name of a property: Azure takes 255 characters, and a name that is no identifier may be spelled in hex.</summary>
    public const int PropertyNameBytes = 125;

    /// <summary>Most UTF-16 bytes in a partition key or row key: 1 KiB.</summary>
    public const int KeyBytes = 1024;

    // What stands around a row in a batch: headers, address, boundaries, the keys once more. Measured with Azure.Data.Tables 12.11.0: 400 to 530 bytes with short keys and a short address.
    private const int SentRowBytes = 768;

    // A property whose type is told beside it: "name@odata.type":"Edm.Int64".
    private const int SentPropertyBytes = 40;

    /// <summary>Throws where a batch breaks a limit.</summary>
    /// <returns>The bytes of the batch as it is sent, at most.</returns>
    /// <exception cref="ArgumentException">Says which limit, of which row.</exception>
    public static long Check(string partition, IReadOnlyList<Write> writes)
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
            total += SentRowBytes + (6L * 3 * (partition.Length + write.Key.Length));
            if (write is Write.Delete) continue;
            total += CheckBody(partition, write.Key, body);
        }
        if (total > BatchBytes) throw new ArgumentException($"A batch holds at most {BatchBytes} bytes, not {total}.", nameof(writes));
        return total;
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

    // The bytes of the body as it is sent, at most.
    private static long CheckBody(string partition, string key, ReadOnlyMemory<byte> body)
    {
        var reader = new Utf8JsonReader(body.Span);
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject) throw new ArgumentException($"The body of the row '{key}' is not a JSON object.");
        var properties = 0;
        var names = 0;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            properties++;
            var name = reader.ValueSpan;
            if (name.Length > PropertyNameBytes) throw new ArgumentException($"The row '{key}' has a property whose name is {name.Length} bytes long; {PropertyNameBytes} is the most.");
            names += name.Length;
            var start = reader.TokenStartIndex + name.Length;
            reader.Read();
            reader.Skip();
            // UTF-8 bytes times two is never less than the UTF-16 bytes of the same text.
            var bytes = 2 * (reader.BytesConsumed - start);
            if (bytes > 2 * PropertyBytes || (bytes > PropertyBytes && Utf16Bytes(body.Span[(int)start..(int)reader.BytesConsumed]) > PropertyBytes))
                throw new ArgumentException($"The property '{System.Text.Encoding.UTF8.GetString(name)}' of the row '{key}' has more than {PropertyBytes} bytes.");
        }
        if (properties > Properties) throw new ArgumentException($"The row '{key}' has {properties} properties; {Properties} is the most.");
        // Azure counts 8 bytes for a property and 4 for a text beside the UTF-16 of name and value; the JSON around them is as much, but for short numbers.
        var around = 2 * (partition.Length + key.Length) + 8 * properties;
        if (2L * body.Length + around > RowBytes && Utf16Bytes(body.Span) + around > RowBytes)
            throw new ArgumentException($"The row '{key}' has {Utf16Bytes(body.Span) + around} bytes as UTF-16; {RowBytes} is the most.");
        // A name may be spelled in hex, and stands once more where the type is told.
        return EscapedBytes(body.Span) + (3L * names) + ((long)SentPropertyBytes * properties);
    }

    // Azure's client escapes quotes and everything beyond ASCII, six bytes for each UTF-16 unit. By byte, since this is asked of every byte that is written.
    private static readonly byte[] Escaped =
    [
        .. Enumerable.Range(0, 256).Select(b => (byte)(b switch
        {
            '"' or '&' or '\'' or '+' or '<' or '>' or '`' or < 0x20 or 0x7f => 6,
            '\\' => 2,
            < 0x80 => 1,
            // The first byte of two or three is one unit, of four two; the others follow.
            >= 0xf0 => 12,
            >= 0xc0 => 6,
            _ => 0,
        })),
    ];

    private static long EscapedBytes(ReadOnlySpan<byte> utf8)
    {
        long bytes = 0;
        foreach (var b in utf8) bytes += Escaped[b];
        return bytes;
    }

    private static int Utf16Bytes(ReadOnlySpan<byte> utf8) => 2 * System.Text.Encoding.UTF8.GetCharCount(utf8);
}
