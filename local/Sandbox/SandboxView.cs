using System.Globalization;
using RetentionFunctions.Customers;

namespace RetentionFunctions.Local.Sandbox;

/// <summary>A customer as the sandbox's pages show it, whatever stands behind: the simulated account, or copies of what events brought.</summary>
/// <param name="CustomerId">Stripe's id.</param>
/// <param name="Name">What to call the customer: name, address or id.</param>
/// <param name="Card">The card on file; null: none is known.</param>
/// <param name="Subscriptions">Those that run first, then the latest.</param>
/// <param name="Invoices">The latest first.</param>
/// <param name="Version">Rises with every change: a form that was sent twice from the same page is one change.</param>
public sealed record SandboxView(
    string CustomerId, string Name, string? Card, IReadOnlyList<SandboxViewSubscription> Subscriptions, IReadOnlyList<SandboxViewInvoice> Invoices, long Version)
{
    /// <summary>A customer of a simulated account; null where there is none.</summary>
    public static SandboxView? Of(SandboxStripe stripe, string customerId)
    {
        if (stripe.State(customerId) is not { } state || state.Customer.Deleted) return null;
        return new SandboxView(customerId, state.Customer.Name, state.Customer.Card is { } card ? CardText(card.Brand, card.Last4, card.ExpMonth, card.ExpYear) : null,
            Ordered(state.Subscriptions.Select(s => new SandboxViewSubscription
            {
                Id = s.Id, Plan = s.Quantity == 1 ? s.Price.Nickname : string.Create(CultureInfo.InvariantCulture, $"{s.Price.Nickname} × {s.Quantity}"),
                Price = $"{Money.Text(s.Price.UnitAmount * s.Quantity, s.Price.Currency)} {Every(s.Price.Interval, s.Price.IntervalCount)}", Status = s.Status,
                PeriodEnd = s.PeriodEnd, CancelAt = s.CancelAtPeriodEnd ? s.PeriodEnd : null, PausedUntil = s.PausedUntil, IsPaused = s.PausedUntil is not null || s.Status == "paused",
                EndedAt = s.EndedAt, Discount = s.Discount is { } discount ? CouponText(discount.Coupon, s.Price.Currency) : null,
                Next = stripe.NextAmount(customerId, s.Id) is { } next && s.PausedUntil is null ? Money.Text(next, s.Price.Currency) : null,
            })),
            [.. state.Invoices.Where(i => i.FinalizedAt is not null).OrderByDescending(i => i.CreatedAt).ThenByDescending(i => i.Id, StringComparer.Ordinal)
                .Select(i => new SandboxViewInvoice(i.Id, i.Number, Money.Text(i.AmountDue, i.Price.Currency), i.Status, i.CreatedAt, i.FirstFailedAt is not null && i.Status == "open", i.NextAttemptAt))],
            state.Made);
    }

    /// <summary>A customer of whom only copies are there: what the product itself knows.</summary>
    public static SandboxView Of(Customer customer, IEnumerable<Invoice> invoices, long version) => new(
        customer.Id, customer.Called, customer.Card is { Last4: { } last4 } card ? CardText(card.Brand ?? "card", last4, card.ExpMonth, card.ExpYear) : null,
        Ordered(customer.Subscriptions.Select(s => new SandboxViewSubscription
        {
            Id = s.Latest.SubscriptionId, Plan = s.Latest.Plan ?? "Subscription", Price = $"{Money.Text(s.Latest.Mrr, s.Latest.Currency)} a month", Status = s.Latest.Status,
            PeriodEnd = s.Latest.PeriodEndAt, CancelAt = s.Latest.CancelAt, PausedUntil = s.Latest.PauseResumesAt, IsPaused = s.Latest.PauseBehavior is not null || s.Latest.Status == "paused",
            EndedAt = s.Latest.EndedAt,
        })),
        [.. invoices.Where(i => i.Latest is not null).OrderByDescending(i => i.Latest!.CreatedAt).Select(i => new SandboxViewInvoice(
            i.Id, i.Latest!.Number ?? i.Id, Money.Text(i.Latest.AmountDue, i.Latest.Currency), i.SettledAt is not null ? "paid" : i.VoidedAt is not null ? "void" : i.UncollectibleAt is not null ? "uncollectible" : i.Latest.Status ?? "open",
            i.Latest.CreatedAt, i.IsFailing, i.NextAttemptAt))],
        version);

    /// <summary>What a coupon takes off, in words.</summary>
    public static string CouponText(SandboxCoupon coupon, string currency) =>
        $"{(coupon.PercentOff is { } percent ? string.Create(CultureInfo.InvariantCulture, $"{percent:0.##} %") : Money.Text(coupon.AmountOff ?? 0, currency))} off{coupon.Duration switch
        {
            "once" => " the next invoice",
            "repeating" => string.Create(CultureInfo.InvariantCulture, $" for {coupon.DurationInMonths} months"),
            _ => "",
        }}";

    /// <summary>A day as the pages write it: UTC, in the product's language.</summary>
    public static string Day(DateTimeOffset at) => at.UtcDateTime.ToString("d MMMM yyyy", CultureInfo.InvariantCulture);

    private static string CardText(string brand, string last4, int? month, int? year) => string.Create(CultureInfo.InvariantCulture,
        $"{(brand.Length > 0 ? char.ToUpperInvariant(brand[0]) + brand[1..] : "Card")} •••• {last4}{(month is null || year is null ? "" : $", until {month:00}/{year}")}");

    private static string Every(string interval, int count) => count == 1 ? $"a {interval}" : string.Create(CultureInfo.InvariantCulture, $"every {count} {interval}s");

    private static List<SandboxViewSubscription> Ordered(IEnumerable<SandboxViewSubscription> all) => [.. all.Reverse().OrderBy(s => s.EndedAt is not null || s.Status == "incomplete_expired")];
}

/// <summary>A subscription on the sandbox's pages.</summary>
public sealed record SandboxViewSubscription
{
    /// <summary>Stripe's id.</summary>
    public required string Id { get; init; }

    /// <summary>The plan's name, with the quantity where it is not one.</summary>
    public required string Plan { get; init; }

    /// <summary>What it costs, in words.</summary>
    public required string Price { get; init; }

    /// <summary>Stripe's status.</summary>
    public required string Status { get; init; }

    /// <summary>The end of the period that runs.</summary>
    public DateTimeOffset? PeriodEnd { get; init; }

    /// <summary>When it will end, where that was asked for.</summary>
    public DateTimeOffset? CancelAt { get; init; }

    /// <summary>The collection is paused, or it stands still since its trial.</summary>
    public bool IsPaused { get; init; }

    /// <summary>Until when the collection is paused.</summary>
    public DateTimeOffset? PausedUntil { get; init; }

    /// <summary>When it ended.</summary>
    public DateTimeOffset? EndedAt { get; init; }

    /// <summary>What its coupon takes off, in words.</summary>
    public string? Discount { get; init; }

    /// <summary>What the next invoice will be over, in words, where that is known.</summary>
    public string? Next { get; init; }

    /// <summary>It is over.</summary>
    public bool IsEnded => EndedAt is not null || SubscriptionStatus.IsEnded(Status);
}

/// <summary>An invoice on the sandbox's pages.</summary>
/// <param name="Id">Stripe's id.</param>
/// <param name="Number">The number on it.</param>
/// <param name="Amount">What is due, in words.</param>
/// <param name="Status">Stripe's status.</param>
/// <param name="CreatedAt">When it was made.</param>
/// <param name="Failed">A payment of it failed, and it is open still.</param>
/// <param name="NextAttemptAt">When Stripe tries next.</param>
public sealed record SandboxViewInvoice(string Id, string Number, string Amount, string Status, DateTimeOffset CreatedAt, bool Failed, DateTimeOffset? NextAttemptAt)
{
    /// <summary>It can be paid.</summary>
    public bool IsPayable => Status is "open" or "uncollectible";
}
