namespace RetentionFunctions.Email;

/// <summary>Who e-mails are from.</summary>
public sealed class EmailSettings
{
    /// <summary>Sender name of marketing mail; null: the founder's name and the product's.</summary>
    public string? FromName { get; set; }

    /// <summary>Sender address of marketing mail.</summary>
    public string From { get; set; } = "hello@example.com";

    /// <summary>Sender name of billing mail; null: "{product} Billing". Google asks that the two kinds come from different senders.</summary>
    public string? BillingFromName { get; set; }

    /// <summary>Sender address of billing mail.</summary>
    public string BillingFrom { get; set; } = "billing@example.com";

    /// <summary>Where answers go; null: the sender.</summary>
    public string? ReplyTo { get; set; }

    /// <summary>The postal address in the footer of marketing mail, which the law asks for (CAN-SPAM).</summary>
    public string PostalAddress { get; set; } = "Your Company, 1 Example Street, 12345 Example City";

    /// <summary>What SendGrid reports of the e-mails.</summary>
    public SendGridSettings SendGrid { get; set; } = new();

    /// <summary>Which opens and clicks are the customer's own.</summary>
    public EngagementSettings Engagement { get; set; } = new();
}

/// <summary>What SendGrid reports of the e-mails: its signed Event Webhook, at <c>/sendgrid/events</c>.</summary>
public sealed class SendGridSettings
{
    /// <summary>The verification keys that SendGrid shows beside the signed Event Webhook (base64); two at once while one is replaced. Public, so no secret.</summary>
    public IReadOnlyList<string> EventPublicKeys { get; set; } = [];

    /// <summary>
    /// Seconds for which a signed request is taken. SendGrid repeats what was not answered for 24 hours and does not document that it signs anew, so a shorter time
    /// may lose events of an outage; a request that is sent again changes nothing, because each event is counted once by its id.
    /// </summary>
    public int ToleranceSeconds { get; set; } = 25 * 3600;
}

/// <summary>
/// Which opens and clicks are the customer's own, and not those of a scanner that looks into every e-mail. No rule finds all of them: scanners have been seen to
/// come minutes later under the name of a browser. So a click never acts, and engagement is a small part of the score.
/// </summary>
public sealed class EngagementSettings
{
    /// <summary>Seconds after delivery in which an open is taken to be a machine's. Judgement: image proxies and scanners come at once, people do not.</summary>
    public int OpenSeconds { get; set; } = 10;

    /// <summary>Seconds after delivery in which a click is taken to be a scanner's. Judgement: field reports name some seconds, also 12; the letter has to be read first.</summary>
    public int ClickSeconds { get; set; } = 30;

    /// <summary>Seconds within which clicks on several links of one e-mail are taken to be a scanner's.</summary>
    public int BurstSeconds { get; set; } = 2;

    /// <summary>So many different links clicked within that time are a scanner's.</summary>
    public int BurstLinks { get; set; } = 2;
}
