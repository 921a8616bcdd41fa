namespace RetentionFunctions.Intake.Stripe;

/// <summary>What the door needs to know of a Stripe event before it is queued.</summary>
/// <param name="Id">The event's id: it counts once.</param>
/// <param name="Type">The type, for example <c>invoice.paid</c>.</param>
/// <param name="ApiVersion">The API version that wrote it; null where the event has none.</param>
/// <param name="CreatedAt">When it happened, UTC, whole seconds.</param>
/// <param name="Livemode">Of live mode; else of test mode.</param>
/// <param name="CustomerId">The customer whom it names; null where it names none, or nobody handles the type.</param>
/// <param name="Session">
/// What is handled in order: the customer, else the invoice, payment intent or charge that it is about, else the event's own id.
/// </param>
public sealed record StripeEnvelope(string Id, string Type, string? ApiVersion, DateTimeOffset CreatedAt, bool Livemode, string? CustomerId, string Session)
{
    /// <summary>Reads the envelope; the whole body is checked to be JSON, of <c>data.object</c> only the references are read.</summary>
    /// <exception cref="UnreadableException">It is not JSON, not an event, or lacks its id, type, time, mode or object.</exception>
    public static StripeEnvelope Read(ReadOnlyMemory<byte> body)
    {
        using var document = StripeObject.Parse(body);
        return Of(new StripeObject(document.RootElement, "$"));
    }

    internal static StripeEnvelope Of(StripeObject root)
    {
        if (!root.Exists) throw UnreadableException.At("$", "is not an object: this is no Stripe event");
        // Stripe's thin events (object "v2.core.event") carry no data.object: say so, since the founder chooses them when adding the endpoint.
        if (root.Text("object") is { } kind && kind != "event")
            throw new UnreadableException("$.object is not \"event\": this endpoint takes snapshot events. Choose the payload style \"Snapshot\" for it in Stripe's dashboard.");
        var id = root.RequiredId("id");
        var type = root.RequiredId("type");
        var about = root.Object("data").Object("object");
        if (!about.Exists) throw UnreadableException.At(about.Path, "is missing or not an object");
        // Of a type that nobody handles nothing more is read: it is answered and counted, whatever it holds.
        var handled = StripeReader.Handles(type);
        var customerId = handled ? CustomerOf(type, about) : null;
        if (!StripeObject.FitsKey(id) || (customerId is not null && !StripeObject.FitsKey(customerId)))
            throw new UnreadableException("The id of the event or of its customer is too long to be kept: 160 characters are the most, and other than letters, digits and - _ . : @ + = , ~ count as five.");
        return new StripeEnvelope(
            id, type, root.Text("api_version"),
            root.Time("created") ?? throw root.Missing("created"),
            // Never guessed: test and live mode must not mix.
            root.Flag("livemode") ?? throw root.Missing("livemode"),
            customerId,
            customerId ?? (handled ? Subject(type, about) : null) ?? id);
    }

    /// <summary>The customer whom the object is or names. Accounts that stand for customers (since 2025) come as <c>customer_account</c>.</summary>
    internal static string? CustomerOf(string type, StripeObject about) =>
        type is "customer.created" or "customer.updated" or "customer.deleted" ? about.RequiredId("id")
        : about.Id("customer") ?? about.Id("customer_account") ?? about.Object("charge").Id("customer") ?? about.Object("payment_intent").Id("customer");

    private static string? Subject(string type, StripeObject about)
    {
        // An object can be what others refer to: an invoice without a customer belongs to the session of its payments.
        var kind = type.AsSpan(0, Math.Max(0, type.IndexOf('.')));
        var own = about.Id("id");
        return (kind is "invoice" ? own : about.Id("invoice"))
            ?? (kind is "payment_intent" ? own : about.Id("payment_intent") ?? about.Object("payment").Id("payment_intent"))
            ?? (kind is "charge" && !type.StartsWith("charge.dispute.", StringComparison.Ordinal) ? own : about.Id("charge"));
    }
}
