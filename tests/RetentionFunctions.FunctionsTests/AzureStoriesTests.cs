using System.Text.Json.Nodes;
using Azure.Data.Tables;
using RetentionFunctions.Functions;
using RetentionFunctions.Tests.Faults;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.FunctionsTests;

/// <summary>Every story of a customer on Azure's tables: from the event to the end of its flow it leaves the rows that it leaves in memory.</summary>
public sealed class AzureStoriesTests : IAsyncLifetime
{
    private readonly string? _connection = Environment.GetEnvironmentVariable("AZURITE_TABLES");
    private TableClient? _table;

    public static TheoryData<int> Stories => [.. Enumerable.Range(0, FlowStory.All.Length)];

    public async ValueTask InitializeAsync()
    {
        Assert.SkipWhen(string.IsNullOrEmpty(_connection), "AZURITE_TABLES names no emulator of Table Storage (npm azurite).");
        _table = new TableClient(_connection, $"story{Guid.NewGuid():N}");
        await _table.CreateAsync();
    }

    public async ValueTask DisposeAsync()
    {
        if (_table is not null) await _table.DeleteAsync();
    }

    [Theory]
    [MemberData(nameof(Stories))]
    public async Task A_story_ends_on_Azures_tables_as_it_does_in_memory(int number)
    {
        var story = FlowStory.All[number];
        var memory = await TellAsync(story, new FlowBench(FlowStory.SignUp));
        var azure = await TellAsync(story, new FlowBench(FlowStory.SignUp, over: new AzureTables(_table!, _table!)));
        Assert.Equal(memory.Select(row => row.At), azure.Select(row => row.At));
        Assert.All(memory.Zip(azure), pair => Assert.True(JsonNode.DeepEquals(pair.First.Body, pair.Second.Body), $"{story}: {pair.First} is on Azure {pair.Second}"));
    }

    private static async Task<List<(string At, JsonNode Body)>> TellAsync(FlowStory story, FlowBench bench)
    {
        var ada = new Story();
        await story.Prelude(bench, ada);
        await story.Act(bench, ada);
        Assert.Equal(story.Outcomes, (await bench.RunsAsync(ada.Customer)).Select(run => run.Outcome!.Value));
        Assert.Equal(story.Mails, (await bench.MailsAsync(ada.Customer)).Count);
        // Azure may give the properties of a row in any order.
        return [.. (await bench.EndAsync(FlowStory.Partitions(ada))).Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(row => (row[..row.IndexOf('{', StringComparison.Ordinal)], JsonNode.Parse(row[row.IndexOf('{', StringComparison.Ordinal)..])!))];
    }
}
