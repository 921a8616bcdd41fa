using System.Diagnostics.CodeAnalysis;

namespace RetentionFunctions.Intake.App;

/// <summary>What comes from the app, and what its events mean.</summary>
public sealed class AppEventSettings
{
    /// <summary>Most signals of the founder's own: their counters stand in the activity row of 90 days, which has to stay within one table property.</summary>
    public const int MaxSignals = 10;

    private Dictionary<string, EventMapping> events = DefaultEvents();

    /// <summary>The write key of the Segment-compatible API. A secret.</summary>
    public string? WriteKey { get; set; }

    /// <summary>
    /// What each event of the app means, by its name: case, spaces, underscores and hyphens do not matter. What is set here is merged over the
    /// defaults by name; an event without a mapping only says that the user was seen.
    /// </summary>
    public Dictionary<string, EventMapping> Events
    {
        get => events;
        // However it was filled, names are compared as EventNameComparer has it; of two names that are the same the later one stands.
        set
        {
            events = new(EventNameComparer.Instance);
            foreach (var (name, mapping) in value) events[name] = mapping;
        }
    }

    /// <summary>Further signals, by a name of the founder's choice. The same name under <c>Health:Signals</c> gives it a dimension, weight and curve. At most <see cref="MaxSignals"/>.</summary>
    public Dictionary<string, AppSignal> Signals { get; set; } = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>The meaning of an event; null where it has none.</summary>
    internal EventMapping? MappingOf(string? eventName) =>
        eventName is not null && events.TryGetValue(eventName, out var mapping) && mapping.Meaning != AppEventMeaning.Ignore ? mapping : null;

    /// <summary>What is wrong, each with its key as in configuration, the problem in words, and an example that would be right.</summary>
    public IEnumerable<(string Key, string Problem, string Example)> Validate()
    {
        if (WriteKey is not null && (WriteKey.Length == 0 || WriteKey.Any(c => c is <= ' ' or ':' or > '~')))
            yield return ("AppEvents:WriteKey", "needs visible ASCII characters, without spaces and colons (it is the user name of Basic authentication)", "wk_3f9a61c07be2");

        foreach (var (name, mapping) in Events)
        {
            var key = $"AppEvents:Events:{name}";
            if (name.Any(char.IsControl) || EventNameComparer.Normal(name).Length == 0) yield return (key, "is no name of an event", "AppEvents:Events:Report Exported");
            if (!Enum.IsDefined(mapping.Meaning)) yield return ($"{key}:Meaning", "is no meaning", "signIn");
            if (mapping.Property is { } property && string.IsNullOrWhiteSpace(property)) yield return ($"{key}:Property", "is empty", "minutes");
            if (!Enum.IsDefined(mapping.Unit)) yield return ($"{key}:Unit", "is no unit of time", "seconds");
            if (mapping.Max is { } max && !(max > 0 && double.IsFinite(max))) yield return ($"{key}:Max", "must be above 0", "5");
        }

        if (Signals.Count > MaxSignals) yield return ("AppEvents:Signals", $"has {Signals.Count} signals; {MaxSignals} is the most", "remove those that no weight uses");
        foreach (var (name, signal) in Signals)
        {
            var key = $"AppEvents:Signals:{name}";
            if (name.Length is 0 or > 32 || name.Any(c => c is ':' or '|' || char.IsControl(c)))
                yield return (key, "needs a name of 1 to 32 characters without ':' and '|'", "AppEvents:Signals:exports");
            if (string.IsNullOrWhiteSpace(signal.Event) == string.IsNullOrWhiteSpace(signal.Trait))
                yield return (key, "needs either Event or Trait, and not both", "\"Event\": \"Report Exported\"");
            if (!Enum.IsDefined(signal.Aggregate)) yield return ($"{key}:Aggregate", "is no way to add up", "count");
            else if (signal.Aggregate != SignalAggregate.Count && !string.IsNullOrWhiteSpace(signal.Event) && string.IsNullOrWhiteSpace(signal.Property))
                yield return ($"{key}:Property", "says which property of the event is added up", "\"Property\": \"rows\"");
        }
    }

    // Names from Segment's own specs (B2B SaaS, e-mail) where it has one, and the usual spellings of the rest.
    private static Dictionary<string, EventMapping> DefaultEvents() => new(EventNameComparer.Instance)
    {
        ["Signed In"] = new() { Meaning = AppEventMeaning.SignIn },
        ["Login"] = new() { Meaning = AppEventMeaning.SignIn },
        ["Logged In"] = new() { Meaning = AppEventMeaning.SignIn },
        ["Session Ended"] = new() { Meaning = AppEventMeaning.Minutes },
        ["Feature Used"] = new() { Meaning = AppEventMeaning.CoreUse },
        ["Ticket Opened"] = new() { Meaning = AppEventMeaning.TicketOpened },
        ["Ticket Resolved"] = new() { Meaning = AppEventMeaning.TicketResolved },
        ["Satisfaction Rated"] = new() { Meaning = AppEventMeaning.Satisfaction },
        ["Email Delivered"] = new() { Meaning = AppEventMeaning.EmailSent },
        ["Email Opened"] = new() { Meaning = AppEventMeaning.EmailOpened },
        ["Email Clicked"] = new() { Meaning = AppEventMeaning.EmailClicked },
        ["Email Link Clicked"] = new() { Meaning = AppEventMeaning.EmailClicked },
    };
}

/// <summary>What an event means.</summary>
public enum AppEventMeaning
{
    /// <summary>Nothing: the user was seen. Takes a default mapping away.</summary>
    Ignore,

    /// <summary>A sign-in.</summary>
    SignIn,

    /// <summary>Minutes of use: from <see cref="EventMapping.Property"/> in <see cref="EventMapping.Unit"/>; else <c>minutes</c>, else <c>duration</c> in seconds.</summary>
    Minutes,

    /// <summary>A use of a core feature: <see cref="EventMapping.Feature"/>, else the property <see cref="EventMapping.Property"/> or <c>feature</c>.</summary>
    CoreUse,

    /// <summary>A ticket was opened.</summary>
    TicketOpened,

    /// <summary>A ticket was resolved: hours from <see cref="EventMapping.Property"/> or <c>resolutionHours</c>, else since <c>openedAt</c>.</summary>
    TicketResolved,

    /// <summary>A rating: <see cref="EventMapping.Property"/> or <c>score</c>, out of the property <c>max</c> or <see cref="EventMapping.Max"/> or 5.</summary>
    Satisfaction,

    /// <summary>An e-mail of another tool reached the user.</summary>
    EmailSent,

    /// <summary>An e-mail was opened.</summary>
    EmailOpened,

    /// <summary>A link in an e-mail was clicked.</summary>
    EmailClicked,
}

/// <summary>How one event of the app is read.</summary>
public sealed class EventMapping
{
    /// <summary>What it means.</summary>
    public AppEventMeaning Meaning { get; set; }

    /// <summary>The property that holds the number (minutes, hours, score) or the feature's name; null: the usual one of the meaning.</summary>
    public string? Property { get; set; }

    /// <summary>The unit of <see cref="Property"/> where the meaning is <see cref="AppEventMeaning.Minutes"/>.</summary>
    public TimeUnit Unit { get; set; } = TimeUnit.Minutes;

    /// <summary>The feature that the event stands for, where the event's name is the feature ("Report Exported").</summary>
    public string? Feature { get; set; }

    /// <summary>The best possible score of a rating, above 0; null: the event's property <c>max</c>, else 5 (stars).</summary>
    public double? Max { get; set; }
}

/// <summary>Units of a session's length.</summary>
public enum TimeUnit
{
    /// <summary>Minutes.</summary>
    Minutes,

    /// <summary>Seconds.</summary>
    Seconds,

    /// <summary>Milliseconds.</summary>
    Milliseconds,

    /// <summary>Hours.</summary>
    Hours,
}

/// <summary>A signal that the founder defined, from an event or from a trait.</summary>
public sealed class AppSignal
{
    /// <summary>The name of the <c>track</c> event, compared like <see cref="AppEventSettings.Events"/>.</summary>
    public string? Event { get; set; }

    /// <summary>The name of a trait with a numeric value (or true and false, as 1 and 0): its latest value counts.</summary>
    public string? Trait { get; set; }

    /// <summary>How an event's occurrences make a number.</summary>
    public SignalAggregate Aggregate { get; set; }

    /// <summary>The numeric property that is added up, for <see cref="SignalAggregate.Sum"/> and <see cref="SignalAggregate.Max"/>.</summary>
    public string? Property { get; set; }
}

/// <summary>How an event's occurrences make a number.</summary>
public enum SignalAggregate
{
    /// <summary>How often it came.</summary>
    Count,

    /// <summary>The sum of a property.</summary>
    Sum,

    /// <summary>The greatest value of a property.</summary>
    Max,
}

/// <summary>Names of events are the same whatever their case, spaces, underscores and hyphens: SDKs and teams spell "Signed In" in all these ways.</summary>
internal sealed class EventNameComparer : IEqualityComparer<string>
{
    public static EventNameComparer Instance { get; } = new();

    public static string Normal(string name)
    {
        Span<char> kept = name.Length <= 256 ? stackalloc char[name.Length] : new char[name.Length];
        var length = 0;
        foreach (var c in name)
            if (c is not (' ' or '_' or '-')) kept[length++] = char.ToLowerInvariant(c);
        return new string(kept[..length]);
    }

    public bool Equals(string? x, string? y) => x is null || y is null ? ReferenceEquals(x, y) : Normal(x) == Normal(y);

    public int GetHashCode([DisallowNull] string obj) => Normal(obj).GetHashCode(StringComparison.Ordinal);
}
