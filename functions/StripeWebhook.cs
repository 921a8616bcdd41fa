using Microsoft.AspNetCore.Http;
using Microsoft.Azure.Functions.Worker;
using Microsoft.DurableTask.Client;

namespace RetentionFunctions.Functions;

/// <summary>Stripe's events: the body is checked against the signature as it came in, so it goes to the pipeline unread.</summary>
public sealed class StripeWebhook(HandOff handOff)
{
    [Function(nameof(StripeWebhook))]
    public Task<IResult> RunAsync([HttpTrigger(AuthorizationLevel.Anonymous, "post", Route = "stripe/webhook")] HttpRequest request, FunctionContext context, [DurableClient] DurableTaskClient durable) =>
        handOff.AnswerAsync(request, context, durable);
}
