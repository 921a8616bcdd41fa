using RetentionFunctions.Flows;
using RetentionFunctions.History;
using RetentionFunctions.Jobs;
using RetentionFunctions.Links;
using RetentionFunctions.Local.Sandbox;
using RetentionFunctions.Settings;
using RetentionFunctions.Storage;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.Tests.History;

/// <summary>One customer of a quarter: signs up, takes more seats in the middle of a month, and whose last renewal failed three days ago.</summary>
public sealed class BackfillStoryTests
{
    private static readonly DateTimeOffset Start = new(2026, 3, 10, 9, 0, 0, TimeSpan.Zero);
    private static readonly DateTimeOffset Now = new(2026, 6, 13, 12, 0, 0, TimeSpan.Zero);
    private static readonly SandboxPrice Basic = new("price_basic", "Basic", 2000, "usd", "month");

    private static (SandboxStripe Stripe, List<SandboxEvent> Events) Ada()
    {
        var stripe = new SandboxStripe(new SandboxOptions());
        List<SandboxEvent> events =
        [
            .. stripe.CreateCustomer("cus_Ada", "ada@example.com", "Ada", "GB", new SandboxCard("visa", "4242", 8, 2028), Start),
            .. stripe.Subscribe("cus_Ada", "sub_Ada", Basic, 1, Start),
            .. stripe.ChangePrice("sub_Ada", Basic, 3, Start.AddDays(41)),
            .. stripe.AdvanceTo(Start.AddMonths(2).AddDays(10)),
        ];
        stripe.ChangeBehindTheCard("cus_Ada", new SandboxCard("visa", "4242", 8, 2028, "insufficient_funds"), Start.AddMonths(2).AddDays(11));
        events.AddRange(stripe.AdvanceTo(Now));
        return (stripe, events);
    }

    [Fact]
    public async Task No_flow_starts_from_the_past_and_the_next_failure_starts_one()
    {
        var (stripe, events) = Ada();
        var bench = new HistoryBench(stripe, Now);
        await bench.BackfillAsync();
        Assert.Equal(CustomerStatusPastDue, (await bench.CustomerAsync("cus_Ada"))!.Status.ToString());
        var failing = Assert.Single((await bench.CustomerAsync("cus_Ada"))!.FailingInvoices);
        Assert.Empty(await bench.RunsAsync());
        // Nor with the next event of the same customer.
        bench.Arrive(stripe.SetCard("cus_Ada", new SandboxCard("visa", "0002", 9, 2029, "insufficient_funds"), Now));
        await bench.SettleAsync();
        Assert.Empty(await bench.RunsAsync());

        bench.Clock.Now = Now.AddDays(3);
        bench.Arrive(stripe.AdvanceTo(bench.Clock.Now));
        await bench.SettleAsync();
        Assert.Equal([failing], (await bench.RunsAsync()).Select(r => r.InvoiceId));
    }

    private const string CustomerStatusPastDue = "PastDue";

    /// <summary>The webhook of a failure that the backfill has just read from the list comes a moment later.</summary>
    [Fact]
    public async Task A_failure_that_the_door_tells_too_starts_dunning_whichever_came_first()
    {
        var (stripe, events) = Ada();
        foreach (var doorFirst in new[] { true, false })
        {
            var bench = new HistoryBench(stripe, Now);
            var failure = events.Last(e => e.Type == "invoice.payment_failed");
            if (doorFirst) bench.Arrive(failure);
            await bench.SettleAsync();
            await bench.BackfillAsync();
            if (!doorFirst) bench.Arrive(failure);
            await bench.SettleAsync();
            Assert.Single(await bench.RunsAsync());
        }
    }

    [Fact]
    public async Task More_seats_in_the_middle_of_a_month_are_more_MRR_from_that_moment()
    {
        var (stripe, _) = Ada();
        var bench = new HistoryBench(stripe, Now);
        await bench.BackfillAsync();
        Assert.Equal([(Start, 2000L), (Start.AddDays(41), 6000L)], (await bench.LedgerAsync("cus_Ada")).Select(m => (m.At, m.MrrAfter)));
    }

    [Fact]
    public async Task Killed_between_any_two_steps_it_goes_on_and_ends_the_same()
    {
        var (stripe, events) = Ada();
        var (calls, undisturbed) = await TellAsync(FaultPlan.None());
        Assert.True(calls > 50, $"{calls} calls");
        await Parallel.ForAsync(1, calls + 1, async (call, _) =>
        {
            // After one call is before the next: each moment once.
            var plan = FaultPlan.At(call, call % 2 == 0 ? FaultMoment.Before : FaultMoment.After);
            var (_, end) = await TellAsync(plan);
            Assert.True(undisturbed == end, $"{plan.Failed}:\n{undisturbed}\nbut\n{end}");
        });

        async Task<(int Calls, string End)> TellAsync(FaultPlan plan)
        {
            var bench = new HistoryBench(stripe, Now);
            bench.Compose(plan);
            // Since the last month the endpoint is there: some of it is known, some comes while the pages are read.
            bench.Arrive(events.Where(e => e.CreatedAt > Now.AddDays(-20) && e.CreatedAt < Now.AddDays(-5)));
            await bench.SettleAsync();
            await bench.StartAsync();
            bench.Arrive(events.Where(e => e.CreatedAt > Now.AddDays(-5)));
            await bench.SettleAsync();
            Assert.Empty(await bench.DeadLettersAsync());
            Assert.False((await bench.Tables.GetAsync<JobState>(Keys.Job(Backfill.JobName)))!.Value.IsRunning);
            var customer = (await bench.CustomerAsync("cus_Ada"))!;
            return (plan.Calls, string.Join('\n', [.. (await bench.LedgerAsync("cus_Ada")).Select(m => m.ToString()), customer.Status.ToString(), customer.Card?.ToString() ?? "", string.Join(' ', customer.FailingInvoices),
                .. (await bench.InvoicesAsync("cus_Ada")).Select(i => $"{i.Id} {i.PaidAt:O} {i.FirstFailedAt:O} {i.IsPast}"), .. (await bench.RunsAsync()).Select(r => r.Id.ToString())]));
        }
    }

    [Fact]
    public async Task Where_Stripe_throttles_it_only_takes_longer()
    {
        var bench = new HistoryBench(Ada().Stripe, Now);
        for (var i = 0; i < 3; i++) bench.Stripe.Faults.Enqueue(new TransientBillingException("Too many requests (429)."));
        var state = await bench.BackfillAsync();
        Assert.Equal((3, null, 1L), (bench.Redeliveries, state.Failed, state.Counts["subscriptions"]));
    }

    [Fact]
    public async Task A_key_without_the_permission_is_told_with_what_is_lacking_and_the_next_start_begins_anew()
    {
        var bench = new HistoryBench(Ada().Stripe, Now);
        bench.Stripe.Faults.Enqueue(new BillingForbiddenException("The key may not read subscriptions."));
        Assert.Equal("The key may not read subscriptions.", (await bench.BackfillAsync()).Failed);
        var again = await bench.BackfillAsync("again");
        Assert.Equal((null, 1L), (again.Failed, again.Counts["customers"]));
    }

    [Fact]
    public async Task A_key_of_the_other_mode_reads_nothing()
    {
        var bench = new HistoryBench(new SandboxStripe(new SandboxOptions { Livemode = true }, Ada().Stripe.States()), Now);
        bench.Settings.Stripe.Mode = StripeModeSetting.Test;
        bench.Compose(FaultPlan.None());
        Assert.Contains("live mode", (await bench.BackfillAsync()).Failed);
        Assert.Null(await bench.CustomerAsync("cus_Ada"));
    }

    [Fact]
    public async Task It_reads_the_invoices_of_as_many_years_as_are_set()
    {
        var bench = new HistoryBench(Ada().Stripe, Now);
        bench.Settings.Stripe.HistoryYears = 3;
        await bench.BackfillAsync();
        Assert.Equal(Now.AddYears(-3), bench.Stripe.Asked.Find(q => q.List == BillingList.Invoices)!.CreatedFrom);
    }
}
