using RetentionFunctions.Customers;
using RetentionFunctions.Flows;
using RetentionFunctions.Health;
using RetentionFunctions.Intake.Mail;

namespace RetentionFunctions.Email;

/// <summary>
/// What the provider's events do to the row of an e-mail, to the customer's activity and to who may be written to. Pure, and the same in any order and any number
/// of copies: least values, and what is derived from the set.
/// </summary>
public static class MailFacts
{
    /// <summary>Most opens, and most clicks, kept of one e-mail: the earliest, each link once a second. A scanner that looks at every link some times stays below.</summary>
    public const int TouchesKept = 60;

    /// <summary>Most characters of what the provider says.</summary>
    private const int ReasonLength = 200;

    /// <summary>The row after some events of its e-mail.</summary>
    public static MailRecord Apply(MailRecord before, IReadOnlyList<MailEvent> events, EngagementSettings rule)
    {
        if (events.Count == 0 || before.Result == MailResult.Previewed) return before;
        var after = before;
        var touches = before.Touches?.ToList() ?? [];
        foreach (var e in events)
        {
            after = after with { ProviderId = after.ProviderId ?? e.ProviderId };
            if (Proves(e.Type)) after = after with { ProvenAt = Earlier(after.ProvenAt, e.At) };
            switch (e.Type)
            {
                case MailEventType.Processed:
                    after = after with { ProcessedAt = Earlier(after.ProcessedAt, e.At) };
                    break;
                case MailEventType.Delivered:
                    after = after with { DeliveredAt = Earlier(after.DeliveredAt, e.At) };
                    break;
                case MailEventType.Open when !e.ByMachine:
                case MailEventType.Click:
                    touches.Add(new MailTouch(e.At, e.Type == MailEventType.Click ? e.Link ?? "" : null));
                    break;
                case MailEventType.Bounce:
                case MailEventType.Block:
                    after = after with { Bounced = First(after.Bounced, new MailTrouble(e.At, Said(e.Type == MailEventType.Bounce ? "it bounced" : "it was blocked", e.Reason))) };
                    break;
                case MailEventType.Dropped:
                    after = after with { Dropped = First(after.Dropped, new MailTrouble(e.At, Said("the provider dropped it", e.Reason))) };
                    break;
            }
        }
        var kept = touches.Distinct().GroupBy(t => t.Link is null).SelectMany(kind => InOrder(kind).Take(TouchesKept));
        touches = [.. InOrder(kept)];
        var (opened, clicked) = Engagement.Of(touches, after.DeliveredAt ?? after.ProcessedAt, rule);
        // Whatever the provider reports of it, it had it. Only what it dropped and nobody ever saw was not sent.
        var refused = after is { Dropped: not null, ProvenAt: null };
        return after with
        {
            Touches = touches.Count == 0 ? null : touches,
            OpenedAt = opened,
            ClickedAt = clicked,
            Result = refused ? MailResult.Refused : MailResult.Accepted,
            Reason = after.Bounced?.Reason ?? (refused ? after.Dropped!.Reason : null),
        };
    }

    /// <summary>
    /// The customer after some events of its e-mail. A bounce for good, a complaint, and what the provider drops because of one of those end all e-mails, as an address
    /// that the provider refuses does; unsubscribing ends marketing. A block is for now, and ends nothing. The earliest reason stands.
    /// </summary>
    /// <param name="before">The customer.</param>
    /// <param name="mail">The e-mail. What became of an address that the customer no longer has says nothing of the one it has.</param>
    /// <param name="events">Its events.</param>
    public static Customer Suppress(Customer before, MailRecord mail, IReadOnlyList<MailEvent> events)
    {
        var source = $"{mail.Flow} step {mail.Step.ToString(System.Globalization.CultureInfo.InvariantCulture)}";
        var sameAddress = string.Equals(before.Email, mail.To, StringComparison.OrdinalIgnoreCase);
        var (unsubscribed, suppressed) = (before.Unsubscribed, before.Suppressed);
        foreach (var e in events)
        {
            switch (e.Type)
            {
                case MailEventType.Unsubscribe or MailEventType.GroupUnsubscribe:
                    unsubscribed = First(unsubscribed, new Suppression(e.At, $"unsubscribed in the mail program from {source}"));
                    break;
                case MailEventType.SpamReport:
                    suppressed = First(suppressed, new Suppression(e.At, $"reported {source} as spam"));
                    break;
                case MailEventType.Bounce when sameAddress:
                    suppressed = First(suppressed, new Suppression(e.At, Said("the address bounced", e.Reason)));
                    break;
                case MailEventType.Dropped when e.Reason == "Unsubscribed Address":
                    unsubscribed = First(unsubscribed, new Suppression(e.At, "unsubscribed at the mail provider"));
                    break;
                // SendGrid's words for addresses on its own lists; what it drops for its own reasons (quota, content, a header) is not the customer's doing.
                case MailEventType.Dropped when sameAddress && e.Reason is "Bounced Address" or "Spam Reporting Address" or "Invalid":
                    suppressed = First(suppressed, new Suppression(e.At, Said("the provider refused the address", e.Reason)));
                    break;
            }
        }
        return unsubscribed == before.Unsubscribed && suppressed == before.Suppressed ? before : before with { Unsubscribed = unsubscribed, Suppressed = suppressed };
    }

    /// <summary>What the customer did with all of its e-mails, under the source <c>mail</c>: derived anew from their rows. Null where none is known to have arrived.</summary>
    public static Activity? ActivityOf(IEnumerable<MailRecord> mails)
    {
        Activity? activity = null;
        foreach (var mail in mails)
        {
            // What came back later was never in front of anybody; what was opened arrived, also where nobody says so.
            if (mail.Bounced is not null || (mail.DeliveredAt ?? mail.OpenedAt) is not { } arrived) continue;
            Count(arrived, Counter.EmailsSent);
            if (mail.OpenedAt is { } opened) Count(opened, Counter.EmailOpens);
            if (mail.ClickedAt is { } clicked) Count(clicked, Counter.EmailClicks);
        }
        return activity;

        void Count(DateTimeOffset at, string counter) => activity = ActivityUpdate.Count(activity, ActivityView.MailSource, at, counter);
    }

    private static bool Proves(MailEventType type) => type is not (MailEventType.Processed or MailEventType.Deferred or MailEventType.Dropped);

    private static IOrderedEnumerable<MailTouch> InOrder(IEnumerable<MailTouch> touches) => touches.OrderBy(t => t.At).ThenBy(t => t.Link, StringComparer.Ordinal);

    private static DateTimeOffset Earlier(DateTimeOffset? known, DateTimeOffset at) => known <= at ? known.Value : at;

    private static MailTrouble First(MailTrouble? known, MailTrouble said) => known is null || Comes(said.At, said.Reason, known.At, known.Reason) ? said : known;

    private static Suppression First(Suppression? known, Suppression said) => known is null || Comes(said.At, said.Reason, known.At, known.Reason) ? said : known;

    private static bool Comes(DateTimeOffset at, string reason, DateTimeOffset knownAt, string known) => at < knownAt || (at == knownAt && string.CompareOrdinal(reason, known) < 0);

    private static string Said(string what, string? reason) => reason is null ? what : PlainText.Line($"{what}: {reason}", ReasonLength);
}
