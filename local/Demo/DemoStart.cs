using RetentionFunctions.Local.Sqlite;
using RetentionFunctions.Storage;
using RetentionFunctions.Web;

namespace RetentionFunctions.Local.Demo;

/// <summary>Which year the button plays.</summary>
/// <param name="Customers">How many customers sign up.</param>
/// <param name="Days">How many days it has.</param>
/// <param name="Seed">Which of all such years.</param>
internal sealed record DemoSize(int Customers, int Days, ulong Seed);

/// <summary>
/// Begins the demo year while the host runs, or goes on with one that was broken off, and plays it beside the requests. However often it is asked, one year is
/// played once. A folder on the real clock to which nothing has happened yet is taken to a simulated clock a year back, and stays on it.
/// </summary>
internal sealed class DemoStart(LocalClock clock, LocalPump pump, ITables tables, DemoPlayer player, DemoProgress progress, DemoSize size, SqliteStore store, LocalOptions options, IHostApplicationLifetime life) : IHostedService, IDisposable
{
    private readonly SemaphoreSlim beginning = new(1, 1);
    private Task playing = Task.CompletedTask;

    /// <summary>Ends when what was begun is played, or broken off.</summary>
    internal Task Played => playing;

    /// <summary>Plays on what is left of the year, or begins one; answers at once. False where the folder has data of its own.</summary>
    /// <exception cref="TransientStorageException">The store faltered; try again.</exception>
    public async Task<bool> BeginAsync(CancellationToken cancel = default)
    {
        await beginning.WaitAsync(cancel);
        try
        {
            if (progress.IsPlaying) return true;
            if (await DemoPlayer.YearAsync(tables, cancel) is not { } year)
            {
                if (!await IsEmptyAsync()) return false;
                // It ends with the last midnight, as that of the command line does.
                if (!clock.IsSimulated && !await pump.SimulateFromAsync(LocalHost.MidnightFrom(clock.GetUtcNow().AddDays(-size.Days - 1).AddTicks(1)), IsEmptyAsync, cancel)) return false;
                year = new DemoYear(size.Customers, size.Days, size.Seed, LocalHost.MidnightFrom(clock.GetUtcNow()));
                await DemoPlayer.BeginAsync(tables, year, cancel);
            }
            if (IsOver(year)) return true;
            progress.Playing(ShareOf(year));
            // Not of this request: it goes on when the browser has its answer.
            playing = Task.Run(PlayAsync, CancellationToken.None);
            return true;
        }
        finally
        {
            beginning.Release();
        }
    }

    /// <summary>How far the folder's year is played; null where there is none, or it is over.</summary>
    public async Task<DemoState?> StateAsync(CancellationToken cancel = default) =>
        progress.IsPlaying ? new DemoState(true, progress.Share, null)
        : await DemoPlayer.YearAsync(tables, cancel) is { } year && !IsOver(year) ? new DemoState(false, ShareOf(year), progress.NotReady)
        : null;

    /// <inheritdoc/>
    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>Waits until the player has noticed that the host stops, so that nothing is told to doors that are gone.</summary>
    public Task StopAsync(CancellationToken cancellationToken) => playing.WaitAsync(cancellationToken);

    /// <inheritdoc/>
    public void Dispose() => beginning.Dispose();

    // A year can be played again: its commits need not wait for the disk. What comes after it does, as in every folder that was not opened for a demo.
    private async Task PlayAsync()
    {
        store.SurvivePowerCut(false);
        try
        {
            await player.PlayInBackgroundAsync(life.ApplicationStopping);
        }
        finally
        {
            store.SurvivePowerCut(!options.Demo);
        }
    }

    private async Task<bool> IsEmptyAsync() => !await LocalHost.HasEventsAsync(tables);

    private bool IsOver(DemoYear year) => clock.GetUtcNow() >= year.StartsAt.AddDays(year.Days);

    private double ShareOf(DemoYear year) => Math.Clamp((clock.GetUtcNow() - year.StartsAt) / TimeSpan.FromDays(year.Days), 0, 1);
}
