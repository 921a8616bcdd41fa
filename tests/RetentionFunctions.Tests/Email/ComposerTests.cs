using System.Globalization;
using System.Net;
using FsCheck;
using FsCheck.Fluent;
using RetentionFunctions.Customers;
using RetentionFunctions.Email;

namespace RetentionFunctions.Tests.Email;

/// <summary>Whatever customers and founders are called, e-mails stay e-mails.</summary>
public class ComposerTests
{
    [Theory]
    [InlineData("<img src=x onerror=alert(1)>", "<img src=x onerror=alert(1)>")]
    [InlineData("**Bold** & `code` _x_ # 1. - >", "**Bold** & `code` _x_ # 1. - >")]
    [InlineData("{{product}} {{#if name}}", "{{product}} {{#if name}}")]
    [InlineData("RfValue2x RfValue3x", "RfValue2x RfValue3x")]
    [InlineData("\"><script>", "\"><script>")]
    [InlineData("Ada\r\nBcc: all@evil", null)]
    [InlineData("Ada\r\nX-Evil: 1", "Ada X-Evil: 1")]
    [InlineData("Ada\u202Egnp\u2066!", "Adagnp!")]
    [InlineData("\u0000\u0007\u001b Ada \u0085", "Ada")]
    [InlineData("张伟 👩‍💻", "张伟 👩‍💻")]
    // Mail programs make these clickable even as plain text, and anyone can sign up under somebody else's address with such a name.
    [InlineData("[x](http://evil)", null)]
    [InlineData("You won! evil.example/prize", null)]
    [InlineData("www.evil", null)]
    public void A_hostile_name_comes_out_as_harmless_text(string name, string? greeted)
    {
        var calm = EmailSamples.Composer().Compose(EmailSamples.Dunning(1, EmailSamples.Customer(name: null)));
        var email = EmailSamples.Composer().Compose(EmailSamples.Dunning(1, EmailSamples.Customer(name)));
        Assert.StartsWith(greeted is null ? "Hi,\n" : $"Hi {greeted},\n", email.Text);
        Assert.Equal(calm.Text[calm.Text.IndexOf('\n')..].Length, email.Text[email.Text.IndexOf('\n')..].Length);
        // The same elements, only another text in one of them.
        Assert.Equal(calm.Html.Count(c => c == '<'), email.Html.Count(c => c == '<'));
        Assert.Equal(calm.Html.Split("href=").Length, email.Html.Split("href=").Length);
        if (greeted is not null) Assert.Contains($">Hi {greeted},</p>", WebUtility.HtmlDecode(email.Html));
        AssertOneCleanLine(email.To.Name);
    }

    [Fact]
    public void No_text_at_all_can_break_out_of_where_it_stands()
    {
        var composer = EmailSamples.Composer();
        var calm = composer.Compose(EmailSamples.WinBack(5)).Html.Count(c => c == '<');
        Prop.ForAll<string?>(text =>
        {
            var settings = EmailSamples.Settings();
            settings.Product.Name = $"P{text}";
            settings.Product.FounderName = $"F{text}";
            settings.Email.PostalAddress = $"A{text}";
            var email = EmailSamples.Composer(settings, Templates).Compose(EmailSamples.WinBack(5, EmailSamples.Customer(text)));
            AssertOneCleanLine(email.Subject);
            AssertOneCleanLine(email.To.Name);
            AssertOneCleanLine(email.From.Name);
            Assert.Equal(calm, email.Html.Count(c => c == '<'));
            Assert.True(email.Subject.Length <= 200 && email.To.Name.Length <= 80 && email.From.Name.Length <= 80);
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void Names_and_subjects_are_bounded_and_never_cut_a_character_in_two()
    {
        var settings = EmailSamples.Settings();
        settings.Product.Name = string.Concat(Enumerable.Repeat("👩‍💻", 500));
        var email = EmailSamples.Composer(settings).Compose(EmailSamples.WinBack(1, EmailSamples.Customer(new string('x', 5000))));
        Assert.Equal(80, email.To.Name.Length);
        Assert.InRange(email.Subject.Length, 60, 200);
        Assert.DoesNotContain('\uFFFD', email.Subject);
        Assert.Equal("Still getting value from " + string.Concat(Enumerable.Repeat("👩‍💻", 16)) + "?", email.Subject);
    }

    [Fact]
    public void Marketing_mail_carries_one_click_unsubscribe_a_footer_link_and_the_postal_address()
    {
        var email = EmailSamples.Composer().Compose(EmailSamples.WinBack(1));
        Assert.Equal($"<{email.Links["unsubscribe"]}>", email.Headers["List-Unsubscribe"]);
        Assert.StartsWith("<https://", email.Headers["List-Unsubscribe"]);
        Assert.Equal("List-Unsubscribe=One-Click", email.Headers["List-Unsubscribe-Post"]);
        Assert.Contains($"href=\"{email.Links["unsubscribe"]}\"", email.Html);
        Assert.Contains(email.Links["unsubscribe"], email.Text);
        Assert.Contains("Papertrail Ltd, 12 Quay Road, Bristol BS1 4QA", email.Text);
        Assert.Contains("Papertrail Ltd, 12 Quay Road, Bristol BS1 4QA", email.Html);
        Assert.Contains("for ada@lumen.example, because you subscribe to Papertrail", email.Text);
        Assert.Equal(new Mailbox("Mira Holt from Papertrail", "mira@papertrail.example"), email.From);
    }

    [Fact]
    public void Dunning_comes_from_the_billing_sender_and_has_nothing_to_unsubscribe_from()
    {
        var email = EmailSamples.Composer().Compose(EmailSamples.Dunning(1));
        Assert.Empty(email.Headers);
        Assert.False(email.Links.ContainsKey("unsubscribe"));
        Assert.DoesNotContain("unsubscribe", email.Html + email.Text, StringComparison.OrdinalIgnoreCase);
        Assert.Equal(new Mailbox("Papertrail Billing", "billing@papertrail.example"), email.From);
    }

    [Fact]
    public void A_marketing_template_in_a_transactional_flow_still_carries_unsubscribe() =>
        Assert.True(EmailSamples.Composer().Compose(EmailSamples.WinBack(1) with { Kind = MailKind.Transactional }).Headers.ContainsKey("List-Unsubscribe"));

    [Fact]
    public void The_question_has_one_link_per_answer_and_one_for_own_words()
    {
        var email = EmailSamples.Composer().Compose(EmailSamples.WinBack(4));
        Assert.Equal(["answer", "answer-missing", "answer-no-need", "answer-no-time", "answer-other-tool", "answer-too-hard", "unsubscribe"], email.Links.Keys.Order());
        Assert.All(email.Links.Values, url => Assert.Contains(url, email.Html));
        Assert.All(email.Links.Values, url => Assert.Contains(url, email.Text));
    }

    [Fact]
    public void A_customer_without_an_address_cannot_be_written_to() =>
        Assert.Throws<ArgumentException>(() => EmailSamples.Composer().Compose(EmailSamples.WinBack(1, EmailSamples.Customer(email: null))));

    [Fact]
    public void Amounts_and_dates_do_not_depend_on_the_culture_of_the_host()
    {
        var before = CultureInfo.CurrentCulture;
        try
        {
            CultureInfo.CurrentCulture = new CultureInfo("de-DE");
            Assert.Equal("$1,234.50", Money.Text(123450, "usd"));
            Assert.Equal("3 March 2026", CustomerText.Day(EmailSamples.Now, null, null));
        }
        finally
        {
            CultureInfo.CurrentCulture = before;
        }
    }

    [Theory]
    [InlineData("America/New_York", "UTC", "2 March 2026")]
    [InlineData("Asia/Tokyo", "UTC", "3 March 2026")]
    [InlineData(null, "America/New_York", "2 March 2026")]
    [InlineData("Mars/Olympus", "Mars/Olympus", "3 March 2026")]
    public void Dates_are_the_customers_own(string? zone, string? fallback, string day) => Assert.Equal(day, CustomerText.Day(new DateTimeOffset(2026, 3, 3, 3, 0, 0, TimeSpan.Zero), zone, fallback));

    [Theory]
    [InlineData("visa", "4242", "Visa card ending in 4242")]
    [InlineData("amex", "0005", "American Express card ending in 0005")]
    [InlineData(null, "4242", "card ending in 4242")]
    [InlineData("mastercard", null, "Mastercard card")]
    [InlineData("unknown", "<b>x", "card")]
    [InlineData(null, null, "card")]
    public void Cards_are_named_as_far_as_they_are_known(string? brand, string? last4, string text) => Assert.Equal(text, CustomerText.Card(new Card(brand, last4, null, null)));

    [Theory]
    [InlineData("Ada Park", "Ada")]
    [InlineData("Jean-Luc O'Neil", "Jean-Luc")]
    [InlineData("Lumen Labs", "Lumen Labs")]
    [InlineData("Acme Inc.", "Acme Inc.")]
    [InlineData("The Bakery", "The Bakery")]
    [InlineData("J. R. Tolkien", "J. R. Tolkien")]
    [InlineData("Lumen", "Lumen")]
    [InlineData("  ", null)]
    [InlineData(null, null)]
    [InlineData("ada@lumen.example", null)]
    public void People_are_greeted_by_first_name_and_companies_by_theirs(string? name, string? greeting) => Assert.Equal(greeting, CustomerText.Greeting(name));

    [Theory]
    [InlineData("card_declined", "insufficient_funds", DeclineKind.Soft)]
    [InlineData("card_declined", "do_not_honor", DeclineKind.Soft)]
    [InlineData("card_declined", "a_code_of_next_year", DeclineKind.Soft)]
    [InlineData(null, null, DeclineKind.Soft)]
    [InlineData("card_declined", "lost_card", DeclineKind.Hard)]
    [InlineData("card_declined", "fraudulent", DeclineKind.Hard)]
    [InlineData("incorrect_cvc", null, DeclineKind.Hard)]
    [InlineData("expired_card", null, DeclineKind.ExpiredCard)]
    [InlineData("card_declined", "expired_card", DeclineKind.ExpiredCard)]
    [InlineData("authentication_required", null, DeclineKind.AuthenticationRequired)]
    [InlineData("card_declined", "authentication_required", DeclineKind.AuthenticationRequired)]
    [InlineData("card_declined", "revocation_of_all_authorizations", DeclineKind.Revoked)]
    public void Codes_tell_the_kind_of_failure(string? code, string? decline, DeclineKind kind) =>
        Assert.Equal(kind, Declines.Kind(null, new PaymentFailure { Id = "ch_1", At = EmailSamples.Now, Code = code, DeclineCode = decline, Currency = "usd" }, null, EmailSamples.Now));

    [Fact]
    public void Without_a_code_the_banks_question_or_the_cards_expiry_tells()
    {
        var asked = EmailSamples.Invoice() with { ActionRequiredAt = EmailSamples.Now };
        var later = new PaymentFailure { Id = "ch_1", At = EmailSamples.Now.AddDays(3), DeclineCode = "insufficient_funds", Currency = "usd" };
        Assert.Equal(DeclineKind.AuthenticationRequired, Declines.Kind(asked, null, null, EmailSamples.Now));
        Assert.Equal(DeclineKind.Soft, Declines.Kind(asked, later, null, EmailSamples.Now));
        Assert.Equal(DeclineKind.ExpiredCard, Declines.Kind(null, null, new Card("visa", "4242", 2, 2026), EmailSamples.Now));
        Assert.Equal(DeclineKind.Soft, Declines.Kind(null, null, new Card("visa", "4242", 3, 2026), EmailSamples.Now));
    }

    private static readonly EmailTemplates Templates = EmailTemplates.Load();

    private static void AssertOneCleanLine(string text)
    {
        Assert.DoesNotContain(text, char.IsControl);
        Assert.DoesNotContain(text, c => c is >= '\u202A' and <= '\u202E' or '\u2028' or '\u2029');
    }
}
