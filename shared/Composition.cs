using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.DataProtection.KeyManagement;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;
using RetentionFunctions.Email;
using RetentionFunctions.Erasure;
using RetentionFunctions.Export;
using RetentionFunctions.Flows;
using RetentionFunctions.Health;
using RetentionFunctions.History;
using RetentionFunctions.Import;
using RetentionFunctions.Insight;
using RetentionFunctions.Intake;
using RetentionFunctions.Jobs;
using RetentionFunctions.Links;
using RetentionFunctions.Settings;
using RetentionFunctions.Storage;
using RetentionFunctions.Web;

namespace RetentionFunctions;

/// <summary>What both hosts register and serve alike. A host adds its adapters of the ports, <see cref="TimeProvider"/>, <see cref="WebActions"/> and logging.</summary>
public static class Composition
{
    /// <summary>Registers the rooms.</summary>
    /// <param name="services">The host's services.</param>
    /// <param name="settings">Loaded and checked.</param>
    /// <param name="templates">Loaded and checked.</param>
    /// <param name="configuration">That from which the settings were loaded.</param>
    /// <param name="publicUrl">The address of the links in e-mails where <c>web.publicUrl</c> is not set; asked each time, as a host may know it only after its start.</param>
    public static IServiceCollection AddRooms(this IServiceCollection services, RetentionSettings settings, EmailTemplates templates, IConfiguration configuration, Func<IServiceProvider, Uri> publicUrl)
    {
        services.AddSingleton(settings).AddSingleton(templates).AddSingleton(configuration).AddWithoutDoors(publicUrl).AddSingleton<IntakeEndpoints>();
        services.AddDataProtection().SetApplicationName("RetentionFunctions");
        services.AddSingleton<IConfigureOptions<KeyManagementOptions>>(all => new ConfigureOptions<KeyManagementOptions>(keys => keys.XmlRepository = new TablesKeyRing(all.GetRequiredService<ITables>())));
        return WebPipeline.AddServices(services);
    }

    /// <summary>Registers what handles, decides and counts, without what only a web server needs. Besides the ports it wants <see cref="RetentionSettings"/>, <see cref="EmailTemplates"/>, Data Protection and logging.</summary>
    /// <param name="services">The host's services.</param>
    /// <param name="publicUrl">As of <see cref="AddRooms"/>.</param>
    public static IServiceCollection AddWithoutDoors(this IServiceCollection services, Func<IServiceProvider, Uri> publicUrl)
    {
        services.AddSingleton<BodyStore>().AddSingleton<DeadLetters>().AddSingleton<IntakeCounters>().AddSingleton<StripeMode>();
        services.AddSingleton<UserTies>().AddSingleton<StripeIntake>().AddSingleton<StripeHistory>().AddSingleton<AppIntake>().AddSingleton<MailIntake>().AddSingleton<InboxProcessor>();
        services.AddSingleton<JobRunner>().AddSingleton<Nightly>().AddSingleton<IJob, Backfill>().AddSingleton<IJob, Reconcile>().AddSingleton<IJob, EraseJob>().AddSingleton<IJob, ReviewJob>().AddSingleton<CustomerErasure>();
        services.AddSingleton<IJob, SummaryJob>().AddSingleton<ISummary, CohortSummary>();
        services.AddSingleton<ISummary, RecoverySummary>().AddSingleton<ISummary, FlowsSummary>().AddSingleton<ISummary, LeavingSummary>();
        services.AddSingleton<IJob, ImportJob>();
        services.AddSingleton<FlowDispatch>().AddSingleton<FlowAdvance>().AddSingleton<FlowStop>().AddSingleton<DailySweep>();
        services.AddSingleton<IOtherRuns, ReviewSender>();
        services.AddSingleton<LinkTokens>().AddSingleton<LinkActions>().AddSingleton<EmailComposer>();
        services.AddSingleton(all => new LinkBuilder(all.GetRequiredService<LinkTokens>(), () => all.GetRequiredService<RetentionSettings>().Web.PublicUrl is { } url ? new Uri(url) : publicUrl(all)));
        return services.AddQueries();
    }

    /// <summary>Registers what reads for pages, the API, the review and exports, where it is not there yet.</summary>
    internal static IServiceCollection AddQueries(this IServiceCollection services)
    {
        foreach (var type in (Type[])
        [
            typeof(CustomerQueries), typeof(RunQueries), typeof(SystemQueries), typeof(MetricsQueries), typeof(HealthQueries), typeof(ReviewActions), typeof(ReviewQueries),
            typeof(SummaryQueries), typeof(CohortQueries), typeof(FlowQueries), typeof(RecoveryQueries), typeof(DataExport), typeof(Imports),
        ])
            services.TryAddSingleton(type);
        return services;
    }

    /// <summary>Builds the one HTTP pipeline with the endpoints of all rooms.</summary>
    /// <param name="services">The host's services.</param>
    /// <param name="more">Maps what only this host has; null for nothing.</param>
    public static RequestDelegate BuildPipeline(IServiceProvider services, Action<IEndpointRouteBuilder>? more = null) => WebPipeline.Build(services, routes =>
    {
        IntakeEndpoints.Map(routes);
        LinkEndpoints.Map(routes);
        more?.Invoke(routes);
    });
}
