using RetentionFunctions.Customers;
using RetentionFunctions.Insight;
using RetentionFunctions.Settings;
using RetentionFunctions.Storage;
using RetentionFunctions.Tests.Support;
using static RetentionFunctions.Tests.Support.Snapshots;

namespace RetentionFunctions.Tests.Insight;

/// <summary>Why customers left, from lives of subscriptions. Day 0 is 1 January 2026; it is 11 April.</summary>
public class LeavingTests
{
    private static readonly Month March = Month.Of(Day(70));

    /// <summary>The edge cases of docs/definitions.md, one customer each: the reasons of March.</summary>
    public static TheoryData<string, SubscriptionSnapshot[], string> Lives => new()
    {
        { "leaves and says why in Stripe's survey", [Created(), Says("d", 70, "too_expensive")], "too_expensive" },
        { "leaves and says nothing", [Created(), Deleted("d", 70)], "nothing said" },
        { "asks in February, is gone at the end of what was paid in March", [Created(), Of("c", 50, cancelAt: 70) with { CancellationFeedback = "unused" }, Says("d", 70, "unused")], "unused" },
        { "a failed payment, whatever was said before", [Created(), Of("f", 40, "past_due", was: "active"), Says("d", 62, "unused", "payment_failed")], "no part" },
        { "one of two subscriptions ends: nobody left", [Created(), Created("c2", 5, 2000, sub: "sub_2"), Says("d", 70, "unused")], "no part" },
        { "two end, one after the other: the last one's reason", [Created(), Created("c2", 5, 2000, sub: "sub_2"), Says("d", 65, "unused"), Says("d2", 70, "low_quality", sub: "sub_2")], "low_quality" },
        { "left in February", [Created(), Says("d", 40, "unused")], "no part" },
        { "left in March and is back in April", [Created(), Says("d", 70, "missing_features"), Created("r", 95, sub: "sub_2")], "missing_features" },
        { "a word that is none of Stripe's", [Created(), Says("d", 70, "call me: +1 555 0100")], "other" },
    };

    [Theory, MemberData(nameof(Lives))]
    public void A_life_gives_its_reason(string life, SubscriptionSnapshot[] snapshots, string told)
    {
        var months = Derived(snapshots);
        var reasons = LeavingSummary.Of(months.Customer, months.Months).Where(r => r.Month == March).ToList();
        Assert.Equal((life, told), (life, reasons.Count == 0 ? "no part" : reasons.Single().Code ?? "nothing said"));
    }

    [Theory, MemberData(nameof(Lives))]
    public void The_life_stands_in_the_definitions(string life, SubscriptionSnapshot[] snapshots, string told)
    {
        Assert.NotEmpty(snapshots);
        Assert.Contains($"| {life} | {told} |", File.ReadAllText(Path.Combine(Repository.Root, "docs", "definitions.md")));
    }

    [Fact]
    public void Buckets_add_up_and_what_is_told_has_its_denominator()
    {
        StoredLeaving Bucket(params string?[] codes) => (StoredLeaving)new LeavingSummary().Count([.. codes.Select(code => Rows([Created(), Says("d", 70, code)]))], Day(100))!;
        var stored = (StoredLeaving[])[Bucket("unused", "too_expensive", null), Bucket("too_expensive", "too_expensive")];
        Assert.Equal(["m202603"], stored[0].Keys);
        // What is written is what is read.
        var read = stored.Select(s => System.Text.Json.JsonSerializer.Deserialize<StoredLeaving>(System.Text.Json.JsonSerializer.SerializeToUtf8Bytes(s, TablesExtensions.Json), TablesExtensions.Json)!);
        var leaving = Assert.Single(LeavingReasons.Of(read, March));
        Assert.Equal(("usd", 5, 4), (leaving.Currency, leaving.Asked, leaving.Given));
        Assert.Equal([("too_expensive", 3), ("unused", 1)], leaving.Reasons);
        Assert.Equal("Of 5 who left by their own decision 4 gave a reason: 3 too expensive, 1 unused.", leaving.Text);
        Assert.Equal("Of 1 who left by their own decision nobody gave a reason.", LeavingReasons.Of([Bucket((string?)null)], March).Single().Text);
        Assert.Empty(LeavingReasons.Of(read, March.Plus(1)));
        Assert.Null(new LeavingSummary().Count([Rows([Created()])], Day(100)));
    }

    private static CustomerRows Rows(SubscriptionSnapshot[] snapshots)
    {
        var derived = Derived(snapshots);
        return CustomerRows.Of(derived.Customer, (CustomerNouns.Months, StoredMonths.Of(derived.Months)));
    }

    private static Derived Derived(SubscriptionSnapshot[] snapshots) => CustomerDerivation.Derive(new Customer { Id = "cus_1" }, snapshots, new CustomerSettings(), Day(100));

    private static SubscriptionSnapshot Says(string id, double day, string? feedback, string reason = "cancellation_requested", string sub = "sub_1") => Deleted(id, day, reason, sub) with { CancellationFeedback = feedback };
}
