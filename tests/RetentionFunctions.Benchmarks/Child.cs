using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.Benchmarks;

/// <summary>A server in a process of its own, with a data folder of its own; killed and cleared away at the end.</summary>
internal sealed class Child : IDisposable
{
    private readonly Process process;
    private readonly TempFolder? folder;

    private Child(Process process, TempFolder? folder, int port, TimeSpan started)
    {
        this.process = process;
        this.folder = folder;
        Port = port;
        StartedIn = started;
    }

    /// <summary>Where it listens on 127.0.0.1.</summary>
    public int Port { get; }

    /// <summary>From the start of the process until <c>GET /healthz</c> was answered with 200.</summary>
    public TimeSpan StartedIn { get; }

    /// <summary>The host as founders start it: the built program, its defaults, no settings but a signing secret.</summary>
    /// <param name="data">The data folder; null for a new one.</param>
    public static Child Host(string? data = null) => Start(data, "RetentionFunctions.Local.dll", (port, folder) =>
        ["--urls", $"http://127.0.0.1:{port}", "--data", Path.Combine(folder, "data"), $"--Stripe:WebhookSecrets:0={StripeRequests.Secret}"]);

    /// <summary>One of the servers of this program, see <see cref="Serve"/>.</summary>
    public static Child Own(string mode) => Start(null, "RetentionFunctions.Benchmarks.dll", (port, folder) => ["serve", mode, $"{port}", Path.Combine(folder, "data")]);

    /// <summary>Ends it as a power cut would, without a farewell.</summary>
    public void Dispose()
    {
        process.Kill();
        process.WaitForExit();
        process.Dispose();
        folder?.Dispose();
    }

    private static Child Start(string? data, string program, Func<int, string, IReadOnlyList<string>> arguments)
    {
        var folder = data is null ? new TempFolder() : null;
        var port = FreePort();
        // Started outside the repository, so that no retention.json of it counts.
        var start = new ProcessStartInfo("dotnet") { WorkingDirectory = data ?? folder!.Path, RedirectStandardOutput = true };
        foreach (var argument in new[] { "exec", Path.Combine(AppContext.BaseDirectory, program) }.Concat(arguments(port, data ?? folder!.Path))) start.ArgumentList.Add(argument);
        var watch = Stopwatch.StartNew();
        var process = Process.Start(start)!;
        process.OutputDataReceived += (_, _) => { };
        process.BeginOutputReadLine();
        while (!Answers(port))
        {
            if (process.HasExited) throw new InvalidOperationException($"{program} ended by itself with {process.ExitCode}.");
            if (watch.Elapsed > TimeSpan.FromMinutes(1)) throw new TimeoutException($"{program} did not answer within a minute.");
            Thread.Sleep(1);
        }
        return new Child(process, folder, port, watch.Elapsed);
    }

    private static bool Answers(int port)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            socket.Connect(IPAddress.Loopback, port);
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.ConnectionRefused)
        {
            return false;
        }
        socket.Send("GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"u8);
        Span<byte> answer = stackalloc byte[4096];
        var length = 0;
        while (socket.Receive(answer[length..]) is > 0 and var read) length += read;
        return answer[..length].StartsWith("HTTP/1.1 200"u8) ? true : throw new InvalidOperationException($"/healthz was answered with: {System.Text.Encoding.UTF8.GetString(answer[..length])}");
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
