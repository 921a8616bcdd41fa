using RetentionFunctions.Customers;
using RetentionFunctions.Email;
using RetentionFunctions.Settings;
using RetentionFunctions.Storage;
using RetentionFunctions.Telemetry;

namespace RetentionFunctions.Flows;

/// <summary>
/// One look at a run: read, decide, write, and send where that is decided. Safe when called early, twice, at the same time as itself, and after the run
/// has ended. Every e-mail is guarded by a row keyed by run and step that is inserted before the send.
/// </summary>
public sealed class FlowAdvance(ITables tables, IMailer mailer, EmailComposer composer, RetentionSettings settings, TimeProvider clock)
{
    // After a "not sent" the next try: 5 minutes, doubling up to 4 hours.
    private static readonly TimeSpan FirstRetry = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan LongestRetry = TimeSpan.FromHours(4);

    // Longer than any mailer's time-out: a row that is "about to be sent" for longer was left by a crash.
    private static readonly TimeSpan SendingTakes = TimeSpan.FromMinutes(5);

    /// <summary>Advances the run as far as it goes now. When to call again; null when it has ended.</summary>
    /// <exception cref="TransientStorageException">The store faltered; call again.</exception>
    public async Task<DateTimeOffset?> AdvanceAsync(RunId id, CancellationToken cancel = default)
    {
        using var span = RetentionTelemetry.Advancing(id.Flow);
        try
        {
            return await LookAsync(id, cancel);
        }
        catch (Exception e) when (!cancel.IsCancellationRequested)
        {
            span.Fault(e);
            throw;
        }
    }

    private async Task<DateTimeOffset?> LookAsync(RunId id, CancellationToken cancel)
    {
        // Each round does one thing; conflicts with other writers only mean another round.
        for (var round = 0; round < 50; round++)
        {
            if (await tables.GetAsync<Run>(RowOf(id), cancel) is not { } run || run.Value.Status == RunStatus.Ended) return null;
            if (await CustomerView.LoadAsync(tables, id.CustomerId, cancel) is not { } view) return null;
            var invoice = run.Value.InvoiceId is null ? null : (await tables.GetAsync<Invoice>(Keys.Invoice(id.CustomerId, run.Value.InvoiceId), cancel))?.Value;
            var now = clock.GetUtcNow();
            var subject = FlowSubject.Of(view, invoice, settings, now);
            switch (FlowDecision.Decide(run.Value, subject, now))
            {
                case FlowDecision.End end:
                    if (await EndAsync(run, view, end, now, cancel)) return null;
                    break;
                case FlowDecision.Wait wait:
                    if (run.Value.DueAt == wait.At && run.Value.Status == RunStatus.Running) return wait.At;
                    if (await tables.TryReplaceAsync(RowOf(id), run.Value with { DueAt = wait.At, Status = RunStatus.Running }, run.ETag, cancel)) return wait.At;
                    break;
                case FlowDecision.Send send:
                    if (await SendAsync(run, view, subject, send.Step, now, cancel) is { } retryAt) return retryAt;
                    break;
            }
        }
        throw new TransientStorageException("A run was changed by others again and again.");
    }

    // Null: go round again. A time: try then.
    private async Task<DateTimeOffset?> SendAsync(Stored<Run> run, CustomerView view, FlowSubject subject, int step, DateTimeOffset now, CancellationToken cancel)
    {
        var id = run.Value.Id;
        var email = composer.Compose(Request(run.Value, subject, step, now));
        var key = Keys.Mail(id.CustomerId, id.Flow, id.Occasion, step);
        var mail = await tables.GetAsync<MailRecord>(key, cancel);
        if (run.Value.Preview)
        {
            await SettleAsync(run, view, mail, Record(email, now) with { Result = MailResult.Previewed }, now, cancel);
            return null;
        }

        switch (mail?.Value.Result)
        {
            case null:
                if (!await tables.TryInsertAsync(key, Record(email, now), cancel)) return null;
                break;
            case MailResult.NotSent:
                if (!await tables.TryReplaceAsync(key, Record(email, now) with { Attempts = mail.Value.Attempts + 1 }, mail.ETag, cancel)) return null;
                break;
            case MailResult.Sending when mailer.Deduplicates:
                // Somebody stopped between "about to be sent" and "sent", or is sending just now: the mailer delivers it once.
                break;
            case MailResult.Sending when now - mail.Value.At < SendingTakes:
                // Another look at the same run may be sending it at this moment.
                return mail.Value.At + SendingTakes;
            case MailResult.Sending:
                await SettleAsync(run, view, mail, mail.Value with { Result = MailResult.Unknown, At = now, Reason = "the host stopped while it was being sent" }, now, cancel);
                return null;
            default:
                await SettleAsync(run, view, mail, mail.Value, now, cancel);
                return null;
        }

        mail = await tables.GetAsync<MailRecord>(key, cancel);
        if (mail is not { Value.Result: MailResult.Sending }) return null;
        MailOutcome outcome;
        try
        {
            outcome = await mailer.SendAsync(email, cancel);
        }
        catch (Exception e) when (!mailer.Deduplicates && !cancel.IsCancellationRequested)
        {
            // The port's contract: an exception (also a time-out's) says no more than that it may have gone.
            outcome = new MailOutcome.Unknown(e.Message);
        }
        switch (outcome)
        {
            case MailOutcome.NotSent notSent:
                RetentionTelemetry.Email(id.Flow, MailResult.NotSent);
                await tables.TryReplaceAsync(key, mail.Value with { Result = MailResult.NotSent, Reason = notSent.Reason, At = now }, mail.ETag, cancel);
                return now + Min(FirstRetry * Math.Pow(2, Math.Min(mail.Value.Attempts - 1, 10)), LongestRetry);
            case MailOutcome.Accepted accepted:
                await SettleAsync(run, view, mail, mail.Value with { Result = MailResult.Accepted, At = now, ProviderId = accepted.ProviderId }, now, cancel);
                return null;
            case MailOutcome.Refused refused:
                await SettleAsync(run, view, mail, mail.Value with { Result = MailResult.Refused, At = now, Reason = refused.Reason }, now, cancel);
                return null;
            case MailOutcome.Unknown unknown:
                await SettleAsync(run, view, mail, mail.Value with { Result = MailResult.Unknown, At = now, Reason = unknown.Reason }, now, cancel);
                return null;
            default:
                throw new InvalidOperationException($"The mailer answered {outcome}.");
        }
    }

    // The e-mail's row, the run and the customer in one batch: the step is done for all of them or for none. A conflict means another round, in which
    // the row of the e-mail says what already happened; so the e-mail's result is written first where the batch cannot be.
    private async Task SettleAsync(Stored<Run> run, CustomerView view, Stored<MailRecord>? mail, MailRecord settled, DateTimeOffset now, CancellationToken cancel)
    {
        var id = run.Value.Id;
        var mailKey = Keys.Mail(id.CustomerId, id.Flow, id.Occasion, settled.Step);
        for (var attempt = 0; attempt < 10; attempt++)
        {
            var sent = SentStep.Of(settled);
            var after = view.Customer with
            {
                LastMarketingMailAt = run.Value.Definition.Kind == MailKind.Marketing && settled.Result is MailResult.Accepted or MailResult.Unknown ? settled.At : view.Customer.LastMarketingMailAt,
                // Of what was taken and then dropped the provider's own event says whether the address is at fault (MailFacts).
                Suppressed = settled is { Result: MailResult.Refused, Dropped: null } ? view.Customer.Suppressed ?? new Suppression(now, $"the provider refused the address: {settled.Reason}") : view.Customer.Suppressed,
            };
            Write[] writes =
            [
                mail is null ? new Write.Insert(mailKey.Key, TablesExtensions.Write(settled)) : new Write.Replace(mailKey.Key, TablesExtensions.Write(settled), mail.ETag),
                new Write.Replace(RowOf(id).Key, TablesExtensions.Write(run.Value with { Sent = [.. run.Value.Sent, sent], Status = RunStatus.Running, DueAt = null }), run.ETag),
                new Write.Replace(Keys.Customer(id.CustomerId).Key, TablesExtensions.Write(after), view.ETag),
            ];
            if (await tables.TryCommitAsync(mailKey.Partition, writes, cancel))
            {
                RetentionTelemetry.Email(id.Flow, settled.Result);
                return;
            }

            // Somebody else changed the customer or the run while the e-mail went out: the same facts on what stands now.
            mail = await tables.GetAsync<MailRecord>(mailKey, cancel);
            if (await tables.GetAsync<Run>(RowOf(id), cancel) is not { } run2) return;
            if (run2.Value.Status == RunStatus.Ended || run2.Value.Sent.Any(s => s.Step == settled.Step))
            {
                // The step is done, or the run over; only what is known better about the e-mail is still worth writing.
                if (mail is null || !IsBetterKnown(settled.Result, mail.Value.Result) || await tables.TryReplaceAsync(mailKey, settled, mail.ETag, cancel)) return;
                continue;
            }
            if (mail is not null && !IsBetterKnown(settled.Result, mail.Value.Result)) settled = mail.Value;
            if (await CustomerView.LoadAsync(tables, id.CustomerId, cancel) is not { } view2) return;
            (run, view) = (run2, view2);
        }
        throw new TransientStorageException("A customer was changed by others ten times in a row.");
    }

    private static bool IsBetterKnown(MailResult now, MailResult before) => Certainty(now) > Certainty(before);

    private static int Certainty(MailResult result) => result switch
    {
        MailResult.Sending or MailResult.NotSent => 0,
        MailResult.Unknown => 1,
        _ => 2,
    };

    private async Task<bool> EndAsync(Stored<Run> run, CustomerView view, FlowDecision.End end, DateTimeOffset now, CancellationToken cancel)
    {
        var id = run.Value.Id;
        var ended = run.Value with { Status = RunStatus.Ended, Outcome = end.Outcome, EndedAt = now, EndedBecause = end.Because, DueAt = null };
        var after = view.Customer with { OpenRuns = [.. view.Customer.OpenRuns.Where(r => (r.Flow, r.Occasion) != (id.Flow, id.Occasion))] };
        var writes = new List<Write> { new Write.Replace(RowOf(id).Key, TablesExtensions.Write(ended), run.ETag) };
        // An e-mail that a crash left between "about to be sent" and "sent": nobody looks at it again, so it is said here that nobody knows.
        var mailKey = Keys.Mail(id.CustomerId, id.Flow, id.Occasion, run.Value.Sent.Count + 1);
        var mail = await tables.GetAsync<MailRecord>(mailKey, cancel);
        if (mail is { Value: { Result: MailResult.Sending } sending })
        {
            writes.Add(new Write.Replace(mailKey.Key, TablesExtensions.Write(sending with { Result = MailResult.Unknown, Reason = "the run ended before it was known whether it went out" }), mail.ETag));
            if (run.Value.Definition.Kind == MailKind.Marketing) after = after with { LastMarketingMailAt = sending.At };
        }
        else if (run.Value.Sent.Count == 0 && after.LastStarts.GetValueOrDefault(id.Flow) == run.Value.StartedAt)
        {
            // A run that ended before its first e-mail did not use up the time until the next: the customer heard nothing.
            after = after with { LastStarts = after.LastStarts.Where(s => s.Key != id.Flow).ToDictionary(StringComparer.Ordinal) };
        }
        writes.Add(new Write.Replace(Keys.Customer(id.CustomerId).Key, TablesExtensions.Write(after), view.ETag));
        if (!await tables.TryCommitAsync(RowOf(id).Partition, writes, cancel)) return false;
        RetentionTelemetry.Ended(ended);
        return true;
    }

    private static EmailRequest Request(Run run, FlowSubject subject, int step, DateTimeOffset now)
    {
        var renewing = subject.Customer.Subscriptions.Where(s => s.Mrr > 0).OrderBy(s => s.Latest.PeriodEndAt).FirstOrDefault();
        return new EmailRequest
        {
            Id = MailArguments.IdOf(run.Id, step),
            Customer = subject.Customer,
            Flow = run.Id.Flow,
            Occasion = run.Id.Occasion,
            Step = step,
            Template = run.Definition.Steps[step - 1].Template,
            Kind = run.Definition.Kind,
            Invoice = subject.Invoice,
            Failure = subject.Invoice is null ? null : FailureOf(subject.Customer, subject.Invoice),
            Now = now,
            RenewalAt = renewing?.Latest.PeriodEndAt,
            Pausable = Pausing.Of(subject.Customer, now) is PauseChoice.Possible,
        };
    }

    /// <summary>
    /// Why the invoice's payment failed: the failure that names it or its payment; since basil none does, so also one of the same amount within a day of a failed attempt.
    /// </summary>
    public static PaymentFailure? FailureOf(Customer customer, Invoice invoice) =>
        customer.Failures.LastOrDefault(f => f.InvoiceId == invoice.Id || (f.PaymentIntentId is not null && f.PaymentIntentId == invoice.PaymentIntentId)) ??
        customer.Failures.LastOrDefault(f => f.InvoiceId is null && f.Amount == invoice.Latest?.AmountDue && f.Currency == invoice.Latest.Currency
            && (f.At - (invoice.LastFailedAt ?? invoice.ActionRequiredAt ?? f.At)).Duration() < TimeSpan.FromDays(1));

    private static MailRecord Record(OutgoingEmail email, DateTimeOffset now) => new()
    {
        Id = email.Id,
        CustomerId = email.CustomerId,
        Flow = email.Flow,
        Occasion = email.Occasion,
        Step = email.Step,
        Template = email.Template,
        Subject = email.Subject,
        To = email.To.Address,
        At = now,
        Result = MailResult.Sending,
        Attempts = 1,
    };

    private static RowKey RowOf(RunId id) => Keys.Run(id.CustomerId, id.Flow, id.Occasion);

    private static TimeSpan Min(TimeSpan a, TimeSpan b) => a < b ? a : b;
}
