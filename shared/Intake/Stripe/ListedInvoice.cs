using System.Text.Json;
using RetentionFunctions.Customers;

namespace RetentionFunctions.Intake.Stripe;

/// <summary>An invoice as Stripe's list has it, with what it tells of its subscription's past.</summary>
/// <param name="Fact">What the last of its events said: with what became of it as the change, and the moment of that as the stamp.</param>
/// <param name="FailedAt">When its first payment failed; null where none did, as far as the list tells.</param>
/// <param name="OpenAt">When it could be paid first.</param>
/// <param name="SettledAt">When it was paid, voided or given up.</param>
/// <param name="Lines">What it bills of the subscription.</param>
internal sealed record ListedInvoice(InvoiceChanged Fact, DateTimeOffset? FailedAt, DateTimeOffset? OpenAt, DateTimeOffset? SettledAt, IReadOnlyList<ListedLine> Lines)
{
    /// <summary>By which the rows and stamps of what the lists told are known.</summary>
    public const string IdPrefix = "past:";

    // Between the last try to collect and a payment a moment passes at most; a customer who comes to pay after a failure takes longer.
    private static readonly TimeSpan PaidAtOnce = TimeSpan.FromHours(1);

    // A pause voids an invoice when its draft becomes final: about an hour after it was made.
    private static readonly TimeSpan NeverCollected = TimeSpan.FromHours(3);

    public InvoiceSnapshot Invoice => Fact.Invoice;

    /// <summary>It was made for a new period and never to be paid: collection was paused.</summary>
    public bool Skipped => Invoice is { BillingReason: "subscription_cycle", AttemptCount: 0, Status: "void" or "uncollectible" } && SettledAt - Invoice.CreatedAt <= NeverCollected;

    /// <summary>Reads one; null where it bills no subscription, or another than this.</summary>
    /// <exception cref="UnreadableException">Something essential is missing.</exception>
    public static ListedInvoice? Read(JsonElement element, string path, string subscriptionId, string customerId)
    {
        var invoice = new StripeObject(element, path);
        var transitions = invoice.Object("status_transitions");
        var created = invoice.Time("created") ?? throw invoice.Missing("created");
        var (paid, voided, given) = (transitions.Time("paid_at"), transitions.Time("voided_at"), transitions.Time("marked_uncollectible_at"));
        var open = transitions.Time("finalized_at");
        var status = invoice.Text("status");
        var (change, type, at) = status switch
        {
            "paid" => (InvoiceChange.Paid, "invoice.paid", paid),
            "void" => (InvoiceChange.Voided, "invoice.voided", voided),
            "uncollectible" => (InvoiceChange.MarkedUncollectible, "invoice.marked_uncollectible", given),
            "draft" => (InvoiceChange.Created, "invoice.created", created),
            _ => (InvoiceChange.Finalized, "invoice.finalized", open),
        };
        var stamp = Stamp.Of(at ?? created, IdPrefix + invoice.RequiredId("id"), type);
        var fact = InvoiceReading.Read(invoice, customerId, stamp, change);
        if (fact.Invoice.SubscriptionId != subscriptionId) return null;
        var lines = new List<ListedLine>();
        foreach (var line in invoice.List("lines"))
            if (line.Object.Exists && ListedLine.Of(line.Object) is { } own) lines.Add(own);
        return new ListedInvoice(fact, Failed(fact.Invoice, open, paid), open, status is "paid" or "void" or "uncollectible" ? at : null, lines);
    }

    // The list has no moment of a failure. The first try is made when the invoice becomes final; there was one that failed where more followed, or where one was
    // made and nothing was paid, or only later.
    private static DateTimeOffset? Failed(InvoiceSnapshot invoice, DateTimeOffset? open, DateTimeOffset? paid)
    {
        if (open is not { } final || invoice.AmountDue <= 0 || invoice.CollectionMethod == "send_invoice" || invoice.AttemptCount == 0) return null;
        return invoice.AttemptCount > 1 || paid is null || paid - final > PaidAtOnce ? final : null;
    }
}

/// <summary>A line of an invoice that bills an item of a subscription.</summary>
/// <param name="From">The start of what it bills; of a proration the moment of the change.</param>
/// <param name="Until">The end of it.</param>
/// <param name="Proration">It settles a change within a period.</param>
/// <param name="Credit">With <paramref name="Proration"/>: it gives back what is not used any more.</param>
/// <param name="PriceId">Its price.</param>
/// <param name="Quantity">How many units; null where the price is by use.</param>
internal sealed record ListedLine(DateTimeOffset From, DateTimeOffset Until, bool Proration, bool Credit, string PriceId, decimal? Quantity)
{
    /// <summary>Reads one that waits for the next invoice; null where it is another subscription's, or no change of this one.</summary>
    public static ListedLine? Pending(StripeObject item, string subscriptionId) =>
        (item.Id("subscription") ?? item.Object("parent").Object("subscription_details").Id("subscription")) == subscriptionId && Of(item) is { Proration: true } change ? change : null;

    /// <summary>Reads one; null where it bills something else.</summary>
    public static ListedLine? Of(StripeObject line)
    {
        var parent = line.Object("parent"); // since basil
        var details = parent.Object("subscription_item_details");
        if (!details.Exists) details = parent.Object("invoice_item_details");
        var proration = (details.Exists ? details : line).Flag("proration") == true;
        var recurring = details.Exists ? parent.Object("subscription_item_details").Exists : line.Text("type") == "subscription";
        var price = line.Object("pricing").Object("price_details").Id("price") ?? line.Id("price") ?? line.Id("plan");
        var period = line.Object("period");
        if (price is null || !(recurring || proration) || period.Time("start") is not { } from || period.Time("end") is not { } until) return null;
        return new ListedLine(from, until, proration, (line.Whole("amount") ?? 0) < 0, price, line.Number("quantity"));
    }
}
