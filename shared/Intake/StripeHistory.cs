using System.Text.Json;
using System.Text.Json.Nodes;
using RetentionFunctions.Customers;
using RetentionFunctions.Flows;
using RetentionFunctions.Import;
using RetentionFunctions.Intake.Stripe;
using RetentionFunctions.Settings;
using RetentionFunctions.Storage;

namespace RetentionFunctions.Intake;

/// <summary>
/// Handles what was read from Stripe's lists: a customer, a subscription with its invoices, an event of the past. It goes the way of the events, one message after the other
/// for each customer, and ends in the same rows; beside events of the same facts, before or after them, nothing counts twice. No flow starts from it.
/// </summary>
public sealed partial class StripeHistory(ITables tables, StripeIntake stripe, FlowDispatch flows, IntakeCounters counters, RetentionSettings settings, TimeProvider clock)
{
    /// <summary>The counter of subscriptions that the nightly reconcile had to correct.</summary>
    public const string Corrected = "stripe.corrected";

    /// <summary>A customer as listed.</summary>
    public static ReadOnlyMemory<byte> OfCustomer(JsonElement customer, DateTimeOffset asOf) => Body(asOf, ("customer", customer));

    /// <summary>A subscription as listed, with its invoices from a time on, what waits for the next one, and the prices on them: its past is worked out.</summary>
    public static ReadOnlyMemory<byte> OfSubscription(
        JsonElement subscription, IReadOnlyList<JsonElement> invoices, IReadOnlyList<JsonElement> pending, IReadOnlyDictionary<string, JsonElement> prices, DateTimeOffset from, DateTimeOffset asOf) =>
        Body(asOf, ("subscription", subscription), ("from", from.ToUnixTimeSeconds()), ("invoices", invoices), ("pending", pending), ("prices", prices));

    /// <summary>A subscription as listed, that seemed to be another than we know it: looked at again when its turn comes.</summary>
    public static ReadOnlyMemory<byte> OfDifference(JsonElement subscription, DateTimeOffset asOf) => Body(asOf, ("subscription", subscription));

    /// <summary>An event that happened before anybody listened.</summary>
    public static ReadOnlyMemory<byte> OfEvent(JsonElement e, DateTimeOffset asOf) => Body(asOf, ("event", e));

    /// <summary>Whose it is.</summary>
    /// <exception cref="UnreadableException">It names no customer.</exception>
    public static string CustomerOf(JsonElement subscription)
    {
        var about = new StripeObject(subscription, "$.subscription");
        return about.Id("customer") ?? about.Id("customer_account") ?? throw about.Missing("customer");
    }

    /// <summary>The prices on the lines of invoices, and of what waits for one, in the order in which they first appear.</summary>
    public static IReadOnlyList<string> PricesOf(IEnumerable<JsonElement> invoices, IEnumerable<JsonElement> pending) =>
    [
        .. invoices.SelectMany(i => new StripeObject(i, "$.invoices").List("lines").Select(l => l.Object)).Concat(pending.Select(p => new StripeObject(p, "$.pending"))).Where(l => l.Exists)
            .Select(l => ListedLine.Of(l)?.PriceId).OfType<string>().Distinct(StringComparer.Ordinal),
    ];

    /// <summary>Whether a subscription has other items than its latest invoice billed: what changed since waits for the next.</summary>
    public static bool ChangedSince(JsonElement subscription, JsonElement latestInvoice)
    {
        var items = new StripeObject(subscription, "$.subscription").List("items").Select(i => (i.Object.Object("price").Id("id"), i.Object.Number("quantity")));
        var lines = new StripeObject(latestInvoice, "$.invoice").List("lines").Select(l => l.Object.Exists ? ListedLine.Of(l.Object) : null).Where(l => l is { Proration: false });
        return items.Except(lines.Select(l => ((string?)l!.PriceId, l.Quantity))).Any();
    }

    /// <summary>Whether Stripe has a subscription otherwise than we do. What could not be priced does not count: events of other API versions may hold more.</summary>
    public bool Differs(SubscriptionSnapshot known, JsonElement subscription, DateTimeOffset asOf) => Differs(known, Read(new StripeObject(subscription, "$.subscription"), asOf, "listed:"));

    /// <summary>Handles one message.</summary>
    /// <exception cref="UnreadableException">It cannot be read.</exception>
    public async Task HandleAsync(ReadOnlyMemory<byte> body, CancellationToken cancel = default)
    {
        using var document = StripeObject.Parse(body);
        var root = document.RootElement;
        var asOf = new StripeObject(root, "$").Time("at") ?? throw new StripeObject(root, "$").Missing("at");
        if (Field("event") is { } told) await stripe.HandleAsync(JsonSerializer.SerializeToUtf8Bytes(told), cancel, past: true);
        else if (Field("imported") is { } imported) await ImportedAsync(imported.Deserialize<ImportedCustomer>(TablesExtensions.Json)!, cancel);
        else if (Field("customer") is { } customer) await CustomerAsync(new StripeObject(customer, "$.customer"), asOf, cancel);
        else if (Field("subscription") is not { } subscription) throw UnreadableException.At("$", "holds neither a customer nor a subscription nor an event");
        else if (Field("invoices") is { } invoices) await SubscriptionAsync(subscription, invoices, Field("pending"), Field("prices"), new StripeObject(root, "$").Time("from") ?? default, asOf, cancel);
        else await DifferenceAsync(subscription, asOf, cancel);

        JsonElement? Field(string name) => root.ValueKind == JsonValueKind.Object && root.TryGetProperty(name, out var value) ? value : null;
    }

    private async Task CustomerAsync(StripeObject about, DateTimeOffset asOf, CancellationToken cancel)
    {
        var id = about.RequiredId("id");
        if (about.Flag("deleted") == true || await stripe.IsErasedAsync(id, cancel)) return;
        var fact = new CustomerChanged(Stamp.Of(asOf, ListedInvoice.IdPrefix + id, "customer.updated"), id, StripeReader.Profile(about, settings.Customers));
        await tables.ChangeAsync<Customer>(Keys.Customer(id), known => CustomerMerge.Apply(known ?? new Customer { Id = id }, fact), cancel);
        await stripe.IndexAsync(id, fact, cancel);
        await flows.AfterChangeAsync(id, cancel);
    }

    private async Task SubscriptionAsync(JsonElement subscription, JsonElement invoices, JsonElement? pending, JsonElement? prices, DateTimeOffset from, DateTimeOffset asOf, CancellationToken cancel)
    {
        var customerId = CustomerOf(subscription);
        if (await stripe.IsErasedAsync(customerId, cancel)) return;
        var listed = Read(new StripeObject(subscription, "$.subscription"), asOf, ListedInvoice.IdPrefix);
        var own = invoices.EnumerateArray().Select((invoice, n) => ListedInvoice.Read(invoice, $"$.invoices[{n}]", listed.SubscriptionId, customerId)).OfType<ListedInvoice>().ToList();
        var waits = pending is { } items ? items.EnumerateArray().Select((item, n) => ListedLine.Pending(new StripeObject(item, $"$.pending[{n}]"), listed.SubscriptionId)).OfType<ListedLine>().ToList() : [];
        var priced = prices is { } given ? given.EnumerateObject().ToDictionary(p => p.Name, p => p.Value, StringComparer.Ordinal) : [];
        IReadOnlyList<SubscriptionSnapshot> past = [.. SubscriptionPast.Of(subscription, listed, own, waits, priced, from, settings.Customers.TemporaryDiscountsReduceMrr), listed];
        await RepeatAsync(customerId, () => TryWriteAsync(customerId, listed, past, own, cancel));
        var latest = own.MaxBy(i => i.Invoice.CreatedAt);
        foreach (var invoice in own) await stripe.IndexAsync(customerId, invoice == latest ? invoice.Fact : invoice.Fact with { Invoice = invoice.Invoice with { CustomerEmail = null } }, cancel);
        await stripe.IndexAsync(customerId, new SubscriptionChanged(listed.Stamp, customerId, listed), cancel);
        await stripe.AdoptAsync(customerId, [.. own.SelectMany(i => i.Fact.References)], cancel);
    }

    private async Task<bool> TryWriteAsync(string customerId, SubscriptionSnapshot listed, IReadOnlyList<SubscriptionSnapshot> past, List<ListedInvoice> own, CancellationToken cancel)
    {
        var found = await tables.GetAsync<Customer>(Keys.Customer(customerId), cancel);
        var customer = found?.Value ?? new Customer { Id = customerId };
        var snapshots = await tables.ListAsync<SubscriptionSnapshot>(Keys.Snapshots(customerId), cancel);
        // What the list said the time before, where the backfill is done again: the latest stands.
        var former = snapshots.Where(s => s.SubscriptionId == listed.SubscriptionId && s.Stamp.EventId.StartsWith(ListedInvoice.IdPrefix, StringComparison.Ordinal)).ToList();
        if (former.Exists(s => !s.WorkedOut && s.Stamp.IsAfter(listed.Stamp))) return true;
        var keys = past.ToDictionary(Key, StringComparer.Ordinal);
        List<Write> writes = [.. former.Where(s => !keys.ContainsKey(Key(s))).Select(s => new Write.Delete(Key(s))), .. keys.Select(s => new Write.Upsert(s.Key, TablesExtensions.Write(s.Value)))];
        var now = clock.GetUtcNow();
        var change = CustomerDerivation.Derive(customer, [.. snapshots.Except(former), .. past], settings.Customers, now);
        var derived = change.Customer;

        var known = new Dictionary<string, Row>(StringComparer.Ordinal);
        await foreach (var row in tables.QueryAsync(Keys.Invoices(customerId), cancel)) known[row.At.Key] = row;
        foreach (var invoice in own)
        {
            var key = Keys.Invoice(customerId, invoice.Invoice.InvoiceId).Key;
            var before = known.GetValueOrDefault(key);
            var after = InvoiceMerge.Listed(before?.Read<Invoice>(), invoice.Fact.Stamp, invoice.Invoice, invoice.FailedAt);
            writes.Add(before is null ? new Write.Insert(key, TablesExtensions.Write(after)) : new Write.Replace(key, TablesExtensions.Write(after), before.ETag));
            derived = CustomerMerge.WithInvoice(CustomerMerge.Apply(derived, invoice.Fact), after);
        }

        return await TryCommitAsync(found, change with { Customer = derived }, writes, now, cancel);

        string Key(SubscriptionSnapshot s) => Keys.Snapshot(customerId, s.SubscriptionId, s.Stamp.At, s.Stamp.EventId).Key;
    }

    // The customer with the last of them: what a crash leaves before it is written again by the next delivery.
    private async Task<bool> TryCommitAsync(Stored<Customer>? found, Derived change, List<Write> writes, DateTimeOffset now, CancellationToken cancel)
    {
        var at = Keys.Customer(change.Customer.Id);
        // Room for the customer, their months and the bucket's.
        var surplus = Math.Max(0, writes.Count - (TableLimits.BatchRows - 3));
        foreach (var part in writes.Take(surplus).Chunk(TableLimits.BatchRows))
            if (!await tables.TryCommitAsync(at.Partition, part, cancel)) return false;
        var row = TablesExtensions.Write(change.Customer);
        writes = [.. writes.Skip(surplus), found is null ? new Write.Insert(at.Key, row) : new Write.Replace(at.Key, row, found.ETag)];
        return await LedgerRows.TryCommitAsync(tables, at.Partition, writes, await LedgerRows.DifferenceAsync(tables, change, now, past: true, cancel), cancel);
    }

    private static async Task RepeatAsync(string customerId, Func<Task<bool>> tryWrite)
    {
        for (var attempt = 1; !await tryWrite(); attempt++)
            if (attempt == 10) throw new TransientStorageException("A customer was changed by others ten times in a row.");
    }

    private async Task DifferenceAsync(JsonElement subscription, DateTimeOffset asOf, CancellationToken cancel)
    {
        var customerId = CustomerOf(subscription);
        if (await stripe.IsErasedAsync(customerId, cancel)) return;
        var listed = Read(new StripeObject(subscription, "$.subscription"), asOf, "listed:");
        for (var attempt = 1; ; attempt++)
        {
            var found = await tables.GetAsync<Customer>(Keys.Customer(customerId), cancel);
            var customer = found?.Value ?? new Customer { Id = customerId };
            // What came in meanwhile may have said it already, or something newer.
            if (customer.Subscriptions.FirstOrDefault(s => s.Latest.SubscriptionId == listed.SubscriptionId) is { Latest: var known } && (!Differs(known, listed) || known.Stamp.IsAfter(listed.Stamp))) break;
            var snapshots = await tables.ListAsync<SubscriptionSnapshot>(Keys.Snapshots(customerId), cancel);
            var now = clock.GetUtcNow();
            var derived = CustomerDerivation.Derive(customer, [.. snapshots, listed], settings.Customers, now);
            var at = Keys.Customer(customerId);
            List<Write> writes =
            [
                new Write.Upsert(Keys.Snapshot(customerId, listed.SubscriptionId, listed.Stamp.At, listed.Stamp.EventId).Key, TablesExtensions.Write(listed)),
                found is null ? new Write.Insert(at.Key, TablesExtensions.Write(derived.Customer)) : new Write.Replace(at.Key, TablesExtensions.Write(derived.Customer), found.ETag),
            ];
            if (await LedgerRows.TryCommitAsync(tables, at.Partition, writes, await LedgerRows.DifferenceAsync(tables, derived, now, past: false, cancel), cancel))
            {
                counters.Count(Corrected);
                break;
            }
            if (attempt == 10) throw new TransientStorageException("A customer was changed by others ten times in a row.");
        }
        await stripe.IndexAsync(customerId, new SubscriptionChanged(listed.Stamp, customerId, listed), cancel);
        await flows.AfterChangeAsync(customerId, cancel);
    }

    // What is over ended when it says it did; what goes on is so at the moment of the list.
    private SubscriptionSnapshot Read(StripeObject about, DateTimeOffset asOf, string prefix)
    {
        var ended = about.Time("ended_at");
        var (at, type) = ended is { } end && SubscriptionStatus.IsEnded(about.RequiredText("status")) ? (end, "customer.subscription.deleted") : (asOf, "customer.subscription.updated");
        var id = prefix + about.RequiredId("id");
        if (prefix != ListedInvoice.IdPrefix) id += string.Create(System.Globalization.CultureInfo.InvariantCulture, $":{at.ToUnixTimeSeconds()}");
        return SubscriptionReading.Read(about, default, Stamp.Of(at, id, type), settings.Customers.TemporaryDiscountsReduceMrr);
    }

    private static bool Differs(SubscriptionSnapshot known, SubscriptionSnapshot listed) =>
        known.Status != listed.Status || known.CancelAt != listed.CancelAt || known.EndedAt != listed.EndedAt || known.PauseBehavior != listed.PauseBehavior || known.PauseResumesAt != listed.PauseResumesAt
        || (known.PeriodEndAt != listed.PeriodEndAt && !SubscriptionStatus.IsEnded(listed.Status)) || known.Currency != listed.Currency
        || (known.Mrr != listed.Mrr && known.Unpriced.Count == 0 && listed.Unpriced.Count == 0);

    private static ReadOnlyMemory<byte> Body(DateTimeOffset asOf, params ReadOnlySpan<(string Name, object Value)> fields)
    {
        var body = new JsonObject { ["at"] = asOf.ToUnixTimeSeconds() };
        foreach (var (name, value) in fields) body[name] = JsonSerializer.SerializeToNode(value);
        return JsonSerializer.SerializeToUtf8Bytes(body);
    }
}
