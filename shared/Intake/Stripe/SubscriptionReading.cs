using RetentionFunctions.Customers;

namespace RetentionFunctions.Intake.Stripe;

/// <summary>Reads a subscription as any API version since 2016 writes it.</summary>
internal static class SubscriptionReading
{
    // A few paragraphs of somebody who says why they leave; it has a row's property with others.
    private const int MaxCommentLength = 5000;

    public static SubscriptionSnapshot Read(StripeObject subscription, StripeObject previous, Stamp stamp, bool temporaryDiscountsReduce)
    {
        var entries = subscription.List("items").Select(e => e.Object).Where(o => o.Exists).ToList();
        var topPlan = subscription.Object("plan");
        var currency = subscription.Currency("currency") // since 2022-08
            ?? entries.Select(i => i.Object("price").Currency("currency") ?? i.Object("plan").Currency("currency")).FirstOrDefault(c => c is not null)
            ?? topPlan.Currency("currency")
            ?? subscription.Object("latest_invoice").Currency("currency")
            ?? throw subscription.Missing("currency");

        var items = new List<PriceTerms>(Math.Max(1, entries.Count));
        string? plan = null;
        foreach (var item in entries)
        {
            // An item whose price is not expanded is priced by the plan beside the items, when it is the only one.
            var ownPlan = item.Object("plan");
            var price = item.Object("price");
            if (entries.Count == 1 && !price.Exists && !ownPlan.Exists) ownPlan = topPlan;
            plan ??= PlanName(price, ownPlan);
            if (price.Text("type") == "one_time") continue;
            items.Add(Terms(item, price, ownPlan, currency, item.Number("quantity") ?? (entries.Count == 1 ? subscription.Number("quantity") : null)));
        }
        if (entries.Count == 0 && topPlan.Exists) // 2016: no items
        {
            plan = PlanName(default, topPlan);
            items.Add(Terms(default, default, topPlan, currency, subscription.Number("quantity")));
        }
        var priced = Price(subscription, items, Discounts(subscription, currency), stamp.At, temporaryDiscountsReduce);
        var longest = items.MaxBy(i => i.PeriodDays);

        // Since basil the period stands on the items, which may differ: what was paid lasts until the latest of them ends.
        var latest = entries.OrderByDescending(i => i.Time("current_period_end") ?? DateTimeOffset.MinValue).FirstOrDefault();
        var periodEnd = latest.Time("current_period_end") ?? subscription.Time("current_period_end");
        var atPeriodEnd = subscription.Flag("cancel_at_period_end") == true;
        var status = subscription.RequiredText("status");
        var deleted = stamp.EventType == "customer.subscription.deleted";
        var pause = subscription.Object("pause_collection");
        var cancellation = subscription.Object("cancellation_details");
        return new SubscriptionSnapshot
        {
            SubscriptionId = subscription.RequiredId("id"),
            Stamp = stamp,
            // The event itself says that it is over, whatever the object says.
            Status = deleted && !SubscriptionStatus.IsEnded(status) ? "canceled" : status,
            PreviousStatus = previous.Text("status"),
            Mrr = priced.Mrr,
            Currency = currency,
            Unpriced = priced.Unpriced,
            Plan = plan,
            Interval = longest?.Interval,
            IntervalCount = (int)(longest?.IntervalCount ?? 1),
            // start_date, and start before 2019, where a version of 2016 has no created.
            CreatedAt = subscription.Time("created") ?? subscription.Time("start_date") ?? subscription.Time("start") ?? throw subscription.Missing("created"),
            TrialEndAt = subscription.Time("trial_end"),
            PeriodStartAt = latest.Time("current_period_start") ?? subscription.Time("current_period_start"),
            PeriodEndAt = periodEnd,
            // In flexible billing mode the portal sets cancel_at alone; before 2019 there is cancel_at_period_end alone.
            CancelAt = subscription.Time("cancel_at") ?? (atPeriodEnd ? periodEnd : null),
            CanceledAt = subscription.Time("canceled_at"),
            EndedAt = subscription.Time("ended_at") ?? (deleted ? stamp.At : null),
            PauseBehavior = pause.Text("behavior"),
            PauseResumesAt = pause.Time("resumes_at"),
            CancellationReason = cancellation.Text("reason"),
            CancellationFeedback = cancellation.Text("feedback"),
            CancellationComment = cancellation.Text("comment", MaxCommentLength),
            UserId = subscription.Metadata("userId", "user_id"),
        };
    }

    private static PricedSubscription Price(
        StripeObject subscription, List<PriceTerms> items, List<DiscountTerms> discounts, DateTimeOffset at, bool temporaryDiscountsReduce)
    {
        PricedSubscription priced;
        try
        {
            priced = SubscriptionMrr.Of(items, discounts, at, temporaryDiscountsReduce);
        }
        catch (OverflowException e)
        {
            throw new UnreadableException($"{subscription.Path}.items has amounts or quantities that are too large to be money. Look at the subscription in Stripe's dashboard.", e);
        }
        return subscription.Object("items").Flag("has_more") == true
            ? priced with { Unpriced = [.. priced.Unpriced, "The subscription has more items than the event holds; the others are not in the MRR."] }
            : priced;
    }

    // The price's nickname, or the product's or plan's name or id. plan.name is of versions before 2018.
    private static string? PlanName(StripeObject price, StripeObject plan) =>
        price.Text("nickname") ?? plan.Text("nickname") ?? price.Object("product").Text("name") ?? plan.Object("product").Text("name") ?? plan.Text("name")
        ?? price.Text("id") ?? plan.Text("id") ?? price.Id("product") ?? plan.Id("product");

    private static PriceTerms Terms(StripeObject item, StripeObject price, StripeObject plan, string currency, decimal? quantity)
    {
        var name = PlanName(price, plan) ?? "An item";
        var source = price.Exists ? price : plan;
        // A plan carries its interval itself, a price in `recurring`.
        var recurring = price.Object("recurring");
        if (!recurring.Exists) recurring = plan;
        var count = recurring.Whole("interval_count") ?? 1;
        if (count is < 1 or > int.MaxValue) throw UnreadableException.At($"{recurring.Path}.interval_count", "is not a number of intervals from 1 up");

        var packages = source.Object("transform_quantity");
        if (!packages.Exists) packages = source.Object("transform_usage");
        var divideBy = packages.Number("divide_by");
        if (divideBy <= 0) throw UnreadableException.At($"{packages.Path}.divide_by", "is not above 0");

        // A price in several currencies shows its amounts in its own; those in the subscription's stand in currency_options, where they are included.
        var amounts = source;
        string? unpriceable = null;
        if (source.Currency("currency") is { } own && own != currency)
        {
            amounts = source.Object("currency_options").Object(currency);
            if (!amounts.Exists) unpriceable = $"{name} is priced in {own} and billed in {currency}, and the event does not hold the amount in {currency}; it is not in the MRR.";
        }
        var tiers = amounts.List("tiers").Select(t => t.Object).Where(t => t.Exists).Select(t => new PriceTier(
            t.Text("up_to") == "inf" ? null : t.Number("up_to"),
            t.Number("flat_amount_decimal") ?? t.Number("flat_amount") ?? 0,
            t.Number("unit_amount_decimal") ?? t.Number("unit_amount") ?? t.Number("amount") ?? 0)).ToList();
        return new PriceTerms(name, recurring.Text("interval"), count)
        {
            UnitAmount = amounts.Number("unit_amount_decimal") ?? amounts.Number("unit_amount") ?? amounts.Number("amount_decimal") ?? amounts.Number("amount"),
            Quantity = quantity,
            Metered = recurring.Text("usage_type") == "metered" || recurring.Id("meter") is not null,
            Tiered = source.Text("billing_scheme") == "tiered" || tiers.Count > 0,
            Volume = source.Text("tiers_mode") == "volume",
            Tiers = tiers,
            DivideBy = divideBy,
            RoundUp = packages.Text("round") == "up",
            Discounts = Discounts(item, currency),
            Unpriceable = unpriceable,
        };
    }

    /// <summary>
    /// The discounts of a subscription or item: <c>discount</c> (one object, before basil), <c>discounts[]</c> (objects or, since mid-2024, ids).
    /// Versions that have both say the same thing twice, so the single one only serves to fill in its id.
    /// </summary>
    private static List<DiscountTerms> Discounts(StripeObject holder, string currency)
    {
        var single = holder.Object("discount");
        var list = holder.List("discounts");
        if (list.Count == 0) return single.Exists ? [Discount(single, currency)] : [];
        var terms = new List<DiscountTerms>(list.Count);
        foreach (var entry in list)
        {
            if (entry.Object.Exists) terms.Add(Discount(entry.Object, currency));
            else if (single.Exists && single.Text("id") == entry.Id) terms.Add(Discount(single, currency));
            else terms.Add(Unknown($"A discount ({entry.Id}) is given by its id only; the MRR is counted without it."));
        }
        return terms;
    }

    private static DiscountTerms Discount(StripeObject discount, string currency)
    {
        // Since clover the coupon stands in `source`, mostly as an id.
        var coupon = discount.Object("coupon");
        if (!coupon.Exists) coupon = discount.Object("source").Object("coupon");
        if (!coupon.Exists)
        {
            var id = discount.Id("coupon") ?? discount.Object("source").Id("coupon");
            return Unknown(id is null ? "A discount does not say what it takes off; the MRR is counted without it."
                : $"The coupon {id} is given by its id only; the MRR is counted without it.");
        }
        var name = coupon.Text("name") ?? coupon.Text("id") ?? "without a name";
        var forever = coupon.Text("duration") == "forever";
        var end = discount.Time("end");
        if (coupon.Number("percent_off") is { } percent) return new DiscountTerms(percent, null, forever, end);
        var off = coupon.Number("amount_off");
        if (off is not null && coupon.Currency("currency") is { } own && own != currency)
        {
            off = coupon.Object("currency_options").Object(currency).Number("amount_off");
            if (off is null) return Unknown($"The coupon {name} takes off an amount in {own}, the subscription is in {currency}; the MRR is counted without it.");
        }
        return off is null ? Unknown($"The coupon {name} does not say what it takes off; the MRR is counted without it.") : new DiscountTerms(null, off, forever, end);
    }

    private static DiscountTerms Unknown(string why) => new(null, null, false, Unreadable: why);
}
