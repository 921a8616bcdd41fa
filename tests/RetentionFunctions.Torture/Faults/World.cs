using System.Text;
using System.Text.RegularExpressions;
using Microsoft.Extensions.DependencyInjection;
using RetentionFunctions.Backup;
using RetentionFunctions.Email;
using RetentionFunctions.Erasure;
using RetentionFunctions.Flows;
using RetentionFunctions.History;
using RetentionFunctions.Jobs;
using RetentionFunctions.Local.Sandbox;
using RetentionFunctions.Storage;
using RetentionFunctions.Tests.Backup;
using RetentionFunctions.Tests.Faults;
using RetentionFunctions.Tests.History;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.Torture.Faults;

/// <summary>The product with every port and every job, and all that outlives it: tables, queue, due times, the mail provider, Stripe, backups.</summary>
internal sealed partial class World
{
    public World(bool deduplicates = true, bool together = false)
    {
        Bench = new FlowBench(FlowStory.SignUp, deduplicates) { Adapters = Adapters, Together = together };
        Stripe = new ListedStripe(new SandboxStripe(new SandboxOptions()), Bench.Clock) { PageSize = 2 };
        // Once more, now with the jobs.
        Bench.Compose(FaultPlan.None());
    }

    public FlowBench Bench { get; }

    public Story Ada { get; } = new();

    public ListedStripe Stripe { get; }

    public MemoryBackups Backups { get; } = new();

    public HashSet<string> Erased { get; } = [];

    private void Adapters(IServiceCollection services, FaultPlan plan)
    {
        services.AddSingleton<IBillingHistory>(new FaultyBillingHistory(Stripe, plan)).AddSingleton<IPersonalData>(new FaultyPersonalData(Erased, plan));
        services.AddSingleton<IBackupStore>(new FaultyBackupStore(Backups, plan)).AddSingleton<Backups>().AddSingleton<IJob, BackupJob>().AddSingleton<IJob, RestoreJob>();
    }

    /// <summary>How it all ended: every row, and all that was done outside.</summary>
    public async Task<End> EndAsync()
    {
        var (runs, mails) = (new List<Run>(), new List<MailRecord>());
        await foreach (var row in Bench.Tables.ScanAsync())
            if (Keys.Parts(row.At.Key)[0] is "run") runs.Add(row.Read<Run>());
            // Those to the founder too, of the reviews.
            else if (Keys.Parts(row.At.Key)[0] is "mail") mails.Add(row.Read<MailRecord>());
        var outside = new StringBuilder();
        foreach (var did in Bench.Billing.Did) outside.AppendLine(did);
        foreach (var (name, files) in Backups.Kept) outside.AppendLine($"backup {name}: {string.Join(", ", files.Keys)}");
        foreach (var erased in Erased.Order(StringComparer.Ordinal)) outside.AppendLine($"erased {erased}");
        var (rows, copies) = Told(await Bench.EverythingAsync());
        return new End(rows, copies, outside.ToString(), runs, mails, Bench.Mailer.Delivered);
    }

    // What may differ after a crash without anything being lost or done twice: ids by chance, what a job counts of a step that was done again, and a copy of the
    // body of a dead letter that nobody refers to, which a host leaves that died between the body and the letter. The copies are counted.
    private static (string Rows, int Copies) Told(string everything)
    {
        var rows = everything.Split('\n');
        var letters = rows.Where(row => row.StartsWith("dead-letters ", StringComparison.Ordinal)).ToList();
        var copies = rows.Select(row => Body().Match(row)).Where(m => m.Success && !letters.Exists(l => l.Contains(m.Groups[1].Value, StringComparison.Ordinal))).Select(m => m.Value).Distinct().ToList();
        var kept = rows.Where(row => !copies.Exists(copy => row.StartsWith(copy, StringComparison.Ordinal)))
            .Select(row => ChangedBefore().Replace(CountedTwice().Replace(ByChance().Replace(row, "$1 by chance"), "$1"), "$1"));
        return (string.Join('\n', kept.Order(StringComparer.Ordinal)), copies.Count);
    }

    // Ids by chance: the body of a dead letter, and what an erasure is known by.
    [GeneratedRegex("""(dead:[^|"]*:|asked for at [^ ]+ )[0-9a-f]{16}""")]
    private static partial Regex ByChance();

    [GeneratedRegex("""^body\|(dead:.*:[0-9a-f]{16}) """)]
    private static partial Regex Body();

    [GeneratedRegex("""^(x-jobs job\|(?:backup|restore|erase) .*)"counts":\{[^}]*\},""")]
    private static partial Regex CountedTwice();

    // Done again, a step finds written what it counts.
    [GeneratedRegex("""^(x-jobs job\|summaries .*)"rows changed":[0-9]+""")]
    private static partial Regex ChangedBefore();
}

/// <summary>How a story ended.</summary>
/// <param name="Rows">All rows, in order.</param>
/// <param name="Copies">Bodies of dead letters that no letter has.</param>
/// <param name="Outside">What billing did, which backups there are, who was erased.</param>
/// <param name="Delivered">The e-mails that reached somebody, in order.</param>
internal sealed record End(string Rows, int Copies, string Outside, List<Run> Runs, List<MailRecord> Mails, List<(DateTimeOffset At, string Id, string To, string Subject)> Delivered)
{
    public IEnumerable<(string Id, string To, string Subject)> Letters => Delivered.Select(d => (d.Id, d.To, d.Subject));

    /// <summary>Where this end is another; null where it is the same.</summary>
    public string? Differs(End undisturbed)
    {
        if (Rows != undisturbed.Rows) return Difference(undisturbed.Rows, Rows);
        if (Copies > 1 || undisturbed.Copies > 0) return $"{Copies} copies of bodies of dead letters";
        if (Outside != undisturbed.Outside) return Difference(undisturbed.Outside, Outside);
        return Letters.SequenceEqual(undisturbed.Letters) ? null : $"delivered {string.Join(", ", Delivered)}";
    }

    public static string Difference(string expected, string actual)
    {
        string[] left = expected.Split('\n'), right = actual.Split('\n');
        static string Short(string row) => row.Length > 1000 ? row[..1000] : row;
        return $"{string.Join('\n', left.Except(right).Select(l => $"- {Short(l)}"))}\n{string.Join('\n', right.Except(left).Select(l => $"+ {Short(l)}"))}";
    }
}
