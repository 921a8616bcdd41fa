using RetentionFunctions.Web;

namespace RetentionFunctions.Local.Demo;

/// <summary>The button of the empty start page: <c>POST /local/demo</c> plays the demo year, <c>GET /local/demo</c> says how far it is.</summary>
internal static class DemoEndpoints
{
    public static void Map(IEndpointRouteBuilder routes)
    {
        routes.MapPost("/local/demo", BeginAsync).RequireAdmin(AdminSurface.Page);
        routes.MapGet("/local/demo", async (DemoStart demo, LocalClock clock, CancellationToken cancel) =>
            await demo.StateAsync(cancel) is { } state
                ? new DemoAnswer(state.Playing, state.Percent, clock.GetUtcNow(), state.Failed)
                : new DemoAnswer(false, 100, clock.GetUtcNow(), null)).RequireAdmin(AdminSurface.Page);
    }

    private static async Task<IResult> BeginAsync(DemoStart demo, CancellationToken cancel) => await demo.BeginAsync(cancel)
        ? new ToStart()
        : throw new BadHttpRequestException("This folder has data of its own, and the demo's customers would mix with it. Stop this and give the demo another folder: dotnet run --project local -- --demo --data .demo", StatusCodes.Status409Conflict);

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

    private sealed record DemoAnswer(bool Playing, int Percent, DateTimeOffset Now, string? Failed);
}
