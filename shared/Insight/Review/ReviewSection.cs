namespace RetentionFunctions.Insight;

/// <summary>One section of the review, in the order of the meeting.</summary>
/// <param name="Name">In the API.</param>
/// <param name="Title">On the page.</param>
/// <param name="Minutes">How long it takes.</param>
public sealed record ReviewSection(string Name, string Title, int Minutes)
{
    /// <summary>What was decided before and is open.</summary>
    public static ReviewSection Carried { get; } = new("carried", "Actions from before", 2);

    /// <summary>Churn against the month before, and the trend.</summary>
    public static ReviewSection Churn { get; } = new("churn", "Churn and MRR", 3);

    /// <summary>How recent cohorts hold.</summary>
    public static ReviewSection Cohorts { get; } = new("cohorts", "Recent cohorts", 2);

    /// <summary>Why people left.</summary>
    public static ReviewSection Leaving { get; } = new("leaving", "Why people left", 2);

    /// <summary>Flows and their lift.</summary>
    public static ReviewSection Flows { get; } = new("flows", "Flows", 2);

    /// <summary>Experiments.</summary>
    public static ReviewSection Experiments { get; } = new("experiments", "Experiments", 1);

    /// <summary>What runs ahead of churn.</summary>
    public static ReviewSection Indicators { get; } = new("indicators", "Leading indicators", 2);

    /// <summary>What to do.</summary>
    public static ReviewSection Actions { get; } = new("actions", "What we do", 1);

    /// <summary>All of them: fifteen minutes.</summary>
    public static IReadOnlyList<ReviewSection> All { get; } = [Carried, Churn, Cohorts, Leaving, Flows, Experiments, Indicators, Actions];

    /// <summary>The minute in which it begins.</summary>
    public int From => All.TakeWhile(s => s != this).Sum(s => s.Minutes);
}
