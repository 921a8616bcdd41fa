using RetentionFunctions.Email;
using RetentionFunctions.Flows;
using RetentionFunctions.Health;
using RetentionFunctions.Settings;
using RetentionFunctions.Storage;
using RetentionFunctions.Telemetry;

namespace RetentionFunctions.Insight;

/// <summary>
/// Sends the founder the review of a month and the line of a week: each once, in the send window of the business's time zone. The engine of the flows keeps the time; the row of the e-mail is written before the send, as for
/// customers, and what may have gone is never sent again blindly.
/// </summary>
public sealed class ReviewSender(ITables tables, IMailer mailer, EmailComposer composer, ReviewQueries reviews, RetentionSettings settings, TimeProvider clock) : IOtherRuns
{
    // The same hours as for customers.
    private static readonly SendWindow Window = new();

    /// <inheritdoc/>
    public bool Keeps(RunId id) => FounderMail.Is(id);

    /// <inheritdoc/>
    public async Task<DateTimeOffset?> AdvanceAsync(RunId id, CancellationToken cancel = default)
    {
        var now = clock.GetUtcNow();
        if (settings.Review.Email is not { Length: > 0 } to || ReviewOccasion.Parse(id.Occasion) is not { } occasion || DailySweep.Day(now, settings) > occasion.LastOn) return null;
        // East of Greenwich the first of a month begins before the month before is over in UTC, by which it is counted.
        var zone = SendTime.Zone(null, settings.Product.TimeZone);
        var at = SendTime.Next(occasion.Month is { } month && month.End > now ? month.End : now, Window, zone);
        if (at > now) return at;
        var key = Keys.ReviewMail(occasion.Key);
        var known = await tables.GetAsync<MailRecord>(key, cancel);
        if (known is { Value.Result: MailResult.NotSent } && known.Value.At + FlowAdvance.RetryAfter(known.Value.Attempts) is var again && again > now) return again;
        if (known is { Value.Result: not (MailResult.Sending or MailResult.NotSent) }) return null;
        if (known is { Value.Result: MailResult.Sending } && !mailer.Deduplicates)
        {
            // Left by a crash, or being sent at this moment.
            if (now - known.Value.At < FlowAdvance.SendingTakes) return known.Value.At + FlowAdvance.SendingTakes;
            return await SettleAsync(key, known.Value with { Result = MailResult.Unknown, At = now, Reason = "the host stopped while it was being sent" }, known.ETag, cancel);
        }
        if (await MailOfAsync(occasion, to, cancel) is not { } mail) return null;
        return await SendAsync(key, composer.Compose(mail), known, now, cancel);
    }

    private async Task<DateTimeOffset?> SendAsync(RowKey key, OutgoingEmail email, Stored<MailRecord>? known, DateTimeOffset now, CancellationToken cancel)
    {
        // The address is the setting's: here it would only be one more place to erase it from.
        var begun = FlowAdvance.Record(email, now) with { To = FounderMail.Addressee, Attempts = (known?.Value.Attempts ?? 0) + 1 };
        // What a crash left "about to be sent" is the same attempt still, since the mailer delivers it once.
        if (known is { Value.Result: MailResult.Sending }) begun = begun with { Attempts = known.Value.Attempts };
        var mine = known is null ? await tables.TryInsertAsync(key, begun, cancel) : await tables.TryReplaceAsync(key, begun, known.ETag, cancel);
        // Somebody else sends it at this moment: look at what became of it.
        if (!mine || await tables.GetAsync<MailRecord>(key, cancel) is not { Value.Result: MailResult.Sending } row) return now + FlowAdvance.SendingTakes;
        MailOutcome outcome;
        try
        {
            outcome = await mailer.SendAsync(email, cancel);
        }
        catch (Exception e) when (!mailer.Deduplicates && !cancel.IsCancellationRequested)
        {
            outcome = new MailOutcome.Unknown(e.Message);
        }
        return await SettleAsync(key, outcome switch
        {
            MailOutcome.Accepted accepted => begun with { Result = MailResult.Accepted, ProviderId = accepted.ProviderId },
            MailOutcome.Refused refused => begun with { Result = MailResult.Refused, Reason = refused.Reason },
            MailOutcome.NotSent notSent => begun with { Result = MailResult.NotSent, Reason = notSent.Reason },
            MailOutcome.Unknown unknown => begun with { Result = MailResult.Unknown, Reason = unknown.Reason },
            _ => throw new InvalidOperationException($"The mailer answered {outcome}."),
        }, row.ETag, cancel);
    }

    // Where an event of the provider was quicker, its row says more than ours.
    private async Task<DateTimeOffset?> SettleAsync(RowKey key, MailRecord settled, string etag, CancellationToken cancel)
    {
        RetentionTelemetry.Email(settled.Flow, settled.Result);
        await tables.TryReplaceAsync(key, settled, etag, cancel);
        return settled.Result == MailResult.NotSent ? settled.At + FlowAdvance.RetryAfter(settled.Attempts) : null;
    }

    private async Task<FounderMail?> MailOfAsync(ReviewOccasion occasion, string to, CancellationToken cancel) =>
        occasion.Month is { } month ? ReviewLetter.OfMonth(await reviews.ReadAsync(month, cancel), to)
        : await reviews.WeekAsync(cancel) is { } week ? ReviewLetter.OfWeek(occasion, week, to)
        : null;
}
