using System.Text.Json.Nodes;
using FsCheck;
using FsCheck.Fluent;
using RetentionFunctions.Customers;
using RetentionFunctions.Intake;
using RetentionFunctions.Intake.Stripe;
using static RetentionFunctions.Tests.Intake.Stripe.StripeFixtures;

namespace RetentionFunctions.Tests.Intake.Stripe;

/// <summary>MRR as DEFINITIONS.md has it, from the payload to the number.</summary>
public class SubscriptionMrrTests
{
    private static readonly DateTimeOffset Now = At(Created);

    private static SubscriptionSnapshot Snapshot(JsonObject subscription, bool temporary = false) =>
        Read<SubscriptionChanged>(Event("2024-06-20", "customer.subscription.updated", subscription), temporary).Snapshot;

    [Theory]
    [InlineData("month", 1, 2000, 1, 2000)]
    [InlineData("month", 1, 2000, 3, 6000)]
    [InlineData("month", 3, 3000, 1, 1000)]
    [InlineData("month", 6, 1000, 1, 167)]
    [InlineData("year", 1, 12000, 1, 1000)]
    [InlineData("year", 1, 1000, 1, 83)]
    [InlineData("year", 2, 24000, 1, 1000)]
    [InlineData("week", 1, 300, 1, 1300)]
    [InlineData("week", 2, 300, 1, 650)]
    [InlineData("week", 1, 1000, 1, 4333)]
    [InlineData("day", 1, 12, 1, 365)]
    [InlineData("day", 30, 1000, 1, 1014)]
    [InlineData("year", 1, 18, 1, 2)]   // 1.5 away from zero
    [InlineData("year", 1, 30, 1, 3)]   // 2.5 away from zero, not to even
    [InlineData("month", 1, 0, 5, 0)]
    public void A_price_counts_by_the_month(string interval, int count, int amount, int quantity, long mrr) =>
        Assert.Equal(mrr, Snapshot(WithItems(Item(Price(amount, interval, count), quantity))).Mrr);

    [Fact]
    public void It_is_rounded_once_for_the_whole_subscription() =>
        // Three times 1/6 is a half: rounded each they would be nothing.
        Assert.Equal(1, Snapshot(WithItems(Item(Price(1, "month", 6)), Item(Price(1, "month", 6)), Item(Price(1, "month", 6)))).Mrr);

    [Fact]
    public void Sevenths_that_add_up_to_a_half_stay_a_half() =>
        // 1.5 every 7 months is 18/7 a year, which no decimal holds; seven of them are 18 a year, 1.5 a month.
        Assert.Equal(2, SubscriptionMrr.Of([.. Enumerable.Repeat(new PriceTerms("p", "month", 7) { UnitAmount = 1.5m }, 7)], [], Now, false).Mrr);

    [Fact]
    public void Cents_have_decimals_where_the_price_has_them() => Assert.Equal(1234, Snapshot(WithItems(Item(Price(12.34m), 100))).Mrr);

    [Fact]
    public void Currencies_without_cents_are_not_scaled()
    {
        var subscription = WithItems(Item(Price(980)));
        subscription["currency"] = "jpy";
        subscription["items"]!["data"]![0]!["price"]!["currency"] = "jpy";
        Assert.Equal((980L, "jpy"), (Snapshot(subscription).Mrr, Snapshot(subscription).Currency));
    }

    [Fact]
    public void What_is_billed_by_use_or_once_is_left_out()
    {
        var once = Price(9900);
        once["type"] = "one_time";
        once["recurring"] = null;
        var metered = Price(5, usage: "metered");
        var snapshot = Snapshot(WithItems(Item(Price(2000)), Item(metered, null), Item(once)));
        Assert.Equal(2000, snapshot.Mrr);
        Assert.Empty(snapshot.Unpriced);
    }

    public static TheoryData<string, string, string, int?, long> Tiers => new()
    {
        { "licensed", "graduated", """[{"up_to":5,"flat_amount":1000},{"up_to":null,"unit_amount":100}]""", 5, 1000 },
        { "licensed", "graduated", """[{"up_to":5,"flat_amount":1000},{"up_to":null,"unit_amount":100}]""", 8, 1300 },
        { "licensed", "graduated", """[{"up_to":5,"unit_amount":300},{"up_to":10,"unit_amount":200,"flat_amount":50},{"up_to":"inf","unit_amount":100}]""", 12, 2750 },
        { "licensed", "volume", """[{"up_to":5,"unit_amount":300},{"up_to":null,"unit_amount":200}]""", 5, 1500 },
        { "licensed", "volume", """[{"up_to":5,"unit_amount":300},{"up_to":null,"unit_amount":200,"flat_amount":10}]""", 6, 1210 },
        { "licensed", "graduated", """[{"up_to":5,"amount":300},{"up_to":null,"amount":200}]""", 6, 1700 }, // 2018
        { "metered", "graduated", """[{"up_to":100,"flat_amount":1000},{"up_to":null,"unit_amount":7}]""", null, 1000 },
        { "metered", "graduated", """[{"up_to":100,"unit_amount":7},{"up_to":null,"unit_amount":5}]""", null, 0 },
    };

    [Theory, MemberData(nameof(Tiers))]
    public void Of_tiers_counts_what_does_not_depend_on_use(string usage, string mode, string tiers, int? quantity, long mrr)
    {
        var price = Price(null, usage: usage);
        (price["billing_scheme"], price["tiers_mode"], price["tiers"]) = ("tiered", mode, JsonNode.Parse(tiers));
        var snapshot = Snapshot(WithItems(Item(price, quantity)));
        Assert.Equal(mrr, snapshot.Mrr);
        Assert.Empty(snapshot.Unpriced);
    }

    [Fact]
    public void Tiers_that_the_event_does_not_hold_are_told_to_the_founder()
    {
        var price = Price(null);
        price["billing_scheme"] = "tiered";
        var snapshot = Snapshot(WithItems(Item(price, 5), Item(Price(100))));
        Assert.Equal(100, snapshot.Mrr);
        Assert.Contains("Gold is a tiered price", Assert.Single(snapshot.Unpriced));
    }

    [Theory]
    [InlineData("up", 11, 2000)]
    [InlineData("down", 19, 1000)]
    [InlineData("up", 10, 1000)]
    public void Units_sold_in_packages_count_by_the_package(string round, int quantity, long mrr)
    {
        var price = Price(1000);
        price["transform_quantity"] = new JsonObject { ["divide_by"] = 10, ["round"] = round };
        Assert.Equal(mrr, Snapshot(WithItems(Item(price, quantity))).Mrr);
    }

    [Fact]
    public void A_price_in_another_currency_is_not_taken_for_the_subscriptions()
    {
        var subscription = WithItems(Item(Price(2000)));
        subscription["currency"] = "eur";
        var snapshot = Snapshot(subscription);
        Assert.Equal((0L, "eur"), (snapshot.Mrr, snapshot.Currency));
        Assert.Contains("priced in usd and billed in eur", Assert.Single(snapshot.Unpriced));
        subscription["items"]!["data"]![0]!["price"]!["currency_options"] = new JsonObject { ["eur"] = new JsonObject { ["unit_amount"] = 1800 } };
        Assert.Equal(1800, Snapshot(subscription).Mrr);
    }

    public static TheoryData<string, bool, long> Coupons => new()
    {
        { """{"percent_off":25,"duration":"forever"}""", false, 3000 },
        { """{"percent_off":12.5,"duration":"forever"}""", false, 3500 },
        { """{"percent_off":100,"duration":"forever"}""", false, 0 },
        { """{"amount_off":500,"currency":"usd","duration":"forever"}""", false, 3500 },
        { """{"amount_off":9999,"currency":"usd","duration":"forever"}""", false, 0 },
        { """{"percent_off":25,"duration":"once"}""", false, 4000 },
        { """{"percent_off":25,"duration":"repeating","duration_in_months":3}""", false, 4000 },
        { """{"percent_off":25,"duration":"once"}""", true, 3000 },
        { """{"amount_off":500,"currency":"usd","duration":"repeating"}""", true, 3500 },
    };

    // The same coupon in each of the forms that discounts had; the subscription is 2 × 20.00 a month.
    [Theory, MemberData(nameof(Coupons))]
    public void Discounts_that_last_reduce_it_in_every_form(string coupon, bool temporary, long mrr)
    {
        JsonObject Discount() => new() { ["id"] = "di_1", ["coupon"] = JsonNode.Parse(coupon), ["end"] = null };
        var forms = new List<JsonObject>();
        void Form(string version, Action<JsonObject> give)
        {
            var subscription = Subscription(version);
            give(subscription);
            forms.Add(subscription);
        }
        Form("2016-07-06", s => s["discount"] = Discount());
        Form("2024-06-20", s => s["discounts"] = new JsonArray(Discount()));
        Form("2024-06-20", s => { s["discount"] = Discount(); s["discounts"] = new JsonArray(Discount()); }); // said twice, counted once
        Form("2024-06-20", s => { s["discount"] = Discount(); s["discounts"] = new JsonArray("di_1"); });
        Form("2024-06-20", s => s["items"]!["data"]![0]!["discounts"] = new JsonArray(Discount()));
        Form("2025-09-30.clover", s => s["discounts"] = new JsonArray(new JsonObject { ["id"] = "di_1", ["source"] = new JsonObject { ["type"] = "coupon", ["coupon"] = JsonNode.Parse(coupon) } }));
        Assert.All(forms, s =>
        {
            var snapshot = Snapshot(s, temporary);
            Assert.Equal(mrr, snapshot.Mrr);
            Assert.Empty(snapshot.Unpriced);
        });
    }

    [Theory]
    [InlineData("""{"discounts":["di_1"]}""", "A discount (di_1)")]
    [InlineData("""{"discounts":[{"id":"di_1","source":{"type":"coupon","coupon":"SPRING"}}]}""", "The coupon SPRING is given by its id only")]
    [InlineData("""{"discounts":[{"id":"di_1"}]}""", "A discount does not say")]
    [InlineData("""{"discount":{"coupon":{"id":"C","amount_off":5,"currency":"eur","duration":"forever"}}}""", "takes off an amount in eur")]
    public void A_discount_whose_value_the_event_does_not_hold_is_told_to_the_founder(string fields, string told)
    {
        var subscription = Subscription("2025-09-30.clover");
        foreach (var (name, value) in JsonNode.Parse(fields)!.AsObject()) subscription[name] = value?.DeepClone();
        var snapshot = Snapshot(subscription);
        Assert.Equal(4000, snapshot.Mrr);
        Assert.Contains(told, Assert.Single(snapshot.Unpriced));
    }

    [Fact]
    public void A_discount_that_has_ended_is_over()
    {
        var subscription = Subscription("2020-08-27");
        subscription["discount"] = new JsonObject { ["coupon"] = new JsonObject { ["percent_off"] = 50, ["duration"] = "repeating" }, ["end"] = Created };
        Assert.Equal(4000, Snapshot(subscription, temporary: true).Mrr);
        subscription["discount"]!["end"] = Created + 1;
        Assert.Equal(2000, Snapshot(subscription, temporary: true).Mrr);
    }

    [Fact]
    public void An_amount_off_every_invoice_spreads_like_the_invoices()
    {
        var yearly = WithItems(Item(Price(12000, "year")));
        yearly["discounts"] = new JsonArray(new JsonObject { ["coupon"] = new JsonObject { ["amount_off"] = 2400, ["currency"] = "usd", ["duration"] = "forever" } });
        Assert.Equal(800, Snapshot(yearly).Mrr);
    }

    [Fact]
    public void Discounts_follow_one_another() =>
        // 100.00 − 10.00 = 90.00, less a tenth; the other way round it would be 80.00.
        Assert.Equal(8100, SubscriptionMrr.Of([new PriceTerms("p", "month", 1) { UnitAmount = 10000 }], [new(null, 1000, true), new(10, null, true)], Now, false).Mrr);

    [Fact]
    public void A_discount_of_one_item_never_reaches_another() =>
        Assert.Equal(500, SubscriptionMrr.Of(
            [new PriceTerms("a", "month", 1) { UnitAmount = 100, Discounts = [new(null, 900, true)] }, new PriceTerms("b", "month", 1) { UnitAmount = 500 }], [], Now, false).Mrr);

    [Fact]
    public void Items_that_the_event_leaves_out_are_told_to_the_founder()
    {
        var subscription = WithItems(Item(Price(2000)));
        subscription["items"]!["has_more"] = true;
        Assert.Contains("more items", Assert.Single(Snapshot(subscription).Unpriced));
    }

    [Fact]
    public void Amounts_beyond_all_money_cannot_be_read()
    {
        var price = Price(1);
        price["unit_amount_decimal"] = "70000000000000000000000000000";
        Assert.Throws<UnreadableException>(() => Snapshot(WithItems(Item(price, 1000))));
        price = Price(100);
        price["transform_quantity"] = new JsonObject { ["divide_by"] = 0, ["round"] = "up" };
        Assert.Throws<UnreadableException>(() => Snapshot(WithItems(Item(price))));
        Assert.Throws<UnreadableException>(() => Snapshot(WithItems(Item(Price(100, "month", 0)))));
    }

    [Fact]
    public void Whatever_the_prices_and_discounts_it_is_never_below_zero_and_never_more_than_without_discounts()
    {
        var gen =
            from amounts in Gen.Choose(-5_000, 50_000).NonEmptyListOf()
            from interval in Gen.Elements("day", "week", "month", "year")
            from count in Gen.Choose(1, 12)
            from percent in Gen.Choose(0, 100)
            from off in Gen.Choose(0, 20_000)
            select (amounts, interval, count, percent, off);
        Prop.ForAll(gen.ToArbitrary(), c =>
        {
            PriceTerms[] items = [.. c.amounts.Select(a => new PriceTerms("p", c.interval, c.count) { UnitAmount = a })];
            var full = SubscriptionMrr.Of(items, [], Now, false).Mrr;
            var reduced = SubscriptionMrr.Of(items, [new(c.percent, null, true), new(null, c.off, true)], Now, false).Mrr;
            return 0 <= reduced && reduced <= full;
        }).QuickCheckThrowOnFailure();
    }
}
