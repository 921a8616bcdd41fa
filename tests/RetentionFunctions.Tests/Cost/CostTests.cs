using System.Globalization;
using RetentionFunctions.Backup;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.Tests.Cost;

/// <summary>What an event, a sweep, a step and a page cost, counted on the real code; and that <c>docs/cost.md</c> says so.</summary>
public class CostTests
{
    private const int MostTables = 6;
    private const int MostQueue = 3;

    [Fact]
    public async Task A_stripe_event_needs_at_most_six_table_and_three_queue_operations()
    {
        var counted = await CountedStory.ToldAsync();
        Assert.InRange(counted.StripeMean.Tables, 1, MostTables);
        Assert.InRange(counted.StripeMean.Queue, 1, MostQueue);
        // On average more only where a flow is open: that is a step of the flow.
        Assert.All(CostDocument.FrequentTypes(counted), type => Assert.InRange(type.Value.Usual, 1, MostTables));
    }

    [Fact]
    public async Task An_app_event_and_one_of_the_mail_provider_need_no_more()
    {
        var counted = await CountedStory.ToldAsync();
        foreach (var cost in (Cost[])[counted.Alone, counted.Batch, counted.Mail])
        {
            Assert.InRange(cost.Usual, 1, MostTables);
            Assert.InRange(cost.Queue, 1, MostQueue);
        }
        // All that comes in together, batches as what they bring.
        var all = counted.StripeMean + counted.Alone + counted.Batch + counted.Identify + counted.Mail;
        Assert.InRange(all.Sum.Tables / (double)(all.Times - counted.Batch.Times + counted.BatchEvents), 1, MostTables);
    }

    /// <summary>The story is one in which something happens: what starts flows and what sends e-mails is counted too.</summary>
    [Fact]
    public async Task Payments_fail_flows_start_and_emails_go_out_in_the_story_that_is_counted()
    {
        var counted = await CountedStory.ToldAsync();
        Assert.True(counted.Stripe["invoice.payment_failed"].Sum.Starts > 0);
        Assert.True(counted.Look.Sum.Mails > 0);
        Assert.True(counted.Swept > 100);
    }

    [Fact]
    public async Task A_month_costs_at_most_60_dollars_at_10_000_customers_and_170_at_100_000()
    {
        var sheet = await SheetAsync();
        Assert.InRange(sheet.Total(10_000), 10, 60);
        Assert.InRange(sheet.Total(100_000), 10, 170);
    }

    [Fact]
    public async Task The_bill_keeps_backups_as_long_as_the_product_does() => Assert.Equal(new BackupSettings().Keep, (await SheetAsync()).Workload("exportDays"));

    /// <summary>Counts, prices and workload can never drift from the page that shows them.</summary>
    [Fact]
    public async Task The_page_about_costs_says_what_the_code_costs_now()
    {
        var path = Path.Combine(Repository.Root, "docs", "cost.md");
        var written = CostDocument.Write(await SheetAsync(), await CountedStory.ToldAsync());
        if (Environment.GetEnvironmentVariable("WRITE_COST") == "1") await File.WriteAllTextAsync(path, written);
        Assert.True(File.Exists(path) && written == (await File.ReadAllTextAsync(path)).ReplaceLineEndings("\n"),
            "docs/cost.md is not what the code costs now. Write it anew with: WRITE_COST=1 dotnet test tests/RetentionFunctions.Tests --filter FullyQualifiedName~CostTests, and read what changed.");
    }

    [Fact]
    public async Task The_readme_says_the_same_in_one_sentence()
    {
        var sheet = await SheetAsync();
        var readme = await File.ReadAllTextAsync(Path.Combine(Repository.Root, "README.md"));
        Assert.Contains(string.Create(CultureInfo.InvariantCulture, $"about ${sheet.Total(1_000):0} a month up to 1,000 customers, ${sheet.Total(10_000):0} at 10,000 and ${sheet.Total(100_000):0} at 100,000"), readme, StringComparison.Ordinal);
    }

    private static async Task<CostSheet> SheetAsync() => new(await CountedStory.ToldAsync(),
        await File.ReadAllTextAsync(Path.Combine(Repository.Root, "docs", "cost.json")), await File.ReadAllTextAsync(Path.Combine(Repository.Root, "host.json")));
}
