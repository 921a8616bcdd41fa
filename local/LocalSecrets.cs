using System.Security.Cryptography;
using RetentionFunctions.Local.Sandbox;
using RetentionFunctions.Settings;
using RetentionFunctions.Storage;

namespace RetentionFunctions.Local;

/// <summary>
/// The secrets that a fresh clone lacks, made once for each data folder, so that the first event can be sent without setting anything.
/// They are good for this machine's folder only; what the founder sets is used instead.
/// </summary>
/// <param name="WebhookSecret">A signing secret in Stripe's form.</param>
/// <param name="WriteKey">A write key for app events.</param>
/// <param name="MailKey">The sandbox's own key for events of e-mails, beside those of SendGrid that the founder sets; null in folders of earlier versions.</param>
public sealed record LocalSecrets(string WebhookSecret, string WriteKey, SandboxMailKey? MailKey = null)
{
    // What begins so was made here, and is nothing that Stripe or an app knows.
    private const string MadeWebhookSecret = "whsec_local_";
    private const string MadeWriteKey = "local_";

    /// <summary>Fills what the settings lack. Returns the key with which the sandbox signs events of e-mails.</summary>
    public static async Task<SandboxMailKey> FillAsync(RetentionSettings settings, ITables tables, CancellationToken cancel = default)
    {
        var made = new LocalSecrets($"{MadeWebhookSecret}{RandomNumberGenerator.GetHexString(32, lowercase: true)}", $"{MadeWriteKey}{RandomNumberGenerator.GetHexString(16, lowercase: true)}", SandboxMailKey.Make());
        var kept = (await tables.ChangeAsync<LocalSecrets>(Keys.Account("local-secrets"), known => known is null ? made : known.MailKey is null ? known with { MailKey = made.MailKey } : null, cancel))!;
        if (settings.Stripe.WebhookSecrets.Count == 0) settings.Stripe.WebhookSecrets = [kept.WebhookSecret];
        settings.AppEvents.WriteKey ??= kept.WriteKey;
        settings.Email.SendGrid.EventPublicKeys = [.. settings.Email.SendGrid.EventPublicKeys, kept.MailKey!.Public];
        return kept.MailKey;
    }

    /// <summary>No signing secret was set: Stripe's events cannot be taken yet.</summary>
    public static bool LacksWebhookSecret(RetentionSettings settings) => settings.Stripe.WebhookSecrets.All(secret => secret.StartsWith(MadeWebhookSecret, StringComparison.Ordinal));

    /// <summary>The write key that was made here, which may be shown; null where the founder set one.</summary>
    public static string? WriteKeyMade(RetentionSettings settings) => settings.AppEvents.WriteKey is { } key && key.StartsWith(MadeWriteKey, StringComparison.Ordinal) ? key : null;
}
