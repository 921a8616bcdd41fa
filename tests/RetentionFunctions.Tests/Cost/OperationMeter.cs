using System.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using RetentionFunctions.Email;
using RetentionFunctions.Flows;
using RetentionFunctions.Intake;
using RetentionFunctions.Local.Sqlite;
using RetentionFunctions.Storage;
using RetentionFunctions.Telemetry;

namespace RetentionFunctions.Tests.Cost;

/// <summary>What was asked of the ports, counted as Azure bills it.</summary>
/// <param name="Tables">Requests to the table storage: a get; a query for each 1,000 rows or part of them; a batch, however many rows it writes.</param>
/// <param name="Messages">Messages put into the inbox.</param>
/// <param name="Starts">Runs given to the flow engine.</param>
/// <param name="Wakes">Runs woken.</param>
/// <param name="Mails">E-mails handed to the mailer.</param>
internal readonly record struct Operations(long Tables = 0, long Messages = 0, long Starts = 0, long Wakes = 0, long Mails = 0)
{
    /// <summary>Service Bus bills a message three times: sent, received, completed.</summary>
    public const int PerMessage = 3;

    /// <summary>Operations of the queue.</summary>
    public long Queue => Messages * PerMessage;

    public static Operations operator +(Operations a, Operations b) => new(a.Tables + b.Tables, a.Messages + b.Messages, a.Starts + b.Starts, a.Wakes + b.Wakes, a.Mails + b.Mails);
}

/// <summary>
/// Counts what the real code asks of the ports of a local host, apart by what it was doing: the spans of <see cref="RetentionTelemetry"/> say that. What only the local host
/// does (its sandbox, its clock), and what is written at most once a minute (the counters), is not counted.
/// </summary>
internal sealed class OperationMeter : IDisposable
{
    /// <summary>Where no span is: a request at a door or for a page; in the sweep, what is before and after the buckets.</summary>
    public const string Outside = "";

    private readonly Lock gate = new();
    private readonly ActivityListener listener;
    private readonly HashSet<ActivitySpanId> seen = [];
    private readonly Dictionary<string, Operations> counts = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int> spans = new(StringComparer.Ordinal);

    public OperationMeter()
    {
        listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == RetentionTelemetry.Name,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllData,
        };
        ActivitySource.AddActivityListener(listener);
    }

    /// <summary>Puts itself around the ports of a host that is being built.</summary>
    public void Watch(IServiceCollection services)
    {
        var tables = (ITables)services.Last(s => s.ServiceType == typeof(ITables)).ImplementationInstance!;
        services.AddSingleton<ITables>(new MeteredTables(tables, this));
        services.AddSingleton<IInbox>(all => new MeteredInbox(all.GetRequiredService<SqliteInbox>(), this));
        services.AddSingleton<IFlowEngine>(all => new MeteredEngine(ActivatorUtilities.CreateInstance<SqliteFlowEngine>(all), this));
        services.AddSingleton<IMailer>(all => new MeteredMailer(all.GetRequiredService<SqliteOutbox>(), this));
    }

    /// <summary>What was counted since the last call: by span, with how many spans there were.</summary>
    public IReadOnlyDictionary<string, (Operations Operations, int Spans)> Take()
    {
        lock (gate)
        {
            var taken = counts.ToDictionary(c => c.Key, c => (c.Value, spans.GetValueOrDefault(c.Key)), StringComparer.Ordinal);
            counts.Clear();
            spans.Clear();
            seen.Clear();
            return taken;
        }
    }

    public void Dispose() => listener.Dispose();

    private void Count(Operations operations)
    {
        var activity = Activity.Current;
        while (activity is not null && activity.Source.Name != RetentionTelemetry.Name) activity = activity.Parent;
        var span = activity?.OperationName ?? Outside;
        lock (gate)
        {
            counts[span] = counts.GetValueOrDefault(span) + operations;
            if (activity is not null && seen.Add(activity.SpanId)) spans[span] = spans.GetValueOrDefault(span) + 1;
        }
    }

    private static bool IsLocal(string partition, string key) =>
        partition is "x-sandbox" or "x-counters" or "x-protection" || (partition == "x-account" && key is "clock" or "demo");

    private sealed class MeteredTables(ITables inner, OperationMeter meter) : ITables
    {
        private const int PageRows = 1000;

        public Task<Row?> GetAsync(RowKey key, CancellationToken cancel = default)
        {
            if (!IsLocal(key.Partition, key.Key)) meter.Count(new Operations(Tables: 1));
            return inner.GetAsync(key, cancel);
        }

        public IAsyncEnumerable<Row> QueryAsync(KeyRange range, CancellationToken cancel = default) => Pages(inner.QueryAsync(range, cancel), IsLocal(range.Partition, ""));

        public IAsyncEnumerable<Row> ScanAsync(RowKey? after, CancellationToken cancel = default) => Pages(inner.ScanAsync(after, cancel), isLocal: false);

        // An empty answer is an answer too; the request for the next page is made when its first row is asked for.
        private async IAsyncEnumerable<Row> Pages(IAsyncEnumerable<Row> asked, bool isLocal)
        {
            var rows = 0;
            if (!isLocal) meter.Count(new Operations(Tables: 1));
            await foreach (var row in asked)
            {
                if (rows > 0 && rows % PageRows == 0 && !isLocal) meter.Count(new Operations(Tables: 1));
                rows++;
                yield return row;
            }
        }

        public Task<bool> TryCommitAsync(string partition, IReadOnlyList<Write> writes, CancellationToken cancel = default)
        {
            if (!IsLocal(partition, writes[0].Key)) meter.Count(new Operations(Tables: 1));
            return inner.TryCommitAsync(partition, writes, cancel);
        }
    }

    private sealed class MeteredInbox(IInbox inner, OperationMeter meter) : IInbox
    {
        public Task EnqueueAsync(IReadOnlyList<InboxMessage> messages, CancellationToken cancel = default)
        {
            meter.Count(new Operations(Messages: messages.Count));
            return inner.EnqueueAsync(messages, cancel);
        }
    }

    private sealed class MeteredEngine(IFlowEngine inner, OperationMeter meter) : IFlowEngine
    {
        public Task StartAsync(RunId run, CancellationToken cancel = default)
        {
            meter.Count(new Operations(Starts: 1));
            return inner.StartAsync(run, cancel);
        }

        public Task WakeAsync(RunId run, CancellationToken cancel = default)
        {
            meter.Count(new Operations(Wakes: 1));
            return inner.WakeAsync(run, cancel);
        }
    }

    private sealed class MeteredMailer(IMailer inner, OperationMeter meter) : IMailer
    {
        public bool Deduplicates => inner.Deduplicates;

        public Task<MailOutcome> SendAsync(OutgoingEmail email, CancellationToken cancel = default)
        {
            meter.Count(new Operations(Mails: 1));
            return inner.SendAsync(email, cancel);
        }
    }
}
