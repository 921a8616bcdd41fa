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
        var tables = host.Services.GetRequiredService<ITables>();
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
        Assert.Null(await tables.GetAsync(Keys.Account("erase")));
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
        string? body = null;
        var chunks = new StringBuilder();
        await foreach (var row in host.Services.GetRequiredService<ITables>().ScanAsync())
        {
            if (row.At.Partition != body) Look();
            body = row.At.Partition.StartsWith("body|", StringComparison.Ordinal) ? row.At.Partition : null;
            var text = Encoding.UTF8.GetString(row.Body.Span);
            if (body is not null) chunks.Append(Encoding.Latin1.GetString(Convert.FromBase64String((string)JsonNode.Parse(text)!["data"]!)));
            if (Named($"{Keys.Unescape(row.At.Partition)} {Keys.Unescape(row.At.Key)} {text}")) found.Add($"{row.At.Partition}/{row.At.Key}");
        }
        Look();
        return found;

        void Look()
        {
            if (body is not null && Named(chunks.ToString())) found.Add(body);
            chunks.Clear();
        }

        bool Named(string text) => names.Any(name => text.Contains(name, StringComparison.OrdinalIgnoreCase));
    }
}
