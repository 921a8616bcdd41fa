using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.Torture.Security;

/// <summary>Who opens connections and hardly speaks is cut off, and the door is open again for those who do. On the real clock: only in the full form.</summary>
[Collection(Alone.Name)]
public sealed class SlowSenderTests
{
    [Fact]
    public async Task Connections_that_hardly_speak_are_cut_off_within_a_minute_and_the_door_is_open_again()
    {
        if (Form.Times(0, 1) == 0) Assert.Skip("Waits for half a minute on the real clock: with TORTURE=1.");
        await using var host = await TestHost.StartAsync();
        var root = host.Http.BaseAddress!;
        var before = Process.GetCurrentProcess().WorkingSet64;
        var began = Stopwatch.StartNew();
        var slow = new List<Task<TimeSpan>>();
        // As many as the host takes at all: one byte of a header, or of a body of which a megabyte is told, every second.
        for (var i = 0; i < 600; i++) slow.Add(SpeakSlowlyAsync(root, body: i % 2 == 0, began));
        var cut = await Task.WhenAll(slow).WaitAsync(TimeSpan.FromSeconds(75));
        Assert.InRange(cut.Max(), TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(60));
        Assert.InRange(Process.GetCurrentProcess().WorkingSet64 - before, long.MinValue, 128L * 1024 * 1024);
        using var answer = await host.SendStripeAsync(new Story().SignsUp(host.Now.AddDays(-1)).First().ToJsonString());
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        TestContext.Current.SendDiagnosticMessage($"600 slow senders: the last was cut off after {cut.Max().TotalSeconds:F0} s.");
    }

    // Until the other side closes; when that was.
    private static async Task<TimeSpan> SpeakSlowlyAsync(Uri root, bool body, Stopwatch began)
    {
        using var socket = new TcpClient();
        try
        {
            await socket.ConnectAsync(root.Host, root.Port);
            var stream = socket.GetStream();
            var closed = stream.ReadAsync(new byte[4096]).AsTask();
            await stream.WriteAsync(Encoding.ASCII.GetBytes(body ? "POST /stripe/webhook HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n" : "POST /stripe/webhook HTTP/1.1\r\nHost: x\r\n"));
            while (!closed.IsCompleted)
            {
                await stream.WriteAsync("x"u8.ToArray());
                await Task.WhenAny(closed, Task.Delay(1000));
            }
            // An answer (408) may come before the end.
            while (await closed > 0) closed = stream.ReadAsync(new byte[4096]).AsTask();
        }
        catch (Exception e) when (e is IOException or SocketException) { }
        return began.Elapsed;
    }
}

/// <summary>Tests beside which no other runs: they measure what belongs to the whole process.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class Alone
{
    public const string Name = "alone";
}
