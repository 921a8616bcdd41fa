using System.Globalization;
using RetentionFunctions.Flows;

namespace RetentionFunctions.Tests.Flows;

public class SendTimeTests
{
    private static readonly SendWindow Weekdays = new() { WeekdaysOnly = true };
    private static readonly SendWindow AnyDay = new();

    [Theory]
    [InlineData("2026-03-02T10:00:00Z", "UTC", "2026-03-02T10:00:00Z")]                  // Monday morning: now
    [InlineData("2026-03-02T16:59:59Z", "UTC", "2026-03-02T16:59:59Z")]                  // the last second
    [InlineData("2026-03-02T17:00:00Z", "UTC", "2026-03-03T09:00:00Z")]                  // closed: tomorrow
    [InlineData("2026-03-02T03:00:00Z", "UTC", "2026-03-02T09:00:00Z")]                  // before it opens
    [InlineData("2026-03-06T18:00:00Z", "UTC", "2026-03-09T09:00:00Z")]                  // Friday evening: Monday
    [InlineData("2026-03-07T12:00:00Z", "UTC", "2026-03-09T09:00:00Z")]                  // Saturday noon
    [InlineData("2026-03-02T10:00:00Z", "America/New_York", "2026-03-02T14:00:00Z")]     // 5 in the morning there
    [InlineData("2026-03-02T10:00:00Z", "Asia/Tokyo", "2026-03-03T00:00:00Z")]           // 19:00 there: tomorrow at 9
    [InlineData("2026-03-06T22:00:00Z", "America/New_York", "2026-03-09T13:00:00Z")]     // over the weekend in which summer time begins
    [InlineData("2026-03-27T20:00:00Z", "Europe/Berlin", "2026-03-30T07:00:00Z")]        // the same in Berlin
    [InlineData("2026-03-02T04:00:00Z", "Asia/Kathmandu", "2026-03-02T04:00:00Z")]       // 9:45 there
    public void Marketing_waits_for_working_hours_where_the_customer_lives(string earliest, string zone, string expected) => Check(earliest, Weekdays, zone, expected);

    [Theory]
    [InlineData("2026-03-07T12:00:00Z", "UTC", "2026-03-07T12:00:00Z")]                  // Saturday noon is fine for a payment
    [InlineData("2026-03-07T20:00:00Z", "UTC", "2026-03-08T09:00:00Z")]
    public void Dunning_goes_out_on_any_day(string earliest, string zone, string expected) => Check(earliest, AnyDay, zone, expected);

    [Theory]
    [InlineData("2026-03-29T00:30:00Z", 2, "Europe/Berlin", "2026-03-29T01:00:00Z")]     // 2:00 does not exist that night: 3:00 summer time
    [InlineData("2026-10-24T22:30:00Z", 2, "Europe/Berlin", "2026-10-25T00:00:00Z")]     // 2:00 comes twice: the first
    public void Nights_in_which_the_clocks_change_have_one_answer(string earliest, int hour, string zone, string expected) =>
        Check(earliest, new SendWindow { FromHour = hour, ToHour = hour + 1 }, zone, expected);

    [Fact]
    public void An_unknown_zone_falls_back_to_the_business_and_then_to_UTC()
    {
        Assert.Equal("Europe/Berlin", SendTime.Zone("Mars/Olympus", "Europe/Berlin").Id);
        Assert.Equal("Asia/Tokyo", SendTime.Zone("Asia/Tokyo", "Europe/Berlin").Id);
        Assert.Equal(TimeZoneInfo.Utc, SendTime.Zone(null, "nowhere"));
    }

    private static void Check(string earliest, SendWindow window, string zone, string expected) =>
        Assert.Equal(At(expected), SendTime.Next(At(earliest), window, TimeZoneInfo.FindSystemTimeZoneById(zone)));

    private static DateTimeOffset At(string text) => DateTimeOffset.Parse(text, CultureInfo.InvariantCulture);
}
