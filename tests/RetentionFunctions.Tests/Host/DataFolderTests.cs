using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using RetentionFunctions.Health;
using RetentionFunctions.Local;
using RetentionFunctions.Storage;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.Tests.Host;

/// <summary>Which clock a data folder may be opened with.</summary>
public sealed class DataFolderTests : IDisposable
{
    private static readonly DateTimeOffset Simulated = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    private readonly TempFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task A_folder_that_was_only_looked_at_on_the_real_clock_can_be_tried_on_a_simulated_one()
    {
        await using (var real = await StartAsync(null)) await real.StopAsync();
        await using var host = await TestHost.StartAsync("2026-01-01T00:00:00Z", data: folder.Path);
        await host.AdvanceAsync(TimeSpan.FromDays(1));
        Assert.Equal(Simulated.AddHours(6), (await host.Services.GetRequiredService<ITables>().GetAsync<SweepResult>(Keys.Account("last-sweep")))!.Value.At);
    }

    [Fact]
    public async Task A_folder_with_events_of_the_real_clock_is_never_put_on_a_simulated_one()
    {
        await using (var real = await StartAsync(null))
        {
            using var http = new HttpClient { BaseAddress = real.Services.GetRequiredService<LocalAddress>().Root };
            http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes(TestHost.WriteKey + ":")));
            Assert.True((await http.PostAsJsonAsync("/v1/track", new { userId = "u1", @event = "Signed In" })).IsSuccessStatusCode);
            await real.Services.GetRequiredService<LocalPump>().SettleAsync();
            await real.StopAsync();
        }
        var refused = await Assert.ThrowsAsync<LocalStartException>(() => StartAsync(Simulated));
        Assert.Contains("was made on the real clock", refused.Message);
        Assert.Contains("--data DIR", refused.Message);
    }

    [Fact]
    public async Task A_simulated_clock_goes_on_from_where_it_stood_and_never_back()
    {
        await using (var first = await TestHost.StartAsync("2026-01-01T00:00:00Z", data: folder.Path)) await first.AdvanceAsync(TimeSpan.FromDays(40));
        await using (var second = await StartAsync(Simulated)) Assert.Equal(Simulated.AddDays(40), second.Services.GetRequiredService<LocalClock>().GetUtcNow());
        await using var third = await StartAsync(null);
        Assert.Equal(Simulated.AddDays(40), third.Services.GetRequiredService<LocalClock>().GetUtcNow());
    }

    [Theory]
    [InlineData("--urls", "https://127.0.0.1:5080", "Example: --urls http://127.0.0.1:5080")]
    [InlineData("--urls", ";", "Example: --urls http://127.0.0.1:5080")]
    [InlineData("--urls", "5080", "Example: --urls http://127.0.0.1:5080")]
    [InlineData("--clock", "yesterday", "Example: --clock 2026-01-01T00:00:00Z")]
    [InlineData("--colour", "red", "There is no option '--colour'")]
    public void A_wrong_option_is_told_in_words(string option, string value, string told) =>
        Assert.Contains(told, Assert.Throws<LocalStartException>(() => LocalOptions.Parse([option, value])).Message);

    [Fact]
    public void Several_addresses_and_every_network_are_addresses() =>
        Assert.Equal("http://*:5080;http://localhost:5081", LocalOptions.Parse(["--urls=http://*:5080;http://localhost:5081"]).Urls);

    private async Task<WebApplication> StartAsync(DateTimeOffset? clock)
    {
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(new Dictionary<string, string?> { ["AppEvents:WriteKey"] = TestHost.WriteKey }).Build();
        var app = await LocalHost.CreateAsync(new LocalOptions { Urls = "http://127.0.0.1:0", DataFolder = folder.Path, Clock = clock }, configuration);
        await app.StartAsync();
        return app;
    }
}
