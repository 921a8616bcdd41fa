using System.Globalization;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using RetentionFunctions.Intake;
using RetentionFunctions.Local;
using RetentionFunctions.Local.Sqlite;
using RetentionFunctions.Storage;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.Benchmarks;

/// <summary>
/// Events handled end to end: a real store (each commit on the disk) whose inbox is full, and the local host's own pump, timed until the inbox is empty and nothing is
/// due: customers, ledger, invoices, activity, indexes, flows and their e-mails into the outbox. Beside it the row writes that this made (those of the tables, as the port
/// saw them; the queue's, the due times' and the outbox's are left out), made bare by <see cref="BareWrites"/>: both as events a second, so that the ratio says what reading,
/// deciding and the queue cost.
/// </summary>
internal static class Events
{
    /// <summary>Runs it: <c>--customers N</c> (1,000), <c>--rounds N</c> (5), <c>--of all|stripe|app</c>; <c>--bare no</c>, for a profiler, leaves the baselines out.</summary>
    public static async Task RunAsync(IReadOnlyList<string> args)
    {
        var (customers, rounds) = (Options.Number(args, "--customers", 1000), Options.Number(args, "--rounds", Rounds.Least));
        var all = EventMix.Of(customers, TimeProvider.System.GetUtcNow());
        foreach (var (name, messages) in new[]
        {
            ("all", all),
            ("stripe", [.. all.Where(m => m.Kind == MessageKind.StripeEvent)]),
            ("app", [.. all.Where(m => m.Kind == MessageKind.AppEvent)]),
        })
        {
            if (Options.Text(args, "--of", name) != name) continue;
            if (Options.Text(args, "--bare", "yes") == "yes") await MeasureAsync(name, messages, customers, rounds);
            else for (var round = 0; round < rounds; round++) Console.WriteLine($"{name}: {(int)(messages.Count / await HandleAsync(messages))} events a second");
        }
    }

    private static async Task MeasureAsync(string name, IReadOnlyList<InboxMessage> messages, int customers, int rounds)
    {
        var written = new List<(string, Write)>();
        await HandleAsync(messages, services => services.AddSingleton<ITables>(all => new RecordingTables(all.GetRequiredService<SqliteTables>())),
            app => written.AddRange(((RecordingTables)app.Services.GetRequiredService<ITables>()).Written));
        var (stripe, bytes) = (messages.Count(m => m.Kind == MessageKind.StripeEvent), written.Sum(w => (long)Body(w.Item2).Length));
        var results = await Rounds.MeasureAsync(
        [
            new("the same row writes, bare", async () => messages.Count / await BareWrites.SecondsAsync(written)),
            new("the same, and deleted bytes stay in the file", async () => messages.Count / await BareWrites.SecondsAsync(written, overwrite: false)),
            new("the product's pump", async () => messages.Count / await HandleAsync(messages)),
        ], rounds);
        Rounds.Print(string.Create(CultureInfo.InvariantCulture, $"Events handled ({name}): {stripe:N0} of Stripe, {messages.Count - stripe:N0} of the app, {customers:N0} customers"), "events a second", results);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"\n{written.Count / (double)messages.Count:F2} row writes to an event, {bytes / written.Count:N0} bytes each; {messages.Average(m => m.Body.Length):N0} bytes to a message; {commits / (double)messages.Count:F3} commits and {allocated / messages.Count:N0} bytes allocated to an event."));
    }

    private static long commits, allocated;

    // Seconds from a full inbox to an empty one.
    private static async Task<double> HandleAsync(IReadOnlyList<InboxMessage> messages, Action<IServiceCollection>? services = null, Action<WebApplication>? after = null)
    {
        using var folder = new TempFolder();
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(new Dictionary<string, string?> { ["Product:Name"] = "Acme", ["Web:PublicUrl"] = "https://acme.example" }).Build();
        await using var app = await LocalHost.CreateAsync(new LocalOptions { DataFolder = folder.Path }, configuration, services: all =>
        {
            all.AddLogging(logging => logging.SetMinimumLevel(LogLevel.Warning));
            services?.Invoke(all);
        });
        var (inbox, pump, store) = (app.Services.GetRequiredService<SqliteInbox>(), app.Services.GetRequiredService<LocalPump>(), app.Services.GetRequiredService<SqliteStore>());
        foreach (var part in messages.Chunk(500)) await inbox.EnqueueAsync(part);
        var (before, bytes, from) = (store.Commits, GC.GetTotalAllocatedBytes(), TimeProvider.System.GetTimestamp());
        await pump.SettleAsync();
        var seconds = TimeProvider.System.GetElapsedTime(from).TotalSeconds;
        (commits, allocated) = (store.Commits - before, GC.GetTotalAllocatedBytes() - bytes);
        if (await inbox.CountAsync() is var left and > 0) throw new InvalidOperationException($"{left} messages were not handled.");
        if (await app.Services.GetRequiredService<DeadLetters>().ListAsync() is { Count: var dead and > 0 }) throw new InvalidOperationException($"{dead} messages became dead letters.");
        after?.Invoke(app);
        return seconds;
    }

    private static ReadOnlyMemory<byte> Body(Write write) => write switch
    {
        Write.Insert w => w.Body,
        Write.Replace w => w.Body,
        Write.Upsert w => w.Body,
        _ => default,
    };
}
