using RetentionFunctions.Intake.Stripe;

namespace RetentionFunctions.Customers;

/// <summary>
/// Puts what one fact says into the customer, so that any order and any number of copies end in the same customer: a field is said by the
/// latest event, a set only grows, and deleted is for good.
/// </summary>
public static class CustomerMerge
{
    /// <summary>How many payment failures are kept.</summary>
    public const int FailuresKept = 10;

    /// <summary>The customer after the fact. Subscriptions and invoices are rows of their own: see <see cref="CustomerDerivation"/> and <see cref="WithInvoice"/>.</summary>
    public static Customer Apply(Customer customer, StripeFact fact) => fact switch
    {
        CustomerChanged f => WithCard(f.Stamp.IsAfter(customer.ProfileFrom) ? customer with { Profile = f.Profile, ProfileFrom = f.Stamp } : customer, f.Stamp, f.Profile.Card),
        CustomerDeleted f => customer with { DeletedAt = customer.DeletedAt is { } at && at < f.Stamp.At ? at : f.Stamp.At },
        InvoiceUpcoming f => f.Stamp.IsAfter(customer.Renewal?.From) ? customer with { Renewal = new Renewal(f.Stamp, f.AmountDue, f.Currency, f.DueAt) } : customer,
        PaymentFailed f => customer with { Failures = Keep(customer.Failures, f.Failure) },
        ChargeRefunded f => customer with { Refunds = WithMost(customer.Refunds, f.ChargeId, f.AmountRefunded) },
        DisputeOpened f => customer with { Disputes = [.. customer.Disputes.Append(f.DisputeId).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)] },
        PaymentMethodChanged f => WithCard(customer, f.Stamp, f.Card),
        CardExpiring f => f.Stamp.IsAfter(customer.CardExpiringFrom) ? customer with { CardExpiringFrom = f.Stamp } : customer,
        CheckoutCompleted { Email: { } email } => WithBillingEmail(customer, fact.Stamp, email),
        InvoiceChanged { Invoice.CustomerEmail: { } email } => WithBillingEmail(customer, fact.Stamp, email),
        _ => customer,
    };

    /// <summary>The customer after one of the invoices changed: which are failing.</summary>
    public static Customer WithInvoice(Customer customer, Invoice invoice) => customer with
    {
        FailingInvoices =
        [
            .. (invoice.IsFailing ? customer.FailingInvoices.Append(invoice.Id) : customer.FailingInvoices.Where(id => id != invoice.Id))
                .Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal),
        ],
    };

    /// <summary>What the fact was about, for the time line.</summary>
    public static string Describe(StripeFact fact) => fact switch
    {
        CustomerChanged f => f.Stamp.Rank == 0 ? "customer created" : "customer details changed",
        CustomerDeleted => "customer deleted",
        SubscriptionChanged { TrialWillEnd: true } f => $"trial of {f.Snapshot.Plan ?? f.Snapshot.SubscriptionId} will end",
        SubscriptionChanged f => $"subscription {f.Snapshot.Plan ?? f.Snapshot.SubscriptionId}: {f.Snapshot.Status}{(f.Snapshot.PauseBehavior is null ? "" : ", collection paused")}{(f.Snapshot.CancelAt is null || SnapshotOrder.IsEnd(f.Snapshot) ? "" : ", will end")}",
        InvoiceChanged f => $"invoice {f.Invoice.Number ?? f.Invoice.InvoiceId}: {Words(f.Invoice.Change)}",
        InvoiceUpcoming => "next invoice announced",
        InvoicePaymentPaid f => $"invoice {f.InvoiceId}: payment received",
        PaymentFailed f => $"payment failed: {f.Failure.DeclineCode ?? f.Failure.Code ?? "no reason given"}",
        ChargeRefunded => "charge refunded",
        DisputeOpened f => $"dispute opened: {f.Reason ?? "no reason given"}",
        PaymentMethodChanged f => f.Card is { } card ? $"card {card.Brand} ending {card.Last4}" : "payment method changed",
        CardExpiring => "card expires soon",
        CheckoutCompleted => "checkout completed",
        _ => fact.Stamp.EventType,
    };

    private static string Words(InvoiceChange change) => change switch
    {
        InvoiceChange.PaymentFailed => "payment failed",
        InvoiceChange.ActionRequired => "the bank asks for confirmation",
        InvoiceChange.MarkedUncollectible => "given up",
        _ => change.ToString().ToLowerInvariant(),
    };

    // Of use while no customer event came: one who was a customer before this product was set up, and whose payment fails.
    private static Customer WithBillingEmail(Customer customer, Stamp stamp, string email) =>
        stamp.IsAfter(customer.BillingEmailFrom) ? customer with { BillingEmail = email, BillingEmailFrom = stamp } : customer;

    private static Customer WithCard(Customer customer, Stamp stamp, Card? card) =>
        card is not null && stamp.IsAfter(customer.CardFrom) ? customer with { Card = card, CardFrom = stamp } : customer;

    private static List<PaymentFailure> Keep(IReadOnlyList<PaymentFailure> known, PaymentFailure failure) =>
    [
        .. known.Append(failure)
            // A payment that fails twice within a second (two cards tried at once) is kept as one failure: which one must not depend on which was heard first.
            .OrderBy(f => f.At).ThenBy(f => f.Id, StringComparer.Ordinal)
            .ThenBy(f => $"{f.DeclineCode} {f.Code} {f.Card?.Id} {f.Card?.Last4} {f.Card?.ExpYear} {f.Card?.ExpMonth}", StringComparer.Ordinal)
            .DistinctBy(f => (f.Id, f.At))
            .TakeLast(FailuresKept),
    ];

    private static Dictionary<string, long> WithMost(IReadOnlyDictionary<string, long> known, string id, long amount) =>
        new(known, StringComparer.Ordinal) { [id] = Math.Max(amount, known.GetValueOrDefault(id)) };
}
