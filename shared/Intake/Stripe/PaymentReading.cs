using RetentionFunctions.Customers;

namespace RetentionFunctions.Intake.Stripe;

/// <summary>Reads charges, payment intents, disputes and cards as any API version since 2016 writes them.</summary>
internal static class PaymentReading
{
    public static PaymentFailed ReadFailedCharge(StripeObject charge, string? customerId, Stamp stamp)
    {
        var outcome = charge.Object("outcome");
        var intent = charge.Id("payment_intent");
        var failure = new PaymentFailure
        {
            Id = charge.RequiredId("id"),
            At = stamp.At,
            Code = charge.Text("failure_code"),
            // The network's own two characters, where Stripe gives no reason of its own.
            DeclineCode = outcome.Text("reason") ?? outcome.Text("network_decline_code"),
            Amount = charge.Whole("amount") ?? throw charge.Missing("amount"),
            Currency = charge.Currency("currency") ?? throw charge.Missing("currency"),
            InvoiceId = charge.Id("invoice") ?? Order(charge),
            PaymentIntentId = intent,
            Card = CardOfCharge(charge),
        };
        return new PaymentFailed(stamp, customerId, failure) { References = StripeReferences.Of(failure.InvoiceId, intent, failure.Id) };
    }

    public static PaymentFailed ReadFailedIntent(StripeObject intent, string? customerId, Stamp stamp)
    {
        var error = intent.Object("last_payment_error");
        // The attempt's charge: included until 2022-11, expanded in latest_charge by some, else only named.
        var charge = intent.List("charges").Select(e => e.Object).FirstOrDefault(o => o.Exists);
        if (!charge.Exists) charge = intent.Object("latest_charge");
        var outcome = charge.Object("outcome");
        var failure = new PaymentFailure
        {
            Id = intent.RequiredId("id"),
            At = stamp.At,
            Code = error.Text("code") ?? charge.Text("failure_code"),
            DeclineCode = error.Text("decline_code") ?? outcome.Text("reason") ?? error.Text("network_decline_code") ?? outcome.Text("network_decline_code"),
            Amount = intent.Whole("amount") ?? throw intent.Missing("amount"),
            Currency = intent.Currency("currency") ?? throw intent.Missing("currency"),
            InvoiceId = intent.Id("invoice") ?? Order(intent),
            PaymentIntentId = intent.Id("id"),
            Card = CardOfMethod(error.Object("payment_method")) ?? CardOfSource(error.Object("source"))
                ?? CardOfMethod(intent.Object("payment_method")) ?? CardOfCharge(charge),
        };
        return new PaymentFailed(stamp, customerId, failure)
        {
            References = StripeReferences.Of(failure.InvoiceId, failure.Id, error.Id("charge") ?? charge.Id("id") ?? intent.Id("latest_charge")),
        };
    }

    public static ChargeRefunded ReadRefund(StripeObject charge, string? customerId, Stamp stamp)
    {
        var id = charge.RequiredId("id");
        return new ChargeRefunded(
            stamp, customerId, id, charge.Whole("amount_refunded") ?? throw charge.Missing("amount_refunded"), charge.Currency("currency") ?? throw charge.Missing("currency"))
        {
            References = StripeReferences.Of(charge.Id("invoice") ?? Order(charge), charge.Id("payment_intent"), id),
        };
    }

    public static DisputeOpened ReadDispute(StripeObject dispute, string? customerId, Stamp stamp) => new(
        stamp, customerId, dispute.RequiredId("id"),
        dispute.Whole("amount") ?? throw dispute.Missing("amount"), dispute.Currency("currency") ?? throw dispute.Missing("currency"), dispute.Text("reason"))
    {
        References = StripeReferences.Of(dispute.Object("charge").Id("invoice"), dispute.Id("payment_intent") ?? dispute.Object("charge").Id("payment_intent"), dispute.Id("charge")),
    };

    /// <summary>The card of a payment method; null where it is none.</summary>
    public static Card? CardOfMethod(StripeObject method) =>
        method.Text("type") == "card" ? Details(method.Object("card"), method.Id("id")) : null;

    /// <summary>The card of a source (the way to pay before payment methods): a card itself, or a source of type card; null where it is none.</summary>
    public static Card? CardOfSource(StripeObject source) => source.Text("object") switch
    {
        "card" => Details(source, source.Id("id")),
        "source" when source.Text("type") == "card" => Details(source.Object("card"), source.Id("id")),
        "payment_method" => CardOfMethod(source),
        _ => null,
    };

    /// <summary>The default card of a customer, where the payload holds it: the invoices' own default goes before the old default source.</summary>
    public static Card? CardOfCustomer(StripeObject customer)
    {
        var invoices = customer.Object("invoice_settings");
        if (invoices.Id("default_payment_method") is not null) return CardOfMethod(invoices.Object("default_payment_method"));
        if (CardOfSource(customer.Object("default_source")) is { } card) return card;
        if (customer.Id("default_source") is not { } id) return null;
        return CardOfSource(customer.List("sources").Select(e => e.Object).FirstOrDefault(s => s.Text("id") == id));
    }

    private static Card? CardOfCharge(StripeObject charge)
    {
        var details = charge.Object("payment_method_details"); // since 2019
        return details.Text("type") == "card"
            ? Details(details.Object("card"), charge.Id("payment_method") ?? charge.Id("source"))
            : CardOfSource(charge.Object("source"));
    }

    private static Card? Details(StripeObject card, string? id) => !card.Exists ? null :
        new Card(Brand(card.Text("brand")), card.Text("last4"), Within(card.Whole("exp_month"), 1, 12), Within(card.Whole("exp_year"), 1000, 9999)) { Id = id };

    private static int? Within(long? value, int least, int most) => value >= least && value <= most ? (int)value : null;

    // Sources write brands as names, payment methods as codes.
    private static string? Brand(string? brand) => brand?.ToLowerInvariant() switch
    {
        "american express" => "amex",
        "diners club" => "diners",
        var other => other,
    };

    // Since basil neither a charge nor a payment intent names its invoice; Billing's own payments carry it as the order's reference, where a merchant may
    // write anything: so only what is an invoice's id counts.
    private static string? Order(StripeObject payment) =>
        payment.Object("payment_details").Text("order_reference") is { Length: <= StripeObject.MaxIdLength } order
        && order.StartsWith("in_", StringComparison.Ordinal) && order.Skip(3).All(char.IsAsciiLetterOrDigit) && order.Length > 3 ? order : null;
}
