using RetentionFunctions.Backup;
using RetentionFunctions.Erasure;
using RetentionFunctions.History;
using RetentionFunctions.Links;

namespace RetentionFunctions.Tests.Support;

/// <summary>Stripe's lists that fail as planned.</summary>
internal sealed class FaultyBillingHistory(IBillingHistory inner, FaultPlan plan) : IBillingHistory
{
    public Task<BillingPage> ListAsync(BillingQuery query, CancellationToken cancel = default) =>
        plan.CallAsync("IBillingHistory.List", () => inner.ListAsync(query, cancel), what => new TransientBillingException(what));

    public Task<System.Text.Json.JsonElement?> PriceAsync(string priceId, CancellationToken cancel = default) =>
        plan.CallAsync("IBillingHistory.Price", () => inner.PriceAsync(priceId, cancel), what => new TransientBillingException(what));
}

/// <summary>Backups that fail as planned.</summary>
internal sealed class FaultyBackupStore(IBackupStore inner, FaultPlan plan) : IBackupStore
{
    public Task WriteAsync(string backup, string file, ReadOnlyMemory<byte> content, CancellationToken cancel = default) =>
        plan.CallAsync("IBackupStore.Write", () => inner.WriteAsync(backup, file, content, cancel));

    public Task<ReadOnlyMemory<byte>?> ReadAsync(string backup, string file, CancellationToken cancel = default) =>
        plan.CallAsync("IBackupStore.Read", () => inner.ReadAsync(backup, file, cancel));

    public Task<IReadOnlyList<string>> ListAsync(CancellationToken cancel = default) => plan.CallAsync("IBackupStore.List", () => inner.ListAsync(cancel));

    public Task DeleteAsync(string backup, CancellationToken cancel = default) => plan.CallAsync("IBackupStore.Delete", () => inner.DeleteAsync(backup, cancel));
}

/// <summary>What a host keeps of people outside the tables: whom it erased; fails as planned.</summary>
internal sealed class FaultyPersonalData(ISet<string> erased, FaultPlan plan) : IPersonalData
{
    public Task EraseAsync(string customerId, CancellationToken cancel = default) => plan.CallAsync("IPersonalData.Erase", () => Task.FromResult(erased.Add(customerId)));
}
