using RetentionFunctions.Customers;
using RetentionFunctions.Settings;
using RetentionFunctions.Storage;
using RetentionFunctions.Telemetry;

namespace RetentionFunctions.Flows;

/// <summary>Looks at a customer after anything changed: starts the flows that are called for and wakes the runs that would now decide differently.</summary>
public sealed class FlowDispatch(ITables tables, IFlowEngine engine, RetentionSettings settings, TimeProvider clock)
{
    /// <summary>The flow for failed payments.</summary>
    public const string DunningFlow = "dunning";

    /// <summary>The flow for silent customers.</summary>
    public const string WinBackFlow = "win-back";

    /// <summary>Derived from the resulting state, so it may be called again at any time: a crash before it is repaired by the next delivery or by the sweep.</summary>
    public async Task AfterChangeAsync(string customerId, CancellationToken cancel = default)
    {
        // Of the row only what says whether there is anything to do: this comes after every event.
        if (await tables.GetAsync<Glance>(Keys.Customer(customerId), cancel) is { Value: var glance }) await AfterChangeAsync(customerId, glance.FailingInvoices, glance.OpenRuns, cancel);
    }

    /// <summary>The same for whoever has read or written the customer just now.</summary>
    public Task AfterChangeAsync(Customer customer, CancellationToken cancel = default) => AfterChangeAsync(customer.Id, customer.FailingInvoices, customer.OpenRuns, cancel);

    private async Task AfterChangeAsync(string customerId, IReadOnlyCollection<string> failingInvoices, IReadOnlyCollection<OpenRun> openRuns, CancellationToken cancel)
    {
        // Most customers, most of the time: nothing fails and nothing runs.
        if (failingInvoices.Count == 0 && openRuns.Count == 0) return;
        foreach (var invoiceId in failingInvoices) await StartDunningAsync(customerId, invoiceId, cancel);
        if (await CustomerView.LoadAsync(tables, customerId, cancel) is not { } view) return;
        foreach (var open in view.Customer.OpenRuns) await LookAsync(new RunId(customerId, open.Flow, open.Occasion), view, cancel);
    }

    /// <summary>
    /// Starts a run: the row first, together with the customer's list of open runs, then the engine. False where the run exists already
    /// (open, ended or held out) or the customer changed meanwhile: an ended run never starts again.
    /// </summary>
    public async Task<bool> StartAsync(Run run, CustomerView view, CancellationToken cancel = default)
    {
        var customer = view.Customer;
        var key = Keys.Run(run.Id.CustomerId, run.Id.Flow, run.Id.Occasion);
        var held = run.Status == RunStatus.Ended;
        var after = customer with
        {
            OpenRuns = held ? customer.OpenRuns : [.. customer.OpenRuns, new OpenRun(run.Id.Flow, run.Id.Occasion, run.Definition.Kind)],
            WatchedRuns = FlowResults.IsWatched(run) ? [.. customer.WatchedRuns ?? [], new WatchedRun(run.Id.Flow, run.Id.Occasion)] : customer.WatchedRuns,
            LastStarts = run.Preview ? customer.LastStarts : new Dictionary<string, DateTimeOffset>(customer.LastStarts, StringComparer.Ordinal) { [run.Id.Flow] = run.StartedAt },
        };
        var writes = new List<Write>
        {
            new Write.Insert(key.Key, TablesExtensions.Write(run)),
            new Write.Replace(Keys.Customer(customer.Id).Key, TablesExtensions.Write(after), view.ETag),
        };
        if (!held && run.NotBefore is not null)
        {
            var note = PersonalNote(run, customer);
            writes.Add(new Write.Upsert(Keys.Note(customer.Id, note.Id).Key, TablesExtensions.Write(note)));
        }
        if (!await tables.TryCommitAsync(key.Partition, writes, cancel)) return false;
        RetentionTelemetry.Started(run);
        if (!held) await engine.StartAsync(run.Id, cancel);
        return true;
    }

    private async Task StartDunningAsync(string customerId, string invoiceId, CancellationToken cancel)
    {
        if (!settings.Flows.Definitions.TryGetValue(DunningFlow, out var definition) || !definition.Enabled) return;
        for (var attempt = 0; attempt < 10; attempt++)
        {
            if (await CustomerView.LoadAsync(tables, customerId, cancel) is not { } view) return;
            if (await tables.GetAsync<Invoice>(Keys.Invoice(customerId, invoiceId), cancel) is not { } invoice) return;
            if (FlowStart.Dunning(view.Customer, invoice.Value) is not { } because) return;
            var run = FlowStart.Begin(DunningFlow, definition, view.Customer, invoiceId, invoiceId, because, settings.Flows.Mode, clock.GetUtcNow());
            if (await tables.GetAsync(Keys.Run(customerId, DunningFlow, run.Id.Occasion), cancel) is not null) return;
            if (await StartAsync(run, view, cancel)) return;
        }
        throw new TransientStorageException("A customer was changed by others ten times in a row.");
    }

    private async Task LookAsync(RunId id, CustomerView view, CancellationToken cancel)
    {
        if (await tables.GetAsync<Run>(Keys.Run(id.CustomerId, id.Flow, id.Occasion), cancel) is not { Value: { Status: not RunStatus.Ended } run }) return;
        if (run.Status == RunStatus.Starting)
        {
            // The engine may not know of it; or it is looking for the first time at this moment, and may have read the customer before this change.
            await engine.WakeAsync(id, cancel);
            return;
        }
        var invoice = run.InvoiceId is null ? null : (await tables.GetAsync<Invoice>(Keys.Invoice(id.CustomerId, run.InvoiceId), cancel))?.Value;
        var now = clock.GetUtcNow();
        var decision = FlowDecision.Decide(run, FlowSubject.Of(view, invoice, settings, now), now);
        if (decision is not FlowDecision.Wait wait || wait.At != run.DueAt) await engine.WakeAsync(id, cancel);
    }

    private sealed record Glance
    {
        public IReadOnlyList<string> FailingInvoices { get; init; } = [];

        public IReadOnlyList<OpenRun> OpenRuns { get; init; } = [];
    }

    private static Note PersonalNote(Run run, Customer customer) => new()
    {
        Id = $"{run.Id.Flow} {run.Id.Occasion} personal",
        At = run.StartedAt,
        Kind = "task",
        By = run.Id.Flow,
        Text = $"Write to {customer.Name ?? customer.Email} yourself: {run.Because}. The {run.Id.Flow} flow begins on {run.NotBefore:yyyy-MM-dd} unless the customer is back by then.",
    };
}
