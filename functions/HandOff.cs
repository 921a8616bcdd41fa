using System.Net;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.Azure.Functions.Worker;
using Microsoft.DurableTask.Client;

namespace RetentionFunctions.Functions;

/// <summary>
/// Hands the request of an HTTP trigger to the one pipeline, which answers it entirely, errors included. Nothing here throws: what is thrown outside the
/// pipeline is an empty 500 without headers.
/// </summary>
public sealed class HandOff(IServiceProvider services, AzureSettings azure, DurableClients durable)
{
    private readonly Lazy<RequestDelegate> pipeline = new(() => Composition.BuildPipeline(services));

    /// <summary>Answers the request.</summary>
    /// <param name="request">The trigger's.</param>
    /// <param name="context">Its invocation: only here stand the headers as they came in.</param>
    /// <param name="client">With which the flows are started and woken that the request calls for.</param>
    public async Task<IResult> AnswerAsync(HttpRequest request, FunctionContext context, DurableTaskClient client)
    {
        durable.Use(client);
        var http = request.HttpContext;
        if (azure.OnAzure) Apply(OriginalRequest.Of(context.BindingContext.BindingData.GetValueOrDefault("Headers") as string), http);
        // The host's own routing, which the pipeline's would take for its answer.
        http.SetEndpoint(null);
        http.Request.RouteValues = [];
        if (http.RequestServices.GetService(typeof(IHttpContextAccessor)) is IHttpContextAccessor accessor) accessor.HttpContext = http;
        await pipeline.Value(http);
        // It is answered; without a result the worker would warn of a missing one.
        return Results.Empty;
    }

    private static void Apply(OriginalRequest original, HttpContext http)
    {
        if (original.From is { } from) http.Connection.RemoteIpAddress = from;
        if (original.Host is { } host) http.Request.Host = new HostString(host);
        // Azure ends TLS before us, and lets no plain http through to an app that wants https only.
        if (original.Scheme is { } scheme) http.Request.Scheme = scheme;
    }
}

/// <summary>What Azure's front end said of a request before the host's own proxy overwrote it.</summary>
/// <param name="From">The client's address, null where nothing is said.</param>
/// <param name="Host">The host that the client called.</param>
/// <param name="Scheme"><c>https</c> or <c>http</c>.</param>
public readonly record struct OriginalRequest(IPAddress? From, string? Host, string? Scheme)
{
    /// <summary>Reads the headers as the binding data has them; what cannot be read is not said.</summary>
    /// <param name="headers">A JSON object of names and values.</param>
    public static OriginalRequest Of(string? headers)
    {
        if (string.IsNullOrEmpty(headers)) return default;
        try
        {
            using var document = JsonDocument.Parse(headers);
            if (document.RootElement.ValueKind != JsonValueKind.Object) return default;
            // The last entry is the one that Azure itself added; those before it are what the client claims.
            var scheme = Last(Value(document.RootElement, "X-Forwarded-Proto"));
            return new OriginalRequest(Address(Last(Value(document.RootElement, "X-Forwarded-For"))), Value(document.RootElement, "Host") is { Length: > 0 } host ? host : null, scheme is "https" or "http" ? scheme : null);
        }
        catch (JsonException)
        {
            return default;
        }
    }

    private static string? Value(JsonElement headers, string name)
    {
        foreach (var header in headers.EnumerateObject())
            if (header.Name.Equals(name, StringComparison.OrdinalIgnoreCase))
                return header.Value.ValueKind switch
                {
                    JsonValueKind.String => header.Value.GetString(),
                    JsonValueKind.Array => string.Join(',', header.Value.EnumerateArray().Where(v => v.ValueKind == JsonValueKind.String).Select(v => v.GetString())),
                    _ => null,
                };
        return null;
    }

    private static string? Last(string? list) => list?.Split(',')[^1].Trim();

    // With a port or without, in brackets or not.
    private static IPAddress? Address(string? text) =>
        text is null ? null : IPAddress.TryParse(text, out var address) ? address : IPEndPoint.TryParse(text, out var end) ? end.Address : null;
}
