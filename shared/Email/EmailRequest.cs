using RetentionFunctions.Customers;

namespace RetentionFunctions.Email;

/// <summary>All that an e-mail is composed from.</summary>
public sealed record EmailRequest
{
    /// <summary>Unique by run and step; becomes <see cref="OutgoingEmail.Id"/>.</summary>
    public required string Id { get; init; }

    /// <summary>The customer; must have an e-mail address.</summary>
    public required Customer Customer { get; init; }

    /// <summary>The flow, for example <c>dunning</c>.</summary>
    public required string Flow { get; init; }

    /// <summary>What the run is keyed to.</summary>
    public required string Occasion { get; init; }

    /// <summary>The step, from 1.</summary>
    public required int Step { get; init; }

    /// <summary>The name of the template.</summary>
    public required string Template { get; init; }

    /// <summary>The kind of the flow. Where the template says marketing, the e-mail is marketing whatever this says: the stricter rules win.</summary>
    public required MailKind Kind { get; init; }

    /// <summary>The present: expiries of links count from it.</summary>
    public required DateTimeOffset Now { get; init; }

    /// <summary>The invoice that is due, for dunning.</summary>
    public Invoice? Invoice { get; init; }

    /// <summary>The latest failure of that invoice, where its reason is known.</summary>
    public PaymentFailure? Failure { get; init; }

    /// <summary>When the subscription renews: <see cref="SubscriptionSnapshot.PeriodEndAt"/> of the active one. Left out of the text when past or null.</summary>
    public DateTimeOffset? RenewalAt { get; init; }

    /// <summary>Whether a pause can be offered (<c>Pausing.Of</c>); not for yearly plans.</summary>
    public bool Pausable { get; init; }
}
