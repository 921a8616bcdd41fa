using System.Globalization;
using System.IO.Compression;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using RetentionFunctions.Intake;
using RetentionFunctions.Intake.Stripe;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.Tests.Security;

/// <summary>What is too large, too deep, too many or too slow is refused with a reason, before it takes memory or a connection for long.</summary>
public class InputLimitTests
{
    private static readonly (string Path, int Most)[] Doors = [("/stripe/webhook", 1024 * 1024), ("/v1/batch", 512 * 1024), ("/sendgrid/events", 1024 * 1024)];

    [Fact]
    public async Task A_body_over_the_limit_of_its_door_is_413_whether_its_length_is_told_or_not_or_hidden_in_gzip()
    {
        await using var host = await TestHost.StartAsync();
        foreach (var (path, most) in Doors)
        {
            Assert.Equal(HttpStatusCode.RequestEntityTooLarge, (await host.PostAsync(path, new byte[most + 1])).Status);
            Assert.Equal(HttpStatusCode.RequestEntityTooLarge, (await host.PostAsync(path, new byte[most + 1], chunked: true)).Status);
            Assert.NotEqual(HttpStatusCode.RequestEntityTooLarge, (await host.PostAsync(path, new byte[most], chunked: true)).Status);
            Assert.Equal(HttpStatusCode.RequestEntityTooLarge, (await host.PostAsync(path, Packed(64 * 1024 * 1024), headers: ("Content-Encoding", "gzip"))).Status);
        }
        // The dashboard's own forms and calls; asked before it is sent, since who is refused while sending may not hear why.
        foreach (var path in new[] { "/sign-in", "/local/clock" })
            Assert.InRange((int)(await host.PostAsync(path, Encoding.ASCII.GetBytes($"\"{new string('x', 100 * 1024)}\""), headers: [("Content-Type", "application/json"), ("Expect", "100-continue")])).Status, 400, 499);
    }

    [Fact]
    public async Task JSON_that_nests_too_deep_is_refused_by_every_door_and_takes_no_good_item_with_it()
    {
        await using var host = await TestHost.StartAsync();
        var deep = new string('[', 200_000);
        var body = Encoding.UTF8.GetBytes(deep);
        Assert.Equal(HttpStatusCode.BadRequest, (await host.PostAsync("/stripe/webhook", body, headers: (StripeSignature.HeaderName, StripeSignature.Sign(body, TestHost.Secret, host.Now)))).Status);
        Assert.Equal(HttpStatusCode.BadRequest, (await host.SendMailAsync(body)).StatusCode);
        foreach (var call in new[] { "track", "batch" }) Assert.Equal(HttpStatusCode.BadRequest, (await host.SendAppAsync(call, deep)).StatusCode);
        Assert.Equal(HttpStatusCode.BadRequest, (await host.PostAsync("/local/clock", body[..10_000], headers: ("Content-Type", "application/json"))).Status);

        var nested = $"{{\"type\":\"track\",\"userId\":\"u\",\"event\":\"e\",\"properties\":{string.Concat(Enumerable.Repeat("{\"a\":", 60))}1{new string('}', 60)}}}";
        using var answer = await host.SendAppAsync("batch", $"{{\"batch\":[{nested},{{\"type\":\"track\",\"userId\":\"u\",\"event\":\"e\"}}]}}");
        var said = JsonNode.Parse(await answer.Content.ReadAsStringAsync())!;
        Assert.Equal((HttpStatusCode.OK, 1, 1), (answer.StatusCode, (int)said["accepted"]!, said["rejected"]!.AsArray().Count));
    }

    [Theory]
    [InlineData(5_000, HttpStatusCode.OK)]
    [InlineData(5_001, HttpStatusCode.BadRequest)]
    [InlineData(170_000, HttpStatusCode.BadRequest)]
    public async Task A_batch_of_more_items_than_any_SDK_sends_is_refused_before_they_are_read(int items, HttpStatusCode status)
    {
        await using var host = await TestHost.StartAsync();
        using var answer = await host.SendAppAsync("batch", $"{{\"batch\":[{string.Join(',', Enumerable.Repeat("{}", items))}]}}");
        var said = await answer.Content.ReadAsStringAsync();
        Assert.Equal(status, answer.StatusCode);
        Assert.InRange(said.Length, 1, 512 * 1024);
        if (status == HttpStatusCode.BadRequest) Assert.Contains("send smaller batches", said);
    }

    [Theory]
    [InlineData("GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: {0}\r\n\r\n", 40_000, 431)]
    [InlineData("GET /{0} HTTP/1.1\r\nHost: localhost\r\n\r\n", 10_000, 414)]
    [InlineData("GET / HTTP/1.1\r\nHost: localhost\r\nX-Bad: a\0{0}\r\n\r\n", 1, 400)]
    [InlineData("POST /v1/track HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nzz{0}\r\n", 1, 400)]
    [InlineData("POST /v1/track HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n{0}", 1, 400)]
    public async Task Headers_and_addresses_that_are_too_long_or_none_are_refused(string request, int length, int status)
    {
        await using var host = await TestHost.StartAsync();
        using var socket = new TcpClient();
        await socket.ConnectAsync(IPAddress.Loopback, host.Http.BaseAddress!.Port);
        var stream = socket.GetStream();
        await stream.WriteAsync(Encoding.ASCII.GetBytes(string.Format(CultureInfo.InvariantCulture, request, new string('a', length))));
        var answer = new byte[12];
        await stream.ReadExactlyAsync(answer);
        Assert.Equal($"HTTP/1.1 {status}", Encoding.ASCII.GetString(answer));
    }

    [Fact]
    public async Task Who_sends_too_slowly_is_cut_off_and_only_so_many_may_try_at_once()
    {
        await using var host = await TestHost.StartAsync();
        var limits = host.Services.GetRequiredService<IOptions<KestrelServerOptions>>().Value.Limits;
        Assert.InRange(limits.RequestHeadersTimeout, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(30));
        Assert.True(limits.MinRequestBodyDataRate is { BytesPerSecond: >= 240 } rate && rate.GracePeriod <= TimeSpan.FromSeconds(10));
        Assert.InRange(limits.MaxConcurrentConnections ?? long.MaxValue, 100, 10_000);
        Assert.InRange(limits.MaxRequestBodySize ?? long.MaxValue, 1, 30_000_000);
    }

    [Fact]
    public async Task A_length_that_is_only_told_takes_no_memory()
    {
        var before = GC.GetAllocatedBytesForCurrentThread();
        var request = new DefaultHttpContext().Request;
        request.ContentLength = 16 * 1024 * 1024;
        request.Body = new MemoryStream("{}"u8.ToArray());
        var body = await RequestBody.ReadAsync(request, 16 * 1024 * 1024, default);
        Assert.Equal(2, body!.Value.Length);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 256 * 1024);
    }

    private static byte[] Packed(int zeros)
    {
        using var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionLevel.SmallestSize, leaveOpen: true)) gzip.Write(new byte[zeros]);
        return packed.ToArray();
    }
}
