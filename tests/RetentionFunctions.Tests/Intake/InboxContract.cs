using System.Text;
using RetentionFunctions.Intake;

namespace RetentionFunctions.Tests.Intake;

/// <summary>What every implementation of <see cref="IInbox"/> does, whatever stands behind it.</summary>
public abstract class InboxContract
{
    protected static readonly DateTimeOffset Noon = new(2026, 1, 1, 12, 0, 0, TimeSpan.Zero);

    protected abstract IInbox Inbox { get; }

    /// <summary>Handles and removes all that is queued, and says in which order.</summary>
    protected abstract Task<IReadOnlyList<InboxMessage>> DrainAsync();

    /// <summary>As if the program had been stopped and started again.</summary>
    protected abstract Task RestartAsync();

    protected static InboxMessage Message(string session, string id, string body = "{}") => new(session, id, MessageKind.StripeEvent, Encoding.UTF8.GetBytes(body), Noon);

    [Fact]
    public async Task A_message_comes_out_as_it_went_in()
    {
        var sent = new InboxMessage("cus_ü", "evt_1", MessageKind.AppEvent, new byte[] { 0, 1, 255 }, Noon.AddTicks(1)) { BodyStored = true };
        await Inbox.EnqueueAsync([sent]);
        var received = Assert.Single(await DrainAsync());
        Assert.Equal(sent.Body.ToArray(), received.Body.ToArray());
        Assert.Equal(sent with { Body = default }, received with { Body = default });
    }

    [Fact]
    public async Task What_was_enqueued_outlives_the_program()
    {
        await Inbox.EnqueueAsync([Message("a", "1"), Message("b", "2")]);
        await RestartAsync();
        Assert.Equal(["1", "2"], (await DrainAsync()).Select(m => m.Id).Order());
        await RestartAsync();
        Assert.Empty(await DrainAsync());
    }

    [Fact]
    public async Task A_message_that_is_still_queued_is_queued_once()
    {
        await Inbox.EnqueueAsync([Message("a", "1", "{\"copy\":1}"), Message("a", "1", "{\"copy\":2}")]);
        await Inbox.EnqueueAsync([Message("a", "2"), Message("a", "1", "{\"copy\":3}")]);
        var received = await DrainAsync();
        Assert.Equal(["1", "2"], received.Select(m => m.Id));
        Assert.Equal("{\"copy\":1}"u8.ToArray(), received[0].Body.ToArray());
    }

    [Fact]
    public async Task Messages_of_a_session_come_in_the_order_in_which_they_were_enqueued()
    {
        var sent = Enumerable.Range(0, 300).Select(i => Message($"s{i % 7}", $"{i:D3}")).ToList();
        foreach (var part in sent.Chunk(50)) await Inbox.EnqueueAsync(part);
        var received = await DrainAsync();
        Assert.Equal(300, received.Count);
        foreach (var session in received.GroupBy(m => m.Session)) Assert.Equal(session.Select(m => m.Id).Order(StringComparer.Ordinal), session.Select(m => m.Id));
    }

    [Fact]
    public async Task One_message_that_cannot_be_taken_and_none_is()
    {
        await Assert.ThrowsAnyAsync<ArgumentException>(() => Inbox.EnqueueAsync([Message("a", "1"), Message("", "2"), Message("a", "3")]));
        Assert.Empty(await DrainAsync());
    }

    [Fact]
    public async Task Nothing_to_enqueue_is_nothing_to_do()
    {
        await Inbox.EnqueueAsync([]);
        Assert.Empty(await DrainAsync());
    }
}
