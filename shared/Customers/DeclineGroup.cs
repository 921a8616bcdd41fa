using System.Collections.Frozen;

namespace RetentionFunctions.Customers;

/// <summary>Why a first attempt failed, as far as a founder can do something about it. A stored format.</summary>
public enum DeclineGroup
{
    /// <summary>Nobody said: the failure came without a code, or only with the invoice.</summary>
    Unknown,

    /// <summary>Too little money, or a limit of the card reached.</summary>
    InsufficientFunds,

    /// <summary>The card has expired.</summary>
    CardExpired,

    /// <summary>The bank said no and not why.</summary>
    Declined,

    /// <summary>The bank wants the customer to confirm the payment (3-D Secure).</summary>
    AuthenticationRequired,

    /// <summary>Lost, stolen, or suspected of fraud.</summary>
    LostOrFraud,

    /// <summary>The card or account cannot be used for this: wrong data, closed, not supported.</summary>
    CardNotUsable,

    /// <summary>The bank or the network did not answer as it should: nothing is wrong with the card.</summary>
    BankNotReached,

    /// <summary>The customer told the bank to stop paying.</summary>
    Revoked,

    /// <summary>A code that none of these has.</summary>
    Other,
}

/// <summary>
/// Stripe's codes in groups. Sources: docs.stripe.com/declines/codes, docs.stripe.com/error-codes, and docs.stripe.com/declines/network-codes for the networks' two characters, which
/// <c>outcome.network_decline_code</c> has where Stripe gives no reason of its own. <see cref="Declines"/> says what follows for the e-mails; this is for counting.
/// </summary>
public static class DeclineGroups
{
    // The first attempt is told as a failed charge and as a failed payment intent, and where a second card is tried at once by two of each.
    private static readonly TimeSpan FirstAttempt = TimeSpan.FromHours(1);

    private static readonly FrozenDictionary<string, DeclineGroup> Groups = new (DeclineGroup Group, string[] Codes)[]
    {
        (DeclineGroup.InsufficientFunds, ["insufficient_funds", "card_velocity_exceeded", "withdrawal_count_limit_exceeded", "51", "61", "65"]),
        (DeclineGroup.CardExpired, ["expired_card", "54"]),
        (DeclineGroup.Declined,
        [
            "generic_decline", "do_not_honor", "call_issuer", "do_not_try_again", "no_action_taken", "not_permitted", "transaction_not_allowed", "approve_with_id",
            "card_declined", "payment_intent_payment_attempt_failed", "05",
        ]),
        (DeclineGroup.AuthenticationRequired,
        [
            "authentication_required", "authentication_not_handled", "mobile_device_authentication_required", "payment_intent_authentication_failure", "setup_intent_authentication_failure",
            "invoice_payment_intent_requires_action", "subscription_payment_intent_requires_action", "1A",
        ]),
        (DeclineGroup.LostOrFraud, ["lost_card", "stolen_card", "pickup_card", "fraudulent", "merchant_blacklist", "security_violation", "highest_risk_level", "elevated_risk_level", "rule", "04", "07", "41", "43", "59"]),
        (DeclineGroup.CardNotUsable,
        [
            "incorrect_number", "invalid_number", "incorrect_cvc", "invalid_cvc", "incorrect_zip", "incorrect_address", "invalid_expiry_month", "invalid_expiry_year", "invalid_account", "invalid_amount",
            "card_not_supported", "currency_not_supported", "restricted_card", "service_not_allowed", "new_account_information_available", "previously_declined_do_not_retry",
            "incorrect_pin", "invalid_pin", "pin_try_exceeded", "offline_pin_required", "online_or_offline_pin_required", "testmode_decline", "test_mode_live_card", "live_mode_test_card",
            "account_closed", "bank_account_closed", "no_account", "bank_account_unusable", "debit_not_authorized", "payment_method_unactivated", "missing", "12", "14", "15", "46", "57", "62",
        ]),
        (DeclineGroup.BankNotReached, ["processing_error", "issuer_not_available", "try_again_later", "reenter_transaction", "duplicate_transaction", "91", "96"]),
        (DeclineGroup.Revoked, ["revocation_of_authorization", "revocation_of_all_authorizations", "stop_payment_order", "R0", "R1", "R3"]),
    }.SelectMany(group => group.Codes.Select(code => (code, group.Group))).ToFrozenDictionary(p => p.code, p => p.Group, StringComparer.OrdinalIgnoreCase);

    /// <summary>The group of a decline: the bank's reason decides, else Stripe's error code.</summary>
    /// <param name="code">Stripe's error code, for example <c>card_declined</c>.</param>
    /// <param name="declineCode">The bank's reason, for example <c>insufficient_funds</c>, or the network's two characters.</param>
    public static DeclineGroup Of(string? code, string? declineCode) =>
        declineCode is not null ? Groups.GetValueOrDefault(declineCode, DeclineGroup.Other)
        : code is null ? DeclineGroup.Unknown : Groups.GetValueOrDefault(code, DeclineGroup.Other);

    /// <summary>
    /// The group of an invoice's first failed attempt, from all failures of its customer, in any order: those that name it or its payment, and where none does (since basil) those of its amount within
    /// a day of it; of these the first attempt's, and the first that has a reason. Where the bank wished for a confirmation, and nothing failed at that attempt, it is of that group.
    /// </summary>
    public static DeclineGroup OfFirst(Invoice invoice, IEnumerable<PaymentFailure> failures)
    {
        var own = failures.Where(f => f.InvoiceId == invoice.Id || (f.PaymentIntentId is not null && f.PaymentIntentId == invoice.PaymentIntentId)).ToList();
        // Which of the two was the first attempt; what fails days after a wish for a confirmation is another.
        var asked = invoice.ActionRequiredAt is { } wish && !(invoice.FirstFailedAt < wish) ? invoice.ActionRequiredAt : null;
        if (own.Count == 0 && (asked ?? invoice.FirstFailedAt) is { } failed)
            own = [.. failures.Where(f => f.InvoiceId is null && f.Amount == invoice.Latest?.AmountDue && f.Currency == invoice.Latest.Currency && (f.At - failed).Duration() < TimeSpan.FromDays(1))];
        if (own.Count > 0 && own.Min(f => f.At) is var first && !(first - asked > FirstAttempt))
        {
            var groups = own.Where(f => f.At - first <= FirstAttempt).Select(f => (f.At, HasReason: f.DeclineCode is not null, Group: Of(f.Code, f.DeclineCode)))
                .Where(f => f.Group != DeclineGroup.Unknown).OrderByDescending(f => f.HasReason).ThenBy(f => f.At).ThenBy(f => f.Group).ToList();
            if (groups.Count > 0) return groups[0].Group;
        }
        return asked is null ? DeclineGroup.Unknown : DeclineGroup.AuthenticationRequired;
    }
}
