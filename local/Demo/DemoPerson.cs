using System.Globalization;
using RetentionFunctions.Local.Sandbox;

namespace RetentionFunctions.Local.Demo;

/// <summary>A customer of the demo company: what was drawn at birth, and how life stands.</summary>
internal sealed class DemoPerson
{
    private readonly List<(DateOnly From, double Level)> presence = [];

    public required int Index { get; init; }

    public required DemoKind Kind { get; init; }

    public required string Name { get; init; }

    public required string Email { get; init; }

    public required string Company { get; init; }

    public required string Channel { get; init; }

    public required string Industry { get; init; }

    public required string Country { get; init; }

    public required TimeZoneInfo Zone { get; init; }

    public required DateTimeOffset SignsUpAt { get; init; }

    /// <summary>The plan at sign-up; never changes.</summary>
    public required DemoPlan FirstPlan { get; init; }

    /// <summary>Uses <see cref="DemoTruths.Feature"/> from the first week on.</summary>
    public required bool UsesTruthFeature { get; init; }

    /// <summary>The other core features that this customer uses at all.</summary>
    public required IReadOnlyList<string> Features { get; init; }

    public required SandboxCard Card { get; init; }

    /// <summary>Tries the product without giving a card first, where the plan has a trial.</summary>
    public required bool TriesWithoutCard { get; init; }

    /// <summary>The card network renews the card before it expires, without anybody's doing.</summary>
    public required bool CardRenewsItself { get; init; }

    public string CustomerId => $"cus_Demo{Index:D5}";

    public string UserId => $"demo-user-{Index:D5}";

    public string SubscriptionId => $"sub_Demo{Index:D5}_{Subscriptions.ToString(CultureInfo.InvariantCulture)}";

    /// <summary>How many subscriptions there were, the present one included.</summary>
    public int Subscriptions { get; set; } = 1;

    public DemoPlan Plan { get; set; } = DemoPlan.All[0];

    public int Quantity { get; set; } = 1;

    public bool SignedUp { get; set; }

    /// <summary>The subscription runs: it has begun and has not ended.</summary>
    public bool Subscribed { get; set; }

    public bool CancelScheduled { get; set; }

    /// <summary>Asked to be forgotten, and was.</summary>
    public bool Erased { get; set; }

    /// <summary>In the middle of something: no second thing begins until then.</summary>
    public DateTimeOffset BusyUntil { get; set; }

    /// <summary>The moment of making up one's mind to leave; null: never did. A payment that is never fixed is no such decision.</summary>
    public DateTimeOffset? DecidedToLeaveAt { get; set; }

    /// <summary>The invoice that failed and is not paid yet.</summary>
    public string? OpenInvoice { get; set; }

    /// <summary>The renewal that was paid last, which a refund or a dispute is about.</summary>
    public string? LastPaidInvoice { get; set; }

    /// <summary>The card that will be put in when the present one is refused.</summary>
    public SandboxCard NextCard => Card with { Last4 = (1000 + (int.Parse(Card.Last4, CultureInfo.InvariantCulture) * 7 + 13) % 9000).ToString(CultureInfo.InvariantCulture), ExpYear = Card.ExpYear + 4 };

    /// <summary>What an e-mail of a flow makes this customer do, by flow and step.</summary>
    public Dictionary<(string Flow, int Step), DemoReaction> Reactions { get; } = [];

    /// <summary>The way from the present use to none, if it is being gone: what a return calls off.</summary>
    public int Drift { get; set; }

    /// <summary>How much of the usual use there is on a day, 0 to 1.</summary>
    public double Level(DateOnly day)
    {
        var level = 0.0;
        foreach (var (from, to) in presence)
        {
            if (from > day) break;
            level = to;
        }
        return level;
    }

    /// <summary>From a day on, use is at this level; what was planned for later is forgotten.</summary>
    public void Uses(DateOnly from, double level)
    {
        presence.RemoveAll(p => p.From >= from);
        presence.Add((from, level));
    }

    /// <summary>Comes less and less over ten days, and then no more.</summary>
    public void FadesOut(DateOnly from)
    {
        Uses(from, .65);
        presence.Add((from.AddDays(4), .3));
        presence.Add((from.AddDays(10), 0));
    }

    /// <summary>The monthly chance of making up one's mind to leave, truths included; at most 1.</summary>
    public double LeavesMonthly(DemoTruths truths) => Math.Min(1, Kind.Leaves
        * (Channel == truths.Channel ? truths.ChannelFactor : 1)
        * (FirstPlan.Key == truths.Plan ? truths.PlanFactor : 1)
        * (UsesTruthFeature ? truths.FeatureFactor : 1));

    /// <summary>Draws a customer. The sign-ups are spread over the first nine tenths of the year, three in ten of them in the first month: the company opened with a waiting list.</summary>
    public static DemoPerson Draw(ulong seed, int index, DateTimeOffset startsAt, int days)
    {
        var random = DemoRandom.Of(seed, index, "person");
        var kind = random.Pick(DemoKind.All, k => k.Share);
        var first = random.Pick(DemoMarket.FirstNames);
        var last = random.Pick(DemoMarket.LastNames);
        var trade = random.Pick(DemoMarket.Trades);
        var (country, zone, _) = random.Pick(DemoMarket.Countries, c => c.Share);
        var plan = random.Pick(DemoPlan.All, p => p.Share * (kind == DemoKind.Agency && p.Key == "starter" ? 0 : kind == DemoKind.PriceSensitive && p.Key.StartsWith("team", StringComparison.Ordinal) ? .2 : 1));
        var opening = Math.Max(1, days / 12);
        var day = random.Chance(.30) ? random.Whole(0, opening - 1) : random.Whole(opening, Math.Max(opening, days * 9 / 10));
        var signsUpAt = startsAt.AddDays(day).AddMinutes(random.Whole(7 * 60, 21 * 60));
        // Most cards outlive the year; one in seven expires within it.
        var expires = random.Chance(.14) ? signsUpAt.AddDays(random.Whole(40, 330)) : startsAt.AddYears(random.Whole(2, 4));
        // Streams of their own: what was drawn before stays as it was.
        var withoutCard = DemoRandom.Of(seed, index, "without a card");
        var renews = DemoRandom.Of(seed, index, "renews itself");
        var features = DemoMarket.Features.Where((_, i) => random.Chance(i == 0 ? .9 : .5)).ToList();
        return new DemoPerson
        {
            Index = index,
            Kind = kind,
            Name = $"{first} {last}",
            Email = $"{first}.{last}.{index.ToString(CultureInfo.InvariantCulture)}@{last}-{trade}.example".ToLowerInvariant(),
            Company = $"{last} {trade}",
            Channel = random.Pick(DemoMarket.Channels, c => c.Share).Name,
            Industry = random.Pick(DemoMarket.Industries),
            Country = country,
            Zone = TimeZoneInfo.FindSystemTimeZoneById(zone),
            SignsUpAt = signsUpAt,
            FirstPlan = plan,
            Plan = plan,
            Quantity = kind == DemoKind.Agency ? random.Whole(2, 6) : kind == DemoKind.SteadyTeam ? random.Whole(1, 3) : 1,
            UsesTruthFeature = random.Chance(.45),
            Features = features.Count > 0 ? features : ["Search"],
            TriesWithoutCard = plan.TrialDays > 0 && withoutCard.Chance(.15),
            CardRenewsItself = renews.Chance(.6),
            Card = new SandboxCard(random.Chance(.6) ? "visa" : "mastercard", random.Whole(1000, 9999).ToString(CultureInfo.InvariantCulture), expires.Month, expires.Year),
        };
    }
}

/// <summary>What a customer does about an e-mail.</summary>
/// <param name="Does">What.</param>
/// <param name="AfterHours">How long after the e-mail.</param>
/// <param name="Detail">The months of a pause, the key of an answer.</param>
internal sealed record DemoReaction(DemoDeed Does, int AfterHours, string? Detail = null);

/// <summary>The deeds that an e-mail can move a customer to.</summary>
internal enum DemoDeed
{
    /// <summary>Follows the link to pay, puts in another card and pays.</summary>
    Pays,

    /// <summary>Says "I'm back" by the link, and is.</summary>
    Returns,

    /// <summary>Opens the app, without any link of ours to press a button behind.</summary>
    OpensApp,

    /// <summary>Pauses by the link.</summary>
    Pauses,

    /// <summary>Wants no more such e-mails.</summary>
    Unsubscribes,

    /// <summary>Answers the one question.</summary>
    Answers,
}
