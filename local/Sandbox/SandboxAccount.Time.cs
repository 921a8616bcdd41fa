using System.Globalization;

namespace RetentionFunctions.Local.Sandbox;

/// <content>What happens by itself: renewals, tries to collect, ends and notices.</content>
internal sealed partial class SandboxAccount
{
    // Stripe keeps a renewal's invoice a draft for about an hour, so that others may still add to it.
    private static readonly TimeSpan DraftFor = TimeSpan.FromHours(1);

    // A first payment may be made up for within 23 hours (Stripe, "incomplete").
    private static readonly TimeSpan IncompleteFor = TimeSpan.FromHours(23);

    private const int TrialNoticeDays = 3;

    // Stripe does not charge a card again after one of these; it waits for another card.
    private static readonly HashSet<string> Hopeless = new(StringComparer.Ordinal)
    {
        "incorrect_number", "lost_card", "pickup_card", "stolen_card", "revocation_of_authorization", "revocation_of_all_authorizations", NeedsConfirmation, "highest_risk_level",
        "transaction_not_allowed",
    };

    // In the order in which they happen where they fall on the same moment: a pause that ends with the period lets the renewal be billed.
    private enum DueKind
    {
        PauseEnds,
        NextAttempt,
        DraftEnds,
        IncompleteExpires,
        PeriodEnds,
        TrialNotice,
        Upcoming,
        CardExpires,
    }

    private readonly record struct DueItem(DateTimeOffset At, DueKind Kind, string Id);

    /// <summary>When something happens by itself.</summary>
    public DateTimeOffset? NextAt => Next()?.At;

    /// <summary>All that falls due up to a time, in order; it is then that time, in whole seconds.</summary>
    public void AdvanceTo(DateTimeOffset to)
    {
        while (Next() is { } due && due.At <= to) Happen(due);
        to = DateTimeOffset.FromUnixTimeSeconds(to.ToUnixTimeSeconds());
        if (to > Now) Now = to;
    }

    /// <summary>The next that falls due, alone.</summary>
    public void Step()
    {
        if (Next() is { } due) Happen(due);
    }

    private DueItem? Next()
    {
        DueItem? next = null;
        foreach (var subscription in subscriptions.Values)
        {
            if (subscription.IsEnded) continue;
            if (subscription.PausedUntil is { } until) Consider(until, DueKind.PauseEnds, subscription.Id);
            if (subscription.Status == "incomplete")
            {
                Consider(subscription.CreatedAt + IncompleteFor, DueKind.IncompleteExpires, subscription.Id);
                continue;
            }
            if (subscription.Status == "paused")
            {
                // What was to be paid to resume waits no longer than a first payment does.
                if (subscription.LatestInvoiceId is { } asked && invoices[asked] is { Status: "open" } waiting) Consider(waiting.CreatedAt + IncompleteFor, DueKind.IncompleteExpires, subscription.Id);
                continue;
            }
            Consider(subscription.PeriodEnd, DueKind.PeriodEnds, subscription.Id);
            if (subscription is { Status: "trialing", TrialEndTold: false }) Consider(Later(subscription.PeriodEnd.AddDays(-TrialNoticeDays), subscription.PeriodStart), DueKind.TrialNotice, subscription.Id);
            if (subscription is { UpcomingTold: false, CancelAtPeriodEnd: false, PausedUntil: null, Status: not "unpaid" } && Customer.Card is not null && subscription.PeriodEnd.AddDays(-options.UpcomingDays) is var notice
                && notice > subscription.PeriodStart)
                Consider(notice, DueKind.Upcoming, subscription.Id);
        }
        foreach (var invoice in invoices.Values)
        {
            if (invoice.FinalizeAt is { } final) Consider(final, DueKind.DraftEnds, invoice.Id);
            if (invoice.NextAttemptAt is { } attempt) Consider(attempt, DueKind.NextAttempt, invoice.Id);
        }
        if (!Customer.ExpiryTold && Customer.Card is { } card && subscriptions.Values.Any(s => !s.IsEnded)) Consider(ExpiryNotice(card), DueKind.CardExpires, Customer.Id);
        return next;

        void Consider(DateTimeOffset at, DueKind kind, string id)
        {
            // What should have happened before, but could not be due then, happens now.
            at = Later(at, Now);
            if (next is not { } known || at < known.At || (at == known.At && (kind < known.Kind || (kind == known.Kind && string.CompareOrdinal(id, known.Id) < 0)))) next = new DueItem(at, kind, id);
        }
    }

    private void Happen(DueItem due)
    {
        Now = due.At;
        switch (due.Kind)
        {
            case DueKind.PauseEnds:
                // The collection's pause alone: what stands still because its trial ended without a card waits for the customer.
                Change(subscriptions[due.Id] with { PausedUntil = null });
                break;
            case DueKind.NextAttempt:
                Collect(due.Id);
                break;
            case DueKind.DraftEnds:
                Finalize(due.Id);
                break;
            case DueKind.IncompleteExpires:
                Expire(subscriptions[due.Id]);
                break;
            case DueKind.PeriodEnds:
                Renew(subscriptions[due.Id]);
                break;
            case DueKind.TrialNotice:
                var trial = subscriptions[due.Id] = subscriptions[due.Id] with { TrialEndTold = true };
                Emit("customer.subscription.trial_will_end", payloads.Subscription(trial));
                break;
            case DueKind.Upcoming:
                var renewing = subscriptions[due.Id] = subscriptions[due.Id] with { UpcomingTold = true };
                Emit("invoice.upcoming", payloads.Upcoming(renewing, Customer, Due(renewing).Total));
                break;
            case DueKind.CardExpires:
                Customer = Customer with { ExpiryTold = true };
                Emit("customer.source.expiring", SandboxPayloads.Source(Customer));
                break;
        }
    }

    // The draft comes with the new period; what it is charged for, an hour later.
    private void Renew(SandboxSubscription subscription)
    {
        if (subscription.CancelAtPeriodEnd)
        {
            End(subscription);
            return;
        }
        var trialOver = subscription.Status == "trialing";
        if (trialOver && Customer.Card is null)
        {
            // "Pause" is what the account's trials do without a card (trial_settings.end_behavior).
            Change(subscription with { Status = "paused" });
            Emit("customer.subscription.paused", payloads.Subscription(subscriptions[subscription.Id]));
            return;
        }
        var number = trialOver ? 0 : subscription.PeriodNumber + 1;
        var next = subscription with
        {
            Status = trialOver ? "active" : subscription.Status, PeriodNumber = number, PeriodStart = subscription.PeriodEnd,
            // Counted from the anchor: who began on the 31st pays on the last day of February and on the 31st of March.
            PeriodEnd = subscription.Anchor.AddMonths((number + 1) * subscription.Price.Months), UpcomingTold = false,
            Discount = subscription.Discount?.EndAt <= Now ? null : subscription.Discount,
        };
        var invoice = NewInvoice(next, Due(next), "subscription_cycle");
        Put("invoice.created", invoice with { FinalizeAt = next.PausedUntil is null && next.Status != "unpaid" ? Now + DraftFor : null });
        Change(Settled(next) with { LatestInvoiceId = invoice.Id });
        if (next.PausedUntil is not null) Put("invoice.voided", invoices[invoice.Id] with { Status = "void", VoidedAt = Now });
    }

    private void Expire(SandboxSubscription subscription)
    {
        if (subscription.LatestInvoiceId is { } id && invoices[id].Status == "open") VoidOpen(id);
        if (subscription.Status == "incomplete") Change(subscription with { Status = "incomplete_expired", EndedAt = Now });
    }

    private void VoidOpen(string id) => Put("invoice.voided", invoices[id] with { Status = "void", VoidedAt = Now, NextAttemptAt = null });

    private void Finalize(string id)
    {
        BecomeOpen(id);
        if (invoices[id].AmountDue == 0) Paid(invoices[id]);
        else Collect(id);
    }

    private void BecomeOpen(string id) => Put("invoice.finalized", invoices[id] with { Status = "open", FinalizeAt = null, FinalizedAt = Now });

    private void Collect(string id)
    {
        var invoice = invoices[id];
        var attempt = invoice.AttemptCount + 1;
        if (Decline() is not { } decline)
        {
            Paid(invoice with { AttemptCount = attempt });
            return;
        }
        var first = invoice.FirstFailedAt ?? Now;
        // A first payment is not tried again by itself: the customer stands before the page. So it is with one that resumes.
        var asked = subscriptions[invoice.SubscriptionId].Status is "incomplete" or "paused";
        var next = asked || attempt > options.RetryDays.Count ? (DateTimeOffset?)null : first.AddDays(options.RetryDays[attempt - 1]);
        var waits = Hopeless.Contains(decline) && invoice.FailedCardId == Customer.CardId;
        invoices[id] = invoice = invoice with { AttemptCount = attempt, FirstFailedAt = first, NextAttemptAt = next, FailedCardId = Customer.CardId };
        // With the same hopeless card the try is counted, but nobody is asked and nothing is said until it is the last.
        if (!waits || next is null) Failed(invoice, Customer, decline);
        if (next is null && !asked && subscriptions[invoice.SubscriptionId] is { IsEnded: false } subscription) GiveUp(subscription);
    }

    // The card that was tried is the payer's: the one on file, or one that was only put in for this.
    private void Failed(SandboxInvoice invoice, SandboxCustomer payer, string decline)
    {
        if (payer.CardId == Customer.CardId) Customer = Customer with { CardFailures = Customer.CardFailures + 1 };
        invoices[invoice.Id] = invoice;
        if (payer.Card is not null)
        {
            if (decline != NeedsConfirmation)
            {
                invoices[invoice.Id] = invoice = invoice with { ChargeId = NewId("ch") };
                Emit("charge.failed", payloads.Charge(invoice, payer, Now, decline));
            }
            Emit("payment_intent.payment_failed", payloads.FailedIntent(invoice, payer, Now, decline));
        }
        if (decline == NeedsConfirmation) Emit("invoice.payment_action_required", payloads.Invoice(invoice, Customer));
        Emit("invoice.payment_failed", payloads.Invoice(invoice, Customer));
        if (subscriptions[invoice.SubscriptionId] is { Status: "active" } subscription) Change(subscription with { Status = "past_due" });
    }

    private void GiveUp(SandboxSubscription subscription)
    {
        if (options.FinalAction == SandboxFinalAction.Cancel) End(subscription with { Reason = "payment_failed", CanceledAt = Now });
        else Change(subscription with { Status = "unpaid" });
    }

    private void Paid(SandboxInvoice invoice)
    {
        var charged = invoice.AmountDue > 0;
        invoice = invoice with { Status = "paid", PaidAt = Now, NextAttemptAt = null, ChargeId = charged ? NewId("ch") : null };
        Put("invoice.paid", invoice);
        Put("invoice.payment_succeeded", invoice);
        if (charged && string.CompareOrdinal(options.ApiVersion, "2025-03-31") >= 0) Emit("invoice_payment.paid", payloads.InvoicePayment(invoice));
        var subscription = subscriptions[invoice.SubscriptionId];
        var begins = subscription.Status == "incomplete";
        if (subscription.Status == "paused" && subscription.LatestInvoiceId == invoice.Id)
        {
            Change(subscription with { Status = "active" });
            Emit("customer.subscription.resumed", payloads.Subscription(subscriptions[subscription.Id]));
        }
        // What counts is the latest invoice, or that nothing is owed any more.
        if (begins || (subscription.Status is "past_due" or "unpaid" && (subscription.LatestInvoiceId == invoice.Id || !invoices.Values.Any(i => i.SubscriptionId == subscription.Id && i.Status == "open"))))
            Change(subscription with { Status = "active" });
        if (begins) CompleteCheckout(subscription.Id);
    }

    // Why the bank would decline at this moment.
    private string? Decline()
    {
        if (Customer.Card is not { } card) return "payment_method_missing";
        if (card.DeclineCode is { } code && Customer.CardFailures < card.FailTimes) return code;
        return ExpiryNotice(card).AddMonths(1) <= Now ? "expired_card" : null;
    }

    private SandboxInvoice NewInvoice(SandboxSubscription subscription, (long Subtotal, long Total) due, string reason) => new()
    {
        Id = NewId("in"), CustomerId = Customer.Id, SubscriptionId = subscription.Id, Number = $"{suffix.ToUpperInvariant()}-{NextNumber():D4}", Status = "draft", BillingReason = reason,
        Price = subscription.Price, Quantity = subscription.Quantity, Subtotal = due.Subtotal, AmountDue = due.Total, CreatedAt = Now, PeriodStart = subscription.PeriodStart,
        PeriodEnd = subscription.PeriodEnd, PaymentIntentId = NewId("pi"), Prorations = subscription.Prorations, DiscountId = due.Total == due.Subtotal ? null : subscription.Discount?.Id,
    };

    private int NextNumber() => 1 + invoices.Values.Select(i => int.Parse(i.Number[(suffix.Length + 1)..], CultureInfo.InvariantCulture)).DefaultIfEmpty().Max();

    private (long Subtotal, long Total) Due(SandboxSubscription subscription)
    {
        var subtotal = Math.Max(0, subscription.Price.UnitAmount * subscription.Quantity + subscription.Pending);
        return (subtotal, subscription.Discount?.Coupon switch
        {
            { PercentOff: { } percent } => Round(subtotal * (100 - percent) / 100),
            { AmountOff: { } off } => Math.Max(0, subtotal - off),
            _ => subtotal,
        });
    }

    // After an invoice was made of it: a credit that was larger stays for the next, and a coupon for one invoice is used up.
    private static SandboxSubscription Settled(SandboxSubscription subscription) => subscription with
    {
        Pending = Math.Min(0, subscription.Price.UnitAmount * subscription.Quantity + subscription.Pending),
        Prorations = [],
        Discount = subscription.Discount is { Coupon.Duration: "once" } ? null : subscription.Discount,
    };

    // A card expires with the last day of its month; Stripe says so at the beginning of it.
    private static DateTimeOffset ExpiryNotice(SandboxCard card) => new(card.ExpYear, card.ExpMonth, 1, 0, 0, 0, TimeSpan.Zero);

    private static DateTimeOffset Later(DateTimeOffset a, DateTimeOffset b) => a > b ? a : b;
}
