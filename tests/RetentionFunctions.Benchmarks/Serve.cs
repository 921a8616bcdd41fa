using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using RetentionFunctions.Intake;
using RetentionFunctions.Intake.Stripe;
using RetentionFunctions.Local;
using RetentionFunctions.Local.Sqlite;

namespace RetentionFunctions.Benchmarks;

/// <summary>
/// The servers against which the host is measured, each run as a process of its own by <see cref="Child"/>: <c>serve MODE PORT FOLDER</c>.
/// The server is set up as the host's is: slim builder, no server header, warnings on the console.
/// </summary>
internal static class Serve
{
    /// <summary>An empty ASP.NET Core application, as its template has it.</summary>
    public const string Empty = "empty";

    /// <summary>A webhook endpoint that reads, checks the signature, parses and answers.</summary>
    public const string Bare = "bare";

    /// <summary>The same, and the event is in the host's own inbox before it is answered, all that wait in one commit.</summary>
    public const string Shared = "shared";

    /// <summary>The same with a commit for each request.</summary>
    public const string Single = "single";

    /// <summary>The whole host, whose pump is held: it takes events in and handles none.</summary>
    public const string Held = "held";

    public static async Task<int> RunAsync(string mode, string port, string folder)
    {
        var url = $"http://127.0.0.1:{port}";
        await using var app = mode switch
        {
            Empty => WebApplication.CreateBuilder().Build(),
            Bare => Slim(null),
            Shared => Slim(SqliteStore.Open(folder)),
            Single => Slim(SqliteStore.Open(folder, new SqliteStoreOptions { MostInOneCommit = 1 })),
            Held => await HeldAsync(url, folder),
            _ => throw new ArgumentException($"There is no server '{mode}'.", nameof(mode)),
        };
        if (mode != Held)
        {
            app.Urls.Add(url);
            app.MapGet("/healthz", () => "ok");
        }
        await app.RunAsync();
        return 0;
    }

    private static WebApplication Slim(SqliteStore? store)
    {
        // As the host: else the watch for changed settings wakes at every write into the data folder, which costs a tenth of a core.
        var builder = WebApplication.CreateSlimBuilder(["--hostBuilder:reloadConfigOnChange=false"]);
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.AddServerHeader = false);
        builder.Logging.SetMinimumLevel(LogLevel.Warning);
        var app = builder.Build();
        var inbox = store is null ? null : new SqliteInbox(store);
        app.MapPost("/stripe/webhook", async (HttpContext context) =>
        {
            var body = new byte[(int)context.Request.ContentLength!];
            await context.Request.Body.ReadExactlyAsync(body);
            if (StripeSignature.Verify(body, context.Request.Headers[StripeSignature.HeaderName], [StripeRequests.Secret], DateTimeOffset.UtcNow) is not null)
            {
                context.Response.StatusCode = 400;
                return;
            }
            using var document = JsonDocument.Parse(body);
            var root = document.RootElement;
            var id = root.GetProperty("id").GetString()!;
            var customer = root.GetProperty("data").GetProperty("object").GetProperty("customer").GetString()!;
            if (inbox is not null) await inbox.EnqueueAsync([new InboxMessage(customer, id, MessageKind.StripeEvent, body, DateTimeOffset.UtcNow)]);
        });
        return app;
    }

    private static async Task<WebApplication> HeldAsync(string url, string folder)
    {
        var settings = new ConfigurationBuilder().AddInMemoryCollection([new("Stripe:WebhookSecrets:0", StripeRequests.Secret)]).Build();
        var app = await LocalHost.CreateAsync(new LocalOptions { Urls = url, DataFolder = folder }, settings);
        // Never given back: the process is killed.
        await app.Services.GetRequiredService<LocalPump>().HoldAsync();
        return app;
    }
}
