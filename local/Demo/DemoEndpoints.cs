using RetentionFunctions.Storage;
using RetentionFunctions.Web;

namespace RetentionFunctions.Local.Demo;

/// <summary>The button of the empty start page: <c>POST /local/demo</c> plays the demo year while the pages say how far it is.</summary>
internal static class DemoEndpoints
{
    public static void Map(IEndpointRouteBuilder routes) => routes.MapPost("/local/demo", BeginAsync).RequireAdmin(AdminSurface.Page);

    private static async Task<IResult> BeginAsync(HttpContext context, LocalClock clock, ITables tables, DemoPlayer player, DemoProgress progress, IHostApplicationLifetime life)
    {
        if (!clock.IsSimulated)
            return LocalEndpoints.Page("The demo needs a simulated clock", "<p>It plays a whole year, so its clock is simulated from the start. Stop this and run:</p><p><code>dotnet run --project local -- --demo --data .demo</code></p>", StatusCodes.Status409Conflict);
        if (!progress.IsPlaying)
        {
            if (await LocalHost.HasEventsAsync(tables))
                return LocalEndpoints.Page("This folder has data of its own", "<p>The demo's customers would mix with it. Run it on a folder of its own:</p><p><code>dotnet run --project local -- --demo --data .demo</code></p>", StatusCodes.Status409Conflict);
            await DemoPlayer.BeginAsync(tables, new DemoYear(DemoPlayer.DefaultCustomers, DemoPlayer.YearDays, 1, LocalHost.MidnightFrom(clock.GetUtcNow())), context.RequestAborted);
            progress.Playing(0);
            // Not of this request: it goes on when the browser has its answer.
            _ = Task.Run(() => player.PlayInBackgroundAsync(life.ApplicationStopping), CancellationToken.None);
        }
        return new ToStart();
    }

    // 303: what follows is a GET, whatever this was.
    private sealed class ToStart : IResult
    {
        public Task ExecuteAsync(HttpContext context)
        {
            context.Response.StatusCode = StatusCodes.Status303SeeOther;
            context.Response.Headers.Location = "/";
            return Task.CompletedTask;
        }
    }
}
