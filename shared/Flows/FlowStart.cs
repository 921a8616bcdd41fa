using RetentionFunctions.Customers;
using RetentionFunctions.Email;
using RetentionFunctions.Health;
using RetentionFunctions.Settings;
using RetentionFunctions.Storage;

namespace RetentionFunctions.Flows;

/// <summary>Whether a flow is called for, and the run it starts with. Pure.</summary>
public static class FlowStart
{
    // Seen in the last week: the use that fell is a use that goes on.
    private const int StillSeenDays = 7;

    private const string PreviewMark = "~preview";

    /// <summary>
    /// Why dunning is called for on this invoice, or null: a recurring payment failed and is still open. Not the first invoice of a new subscription,
    /// whose customer stands at the checkout and sees it fail.
    /// </summary>
    public static string? Dunning(Customer customer, Invoice invoice)
    {
        if (!invoice.IsFailing || invoice.Latest is not { SubscriptionId: { } subscriptionId } latest || latest.AmountDue <= 0) return null;
        if (latest.BillingReason == "subscription_create") return null;
        // Read by the backfill: no flow starts from the past. The next failure comes by the door.
        if (invoice.IsPast) return null;
        // Events come in any order: what is not known yet may come with the next one, and then this is asked again.
        if (customer.Email is null) return null;
        var subscription = customer.Subscriptions.FirstOrDefault(s => s.Latest.SubscriptionId == subscriptionId);
        // Versions before 2018 have no billing reason: the first invoice is made together with its subscription.
        if (latest.BillingReason is null && subscription is null) return null;
        if (latest.BillingReason is null && (latest.CreatedAt - subscription!.Latest.CreatedAt).Duration() < TimeSpan.FromHours(1)) return null;
        if (subscription?.State is SubscriptionState.Ended or SubscriptionState.Pending || customer.DeletedAt is not null) return null;
        return invoice.FirstFailedAt is null ? "the bank asks for a confirmation" : "a payment failed";
    }

    /// <summary>
    /// Why win-back is called for, or null: a paying customer who was measured before has not been seen for the set days, or still uses the product but half as
    /// much as before. Never while a payment is failing, paused, cancelled or cancelling, unsubscribed or suppressed.
    /// </summary>
    public static WinBackReason? WinBack(Customer customer, ActivityView activity, FlowSettings settings, FlowDefinition definition, string name, DateTimeOffset now)
    {
        if (!definition.Enabled || customer.IsUntiedUser || customer.Status != CustomerStatus.Paying || customer.FailingInvoices.Count > 0) return null;
        if (customer.Unsubscribed is not null || customer.Suppressed is not null || customer.Email is null) return null;
        var paying = customer.Subscriptions.Where(s => s.Mrr > 0).ToList();
        if (paying.All(s => s.EndsAt is not null) || Pausing.Of(customer, now) is PauseChoice.Paused) return null;
        if (customer.OpenRuns.Any(r => r.Kind == MailKind.Marketing)) return null;
        if (customer.LastStarts.TryGetValue(name, out var last) && now < last.AddDays(definition.CooldownDays)) return null;
        if (!activity.EverMeasured || activity.LastActiveAt is not { } seen) return null;
        var back = customer.ReturnedAt is { } returned && returned > seen ? returned : seen;
        // Who was paused, or gone, had no reason to come: silence counts from the day on which they were with us again.
        var again = customer.RecentMovements.LastOrDefault(m => m.Kind is MovementKind.Resumed or MovementKind.Reactivation)?.At;
        var silent = (now - (again > back ? again.Value : back)).TotalDays;
        if (silent >= settings.SilentDays) return new WinBackReason(string.Create(System.Globalization.CultureInfo.InvariantCulture, $"not seen for {Math.Floor(silent)} days"), UseFell: false);
        // Nor could they use it on all of the days that are compared: that is no fall.
        if (again > now.AddDays(-ActivityView.RecentDays)) return null;
        // Who is not seen at all is silent, and silence has its own measure: a fortnight's holiday is not yet a reason to write.
        return silent <= StillSeenDays && activity.UseAgainstBaseline is { } share && share <= settings.UseFellTo
            ? new WinBackReason(string.Create(System.Globalization.CultureInfo.InvariantCulture, $"use fell to {Math.Round(share * 100)} % of the customer's own baseline"), UseFell: true)
            : null;
    }

    /// <summary>What a run is keyed to: a preview must not stand where the real run will.</summary>
    internal static string Occasion(string occasion, FlowMode mode) => mode == FlowMode.Preview ? occasion + PreviewMark : occasion;

    /// <summary>The run as it begins; ended at once where the customer is held out.</summary>
    public static Run Begin(string flow, FlowDefinition definition, Customer customer, string occasion, string? invoiceId, string because, FlowMode mode, DateTimeOffset now)
    {
        var preview = mode == FlowMode.Preview;
        var heldOut = Keys.Share(customer.Id, $"hold-out {flow}") < definition.HoldOut;
        var personal = definition.PersonalNoteFor is { } tier && customer.ValueTier == tier;
        return new Run
        {
            Id = new RunId(customer.Id, flow, Occasion(occasion, mode)),
            Definition = definition,
            InvoiceId = invoiceId,
            StartedAt = now,
            Mrr = customer.Mrr,
            Because = because,
            Preview = preview,
            NotBefore = personal ? now.AddDays(definition.PersonalNoteDays) : null,
            Status = heldOut ? RunStatus.Ended : RunStatus.Starting,
            Outcome = heldOut ? RunOutcome.HeldOut : null,
            EndedAt = heldOut ? now : null,
            EndedBecause = heldOut ? "held out, to compare with" : null,
        };
    }
}

/// <summary>Why win-back is called for.</summary>
/// <param name="Because">In words.</param>
/// <param name="UseFell">The customer still comes, but less.</param>
public sealed record WinBackReason(string Because, bool UseFell);
