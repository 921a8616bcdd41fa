using System.Collections.Concurrent;
using System.Text.Json;
using System.Text.Json.Nodes;
using RetentionFunctions.Intake;
using RetentionFunctions.Intake.Stripe;
using RetentionFunctions.Jobs;
using RetentionFunctions.Settings;

namespace RetentionFunctions.History;

/// <summary>
/// Reads an existing founder's customers, subscriptions with their invoices, and the events that Stripe still keeps, once. A step is a page of a list; what it holds is
/// put into the inbox, where <see cref="StripeHistory"/> handles it. Webhooks may come before, meanwhile and after: each fact counts once.
/// </summary>
public sealed class Backfill(IBillingHistory billing, IInbox inbox, BodyStore bodies, StripeIntake stripe, StripeMode mode, RetentionSettings settings, TimeProvider clock) : IBulkJob
{
    /// <summary>The name of the job.</summary>
    public const string JobName = "backfill";

    /// <summary>For how long Stripe keeps events (docs.stripe.com/api/events: "access to events through the Retrieve Event API is guaranteed only for 30 days").</summary>
    public static readonly TimeSpan EventsKept = TimeSpan.FromDays(30);

    // Each has a request of its own for its invoices: a step stays well below a minute at Stripe's pace, and far from its limits (25 requests a second in test mode, 100 live).
    private const int SubscriptionsPerStep = 20;

    private const int PricesKept = 2_000;

    private readonly ConcurrentDictionary<string, JsonElement> prices = new(StringComparer.Ordinal);

    /// <inheritdoc/>
    public string Name => JobName;

    /// <inheritdoc/>
    public async Task<JobStep> StepAsync(JobState state, CancellationToken cancel)
    {
        var (list, after) = ((BillingList)((int?)state.Cursor?["list"] ?? (int)BillingList.Customers), (string?)state.Cursor?["after"]);
        var counts = new Dictionary<string, long>(state.Counts, StringComparer.Ordinal);
        BillingPage page;
        try
        {
            page = await billing.ListAsync(new BillingQuery(list)
            {
                After = after,
                CreatedFrom = list == BillingList.Events ? state.StartedAt - EventsKept : null,
                Limit = list == BillingList.Subscriptions ? SubscriptionsPerStep : BillingQuery.MaxLimit,
            }, cancel);
            await CheckModeAsync(page, cancel);
            var messages = list switch
            {
                BillingList.Customers => page.Items.Select(c => Message(state, Id(c), Id(c), StripeHistory.OfCustomer(c, page.AsOf))).ToList(),
                BillingList.Subscriptions => await SubscriptionsAsync(state, page, counts, cancel),
                _ => await EventsAsync(state, page, counts, cancel),
            };
            if (list != BillingList.Events) Add(counts, list.ToString().ToLowerInvariant(), page.Items.Count);
            var fitting = new List<InboxMessage>(messages.Count);
            foreach (var message in messages) fitting.Add(await bodies.FitAsync(message, cancel));
            if (fitting.Count > 0) await inbox.EnqueueAsync(fitting, cancel);
        }
        catch (BillingForbiddenException e)
        {
            throw new JobFailedException(e.Message, e);
        }
        var next = page.HasMore ? list : list switch { BillingList.Customers => BillingList.Subscriptions, BillingList.Subscriptions => BillingList.Events, _ => (BillingList?)null };
        // How many pages a list has Stripe does not say: the share is that of the lists.
        var share = next switch { BillingList.Customers => 0, BillingList.Subscriptions => .2, _ => .8 };
        return new JobStep(next is null ? null : new JsonObject { ["list"] = (int)next, ["after"] = page.HasMore ? page.LastId : null }, counts, share);
    }

    private async Task<List<InboxMessage>> SubscriptionsAsync(JobState state, BillingPage page, Dictionary<string, long> counts, CancellationToken cancel)
    {
        var from = state.StartedAt.AddYears(-settings.Stripe.HistoryYears);
        var messages = new List<InboxMessage>();
        foreach (var subscription in page.Items)
        {
            var invoices = await AllAsync(new BillingQuery(BillingList.Invoices) { SubscriptionId = Id(subscription), CreatedFrom = from }, cancel);
            Add(counts, "invoices", invoices.Count);
            // Seldom: asked for only where something changed that no invoice has settled.
            var pending = invoices.Count > 0 && StripeHistory.ChangedSince(subscription, invoices[0])
                ? await AllAsync(new BillingQuery(BillingList.PendingItems) { CustomerId = StripeHistory.CustomerOf(subscription) }, cancel) : [];
            var priced = new Dictionary<string, JsonElement>(StringComparer.Ordinal);
            foreach (var id in StripeHistory.PricesOf(invoices, pending))
                if (await PriceAsync(id, cancel) is { } price) priced[id] = price;
            messages.Add(Message(state, StripeHistory.CustomerOf(subscription), Id(subscription), StripeHistory.OfSubscription(subscription, invoices, pending, priced, from, page.AsOf)));
        }
        return messages;
    }

    private async Task<List<JsonElement>> AllAsync(BillingQuery query, CancellationToken cancel)
    {
        var all = new List<JsonElement>();
        BillingPage page;
        do
        {
            page = await billing.ListAsync(query, cancel);
            all.AddRange(page.Items);
            query = query with { After = page.LastId };
        }
        while (page.HasMore);
        return all;
    }

    // What came by the door is known; what happens since the start comes by the door.
    private async Task<List<InboxMessage>> EventsAsync(JobState state, BillingPage page, Dictionary<string, long> counts, CancellationToken cancel)
    {
        var messages = new List<InboxMessage>();
        foreach (var e in page.Items)
        {
            var body = JsonSerializer.SerializeToUtf8Bytes(e);
            var envelope = StripeEnvelope.Read(body);
            if (!StripeReader.Handles(envelope.Type) || envelope.CreatedAt >= state.StartedAt || await stripe.KnowsAsync(envelope.Id, body, cancel)) continue;
            messages.Add(Message(state, envelope.Session, envelope.Id, StripeHistory.OfEvent(e, page.AsOf)));
        }
        Add(counts, "events", messages.Count);
        return messages;
    }

    private async Task<JsonElement?> PriceAsync(string id, CancellationToken cancel)
    {
        if (prices.TryGetValue(id, out var known)) return known;
        if (await billing.PriceAsync(id, cancel) is not { } price) return null;
        if (prices.Count >= PricesKept) prices.Clear();
        return prices[id] = price;
    }

    private async Task CheckModeAsync(BillingPage page, CancellationToken cancel)
    {
        foreach (var item in page.Items)
            if (item.TryGetProperty("livemode", out var live) && !await mode.TakesAsync(live.GetBoolean(), cancel))
                throw new JobFailedException(live.GetBoolean()
                    ? "The Stripe key is of live mode, and this store holds test-mode data: use a test key, or a store of its own for live mode."
                    : "The Stripe key is of test mode, and this store holds live data: use a live key.");
    }

    private InboxMessage Message(JobState state, string session, string id, ReadOnlyMemory<byte> body) =>
        // Not the event's own id: the queue must not take the door's for a copy of ours.
        new(session, string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{ListedInvoice.IdPrefix}{state.StartedAt.ToUnixTimeMilliseconds()}:{id}"), MessageKind.StripeHistory, body, clock.GetUtcNow());

    private static string Id(JsonElement thing) => thing.GetProperty("id").GetString()!;

    private static void Add(Dictionary<string, long> counts, string name, long by) => counts[name] = counts.GetValueOrDefault(name) + by;
}
