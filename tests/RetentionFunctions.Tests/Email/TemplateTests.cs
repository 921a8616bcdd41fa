using System.Text;
using RetentionFunctions.Email;
using RetentionFunctions.Flows;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.Tests.Email;

/// <summary>The e-mails as customers read them, word for word, and what founders may change.</summary>
public class TemplateTests
{
    private static readonly string?[] Declines = ["insufficient_funds", "stolen_card", "expired_card", "authentication_required", "revocation_of_authorization"];

    public static TheoryData<string> Names => [.. EmailTemplates.Load().Names];

    [Theory, MemberData(nameof(Names))]
    public void Every_template_reads_as_approved(string name)
    {
        var email = Sample(name);
        var head = $"From: {email.From.Name} <{email.From.Address}>\nTo: {email.To.Name} <{email.To.Address}>\nReply-To: {email.ReplyTo?.Address}\nSubject: {email.Subject}\n"
            + string.Concat(email.Headers.Select(header => $"{header.Key}: {header.Value}\n")) + "\n";
        Golden.Matches($"Email/{name}.txt", EmailSamples.Stable(head + email.Text, email));
    }

    [Theory, MemberData(nameof(Names))]
    public void Every_template_looks_as_approved(string name)
    {
        var email = Sample(name);
        Golden.Matches($"Email/{name}.html", EmailSamples.Stable(email.Html, email));
    }

    private static OutgoingEmail Sample(string name)
    {
        if (name.StartsWith("review-", StringComparison.Ordinal)) return EmailSamples.Composer().Compose(EmailSamples.Review(name));
        var step = name[^1] - '0';
        return EmailSamples.Composer().Compose(name.StartsWith("win-back", StringComparison.Ordinal) ? EmailSamples.WinBack(step) : EmailSamples.Dunning(step));
    }

    [Fact]
    public void Ten_templates_for_customers_come_with_the_product_and_two_for_the_founder() =>
        Assert.Equal(["dunning-1", "dunning-2", "dunning-3", "dunning-4", "dunning-5", "review-month", "review-week", "win-back-1", "win-back-2", "win-back-3", "win-back-4", "win-back-5"], EmailTemplates.Load().Names);

    [Theory]
    [InlineData(1), InlineData(2), InlineData(3), InlineData(4), InlineData(5)]
    public void Dunning_is_worded_by_the_kind_of_failure(int step)
    {
        var all = new StringBuilder();
        foreach (var decline in Declines)
            foreach (var retries in (bool[])[true, false])
            {
                var email = EmailSamples.Composer().Compose(EmailSamples.Dunning(step, decline: decline, retries: retries));
                all.Append($"=== {decline}, {(retries ? "another attempt is scheduled" : "no further attempt")}\n\nSubject: {email.Subject}\n\n{EmailSamples.Stable(email.Text, email)}\n");
                Assert.DoesNotContain("stolen", email.Text, StringComparison.OrdinalIgnoreCase);
                Assert.DoesNotContain("lost", email.Text, StringComparison.OrdinalIgnoreCase);
                Assert.DoesNotContain("fraud", email.Text, StringComparison.OrdinalIgnoreCase);
                Assert.Contains("$29.00", email.Text);
                Assert.Contains("Visa card ending in 4242", email.Text);
                Assert.Contains(retries ? "6 March 2026" : "No further attempt is scheduled", email.Text);
                Assert.Contains(email.Links["pay"], email.Html);
                if (decline == "authentication_required")
                {
                    Assert.Contains("confirm", email.Subject + email.Text, StringComparison.OrdinalIgnoreCase);
                    Assert.DoesNotContain("failed", email.Subject + email.Text, StringComparison.OrdinalIgnoreCase);
                    Assert.DoesNotContain("did not go through", email.Subject + email.Text, StringComparison.OrdinalIgnoreCase);
                }
            }
        Golden.Matches($"Email/dunning-{step}.kinds.txt", all.ToString());
    }

    [Fact]
    public void What_is_not_known_is_left_out_and_the_text_still_reads_well()
    {
        var nobody = EmailSamples.Customer(name: null) with { Card = null };
        var all = new StringBuilder();
        for (var step = 1; step <= 5; step++)
        {
            OutgoingEmail[] emails =
            [
                EmailSamples.Composer().Compose(EmailSamples.Dunning(step, nobody) with { Invoice = null, Failure = null }),
                EmailSamples.Composer().Compose(EmailSamples.WinBack(step, nobody, pausable: false) with { RenewalAt = null }),
            ];
            foreach (var email in emails)
            {
                Assert.DoesNotContain("  ", email.Text);
                Assert.DoesNotContain("{{", email.Text + email.Html + email.Subject);
                all.Append($"=== {email.Template}\n\nSubject: {email.Subject}\n\n{EmailSamples.Stable(email.Text, email)}\n");
            }
        }
        Golden.Matches("Email/nothing-known.txt", all.ToString());
    }

    [Theory]
    [InlineData(1, "Still getting value from Papertrail?")]
    [InlineData(2, "3 things you can do with Papertrail this week")]
    [InlineData(3, "Your account is ready — pick up where you left off")]
    [InlineData(4, "What's one thing we could do better?")]
    [InlineData(5, "We don't want to see you go")]
    public void The_five_win_back_subjects_are_these(int step, string subject) => Assert.Equal(subject, EmailSamples.Composer().Compose(EmailSamples.WinBack(step)).Subject);

    [Fact]
    public void The_last_win_back_names_the_renewal_date_where_the_customer_is_and_offers_a_pause_but_not_to_yearly_plans()
    {
        // 21 March 02:00 UTC is still the 20th in New York.
        var monthly = EmailSamples.Composer().Compose(EmailSamples.WinBack(5));
        var yearly = EmailSamples.Composer().Compose(EmailSamples.WinBack(5, pausable: false));
        Assert.Contains("20 March 2026", monthly.Text);
        Assert.Contains(monthly.Links["pause"], monthly.Text);
        Assert.Contains("20 March 2026", yearly.Text);
        Assert.False(yearly.Links.ContainsKey("pause"));
        Assert.DoesNotContain("pause", yearly.Text, StringComparison.OrdinalIgnoreCase);
    }

    [Theory]
    [InlineData("subject: Hi\npreheader: p\nkind: marketing\n---\nHello", "line 1", "starts with '---'")]
    [InlineData("---\nsubject: Hi\nkind: marketing", "line 1", "no closing")]
    [InlineData("---\nkind: marketing\n---\nHello", "line 3", "'subject:' is missing")]
    [InlineData("---\nsubject: Hi\nkind: newsletter\n---\nHello", "line 3", "'newsletter' is not a kind")]
    [InlineData("---\nsubject: Hi\nkind: marketing\ncolor: red\n---\nHello", "line 4", "'color' is not known")]
    [InlineData("---\nsubject: Hi\nkind: marketing\n---\n", "line 4", "body is empty")]
    [InlineData("---\nsubject: Hi {{nmae}}\nkind: marketing\n---\nHello", "line 2", "'nmae' is not a placeholder; allowed are name, email, product")]
    [InlineData("---\nsubject: Hi\nkind: marketing\n---\nHello\n\n{{#if name}}\n{{firstName}}\n{{/if}}", "line 8", "'firstName' is not a placeholder")]
    [InlineData("---\nsubject: Hi\nkind: marketing\n---\nHello\n{{#if rich}}x{{/if}}", "line 6", "'rich' is not a placeholder")]
    [InlineData("---\nsubject: Hi\nkind: marketing\n---\nHello\n{{#if name}}x", "line 6", "never closed")]
    [InlineData("---\nsubject: Hi\nkind: marketing\n---\nHello\n{{/if}}", "line 6", "closes nothing")]
    [InlineData("---\nsubject: Hi\nkind: marketing\n---\nHello\n{{else}}", "line 6", "outside")]
    [InlineData("---\nsubject: Hi\nkind: marketing\n---\n{{{name}}}", "line 5", "always encoded")]
    [InlineData("---\nsubject: Hi\nkind: marketing\n---\nHello {{name", "line 5", "has no '}}'")]
    [InlineData("---\nsubject: Hi\nkind: marketing\n---\n{{#each names}}x{{/each}}", "line 5", "is not a list")]
    [InlineData("---\nsubject: Hi\nkind: marketing\n---\n{{lookup this 'a'}}", "line 5", "not understood")]
    [InlineData("---\nsubject: Hi\nkind: marketing\n---\nHello\n\n[x](https://evil.example/{{name}})", "line 7", "a link leads to one of")]
    [InlineData("---\nsubject: Hi\nkind: marketing\n---\nHello\n\n[x]({{name}})", "line 7", "a link leads to one of")]
    [InlineData("---\nsubject: Hi\nkind: marketing\n---\nHello\n\n[x](javascript:alert)", "line 7", "a link leads to one of")]
    [InlineData("---\nsubject: Hi\nkind: marketing\n---\nHello\n\n![x](https://a.example/p.gif)", "line 7", "images are not supported")]
    public void A_wrong_template_stops_the_start_naming_file_and_line(string text, string line, string what)
    {
        var folder = Directory.CreateTempSubdirectory();
        try
        {
            var file = Path.Combine(folder.FullName, "win-back-1.md");
            File.WriteAllText(file, text);
            var problem = Assert.Throws<EmailTemplateException>(() => EmailTemplates.Load(folder.FullName));
            Assert.StartsWith($"{file}, {line}: ", problem.Message);
            Assert.Contains(what, problem.Message);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Fact]
    public void The_founders_own_template_takes_the_place_of_ours_and_all_its_markdown_is_rendered()
    {
        var folder = Directory.CreateTempSubdirectory();
        try
        {
            File.WriteAllText(Path.Combine(folder.FullName, "win-back-1.md"), """
                ---
                subject: "How is {{product}}, {{#if name}}{{name}}{{else}}friend{{/if}}?"
                kind: marketing
                ---
                # Two things

                1. See [the docs](https://docs.example/start) first
                   - then <https://status.example>
                2. Then **write** to `me`

                > A quote
                > of two lines

                ---

                <script>alert(1)</script> &amp; [reply](mailto:me@papertrail.example)
                """);
            File.WriteAllText(Path.Combine(folder.FullName, "welcome.md"), "---\nsubject: Welcome\nkind: transactional\n---\nHello.\n");
            var templates = EmailTemplates.Load(folder.FullName);
            Assert.Contains("welcome", templates.Names);
            var email = EmailSamples.Composer(templates: templates).Compose(EmailSamples.WinBack(1));
            Assert.Equal("How is Papertrail, Ada?", email.Subject);
            Assert.Equal("""
                Two things

                1. See the docs <https://docs.example/start> first
                   - then https://status.example
                2. Then write to me

                > A quote of two lines

                ---

                <script>alert(1)</script> & reply <mailto:me@papertrail.example>
                """, email.Text[..email.Text.IndexOf("\n\n-- \n", StringComparison.Ordinal)]);
            Assert.DoesNotContain("<script", email.Html);
            Assert.Contains("<strong>write</strong>", email.Html);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Fact]
    public void A_flow_that_names_no_template_of_its_kind_stops_the_start()
    {
        var templates = EmailTemplates.Load();
        FlowDefinition Flow(MailKind kind, string template) => new() { Kind = kind, Steps = [new FlowStep(0, template)] };
        templates.Check(new Dictionary<string, FlowDefinition> { ["win-back"] = Flow(MailKind.Marketing, "win-back-1") });
        Assert.Contains("there is no template 'hello'", Assert.Throws<EmailTemplateException>(() => templates.Check(new Dictionary<string, FlowDefinition> { ["a"] = Flow(MailKind.Marketing, "hello") })).Message);
        Assert.Contains("both must be the same kind", Assert.Throws<EmailTemplateException>(() => templates.Check(new Dictionary<string, FlowDefinition> { ["a"] = Flow(MailKind.Transactional, "win-back-1") })).Message);
        Assert.Contains("is for your own e-mails", Assert.Throws<EmailTemplateException>(() => templates.Check(new Dictionary<string, FlowDefinition> { ["a"] = Flow(MailKind.Transactional, "review-week") })).Message);
    }
}
