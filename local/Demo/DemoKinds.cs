using RetentionFunctions.Local.Sandbox;

namespace RetentionFunctions.Local.Demo;

/// <summary>
/// How a kind of customer behaves. Chances are by month of life unless said otherwise; they are invented, chosen so that the year of such a company lies between
/// a good and a serious churn rate (DEFINITIONS, "Bands") and every page has something to show.
/// </summary>
/// <param name="Name">As it stands in the traits of the demo's users.</param>
/// <param name="Share">How many of all customers are so; all shares add up to 1.</param>
/// <param name="Weekday">Chance of use on a day from Monday to Friday.</param>
/// <param name="Weekend">Chance of use on a Saturday or Sunday.</param>
/// <param name="Features">Uses of core features on a day of use, about.</param>
/// <param name="Minutes">Minutes of a session, about.</param>
/// <param name="Hour">Local hour at which the day of use begins, about.</param>
/// <param name="Leaves">Chance of making up one's mind to leave, before the truths of <see cref="DemoTruths"/>.</param>
/// <param name="Quietly">Of those who leave, the share that just stops coming; the others cancel while they still use it.</param>
/// <param name="Drifts">Chance of going quiet for a while without meaning to leave.</param>
/// <param name="Fails">Chance that the card begins to be refused.</param>
/// <param name="Fixes">Share of the refused who pay by the link of an e-mail.</param>
/// <param name="Grows">Chance of moving to a larger plan or more seats.</param>
/// <param name="Saves">Chance of moving to a smaller plan, asking for a discount, or pausing.</param>
/// <param name="Tickets">Chance of opening a ticket, by day of use.</param>
/// <param name="Reasons">The feedback codes of Stripe that they choose when cancelling.</param>
internal sealed record DemoKind(
    string Name, double Share, double Weekday, double Weekend, double Features, int Minutes, int Hour, double Leaves, double Quietly, double Drifts,
    double Fails, double Fixes, double Grows, double Saves, double Tickets, string[] Reasons)
{
    public static readonly DemoKind SteadyTeam = new("steady team", .27, .92, .06, 1.9, 45, 9, .010, .3, .012, .025, .75, .05, .01, .006, ["switched_service", "other"]);
    public static readonly DemoKind WeekendTinkerer = new("weekend tinkerer", .13, .22, .85, 1.7, 70, 14, .025, .7, .05, .03, .6, .01, .02, .004, ["unused", "too_complex"]);
    public static readonly DemoKind BurntOutEnthusiast = new("enthusiast who burns out", .12, .97, .70, 3.2, 95, 8, .055, .9, .10, .02, .6, .03, .01, .010, ["unused", "missing_features"]);
    public static readonly DemoKind PriceSensitive = new("price-sensitive", .14, .70, .15, 1.4, 25, 10, .045, .25, .03, .05, .5, .005, .10, .006, ["too_expensive", "too_expensive", "switched_service"]);
    public static readonly DemoKind Seasonal = new("seasonal", .10, .80, .25, 1.7, 40, 10, .020, .6, .14, .02, .7, .01, .09, .004, ["unused", "other"]);
    public static readonly DemoKind LostCard = new("careless with cards", .08, .82, .15, 1.6, 35, 11, .015, .4, .02, .17, .6, .02, .01, .004, ["unused"]);
    public static readonly DemoKind Agency = new("agency", .10, .95, .20, 3.0, 80, 9, .015, .2, .008, .02, .85, .10, .01, .030, ["customer_service", "missing_features", "low_quality"]);
    public static readonly DemoKind Taster = new("only tasting", .06, .55, .30, 1.2, 12, 16, .16, .6, .05, .03, .3, .005, .03, .010, ["too_complex", "unused", "missing_features"]);

    public static readonly IReadOnlyList<DemoKind> All = [SteadyTeam, WeekendTinkerer, BurntOutEnthusiast, PriceSensitive, Seasonal, LostCard, Agency, Taster];
}

/// <summary>
/// What is true of the people of a demo year, planted so that later pages can find it: each factor multiplies the monthly chance of leaving, whatever the kind.
/// Nothing else about channel, plan, industry, country or features has any influence on leaving.
/// </summary>
/// <param name="Channel">Customers of this channel leave more often …</param>
/// <param name="ChannelFactor">… by this factor.</param>
/// <param name="Plan">Customers who signed up on this plan leave more often …</param>
/// <param name="PlanFactor">… by this factor.</param>
/// <param name="Feature">Customers who use this feature from their first week on leave less often …</param>
/// <param name="FeatureFactor">… by this factor.</param>
internal sealed record DemoTruths(string Channel, double ChannelFactor, string Plan, double PlanFactor, string Feature, double FeatureFactor)
{
    public static readonly DemoTruths Planted = new("ads", 4.0, "starter", 1.8, "Integrations", 0.45);
}

/// <summary>A plan of the demo company's price list.</summary>
/// <param name="Key">In the metadata and traits.</param>
/// <param name="Share">How many sign up on it.</param>
/// <param name="Price">Its price.</param>
/// <param name="TrialDays">Free days at the start.</param>
internal sealed record DemoPlan(string Key, double Share, SandboxPrice Price, int TrialDays)
{
    public static readonly IReadOnlyList<DemoPlan> All =
    [
        new("starter", .34, new("price_starter", "Starter", 1900, "usd", "month"), 0),
        new("pro", .32, new("price_pro", "Pro", 4900, "usd", "month"), 14),
        new("team", .18, new("price_team", "Team", 9900, "usd", "month"), 14),
        new("pro-yearly", .11, new("price_pro_year", "Pro, yearly", 49000, "usd", "year"), 0),
        new("team-yearly", .05, new("price_team_year", "Team, yearly", 99000, "usd", "year"), 0),
    ];
}

/// <summary>Where the demo's customers come from, and what they do.</summary>
internal static class DemoMarket
{
    public static readonly IReadOnlyList<(string Name, double Share)> Channels = [("search", .30), ("ads", .26), ("referral", .18), ("content", .16), ("partner", .10)];

    public static readonly IReadOnlyList<string> Industries = ["e-commerce", "education", "healthcare", "marketing", "software", "non-profit", "real estate"];

    public static readonly IReadOnlyList<(string Country, string Zone, double Share)> Countries =
    [
        ("US", "America/New_York", .26), ("US", "America/Los_Angeles", .14), ("GB", "Europe/London", .14), ("DE", "Europe/Berlin", .14), ("FR", "Europe/Paris", .07),
        ("NL", "Europe/Amsterdam", .06), ("CA", "America/Toronto", .07), ("AU", "Australia/Sydney", .06), ("IN", "Asia/Kolkata", .06),
    ];

    public static readonly IReadOnlyList<string> Features = ["Reports", "Automations", "Templates", "Exports", "Comments", "Search"];

    public static readonly IReadOnlyList<string> FirstNames =
    [
        "Amira", "Ben", "Carla", "Dmitri", "Elena", "Farid", "Grace", "Hanna", "Ivan", "Jonas", "Kavya", "Liam", "Mei", "Noah", "Olga", "Priya", "Quentin", "Rosa", "Sven", "Tara",
        "Umar", "Vera", "Wanda", "Xavier", "Yuki", "Zoe", "Aiko", "Bruno", "Chloe", "Diego",
    ];

    public static readonly IReadOnlyList<string> LastNames =
    [
        "Andersen", "Becker", "Costa", "Dubois", "Evans", "Fischer", "Garcia", "Hughes", "Ito", "Jansen", "Kumar", "Lopez", "Murphy", "Novak", "Okafor", "Patel", "Quinn", "Rossi", "Sato", "Torres",
        "Ueda", "Visser", "Weber", "Xu", "Young", "Zimmer", "Ahmed", "Bauer", "Clark", "Dias",
    ];

    public static readonly IReadOnlyList<string> Trades = ["studio", "works", "labs", "partners", "goods", "academy", "clinic", "homes", "media", "supply"];
}
