using System.Text.Json.Serialization;

namespace RetentionFunctions.Local.Sandbox;

/// <summary>What somebody does to a customer at the simulated Stripe, as a value: asked for by a link, a page or the API, done to whatever stands in for the customer, kept where a life must be lived again.</summary>
public sealed record SandboxAct
{
    /// <summary>What is done.</summary>
    public required SandboxDeed Deed { get; init; }

    /// <summary>The subscription that it is about.</summary>
    public string? Subscription { get; init; }

    /// <summary>The invoice that it is about.</summary>
    public string? Invoice { get; init; }

    /// <summary>When a pause ends.</summary>
    public DateTimeOffset? Until { get; init; }

    /// <summary>The coupon to put on.</summary>
    public SandboxCoupon? Coupon { get; init; }

    /// <summary>The card to put in, or to try. With <see cref="SandboxDeed.Pay"/>: it is also used from now on.</summary>
    public SandboxCard? Card { get; init; }

    /// <summary>Stripe's code of the reason to leave (<c>too_expensive</c> …).</summary>
    public string? Feedback { get; init; }

    /// <summary>What the customer wrote about it.</summary>
    public string? Comment { get; init; }

    /// <summary>Does it to a customer of a simulated account.</summary>
    /// <exception cref="SandboxRefusedException">Stripe would not do it; nothing is changed.</exception>
    internal IReadOnlyList<SandboxEvent> Do(SandboxStripe stripe, string customerId, DateTimeOffset at)
    {
        if (Subscription is not null && stripe.Subscription(Subscription)?.CustomerId != customerId) throw new SandboxRefusedException($"The customer {customerId} has no subscription {Subscription}.");
        if (Invoice is not null && stripe.Invoice(Invoice)?.CustomerId != customerId) throw new SandboxRefusedException($"The customer {customerId} has no invoice {Invoice}.");
        switch (Deed)
        {
            case SandboxDeed.Pause:
                return stripe.Pause(Given(Subscription, "subscription"), Until ?? throw Missing("until"), at);
            case SandboxDeed.Resume:
                return stripe.Resume(Given(Subscription, "subscription"), at);
            case SandboxDeed.ApplyCoupon:
                return stripe.ApplyCoupon(Given(Subscription, "subscription"), Coupon ?? throw Missing("coupon"), at);
            case SandboxDeed.RemoveCoupon:
                return stripe.RemoveCoupon(Given(Subscription, "subscription"), at);
            case SandboxDeed.CancelAtPeriodEnd:
                return stripe.CancelAtPeriodEnd(Given(Subscription, "subscription"), Feedback, Comment, at);
            case SandboxDeed.UndoCancel:
                return stripe.UndoCancel(Given(Subscription, "subscription"), at);
            case SandboxDeed.CancelNow:
                return stripe.CancelNow(Given(Subscription, "subscription"), Feedback, at, Comment);
            case SandboxDeed.SetCard:
                return stripe.SetCard(customerId, Card ?? throw Missing("card"), at);
            case SandboxDeed.PayInVain:
                return stripe.PayInVain(Given(Invoice, "invoice"), Card ?? throw Missing("card"), at);
            default:
                // Looked at first: the card must not be put in where the payment is refused.
                if (stripe.Invoice(Given(Invoice, "invoice"))!.Status is not ("open" or "draft" or "uncollectible") and var status) throw new SandboxRefusedException($"The invoice {Invoice} is {status}.");
                return Card is null ? stripe.Pay(Invoice!, at) : [.. stripe.SetCard(customerId, Card, at), .. stripe.Pay(Invoice!, at)];
        }
    }

    internal static string Given(string? value, string name) => value ?? throw Missing(name);

    internal static SandboxRefusedException Missing(string name) => new($"Say which {name} is meant: \"{name}\" is missing.");
}

/// <summary>What can be done at the simulated Stripe.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<SandboxDeed>))]
public enum SandboxDeed
{
    /// <summary>Pauses the collection until a time.</summary>
    Pause,

    /// <summary>Ends a pause.</summary>
    Resume,

    /// <summary>Puts a coupon on a subscription.</summary>
    ApplyCoupon,

    /// <summary>Takes it off.</summary>
    RemoveCoupon,

    /// <summary>Asks for the end with the period.</summary>
    CancelAtPeriodEnd,

    /// <summary>Stays after all.</summary>
    UndoCancel,

    /// <summary>Ends it now.</summary>
    CancelNow,

    /// <summary>Puts in another card.</summary>
    SetCard,

    /// <summary>Pays an invoice.</summary>
    Pay,

    /// <summary>Tries to, with a card that is refused.</summary>
    PayInVain,
}
