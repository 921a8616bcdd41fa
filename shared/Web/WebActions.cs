using RetentionFunctions.Email;
using RetentionFunctions.Flows;
using RetentionFunctions.Health;

namespace RetentionFunctions.Web;

/// <summary>
/// What the pages and the JSON API can set in motion, given by the host: delegates, so that this room reaches into no engine and no adapter.
/// What a host does not have (an outbox, a clock that can be moved) is null, and its pages and buttons are not there.
/// </summary>
public sealed record WebActions
{
    /// <summary>Stops a run by hand. False where there is no open run of this name.</summary>
    public required Func<RunId, CancellationToken, Task<bool>> StopRun { get; init; }

    /// <summary>Runs the daily sweep now and returns what it did.</summary>
    public required Func<CancellationToken, Task<SweepResult>> Sweep { get; init; }

    /// <summary>What waits in the inbox.</summary>
    public required Func<CancellationToken, Task<WaitingMessages>> Waiting { get; init; }

    /// <summary>What is still to be done before everything works, a sentence each; empty where all is.</summary>
    public IReadOnlyList<string> Pending { get; init; } = [];

    /// <summary>The nightly backups, and the way back to one.</summary>
    public required BackupView Backups { get; init; }

    /// <summary>The e-mails kept instead of sent; null where a provider sends them.</summary>
    public OutboxView? Outbox { get; init; }

    /// <summary>Moves the simulated clock on and returns when everything that fell due on the way is settled; null on the real clock.</summary>
    public Func<TimeSpan, CancellationToken, Task>? AdvanceClock { get; init; }

    /// <summary>
    /// Begins to play a year of a made-up company, or goes on with it, and answers at once; false where the data is not empty. Where it is not null the host
    /// maps <c>POST</c> and <c>GET /local/demo</c> (<see cref="AdminSurface.Page"/>), and the empty start page has its button; null where the host has no demo.
    /// </summary>
    public Func<CancellationToken, Task<bool>>? PlayDemo { get; init; }

    /// <summary>How far that year is played, for every page; null where nothing is or is to be played.</summary>
    public Func<CancellationToken, Task<DemoState?>>? Demo { get; init; }

    /// <summary>The lists that a backfill reads are Stripe's own: the empty start page offers it. False where a sandbox stands in for Stripe.</summary>
    public bool ReadsStripe { get; init; }

    /// <summary>Why the host is not ready yet, in words, or null when it is; asked by <c>/readyz</c> after the storage answered.</summary>
    public Func<CancellationToken, Task<string?>>? NotReady { get; init; }
}

/// <summary>What waits in the inbox.</summary>
/// <param name="Count">How many messages.</param>
/// <param name="AtLeast">There may be more: counting ended there.</param>
/// <param name="OldestAt">When the oldest of them came in, UTC; null where none waits.</param>
public sealed record WaitingMessages(long Count, bool AtLeast, DateTimeOffset? OldestAt);

/// <summary>The nightly backups.</summary>
/// <param name="List">All whole ones, newest first.</param>
/// <param name="Restore">Begins to put the data back to one of them, and answers at once; false where a job of this kind is running. Null where it is done another way.</param>
/// <param name="How">How it is done then, as a command line with <c>{0}</c> for the name.</param>
/// <param name="WhyNone">Why there never is one, in a sentence; null where there is one after the first night.</param>
public sealed record BackupView(
    Func<CancellationToken, Task<IReadOnlyList<ShownBackup>>> List, Func<string, CancellationToken, Task<bool>>? Restore = null, string? How = null, Func<CancellationToken, Task<string?>>? WhyNone = null);

/// <summary>One backup.</summary>
/// <param name="Name">Its name.</param>
/// <param name="At">When it was begun, UTC.</param>
/// <param name="Bytes">Its size.</param>
/// <param name="Rows">How many rows it has; null where it does not say.</param>
public sealed record ShownBackup(string Name, DateTimeOffset At, long Bytes, long? Rows);

/// <summary>A demo year that is not over.</summary>
/// <param name="Playing">It is being played at this moment; false: it was broken off, and can go on.</param>
/// <param name="Share">How much of it is played, 0 to 1.</param>
/// <param name="Failed">Why it stopped, in words; null where nothing is known.</param>
public sealed record DemoState(bool Playing, double Share, string? Failed)
{
    /// <summary>In whole percent, rounded down: 100 only when all of it is played.</summary>
    public int Percent => (int)Math.Floor(Share * 100);
}

/// <summary>The e-mails that a host keeps instead of sending them.</summary>
/// <param name="List">The newest, newest first: one more than <see cref="Shown"/> where there are more.</param>
/// <param name="Get">One of them by <see cref="OutgoingEmail.Id"/>; null where there is none.</param>
public sealed record OutboxView(
    Func<CancellationToken, Task<IReadOnlyList<OutboxMail>>> List,
    Func<string, CancellationToken, Task<OutboxMail?>> Get)
{
    /// <summary>How many the page shows.</summary>
    public const int Shown = 500;
}

/// <summary>One e-mail of the outbox.</summary>
/// <param name="Email">The e-mail as it would have gone out.</param>
/// <param name="At">When it came to the outbox, UTC.</param>
public sealed record OutboxMail(OutgoingEmail Email, DateTimeOffset At);
