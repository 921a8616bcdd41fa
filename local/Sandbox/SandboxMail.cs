using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using RetentionFunctions.Email;
using RetentionFunctions.Intake.Mail;
using RetentionFunctions.Local.Sqlite;

namespace RetentionFunctions.Local.Sandbox;

/// <summary>The key with which the sandbox signs as SendGrid does.</summary>
/// <param name="Private">PKCS #8, base64.</param>
/// <param name="Public">As SendGrid shows its own: SubjectPublicKeyInfo, base64.</param>
public sealed record SandboxMailKey(string Private, string Public)
{
    /// <summary>A new one.</summary>
    public static SandboxMailKey Make()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        return new SandboxMailKey(Convert.ToBase64String(key.ExportPkcs8PrivateKey()), Convert.ToBase64String(key.ExportSubjectPublicKeyInfo()));
    }
}

/// <summary>What the customer does with an e-mail of the outbox, reported as SendGrid does: signed, to the host's own door.</summary>
public sealed class SandboxMail(LocalAddress address, SqliteOutbox outbox, SandboxMailKey signing, TimeProvider clock) : IDisposable
{
    // On a simulated clock no time passes between two calls; a customer who opens and clicks at once would be taken for a scanner.
    private static readonly TimeSpan Delivery = TimeSpan.FromSeconds(2), Reading = TimeSpan.FromMinutes(2), Deciding = TimeSpan.FromMinutes(3);

    private readonly HttpClient http = new(new SocketsHttpHandler { UseProxy = false });

    /// <summary>Reports something of an e-mail. The same report again is a copy.</summary>
    /// <param name="mailId">Its id in the outbox.</param>
    /// <param name="happened">SendGrid's name of the event, or <c>blocked</c> for a bounce that is for now.</param>
    /// <param name="at">When; null: now, and at the earliest when a customer could have done it.</param>
    /// <param name="link">The link that is clicked; null: the first of the e-mail.</param>
    /// <param name="cancel">Gives up.</param>
    /// <returns>What the door answered; null where there is no such e-mail.</returns>
    public async Task<(HttpStatusCode Status, string Text)?> ReportAsync(string mailId, string happened, DateTimeOffset? at = null, string? link = null, CancellationToken cancel = default)
    {
        if (await outbox.GetAsync(mailId, cancel) is not { } sent) return null;
        var earliest = sent.SentAt + (happened switch { "processed" => TimeSpan.Zero, "open" => Reading, "click" => Deciding, _ => Delivery });
        var when = (at ?? (clock.GetUtcNow() > earliest ? clock.GetUtcNow() : earliest)).ToUnixTimeSeconds();
        var e = new JsonObject
        {
            ["email"] = sent.Email.To.Address,
            ["timestamp"] = when,
            ["event"] = happened == "blocked" ? "bounce" : happened,
            ["sg_event_id"] = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{mailId}\n{happened}\n{link}\n{when.ToString(CultureInfo.InvariantCulture)}")), 0, 16),
            ["sg_message_id"] = $"{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(mailId)), 0, 11)}.sandbox.0",
        };
        foreach (var (name, value) in MailArguments.Of(sent.Email)) e[name] = value;
        if (happened is "bounce" or "blocked") e["type"] = happened;
        if (happened == "bounce") e["reason"] = "550 5.1.1 there is no such mailbox (sandbox)";
        if (happened == "click") e["url"] = link ?? sent.Email.Links.Values.FirstOrDefault() ?? "https://app.example.com";

        var body = Encoding.UTF8.GetBytes(new JsonArray(e).ToJsonString());
        var timestamp = clock.GetUtcNow().ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture);
        using var key = ECDsa.Create();
        key.ImportPkcs8PrivateKey(Convert.FromBase64String(signing.Private), out _);
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(address.Root, "/sendgrid/events")) { Content = new ByteArrayContent(body) };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        request.Headers.TryAddWithoutValidation(SendGridSignature.TimestampHeader, timestamp);
        request.Headers.TryAddWithoutValidation(SendGridSignature.SignatureHeader, SendGridSignature.Sign(body, timestamp, key));
        using var answer = await http.SendAsync(request, cancel);
        return (answer.StatusCode, await answer.Content.ReadAsStringAsync(cancel));
    }

    /// <inheritdoc/>
    public void Dispose() => http.Dispose();
}
