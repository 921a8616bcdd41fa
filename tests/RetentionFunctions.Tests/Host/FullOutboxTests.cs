using Microsoft.Extensions.DependencyInjection;
using RetentionFunctions.Email;
using RetentionFunctions.Flows;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.Tests.Host;

/// <summary>An outbox with more than its page shows.</summary>
public class FullOutboxTests
{
    [Theory]
    [InlineData(500, "500 e-mails, newest first")]
    [InlineData(501, "The newest 500 e-mails, newest first")]
    public async Task The_page_says_when_there_are_more_than_it_shows(int sent, string says)
    {
        await using var host = await TestHost.StartAsync("2026-02-01T12:00:00Z");
        var mailer = host.Services.GetRequiredService<IMailer>();
        await Task.WhenAll(Enumerable.Range(1, sent).Select(i => mailer.SendAsync(new OutgoingEmail
        {
            Id = $"m{i}", CustomerId = "cus_1", Flow = "dunning", Occasion = "in_1", Step = 1, Template = "t", Kind = MailKind.Transactional,
            To = new Mailbox("", "a@example.com"), From = new Mailbox("", "b@example.com"), Subject = "s", Html = "h", Text = "t",
        })));

        var html = await host.Http.GetStringAsync("/outbox");

        Assert.Contains($"<caption>{says}</caption>", html);
        Assert.Equal(Math.Min(sent, 500), html.Split("data-label=\"Sent\"").Length - 1);
    }
}
