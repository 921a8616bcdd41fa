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
}
