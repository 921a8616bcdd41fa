using RetentionFunctions.Customers;
using RetentionFunctions.Email;
using RetentionFunctions.Flows;
using RetentionFunctions.Health;
using RetentionFunctions.Intake.Mail;
using RetentionFunctions.Settings;
using RetentionFunctions.Storage;

namespace RetentionFunctions.Intake;

/// <summary>
/// Handles what the mail provider reports of one customer's e-mails: each event once. The e-mail, its step in the run, the customer and what the customer did with all
/// e-mails are one batch with the markers, and are derived from the set of events, so that any order with any number of copies ends in the same rows.
/// </summary>
public sealed class MailIntake(ITables tables, FlowDispatch flows, IntakeCounters counters, RetentionSettings settings)
{
    /// <summary>Handles a message as it was queued (<see cref="MailMessages"/>).</summary>
    /// <exception cref="UnreadableException">It is not one of ours, or an event of it cannot be read.</exception>
    public async Task HandleAsync(ReadOnlyMemory<byte> body, CancellationToken cancel = default)
    {
        var events = MailMessages.Read(body);
        if (events.Count == 0) return;
        if (FounderMail.Is(events[0].Run))
        {
            // No customer's: what became of it is all there is to know. Least times and sets, so that copies and orders change nothing.
            foreach (var own in events.GroupBy(e => e.Run.Occasion, StringComparer.Ordinal))
                await tables.ChangeAsync<MailRecord>(Keys.ReviewMail(own.Key), known => known is null ? null : MailFacts.Apply(known, [.. own], settings.Email.Engagement), cancel);
            return;
        }
        foreach (var mail in events.GroupBy(e => (e.Run, e.Step))) await ApplyAsync(mail.Key.Run, mail.Key.Step, [.. mail.DistinctBy(e => e.Id, StringComparer.Ordinal)], cancel);
        // Who bounced or unsubscribed is written to no more: at once, and again where a crash came in between.
        await flows.AfterChangeAsync(events[0].Run.CustomerId, cancel);
    }

    private async Task ApplyAsync(RunId runId, int step, IReadOnlyList<MailEvent> events, CancellationToken cancel)
    {
        var customerId = runId.CustomerId;
        var key = Keys.Mail(customerId, runId.Flow, runId.Occasion, step);
        for (var attempt = 0; attempt < 10; attempt++)
        {
            // Copies are rare: whether an event was handled is asked only where the commit says that something is there already.
            var fresh = attempt == 0 ? events : await FreshAsync(customerId, events, cancel);
            if (fresh.Count == 0) return;
            var mails = new Dictionary<string, Stored<MailRecord>>(StringComparer.Ordinal);
            await foreach (var row in tables.QueryAsync(Keys.Mails(customerId), cancel)) mails[row.At.Key] = new Stored<MailRecord>(row.Read<MailRecord>(), row.ETag);
            if (!mails.TryGetValue(key.Key, out var mail) || await tables.GetAsync<Customer>(Keys.Customer(customerId), cancel) is not { } customer)
            {
                // Of another installation on the same account, or of a store that was begun anew.
                counters.Count("mail.unknown", fresh.Count);
                return;
            }

            var after = MailFacts.Apply(mail.Value, fresh, settings.Email.Engagement);
            var writes = new List<Write>(fresh.Select(e => new Write.Insert(Marker(customerId, e).Key, TablesExtensions.Write(
                new EventMarker(e.Id, NameOf(e.Type), e.At, $"{runId.Flow} step {step.ToString(System.Globalization.CultureInfo.InvariantCulture)}") { FromMail = true }))))
            {
                new Write.Replace(key.Key, TablesExtensions.Write(after), mail.ETag),
            };
            var suppressed = MailFacts.Suppress(customer.Value, after, fresh);
            if (!ReferenceEquals(suppressed, customer.Value)) writes.Add(new Write.Replace(Keys.Customer(customerId).Key, TablesExtensions.Write(suppressed), customer.ETag));
            await AddStepAsync(runId, after, writes, cancel);
            await AddActivityAsync(customerId, mails.Select(m => m.Key == key.Key ? after : m.Value.Value), writes, cancel);
            if (await tables.TryCommitAsync(key.Partition, writes, cancel)) return;
        }
        throw new TransientStorageException($"The e-mails of the customer {customerId} were changed by others ten times in a row.");
    }

    // Where the run does not have the step yet, the sender has not come back from sending, and will take it from the e-mail's row.
    private async Task AddStepAsync(RunId runId, MailRecord mail, List<Write> writes, CancellationToken cancel)
    {
        var key = Keys.Run(runId.CustomerId, runId.Flow, runId.Occasion);
        if (await tables.GetAsync<Run>(key, cancel) is not { } run) return;
        var wanted = run.Value.Sent.Select(s => s.Step == mail.Step ? SentStep.Of(mail) with { At = s.At } : s).ToList();
        if (!wanted.SequenceEqual(run.Value.Sent)) writes.Add(new Write.Replace(key.Key, TablesExtensions.Write(run.Value with { Sent = wanted }), run.ETag));
    }

    private async Task AddActivityAsync(string customerId, IEnumerable<MailRecord> mails, List<Write> writes, CancellationToken cancel)
    {
        if (MailFacts.ActivityOf(mails) is not { } activity) return;
        var key = Keys.Activity(customerId, ActivityView.MailSource);
        var row = TablesExtensions.Write(activity);
        var known = await tables.GetAsync<Activity>(key, cancel);
        if (known is null) writes.Add(new Write.Insert(key.Key, row));
        else if (!TablesExtensions.Write(known.Value).Span.SequenceEqual(row.Span)) writes.Add(new Write.Replace(key.Key, row, known.ETag));
    }

    private async Task<List<MailEvent>> FreshAsync(string customerId, IReadOnlyList<MailEvent> events, CancellationToken cancel)
    {
        var fresh = new List<MailEvent>(events.Count);
        foreach (var e in events)
            if (await tables.GetAsync(Marker(customerId, e), cancel) is null) fresh.Add(e);
        return fresh;
    }

    private static RowKey Marker(string customerId, MailEvent e) => Keys.Event(customerId, $"mail:{e.Id}");

    private static string NameOf(MailEventType type) => type switch
    {
        MailEventType.SpamReport => "spam report",
        MailEventType.GroupUnsubscribe => "group unsubscribe",
        _ => type.ToString().ToLowerInvariant(),
    };
}
