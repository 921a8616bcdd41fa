using Azure.Messaging.ServiceBus;
using Microsoft.Azure.Functions.Worker;
using Microsoft.DurableTask.Client;
using RetentionFunctions.Intake;

namespace RetentionFunctions.Functions;

/// <summary>
/// Handles what is queued: of one session one after another, of different sessions at the same time. What fails is delivered again, and given up at the last
/// delivery with what was wrong; if even that fails, the queue moves it to its own dead letters (<see cref="DrainDeadLetters"/>).
/// </summary>
public sealed class ProcessInbox(InboxProcessor processor, DurableClients durable)
{
    [Function(nameof(ProcessInbox))]
    public async Task RunAsync(
        [ServiceBusTrigger(ServiceBusInbox.Queue, Connection = AzureSettings.ServiceBusName, IsSessionsEnabled = true)] ServiceBusReceivedMessage message,
        [DurableClient] DurableTaskClient client, CancellationToken cancel)
    {
        durable.Use(client);
        await HandleAsync(ServiceBusInbox.Read(message), message.DeliveryCount, Pause, cancel);
    }

    /// <summary>Handles a delivery.</summary>
    /// <param name="message">What was delivered.</param>
    /// <param name="delivery">The how manieth delivery it is, from 1.</param>
    /// <param name="pause">How long a delivery that failed is held before the queue gives it again.</param>
    /// <param name="cancel">The host stops: the queue delivers again elsewhere.</param>
    internal async Task HandleAsync(InboxMessage message, int delivery, Func<int, TimeSpan> pause, CancellationToken cancel)
    {
        try
        {
            await processor.HandleAsync(message, delivery, cancel);
        }
        catch (Exception e) when (!cancel.IsCancellationRequested)
        {
            if (delivery >= InboxProcessor.MaxAttempts)
            {
                await processor.GiveUpAsync(message, delivery, e.Message, cancel);
                return;
            }
            // The queue itself delivers again at once: a storage that falters for a minute would use up all deliveries in a second.
            await Task.Delay(pause(delivery), cancel);
            throw;
        }
    }

    // 1 s, doubling up to 30 s: ten deliveries last about three minutes. Only the session's own customers wait.
    internal static TimeSpan Pause(int delivery) => TimeSpan.FromSeconds(Math.Min(Math.Pow(2, delivery - 1), 30));
}
