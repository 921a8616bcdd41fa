using System.Text;
using System.Text.Json.Nodes;
using RetentionFunctions.Storage;

namespace RetentionFunctions.Tests.Support;

/// <summary>All that the tables say, as text: each row with its key, each body that is kept in chunks put together.</summary>
internal static class Everywhere
{
    public static async IAsyncEnumerable<(RowKey At, string Text)> TextsAsync(ITables tables)
    {
        RowKey? body = null;
        var chunks = new StringBuilder();
        await foreach (var row in tables.ScanAsync())
        {
            var text = Encoding.UTF8.GetString(row.Body.Span);
            if (body is { } whole && whole.Partition != row.At.Partition)
            {
                yield return (whole, chunks.ToString());
                chunks.Clear();
                body = null;
            }
            if (row.At.Partition.StartsWith("body|", StringComparison.Ordinal))
            {
                body = row.At;
                chunks.Append(Encoding.Latin1.GetString(Convert.FromBase64String((string)JsonNode.Parse(text)!["data"]!)));
            }
            yield return (row.At, $"{Keys.Unescape(row.At.Partition)} {Keys.Unescape(row.At.Key)} {text}");
        }
        if (body is { } last) yield return (last, chunks.ToString());
    }
}
