using RetentionFunctions.Customers;
using RetentionFunctions.Email;
using RetentionFunctions.Flows;

namespace RetentionFunctions.Web;

/// <summary>What a line of a customer's time line is about.</summary>
public enum TimeEntryKind
{
    /// <summary>A Stripe event other than of a payment, or an app event.</summary>
    Event,

    /// <summary>A Stripe event of an invoice, charge or payment.</summary>
    Payment,

    /// <summary>An e-mail of a flow.</summary>
    Email,

    /// <summary>A run began or ended.</summary>
    Run,

    /// <summary>A note.</summary>
    Note,

    /// <summary>The health score turned: another tier, or ten points from the turn before.</summary>
    Health,
}

/// <summary>One line of a customer's time line.</summary>
/// <param name="At">When.</param>
/// <param name="Kind">What it is about.</param>
/// <param name="Title">In a word: Stripe's type, the app event's name, the subject.</param>
/// <param name="Text">More, or empty.</param>
/// <param name="Source">Where it comes from.</param>
/// <param name="MailId">The e-mail to look at, null where it is none.</param>
public sealed record TimeEntry(DateTimeOffset At, TimeEntryKind Kind, string Title, string Text, string Source, string? MailId = null)
{
    /// <summary>All there is about a customer in one order, newest first; where two are of the same moment, what the founder did comes before what caused it.</summary>
    internal static IReadOnlyList<TimeEntry> Of(CustomerDetail detail) =>
    [
        .. detail.Events.Select(OfEvent)
            .Concat(detail.Mails.SelectMany(OfMail))
            .Concat(detail.Runs.SelectMany(OfRun))
            .Concat(detail.Notes.Select(n => new TimeEntry(n.At, TimeEntryKind.Note, n.By, n.Text, "note")))
            .Concat(ScoreLine.Of(detail.Scores).Points.Where(p => p.Change is not null).Select(OfTurn))
            .OrderByDescending(e => e.At).ThenByDescending(e => e.Kind),
    ];

    private static IEnumerable<TimeEntry> OfMail(MailRecord mail)
    {
        var source = $"{mail.Flow} step {mail.Step}";
        var fate = Words.Shown(mail.Result).ToLowerInvariant() + (mail.DeliveredAt is null || mail.Bounced is not null ? "" : ", delivered") + (mail.Reason is null ? "" : $": {mail.Reason}");
        yield return new TimeEntry(mail.At, TimeEntryKind.Email, mail.Subject, fate, source, mail.Id);
        // A click without an open before it is one thing that the customer did.
        if (mail.OpenedAt is { } opened && opened != mail.ClickedAt) yield return new TimeEntry(opened, TimeEntryKind.Email, "Opened", mail.Subject, source, mail.Id);
        if (mail.ClickedAt is { } clicked) yield return new TimeEntry(clicked, TimeEntryKind.Email, "Clicked", mail.Subject, source, mail.Id);
    }

    private static TimeEntry OfEvent(EventMarker marker) => marker.FromApp
        ? new TimeEntry(marker.At, TimeEntryKind.Event, marker.Did, "", "your app")
        : marker.FromMail ? new TimeEntry(marker.At, TimeEntryKind.Email, $"E-mail: {marker.Type}", marker.Did, "mail provider")
        : new TimeEntry(marker.At, IsPayment(marker.Type) ? TimeEntryKind.Payment : TimeEntryKind.Event, marker.Type, marker.Did, "Stripe");

    // A score is of a day; it stands at the day's begin, because what it saw came before.
    private static TimeEntry OfTurn(ScorePoint turn) => new(
        new DateTimeOffset(turn.State.ScoredOn.ToDateTime(TimeOnly.MinValue), TimeSpan.Zero), TimeEntryKind.Health,
        $"Health {(turn.Change > 0 ? "rose" : "fell")} to {turn.State.Score}, {Words.Of(turn.State.Tier).Replace('_', ' ')}", turn.Why, "score");

    private static IEnumerable<TimeEntry> OfRun(Run run)
    {
        var source = run.Preview ? "preview" : "run";
        yield return new TimeEntry(run.StartedAt, TimeEntryKind.Run, $"{run.Id.Flow} began", run.Because, source);
        if (run is { Status: RunStatus.Ended, EndedAt: { } ended })
            yield return new TimeEntry(ended, TimeEntryKind.Run, $"{run.Id.Flow} ended{(run.Outcome is { } outcome ? $", {Words.Of(outcome).Replace('_', ' ')}" : "")}", run.EndedBecause ?? "", source);
    }

    // invoice.*, invoice_payment.*, charge.*, payment_intent.*: Stripe's names of what is about money that moves.
    private static bool IsPayment(string type) =>
        type.StartsWith("invoice", StringComparison.Ordinal) || type.StartsWith("charge.", StringComparison.Ordinal) || type.StartsWith("payment_intent.", StringComparison.Ordinal);
}
