using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using RetentionFunctions.Intake.Mail;

namespace RetentionFunctions.Tests.Support;

/// <summary>SendGrid as the door sees it: events in its documented form, signed by its key.</summary>
internal static class MailProvider
{
    private static readonly ECDsa Key = ECDsa.Create(ECCurve.NamedCurves.nistP256);

    public static string PublicKey { get; } = Convert.ToBase64String(Key.ExportSubjectPublicKeyInfo());

    /// <summary>An event about an e-mail of the outbox.</summary>
    public static JsonObject Event(string mailId, string name, DateTimeOffset at, string? type = null, string? reason = null, string? url = null, bool? machine = null)
    {
        var e = new JsonObject
        {
            ["email"] = "ada@example.com", ["timestamp"] = at.ToUnixTimeSeconds(), ["event"] = name, ["smtp-id"] = "<one@example.com>",
            ["sg_event_id"] = Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes($"{mailId} {name} {at:O} {url}")))[..22] + "/==", ["sg_message_id"] = "aBcDeF.recvd-1-2-3.0",
            ["retention_mail"] = mailId, ["ip"] = "203.0.113.7", ["useragent"] = "Mozilla/5.0",
        };
        if (type is not null) e["type"] = type;
        if (reason is not null) e["reason"] = reason;
        if (url is not null) e["url"] = url;
        if (machine is not null) e["sg_machine_open"] = machine;
        return e;
    }

    /// <summary>Delivers events in one request, signed at the host's time, and lets everything that follows happen.</summary>
    public static async Task MailAsync(this TestHost host, params JsonObject[] events)
    {
        using var answer = await host.SendMailAsync(Body(events));
        Assert.True(answer.StatusCode == HttpStatusCode.OK, await answer.Content.ReadAsStringAsync());
        await host.SettleAsync();
    }

    public static byte[] Body(params JsonObject[] events) => Encoding.UTF8.GetBytes(new JsonArray([.. events.Select(e => e.DeepClone())]).ToJsonString());

    public static Task<HttpResponseMessage> SendMailAsync(this TestHost host, byte[] body, DateTimeOffset? signedAt = null, string? signature = null, ECDsa? key = null) =>
        host.Http.SendAsync(Request(body, signedAt ?? host.Now, "", signature, key));

    /// <summary>The request that brings a body, signed at a time.</summary>
    public static HttpRequestMessage Request(byte[] body, DateTimeOffset signedAt, string root, string? signature = null, ECDsa? key = null)
    {
        var timestamp = signedAt.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture);
        // What the documentation says, written down once more: a mistake in the reader's own would not be seen otherwise.
        signature ??= Convert.ToBase64String((key ?? Key).SignData([.. Encoding.ASCII.GetBytes(timestamp), .. body], HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence));
        var request = new HttpRequestMessage(HttpMethod.Post, $"{root}/sendgrid/events") { Content = new ByteArrayContent(body) };
        request.Headers.TryAddWithoutValidation(SendGridSignature.TimestampHeader, timestamp);
        if (signature.Length > 0) request.Headers.TryAddWithoutValidation(SendGridSignature.SignatureHeader, signature);
        return request;
    }
}
