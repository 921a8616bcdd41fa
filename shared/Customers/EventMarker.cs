namespace RetentionFunctions.Customers;

/// <summary>The row that says an event was handled, written in the same batch as its effect; also the customer's time line.</summary>
/// <param name="Id">The id of the Stripe event, or user and message id of the app event.</param>
/// <param name="Type">Stripe's type, or <c>track</c>, <c>identify</c>, <c>page</c>; or the mail provider's (<c>delivered</c>, <c>open</c>).</param>
/// <param name="At">When it happened.</param>
/// <param name="Did">What it did, in words; for app events the event's name.</param>
public sealed record EventMarker(string Id, string Type, DateTimeOffset At, string Did)
{
    /// <summary>It came from the app, not from Stripe.</summary>
    public bool FromApp { get; init; }

    /// <summary>It came from Stripe's list of past events, by the backfill. The same event by the door counts as heard then.</summary>
    [System.Text.Json.Serialization.JsonIgnore(Condition = System.Text.Json.Serialization.JsonIgnoreCondition.WhenWritingDefault)]
    public bool FromPast { get; init; }

    /// <summary>It came from the mail provider, and is about an e-mail of ours.</summary>
    public bool FromMail { get; init; }
}
