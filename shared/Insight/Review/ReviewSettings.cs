namespace RetentionFunctions.Insight;

/// <summary>The monthly review.</summary>
public sealed class ReviewSettings
{
    /// <summary>To whom the review goes on the first weekday of each month, and a line on Mondays: the founder. Null: to nobody; the pages are there all the same.</summary>
    public string? Email { get; set; }
}
