using System.Text;
using RetentionFunctions.Links;
using RetentionFunctions.Local.Sqlite;
using RetentionFunctions.Storage;

namespace RetentionFunctions.Local.Sandbox;

/// <summary>
/// The sandbox's own customers, kept in the tables. A change and the events that it causes are one batch; the events are then delivered and removed, so that a
/// crash in between delivers them later. What falls due by itself is run by the pump under <see cref="DueId"/>.
/// </summary>
public sealed class SandboxAccounts(ITables tables, SandboxDoor door, SqliteDueTable due, LocalAddress address, TimeProvider clock) : IDisposable
{
    /// <summary>The name of the timer in the due table.</summary>
    public const string DueId = "sandbox";

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
                await tables.TryCommitAsync(Partition, [.. batch.Select(state => new Write.Upsert(Keys.SandboxAccount(state.Customer.Id).Key, TablesExtensions.Write(new Kept(state, []))))], cancel);
            await due.WakeAsync(DueId, clock.GetUtcNow(), cancel);
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

    /// <summary>A customer as it stands, or null.</summary>
    public Task<SandboxAccountState?> StateAsync(string customerId, CancellationToken cancel = default) => LookAsync(sandbox => sandbox.State(customerId), cancel);

    /// <summary>Changes one customer and delivers the events. The same key again changes nothing.</summary>
    /// <param name="customerId">Whom the change is about; a new one where the change makes it.</param>
    /// <param name="key">Names the change among those of the customer.</param>
    /// <param name="change">The change, of this customer only.</param>
    /// <exception cref="TransientBillingException">It was changed, and its events will be delivered later; or the same may be asked again.</exception>
    public async Task<BillingResult> DoAsync(string customerId, string key, Func<SandboxStripe, IReadOnlyList<SandboxEvent>> change, CancellationToken cancel = default)
    {
        await gate.WaitAsync(cancel);
        try
        {
            var sandbox = await LoadAsync(cancel);
            if (keys.GetValueOrDefault(customerId)?.Contains(key) == true)
            {
                await DeliverAsync(cancel);
                return new BillingResult.Done();
            }
            IReadOnlyList<SandboxEvent> events;
            try
            {
                events = change(sandbox);
            }
            catch (SandboxRefusedException refused)
            {
                return new BillingResult.Refused(refused.Message);
            }
            // Asked before it is written: after a crash the pump delivers what is left, and learns when something falls due next.
            await due.WakeAsync(DueId, clock.GetUtcNow(), cancel);
            await CommitAsync(sandbox, customerId, events, key, cancel);
            await DeliverAsync(cancel);
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

    /// <summary>Delivers what is left over, then all that has fallen due. Returns when something falls due next.</summary>
    public async Task<DateTimeOffset?> RunDueAsync(CancellationToken cancel = default)
    {
        await gate.WaitAsync(cancel);
        try
        {
            var sandbox = await LoadAsync(cancel);
            await DeliverAsync(cancel);
            while (sandbox.NextAt is { } next && next <= clock.GetUtcNow())
            {
                foreach (var customer in sandbox.AdvanceTo(next).GroupBy(e => e.CustomerId)) await CommitAsync(sandbox, customer.Key, [.. customer], null, cancel);
                await DeliverAsync(cancel);
            }
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

    private static string Partition => Keys.SandboxEvents.Partition;

    private async Task<T> LookAsync<T>(Func<SandboxStripe, T> look, CancellationToken cancel)
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
        var writes = new List<Write> { new Write.Upsert(Keys.SandboxAccount(customerId).Key, TablesExtensions.Write(new Kept(sandbox.State(customerId)!, known))) };
        writes.AddRange(events.Select(e => new Write.Upsert(Keys.SandboxEvent(e.Id).Key, TablesExtensions.Write(new Pending(e.Id, e.Type, e.CreatedAt, e.CustomerId, Encoding.UTF8.GetString(e.Body.Span))))));
        await tables.TryCommitAsync(Partition, writes, cancel);
        keys[customerId] = known;
    }

    // In the order of their ids, which is the order of each customer's events.
    private async Task DeliverAsync(CancellationToken cancel)
    {
        foreach (var left in await tables.ListAsync<Pending>(Keys.SandboxEvents, cancel))
        {
            await door.DeliverAsync(new SandboxEvent(left.Id, left.Type, left.CreatedAt, left.CustomerId, Encoding.UTF8.GetBytes(left.Body)), cancel);
            await tables.DeleteAsync(Keys.SandboxEvent(left.Id), cancel);
        }
    }

    /// <summary>A customer as it is stored.</summary>
    /// <param name="State">All of it.</param>
    /// <param name="Keys">The latest changes that were asked for.</param>
    private sealed record Kept(SandboxAccountState State, IReadOnlyList<string> Keys);

    private sealed record Pending(string Id, string Type, DateTimeOffset CreatedAt, string CustomerId, string Body);
}
