using RetentionFunctions.Intake.Stripe;

namespace RetentionFunctions.Customers;

/// <summary>
/// Puts what invoice events say together, field by field (earliest, latest, or by the latest event), so that their order and copies do not matter.
/// Paid wins over everything; a failure that arrives after the payment changes nothing.
/// </summary>
public static class InvoiceMerge
{
    /// <summary>The invoice after one more event.</summary>
    public static Invoice Apply(Invoice? before, Stamp stamp, InvoiceSnapshot said)
    {
        var invoice = before ?? new Invoice { Id = said.InvoiceId };
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
