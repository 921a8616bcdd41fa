using System.Text;
using System.Text.Json.Nodes;
using Azure.Data.Tables;
using RetentionFunctions.Functions;
using RetentionFunctions.Storage;
using RetentionFunctions.Tests.Storage;

namespace RetentionFunctions.FunctionsTests;

/// <summary>
/// The contract of the tables on Azure's emulator, which <c>test.sh</c> starts (<c>tests/azurite</c>); <c>AZURITE_TABLES</c> is its connection string. It takes rows and batches
/// that are larger than Azure's, which <see cref="TableLimits"/> refuses before.
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
        _tables = On(AzureTables.Name);
        await _tables.CreateAsync();
    }

    private AzureTables On(string table)
    {
        TableClient Client(int retries) => new(_connection, table, new TableClientOptions { Retry = { MaxRetries = retries } });
        return new AzureTables(Client(3), Client(0));
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
    public async Task A_table_that_is_gone_is_a_fault_and_not_one_without_rows()
    {
        var gone = On("gone");
        await Assert.ThrowsAsync<TransientStorageException>(() => gone.GetAsync(new RowKey(Partition, "a")));
        await Assert.ThrowsAsync<TransientStorageException>(() => gone.ListAsync<object>(new KeyRange(Partition, "a", "b")));
        foreach (var batch in new Write[][] { [new Write.Insert("a", Body("1"))], [new Write.Delete("a")], [new Write.Delete("a"), new Write.Upsert("b", Body("1"))] })
            await Assert.ThrowsAsync<TransientStorageException>(() => gone.TryCommitAsync(Partition, batch));
    }

    [Theory]
    [InlineData("""{"a":"{not json","b":"[1]","c":"'quoted'","d":"=1+1","e":"''","f":""}""")]
    [InlineData("""{"a":0,"b":-1,"c":9223372036854775807,"d":-9223372036854775808,"e":0.1,"f":1e100,"g":123456789012345678901234567890,"h":-2.5e-7,"i":100000000000000000000}""")]
    [InlineData("""{"a":null,"b":[null,{"x":1}],"c":{},"d":true,"e":false,"at":"2026-01-01T00:00:00+00:00","id":"0d9a4b0e-2f0c-4f06-9d0c-1b8f3d5f2a11"}""")]
    [InlineData("""{"timestamp":1,"Timestamp":2,"PartitionKey":"p","with space":3,"x_1":4,"größe":5,"0":6,"odata.etag":"7"}""")]
    [InlineData("""{"a":"line\nbreak\ttab \u0001 \"quoted\" back\\\\slash <&> 你好 🙂"}""")]
    public async Task Every_row_comes_back_as_it_was_written_in_its_types(string json)
    {
        Assert.True(await Tables.TryCommitAsync(Partition, [new Write.Insert("a", Encoding.UTF8.GetBytes(json))]));
        Assert.True(await Tables.TryCommitAsync(Partition, [new Write.Insert("b", Encoding.UTF8.GetBytes(json)), new Write.Delete("c")]));
        await foreach (var row in Tables.QueryAsync(new KeyRange(Partition, "a", "c")))
            Assert.True(JsonNode.DeepEquals(JsonNode.Parse(json), JsonNode.Parse(row.Body.Span)), Encoding.UTF8.GetString(row.Body.Span));
        Assert.True(JsonNode.DeepEquals(JsonNode.Parse(json), JsonNode.Parse((await Tables.GetAsync(new RowKey(Partition, "a")))!.Body.Span)));
    }

    [Fact]
    public async Task Every_key_of_the_product_can_be_written_and_read()
    {
        foreach (var key in new[] { Keys.Event(Partition, "a/b\\c#d?e%f|g'h\"i"), Keys.Activity($"{Partition}:ä 1", "ü+&=;"), Keys.EmailOfCustomer($"o'neil+{Partition}@example.com", Partition) })
        {
            await Tables.UpsertAsync(key, new Dictionary<string, string> { ["text"] = key.Key });
            Assert.Equal(key.Key, (await Tables.GetAsync<Dictionary<string, string>>(key))?.Value["text"]);
            await Tables.DeleteAsync(key);
            Assert.Null(await Tables.GetAsync(key));
        }
    }
}
