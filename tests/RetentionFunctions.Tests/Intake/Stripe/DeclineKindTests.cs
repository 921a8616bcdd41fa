using RetentionFunctions.Customers;

namespace RetentionFunctions.Tests.Intake.Stripe;

public class DeclineKindTests
{
    [Theory]
    [InlineData("card_declined", "insufficient_funds", DeclineKind.Soft)]
    [InlineData("card_declined", "do_not_honor", DeclineKind.Soft)]
    [InlineData("card_declined", "generic_decline", DeclineKind.Soft)]
    [InlineData("processing_error", null, DeclineKind.Soft)]
    [InlineData("card_declined", "a_code_of_tomorrow", DeclineKind.Soft)]
    [InlineData("card_declined", "51", DeclineKind.Soft)]
    [InlineData(null, null, DeclineKind.Soft)]
    [InlineData("card_declined", "lost_card", DeclineKind.Hard)]
    [InlineData("card_declined", "stolen_card", DeclineKind.Hard)]
    [InlineData("card_declined", "pickup_card", DeclineKind.Hard)]
    [InlineData("card_declined", "fraudulent", DeclineKind.Hard)]
    [InlineData("card_declined", "highest_risk_level", DeclineKind.Hard)]
    [InlineData("card_declined", "transaction_not_allowed", DeclineKind.Hard)]
    [InlineData("incorrect_number", null, DeclineKind.Hard)]
    [InlineData("incorrect_cvc", "incorrect_cvc", DeclineKind.Hard)]
    [InlineData("card_declined", "14", DeclineKind.Hard)]
    [InlineData("expired_card", null, DeclineKind.ExpiredCard)]
    [InlineData("expired_card", "generic_decline", DeclineKind.ExpiredCard)]
    [InlineData("card_declined", "expired_card", DeclineKind.ExpiredCard)]
    [InlineData("invalid_expiry_year", null, DeclineKind.Hard)]
    [InlineData("invalid_expiry_month", null, DeclineKind.Hard)]
    [InlineData("authentication_required", "authentication_required", DeclineKind.AuthenticationRequired)]
    [InlineData("card_declined", "authentication_not_handled", DeclineKind.AuthenticationRequired)]
    [InlineData("card_declined", "revocation_of_authorization", DeclineKind.Revoked)]
    [InlineData("card_declined", "revocation_of_all_authorizations", DeclineKind.Revoked)]
    [InlineData("card_declined", "stop_payment_order", DeclineKind.Revoked)]
    [InlineData("card_declined", "R1", DeclineKind.Revoked)]
    public void A_decline_is_of_the_kind_that_its_codes_say(string? code, string? declineCode, DeclineKind kind) => Assert.Equal(kind, Declines.Kind(code, declineCode));
}
