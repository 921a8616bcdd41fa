using System.Collections.Concurrent;
using System.Text.RegularExpressions;
using RetentionFunctions.Email;
using RetentionFunctions.Flows;
using RetentionFunctions.Tests.Faults;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.Torture.Faults;

/// <summary>
/// Every flow told as a story, once undisturbed to learn how often it calls its ports, then again for each of those calls, at both moments, with that call
/// failing: the end is the same.
/// </summary>
public partial class FaultAtEveryCallTests
{
    private sealed record End(string Rows, List<Run> Runs, List<MailRecord> Mails, List<(DateTimeOffset At, string Id, string To, string Subject)> Delivered, List<string> Billed, int Redeliveries);

    public static TheoryData<int> Stories => [.. Enumerable.Range(0, FlowStory.All.Length)];

    [Theory]
    [MemberData(nameof(Stories))]
    public async Task With_a_mailer_that_delivers_once_the_end_is_the_same(int number)
    {
        var story = FlowStory.All[number];
        var (calls, undisturbed) = await UndisturbedAsync(story, deduplicates: true);
        await ForEveryCallAsync(story, calls, deduplicates: true, (failed, end) =>
        {
            // "Not sent" is tried again five minutes later, so what follows from the time of the e-mail is later too.
            var (expected, actual) = failed.StartsWith("IMailer.Send", StringComparison.Ordinal) && failed.EndsWith("Before", StringComparison.Ordinal)
                ? (ByDay(undisturbed.Rows), ByDay(end.Rows)) : (undisturbed.Rows, end.Rows);
            if (expected != actual) return $"{failed}:\n{Difference(expected, actual)}";
            if (!end.Delivered.Select(d => (d.Id, d.To, d.Subject)).SequenceEqual(undisturbed.Delivered.Select(d => (d.Id, d.To, d.Subject)))) return $"{failed}: delivered {string.Join(", ", end.Delivered)}";
            if (!end.Billed.SequenceEqual(undisturbed.Billed)) return $"{failed}: billing did {string.Join(", ", end.Billed)}";
            return null;
        });
    }

    [Theory]
    [MemberData(nameof(Stories))]
    public async Task With_a_mailer_that_delivers_what_it_is_given_at_most_one_fate_is_unknown_and_nothing_goes_twice(int number)
    {
        var story = FlowStory.All[number];
        var (calls, undisturbed) = await UndisturbedAsync(story, deduplicates: false);
        var unknowns = 0;
        await ForEveryCallAsync(story, calls, deduplicates: false, (failed, end) =>
        {
            var twice = end.Delivered.GroupBy(d => d.Id).Where(g => g.Count() > 1).Select(g => g.Key).ToList();
            if (twice.Count > 0) return $"{failed}: delivered twice: {string.Join(", ", twice)}";
            var unknown = end.Mails.Where(m => m.Result == MailResult.Unknown).ToList();
            if (unknown.Count == 0)
            {
                if (!end.Delivered.Select(d => d.Id).SequenceEqual(undisturbed.Delivered.Select(d => d.Id))) return $"{failed}: delivered {string.Join(", ", end.Delivered)}";
                return ByDay(undisturbed.Rows) == ByDay(end.Rows) ? null : $"{failed}:\n{Difference(ByDay(undisturbed.Rows), ByDay(end.Rows))}";
            }
            Interlocked.Increment(ref unknowns);
            if (unknown.Count > 1 || unknown[0].Reason is null) return $"{failed}: unknown without a reason, or more than one";
            // All steps are done as ever; the one of unknown fate is shown as such, and either reached the customer or did not.
            if (!end.Mails.Select(m => m.Id).SequenceEqual(undisturbed.Mails.Select(m => m.Id))) return $"{failed}: rows of {string.Join(", ", end.Mails.Select(m => m.Id))}";
            if (end.Mails.Any(m => m.Result is not (MailResult.Accepted or MailResult.Unknown))) return $"{failed}: {string.Join(", ", end.Mails.Select(m => m.Result))}";
            var missing = undisturbed.Delivered.Select(d => d.Id).Except(end.Delivered.Select(d => d.Id)).ToList();
            if (missing.Count > 1 || (missing.Count == 1 && missing[0] != unknown[0].Id)) return $"{failed}: never delivered {string.Join(", ", missing)}";
            return end.Runs.Select(r => (r.Outcome, r.Sent.Count)).SequenceEqual(undisturbed.Runs.Select(r => (r.Outcome, r.Sent.Count))) ? null : $"{failed}: {string.Join(", ", end.Runs)}";
        });
        // An exception after the delivery: nobody can know.
        Assert.True(unknowns >= undisturbed.Delivered.Count);
    }

    private static async Task<(int Calls, End End)> UndisturbedAsync(FlowStory story, bool deduplicates)
    {
        var plan = FaultPlan.None();
        var end = await TellAsync(story, plan, deduplicates);
        Assert.Equal(story.Outcomes, end.Runs.Select(r => r.Outcome!.Value));
        Assert.Equal(story.Mails, end.Delivered.Count);
        Assert.Equal(0, end.Redeliveries);
        Assert.DoesNotContain("dead-letters", end.Rows);
        Assert.DoesNotContain("orphan", end.Rows);
        return (plan.Calls, end);
    }

    private static async Task ForEveryCallAsync(FlowStory story, int calls, bool deduplicates, Func<string, End, string?> check)
    {
        Assert.True(calls > 30, $"The story calls its ports only {calls} times.");
        var wrong = new ConcurrentBag<(int Call, string What)>();
        await Parallel.ForAsync(1, calls + 1, async (call, _) =>
        {
            foreach (var moment in new[] { FaultMoment.Before, FaultMoment.After })
            {
                var plan = FaultPlan.At(call, moment);
                try
                {
                    var end = await TellAsync(story, plan, deduplicates);
                    if (check(plan.Failed!, end) is { } what) wrong.Add((call, what));
                }
                catch (Exception e)
                {
                    wrong.Add((call, $"{plan.Failed}: {e}"));
                }
            }
        });
        Assert.True(wrong.IsEmpty, $"{wrong.Count} of {2 * calls} faults change the end of \"{story}\". The first:\n{wrong.OrderBy(w => w.Call).FirstOrDefault().What}");
    }

    private static async Task<End> TellAsync(FlowStory story, FaultPlan plan, bool deduplicates)
    {
        var ada = new Story();
        var bench = new FlowBench(FlowStory.SignUp, deduplicates);
        await story.Prelude(bench, ada);
        bench.Compose(plan);
        await story.Act(bench, ada);
        var rows = await bench.EndAsync(FlowStory.Partitions(ada));
        return new End(rows, await bench.RunsAsync(ada.Customer), await bench.MailsAsync(ada.Customer), bench.Mailer.Delivered, bench.Billing.Did, bench.Redeliveries);
    }

    private static string ByDay(string rows) => Attempts().Replace(TimeOfDay().Replace(rows, "$1"), "");

    private static string Difference(string expected, string actual)
    {
        string[] left = expected.Split('\n'), right = actual.Split('\n');
        return $"{string.Join('\n', left.Except(right).Select(l => $"- {l}"))}\n{string.Join('\n', right.Except(left).Select(l => $"+ {l}"))}";
    }

    [GeneratedRegex(@"(\d{4}-\d\d-\d\d)T[\d:.]+(\+00:00|Z)")]
    private static partial Regex TimeOfDay();

    [GeneratedRegex("\"(attempts\":\\d+|reason\":\"A planned fault.\"),?")]
    private static partial Regex Attempts();
}
