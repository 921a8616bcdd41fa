using RetentionFunctions.Customers;
using RetentionFunctions.Storage;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.Tests.Insight;

/// <summary>How a customer's months are kept, and when a closed one says that it was changed.</summary>
public class MonthRowsTests
{
    private const string Ada = "cus_Ada";
    private static readonly Month January = Month.Of(new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero)), February = January.Plus(1);
    private static readonly MonthCell Joined = new() { New = 1, Paying = 1, MrrNew = 4900 };

    private readonly FakeTables tables = new();

    [Theory]
    [InlineData(-1, false)]
    [InlineData(0, false)]
    [InlineData(2.999, false)]
    [InlineData(3, true)]
    [InlineData(40, true)]
    public async Task A_month_is_closed_three_days_after_its_end_and_says_when_it_was_changed_after_that(double daysAfter, bool corrected)
    {
        var now = January.End.AddDays(daysAfter);
        await KeepAsync(now, (January, Joined));
        Assert.Equal(corrected ? [(January, now)] : [], await CorrectionsAsync());
    }

    [Fact]
    public async Task What_is_read_of_the_past_corrects_nothing()
    {
        await KeepAsync(January.End.AddDays(40), past: true, (January, Joined));
        Assert.Empty(await CorrectionsAsync());
    }

    [Fact]
    public async Task When_a_month_was_corrected_stays_whatever_happens_in_others_and_a_later_correction_is_told_instead()
    {
        var late = January.End.AddDays(10);
        await KeepAsync(late, (January, Joined));
        await KeepAsync(late.AddDays(1), (January, Joined), (February, new MonthCell { MrrExpansion = 100 }));
        Assert.Equal([(January, late)], await CorrectionsAsync());
        await KeepAsync(late.AddDays(2), past: true, (January, Joined with { MrrNew = 5000 }), (February, new MonthCell { MrrExpansion = 100 }));
        Assert.Equal([(January, late)], await CorrectionsAsync());
        await KeepAsync(late.AddDays(3), (January, Joined), (February, new MonthCell { MrrExpansion = 100 }));
        Assert.Equal([(January, late.AddDays(3))], await CorrectionsAsync());
    }

    [Fact]
    public async Task A_month_that_was_corrected_to_nothing_still_says_so_and_one_that_was_open_is_gone()
    {
        await KeepAsync(January.Start.AddDays(5), (January, Joined));
        await KeepAsync(January.Start.AddDays(6));
        Assert.Null(await tables.GetAsync(Keys.Months(Ada)));
        Assert.Null(await tables.GetAsync(Keys.MonthsOfBucket(Keys.Bucket(Ada))));
        await KeepAsync(January.Start.AddDays(7), (January, Joined));
        await KeepAsync(January.End.AddDays(5));
        Assert.Equal([(January, January.End.AddDays(5))], await CorrectionsAsync());
        Assert.Empty((await tables.GetAsync<StoredMonths>(Keys.MonthsOfBucket(Keys.Bucket(Ada))))!.Value.Cells());
    }

    [Fact]
    public async Task What_is_as_it_was_writes_nothing()
    {
        await KeepAsync(January.Start.AddDays(5), (January, Joined));
        Assert.Empty(await MonthRows.DifferenceAsync(tables, Ada, Months((January, Joined)), January.End.AddDays(60)));
    }

    private Task KeepAsync(DateTimeOffset now, params (Month Month, MonthCell Cell)[] months) => KeepAsync(now, past: false, months);

    private async Task KeepAsync(DateTimeOffset now, bool past, params (Month Month, MonthCell Cell)[] months) =>
        Assert.True(await tables.TryCommitAsync(Keys.Bucket(Ada), [.. await MonthRows.DifferenceAsync(tables, Ada, Months(months), now, past)]));

    private async Task<IEnumerable<(Month, DateTimeOffset)>> CorrectionsAsync() => (await tables.GetAsync<StoredMonths>(Keys.MonthsOfBucket(Keys.Bucket(Ada))))!.Value.Corrections();

    private static Dictionary<CellKey, MonthCell> Months(params (Month Month, MonthCell Cell)[] months) => months.ToDictionary(m => new CellKey(m.Month, "usd", BillingTerm.Monthly), m => m.Cell);
}
