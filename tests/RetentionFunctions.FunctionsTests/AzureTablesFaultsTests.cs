using System.Text;
using Azure;
using Azure.Core.Pipeline;
using Azure.Data.Tables;
using RetentionFunctions.Functions;
using RetentionFunctions.Storage;

namespace RetentionFunctions.FunctionsTests;

/// <summary>What the tables make of Azure's answers. The emulator gives few of these; they are written down from Azure's list of error codes.</summary>
public sealed class AzureTablesFaultsTests
{
    private static readonly ReadOnlyMemory<byte> Body = """{"text":"1"}"""u8.ToArray();
    private static readonly Write Insert = new Write.Insert("a", Body);
    private static readonly Write Replace = new Write.Replace("a", Body, "W/\"1\"");
    private static readonly Write Delete = new Write.Delete("a");

    private static (AzureTables Tables, RecordedAnswers Azure) Answering(params object[] answers)
    {
        var azure = new RecordedAnswers(answers);
        TableClient Client(int retries) => new("UseDevelopmentStorage=true", AzureTables.Name,
            new TableClientOptions { Transport = new HttpClientTransport(azure), Retry = { MaxRetries = retries, Delay = TimeSpan.Zero, MaxDelay = TimeSpan.Zero } });
        return (new AzureTables(Client(2), Client(0)), azure);
    }

    private static object Says(int status, string code) => RecordedAnswers.Answer(status, Error(code));

    private static string Error(string code, string text = "said") => $$$$"""{"odata.error":{"code":"{{{{code}}}}","message":{"lang":"en-US","value":"{{{{text}}}}"}}}""";

    // A transaction's refusal: the answer of the write that was refused stands in the answer of all, and its message begins with its place.
    private static object Refuses(int place, int status, string code)
    {
        var body = $"--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n" +
            $"HTTP/1.1 {status} Refused\r\nContent-Type: application/json;odata=minimalmetadata\r\n\r\n{Error(code, $"{place}:said")}\r\n--c--\r\n--b--\r\n";
        return RecordedAnswers.Answer(202, body, ("Content-Type", "multipart/mixed; boundary=b"));
    }

    // Two deletes went through.
    private static object Takes() => RecordedAnswers.Answer(202,
        "--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n" + string.Concat(Enumerable.Repeat("--c\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n\r\n", 2)) + "--c--\r\n--b--\r\n",
        ("Content-Type", "multipart/mixed; boundary=b"));

    [Fact]
    public async Task A_precondition_that_does_not_hold_is_an_answer_and_no_fault()
    {
        foreach (var (write, status, code) in new[] { (Insert, 409, "EntityAlreadyExists"), (Replace, 412, "UpdateConditionNotSatisfied"), (Replace, 404, "ResourceNotFound"), (new Write.Delete("a", "W/\"1\""), 404, "ResourceNotFound") })
        {
            Assert.False(await Answering(Says(status, code)).Tables.TryCommitAsync("p", [write]));
            Assert.False(await Answering(Refuses(1, status, code)).Tables.TryCommitAsync("p", [new Write.Upsert("b", Body), write]));
        }
    }

    [Fact]
    public async Task A_delete_is_content_where_the_row_is_gone_alone_and_in_a_batch()
    {
        Assert.True(await Answering(Says(404, "ResourceNotFound")).Tables.TryCommitAsync("p", [Delete]));
        var (tables, azure) = Answering(Refuses(1, 404, "ResourceNotFound"), Takes());
        Assert.True(await tables.TryCommitAsync("p", [new Write.Delete("b"), Delete, new Write.Delete("c")]));
        Assert.Equal(2, azure.Requests.Count);
        Assert.DoesNotContain("RowKey='a'", azure.Requests[1].Body);
        Assert.Contains("RowKey='c'", azure.Requests[1].Body);
    }

    [Theory]
    [InlineData(429, "TooManyRequests")]
    [InlineData(408, "RequestTimeout")]
    [InlineData(500, "InternalError")]
    [InlineData(500, "OperationTimedOut")]
    [InlineData(503, "ServerBusy")]
    [InlineData(404, "TableNotFound")]
    [InlineData(409, "TableBeingDeleted")]
    public async Task A_store_that_falters_is_transient_and_no_write_is_repeated(int status, string code)
    {
        foreach (var batch in new Write[][] { [Insert], [Replace], [new Write.Upsert("a", Body)], [Delete], [Insert, new Write.Delete("b")] })
        {
            var (tables, azure) = Answering(Says(status, code));
            await Assert.ThrowsAsync<TransientStorageException>(() => tables.TryCommitAsync("p", batch));
            Assert.Single(azure.Requests);
            if (batch.Length > 1) await Assert.ThrowsAsync<TransientStorageException>(() => Answering(Refuses(0, status, code)).Tables.TryCommitAsync("p", batch));
        }
        var three = Enumerable.Repeat(Says(status, code), 3).ToArray();
        await Assert.ThrowsAsync<TransientStorageException>(() => Answering(three).Tables.GetAsync(new RowKey("p", "a")));
        await Assert.ThrowsAsync<TransientStorageException>(() => Answering(three).Tables.QueryAsync(new KeyRange("p", "a", "b")).ToListAsync().AsTask());
    }

    [Fact]
    public async Task A_connection_that_breaks_is_transient_and_no_write_is_repeated()
    {
        var broken = new HttpRequestException("reset");
        var (tables, azure) = Answering(broken);
        await Assert.ThrowsAsync<TransientStorageException>(() => tables.TryCommitAsync("p", [Insert]));
        Assert.Single(azure.Requests);
        await Assert.ThrowsAsync<TransientStorageException>(() => Answering(broken).Tables.TryCommitAsync("p", [Insert, Delete with { Key = "b" }]));
        await Assert.ThrowsAsync<TransientStorageException>(() => Answering(broken, broken, broken).Tables.GetAsync(new RowKey("p", "a")));
    }

    [Fact]
    public async Task A_read_is_repeated_until_it_is_answered()
    {
        var (tables, azure) = Answering(new HttpRequestException("reset"), Says(503, "ServerBusy"),
            RecordedAnswers.Answer(200, """{"odata.etag":"W/\"1\"","PartitionKey":"p","RowKey":"a","Timestamp":"2026-01-01T00:00:00Z","text":"1"}""", ("ETag", "W/\"1\"")));
        Assert.Equal("W/\"1\"", (await tables.GetAsync(new RowKey("p", "a")))!.ETag);
        Assert.Equal(3, azure.Requests.Count);
    }

    [Theory]
    [InlineData(400, "InvalidInput")]
    [InlineData(403, "AuthorizationFailure")]
    [InlineData(413, "RequestBodyTooLarge")]
    public async Task A_mistake_of_ours_is_no_conflict_and_no_reason_to_try_again(int status, string code)
    {
        await Assert.ThrowsAsync<RequestFailedException>(() => Answering(Says(status, code)).Tables.TryCommitAsync("p", [Insert]));
        await Assert.ThrowsAsync<TableTransactionFailedException>(() => Answering(Refuses(0, status, code)).Tables.TryCommitAsync("p", [Insert, Delete with { Key = "b" }]));
        await Assert.ThrowsAsync<RequestFailedException>(() => Answering(Says(status, code)).Tables.GetAsync(new RowKey("p", "a")));
    }

    [Fact]
    public async Task A_scan_goes_on_where_Azure_breaks_it_off_even_after_a_page_without_rows()
    {
        static object Page(string rows, string? next) => RecordedAnswers.Answer(200, $$"""{"value":[{{rows}}]}""",
            next is null ? [] : [("x-ms-continuation-NextPartitionKey", "1!4!cA--"), ("x-ms-continuation-NextRowKey", next)]);
        static string Row(string key) => $$"""{"odata.etag":"W/\"1\"","PartitionKey":"p","RowKey":"{{key}}","Timestamp":"2026-01-01T00:00:00Z"}""";
        var (tables, azure) = Answering(Page("", "k1"), Page(Row("a") + "," + Row("b"), "k2"), Page(Row("c"), null));
        Assert.Equal(["a", "b", "c"], await tables.QueryAsync(new KeyRange("p", "a", "d")).Select(row => row.At.Key).ToListAsync());
        Assert.Equal(3, azure.Requests.Count);
        Assert.Contains("NextRowKey=k2", azure.Requests[2].Path);
    }

    [Theory]
    [InlineData("", 1)]
    [InlineData("plain", 50)]
    [InlineData("\\\"&'<>+`", 50)]
    [InlineData("ünïcödé 你好 🙂", 50)]
    [InlineData("a\\nb\\u0001\\\\", 50)]
    public async Task A_batch_is_never_sent_with_more_bytes_than_the_limit_counts(string repeated, int times)
    {
        var text = string.Concat(Enumerable.Repeat(repeated, times));
        var nested = $$$"""{"name":"{{{text}}}","n":1,"big":123456789012345,"d":0.5,"yes":true,"tags":["{{{text}}}",{"a":"{{{text}}}"}],"none":null,"with space":"{{{text}}}","größe":17}""";
        foreach (var kind in new Func<string, Write>[]
            { k => new Write.Insert(k, Encoding.UTF8.GetBytes(nested)), k => new Write.Upsert(k, Encoding.UTF8.GetBytes(nested)), k => new Write.Replace(k, Encoding.UTF8.GetBytes(nested), "W/\"datetime'2026-01-01T00%3A00%3A00.0000000Z'\""), k => new Write.Delete(k) })
        {
            var writes = Enumerable.Range(0, 100).Select(i => kind($"customer|cus_{i:D3}|ü'%")).ToList();
            var (tables, azure) = Answering(Says(503, "ServerBusy"));
            await Assert.ThrowsAsync<TransientStorageException>(() => tables.TryCommitAsync("a7", writes));
            var sent = Encoding.UTF8.GetByteCount(Assert.Single(azure.Requests).Body);
            Assert.InRange(sent, 0, TableLimits.Check("a7", writes));
        }
    }
}
