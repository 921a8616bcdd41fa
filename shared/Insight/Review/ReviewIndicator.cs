namespace RetentionFunctions.Insight;

/// <summary>Something that runs ahead of churn, this month and the one before (docs/definitions.md, "Use and health").</summary>
/// <param name="Name">In the API.</param>
/// <param name="Title">On the page.</param>
/// <param name="Definition">What is counted.</param>
/// <param name="Now">Numerator and denominator; a count has the denominator 1. Null where it was not counted.</param>
/// <param name="Before">Of the month before.</param>
/// <param name="IsCount">It is a count, not a rate.</param>
/// <param name="MoreIsWorse">More of it is worse.</param>
public sealed record ReviewIndicator(string Name, string Title, string Definition, Ratio? Now, Ratio? Before, bool IsCount, bool MoreIsWorse)
{
    /// <summary>-1 worse, 1 better, 0 the same; null where there is nothing to compare.</summary>
    public int? Direction => Now?.Value is { } now && Before?.Value is { } before ? Math.Sign(now - before) * (MoreIsWorse ? -1 : 1) : null;

    /// <summary>The figure in words.</summary>
    public string Text(Ratio? of) => of is not { } ratio ? FigureText.None : IsCount ? FigureText.Count(ratio.Numerator) : FigureText.Percent(ratio);

    internal static IReadOnlyList<ReviewIndicator> Of(MonthHealth? now, MonthHealth? before)
    {
        // Where nobody ever opened a ticket the app most likely does not tell of any: nothing is known, not zero.
        var tickets = (now?.Totals.Tickets ?? 0) + (before?.Totals.Tickets ?? 0) > 0;
        return
        [
            Rate("wauMau", "WAU/MAU", "active in the last 7 days ÷ active in the last 30 days, at the last sweep of the month", m => UseRates.Stickiness(m.Totals), worse: false),
            Count("movedDown", "Moved to a worse tier", "moves to a worse health tier, of all daily sweeps of the month", m => m.MovedDown, worse: true),
            Count("movedUp", "Moved to a better tier", "moves to a better health tier, of all daily sweeps of the month", m => m.MovedUp, worse: false),
            Count("failedPayments", "Failed payments", "customers with an open invoice whose payment failed, at the last sweep of the month", m => m.Totals.FailedPayments, worse: true),
            Rate("unopenedMail", "Unopened mail", "e-mails of 30 days that were not opened ÷ e-mails that arrived in them, at the last sweep of the month", m => UseRates.Unopened(m.Totals), worse: true),
            Count("tickets", "Tickets", tickets ? "tickets opened in the 30 days before the last sweep of the month" : "no ticket was ever told of: they count once the app sends them (a “Ticket Opened” event)", m => tickets ? m.Totals.Tickets : null, worse: true),
        ];

        ReviewIndicator Rate(string name, string title, string definition, Func<MonthHealth, Ratio> of, bool worse) =>
            new(name, title, definition, now is null ? null : of(now), before is null ? null : of(before), IsCount: false, worse);
        ReviewIndicator Count(string name, string title, string definition, Func<MonthHealth, long?> of, bool worse) =>
            new(name, title, definition, Whole(now, of), Whole(before, of), IsCount: true, worse);
        static Ratio? Whole(MonthHealth? month, Func<MonthHealth, long?> of) => month is not null && of(month) is { } count ? new Ratio(count, 1) : null;
    }
}
