using System.Diagnostics;
using System.Text;
using RetentionFunctions.Customers;
using RetentionFunctions.Email;
using RetentionFunctions.Flows;
using RetentionFunctions.Health;
using RetentionFunctions.Intake;
using RetentionFunctions.Jobs;
using RetentionFunctions.Links;
using RetentionFunctions.Storage;
using RetentionFunctions.Tests.Faults;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.Torture.Faults;

/// <summary>
/// Eleven weeks of a small company. For six of them every call of every port fails with a probability, before it or after it, is slow by dice while everything else goes on,
/// and now and then the host dies. When the faults stop everything finishes: nothing is lost, nothing is done twice.
/// </summary>
public sealed class StormTests(ITestOutputHelper output)
{
    private const int Customers = 9;
    private const int StormDays = 45;
    // Not so long that counters of the beginning are forgotten (Activity.DaysKept), which depends on the row that they came to stand in.
    private const int Days = 80;

    private static readonly DateTimeOffset Start = FlowStory.SignUp;

    private static readonly Dictionary<bool, Lazy<Task<Dictionary<string, string>>>> Undisturbed = new[] { true, false }.ToDictionary(d => d, d => new Lazy<Task<Dictionary<string, string>>>(() => TellAsync(new Random(0), 0, 0, d, new Storm())));

    public static TheoryData<double, bool> Storms => Form.Times(0, 1) == 0 ? new() { { 0.3, false }, { 0.5, true } } : new() { { 0.1, true }, { 0.1, false }, { 0.3, true }, { 0.3, false }, { 0.5, true }, { 0.5, false } };

    [Theory]
    [MemberData(nameof(Storms))]
    public Task Everything_finishes_and_nothing_twice(double probability, bool deduplicates) => Form.WithDiceAsync(async dice =>
    {
        var watch = Stopwatch.StartNew();
        var sums = new Storm();
        var undisturbed = await Undisturbed[deduplicates].Value;
        await Parallel.ForEachAsync(Enumerable.Range(0, Form.Times(1, 25)).Select(_ => dice.Next()).ToList(), async (seed, _) =>
        {
            try
            {
                var storm = new Storm();
                var end = await TellAsync(new Random(seed), probability, 0.002, deduplicates, storm);
                foreach (var (noun, rows) in undisturbed) Assert.True(rows == end[noun], $"{noun}:\n{End.Difference(rows, end[noun])}");
                lock (sums) sums.Add(storm);
            }
            catch (Exception e)
            {
                throw new InvalidOperationException($"In the storm of the seed {seed}: {e.Message}", e);
            }
        });
        Figures.Say($"storm of p={probability}, {(deduplicates ? "a mailer that delivers once" : "a mailer that delivers what it is given")}: {sums.Stories} stories of {Days} days, {sums.Calls:N0} calls, {sums.Failures:N0} failed, {sums.Deaths:N0} deaths, " +
            $"{sums.Letters:N0} dead letters put back, {sums.Mails:N0} e-mails, of them {sums.Unknown:N0} of unknown fate, 0 lost, 0 twice, {watch.Elapsed.TotalSeconds:N0} s", output);
    });

    private sealed class Storm
    {
        public long Stories, Calls, Failures, Deaths, Letters, Mails, Unknown;

        public void Add(Storm other)
        {
            (Stories, Calls, Failures, Deaths) = (Stories + 1, Calls + other.Calls, Failures + other.Failures, Deaths + other.Deaths);
            (Letters, Mails, Unknown) = (Letters + other.Letters, Mails + other.Mails, Unknown + other.Unknown);
        }
    }

    private static async Task<Dictionary<string, string>> TellAsync(Random dice, double probability, double death, bool deduplicates, Storm storm)
    {
        var end = new Dictionary<string, string>(StringComparer.Ordinal);
        await new DiceScheduler(dice).RunAsync(async () =>
        {
            var world = new World(deduplicates, together: true);
            var bench = world.Bench;
            bench.Patience = int.MaxValue;
            bench.Settings.Backup.Keep = 2;
            var (storming, plans) = (true, new List<FaultPlan>());
            FaultPlan Next()
            {
                if (probability == 0 || !storming) return FaultPlan.None();
                plans.Add(FaultPlan.ByDice(dice, probability, death, SlowlyAsync));
                return plans[^1];
            }
            async Task SlowlyAsync()
            {
                for (var turns = dice.Next(40) == 0 ? 100 : dice.Next(3); turns > 0; turns--) await Task.Yield();
            }
            bench.Reborn = Next;
            bench.Compose(Next());
            var stories = Enumerable.Range(0, Customers).Select(n => new Story($"cus_{n}", $"c{n}@example.com")).ToList();
            bench.Swept = [.. stories.Select(s => s.Customer), Keys.UntiedUser("somebody")];
            for (var day = 0; day <= Days; day++)
            {
                if (day == StormDays)
                {
                    storming = false;
                    bench.Compose(FaultPlan.None());
                }
                await bench.LiveAsync(Start.AddDays(day));
                // All at the same time, as they come.
                await Task.WhenAll(stories.Select((story, n) => DayAsync(bench, story, n, day)).Append(bench.AppAsync("somebody", "Signed In", Start.AddDays(day))));
                if (day == StormDays + 1) storm.Letters = await PutBackAsync(bench);
            }
            await bench.LiveAsync(Start.AddDays(Days + 1));
            (storm.Calls, storm.Failures, storm.Deaths) = (plans.Sum(p => (long)p.Calls), plans.Sum(p => (long)p.Failures), bench.Deaths);
            await CheckAsync(world, stories, deduplicates, storm);
            await ReadAsync(bench, end);
        });
        return end;
    }

    // Nine lives of three kinds of payers and three kinds of users.
    private static async Task DayAsync(FlowBench bench, Story story, int number, int day)
    {
        var (payer, user, now) = (number % 3, number / 3, Start.AddDays(day));
        var id = $"u{number}";
        if (day == 0) await bench.StripeAsync(story.SignsUp(now));
        // Used before it is known whose user it is; the second kind stops after two weeks, the third is never seen.
        if (user < 2 && day % 2 == 0 && (user == 0 || day < 14)) await bench.AppAsync(bench.Item(id, "Signed In", now), bench.Item(id, "Feature Used", now));
        if (user < 2 && day == 3) await bench.AppAsync(id, null, now, $$"""{"stripeCustomerId":"{{story.Customer}}"}""");
        if (user < 2 && day == 6) await bench.AppAsync(id, "Signed In", now.AddDays(-2));
        switch (payer, day)
        {
            // Pays in the end, by the link of the e-mail.
            case (0, 31): await bench.StripeAsync(story.PaymentFails(now, next: now.AddDays(3))); break;
            case (0, 36):
                await bench.ClickAsync(LinkPurpose.Pay, new RunId(story.Customer, FlowDispatch.DunningFlow, story.InvoiceId("renewal")), 1, (links, claims) => links.PayAsync(claims with { Subject = story.InvoiceId("renewal") }, new Uri("https://links.example.com/back")));
                await bench.StripeAsync(story.PaysAfterAll(now));
                break;
            // Never pays.
            case (1, 31): await bench.StripeAsync(story.PaymentFails(now, next: now.AddDays(3))); break;
            // Pauses by a link, then leaves.
            case (2, 20):
                await bench.ClickAsync(LinkPurpose.Pause, new RunId(story.Customer, FlowDispatch.WinBackFlow, "2026-01-20"), 1, (links, claims) => links.PauseAsync(claims, 1));
                await bench.StripeAsync(story.Pauses(now, now.AddMonths(1)));
                break;
            case (2, 60): await bench.StripeAsync(story.Cancels(now)); break;
        }
    }

    private static async Task<int> PutBackAsync(FlowBench bench)
    {
        var letters = await bench.Tables.ListAsync<DeadLetter>(Keys.DeadLetters);
        foreach (var letter in letters)
        {
            Assert.NotEmpty((await new BodyStore(bench.Tables).GetAsync(letter.BodyId))!.Value.ToArray());
            await bench.LetterAsync(letter.Id, replay: true);
        }
        return letters.Count;
    }

    private static async Task CheckAsync(World world, List<Story> stories, bool deduplicates, Storm storm)
    {
        var bench = world.Bench;
        Assert.True(bench.IsIdle);
        Assert.Empty(await bench.Tables.ListAsync<DeadLetter>(Keys.DeadLetters));
        foreach (var job in await bench.Tables.ListAsync<JobState>(Keys.Jobs)) Assert.True(job is { IsRunning: false, Failed: null }, $"The job {job.Name} stands still.");
        var twice = bench.Mailer.Delivered.GroupBy(d => d.Id).Where(g => g.Count() > 1).Select(g => g.Key).ToList();
        Assert.True(twice.Count == 0, $"Delivered twice: {string.Join(", ", twice)}");
        Assert.Equal(bench.Billing.Did.Count, bench.Billing.Did.Distinct().Count());
        // Whoever wanted a pause got it once, or was told that there is nothing to pause while the news of the sign-up lay among the dead letters.
        Assert.True(bench.Billing.Did.Count <= stories.Count / 3 && (storm.Letters > 0 || bench.Billing.Did.Count == stories.Count / 3), $"{bench.Billing.Did.Count} pauses");

        var ended = await world.EndAsync();
        (storm.Mails, storm.Unknown) = (ended.Mails.Count, ended.Mails.Count(m => m.Result == MailResult.Unknown));
        // Where the mailer delivers once nobody need wonder, unless the reason for the e-mail was gone before it could be asked again.
        if (deduplicates) Assert.All(ended.Mails.Where(m => m.Result == MailResult.Unknown), m => Assert.Equal("the run ended before it was known whether it went out", m.Reason));
        // What certainly did not go out may stay so where the run ended before the next try.
        Assert.All(ended.Mails, m => Assert.True(m.Result is MailResult.Accepted || (m.Result is MailResult.Unknown or MailResult.NotSent && m.Reason is not null), $"{m.Id} is {m.Result}."));
        var delivered = ended.Delivered.Select(d => d.Id).ToHashSet(StringComparer.Ordinal);
        Assert.All(ended.Mails.Where(m => m.Result == MailResult.Accepted), m => Assert.Contains(m.Id, delivered));
        Assert.Empty(delivered.Except(ended.Mails.Where(m => m.Result is not MailResult.NotSent).Select(m => m.Id)));
        foreach (var run in ended.Runs)
        {
            Assert.True(run.Status == RunStatus.Ended, $"{run.Id} is {run.Status}.");
            Assert.Equal(Enumerable.Range(1, run.Sent.Count), run.Sent.Select(s => s.Step));
            Assert.Equal(run.Sent.Select(s => (s.Step, s.Result)), ended.Mails.Where(m => (m.CustomerId, m.Flow, m.Occasion) == (run.Id.CustomerId, run.Id.Flow, run.Id.Occasion) && m.Step <= run.Sent.Count).Select(m => (m.Step, m.Result)));
        }
        foreach (var (story, number) in stories.Select((s, n) => (s, n)))
            if (number % 3 == 1)
                Assert.Equal((RunOutcome.Completed, 3), ended.Runs.Where(r => r.Id.CustomerId == story.Customer && r.Id.Flow == FlowDispatch.DunningFlow).Select(r => (r.Outcome!.Value, r.Sent.Count)).Single());
    }

    // What everything must end in whatever happened on the way, by noun.
    private static async Task ReadAsync(FlowBench bench, Dictionary<string, string> end)
    {
        var lines = new Dictionary<string, List<string>>(StringComparer.Ordinal);
        void Add(string noun, string line)
        {
            if (!lines.TryGetValue(noun, out var own)) lines[noun] = own = [];
            own.Add(line);
        }
        await foreach (var row in bench.Tables.ScanAsync())
        {
            var parts = Keys.Parts(row.At.Key);
            switch (parts[0])
            {
                case "snapshot" or "ledger" or "invoice": Add(parts[0], $"{row.At.Key} {Encoding.UTF8.GetString(row.Body.Span)}"); break;
                // An event of the app leaves its marker with its user or with the customer, whichever it was of when it was handled.
                case "event": Add("event", $"{parts[^1]} {Encoding.UTF8.GetString(row.Body.Span)}"); break;
                case "customer" when Keys.IsBucket(row.At.Partition):
                    var customer = row.Read<Customer>();
                    Add("customer", $"{customer.Id} {customer.Status} {string.Join(' ', customer.Mrr)} {string.Join(' ', customer.FailingInvoices)} {customer.Email} {customer.OpenRuns.Count}");
                    break;
                case "tie": Add("tie", $"{row.At.Partition} {Encoding.UTF8.GetString(row.Body.Span)}"); break;
            }
        }
        foreach (var subject in Enumerable.Range(0, Customers).Select(n => $"cus_{n}").Append(Keys.UntiedUser("somebody")))
            foreach (var counter in (await bench.Tables.ListAsync<Health.Activity>(Keys.Activities(subject))).SelectMany(a => a.Days).SelectMany(d => d.Value, (d, c) => (Day: d.Key, Counter: c.Key, c.Value)).GroupBy(c => (c.Day, c.Counter)))
                Add("activity", $"{subject} {counter.Key.Day:O} {counter.Key.Counter} {counter.Sum(c => c.Value)}");
        foreach (var (noun, own) in lines) end[noun] = string.Join('\n', own.Order(StringComparer.Ordinal));
    }
}
