using System.Globalization;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using RetentionFunctions.Local;
using RetentionFunctions.Local.Sqlite;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.Benchmarks;

/// <summary>
/// Runs in flight: a thousand runs of win-back whose second e-mail is due now, advanced by the local host's pump (read, decide, compose, send into the outbox, settle), while
/// none, ten thousand or a hundred thousand others wait for a later day. The first line is the baseline: nobody waits.
/// </summary>
internal static class Runs
{
    /// <summary>Runs it: <c>--due N</c> (1,000), <c>--rounds N</c> (5), <c>--most N</c> (100,000).</summary>
    public static async Task RunAsync(IReadOnlyList<string> args)
    {
        var (due, rounds, most) = (Options.Number(args, "--due", 1000), Options.Number(args, "--rounds", Rounds.Least), Options.Number(args, "--most", 100_000));
        var folders = new List<TempFolder>();
        try
        {
            var contenders = new List<Contender>();
            foreach (var waiting in new[] { 0, most / 10, most })
            {
                var folder = new TempFolder();
                folders.Add(folder);
                await SeedAsync(folder.Path, due, waiting);
                contenders.Add(new(string.Create(CultureInfo.InvariantCulture, $"{waiting:N0} others wait"), () => RoundAsync(folder.Path, due, waiting)));
            }
            Rounds.Print(string.Create(CultureInfo.InvariantCulture, $"Runs in flight: {due:N0} are due"), "milliseconds", await Rounds.MeasureAsync(contenders, rounds));
        }
        finally
        {
            foreach (var folder in folders) folder.Dispose();
        }
    }

    private static Task SeedAsync(string folder, int due, int waiting)
    {
        var now = TimeProvider.System.GetUtcNow();
        DateTimeOffset At(int i) => i < due ? now.AddHours(-1) : now.AddHours(12 + i % 300);
        return SeededStore.WriteAsync(Path.Combine(folder, "seed"), due + waiting, now, silent: true, (i, customer) => SeededStore.WithRun(customer, now.AddDays(-4), At(i)),
            Enumerable.Range(0, due + waiting).Select(i => (SeededStore.RunOf(SeededStore.Id(i)).ToString(), At(i))));
    }

    // Each round on a copy: what was advanced is not due again.
    private static async Task<double> RoundAsync(string folder, int due, int waiting)
    {
        var copy = Path.Combine(folder, "round");
        Directory.CreateDirectory(copy);
        try
        {
            File.Copy(Path.Combine(folder, "seed", SqliteStore.FileName), Path.Combine(copy, SqliteStore.FileName), overwrite: true);
            // Onto the disk first: the pump's commits would wait for the copy too.
            using (var file = new FileStream(Path.Combine(copy, SqliteStore.FileName), FileMode.Open)) file.Flush(flushToDisk: true);
            var configuration = new ConfigurationBuilder().AddInMemoryCollection(new Dictionary<string, string?>
            {
                ["Product:Name"] = "Acme", ["Web:PublicUrl"] = "https://acme.example", ["Email:From"] = "ada@acme.example", ["Email:PostalAddress"] = "Acme, 1 Main Street, London",
            }).Build();
            await using var app = await LocalHost.CreateAsync(new LocalOptions { DataFolder = copy }, configuration);
            var (pump, outbox, store) = (app.Services.GetRequiredService<LocalPump>(), app.Services.GetRequiredService<SqliteOutbox>(), app.Services.GetRequiredService<SqliteStore>());
            var from = TimeProvider.System.GetTimestamp();
            await pump.SettleAsync();
            var took = TimeProvider.System.GetElapsedTime(from).TotalMilliseconds;
            var sent = await store.ReadAsync(reader => reader.Number("SELECT count(*) FROM outbox"));
            var left = await store.ReadAsync(reader => reader.Number("SELECT count(*) FROM due WHERE due_at <= $1", SqliteReader.Ticks(TimeProvider.System.GetUtcNow())));
            var all = await store.ReadAsync(reader => reader.Number("SELECT count(*) FROM due"));
            if ((sent, left, all) != (due, 0, due + waiting)) throw new InvalidOperationException($"{sent} e-mails were sent, {left} of {all} runs are still due.");
            return took;
        }
        finally
        {
            Directory.Delete(copy, recursive: true);
        }
    }
}
