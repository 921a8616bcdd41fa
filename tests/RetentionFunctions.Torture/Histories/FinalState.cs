using System.Text.Json.Nodes;
using RetentionFunctions.Storage;

namespace RetentionFunctions.Torture.Histories;

/// <summary>
/// What must be the same whatever the way in which events came: all rows but those of runs, their e-mails and notes, of days' scores and moves between tiers, and what was counted of them at night. When something was heard
/// decides what was begun and what was thought of the customer meanwhile.
/// </summary>
internal static class FinalState
{
    private static readonly string[] OfTheWay = ["score|", "run|", "mail|", "note|"];

    public static bool Counts(RowKey at) =>
        !OfTheWay.Any(noun => at.Key.StartsWith(noun, StringComparison.Ordinal)) && at.Partition is not ("x-account" or "x-counters" or "x-protection" or "x-sweeps" or "x-sandbox" or "x-jobs" or "x-moves" or "x-review") && !at.Partition.StartsWith("x-summary|", StringComparison.Ordinal);

    /// <summary>A row as text, with the names of objects in order.</summary>
    public static string Of(RowKey at, ReadOnlyMemory<byte> row)
    {
        var body = JsonNode.Parse(row.Span)!.AsObject();
        if (at.Key.StartsWith("customer|", StringComparison.Ordinal))
            foreach (var name in new[] { "lastStarts", "openRuns", "watchedRuns", "health", "valueTier", "lastMarketingMailAt" }) body.Remove(name);
        // When a closed month was changed is when something was heard; one in which nothing is left but that is none.
        if (at == Keys.MonthsOfBucket(at.Partition))
            foreach (var (name, month) in body.ToList())
            {
                month!.AsObject().Remove("correctedAt");
                if (month["cells"]!.AsArray().Count == 0) body.Remove(name);
            }
        return Sorted(body)!.ToJsonString();
    }

    /// <summary>Fails with the first place where two states differ.</summary>
    public static void Same(SortedDictionary<string, string> expected, SortedDictionary<string, string> found)
    {
        // A bucket that only knows when something was corrected knows nothing.
        foreach (var rows in new[] { expected, found })
            foreach (var empty in rows.Where(row => row.Value == "{}").Select(row => row.Key).ToList()) rows.Remove(empty);
        Assert.Equal(expected.Keys, found.Keys);
        foreach (var (key, row) in expected)
            if (row != found[key]) Assert.Fail($"{key}: {Difference(JsonNode.Parse(row), JsonNode.Parse(found[key]), "$")}");
    }

    private static string? Difference(JsonNode? a, JsonNode? b, string at) => (a, b) switch
    {
        (JsonObject x, JsonObject y) => x.Select(p => p.Key).Union(y.Select(p => p.Key)).Select(name => Difference(x[name], y[name], $"{at}.{name}")).FirstOrDefault(d => d is not null),
        (JsonArray x, JsonArray y) when x.Count == y.Count => x.Select((item, n) => Difference(item, y[n], $"{at}[{n}]")).FirstOrDefault(d => d is not null),
        _ => JsonNode.DeepEquals(a, b) ? null : $"{at} is {a?.ToJsonString() ?? "nothing"} in order and {b?.ToJsonString() ?? "nothing"} as it arrived",
    };

    private static JsonNode? Sorted(JsonNode? node) => node switch
    {
        JsonObject o => new JsonObject(o.OrderBy(p => p.Key, StringComparer.Ordinal).Select(p => KeyValuePair.Create(p.Key, Sorted(p.Value)))),
        JsonArray a => new JsonArray([.. a.Select(Sorted)]),
        _ => node?.DeepClone(),
    };
}
