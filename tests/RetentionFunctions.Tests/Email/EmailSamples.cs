using Microsoft.AspNetCore.DataProtection;
using RetentionFunctions.Customers;
using RetentionFunctions.Email;
using RetentionFunctions.Links;
using RetentionFunctions.Settings;

namespace RetentionFunctions.Tests.Email;

/// <summary>A composer, and requests to give it.</summary>
internal static class EmailSamples
{
    public static readonly DateTimeOffset Now = new(2026, 3, 3, 9, 30, 0, TimeSpan.Zero);

    public static RetentionSettings Settings() => new()
    {
        Product = new() { Name = "Papertrail", Url = "https://app.papertrail.example", FounderName = "Mira Holt", TimeZone = "Europe/Berlin" },
        Email = new() { From = "mira@papertrail.example", BillingFrom = "billing@papertrail.example", ReplyTo = "help@papertrail.example", PostalAddress = "Papertrail Ltd,\n12 Quay Road, Bristol BS1 4QA" },
    };

    public static EmailComposer Composer(RetentionSettings? settings = null, EmailTemplates? templates = null) =>
        new(templates ?? EmailTemplates.Load(), settings ?? Settings(), new LinkBuilder(new LinkTokens(new EphemeralDataProtectionProvider(), TimeProvider.System), () => new Uri("https://hello.papertrail.example/")));

    public static Customer Customer(string? name = "Ada Park", string? email = "ada@lumen.example") => new()
    {
        Id = "cus_ada",
        Profile = new StripeProfile { Name = name, Email = email, TimeZone = "America/New_York" },
        Card = new Card("visa", "4242", 8, 2027),
    };

    public static EmailRequest WinBack(int step, Customer? customer = null, bool pausable = true) => new()
    {
        Id = $"cus_ada|win-back|2026-03-03|{step}",
        Customer = customer ?? Customer(),
        Flow = "win-back",
        Occasion = "2026-03-03",
        Step = step,
        Template = $"win-back-{step}",
        Kind = MailKind.Marketing,
        Now = Now,
        RenewalAt = new DateTimeOffset(2026, 3, 21, 2, 0, 0, TimeSpan.Zero),
        Pausable = pausable,
    };

    public static EmailRequest Dunning(int step, Customer? customer = null, string? decline = "insufficient_funds", bool retries = true) => new()
    {
        Id = $"cus_ada|dunning|in_1|{step}",
        Customer = customer ?? Customer(),
        Flow = "dunning",
        Occasion = "in_1",
        Step = step,
        Template = $"dunning-{step}",
        Kind = MailKind.Transactional,
        Now = Now,
        Invoice = Invoice(retries),
        Failure = new PaymentFailure { Id = "ch_1", At = Now.AddMinutes(-5), Code = "card_declined", DeclineCode = decline, Amount = 2900, Currency = "usd" },
    };

    public static FounderMail Review(string template) => new()
    {
        Occasion = template == "review-month" ? "2026-02" : "2026-03-02",
        Template = template,
        To = "mira@papertrail.example",
        Period = template == "review-month" ? "February 2026" : "the week until 2 March",
        Headline = template == "review-month" ? "churn 3.8 % (2.1 % the month before), MRR $7,678.64 (+$82.67)" : "MRR $9,800 (−$200), 98 paying (−2), WAU 60 of 108, 5 moved down, 4 up, 1 customer with a failed payment",
        Page = template == "review-month" ? "/review/2026-02" : "/health",
        Figures = template == "review-month" ? ["Customer churn 3.8 %: 3 lost of 79 customers at the start, 2.1 % the month before.", "Moved to a worse tier 26, 31 the month before (better)."] : [],
        Actions = template == "review-month" ? ["Call **all** who left & <ask> why (until 31 March)"] : [],
    };

    public static Invoice Invoice(bool retries = true) => new()
    {
        Id = "in_1",
        Latest = new InvoiceSnapshot { InvoiceId = "in_1", Change = InvoiceChange.PaymentFailed, AmountDue = 2900, Currency = "usd", CreatedAt = Now.AddHours(-1) },
        FirstFailedAt = Now.AddMinutes(-5),
        NextAttemptAt = retries ? Now.AddDays(3) : null,
    };

    /// <summary>The text of a part with the encrypted part of each link replaced by its name.</summary>
    public static string Stable(string part, OutgoingEmail email) =>
        email.Links.OrderByDescending(link => link.Value.Length).Aggregate(part, (text, link) => text.Replace(link.Value, $"https://hello.papertrail.example/l/({link.Key})", StringComparison.Ordinal));
}
