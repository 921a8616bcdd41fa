using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using RetentionFunctions.Intake;
using RetentionFunctions.Local.Sqlite;
using RetentionFunctions.Storage;

namespace RetentionFunctions.Tests.Support;

/// <summary>What the host has stored, read past its HTTP surface.</summary>
internal static class HostState
{
    public static ITables Tables(this TestHost host) => host.Services.GetRequiredService<ITables>();

    public static Task<long> QueuedAsync(this TestHost host) => host.Services.GetRequiredService<SqliteInbox>().CountAsync();

    /// <summary>All rows of all tables with their versions, except the account's own (clock, mode, last sweep) and the counters.</summary>
    public static async Task<List<string>> RowsAsync(this TestHost host, string partitions = "%") => await host.Services.GetRequiredService<SqliteStore>().ReadAsync(reader =>
        reader.List("SELECT partition || ' ' || key || ' ' || etag FROM rows WHERE partition LIKE $1 AND partition NOT IN ('x-account', 'x-counters', 'x-protection') ORDER BY partition, key", row => row.Text(0), partitions));

    public static async Task<long> CountedAsync(this TestHost host, string name) =>
        (await host.Services.GetRequiredService<IntakeCounters>().ListAsync()).Where(c => c.Name == name).Sum(c => c.Count);

    /// <summary>The rows of a customer, by key, with the names of objects in ordinal order and the customer's own part of all ids replaced: two customers with the same history read the same.</summary>
    public static async Task<Dictionary<string, string>> HistoryAsync(this TestHost host, string customer)
    {
        var own = customer[(customer.IndexOf('_') + 1)..];
        var rows = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var range in new[] { Keys.Snapshots(customer), Keys.Invoices(customer), Keys.Ledger(customer), Keys.Events(customer) })
            await foreach (var row in host.Tables().QueryAsync(range)) Add(row);
        Add((await host.Tables().GetAsync(Keys.Customer(customer)))!);
        return rows;

        void Add(Row row)
        {
            var body = JsonNode.Parse(row.Body.Span)!.AsObject();
            // When the flow started is when it was heard of, which is what the orders of arrival differ in.
            body.Remove("lastStarts");
            rows[row.At.Key.Replace(own, "*", StringComparison.Ordinal)] = Sorted(body)!.ToJsonString().Replace(own, "*", StringComparison.Ordinal);
        }
    }

    /// <summary>Bytes to the webhook with these headers, by a body of known length or in chunks.</summary>
    public static async Task<(HttpStatusCode Status, string Text)> PostAsync(this TestHost host, string path, byte[] body, bool chunked = false, params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = new ByteArrayContent(body) };
        if (chunked)
        {
            request.Content = new StreamContent(new MemoryStream(body));
            request.Headers.TransferEncodingChunked = true;
        }
        foreach (var (name, value) in headers)
            if (!request.Headers.TryAddWithoutValidation(name, value)) request.Content.Headers.TryAddWithoutValidation(name, value);
        using var answer = await host.Http.SendAsync(request);
        return (answer.StatusCode, await answer.Content.ReadAsStringAsync());
    }

    public static byte[] Utf8(this JsonNode node) => Encoding.UTF8.GetBytes(node.ToJsonString());

    private static JsonNode? Sorted(JsonNode? node) => node switch
    {
        JsonObject o => new JsonObject(o.OrderBy(p => p.Key, StringComparer.Ordinal).Select(p => KeyValuePair.Create(p.Key, Sorted(p.Value)))),
        JsonArray a => new JsonArray([.. a.Select(Sorted)]),
        _ => node?.DeepClone(),
    };
}
