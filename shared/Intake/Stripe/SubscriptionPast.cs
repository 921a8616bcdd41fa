using System.Text.Json;
using System.Text.Json.Nodes;
using RetentionFunctions.Customers;

namespace RetentionFunctions.Intake.Stripe;

/// <summary>
/// Works out what the events of a subscription said before anybody listened, from what Stripe still lists: the subscription as it stands, and its invoices.
/// Pure. What the lists do not tell (a change without proration, a pause that no invoice met, all before the first invoice) is not made up: the nearest moment
/// that they do tell stands for it.
/// </summary>
internal static class SubscriptionPast
{
    // In the order in which they count within a second: what is billed, then what becomes of it.
    private enum Turn
    {
        Terms,
        Pause,
        Failed,
        Settled,
    }

    private sealed record Event(DateTimeOffset At, Turn Turn, Action<State> Do);

    private sealed record Item(string Price, decimal? Quantity, DateTimeOffset Until);

    private sealed class State
    {
        public List<Item> Items { get; set; } = [];

        public required string Status { get; set; }

        // The start of the first period that was skipped.
        public DateTimeOffset? PausedFrom { get; set; }

        // Failed and not settled.
        public HashSet<string> Owed { get; } = new(StringComparer.Ordinal);
    }

    /// <summary>The snapshots of the past, one for each moment at which something changed, before <paramref name="listed"/>.</summary>
    /// <param name="subscription">The subscription as the list has it.</param>
    /// <param name="listed">The same, read.</param>
    /// <param name="invoices">Its invoices.</param>
    /// <param name="pending">What the next invoice will settle.</param>
    /// <param name="prices">The prices on their lines, as Stripe has them.</param>
    /// <param name="from">How far back the invoices reach.</param>
    /// <param name="temporaryDiscountsReduce">As in the settings; a discount of the past is on no list.</param>
    public static IReadOnlyList<SubscriptionSnapshot> Of(
        JsonElement subscription, SubscriptionSnapshot listed, IReadOnlyList<ListedInvoice> invoices, IReadOnlyList<ListedLine> pending,
        IReadOnlyDictionary<string, JsonElement> prices, DateTimeOffset from, bool temporaryDiscountsReduce)
    {
        var until = listed.EndedAt ?? listed.Stamp.At;
        var ordered = invoices.OrderBy(i => i.Invoice.CreatedAt).ThenBy(i => i.Invoice.InvoiceId, StringComparer.Ordinal).ToList();
        var events = Terms([.. ordered.Select(i => i.Lines), pending], prices).Concat(Lives(listed, ordered, from)).Where(e => e.At < until).OrderBy(e => e.At).ThenBy(e => e.Turn).ToList();
        var state = new State { Status = Begins(listed, ordered, from), Items = First([.. ordered.Select(i => i.Lines), pending], prices) };
        var snapshots = new List<SubscriptionSnapshot>();
        string? before = null;
        foreach (var moment in events.Select(e => e.At).Append(listed.CreatedAt).Where(at => at >= listed.CreatedAt && at < until).Distinct().Order().ToList())
        {
            foreach (var e in events.Where(e => e.At == moment)) e.Do(state);
            if (state.Items.Count == 0 && prices.Count > 0) continue;
            var now = string.Join('\n', [state.Status, state.PausedFrom.ToString() ?? "", .. state.Items.Select(i => $"{i.Price} {i.Quantity}").Order(StringComparer.Ordinal)]);
            if (now == before) continue;
            before = now;
            snapshots.Add(Snapshot(subscription, listed, state, moment, prices, temporaryDiscountsReduce));
        }
        return snapshots;
    }

    // ------------------------------------------------------------------ prices and quantities

    private static IEnumerable<Event> Terms(IEnumerable<IReadOnlyList<ListedLine>> invoices, IReadOnlyDictionary<string, JsonElement> prices)
    {
        foreach (var invoice in invoices)
        {
            foreach (var change in invoice.Where(l => l.Proration && Licensed(l, prices)).GroupBy(l => l.From))
                yield return new Event(change.Key, Turn.Terms, state =>
                {
                    foreach (var credit in change.Where(l => l.Credit))
                        if (state.Items.Find(i => i.Price == credit.PriceId) is { } gone) state.Items.Remove(gone);
                    foreach (var charge in change.Where(l => !l.Credit)) Put(state, charge);
                });
            foreach (var period in invoice.Where(l => !l.Proration && Licensed(l, prices)).GroupBy(l => l.From))
                yield return new Event(period.Key, Turn.Terms, state =>
                {
                    // What is not billed any more was taken off; what is billed by another interval goes on.
                    state.Items.RemoveAll(i => i.Until <= period.Key);
                    foreach (var line in period) Put(state, line);
                });
        }
    }

    private static void Put(State state, ListedLine line)
    {
        state.Items.RemoveAll(i => i.Price == line.PriceId);
        state.Items.Add(new Item(line.PriceId, line.Quantity, line.Until));
    }

    // What it was before the first invoice that is known: what that gave back, else what it billed.
    private static List<Item> First(IEnumerable<IReadOnlyList<ListedLine>> invoices, IReadOnlyDictionary<string, JsonElement> prices)
    {
        foreach (var invoice in invoices)
        {
            var lines = invoice.Where(l => Licensed(l, prices)).ToList();
            if (lines.Count == 0) continue;
            var change = lines.Where(l => l.Proration).Min(l => (DateTimeOffset?)l.From);
            var first = change is { } at ? lines.Where(l => l.Proration && l.Credit && l.From == at).ToList() : [];
            if (first.Count == 0) first = [.. lines.Where(l => !l.Proration)];
            if (first.Count > 0) return [.. first.Select(l => new Item(l.PriceId, l.Quantity, l.Until))];
        }
        return [];
    }

    // What is counted by use is billed after it and is no MRR.
    private static bool Licensed(ListedLine line, IReadOnlyDictionary<string, JsonElement> prices)
    {
        if (!prices.TryGetValue(line.PriceId, out var found)) return false;
        var price = new StripeObject(found, "prices");
        var recurring = price.Object("recurring");
        return price.Text("type") != "one_time" && recurring.Text("usage_type") != "metered";
    }

    // ------------------------------------------------------------------ what it was

    private static string Begins(SubscriptionSnapshot listed, List<ListedInvoice> invoices, DateTimeOffset from)
    {
        if (listed.TrialEndAt > listed.CreatedAt) return "trialing";
        // The first payment decides, where it was asked for at once and is still on the list.
        var first = invoices.Find(i => i.Invoice.BillingReason == "subscription_create");
        return first is { Invoice.CollectionMethod: not "send_invoice" } && listed.CreatedAt >= from && (first.SettledAt is not null || listed.Status is "incomplete" or "incomplete_expired")
            ? "incomplete" : "active";
    }

    private static IEnumerable<Event> Lives(SubscriptionSnapshot listed, List<ListedInvoice> invoices, DateTimeOffset from)
    {
        if (listed.TrialEndAt is { } trial && trial > listed.CreatedAt)
        {
            // A trial that ended without a card stands still: no invoice was made for what would have come after it.
            var billed = trial < from || invoices.Exists(i => i.Invoice.BillingReason != "subscription_create" && i.Invoice.CreatedAt >= trial && i.Invoice.CreatedAt <= trial.AddHours(2));
            yield return new Event(trial, Turn.Settled, state => state.Status = billed ? "active" : "paused");
        }
        foreach (var invoice in invoices)
        {
            var id = invoice.Invoice.InvoiceId;
            if (invoice.Invoice.BillingReason == "subscription_cycle" && Start(invoice) is { } start)
                // The pause was set while the period before ran: that was paid, and counts to its end.
                yield return invoice.Skipped
                    ? new Event(start.AddSeconds(-1), Turn.Pause, state => state.PausedFrom ??= SubscriptionStatus.Pays(state.Status) ? start : null)
                    : new Event(start, Turn.Pause, state => state.PausedFrom = null);
            if (invoice.FailedAt is { } failed)
                yield return new Event(failed, Turn.Failed, state =>
                {
                    state.Owed.Add(id);
                    if (state.Status == "active") state.Status = "past_due";
                });
            if (invoice.SettledAt is { } settled)
                yield return new Event(settled, Turn.Settled, state =>
                {
                    state.Owed.Remove(id);
                    if (invoice.Invoice.Status != "paid") return;
                    // What counts is the latest invoice, or that nothing is owed any more.
                    var latest = invoices.FindLast(i => i.Invoice.CreatedAt <= settled)?.Invoice.InvoiceId == id;
                    if (state.Status is "incomplete" || (state.Status is "past_due" && (latest || state.Owed.Count == 0)) || (state.Status is "paused" && invoice.Invoice.AmountDue > 0)) state.Status = "active";
                });
        }
    }

    private static DateTimeOffset? Start(ListedInvoice invoice) =>
        invoice.Lines.Where(l => !l.Proration).Max(l => (DateTimeOffset?)l.From) is { } start && start <= invoice.Invoice.CreatedAt ? start : invoice.Invoice.CreatedAt;

    // ------------------------------------------------------------------ as the events would have had it

    private static SubscriptionSnapshot Snapshot(
        JsonElement subscription, SubscriptionSnapshot listed, State state, DateTimeOffset at, IReadOnlyDictionary<string, JsonElement> prices, bool temporaryDiscountsReduce)
    {
        var then = JsonObject.Create(subscription)!;
        foreach (var field in new[] { "cancel_at", "canceled_at", "ended_at", "pause_collection", "cancellation_details", "discount", "discounts" }) then[field] = null;
        then["cancel_at_period_end"] = false;
        then["status"] = state.Status;
        if (state.Items.Count > 0)
            then["items"] = new JsonObject
            {
                ["data"] = new JsonArray([.. state.Items.Select(i => new JsonObject
                {
                    ["price"] = JsonObject.Create(prices[i.Price]), ["quantity"] = i.Quantity, ["current_period_end"] = i.Until.ToUnixTimeSeconds(),
                })]),
            };
        var stamp = Stamp.Of(at, string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{ListedInvoice.IdPrefix}{listed.SubscriptionId}:{at.ToUnixTimeSeconds()}"), "customer.subscription.updated");
        var snapshot = SubscriptionReading.Read(new StripeObject(JsonSerializer.SerializeToElement(then), "$.subscription"), default, stamp, temporaryDiscountsReduce);
        return snapshot with { WorkedOut = true, PauseBehavior = state.PausedFrom is null ? null : "void", PeriodEndAt = state.PausedFrom ?? snapshot.PeriodEndAt };
    }
}
