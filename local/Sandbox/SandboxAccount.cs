using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;

namespace RetentionFunctions.Local.Sandbox;

/// <summary>
/// One customer of the simulated account, with subscriptions and invoices. Time only moves forward: what fell due before an action happens before it.
/// What happens by itself is in <c>SandboxAccount.Time.cs</c>.
/// </summary>
internal sealed partial class SandboxAccount
{
    /// <summary>The decline that wants the customer's confirmation (3-D Secure) rather than another card.</summary>
    public const string NeedsConfirmation = "authentication_required";

    // Kept of a customer: two years by the month, well within a row.
    private const int InvoicesKept = 24;

    private readonly SandboxOptions options;
    private readonly SandboxPayloads payloads;
    private readonly string suffix;
    private readonly Dictionary<string, SandboxSubscription> subscriptions = new(StringComparer.Ordinal);
    private readonly Dictionary<string, SandboxInvoice> invoices = new(StringComparer.Ordinal);
    private List<SandboxEvent> sent = [];
    private int made;

    /// <summary>A new customer, made and with its card attached.</summary>
    public SandboxAccount(SandboxOptions options, SandboxCustomer customer)
    {
        this.options = options;
        payloads = new SandboxPayloads(options);
        suffix = Suffix(customer.Id);
        Now = customer.CreatedAt;
        Customer = customer;
        Emit("customer.created", payloads.Customer(customer));
        if (customer.Card is { } card) Attach(card);
    }

    /// <summary>One that was stored.</summary>
    public SandboxAccount(SandboxOptions options, SandboxAccountState state)
    {
        this.options = options;
        payloads = new SandboxPayloads(options);
        suffix = Suffix(state.Customer.Id);
        (Customer, Now, made) = (state.Customer, state.Now, state.Made);
        foreach (var subscription in state.Subscriptions) subscriptions.Add(subscription.Id, subscription);
        foreach (var invoice in state.Invoices) invoices.Add(invoice.Id, invoice);
    }

    public SandboxCustomer Customer { get; private set; }

    /// <summary>The latest time at which anything happened to it.</summary>
    public DateTimeOffset Now { get; private set; }

    public SandboxSubscription? Subscription(string id) => subscriptions.GetValueOrDefault(id);

    public SandboxInvoice? Invoice(string id) => invoices.GetValueOrDefault(id);

    /// <summary>All of it, to be stored. Of the invoices those that nothing waits for are left out once they are many.</summary>
    public SandboxAccountState State()
    {
        var ordered = invoices.Values.OrderBy(i => i.CreatedAt).ThenBy(i => i.Id, StringComparer.Ordinal).ToList();
        var old = ordered.Count - InvoicesKept;
        return new(Customer, [.. subscriptions.Values.OrderBy(s => s.CreatedAt).ThenBy(s => s.Id, StringComparer.Ordinal)],
            [.. ordered.Where((invoice, at) => at >= old || invoice.Status is "open" or "draft")], Now, made);
    }

    /// <summary>What was sent since it was asked last.</summary>
    public IReadOnlyList<SandboxEvent> Take()
    {
        var taken = sent;
        sent = [];
        return taken;
    }

    public void Subscribe(string id, SandboxPrice price, int quantity, int trialDays, string? clientReferenceId)
    {
        Exists();
        if (subscriptions.ContainsKey(id)) throw new SandboxRefusedException($"There is a subscription {id} already.");
        if (trialDays <= 0 && Customer.Card is null) throw new SandboxRefusedException($"The customer {Customer.Id} has no card, and there is no trial.");
        if (Customer.Currency is null) Customer = Customer with { Currency = price.Currency };
        DateTimeOffset? trialEnd = trialDays > 0 ? Now.AddDays(trialDays) : null;
        var subscription = new SandboxSubscription
        {
            Id = id, CustomerId = Customer.Id, Price = price, Quantity = quantity, Status = trialEnd is null ? "incomplete" : "trialing", CreatedAt = Now, Anchor = trialEnd ?? Now,
            PeriodStart = Now, PeriodEnd = trialEnd ?? Now.AddMonths(price.Months), TrialEnd = trialEnd, ClientReferenceId = clientReferenceId,
        };
        // A trial begins with an invoice of nothing, which is paid at once.
        var invoice = NewInvoice(subscription, trialEnd is null ? Due(subscription) : (0, 0), "subscription_create");
        subscription = subscription with { LatestInvoiceId = invoice.Id };
        subscriptions.Add(id, subscription);
        Emit("customer.subscription.created", payloads.Subscription(subscription));
        Put("invoice.created", invoice with { FinalizeAt = null });
        Finalize(invoice.Id);
        if (trialEnd is not null) CompleteCheckout(id);
    }

    /// <summary>Within the same interval what is left of the period is settled with the next invoice; another interval begins a new period and is billed at once.</summary>
    public void ChangePrice(string id, SandboxPrice price, int quantity)
    {
        var before = Running(id);
        if (price.Currency != before.Price.Currency) throw new SandboxRefusedException($"The subscription {id} is billed in {before.Price.Currency}, not in {price.Currency}.");
        var after = before with { Price = price, Quantity = quantity };
        if (before.Status is "trialing" or "incomplete" or "paused")
        {
            Change(after);
            return;
        }
        var period = (before.PeriodEnd - before.PeriodStart).TotalSeconds;
        var left = (decimal)((before.PeriodEnd - Now).TotalSeconds / period);
        if (price.Months == before.Price.Months)
        {
            // In a pause nothing is owed for the time that is left.
            if (before.PausedUntil is not null)
            {
                Change(after);
                return;
            }
            var difference = Round((price.UnitAmount * quantity - before.Price.UnitAmount * before.Quantity) * left);
            Change(after with
            {
                Pending = before.Pending + difference,
                Prorations = [.. before.Prorations, GivenBack(), new SandboxProration(Now, before.PeriodEnd, price, quantity, difference - GivenBack().Amount)],
            });
            return;
        }
        after = after with
        {
            Anchor = Now, PeriodNumber = 0, PeriodStart = Now, PeriodEnd = Now.AddMonths(price.Months), UpcomingTold = false,
            Pending = before.Pending + GivenBack().Amount, Prorations = [.. before.Prorations, GivenBack()],
        };
        var invoice = NewInvoice(after, Due(after), "subscription_update");
        Change(Settled(after) with { LatestInvoiceId = invoice.Id });
        Put("invoice.created", invoice with { FinalizeAt = null });
        Finalize(invoice.Id);

        SandboxProration GivenBack() => new(Now, before.PeriodEnd, before.Price, before.Quantity, -Round(before.Price.UnitAmount * before.Quantity * left));
    }

    public void CancelAtPeriodEnd(string id, string? feedback, string? comment) => Change(Running(id) with
    {
        CancelAtPeriodEnd = true, CanceledAt = Now, Reason = "cancellation_requested", Feedback = feedback, Comment = comment,
    });

    public void UndoCancel(string id)
    {
        var subscription = Running(id);
        if (subscription.CancelAtPeriodEnd) Change(subscription with { CancelAtPeriodEnd = false, CanceledAt = null, Reason = null, Feedback = null, Comment = null });
    }

    public void CancelNow(string id, string? feedback, string? comment) => End(Running(id) with { Reason = "cancellation_requested", Feedback = feedback, Comment = comment, CanceledAt = Now });

    public void Pause(string id, DateTimeOffset resumesAt)
    {
        if (Running(id).Status == "paused") throw new SandboxRefusedException($"The subscription {id} stands still already.");
        if (resumesAt <= Now) throw new SandboxRefusedException("A pause ends in the future.");
        Change(Running(id) with { PausedUntil = resumesAt });
    }

    /// <summary>Ends a pause of the collection; or, where it stands still since its trial ended without a card, begins a period and charges it: it runs again once that is paid.</summary>
    public void Resume(string id)
    {
        var before = Running(id);
        if (before.Status != "paused")
        {
            Change(before with { PausedUntil = null });
            return;
        }
        if (Customer.Card is null) throw new SandboxRefusedException($"The customer {Customer.Id} has no card yet: one is needed to resume.");
        // A try before this one failed and is replaced by this.
        if (before.LatestInvoiceId is { } last && invoices[last].Status == "open") VoidOpen(last);
        var after = before with { Anchor = Now, PeriodNumber = 0, PeriodStart = Now, PeriodEnd = Now.AddMonths(before.Price.Months), UpcomingTold = false };
        var invoice = NewInvoice(after, Due(after), "subscription_update");
        Change(Settled(after) with { LatestInvoiceId = invoice.Id });
        Put("invoice.created", invoice with { FinalizeAt = null });
        Finalize(invoice.Id);
    }

    public void ApplyCoupon(string id, SandboxCoupon coupon)
    {
        if (coupon.PercentOff is null == coupon.AmountOff is null) throw new SandboxRefusedException($"The coupon {coupon.Id} takes off either a share or an amount.");
        DateTimeOffset? end = coupon.Duration == "repeating" ? Now.AddMonths(coupon.DurationInMonths) : null;
        Change(Running(id) with { Discount = new SandboxDiscount(NewId("di"), coupon, Now, end) });
    }

    /// <summary>What the next invoice will be over, as things stand; null where none comes.</summary>
    public long? NextAmount(string id) => Subscription(id) is { IsEnded: false, CancelAtPeriodEnd: false, Status: not ("paused" or "incomplete") } subscription ? Due(subscription).Total : null;

    /// <summary>Takes the coupon off; nothing where there is none.</summary>
    public void RemoveCoupon(string id) => Change(Running(id) with { Discount = null });

    /// <summary>A new card; or, automatically, new digits or dates of the card on file, as its network says.</summary>
    public void SetCard(SandboxCard card, bool automatically)
    {
        Exists();
        if (!automatically || Customer.Card is null)
        {
            Attach(card);
            return;
        }
        var before = payloads.PaymentMethod(Customer);
        Customer = Customer with { Card = card, CardFailures = 0, ExpiryTold = ExpiryNotice(card) <= Now };
        var after = payloads.PaymentMethod(Customer);
        Emit("payment_method.automatically_updated", after, SandboxPayloads.Previous(before, after));
    }

    /// <summary>The address of the card on file is put right.</summary>
    public void CorrectCard(string postalCode)
    {
        if (Customer.Card is null) throw new SandboxRefusedException($"The customer {Customer.Id} has no card.");
        var before = payloads.PaymentMethod(Customer);
        var after = payloads.PaymentMethod(Customer, postalCode);
        Emit("payment_method.updated", after, SandboxPayloads.Previous(before, after));
    }

    /// <summary>Deletes the customer: what still runs ends at once.</summary>
    public void Delete()
    {
        Exists();
        foreach (var subscription in subscriptions.Values.Where(s => !s.IsEnded).ToList()) End(subscription);
        Customer = Customer with { Deleted = true };
        Emit("customer.deleted", payloads.Customer(Customer));
    }

    /// <summary>The founder gives an open invoice up as bad debt.</summary>
    public void MarkUncollectible(string invoiceId)
    {
        var invoice = Of(invoiceId);
        if (invoice.Status != "open") throw new SandboxRefusedException($"The invoice {invoiceId} is {invoice.Status}.");
        Put("invoice.marked_uncollectible", invoice with { Status = "uncollectible", UncollectibleAt = Now, NextAttemptAt = null });
    }

    /// <summary>The customer tries to pay on the invoice's page with a card that is refused. It is kept nowhere, and Stripe's own tries go on as planned.</summary>
    public void PayInVain(string invoiceId, SandboxCard card)
    {
        if (Of(invoiceId).Status == "draft") BecomeOpen(invoiceId);
        var invoice = Payable(invoiceId);
        var paying = Customer with { Card = card, CardId = NewId("card") };
        Failed(invoice with { AttemptCount = Math.Max(1, invoice.AttemptCount), FirstFailedAt = invoice.FirstFailedAt ?? Now }, paying, card.DeclineCode ?? "generic_decline");
    }

    /// <summary>The customer pays on the invoice's page: confirms, or uses another card for once, so that it always goes through.</summary>
    public void Pay(string invoiceId)
    {
        if (Of(invoiceId).Status == "draft") BecomeOpen(invoiceId);
        var invoice = Payable(invoiceId);
        // Only the first of the tries that somebody makes is counted (Stripe, "attempt_count").
        Paid(invoice with { AttemptCount = Math.Max(1, invoice.AttemptCount) });
    }

    public void Refund(string invoiceId)
    {
        var invoice = Of(invoiceId);
        if (invoice.Status != "paid" || invoice.ChargeId is null || invoice.Refunded) throw new SandboxRefusedException($"The invoice {invoiceId} has no payment to give back.");
        invoices[invoiceId] = invoice = invoice with { Refunded = true };
        Emit("charge.refunded", payloads.Charge(invoice, Customer, invoice.PaidAt!.Value, decline: null));
    }

    public void Dispute(string invoiceId)
    {
        var invoice = Of(invoiceId);
        if (invoice.Status != "paid" || invoice.ChargeId is null || invoice.Disputed) throw new SandboxRefusedException($"The invoice {invoiceId} has no payment to dispute.");
        invoices[invoiceId] = invoice = invoice with { Disputed = true };
        Emit("charge.dispute.created", payloads.Dispute(NewId("dp"), invoice, Now));
    }

    // Bad debt can still be paid (Stripe, "Status transitions").
    private SandboxInvoice Payable(string id) => Of(id) is { Status: "open" or "uncollectible" } invoice ? invoice : throw new SandboxRefusedException($"The invoice {id} is {Of(id).Status}.");

    private void Exists()
    {
        if (Customer.Deleted) throw new SandboxRefusedException($"The customer {Customer.Id} was deleted.");
    }

    private SandboxInvoice Of(string id) => Invoice(id) ?? throw new SandboxRefusedException($"The sandbox has no invoice {id}.");

    private SandboxSubscription Running(string id)
    {
        var subscription = Subscription(id) ?? throw new SandboxRefusedException($"The sandbox has no subscription {id}.");
        return !subscription.IsEnded ? subscription : throw new SandboxRefusedException($"The subscription {id} has ended.");
    }

    private void Attach(SandboxCard card)
    {
        var before = payloads.Customer(Customer);
        Customer = Customer with { Card = card, CardId = NewId("card"), CardFailures = 0, ExpiryTold = ExpiryNotice(card) <= Now };
        Emit("payment_method.attached", payloads.PaymentMethod(Customer));
        var after = payloads.Customer(Customer);
        Emit("customer.updated", after, SandboxPayloads.Previous(before, after));
    }

    // Sends nothing where nothing changes, as Stripe does.
    private void Change(SandboxSubscription after)
    {
        var before = payloads.Subscription(subscriptions[after.Id]);
        subscriptions[after.Id] = after;
        var document = payloads.Subscription(after);
        var previous = SandboxPayloads.Previous(before, document);
        if (previous.Count > 0) Emit("customer.subscription.updated", document, previous);
    }

    // Its invoices stay, but nobody tries to collect them any more; what was to be settled with the next one is dropped.
    private void End(SandboxSubscription subscription)
    {
        foreach (var invoice in invoices.Values.Where(i => i.SubscriptionId == subscription.Id && i.Status is "open" or "draft").ToList())
            invoices[invoice.Id] = invoice with { NextAttemptAt = null, FinalizeAt = null };
        subscriptions[subscription.Id] = subscription = subscription with { Status = "canceled", CanceledAt = subscription.CanceledAt ?? Now, EndedAt = Now, Prorations = [] };
        Emit("customer.subscription.deleted", payloads.Subscription(subscription));
    }

    private void CompleteCheckout(string id)
    {
        if (subscriptions[id] is not { ClientReferenceId: not null } subscription) return;
        Emit("checkout.session.completed", payloads.Checkout(NewId("cs"), subscription, Customer, Now));
        subscriptions[id] = subscription with { ClientReferenceId = null };
    }

    private void Put(string type, SandboxInvoice invoice)
    {
        invoices[invoice.Id] = invoice;
        Emit(type, payloads.Invoice(invoice, Customer));
    }

    private void Emit(string type, JsonObject about, JsonObject? previous = null)
    {
        var id = $"evt_{suffix}{++made:D6}";
        sent.Add(new SandboxEvent(id, type, Now, Customer.Id, payloads.Event(id, type, Now, about, previous)));
    }

    private string NewId(string kind) => $"{kind}_{suffix}{++made:D6}";

    // Letters and digits only, as in Stripe's ids; what has other signs gets a hash, so that no two customers share one.
    private static string Suffix(string customerId)
    {
        var bare = customerId[(customerId.IndexOf('_', StringComparison.Ordinal) + 1)..];
        return bare.Length is > 0 and <= 40 && bare.All(char.IsAsciiLetterOrDigit) ? bare : Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(customerId)))[..16];
    }

    private static long Round(decimal amount) => (long)Math.Round(amount, MidpointRounding.AwayFromZero);
}
