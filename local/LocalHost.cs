using RetentionFunctions.Email;
using RetentionFunctions.Erasure;
using RetentionFunctions.Flows;
using RetentionFunctions.History;
using RetentionFunctions.Intake;
using RetentionFunctions.Jobs;
using RetentionFunctions.Links;
using RetentionFunctions.Local.Demo;
using RetentionFunctions.Local.Sandbox;
using RetentionFunctions.Local.Sqlite;
using RetentionFunctions.Settings;
using RetentionFunctions.Storage;
using RetentionFunctions.Web;

namespace RetentionFunctions.Local;

/// <summary>The whole product in one process: Kestrel, SQLite, the pump, the sandbox.</summary>
public static class LocalHost
{
    // Half of the 1,024 files that a process may commonly open is left for the data.
    private const int MostConnections = 512;

    /// <summary>Puts it together; the caller starts it. The data folder is open and locked until the application is disposed.</summary>
    /// <param name="options">The command line.</param>
    /// <param name="configuration">Where the settings come from.</param>
    /// <param name="folder">Where <c>retention.json</c> and <c>templates/</c> stand; null: nowhere.</param>
    /// <param name="services">Changes to the services: tests put faults around the ports here.</param>
    /// <exception cref="SettingsException">A setting is wrong.</exception>
    /// <exception cref="DataFolderException">The data folder cannot be used.</exception>
    /// <exception cref="EmailTemplateException">A template is wrong.</exception>
    public static async Task<WebApplication> CreateAsync(LocalOptions options, IConfiguration configuration, string? folder = null, Action<IServiceCollection>? services = null)
    {
        // Beside settings, data folder and server: most of all of them is code that is compiled as it is first run, and there is more than one core.
        var reading = Task.Run(() => EmailTemplates.Load(folder is null ? null : Path.Combine(folder, "templates")));
        var settings = SettingsLoader.Load(configuration);
        var checking = CheckedAsync(reading, settings);
        // A demo can be played again: its commits do not wait for the disk, which makes the year several times faster. Another process's death loses nothing.
        var store = SqliteStore.Open(options.DataFolder, new SqliteStoreOptions { SurvivesPowerCut = !options.Demo });
        try
        {
            var tables = new SqliteTables(store);
            var (mailKey, clock) = await FirstRowsAsync(options, settings, tables);

            var builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions
            {
                ApplicationName = typeof(LocalHost).Assembly.GetName().Name,
                // Settings are read once, above. The watch for changed files would wake at every write into a data folder below this one.
                Args = ["--hostBuilder:reloadConfigOnChange=false"],
            });
            builder.WebHost.ConfigureKestrel(kestrel =>
            {
                kestrel.AddServerHeader = false;
                // Without a limit whoever opens connections and says nothing takes all of the process's files. Kestrel's own limits hold for the rest:
                // 32 KB of headers within 30 seconds, and a body that comes slower than 240 bytes a second is cut off.
                kestrel.Limits.MaxConcurrentConnections = MostConnections;
            });
            builder.Logging.ClearProviders().AddSimpleConsole(console => console.SingleLine = true)
                .SetMinimumLevel(LogLevel.Warning)
                .AddFilter("RetentionFunctions", LogLevel.Information)
                // An address in use is told in one sentence by Program; a loop that broke is still told here, as critical.
                .AddFilter("Microsoft.Extensions.Hosting.Internal.Host", LogLevel.Critical)
                // Says that keys are stored unencrypted: they are as safe as the data file beside which they lie.
                .AddFilter("Microsoft.AspNetCore.DataProtection", LogLevel.Error);

            AddAdapters(builder.Services, store, tables, clock);
            var templates = await checking;
            builder.Services.AddSingleton(options).AddSingleton(new DemoSize(options.Customers ?? DemoPlayer.DefaultCustomers, DemoPlayer.YearDays, options.Seed ?? 1));
            builder.Services.AddSingleton(mailKey).AddSingleton<SandboxMail>();
            builder.Services.AddRooms(settings, templates, configuration, all => all.GetRequiredService<LocalAddress>().Root);
            services?.Invoke(builder.Services);

            var app = builder.Build();
            foreach (var url in options.Urls.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)) app.Urls.Add(url);
            var pipeline = Composition.BuildPipeline(app.Services, routes =>
            {
                LocalEndpoints.Map(routes);
                SandboxEndpoints.Map(routes);
                DemoEndpoints.Map(routes);
            });
            app.Use(SandboxArrival.AfterLinksAsync);
            app.Run(pipeline);
            return app;
        }
        catch
        {
            await store.DisposeAsync();
            throw;
        }
    }

    private static async Task<EmailTemplates> CheckedAsync(Task<EmailTemplates> reading, RetentionSettings settings)
    {
        var templates = await reading;
        templates.Check(settings.Flows.Definitions);
        return templates;
    }

    private static void AddAdapters(IServiceCollection services, SqliteStore store, SqliteTables tables, LocalClock clock)
    {
        // Given to the container by a factory, so that the container closes the file at the end.
        services.AddSingleton(_ => store);
        services.AddSingleton<ITables>(tables).AddSingleton(tables);
        services.AddSingleton(clock).AddSingleton<TimeProvider>(clock);
        services.AddSingleton<SqliteInbox>().AddSingleton<IInbox>(all => all.GetRequiredService<SqliteInbox>());
        services.AddSingleton<SqliteDueTable>().AddSingleton<IFlowEngine, SqliteFlowEngine>();
        services.AddSingleton<SqliteOutbox>().AddSingleton<IMailer>(all => all.GetRequiredService<SqliteOutbox>());
        services.AddSingleton<LocalAddress>();
        services.AddSingleton<IJob, FileBackup>().AddSingleton<IPersonalData, SqlitePersonalData>();
        services.AddSingleton<SandboxDoor>().AddSingleton<SandboxPost>().AddSingleton<SandboxAccounts>().AddSingleton<SandboxCopies>().AddSingleton<SandboxPages>().AddSingleton<SandboxArrival>();
        services.AddSingleton<SandboxBilling>().AddSingleton<IBilling>(all => all.GetRequiredService<SandboxBilling>());
        services.AddSingleton(all => new SandboxHistory(all.GetRequiredService<SandboxAccounts>(), all.GetRequiredService<SandboxPost>(), all.GetRequiredService<DemoPlayer>, all.GetRequiredService<TimeProvider>()));
        services.AddSingleton<IBillingHistory>(all => all.GetRequiredService<SandboxHistory>());
        services.AddSingleton<InboxDrain>().AddSingleton<DueWork>().AddSingleton<LocalSweep>();
        services.AddSingleton<LocalPump>().AddHostedService(all => all.GetRequiredService<LocalPump>());
        services.AddSingleton<DemoProgress>().AddSingleton<DemoPlayer>();
        services.AddSingleton<DemoStart>().AddHostedService(all => all.GetRequiredService<DemoStart>());
        // Asked for anew by every request: the demo's button makes the real clock a simulated one.
        services.AddTransient(Actions);
    }

    private static WebActions Actions(IServiceProvider all)
    {
        var clock = all.GetRequiredService<LocalClock>();
        var pump = all.GetRequiredService<LocalPump>();
        var demo = all.GetRequiredService<DemoPlayer>();
        var start = all.GetRequiredService<DemoStart>();
        var progress = all.GetRequiredService<DemoProgress>();
        var outbox = all.GetRequiredService<SqliteOutbox>();
        var inbox = all.GetRequiredService<SqliteInbox>();
        var store = all.GetRequiredService<SqliteStore>();
        return new WebActions
        {
            StopRun = all.GetRequiredService<FlowStop>().StopAsync,
            Sweep = pump.SweepAsync,
            Waiting = async cancel =>
            {
                var (count, oldest) = await inbox.WaitingAsync(cancel);
                return new WaitingMessages(count, AtLeast: false, oldest);
            },
            Backups = new BackupView(
                _ => Task.FromResult<IReadOnlyList<ShownBackup>>([.. FileBackup.List(store.Folder).Select(file => new ShownBackup(file.Name, FileBackup.StartedAt(file), file.Length, null))]),
                How: $"dotnet run --project local -- --data {all.GetRequiredService<LocalOptions>().DataFolder} --restore {Path.Combine(store.Folder, FileBackup.FolderName)}{Path.DirectorySeparatorChar}{{0}}",
                WhyNone: async _ => await DemoPlayer.YearAsync(all.GetRequiredService<ITables>()) is null ? null : FileBackup.NotOfADemo),
            Outbox = new OutboxView(
                async cancel => [.. (await outbox.ListAsync(OutboxView.Shown + 1, null, cancel)).Select(sent => new OutboxMail(sent.Email, sent.SentAt))],
                async (id, cancel) => await outbox.GetAsync(id, cancel) is { } sent ? new OutboxMail(sent.Email, sent.SentAt) : null),
            AdvanceClock = clock.IsSimulated ? (span, cancel) => demo.AdvanceAsync(clock.GetUtcNow() + span, cancel) : null,
            PlayDemo = start.BeginAsync,
            Demo = start.StateAsync,
            NotReady = _ => Task.FromResult(progress.NotReady),
        };
    }

    private static async Task<(SandboxMailKey MailKey, LocalClock Clock)> FirstRowsAsync(LocalOptions options, RetentionSettings settings, SqliteTables tables)
    {
        try
        {
            return (await LocalSecrets.FillAsync(settings, tables), await ClockAsync(options, tables));
        }
        catch (TransientStorageException e)
        {
            // The file could still be opened, and that took the last space of the disk.
            throw DataFolderException.NotWritten(options.DataFolder, e);
        }
    }

    // A folder that ran on a simulated clock goes on from where it stood; time never runs back under what is stored.
    // One that ran on the real clock stays there, unless nothing came in: whoever only looked may try the simulated one.
    private static async Task<LocalClock> ClockAsync(LocalOptions options, ITables tables)
    {
        var stood = await ClockRow.ReadAsync(tables);
        if (options.Demo) return new LocalClock(await DemoStartAsync(options, tables, stood));
        if (stood is null)
        {
            if (options.Clock is { } start && await HasEventsAsync(tables))
                throw new LocalStartException($"The data in '{options.DataFolder}' was made on the real clock; choose another folder for a simulated one (--data DIR, --clock {start:yyyy-MM-ddTHH:mm:ssZ}).");
            if (options.Clock is { } from) await ClockRow.KeepAsync(tables, from);
            return new LocalClock(options.Clock);
        }
        return new LocalClock(options.Clock > stood.Now ? options.Clock : stood.Now);
    }

    // A new demo begins a year before the given or present day; one that was begun goes on where it stands.
    private static async Task<DateTimeOffset> DemoStartAsync(LocalOptions options, ITables tables, ClockRow? stood)
    {
        if (stood is not null && await DemoPlayer.YearAsync(tables) is { } begun)
        {
            if (options.Customers is { } customers && customers != begun.Customers || options.Seed is { } seed && seed != begun.Seed)
                throw new LocalStartException($"The folder '{options.DataFolder}' already has the demo year of --customers {begun.Customers} --seed {begun.Seed}; choose another folder for another year (--data DIR).");
            return stood.Now;
        }
        if (await HasEventsAsync(tables))
            throw new LocalStartException($"The folder '{options.DataFolder}' has data of its own, and the demo's customers would mix with it; choose another folder (--data .demo).");
        var start = MidnightFrom((options.Clock ?? TimeProvider.System.GetUtcNow()).AddDays(-DemoPlayer.YearDays - 1).AddTicks(1));
        if (start < stood?.Now) start = MidnightFrom(stood.Now);
        await DemoPlayer.BeginAsync(tables, new DemoYear(options.Customers ?? DemoPlayer.DefaultCustomers, DemoPlayer.YearDays, options.Seed ?? 1, start));
        await ClockRow.KeepAsync(tables, start);
        return start;
    }

    /// <summary>The first midnight, UTC, at or after a moment.</summary>
    internal static DateTimeOffset MidnightFrom(DateTimeOffset at)
    {
        var midnight = new DateTimeOffset(at.UtcDateTime.Date, TimeSpan.Zero);
        return midnight < at ? midnight.AddDays(1) : midnight;
    }

    // Every event ends in the row of a customer or in that of a user's activity.
    internal static async Task<bool> HasEventsAsync(ITables tables)
    {
        foreach (var bucket in Keys.AllBuckets)
            foreach (var range in new[] { Keys.Customers(bucket), Keys.ActivitiesOfBucket(bucket) })
                await foreach (var _ in tables.QueryAsync(range))
                    return true;
        return false;
    }
}
