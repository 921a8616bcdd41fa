using System.Text.Json;
using System.Text.Json.Nodes;
using RetentionFunctions.Storage;

namespace RetentionFunctions.Backup;

/// <summary>
/// What becomes of each row when the tables go back to a backup. Pure. All is as it was then, but what the world has seen since cannot be taken back: e-mails that were sent
/// and the runs that sent them stay, so that nobody gets one twice; who unsubscribed stays unsubscribed; keys with which links and cookies were signed stay good;
/// what waits to be handled stays. What the app told stays too: nobody can be asked for it again, and days that were lost would look like silence.
/// </summary>
internal static class RestoreRule
{
    // Of a customer's rows: what was done to people, what the founder wrote, what the app told.
    private static readonly HashSet<string> StayingNouns = ["mail", "run", "note", "activity", "moved"];

    // Partitions that stay as they are now.
    private static readonly string[] StayingPartitions = ["x-protection", "x-jobs", "x-counters", "x-erased", "x-user|", "x-email|", "dead-letters", "body|"];

    // Of a customer's own row, whatever the rest goes back to.
    private static readonly string[] StayingFields = ["openRuns", "watchedRuns", "lastStarts", "lastMarketingMailAt", "unsubscribed", "suppressed"];

    /// <summary>The row as it shall be: null where it shall not be.</summary>
    /// <param name="at">Where it stands.</param>
    /// <param name="now">As it is; null: it is not there.</param>
    /// <param name="then">As it was; null: it was not there.</param>
    public static ReadOnlyMemory<byte>? Of(RowKey at, ReadOnlyMemory<byte>? now, ReadOnlyMemory<byte>? then)
    {
        if (!Keys.IsBucket(at.Partition)) return Array.Exists(StayingPartitions, p => at.Partition.StartsWith(p, StringComparison.Ordinal)) ? now ?? then : then;
        var noun = at.Key[..Math.Max(0, at.Key.IndexOf('|'))];
        if (StayingNouns.Contains(noun)) return now ?? then;
        return noun == "customer" && now is { } present ? Customer(present, then) : then;
    }

    // One that is newer than the backup keeps only what must stay, where there is any of it: its events make the rest again.
    private static ReadOnlyMemory<byte>? Customer(ReadOnlyMemory<byte> now, ReadOnlyMemory<byte>? then)
    {
        var present = Object(now);
        var result = then is { } past ? Object(past) : new JsonObject { ["id"] = present["id"]?.DeepClone() };
        var stays = false;
        foreach (var field in StayingFields)
        {
            if (IsEmpty(present[field])) continue;
            stays = true;
            result[field] = present[field]!.DeepClone();
        }
        // A run that has ended since is not open any more.
        if (then is not null && IsEmpty(present["openRuns"])) result.Remove("openRuns");
        // Not as one conditional: its null would become memory that is empty and there, as arrays turn into memory by themselves.
        if (then is null && !stays) return null;
        return TablesExtensions.Write(result);
    }

    private static JsonObject Object(ReadOnlyMemory<byte> body) => (JsonObject)JsonNode.Parse(body.Span)!;

    private static bool IsEmpty(JsonNode? value) => value is null or JsonArray { Count: 0 } or JsonObject { Count: 0 } || value.GetValueKind() == JsonValueKind.Null;
}
