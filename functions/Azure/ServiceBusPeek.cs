using Azure.Messaging.ServiceBus;
using RetentionFunctions.Storage;
using RetentionFunctions.Web;

namespace RetentionFunctions.Functions;

/// <summary>
/// Looks at what waits in the queue without taking it: the counts of the queue itself need a right to manage it, which the app does not have. Peeking needs no session,
/// and sees messages that are being handled too.
/// </summary>
public sealed class ServiceBusPeek(ServiceBusReceiver receiver)
{
    // One answer of the service.
    private const int Most = 250;

    /// <summary>The messages at the head of the queue.</summary>
    public async Task<WaitingMessages> WaitingAsync(CancellationToken cancel = default)
    {
        try
        {
            // From the beginning each time: the receiver would go on where it ended.
            var messages = await receiver.PeekMessagesAsync(Most, fromSequenceNumber: 0, cancel);
            return new WaitingMessages(messages.Count, messages.Count == Most, messages.Count == 0 ? null : messages.Min(message => message.EnqueuedTime));
        }
        catch (ServiceBusException e) when (e.IsTransient)
        {
            throw new TransientStorageException($"The queue does not answer at the moment: {e.Message}", e);
        }
    }
}
