using Microsoft.Azure.Functions.Worker.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using RetentionFunctions;
using RetentionFunctions.Email;
using RetentionFunctions.Functions;
using RetentionFunctions.Settings;

try
{
    var builder = FunctionsApplication.CreateBuilder(args);
    builder.ConfigureFunctionsWebApplication();

    // 1. The founder's settings: retention.json beside the program, user secrets, the app's settings on Azure. What is wrong stops the start.
    var file = SettingsLoader.FindFile(AppContext.BaseDirectory);
    SettingsLoader.AddSources(builder.Configuration, file);
    var (settings, azure) = AzureSettings.Load(builder.Configuration);
    var templates = EmailTemplates.Load(file is null ? null : Path.Combine(Path.GetDirectoryName(file)!, "templates"));
    templates.Check(settings.Flows.Definitions);

    // 2. The adapters: Table Storage, Service Bus, Durable, SendGrid, Stripe.
    builder.Services.AddAdapters(azure);

    // 3. What both hosts share.
    builder.Services.AddRooms(settings, templates, builder.Configuration, _ => azure.PublicUrl);

    // 4. The one HTTP pipeline, which the HTTP triggers hand their requests to.
    builder.Services.AddSingleton<HandOff>();

    // 5. Where traces, metrics and logs go.
    builder.Services.AddTelemetry(builder.Configuration);

    var host = builder.Build();
    // Some adapters can only be disposed of asynchronously.
    await using var disposal = (IAsyncDisposable)host;
    await host.Services.GetRequiredService<AzureTables>().CreateAsync();
    await host.Services.GetRequiredService<BlobBackups>().CreateAsync();
    var log = host.Services.GetRequiredService<ILogger<AzureSettings>>();
    foreach (var pending in AzureSettings.Pending(settings)) log.LogWarning("{Pending}", pending);
    await host.RunAsync();
    return 0;
}
catch (Exception e) when (e is SettingsException or EmailTemplateException)
{
    foreach (var line in StartErrors.Of(e.Message)) await Console.Error.WriteLineAsync(line);
    return 1;
}
