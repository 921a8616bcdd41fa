using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using RetentionFunctions.Intake;
using RetentionFunctions.Intake.Stripe;
using RetentionFunctions.Links;
using RetentionFunctions.Local.Sqlite;
using RetentionFunctions.Storage;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.Torture.Security;

/// <summary>Whatever people and other programs write into a field, it stays text: on pages, in e-mails, in JSON, in logs and in keys.</summary>
public sealed class HostileFieldsTests
{
    private const int FieldsOfARound = 25;

    private readonly Lines _log = new();
    private readonly HashSet<string> _ours = new(StringComparer.Ordinal);
    private int _round;

    [Fact]
    public Task What_anyone_writes_into_any_field_stays_text_everywhere() => Form.WithDiceAsync(async dice =>
    {
        await using var host = await TestHost.StartAsync("2026-01-05T10:00:00Z", services: services => services.AddSingleton<ILoggerProvider>(_log));
        for (var i = 0; i < 3; i++) foreach (var html in await RoundAsync(host, dice, _ => "Calm")) _ours.UnionWith(Markup.Of(html));
        // What only shows for some: a name, an address or a search that is too odd to be repeated is left out.
        for (var left = Form.Times(175, 10_000); left > 0; left -= FieldsOfARound)
            foreach (var html in await RoundAsync(host, dice, anyUnicode => dice.HostileText(anyUnicode)))
                Assert.Empty(Markup.Of(html).Except(_ours));

        foreach (var sent in await host.OutboxAsync())
            foreach (var line in (string[])[(string)sent["subject"]!, (string)sent["to"]!, (string)sent["from"]!, .. sent["headers"]!.AsObject().Select(header => $"{header.Key}{header.Value}")])
                Assert.DoesNotContain(line, IsUnseen);
        Assert.All(_log.Written, line => Assert.DoesNotContain(line, IsUnseen));
        foreach (var key in await KeysAsync(host)) TableLimits.CheckKey("key", key);
        // Nothing is thrown and tried in vain: what cannot be read is a dead letter at once.
        Assert.True(_log.Thrown.IsEmpty, $"{_log.Thrown.Count} thrown; the first: {_log.Thrown.FirstOrDefault()}");
        Assert.Equal(0, await host.QueuedAsync());
    });

    [Fact]
    public async Task A_message_that_cannot_be_handled_is_told_in_one_line_of_the_log_whatever_it_is_called()
    {
        await using var host = await TestHost.StartAsync("2026-01-05T10:00:00Z", services: services => services.AddSingleton<ILoggerProvider>(_log));
        await host.Services.GetRequiredService<IInbox>().EnqueueAsync([new InboxMessage("user:u", "u\r\nfail: forged \u202Eline\u001b[2J\0:m", MessageKind.AppEvent, "no JSON\r\n"u8.ToArray(), host.Now)]);
        await host.SettleAsync();
        Assert.Single(await host.DeadLettersAsync());
        var line = Assert.Single(_log.Written, line => line.Contains("cannot be read", StringComparison.Ordinal));
        Assert.DoesNotContain(line, IsUnseen);
        // An app's user is named in no log: the message goes by a hash of its id, which the dead letter has too.
        Assert.DoesNotContain("forged", line);
    }

    [Fact]
    public async Task A_field_of_a_megabyte_is_taken_kept_short_and_shown_short()
    {
        await using var host = await TestHost.StartAsync("2026-01-05T10:00:00Z", services: services => services.AddSingleton<ILoggerProvider>(_log));
        var most = new string('x', 1_000_000);
        var number = 0;
        foreach (var (kind, field) in new (string Kind, Action<JsonObject> Write)[]
        {
            ("customer", about => about["name"] = most), ("customer", about => about["email"] = $"{most}@example.com"), ("customer", about => about["metadata"] = new JsonObject { ["userId"] = most, ["timezone"] = "UTC" }),
            ("customer", about => about["metadata"] = new JsonObject { [most] = "1" }), ("customer", about => about["address"] = new JsonObject { ["country"] = most }),
            ("subscription", about => about["items"]!["data"]![0]!["price"]!["nickname"] = most), ("subscription", about => about["items"]!["data"]![0]!["price"]!["id"] = most), ("subscription", about => about["id"] = $"sub_{most}"),
            ("invoice", about => about["number"] = most), ("invoice", about => about["hosted_invoice_url"] = $"https://invoice.example.com/{most}"), ("invoice", about => about["id"] = $"in_{most}"), ("invoice", about => about["customer_email"] = $"{most}@example.com"),
            ("charge", about => about["failure_message"] = most), ("charge", about => about["failure_code"] = most), ("charge", about => about["outcome"]!["reason"] = most), ("charge", about => about["payment_method_details"]!["card"]!["last4"] = most),
            ("charge", about => about["id"] = $"ch_{most}"), ("charge", about => about["payment_intent"] = $"pi_{most}"),
        })
        {
            var story = new Story($"cus_{++number}", $"{number}@example.com");
            foreach (var e in story.SignsUp(host.Now.AddMonths(-1)).Concat(story.PaymentFails(host.Now, $"r{number}", next: host.Now.AddDays(3))))
            {
                if ((string)e["data"]!["object"]!["object"]! == kind) field(e["data"]!["object"]!.AsObject());
                await TakenAsync(host.SendStripeAsync(e.ToJsonString()));
            }
            await host.SettleAsync();
            foreach (var path in (string[])[$"/customers/{story.Customer}", "/customers", "/", "/dead-letters", "/outbox"])
                Assert.InRange((await PageAsync(host, host.Http.GetAsync(path))).Length, 100, 300_000);
        }
        Assert.True(_log.Thrown.IsEmpty, $"{_log.Thrown.Count} thrown; the first: {_log.Thrown.FirstOrDefault()}");
        Assert.All(_log.Written, line => Assert.InRange(line.Length, 0, 20_000));
        Assert.Equal(0, await host.QueuedAsync());
    }

    private static bool IsUnseen(char c) => char.IsControl(c) || char.GetUnicodeCategory(c) is UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator or UnicodeCategory.Format && c != '\u200D';

    /// <summary>One customer from the sign-up to the answer in an e-mail, with a text in each field that others fill; the pages about it.</summary>
    private async Task<List<string>> RoundAsync(TestHost host, Random dice, Func<bool, string> text)
    {
        var id = $"cus_{++_round}";
        var user = _round <= 3 ? $"user {_round}" : $"{text(false)}{_round}";
        var story = new Story(id, $"{_round}@example.com");
        host.Ada = story;
        var at = host.Now;
        foreach (var e in story.SignsUp(at.AddMonths(-1)).Concat(story.PaymentFails(at, $"r{_round}", next: at.AddDays(3))))
        {
            var about = e["data"]!["object"]!.AsObject();
            switch ((string)about["object"]!)
            {
                case "customer":
                    about["name"] = text(true);
                    if (dice.Next(3) == 0 && _round > 3) about["email"] = text(true);
                    about["description"] = text(true);
                    about["preferred_locales"] = new JsonArray("en");
                    about["address"] = new JsonObject { ["country"] = text(false) };
                    about["metadata"] = new JsonObject { ["userId"] = user, ["timezone"] = text(false) };
                    break;
                case "subscription":
                    var price = about["items"]!["data"]![0]!["price"]!;
                    price["nickname"] = text(true);
                    price["product"] = "prod_1";
                    break;
                case "invoice":
                    about["number"] = text(true);
                    about["hosted_invoice_url"] = _round <= 3 ? "https://invoice.example.com/x" : text(true);
                    break;
                case "charge":
                    about["failure_message"] = text(true);
                    about["outcome"]!["reason"] = _round <= 3 ? "insufficient_funds" : text(true);
                    about["payment_method_details"]!["card"]!["brand"] = text(true);
                    about["payment_method_details"]!["card"]!["last4"] = text(true);
                    break;
            }
            await TakenAsync(host.SendStripeAsync(Form.Json(e)));
        }
        foreach (var (call, body) in new (string, JsonObject)[]
        {
            ("identify", new() { ["userId"] = user, ["messageId"] = text(false), ["traits"] = new JsonObject { ["email"] = text(false), ["name"] = text(false), ["stripeCustomerId"] = id, ["plan"] = text(true) }, ["context"] = new JsonObject { ["timezone"] = text(false) } }),
            ("track", new() { ["userId"] = user, ["event"] = text(false), ["messageId"] = $"{text(false)}{_round}", ["properties"] = new JsonObject { [text(true)] = text(true) } }),
            ("batch", new() { ["batch"] = new JsonArray(new JsonObject { ["type"] = text(false), ["userId"] = text(true), ["event"] = text(true) }), ["sentAt"] = text(true) }),
        }) await TakenAsync(host.SendAppAsync(call, Form.Json(body)));
        await host.SettleAsync();

        var mails = (await host.GetAsync("/local/outbox?limit=3"))!.AsArray().Where(sent => (string?)sent!["customerId"] == id).ToList();
        foreach (var sent in mails)
            await TakenAsync(host.SendMailAsync(Encoding.UTF8.GetBytes($"[{Form.Json(MailProvider.Event((string)sent!["id"]!, dice.Pick(["bounce", "click", "open", text(false)]), host.Now, text(false), text(true), text(true)))}]")));
        await TakenAsync(host.SendMailAsync(Encoding.UTF8.GetBytes($"[{Form.Json(MailProvider.Event(text(true), text(true), host.Now, text(true)))}]")));

        var links = host.Services.GetRequiredService<LinkTokens>();
        var link = $"/l/{links.Create(new LinkClaims { CustomerId = id, Purpose = LinkPurpose.Answer, Flow = "win-back", Occasion = "2026-01-05", Step = 4, ExpiresAt = host.Now.AddDays(1) })}";
        var pages = new List<string> { await PageAsync(host, host.Http.PostAsync(link, new FormUrlEncodedContent([new("text", text(false))]))), await PageAsync(host, host.Http.GetAsync(link.Replace("/l/", "/l/%3Crfx%3E", StringComparison.Ordinal))) };
        await host.SettleAsync();
        // Of a length that the server takes at all.
        var searched = text(false);
        var search = Uri.EscapeDataString(searched[..Math.Min(searched.Length, 200)]);
        foreach (var path in (string[])[$"/customers/{id}", $"/customers?search={search}", $"/customers?tier={search}", $"/customers/{search}", "/", "/dead-letters", "/runs", "/outbox", $"/sign-in?to={search}", .. mails.Select(sent => $"/outbox/{Uri.EscapeDataString((string)sent!["id"]!)}")])
            pages.Add(await PageAsync(host, host.Http.GetAsync(path)));
        pages.AddRange(mails.Select(sent => (string)sent!["html"]!));
        foreach (var path in (string[])[$"/api/v1/customers/{id}", "/api/v1/dead-letters", $"/api/v1/flows?customer={search}", $"/api/v1/customers?search={search}"]) await host.GetAsync(path);
        return pages;
    }

    private static async Task TakenAsync(Task<HttpResponseMessage> sending)
    {
        using var answer = await sending;
        Assert.True((int)answer.StatusCode is >= 200 and < 500, $"{answer.StatusCode} {await answer.Content.ReadAsStringAsync()}");
    }

    private static async Task<string> PageAsync(TestHost host, Task<HttpResponseMessage> asking)
    {
        using var answer = await asking;
        var html = await answer.Content.ReadAsStringAsync();
        Assert.True((int)answer.StatusCode < 500, $"{answer.RequestMessage!.RequestUri} {answer.StatusCode} {html}");
        return html;
    }

    private static Task<List<string>> KeysAsync(TestHost host) =>
        host.Services.GetRequiredService<SqliteStore>().ReadAsync(reader => reader.List("SELECT partition FROM rows UNION SELECT key FROM rows", row => row.Text(0)));

    /// <summary>What is logged, as it is written.</summary>
    private sealed class Lines : ILoggerProvider, ILogger
    {
        public ConcurrentQueue<string> Written { get; } = new();

        public ConcurrentQueue<Exception> Thrown { get; } = new();

        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            Written.Enqueue(formatter(state, exception));
            if (exception is not null) Thrown.Enqueue(exception);
        }

        public void Dispose() { }
    }
}
