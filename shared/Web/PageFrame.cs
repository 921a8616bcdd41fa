using Microsoft.AspNetCore.Antiforgery;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using RetentionFunctions.Settings;

namespace RetentionFunctions.Web;

/// <summary>What every page needs besides its own content.</summary>
public sealed record PageFrame
{
    /// <summary>The founder's product.</summary>
    public required string Product { get; init; }

    /// <summary>The address of this page with its query: where the forms of the frame lead back to.</summary>
    public required string Address { get; init; }

    /// <summary>Scheme and host as the browser named them, for examples to copy.</summary>
    public required string Origin { get; init; }

    /// <summary>The time by the host's clock.</summary>
    public required DateTimeOffset Now { get; init; }

    /// <summary>The clock is simulated and can be moved on.</summary>
    public required bool ClockMoves { get; init; }

    /// <summary>There is an outbox to look at.</summary>
    public required bool HasOutbox { get; init; }

    /// <summary>There is a demo year to play.</summary>
    public required bool HasDemo { get; init; }

    /// <summary>The history that can be read is Stripe's own.</summary>
    public required bool ReadsStripe { get; init; }

    /// <summary>A demo year that is not over; null: none.</summary>
    public DemoState? Demo { get; init; }

    /// <summary>How many dead letters wait; 100 means at least so many.</summary>
    public required int DeadLetters { get; init; }

    /// <summary>Somebody signed in, and may sign out; false where no key is set.</summary>
    public required bool SignedIn { get; init; }

    /// <summary>The name of the form field that carries the token.</summary>
    public required string TokenField { get; init; }

    /// <summary>The token that makes a form ours.</summary>
    public required string Token { get; init; }

    /// <summary>What the form before did, in words.</summary>
    public string? Done { get; init; }

    /// <summary>Why the form before did nothing, in words.</summary>
    public string? NotDone { get; init; }

    /// <summary>The way to the other pages around an error. It reads nothing from the storage, because that may be what failed: no clock to move, no counts, no form.</summary>
    internal static PageFrame OfError(HttpContext context)
    {
        var services = context.RequestServices;
        return new PageFrame
        {
            Product = services.GetRequiredService<RetentionSettings>().Product.Name,
            Address = "/",
            Origin = "",
            Now = services.GetRequiredService<TimeProvider>().GetUtcNow(),
            ClockMoves = false,
            HasOutbox = services.GetRequiredService<WebActions>().Outbox is not null,
            HasDemo = false,
            ReadsStripe = false,
            DeadLetters = 0,
            SignedIn = false,
            TokenField = "",
            Token = "",
        };
    }

    internal static async Task<PageFrame> OfAsync(HttpContext context)
    {
        var services = context.RequestServices;
        var actions = services.GetRequiredService<WebActions>();
        var token = services.GetRequiredService<IAntiforgery>().GetAndStoreTokens(context);
        var request = context.Request;
        return new PageFrame
        {
            Product = services.GetRequiredService<RetentionSettings>().Product.Name,
            Address = request.Path + request.QueryString,
            Origin = $"{request.Scheme}://{request.Host}",
            Now = services.GetRequiredService<TimeProvider>().GetUtcNow(),
            ClockMoves = actions.AdvanceClock is not null,
            HasOutbox = actions.Outbox is not null,
            HasDemo = actions.PlayDemo is not null,
            ReadsStripe = actions.ReadsStripe,
            Demo = actions.Demo is { } demo ? await demo(context.RequestAborted) : null,
            DeadLetters = await services.GetRequiredService<CustomerQueries>().CountDeadLettersAsync(100, context.RequestAborted),
            SignedIn = !string.IsNullOrEmpty(services.GetRequiredService<RetentionSettings>().Admin.Key),
            TokenField = token.FormFieldName,
            Token = token.RequestToken!,
            // Only our own sentences: a link from elsewhere must not put words into this page.
            Done = request.Query["done"].ToString() switch
            {
                "stopped" => "The run is stopped. Nothing more is sent by it.",
                "replayed" => "The message is in the inbox again.",
                "dropped" => "The message is dropped.",
                "done" => "The note is done. It stays on the customer's page.",
                "open" => "The note is open again.",
                "job-started" => "The job has started.",
                "restore-started" => "The restore has begun. This page shows how far it is.",
                "erasing" => "The customer is being erased. The job “erase” below shows when it is done.",
                "action-written" => "The action is written down.",
                "action-done" => "The action is done.",
                "action-open" => "The action is open again.",
                "reading" => "The history is being read.",
                "counting" => "The figures are being counted again. Load the page again in a moment.",
                "importing" => "The file is being written. This page shows how far it is.",
                "discarded" => "The file is forgotten. Nothing of it was written.",
                _ => null,
            },
            NotDone = request.Query["done"].ToString() switch
            {
                "not-open" => "That run was not open any more.",
                "no-note" => "That note was not there any more.",
                "job-running" => "It is running already.",
                "not-confirmed" => "Nothing was done: what was typed to confirm is not the same.",
                "erasing-another" => "Another customer is being erased at this moment. Try again in a minute.",
                "file-gone" => "That file is not there any more: a day has passed, or another was chosen meanwhile. Choose it again.",
                "imports-already" => "Another file is being written at this moment. Try again when it is done.",
                "reads-already" => "The history is being read already.",
                "action-there" => "That action stands there already.",
                "no-action" => "That action was not there any more.",
                "counting-already" => "The figures are being counted already.",
                "gone" => "That message was not there any more.",
                _ => null,
            },
        };
    }
}
