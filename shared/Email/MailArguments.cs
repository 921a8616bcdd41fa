using System.Globalization;
using RetentionFunctions.Flows;

namespace RetentionFunctions.Email;

/// <summary>
/// What a mailer gives the provider along with each e-mail, to have it back in every event about it: SendGrid's custom arguments, at the top level of each event.
/// By <see cref="MailId"/> alone an e-mail is found again; the others are for who reads the provider's own list. SendGrid keeps them for long and asks for no personal
/// data in them: these are ids. All of them together have some hundred bytes; SendGrid allows 10,000.
/// </summary>
public static class MailArguments
{
    /// <summary>The id of the e-mail: <see cref="OutgoingEmail.Id"/>.</summary>
    public const string MailId = "retention_mail";

    /// <summary>Stripe's id of the customer.</summary>
    public const string CustomerId = "retention_customer";

    /// <summary>The flow.</summary>
    public const string Flow = "retention_flow";

    /// <summary>The step, from 1.</summary>
    public const string Step = "retention_step";

    /// <summary>The arguments of an e-mail.</summary>
    public static IReadOnlyDictionary<string, string> Of(OutgoingEmail email) => new Dictionary<string, string>(StringComparer.Ordinal)
    {
        [MailId] = email.Id,
        [CustomerId] = email.CustomerId,
        [Flow] = email.Flow,
        [Step] = email.Step.ToString(CultureInfo.InvariantCulture),
    };

    /// <summary>The id of the e-mail of a step: unique by run and step.</summary>
    public static string IdOf(RunId run, int step) => string.Create(CultureInfo.InvariantCulture, $"{run}|{step}");

    /// <summary>Takes <see cref="IdOf"/> back; null where it is not one of ours.</summary>
    public static (RunId Run, int Step)? Read(string mailId)
    {
        var end = mailId.LastIndexOf('|');
        return end > 0 && int.TryParse(mailId.AsSpan(end + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var step) && step is >= 1 and <= 999
            && Storage.Keys.Parts(mailId[..end]) is [{ Length: > 0 } customer, { Length: > 0 } flow, { Length: > 0 } occasion] ? (new RunId(customer, flow, occasion), step) : null;
    }
}
