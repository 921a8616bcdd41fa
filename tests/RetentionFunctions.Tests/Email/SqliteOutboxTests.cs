using RetentionFunctions.Tests.Support;
using System.Text.Json;
using RetentionFunctions.Email;
using RetentionFunctions.Local.Sqlite;
using RetentionFunctions.Storage;
using RetentionFunctions.Tests.Storage;

namespace RetentionFunctions.Tests.Email;

public sealed class SqliteOutboxTests : IAsyncDisposable
{
    private static readonly DateTimeOffset Start = new(2026, 1, 1, 12, 0, 0, TimeSpan.Zero);

    private readonly SqliteFixture _sqlite = new();
    private readonly StandingClock _clock = new(Start);

    private SqliteOutbox Outbox => new(_sqlite.Store, _clock);

    private static OutgoingEmail Email(string id, string subject = "Your payment did not go through") => new()
    {
        Id = id,
        CustomerId = "cus_1",
        Flow = "dunning",
        Occasion = "in_1",
        Step = 2,
        Template = "dunning-2",
        Kind = MailKind.Transactional,
        To = new Mailbox("Ada <Lovelace>", "ada@example.com"),
        From = new Mailbox("Example Billing", "billing@example.com"),
        ReplyTo = new Mailbox("", "help@example.com"),
        Subject = subject,
        Html = "<p>Grüße & 你好</p>",
        Text = "Grüße & 你好",
        Headers = new Dictionary<string, string> { ["List-Unsubscribe"] = "<https://example.com/u>" },
        Links = new Dictionary<string, string> { ["pay"] = "https://example.com/pay" },
    };

    [Fact]
    public async Task An_email_is_kept_as_it_was_sent_with_the_time_of_the_clock_and_outlives_the_program()
    {
        Assert.IsType<MailOutcome.Accepted>(await Outbox.SendAsync(Email("m1")));
        await _sqlite.ReopenAsync();
        var sent = await Outbox.GetAsync("m1");
        Assert.Equal(Start, sent!.SentAt);
        Assert.Equal(JsonSerializer.Serialize(Email("m1"), TablesExtensions.Json), JsonSerializer.Serialize(sent.Email, TablesExtensions.Json));
        Assert.Equal("<https://example.com/u>", sent.Email.Headers["List-Unsubscribe"]);
        Assert.Null(await Outbox.GetAsync("m2"));
    }

    [Fact]
    public async Task The_same_email_sent_twice_is_delivered_once()
    {
        Assert.True(Outbox.Deduplicates);
        await Outbox.SendAsync(Email("m1", "first"));
        _clock.Now += TimeSpan.FromMinutes(1);
        Assert.IsType<MailOutcome.Accepted>(await Outbox.SendAsync(Email("m1", "second")));
        var sent = Assert.Single(await Outbox.ListAsync(10));
        Assert.Equal(("first", Start), (sent.Email.Subject, sent.SentAt));
        Assert.Equal(1, await Outbox.CountAsync());
    }

    [Fact]
    public async Task The_newest_come_first_and_page_by_page()
    {
        for (var i = 1; i <= 5; i++) await Outbox.SendAsync(Email($"m{i}"));
        var first = await Outbox.ListAsync(2);
        Assert.Equal(["m5", "m4"], first.Select(sent => sent.Email.Id));
        var second = await Outbox.ListAsync(2, first[^1].Number);
        Assert.Equal(["m3", "m2"], second.Select(sent => sent.Email.Id));
        Assert.Equal(["m1"], (await Outbox.ListAsync(2, second[^1].Number)).Select(sent => sent.Email.Id));
    }

    public ValueTask DisposeAsync() => _sqlite.DisposeAsync();
}
