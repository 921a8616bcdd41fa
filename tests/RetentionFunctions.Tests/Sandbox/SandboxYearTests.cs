using RetentionFunctions.Customers;
using RetentionFunctions.Flows;
using RetentionFunctions.Intake;
using RetentionFunctions.Local.Sandbox;
using RetentionFunctions.Settings;
using RetentionFunctions.Storage;
using RetentionFunctions.Tests.Support;
using static RetentionFunctions.Tests.Sandbox.SandboxStripeTests;

namespace RetentionFunctions.Tests.Sandbox;

/// <summary>A year of the sandbox, read by the product: the ledger says what happened.</summary>
public class SandboxYearTests
{
    [Theory]
    [InlineData(Newest)]
    [InlineData(Older)]
    public async Task A_year_of_one_customer_gives_the_right_ledger(string version)
    {
        var stripe = Stripe(version);
        var events = SignUp(stripe);
        events.AddRange(stripe.ChangePrice("sub_Ada", Team, 1, On(3, 10)));        // expansion
        events.AddRange(stripe.SetCard("cus_Ada", Poor with { FailTimes = 2 }, On(4, 1)));
        events.AddRange(stripe.AdvanceTo(On(5, 15)));                              // the renewal of 30 April fails and recovers
        events.AddRange(stripe.Pause("sub_Ada", On(8, 10), On(6, 5)));             // from the end of June
        events.AddRange(stripe.AdvanceTo(On(9, 1)));
        events.AddRange(stripe.CancelAtPeriodEnd("sub_Ada", "unused", null, On(9, 10)));
        events.AddRange(stripe.AdvanceTo(On(11, 1)));
        events.AddRange(stripe.Subscribe("cus_Ada", "sub_Ada2", Pro, 1, On(11, 20)));
        events.AddRange(stripe.AdvanceTo(On(12, 31)));

        var (customer, ledger) = await ReadAsync(events, On(12, 31));
        Assert.Equal(
        [
            (MovementKind.New, 4900, Start),
            (MovementKind.Expansion, 5000, On(3, 10)),
            (MovementKind.Paused, -9900, new DateTimeOffset(2025, 6, 30, 10, 0, 0, TimeSpan.Zero)),
            (MovementKind.Resumed, 9900, On(8, 10)),
            (MovementKind.Churned, -9900, new DateTimeOffset(2025, 9, 30, 10, 0, 0, TimeSpan.Zero)),
            (MovementKind.Reactivation, 4900, On(11, 20)),
        ], ledger.Select(m => (m.Kind, m.Amount, m.At)));
        Assert.Empty(customer.FailingInvoices);
        Assert.Equal("ada@example.com", customer.Email);
    }

    [Theory]
    [InlineData(Newest)]
    [InlineData(Older)]
    public async Task A_card_that_never_pays_again_is_involuntary_churn(string version)
    {
        var stripe = Stripe(version);
        var events = SignUp(stripe);
        events.AddRange(stripe.SetCard("cus_Ada", Poor, On(2, 10)));
        events.AddRange(stripe.AdvanceTo(On(6, 1)));
        var (_, ledger) = await ReadAsync(events, On(6, 1));
        Assert.Equal((MovementKind.Churned, -4900, true, new DateTimeOffset(2025, 3, 7, 11, 0, 0, TimeSpan.Zero)), (ledger[^1].Kind, ledger[^1].Amount, ledger[^1].Involuntary, ledger[^1].At));
    }

    private static DateTimeOffset On(int month, int day) => new(2025, month, day, 15, 0, 0, TimeSpan.Zero);

    internal static async Task<(Customer, List<Movement>)> ReadAsync(IEnumerable<SandboxEvent> events, DateTimeOffset now)
    {
        var tables = new FakeTables();
        var clock = new StandingClock(now);
        var settings = new RetentionSettings();
        var intake = new StripeIntake(tables, new BodyStore(tables), new UserTies(tables), new FlowDispatch(tables, new NoEngine(), settings, clock), settings, clock);
        foreach (var e in events) await intake.HandleAsync(e.Body);
        return ((await tables.GetAsync<Customer>(Keys.Customer("cus_Ada")))!.Value, await tables.ListAsync<Movement>(Keys.Ledger("cus_Ada")));
    }

    private sealed class NoEngine : IFlowEngine
    {
        public Task StartAsync(RunId run, CancellationToken cancel = default) => Task.CompletedTask;

        public Task WakeAsync(RunId run, CancellationToken cancel = default) => Task.CompletedTask;
    }
}
