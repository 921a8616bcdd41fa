using RetentionFunctions.Customers;
using RetentionFunctions.Flows;
using RetentionFunctions.Health;
using RetentionFunctions.Insight;
using RetentionFunctions.Intake;

namespace RetentionFunctions.Web;

/// <summary>
/// The start page's numbers: how are we, who needs me, what ran. Counted from rows by a pure function; each is defined beside it on the page
/// (DEFINITIONS.md). Amounts are in minor units by currency and never added up across currencies.
/// </summary>
public sealed record Overview
{
    /// <summary>How far back "what ran" looks, in days.</summary>
    public const int Days = 30;

    /// <summary>How long an open note for the founder is shown here, in days. Older ones, and those that are done, stay on the customer's page.</summary>
    public const int NoteDays = 14;

    /// <summary>How many lines a list has.</summary>
    public const int Lines = 6;

    // A sweep may be missed; a comparison with one much older than a week would not be one with last week.
    private const int WeekDays = 7;
    internal const int OldestDays = 10;

    /// <summary>Customers whatever their status.</summary>
    public required int Known { get; init; }

    /// <summary>Customers with MRR above 0.</summary>
    public required int Paying { get; init; }

    /// <summary>In a trial, paying, past due or paused.</summary>
    public required int Current { get; init; }

    /// <summary>MRR by currency, the largest first.</summary>
    public required IReadOnlyList<KeyValuePair<string, long>> Mrr { get; init; }

    /// <summary>Current customers by tier.</summary>
    public required IReadOnlyDictionary<HealthTier, int> Tiers { get; init; }

    /// <summary>Current customers not yet scored.</summary>
    public required int Unscored { get; init; }

    /// <summary>The sweep of a week before, to compare with; null where there is none 7 to 10 days old, or none since customers were last brought in: with them it would not be of the same customers.</summary>
    public SweepResult? Before { get; init; }

    /// <summary>When customers who were there before were brought in, by an import or Stripe's history, between two of the sweeps that the charts draw; null where none were. The step is no growth.</summary>
    public DateTimeOffset? BroughtInAt { get; init; }

    /// <summary>The latest sweep; null before the first.</summary>
    public SweepResult? Latest { get; init; }

    /// <summary>How many days of sweeps the charts go back.</summary>
    public const int HistoryDays = 366;

    /// <summary>The sweeps of the last <see cref="HistoryDays"/> days, oldest first: what the charts draw.</summary>
    public required IReadOnlyList<SweepResult> History { get; init; }

    /// <summary>The largest risk × MRR first.</summary>
    public required IReadOnlyList<CustomerGlance> AtRisk { get; init; }

    /// <summary>Current customers with an open invoice whose payment failed; the largest MRR first.</summary>
    public required IReadOnlyList<CustomerGlance> Failing { get; init; }

    /// <summary>How many those are in all.</summary>
    public required int FailingCount { get; init; }

    /// <summary>Open notes of the last <see cref="NoteDays"/> days, newest first: what customers answered, and what asks for the founder.</summary>
    public required IReadOnlyList<NoteLine> Notes { get; init; }

    /// <summary>How many those are in all.</summary>
    public required int NoteCount { get; init; }

    /// <summary>Runs that have not ended, without previews.</summary>
    public required int OpenRuns { get; init; }

    /// <summary>Runs ended in the last <see cref="Days"/> days by outcome, the most frequent first; without previews.</summary>
    public required IReadOnlyList<KeyValuePair<RunOutcome, int>> Ended { get; init; }

    /// <summary>Runs that only listed what they would send, open or ended within <see cref="Days"/> days.</summary>
    public required int Previews { get; init; }

    /// <summary>E-mails that the provider took in the last <see cref="Days"/> days.</summary>
    public required int Sent { get; init; }

    /// <summary>Those that may have gone.</summary>
    public required int PerhapsSent { get; init; }

    /// <summary>Dunning runs whose invoice was paid in time, of those whose time was over in the last <see cref="Days"/> days (<see cref="FlowResults"/>), as counted last night.</summary>
    public required Share Recovered { get; init; }

    /// <summary>What their invoices were due, by currency, the largest first.</summary>
    public required IReadOnlyList<KeyValuePair<string, long>> RecoveredAmounts { get; init; }

    /// <summary>The reactivation rate of win-back, of the same time.</summary>
    public required Share Returned { get; init; }

    /// <summary>The same of those who were held out; of nobody where there is no hold-out.</summary>
    public required Share ReturnedHeldOut { get; init; }

    /// <summary>The same as <see cref="Recovered"/> of those held out: what would have been paid without us.</summary>
    public required Share RecoveredHeldOut { get; init; }

    /// <summary>What came in and was only counted, by name, the most frequent first.</summary>
    public required IReadOnlyList<KeyValuePair<string, long>> OnlyCounted { get; init; }

    internal static Overview Of(OverviewRows rows, TimeZoneInfo zone, DateTimeOffset now)
    {
        var today = Day(now, zone);
        var current = rows.Customers.Where(c => c.IsCurrent).ToList();
        var failing = current.Where(c => c.FailingInvoices.Count > 0).OrderBy(c => CustomerQueries.Place(c, CustomerSort.Mrr)).ToList();
        var ended = rows.Runs.Where(r => EndedLately(r, now)).ToList();
        var steps = rows.Runs.Where(r => !r.Preview).SelectMany(r => r.Sent ?? []).Where(s => s.At > now.AddDays(-Days)).ToList();
        // A folder that only looked at the real clock before its demo has a sweep that is yet to come.
        var sweeps = rows.Sweeps.Where(s => s.At <= now).OrderBy(s => s.At).ToList();
        var (dunning, winBack) = (rows.Flows.Where(f => f.Latest.Trigger == FlowTrigger.FailedPayment).ToList(), rows.Flows.Where(f => f.Latest.Trigger == FlowTrigger.Inactivity).ToList());
        var notes = rows.Notes.Where(n => n.Note.DoneAt is null && n.Note.At > now.AddDays(-NoteDays)).OrderByDescending(n => n.Note.At).ThenBy(n => n.Note.Id, StringComparer.Ordinal).ToList();
        var noted = notes.Take(Lines).Select(n => n.CustomerId).ToHashSet(StringComparer.Ordinal);
        var names = rows.Customers.Where(c => noted.Contains(c.Id)).ToDictionary(c => c.Id, c => c.Called, StringComparer.Ordinal);
        return new Overview
        {
            Known = rows.Customers.Count,
            Paying = rows.Customers.Count(c => c.Mrr.Count > 0),
            Current = current.Count,
            Mrr = Largest(rows.Customers.SelectMany(c => c.Mrr)),
            Tiers = current.Where(c => c.Health is not null).CountBy(c => c.Health!.Tier).ToDictionary(),
            Unscored = current.Count(c => c.Health is null),
            Before = sweeps.Where(s => Day(s.At, zone) <= today.AddDays(-WeekDays) && Day(s.At, zone) >= today.AddDays(-OldestDays) && !(s.At < rows.BroughtInAt)).MaxBy(s => s.At),
            BroughtInAt = rows.BroughtInAt > now.AddDays(-HistoryDays) && sweeps.Exists(s => s.At > now.AddDays(-HistoryDays) && s.At < rows.BroughtInAt) ? rows.BroughtInAt : null,
            Latest = sweeps.Count > 0 ? sweeps[^1] : null,
            History = [.. sweeps.Where(s => s.At > now.AddDays(-HistoryDays))],
            AtRisk = [.. current.Where(c => c.MrrAtRisk > 0 && c.Health!.Tier != HealthTier.Healthy).OrderBy(c => CustomerQueries.Place(c, CustomerSort.RiskMrr)).Take(Lines)],
            Failing = [.. failing.Take(Lines)],
            FailingCount = failing.Count,
            Notes = [.. notes.Take(Lines).Select(n => new NoteLine(n.CustomerId, names.GetValueOrDefault(n.CustomerId, n.CustomerId), n.Note))],
            NoteCount = notes.Count,
            OpenRuns = rows.Runs.Count(r => r.Status != RunStatus.Ended && !r.Preview),
            Ended = [.. ended.Where(r => r.Outcome is not null).CountBy(r => r.Outcome!.Value).OrderByDescending(o => o.Value).ThenBy(o => o.Key)],
            Previews = rows.Runs.Count(r => r.Preview && (r.EndedAt is null || r.EndedAt > now.AddDays(-Days))),
            Sent = steps.Count(s => s.Result == MailResult.Accepted),
            PerhapsSent = steps.Count(s => s.Result == MailResult.Unknown),
            Recovered = Shown(dunning.Select(f => f.LatelyTreated)),
            RecoveredAmounts = Largest(dunning.SelectMany(f => f.LatelyPaid)),
            Returned = Shown(winBack.Select(f => f.LatelyTreated)),
            ReturnedHeldOut = Shown(winBack.Select(f => f.LatelyHeld)),
            RecoveredHeldOut = Shown(dunning.Select(f => f.LatelyHeld)),
            OnlyCounted = [.. rows.Counts.Where(c => c.On > today.AddDays(-Days)).GroupBy(c => c.Name, StringComparer.Ordinal).Select(g => KeyValuePair.Create(g.Key, g.Sum(c => c.Count))).OrderByDescending(c => c.Value).ThenBy(c => c.Key, StringComparer.Ordinal)],
        };
    }

    private static Share Shown(IEnumerable<FlowSide> sides) => sides.Aggregate(new FlowSide(), (a, b) => a + b).Rate is var rate ? new Share((int)rate.Numerator, (int)rate.Denominator) : new Share(0, 0);

    private static bool EndedLately(RunGlance run, DateTimeOffset now) => !run.Preview && run.Status == RunStatus.Ended && run.EndedAt > now.AddDays(-Days);

    private static DateOnly Day(DateTimeOffset at, TimeZoneInfo zone) => DateOnly.FromDateTime(TimeZoneInfo.ConvertTime(at, zone).DateTime);

    private static List<KeyValuePair<string, long>> Largest(IEnumerable<KeyValuePair<string, long>> amounts) =>
        [.. amounts.GroupBy(m => m.Key, StringComparer.Ordinal).Select(g => KeyValuePair.Create(g.Key, g.Sum(m => m.Value))).OrderByDescending(m => m.Value).ThenBy(m => m.Key, StringComparer.Ordinal)];
}

/// <summary>So many of so many.</summary>
/// <param name="Part">The part.</param>
/// <param name="Of">The whole.</param>
public sealed record Share(int Part, int Of)
{
    /// <summary>In percent, rounded, in one piece; a dash where there is no whole.</summary>
    public string Percent => Of == 0 ? "–" : FormattableString.Invariant($"{Math.Round(100m * Part / Of, MidpointRounding.AwayFromZero)}\u00a0%");
}

/// <summary>A note with whom it is about.</summary>
/// <param name="CustomerId">The customer.</param>
/// <param name="Name">What to call it.</param>
/// <param name="Note">The note.</param>
public sealed record NoteLine(string CustomerId, string Name, Note Note);

/// <summary>The rows that the overview is counted from.</summary>
internal sealed record OverviewRows
{
    public IReadOnlyList<CustomerGlance> Customers { get; init; } = [];

    public IReadOnlyList<RunGlance> Runs { get; init; } = [];

    public IReadOnlyList<(string CustomerId, Note Note)> Notes { get; init; } = [];

    public IReadOnlyList<SweepResult> Sweeps { get; init; } = [];

    public IReadOnlyList<DailyCount> Counts { get; init; } = [];

    /// <inheritdoc cref="Insight.BroughtIn.AtAsync"/>
    public DateTimeOffset? BroughtInAt { get; init; }

    /// <summary>What all flows did and brought, as counted last night.</summary>
    public IReadOnlyList<FlowTally> Flows { get; init; } = [];

    public static async Task<OverviewRows> ReadAsync(CustomerQueries queries, RunQueries allRuns, FlowQueries flows, IntakeCounters counters, DateTimeOffset now, CancellationToken cancel)
    {
        // What was sent lately was sent by a run that is open, or ended since.
        var (customers, runs, notes, sweeps, counts) = (queries.AllAsync(cancel), allRuns.GlancesAsync(now.AddDays(-Overview.Days), cancel), queries.AllNotesAsync(cancel), queries.SweepsAsync(cancel), counters.ListAsync(cancel));
        var (tallies, brought) = (flows.TalliesAsync(cancel), queries.BroughtInAtAsync(cancel));
        await Task.WhenAll(customers, runs, notes, sweeps, counts, tallies, brought);
        return new OverviewRows
        {
            Customers = await customers,
            Runs = await runs,
            Notes = await notes,
            Sweeps = await sweeps,
            Counts = await counts,
            Flows = (await tallies).Tallies,
            BroughtInAt = await brought,
        };
    }
}
