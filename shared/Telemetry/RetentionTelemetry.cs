using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using RetentionFunctions.Flows;
using RetentionFunctions.Intake;

namespace RetentionFunctions.Telemetry;

/// <summary>
/// What the product says of itself: measurements and spans of the framework's own kind, which cost next to nothing while nobody listens. A host adds an exporter for
/// <see cref="Name"/>. The names are constant: dashboards are built on them. No tag tells of a customer: only kinds, reasons, outcomes and the names of flows.
/// </summary>
public static class RetentionTelemetry
{
    /// <summary>The name of the meter and of the source of spans.</summary>
    public const string Name = "RetentionFunctions";

    /// <summary>Events put into the inbox: a counter, by <see cref="Kind"/>.</summary>
    public const string EventsAccepted = "retention.events.accepted";

    /// <summary>Messages of the inbox that were handled: a counter, by <see cref="Kind"/>.</summary>
    public const string MessagesHandled = "retention.messages.handled";

    /// <summary>Attempts to handle a message that failed and are repeated: a counter, by <see cref="Kind"/>.</summary>
    public const string MessagesFailed = "retention.messages.failed";

    /// <summary>Dead letters: a counter, by <see cref="Kind"/> and <see cref="Reason"/> (<c>unreadable</c>, <c>given_up</c>).</summary>
    public const string DeadLetters = "retention.dead_letters";

    /// <summary>The age of a message when its handling begins: a histogram in seconds, by <see cref="Kind"/>.</summary>
    public const string InboxLag = "retention.inbox.lag";

    /// <summary>What became of e-mails when they were sent: a counter, by <see cref="Flow"/> and <see cref="Outcome"/> (<c>accepted</c>, <c>refused</c>, <c>not_sent</c>, <c>unknown</c>, <c>previewed</c>).</summary>
    public const string Emails = "retention.emails";

    /// <summary>Runs started, held out or not, without previews: a counter, by <see cref="Flow"/>.</summary>
    public const string RunsStarted = "retention.runs.started";

    /// <summary>Runs ended, without previews: a counter, by <see cref="Flow"/> and <see cref="Outcome"/>.</summary>
    public const string RunsEnded = "retention.runs.ended";

    /// <summary>How long a sweep took, from its beginning to its end by the host's clock: a histogram in seconds.</summary>
    public const string SweepDuration = "retention.sweep.duration";

    /// <summary>Customers scored by a sweep: a histogram.</summary>
    public const string SweepCustomers = "retention.sweep.customers";

    /// <summary>Requests that a door refused: a counter, by <see cref="Kind"/> and <see cref="Reason"/>.</summary>
    public const string RequestsRefused = "retention.requests.refused";

    /// <summary>Jobs that came to an end, or whose step was given up for now: a counter, by <see cref="Job"/> and <see cref="Outcome"/> (<c>done</c>, <c>failed</c>).</summary>
    public const string JobsEnded = "retention.jobs.ended";

    /// <summary>Requests that came in and could not be answered (5xx): a counter, by <see cref="Kind"/>, which is <c>web</c> for all but the doors.</summary>
    public const string RequestsFailed = "retention.requests.failed";

    /// <summary>Runs that were due and that nobody had looked at, as a host's watchdog found them: a counter, by <see cref="Flow"/> and <see cref="Outcome"/> (<c>woken</c>, <c>restarted</c>).</summary>
    public const string RunsLate = "retention.runs.late";

    /// <summary>The span of handling a message, by <see cref="Kind"/>.</summary>
    public const string HandleSpan = "inbox.handle";

    /// <summary>The span of one look at a run, by <see cref="Flow"/>.</summary>
    public const string AdvanceSpan = "flow.advance";

    /// <summary>The span of one bucket of the sweep.</summary>
    public const string BucketSpan = "sweep.bucket";

    /// <summary>The tag: <c>stripe</c>, <c>app</c>, <c>mail</c>, <c>job</c>, <c>web</c>.</summary>
    public const string Kind = "kind";

    /// <summary>The tag: why, in a word.</summary>
    public const string Reason = "reason";

    /// <summary>The tag: the name of the flow in the settings.</summary>
    public const string Flow = "flow";

    /// <summary>The tag: the name of the job.</summary>
    public const string Job = "job";

    /// <summary>The tag: how it came out.</summary>
    public const string Outcome = "outcome";

    private static readonly Meter Meter = new(Name);
    private static readonly ActivitySource Source = new(Name);

    private static readonly Counter<long> EventsAcceptedCounter = Meter.CreateCounter<long>(EventsAccepted, "{event}", "Events put into the inbox");
    private static readonly Counter<long> MessagesHandledCounter = Meter.CreateCounter<long>(MessagesHandled, "{message}", "Messages handled");
    private static readonly Counter<long> MessagesFailedCounter = Meter.CreateCounter<long>(MessagesFailed, "{message}", "Attempts to handle a message that failed");
    private static readonly Counter<long> DeadLettersCounter = Meter.CreateCounter<long>(DeadLetters, "{message}", "Messages that became dead letters");
    private static readonly Histogram<double> InboxLagHistogram = Meter.CreateHistogram<double>(InboxLag, "s", "Age of a message when its handling begins");
    private static readonly Counter<long> EmailsCounter = Meter.CreateCounter<long>(Emails, "{email}", "E-mails by what became of them");
    private static readonly Counter<long> RunsStartedCounter = Meter.CreateCounter<long>(RunsStarted, "{run}", "Runs started");
    private static readonly Counter<long> RunsEndedCounter = Meter.CreateCounter<long>(RunsEnded, "{run}", "Runs ended");
    private static readonly Histogram<double> SweepDurationHistogram = Meter.CreateHistogram<double>(SweepDuration, "s", "How long a sweep took");
    private static readonly Histogram<long> SweepCustomersHistogram = Meter.CreateHistogram<long>(SweepCustomers, "{customer}", "Customers scored by a sweep");
    private static readonly Counter<long> RequestsRefusedCounter = Meter.CreateCounter<long>(RequestsRefused, "{request}", "Requests that a door refused");
    private static readonly Counter<long> JobsEndedCounter = Meter.CreateCounter<long>(JobsEnded, "{job}", "Jobs that came to an end");
    private static readonly Counter<long> RequestsFailedCounter = Meter.CreateCounter<long>(RequestsFailed, "{request}", "Requests that could not be answered");
    private static readonly Counter<long> RunsLateCounter = Meter.CreateCounter<long>(RunsLate, "{run}", "Runs that nobody had looked at when they were due");

    /// <summary>Counts a run that a watchdog found late.</summary>
    /// <param name="flow">The name of its flow.</param>
    /// <param name="restarted">Waking it the night before did not help: it got another instance.</param>
    public static void Late(string flow, bool restarted) => RunsLateCounter.Add(1, Tag(Flow, flow), Tag(Outcome, restarted ? "restarted" : "woken"));

    // By the first part of the address: the doors of Stripe, SendGrid and the app are worth an alert of their own.
    internal static void Unanswered(PathString path) =>
        RequestsFailedCounter.Add(1, Tag(Kind, path.StartsWithSegments("/stripe") ? "stripe" : path.StartsWithSegments("/sendgrid") ? "mail" : path.StartsWithSegments("/v1") ? "app" : "web"));

    internal static void Accepted(MessageKind kind, int events) => EventsAcceptedCounter.Add(events, Tag(Kind, Of(kind)));

    internal static void Refused(MessageKind door, string reason) => RequestsRefusedCounter.Add(1, Tag(Kind, Of(door)), Tag(Reason, reason));

    internal static void Handled(MessageKind kind) => MessagesHandledCounter.Add(1, Tag(Kind, Of(kind)));

    internal static void Failed(MessageKind kind) => MessagesFailedCounter.Add(1, Tag(Kind, Of(kind)));

    internal static void Died(MessageKind kind, string reason) => DeadLettersCounter.Add(1, Tag(Kind, Of(kind)), Tag(Reason, reason));

    // Two hosts' clocks may differ: never below 0.
    internal static void Began(MessageKind kind, TimeSpan age) => InboxLagHistogram.Record(Math.Max(0, age.TotalSeconds), Tag(Kind, Of(kind)));

    internal static void Email(string flow, MailResult result) => EmailsCounter.Add(1, Tag(Flow, flow), Tag(Outcome, Word(result)));

    internal static void Started(Run run)
    {
        if (run.Preview) return;
        RunsStartedCounter.Add(1, Tag(Flow, run.Id.Flow));
        if (run.Status == RunStatus.Ended) Ended(run);
    }

    internal static void Ended(Run run)
    {
        if (!run.Preview && run.Outcome is { } outcome) RunsEndedCounter.Add(1, Tag(Flow, run.Id.Flow), Tag(Outcome, Word(outcome)));
    }

    internal static void Swept(int customers, TimeSpan took)
    {
        SweepDurationHistogram.Record(Math.Max(0, took.TotalSeconds));
        SweepCustomersHistogram.Record(customers);
    }

    internal static void JobEnded(string job, bool done) => JobsEndedCounter.Add(1, Tag(Job, job), Tag(Outcome, done ? "done" : "failed"));

    internal static Activity? Handling(MessageKind kind) => Source.StartActivity(HandleSpan, ActivityKind.Consumer)?.SetTag(Kind, Of(kind));

    internal static Activity? Advancing(string flow) => Source.StartActivity(AdvanceSpan)?.SetTag(Flow, flow);

    internal static Activity? Sweeping() => Source.StartActivity(BucketSpan);

    // The kind of error only: messages name customers.
    internal static void Fault(this Activity? span, Exception e) => span?.SetStatus(ActivityStatusCode.Error)?.SetTag("error.type", e.GetType().Name);

    private static string Of(MessageKind kind) => kind switch
    {
        MessageKind.StripeEvent => "stripe",
        MessageKind.StripeHistory => "history",
        MessageKind.AppEvent => "app",
        MessageKind.MailEvent => "mail",
        MessageKind.Job => "job",
        _ => "other",
    };

    private static string Word<T>(T value) where T : struct, Enum => JsonNamingPolicy.SnakeCaseLower.ConvertName(value.ToString());

    private static KeyValuePair<string, object?> Tag(string name, string value) => new(name, value);
}
