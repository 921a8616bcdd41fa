using RetentionFunctions.Settings;
using RetentionFunctions.Storage;

namespace RetentionFunctions.Local;

/// <summary>What the terminal says after the start: where to look, and how to send the first event.</summary>
internal static class Welcome
{
    private const string SignedIn = "{\"userId\":\"user-1\",\"event\":\"Signed In\",\"context\":{\"traits\":{\"email\":\"ada@example.com\"}}}";

    public static async Task<string> TextAsync(WebApplication app, LocalOptions options, string? file)
    {
        var settings = app.Services.GetRequiredService<RetentionSettings>();
        var clock = app.Services.GetRequiredService<LocalClock>();
        var root = app.Services.GetRequiredService<LocalAddress>().Root.GetLeftPart(UriPartial.Authority);
        var time = clock.IsSimulated ? $"simulated, at {clock.GetUtcNow():yyyy-MM-dd HH:mm} UTC; the bar on each page moves it" : "the real one";
        var secret = LocalSecrets.LacksWebhookSecret(settings) ? "\n  then start this again with Stripe__WebhookSecrets__0=whsec_…, the secret that it prints, and:" : "";
        // Stripe signs with the real time, and a signature is good for some minutes of the host's own.
        var stripe = clock.IsSimulated ? " (on the real clock, so without --clock and with another --data; here events must be signed at the simulated time)" : "";
        var empty = await LocalHost.HasEventsAsync(app.Services.GetRequiredService<ITables>()) ? "" : $"""


            Nobody is here yet. To see it work first, press "Play a demo year" on {root}, or stop this and run:
              dotnet run --project local -- --demo --data .demo
            """;
        return $"""

            RetentionFunctions runs on {root}
              settings  {file ?? "the defaults: there is no retention.json here or above"}
              data      {Path.GetFullPath(options.DataFolder)}
              clock     {time}
              sandbox   {root}/local/sandbox stands in for Stripe: pay, change the card, cancel as a customer would{empty}

            Send the first Stripe event{stripe}:
              stripe listen --forward-to {root}/stripe/webhook{secret}
              stripe trigger customer.subscription.created

            Send the first app event; it joins the Stripe customer who has the same e-mail address:
              curl -u {LocalSecrets.WriteKeyMade(settings) ?? "YOUR_WRITE_KEY"}: {root}/v1/track -H 'Content-Type: application/json' \
                -d '{SignedIn}'

            Ctrl+C stops it.
            """;
    }
}
