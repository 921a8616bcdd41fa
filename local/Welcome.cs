using RetentionFunctions.Settings;

namespace RetentionFunctions.Local;

/// <summary>What the terminal says after the start: where to look, and how to send the first event.</summary>
internal static class Welcome
{
    private const string SignedIn = "{\"userId\":\"u1\",\"event\":\"Signed In\",\"context\":{\"traits\":{\"email\":\"ada@example.com\"}}}";

    public static string Text(WebApplication app)
    {
        var settings = app.Services.GetRequiredService<RetentionSettings>();
        var clock = app.Services.GetRequiredService<LocalClock>();
        var root = app.Services.GetRequiredService<LocalAddress>().Root.GetLeftPart(UriPartial.Authority);
        var time = clock.IsSimulated ? $"the simulated clock, {clock.GetUtcNow():yyyy-MM-dd HH:mm} UTC; it moves when you say so" : "the real clock";
        // A secret that the founder set is not shown; one that this folder made for itself is of no use elsewhere.
        var made = settings.AppEvents.WriteKey?.StartsWith("local_", StringComparison.Ordinal) == true;
        return $"""

            RetentionFunctions runs on {root}  ({time})

            Send the first Stripe event:
              stripe listen --forward-to {root.Replace("http://", "", StringComparison.Ordinal)}/stripe/webhook
              stripe trigger customer.subscription.created
              (start this host with Stripe__WebhookSecrets__0=whsec_…, the secret that "stripe listen" prints)

            Send the first app event:
              curl -u {(made ? settings.AppEvents.WriteKey : "YOUR_WRITE_KEY")}: {root}/v1/track -H 'Content-Type: application/json' \
                -d '{SignedIn}'

            Ctrl+C stops it.
            """;
    }
}
