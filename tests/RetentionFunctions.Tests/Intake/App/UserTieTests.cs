using RetentionFunctions.Health;
using RetentionFunctions.Intake;
using RetentionFunctions.Storage;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.Tests.Intake.App;

/// <summary>What came before a tie is moved once and surely, though who only says the tie again moves nothing.</summary>
public class UserTieTests
{
    private const string User = "user-1";
    private const string Customer = "cus_Ada";
    private static readonly DateTimeOffset At = new(2026, 1, 5, 10, 0, 0, TimeSpan.Zero);

    [Fact]
    public async Task Saying_a_tie_again_later_moves_nothing()
    {
        var tables = await WithUntiedUseAsync();
        await new UserTies(tables).TieAsync(User, Customer, TieStrength.App, At);
        Assert.True(await IsMovedAsync(tables));

        var counted = FaultPlan.None();
        await new UserTies(new FaultyTables(tables, counted)).TieAsync(User, Customer, TieStrength.App, At.AddDays(1));
        Assert.Equal(2, counted.Calls);
    }

    [Fact]
    public async Task A_move_that_a_crash_broke_off_is_made_by_the_redelivery_also_after_a_later_saying()
    {
        var tables = await WithUntiedUseAsync();
        // Read, written; then the process dies.
        await Assert.ThrowsAsync<TransientStorageException>(() => new UserTies(new FaultyTables(tables, FaultPlan.At(2, FaultMoment.After))).TieAsync(User, Customer, TieStrength.App, At));
        await new UserTies(tables).TieAsync(User, Customer, TieStrength.App, At.AddDays(1));
        Assert.False(await IsMovedAsync(tables));

        await new UserTies(tables).TieAsync(User, Customer, TieStrength.App, At);
        Assert.True(await IsMovedAsync(tables));
    }

    [Fact]
    public async Task Saying_an_address_again_asks_for_nothing_more_and_its_redelivery_ties_what_a_crash_left()
    {
        var tables = await WithUntiedUseAsync();
        await new UserTies(tables).EmailOfCustomerAsync(Customer, "ada@example.com", At);
        // Read, written; then the process dies before it ties.
        await Assert.ThrowsAsync<TransientStorageException>(() => new UserTies(new FaultyTables(tables, FaultPlan.At(2, FaultMoment.After))).EmailOfUserAsync(User, "ada@example.com", At));
        var counted = FaultPlan.None();
        await new UserTies(new FaultyTables(tables, counted)).EmailOfUserAsync(User, "ada@example.com", At.AddDays(1));
        Assert.Equal(1, counted.Calls);
        Assert.Null(await new UserTies(tables).OfAsync(User));

        await new UserTies(tables).EmailOfUserAsync(User, "ada@example.com", At);
        Assert.Equal(Customer, (await new UserTies(tables).OfAsync(User))!.CustomerId);
        Assert.True(await IsMovedAsync(tables));
    }

    private static async Task<FakeTables> WithUntiedUseAsync()
    {
        var tables = new FakeTables();
        await tables.UpsertAsync(Keys.Activity(Keys.UntiedUser(User), User), new Activity { Source = User, FirstSeenAt = At.AddDays(-1), LastSeenAt = At.AddDays(-1) });
        return tables;
    }

    private static async Task<bool> IsMovedAsync(FakeTables tables) => (await tables.ListAsync<Activity>(Keys.Activities(Customer))).Count > 0;
}
