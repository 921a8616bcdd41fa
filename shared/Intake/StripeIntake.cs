using RetentionFunctions.Customers;
using RetentionFunctions.Erasure;
using RetentionFunctions.Flows;
using RetentionFunctions.Intake.Stripe;
using RetentionFunctions.Settings;
using RetentionFunctions.Storage;

namespace RetentionFunctions.Intake;

/// <summary>
/// Handles one Stripe event: read what is known, put the fact to it, write marker and effect in one batch, then everything that follows from the
/// state that results. All of it may be repeated at any point.
/// </summary>
public sealed class StripeIntake(ITables tables, BodyStore bodies, UserTies ties, FlowDispatch flows, RetentionSettings settings, TimeProvider clock)
{
    /// <summary>Handles an event as it came in.</summary>
    /// <param name="past">It was not sent to us but read from Stripe's list of what happened before: no flow starts from it.</param>
    /// <exception cref="UnreadableException">It cannot be read.</exception>
    public async Task HandleAsync(ReadOnlyMemory<byte> body, CancellationToken cancel = default, bool past = false)
    {
        var fact = StripeReader.Read(body, settings.Customers);
        if ((fact.CustomerId ?? await OwnerAsync(fact, cancel)) is { } customerId)
        {
            await ApplyAsync(customerId, [(fact, past)], [], cancel);
            return;
        }
        if (fact.References.Count == 0)
        {
            // A payment without a customer (a guest's): nothing of ours changes.
            await tables.TryInsertAsync(Keys.UnownedEvent(fact.Stamp.EventId), Marker(fact), cancel);
            return;
        }
        await KeepOrphanAsync(fact, body, cancel);
    }

    /// <summary>Whether an event was handled already, is kept until its customer is known, or lies among the dead letters because it cannot be read.</summary>
    public async Task<bool> KnowsAsync(string id, ReadOnlyMemory<byte> body, CancellationToken cancel = default)
    {
        StripeFact fact;
        try
        {
            fact = StripeReader.Read(body, settings.Customers);
        }
        catch (UnreadableException)
        {
            // Fed where it is not there yet: then the founder sees it there, with its reason.
            return await tables.GetAsync(Keys.DeadLetter(id), cancel) is not null;
        }
        if ((fact.CustomerId ?? await OwnerAsync(fact, cancel)) is { } customerId)
            return await tables.GetAsync(Keys.Event(customerId, id), cancel) is not null || await IsOfErasedAsync(customerId, fact.Stamp.At, cancel);
        return fact.References.Count == 0 ? await tables.GetAsync(Keys.UnownedEvent(id), cancel) is not null
            : await tables.GetAsync(Keys.Orphan(fact.References[0].Kind, fact.References[0].Id, id), cancel) is not null;
    }

    /// <summary>Whether a customer was erased after this happened: then it is not taken in. What happens later brings a customer back who was not deleted at Stripe.</summary>
    internal async Task<bool> IsOfErasedAsync(string customerId, DateTimeOffset at, CancellationToken cancel) =>
        await tables.GetAsync<Erased>(Keys.Erased(customerId), cancel) is { Value: var erased } && at <= erased.At;

    /// <summary>Whether a customer was erased, and nothing has come of them since: then what Stripe's lists say of them is not read. They go on naming who is not deleted there.</summary>
    internal async Task<bool> IsErasedAsync(string customerId, CancellationToken cancel) =>
        await tables.GetAsync(Keys.Customer(customerId), cancel) is null && await tables.GetAsync(Keys.Erased(customerId), cancel) is not null;

    /// <summary>What follows from things of Stripe being known as a customer's: events that named only them are adopted, and flows are looked at.</summary>
    internal Task AdoptAsync(string customerId, IReadOnlyList<StripeReference> references, CancellationToken cancel) => ApplyAsync(customerId, [], references, cancel);

    private async Task ApplyAsync(string customerId, IEnumerable<(StripeFact Fact, bool Past)> first, IReadOnlyList<StripeReference> references, CancellationToken cancel)
    {
        var facts = new Queue<(StripeFact Fact, bool Past)>(first);
        var seen = facts.Select(f => f.Fact.Stamp.EventId).ToHashSet(StringComparer.Ordinal);
        var adopted = new List<(RowKey Row, string EventId)>();
        Customer? written = null;
        await FindAsync(references);
        while (facts.TryDequeue(out var next))
        {
            // From here on: what follows from the state that results. A delivery that finds the marker does all of it again, so that a crash in between is repaired.
            var news = await WriteAsync(customerId, next.Fact, next.Past, cancel) ?? News.Everything(next.Fact);
            if (news.OfErased) continue;
            written = news.Written;
            await IndexAsync(customerId, next.Fact, news, cancel);
            await FindAsync(news.References);
        }
        // As it was just written: whoever changes it after this looks too.
        await (written is null ? flows.AfterChangeAsync(customerId, cancel) : flows.AfterChangeAsync(written, cancel));
        // Only now that they count: what a crash leaves here is found and adopted again. So in the reverse of the order in which they were found, and of each
        // the row by which it was found at the very end.
        foreach (var orphan in adopted.GroupBy(a => a.EventId, a => a.Row).Reverse())
        {
            var rows = orphan.Distinct().ToList();
            foreach (var row in rows.Skip(1)) await tables.DeleteAsync(row, cancel);
            await bodies.DeleteAsync(OrphanBody(orphan.Key), cancel);
            await tables.DeleteAsync(rows[0], cancel);
        }

        async Task FindAsync(IReadOnlyList<StripeReference> of)
        {
            foreach (var (row, eventId) in await OrphansAsync(of, cancel))
            {
                adopted.Add((row, eventId));
                // Things may name each other: each event once.
                if (seen.Add(eventId) && await bodies.GetAsync(OrphanBody(eventId), cancel) is { } body) facts.Enqueue((StripeReader.Read(body, settings.Customers), false));
            }
        }
    }

    // What of the fact is news to the customer; null where the event was handled before.
    private async Task<News?> WriteAsync(string customerId, StripeFact fact, bool past, CancellationToken cancel)
    {
        for (var attempt = 0; attempt < 10; attempt++)
        {
            // Copies are rare: whether the event was handled is asked only where the commit says that something is there already.
            var marker = attempt == 0 ? null : await tables.GetAsync<EventMarker>(Keys.Event(customerId, fact.Stamp.EventId), cancel);
            // Read from the list first, and now heard by the door: a failure that comes by the door calls for dunning. All else is the same.
            var heard = marker is { Value.FromPast: true } && !past && fact is InvoiceChanged { Invoice.Change: InvoiceChange.PaymentFailed or InvoiceChange.ActionRequired };
            if (marker is not null && !heard) return null;
            if (await TryWriteAsync(customerId, fact, past, marker?.ETag, cancel) is { } news) return news;
        }
        throw new TransientStorageException("A customer was changed by others ten times in a row.");
    }

    private async Task<News?> TryWriteAsync(string customerId, StripeFact fact, bool past, string? marker, CancellationToken cancel)
    {
        var found = await tables.GetAsync<Customer>(Keys.Customer(customerId), cancel);
        // Asked only where there is no such customer: once in the life of each.
        if (found is null && await IsOfErasedAsync(customerId, fact.Stamp.At, cancel)) return News.Erased;
        var before = found?.Value ?? new Customer { Id = customerId };
        var after = CustomerMerge.Apply(before, fact);
        var ledger = LedgerWrites.None;
        Invoice? invoice = null;
        var (mark, key) = (TablesExtensions.Write(Marker(fact) with { FromPast = past }), Keys.Event(customerId, fact.Stamp.EventId).Key);
        var writes = new List<Write> { marker is null ? new Write.Insert(key, mark) : new Write.Replace(key, mark, marker) };

        switch (fact)
        {
            case SubscriptionChanged { Snapshot: var snapshot }:
                writes.Add(new Write.Insert(Keys.Snapshot(customerId, snapshot.SubscriptionId, snapshot.Stamp.At, snapshot.Stamp.EventId).Key, TablesExtensions.Write(snapshot)));
                (after, ledger) = await DeriveAsync(after, snapshot, past, cancel);
                break;
            case CustomerDeleted:
                (after, ledger) = await DeriveAsync(after, null, past, cancel);
                break;
            case PaymentFailed { Failure: var failure }:
                // The customer's row keeps the latest ten; what is counted by their reasons needs all.
                writes.Add(new Write.Upsert(Keys.Failure(customerId, fact.Stamp.At, fact.Stamp.EventId).Key, TablesExtensions.Write(failure)));
                break;
            case InvoiceChanged { Invoice: var said }:
                (after, invoice) = await InvoiceAsync(after, said.InvoiceId, known => InvoiceMerge.Apply(known, fact.Stamp, said, past), writes, cancel);
                break;
            case InvoicePaymentPaid paid:
                (after, invoice) = await InvoiceAsync(after, paid.InvoiceId, known => InvoiceMerge.Apply(known, paid), writes, cancel);
                break;
        }

        var row = TablesExtensions.Write(after);
        var at = Keys.Customer(customerId);
        writes.Add(found is null ? new Write.Insert(at.Key, row) : new Write.Replace(at.Key, row, found.ETag));
        return await LedgerRows.TryCommitAsync(tables, at.Partition, writes, ledger, cancel) ? News.Of(fact, before, invoice) with { Written = after } : null;
    }

    private async Task<(Customer Customer, LedgerWrites Ledger)> DeriveAsync(Customer customer, SubscriptionSnapshot? added, bool past, CancellationToken cancel)
    {
        var snapshots = await tables.ListAsync<SubscriptionSnapshot>(Keys.Snapshots(customer.Id), cancel);
        // A copy of an event finds its own snapshot.
        if (added is not null && !snapshots.Exists(s => s.Stamp.EventId == added.Stamp.EventId)) snapshots.Add(added);
        var now = clock.GetUtcNow();
        var derived = CustomerDerivation.Derive(customer, snapshots, settings.Customers, now);
        return (derived.Customer, await LedgerRows.DifferenceAsync(tables, derived, now, past, cancel));
    }

    // The customer after the change, and the invoice before it.
    private async Task<(Customer After, Invoice? Before)> InvoiceAsync(Customer customer, string invoiceId, Func<Invoice?, Invoice> change, List<Write> writes, CancellationToken cancel)
    {
        var key = Keys.Invoice(customer.Id, invoiceId);
        var known = await tables.GetAsync<Invoice>(key, cancel);
        var invoice = change(known?.Value);
        var row = TablesExtensions.Write(invoice);
        writes.Add(known is null ? new Write.Insert(key.Key, row) : new Write.Replace(key.Key, row, known.ETag));
        return (CustomerMerge.WithInvoice(customer, invoice), known?.Value);
    }

    /// <summary>Writes by what a customer is found: what belongs to it, its address, its users.</summary>
    internal Task IndexAsync(string customerId, StripeFact fact, CancellationToken cancel) => IndexAsync(customerId, fact, News.Everything(fact), cancel);

    private async Task IndexAsync(string customerId, StripeFact fact, News news, CancellationToken cancel)
    {
        foreach (var reference in news.References) await tables.TryInsertAsync(Keys.Owner(reference.Kind, reference.Id), new Owner(customerId), cancel);
        if (news.Address is { } address) await ties.EmailOfCustomerAsync(customerId, address.Email, address.SaidAt, cancel);
        string?[] users = fact switch
        {
            CustomerChanged f => [f.Profile.UserId],
            SubscriptionChanged f => [f.Snapshot.UserId],
            CheckoutCompleted f => [f.ClientReferenceId, f.UserId],
            _ => [],
        };
        foreach (var user in users)
            if (user is not null && UserTies.IsLookedUp(user)) await ties.TieAsync(user, customerId, TieStrength.Stripe, fact.Stamp.At, cancel);
    }

    private async Task<string?> OwnerAsync(StripeFact fact, CancellationToken cancel)
    {
        foreach (var reference in fact.References)
            if (await tables.GetAsync<Owner>(Keys.Owner(reference.Kind, reference.Id), cancel) is { } owner) return owner.Value.CustomerId;
        return null;
    }

    // Write, then look again: whoever learns the owner writes the index first and looks for orphans after, so one of the two sees the other.
    private async Task KeepOrphanAsync(StripeFact fact, ReadOnlyMemory<byte> body, CancellationToken cancel)
    {
        await bodies.PutAsync(OrphanBody(fact.Stamp.EventId), body, cancel);
        foreach (var reference in fact.References)
            await tables.UpsertAsync(Keys.Orphan(reference.Kind, reference.Id, fact.Stamp.EventId), new Orphan(fact.Stamp.EventId, fact.Stamp.EventType, fact.Stamp.At), cancel);
        if (await OwnerAsync(fact, cancel) is { } customerId) await ApplyAsync(customerId, [(fact, false)], [], cancel);
    }

    private async Task<List<(RowKey Row, string EventId)>> OrphansAsync(IEnumerable<StripeReference> references, CancellationToken cancel)
    {
        var found = new List<(RowKey, string)>();
        foreach (var reference in references)
            await foreach (var row in tables.QueryAsync(Keys.Orphans(reference.Kind, reference.Id), cancel)) found.Add((row.At, row.Read<Orphan>().EventId));
        return found;
    }

    private static EventMarker Marker(StripeFact fact) => new(fact.Stamp.EventId, fact.Stamp.EventType, fact.Stamp.At, CustomerMerge.Describe(fact));

    private static string OrphanBody(string eventId) => $"orphan:{eventId}";

    private sealed record Owner(string CustomerId);

    /// <summary>
    /// What of a fact is not yet in an index. What an earlier event said and left in the rows is left to that event: it is delivered until its index is written
    /// too and those who waited for it are adopted.
    /// </summary>
    /// <param name="References">Those whose owner may not be indexed.</param>
    /// <param name="Address">The e-mail address, where it may not be indexed, and since when it is said to be the customer's.</param>
    private sealed record News(IReadOnlyList<StripeReference> References, (string Email, DateTimeOffset SaidAt)? Address)
    {
        /// <summary>The customer as it was written; null where it was handled before.</summary>
        public Customer? Written { get; init; }

        /// <summary>It was not taken in: the customer was erased since.</summary>
        public bool OfErased { get; init; }

        public static News Erased { get; } = new([], null) { OfErased = true };

        public static News Everything(StripeFact fact) => new(fact.References, AddressOf(fact));

        public static News Of(StripeFact fact, Customer before, Invoice? invoice) =>
            new([.. fact.References.Where(r => !Knows(invoice, r))], AddressOf(fact) is { } said && !Knows(before, fact, said) ? said : null);

        private static bool Knows(Invoice? invoice, StripeReference reference) => invoice is not null && reference.Id == reference.Kind switch
        {
            "invoice" => invoice.Id,
            "payment-intent" => invoice.PaymentIntentId,
            "charge" => invoice.Latest?.ChargeId,
            _ => null,
        };

        // The earliest saying is what the index keeps: one that is no earlier changes nothing.
        private static bool Knows(Customer before, StripeFact fact, (string Email, DateTimeOffset SaidAt) said) =>
            (before.Profile.Email == said.Email && before.Profile.CreatedAt <= said.SaidAt) ||
            (fact is not CustomerChanged && before.BillingEmail == said.Email && before.BillingEmailFrom?.At <= said.SaidAt);

        private static (string, DateTimeOffset)? AddressOf(StripeFact fact) => fact switch
        {
            CustomerChanged { Profile.Email: { } email } f => (email, f.Profile.CreatedAt ?? f.Stamp.At),
            CheckoutCompleted { Email: { } email } => (email, fact.Stamp.At),
            InvoiceChanged { Invoice.CustomerEmail: { } email } => (email, fact.Stamp.At),
            _ => null,
        };
    }

    private sealed record Orphan(string EventId, string Type, DateTimeOffset At);
}
