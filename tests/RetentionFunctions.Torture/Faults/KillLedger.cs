using System.Globalization;
using RetentionFunctions.Customers;
using RetentionFunctions.Email;
using RetentionFunctions.Flows;
using RetentionFunctions.Health;
using RetentionFunctions.Intake;
using RetentionFunctions.Local.Sqlite;
using RetentionFunctions.Storage;

namespace RetentionFunctions.Torture.Faults;

/// <summary>What the rows say of all that was acknowledged, event by event and by what came of it.</summary>
internal sealed class KillLedger
{
    /// <summary>Events that left nothing.</summary>
    public long Lost { get; private set; }

    /// <summary>Effects that are there more often than they should be.</summary>
    public long Twice { get; private set; }

    public int Runs { get; private set; }

    /// <summary>Steps of runs, each an e-mail.</summary>
    public int Steps { get; private set; }

    /// <summary>What is not as it should be, in words.</summary>
    public List<string> Wrong { get; } = [];

    public static async Task<KillLedger> ReadAsync(string folder, KillLoad load)
    {
        var ledger = new KillLedger();
        await using var store = SqliteStore.Open(Path.Combine(folder, "data"));
        var tables = new SqliteTables(store);
        ledger.Expect("dead letters", 0, (await tables.ListAsync<DeadLetter>(Keys.DeadLetters)).Count);
        ledger.Markers(folder, load);
        await ledger.SignInsAsync(tables, load);
        for (var number = 0; number < load.Stories.Count; number++) await ledger.CustomerAsync(tables, load, number);
        // Every e-mail is a step of a run, and the outbox has no other.
        var outbox = await new SqliteOutbox(store, TimeProvider.System).CountAsync();
        if (load.Days > 0) ledger.Expect("e-mails in the outbox", ledger.Steps, outbox);
        return ledger;
    }

    private void Expect(string what, long expected, long actual)
    {
        if (expected == actual) return;
        Lost += Math.Max(0, expected - actual);
        Twice += Math.Max(0, actual - expected);
        Wrong.Add($"{what}: {actual} instead of {expected}");
    }

    private void Require(bool holds, string what)
    {
        if (!holds) Wrong.Add(what);
    }

    // One marker for every event, whichever way it came, and no other.
    private void Markers(string folder, KillLoad load)
    {
        var keys = StoredFile.Read(folder, "SELECT key FROM rows WHERE key LIKE 'event|%'").Select(key => Keys.Parts(key)[^1]).GroupBy(id => id, StringComparer.Ordinal).ToDictionary(g => g.Key, g => g.Count(), StringComparer.Ordinal);
        var expected = load.Done.SelectMany(s => s.Ids.Select(id => s.Kind == SendingKind.Mail ? $"mail:{id}" : s.Name.StartsWith("tie ", StringComparison.Ordinal) ? $"{s.Of}:{id}" : id)).ToHashSet(StringComparer.Ordinal);
        Lost += expected.Count(id => !keys.ContainsKey(id));
        Twice += keys.Values.Sum(n => n - 1);
        Require(expected.All(keys.ContainsKey), $"without a marker: {string.Join(", ", expected.Where(id => !keys.ContainsKey(id)).Take(5))}");
        Require(keys.Values.All(n => n == 1), "an event has two markers");
        Expect("markers", expected.Count, keys.Count);
    }

    private async Task SignInsAsync(ITables tables, KillLoad load)
    {
        foreach (var user in load.Done.Where(s => s.Kind == SendingKind.App && !s.Name.StartsWith("tie ", StringComparison.Ordinal)).SelectMany(s => s.Ids).Distinct(StringComparer.Ordinal).GroupBy(id => id.Split(':')[0], StringComparer.Ordinal))
        {
            var tie = (await tables.GetAsync<UserTie>(Keys.UserTie(user.Key)))?.Value;
            var rows = await tables.ListAsync<Activity>(Keys.Activities(tie?.CustomerId ?? Keys.UntiedUser(user.Key)));
            Expect($"sign-ins of {user.Key}", user.Count(), (long)rows.SelectMany(r => r.Days.Values).Sum(d => d.GetValueOrDefault(Counter.SignIns)));
            var number = user.Key[0] == 'u' ? int.Parse(user.Key.AsSpan(1), NumberStyles.None, CultureInfo.InvariantCulture) : 1;
            Require(tie?.CustomerId == (KillLoad.IsTied(number) ? KillLoad.IdOf(number) : null), $"{user.Key} is tied to {tie?.CustomerId}");
        }
    }

    private async Task CustomerAsync(ITables tables, KillLoad load, int number)
    {
        var id = KillLoad.IdOf(number);
        var paid = load.Days > 0 && KillLoad.Pays(number);
        Expect($"snapshots of {id}", paid ? 4 : 3, (await tables.ListAsync<SubscriptionSnapshot>(Keys.Snapshots(id))).Count);
        var invoices = await tables.ListAsync<Invoice>(Keys.Invoices(id));
        Expect($"invoices of {id}", 2, invoices.Count);
        Require(invoices.Single(i => i.Id.EndsWith("first", StringComparison.Ordinal)).PaidAt is not null, $"the first invoice of {id} is not paid");
        Require(invoices.Single(i => i.Id.EndsWith("renewal", StringComparison.Ordinal)).IsFailing == !paid, $"the second invoice of {id}");
        var known = (await tables.GetAsync<Customer>(Keys.Customer(id)))!.Value;
        // Who has owed for a month counts no more.
        var counts = paid || load.Days < 30;
        Require(known.Mrr.GetValueOrDefault("usd") == (counts ? 4900 : 0), $"the MRR of {id} is {string.Join(' ', known.Mrr)}");
        Require(!counts || known.Status == (paid ? CustomerStatus.Paying : CustomerStatus.PastDue), $"{id} is {known.Status}");
        Expect($"MRR of the ledger of {id}", counts ? 4900 : 0, (await tables.ListAsync<Movement>(Keys.Ledger(id))).Sum(m => m.Amount));
        Require(known.OpenRuns.Count == (load.Days > 0 ? 0 : 1), $"{id} has {known.OpenRuns.Count} open runs");

        var runs = await tables.ListAsync<Run>(Keys.Runs(id));
        var mails = await tables.ListAsync<MailRecord>(Keys.Mails(id));
        Runs += runs.Count;
        Steps += runs.Sum(r => r.Sent.Count);
        Expect($"e-mails of {id}", runs.Sum(r => r.Sent.Count), mails.Count);
        Require(runs.All(r => r.Sent.Select((s, n) => s.Step == n + 1 && s.Result == MailResult.Accepted).All(ok => ok)), $"the steps of a run of {id}");
        Require(mails.All(m => m.Result == MailResult.Accepted), $"an e-mail of {id} was not accepted");
        var dunning = runs.Where(r => r.Id.Flow == FlowDispatch.DunningFlow).ToList();
        Expect($"dunning runs of {id}", 1, dunning.Count);
        if (load.Days == 0) return;
        Require(mails.All(m => m is { ProcessedAt: not null, DeliveredAt: not null }), $"an e-mail of {id} of which the provider's report is not there");
        // Who pays on the fourth day got the e-mails of days 0 and 3.
        Expect($"dunning e-mails of {id}", paid ? 2 : 5, dunning.Single().Sent.Count);
        Require(dunning.Single().Outcome == (paid ? RunOutcome.Paid : RunOutcome.Completed), $"dunning of {id} ended as {dunning.Single().Outcome}");
        // A month of silence, and then two weeks of e-mails.
        var silent = runs.Where(r => r.Id.Flow == FlowDispatch.WinBackFlow).ToList();
        Expect($"win-back runs of {id}", load.Days >= 55 && paid && KillLoad.IsTied(number) ? 1 : 0, silent.Count);
        foreach (var run in silent)
        {
            Expect($"win-back e-mails of {id}", 5, run.Sent.Count);
            Require(run.Outcome == RunOutcome.Completed, $"win-back of {id} ended as {run.Outcome}");
        }
    }
}
