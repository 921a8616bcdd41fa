using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using RetentionFunctions.Customers;
using RetentionFunctions.Email;
using RetentionFunctions.Flows;
using RetentionFunctions.Settings;
using RetentionFunctions.Storage;

namespace RetentionFunctions.Links;

/// <summary>
/// What the links do. <see cref="ShowAsync"/> reads only; every other method may be repeated: the second time changes nothing and says what
/// already is. Flows are told after each change, also after a repeated one: that repairs a crash between the two.
/// </summary>
public sealed class LinkActions(ITables tables, IBilling billing, FlowDispatch flows, TimeProvider clock, RetentionSettings settings)
{
    private string Product => PlainText.Line(settings.Product.Name, PlainText.NameLength);

    private static readonly LinkPage.Message NoCustomer = new(404, "We do not know this account",
        "The account that this link is for is not known here, so there is nothing to do. Reply to the e-mail if you think that is wrong.");

    /// <summary>The page behind a link, from what is now. Changes nothing.</summary>
    /// <exception cref="TransientStorageException">Try again.</exception>
    public async Task<LinkPage> ShowAsync(LinkClaims link, CancellationToken cancel = default)
    {
        if (link.Purpose == LinkPurpose.App) return new LinkPage.Leave(new Uri(settings.Product.Url));
        if (await FindAsync(link, cancel) is not { } customer) return NoCustomer;
        var choice = Pausing.Of(customer, clock.GetUtcNow());
        switch (link.Purpose)
        {
            case LinkPurpose.Unsubscribe:
                return customer.Unsubscribed is null ? new LinkPage.Unsubscribe(customer.Email) : Unsubscribed(customer);
            case LinkPurpose.Pause:
                return choice is PauseChoice.Possible ? new LinkPage.Pause() : NotPausable(choice, customer);
            case LinkPurpose.Return:
                return choice is PauseChoice.Paused paused ? new LinkPage.Return(true, Day(paused.Until, customer)) : IsBack(link, customer) ? Back() : new LinkPage.Return(false, null);
            case LinkPurpose.Answer:
                return await tables.GetAsync<Note>(Keys.Note(link.CustomerId, NoteId(link)), cancel) is null ? new LinkPage.Answer(AnswerOptions.Find(link.Subject)?.Key) : Answered();
            default:
                var invoice = await InvoiceAsync(link, cancel);
                return Settled(invoice) ?? Due(customer, invoice);
        }
    }

    /// <summary>No more marketing e-mails.</summary>
    /// <exception cref="TransientStorageException">Try again.</exception>
    public async Task<LinkPage> UnsubscribeAsync(LinkClaims link, CancellationToken cancel = default)
    {
        var suppression = new Suppression(clock.GetUtcNow(), $"unsubscribed by link in {Source(link)}");
        var customer = await ChangeAsync(link, found => found.Unsubscribed is null ? found with { Unsubscribed = suppression } : null, cancel);
        return customer is null ? NoCustomer : Unsubscribed(customer);
    }

    /// <summary>The customer is back; what is paused resumes.</summary>
    /// <exception cref="TransientStorageException">Try again.</exception>
    /// <exception cref="TransientBillingException">Try again.</exception>
    public async Task<LinkPage> ReturnAsync(LinkClaims link, CancellationToken cancel = default)
    {
        if (await FindAsync(link, cancel) is not { } customer) return NoCustomer;
        var refused = false;
        if (Pausing.Of(customer, clock.GetUtcNow()) is PauseChoice.Paused paused)
            foreach (var subscription in paused.SubscriptionIds)
            {
                // The end of the pause is part of the key: a later pause is another one to resume.
                var result = await billing.ResumeAsync(customer.Id, subscription, Idempotency("resume", link, subscription, Second(paused.Until)), cancel);
                refused |= result is BillingResult.Refused;
            }
        else if (IsBack(link, customer))
        {
            await flows.AfterChangeAsync(customer.Id, cancel);
            return Back();
        }
        var now = clock.GetUtcNow();
        // Pressed twice at once: what the other request recorded meanwhile is this return.
        await ChangeAsync(link, found => found.ReturnedAt != customer.ReturnedAt && IsBack(link, found) ? null : found with { ReturnedAt = now, PauseRequested = null }, cancel);
        return refused
            ? new LinkPage.Message(200, "Welcome back", "Your subscription could not be resumed from here. Reply to the e-mail and we will put it right.")
            : Back();
    }

    /// <summary>Pauses what can be paused.</summary>
    /// <param name="months">1 to <see cref="Pausing.MaxMonths"/>; anything else changes nothing and asks again.</param>
    /// <exception cref="TransientStorageException">Try again.</exception>
    /// <exception cref="TransientBillingException">Try again.</exception>
    public async Task<LinkPage> PauseAsync(LinkClaims link, int months, CancellationToken cancel = default)
    {
        if (await FindAsync(link, cancel) is not { } customer) return NoCustomer;
        var now = clock.GetUtcNow();
        if (Pausing.Of(customer, now) is not PauseChoice.Possible possible)
        {
            await flows.AfterChangeAsync(customer.Id, cancel);
            return NotPausable(Pausing.Of(customer, now), customer);
        }
        if (months is < 1 or > Pausing.MaxMonths) return new LinkPage.Message(400, "Please choose how long", $"A pause lasts 1, 2 or {Pausing.MaxMonths} months. Go back and choose one of them.");

        // To the hour, so that a repeated click asks Stripe for the very same thing: the same key with other parameters is an error there.
        var until = new DateTimeOffset(now.UtcDateTime.Date.AddHours(now.UtcDateTime.Hour), TimeSpan.Zero).AddMonths(months);
        var done = new List<string>();
        var refusal = "";
        foreach (var subscription in possible.SubscriptionIds)
        {
            // The last return is part of the key: paused, resumed and paused again within the hour is a second pause.
            var key = Idempotency("pause", link, subscription, months.ToString(CultureInfo.InvariantCulture), Second(until), Second(customer.ReturnedAt));
            switch (await billing.PauseAsync(customer.Id, subscription, until, key, cancel))
            {
                case BillingResult.Done: done.Add(subscription); break;
                case BillingResult.Refused refused: refusal = refused.Reason; break;
            }
        }
        if (done.Count == 0)
            return new LinkPage.Message(409, "Your subscription could not be paused", $"Nothing was changed ({PlainText.Line(refusal, 200)}). Reply to the e-mail and we will do it for you.");
        var request = new PauseRequest(now, until, done);
        // Pressed twice at once: the other request may have recorded this very pause meanwhile.
        var paused = await ChangeAsync(link, found => found.PauseRequested?.Until == until ? null : found with { PauseRequested = request }, cancel);
        return paused is null ? NoCustomer : new LinkPage.Message(200, "Your subscription is paused",
            $"It is paused until {Day(until, paused)} and then resumes by itself. You are not charged in the meantime. To come back earlier, reply to the e-mail.");
    }

    /// <summary>Keeps the answer as a note on the customer; the first one counts.</summary>
    /// <param name="option">The key of an option, or null.</param>
    /// <param name="text">Free text; cut at <see cref="AnswerOptions.MaxText"/>.</param>
    /// <exception cref="TransientStorageException">Try again.</exception>
    public async Task<LinkPage> AnswerAsync(LinkClaims link, string? option, string? text, CancellationToken cancel = default)
    {
        var chosen = AnswerOptions.Find(option)?.Text;
        var written = PlainText.Cut((text ?? "").ReplaceLineEndings("\n").Trim(), AnswerOptions.MaxText);
        if (chosen is null && written.Length == 0) return new LinkPage.Message(400, "Nothing to send yet", "Go back and choose an answer, or write one.");
        if (await FindAsync(link, cancel) is null) return NoCustomer;
        var note = new Note
        {
            Id = NoteId(link),
            At = clock.GetUtcNow(),
            Kind = "answer",
            Text = chosen is null ? written : written.Length == 0 ? chosen : $"{chosen}: {written}",
            By = $"the customer, by {Source(link)}",
        };
        var isNew = await tables.TryInsertAsync(Keys.Note(link.CustomerId, note.Id), note, cancel);
        await flows.AfterChangeAsync(link.CustomerId, cancel);
        return isNew ? new LinkPage.Message(200, "Thank you", "Your answer has been sent. Nothing about your account has changed.") : Answered();
    }

    /// <summary>Leads to Stripe's page to pay the invoice or to change the card; says so where there is nothing left to pay.</summary>
    /// <param name="returnUrl">Where that page leads back to.</param>
    /// <exception cref="TransientStorageException">Try again.</exception>
    /// <exception cref="TransientBillingException">Try again.</exception>
    public async Task<LinkPage> PayAsync(LinkClaims link, Uri returnUrl, CancellationToken cancel = default)
    {
        if (await FindAsync(link, cancel) is null) return NoCustomer;
        return Settled(await InvoiceAsync(link, cancel)) ?? new LinkPage.Leave(await billing.PaymentPageAsync(link.CustomerId, link.Subject, returnUrl, cancel));
    }

    private async Task<Customer?> FindAsync(LinkClaims link, CancellationToken cancel) => (await tables.GetAsync<Customer>(Keys.Customer(link.CustomerId), cancel))?.Value;

    private async Task<Invoice?> InvoiceAsync(LinkClaims link, CancellationToken cancel) =>
        link.Subject is null ? null : (await tables.GetAsync<Invoice>(Keys.Invoice(link.CustomerId, link.Subject), cancel))?.Value;

    private async Task<Customer?> ChangeAsync(LinkClaims link, Func<Customer, Customer?> change, CancellationToken cancel)
    {
        var customer = await tables.ChangeAsync<Customer>(Keys.Customer(link.CustomerId), found => found is null ? null : change(found), cancel);
        if (customer is not null) await flows.AfterChangeAsync(customer.Id, cancel);
        return customer;
    }

    private LinkPage.Message Unsubscribed(Customer customer) => new(200, "You are unsubscribed",
        $"{(customer.Email is { } email ? $"{PlainText.Line(email, 320)} gets" : "You get")} no more e-mails like this from {Product}, since {Day(customer.Unsubscribed!.At, customer)}. E-mails about payments that are due still come.");

    private LinkPage.Message Back() => new(200, "Welcome back", $"It is good to have you back at {Product}. Everything is where you left it.");

    private static LinkPage.Message Answered() => new(200, "You have answered already", "Your answer was sent. To add something, reply to the e-mail.");

    private LinkPage.Message NotPausable(PauseChoice choice, Customer customer) => choice switch
    {
        PauseChoice.Paused { Until: { } until } => new(200, "Your subscription is already paused", $"It is already paused until {Day(until, customer)} and then resumes by itself."),
        PauseChoice.Paused => new(200, "Your subscription is already paused", "It is already paused. Reply to the e-mail when you want to come back."),
        PauseChoice.Yearly => new(200, "A yearly plan cannot be paused", "Your plan is paid by the year, so a pause of some months would not save you anything. Reply to the e-mail if you would like another arrangement."),
        _ => new(200, "There is nothing to pause", $"You have no subscription to {Product} that will be charged."),
    };

    // Said once per e-mail: a return before the e-mail was made says nothing about it.
    private static bool IsBack(LinkClaims link, Customer customer) => customer.ReturnedAt >= link.IssuedAt;

    private static LinkPage? Settled(Invoice? invoice) => invoice switch
    {
        { PaidAt: not null } => new LinkPage.Message(200, "This is already paid", "The payment has come in, thank you. There is nothing left to do."),
        { VoidedAt: not null } or { UncollectibleAt: not null } => new LinkPage.Message(200, "This is no longer due", "The invoice has been withdrawn. There is nothing to pay."),
        _ => null,
    };

    private LinkPage.Pay Due(Customer customer, Invoice? invoice)
    {
        var now = clock.GetUtcNow();
        var failure = customer.Failures.LastOrDefault(failed => invoice is not null && (failed.InvoiceId == invoice.Id || (invoice.PaymentIntentId is not null && failed.PaymentIntentId == invoice.PaymentIntentId)));
        var card = failure?.Card ?? customer.Card ?? customer.Profile.Card;
        return new LinkPage.Pay(CustomerText.AmountDue(invoice, failure), CustomerText.Card(card), invoice?.NextAttemptAt > now ? Day(invoice.NextAttemptAt, customer) : null,
            invoice is not null && Declines.Kind(invoice, failure, card, now) == DeclineKind.AuthenticationRequired);
    }

    private string? Day(DateTimeOffset? at, Customer customer) => at is null ? null : CustomerText.Day(at.Value, customer.TimeZone, settings.Product.TimeZone);

    private static string Source(LinkClaims link) => $"{link.Flow} step {link.Step.ToString(CultureInfo.InvariantCulture)}";

    private static string NoteId(LinkClaims link) => $"answer-{link.Flow}-{link.Occasion}-{link.Step.ToString(CultureInfo.InvariantCulture)}";

    private static string Second(DateTimeOffset? at) => at?.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture) ?? "";

    // The link itself, not its token: two tokens of the same link are the same wish. Stripe takes keys of up to 255 characters.
    private static string Idempotency(string verb, LinkClaims link, params ReadOnlySpan<string> parts)
    {
        var text = new StringBuilder();
        foreach (var part in (string[])[link.CustomerId, link.Flow, link.Occasion, Source(link), .. parts]) text.Append(part).Append('\n');
        return $"{verb}-{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text.ToString())))}";
    }
}
