using System.Text;
using System.Text.Json;
using RetentionFunctions.Customers;
using RetentionFunctions.Email;
using RetentionFunctions.Flows;
using RetentionFunctions.Health;
using RetentionFunctions.Intake;
using RetentionFunctions.Intake.App;
using RetentionFunctions.Storage;
using RetentionFunctions.Tests.Faults;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.Torture.Faults;

/// <summary>The same thing at the same time as itself, and two things that must not lose each other's work.</summary>
public class RaceTests
{
    private static readonly DateTimeOffset SignUp = FlowStory.SignUp;

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Twenty_looks_at_one_due_run_send_one_email(bool deduplicates)
    {
        for (var round = 0; round < 10; round++)
        {
            var ada = new Story();
            var bench = new FlowBench(SignUp, deduplicates, interleaved: true);
            await bench.StripeAsync(ada.SignsUp(SignUp));
            // In the evening: the run waits for the morning.
            await bench.AdvanceAsync(31.5);
            await bench.StripeAsync(ada.PaymentFails(bench.Now, next: bench.Now.AddDays(3)));
            Assert.Empty(bench.Mailer.Delivered);
            bench.Clock.Now = bench.Now.AddHours(12);

            var id = Assert.Single(await bench.RunsAsync(ada.Customer)).Id;
            await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => Task.Run(() => bench.AdvanceRunAsync(id))));

            Assert.Single(bench.Mailer.Delivered);
            var run = Assert.Single(await bench.RunsAsync(ada.Customer));
            Assert.Equal((1, MailResult.Accepted), (Assert.Single(run.Sent).Step, run.Sent[0].Result));
            Assert.Equal(MailResult.Accepted, Assert.Single(await bench.MailsAsync(ada.Customer)).Result);
        }
    }

    [Fact]
    public async Task Sign_ins_that_come_while_their_user_is_tied_first_to_one_customer_and_then_to_another_are_all_counted_once()
    {
        for (var round = 0; round < 20; round++)
        {
            var bench = new FlowBench(SignUp, interleaved: true);
            var messages = Enumerable.Range(0, 24).Select(n => SignIn(n)).ToList();
            var ties = new[] { ("cus_A", 1), ("cus_B", 2) }.Select(t => Event(new AppEvent
            {
                MessageId = $"tie {t.Item1}", Type = AppEventType.Identify, UserId = "u1", At = SignUp.AddSeconds(t.Item2), ReceivedAt = SignUp,
                Traits = JsonDocument.Parse($$"""{"stripeCustomerId":"{{t.Item1}}"}""").RootElement,
            }));
            var all = messages.ToList();
            all.Insert(8, ties.First());
            all.Insert(16, ties.Last());
            await Parallel.ForEachAsync(all, new ParallelOptions { MaxDegreeOfParallelism = 6 }, async (message, _) => await PatientlyAsync(() => bench.HandleAsync(message)));
            foreach (var copy in messages.Take(6)) await bench.HandleAsync(copy);

            var rows = await bench.Tables.ListAsync<Activity>(Keys.Activities("cus_B"));
            Assert.Equal(24, rows.SelectMany(r => r.Days.Values).Sum(d => d.GetValueOrDefault(Counter.SignIns)));
            Assert.Empty(await bench.Tables.ListAsync<Activity>(Keys.Activities("cus_A")));
        }
    }

    [Fact]
    public async Task A_sign_in_that_is_sent_again_with_the_time_of_its_second_arrival_counts_once_though_its_user_was_tied_in_between()
    {
        var bench = new FlowBench(SignUp);
        var first = bench.Item("u1", "Signed In");
        await bench.AppAsync(first);
        await bench.AppAsync("u1", null, traits: """{"stripeCustomerId":"cus_A"}""");
        await bench.AppAsync(first with { At = SignUp.AddHours(2), ReceivedAt = SignUp.AddHours(2) });
        Assert.Equal(1, (await bench.Tables.ListAsync<Activity>(Keys.Activities("cus_A"))).SelectMany(r => r.Days.Values).Sum(d => d.GetValueOrDefault(Counter.SignIns)));
    }

    [Fact]
    public async Task What_the_app_said_of_a_user_is_kept_when_later_events_say_nothing()
    {
        var bench = new FlowBench(SignUp);
        await bench.AppAsync("u1", null, traits: """{"name":"Ada","timezone":"Europe/Berlin"}""");
        await bench.AppAsync("u1", "Signed In", SignUp.AddHours(1));
        var activity = Assert.Single(await bench.Tables.ListAsync<Activity>(Keys.Activities(Keys.UntiedUser("u1"))));
        Assert.Equal(("Ada", "Europe/Berlin"), (activity.App?.Name, activity.App?.TimeZone));
    }

    [Fact]
    public async Task A_letter_that_fails_again_while_it_is_being_replayed_is_kept_with_its_body()
    {
        var tables = new FakeTables();
        var bodies = new BodyStore(tables);
        var body = "what came in"u8.ToArray();
        var message = new InboxMessage("cus_1", "evt_1", MessageKind.StripeEvent, body, SignUp);
        var inbox = new ThenInbox();
        var letters = new DeadLetters(tables, bodies, inbox);
        await letters.KeepAsync(message, body, "the first time", 10, SignUp);
        // The queue is faster than the replay: handled and given up again before the letter is dropped, at the same moment of a standing clock.
        inbox.Then = () => letters.KeepAsync(message, body, "the second time", 10, SignUp);

        Assert.True(await letters.ReplayAsync("evt_1"));

        var found = await letters.GetAsync("evt_1");
        Assert.Equal(("the second time", "what came in"), (found!.Value.Letter.Reason, Encoding.UTF8.GetString(found.Value.Body.Span)));
        inbox.Then = () => Task.CompletedTask;
        Assert.True(await letters.ReplayAsync("evt_1"));
        Assert.Empty(await letters.ListAsync());
        Assert.Null(await letters.GetAsync("evt_1"));
    }

    [Fact]
    public async Task A_large_event_that_was_done_when_the_host_stopped_is_no_dead_letter_when_it_is_delivered_again()
    {
        var ada = new Story();
        var bench = new FlowBench(SignUp);
        var created = ada.SignsUp(SignUp).First();
        created["data"]!["object"]!["description"] = new string('x', 300_000);
        var message = await new BodyStore(bench.Tables).FitAsync(
            new InboxMessage(ada.Customer, (string)created["id"]!, MessageKind.StripeEvent, Encoding.UTF8.GetBytes(created.ToJsonString()), SignUp));
        Assert.True(message.BodyStored);
        await bench.HandleAsync(message);
        await bench.HandleAsync(message);
        Assert.Equal("ada@example.com", (await bench.Tables.GetAsync<Customer>(Keys.Customer(ada.Customer)))!.Value.Email);
        Assert.Empty(await bench.Tables.ListAsync<DeadLetter>(Keys.DeadLetters));
    }

    [Fact]
    public async Task The_days_limit_of_win_back_holds_whatever_call_of_the_sweep_fails()
    {
        var counting = FaultPlan.None();
        Assert.Equal(2, await StartedAsync(counting));
        for (var call = 1; call <= counting.Calls; call++)
            foreach (var moment in new[] { FaultMoment.Before, FaultMoment.After })
            {
                var plan = FaultPlan.At(call, moment);
                var started = await StartedAsync(plan);
                Assert.True(started == 2, $"{plan.Failed}: {started} were started.");
            }
    }

    [Fact]
    public async Task When_a_run_ends_before_the_fate_of_its_email_is_known_the_email_is_shown_as_unknown()
    {
        async Task<List<MailRecord>> TellAsync(FaultPlan plan)
        {
            var ada = new Story();
            var bench = new FlowBench(SignUp, deduplicates: false);
            await bench.StripeAsync(ada.SignsUp(SignUp));
            await bench.AdvanceAsync(31);
            bench.Compose(plan);
            await bench.StripeAsync(ada.PaymentFails(bench.Now));
            await bench.StripeAsync(ada.PaysAfterAll(bench.Now));
            return await bench.MailsAsync(ada.Customer);
        }
        var counting = FaultPlan.None();
        Assert.Equal(MailResult.Accepted, Assert.Single(await TellAsync(counting)).Result);
        var unknown = 0;
        for (var call = 1; call <= counting.Calls; call++)
        {
            var mail = Assert.Single(await TellAsync(FaultPlan.At(call, FaultMoment.After)));
            Assert.True(mail.Result is MailResult.Accepted or MailResult.Unknown, $"call {call}: {mail.Result}");
            if (mail.Result == MailResult.Unknown) unknown++;
        }
        Assert.True(unknown > 1);
    }

    private static async Task<int> StartedAsync(FaultPlan plan)
    {
        var bench = new FlowBench(SignUp);
        bench.Settings.Flows.MaxStartsPerDay = 2;
        // All of one bucket, so that one bucket is swept.
        var stories = Enumerable.Range(0, 100_000).Select(i => $"cus_{i}").Where(id => Keys.Bucket(id) == "77").Take(4).Select(id => new Story(id, $"{id}@example.com")).ToList();
        foreach (var story in stories)
        {
            await bench.StripeAsync(story.SignsUp(SignUp));
            await bench.AppAsync($"user of {story.Customer}", null, traits: $$"""{"stripeCustomerId":"{{story.Customer}}"}""");
            await bench.AppAsync($"user of {story.Customer}", "Signed In");
        }
        await bench.AdvanceAsync(40);
        await bench.AppAsync("somebody", "Signed In");
        var ids = new[] { stories[0].Customer, Keys.UntiedUser("somebody") };
        bench.Compose(plan);
        await bench.SweepAsync(ids);
        bench.Compose(FaultPlan.None());
        await bench.SweepAsync(ids);
        var started = 0;
        foreach (var story in stories) started += (await bench.RunsAsync(story.Customer)).Count;
        return started;
    }

    private static InboxMessage SignIn(int n) => Event(new AppEvent { MessageId = $"m{n}", Type = AppEventType.Track, UserId = "u1", Name = "Signed In", At = SignUp.AddSeconds(n), ReceivedAt = SignUp });

    private static InboxMessage Event(AppEvent item) => AppMessages.Of([item], SignUp)[0];

    // As a queue would: contention is no reason to give up.
    private static async Task PatientlyAsync(Func<Task> work)
    {
        for (var attempt = 0; ; attempt++)
        {
            try
            {
                await work();
                return;
            }
            catch (TransientStorageException) when (attempt < 20)
            {
                await Task.Yield();
            }
        }
    }

    private sealed class ThenInbox : IInbox
    {
        public Func<Task> Then { get; set; } = () => Task.CompletedTask;

        public Task EnqueueAsync(IReadOnlyList<InboxMessage> messages, CancellationToken cancel = default) => Then();
    }
}
