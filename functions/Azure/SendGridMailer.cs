using System.Net;
using System.Text.Json;
using RetentionFunctions.Email;
using SendGrid;
using SendGrid.Helpers.Mail;

namespace RetentionFunctions.Functions;

/// <summary>
/// Sends through SendGrid. It has no idempotency key, so the question after every failure is whether the e-mail may have gone: only what SendGrid refused in so
/// many words, or what never reached it, is certain not to have.
/// </summary>
public sealed class SendGridMailer(ISendGridClient client) : IMailer
{
    /// <inheritdoc/>
    public bool Deduplicates => false;

    /// <inheritdoc/>
    public async Task<MailOutcome> SendAsync(OutgoingEmail email, CancellationToken cancel = default)
    {
        try
        {
            var answer = await client.SendEmailAsync(Message(email), cancel);
            var body = answer.Body is null ? "" : await answer.Body.ReadAsStringAsync(cancel);
            return Outcome(answer.StatusCode, body, answer.Headers is { } headers && headers.TryGetValues("X-Message-Id", out var ids) ? ids.FirstOrDefault() : null);
        }
        catch (HttpRequestException e) when (e.HttpRequestError is HttpRequestError.NameResolutionError or HttpRequestError.ConnectionError or HttpRequestError.SecureConnectionError or HttpRequestError.ProxyTunnelError)
        {
            // There was no connection yet, so nothing was said over it.
            return new MailOutcome.NotSent($"SendGrid could not be reached: {e.Message}");
        }
        catch (Exception e) when (!cancel.IsCancellationRequested && e is HttpRequestException or OperationCanceledException or IOException)
        {
            return new MailOutcome.Unknown(e is OperationCanceledException ? "SendGrid did not answer in time" : $"The connection to SendGrid was lost: {e.Message}");
        }
    }

    /// <summary>What became of an e-mail, by SendGrid's answer.</summary>
    internal static MailOutcome Outcome(HttpStatusCode status, string body, string? messageId)
    {
        var said = $"SendGrid answered {(int)status}{Errors(body) switch { [] => "", var errors => $": {string.Join("; ", errors.Select(e => e.Field is null ? e.Message : $"{e.Message} ({e.Field})"))}" }}";
        return (int)status switch
        {
            >= 200 and < 300 => new MailOutcome.Accepted(messageId),
            // Only what is wrong with the recipient is the recipient's: it is never written to again. Whatever else SendGrid dislikes is ours to mend.
            400 when Errors(body) is { Count: > 0 } errors && errors.All(e => e.Field?.StartsWith("personalizations", StringComparison.Ordinal) == true && e.Field.Contains(".to", StringComparison.Ordinal)) => new MailOutcome.Refused(said),
            // A key that is wrong, a sender that is not verified, too many at once: refused before anything was done.
            >= 400 and < 500 => new MailOutcome.NotSent(said),
            // A server, or a proxy before it, that broke off may have done its work already.
            _ => new MailOutcome.Unknown(said),
        };
    }

    /// <summary>The e-mail in SendGrid's form.</summary>
    internal static SendGridMessage Message(OutgoingEmail email)
    {
        var message = new SendGridMessage
        {
            From = Address(email.From),
            ReplyTo = email.ReplyTo is { } reply ? Address(reply) : null,
            Subject = email.Subject,
            PlainTextContent = email.Text,
            HtmlContent = email.Html,
        };
        message.AddTo(Address(email.To));
        foreach (var (name, value) in email.Headers) message.AddHeader(name, value);
        message.AddCustomArgs(MailArguments.Of(email).ToDictionary());
        message.AddCategories([email.Flow, email.Template]);
        // The e-mail has its own link and header to unsubscribe, for this customer and signed; SendGrid's would stop e-mails about payments too, and know nothing of us.
        message.SetSubscriptionTracking(false);
        return message;
    }

    private static EmailAddress Address(Mailbox box) => new(box.Address, box.Name.Length == 0 ? null : box.Name);

    private static IReadOnlyList<(string Message, string? Field)> Errors(string body)
    {
        try
        {
            using var document = JsonDocument.Parse(body);
            if (document.RootElement.ValueKind != JsonValueKind.Object || !document.RootElement.TryGetProperty("errors", out var errors) || errors.ValueKind != JsonValueKind.Array) return [];
            return [.. errors.EnumerateArray().Where(e => e.ValueKind == JsonValueKind.Object).Select(e => (Text(e, "message") ?? "no reason", Text(e, "field")))];
        }
        catch (JsonException)
        {
            // A proxy's page: its status says enough.
            return [];
        }
    }

    private static string? Text(JsonElement of, string name) => of.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
}
