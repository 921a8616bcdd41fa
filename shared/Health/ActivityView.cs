namespace RetentionFunctions.Health;

/// <summary>
/// A customer's activity as seen at an instant: all of its app users and other sources together. Windows are UTC days, today included.
/// </summary>
public sealed class ActivityView
{
    /// <summary>Days of use that are compared with the baseline: two weeks, so that a weekend or a weekly habit does not look like a fall.</summary>
    public const int RecentDays = 14;

    /// <summary>Days of the baseline, before the recent ones. With them 74 of the 90 days kept.</summary>
    public const int BaselineDays = 60;

    /// <summary>Fewest days of history before the recent ones that make a baseline: as long as what is compared with it.</summary>
    public const int MinBaselineDays = 14;

    /// <summary>Fewest active days that make a baseline: about one a fortnight. Below, a single visit more or less would be a swing of a third and more.</summary>
    public const int MinBaselineActiveDays = 4;

    /// <summary>The source under which e-mails are counted; it is not the app.</summary>
    internal const string MailSource = "mail";

    private static readonly string[] Use = [Counter.SignIns, Counter.Minutes, Counter.CoreUses];

    private readonly Activity? all;

    // Of all: the days that have counters, the earliest first, and what they have.
    private readonly DateOnly[] dates = [];
    private readonly Dictionary<string, double>[] days = [];
    private readonly DateTimeOffset now;
    private readonly DateOnly today;
    private readonly int baselineDays;
    private readonly bool hasBaseline;

    // Asked for several times: by the signals, by what starts and ends win-back.
    private readonly Dictionary<string, double?> againstBaseline = new(StringComparer.Ordinal);

    private ActivityView(IReadOnlyList<Activity> rows, DateTimeOffset now)
    {
        this.now = now.ToUniversalTime();
        today = DateOnly.FromDateTime(this.now.UtcDateTime);
        all = rows.Count == 1 ? rows[0] : ActivityUpdate.Merge(rows);
        if (all is not null) (dates, days) = ([.. all.Days.Keys], [.. all.Days.Values]);

        // The history of the app only: e-mails may have been counted long before the app was connected.
        foreach (var row in rows.Where(r => r.Source != MailSource))
        {
            if (!(FirstEventAt <= row.FirstSeenAt)) FirstEventAt = row.FirstSeenAt;
            if (row.LastActiveAt is not null && !(firstMeasuredAt <= row.FirstSeenAt)) firstMeasuredAt = row.FirstSeenAt;
        }
        baselineDays = Math.Min(BaselineDays, HistoryDays(firstMeasuredAt) - RecentDays);
        hasBaseline = baselineDays >= MinBaselineDays && ActiveDays(BaselineDays, RecentDays) >= MinBaselineActiveDays;
    }

    private readonly DateTimeOffset? firstMeasuredAt;

    /// <summary>The view of a customer's activity rows at an instant. No rows is a customer of whom nothing was ever seen.</summary>
    public static ActivityView Of(IReadOnlyList<Activity> rows, DateTimeOffset now) => new(rows, now);

    /// <summary>Any sign-in, core use or minutes of use were ever seen. Where not, use is unknown: never inactive (DEFINITIONS, "Active").</summary>
    public bool EverMeasured => LastActiveAt is not null;

    /// <summary>The latest sign-in, core use or minutes of use; null where none was ever seen.</summary>
    public DateTimeOffset? LastActiveAt => all?.LastActiveAt;

    /// <summary>The first event of the app, of any kind; null where there is none.</summary>
    public DateTimeOffset? FirstEventAt { get; }

    /// <summary>Days since <see cref="LastActiveAt"/>, with fraction, never below 0.</summary>
    public double? DaysSinceActive => LastActiveAt is { } at ? Math.Max(0, (now - at).TotalDays) : null;

    /// <summary>
    /// Use per day in the last 14 days as a share of use per day in the 60 days before: the median of that share for sign-ins, minutes and core
    /// uses, as far as the baseline has them, so that one kind that is reported differently does not decide alone. 1 is as ever, 0.5 half.
    /// Null where the baseline has under 14 days of history or fewer than 4 active days.
    /// </summary>
    public double? UseAgainstBaseline
    {
        get
        {
            var shares = Use.Select(AgainstBaseline).OfType<double>().Order().ToList();
            return shares.Count == 0 ? null : (shares[(shares.Count - 1) / 2] + shares[shares.Count / 2]) / 2;
        }
    }

    /// <summary>The same for one counter; null also where the baseline has none of it.</summary>
    public double? AgainstBaseline(string counter)
    {
        if (againstBaseline.TryGetValue(counter, out var known)) return known;
        return againstBaseline[counter] = Share();

        double? Share()
        {
            if (!hasBaseline || Sum(counter, BaselineDays, RecentDays) is not (var before and > 0)) return null;
            // Of today only the part that is over counts as a day: a sweep in the morning must not see a fall.
            var recentDays = RecentDays - 1 + now.TimeOfDay.TotalDays;
            return Sum(counter, RecentDays) / recentDays / (before / baselineDays);
        }
    }

    /// <summary>The sum of a counter over a window of days.</summary>
    /// <param name="counter">One of <see cref="Counter"/>.</param>
    /// <param name="days">How many days.</param>
    /// <param name="daysAgo">How many days before today the window ends; 0: today.</param>
    public double Sum(string counter, int days, int daysAgo = 0)
    {
        double sum = 0;
        foreach (var counters in Window(days, daysAgo))
            if (counters.TryGetValue(counter, out var value)) sum += value;
        return Math.Round(sum, 3);
    }

    /// <summary>The greatest daily value of a counter over a window of days; null where no day has it.</summary>
    public double? Max(string counter, int days, int daysAgo = 0)
    {
        double? greatest = null;
        foreach (var counters in Window(days, daysAgo))
            if (counters.TryGetValue(counter, out var value) && !(greatest >= value)) greatest = value;
        return greatest;
    }

    /// <summary>Any of the days kept has the counter.</summary>
    public bool EverCounted(string counter)
    {
        foreach (var counters in days)
            if (counters.ContainsKey(counter)) return true;
        return false;
    }

    /// <summary>How many days of a window have a sign-in, a core use or minutes of use.</summary>
    public int ActiveDays(int days, int daysAgo = 0)
    {
        var active = 0;
        foreach (var counters in Window(days, daysAgo))
            if (counters.ContainsKey(Counter.SignIns) || counters.ContainsKey(Counter.CoreUses) || counters.ContainsKey(Counter.Minutes)) active++;
        return active;
    }

    /// <summary>How many different core features were used in a window within the last <see cref="ActivityUpdate.FeatureDaysKept"/> days.</summary>
    public int FeaturesUsed(int days)
    {
        var used = new HashSet<string>(StringComparer.Ordinal);
        foreach (var counters in Window(days, 0))
            foreach (var counter in counters.Keys)
                if (Counter.IsFeature(counter)) used.Add(counter);
        return used.Count;
    }

    /// <summary>When each core feature was first used.</summary>
    public IReadOnlyDictionary<string, DateTimeOffset> FirstUses => all?.FirstUses ?? [];

    /// <summary>The latest values of the traits that signals read, by the name of the signal.</summary>
    public IReadOnlyDictionary<string, TraitValue> Traits => all?.Traits ?? [];

    /// <summary>UTC days from the first measured event until today, both included; 0 where nothing was ever measured.</summary>
    public int MeasuredDays => HistoryDays(firstMeasuredAt);

    /// <summary>UTC days from the first event of the app until today, both included; 0 where there is none.</summary>
    public int EventDays => HistoryDays(FirstEventAt);

    private int HistoryDays(DateTimeOffset? since) =>
        since is { } first ? Math.Max(0, today.DayNumber - DateOnly.FromDateTime(first.UtcDateTime).DayNumber + 1) : 0;

    // A view is asked for many windows, and each customer has one: no iterator for each of them.
    private ReadOnlySpan<Dictionary<string, double>> Window(int length, int daysAgo)
    {
        var last = today.AddDays(-daysAgo);
        var first = last.AddDays(1 - length);
        // They are recent ones: from the end back to where the window ends, and on to where it begins.
        var to = dates.Length;
        while (to > 0 && dates[to - 1] > last) to--;
        var from = to;
        while (from > 0 && dates[from - 1] >= first) from--;
        return days.AsSpan(from, to - from);
    }
}
