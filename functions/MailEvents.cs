using Microsoft.AspNetCore.Http;
using Microsoft.Azure.Functions.Worker;
using Microsoft.DurableTask.Client;

namespace RetentionFunctions.Functions;

/// <summary>What SendGrid reports of the e-mails that went out.</summary>
public sealed class MailEvents(HandOff handOff)
{
    [Function(nameof(MailEvents))]
    public Task<IResult> RunAsync([HttpTrigger(AuthorizationLevel.Anonymous, "post", Route = "sendgrid/events")] HttpRequest request, FunctionContext context, [DurableClient] DurableTaskClient durable) =>
        handOff.AnswerAsync(request, context, durable);
}
