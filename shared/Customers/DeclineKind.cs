using System.Collections.Frozen;

namespace RetentionFunctions.Customers;

/// <summary>Why a payment failed, as far as it decides how we write about it.</summary>
public enum DeclineKind
{
    /// <summary>May work at the next attempt: too little money, the bank could not be reached, no reason given.</summary>
    Soft,

    /// <summary>Will not work with this card: another one is needed.</summary>
    Hard,

    /// <summary>The card has expired.</summary>
    ExpiredCard,

    /// <summary>The bank wants the customer to confirm the payment (3-D Secure).</summary>
    AuthenticationRequired,

    /// <summary>The customer told the bank to stop paying: a sign of leaving, not to be chased.</summary>
    Revoked,
}

/// <summary>
/// The kinds of decline by Stripe's error and decline codes. Sources: docs.stripe.com/declines/codes and docs.stripe.com/error-codes; which ones need a new
/// card: Stripe's list of declines that are not retried, and of those that are retried in vain until the card changes.
/// </summary>
public static class Declines
{
    private static readonly FrozenDictionary<string, DeclineKind> Kinds = new (DeclineKind Kind, string[] Codes)[]
    {
        (DeclineKind.ExpiredCard, ["expired_card", "54"]),
        (DeclineKind.AuthenticationRequired,
        [
            "authentication_required", "authentication_not_handled", "payment_intent_authentication_failure", "setup_intent_authentication_failure",
            "invoice_payment_intent_requires_action", "subscription_payment_intent_requires_action",
        ]),
        (DeclineKind.Revoked, ["revocation_of_authorization", "revocation_of_all_authorizations", "stop_payment_order", "R0", "R1", "R3"]),
        (DeclineKind.Hard,
        [
            // Never tried again without a new payment method.
            "incorrect_number", "lost_card", "pickup_card", "stolen_card", "highest_risk_level", "transaction_not_allowed",
            // Tried again in vain until the card's data change.
            "incorrect_cvc", "invalid_cvc", "invalid_number", "invalid_expiry_month", "invalid_expiry_year",
            // The card or account cannot be used for this at all.
            "fraudulent", "restricted_card", "card_not_supported", "currency_not_supported", "invalid_account", "merchant_blacklist",
            "new_account_information_available", "previously_declined_do_not_retry", "service_not_allowed", "security_violation",
            "testmode_decline", "live_mode_test_card",
            "account_closed", "bank_account_closed", "debit_not_authorized", "no_account", "bank_account_unusable",
            // The networks' own codes, as outcome.network_decline_code has them: those that Visa forbids to try again
            // (04 pick up, 07 fraud, 12 invalid transaction, 14 invalid number, 15 no such issuer, 41 lost, 43 stolen, 46 closed, 57 not permitted).
            "04", "07", "12", "14", "15", "41", "43", "46", "57",
        ]),
    }.SelectMany(kind => kind.Codes.Select(code => (code, kind.Kind))).ToFrozenDictionary(p => p.code, p => p.Kind, StringComparer.OrdinalIgnoreCase);

    /// <summary>The kind of a decline: the bank's code decides, else Stripe's error code; a code that neither list has is soft.</summary>
    /// <param name="code">Stripe's error code, for example <c>card_declined</c>.</param>
    /// <param name="declineCode">The bank's reason, for example <c>insufficient_funds</c>, or the network's two characters.</param>
    public static DeclineKind Kind(string? code, string? declineCode) =>
        declineCode is not null && Kinds.TryGetValue(declineCode, out var kind) || code is not null && Kinds.TryGetValue(code, out kind) ? kind : DeclineKind.Soft;

    /// <summary>
    /// The kind of an invoice's latest failure. Where no code says it: a bank that asks for a confirmation after the failure, or a card on file that has
    /// expired, else soft. Fraud, loss and theft are hard like any other: the reader may be the thief, and Stripe's advice is to say no more.
    /// </summary>
    /// <param name="invoice">The invoice, where there is one: the bank may ask for a confirmation on it.</param>
    /// <param name="failure">The latest failure of this invoice, where its reason is known.</param>
    /// <param name="card">The card on file, for its expiry where no reason is known.</param>
    /// <param name="now">The present.</param>
    public static DeclineKind Kind(Invoice? invoice, PaymentFailure? failure, Card? card, DateTimeOffset now)
    {
        var kind = Kind(failure?.Code, failure?.DeclineCode);
        if (kind != DeclineKind.Soft) return kind;
        if (invoice?.ActionRequiredAt is { } asked && (failure is null || failure.At <= asked)) return DeclineKind.AuthenticationRequired;
        // A card is good to the last day of its month.
        return failure?.DeclineCode is null && card is { ExpYear: { } year, ExpMonth: { } month } && (year, month).CompareTo((now.UtcDateTime.Year, now.UtcDateTime.Month)) < 0
            ? DeclineKind.ExpiredCard
            : DeclineKind.Soft;
    }
}
