using System.Collections.Concurrent;
using System.Reflection;
using System.Text.Json;
using RetentionFunctions.Email;
using RetentionFunctions.Flows;
using RetentionFunctions.Intake;
using RetentionFunctions.Intake.App;
using RetentionFunctions.Intake.Mail;
using RetentionFunctions.Intake.Stripe;
using RetentionFunctions.Jobs;
using RetentionFunctions.Storage;
using RetentionFunctions.Tests.Faults;
using RetentionFunctions.Tests.Support;
using RetentionFunctions.Web;

namespace RetentionFunctions.Torture.Faults;

/// <summary>
/// Every story told once undisturbed, to learn how often it calls its ports, then again for each of those calls with the host dying just before it and just after it. A new
/// host goes on over what is stored, whoever got no answer asks again, and the end is that of the story without a crash. With <c>TORTURE=1</c> no call is left out; else one
/// in seven is taken, from where <c>TORTURE_SEED</c> begins.
/// </summary>
public sealed class CrashTests(ITestOutputHelper output)
{
    private static readonly FaultMoment[] Moments = [FaultMoment.Before, FaultMoment.After];

    public static TheoryData<int> Stories => [.. Enumerable.Range(0, HandlerStory.All.Length)];

    [Theory]
    [MemberData(nameof(Stories))]
    public async Task A_crash_before_or_after_any_call_changes_nothing_in_the_end(int number)
    {
        var story = HandlerStory.All[number];
        var (calls, undisturbed, _) = await TellAsync(story, FaultPlan.None(), deduplicates: true);
        var (points, died) = await AtEveryCallAsync(story, calls, deduplicates: true, end => end.Differs(undisturbed));
        Figures.Add("crash points", points);
        Figures.Add("hosts that died", died);
        output.WriteLine($"{story}: {calls} calls, {points} points, {died} died");
    }

    [Theory]
    [MemberData(nameof(Stories))]
    public async Task With_a_mailer_that_delivers_what_it_is_given_one_fate_at_most_is_unknown_and_shown_and_nothing_goes_twice(int number)
    {
        var story = HandlerStory.All[number];
        var (calls, undisturbed, sent) = await TellAsync(story, FaultPlan.None(), deduplicates: false);
        if (sent == 0) return;
        var unknowns = 0;
        var (points, _) = await AtEveryCallAsync(story, calls, deduplicates: false, end =>
        {
            var unknown = end.Mails.Where(m => m.Result == MailResult.Unknown).ToList();
            Interlocked.Add(ref unknowns, unknown.Count);
            return unknown.Count == 0 ? end.Differs(undisturbed) : WrongWithUnknown(end, undisturbed, unknown);
        }, async (world, end) =>
        {
            foreach (var mail in end.Mails.Where(m => m.Result == MailResult.Unknown))
            {
                var (result, reason) = mail.CustomerId == FounderMail.Addressee
                    ? await world.Bench.ReviewMailAsync(mail.Occasion) is { } review ? (review.Result, review.Reason) : default
                    : (await new CustomerQueries(world.Bench.Tables).GetAsync(mail.CustomerId))!.Mails.Where(m => m.Id == mail.Id).Select(m => (m.Result, m.Reason)).Single();
                Assert.Equal((MailResult.Unknown, mail.Reason), (result, reason));
            }
        });
        // Between the row that says "about to be sent" and the one that says "sent" nobody can know.
        Assert.True(unknowns >= sent || points < 2 * calls, $"{unknowns} of {points}");
        Figures.Add("crash points with a mailer that does not deduplicate", points);
        Figures.Add("e-mails of unknown fate, one at most for each crash", unknowns);
    }

    [Fact]
    public async Task Every_handler_every_flow_every_job_and_every_port_is_in_a_story()
    {
        var (kinds, stripe, app, mail, flows, jobs, ports) = (new HashSet<MessageKind>(), new HashSet<string>(), new HashSet<AppEventType>(), new HashSet<MailEventType>(), new HashSet<string>(), new HashSet<string>(), new HashSet<string>());
        foreach (var story in HandlerStory.All)
        {
            var world = new World();
            await story.Prelude(world);
            var (plan, before) = (FaultPlan.None(), world.Bench.Handled.Count);
            world.Bench.Compose(plan);
            await story.Act(world);
            ports.UnionWith(plan.Names);
            flows.UnionWith((await world.EndAsync()).Runs.Where(r => r.Sent.Count > 0).Select(r => r.Id.Flow));
            foreach (var message in world.Bench.Handled.Skip(before))
            {
                kinds.Add(message.Kind);
                if (message.BodyStored) continue;
                switch (message.Kind)
                {
                    case MessageKind.StripeEvent: stripe.Add(StripeEnvelope.Read(message.Body).Type); break;
                    case MessageKind.AppEvent: app.UnionWith(AppMessages.Read(message.Body).Select(e => e.Type)); break;
                    case MessageKind.MailEvent: mail.UnionWith(MailMessages.Read(message.Body).Select(e => e.Type)); break;
                    case MessageKind.Job: jobs.Add(JsonDocument.Parse(message.Body).RootElement.GetProperty("job").GetString()!); break;
                }
            }
        }
        Assert.Equal(StripeEventTypes.Meanings.Keys.Order(StringComparer.Ordinal), stripe.Order(StringComparer.Ordinal));
        Assert.Equal(Enum.GetValues<MessageKind>(), kinds.Order());
        Assert.Equal(Enum.GetValues<AppEventType>(), app.Order());
        Assert.Equal(Enum.GetValues<MailEventType>(), mail.Order());
        Assert.Equal(new World().Bench.Settings.Flows.Definitions.Keys.Order(StringComparer.Ordinal), flows.Order(StringComparer.Ordinal));
        // As many as there are classes of jobs: what each is called it says itself.
        var shared = typeof(IJob).Assembly.GetTypes();
        Assert.Equal(shared.Count(t => t is { IsClass: true, IsAbstract: false } && t.IsAssignableTo(typeof(IJob))), jobs.Count);
        // A port is what shared asks of its hosts; what it implements itself is none.
        Assert.Equal(
            shared.Where(t => t.IsInterface && t.IsPublic && !shared.Any(own => own.IsClass && own.IsAssignableTo(t))).SelectMany(t => t.GetMethods().Where(m => !m.IsSpecialName), (t, m) => $"{t.Name}.{m.Name.Replace("Async", "", StringComparison.Ordinal)}").Order(StringComparer.Ordinal),
            ports.Order(StringComparer.Ordinal));
    }

    // All steps are done as ever; the one of unknown fate is shown as such, and either reached the customer or did not.
    private static string? WrongWithUnknown(End end, End undisturbed, List<MailRecord> unknown)
    {
        if (unknown.Count > 1 || unknown[0].Reason is null) return "unknown without a reason, or more than one";
        if (end.Delivered.GroupBy(d => d.Id).FirstOrDefault(g => g.Count() > 1) is { } twice) return $"delivered twice: {twice.Key}";
        if (!end.Mails.Select(m => m.Id).SequenceEqual(undisturbed.Mails.Select(m => m.Id))) return $"rows of {string.Join(", ", end.Mails.Select(m => m.Id))}";
        if (end.Mails.Except(unknown).Select(m => (m.Id, m.Result)).Except(undisturbed.Mails.Select(m => (m.Id, m.Result))).Any()) return $"{string.Join(", ", end.Mails.Select(m => m.Result))}";
        var missing = undisturbed.Delivered.Select(d => d.Id).Except(end.Delivered.Select(d => d.Id)).ToList();
        if (missing.Count > 1 || (missing.Count == 1 && missing[0] != unknown[0].Id)) return $"never delivered: {string.Join(", ", missing)}";
        return end.Runs.Select(r => (r.Id, r.Outcome, r.Sent.Count)).SequenceEqual(undisturbed.Runs.Select(r => (r.Id, r.Outcome, r.Sent.Count))) ? null : $"runs: {string.Join(", ", end.Runs)}";
    }

    private static async Task<(int Calls, End End, int Sent)> TellAsync(HandlerStory story, FaultPlan plan, bool deduplicates, Func<World, End, Task>? look = null)
    {
        var world = new World(deduplicates);
        await story.Prelude(world);
        var before = world.Bench.Mailer.Delivered.Count;
        world.Bench.Compose(plan);
        await story.Act(world);
        Assert.Equal(plan.IsDead ? 1 : 0, world.Bench.Deaths);
        Assert.Equal(0, world.Bench.Redeliveries);
        var end = await world.EndAsync();
        if (look is not null) await look(world, end);
        return (plan.Calls, end, world.Bench.Mailer.Delivered.Count - before);
    }

    private static async Task<(int Points, int Died)> AtEveryCallAsync(HandlerStory story, int calls, bool deduplicates, Func<End, string?> check, Func<World, End, Task>? look = null)
    {
        var wrong = new ConcurrentBag<(int Call, string What)>();
        var (died, every) = (0, Form.Times(7, 1));
        var first = 0;
        Form.WithDice(dice => first = 1 + ((dice.Next() + story.Name.Length) % every));
        var taken = Enumerable.Range(first, Math.Max(0, calls + 1 - first)).Where(call => (call - first) % every == 0).ToList();
        await Parallel.ForEachAsync(taken, async (call, _) =>
        {
            foreach (var moment in Moments)
            {
                var plan = FaultPlan.CrashAt(call, moment);
                try
                {
                    var (_, end, _) = await TellAsync(story, plan, deduplicates, look);
                    if (plan.IsDead) Interlocked.Increment(ref died);
                    if (check(end) is { } what) wrong.Add((call, $"{plan.Failed}:\n{what}"));
                }
                catch (Exception e)
                {
                    wrong.Add((call, $"{plan.Failed}: {e}"));
                }
            }
        });
        Assert.True(wrong.IsEmpty, $"{wrong.Count} of {2 * taken.Count} crashes change the end of \"{story}\". The first:\n{wrong.OrderBy(w => w.Call).FirstOrDefault().What}\nAll: {string.Join("; ", wrong.OrderBy(w => w.Call).Select(w => w.What.Split('\n')[0]).Take(20))}");
        // A query that is left before its end has no "after".
        Assert.True(died >= (2 * taken.Count) - (calls / 10), $"Of {2 * taken.Count} hosts {died} died.");
        return (2 * taken.Count, died);
    }
}
