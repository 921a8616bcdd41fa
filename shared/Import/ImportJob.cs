using System.Globalization;
using System.Text.Json.Nodes;
using RetentionFunctions.Intake;
using RetentionFunctions.Jobs;
using RetentionFunctions.Settings;
using RetentionFunctions.Storage;

namespace RetentionFunctions.Import;

/// <summary>
/// Writes a file that was confirmed: each step reads it once more from the tables and puts the next customers into the inbox, where <see cref="StripeHistory"/> handles them. At the end
/// the file is removed. Every message may come twice, and every step be done again.
/// </summary>
public sealed class ImportJob(ITables tables, BodyStore bodies, IInbox inbox, RetentionSettings settings, TimeProvider clock) : IBulkJob, ITidyJob
{
    /// <summary>The name of the job.</summary>
    public const string JobName = "import";

    // A few seconds of the queue, with a second to read the largest file.
    private const int CustomersPerStep = 2_000;

    // As many as a host takes at once without holding up what comes by the doors.
    private const int PerBatch = 100;

    /// <inheritdoc/>
    public string Name => JobName;

    /// <inheritdoc/>
    public async Task<JobStep> StepAsync(JobState state, CancellationToken cancel)
    {
        var id = Imports.IdOf(state);
        var done = (int?)state.Cursor?["done"] ?? 0;
        if ((bool?)state.Cursor?["written"] == true)
        {
            await Imports.RemoveAsync(tables, bodies, id, cancel);
            return new JobStep(null, state.Counts);
        }
        if (await Imports.FileAsync(bodies, id, cancel) is not { } file)
            throw new JobFailedException("The file is not there any more, or not all of it: it was discarded, or removed because a customer in it was erased, or its upload broke off. Import it again; what was written of it counts once, and who was erased is left out.");
        var reading = ImportReader.Read(file, settings.Customers, clock.GetUtcNow());
        // What is wrong with it names people; whoever uploads it again reads it there.
        if (!reading.IsSound) throw new JobFailedException("The file was checked by another version, and this one finds mistakes in it. Import it again to see which.");
        var next = reading.Customers.Skip(done).Take(CustomersPerStep).ToList();
        foreach (var batch in next.Chunk(PerBatch))
        {
            var messages = new List<InboxMessage>(batch.Length);
            foreach (var customer in batch)
                messages.Add(await bodies.FitAsync(new InboxMessage(customer.Id, string.Create(CultureInfo.InvariantCulture, $"import:{state.StartedAt.ToUnixTimeMilliseconds()}:{state.Number}:{customer.Id}"),
                    MessageKind.StripeHistory, StripeHistory.OfImported(customer, state.StartedAt), clock.GetUtcNow()), cancel));
            await inbox.EnqueueAsync(messages, cancel);
        }
        done += next.Count;
        var counts = new Dictionary<string, long>
        {
            ["customers"] = done,
            ["subscriptions"] = state.Counts.GetValueOrDefault("subscriptions") + next.Sum(c => c.Snapshots.DistinctBy(s => s.SubscriptionId).Count()),
        };
        return new JobStep(new JsonObject { ["done"] = done, ["written"] = done == reading.Customers.Count }, counts, done / (double)reading.Customers.Count);
    }

    /// <inheritdoc/>
    public async Task TidyAsync(CancellationToken cancel)
    {
        if (await tables.GetAsync<ImportSummary>(Imports.Waiting, cancel) is not { Value: var waiting } || clock.GetUtcNow() - waiting.CheckedAt < Imports.KeptFor) return;
        if (await tables.GetAsync<JobState>(Keys.Job(JobName), cancel) is { Value: { IsRunning: true } running } && Imports.IdOf(running) == waiting.Id) return;
        await Imports.RemoveAsync(tables, bodies, waiting.Id, cancel);
    }
}
