using RetentionFunctions.Backup;
using RetentionFunctions.Customers;
using RetentionFunctions.Email;
using RetentionFunctions.Flows;
using RetentionFunctions.Health;
using RetentionFunctions.Insight;
using RetentionFunctions.Intake.App;

namespace RetentionFunctions.Settings;

/// <summary>All settings. Each room owns its part; <c>retention.json</c>, environment variables and user secrets fill it, in this order.</summary>
public sealed class RetentionSettings
{
    /// <summary>The founder's product.</summary>
    public ProductSettings Product { get; set; } = new();

    /// <summary>What comes from Stripe.</summary>
    public StripeSettings Stripe { get; set; } = new();

    /// <summary>What comes from the app.</summary>
    public AppEventSettings AppEvents { get; set; } = new();

    /// <summary>Who may look at the pages and the JSON API.</summary>
    public AdminSettings Admin { get; set; } = new();

    /// <summary>The addresses and limits of the HTTP pipeline.</summary>
    public WebSettings Web { get; set; } = new();

    /// <summary>Who e-mails are from.</summary>
    public EmailSettings Email { get; set; } = new();

    /// <summary>How MRR and value tiers are counted.</summary>
    public CustomerSettings Customers { get; set; } = new();

    /// <summary>How figures are put together.</summary>
    public InsightSettings Insight { get; set; } = new();

    /// <summary>How health is scored.</summary>
    public HealthSettings Health { get; set; } = new();

    /// <summary>When the daily sweep runs.</summary>
    public SweepSettings Sweep { get; set; } = new();

    /// <summary>The flows.</summary>
    public FlowSettings Flows { get; set; } = new();

    /// <summary>The monthly review.</summary>
    public ReviewSettings Review { get; set; } = new();

    /// <summary>How the nightly backups are kept.</summary>
    public BackupSettings Backup { get; set; } = new();
}

/// <summary>The founder's product, as customers know it.</summary>
public sealed class ProductSettings
{
    /// <summary>Its name, in subjects and bodies.</summary>
    public string Name { get; set; } = "Acme";

    /// <summary>Where customers use it: the "back to the app" link. An absolute http(s) address.</summary>
    public string Url { get; set; } = "https://app.example.com";

    /// <summary>The founder's name, who signs the e-mails.</summary>
    public string FounderName { get; set; } = "Robin";

    /// <summary>The business's own IANA time zone: the sweep's hour and the fallback for customers without one.</summary>
    public string TimeZone { get; set; } = "UTC";
}

/// <summary>What comes from Stripe.</summary>
public sealed class StripeSettings
{
    /// <summary>The endpoint's signing secrets (<c>whsec_…</c>); two at once while one is rotated. A secret: environment or user secrets, never <c>retention.json</c>.</summary>
    public IReadOnlyList<string> WebhookSecrets { get; set; } = [];

    /// <summary>Which mode's events are taken. With <c>Auto</c> the first event that comes decides, for good.</summary>
    public StripeModeSetting Mode { get; set; } = StripeModeSetting.Auto;

    /// <summary>Seconds by which the signature's time may differ from the host's clock, either way. Stripe's own libraries use 300.</summary>
    public int ToleranceSeconds { get; set; } = 300;

    /// <summary>Years of invoices that the backfill reads: what they tell of each subscription's past becomes its MRR ledger.</summary>
    public int HistoryYears { get; set; } = 2;
}

/// <summary>Which mode's events are taken.</summary>
public enum StripeModeSetting
{
    /// <summary>That of the first event.</summary>
    Auto,

    /// <summary>Test mode only.</summary>
    Test,

    /// <summary>Live mode only.</summary>
    Live,
}

/// <summary>Who may look.</summary>
public sealed class AdminSettings
{
    /// <summary>The key of the pages and the JSON API, at least 8 characters. Null: open, on loopback only. A secret.</summary>
    public string? Key { get; set; }
}

/// <summary>The addresses and limits of the HTTP pipeline.</summary>
public sealed class WebSettings
{
    /// <summary>The address under which customers reach the links in e-mails; null: the address the host listens on.</summary>
    public string? PublicUrl { get; set; }

    /// <summary>Largest body of a Stripe event, in bytes. Stripe's events stay well below; Service Bus carries the key of larger bodies.</summary>
    public int MaxStripeBodyBytes { get; set; } = 1024 * 1024;

    /// <summary>Largest body of an app-event request, in bytes. Segment's own limit for a batch is 500 KB.</summary>
    public int MaxAppBodyBytes { get; set; } = 512 * 1024;

    /// <summary>Largest body of a request with events of e-mails, in bytes. SendGrid gathers up to 768 KB.</summary>
    public int MaxMailBodyBytes { get; set; } = 1024 * 1024;
}

/// <summary>How MRR and value tiers are counted (DEFINITIONS).</summary>
public sealed class CustomerSettings
{
    /// <summary>Days for which a past-due subscription still counts as paying.</summary>
    public int PastDueDays { get; set; } = 30;

    /// <summary>Whether discounts that end by themselves (<c>once</c>, <c>repeating</c>) reduce MRR too. Stripe's default: only <c>forever</c> does.</summary>
    public bool TemporaryDiscountsReduceMrr { get; set; }

    /// <summary>Share of paying customers, by MRR, in tier A.</summary>
    public double TierAShare { get; set; } = 0.20;

    /// <summary>Share of paying customers in tier B.</summary>
    public double TierBShare { get; set; } = 0.30;

    /// <summary>
    /// Traits that are kept of each customer so that cohorts can be split by them, from the app's <c>identify</c> or the metadata of the Stripe customer; plan and country are kept in any case.
    /// One that is added here is kept from then on.
    /// </summary>
    public IReadOnlyList<string> Traits { get; set; } = ["channel"];

    /// <summary>MRR in minor units from which a customer is in tier A whatever the share, by currency.</summary>
    public Dictionary<string, long> TierAFrom { get; set; } = new() { ["usd"] = 10_000 };
}

/// <summary>When the daily sweep runs.</summary>
public sealed class SweepSettings
{
    /// <summary>The hour, 0–23, in the product's time zone.</summary>
    public int Hour { get; set; } = 6;
}

/// <summary>The flows.</summary>
public sealed class FlowSettings
{
    /// <summary>Live sends; preview lists what would be sent.</summary>
    public FlowMode Mode { get; set; } = FlowMode.Live;

    /// <summary>Most marketing runs started on one day: never a flood after set-up or import.</summary>
    public int MaxStartsPerDay { get; set; } = 50;

    /// <summary>Days without sign-in or core use after which a paying customer is silent.</summary>
    public int SilentDays { get; set; } = 30;

    /// <summary>Use against the customer's own baseline, as a share, at or below which it has fallen too far; for customers seen in the last week, the others are silent.</summary>
    public double UseFellTo { get; set; } = 0.5;

    /// <summary>How many days Stripe keeps retrying a failed payment in this account, where the founder knows; null: learned from each invoice's <c>next_payment_attempt</c>.</summary>
    public int? RetryWindowDays { get; set; }

    /// <summary>The flows by name.</summary>
    public Dictionary<string, FlowDefinition> Definitions { get; set; } = FlowDefaults.Definitions();
}

/// <summary>Whether flows send.</summary>
public enum FlowMode
{
    /// <summary>E-mails go out.</summary>
    Live,

    /// <summary>What would be sent is listed, nothing goes out.</summary>
    Preview,
}
