namespace RetentionFunctions.Links;

/// <summary>What a link leads to: a page to show, or an address to go to.</summary>
/// <param name="Status">The HTTP status of the page.</param>
public abstract record LinkPage(int Status)
{
    /// <summary>Says something: what was done, what already is, or why nothing was done.</summary>
    /// <param name="Title">The heading.</param>
    /// <param name="Text">One or two sentences.</param>
    public sealed record Message(int Status, string Title, string Text) : LinkPage(Status);

    /// <summary>Asks for how long to pause.</summary>
    public sealed record Pause() : LinkPage(200);

    /// <summary>Asks to confirm that the customer is back.</summary>
    /// <param name="IsPaused">The subscription is paused, and would resume.</param>
    /// <param name="PausedUntil">Until when, as text.</param>
    public sealed record Return(bool IsPaused, string? PausedUntil) : LinkPage(200);

    /// <summary>Shows what is due and leads to the payment page.</summary>
    /// <param name="Amount">As text; null where it is not known.</param>
    /// <param name="Card">The card that was tried, as words after "your".</param>
    /// <param name="NextAttempt">The day of the next attempt; null where none is scheduled.</param>
    /// <param name="Confirm">The bank only wants the customer's confirmation.</param>
    public sealed record Pay(string? Amount, string Card, string? NextAttempt, bool Confirm) : LinkPage(200);

    /// <summary>Asks to confirm the unsubscription.</summary>
    /// <param name="Email">The address it is for.</param>
    public sealed record Unsubscribe(string? Email) : LinkPage(200);

    /// <summary>Asks the one question.</summary>
    /// <param name="Selected">The key of the answer that is pre-selected.</param>
    public sealed record Answer(string? Selected) : LinkPage(200);

    /// <summary>Leads elsewhere (303).</summary>
    /// <param name="To">Where to.</param>
    public sealed record Leave(Uri To) : LinkPage(303);
}
