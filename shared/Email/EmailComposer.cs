using RetentionFunctions.Customers;
using RetentionFunctions.Links;
using RetentionFunctions.Settings;

namespace RetentionFunctions.Email;

/// <summary>Makes an e-mail from a template and what is known. Made once; safe to share. Sends nothing, reads nothing.</summary>
/// <param name="templates">The templates, checked.</param>
/// <param name="settings">Product, senders, postal address.</param>
/// <param name="links">Signs the links.</param>
public sealed class EmailComposer(EmailTemplates templates, RetentionSettings settings, LinkBuilder links)
{
    /// <summary>The e-mail. The same request gives the same e-mail but for the encryption of its links.</summary>
    /// <exception cref="ArgumentException">The customer has no e-mail address: ask for <see cref="Customer.Email"/> first.</exception>
    /// <exception cref="EmailTemplateException">There is no such template: <see cref="EmailTemplates.Check"/> finds that at the start.</exception>
    public OutgoingEmail Compose(EmailRequest request)
    {
        var address = PlainText.Line(request.Customer.Email, 320);
        if (address.Length == 0) throw new ArgumentException($"The customer {request.Customer.Id} has no e-mail address.", nameof(request));
        var template = templates.Get(request.Template);
        var kind = request.Kind == MailKind.Marketing ? MailKind.Marketing : template.Kind;

        var tokens = new TokenTable();
        var values = Values(request, address, tokens);
        string Encode(string value) => EmailBody.Encoder.Encode(value);
        string Line(EmailTemplate.Part part) => tokens.Fill(part.Render(values), value => value);

        var subject = PlainText.Line(Line(template.Subject), PlainText.SubjectLength);
        var preheader = PlainText.Line(Line(template.Preheader), PlainText.SubjectLength);
        var why = PlainText.Line(Line(template.Why), PlainText.SubjectLength);
        var markdown = template.Body.Render(values);
        var html = tokens.Fill(EmailBody.Html(EmailBody.Parse(markdown)), Encode);
        var text = tokens.Fill(EmailBody.Text(EmailBody.Parse(markdown)), value => value);

        var used = new Dictionary<string, string>(tokens.UsedLinks, StringComparer.Ordinal);
        var headers = new Dictionary<string, string>(StringComparer.Ordinal);
        var reason = $"This e-mail is for {address}, because {why}.";
        List<string> htmlFooter = [Encode(reason)];
        List<string> textFooter = [reason];
        if (kind == MailKind.Marketing)
        {
            // The text may have used the link too: one e-mail has one of each.
            if (!used.TryGetValue("unsubscribe", out var unsubscribe)) used["unsubscribe"] = unsubscribe = Url(request, LinkPurpose.Unsubscribe);
            // RFC 8058, 3.1: both headers, the address in angle brackets, exactly this value.
            headers["List-Unsubscribe"] = $"<{unsubscribe}>";
            headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click";
            htmlFooter.Add($"""<a class="link" style="{EmailLayout.Link}" href="{Encode(unsubscribe)}">Unsubscribe from e-mails like this</a>""");
            textFooter.Add($"Unsubscribe from e-mails like this: {unsubscribe}");
            var postal = PlainText.Line(settings.Email.PostalAddress, 300);
            htmlFooter.Add(Encode(postal));
            textFooter.Add(postal);
        }

        return new OutgoingEmail
        {
            Id = request.Id,
            CustomerId = request.Customer.Id,
            Flow = request.Flow,
            Occasion = request.Occasion,
            Step = request.Step,
            Template = request.Template,
            Kind = kind,
            To = new Mailbox(PlainText.Line(request.Customer.Name, PlainText.NameLength), address),
            From = From(kind),
            ReplyTo = settings.Email.ReplyTo is { Length: > 0 } replyTo ? new Mailbox("", PlainText.Line(replyTo, 320)) : null,
            Subject = subject,
            Html = EmailLayout.Html(Encode(subject), Encode(preheader), html, htmlFooter),
            Text = $"{text}\n\n-- \n{string.Join('\n', textFooter)}\n",
            Headers = headers,
            Links = used,
        };
    }

    private Mailbox From(MailKind kind)
    {
        var email = settings.Email;
        var (name, address) = kind == MailKind.Marketing
            ? (email.FromName ?? $"{settings.Product.FounderName} from {settings.Product.Name}", email.From)
            : (email.BillingFromName ?? $"{settings.Product.Name} Billing", email.BillingFrom);
        return new Mailbox(PlainText.Line(name, PlainText.NameLength), PlainText.Line(address, 320));
    }

    private string Url(EmailRequest request, LinkPurpose purpose, string? subject = null) =>
        links.Url(purpose, request.Customer.Id, request.Flow, request.Occasion, request.Step, request.Now, subject);

    private Dictionary<string, object?> Values(EmailRequest request, string address, TokenTable tokens)
    {
        var (customer, invoice, failure, now) = (request.Customer, request.Invoice, request.Failure, request.Now);
        var card = failure?.Card ?? customer.Card ?? customer.Profile.Card;
        var kind = Declines.Kind(invoice, failure, card, now);
        string? Day(DateTimeOffset? at) => at > now ? CustomerText.Day(at.Value, customer.TimeZone, settings.Product.TimeZone) : null;
        var values = new Dictionary<string, object?>(StringComparer.Ordinal)
        {
            ["name"] = tokens.Text(CustomerText.Greeting(customer.Name)),
            ["email"] = tokens.Text(address),
            ["product"] = tokens.Text(PlainText.Line(settings.Product.Name, PlainText.NameLength)),
            ["founder"] = tokens.Text(PlainText.Line(settings.Product.FounderName, PlainText.NameLength)),
            ["amount"] = tokens.Text(CustomerText.AmountDue(invoice, failure)),
            ["card"] = tokens.Text(CustomerText.Card(card)),
            ["nextAttempt"] = tokens.Text(Day(invoice?.NextAttemptAt)),
            ["renewalDate"] = tokens.Text(Day(request.RenewalAt)),
            ["pausable"] = request.Pausable,
            ["softDecline"] = kind == DeclineKind.Soft,
            ["hardDecline"] = kind == DeclineKind.Hard,
            ["expiredCard"] = kind == DeclineKind.ExpiredCard,
            ["authenticationRequired"] = kind == DeclineKind.AuthenticationRequired,
            ["revoked"] = kind == DeclineKind.Revoked,
            ["appLink"] = tokens.Link("app", () => Url(request, LinkPurpose.App)),
            ["returnLink"] = tokens.Link("return", () => Url(request, LinkPurpose.Return)),
            ["pauseLink"] = tokens.Link("pause", () => Url(request, LinkPurpose.Pause)),
            ["payLink"] = tokens.Link("pay", () => Url(request, LinkPurpose.Pay, invoice?.Id)),
            ["unsubscribeLink"] = tokens.Link("unsubscribe", () => Url(request, LinkPurpose.Unsubscribe)),
            ["answerLink"] = tokens.Link("answer", () => Url(request, LinkPurpose.Answer)),
        };
        values["answers"] = AnswerOptions.All.Select(option => new Dictionary<string, object?>(StringComparer.Ordinal)
        {
            ["text"] = tokens.Text(option.Text),
            ["url"] = tokens.Link($"answer-{option.Key}", () => Url(request, LinkPurpose.Answer, option.Key)),
        }).ToList();
        return values;
    }
}
