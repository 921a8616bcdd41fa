using System.Text.Json;
using RetentionFunctions.Customers;
using RetentionFunctions.Import;
using RetentionFunctions.Intake.Stripe;
using RetentionFunctions.Storage;

namespace RetentionFunctions.Intake;

/// <summary>What an imported file says of a customer. It is the weakest of all sources: whatever Stripe itself said or says, by events, lists or its invoices, stands.</summary>
public sealed partial class StripeHistory
{
    /// <summary>A customer as a file has it.</summary>
    public static ReadOnlyMemory<byte> OfImported(ImportedCustomer imported, DateTimeOffset asOf) => Body(asOf, ("imported", JsonSerializer.SerializeToElement(imported, TablesExtensions.Json)));

    private async Task ImportedAsync(ImportedCustomer said, CancellationToken cancel)
    {
        // Also one who has come back since by an event of Stripe: the file tells of before.
        if (await tables.GetAsync(Keys.Erased(said.Id), cancel) is not null) return;
        await RepeatAsync(said.Id, () => TryImportAsync(said, cancel));
        var about = said.Profile.CreatedAt ?? said.Snapshots.Min(s => (DateTimeOffset?)s.CreatedAt) ?? DateTimeOffset.UnixEpoch;
        var fact = new CustomerChanged(Stamp.Of(about, ImportedSubscription.IdPrefix + said.Id, "customer.updated"), said.Id, said.Profile);
        await stripe.IndexAsync(said.Id, fact, cancel);
        foreach (var snapshot in said.Snapshots.Where(s => s.UserId is not null).DistinctBy(s => s.UserId))
            await stripe.IndexAsync(said.Id, new SubscriptionChanged(snapshot.Stamp, said.Id, snapshot), cancel);
        // No flow is looked at: nothing that happened long ago calls for an e-mail now.
    }

    private async Task<bool> TryImportAsync(ImportedCustomer said, CancellationToken cancel)
    {
        var found = await tables.GetAsync<Customer>(Keys.Customer(said.Id), cancel);
        var snapshots = await tables.ListAsync<SubscriptionSnapshot>(Keys.Snapshots(said.Id), cancel);
        // What an earlier file said of the same subscriptions: the later file stands.
        var about = said.Snapshots.Select(s => s.SubscriptionId).ToHashSet(StringComparer.Ordinal);
        var former = snapshots.Where(s => s.Imported && about.Contains(s.SubscriptionId)).ToList();
        var keys = said.Snapshots.ToDictionary(Key, StringComparer.Ordinal);
        List<Write> writes = [.. former.Select(Key).Where(k => !keys.ContainsKey(k)).Select(k => new Write.Delete(k)), .. keys.Select(s => new Write.Upsert(s.Key, TablesExtensions.Write(s.Value)))];
        var now = clock.GetUtcNow();
        var change = CustomerDerivation.Derive(WithProfile(found?.Value ?? new Customer { Id = said.Id }, said.Profile), [.. snapshots.Except(former), .. said.Snapshots], settings.Customers, now);
        return await TryCommitAsync(found, change, writes, now, cancel);

        string Key(SubscriptionSnapshot s) => Keys.Snapshot(said.Id, s.SubscriptionId, s.Stamp.At, s.Stamp.EventId).Key;
    }

    // What Stripe said stays. Of two files the later, where it says anything: one tells of names, the other of subscriptions. Its place in time is before all events.
    private static Customer WithProfile(Customer customer, StripeProfile said)
    {
        var known = customer.Profile;
        if (customer.ProfileFrom is { } from && !from.EventId.StartsWith(ImportedSubscription.IdPrefix, StringComparison.Ordinal)) return customer;
        return customer with
        {
            Profile = known with
            {
                Email = said.Email ?? known.Email, Name = said.Name ?? known.Name, Country = said.Country ?? known.Country, TimeZone = said.TimeZone ?? known.TimeZone, UserId = said.UserId ?? known.UserId,
                CreatedAt = said.CreatedAt ?? known.CreatedAt, Traits = Both(said.Traits, known.Traits),
            },
            ProfileFrom = Stamp.Of(DateTimeOffset.UnixEpoch, ImportedSubscription.IdPrefix + customer.Id, "customer.updated"),
        };
    }

    // Each trait as the later file has it.
    private static IReadOnlyDictionary<string, string>? Both(IReadOnlyDictionary<string, string>? later, IReadOnlyDictionary<string, string>? earlier) =>
        later is null || earlier is null ? later ?? earlier : new SortedDictionary<string, string>(later.Concat(earlier).DistinctBy(trait => trait.Key).ToDictionary(), StringComparer.Ordinal);
}
