using RetentionFunctions.Customers;

namespace RetentionFunctions.Intake.Stripe;

/// <summary>Reads invoices and their payments as any API version since 2016 writes them.</summary>
internal static class InvoiceReading
{
    public static InvoiceChanged Read(StripeObject invoice, string customerId, Stamp stamp, InvoiceChange change)
    {
        var paidAt = invoice.Object("status_transitions").Time("paid_at") ?? (change == InvoiceChange.Paid ? stamp.At : null);
        var status = Status(invoice, change);
        var due = invoice.Whole("amount_due") ?? invoice.Whole("amount_remaining") ?? invoice.Whole("total") ?? throw invoice.Missing("amount_due");
        var (intent, charge) = Payment(invoice);
        var snapshot = new InvoiceSnapshot
        {
            InvoiceId = invoice.RequiredId("id"),
            Change = change,
            SubscriptionId = Subscription(invoice),
            Number = invoice.Text("number"),
            Status = status,
            BillingReason = invoice.Text("billing_reason"),
            AmountDue = due,
            // Versions of 2016 do not say what was paid: then all or nothing was.
            AmountPaid = invoice.Whole("amount_paid") ?? (status == "paid" ? due : 0),
            Currency = invoice.Currency("currency") ?? throw invoice.Missing("currency"),
            AttemptCount = (int)Math.Clamp(invoice.Whole("attempt_count") ?? 0, 0, int.MaxValue),
            NextAttemptAt = invoice.Time("next_payment_attempt"),
            HostedUrl = invoice.Address("hosted_invoice_url"),
            CreatedAt = invoice.Time("created") ?? invoice.Time("date") ?? stamp.At, // date before 2019
            PaidAt = paidAt,
            CollectionMethod = invoice.Text("collection_method") ?? invoice.Text("billing"), // billing before 2019
            DueAt = invoice.Time("due_date"),
            PaymentIntentId = intent,
            ChargeId = charge,
            CustomerEmail = invoice.Address("customer_email"),
        };
        return new InvoiceChanged(stamp, customerId, snapshot) { References = StripeReferences.Of(snapshot.InvoiceId, intent, charge) };
    }

    public static InvoiceUpcoming ReadUpcoming(StripeObject invoice, string customerId, Stamp stamp) => new(
        stamp, customerId, Subscription(invoice),
        invoice.Whole("amount_due") ?? invoice.Whole("total") ?? throw invoice.Missing("amount_due"),
        invoice.Currency("currency") ?? throw invoice.Missing("currency"),
        // Sent by mail instead of charged, it has a due date; the period's end is when it is made.
        invoice.Time("next_payment_attempt") ?? invoice.Time("due_date") ?? invoice.Time("period_end"));

    public static InvoicePaymentPaid ReadPayment(StripeObject paid, Stamp stamp)
    {
        var invoiceId = paid.RequiredId("invoice");
        var payment = paid.Object("payment");
        var intent = payment.Id("payment_intent");
        return new InvoicePaymentPaid(
            stamp, invoiceId, paid.Whole("amount_paid") ?? paid.Whole("amount_requested") ?? throw paid.Missing("amount_paid"),
            paid.Object("status_transitions").Time("paid_at") ?? stamp.At, intent)
        {
            References = StripeReferences.Of(invoiceId, intent, payment.Id("charge")),
        };
    }

    private static string? Subscription(StripeObject invoice) =>
        invoice.Id("subscription") ?? invoice.Object("parent").Object("subscription_details").Id("subscription"); // parent since basil

    /// <summary>
    /// Before 2019 an invoice had three flags instead of a status. Paid is paid, forgiven is uncollectible. Closed is void, as closing was how one took an
    /// invoice back; except on a failed payment, where it only means that Stripe tries no more while the customer still owes.
    /// </summary>
    private static string? Status(StripeObject invoice, InvoiceChange change)
    {
        if (invoice.Text("status") is { } status) return status;
        var (paid, forgiven, closed) = (invoice.Flag("paid"), invoice.Flag("forgiven"), invoice.Flag("closed"));
        if (paid is null && forgiven is null && closed is null) return null;
        if (paid == true) return "paid";
        if (forgiven == true) return "uncollectible";
        var failing = change is InvoiceChange.PaymentFailed or InvoiceChange.ActionRequired;
        if (closed == true && !failing) return "void";
        return failing || invoice.Flag("attempted") == true || change == InvoiceChange.Finalized ? "open" : "draft";
    }

    /// <summary>The payment: on the invoice itself until basil, since then in <c>payments</c> where that is included (the default one first).</summary>
    private static (string? Intent, string? Charge) Payment(StripeObject invoice)
    {
        var intent = invoice.Id("payment_intent");
        var charge = invoice.Id("charge") ?? invoice.Object("payment_intent").Id("latest_charge");
        if (intent is not null || charge is not null) return (intent, charge);
        foreach (var entry in invoice.List("payments").Select(e => e.Object).Where(o => o.Exists).OrderByDescending(p => p.Flag("is_default") == true))
        {
            var payment = entry.Object("payment");
            intent = payment.Id("payment_intent");
            charge = payment.Id("charge") ?? payment.Object("payment_intent").Id("latest_charge");
            if (intent is not null || charge is not null) return (intent, charge);
        }
        return (null, null);
    }
}

/// <summary>Builds the references of a fact.</summary>
internal static class StripeReferences
{
    public static IReadOnlyList<StripeReference> Of(string? invoice, string? paymentIntent, string? charge)
    {
        var references = new List<StripeReference>(3);
        if (invoice is not null) references.Add(new("invoice", invoice));
        if (paymentIntent is not null) references.Add(new("payment-intent", paymentIntent));
        if (charge is not null) references.Add(new("charge", charge));
        return references;
    }
}
