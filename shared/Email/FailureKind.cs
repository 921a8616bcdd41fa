using RetentionFunctions.Customers;

namespace RetentionFunctions.Email;

/// <summary>How a failed payment is worded: what the customer can do about it.</summary>
public enum FailureKind
{
    /// <summary>It may go through by itself: funds, a busy bank. Also where nothing is known.</summary>
    SoftDecline,

    /// <summary>It will not go through with this card. Never told why: some of the reasons are not for the customer's eyes.</summary>
    HardDecline,

    /// <summary>The card has expired.</summary>
    ExpiredCard,

    /// <summary>The bank wants the customer's confirmation (3-D Secure): nothing failed.</summary>
    AuthenticationRequired,

    /// <summary>The cardholder told the bank to stop such payments: possibly a cancellation, never chased.</summary>
    Revoked,
}

/// <summary>Reads the kind of a failure from Stripe's codes.</summary>
public static class FailureKinds
{
    /// <summary>
    /// The kind of the failure. Codes: docs.stripe.com/declines/codes; those that Stripe does not send again without another card, and those
    /// that it retries in vain (wrong number, expiry or CVC), are hard.
    /// </summary>
    /// <param name="invoice">The invoice, where there is one: the bank may ask for a confirmation on it.</param>
    /// <param name="failure">The latest failure of this invoice, where its reason is known.</param>
    /// <param name="card">The card on file, for its expiry where no reason is known.</param>
    /// <param name="now">The present.</param>
    public static FailureKind Of(Invoice? invoice, PaymentFailure? failure, Card? card, DateTimeOffset now)
    {
        foreach (var code in (string?[])[failure?.DeclineCode, failure?.Code])
            switch (code)
            {
                case "authentication_required":
                    return FailureKind.AuthenticationRequired;
                case "revocation_of_authorization" or "revocation_of_all_authorizations":
                    return FailureKind.Revoked;
                case "expired_card":
                    return FailureKind.ExpiredCard;
                case "incorrect_number" or "invalid_number" or "lost_card" or "pickup_card" or "stolen_card" or "restricted_card" or "highest_risk_level" or "transaction_not_allowed"
                    or "fraudulent" or "merchant_blacklist" or "incorrect_cvc" or "invalid_cvc" or "invalid_expiry_month" or "invalid_expiry_year" or "card_not_supported"
                    or "currency_not_supported" or "invalid_account" or "new_account_information_available":
                    return FailureKind.HardDecline;
            }
        if (invoice?.ActionRequiredAt is { } asked && (failure is null || failure.At <= asked)) return FailureKind.AuthenticationRequired;
        // A card is good to the last day of its month.
        return failure?.DeclineCode is null && card is { ExpYear: { } year, ExpMonth: { } month } && (year, month).CompareTo((now.UtcDateTime.Year, now.UtcDateTime.Month)) < 0
            ? FailureKind.ExpiredCard
            : FailureKind.SoftDecline;
    }
}
