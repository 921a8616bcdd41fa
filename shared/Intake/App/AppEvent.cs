using System.Text.Json;

namespace RetentionFunctions.Intake.App;

/// <summary>One item of Segment's HTTP API, checked at the door and queued as it is here.</summary>
public sealed record AppEvent
{
    /// <summary>Counts once for its user. Given by the sender, or derived from the content where the sender gives none.</summary>
    public required string MessageId { get; init; }

    /// <summary>What kind of call.</summary>
    public required AppEventType Type { get; init; }

    /// <summary>The app's id of the user.</summary>
    public required string UserId { get; init; }

    /// <summary>The event's name (<c>track</c>), or the page's or screen's.</summary>
    public string? Name { get; init; }

    /// <summary>When it happened: <c>timestamp</c> corrected by the sender's clock (<c>sentAt</c>), never after <see cref="ReceivedAt"/>.</summary>
    public required DateTimeOffset At { get; init; }

    /// <summary>When it came in.</summary>
    public required DateTimeOffset ReceivedAt { get; init; }

    /// <summary>The event's properties.</summary>
    public JsonElement? Properties { get; init; }

    /// <summary>The user's traits: of <c>identify</c>, or <c>context.traits</c>.</summary>
    public JsonElement? Traits { get; init; }

    /// <summary><c>context.timezone</c>, an IANA name.</summary>
    public string? TimeZone { get; init; }
}

/// <summary>The calls of Segment's API that mean something here. A stored format.</summary>
public enum AppEventType
{
    /// <summary>Something the user did.</summary>
    Track,

    /// <summary>Who the user is.</summary>
    Identify,

    /// <summary>A page or screen seen.</summary>
    Page,
}
