using System.Text;
using Azure.Messaging.ServiceBus;
using Moq;
using RetentionFunctions.Functions;
using RetentionFunctions.Intake;
using RetentionFunctions.Storage;

namespace RetentionFunctions.FunctionsTests;

/// <summary>
/// The inbox on a queue of Service Bus: what goes in by the adapter and comes out to the trigger. <c>SERVICEBUS_EMULATOR</c> is the connection string of a namespace
/// with the queue of <c>tests/servicebus-emulator/config.json</c>, as Microsoft's emulator has it.
/// </summary>
public sealed class ServiceBusInboxTests : IAsyncLifetime
{
    private static readonly DateTimeOffset Noon = new(2026, 1, 1, 12, 0, 0, 1, TimeSpan.Zero);

    private readonly string? _connection = Environment.GetEnvironmentVariable("SERVICEBUS_EMULATOR");

    // What other tests left in a session is told from this.
    private readonly string _test = $"evt-{Guid.NewGuid():N}";

    private ServiceBusClient? _client;

    private ServiceBusInbox Inbox => new(_client!.CreateSender(ServiceBusInbox.Queue));

    public ValueTask InitializeAsync()
    {
        Assert.False(string.IsNullOrEmpty(_connection) && Environment.GetEnvironmentVariable("REQUIRE_ALL") is { Length: > 0 }, "REQUIRE_ALL is set, and SERVICEBUS_EMULATOR is not.");
        Assert.SkipWhen(string.IsNullOrEmpty(_connection), "SERVICEBUS_EMULATOR names no Service Bus (Microsoft's emulator).");
        _client = new ServiceBusClient(_connection);
        return ValueTask.CompletedTask;
    }

    public async ValueTask DisposeAsync()
    {
        if (_client is not null) await _client.DisposeAsync();
    }

    private InboxMessage Message(string customer, int number, int bytes = 10) =>
        new(customer, $"{_test}-{number:D4}", MessageKind.StripeEvent, Encoding.UTF8.GetBytes(new string((char)('a' + (number % 26)), bytes)), Noon.AddSeconds(number));

    // This test's next messages of a customer's session, each completed.
    private async Task<List<InboxMessage>> ReceiveAsync(string customer, int count)
    {
        await using var session = await _client!.AcceptSessionAsync(ServiceBusInbox.Queue, InboxEnvelope.SessionOf(customer));
        var read = new List<InboxMessage>();
        while (read.Count < count)
        {
            var message = await session.ReceiveMessageAsync(TimeSpan.FromSeconds(20)) ?? throw new TimeoutException($"{read.Count} of {count} messages came.");
            Assert.Equal(InboxEnvelope.SessionOf(customer), message.SessionId);
            await session.CompleteMessageAsync(message);
            if (message.MessageId.StartsWith(_test, StringComparison.Ordinal)) read.Add(ServiceBusInbox.Read(message));
        }
        return read;
    }

    private static IEnumerable<string> Ids(IEnumerable<InboxMessage> messages) => messages.Select(message => message.Id);

    [Fact]
    public async Task What_waits_is_seen_without_being_taken()
    {
        var began = TimeProvider.System.GetUtcNow();
        await Inbox.EnqueueAsync([Message("cus_waiting", 1), Message("cus_waiting", 2)]);
        await using var receiver = _client!.CreateReceiver(ServiceBusInbox.Queue);
        var peek = new ServiceBusPeek(receiver);
        // Other tests' messages may wait too; looking twice finds the same.
        foreach (var _ in Enumerable.Range(0, 2))
        {
            var waiting = await peek.WaitingAsync(default);
            Assert.InRange(waiting.Count, 2, 250);
            Assert.InRange(waiting.OldestAt!.Value, began.AddDays(-14), began.AddMinutes(5));
        }
        Assert.Equal([$"{_test}-0001", $"{_test}-0002"], Ids(await ReceiveAsync("cus_waiting", 2)));
    }

    [Fact]
    public async Task A_message_comes_out_of_its_customers_session_as_it_went_in()
    {
        var plain = Message("cus_1", 1);
        var stored = Message("cus_1", 2) with { Kind = MessageKind.AppEvent, BodyStored = true, Replay = "dead:evt_1:0a" };
        await Inbox.EnqueueAsync([plain, stored]);
        foreach (var (sent, read) in new[] { plain, stored }.Zip(await ReceiveAsync("cus_1", 2)))
        {
            Assert.Equal(sent.Body.ToArray(), read.Body.ToArray());
            Assert.Equal(sent with { Body = default }, read with { Body = default });
        }
    }

    [Fact]
    public async Task An_event_that_comes_twice_is_delivered_once_and_its_replay_again()
    {
        var first = Message("cus_1", 1);
        await Inbox.EnqueueAsync([first]);
        await Inbox.EnqueueAsync([first with { ReceivedAt = Noon.AddDays(1) }, Message("cus_1", 2)]);
        Assert.Equal(Ids([first, Message("cus_1", 2)]), Ids(await ReceiveAsync("cus_1", 2)));

        await Inbox.EnqueueAsync([first, first with { Replay = "dead:1" }, Message("cus_1", 3)]);
        Assert.Equal([(first.Id, "dead:1"), (Message("cus_1", 3).Id, null)], (await ReceiveAsync("cus_1", 2)).Select(m => (m.Id, m.Replay)));
    }

    [Fact]
    public async Task More_than_one_batch_holds_comes_whole_and_in_order()
    {
        // Eight times 150 KB: a batch of Service Bus Standard holds 256 KB.
        var messages = Enumerable.Range(0, 8).Select(i => Message("cus_1", i, 150_000)).ToList();
        await Inbox.EnqueueAsync(messages);
        var read = await ReceiveAsync("cus_1", 8);
        Assert.Equal(Ids(messages), Ids(read));
        Assert.All(messages.Zip(read), pair => Assert.Equal(pair.First.Body.ToArray(), pair.Second.Body.ToArray()));
    }

    [Fact]
    public async Task The_largest_body_that_is_not_stored_apart_fits()
    {
        await Inbox.EnqueueAsync([Message("cus_1", 1, BodyStore.QueueBytes)]);
        Assert.Equal(BodyStore.QueueBytes, Assert.Single(await ReceiveAsync("cus_1", 1)).Body.Length);
    }

    [Fact]
    public async Task A_message_that_the_queue_cannot_take_is_refused_by_name()
    {
        var refused = await Assert.ThrowsAsync<InvalidOperationException>(() => Inbox.EnqueueAsync([Message("cus_1", 1, 300_000)]));
        Assert.Contains(Message("cus_1", 1).Id, refused.Message);
    }

    [Fact]
    public async Task Messages_of_many_customers_in_one_call_lie_each_in_its_own_session()
    {
        var customers = Enumerable.Range(0, 200).Select(i => $"cus_{i}").ToList();
        await Inbox.EnqueueAsync([.. customers.Select((customer, i) => Message(customer, i))]);
        foreach (var session in customers.Index().GroupBy(c => InboxEnvelope.SessionOf(c.Item)))
            Assert.Equal(session.Select(c => (c.Item, Message(c.Item, c.Index).Id)), (await ReceiveAsync(session.First().Item, session.Count())).Select(m => (m.Session, m.Id)));
    }

    [Fact]
    public async Task What_is_given_back_comes_again_at_once_before_what_follows_it_and_after_ten_times_lies_among_the_queues_dead_letters()
    {
        var sent = Message("cus_1", 1);
        await Inbox.EnqueueAsync([sent, Message("cus_1", 2)]);
        await using (var session = await _client!.AcceptSessionAsync(ServiceBusInbox.Queue, InboxEnvelope.SessionOf("cus_1")))
        {
            for (var delivery = 1; delivery <= InboxProcessor.MaxAttempts;)
            {
                var message = await session.ReceiveMessageAsync(TimeSpan.FromSeconds(20));
                if (ServiceBusInbox.Read(message).Id != sent.Id)
                {
                    Assert.DoesNotContain(_test, message.MessageId);
                    await session.CompleteMessageAsync(message);
                    continue;
                }
                Assert.Equal(delivery++, message.DeliveryCount);
                await session.AbandonMessageAsync(message);
            }
        }
        Assert.Equal(Message("cus_1", 2).Id, Assert.Single(await ReceiveAsync("cus_1", 1)).Id);

        // As the trigger of DrainDeadLetters names it.
        await using var dead = _client.CreateReceiver(DrainDeadLetters.Queue);
        while (true)
        {
            var message = await dead.ReceiveMessageAsync(TimeSpan.FromSeconds(20));
            await dead.CompleteMessageAsync(message);
            if (ServiceBusInbox.Read(message).Id != sent.Id) continue;
            Assert.Equal(sent.Body.ToArray(), ServiceBusInbox.Read(message).Body.ToArray());
            Assert.Equal(sent with { Body = default }, ServiceBusInbox.Read(message) with { Body = default });
            Assert.Contains("MaxDeliveryCountExceeded", DrainDeadLetters.Reason(message.DeadLetterReason, message.DeadLetterErrorDescription));
            return;
        }
    }
}

/// <summary>What the door hears of a queue that does not take messages.</summary>
public sealed class ServiceBusFaultsTests
{
    private static readonly InboxMessage Message = new("cus_1", "evt_1", MessageKind.StripeEvent, new byte[10], DateTimeOffset.UnixEpoch);

    private static ServiceBusInbox Failing(Exception fault)
    {
        var sender = new Mock<ServiceBusSender>();
        sender.Setup(s => s.CreateMessageBatchAsync(It.IsAny<CancellationToken>())).ReturnsAsync(() => ServiceBusModelFactory.ServiceBusMessageBatch(262_144, []));
        sender.Setup(s => s.SendMessagesAsync(It.IsAny<ServiceBusMessageBatch>(), It.IsAny<CancellationToken>())).ThrowsAsync(fault);
        return new ServiceBusInbox(sender.Object);
    }

    [Theory]
    [InlineData(ServiceBusFailureReason.ServiceBusy)]
    [InlineData(ServiceBusFailureReason.ServiceTimeout)]
    [InlineData(ServiceBusFailureReason.ServiceCommunicationProblem)]
    [InlineData(ServiceBusFailureReason.QuotaExceeded)]
    public async Task A_queue_that_is_busy_full_or_away_is_a_reason_to_send_again(ServiceBusFailureReason reason) =>
        await Assert.ThrowsAsync<TransientStorageException>(() => Failing(new ServiceBusException("said", reason)).EnqueueAsync([Message]));

    [Fact]
    public async Task A_queue_that_does_not_exist_is_a_mistake_that_stays_one() =>
        await Assert.ThrowsAsync<ServiceBusException>(() => Failing(new ServiceBusException("said", ServiceBusFailureReason.MessagingEntityNotFound)).EnqueueAsync([Message]));

    [Fact]
    public async Task Where_nobody_listens_the_message_is_not_taken_for_kept()
    {
        await using var client = new ServiceBusClient("Endpoint=sb://localhost:1;SharedAccessKeyName=k;SharedAccessKey=k;UseDevelopmentEmulator=true;",
            new ServiceBusClientOptions { RetryOptions = { MaxRetries = 0 } });
        await Assert.ThrowsAsync<TransientStorageException>(() => new ServiceBusInbox(client.CreateSender(ServiceBusInbox.Queue)).EnqueueAsync([Message]));
    }
}
