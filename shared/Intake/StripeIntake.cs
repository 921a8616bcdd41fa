using RetentionFunctions.Customers;
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
    /// <exception cref="UnreadableException">It cannot be read.</exception>
    public async Task HandleAsync(ReadOnlyMemory<byte> body, CancellationToken cancel = default)
    {
        var fact = StripeReader.Read(body, settings.Customers);
        if ((fact.CustomerId ?? await OwnerAsync(fact, cancel)) is { } customerId)
        {
            await ApplyAsync(customerId, fact, [], cancel);
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

    private async Task ApplyAsync(string customerId, StripeFact fact, HashSet<string> adopted, CancellationToken cancel)
    {
        for (var attempt = 0; ; attempt++)
        {
            if (await tables.GetAsync(Keys.Event(customerId, fact.Stamp.EventId), cancel) is not null) break;
            if (await TryWriteAsync(customerId, fact, cancel)) break;
            if (attempt == 10) throw new TransientStorageException($"The customer {customerId} was changed by others ten times in a row.");
        }
        // From here on: what follows from the state that results. A delivery that finds the marker does it again, so that a crash in between is repaired.
        await IndexAsync(customerId, fact, adopted, cancel);
        await flows.AfterChangeAsync(customerId, cancel);
    }

    private async Task<bool> TryWriteAsync(string customerId, StripeFact fact, CancellationToken cancel)
    {
        var found = await tables.GetAsync<Customer>(Keys.Customer(customerId), cancel);
        var before = found?.Value ?? new Customer { Id = customerId };
        var after = CustomerMerge.Apply(before, fact);
        IReadOnlyList<Write> ledger = [];
        var writes = new List<Write> { new Write.Insert(Keys.Event(customerId, fact.Stamp.EventId).Key, TablesExtensions.Write(Marker(fact))) };

        switch (fact)
        {
            case SubscriptionChanged { Snapshot: var snapshot }:
                writes.Add(new Write.Insert(Keys.Snapshot(customerId, snapshot.SubscriptionId, snapshot.Stamp.At, snapshot.Stamp.EventId).Key, TablesExtensions.Write(snapshot)));
                (after, ledger) = await DeriveAsync(after, snapshot, cancel);
                break;
            case CustomerDeleted:
                (after, ledger) = await DeriveAsync(after, null, cancel);
                break;
            case InvoiceChanged { Invoice: var said }:
                after = await InvoiceAsync(after, said.InvoiceId, known => InvoiceMerge.Apply(known, fact.Stamp, said), writes, cancel);
                break;
            case InvoicePaymentPaid paid:
                after = await InvoiceAsync(after, paid.InvoiceId, known => InvoiceMerge.Apply(known, paid), writes, cancel);
                break;
        }

        var row = TablesExtensions.Write(after);
        var key = Keys.Customer(customerId);
        writes.Add(found is null ? new Write.Insert(key.Key, row) : new Write.Replace(key.Key, row, found.ETag));
        // A late event in a long history may move more ledger rows than one batch holds. The surplus goes first: it is derived, so a crash
        // before the marker leaves nothing that the next delivery does not derive and write again.
        var room = TableLimits.BatchRows - writes.Count;
        foreach (var part in ledger.Skip(room).Chunk(TableLimits.BatchRows)) await tables.TryCommitAsync(key.Partition, part, cancel);
        return await tables.TryCommitAsync(key.Partition, [.. writes, .. ledger.Take(room)], cancel);
    }

    private async Task<(Customer Customer, IReadOnlyList<Write> Ledger)> DeriveAsync(Customer customer, SubscriptionSnapshot? added, CancellationToken cancel)
    {
        var snapshots = await tables.ListAsync<SubscriptionSnapshot>(Keys.Snapshots(customer.Id), cancel);
        if (added is not null) snapshots.Add(added);
        var (derived, ledger) = CustomerDerivation.Derive(customer, snapshots, settings.Customers, clock.GetUtcNow());
        return (derived, await LedgerRows.DifferenceAsync(tables, customer.Id, ledger, cancel));
    }

    private async Task<Customer> InvoiceAsync(Customer customer, string invoiceId, Func<Invoice?, Invoice> change, List<Write> writes, CancellationToken cancel)
    {
        var key = Keys.Invoice(customer.Id, invoiceId);
        var known = await tables.GetAsync<Invoice>(key, cancel);
        var invoice = change(known?.Value);
        var row = TablesExtensions.Write(invoice);
        writes.Add(known is null ? new Write.Insert(key.Key, row) : new Write.Replace(key.Key, row, known.ETag));
        return CustomerMerge.WithInvoice(customer, invoice);
    }

    private async Task IndexAsync(string customerId, StripeFact fact, HashSet<string> adopted, CancellationToken cancel)
    {
        foreach (var reference in fact.References)
        {
            var owner = Keys.Owner(reference.Kind, reference.Id);
            if (await tables.GetAsync(owner, cancel) is null) await tables.UpsertAsync(owner, new Owner(customerId), cancel);
            await AdoptAsync(customerId, reference, adopted, cancel);
        }
        var (email, createdAt) = fact switch
        {
            CustomerChanged f => (f.Profile.Email, f.Profile.CreatedAt ?? f.Stamp.At),
            CheckoutCompleted f => (f.Email, f.Stamp.At),
            _ => (null, default),
        };
        if (email is not null) await ties.EmailOfCustomerAsync(customerId, email, createdAt, cancel);
        string?[] users = fact switch
        {
            CustomerChanged f => [f.Profile.UserId],
            SubscriptionChanged f => [f.Snapshot.UserId],
            CheckoutCompleted f => [f.ClientReferenceId, f.UserId],
            _ => [],
        };
        foreach (var user in users)
            if (user is not null) await ties.TieAsync(user, customerId, TieStrength.Stripe, fact.Stamp.At, cancel);
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
        if (await OwnerAsync(fact, cancel) is { } customerId) await ApplyAsync(customerId, fact, [], cancel);
    }

    private async Task AdoptAsync(string customerId, StripeReference reference, HashSet<string> adopted, CancellationToken cancel)
    {
        foreach (var orphan in await tables.ListAsync<Orphan>(Keys.Orphans(reference.Kind, reference.Id), cancel))
        {
            // Its other references are adopted in turn, and two things may name each other: each is put to the customer once.
            if (!adopted.Add(orphan.EventId)) continue;
            // The rows go last, so that a crash in between is repaired by the next delivery. Where the body is gone, only a row was left over.
            if (await bodies.GetAsync(OrphanBody(orphan.EventId), cancel) is { } body)
            {
                var fact = StripeReader.Read(body, settings.Customers);
                await ApplyAsync(customerId, fact, adopted, cancel);
                foreach (var other in fact.References) await tables.DeleteAsync(Keys.Orphan(other.Kind, other.Id, orphan.EventId), cancel);
                await bodies.DeleteAsync(OrphanBody(orphan.EventId), cancel);
            }
            await tables.DeleteAsync(Keys.Orphan(reference.Kind, reference.Id, orphan.EventId), cancel);
        }
    }

    private static EventMarker Marker(StripeFact fact) => new(fact.Stamp.EventId, fact.Stamp.EventType, fact.Stamp.At, CustomerMerge.Describe(fact));

    private static string OrphanBody(string eventId) => $"orphan:{eventId}";

    private sealed record Owner(string CustomerId);

    private sealed record Orphan(string EventId, string Type, DateTimeOffset At);
}
