using RetentionFunctions.Local.Demo;

namespace RetentionFunctions.Local.Sandbox;

/// <summary>
/// Lets the time pass that Stripe's events take. On the real clock it passes by itself. A simulated clock stands still, and whoever presses a button would look in vain
/// for what it did: so the clock goes on by the seconds, sometimes minutes, until the events of the action have arrived.
/// </summary>
public sealed class SandboxArrival(SandboxPost post, LocalClock clock, DemoPlayer demo)
{
    /// <summary>Waits on the simulated clock until all that is on its way has arrived; at most <see cref="SandboxDelivery.Longest"/>. While the clock is being moved anyway, nothing.</summary>
    public async Task LetAsync(CancellationToken cancel = default)
    {
        if (!clock.IsSimulated || await post.ArrivedByAsync(cancel) is not { } by) return;
        var latest = clock.GetUtcNow() + SandboxDelivery.Longest;
        await demo.TryAdvanceAsync(by < latest ? by : latest, cancel);
    }

    /// <summary>The same after a link of an e-mail was pressed that changed something at Stripe, before the customer is answered.</summary>
    internal static Task AfterLinksAsync(HttpContext context, RequestDelegate next)
    {
        if (!HttpMethods.IsPost(context.Request.Method) || !context.Request.Path.StartsWithSegments("/l", StringComparison.Ordinal)) return next(context);
        var post = context.RequestServices.GetRequiredService<SandboxPost>();
        var before = post.Queued;
        context.Response.OnStarting(() => post.Queued == before ? Task.CompletedTask : context.RequestServices.GetRequiredService<SandboxArrival>().LetAsync(context.RequestAborted));
        return next(context);
    }
}
