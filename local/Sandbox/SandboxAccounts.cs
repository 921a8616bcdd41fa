using RetentionFunctions.Links;
using RetentionFunctions.Local.Sqlite;
using RetentionFunctions.Storage;

namespace RetentionFunctions.Local.Sandbox;

/// <summary>
/// The sandbox's own customers, kept in the tables. A change and the events that it causes are one batch; <see cref="SandboxPost"/> then delivers the events. What
/// falls due by itself is run by the pump.
/// </summary>
public sealed class SandboxAccounts(ITables tables, SandboxPost post, SqliteDueTable due, LocalAddress address, TimeProvider clock) : IDisposable
{

    // Of each customer the latest changes that were asked for, so that the same again changes nothing.
    private const int KeysKept = 50;

    // A customer has some 20 KB: a batch stays well below 4 MiB.
    private const int CustomersPerBatch = 40;

    private readonly SemaphoreSlim gate = new(1, 1);
    private readonly Dictionary<string, IReadOnlyList<string>> keys = new(StringComparer.Ordinal);

    // As it is stored: this process alone has the data folder. Null: to be read (again).
    private SandboxStripe? stripe;
    private Uri? readWith;

    /// <summary>Takes over customers as they stand, for example of a year that was played elsewhere and whose events were delivered. From now on they live by themselves.</summary>
    /// <param name="options">How the account is set up, from now on for all of them; the page to pay invoices is this host's own.</param>
    /// <param name="customers">They replace those of the same id.</param>
    public async Task KeepAsync(SandboxOptions options, IEnumerable<SandboxAccountState> customers, CancellationToken cancel = default)
    {
        await gate.WaitAsync(cancel);
        try
        {
            stripe = null;
            await tables.UpsertAsync(Keys.Account("sandbox"), options, cancel);
            foreach (var batch in customers.Chunk(CustomersPerBatch))
                await tables.TryCommitAsync(SandboxPost.Partition, [.. batch.Select(state => new Write.Upsert(Keys.SandboxAccount(state.Customer.Id).Key, TablesExtensions.Write(new Kept(state, []))))], cancel);
            await due.WakeAsync(SandboxPost.DueId, clock.GetUtcNow(), cancel);
        }
        finally
        {
            gate.Release();
        }
    }

    /// <summary>Whether the customer is one of the sandbox's own.</summary>
    public Task<bool> HasAsync(string customerId, CancellationToken cancel = default) => LookAsync(sandbox => sandbox.Customer(customerId) is not null, cancel);

    /// <summary>An invoice of the sandbox's own, or null.</summary>
    public Task<SandboxInvoice?> InvoiceAsync(string invoiceId, CancellationToken cancel = default) => LookAsync(sandbox => sandbox.Invoice(invoiceId), cancel);

    /// <summary>A customer as its pages show it, or null.</summary>
    public Task<SandboxView?> ViewAsync(string customerId, CancellationToken cancel = default) => LookAsync(sandbox => SandboxView.Of(sandbox, customerId), cancel);

    /// <summary>A customer as it stands, or null.</summary>
    public Task<SandboxAccountState?> StateAsync(string customerId, CancellationToken cancel = default) => LookAsync(sandbox => sandbox.State(customerId), cancel);

    /// <summary>Changes one customer and puts the events on their way. The same key again changes nothing.</summary>
    /// <param name="customerId">Whom the change is about; a new one where the change makes it.</param>
    /// <param name="key">Names the change among those of the customer.</param>
    /// <param name="change">The change, of this customer only.</param>
    public async Task<BillingResult> DoAsync(string customerId, string key, Func<SandboxStripe, IReadOnlyList<SandboxEvent>> change, CancellationToken cancel = default)
    {
        await gate.WaitAsync(cancel);
        try
        {
            var sandbox = await LoadAsync(cancel);
            if (keys.GetValueOrDefault(customerId)?.Contains(key) == true) return new BillingResult.Done();
            IReadOnlyList<SandboxEvent> events;
            try
            {
                events = change(sandbox);
            }
            catch (SandboxRefusedException refused)
            {
                return new BillingResult.Refused(refused.Message);
            }
            await CommitAsync(sandbox, customerId, events, key, cancel);
            return new BillingResult.Done();
        }
        catch
        {
            stripe = null; // perhaps ahead of what is stored
            throw;
        }
        finally
        {
            gate.Release();
        }
    }

    /// <summary>Lets happen all that has fallen due. Returns when something falls due next.</summary>
    public async Task<DateTimeOffset?> RunDueAsync(CancellationToken cancel = default)
    {
        await gate.WaitAsync(cancel);
        try
        {
            var sandbox = await LoadAsync(cancel);
            while (sandbox.NextAt is { } next && next <= clock.GetUtcNow())
                foreach (var customer in sandbox.AdvanceTo(next).GroupBy(e => e.CustomerId)) await CommitAsync(sandbox, customer.Key, [.. customer], null, cancel);
            return sandbox.NextAt;
        }
        catch
        {
            stripe = null;
            throw;
        }
        finally
        {
            gate.Release();
        }
    }

    /// <inheritdoc/>
    public void Dispose() => gate.Dispose();

    /// <summary>Looks at the account; it must not be changed.</summary>
    internal async Task<T> LookAsync<T>(Func<SandboxStripe, T> look, CancellationToken cancel)
    {
        await gate.WaitAsync(cancel);
        try
        {
            return look(await LoadAsync(cancel));
        }
        finally
        {
            gate.Release();
        }
    }

    private async Task<SandboxStripe> LoadAsync(CancellationToken cancel)
    {
        var root = address.RootOrNull;
        // Read before the host listened, it does not know the page to pay on.
        if (stripe is not null && root == readWith) return stripe;
        keys.Clear();
        var options = (await tables.GetAsync<SandboxOptions>(Keys.Account("sandbox"), cancel))?.Value ?? new SandboxOptions();
        if (root is not null) options = options with { InvoicePage = new Uri(root, "/local/pay/").ToString() };
        var kept = await tables.ListAsync<Kept>(Keys.SandboxAccounts, cancel);
        foreach (var customer in kept) keys[customer.State.Customer.Id] = customer.Keys;
        readWith = root;
        return stripe = new SandboxStripe(options, kept.Select(customer => customer.State));
    }

    private async Task CommitAsync(SandboxStripe sandbox, string customerId, IReadOnlyList<SandboxEvent> events, string? key, CancellationToken cancel)
    {
        IReadOnlyList<string> known = keys.GetValueOrDefault(customerId) ?? [];
        if (key is not null) known = [.. known.TakeLast(KeysKept - 1), key];
        await post.TryQueueAsync(events, [new Write.Upsert(Keys.SandboxAccount(customerId).Key, TablesExtensions.Write(new Kept(sandbox.State(customerId)!, known)))], cancel);
        keys[customerId] = known;
    }

    /// <summary>A customer as it is stored.</summary>
    /// <param name="State">All of it.</param>
    /// <param name="Keys">The latest changes that were asked for.</param>
    private sealed record Kept(SandboxAccountState State, IReadOnlyList<string> Keys);
}
