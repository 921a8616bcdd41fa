using RetentionFunctions.Customers;
using RetentionFunctions.Settings;

namespace RetentionFunctions.Intake.Stripe;

/// <summary>Reads a Stripe event of any API version from 2016 to 2026 into what it says. Pure: no clock, no look-up.</summary>
public static class StripeReader
{
    /// <summary>Whether events of this type mean something here (<see cref="StripeEventTypes"/>).</summary>
    public static bool Handles(string type) => StripeEventTypes.Meanings.ContainsKey(type);

    /// <summary>Reads one event.</summary>
    /// <param name="body">The raw body, as it came.</param>
    /// <param name="settings">Decides which discounts reduce MRR.</param>
    /// <exception cref="UnreadableException">It is no event, nobody handles its type, or something essential is missing or of the wrong type.</exception>
    public static StripeFact Read(ReadOnlyMemory<byte> body, CustomerSettings settings)
    {
        using var document = StripeObject.Parse(body);
        var root = new StripeObject(document.RootElement, "$");
        var envelope = StripeEnvelope.Of(root);
        var type = envelope.Type;
        var stamp = Stamp.Of(envelope.CreatedAt, envelope.Id, type);
        var about = root.Object("data").Object("object");
        var customer = envelope.CustomerId;
        string Customer() => customer ?? throw about.Missing("customer");

        InvoiceChanged Invoice(InvoiceChange change) => InvoiceReading.Read(about, Customer(), stamp, change);

        StripeFact fact = type switch
        {
            "customer.created" or "customer.updated" => new CustomerChanged(stamp, Customer(), Profile(about, settings)),
            "customer.deleted" => new CustomerDeleted(stamp, Customer()),
            "customer.subscription.created" or "customer.subscription.updated" or "customer.subscription.deleted" or "customer.subscription.paused"
                or "customer.subscription.resumed" or "customer.subscription.trial_will_end" => new SubscriptionChanged(
                    stamp, Customer(),
                    SubscriptionReading.Read(about, root.Object("data").Object("previous_attributes"), stamp, settings.TemporaryDiscountsReduceMrr),
                    TrialWillEnd: type == "customer.subscription.trial_will_end"),
            "invoice.created" => Invoice(InvoiceChange.Created),
            "invoice.finalized" => Invoice(InvoiceChange.Finalized),
            "invoice.paid" or "invoice.payment_succeeded" => Invoice(InvoiceChange.Paid),
            "invoice.payment_failed" => Invoice(InvoiceChange.PaymentFailed),
            "invoice.payment_action_required" => Invoice(InvoiceChange.ActionRequired),
            "invoice.voided" => Invoice(InvoiceChange.Voided),
            "invoice.marked_uncollectible" => Invoice(InvoiceChange.MarkedUncollectible),
            "invoice.upcoming" => InvoiceReading.ReadUpcoming(about, Customer(), stamp),
            "invoice_payment.paid" => InvoiceReading.ReadPayment(about, stamp),
            "charge.failed" => PaymentReading.ReadFailedCharge(about, customer, stamp),
            "charge.refunded" => PaymentReading.ReadRefund(about, customer, stamp),
            "charge.dispute.created" => PaymentReading.ReadDispute(about, customer, stamp),
            "payment_intent.payment_failed" => PaymentReading.ReadFailedIntent(about, customer, stamp),
            "payment_method.attached" or "payment_method.updated" or "payment_method.automatically_updated" or "payment_method.card_automatically_updated" =>
                new PaymentMethodChanged(stamp, customer, PaymentReading.CardOfMethod(about)),
            "customer.source.expiring" => new CardExpiring(stamp, customer, PaymentReading.CardOfSource(about)),
            "checkout.session.completed" => Checkout(about, customer, stamp),
            _ => throw UnreadableException.At("$.type", "is one that nobody handles"),
        };
        if (fact.References.Any(r => !StripeObject.FitsKey(r.Id)) || (fact is SubscriptionChanged { Snapshot.SubscriptionId: var subscription } && !StripeObject.FitsKey(subscription)))
            throw new UnreadableException($"{about.Path} has the id of a subscription, invoice, payment or charge that is too long to be kept: 160 characters are the most.");
        return fact;
    }

    internal static StripeProfile Profile(StripeObject customer, CustomerSettings settings)
    {
        var locales = customer.List("preferred_locales");
        return new StripeProfile
        {
            Email = customer.Address("email")?.Trim(),
            // Before 2019 a customer had a name only where something is sent to it.
            Name = customer.Text("name") ?? customer.Text("business_name") ?? customer.Text("individual_name") ?? customer.Object("shipping").Text("name"),
            Country = customer.Object("address").Text("country") ?? customer.Object("shipping").Object("address").Text("country"),
            Locale = locales.Count > 0 ? locales[0].Id : null,
            Currency = customer.Currency("currency"),
            CreatedAt = customer.Time("created"),
            TimeZone = TimeZone(customer.Metadata("timezone", "timeZone", "time_zone", "tz")),
            UserId = customer.Metadata("userId", "user_id"),
            Traits = CustomerTraits.Of(settings, name => customer.Metadata(name)),
            Card = PaymentReading.CardOfCustomer(customer),
        };
    }

    // Founders write what they like into metadata: only a zone that exists is one, or every send window would have to doubt it.
    private static string? TimeZone(string? name) =>
        name is { Length: <= 64 } && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '/' or '_' or '-' or '+') && TimeZoneInfo.TryFindSystemTimeZoneById(name, out _) ? name : null;

    private static CheckoutCompleted Checkout(StripeObject session, string? customer, Stamp stamp) => new(
        stamp, customer, session.Text("client_reference_id"),
        session.Object("customer_details").Address("email") ?? session.Address("customer_email"),
        session.Metadata("userId", "user_id"))
    {
        References = StripeReferences.Of(session.Id("invoice"), session.Id("payment_intent"), null),
    };
}
