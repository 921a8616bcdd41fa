using Azure.Data.Tables;
using RetentionFunctions.Functions;
using RetentionFunctions.Storage;
using RetentionFunctions.Tests.Storage;

namespace RetentionFunctions.FunctionsTests;

/// <summary>
/// The contract of the tables on Azure's emulator: <c>npm install -g azurite</c>, <c>azurite-table --inMemoryPersistence --skipApiVersionCheck</c>, and
/// <c>AZURITE_TABLES=UseDevelopmentStorage=true</c>.
/// </summary>
public sealed class AzureTablesTests : TablesContract, IAsyncLifetime
{
    private readonly string? _connection = Environment.GetEnvironmentVariable("AZURITE_TABLES");
    private AzureTables? _tables;

    protected override ITables Tables => _tables!;

    // All tests share the one table.
    protected override string Partition { get; } = $"test-{Guid.NewGuid():N}";

    public async ValueTask InitializeAsync()
    {
        Assert.False(string.IsNullOrEmpty(_connection) && Environment.GetEnvironmentVariable("REQUIRE_ALL") is { Length: > 0 }, "REQUIRE_ALL is set, and AZURITE_TABLES is not.");
        Assert.SkipWhen(string.IsNullOrEmpty(_connection), "AZURITE_TABLES names no emulator of Table Storage (npm azurite).");
        TableClient Client(int retries) => new(_connection, AzureTables.Name, new TableClientOptions { Retry = { MaxRetries = retries } });
        _tables = new AzureTables(Client(3), Client(0));
        await _tables.CreateAsync();
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    [Theory]
    [InlineData("")]
    [InlineData("*")]
    [InlineData("17")]
    public async Task An_ETag_of_another_store_matches_nothing(string foreign)
    {
        Assert.True(await Tables.TryCommitAsync(Partition, [new Write.Insert("a", Body("1"))]));
        Assert.False(await Tables.TryCommitAsync(Partition, [new Write.Replace("a", Body("2"), foreign)]));
        Assert.False(await Tables.TryCommitAsync(Partition, [new Write.Delete("a", foreign), new Write.Upsert("b", Body("2"))]));
    }

    [Fact]
    public async Task A_batch_deletes_what_is_there_and_is_content_where_it_is_gone()
    {
        await Tables.TryCommitAsync(Partition, [new Write.Insert("a", Body("1"))]);
        Assert.True(await Tables.TryCommitAsync(Partition, [new Write.Delete("gone"), new Write.Delete("a"), new Write.Delete("gone too"), new Write.Upsert("b", Body("1"))]));
        Assert.Null(await Tables.GetAsync(new RowKey(Partition, "a")));
        Assert.NotNull(await Tables.GetAsync(new RowKey(Partition, "b")));
    }

    [Fact]
    public async Task Every_key_of_the_product_can_be_written_and_read()
    {
        foreach (var key in new[] { Keys.Event("cus_1", "a/b\\c#d?e%f|g'h\"i"), Keys.Activity("user:ä 1", "ü+&=;"), Keys.EmailOfCustomer("o'neil+x@example.com", "cus_1") })
        {
            await Tables.UpsertAsync(key, new Dictionary<string, string> { ["text"] = key.Key });
            Assert.Equal(key.Key, (await Tables.GetAsync<Dictionary<string, string>>(key))?.Value["text"]);
            await Tables.DeleteAsync(key);
            Assert.Null(await Tables.GetAsync(key));
        }
    }
}
