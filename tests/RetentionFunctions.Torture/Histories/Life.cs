using RetentionFunctions.Local.Sandbox;

namespace RetentionFunctions.Torture.Histories;

/// <summary>A customer's life at the simulated Stripe, by the dice: what somebody might do in half a year, whatever Stripe allows of it, and the events that came of it.</summary>
internal sealed class Life
{
    private static readonly string[] Versions = ["2020-08-27", "2022-11-15", "2024-06-20", "2025-03-31.basil", "2025-09-30.clover", "2026-07-29.dahlia"];
    private static readonly string[] Declines = ["insufficient_funds", "generic_decline", "lost_card", "authentication_required", "expired_card"];
    private static readonly DateTimeOffset Begin = new(2026, 1, 5, 10, 0, 0, TimeSpan.Zero);

    private readonly Random dice;
    private readonly SandboxStripe stripe;
    private readonly List<SandboxEvent> events = [];
    private readonly List<string> subscriptions = [];
    private DateTimeOffset at = Begin;

    public Life(Random dice)
    {
        this.dice = dice;
        stripe = new SandboxStripe(new SandboxOptions
        {
            ApiVersion = dice.Pick(Versions),
            RetryDays = dice.Next(2) == 0 ? [3, 5, 7] : [1, 2],
            FinalAction = dice.Next(2) == 0 ? SandboxFinalAction.Cancel : SandboxFinalAction.MarkUnpaid,
        });
        Tell(stripe.CreateCustomer(Customer, "ada@example.com", "Ada", "GB", dice.Next(6) == 0 ? null : Card(), at, dice.Next(3) == 0 ? new Dictionary<string, string> { ["userId"] = "u-7", ["timezone"] = "Europe/Berlin" } : null));
        Try(Subscribe);
        for (var acts = dice.Next(1, 14); acts > 0; acts--)
        {
            // Often in the same second as what was before.
            at += dice.Next(4) switch { 0 => TimeSpan.Zero, 1 => TimeSpan.FromSeconds(dice.Next(3600)), _ => TimeSpan.FromHours(dice.Next(1, 30 * 24)) };
            Tell(stripe.AdvanceTo(at));
            Try(Act);
        }
        at += TimeSpan.FromDays(dice.Next(40));
        Tell(stripe.AdvanceTo(at));
    }

    /// <summary>The same in each life: its rows lie in tables of their own.</summary>
    public const string Customer = "cus_Ada";

    /// <summary>In Stripe's order.</summary>
    public IReadOnlyList<SandboxEvent> Events => events;

    /// <summary>The last that happened.</summary>
    public DateTimeOffset End => at;

    /// <summary>How Stripe itself ends it: each subscription with its status.</summary>
    public IReadOnlyDictionary<string, string> Statuses => subscriptions.ToDictionary(id => id, id => stripe.Subscription(id)!.Status);

    public bool Deleted => stripe.Customer(Customer)!.Deleted;

    private IReadOnlyList<SandboxEvent> Act()
    {
        var subscription = dice.Pick(subscriptions);
        var invoices = stripe.State(Customer)!.Invoices;
        var invoice = invoices.Count == 0 ? "in_none" : dice.Pick(invoices).Id;
        return dice.Next(20) switch
        {
            0 or 1 => Subscribe(),
            2 or 3 => stripe.ChangePrice(subscription, Price(stripe.Subscription(subscription)!.Price.Currency), dice.Next(1, 5), at),
            4 => stripe.CancelAtPeriodEnd(subscription, "unused", "Bye", at),
            5 => stripe.UndoCancel(subscription, at),
            6 => stripe.CancelNow(subscription, "too_expensive", at),
            7 or 8 => stripe.Pause(subscription, at.AddDays(dice.Next(1, 60)), at),
            9 => stripe.Resume(subscription, at),
            10 => stripe.ApplyCoupon(subscription, dice.Next(2) == 0 ? new SandboxCoupon("half", 50, null, "forever") : new SandboxCoupon("less", null, 500, dice.Next(2) == 0 ? "once" : "repeating", 2), at),
            11 => stripe.RemoveCoupon(subscription, at),
            12 or 13 => stripe.SetCard(Customer, Card(), at, automatically: dice.Next(2) == 0),
            14 => Pays(invoice),
            15 => stripe.PayInVain(invoice, Card(dice.Pick(Declines)), at),
            16 => stripe.Refund(invoice, at),
            17 => stripe.Dispute(invoice, at),
            18 => dice.Next(3) == 0 ? stripe.MarkUncollectible(invoice, at) : stripe.CorrectCard(Customer, "10115", at),
            _ => dice.Next(6) == 0 ? stripe.DeleteCustomer(Customer, at) : Fails(),
        };
    }

    private IReadOnlyList<SandboxEvent> Pays(string invoice) => stripe.Pay(invoice, at);

    // From now on the bank refuses it, once or for good.
    private IReadOnlyList<SandboxEvent> Fails()
    {
        stripe.ChangeBehindTheCard(Customer, Card(dice.Pick(Declines)), at);
        return [];
    }

    private IReadOnlyList<SandboxEvent> Subscribe()
    {
        var id = $"sub_{subscriptions.Count}";
        var told = stripe.Subscribe(Customer, id, Price(dice.Next(3) == 0 ? "eur" : "usd"), dice.Next(1, 4), at, dice.Next(3) == 0 ? dice.Next(1, 20) : 0, dice.Next(2) == 0 ? "u-7" : null);
        subscriptions.Add(id);
        return told;
    }

    private SandboxPrice Price(string currency)
    {
        var amount = dice.Pick((long[])[900, 2900, 4900, 0]);
        var (interval, count) = dice.Pick(((string, int)[])[("month", 1), ("month", 1), ("month", 3), ("year", 1)]);
        return new SandboxPrice($"price_{amount}_{interval}_{count}", $"Plan {amount}", amount, currency, interval, count);
    }

    private SandboxCard Card(string? decline = null) => new("visa", $"{dice.Next(10_000):D4}", dice.Next(1, 13), dice.Next(5) == 0 ? 2026 : 2030, decline, dice.Next(2) == 0 ? 1 : int.MaxValue);

    private void Try(Func<IReadOnlyList<SandboxEvent>> act)
    {
        try
        {
            Tell(act());
        }
        catch (SandboxRefusedException)
        {
            // Stripe would not do it either.
        }
        catch (ArgumentOutOfRangeException) when (subscriptions.Count == 0)
        {
            // Nothing to do it to: without a card no subscription began.
        }
    }

    private void Tell(IReadOnlyList<SandboxEvent> told) => events.AddRange(told);
}
