using System.Net;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using RetentionFunctions.Email;
using RetentionFunctions.Functions;
using SendGrid;
using static RetentionFunctions.FunctionsTests.RecordedAnswers;

namespace RetentionFunctions.FunctionsTests;

public sealed class SendGridMailerTests
{
    private static readonly OutgoingEmail Email = new()
    {
        Id = "cus_1|win-back|2026-01-01|2",
        CustomerId = "cus_1",
        Flow = "win-back",
        Occasion = "2026-01-01",
        Step = 2,
        Template = "win-back-2",
        Kind = MailKind.Marketing,
        To = new Mailbox("Ada", "ada@example.com"),
        From = new Mailbox("Robin from Acme", "hello@example.com"),
        ReplyTo = new Mailbox("", "robin@example.com"),
        Subject = "Still there?",
        Html = "<p>Hello</p>",
        Text = "Hello",
        Headers = new Dictionary<string, string> { ["List-Unsubscribe"] = "<https://example.com/l/u>", ["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click" },
    };

    private static async Task<(MailOutcome Outcome, RecordedAnswers SendGrid)> SendAsync(object answer, OutgoingEmail? email = null)
    {
        var sendGrid = new RecordedAnswers(answer);
        return (await new SendGridMailer(new SendGridClient(new HttpClient(sendGrid), "SG.test")).SendAsync(email ?? Email), sendGrid);
    }

    private static string Error(string message, string? field) => new JsonObject { ["errors"] = new JsonArray(new JsonObject { ["message"] = message, ["field"] = field, ["help"] = null }) }.ToJsonString();

    [Fact]
    public async Task The_email_goes_out_with_everything_that_it_has_and_its_run_and_step_beside_it()
    {
        var (outcome, sendGrid) = await SendAsync(Answer(202, "", ("X-Message-Id", "sg-1")));
        Assert.Equal(new MailOutcome.Accepted("sg-1"), outcome);
        var request = Assert.Single(sendGrid.Requests);
        Assert.Equal(("POST", "/v3/mail/send", "Bearer SG.test"), (request.Method, request.Path, request.Headers["Authorization"]));
        var sent = JsonNode.Parse(request.Body)!;
        Assert.Equal("""{"name":"Robin from Acme","email":"hello@example.com"}""", sent["from"]!.ToJsonString());
        Assert.Equal("robin@example.com", (string?)sent["reply_to"]!["email"]);
        var to = Assert.Single(sent["personalizations"]!.AsArray())!;
        Assert.Equal("ada@example.com", (string?)to["to"]![0]!["email"]);
        Assert.Equal("Still there?", (string?)sent["subject"] ?? (string?)to["subject"]);
        Assert.Equal(["text/plain", "text/html"], sent["content"]!.AsArray().Select(c => (string?)c!["type"]));
        Assert.Equal("<https://example.com/l/u>", (string?)to["headers"]!["List-Unsubscribe"]);
        Assert.Equal("List-Unsubscribe=One-Click", (string?)to["headers"]!["List-Unsubscribe-Post"]);
        Assert.Equal("""{"retention_mail":"cus_1|win-back|2026-01-01|2","retention_customer":"cus_1","retention_flow":"win-back","retention_step":"2"}""", to["custom_args"]!.ToJsonString(new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping }));
        Assert.False((bool)sent["tracking_settings"]!["subscription_tracking"]!["enable"]!);
    }

    [Fact]
    public async Task The_two_kinds_of_mail_come_from_their_own_senders()
    {
        var (_, sendGrid) = await SendAsync(Answer(202), Email with { Kind = MailKind.Transactional, From = new Mailbox("Acme Billing", "billing@example.com"), ReplyTo = null });
        var sent = JsonNode.Parse(sendGrid.Requests[0].Body)!;
        Assert.Equal("""{"name":"Acme Billing","email":"billing@example.com"}""", sent["from"]!.ToJsonString());
        Assert.Null(sent["reply_to"]);
    }

    [Fact]
    public async Task An_address_that_cannot_be_is_refused_for_good()
    {
        var (outcome, _) = await SendAsync(Answer(400, Error("Does not contain a valid address.", "personalizations.0.to.0.email")));
        Assert.Contains("valid address", Assert.IsType<MailOutcome.Refused>(outcome).Reason);
    }

    [Theory]
    // Ours to mend, not the recipient's: the same e-mail goes out when the sender is verified, the key right, the rush over.
    [InlineData(400, "from.email")]
    [InlineData(400, "personalizations.0.headers")]
    [InlineData(400, null)]
    [InlineData(401, null)]
    [InlineData(403, "from")]
    [InlineData(413, null)]
    [InlineData(429, null)]
    public async Task What_SendGrid_refused_for_another_reason_was_not_sent_and_is_tried_again(int status, string? field)
    {
        var (outcome, _) = await SendAsync(Answer(status, Error("no", field)));
        Assert.Contains($"{status}", Assert.IsType<MailOutcome.NotSent>(outcome).Reason);
    }

    [Theory]
    [InlineData(500)]
    [InlineData(502)]
    [InlineData(503)]
    [InlineData(504)]
    public async Task A_server_that_broke_off_may_have_sent_it(int status) => Assert.IsType<MailOutcome.Unknown>((await SendAsync(Answer(status, "<html>Bad gateway</html>"))).Outcome);

    public static TheoryData<string, Exception, Type> Faults => new()
    {
        { "no such host", new HttpRequestException(HttpRequestError.NameResolutionError, "no such host"), typeof(MailOutcome.NotSent) },
        { "connection refused", new HttpRequestException(HttpRequestError.ConnectionError, "refused", new SocketException((int)SocketError.ConnectionRefused)), typeof(MailOutcome.NotSent) },
        { "no TLS", new HttpRequestException(HttpRequestError.SecureConnectionError, "certificate"), typeof(MailOutcome.NotSent) },
        { "answer broke off", new HttpRequestException(HttpRequestError.ResponseEnded, "ended"), typeof(MailOutcome.Unknown) },
        { "unknown fault", new HttpRequestException("?"), typeof(MailOutcome.Unknown) },
        { "reset while sending", new IOException("reset"), typeof(MailOutcome.Unknown) },
        { "time-out", new TaskCanceledException("timeout", new TimeoutException()), typeof(MailOutcome.Unknown) },
    };

    [Theory, MemberData(nameof(Faults), DisableDiscoveryEnumeration = true)]
    public async Task Only_what_never_reached_SendGrid_was_certainly_not_sent(string what, Exception fault, Type outcome) =>
        Assert.True((await SendAsync(fault)).Outcome.GetType() == outcome, what);

    [Fact]
    public async Task A_host_that_stops_is_no_answer_of_SendGrid()
    {
        using var stops = new CancellationTokenSource();
        await stops.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => new SendGridMailer(new SendGridClient(new HttpClient(new RecordedAnswers(Answer(202))), "SG.test")).SendAsync(Email, stops.Token));
    }

    [Fact]
    public void SendGrid_sends_the_same_twice_when_asked_twice() => Assert.False(new SendGridMailer(new SendGridClient("SG.test")).Deduplicates);
}
