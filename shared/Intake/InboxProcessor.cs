using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Logging;
using RetentionFunctions.Email;
using RetentionFunctions.Jobs;
using RetentionFunctions.Telemetry;

namespace RetentionFunctions.Intake;

/// <summary>
/// Handles one message of the inbox, in either host. What cannot be read becomes a dead letter at once; everything else throws, and the host
/// delivers again until <see cref="MaxAttempts"/>, then calls <see cref="GiveUpAsync"/>.
/// </summary>
public sealed partial class InboxProcessor(BodyStore bodies, DeadLetters deadLetters, StripeIntake stripe, StripeHistory history, AppIntake app, MailIntake mail, JobRunner jobs, TimeProvider clock, ILogger<InboxProcessor> log)
{
    /// <summary>Deliveries before a message is given up; the same as the queue's <c>maxDeliveryCount</c> on Azure.</summary>
    public const int MaxAttempts = 10;

    private const int MaxLine = 1000;

    /// <summary>Handles it; may be repeated at any point.</summary>
    public async Task HandleAsync(InboxMessage message, int attempt, CancellationToken cancel = default)
    {
        using var span = RetentionTelemetry.Handling(message.Kind);
        RetentionTelemetry.Began(message.Kind, clock.GetUtcNow() - message.ReceivedAt);
        try
        {
            await HandleOnceAsync(message, attempt, cancel);
            RetentionTelemetry.Handled(message.Kind);
        }
        catch (Exception e) when (!cancel.IsCancellationRequested)
        {
            RetentionTelemetry.Failed(message.Kind);
            span.Fault(e);
            throw;
        }
    }

    /// <summary>A text for a line of the log: an app's ids are whatever the app says, and one with a line break would forge a line of its own.</summary>
    public static string Line(string text) => PlainText.Line(text, MaxLine);

    /// <summary>
    /// A message for a line of the log. Only Stripe's own ids and those of jobs are said: others name customers and users of the app, of whom nothing may be left in a log when they are erased.
    /// With the dead letters a message stands with its id.
    /// </summary>
    public static string Named(InboxMessage message) => message.Kind is MessageKind.StripeEvent or MessageKind.Job ? Line(message.Id)
        : $"{message.Kind} {Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(message.Id)), 0, 6)}";

    private async Task HandleOnceAsync(InboxMessage message, int attempt, CancellationToken cancel)
    {
        if (await bodies.BodyOfAsync(message, cancel) is not { } body) return;
        try
        {
            await (message.Kind switch
            {
                MessageKind.StripeEvent => stripe.HandleAsync(body, cancel),
                MessageKind.AppEvent => app.HandleAsync(body, cancel),
                MessageKind.MailEvent => mail.HandleAsync(body, cancel),
                MessageKind.Job => jobs.HandleAsync(body, cancel),
                MessageKind.StripeHistory => history.HandleAsync(body, cancel),
                _ => throw new UnreadableException($"There is no reader for messages of the kind '{message.Kind}'."),
            });
        }
        catch (UnreadableException e)
        {
            Log.Unreadable(log, Named(message), Line(e.Message));
            await deadLetters.KeepAsync(message, body, e.Message, attempt, clock.GetUtcNow(), cancel);
            RetentionTelemetry.Died(message.Kind, "unreadable");
        }
        await bodies.DoneAsync(message, cancel);
    }

    /// <summary>Keeps a message that failed too often, with its raw body and the last error.</summary>
    public async Task GiveUpAsync(InboxMessage message, int attempts, string lastError, CancellationToken cancel = default)
    {
        if (await bodies.BodyOfAsync(message, cancel) is not { } body) return;
        if (message.Kind == MessageKind.Job && await jobs.GiveUpAsync(body, lastError, cancel)) return;
        Log.GivenUp(log, Named(message), attempts, Line(lastError));
        await deadLetters.KeepAsync(message, body, $"Handling failed {attempts} times; the last time: {lastError}", attempts, clock.GetUtcNow(), cancel);
        RetentionTelemetry.Died(message.Kind, "given_up");
        await bodies.DoneAsync(message, cancel);
    }

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Warning, Message = "Message {Id} cannot be read and is kept as a dead letter: {Reason}")]
        public static partial void Unreadable(ILogger log, string id, string reason);

        [LoggerMessage(Level = LogLevel.Error, Message = "Message {Id} failed {Attempts} times and is kept as a dead letter: {Reason}")]
        public static partial void GivenUp(ILogger log, string id, int attempts, string reason);
    }
}
