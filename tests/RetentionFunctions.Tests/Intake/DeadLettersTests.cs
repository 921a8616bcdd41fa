using RetentionFunctions.Intake;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.Tests.Intake;

/// <summary>The handling of a replayed message may end before the replay does.</summary>
public class DeadLettersTests
{
    private static readonly DateTimeOffset Now = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private static readonly InboxMessage Message = new("cus_1", "evt_1", MessageKind.StripeEvent, "{}"u8.ToArray(), Now);

    [Fact]
    public async Task A_message_that_dies_again_while_it_is_put_back_is_not_lost()
    {
        var tables = new FakeTables();
        var bodies = new BodyStore(tables);
        var inbox = new ImmediateInbox();
        var letters = new DeadLetters(tables, bodies, inbox);
        await letters.KeepAsync(Message, Message.Body, "the first reason", 1, Now);
        // As fast as a handler can be: it gives up before the replay has dropped the letter.
        inbox.Handle = message => letters.KeepAsync(message, message.Body, "the second reason", 1, Now.AddHours(1));

        Assert.True(await letters.ReplayAsync("evt_1"));

        var (letter, body) = (await letters.GetAsync("evt_1"))!.Value;
        Assert.Equal("the second reason", letter.Reason);
        Assert.Equal("{}"u8.ToArray(), body.ToArray());
        Assert.True(await letters.ReplayAsync("evt_1"));
    }

    [Fact]
    public async Task A_message_that_is_handled_while_it_is_put_back_is_gone()
    {
        var letters = new DeadLetters(new FakeTables(), new BodyStore(new FakeTables()), new ImmediateInbox());
        await letters.KeepAsync(Message, Message.Body, "the first reason", 1, Now);
        Assert.True(await letters.ReplayAsync("evt_1"));
        Assert.Null(await letters.GetAsync("evt_1"));
        Assert.False(await letters.ReplayAsync("evt_1"));
    }

    private sealed class ImmediateInbox : IInbox
    {
        public Func<InboxMessage, Task>? Handle { get; set; }

        public async Task EnqueueAsync(IReadOnlyList<InboxMessage> messages, CancellationToken cancel = default)
        {
            foreach (var message in messages)
                if (Handle is { } handle) await handle(message);
        }
    }
}
