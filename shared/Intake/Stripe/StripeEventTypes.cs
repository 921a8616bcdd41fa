using System.Collections.Frozen;

namespace RetentionFunctions.Intake.Stripe;

/// <summary>The types of Stripe event that mean something here. All others are answered 200, counted and not queued.</summary>
public static class StripeEventTypes
{
    /// <summary>Each handled type with one sentence of what it means to the business.</summary>
    public static IReadOnlyDictionary<string, string> Meanings { get; } = new Dictionary<string, string>(StringComparer.Ordinal)
    {
        ["customer.created"] = "Someone became a customer: from now on there is a name and an address to write to.",
        ["customer.updated"] = "The customer's name, address or default card changed.",
        ["customer.deleted"] = "The founder deleted the customer: nothing is ever sent to it again.",
        ["customer.subscription.created"] = "A subscription began, perhaps with a trial: it may be new MRR.",
        ["customer.subscription.updated"] = "A subscription changed its status, plan, quantity, discount, pause or planned end: MRR may move.",
        ["customer.subscription.deleted"] = "A subscription is over: its MRR has churned.",
        ["customer.subscription.paused"] = "A subscription stands still, by a pause or because a trial ended without a card.",
        ["customer.subscription.resumed"] = "A subscription that stood still runs again.",
        ["customer.subscription.trial_will_end"] = "A trial ends in three days, and then the customer pays or leaves.",
        ["invoice.created"] = "An invoice was drafted: its subscription and amount are known from here on.",
        ["invoice.finalized"] = "An invoice can be paid now: its number and its page to pay exist.",
        ["invoice.paid"] = "An invoice was paid, by whatever means: its dunning ends.",
        ["invoice.payment_succeeded"] = "An invoice was paid; the older name of the same news.",
        ["invoice.payment_failed"] = "A payment for an invoice failed: dunning begins or goes on.",
        ["invoice.payment_action_required"] = "The bank wants the customer to confirm the payment: ask for that instead of a new card.",
        ["invoice.upcoming"] = "A renewal is a few days away: its amount and date are known.",
        ["invoice.voided"] = "The founder took an invoice back: nobody owes it any more.",
        ["invoice.marked_uncollectible"] = "An invoice was given up as bad debt.",
        ["invoice_payment.paid"] = "A payment settled an invoice: how versions since 2025 name the payment.",
        ["charge.failed"] = "An attempt to charge a card failed, with the bank's reason.",
        ["charge.refunded"] = "The founder gave money back, in part or in whole.",
        ["charge.dispute.created"] = "The customer disputes a payment at the bank: a strong sign of leaving.",
        ["payment_intent.payment_failed"] = "An attempt to pay failed, with the bank's reason.",
        ["payment_method.attached"] = "The customer put in a way to pay: a new card.",
        ["payment_method.updated"] = "A card on file was changed by the customer or the founder.",
        ["payment_method.automatically_updated"] = "The card network renewed the card on file: no need to ask the customer.",
        ["payment_method.card_automatically_updated"] = "The card network renewed the card on file; the name of it before 2020.",
        ["customer.source.expiring"] = "A card on file expires at the end of the month.",
        ["checkout.session.completed"] = "Someone finished a checkout: the app's own id of the customer comes with it.",
    }.ToFrozenDictionary(StringComparer.Ordinal);
}
