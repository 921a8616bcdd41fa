using Microsoft.AspNetCore.Http;
using Microsoft.Azure.Functions.Worker;
using Microsoft.DurableTask.Client;

namespace RetentionFunctions.Functions;

/// <summary>All the rest: pages, links, the JSON API, and what is nobody's address. No methods are listed, so that the pipeline says which it takes, and not the host.</summary>
public sealed class Web(HandOff handOff)
{
    [Function(nameof(Web))]
    public Task<IResult> RunAsync([HttpTrigger(AuthorizationLevel.Anonymous, Route = "{*path}")] HttpRequest request, FunctionContext context, [DurableClient] DurableTaskClient durable) =>
        handOff.AnswerAsync(request, context, durable);
}
