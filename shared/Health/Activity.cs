using System.Text.Json.Serialization;

namespace RetentionFunctions.Health;

/// <summary>
/// What one app user did, by day, for 90 days. A sum of what came in: the same in any order; each event is counted once by its marker.
/// </summary>
public sealed record Activity
{
    /// <summary>How many days are kept, counted back from the latest.</summary>
    public const int DaysKept = 90;

    /// <summary>The app's id of the user; or the name of another source (<c>mail</c> for opens and clicks).</summary>
    public required string Source { get; init; }

    /// <summary>The first event ever counted.</summary>
    public required DateTimeOffset FirstSeenAt { get; init; }

    /// <summary>The latest sign-in or core use; null where neither was ever seen.</summary>
    public DateTimeOffset? LastActiveAt { get; init; }

    /// <summary>The latest event of any name.</summary>
    public required DateTimeOffset LastSeenAt { get; init; }

    /// <summary>Counters by UTC day; see <see cref="Counter"/> for the names.</summary>
    [JsonConverter(typeof(ActivityDaysConverter))]
    public SortedList<DateOnly, Dictionary<string, double>> Days { get; init; } = [];

    /// <summary>When each feature was first used, for the adoption of what is new.</summary>
    public Dictionary<string, DateTimeOffset> FirstUses { get; init; } = [];

    /// <summary>What the app says of the user: name, time zone. Kept here, so that it is joined with the customer like the counters are.</summary>
    public Customers.AppTraits? App { get; init; }

    /// <summary>Latest value of each trait that a signal reads, by the name of the signal, with when it was said.</summary>
    public Dictionary<string, TraitValue> Traits { get; init; } = [];
}

/// <summary>A numeric trait as last said.</summary>
/// <param name="Value">The value.</param>
/// <param name="At">When it was said.</param>
public sealed record TraitValue(double Value, DateTimeOffset At);

/// <summary>The names of the daily counters. A stored format.</summary>
public static class Counter
{
    /// <summary>Sign-ins.</summary>
    public const string SignIns = "signIns";

    /// <summary>Minutes of use.</summary>
    public const string Minutes = "minutes";

    /// <summary>Uses of core features, all together.</summary>
    public const string CoreUses = "coreUses";

    /// <summary>Uses of one core feature.</summary>
    public static string Feature(string name) => $"feature:{name}";

    /// <summary>Tickets opened.</summary>
    public const string TicketsOpened = "ticketsOpened";

    /// <summary>Tickets resolved.</summary>
    public const string TicketsResolved = "ticketsResolved";

    /// <summary>Hours from opening to resolving, summed over the tickets resolved with a known time.</summary>
    public const string ResolutionHours = "resolutionHours";

    /// <summary>Tickets with a known resolution time.</summary>
    public const string ResolutionsTimed = "resolutionsTimed";

    /// <summary>Sum of satisfaction ratings, each scaled to 0–1.</summary>
    public const string SatisfactionSum = "satisfactionSum";

    /// <summary>Number of satisfaction ratings.</summary>
    public const string SatisfactionCount = "satisfactionCount";

    /// <summary>E-mails opened, each counted once, on the day of the first time.</summary>
    public const string EmailOpens = "emailOpens";

    /// <summary>E-mails in which a link was clicked, each counted once, on the day of the first time.</summary>
    public const string EmailClicks = "emailClicks";

    /// <summary>E-mails that reached the customer's mail server.</summary>
    public const string EmailsSent = "emailsSent";

    /// <summary>A signal that the founder defined, counted or summed.</summary>
    public static string Signal(string name) => $"signal:{name}";

    /// <summary>A signal that the founder defined as the greatest value of a day. Counters of this kind are never added up.</summary>
    public static string SignalMax(string name) => $"signalMax:{name}";

    /// <summary>The counter keeps the greatest value instead of a sum.</summary>
    internal static bool IsMax(string counter) => counter.StartsWith("signalMax:", StringComparison.Ordinal);

    /// <summary>The feature of a per-feature counter, null for the others.</summary>
    internal static string? FeatureOf(string counter) => IsFeature(counter) ? counter["feature:".Length..] : null;

    /// <summary>The counter counts uses of one feature.</summary>
    internal static bool IsFeature(string counter) => counter.StartsWith("feature:", StringComparison.Ordinal);
}
