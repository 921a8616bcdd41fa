using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Logging;
using Moq;
using RetentionFunctions.Email;
using RetentionFunctions.Flows;
using RetentionFunctions.Functions;
using RetentionFunctions.History;
using RetentionFunctions.Intake;
using RetentionFunctions.Links;
using RetentionFunctions.Settings;
using RetentionFunctions.Storage;
using RetentionFunctions.Tests.Support;
using RetentionFunctions.Web;

namespace RetentionFunctions.FunctionsTests;

/// <summary>What becomes of a delivery, with the rooms as both hosts register them.</summary>
public sealed class InboxHandlingTests
{
    private static readonly InboxMessage Message = new("cus_1", "evt_1", MessageKind.StripeEvent, """{"not":"an event"}"""u8.ToArray(), DateTimeOffset.UnixEpoch);

    private readonly FakeTables _tables = new();
    private readonly List<InboxMessage> _queued = [];
    private readonly ServiceProvider _rooms;

    public InboxHandlingTests()
    {
        var inbox = new Mock<IInbox>();
        inbox.Setup(i => i.EnqueueAsync(It.IsAny<IReadOnlyList<InboxMessage>>(), It.IsAny<CancellationToken>()))
            .Callback((IReadOnlyList<InboxMessage> messages, CancellationToken _) => _queued.AddRange(messages)).Returns(Task.CompletedTask);
        var configuration = new ConfigurationBuilder().Build();
        _rooms = new ServiceCollection()
            .AddRooms(SettingsLoader.Load(configuration), EmailTemplates.Load(null), configuration, _ => new Uri("https://retention.example.com"))
            .AddSingleton<ILoggerFactory>(NullLoggerFactory.Instance).AddLogging()
            .AddSingleton<ITables>(_tables).AddSingleton(inbox.Object).AddSingleton(TimeProvider.System)
            .AddSingleton(Mock.Of<IFlowEngine>()).AddSingleton(Mock.Of<IMailer>()).AddSingleton(Mock.Of<IBilling>()).AddSingleton(Mock.Of<IBillingHistory>())
            .AddSingleton(new WebActions { StopRun = (_, _) => Task.FromResult(false), Sweep = _ => throw new InvalidOperationException(), Waiting = _ => throw new InvalidOperationException(), Backups = new BackupView(_ => throw new InvalidOperationException()) })
            .BuildServiceProvider();
    }

    private Task DeliverAsync(int delivery) => new ProcessInbox(_rooms.GetRequiredService<InboxProcessor>(), new DurableClients()).HandleAsync(Message, delivery, _ => TimeSpan.Zero, default);

    private async Task<DeadLetter> LetterAsync() => Assert.Single(await _rooms.GetRequiredService<DeadLetters>().ListAsync());

    [Fact]
    public async Task What_cannot_be_read_is_a_dead_letter_at_once_and_the_queue_is_rid_of_it()
    {
        await DeliverAsync(1);
        Assert.Equal(1, (await LetterAsync()).Attempts);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(9)]
    public async Task What_fails_before_the_last_delivery_is_given_back_to_the_queue(int delivery)
    {
        _tables.NextFault = new TransientStorageException("busy");
        await Assert.ThrowsAsync<TransientStorageException>(() => DeliverAsync(delivery));
        Assert.Empty(await _rooms.GetRequiredService<DeadLetters>().ListAsync());
    }

    [Fact]
    public async Task What_fails_at_the_last_delivery_is_a_dead_letter_with_what_was_wrong()
    {
        _tables.NextFault = new TransientStorageException("busy");
        await DeliverAsync(InboxProcessor.MaxAttempts);
        Assert.Contains("busy", (await LetterAsync()).Reason);
    }

    [Fact]
    public async Task Where_even_that_fails_the_queue_keeps_it()
    {
        _tables.StandingFault = new TransientStorageException("down");
        await Assert.ThrowsAsync<TransientStorageException>(() => DeliverAsync(InboxProcessor.MaxAttempts));
    }

    [Fact]
    public async Task The_queues_own_dead_letters_become_ours_with_its_reason()
    {
        var drain = new DrainDeadLetters(_rooms.GetRequiredService<InboxProcessor>());
        await drain.GiveUpAsync(Message, 1, DrainDeadLetters.Reason("MaxDeliveryCountExceeded", null), _ => TimeSpan.Zero, default);
        Assert.Contains("MaxDeliveryCountExceeded", (await LetterAsync()).Reason);
    }

    [Fact]
    public async Task A_dead_letter_can_be_replayed_past_a_queue_that_remembers_its_id()
    {
        await DeliverAsync(1);
        Assert.True(await _rooms.GetRequiredService<DeadLetters>().ReplayAsync("evt_1"));
        var replayed = Assert.Single(_queued);
        Assert.Equal("evt_1", replayed.Id);
        Assert.NotEqual(InboxEnvelope.Of(Message).MessageId, InboxEnvelope.Of(replayed).MessageId);
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(4, 8)]
    [InlineData(6, 30)]
    [InlineData(10, 30)]
    public void A_delivery_that_failed_is_held_longer_each_time(int delivery, int seconds) => Assert.Equal(TimeSpan.FromSeconds(seconds), ProcessInbox.Pause(delivery));
}
