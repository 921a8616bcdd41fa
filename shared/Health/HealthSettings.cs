using RetentionFunctions.Intake.App;

namespace RetentionFunctions.Health;

/// <summary>
/// How health is scored. The defaults below, each with its reason, are merged over by <c>retention.json</c> by key: what is not named there stays.
/// The weights are judgement, not measurement, until the back-test has something to say about them.
/// </summary>
public sealed class HealthSettings
{
    /// <summary>The weights of the four dimensions at each stage.</summary>
    public Dictionary<Stage, HealthProfile> Profiles { get; set; } = DefaultProfiles();

    /// <summary>
    /// The signals by name: the built-in ones, and under the same name those of <c>AppEvents:Signals</c>. Weight 0 switches one off.
    /// </summary>
    public Dictionary<string, HealthSignal> Signals { get; set; } = DefaultSignals();

    /// <summary>What is new in the product, for the adoption of it: names as in the property <c>feature</c> of core uses.</summary>
    public List<NewFeature> NewFeatures { get; set; } = [];

    /// <summary>
    /// The score, 0–100, of a customer of whom nothing is known that has a weight. 70: in the middle of "low risk", so that such a customer
    /// is neither counted among the healthy nor raises an alarm.
    /// </summary>
    public int NothingKnownScore { get; set; } = 70;

    /// <summary>What is wrong, each with its key as in configuration, the problem in words, and an example that would be right.</summary>
    /// <param name="app">Where given, signals that are neither built in nor defined there are reported too.</param>
    public IEnumerable<(string Key, string Problem, string Example)> Validate(AppEventSettings? app = null)
    {
        foreach (var stage in Enum.GetValues<Stage>())
        {
            if (!Profiles.TryGetValue(stage, out var profile))
            {
                yield return ($"Health:Profiles:{stage}", "is missing", "{ \"Use\": 60, \"Service\": 12, \"Commercial\": 20, \"Engagement\": 8 }");
                continue;
            }
            var weights = Enum.GetValues<Dimension>().Select(d => (Dimension: d, Weight: profile.WeightOf(d))).ToList();
            foreach (var (dimension, weight) in weights)
                if (!(weight >= 0 && double.IsFinite(weight))) yield return ($"Health:Profiles:{stage}:{dimension}", "must be 0 or more", "25");
            if (weights.All(w => w.Weight == 0)) yield return ($"Health:Profiles:{stage}", "needs a dimension with a weight above 0", "\"Use\": 60");
        }

        foreach (var (name, signal) in Signals)
        {
            var key = $"Health:Signals:{name}";
            var isBuiltIn = HealthSignals.BuiltIn.ContainsKey(name);
            if (!(signal.Weight >= 0 && double.IsFinite(signal.Weight))) yield return ($"{key}:Weight", "must be 0 or more", "10");
            if (!Enum.IsDefined(signal.Dimension)) yield return ($"{key}:Dimension", "is no dimension", "Use");
            if (!HealthCurve.TryParse(signal.Curve, out _, out var problem)) yield return ($"{key}:Curve", problem, "0:0, 50:40, 90:100");
            if (signal.Days is < 1 or > Activity.DaysKept) yield return ($"{key}:Days", $"must be 1 to {Activity.DaysKept}: no more days are kept", "30");
            if (signal.WhenMissing is { } assumed && !double.IsFinite(assumed)) yield return ($"{key}:WhenMissing", "must be a number", "0");
            if (isBuiltIn && signal.WhenMissing is not null) yield return ($"{key}:WhenMissing", "is for signals of your own: what the built-in ones do not know is unknown", "leave it out");
            if (!isBuiltIn && app is not null && !app.Signals.Keys.Contains(name, StringComparer.OrdinalIgnoreCase))
                yield return (key, $"is neither built in ({string.Join(", ", HealthSignals.BuiltIn.Keys)}) nor defined under AppEvents:Signals", $"\"AppEvents\": {{ \"Signals\": {{ \"{name}\": {{ \"Event\": \"Report Exported\" }} }} }}");
        }

        for (var i = 0; i < NewFeatures.Count; i++)
        {
            if (string.IsNullOrWhiteSpace(NewFeatures[i].Name)) yield return ($"Health:NewFeatures:{i}:Name", "is empty", "export");
            if (NewFeatures[i].Since == default) yield return ($"Health:NewFeatures:{i}:Since", "is missing: the day since when customers have it", "2026-01-31");
        }

        if (NothingKnownScore is < 0 or > 100) yield return ("Health:NothingKnownScore", "must be 0 to 100", "70");
    }

    private static Dictionary<Stage, HealthProfile> DefaultProfiles() => new()
    {
        [Stage.Onboarding] = new()
        {
            Use = 65, Service = 10, Commercial = 15, Engagement = 10,
            Why = "In the first week nothing tells as much as whether the product is used at all; there is hardly any commercial history, and few e-mails went out.",
        },
        [Stage.Habit] = new()
        {
            Use = 60, Service = 12, Commercial = 20, Engagement = 8,
            Why = "Until day 90 the habit forms or does not; payments begin to say something. Who stops using the product altogether is at high risk (under 40) though nothing else is wrong: use must outweigh the rest together.",
        },
        [Stage.Value] = new()
        {
            Use = 60, Service = 10, Commercial = 22, Engagement = 8,
            Why = "Later, payments, renewals and plan changes tell more than before; still, who stopped using the product altogether is at high risk though every invoice is paid.",
        },
    };

    private static Dictionary<string, HealthSignal> DefaultSignals() => new(StringComparer.OrdinalIgnoreCase)
    {
        // Use. x of the first three: percent of the customer's own use per day in the 60 days before.
        ["signIns"] = new(Dimension.Use, 20, "sign-ins", "0:0, 50:40, 90:100",
            "Half of one's own habit is the mark at which win-back begins, so it stands clearly below the middle; ten percent is ordinary variation."),
        ["minutes"] = new(Dimension.Use, 15, "minutes of use", "0:0, 50:40, 90:100",
            "Like sign-ins; less weight because sessions are measured less reliably (open tabs)."),
        ["coreUses"] = new(Dimension.Use, 20, "core feature uses", "0:0, 50:40, 90:100",
            "Depth: what customers pay for. Against their own habit, since what is much differs by product and customer."),
        // x: days.
        ["daysSinceSeen"] = new(Dimension.Use, 25, "days since last active", "3:100, 7:80, 14:50, 30:0",
            "The most telling single fact. A long weekend costs nothing; at 30 days the customer is silent by our own definition. Needs no history."),
        // x: percent of the days.
        ["activeDays"] = new(Dimension.Use, 10, "active days", "0:0, 7:50, 14:75, 30:100",
            "Once a week on one or two days is regular for most business tools; one day in fourteen is not. Needs no history, so new customers have it too."),
        // x: core features.
        ["breadth"] = new(Dimension.Use, 10, "breadth of features", "0:0, 1:60, 2:85, 3:100",
            "Who uses several core features is harder to replace; beyond three there is little to add, and small products have no more."),

        // Service. x: standard deviations from the usual number in 30 days, either way.
        ["tickets"] = new(Dimension.Service, 40, "tickets", "-4:40, -2:60, -1:100, 1:100, 2:70, 4:20, 6:0",
            "Unusually many is trouble; suddenly none where there were some is a customer who stopped caring, less surely so. Within one deviation is chance."),
        // x: hours.
        ["resolutionHours"] = new(Dimension.Service, 25, "resolution time", "24:100, 72:60, 168:0",
            "A day is what customers of a small company expect; after a week the answer has lost its use."),
        // x: percent.
        ["satisfaction"] = new(Dimension.Service, 35, "satisfaction", "20:0, 60:40, 80:90, 100:100",
            "4 of 5 stars is content; 3 of 5 is what people give who would not say it; 20 % is the worst on five stars."),

        // Commercial. x: share of the subscriptions, 0–1.
        ["cancellation"] = new(Dimension.Commercial, 35, "cancellation", "0:100, 1:0",
            "A scheduled cancellation is the customer's own word."),
        // x: invoices.
        ["openInvoices"] = new(Dimension.Commercial, 25, "open invoices", "0:100, 1:30, 2:0",
            "An unpaid invoice ends in involuntary churn where nothing happens."),
        ["failedPayments"] = new(Dimension.Commercial, 15, "failed payments", "0:100, 1:70, 2:40, 3:0",
            "A card that failed fails again more often than others; once is common. An open one counts here too: it failed now."),
        // x: percent of MRR.
        ["planMovement"] = new(Dimension.Commercial, 10, "plan movement", "-50:0, -20:50, 0:100",
            "Contraction is often the step before leaving. Expansion makes up for it but is no bonus: staying on a plan is no fault."),
        // x: days.
        ["tenure"] = new(Dimension.Commercial, 10, "tenure", "0:60, 30:70, 90:85, 365:100",
            "Customers leave most in their first months; who stayed a year has a reason to."),
        ["renewal"] = new(Dimension.Commercial, 5, "yearly renewal", "0:50, 30:100",
            "A yearly renewal is a decision; it is no fault of the customer, so it weighs little."),

        // Engagement. x: percent.
        ["emailOpens"] = new(Dimension.Engagement, 25, "e-mail opens", "0:0, 20:60, 40:100",
            "Average open rates of software companies are around 20–40 %. Mail apps that open by themselves blur it: little weight."),
        ["emailClicks"] = new(Dimension.Engagement, 35, "e-mail clicks", "0:60, 5:90, 10:100",
            "A click is a person, but most e-mails get none, so none is only a little worse than average (2–5 %)."),
        ["adoption"] = new(Dimension.Engagement, 40, "adoption of new features", "0:40, 50:80, 100:100",
            "Who tries what is new has plans with the product. Not to do so is common."),
    };
}

/// <summary>The weights of the dimensions at one stage. They need not add up to 100: what counts is their proportion.</summary>
public sealed class HealthProfile
{
    /// <summary>Weight of product use.</summary>
    public double Use { get; set; }

    /// <summary>Weight of service.</summary>
    public double Service { get; set; }

    /// <summary>Weight of the commercial dimension.</summary>
    public double Commercial { get; set; }

    /// <summary>Weight of engagement.</summary>
    public double Engagement { get; set; }

    /// <summary>The reason for the numbers.</summary>
    public string Why { get; set; } = "";

    /// <summary>The weight of a dimension.</summary>
    internal double WeightOf(Dimension dimension) => dimension switch
    {
        Dimension.Use => Use,
        Dimension.Service => Service,
        Dimension.Commercial => Commercial,
        _ => Engagement,
    };
}

/// <summary>One signal: its place, its weight, its curve and the reason for the numbers.</summary>
public sealed class HealthSignal
{
    // One reference, so that scorings side by side see either all of it or none.
    private HealthCurve? parsed;

    /// <summary>A signal of the founder's own, to be filled by the settings.</summary>
    public HealthSignal() { }

    internal HealthSignal(Dimension dimension, double weight, string label, string curve, string why)
    {
        Dimension = dimension;
        Weight = weight;
        Label = label;
        Curve = curve;
        Why = why;
    }

    /// <summary>The dimension it belongs to.</summary>
    public Dimension Dimension { get; set; }

    /// <summary>Its weight within the dimension, 0 or more; what counts is the proportion.</summary>
    public double Weight { get; set; }

    /// <summary>What it is called in reasons; null: its name in the settings.</summary>
    public string? Label { get; set; }

    /// <summary>From value to score: pairs <c>x:score</c> with ascending x, scores 0–100, straight lines between, level outside. One text, so that a new one replaces the default as a whole.</summary>
    public string Curve { get; set; } = "";

    /// <summary>The reason for the numbers.</summary>
    public string Why { get; set; } = "";

    /// <summary>For signals of the founder's own: over how many days events are counted, summed, or their greatest value is taken; 1–90.</summary>
    public int Days { get; set; } = 30;

    /// <summary>For signals of the founder's own: the value where nothing came in the 90 days kept. Null: unknown, and its weight goes to the other signals.</summary>
    public double? WhenMissing { get; set; }

    /// <summary>The score at a value.</summary>
    /// <exception cref="InvalidOperationException">The curve is none; <see cref="HealthSettings.Validate"/> would have said so.</exception>
    internal double ScoreAt(double value)
    {
        if (parsed is { } known && known.Text == Curve) return known.At(value);
        if (!HealthCurve.TryParse(Curve, out var curve, out var problem)) throw new InvalidOperationException($"Curve '{Curve}': {problem}.");
        parsed = curve;
        return curve.At(value);
    }
}

/// <summary>A feature that is new.</summary>
public sealed class NewFeature
{
    /// <summary>Its name, as in the property <c>feature</c> of core uses; case does not matter.</summary>
    public string Name { get; set; } = "";

    /// <summary>The day since when customers have it.</summary>
    public DateOnly Since { get; set; }
}
