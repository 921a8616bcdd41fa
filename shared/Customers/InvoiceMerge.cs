using RetentionFunctions.Intake.Stripe;

namespace RetentionFunctions.Customers;

/// <summary>
/// Puts what invoice events say together, field by field (earliest, latest, or by the latest event), so that their order and copies do not matter.
/// Paid wins over everything; a failure that arrives after the payment changes nothing.
/// </summary>
public static class InvoiceMerge
{
    /// <summary>The invoice after one more event.</summary>
    /// <param name="past">It comes from the backfill, not by the door: a failure that it tells starts nothing.</param>
    public static Invoice Apply(Invoice? before, Stamp stamp, InvoiceSnapshot said, bool past = false)
    {
        var invoice = before ?? new Invoice { Id = said.InvoiceId };
        if (said.Change is InvoiceChange.PaymentFailed or InvoiceChange.ActionRequired) invoice = past ? FailedInPast(invoice) : invoice with { FailedSince = invoice.FailedInPast };
        if (stamp.IsAfter(invoice.LatestFrom)) invoice = invoice with { Latest = said, LatestFrom = stamp };
        invoice = invoice with { PaymentIntentId = Least(invoice.PaymentIntentId, said.PaymentIntentId) };
        return said.Change switch
        {
            InvoiceChange.Paid => invoice with { PaidAt = Earliest(invoice.PaidAt, said.PaidAt ?? stamp.At) },
            InvoiceChange.PaymentFailed => Attempt(invoice, stamp, said) with
            {
                FirstFailedAt = Earliest(invoice.FirstFailedAt, stamp.At),
                LastFailedAt = Latest(invoice.LastFailedAt, stamp.At),
            },
            InvoiceChange.ActionRequired => Attempt(invoice, stamp, said) with { ActionRequiredAt = Earliest(invoice.ActionRequiredAt, stamp.At) },
            InvoiceChange.Voided => invoice with { VoidedAt = Earliest(invoice.VoidedAt, stamp.At) },
            InvoiceChange.MarkedUncollectible => invoice with { UncollectibleAt = Earliest(invoice.UncollectibleAt, stamp.At) },
            _ => invoice,
        };
    }

    /// <summary>The invoice as Stripe's list has it now: the same as all its events up to now, as far as the list tells.</summary>
    /// <param name="said">With what became of it as the change, and the stamp of that moment.</param>
    /// <param name="failedAt">When its first payment failed, where one did.</param>
    public static Invoice Listed(Invoice? before, Stamp stamp, InvoiceSnapshot said, DateTimeOffset? failedAt)
    {
        var invoice = Apply(before, stamp, said, past: true);
        if (failedAt is not { } failed) return invoice;
        invoice = FailedInPast(invoice);
        return Attempt(invoice, stamp, said) with { FirstFailedAt = Earliest(invoice.FirstFailedAt, failed), LastFailedAt = Latest(invoice.LastFailedAt, failed) };
    }

    // What had failed before without the backfill was heard of as it happened.
    private static Invoice FailedInPast(Invoice invoice) => invoice.FailedInPast ? invoice
        : invoice with { FailedInPast = true, FailedSince = (invoice.FirstFailedAt ?? invoice.ActionRequiredAt) is not null };

    /// <summary>The invoice after one payment of it (<c>invoice_payment.paid</c>).</summary>
    public static Invoice Apply(Invoice? before, InvoicePaymentPaid paid)
    {
        var invoice = before ?? new Invoice { Id = paid.InvoiceId };
        return invoice with
        {
            // By the payment, not by the event: two events of one payment are one payment.
            Payments = new Dictionary<string, InvoicePayment>(invoice.Payments, StringComparer.Ordinal) { [paid.PaymentIntentId ?? paid.Stamp.EventId] = new(paid.AmountPaid, paid.PaidAt) },
            PaymentIntentId = Least(invoice.PaymentIntentId, paid.PaymentIntentId),
        };
    }

    private static Invoice Attempt(Invoice invoice, Stamp stamp, InvoiceSnapshot said) => invoice with
    {
        NextAttemptAt = stamp.IsAfter(invoice.NextAttemptFrom) ? said.NextAttemptAt : invoice.NextAttemptAt,
        NextAttemptFrom = stamp.IsAfter(invoice.NextAttemptFrom) ? stamp : invoice.NextAttemptFrom,
        FarthestAttemptAt = Latest(invoice.FarthestAttemptAt, said.NextAttemptAt),
    };

    // Which of several payments an invoice is remembered by must not depend on which was seen first.
    private static string? Least(string? a, string? b) => a is null ? b : b is null ? a : string.CompareOrdinal(a, b) <= 0 ? a : b;

    private static DateTimeOffset? Earliest(DateTimeOffset? a, DateTimeOffset? b) => a is null ? b : b is null ? a : a < b ? a : b;

    private static DateTimeOffset? Latest(DateTimeOffset? a, DateTimeOffset? b) => a is null ? b : b is null ? a : a > b ? a : b;
}
