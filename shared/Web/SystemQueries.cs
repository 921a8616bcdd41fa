using System.Reflection;
using RetentionFunctions.Email;
using RetentionFunctions.Flows;
using RetentionFunctions.Health;
using RetentionFunctions.Jobs;
using RetentionFunctions.Settings;

namespace RetentionFunctions.Web;

/// <summary>What whoever runs the product wants to know at a glance: is it alive, is anything stuck, can it be put back.</summary>
public sealed record SystemState
{
    /// <summary>E-mails are counted over so many days.</summary>
    public const int MailDays = 30;

    /// <summary>A message that waits longer is late: Stripe's events are handled within seconds.</summary>
    public static readonly TimeSpan LateAfter = TimeSpan.FromMinutes(15);

    /// <summary>A run whose due time is so long past is stuck: the engine lost it, or its step fails.</summary>
    public static readonly TimeSpan StuckAfter = TimeSpan.FromHours(2);

    /// <summary>The newest backup is too old from then on: a night was missed, and some hours of another.</summary>
    public static readonly TimeSpan BackupAge = TimeSpan.FromHours(30);

    /// <summary>The time of asking, by the host's clock.</summary>
    public required DateTimeOffset Now { get; init; }

    /// <summary>The version of the program.</summary>
    public required string Version { get; init; }

    /// <summary>What is still to be done before everything works.</summary>
    public IReadOnlyList<string> Pending { get; init; } = [];

    /// <summary>What waits in the inbox.</summary>
    public required WaitingMessages Waiting { get; init; }

    /// <summary>How many dead letters wait; 1,000 means at least so many.</summary>
    public required int DeadLetters { get; init; }

    /// <summary>The last sweep; null before the first.</summary>
    public SweepResult? Sweep { get; init; }

    /// <summary>When the sweep is due next, UTC.</summary>
    public required DateTimeOffset NextSweepAt { get; init; }

    /// <summary>Where each job stands, in the order of their names; those never started are there without a state.</summary>
    public required IReadOnlyList<(string Name, bool Nightly, JobState? State)> Jobs { get; init; }

    /// <summary>Runs that the engine does not know of yet, without previews.</summary>
    public required int RunsStarting { get; init; }

    /// <summary>Runs that wait for their next step, without previews.</summary>
    public required int RunsWaiting { get; init; }

    /// <summary>Runs whose due time is past by more than <see cref="StuckAfter"/>, previews included.</summary>
    public required int RunsStuck { get; init; }

    /// <summary>Runs that have ended, without previews and those held out.</summary>
    public required int RunsEnded { get; init; }

    /// <summary>E-mails of the last <see cref="MailDays"/> days by what became of them, without previews.</summary>
    public required IReadOnlyDictionary<MailResult, int> Mails { get; init; }

    /// <summary>The whole backups, newest first.</summary>
    public required IReadOnlyList<ShownBackup> Backups { get; init; }

    /// <summary>Why there is never one, in a sentence; null where there is one after the first night.</summary>
    public string? WhyNoBackup { get; init; }

    /// <summary>The oldest message waits too long.</summary>
    public bool IsLate => Waiting.OldestAt is { } at && Now - at > LateAfter;

    /// <summary>A sweep was missed: the last one is more than a day and two hours old.</summary>
    public bool SweepMissed => Sweep is { } last && Now - last.At > TimeSpan.FromHours(26);

    /// <summary>There is a sweep and no backup as young as it should be: the nights have begun, and the last one has none.</summary>
    public bool BackupMissed => WhyNoBackup is null && Sweep is not null && (Backups.Count == 0 ? Jobs.Any(j => j is { Name: "backup", State.Failed: not null }) : Now - Backups[0].At > BackupAge);

    /// <summary>Jobs that failed, and have not been done since, and those that cannot go on at the moment; with what is wrong.</summary>
    public IEnumerable<(string Name, string Why)> FailedJobs => Jobs.Select(j => j.State).OfType<JobState>().Where(s => (s.Failed ?? s.Trouble) is not null)
        .Select(s => (s.Name, s.Failed ?? $"{s.Trouble} It is tried again within the hour."));

    /// <summary>Nothing needs anybody.</summary>
    public bool IsWell => Pending.Count == 0 && !IsLate && DeadLetters == 0 && !SweepMissed && !BackupMissed && RunsStuck == 0 && Sweep?.Warning is null && !FailedJobs.Any();
}

/// <summary>Reads <see cref="SystemState"/>.</summary>
public sealed class SystemQueries(CustomerQueries customers, RunQueries runs, JobRunner jobs, IEnumerable<IJob> all, RetentionSettings settings, TimeProvider clock)
{
    private const int DeadLettersCounted = 1000;

    /// <summary>All of it.</summary>
    public async Task<SystemState> ReadAsync(WebActions actions, CancellationToken cancel = default)
    {
        var now = clock.GetUtcNow();
        var stand = await runs.CountAsync(r => (r.Status, Real: !r.Preview && r.Outcome != RunOutcome.HeldOut, Stuck: r.Status != RunStatus.Ended && now - (r.DueAt ?? r.StartedAt) > SystemState.StuckAfter), cancel);
        var mails = await customers.CountMailsAsync(now.AddDays(-SystemState.MailDays), cancel);
        var states = new List<(string, bool, JobState?)>();
        foreach (var job in all.OrderBy(j => j.Name, StringComparer.Ordinal)) states.Add((job.Name, job is INightlyJob, await jobs.StateAsync(job.Name, cancel)));
        return new SystemState
        {
            Now = now,
            Version = ProductVersion,
            Pending = actions.Pending,
            Waiting = await actions.Waiting(cancel),
            DeadLetters = await customers.CountDeadLettersAsync(DeadLettersCounted, cancel),
            Sweep = await customers.LastSweepAsync(cancel),
            NextSweepAt = DailySweep.NextDue(now, settings),
            Jobs = states,
            RunsStarting = Real(RunStatus.Starting),
            RunsWaiting = Real(RunStatus.Running),
            RunsStuck = stand.Where(s => s.Key.Stuck).Sum(s => s.Value),
            RunsEnded = Real(RunStatus.Ended),
            Mails = mails.Where(m => m.Key != MailResult.Previewed).ToDictionary(),
            Backups = await actions.Backups.List(cancel),
            WhyNoBackup = settings.Backup.Keep == 0 ? "Backups are switched off: the setting Backup:Keep is 0." : actions.Backups.WhyNone is { } why ? await why(cancel) : null,
        };

        int Real(RunStatus status) => stand.Where(s => s.Key.Real && s.Key.Status == status).Sum(s => s.Value);
    }

    /// <summary>The version of the program with the commit it was built from, where that is known.</summary>
    internal static string ProductVersion { get; } =
        typeof(SystemQueries).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "unknown";
}
