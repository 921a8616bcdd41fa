using Azure.Storage.Blobs;
using RetentionFunctions.Backup;
using RetentionFunctions.Functions;
using RetentionFunctions.Storage;
using RetentionFunctions.Tests.Backup;

namespace RetentionFunctions.FunctionsTests;

/// <summary>The contract of the backups' store on Azure's emulator: <c>azurite</c> with its blobs, named by <c>AZURITE_TABLES</c> as for the tables.</summary>
public sealed class BlobBackupsTests : BackupStoreContract, IAsyncLifetime
{
    private readonly string? _connection = Environment.GetEnvironmentVariable("AZURITE_TABLES");
    private BlobContainerClient? _container;

    protected override IBackupStore Store => new BlobBackups(_container!);

    public async ValueTask InitializeAsync()
    {
        Assert.False(string.IsNullOrEmpty(_connection) && Environment.GetEnvironmentVariable("REQUIRE_ALL") is { Length: > 0 }, "REQUIRE_ALL is set, and AZURITE_TABLES is not.");
        Assert.SkipWhen(string.IsNullOrEmpty(_connection), "AZURITE_TABLES names no emulator (npm azurite).");
        _container = new BlobContainerClient(_connection, Name);
        await _container.CreateIfNotExistsAsync();
    }

    public async ValueTask DisposeAsync()
    {
        if (_container is not null) await _container.DeleteIfExistsAsync();
    }

    [Fact]
    public async Task A_storage_that_does_not_answer_is_a_fault_that_passes()
    {
        var options = new BlobClientOptions { Retry = { MaxRetries = 0, NetworkTimeout = TimeSpan.FromSeconds(2) } };
        var nowhere = new BlobBackups(new BlobContainerClient("DefaultEndpointsProtocol=http;AccountName=a;AccountKey=a2V5;BlobEndpoint=http://127.0.0.1:9/a;", "backups", options));
        await Assert.ThrowsAsync<TransientStorageException>(() => nowhere.ReadAsync("a", "b"));
        await Assert.ThrowsAsync<TransientStorageException>(() => nowhere.WriteAsync("a", "b", "x"u8.ToArray()));
        await Assert.ThrowsAsync<TransientStorageException>(() => nowhere.ListAsync());
    }
}
