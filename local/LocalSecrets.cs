using System.Security.Cryptography;
using RetentionFunctions.Settings;
using RetentionFunctions.Storage;

namespace RetentionFunctions.Local;

/// <summary>
/// The secrets that a fresh clone lacks, made once for each data folder, so that the first event can be sent without setting anything.
/// They are good for this machine's folder only; what the founder sets is used instead.
/// </summary>
/// <param name="WebhookSecret">A signing secret in Stripe's form.</param>
/// <param name="WriteKey">A write key for app events.</param>
public sealed record LocalSecrets(string WebhookSecret, string WriteKey)
{
    // What begins so was made here, and is nothing that Stripe or an app knows.
    private const string MadeWebhookSecret = "whsec_local_";
    private const string MadeWriteKey = "local_";

    /// <summary>Fills what the settings lack.</summary>
    public static async Task FillAsync(RetentionSettings settings, ITables tables, CancellationToken cancel = default)
    {
        if (settings.Stripe.WebhookSecrets.Count > 0 && settings.AppEvents.WriteKey is not null) return;
        var made = new LocalSecrets($"{MadeWebhookSecret}{RandomNumberGenerator.GetHexString(32, lowercase: true)}", $"{MadeWriteKey}{RandomNumberGenerator.GetHexString(16, lowercase: true)}");
        var kept = await tables.ChangeAsync<LocalSecrets>(Keys.Account("local-secrets"), known => known is null ? made : null, cancel);
        if (settings.Stripe.WebhookSecrets.Count == 0) settings.Stripe.WebhookSecrets = [kept!.WebhookSecret];
        settings.AppEvents.WriteKey ??= kept!.WriteKey;
    }

    /// <summary>No signing secret was set: Stripe's events cannot be taken yet.</summary>
    public static bool LacksWebhookSecret(RetentionSettings settings) => settings.Stripe.WebhookSecrets.All(secret => secret.StartsWith(MadeWebhookSecret, StringComparison.Ordinal));

    /// <summary>The write key that was made here, which may be shown; null where the founder set one.</summary>
    public static string? WriteKeyMade(RetentionSettings settings) => settings.AppEvents.WriteKey is { } key && key.StartsWith(MadeWriteKey, StringComparison.Ordinal) ? key : null;
}
