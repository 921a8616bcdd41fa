using RetentionFunctions.Health;

namespace RetentionFunctions.Insight;

/// <summary>The rates of what a sweep counted (docs/definitions.md, "Use and health").</summary>
public static class UseRates
{
    /// <summary>WAU ÷ MAU: how many of those who use it in a month use it in a week.</summary>
    public static Ratio Stickiness(HealthTotals totals) => new(totals.Wau, totals.Mau);

    /// <summary>E-mails of 30 days that were not opened ÷ those that arrived. One that arrived earlier may be opened in them: never below 0.</summary>
    public static Ratio Unopened(HealthTotals totals) => new(Math.Max(0, totals.MailsArrived - totals.MailsOpened), totals.MailsArrived);

    /// <summary>The average health of customers still with us: 100 less the points that all signals cost together; null where nobody is.</summary>
    public static double? AverageScore(HealthTotals totals) => totals.Customers == 0 ? null : 100 - ((double)totals.PointsLost.Values.Sum() / totals.Customers);
}
