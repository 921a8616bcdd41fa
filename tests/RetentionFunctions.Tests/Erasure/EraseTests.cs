using System.Net;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using RetentionFunctions.Erasure;
using RetentionFunctions.Intake;
using RetentionFunctions.Jobs;
using RetentionFunctions.Local.Sqlite;
using RetentionFunctions.Storage;
using RetentionFunctions.Tests.Faults;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.Tests.Erasure;

/// <summary>Erasing a customer leaves nothing of them, and nobody else loses anything.</summary>
public sealed class EraseTests
{
    private static readonly DateTimeOffset SignUp = new(2026, 1, 5, 10, 0, 0, TimeSpan.Zero);

    [Fact]
    public async Task Nothing_of_an_erased_customer_is_left_in_any_row_body_dead_letter_or_email_and_the_others_keep_theirs()
    {
        await using var host = await TestHost.StartAsync("2026-01-05T10:00:00Z");
        var bob = new Story("cus_Bob", "bob@example.com");
        foreach (var (story, user) in new[] { (host.Ada, "user-of-ada"), (bob, "user-of-bob") })
        {
            // Used before anybody knew whose user it was, then tied; two addresses; a failed payment with e-mails; what cannot be read, small and large.
            await host.TrackAsync(user, "Signed In");
            await host.IdentifyAsync(user, new JsonObject { ["email"] = story.Email, ["name"] = $"Name of {story.Customer}" });
            await host.StripeAsync(story.SignsUp(SignUp));
            await host.StripeAsync(story.CustomerUpdated(SignUp.AddHours(1), $"second.{story.Email}"));
            await host.TrackAsync(user, "Signed In");
        }
        await host.AdvanceAsync(TimeSpan.FromDays(30));
        foreach (var story in new[] { host.Ada, bob })
        {
            await host.StripeAsync(story.PaymentFails(host.Now));
            await host.StripeAsync(Broken(story, host.Now, 0), Broken(story, host.Now, 250_000));
        }
        await host.AdvanceAsync(TimeSpan.FromDays(4));
        var before = await SpeakOfAsync(host, bob.Customer, bob.Email, "user-of-bob");
        Assert.NotEmpty(before);
        Assert.True((await SpeakOfAsync(host, host.Ada.Customer, host.Ada.Email, "user-of-ada")).Count > 30);
        Assert.Contains(await host.OutboxAsync(), mail => (string)mail["customerId"]! == host.Ada.Customer);
        Assert.Equal(4, (await host.DeadLettersAsync()).Count);

        Assert.Equal(HttpStatusCode.Accepted, (await host.Http.DeleteAsync($"/api/v1/customers/{host.Ada.Customer}")).StatusCode);
        await host.SettleAsync();

        Assert.Empty(await SpeakOfAsync(host, host.Ada.Customer, host.Ada.Email, "user-of-ada"));
        Assert.Equal(HttpStatusCode.NotFound, (await host.Http.GetAsync($"/api/v1/customers/{host.Ada.Customer}")).StatusCode);
        Assert.DoesNotContain(await host.OutboxAsync(), mail => (string)mail["customerId"]! == host.Ada.Customer);
        Assert.Equal(2, (await host.DeadLettersAsync()).Count);
        Assert.Equal(before, await SpeakOfAsync(host, bob.Customer, bob.Email, "user-of-bob"));
        var job = (await host.Services.GetRequiredService<JobRunner>().StateAsync("erase"))!;
        Assert.Equal((false, null), (job.IsRunning, job.Failed));
        Assert.True(job.Counts["removed"] > 30);

        // Time goes on without them: nothing that was due for them is left behind, or fails.
        await host.AdvanceAsync(TimeSpan.FromDays(20));
        Assert.Empty(await SpeakOfAsync(host, host.Ada.Customer, host.Ada.Email, "user-of-ada"));
        Assert.Equal(2, (await host.DeadLettersAsync()).Count);
    }

    [Fact]
    public async Task Reading_Stripes_history_again_does_not_bring_back_who_was_erased_but_a_new_event_of_Stripe_does()
    {
        await using var host = await TestHost.StartAsync("2026-01-05T10:00:00Z");
        await host.StripeAsync(host.Ada.SignsUp(SignUp));
        await host.Http.DeleteAsync($"/api/v1/customers/{host.Ada.Customer}");
        await host.SettleAsync();
        var listed = JsonDocument.Parse($$"""{"id":"{{host.Ada.Customer}}","object":"customer","created":1767600000,"email":"{{host.Ada.Email}}"}""").RootElement;
        async Task ReadAsync(string customer) => await host.Services.GetRequiredService<IInbox>().EnqueueAsync([new InboxMessage(customer, $"history of {customer}", MessageKind.StripeHistory, StripeHistory.OfCustomer(listed, host.Now), host.Now)]);
        await ReadAsync(host.Ada.Customer);
        await host.SettleAsync();
        Assert.Equal(HttpStatusCode.NotFound, (await host.Http.GetAsync($"/api/v1/customers/{host.Ada.Customer}")).StatusCode);
        Assert.Empty(await SpeakOfAsync(host, host.Ada.Customer, host.Ada.Email));

        await host.AdvanceAsync(TimeSpan.FromMinutes(1));
        await host.StripeAsync(host.Ada.CustomerUpdated(host.Now, host.Ada.Email));
        Assert.Equal(HttpStatusCode.OK, (await host.Http.GetAsync($"/api/v1/customers/{host.Ada.Customer}")).StatusCode);
    }

    [Fact]
    public async Task An_app_user_whose_id_is_a_single_digit_takes_nobody_else_along()
    {
        await using var host = await TestHost.StartAsync("2026-01-05T10:00:00Z");
        await host.StripeAsync(host.Ada.SignsUp(SignUp));
        await host.IdentifyAsync("1", new JsonObject { ["stripeCustomerId"] = host.Ada.Customer });
        await host.TrackAsync("2", "Signed In");
        await host.AdvanceAsync(TimeSpan.FromDays(2));
        await host.Http.DeleteAsync($"/api/v1/customers/{host.Ada.Customer}");
        await host.SettleAsync();
        var tables = host.Services.GetRequiredService<ITables>();
        Assert.Null(await tables.GetAsync(Keys.UserTie("1")));
        Assert.NotNull(await tables.GetAsync(Keys.Activity(Keys.UntiedUser("2"), "2")));
        Assert.NotNull(await tables.GetAsync(Keys.Account("last-sweep")));
    }

    [Fact]
    public async Task A_customer_whose_id_is_a_single_digit_takes_nobody_else_along()
    {
        await using var host = await TestHost.StartAsync("2026-04-01T10:00:00Z");
        var (bob, tables) = (new Story("cus_Bob", "banjo@example.com"), host.Services.GetRequiredService<ITables>());
        await host.StripeAsync(bob.SignsUp(host.Now));
        await host.StripeAsync(new Story("cus_Eve", "eve@example.com").SignsUp(host.Now));
        const string File = "customer_id,email,subscription_id,amount,currency,interval,started\n7,jo@example.com,7,7.00,usd,month,2026-01-07\n17,banjo@example.com,17,7.00,usd,month,2026-01-17\n";
        Assert.Equal(HttpStatusCode.Accepted, (await host.Http.PostAsync("/api/v1/import", new StringContent(File))).StatusCode);
        await host.IdentifyAsync("71", new JsonObject { ["email"] = "banjo@example.com", ["plan"] = "7" });
        await host.AdvanceAsync(TimeSpan.FromDays(3));
        await host.StripeAsync(Broken(bob, host.Now, 7), Broken(bob, host.Now, 250_007));
        await host.Http.DeleteAsync("/api/v1/customers/cus_Eve");
        await host.SettleAsync();
        // A page makes the keys that sign links and forms.
        await host.Http.GetStringAsync("/customers/7");
        var before = await RowsAsync(tables);
        Assert.Superset(new HashSet<string> { "x-protection", "x-erased", "x-sweeps", "x-account", "x-summary", "dead-letters", "body" }, before.Select(row => row.At.Partition.Split('|')[0]).ToHashSet());

        await host.Http.DeleteAsync("/api/v1/customers/7");
        await host.SettleAsync();
        var after = (await RowsAsync(tables)).Select(row => row.At).ToHashSet();
        var gone = before.Select(row => row.At).Where(at => !after.Contains(at)).ToList();
        Assert.Contains(Keys.Customer("7"), gone);
        Assert.Contains(Keys.EmailOfCustomer("jo@example.com", "7"), gone);
        // Figures of the night are counted anew, where nobody is left there.
        Assert.All(gone.Where(at => !at.Partition.StartsWith("x-summary|", StringComparison.Ordinal)), at => Assert.Contains("7", Keys.Parts(at.Key)));
        Assert.Equal(2, (await host.DeadLettersAsync()).Count);
    }

    private static async Task<List<Row>> RowsAsync(ITables tables)
    {
        var rows = new List<Row>();
        await foreach (var row in tables.ScanAsync()) rows.Add(row);
        return rows;
    }

    [Fact]
    public async Task Whoever_is_not_there_cannot_be_erased_and_the_page_wants_the_id_typed()
    {
        await using var host = await TestHost.StartAsync("2026-01-05T10:00:00Z");
        Assert.Equal(HttpStatusCode.NotFound, (await host.Http.DeleteAsync("/api/v1/customers/cus_nobody")).StatusCode);
        await host.StripeAsync(host.Ada.SignsUp(SignUp));
        Assert.Contains("/customers/erase", await host.Http.GetStringAsync($"/customers/{host.Ada.Customer}"));
    }

    [Fact]
    public async Task Asking_twice_for_the_same_customer_is_asking_once_and_another_has_to_wait()
    {
        var (tables, inbox, clock) = (new FakeTables(), new MemoryInbox(), new StandingClock(SignUp));
        var jobs = new JobRunner(tables, inbox, [new EraseJob(tables, [])], clock, NullLogger<JobRunner>.Instance);
        var erasure = new CustomerErasure(tables, jobs, clock);
        foreach (var id in new[] { "cus_Ada", "cus_Bob" }) await tables.UpsertAsync(Keys.Customer(id), new { id });
        Assert.Equal(ErasureStart.Begun, await erasure.BeginAsync("cus_Ada"));
        Assert.Equal(ErasureStart.Begun, await erasure.BeginAsync("cus_Ada"));
        Assert.Equal(ErasureStart.AnotherIsRunning, await erasure.BeginAsync("cus_Bob"));
        Assert.Equal(ErasureStart.NoSuchCustomer, await erasure.BeginAsync("cus_Eve"));
    }

    [Fact]
    public async Task What_Stripe_said_before_the_erasure_and_sends_once_more_after_it_brings_nobody_back_but_what_it_says_later_does()
    {
        await using var host = await TestHost.StartAsync("2026-01-05T10:00:00Z");
        var signUp = host.Ada.SignsUp(SignUp);
        await host.StripeAsync(signUp);
        await host.AdvanceAsync(TimeSpan.FromDays(1));
        await host.Http.DeleteAsync($"/api/v1/customers/{host.Ada.Customer}");
        await host.SettleAsync();
        await host.AdvanceAsync(TimeSpan.FromHours(1));
        await host.StripeAsync(signUp);
        await host.AdvanceAsync(TimeSpan.FromDays(2));
        // The sandbox stands for Stripe, which has them still.
        Assert.DoesNotContain(await SpeakOfAsync(host, host.Ada.Customer, host.Ada.Email), row => !row.StartsWith("x-sandbox/", StringComparison.Ordinal));

        await host.StripeAsync(host.Ada.CustomerUpdated(host.Now, host.Ada.Email));
        Assert.NotNull(await host.Services.GetRequiredService<ITables>().GetAsync(Keys.Customer(host.Ada.Customer)));
    }

    [Fact]
    public async Task A_host_that_dies_after_any_step_of_an_erasure_ends_it_all_the_same_and_not_as_failed()
    {
        await using var host = await TestHost.StartAsync("2026-01-05T10:00:00Z");
        await host.StripeAsync(host.Ada.SignsUp(SignUp));
        var (tables, messages, clock) = (host.Services.GetRequiredService<ITables>(), new Messages(), new StandingClock(host.Now));
        var jobs = new JobRunner(tables, messages, [new EraseJob(tables, [])], clock, NullLogger<JobRunner>.Instance);
        await new CustomerErasure(tables, jobs, clock).BeginAsync(host.Ada.Customer);
        while (messages.Waiting.TryDequeue(out var message))
        {
            // Died after the work and before its state was kept.
            var before = (await tables.GetAsync(Keys.Job("erase")))!;
            await jobs.HandleAsync(message.Body);
            messages.Waiting.Clear();
            await tables.TryCommitAsync(before.At.Partition, [new Write.Upsert(before.At.Key, before.Body)]);
            await jobs.HandleAsync(message.Body);
        }
        var state = (await jobs.StateAsync("erase"))!;
        Assert.Equal((false, null), (state.IsRunning, state.Failed));
        Assert.Empty(await SpeakOfAsync(host, host.Ada.Customer, host.Ada.Email));
    }

    [Fact]
    public async Task What_comes_in_while_a_customer_is_being_erased_goes_too()
    {
        await using var host = await TestHost.StartAsync("2026-01-05T10:00:00Z");
        await host.StripeAsync(host.Ada.SignsUp(SignUp));
        await host.IdentifyAsync("user-of-ada", new JsonObject { ["stripeCustomerId"] = host.Ada.Customer });
        await host.AdvanceAsync(TimeSpan.FromDays(1));
        var (tables, messages) = (host.Services.GetRequiredService<ITables>(), new Messages());
        var jobs = new JobRunner(tables, messages, [new EraseJob(tables, [])], new StandingClock(host.Now), NullLogger<JobRunner>.Instance);
        Assert.Equal(ErasureStart.Begun, await new CustomerErasure(tables, jobs, new StandingClock(host.Now)).BeginAsync(host.Ada.Customer));
        // Who they are; their rows, which the app then adds to; bodies; indexes.
        await jobs.HandleAsync(messages.Waiting.Dequeue().Body);
        await jobs.HandleAsync(messages.Waiting.Dequeue().Body);
        await host.TrackAsync("user-of-ada", "Signed In");
        while (messages.Waiting.TryDequeue(out var message)) await jobs.HandleAsync(message.Body);
        Assert.Empty(await SpeakOfAsync(host, host.Ada.Customer, host.Ada.Email, "user-of-ada"));
    }

    [Fact]
    public async Task An_app_user_who_belonged_to_another_customer_before_leaves_nothing_there_either()
    {
        await using var host = await TestHost.StartAsync("2026-01-05T10:00:00Z");
        var bob = new Story("cus_Bob", "bob@example.com");
        await host.StripeAsync(host.Ada.SignsUp(SignUp));
        await host.StripeAsync(bob.SignsUp(SignUp));
        await host.IdentifyAsync("user-of-ada", new JsonObject { ["stripeCustomerId"] = bob.Customer, ["name"] = "Augusta King" });
        await host.TrackAsync("user-of-ada", "Signed In");
        await host.AdvanceAsync(TimeSpan.FromDays(1));
        await host.IdentifyAsync("user-of-ada", new JsonObject { ["stripeCustomerId"] = host.Ada.Customer, ["name"] = "Augusta King" });
        await host.Http.DeleteAsync($"/api/v1/customers/{host.Ada.Customer}");
        // The other's own row has lost the user's name with the sweep of the night.
        await host.AdvanceAsync(TimeSpan.FromDays(1));
        Assert.Empty(await SpeakOfAsync(host, host.Ada.Customer, "user-of-ada", "Augusta"));
        Assert.NotNull(await host.Services.GetRequiredService<ITables>().GetAsync(Keys.Customer(bob.Customer)));
    }

    [Fact]
    public async Task Of_two_who_are_asked_for_at_the_same_moment_the_one_who_was_promised_is_erased()
    {
        await using var host = await TestHost.StartAsync("2026-01-05T10:00:00Z");
        var bob = new Story("cus_Bob", "bob@example.com");
        await host.StripeAsync(host.Ada.SignsUp(SignUp));
        await host.StripeAsync(bob.SignsUp(SignUp));
        var (tables, messages, clock) = (host.Services.GetRequiredService<ITables>(), new Messages(), new StandingClock(host.Now));
        var jobs = new JobRunner(tables, messages, [new EraseJob(tables, [])], clock, NullLogger<JobRunner>.Instance);
        // The second asks after the first was written down and before its job is; seen from the second, nothing is running then.
        var late = new CustomerErasure(tables, new JobRunner(new Blind(tables), messages, [new EraseJob(tables, [])], clock, NullLogger<JobRunner>.Instance), clock);
        Assert.Equal(ErasureStart.Begun, await new CustomerErasure(tables, jobs, clock).BeginAsync(host.Ada.Customer));
        Assert.Equal(ErasureStart.AnotherIsRunning, await late.BeginAsync(bob.Customer));
        while (messages.Waiting.TryDequeue(out var message)) await jobs.HandleAsync(message.Body);
        Assert.Null(await tables.GetAsync(Keys.Customer(host.Ada.Customer)));
        Assert.NotNull(await tables.GetAsync(Keys.Customer(bob.Customer)));
    }

    /// <summary>Read before the other's job was written.</summary>
    private sealed class Blind(ITables tables) : ITables
    {
        public Task<Row?> GetAsync(RowKey key, CancellationToken cancel = default) => Keys.IsJob(key) ? Task.FromResult<Row?>(null) : tables.GetAsync(key, cancel);

        public IAsyncEnumerable<Row> QueryAsync(KeyRange range, CancellationToken cancel = default) => tables.QueryAsync(range, cancel);

        public IAsyncEnumerable<Row> ScanAsync(RowKey? after = null, CancellationToken cancel = default) => tables.ScanAsync(after, cancel);

        public Task<bool> TryCommitAsync(string partition, IReadOnlyList<Write> writes, CancellationToken cancel = default) => tables.TryCommitAsync(partition, writes, cancel);
    }

    private sealed class Messages : IInbox
    {
        public Queue<InboxMessage> Waiting { get; } = new();

        public Task EnqueueAsync(IReadOnlyList<InboxMessage> messages, CancellationToken cancel = default)
        {
            foreach (var message in messages) Waiting.Enqueue(message);
            return Task.CompletedTask;
        }
    }

    private static JsonObject Broken(Story story, DateTimeOffset at, int padding)
    {
        var e = story.Event("invoice.paid", at.AddSeconds(padding), new JsonObject { ["object"] = "invoice", ["id"] = $"in_{padding}", ["customer"] = story.Customer, ["amount_due"] = "plenty" });
        e["data"]!["object"]!["description"] = new string('x', padding);
        return e;
    }

    /// <summary>Every row that names one of these, in its key or its body, chunked and encoded bodies included.</summary>
    private static async Task<List<string>> SpeakOfAsync(TestHost host, params string[] names)
    {
        var found = new List<string>();
        await foreach (var (at, text) in Everywhere.TextsAsync(host.Services.GetRequiredService<ITables>()))
            if (names.Any(name => text.Contains(name, StringComparison.OrdinalIgnoreCase))) found.Add($"{at.Partition}/{at.Key}");
        return found;
    }
}
