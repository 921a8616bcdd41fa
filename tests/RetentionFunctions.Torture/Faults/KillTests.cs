using System.Diagnostics;
using System.Globalization;
using RetentionFunctions.Tests.Faults;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.Torture.Faults;

/// <summary>
/// A real process, killed under load and started again on the same folder, while flows advance: every acknowledged event is handled exactly once, and the database is whole
/// after every kill. A few kills in every run; with <c>TORTURE=1</c> fifty and 100,000 acknowledged events on each clock, or as many as <c>RETENTION_KILLS</c> and
/// <c>RETENTION_EVENTS</c> say.
/// </summary>
public sealed class KillTests(ITestOutputHelper output)
{
    private static readonly int Kills = Given("RETENTION_KILLS") ?? Form.Times(3, 50);
    private static readonly int Events = Given("RETENTION_EVENTS") ?? Form.Times(1_000, 100_000);

    [Theory]
    [InlineData(null)]
    // A Monday morning inside the send window. The clock is moved on while the process is killed: dunning runs through all its steps, and then silence is seen.
    [InlineData("2026-02-09T10:00:00Z")]
    public Task Every_acknowledged_event_is_handled_exactly_once(string? clockText) => Form.WithDiceAsync(async dice =>
    {
        DateTimeOffset? clock = clockText is null ? null : DateTimeOffset.Parse(clockText, CultureInfo.InvariantCulture);
        using var folder = new TempFolder();
        using var host = new KilledHost(folder.Path, clock);
        var watch = Stopwatch.StartNew();
        await host.StartAsync();
        var load = new KillLoad(host, folder.Path, dice, customers: Form.Times(20, 200), days: clock is null ? 0 : Form.Times(16, 60));
        var connections = load.Begin();
        for (var kill = 1; kill <= Kills; kill++)
        {
            // A moment of chance, and not before this kill's share of the load has come.
            await Task.Delay(dice.Next(50, 350));
            while (load.Acknowledged < (long)Events * (kill - 1) / Kills && !connections.IsCompleted) await Task.Delay(5);
            await host.KillAsync();
            if (Form.Times(0, 1) == 1 || kill == Kills) Assert.Equal("ok", StoredFile.Integrity(folder.Path));
            await host.StartAsync();
        }
        await load.EndAsync(Events);
        await connections.WaitAsync(TimeSpan.FromMinutes(Form.Times(2, 20)));
        await load.RepeatAsync(Form.Times(30, 1_000));
        await load.SettleAsync();
        await host.KillAsync();
        Assert.Equal("ok", StoredFile.Integrity(folder.Path));

        var ledger = await KillLedger.ReadAsync(folder.Path, load);
        Figures.Say($"kills on the {(clock is null ? "real" : "simulated")} clock: {Kills} kills, {load.Acknowledged:N0} events acknowledged ({load.Kinds}), {load.Repeated:N0} sent more than once, {ledger.Lost} lost, " +
            $"{ledger.Twice} twice, {ledger.Runs} runs with {ledger.Steps} e-mails, {Kills + 1} integrity checks ok, {watch.Elapsed.TotalSeconds:N0} s", output);
        Assert.True(ledger.Wrong.Count == 0, $"{ledger.Wrong.Count} are wrong: {string.Join("\n", ledger.Wrong.Take(10))}");
        Assert.True(load.Acknowledged >= Events, $"{load.Acknowledged} of {Events}");
    });

    private static int? Given(string name) => int.TryParse(Environment.GetEnvironmentVariable(name), NumberStyles.None, CultureInfo.InvariantCulture, out var value) ? value : null;
}
