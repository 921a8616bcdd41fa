using RetentionFunctions.Links;
using RetentionFunctions.Local.Sandbox;

namespace RetentionFunctions.Local.Demo;

/// <summary>The rules by which the customers of the demo live. Each rule asks chance by its own name, see <see cref="DemoRandom"/>.</summary>
internal sealed class DemoLife(DemoCompany company)
{
    private static readonly IReadOnlyList<DemoStep> Nothing = [];

    private ulong Seed => company.Year.Seed;

    private SandboxStripe Stripe => company.Stripe;

    /// <summary>Plans the sign-up.</summary>
    public void Begin(DemoPerson person)
    {
        company.Plan(person.SignsUpAt, at => SignUp(person, at));
        company.Plan(person.SignsUpAt.AddMinutes(2), at => Subscribe(person, at));
        if (person.CardRenewsItself) company.Plan(new DateTimeOffset(person.Card.ExpYear, person.Card.ExpMonth, 12, 3, 0, 0, TimeSpan.Zero), at => CardRenewed(person, at));
        Each(person, 1);
    }

    /// <summary>The present card was refused for a renewal.</summary>
    public void PaymentFailed(DemoPerson person, string invoice, DateTimeOffset at)
    {
        if (person.OpenInvoice == invoice) return;
        person.OpenInvoice = invoice;
        var random = DemoRandom.Of(Seed, person.Index, "refused", DayOf(at));
        // One rule for all kinds: some follow the link of an e-mail, a few notice by themselves, the rest never do anything.
        if (random.Chance(person.Kind.Fixes)) person.Reactions[("dunning", random.Pick([1, 1, 1, 2, 2, 3, 4]))] = new DemoReaction(DemoDeed.Pays, random.Whole(1, 30));
        else if (random.Chance(.25)) company.Plan(at.AddHours(random.Whole(20, 130)), when => PayByOneself(person, invoice, when));
    }

    /// <summary>A trial ended and there was no card: the subscription stands still. A third had only forgotten it; the others have seen enough.</summary>
    public void TrialRanOut(DemoPerson person, DateTimeOffset at)
    {
        person.Subscribed = false;
        var random = DemoRandom.Of(Seed, person.Index, "trial ran out");
        if (random.Chance(.33))
        {
            company.Plan(at.AddHours(random.Whole(4, 200)), when => Stripe.Subscription(person.SubscriptionId) is { Status: "paused" }
                ? [.. GiveCard(person, when), .. Tell(person, Stripe.Resume(person.SubscriptionId, when))] : Nothing);
            return;
        }
        person.FadesOut(Day(at).AddDays(1));
        // What stands still costs nothing; the founder clears it away in the end.
        company.Plan(at.AddDays(60), when => Tell(person, Stripe.CancelNow(person.SubscriptionId, null, when)));
    }

    /// <summary>The subscription is over, by whose wish ever; some come back months later.</summary>
    public void SubscriptionEnded(DemoPerson person, DateTimeOffset at)
    {
        // Once a month the founder looks at what nobody will pay any more.
        if (person.OpenInvoice is { } owed) company.Plan(at.AddDays(30), when => Tell(person, Stripe.MarkUncollectible(owed, when)));
        var erased = DemoRandom.Of(Seed, person.Index, "erased", DayOf(at));
        // A few ask to be forgotten (GDPR, article 17), unless they are back by then.
        if (erased.Chance(.06)) company.Plan(at.AddDays(erased.Whole(3, 30)), when => person.Subscribed ? Nothing : Erase(person, when));
        person.Subscribed = false;
        person.CancelScheduled = false;
        person.OpenInvoice = null;
        person.Reactions.Clear();
        person.Uses(Day(at).AddDays(1), 0);
        var random = DemoRandom.Of(Seed, person.Index, "comes back", DayOf(at));
        if (random.Chance(person.Kind == DemoKind.Seasonal ? .35 : .10)) company.Plan(at.AddDays(random.Whole(35, 110)).AddMinutes(random.Whole(0, 600)), when => Resubscribe(person, when));
    }

    /// <summary>What an e-mail moves a customer to, if it is the one that does.</summary>
    public void Read(DemoPerson person, DemoMail mail, DateTimeOffset notBefore)
    {
        if (!person.Reactions.Remove((mail.Flow, mail.Step), out var reaction)) return;
        var at = mail.SentAt.AddHours(reaction.AfterHours);
        company.Plan(at > notBefore ? at : notBefore, when => React(person, mail, reaction, when));
    }

    // ------------------------------------------------------------------ month by month

    // Every thirty days of life one thing may begin; who is in the middle of something has no mind for another.
    private void Each(DemoPerson person, int month) => company.Plan(person.SignsUpAt.AddDays(30 * month - 12).AddMinutes(7), at =>
    {
        Each(person, month + 1);
        if (!person.Subscribed || person.CancelScheduled || person.BusyUntil > at || person.OpenInvoice is not null) return Nothing;
        var random = DemoRandom.Of(Seed, person.Index, "month", month);
        var roll = random.Share();
        var leaves = person.LeavesMonthly(DemoTruths.Planted);
        if (roll < leaves) return Leave(person, at, ref random);
        // The other chances share what is left, so that leaving is as likely as the truths say, whatever else a kind does.
        var other = random.Share();
        if ((other -= person.Kind.Drifts) < 0) return DriftAway(person, at, ref random);
        if ((other -= person.Kind.Fails) < 0) return CardGoesBad(person, at, ref random);
        if ((other -= person.Kind.Grows) < 0) return Grow(person, at);
        if ((other -= person.Kind.Saves) < 0) return Economise(person, at, ref random);
        if ((other -= .006) < 0) return MovesHouse(person, at, ref random);
        if ((other -= .004) < 0 && person.LastPaidInvoice is { } invoice) return Tell(person, random.Chance(.7) ? Stripe.Refund(invoice, at) : Stripe.Dispute(invoice, at));
        return Nothing;
    });

    private IEnumerable<DemoStep> SignUp(DemoPerson person, DateTimeOffset at)
    {
        person.SignedUp = true;
        person.Uses(Day(at), 1);
        return Tell(person, Stripe.CreateCustomer(person.CustomerId, person.Email, person.Name, person.Country, person.TriesWithoutCard ? null : person.Card, at, new Dictionary<string, string>
        {
            ["channel"] = person.Channel, ["industry"] = person.Industry, ["plan"] = person.FirstPlan.Key, ["company"] = person.Company,
        }));
    }

    private IEnumerable<DemoStep> Subscribe(DemoPerson person, DateTimeOffset at)
    {
        person.Subscribed = true;
        var returning = person.Subscriptions > 1;
        // Most remember to give a card before the trial ends: Stripe reminds them.
        if (!returning && person.TriesWithoutCard && DemoRandom.Of(Seed, person.Index, "gives a card") is var random && random.Chance(.6))
            company.Plan(at.AddDays(person.Plan.TrialDays).AddHours(-random.Whole(2, 60)), when => person.Subscribed ? GiveCard(person, when) : Nothing);
        return Tell(person, Stripe.Subscribe(person.CustomerId, person.SubscriptionId, person.Plan.Price, person.Quantity, at, returning ? 0 : person.Plan.TrialDays, person.Index % 3 == 0 ? person.UserId : null));
    }

    private IEnumerable<DemoStep> Resubscribe(DemoPerson person, DateTimeOffset at)
    {
        if (person.Subscribed || person.Erased) return Nothing;
        person.Subscriptions++;
        person.Uses(Day(at), 1);
        person.BusyUntil = at.AddDays(40);
        person.DecidedToLeaveAt = null;
        return [.. Tell(person, Stripe.SetCard(person.CustomerId, person.NextCard, at)), .. Subscribe(person, at)];
    }

    // ------------------------------------------------------------------ leaving and drifting

    private IEnumerable<DemoStep> Leave(DemoPerson person, DateTimeOffset at, ref DemoRandom random)
    {
        person.DecidedToLeaveAt = at;
        if (!random.Chance(person.Kind.Quietly)) return Cancel(person, at, ref random);
        var drift = StartDrift(person, at, days: 130);
        // Silence is noticed after thirty days; the five e-mails take two weeks. A good part answers them, most do not.
        var step = random.Whole(1, 5);
        var roll = random.Share();
        if (roll < .20) person.Reactions[("win-back", step)] = new DemoReaction(DemoDeed.Returns, random.Whole(1, 40));
        else if (roll < .28) person.Reactions[("win-back", step)] = new DemoReaction(DemoDeed.OpensApp, random.Whole(1, 20));
        else if (roll < .40) person.Reactions[("win-back", 5)] = new DemoReaction(DemoDeed.Pauses, random.Whole(1, 40), random.Pick(["1", "2", "3"]));
        else if (roll < .47) person.Reactions[("win-back", step)] = new DemoReaction(DemoDeed.Unsubscribes, random.Whole(1, 10));
        if (random.Chance(.25)) person.Reactions.TryAdd(("win-back", 4), new DemoReaction(DemoDeed.Answers, random.Whole(1, 24), random.Pick(AnswerOptions.All).Key));
        // The bill reminds them: in the end they cancel, unless they came back or paused in the meantime.
        company.Plan(at.AddDays(random.Whole(58, 90)), when => Still(person, drift) ? CancelNow(person, when) : Nothing);
        return Nothing;
    }

    private IEnumerable<DemoStep> DriftAway(DemoPerson person, DateTimeOffset at, ref DemoRandom random)
    {
        var drift = StartDrift(person, at, days: 100);
        if (random.Chance(.5)) person.Reactions[("win-back", random.Whole(1, 4))] = new DemoReaction(random.Chance(.5) ? DemoDeed.Returns : DemoDeed.OpensApp, random.Whole(1, 40));
        // Whom no e-mail brings back comes by oneself, sooner or later.
        company.Plan(at.AddDays(random.Whole(25, 80)), when =>
        {
            if (Still(person, drift)) ComeBack(person, when);
            return Nothing;
        });
        return Nothing;
    }

    private static int StartDrift(DemoPerson person, DateTimeOffset at, int days)
    {
        person.FadesOut(Day(at));
        person.BusyUntil = at.AddDays(days);
        return ++person.Drift;
    }

    // A return calls the drift off: it has another number then.
    private static bool Still(DemoPerson person, int drift) => person.Drift == drift && person.Subscribed;

    private static void ComeBack(DemoPerson person, DateTimeOffset at)
    {
        person.Drift++;
        person.Uses(Day(at), .9);
        person.BusyUntil = at.AddDays(25);
        foreach (var key in person.Reactions.Keys.Where(k => k.Flow == "win-back").ToList()) person.Reactions.Remove(key);
    }

    private IEnumerable<DemoStep> Cancel(DemoPerson person, DateTimeOffset at, ref DemoRandom random)
    {
        person.CancelScheduled = true;
        var reason = random.Pick(person.Kind.Reasons);
        person.FadesOut(Day(at).AddDays(random.Whole(1, 9)));
        // One in eight thinks better of it within the week.
        if (random.Chance(.125)) company.Plan(at.AddDays(random.Whole(2, 6)), when =>
        {
            if (!person.Subscribed || !person.CancelScheduled) return Nothing;
            person.CancelScheduled = false;
            ComeBack(person, when);
            return Tell(person, Stripe.UndoCancel(person.SubscriptionId, when));
        });
        return Tell(person, Stripe.CancelAtPeriodEnd(person.SubscriptionId, reason, Comment(reason, ref random), at));
    }

    private IEnumerable<DemoStep> CancelNow(DemoPerson person, DateTimeOffset at)
    {
        var random = DemoRandom.Of(Seed, person.Index, "cancels", DayOf(at));
        var reason = random.Pick(person.Kind.Reasons);
        return random.Chance(.4) ? Tell(person, Stripe.CancelNow(person.SubscriptionId, reason, at)) : Cancel(person, at, ref random);
    }

    private static string? Comment(string reason, ref DemoRandom random) => !random.Chance(.35) ? null : reason switch
    {
        "too_expensive" => "We like it, but it costs more than we get out of it at the moment.",
        "missing_features" => "We need approvals before something goes out.",
        "switched_service" => "Our accountant's suite now does this as well.",
        "unused" => "Nobody has opened it for weeks.",
        "customer_service" => "Three days for an answer is too long for us.",
        "too_complex" => "I could not get the team to use it.",
        "low_quality" => "Exports broke twice before a deadline.",
        _ => "Our project has ended.",
    };

    // ------------------------------------------------------------------ payments

    // A bank that begins to refuse a card tells nobody, Stripe included.
    private IEnumerable<DemoStep> CardGoesBad(DemoPerson person, DateTimeOffset at, ref DemoRandom random)
    {
        if (Stripe.Customer(person.CustomerId)?.Card is null) return Nothing;
        var roll = random.Share();
        Stripe.ChangeBehindTheCard(person.CustomerId, roll < .40 ? person.Card with { DeclineCode = "insufficient_funds", FailTimes = random.Whole(1, 2) }
            : roll < .60 ? person.Card with { DeclineCode = "authentication_required" }
            : roll < .80 ? person.Card with { DeclineCode = "lost_card" }
            : roll < .90 ? person.Card with { DeclineCode = "do_not_honor", FailTimes = random.Whole(2, 6) }
            : person.Card with { DeclineCode = "expired_card" }, at);
        return Nothing;
    }

    // Visa's and Mastercard's updaters tell Stripe the new dates; nobody else notices.
    private IEnumerable<DemoStep> CardRenewed(DemoPerson person, DateTimeOffset at) =>
        Stripe.Customer(person.CustomerId) is { Card: { DeclineCode: null } card } && card == person.Card ? Tell(person, Stripe.SetCard(person.CustomerId, card with { ExpYear = card.ExpYear + 4 }, at, automatically: true)) : Nothing;

    private IEnumerable<DemoStep> MovesHouse(DemoPerson person, DateTimeOffset at, ref DemoRandom random) =>
        Stripe.Customer(person.CustomerId)?.Card is null ? Nothing : Tell(person, Stripe.CorrectCard(person.CustomerId, random.Whole(10_000, 99_999).ToString(System.Globalization.CultureInfo.InvariantCulture), at));

    private IEnumerable<DemoStep> GiveCard(DemoPerson person, DateTimeOffset at) => Tell(person, Stripe.SetCard(person.CustomerId, person.Card, at));

    private IEnumerable<DemoStep> Erase(DemoPerson person, DateTimeOffset at)
    {
        person.Erased = true;
        return Tell(person, Stripe.DeleteCustomer(person.CustomerId, at));
    }

    private IEnumerable<DemoStep> PayByOneself(DemoPerson person, string invoice, DateTimeOffset at)
    {
        if (person.OpenInvoice != invoice || !person.Subscribed) return Nothing;
        return [.. Tell(person, Stripe.SetCard(person.CustomerId, person.NextCard, at)), .. Tell(person, Stripe.Pay(invoice, at))];
    }

    // ------------------------------------------------------------------ more and less

    private IEnumerable<DemoStep> Grow(DemoPerson person, DateTimeOffset at)
    {
        var next = person.Plan.Key switch { "starter" => "pro", "pro" => "team", _ => null };
        if (next is null) person.Quantity++;
        else person.Plan = DemoPlan.All.First(p => p.Key == next);
        return Tell(person, Stripe.ChangePrice(person.SubscriptionId, person.Plan.Price, person.Quantity, at));
    }

    private IEnumerable<DemoStep> Economise(DemoPerson person, DateTimeOffset at, ref DemoRandom random)
    {
        var monthly = person.Plan.Price.Interval == "month";
        var roll = random.Share();
        if (monthly && roll < .4)
        {
            // Stripe's own page: paused for the quiet season, and back after it.
            var until = at.AddMonths(random.Whole(1, 2));
            person.Uses(Day(at).AddDays(2), 0);
            person.BusyUntil = until.AddDays(20);
            company.Plan(until, when =>
            {
                if (person.Subscribed) ComeBack(person, when);
                return Nothing;
            });
            return Tell(person, Stripe.Pause(person.SubscriptionId, until, at));
        }
        if (roll < .7) return Tell(person, Stripe.ApplyCoupon(person.SubscriptionId, random.Chance(.5) ? new SandboxCoupon("stay-20", 20, null, "forever") : new SandboxCoupon("once-10-off", null, 1000, "once"), at));
        var less = person.Plan.Key switch { "team" => "pro", "pro" => "starter", _ => null };
        if (less is not null) person.Plan = DemoPlan.All.First(p => p.Key == less);
        else if (person.Quantity > 1) person.Quantity--;
        else return Nothing;
        return Tell(person, Stripe.ChangePrice(person.SubscriptionId, person.Plan.Price, person.Quantity, at));
    }

    // ------------------------------------------------------------------ e-mails

    private IEnumerable<DemoStep> React(DemoPerson person, DemoMail mail, DemoReaction reaction, DateTimeOffset at)
    {
        if (!person.Subscribed) return Nothing;
        switch (reaction.Does)
        {
            case DemoDeed.Pays:
                if (person.OpenInvoice is not { } invoice || !mail.Links.TryGetValue("pay", out var pay)) return Nothing;
                // The link leads to Stripe's page, which is the demo's own Stripe: there the new card is put in and charged.
                return [new DemoStep.Clicks(person.CustomerId, pay, []), .. PayByOneself(person, invoice, at)];
            case DemoDeed.Returns:
                if (!mail.Links.TryGetValue("return", out var back)) goto case DemoDeed.OpensApp;
                ComeBack(person, at);
                return [new DemoStep.Clicks(person.CustomerId, back, [])];
            case DemoDeed.OpensApp:
                ComeBack(person, at);
                return Nothing;
            case DemoDeed.Pauses:
                if (person.Plan.Price.Interval != "month" || person.CancelScheduled || !mail.Links.TryGetValue("pause", out var pause)) return Nothing;
                var months = reaction.Detail == "3" ? 3 : reaction.Detail == "2" ? 2 : 1;
                person.Drift++;
                person.BusyUntil = at.AddMonths(months).AddDays(30);
                company.Plan(at.AddMonths(months), when =>
                {
                    if (person.Subscribed) ComeBack(person, when);
                    return Nothing;
                });
                // The product asks Stripe for the pause: see DemoPlayer.ActAsync.
                return [new DemoStep.Clicks(person.CustomerId, pause, [KeyValuePair.Create("months", reaction.Detail!)])];
            case DemoDeed.Unsubscribes:
                return mail.Links.TryGetValue("unsubscribe", out var unsubscribe) ? [new DemoStep.Clicks(person.CustomerId, unsubscribe, [KeyValuePair.Create("List-Unsubscribe", "One-Click")])] : Nothing;
            default:
                return mail.Links.TryGetValue($"answer-{reaction.Detail}", out var answer) ? [new DemoStep.Clicks(person.CustomerId, answer, [KeyValuePair.Create("answer", reaction.Detail!)])] : Nothing;
        }
    }

    private static IReadOnlyList<DemoStep> Tell(DemoPerson person, IReadOnlyList<SandboxEvent> events) => [new DemoStep.Tells(person.CustomerId, events)];

    private static DateOnly Day(DateTimeOffset at) => DateOnly.FromDateTime(at.UtcDateTime);

    private int DayOf(DateTimeOffset at) => (int)(at - company.Year.StartsAt).TotalDays;
}
