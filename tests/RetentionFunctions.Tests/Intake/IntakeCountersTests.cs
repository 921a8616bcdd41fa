using RetentionFunctions.Intake;
using RetentionFunctions.Storage;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.Tests.Intake;

/// <summary>What is counted in memory until somebody writes it.</summary>
public class IntakeCountersTests
{
    [Fact]
    public async Task What_could_not_be_written_is_counted_still_and_written_the_next_time()
    {
        var tables = new FakeTables();
        var counters = new IntakeCounters(tables, new StandingClock(new DateTimeOffset(2026, 6, 1, 12, 0, 0, TimeSpan.Zero)));
        counters.Count("app.ignored", 2);
        tables.StandingFault = new TransientStorageException("The disk is full.");
        await Assert.ThrowsAsync<TransientStorageException>(() => counters.FlushAsync());
        counters.Count("app.ignored");
        tables.StandingFault = null;

        Assert.Equal([("app.ignored", 3)], (await counters.ListAsync()).Select(c => (c.Name, c.Count)));
        Assert.Equal([("app.ignored", 3)], (await counters.ListAsync()).Select(c => (c.Name, c.Count)));
    }
}
