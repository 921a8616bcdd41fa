using System.Net.Mail;
using RetentionFunctions.Backup;
using RetentionFunctions.Customers;
using RetentionFunctions.Email;
using RetentionFunctions.Flows;
using RetentionFunctions.Insight;
using RetentionFunctions.Intake.App;

namespace RetentionFunctions.Settings;

/// <summary>What a single setting may be, whatever the others are. The same table checks values and bounds the schema.</summary>
/// <param name="Owner">The type that declares it.</param>
/// <param name="Property">Its property. Of a list or a dictionary the rule is about each value.</param>
internal sealed record SettingRule(Type Owner, string Property)
{
    /// <summary>The least number, if it is one.</summary>
    public double? Min { get; init; }

    /// <summary>The greatest number.</summary>
    public double? Max { get; init; }

    /// <summary>Why these bounds, as the end of a sentence.</summary>
    public string? Because { get; init; }

    /// <summary>What is wrong with a text; null where nothing is.</summary>
    public Func<string, string?>? Wrong { get; init; }

    /// <summary>The format in the words of JSON Schema, where it has one.</summary>
    public string? Format { get; init; }

    /// <summary>A right value, where the default is none.</summary>
    public string? Example { get; init; }

    /// <summary>Never in <c>retention.json</c>, which is committed; never shown.</summary>
    public bool Secret { get; init; }
}

/// <summary>The rules of single settings.</summary>
internal static class SettingRules
{
    private const int KiB = 1024;

    public static IReadOnlyList<SettingRule> All { get; } =
    [
        new(typeof(ProductSettings), nameof(ProductSettings.Name)) { Wrong = Blank, Example = "Acme" },
        new(typeof(ProductSettings), nameof(ProductSettings.Url)) { Wrong = NotWebAddress, Format = "uri" },
        new(typeof(ProductSettings), nameof(ProductSettings.FounderName)) { Wrong = Blank, Example = "Ada" },
        new(typeof(ProductSettings), nameof(ProductSettings.TimeZone)) { Wrong = NotTimeZone, Example = "Europe/Berlin" },

        new(typeof(StripeSettings), nameof(StripeSettings.WebhookSecrets)) { Secret = true, Wrong = NotWebhookSecret, Example = "whsec_…" },
        new(typeof(StripeSettings), nameof(StripeSettings.HistoryYears)) { Min = 1, Max = 10, Because = "the invoices of each subscription are handled together" },
        new(typeof(StripeSettings), nameof(StripeSettings.ToleranceSeconds)) { Min = 1, Max = 3600, Because = "0 would switch the check off, and within an hour a recorded request can be sent again" },

        new(typeof(AppEventSettings), nameof(AppEventSettings.WriteKey)) { Secret = true, Wrong = Blank, Example = "a-key-of-your-own" },
        // 8 characters: NIST's least for a secret that people choose (SP 800-63B, 5.1.1.1); wrong keys are limited to ten a minute.
        new(typeof(AdminSettings), nameof(AdminSettings.Key)) { Secret = true, Wrong = text => text.Length < 8 ? $"has {text.Length} characters; it needs at least 8" : null, Example = "0123456789abcdef-or-better" },

        new(typeof(WebSettings), nameof(WebSettings.PublicUrl)) { Wrong = NotWebAddress, Format = "uri", Example = "https://retention.example.com" },
        new(typeof(WebSettings), nameof(WebSettings.MaxStripeBodyBytes)) { Min = 256 * KiB, Max = 16 * 1024 * KiB, Because = "events with many lines reach some hundred KB, and each is held in memory while its signature is checked" },
        // 500 KB: Segment's documented limit of one batch, which its SDKs fill.
        new(typeof(WebSettings), nameof(WebSettings.MaxAppBodyBytes)) { Min = 500 * 1000, Max = 16 * 1024 * KiB, Because = "Segment's SDKs send batches of up to 500 KB" },

        // 768 KB: the size up to which SendGrid gathers events for one request (its overview of the Event Webhook).
        new(typeof(WebSettings), nameof(WebSettings.MaxMailBodyBytes)) { Min = 768 * KiB, Max = 16 * 1024 * KiB, Because = "SendGrid gathers up to 768 KB of events for one request" },

        new(typeof(EmailSettings), nameof(EmailSettings.FromName)) { Wrong = NotOneLine, Example = "Ada from Acme" },
        new(typeof(EmailSettings), nameof(EmailSettings.From)) { Wrong = NotEmail, Format = "email" },
        new(typeof(EmailSettings), nameof(EmailSettings.BillingFromName)) { Wrong = NotOneLine, Example = "Acme Billing" },
        new(typeof(EmailSettings), nameof(EmailSettings.BillingFrom)) { Wrong = NotEmail, Format = "email" },
        new(typeof(EmailSettings), nameof(EmailSettings.ReplyTo)) { Wrong = NotEmail, Format = "email", Example = "ada@example.com" },
        new(typeof(EmailSettings), nameof(EmailSettings.PostalAddress)) { Wrong = Blank },

        new(typeof(SendGridSettings), nameof(SendGridSettings.EventPublicKeys)) { Wrong = NotEventKey, Example = "MFkwEwYHKoZIzj0CAQYI…" },
        new(typeof(SendGridSettings), nameof(SendGridSettings.ToleranceSeconds)) { Min = 60, Max = 7 * 24 * 3600, Because = "clocks differ by seconds, and SendGrid repeats for a day" },
        new(typeof(EngagementSettings), nameof(EngagementSettings.OpenSeconds)) { Min = 0, Max = 3600, Because = "it counts seconds after delivery" },
        new(typeof(EngagementSettings), nameof(EngagementSettings.ClickSeconds)) { Min = 0, Max = 3600, Because = "it counts seconds after delivery" },
        new(typeof(EngagementSettings), nameof(EngagementSettings.BurstSeconds)) { Min = 0, Max = 60, Because = "it counts seconds between clicks" },
        new(typeof(EngagementSettings), nameof(EngagementSettings.BurstLinks)) { Min = 2, Max = 50, Because = "one link alone is what a customer clicks" },

        new(typeof(CustomerSettings), nameof(CustomerSettings.PastDueDays)) { Min = 0, Max = 365, Because = "it counts days" },
        new(typeof(CustomerSettings), nameof(CustomerSettings.TierAShare)) { Min = 0, Max = 1, Because = "it is a share of all paying customers" },
        new(typeof(CustomerSettings), nameof(CustomerSettings.TierBShare)) { Min = 0, Max = 1, Because = "it is a share of all paying customers" },
        new(typeof(CustomerSettings), nameof(CustomerSettings.Traits)) { Wrong = CustomerTraits.WrongName, Example = "channel" },
        new(typeof(CustomerSettings), nameof(CustomerSettings.TierAFrom)) { Min = 0, Because = "MRR is never below 0" },

        new(typeof(ReviewSettings), nameof(ReviewSettings.Email)) { Wrong = NotEmail, Format = "email", Example = "ada@example.com" },
        new(typeof(BackupSettings), nameof(BackupSettings.Keep)) { Min = 0, Max = 30, Because = "what is older than 35 days is deleted on Azure in any case; 0 makes none" },
        new(typeof(SweepSettings), nameof(SweepSettings.Hour)) { Min = 0, Max = 23, Because = "it is an hour of the day" },

        new(typeof(FlowSettings), nameof(FlowSettings.MaxStartsPerDay)) { Min = 0, Max = 100_000, Because = "it counts starts; 0 starts none" },
        new(typeof(FlowSettings), nameof(FlowSettings.SilentDays)) { Min = 1, Max = 365, Because = "it counts days without use" },
        new(typeof(FlowSettings), nameof(FlowSettings.UseFellTo)) { Min = 0, Max = 1, Because = "it is a share of the customer's own baseline" },
        // Stripe's Smart Retries run for one week to two months.
        new(typeof(FlowSettings), nameof(FlowSettings.RetryWindowDays)) { Min = 1, Max = 62, Because = "Stripe retries for two months at most", Example = "14" },

        new(typeof(FlowDefinition), nameof(FlowDefinition.HoldOut)) { Min = 0, Max = 1, Because = "it is a share of the customers: 0.1 holds out a tenth" },
        new(typeof(FlowDefinition), nameof(FlowDefinition.CooldownDays)) { Min = 0, Max = 3650, Because = "it counts days" },
        new(typeof(FlowDefinition), nameof(FlowDefinition.PersonalNoteDays)) { Min = 0, Max = 30, Because = "it counts days, and the flow waits for them" },
        new(typeof(FlowStep), nameof(FlowStep.Day)) { Min = 0, Max = 365, Because = "it counts days after the first e-mail" },
        new(typeof(FlowStep), nameof(FlowStep.Template)) { Wrong = Blank, Example = "win-back-1" },
        new(typeof(SendWindow), nameof(SendWindow.FromHour)) { Min = 0, Max = 23, Because = "it is an hour of the day" },
        new(typeof(SendWindow), nameof(SendWindow.ToHour)) { Min = 1, Max = 24, Because = "it is the hour before which e-mails go out" },
    ];

    private static readonly Dictionary<(Type, string), SettingRule> ByProperty = All.ToDictionary(rule => (rule.Owner, rule.Property));

    public static SettingRule? Of(Type owner, string property) => ByProperty.GetValueOrDefault((owner, property));

    /// <summary>Whether a value can only be a secret, wherever it stands: the prefixes of Stripe's and SendGrid's keys.</summary>
    public static bool LooksSecret(string value) =>
        new[] { "whsec_", "sk_live_", "sk_test_", "rk_live_", "rk_test_", "SG." }.Any(prefix => value.StartsWith(prefix, StringComparison.Ordinal) && value.Length >= prefix.Length + 8);

    private static string? Blank(string text) => string.IsNullOrWhiteSpace(text) ? "is empty" : null;

    // The name goes into a mail header, which ends with the line.
    private static string? NotOneLine(string text) =>
        Blank(text) ?? (text.Any(char.IsControl) ? "has a line break or another control character in it" : null);

    private static string? NotWebAddress(string text) =>
        Uri.TryCreate(text, UriKind.Absolute, out var url) && (url.Scheme == Uri.UriSchemeHttps || url.Scheme == Uri.UriSchemeHttp)
            ? null
            : $"'{text}' is not a whole web address: it begins with https:// (or http://)";

    private static string? NotEmail(string text) =>
        MailAddress.TryCreate(text, out var address) && address.Address == text && address.Host.Contains('.', StringComparison.Ordinal)
            ? null
            : $"'{text}' is not an e-mail address (only the address, the name is a setting of its own)";

    private static string? NotTimeZone(string text)
    {
        if (TimeZoneInfo.TryFindSystemTimeZoneById(text, out var zone) && (zone.HasIanaId || text == "UTC")) return null;
        return TimeZoneInfo.TryConvertWindowsIdToIanaId(text, out var iana)
            ? $"'{text}' is Windows' name of a time zone; its IANA name is '{iana}'"
            : $"'{text}' is not an IANA time zone (continent/city)";
    }

    private static string? NotEventKey(string text) =>
        Intake.Mail.SendGridSignature.IsPublicKey(text) ? null : "is not a verification key as SendGrid shows it: the base64 of a public key on the curve P-256, on one line";

    private static string? NotWebhookSecret(string text) =>
        text.StartsWith("whsec_", StringComparison.Ordinal) && text.Length > "whsec_".Length ? null : "does not begin with whsec_, as Stripe's signing secrets do (an API key is something else)";
}
