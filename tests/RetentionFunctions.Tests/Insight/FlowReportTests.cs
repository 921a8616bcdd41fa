using FsCheck;
using FsCheck.Fluent;
using RetentionFunctions.Customers;
using RetentionFunctions.Flows;
using RetentionFunctions.Insight;
using RetentionFunctions.Settings;
using RetentionFunctions.Storage;
using RetentionFunctions.Tests.Support;
using RetentionFunctions.Tests.Web;

namespace RetentionFunctions.Tests.Insight;

/// <summary>What may be said of a flow: never more than the comparison with those held out shows.</summary>
public class FlowReportTests
{
    private static readonly FlowDefinition WinBack = FlowDefaults.Definitions()[FlowDefaults.WinBack] with { HoldOut = 0.1 };

    private static readonly FlowDefinition Dunning = FlowDefaults.Definitions()[FlowDefaults.Dunning] with { HoldOut = 0.1 };

    /// <summary>The sentences of docs/definitions.md.</summary>
    public static TheoryData<FlowDefinition, FlowSide, FlowSide, FlowVerdict, string> Sentences => new()
    {
        {
            WinBack with { HoldOut = 0 }, default, default, FlowVerdict.NoHoldOut,
            "Nobody is held out, so nobody can say what would have happened without the flow. A tenth of the customers held out (holdOut 0.1 of this flow in the settings) begins to tell."
        },
        {
            WinBack, new(0, 0, 9, 0), new(0, 0, 1, 0), FlowVerdict.NothingToCompare,
            "There is nothing to compare yet: 10 customers entered while some are held out, of whom 1 was held out, and of one side nothing is known before its time is over. "
            + "To see a difference of 5 percentage points with 80 % certainty some 4,000 are needed (from an assumed 10 % without the flow, 10 % held out)."
        },
        {
            WinBack, new(5, 32, 0, 0), new(0, 5, 0, 0), FlowVerdict.NotShown,
            "No difference is shown: with 95 % confidence it lies between −30.6 and +28 points, and 0 is among them. 42 customers entered while some are held out, of whom 5 were held out. "
            + "To see a difference of 5 percentage points with 80 % certainty some 4,000 are needed (from an assumed 10 % without the flow, 10 % held out)."
        },
        {
            WinBack, new(180, 720, 0, 0), new(8, 92, 0, 0), FlowVerdict.Helps,
            "Of 100 who entered, 4.6 to 16.8 more come back than without the flow, with 95 % confidence."
        },
        {
            Dunning, new(400, 500, 0, 0), new(70, 30, 0, 0), FlowVerdict.Harms,
            "Of 100 who entered, 15.4 to 34.3 fewer pay than without the flow, with 95 % confidence: switch it off, or change it."
        },
    };

    [Theory, MemberData(nameof(Sentences))]
    public void The_verdict_says_what_is_shown(FlowDefinition definition, FlowSide treated, FlowSide held, FlowVerdict verdict, string text)
    {
        var report = FlowReport.Of(Tally(definition, treated, held), definition);
        Assert.Equal((verdict, text), (report.Verdict, report.Text()));
        Assert.Contains(text, File.ReadAllText(Path.Combine(Repository.Root, "docs", "definitions.md")));
    }

    [Fact]
    public void Nothing_is_claimed_while_zero_is_in_the_interval() => Prop.ForAll(
        (from a in Gen.Choose(0, 400) from b in Gen.Choose(0, 400) from c in Gen.Choose(0, 60) from d in Gen.Choose(0, 60) select (new FlowSide(a, b, 0, 0), new FlowSide(c, d, 0, 0))).ToArbitrary(), sides =>
    {
        var report = FlowReport.Of(Tally(WinBack, sides.Item1, sides.Item2) with { ComparedMrr = new Dictionary<string, long> { ["usd"] = 100_000 } }, WinBack);
        Assert.Equal(report.Interval is { } i && !i.ContainsZero, report.Verdict is FlowVerdict.Helps or FlowVerdict.Harms);
        if (report.Interval is not { } interval) return;
        Assert.InRange(report.Difference!.Value, interval.Low - 1e-12, interval.High + 1e-12);
        var kept = report.Kept["usd"];
        Assert.True(kept.Low <= kept.Observed && kept.Observed <= kept.High);
        if (report.Verdict == FlowVerdict.NotShown) Assert.True(kept.Low <= 0 && kept.High >= 0);
        if (report.Verdict == FlowVerdict.Helps) Assert.True(kept.Low >= 0);
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void MRR_kept_is_what_the_treated_paid_times_the_difference_not_what_those_pay_who_came_back()
    {
        // 20 % against 8 % of customers who paid $9,000 a month together: 12 % of it, not the 20 % of those who are back.
        var report = FlowReport.Of(Tally(WinBack, new(180, 720, 0, 0), new(8, 92, 0, 0)) with { ComparedMrr = new Dictionary<string, long> { ["usd"] = 900_000 } }, WinBack);
        Assert.Equal(108_000, report.Kept["usd"].Observed);
    }

    [Fact]
    public void The_number_needed_rests_on_those_held_out_once_there_are_twenty()
    {
        FlowNeed Need(FlowSide held, FlowDefinition? of = null) => FlowReport.Of(Tally(of ?? WinBack, new(90, 10, 0, 0), held), of ?? WinBack).Need;
        // Never on those who got the e-mails: 90 % of them came back.
        Assert.Equal((0.10, true), (Need(new(5, 14, 0, 0)).BaseRate, Need(new(5, 14, 0, 0)).IsAssumed));
        Assert.Equal((0.25, false), (Need(new(5, 15, 0, 0)).BaseRate, Need(new(5, 15, 0, 0)).IsAssumed));
        Assert.Equal(0.50, Need(default, Dunning).BaseRate);
        // Where all come back without us there is nothing to gain.
        Assert.Null(Need(new(20, 0, 0, 0)).Customers);
        Assert.Contains("cannot be seen here with any number of customers", FlowReport.Of(Tally(WinBack, new(90, 10, 0, 0), new(20, 0, 0, 0)), WinBack).NeedText());
    }

    [Fact]
    public void Each_customer_is_compared_once_with_the_first_run_of_a_time_with_a_hold_out()
    {
        Run At(int day, double holdOut, RunOutcome outcome) => SampleRows.Run("cus_1", "win-back", $"{day}", outcome) with
        {
            StartedAt = HostedPipeline.Now.AddDays(day), Definition = WinBack with { HoldOut = holdOut }, Mrr = new Dictionary<string, long> { ["usd"] = 4900 + day },
        };
        var before = new JudgedRun(At(0, 0, RunOutcome.Returned), FlowResult.Succeeded);
        var first = new JudgedRun(At(100, 0.1, RunOutcome.Completed), FlowResult.Failed);
        var second = new JudgedRun(At(200, 0.2, RunOutcome.Returned), FlowResult.Succeeded);
        var tally = FlowTally.OfCustomer([second, before, first]).Single();
        Assert.Equal((new FlowSide(2, 1, 0, 0), new FlowSide(0, 1, 0, 0)), (tally.Treated, tally.ComparedTreated));
        Assert.Equal(5000, tally.ComparedMrr["usd"]);
        Assert.Equal((0.1, 0.1), (tally.LeastHeldOut, tally.MostHeldOut));
        // While that first one is not known the customer is not: the second says nothing of it.
        var waiting = FlowTally.OfCustomer([second, first with { Result = FlowResult.NotYetKnown }]).Single();
        Assert.Equal(new FlowSide(0, 0, 1, 0), waiting.ComparedTreated);
        Assert.Empty(waiting.ComparedMrr);
        var held = FlowTally.OfCustomer([first with { Run = At(100, 0.1, RunOutcome.HeldOut) }]).Single();
        Assert.Equal((default, new FlowSide(0, 1, 0, 0)), (held.ComparedTreated, held.ComparedHeld));
        Assert.Empty(held.ComparedMrr);
        // Everybody held out leaves nobody to compare with.
        Assert.Equal(default, FlowTally.OfCustomer([first with { Run = At(100, 1, RunOutcome.HeldOut) }]).Single().ComparedHeld);
    }

    [Fact]
    public void Previews_are_counted_apart_and_are_in_no_figure()
    {
        var tally = FlowTally.OfCustomer([new JudgedRun(SampleRows.Run("cus_1", "win-back", outcome: RunOutcome.Returned) with { Preview = true, Definition = WinBack }, FlowResult.Succeeded) { ClosedLately = true }]).Single();
        Assert.Equal((0, 1, 0), (tally.Started, tally.Previews, tally.Ended.Count));
        Assert.Equal((default, default, default), (tally.Treated, tally.ComparedTreated, tally.LatelyTreated));
    }

    [Fact]
    public void In_any_order_and_any_buckets_the_tallies_are_the_same_and_add_up() => Prop.ForAll(Businesses.ToArbitrary(), runs =>
    {
        var customers = runs.GroupBy(r => r.Run.Id.CustomerId).Select(g => FlowTally.OfCustomer(g)).ToList();
        var whole = FlowTally.Sum(customers.SelectMany(t => t));
        var other = FlowTally.Sum(customers.AsEnumerable().Reverse().Chunk(3).SelectMany(bucket => StoredFlows.Of(FlowTally.Sum(bucket.SelectMany(t => t))).Values));
        Assert.Equal(whole.Select(Text), other.Select(Text));
        foreach (var t in whole)
        {
            var own = runs.Where(r => r.Run.Id.Flow == t.Name).ToList();
            Assert.Equal(own.Count, t.Started + t.Previews);
            Assert.Equal(t.Started - t.HeldOut, t.Open + t.Ended.Values.Sum());
            Assert.Equal(t.Started - t.HeldOut, t.Places.Sum(p => p.Waiting + p.Ended.Values.Sum()));
            Assert.Equal((t.Started - t.HeldOut, t.HeldOut), (All(t.Treated), All(t.Held)));
            // Each customer at most once.
            Assert.True(All(t.ComparedTreated) + All(t.ComparedHeld) <= own.Select(r => r.Run.Id.CustomerId).Distinct().Count());
        }

        static int All(FlowSide side) => side.Succeeded + side.Failed + side.NotYetKnown + side.NeverKnown;
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void What_the_summary_counts_of_rows_is_what_was_kept_and_read_again()
    {
        var run = SampleRows.Run("cus_1", "dunning", "in_1", RunOutcome.Paid) with { StartedAt = HostedPipeline.Now.AddDays(-40), InvoiceId = "in_1", Definition = Dunning, Mrr = new Dictionary<string, long> { ["usd"] = 2900 } };
        var invoice = new Invoice
        {
            Id = "in_1", FirstFailedAt = run.StartedAt, PaidAt = run.StartedAt.AddDays(2), Latest = new InvoiceSnapshot { InvoiceId = "in_1", Change = InvoiceChange.Paid, AmountDue = 2900, Currency = "usd", CreatedAt = run.StartedAt },
        };
        var summary = new FlowsSummary(new RetentionSettings());
        var stored = (StoredFlows)summary.Count([CustomerRows.Of(SampleRows.Customer("cus_1"), (CustomerNouns.Runs, run), (CustomerNouns.Invoices, invoice))], HostedPipeline.Now)!;
        var tally = stored["flow1"];
        Assert.Equal(("dunning", new FlowSide(1, 0, 0, 0), new FlowSide(1, 0, 0, 0)), (tally.Name, tally.Treated, tally.LatelyTreated));
        Assert.Equal((2900, 2900), (tally.LatelyPaid["usd"], tally.ComparedMrr["usd"]));
        var bytes = System.Text.Json.JsonSerializer.SerializeToUtf8Bytes(stored, TablesExtensions.Json);
        Assert.Equal(Text(tally), Text(System.Text.Json.JsonSerializer.Deserialize<StoredFlows>(bytes, TablesExtensions.Json)!["flow1"]));
        Assert.DoesNotContain("cus_1", System.Text.Encoding.UTF8.GetString(bytes));
        Assert.Null(summary.Count([CustomerRows.Of(SampleRows.Customer("cus_1"))], HostedPipeline.Now));
    }

    private static FlowTally Tally(FlowDefinition definition, FlowSide treated, FlowSide held) => new()
    {
        Name = "flow", Latest = definition, ComparedTreated = treated, ComparedHeld = held,
        LeastHeldOut = definition.HoldOut > 0 ? definition.HoldOut : null, MostHeldOut = definition.HoldOut > 0 ? definition.HoldOut : null,
    };

    private static string Text(FlowTally tally) => System.Text.Encoding.UTF8.GetString(TablesExtensions.Write(tally).Span);

    private static Gen<JudgedRun[]> Businesses { get; } =
        (from customer in Gen.Choose(1, 8)
         from flow in Gen.Elements("dunning", "win-back")
         from day in Gen.Choose(0, 400)
         from outcome in Gen.Elements<RunOutcome?>(null, RunOutcome.Completed, RunOutcome.Returned, RunOutcome.HeldOut)
         from preview in Gen.Elements(false, false, true)
         from steps in Gen.Choose(0, 5)
         from holdOut in Gen.Elements(0, 0.1, 0.2)
         from result in Gen.Elements(Enum.GetValues<FlowResult>())
         from lately in Gen.Elements(true, false)
         select new JudgedRun(SampleRows.Run($"cus_{customer}", flow, $"{day}", outcome) with
         {
             StartedAt = HostedPipeline.Now.AddDays(day), Preview = preview, Definition = WinBack with { HoldOut = holdOut }, Mrr = new Dictionary<string, long> { ["usd"] = day },
             Sent = [.. Enumerable.Range(1, steps).Select(step => new SentStep(step, "t", HostedPipeline.Now, MailResult.Accepted))],
         }, result) { ClosedLately = lately }).ArrayOf().Select(runs => runs.DistinctBy(r => r.Run.Id).ToArray());
}
