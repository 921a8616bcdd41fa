using Azure.Messaging.ServiceBus;
using Microsoft.Azure.Functions.Worker;
using RetentionFunctions.Intake;

namespace RetentionFunctions.Functions;

/// <summary>
/// Turns the queue's own dead letters into ours, which are shown and can be replayed: deliveries whose process died each time, messages that expired, and what
/// could be neither handled nor given up.
/// </summary>
public sealed class DrainDeadLetters(InboxProcessor processor)
{
    /// <summary>Where Service Bus keeps the dead letters of the queue.</summary>
    public const string Queue = $"{ServiceBusInbox.Queue}/$DeadLetterQueue";

    [Function(nameof(DrainDeadLetters))]
    public Task RunAsync([ServiceBusTrigger(Queue, Connection = AzureSettings.ServiceBusName)] ServiceBusReceivedMessage message, CancellationToken cancel) =>
        GiveUpAsync(ServiceBusInbox.Read(message), message.DeliveryCount, Reason(message.DeadLetterReason, message.DeadLetterErrorDescription), ProcessInbox.Pause, cancel);

    internal async Task GiveUpAsync(InboxMessage message, int delivery, string reason, Func<int, TimeSpan> pause, CancellationToken cancel)
    {
        try
        {
            await processor.GiveUpAsync(message, InboxProcessor.MaxAttempts, reason, cancel);
        }
        catch (Exception) when (!cancel.IsCancellationRequested)
        {
            // It stays where it is and comes again, for as long as it takes: dead letters have no dead letters.
            await Task.Delay(pause(Math.Min(delivery, 20)), cancel);
            throw;
        }
    }

    internal static string Reason(string? reason, string? description) =>
        (reason, description) switch
        {
            (null or "", null or "") => "the queue gave it up without a reason",
            (_, null or "") => $"the queue gave it up: {reason}",
            (null or "", _) => $"the queue gave it up: {description}",
            _ => $"the queue gave it up: {reason} ({description})",
        };
}
