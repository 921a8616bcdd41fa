using Microsoft.AspNetCore.Http;
using Microsoft.Azure.Functions.Worker;
using Microsoft.DurableTask.Client;

namespace RetentionFunctions.Functions;

/// <summary>The app's events, by Segment's HTTP API.</summary>
public sealed class AppEvents(HandOff handOff)
{
    [Function(nameof(AppEvents))]
    public Task<IResult> RunAsync([HttpTrigger(AuthorizationLevel.Anonymous, "post", Route = "v1/{*call}")] HttpRequest request, FunctionContext context, [DurableClient] DurableTaskClient durable) =>
        handOff.AnswerAsync(request, context, durable);
}
