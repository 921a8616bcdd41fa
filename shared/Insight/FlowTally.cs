using System.Text.Json.Serialization;
using RetentionFunctions.Customers;
using RetentionFunctions.Flows;
using RetentionFunctions.Health;
using RetentionFunctions.Storage;

namespace RetentionFunctions.Insight;

/// <summary>A run with all by which it is judged.</summary>
/// <param name="Run">The run.</param>
/// <param name="Result">What it brought; of a preview nothing.</param>
public sealed record JudgedRun(Run Run, FlowResult Result)
{
    /// <summary>Its time was over within the last <see cref="FlowTally.LatelyDays"/> days.</summary>
    public bool ClosedLately { get; init; }

    /// <summary>The invoice that it is about, where there is one.</summary>
    public Invoice? Invoice { get; init; }
}

/// <summary>Runs on one side, with e-mails or held out, by what they brought.</summary>
/// <param name="Succeeded">Brought the customer back, or the invoice its payment.</param>
/// <param name="Failed">Did not.</param>
/// <param name="NotYetKnown">The time for it is not over.</param>
/// <param name="NeverKnown">It was over before anybody looked.</param>
public readonly record struct FlowSide(int Succeeded, int Failed, int NotYetKnown, int NeverKnown)
{
    /// <summary>Succeeded ÷ those of whom it is known.</summary>
    [JsonIgnore]
    public Ratio Rate => new(Succeeded, Succeeded + Failed);

    /// <summary>One run.</summary>
    public static FlowSide Of(FlowResult result) => new(One(result, FlowResult.Succeeded), One(result, FlowResult.Failed), One(result, FlowResult.NotYetKnown), One(result, FlowResult.NeverKnown));

    /// <summary>Both together.</summary>
    public static FlowSide operator +(FlowSide a, FlowSide b) =>
        new(a.Succeeded + b.Succeeded, a.Failed + b.Failed, a.NotYetKnown + b.NotYetKnown, a.NeverKnown + b.NeverKnown);

    private static int One(FlowResult result, FlowResult wanted) => result == wanted ? 1 : 0;
}

/// <summary>What the runs of one flow did, of some customers: adds up over buckets, and names nobody.</summary>
public sealed record FlowTally
{
    /// <summary>What "lately" is, in days: what the start page tells.</summary>
    public const int LatelyDays = 30;

    /// <summary>The flow.</summary>
    public required string Name { get; init; }

    /// <summary>When the latest run of these began.</summary>
    public DateTimeOffset LatestAt { get; init; }

    /// <summary>As that run began with it: what is told of a flow that left the settings.</summary>
    public required FlowDefinition Latest { get; init; }

    /// <summary>Runs started, held out or not, without previews.</summary>
    public int Started { get; init; }

    /// <summary>Of those, held out.</summary>
    public int HeldOut { get; init; }

    /// <summary>Runs that have not ended.</summary>
    public int Open { get; init; }

    /// <summary>Runs that only list what they would send.</summary>
    public int Previews { get; init; }

    /// <summary>How those that were not held out ended.</summary>
    public IReadOnlyDictionary<RunOutcome, int> Ended { get; init; } = new Dictionary<RunOutcome, int>();

    /// <summary>Place 0 is before the first e-mail; then one for each step that any run came to.</summary>
    public IReadOnlyList<PlaceTally> Places { get; init; } = [];

    /// <summary>All runs that were not held out.</summary>
    public FlowSide Treated { get; init; }

    /// <summary>All that were.</summary>
    public FlowSide Held { get; init; }

    /// <summary>Of <see cref="Treated"/>, those whose time was over in the last <see cref="LatelyDays"/> days.</summary>
    public FlowSide LatelyTreated { get; init; }

    /// <summary>Of <see cref="Held"/>, the same.</summary>
    public FlowSide LatelyHeld { get; init; }

    /// <summary>What was due on the invoices that were paid of <see cref="LatelyTreated"/>, in minor units by currency.</summary>
    public IReadOnlyDictionary<string, long> LatelyPaid { get; init; } = new Dictionary<string, long>();

    /// <summary>
    /// Of the customers with whom those held out may be compared: who entered while there was a hold-out, each once, with the first such run. Earlier runs had nobody beside them; a second one
    /// of the same customer is no second customer, and the first may have changed it.
    /// </summary>
    public FlowSide ComparedTreated { get; init; }

    /// <summary>The same of those held out.</summary>
    public FlowSide ComparedHeld { get; init; }

    /// <summary>What the treated who are compared, and of whom it is known, paid a month when they entered, in minor units by currency.</summary>
    public IReadOnlyDictionary<string, long> ComparedMrr { get; init; } = new Dictionary<string, long>();

    /// <summary>The smallest share that was held out while those entered; null where nobody did.</summary>
    public double? LeastHeldOut { get; init; }

    /// <summary>The largest.</summary>
    public double? MostHeldOut { get; init; }

    /// <summary>The tallies of one customer's runs, a flow each.</summary>
    public static IEnumerable<FlowTally> OfCustomer(IEnumerable<JudgedRun> runs) => runs.GroupBy(r => r.Run.Id.Flow, StringComparer.Ordinal).Select(g => OfCustomer(g.Key, [.. g]));

    /// <summary>The tallies of runs of many customers as they stand, in the order of their names. What they brought is not asked.</summary>
    public static IReadOnlyList<FlowTally> OfRuns(IEnumerable<Run> runs) =>
        Sum(runs.GroupBy(r => r.Id.CustomerId, StringComparer.Ordinal).SelectMany(own => OfCustomer(own.Select(r => new JudgedRun(r, FlowResult.NotYetKnown)))));

    /// <summary>Tallies of the same flow as one, in the order of their names.</summary>
    public static IReadOnlyList<FlowTally> Sum(IEnumerable<FlowTally> tallies) =>
        [.. tallies.GroupBy(t => t.Name, StringComparer.Ordinal).OrderBy(g => g.Key, StringComparer.Ordinal).Select(g => g.Aggregate((a, b) => a + b))];

    /// <summary>Both together.</summary>
    public static FlowTally operator +(FlowTally a, FlowTally b)
    {
        var later = Later.Compare((a.LatestAt, a.Latest), (b.LatestAt, b.Latest)) >= 0 ? a : b;
        return new FlowTally
        {
            Name = a.Name,
            LatestAt = later.LatestAt,
            Latest = later.Latest,
            Started = a.Started + b.Started,
            HeldOut = a.HeldOut + b.HeldOut,
            Open = a.Open + b.Open,
            Previews = a.Previews + b.Previews,
            Ended = Counts.Sum(a.Ended, b.Ended),
            Places = [.. Enumerable.Range(0, Math.Max(a.Places.Count, b.Places.Count)).Select(i => a.Places.ElementAtOrDefault(i) + b.Places.ElementAtOrDefault(i))],
            Treated = a.Treated + b.Treated,
            Held = a.Held + b.Held,
            LatelyTreated = a.LatelyTreated + b.LatelyTreated,
            LatelyHeld = a.LatelyHeld + b.LatelyHeld,
            LatelyPaid = Counts.Sum(a.LatelyPaid, b.LatelyPaid),
            ComparedTreated = a.ComparedTreated + b.ComparedTreated,
            ComparedHeld = a.ComparedHeld + b.ComparedHeld,
            ComparedMrr = Counts.Sum(a.ComparedMrr, b.ComparedMrr),
            LeastHeldOut = new[] { a.LeastHeldOut, b.LeastHeldOut }.Min(),
            MostHeldOut = new[] { a.MostHeldOut, b.MostHeldOut }.Max(),
        };
    }

    // Of two that began at the same moment either would do, but always the same one.
    private static readonly IComparer<(DateTimeOffset At, FlowDefinition Definition)> Later = Comparer<(DateTimeOffset At, FlowDefinition Definition)>.Create((a, b) =>
        a.At != b.At ? a.At.CompareTo(b.At) : TablesExtensions.Write(a.Definition).Span.SequenceCompareTo(TablesExtensions.Write(b.Definition).Span));

    private static FlowTally OfCustomer(string name, List<JudgedRun> all)
    {
        var runs = all.Where(r => !r.Run.Preview).ToList();
        var treated = runs.Where(r => r.Run.Outcome != RunOutcome.HeldOut).Select(r => r.Run).ToList();
        var latest = all.MaxBy(r => (r.Run.StartedAt, r.Run.Definition), Later)!.Run;
        var compared = runs.Where(r => r.Run.Definition.HoldOut is > 0 and < 1).MinBy(r => (r.Run.StartedAt, r.Run.Id.Occasion));
        var lately = runs.Where(r => r.ClosedLately).ToList();
        var isHeld = compared?.Run.Outcome == RunOutcome.HeldOut;
        var side = compared is null ? default : FlowSide.Of(compared.Result);
        return new FlowTally
        {
            Name = name,
            LatestAt = latest.StartedAt,
            Latest = latest.Definition,
            Started = runs.Count,
            HeldOut = runs.Count - treated.Count,
            Open = treated.Count(r => r.Status != RunStatus.Ended),
            Previews = all.Count - runs.Count,
            Ended = PlaceTally.ByOutcome(treated),
            // A run keeps the definition that it started with, which may have had more steps than the flow has now.
            Places = [.. Enumerable.Range(0, treated.SelectMany(r => r.Sent).Select(s => s.Step).DefaultIfEmpty().Max() + 1).Select(step => PlaceTally.Of(step, treated))],
            Treated = Side(runs, held: false),
            Held = Side(runs, held: true),
            LatelyTreated = Side(lately, held: false),
            LatelyHeld = Side(lately, held: true),
            LatelyPaid = Counts.Sum(lately.Where(r => r.Result == FlowResult.Succeeded && r.Run.Outcome != RunOutcome.HeldOut).Select(r => r.Invoice?.Latest).OfType<InvoiceSnapshot>().Select(i => KeyValuePair.Create(i.Currency, i.AmountDue))),
            ComparedTreated = isHeld ? default : side,
            ComparedHeld = isHeld ? side : default,
            ComparedMrr = !isHeld && compared?.Result is FlowResult.Succeeded or FlowResult.Failed ? compared.Run.Mrr ?? new Dictionary<string, long>() : new Dictionary<string, long>(),
            LeastHeldOut = compared?.Run.Definition.HoldOut,
            MostHeldOut = compared?.Run.Definition.HoldOut,
        };
    }

    private static FlowSide Side(List<JudgedRun> runs, bool held) =>
        runs.Where(r => r.Run.Outcome == RunOutcome.HeldOut == held).Aggregate(new FlowSide(), (sum, r) => sum + FlowSide.Of(r.Result));
}

/// <summary>One place in a flow: before the first e-mail, or at a step.</summary>
public sealed record PlaceTally
{
    /// <summary>Runs that did this step, whatever became of the e-mail.</summary>
    public int Tried { get; init; }

    /// <summary>E-mails that the provider took.</summary>
    public int Accepted { get; init; }

    /// <summary>E-mails that may have gone.</summary>
    public int Unknown { get; init; }

    /// <summary>E-mails that the provider would not take.</summary>
    public int Refused { get; init; }

    /// <summary>E-mails of which the provider reported that they were delivered; 0 also where it reports nothing.</summary>
    public int Delivered { get; init; }

    /// <summary>E-mails that the customer opened or clicked in, without those that only machines did.</summary>
    public int Opened { get; init; }

    /// <summary>E-mails in which the customer clicked, without those in which only machines did.</summary>
    public int Clicked { get; init; }

    /// <summary>Runs that stand here now.</summary>
    public int Waiting { get; init; }

    /// <summary>Runs that ended here, before the next step, by outcome.</summary>
    public IReadOnlyDictionary<RunOutcome, int> Ended { get; init; } = new Dictionary<RunOutcome, int>();

    /// <summary>Of some runs.</summary>
    internal static PlaceTally Of(int step, IReadOnlyCollection<Run> runs)
    {
        var here = runs.Where(r => r.Sent.Select(s => s.Step).DefaultIfEmpty().Max() == step).ToList();
        var sent = runs.SelectMany(r => r.Sent).Where(s => s.Step == step).ToList();
        return new PlaceTally
        {
            Tried = sent.Count,
            Accepted = sent.Count(s => s.Result == MailResult.Accepted),
            Unknown = sent.Count(s => s.Result == MailResult.Unknown),
            Refused = sent.Count(s => s.Result == MailResult.Refused),
            Delivered = sent.Count(s => s.DeliveredAt is not null),
            Opened = sent.Count(s => s.OpenedAt is not null),
            Clicked = sent.Count(s => s.ClickedAt is not null),
            Waiting = here.Count(r => r.Status != RunStatus.Ended),
            Ended = ByOutcome(here),
        };
    }

    /// <summary>Both together; either may be none.</summary>
    public static PlaceTally operator +(PlaceTally? a, PlaceTally? b) => a is null ? b ?? new PlaceTally() : b is null ? a : new PlaceTally
    {
        Tried = a.Tried + b.Tried,
        Accepted = a.Accepted + b.Accepted,
        Unknown = a.Unknown + b.Unknown,
        Refused = a.Refused + b.Refused,
        Delivered = a.Delivered + b.Delivered,
        Opened = a.Opened + b.Opened,
        Clicked = a.Clicked + b.Clicked,
        Waiting = a.Waiting + b.Waiting,
        Ended = Counts.Sum(a.Ended, b.Ended),
    };

    internal static IReadOnlyDictionary<RunOutcome, int> ByOutcome(IEnumerable<Run> runs) => Counts.InOrder(runs.Where(r => r is { Status: RunStatus.Ended, Outcome: not null }).CountBy(r => r.Outcome!.Value));
}

/// <summary>Counts by a name, always in the same order, so that the same counts are the same row.</summary>
internal static class Counts
{
    public static IReadOnlyDictionary<TKey, int> Sum<TKey>(IReadOnlyDictionary<TKey, int> a, IReadOnlyDictionary<TKey, int> b) where TKey : notnull =>
        InOrder(a.Concat(b).GroupBy(c => c.Key).Select(g => KeyValuePair.Create(g.Key, g.Sum(c => c.Value))));

    public static IReadOnlyDictionary<string, long> Sum(IReadOnlyDictionary<string, long> a, IReadOnlyDictionary<string, long> b) => Sum(a.Concat(b));

    public static IReadOnlyDictionary<string, long> Sum(IEnumerable<KeyValuePair<string, long>> amounts) =>
        new SortedDictionary<string, long>(amounts.GroupBy(c => c.Key, StringComparer.Ordinal).ToDictionary(g => g.Key, g => g.Sum(c => c.Value)), StringComparer.Ordinal);

    public static IReadOnlyDictionary<TKey, int> InOrder<TKey>(IEnumerable<KeyValuePair<TKey, int>> counts) where TKey : notnull => new SortedDictionary<TKey, int>(counts.ToDictionary());
}

/// <summary>Counts every night what the runs of all flows did and brought.</summary>
public sealed class FlowsSummary(Settings.RetentionSettings settings) : ISummary
{
    /// <summary>The name of its rows.</summary>
    public const string SummaryName = "flows";

    /// <inheritdoc/>
    public string Name => SummaryName;

    /// <inheritdoc/>
    public CustomerNouns Reads => CustomerNouns.Runs | CustomerNouns.Invoices | CustomerNouns.Activities;

    /// <inheritdoc/>
    public object? Count(IReadOnlyList<CustomerRows> customers, DateTimeOffset asOf)
    {
        var tallies = FlowTally.Sum(customers.SelectMany(rows => FlowTally.OfCustomer(Judged(rows, asOf))));
        return tallies.Count == 0 ? null : StoredFlows.Of(tallies);
    }

    private IEnumerable<JudgedRun> Judged(CustomerRows rows, DateTimeOffset asOf)
    {
        var runs = rows.Read<Run>(CustomerNouns.Runs).ToList();
        if (runs.Count == 0) return [];
        // Of most runs it is settled what they brought; then nobody has to read what it follows from.
        var activities = runs.Exists(r => FlowResults.IsWatched(r) && r.SettledAt is null) ? rows.Read<Activity>(CustomerNouns.Activities).ToList() : [];
        var invoices = runs.Exists(r => r.InvoiceId is not null) ? rows.Read<Invoice>(CustomerNouns.Invoices).ToDictionary(i => i.Id, StringComparer.Ordinal) : [];
        return runs.Select(run =>
        {
            var invoice = run.InvoiceId is { } id ? invoices.GetValueOrDefault(id) : null;
            var closes = FlowResults.ClosesAt(run, invoice, settings.Flows.RetryWindowDays);
            return new JudgedRun(run, FlowResults.Of(run, rows.Customer, activities, invoice, settings.Flows.RetryWindowDays, asOf)) { ClosedLately = closes <= asOf && closes > asOf.AddDays(-FlowTally.LatelyDays), Invoice = invoice };
        });
    }
}

/// <summary>Tallies as a row has them: a property for each flow (<c>flow1</c> …), since a flow's name may be none that a property can have.</summary>
public sealed class StoredFlows : SortedDictionary<string, FlowTally>
{
    /// <summary>By ordinal order.</summary>
    public StoredFlows() : base(StringComparer.Ordinal) { }

    /// <summary>Puts tallies into a row.</summary>
    public static StoredFlows Of(IReadOnlyList<FlowTally> tallies)
    {
        var stored = new StoredFlows();
        for (var i = 0; i < tallies.Count; i++) stored[string.Create(System.Globalization.CultureInfo.InvariantCulture, $"flow{i + 1}")] = tallies[i];
        return stored;
    }
}
