using FsCheck;
using FsCheck.Fluent;
using RetentionFunctions.Customers;
using RetentionFunctions.Settings;
using RetentionFunctions.Tests.Support;
using static RetentionFunctions.Tests.Support.Snapshots;

namespace RetentionFunctions.Tests.Customers;

/// <summary>The movements of DEFINITIONS.md, told as lives of subscriptions.</summary>
public class MrrLedgerTests
{
    private static readonly CustomerSettings Settings = new();

    public static TheoryData<string, SubscriptionSnapshot[], string> Lives => new()
    {
        { "a new customer", [Created()], "0 New +4900 usd" },
        { "an upgrade and a downgrade", [Created(), Of("u", 10, mrr: 9900), Of("d", 20, mrr: 2900)], "0 New +4900 usd, 10 Expansion +5000 usd, 20 Contraction -7000 usd" },
        { "a trial that turns into a paying customer", [Created(status: "trialing"), Of("a", 14, was: "trialing")], "14 New +4900 usd" },
        { "a trial that ends without paying", [Created(status: "trialing"), Deleted("d", 14)], "" },
        { "a first payment that never came", [Created(status: "incomplete"), Of("e", 1, "incomplete_expired", was: "incomplete")], "" },
        { "a cancellation, dated at the end of what was paid", [Created(), Of("c", 10, cancelAt: 31), Deleted("d", 31)], "0 New +4900 usd, 31 Churned -4900 usd" },
        { "a cancellation that was undone moves nothing", [Created(), Of("c", 10, cancelAt: 31), Of("s", 12)], "0 New +4900 usd" },
        { "churn and return", [Created(), Deleted("d", 31), Created("r", 60, sub: "sub_2")], "0 New +4900 usd, 31 Churned -4900 usd, 60 Reactivation +4900 usd" },
        { "one of two subscriptions lost", [Created(), Created("c2", 5, 2000, sub: "sub_2"), Deleted("d", 20, sub: "sub_2")], "0 New +4900 usd, 5 Expansion +2000 usd, 20 Contraction -2000 usd" },
        { "past due counts until it is paid", [Created(), Of("f", 31, "past_due", was: "active"), Of("p", 38, was: "past_due")], "0 New +4900 usd" },
        { "past due for thirty days is involuntary churn", [Created(), Of("f", 31, "past_due", was: "active")], "0 New +4900 usd, 61 Churned -4900 usd involuntary" },
        { "past due until Stripe cancels is involuntary churn", [Created(), Of("f", 31, "past_due", was: "active"), Deleted("d", 45, "payment_failed")], "0 New +4900 usd, 45 Churned -4900 usd involuntary" },
        { "unpaid is involuntary churn, a late payment a reactivation", [Created(), Of("f", 31, "past_due", was: "active"), Of("u", 45, "unpaid", was: "past_due"), Of("p", 50, was: "unpaid")], "0 New +4900 usd, 45 Churned -4900 usd involuntary, 50 Reactivation +4900 usd" },
        { "a pause of the void kind begins with the next period and ends by itself", [Created(), Of("p", 10, pause: "void", resumes: 92)], "0 New +4900 usd, 31 Paused -4900 usd, 92 Resumed +4900 usd" },
        { "a pause that keeps drafts begins at once", [Created(), Of("p", 10, pause: "keep_as_draft", resumes: 92)], "0 New +4900 usd, 10 Paused -4900 usd, 92 Resumed +4900 usd" },
        { "a period that rolls during a pause does not begin it anew", [Created(), Of("p", 10, pause: "void", resumes: 92), Of("roll", 31, pause: "void", resumes: 92, periodEnd: 59)], "0 New +4900 usd, 31 Paused -4900 usd, 92 Resumed +4900 usd" },
        { "a pause taken back before it began moves nothing", [Created(), Of("p", 10, pause: "void"), Of("r", 12)], "0 New +4900 usd" },
        { "a pause that ends in cancellation is churn of the MRR it had", [Created(), Of("p", 10, pause: "keep_as_draft"), Deleted("d", 40)], "0 New +4900 usd, 10 Paused -4900 usd, 40 Resumed +4900 usd, 40 Churned -4900 usd" },
        { "a second subscription while the first is paused is expansion: nobody had churned", [Created(), Of("p", 10, pause: "keep_as_draft"), Created("c2", 20, 2000, sub: "sub_2")], "0 New +4900 usd, 10 Paused -4900 usd, 20 Expansion +2000 usd" },
        { "one lost while the other is paused is contraction: the customer is still there", [Created(), Created("c2", 0, 2000, sub: "sub_2"), Of("p", 10, pause: "keep_as_draft"), Deleted("d", 20, sub: "sub_2"), Of("r", 30)], "0 New +6900 usd, 10 Paused -4900 usd, 20 Contraction -2000 usd, 30 Resumed +4900 usd" },
        { "back after a pause that ended in cancellation is a reactivation", [Created(), Of("p", 10, pause: "keep_as_draft"), Deleted("d", 40), Created("c2", 50, 2000, sub: "sub_2")], "0 New +4900 usd, 10 Paused -4900 usd, 40 Resumed +4900 usd, 40 Churned -4900 usd, 50 Reactivation +2000 usd" },
        { "status paused after having paid", [Created(), Of("p", 31, "paused", was: "active"), Of("r", 62, was: "paused")], "0 New +4900 usd, 31 Paused -4900 usd, 62 Resumed +4900 usd" },
        { "a trial that ended without a card never counts", [Created(status: "trialing"), Of("p", 14, "paused", was: "trialing")], "" },
        { "two currencies are two ledgers", [Created(), Created("e", 5, 3000, sub: "sub_2", currency: "eur")], "0 New +4900 usd, 5 New +3000 eur" },
        { "moving from one subscription to another at the same instant is one movement", [Created(), Deleted("d", 20), Created("n", 20, 9900, sub: "sub_2")], "0 New +4900 usd, 20 Expansion +5000 usd" },
        { "a subscription met in the middle of its life began when it was made", [Of("u", 100, created: 40)], "40 New +4900 usd" },
    };

    [Theory, MemberData(nameof(Lives))]
    public void A_life_gives_its_movements(string life, SubscriptionSnapshot[] snapshots, string movements) => Assert.Equal((life, movements), (life, Told(snapshots, 400)));

    [Theory, MemberData(nameof(Lives))]
    public void Any_order_and_any_copies_give_the_same_ledger(string life, SubscriptionSnapshot[] snapshots, string movements)
    {
        Assert.NotEmpty(life);
        Prop.ForAll(Gen.Shuffle(snapshots.Concat(snapshots).Concat(snapshots.Take(1)).ToArray()).ToArbitrary(), shuffled => Told(shuffled, 400) == movements).QuickCheckThrowOnFailure();
    }

    [Theory, MemberData(nameof(Lives))]
    public void The_life_stands_in_the_definitions(string life, SubscriptionSnapshot[] snapshots, string movements)
    {
        Assert.NotEmpty(snapshots);
        Assert.Contains($"| {life} | {(movements.Length > 0 ? movements : "none")} |", File.ReadAllText(Path.Combine(Repository.Root, "docs", "definitions.md")));
    }

    [Fact]
    public void What_lies_in_the_future_is_not_booked_yet()
    {
        SubscriptionSnapshot[] life = [Created(), Of("p", 10, pause: "void", resumes: 92)];
        Assert.Equal("0 New +4900 usd", Told(life, 30.9));
        Assert.Equal("0 New +4900 usd, 31 Paused -4900 usd", Told(life, 31));
        var (customer, _, _) = CustomerDerivation.Derive(new Customer { Id = "cus_1" }, life, Settings, Day(20));
        Assert.Equal((CustomerStatus.Paying, Day(31)), (customer.Status, customer.NextChangeAt));
        (customer, _, _) = CustomerDerivation.Derive(customer, life, Settings, Day(40));
        Assert.Equal((CustomerStatus.Paused, Day(92)), (customer.Status, customer.NextChangeAt));
    }

    [Fact]
    public void A_cancelled_customer_is_never_revived_by_a_late_event()
    {
        var (customer, ledger, _) = CustomerDerivation.Derive(new Customer { Id = "cus_1" }, [Created(), Deleted("d", 31), Of("late", 31, was: "past_due"), Of("later", 32)], Settings, Day(100));
        Assert.Equal(CustomerStatus.Canceled, customer.Status);
        Assert.Equal(MovementKind.Churned, ledger[^1].Kind);
    }

    [Fact]
    public void Mrr_at_the_end_is_mrr_at_the_start_plus_all_movements_whatever_happens()
    {
        string[] statuses = ["incomplete", "trialing", "active", "past_due", "unpaid", "paused", "canceled"];
        var snapshot =
            from day in Gen.Choose(0, 200)
            from status in Gen.Elements(statuses)
            from mrr in Gen.Choose(0, 3)
            from sub in Gen.Elements("sub_1", "sub_2")
            from pause in Gen.Elements(null, null, null, "void", "keep_as_draft")
            from resumes in Gen.Choose(0, 300)
            select Of($"evt_{day}_{status}_{mrr}_{sub}", day, status, mrr * 1000, sub: sub, pause: pause, resumes: pause is null ? null : resumes, ended: status == "canceled" ? day : null);
        Prop.ForAll(snapshot.ArrayOf().Where(all => all.Length > 0).ToArbitrary(), snapshots =>
        {
            var (customer, ledger, _) = CustomerDerivation.Derive(new Customer { Id = "cus_1" }, snapshots, Settings, Day(250));
            return ledger.Sum(m => m.Amount) == customer.Mrr.Values.Sum()
                && ledger.All(m => m.MrrAfter >= 0)
                && ledger.Zip(ledger.Skip(1)).All(pair => pair.First.MrrAfter + pair.Second.Amount == pair.Second.MrrAfter);
        }).QuickCheckThrowOnFailure();
    }

    [Theory]
    [InlineData("created and updated in one second: updated wins", "active")]
    public void Ties_within_a_second_follow_the_stated_rule(string rule, string expected)
    {
        Assert.NotEmpty(rule);
        var created = Created("evt_z", status: "incomplete");
        var updated = Of("evt_a", 0, was: "incomplete");
        Assert.Equal(expected, SnapshotOrder.Of([updated, created])[^1].Status);
        Assert.Equal(expected, SnapshotOrder.Of([created, updated])[^1].Status);
    }

    [Fact]
    public void Updates_of_one_second_follow_the_chain_of_their_previous_states_whatever_their_ids()
    {
        var card = Of("evt_m", 5, "past_due");
        var failed = Of("evt_z", 5, "past_due", was: "active");
        var paid = Of("evt_a", 5, "active", was: "past_due");
        SubscriptionSnapshot[] all = [Created(), failed, card, paid];
        Prop.ForAll(Gen.Shuffle(all).ToArbitrary(), shuffled =>
            SnapshotOrder.Of(shuffled).Select(s => s.Stamp.EventId).SequenceEqual(["evt_created", "evt_z", "evt_m", "evt_a"])).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void Deleting_a_customer_ends_all_subscriptions()
    {
        var (customer, ledger, _) = CustomerDerivation.Derive(new Customer { Id = "cus_1", DeletedAt = Day(20) }, [Created()], Settings, Day(100));
        Assert.Equal((CustomerStatus.Canceled, Day(20)), (customer.Status, customer.ChurnedAt));
        Assert.Equal(-4900, ledger[^1].Amount);
    }

    private static string Told(IEnumerable<SubscriptionSnapshot> snapshots, double asOf)
    {
        var (_, ledger, _) = CustomerDerivation.Derive(new Customer { Id = "cus_1" }, [.. snapshots], Settings, Day(asOf));
        return string.Join(", ", ledger.Select(m => FormattableString.Invariant($"{(m.At - Start).TotalDays} {m.Kind} {m.Amount:+0;-0} {m.Currency}{(m.Involuntary ? " involuntary" : "")}")));
    }
}
