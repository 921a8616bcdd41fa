using Microsoft.Extensions.Logging.Abstractions;
using RetentionFunctions.Customers;
using RetentionFunctions.Insight;
using RetentionFunctions.Intake;
using RetentionFunctions.Jobs;
using RetentionFunctions.Storage;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.Tests.Insight;

/// <summary>How summaries are counted: each bucket once, only what changed is written, a page reads one range.</summary>
public class SummaryJobTests
{
    private readonly FakeTables tables = new();
    private readonly Queue queue = new();
    private readonly StandingClock clock = new(new(2026, 3, 1, 6, 0, 0, TimeSpan.Zero));
    private readonly JobRunner jobs;
    private readonly SummaryQueries summaries;
    private readonly During during = new();

    public SummaryJobTests()
    {
        jobs = new JobRunner(tables, queue, [new SummaryJob(tables, [new Names(), new InvoicesOfCustomers(), during]), new Import()], clock, NullLogger<JobRunner>.Instance);
        summaries = new SummaryQueries(tables, jobs, clock);
    }

    [Fact]
    public async Task Every_customer_is_counted_once_and_the_page_says_as_of_when()
    {
        foreach (var id in Ids(300)) await PutAsync(id);
        Assert.Null((await summaries.ReadAsync<Sum>("names")).AsOf);
        await CountAsync();
        var read = await summaries.ReadAsync<Sum>("names");
        Assert.Equal((300, clock.Now, false), (read.Buckets.Sum(b => b.Customers), read.AsOf, read.IsCounting));
        Assert.Equal(300, (await jobs.StateAsync(SummaryJob.JobName))!.Counts["customers"]);
    }

    [Fact]
    public async Task A_customers_rows_are_its_own_also_where_one_id_begins_with_another()
    {
        // As text "cus_1|" is behind "cus_10|", but "cus_1" before "cus_10".
        var ids = Ids(100_000).Where(id => Keys.Bucket(id) == Keys.Bucket("cus_1")).Take(40).ToList();
        foreach (var (id, i) in ids.Select((id, i) => (id, i)))
        {
            await PutAsync(id);
            for (var n = 0; n <= i; n++) await tables.UpsertAsync(Keys.Invoice(id, $"in_{n}"), new Invoice { Id = $"in_{n}" });
        }
        await CountAsync();
        Assert.Equal(ids.Select((_, i) => i + 1), Assert.Single((await summaries.ReadAsync<Invoices>("invoices")).Buckets).Counts.Order());
    }

    [Fact]
    public async Task What_did_not_change_is_not_written_again()
    {
        foreach (var id in Ids(50)) await PutAsync(id);
        await CountAsync();
        var before = await AllAsync();
        await CountAsync();
        Assert.Equal(before.Select(r => r.ETag), (await AllAsync()).Select(r => r.ETag));
        await PutAsync("cus_new");
        await CountAsync();
        Assert.Equal(Keys.Summary("names", Keys.Bucket("cus_new")), Assert.Single((await AllAsync()).Where(r => before.All(b => b.ETag != r.ETag)), r => r.At.Partition == "x-summary|names").At);
    }

    [Fact]
    public async Task An_erased_customer_is_in_no_count_after_the_next()
    {
        await PutAsync("cus_1");
        await CountAsync();
        await tables.DeleteAsync(Keys.Customer("cus_1"));
        await CountAsync();
        Assert.Empty(await AllAsync());
        Assert.Equal(clock.Now, (await summaries.ReadAsync<Sum>("names")).AsOf);
    }

    [Fact]
    public async Task Many_rows_are_counted_in_several_steps_and_a_step_done_twice_changes_nothing()
    {
        foreach (var id in Ids(40))
        {
            await PutAsync(id);
            for (var n = 0; n < SummaryJob.RowsPerStep / 10; n += 90)
                await tables.TryCommitAsync(Keys.Bucket(id), [.. Enumerable.Range(n, 90).Select(i => new Write.Upsert(Keys.Invoice(id, $"in_{i}").Key, TablesExtensions.Write(new Invoice { Id = $"in_{i}" })))]);
        }
        Assert.True(await summaries.CountAsync());
        Assert.False(await summaries.CountAsync());
        var steps = 0;
        while (queue.Messages.TryDequeue(out var message))
        {
            steps++;
            await jobs.HandleAsync(message.Body);
            await jobs.HandleAsync(message.Body);
        }
        Assert.InRange(steps, 3, 200);
        Assert.Equal(40, (await summaries.ReadAsync<Sum>("names")).Buckets.Sum(b => b.Customers));
        Assert.Equal(40, (await jobs.StateAsync(SummaryJob.JobName))!.Counts["customers"]);
    }

    [Fact]
    public async Task After_an_import_it_is_counted_when_what_that_brought_is_handled()
    {
        await jobs.StartAsync("import", "now");
        await jobs.HandleAsync(queue.Messages.Dequeue().Body);
        // It gives way for some turns; what was in the inbox is handled meanwhile.
        await jobs.HandleAsync(queue.Messages.Dequeue().Body);
        await PutAsync("cus_imported");
        await DeliverAllAsync();
        Assert.Equal(1, (await summaries.ReadAsync<Sum>("names")).Buckets.Sum(b => b.Customers));
    }

    [Fact]
    public async Task Where_a_host_dies_between_the_end_of_an_import_and_the_start_of_the_count_the_next_delivery_starts_it_once()
    {
        await PutAsync("cus_imported");
        await jobs.StartAsync("import", "now");
        var last = queue.Messages.Dequeue().Body;
        await jobs.HandleAsync(last);
        queue.Messages.Clear();
        await tables.DeleteAsync(Keys.Job(SummaryJob.JobName));
        await jobs.HandleAsync(last);
        await DeliverAllAsync();
        await jobs.HandleAsync(last);
        Assert.Empty(queue.Messages);
        Assert.Equal(1, (await summaries.ReadAsync<Sum>("names")).Buckets.Sum(b => b.Customers));
        Assert.Equal(1, (await jobs.StateAsync(SummaryJob.JobName))!.Number);
    }

    [Fact]
    public async Task Who_is_erased_while_it_is_being_counted_is_in_no_figure_when_that_count_is_over()
    {
        await PutAsync("cus_erased");
        Assert.True(await summaries.CountAsync());
        var counting = queue.Messages.Dequeue().Body;
        // The erasure ends; the count has read the customer's bucket before.
        await jobs.StartAsync("import", "now");
        var erasure = queue.Messages.Dequeue().Body;
        during.Once = () => jobs.HandleAsync(erasure);
        await jobs.HandleAsync(counting);
        Assert.Equal(1, (await summaries.ReadAsync<Sum>("names")).Buckets.Sum(b => b.Customers));
        await tables.DeleteAsync(Keys.Customer("cus_erased"));
        // A copy of either message starts no third.
        await jobs.HandleAsync(erasure);
        await DeliverAllAsync();
        await jobs.HandleAsync(erasure);
        await jobs.HandleAsync(counting);
        Assert.Empty(queue.Messages);
        Assert.Empty((await summaries.ReadAsync<Sum>("names")).Buckets);
        Assert.Equal((2, false), ((await jobs.StateAsync(SummaryJob.JobName))!.Number, (await jobs.StateAsync(SummaryJob.JobName))!.IsRunning));
    }

    private async Task CountAsync()
    {
        clock.Now = clock.Now.AddHours(1);
        Assert.True(await summaries.CountAsync());
        await DeliverAllAsync();
    }

    private async Task DeliverAllAsync()
    {
        while (queue.Messages.TryDequeue(out var message)) await jobs.HandleAsync(message.Body);
    }

    private Task PutAsync(string id) => tables.UpsertAsync(Keys.Customer(id), new Customer { Id = id });

    private async Task<List<Row>> AllAsync()
    {
        var rows = new List<Row>();
        foreach (var name in (string[])["names", "invoices"])
            await foreach (var row in tables.QueryAsync(Keys.SummaryOfBuckets(name))) rows.Add(row);
        return rows;
    }

    private static IEnumerable<string> Ids(int count) => Enumerable.Range(0, count).Select(i => $"cus_{i}");

    private sealed record Sum(int Customers);

    private sealed record Invoices(List<int> Counts);

    private sealed class Names : ISummary
    {
        public string Name => "names";

        public CustomerNouns Reads => CustomerNouns.None;

        public object? Count(IReadOnlyList<CustomerRows> customers, DateTimeOffset asOf) => new Sum(customers.Select(c => c.Customer.Id).Distinct().Count());
    }

    private sealed class InvoicesOfCustomers : ISummary
    {
        public string Name => "invoices";

        public CustomerNouns Reads => CustomerNouns.Invoices;

        public object? Count(IReadOnlyList<CustomerRows> customers, DateTimeOffset asOf) => new Invoices([.. customers.Select(c => c.Read<Invoice>(CustomerNouns.Invoices).Count())]);
    }

    // Something else happens while a bucket is counted.
    private sealed class During : ISummary
    {
        public Func<Task>? Once { get; set; }

        public string Name => "during";

        public CustomerNouns Reads => CustomerNouns.None;

        public object? Count(IReadOnlyList<CustomerRows> customers, DateTimeOffset asOf)
        {
            var once = Once;
            Once = null;
            once?.Invoke().GetAwaiter().GetResult();
            return null;
        }
    }

    private sealed class Import : IBulkJob
    {
        public string Name => "import";

        public Task<JobStep> StepAsync(JobState state, CancellationToken cancel) => Task.FromResult(JobStep.NothingToDo);
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
