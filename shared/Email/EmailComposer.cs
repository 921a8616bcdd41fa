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
        var parts = Render(template, Values(request, address, tokens), tokens);

        var used = new Dictionary<string, string>(tokens.UsedLinks, StringComparer.Ordinal);
        var headers = new Dictionary<string, string>(StringComparer.Ordinal);
        var reason = $"This e-mail is for {address}, because {parts.Why}.";
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
            Subject = parts.Subject,
            Html = EmailLayout.Html(Encode(parts.Subject), Encode(parts.Preheader), parts.Html, htmlFooter),
            Text = $"{parts.Text}\n\n-- \n{string.Join('\n', textFooter)}\n",
            Headers = headers,
            Links = used,
        };
    }

    /// <summary>An e-mail to the founder. The same mail gives the same e-mail.</summary>
    public OutgoingEmail Compose(FounderMail mail)
    {
        var template = templates.Get(mail.Template);
        var tokens = new TokenTable();
        var product = PlainText.Line(settings.Product.Name, PlainText.NameLength);
        IEnumerable<object> List(IEnumerable<string> lines) => lines.Select(line => new Dictionary<string, object?>(StringComparer.Ordinal) { ["text"] = tokens.Text(PlainText.Line(line, 1000)) }).ToList();
        var parts = Render(template, new Dictionary<string, object?>(StringComparer.Ordinal)
        {
            ["product"] = tokens.Text(product),
            ["founder"] = tokens.Text(PlainText.Line(settings.Product.FounderName, PlainText.NameLength)),
            ["email"] = tokens.Text(mail.To),
            ["period"] = tokens.Text(mail.Period),
            ["headline"] = tokens.Text(mail.Headline),
            ["reviewLink"] = tokens.Link("review", () => links.UrlOfPage(mail.Page)),
            ["figures"] = List(mail.Figures),
            ["actions"] = List(mail.Actions),
        }, tokens);
        var reason = $"This e-mail is for {mail.To}, because {parts.Why}.";
        return new OutgoingEmail
        {
            Id = MailArguments.IdOf(FounderMail.RunOf(mail.Occasion), 1),
            CustomerId = FounderMail.Addressee,
            Flow = FounderMail.Flow,
            Occasion = mail.Occasion,
            Step = 1,
            Template = mail.Template,
            Kind = MailKind.Transactional,
            To = new Mailbox("", mail.To),
            From = new Mailbox(product, PlainText.Line(settings.Email.From, 320)),
            Subject = parts.Subject,
            Html = EmailLayout.Html(Encode(parts.Subject), Encode(parts.Preheader), parts.Html, [Encode(reason)]),
            Text = $"{parts.Text}\n\n-- \n{reason}\n",
            Links = new Dictionary<string, string>(tokens.UsedLinks, StringComparer.Ordinal),
        };
    }

    private static string Encode(string value) => EmailBody.Encoder.Encode(value);

    // What a template says with these values; the markup is made of the template alone, and the values put in at the very end.
    private static (string Subject, string Preheader, string Why, string Html, string Text) Render(EmailTemplate template, IReadOnlyDictionary<string, object?> values, TokenTable tokens)
    {
        var markdown = template.Body.Render(values);
        return (Line(template.Subject), Line(template.Preheader), Line(template.Why), tokens.Fill(EmailBody.Html(EmailBody.Parse(markdown)), Encode), tokens.Fill(EmailBody.Text(EmailBody.Parse(markdown)), value => value));

        string Line(EmailTemplate.Part part) => PlainText.Line(tokens.Fill(part.Render(values), value => value), PlainText.SubjectLength);
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
