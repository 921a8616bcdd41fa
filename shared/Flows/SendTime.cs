namespace RetentionFunctions.Flows;

/// <summary>When an e-mail may go out. Pure.</summary>
public static class SendTime
{
    /// <summary>The first moment at or after <paramref name="earliest"/> inside the window of the time zone; the window only delays.</summary>
    public static DateTimeOffset Next(DateTimeOffset earliest, SendWindow window, TimeZoneInfo zone)
    {
        var local = TimeZoneInfo.ConvertTime(earliest, zone);
        if (Allowed(local.Date, window) && local.Hour >= window.FromHour && local.Hour < window.ToHour) return earliest;
        var day = local.Date;
        if (local.Hour >= window.FromHour) day = day.AddDays(1);
        while (!Allowed(day, window)) day = day.AddDays(1);
        return Instant(day.AddHours(window.FromHour), zone);
    }

    /// <summary>The zone of a customer: the first of the names that exists.</summary>
    public static TimeZoneInfo Zone(string? customers, string business)
    {
        if (customers is not null && TimeZoneInfo.TryFindSystemTimeZoneById(customers, out var own)) return own;
        return TimeZoneInfo.TryFindSystemTimeZoneById(business, out var fallback) ? fallback : TimeZoneInfo.Utc;
    }

    private static bool Allowed(DateTime day, SendWindow window) => !window.WeekdaysOnly || day.DayOfWeek is not (DayOfWeek.Saturday or DayOfWeek.Sunday);

    // A local time that a change of clocks skips is taken an hour later; one that comes twice is taken the first time.
    private static DateTimeOffset Instant(DateTime local, TimeZoneInfo zone)
    {
        while (zone.IsInvalidTime(local)) local = local.AddHours(1);
        var offset = zone.IsAmbiguousTime(local) ? zone.GetAmbiguousTimeOffsets(local).Max() : zone.GetUtcOffset(local);
        return new DateTimeOffset(local, offset).ToUniversalTime();
    }
}
