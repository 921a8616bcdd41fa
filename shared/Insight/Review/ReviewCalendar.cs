using System.Globalization;
using RetentionFunctions.Customers;

namespace RetentionFunctions.Insight;

/// <summary>
/// Which e-mails of the review a day asks for: that of the month before on the first weekday (Monday to Friday) of a month, one line each Monday. Where nobody was there on the day, some days later will do;
/// after that it is old news and left out. Days are those of the business's time zone. Pure.
/// </summary>
public sealed record ReviewOccasion
{
    // A review is of use within the first week or so; the line of a week only at its beginning.
    private const int MonthIsGood = 6;
    private const int WeekIsGood = 2;

    /// <summary>What it is keyed to: <c>2026-02</c> for a month, <c>2026-03-02</c> for the week that ended before this Monday.</summary>
    public required string Key { get; init; }

    /// <summary>The month it is of; null where it is a week's.</summary>
    public Month? Month { get; init; }

    /// <summary>The day on which it is due.</summary>
    public required DateOnly DueOn { get; init; }

    /// <summary>The last day on which it is still of use.</summary>
    public DateOnly LastOn => DueOn.AddDays(Month is null ? WeekIsGood : MonthIsGood);

    /// <summary>The time that it tells of has begun only after this day: who did not run the product before then gets none.</summary>
    public DateOnly RanBefore => Month is null ? DueOn : new DateOnly(DueOn.Year, DueOn.Month, 1);

    /// <summary>The review of a month.</summary>
    public static ReviewOccasion Of(Month month)
    {
        var due = DateOnly.FromDateTime(month.End.UtcDateTime);
        while (due.DayOfWeek is DayOfWeek.Saturday or DayOfWeek.Sunday) due = due.AddDays(1);
        return new ReviewOccasion { Key = month.ToString(), Month = month, DueOn = due };
    }

    /// <summary>The line of the week before a Monday.</summary>
    public static ReviewOccasion Of(DateOnly monday) => new() { Key = monday.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture), DueOn = monday };

    /// <summary>Takes <see cref="Key"/> back; null where it is none.</summary>
    public static ReviewOccasion? Parse(string key) =>
        Customers.Month.TryParse(key, out var month) ? Of(month)
        : DateOnly.TryParseExact(key, "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out var day) && day.DayOfWeek == DayOfWeek.Monday ? Of(day) : null;

    /// <summary>Those that are due on a day, or were in the days before and are still of use.</summary>
    public static IReadOnlyList<ReviewOccasion> On(DateOnly today)
    {
        var before = Customers.Month.Of(new DateTimeOffset(today.Year, today.Month, 1, 0, 0, 0, TimeSpan.Zero)).Plus(-1);
        return [.. new[] { Of(before), Of(today.AddDays(-(((int)today.DayOfWeek + 6) % 7))) }.Where(o => o.IsGoodOn(today))];
    }

    /// <summary>Whether it is to be sent on a day.</summary>
    public bool IsGoodOn(DateOnly today) => today >= DueOn && today <= LastOn;
}
