using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using RetentionFunctions.Intake;
using RetentionFunctions.Storage;

namespace RetentionFunctions.Web;

/// <summary>
/// The one HTTP pipeline of both hosts: errors, security headers, routing, access, endpoints. Kestrel runs it in <c>local/</c>; the
/// HTTP-triggered functions hand their <see cref="HttpContext"/> to it.
/// </summary>
public static class WebPipeline
{
    /// <summary>
    /// What the pipeline needs. The host adds besides: <see cref="ITables"/>, <see cref="TimeProvider"/>, <see cref="Settings.RetentionSettings"/>,
    /// <see cref="WebActions"/>, <see cref="Intake.IntakeCounters"/>, <see cref="Microsoft.Extensions.Configuration.IConfiguration"/> (from which the settings were loaded), <see cref="Intake.DeadLetters"/>, <see cref="Jobs.JobRunner"/> with its jobs, <see cref="Erasure.CustomerErasure"/>, logging, and where Data Protection keeps its keys.
    /// </summary>
    public static IServiceCollection AddServices(IServiceCollection services)
    {
        services.AddRouting();
        services.AddRazorComponents();
        services.AddDataProtection();
        services.AddAntiforgery(options =>
        {
            options.FormFieldName = "form_token";
            options.Cookie.Name = "rf_form";
            options.Cookie.HttpOnly = true;
            options.Cookie.SameSite = SameSiteMode.Strict;
            // Local runs on plain http; on Azure every request is https.
            options.Cookie.SecurePolicy = CookieSecurePolicy.SameAsRequest;
            // The content security policy says it (frame-ancestors), and the frame of the outbox must be allowed.
            options.SuppressXFrameOptionsHeader = true;
        });
        services.AddQueries();
        services.TryAddSingleton<BodyStore>();
        // A monotonic clock, not the product's: on the simulated clock, which stands still, a minute would never pass.
        services.TryAddSingleton(new SessionClock(TimeProvider.System));
        services.TryAddSingleton(new FailedKeys(() => Environment.TickCount64));
        return services;
    }

    /// <summary>Builds the pipeline.</summary>
    /// <param name="services">The host's services.</param>
    /// <param name="more">Maps the endpoints of other rooms and of the host. They are open to anyone unless they say
    /// <see cref="AdminAccess.RequireAdmin{TBuilder}"/>; the security headers they set themselves are kept.</param>
    public static RequestDelegate Build(IServiceProvider services, Action<IEndpointRouteBuilder> more)
    {
        var app = new ApplicationBuilder(services);
        app.Use(SecurityHeaders.InvokeAsync);
        app.Use(WebErrors.InvokeAsync);
        app.Use((HttpContext context, RequestDelegate next) =>
        {
            // Inside Azure Functions the host has already routed to the function that called us; routing would take that for the answer.
            context.SetEndpoint(null);
            context.Request.RouteValues.Clear();
            return next(context);
        });
        app.UseRouting();
        app.Use(AdminAccess.InvokeAsync);
        app.UseEndpoints(endpoints =>
        {
            MapOwn(endpoints);
            more(endpoints);
        });
        // Nobody's address: WebErrors gives the 404 its body.
        app.Run(context =>
        {
            context.Response.StatusCode = StatusCodes.Status404NotFound;
            return Task.CompletedTask;
        });
        return app.Build();
    }

    private static void MapOwn(IEndpointRouteBuilder endpoints)
    {
        SiteAssets.Map(endpoints);
        ApiEndpoints.Map(endpoints);
        PageEndpoints.Map(endpoints);
        DataEndpoints.Map(endpoints);
        SignIn.Map(endpoints);
        endpoints.MapMethods("/healthz", ["GET", "HEAD"], () => Results.Text("ok"));
        endpoints.MapMethods("/readyz", ["GET", "HEAD"], ReadyAsync);
    }

    private static async Task<IResult> ReadyAsync(ITables tables, WebActions actions, CancellationToken cancel)
    {
        await tables.GetAsync(Keys.Account("mode"), cancel);
        return actions.NotReady is { } ask && await ask(cancel) is { } reason
            ? Results.Text(reason, statusCode: StatusCodes.Status503ServiceUnavailable)
            : Results.Text("ready");
    }
}
