using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace RetentionFunctions.Benchmarks;

/// <summary>What one measured span of load came to.</summary>
/// <param name="PerSecond">Answers with a status of 2xx.</param>
/// <param name="P50">Half of the answers took at most so many milliseconds, from sending to the last byte.</param>
/// <param name="P99">99 of 100 did.</param>
internal sealed record Loaded(double PerSecond, double P50, double P99);

/// <summary>
/// Sends requests over connections that are kept open, the next over each as soon as the last was answered: one thread and plain sockets, so that on two cores the
/// server has the rest. Any other answer than a 2xx, and a connection that is closed, ends it with an error.
/// </summary>
internal static class Load
{
    /// <summary>So long without counting, then so long counted.</summary>
    /// <param name="requests">Sent in their order, from the first.</param>
    /// <param name="again">From the first again when all were sent; else running out of them is an error, for the server would only see duplicates.</param>
    public static Loaded Run(StripeRequests requests, int port, int connections, TimeSpan warm, TimeSpan counted, bool again)
    {
        var all = Enumerable.Range(0, connections).Select(_ => new Connection(port)).ToList();
        var bySocket = all.ToDictionary(connection => connection.Socket);
        try
        {
            var took = new List<long>(1 << 20);
            var next = 0;
            foreach (var connection in all) Send(connection);
            var from = Stopwatch.GetTimestamp() + Ticks(warm);
            var to = from + Ticks(counted);
            var waiting = new List<Socket>(connections);
            while (Stopwatch.GetTimestamp() < to)
            {
                waiting.Clear();
                foreach (var connection in all) waiting.Add(connection.Socket);
                Socket.Select(waiting, null, null, TimeSpan.FromSeconds(10));
                if (waiting.Count == 0) throw new InvalidOperationException("The server did not answer for ten seconds.");
                foreach (var socket in waiting)
                {
                    var connection = bySocket[socket];
                    if (!connection.IsAnswered()) continue;
                    var now = Stopwatch.GetTimestamp();
                    if (now >= from && now < to) took.Add(now - connection.SentAt);
                    Send(connection);
                }
            }
            if (took.Count == 0) throw new InvalidOperationException("Nothing was answered in the time that is counted.");
            took.Sort();
            return new Loaded(took.Count / counted.TotalSeconds, Milliseconds(took[took.Count / 2]), Milliseconds(took[(int)(took.Count * 0.99)]));

            void Send(Connection connection)
            {
                if (next == requests.Count) next = again ? 0 : throw new InvalidOperationException($"All {requests.Count} requests were sent: build more (--requests).");
                connection.Send(requests[next++]);
            }
        }
        finally
        {
            foreach (var connection in all) connection.Socket.Dispose();
        }
    }

    private static long Ticks(TimeSpan span) => (long)(span.TotalSeconds * Stopwatch.Frequency);

    private static double Milliseconds(long ticks) => ticks * 1000.0 / Stopwatch.Frequency;

    private sealed class Connection
    {
        private readonly byte[] answer = new byte[8192];
        private int length;

        public Connection(int port)
        {
            Socket.NoDelay = true;
            Socket.Connect(IPAddress.Loopback, port);
        }

        public Socket Socket { get; } = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);

        public long SentAt { get; private set; }

        public void Send(ReadOnlySpan<byte> request)
        {
            length = 0;
            SentAt = Stopwatch.GetTimestamp();
            while (request.Length > 0) request = request[Socket.Send(request)..];
        }

        /// <summary>Reads what came; true at the end of an answer.</summary>
        public bool IsAnswered()
        {
            var read = Socket.Receive(answer.AsSpan(length));
            if (read == 0) throw new InvalidOperationException("The server closed a connection.");
            length += read;
            var so = answer.AsSpan(0, length);
            var head = so.IndexOf("\r\n\r\n"u8);
            if (head < 0) return false;
            if (!so.StartsWith("HTTP/1.1 2"u8)) throw new InvalidOperationException($"Answered with no 2xx: {System.Text.Encoding.UTF8.GetString(so)}");
            var told = so[..head].IndexOf("Content-Length: "u8);
            if (told < 0) return so.EndsWith("\r\n0\r\n\r\n"u8);
            return System.Buffers.Text.Utf8Parser.TryParse(so[(told + 16)..], out int body, out _) && length >= head + 4 + body;
        }
    }
}
