using System.Text.Json;
using System.Text.Json.Nodes;
using RetentionFunctions.History;
using RetentionFunctions.Local.Demo;

namespace RetentionFunctions.Local.Sandbox;

/// <summary>
/// Stripe's lists, of what the sandbox holds: the demo company's account and the sandbox's own customers. Not of copies of what came from elsewhere: of those it knows
/// no past. Nothing of it reaches the real Stripe.
/// </summary>
/// <param name="demo">Asked for late: the player needs the pump, and the pump the jobs that ask this.</param>
public sealed class SandboxHistory(SandboxAccounts accounts, SandboxPost post, Func<DemoPlayer> demo, TimeProvider clock) : IBillingHistory
{
    /// <inheritdoc/>
    public async Task<BillingPage> ListAsync(BillingQuery query, CancellationToken cancel = default)
    {
        // The company lives from stop to stop, and stands behind the clock in between.
        var asOf = clock.GetUtcNow();
        var things = new List<JsonElement>();
        if (await demo().LookAsync((stripe, at) => new Stand(SandboxLists.Of(stripe, query), at), cancel) is { } company)
        {
            things.AddRange(company.Things);
            asOf = company.At;
        }
        things.AddRange(await accounts.LookAsync(stripe => SandboxLists.Of(stripe, query), cancel));
        if (query.List == BillingList.Events)
            foreach (var told in await post.ToldAsync(cancel)) things.Add(JsonSerializer.Deserialize<JsonElement>(told));
        return SandboxLists.Page(things, query, DateTimeOffset.FromUnixTimeSeconds(asOf.ToUnixTimeSeconds()));
    }

    /// <inheritdoc/>
    public async Task<JsonElement?> PriceAsync(string priceId, CancellationToken cancel = default) =>
        (await demo().LookAsync((stripe, _) => SandboxLists.Price(stripe, priceId), cancel) ?? await accounts.LookAsync(stripe => SandboxLists.Price(stripe, priceId), cancel)) is { } price
            ? JsonSerializer.SerializeToElement(SandboxPayloads.Price(price)) : null;

    private sealed record Stand(IReadOnlyList<JsonElement> Things, DateTimeOffset At);
}

/// <summary>The lists of one simulated account.</summary>
internal static class SandboxLists
{
    /// <summary>All of a list that a query asks for, in no order.</summary>
    public static IReadOnlyList<JsonElement> Of(SandboxStripe stripe, BillingQuery query)
    {
        var payloads = new SandboxPayloads(stripe.Options);
        IEnumerable<JsonNode> things = query.List switch
        {
            // Stripe lists no customer that was deleted.
            BillingList.Customers => stripe.States().Where(s => !s.Customer.Deleted).Select(s => Customer(payloads, s.Customer)),
            BillingList.Subscriptions => stripe.States().SelectMany(s => s.Subscriptions).Select(payloads.Subscription),
            BillingList.Invoices => Invoices(stripe, query.SubscriptionId).Select(i => payloads.Invoice(i, stripe.Customer(i.CustomerId)!)),
            BillingList.PendingItems => query.CustomerId is { } id && stripe.State(id) is { } state
                ? state.Subscriptions.SelectMany(s => s.Prorations.Select((change, n) => payloads.PendingItem(s, change, n + 1))) : [],
            _ => stripe.Told.Where(e => !(e.CreatedAt < query.CreatedFrom)).Select(e => JsonNode.Parse(e.Body.Span)!),
        };
        return [.. things.Select(t => JsonSerializer.SerializeToElement(t))];
    }

    private static IEnumerable<SandboxInvoice> Invoices(SandboxStripe stripe, string? subscriptionId) => subscriptionId is null ? stripe.States().SelectMany(s => s.Invoices)
        : stripe.Subscription(subscriptionId) is { } subscription ? stripe.State(subscription.CustomerId)!.Invoices.Where(i => i.SubscriptionId == subscriptionId) : [];

    /// <summary>A price that something of the account has; null where nothing has it.</summary>
    public static SandboxPrice? Price(SandboxStripe stripe, string id) => stripe.States()
        .SelectMany(s => s.Subscriptions.Select(b => b.Price).Concat(s.Invoices.Select(i => i.Price)).Concat(s.Subscriptions.SelectMany(b => b.Prorations).Concat(s.Invoices.SelectMany(i => i.Prorations)).Select(p => p.Price)))
        .FirstOrDefault(p => p.Id == id);

    /// <summary>A page as Stripe gives it: newest first, from after an object on.</summary>
    public static BillingPage Page(IEnumerable<JsonElement> things, BillingQuery query, DateTimeOffset asOf)
    {
        var ordered = things.DistinctBy(Id).Where(t => query.CreatedFrom is not { } from || Created(t) >= from.ToUnixTimeSeconds())
            .OrderByDescending(Created).ThenByDescending(Id, StringComparer.Ordinal).ToList();
        var start = query.After is null ? 0 : ordered.FindIndex(t => Id(t) == query.After) + 1;
        return new BillingPage([.. ordered.Skip(start).Take(query.Limit)], ordered.Count > start + query.Limit, asOf);
    }

    private static JsonObject Customer(SandboxPayloads payloads, SandboxCustomer customer)
    {
        var document = payloads.Customer(customer);
        if (customer.Card is not null) document["invoice_settings"] = new JsonObject { ["default_payment_method"] = payloads.PaymentMethod(customer) };
        return document;
    }

    private static string Id(JsonElement thing) => thing.GetProperty("id").GetString()!;

    private static long Created(JsonElement thing) => thing.GetProperty("created").GetInt64();
}
