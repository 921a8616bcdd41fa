using Azure.Messaging.ServiceBus;
using RetentionFunctions.Intake;
using RetentionFunctions.Storage;

namespace RetentionFunctions.Functions;

/// <summary>
/// The inbox as a queue of Service Bus with sessions and duplicate detection. One call may need several batches, each of which is kept whole or not at all;
/// where one fails the caller fails too and sends all again, and the queue drops those that it has.
/// <para>The queue is not partitioned: a partitioned one with duplicate detection takes no batch of more than one id.</para>
/// </summary>
public sealed class ServiceBusInbox(ServiceBusSender sender) : IInbox
{
    /// <summary>The name of the queue.</summary>
    public const string Queue = "inbox";

    /// <inheritdoc/>
    public async Task EnqueueAsync(IReadOnlyList<InboxMessage> messages, CancellationToken cancel = default)
    {
        var waiting = new Queue<ServiceBusMessage>(messages.Select(InboxEnvelope.Of).ToList().Select(Message));
        try
        {
            while (waiting.Count > 0)
            {
                using var batch = await sender.CreateMessageBatchAsync(cancel);
                while (waiting.TryPeek(out var next) && batch.TryAddMessage(next)) waiting.Dequeue();
                if (batch.Count == 0) throw new InvalidOperationException($"The message {waiting.Peek().MessageId} is larger than the queue takes; its body should have been stored ({nameof(BodyStore)}).");
                await sender.SendMessagesAsync(batch, cancel);
            }
        }
        catch (ServiceBusException e) when (e.IsTransient || e.Reason is ServiceBusFailureReason.QuotaExceeded)
        {
            // What the door tells as 503: Stripe and the app's SDK send again. A full queue is emptied meanwhile.
            throw new TransientStorageException($"The queue does not take messages at the moment: {e.Message}", e);
        }
    }

    /// <summary>A message of the queue as one of ours.</summary>
    public static InboxMessage Read(ServiceBusReceivedMessage message) =>
        new InboxEnvelope(message.MessageId, message.SessionId, message.ApplicationProperties, message.Body.ToMemory()).Read(message.EnqueuedTime);

    private static ServiceBusMessage Message(InboxEnvelope envelope)
    {
        var message = new ServiceBusMessage(BinaryData.FromBytes(envelope.Body)) { MessageId = envelope.MessageId, SessionId = envelope.SessionId, ContentType = "application/json" };
        foreach (var (name, value) in envelope.Properties) message.ApplicationProperties[name] = value;
        return message;
    }
}
