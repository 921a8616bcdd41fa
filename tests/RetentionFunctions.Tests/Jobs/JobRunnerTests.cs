using System.Text;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Logging.Abstractions;
using RetentionFunctions.Intake;
using RetentionFunctions.Jobs;
using RetentionFunctions.Storage;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.Tests.Jobs;

public sealed class JobRunnerTests
{
    private static readonly DateTimeOffset Night = DateTimeOffset.Parse("2026-03-01T06:10:00Z");

    private readonly FakeTables tables = new();
    private readonly Queue queue = new();
    private readonly StandingClock clock = new(Night);
    private readonly Counting counting = new();
    private readonly JobRunner runner;

    public JobRunnerTests() => runner = new JobRunner(tables, queue, [counting], clock, NullLogger<JobRunner>.Instance);

    [Fact]
    public async Task A_job_goes_from_step_to_step_until_it_is_done()
    {
        Assert.True(await runner.StartAsync("counting", "2026-03-01"));
        await DeliverAllAsync();
        Assert.Equal([0, 1, 2], counting.Seen);
        var state = await StateAsync();
        Assert.False(state.IsRunning);
        Assert.Equal((3, 3L, null, Night), (state.Counts["pages"], state.Steps, state.Failed, state.DoneAt));
    }

    [Fact]
    public async Task The_same_night_starts_it_once_and_the_next_night_again()
    {
        await runner.StartAsync("counting", "2026-03-01");
        Assert.False(await runner.StartAsync("counting", "2026-03-01"));
        await DeliverAllAsync();
        Assert.False(await runner.StartAsync("counting", "2026-03-01"));
        Assert.True(await runner.StartAsync("counting", "2026-03-02"));
        await DeliverAllAsync();
        Assert.Equal([0, 1, 2, 0, 1, 2], counting.Seen);
    }

    [Fact]
    public async Task A_job_that_is_running_is_not_started_beside_itself()
    {
        await runner.StartAsync("counting", "2026-03-01");
        Assert.False(await runner.StartAsync("counting", "2026-03-02"));
        Assert.Equal("2026-03-01", (await StateAsync()).Occasion);
    }

    [Fact]
    public async Task A_step_that_is_delivered_twice_is_done_once_and_its_follower_is_queued()
    {
        await runner.StartAsync("counting", "2026-03-01");
        var first = queue.Messages.Dequeue();
        await runner.HandleAsync(first.Body);
        // The host died after the row and before the queue: the follower is lost, the step is delivered again.
        queue.Messages.Clear();
        await runner.HandleAsync(first.Body);
        await DeliverAllAsync();
        Assert.Equal([0, 1, 2], counting.Seen);
        Assert.False((await StateAsync()).IsRunning);
    }

    [Fact]
    public async Task Late_copies_of_earlier_steps_and_of_earlier_nights_do_nothing()
    {
        await runner.StartAsync("counting", "2026-03-01");
        var first = queue.Messages.Peek();
        await DeliverAllAsync();
        await runner.StartAsync("counting", "2026-03-02");
        var second = queue.Messages.Dequeue();
        await runner.HandleAsync(second.Body);
        await runner.HandleAsync(queue.Messages.Dequeue().Body);
        await runner.HandleAsync(first.Body);
        await runner.HandleAsync(second.Body);
        Assert.Equal([0, 1, 2, 0, 1], counting.Seen);
    }

    [Fact]
    public async Task A_step_that_throws_is_done_again_from_where_it_stood()
    {
        await runner.StartAsync("counting", "2026-03-01");
        await runner.HandleAsync(queue.Messages.Dequeue().Body);
        counting.Throw = new TransientStorageException("busy");
        var second = queue.Messages.Dequeue();
        await Assert.ThrowsAsync<TransientStorageException>(() => runner.HandleAsync(second.Body));
        counting.Throw = null;
        await runner.HandleAsync(second.Body);
        await DeliverAllAsync();
        Assert.Equal([0, 1, 1, 2], counting.Seen);
        Assert.Equal(3, (await StateAsync()).Counts["pages"]);
    }

    [Fact]
    public async Task What_is_wrong_for_good_ends_the_job_with_its_reason_and_the_last_success_is_remembered()
    {
        await runner.StartAsync("counting", "2026-03-01");
        await DeliverAllAsync();
        clock.Now = Night.AddDays(1);
        await runner.StartAsync("counting", "2026-03-02");
        counting.Throw = new JobFailedException("The key may not list invoices.");
        await DeliverAllAsync();
        var state = await StateAsync();
        Assert.Equal(("The key may not list invoices.", Night.AddDays(1), Night), (state.Failed, state.EndedAt, state.DoneAt));
    }

    [Fact]
    public async Task A_job_whose_message_was_lost_is_nudged_after_half_an_hour_under_an_id_that_the_queue_does_not_know()
    {
        await runner.StartAsync("counting", "2026-03-01");
        var lost = queue.Messages.Dequeue();
        clock.Now = Night.AddMinutes(29);
        await runner.NudgeAsync();
        Assert.Empty(queue.Messages);
        clock.Now = Night.AddMinutes(30);
        await runner.NudgeAsync();
        var nudge = Assert.Single(queue.Messages);
        Assert.Equal(lost.Id, nudge.Id);
        Assert.NotNull(nudge.Replay);
        await DeliverAllAsync();
        await runner.NudgeAsync();
        Assert.Empty(queue.Messages);
        Assert.Equal([0, 1, 2], counting.Seen);
    }

    [Fact]
    public async Task A_step_that_is_given_up_keeps_the_job_where_it_stands_and_says_what_is_wrong_until_it_goes_on()
    {
        await runner.StartAsync("counting", "2026-03-01");
        await runner.HandleAsync(queue.Messages.Dequeue().Body);
        var second = queue.Messages.Dequeue();
        Assert.True(await runner.GiveUpAsync(second.Body, "Stripe does not answer."));
        Assert.Equal((true, "Stripe does not answer.", 1L), ((await StateAsync()).IsRunning, (await StateAsync()).Trouble, (await StateAsync()).Steps));
        clock.Now = Night.AddMinutes(30);
        await runner.NudgeAsync();
        await DeliverAllAsync();
        Assert.Equal((false, null), ((await StateAsync()).IsRunning, (await StateAsync()).Trouble));
        Assert.Equal([0, 1, 2], counting.Seen);
        // A late copy of what was given up is nobody's any more.
        Assert.False(await runner.GiveUpAsync(second.Body, "late"));
        Assert.Null((await StateAsync()).Trouble);
    }

    [Fact]
    public async Task What_was_started_by_hand_after_its_night_is_not_started_for_that_night_once_more()
    {
        var job = new Lasting();
        var (jobs, night) = (new JobRunner(tables, queue, [job], clock, NullLogger<JobRunner>.Instance), new DateOnly(2026, 3, 1));
        var nightly = new Nightly(jobs, [job]);
        await nightly.StartAsync(night);
        while (queue.Messages.TryDequeue(out var message)) await jobs.HandleAsync(message.Body);
        Assert.True(await jobs.StartAsync("lasting", "by hand"));
        while (queue.Messages.TryDequeue(out var message)) await jobs.HandleAsync(message.Body);
        await nightly.StartAsync(night);
        Assert.Empty(queue.Messages);
        await nightly.StartAsync(night.AddDays(1));
        Assert.Single(queue.Messages);
    }

    private sealed class Lasting : INightlyJob
    {
        public string Name => "lasting";

        public Task<JobStep> StepAsync(JobState state, CancellationToken cancel) => Task.FromResult(JobStep.NothingToDo);
    }

    /// <summary>The queue drops for days what has the id of a message it carried, and a table that was lost begins to count anew.</summary>
    [Fact]
    public async Task A_job_on_a_new_table_has_no_ids_that_the_queue_knows_from_the_table_before()
    {
        await runner.StartAsync("counting", "2026-03-01");
        var known = queue.Messages.Dequeue().Id;
        clock.Now = Night.AddHours(3);
        await new JobRunner(new FakeTables(), queue, [counting], clock, NullLogger<JobRunner>.Instance).StartAsync("counting", "2026-03-01");
        Assert.NotEqual(known, queue.Messages.Dequeue().Id);
    }

    [Theory]
    [InlineData("no json")]
    [InlineData("{}")]
    [InlineData("""{"job":"unheard-of","number":1,"step":0}""")]
    public async Task A_message_of_no_job_is_unreadable(string body) =>
        await Assert.ThrowsAsync<UnreadableException>(() => runner.HandleAsync(Encoding.UTF8.GetBytes(body)));

    [Fact]
    public async Task A_job_that_does_not_exist_is_not_started() =>
        Assert.Contains("counting", (await Assert.ThrowsAsync<ArgumentException>(() => runner.StartAsync("unheard-of", "now"))).Message);

    private async Task<JobState> StateAsync() => Assert.IsType<JobState>(await runner.StateAsync("counting"));

    private async Task DeliverAllAsync()
    {
        while (queue.Messages.TryDequeue(out var message)) await runner.HandleAsync(message.Body);
    }

    private sealed class Counting : IJob
    {
        public List<int> Seen { get; } = [];

        public Exception? Throw { get; set; }

        public string Name => "counting";

        public Task<JobStep> StepAsync(JobState state, CancellationToken cancel)
        {
            var page = (int?)state.Cursor ?? 0;
            Seen.Add(page);
            if (Throw is { } e) throw e;
            return Task.FromResult(new JobStep(page < 2 ? JsonValue.Create(page + 1) : null, new Dictionary<string, long> { ["pages"] = page + 1 }));
        }
    }

    private sealed class Queue : IInbox
    {
        public Queue<InboxMessage> Messages { get; } = new();

        public Task EnqueueAsync(IReadOnlyList<InboxMessage> messages, CancellationToken cancel = default)
        {
            foreach (var message in messages) Messages.Enqueue(message);
            return Task.CompletedTask;
        }
    }
}
