using System.Text.Json;
using System.Text.Json.Serialization;
using RetentionFunctions.Customers;
using RetentionFunctions.Flows;
using RetentionFunctions.Health;
using RetentionFunctions.Intake;
using RetentionFunctions.Jobs;

namespace RetentionFunctions.Web;

/// <summary>How the JSON API writes: camelCase names, <c>snake_case</c> words, every property always there (null where unknown), times in UTC.</summary>
internal static class ApiJson
{
    public static readonly JsonSerializerOptions Options = new(JsonSerializerDefaults.Web);
}

/// <summary>An amount.</summary>
/// <param name="Amount">In minor units.</param>
/// <param name="Currency">Lower case ISO code; null where nothing was ever billed.</param>
public sealed record ApiMoney(long Amount, string? Currency);

/// <summary>A score.</summary>
/// <param name="Score">0–100, 100 is best.</param>
/// <param name="Tier"><c>healthy, low_risk, medium_risk, high_risk</c>.</param>
/// <param name="ScoredOn">The day, in the business's time zone.</param>
/// <param name="PreviousScore">The score before; null at the first.</param>
/// <param name="Reasons">What cost points, most first; then what had no data.</param>
/// <param name="Dimensions">The four dimensions.</param>
public sealed record ApiHealth(int Score, string Tier, DateOnly ScoredOn, int? PreviousScore, IReadOnlyList<ApiReason> Reasons, IReadOnlyList<ApiDimension> Dimensions)
{
    internal static ApiHealth? Of(HealthState? health) => health is null ? null : new(
        health.Score, Words.Of(health.Tier), health.ScoredOn, health.PreviousScore,
        [.. health.Reasons.Select(r => new ApiReason(r.Signal, r.Text, r.Impact))],
        [.. health.Dimensions.Select(d => new ApiDimension(Words.Of(d.Dimension), d.Score, d.Weight))]);
}

/// <summary>One reason of a score.</summary>
/// <param name="Signal">The signal's name in the settings.</param>
/// <param name="Text">In words.</param>
/// <param name="Impact">Points it cost, 0 or negative.</param>
public sealed record ApiReason(string Signal, string Text, int Impact);

/// <summary>One dimension of a score.</summary>
/// <param name="Dimension"><c>use, service, commercial, engagement</c>.</param>
/// <param name="Score">0–100; null without data.</param>
/// <param name="Weight">Its share of the score in percent.</param>
public sealed record ApiDimension(string Dimension, double? Score, double Weight);

/// <summary>One customer in a list.</summary>
public record ApiCustomer
{
    /// <summary>Stripe's id.</summary>
    public required string Id { get; init; }

    /// <summary>E-mail address; null where neither the profile nor a checkout gave one.</summary>
    public required string? Email { get; init; }

    /// <summary>Name of the person or the company.</summary>
    public required string? Name { get; init; }

    /// <summary><c>none, trialing, active, past_due, paused, canceled, not_paying</c>.</summary>
    public required string Status { get; init; }

    /// <summary>MRR in the currency in which it is largest; amount 0 where there is none.</summary>
    public required ApiMoney Mrr { get; init; }

    /// <summary>MRR in minor units by currency, above 0 only.</summary>
    public required IReadOnlyDictionary<string, long> MrrByCurrency { get; init; }

    /// <summary>The latest score; null before the first sweep.</summary>
    public required ApiHealth? Health { get; init; }

    /// <summary><c>onboarding, habit, value</c>; null before the first sweep.</summary>
    public required string? Stage { get; init; }

    /// <summary><c>A, B, C</c> among paying customers; null otherwise and before the first sweep.</summary>
    public required string? ValueTier { get; init; }

    /// <summary>The latest sign-in or core use; null where none was ever measured.</summary>
    public required DateTimeOffset? LastSeenAt { get; init; }

    /// <summary>The names of the flows that run for it now.</summary>
    public required IReadOnlyList<string> OpenFlows { get; init; }

    internal static ApiCustomer Of(CustomerLine line) => Fill(line.Customer, line.LastSeenAt);

    internal static ApiCustomer Fill(Customer customer, DateTimeOffset? lastSeenAt)
    {
        var (amount, currency) = CustomerGlance.Of(customer).Largest;
        return new ApiCustomer
        {
            Id = customer.Id,
            Email = customer.Email,
            Name = customer.Name,
            Status = Words.Of(customer.Status),
            Mrr = new ApiMoney(amount, currency),
            MrrByCurrency = customer.Mrr,
            Health = ApiHealth.Of(customer.Health),
            Stage = customer.Health is { } health ? Words.Of(health.Stage) : null,
            ValueTier = customer.ValueTier?.ToString(),
            LastSeenAt = lastSeenAt,
            OpenFlows = [.. customer.OpenRuns.Select(r => r.Flow)],
        };
    }
}

/// <summary>One customer with all that goes with it, which is written after what a list has of it.</summary>
public sealed record ApiCustomerDetail : ApiCustomer
{
    /// <summary>With what a list has of it.</summary>
    [System.Diagnostics.CodeAnalysis.SetsRequiredMembers]
    internal ApiCustomerDetail(CustomerDetail detail) : base(Fill(detail.Customer, detail.LastSeenAt))
    {
        var customer = detail.Customer;
        UnsubscribedAt = customer.Unsubscribed?.At;
        SuppressedAt = customer.Suppressed?.At;
        Subscriptions = [.. customer.Subscriptions.Select(s => new ApiSubscription(
            s.Latest.SubscriptionId, s.Latest.Plan, Words.Of(s.State), new ApiMoney(s.Mrr, s.Latest.Currency), s.Latest.PeriodEndAt, s.EndsAt, s.EndedAt))];
        Flows = [.. detail.Runs.Select(ApiFlow.Of)];
        History = [.. detail.Scores.Select(s => new ApiScore(s.ScoredOn, s.Score, Words.Of(s.Tier)))];
        Ledger = [.. detail.Ledger.Select(m => new ApiMovement(m.At, Words.Of(m.Kind), m.Amount, m.Currency, m.MrrAfter, m.Involuntary))];
    }

    /// <summary>When the customer refused marketing mail.</summary>
    [JsonPropertyOrder(1)]
    public DateTimeOffset? UnsubscribedAt { get; }

    /// <summary>Since when no mail can or may reach the address.</summary>
    [JsonPropertyOrder(1)]
    public DateTimeOffset? SuppressedAt { get; }

    /// <summary>All subscriptions.</summary>
    [JsonPropertyOrder(1)]
    public IReadOnlyList<ApiSubscription> Subscriptions { get; }

    /// <summary>All runs, the latest start first.</summary>
    [JsonPropertyOrder(1)]
    public IReadOnlyList<ApiFlow> Flows { get; }

    /// <summary>The scores of the latest 90 days, newest first.</summary>
    [JsonPropertyOrder(1)]
    public IReadOnlyList<ApiScore> History { get; }

    /// <summary>All MRR movements, in order of time.</summary>
    [JsonPropertyOrder(1)]
    public IReadOnlyList<ApiMovement> Ledger { get; }
}

/// <summary>The score of one day.</summary>
/// <param name="On">The day, in the business's time zone.</param>
/// <param name="Score">0–100.</param>
/// <param name="Tier"><c>healthy, low_risk, medium_risk, high_risk</c>.</param>
public sealed record ApiScore(DateOnly On, int Score, string Tier);

/// <summary>One MRR movement.</summary>
/// <param name="At">When it took effect.</param>
/// <param name="Kind"><c>new, expansion, contraction, churned, reactivation, paused, resumed</c>.</param>
/// <param name="Amount">The change in minor units a month.</param>
/// <param name="Currency">Lower case ISO code.</param>
/// <param name="MrrAfter">The customer's MRR in this currency after it.</param>
/// <param name="Involuntary">Churned because a payment failed.</param>
public sealed record ApiMovement(DateTimeOffset At, string Kind, long Amount, string Currency, long MrrAfter, bool Involuntary);

/// <summary>One subscription.</summary>
/// <param name="Id">Stripe's id.</param>
/// <param name="Plan">The price's nickname, or the product's or plan's name or id.</param>
/// <param name="State"><c>pending, trialing, active, past_due, paused, unpaid, ended</c>.</param>
/// <param name="Mrr">What it counts for now.</param>
/// <param name="PeriodEndAt">Until when it is paid.</param>
/// <param name="EndsAt">It will end then.</param>
/// <param name="EndedAt">It ended then.</param>
public sealed record ApiSubscription(string Id, string? Plan, string State, ApiMoney Mrr, DateTimeOffset? PeriodEndAt, DateTimeOffset? EndsAt, DateTimeOffset? EndedAt);

/// <summary>One run of a flow.</summary>
/// <param name="Customer">The customer's id.</param>
/// <param name="Flow">The flow: <c>win-back</c>, <c>dunning</c>.</param>
/// <param name="Occasion">What it is keyed to: the invoice, or the day of its start.</param>
/// <param name="Status"><c>starting, running, ended</c>.</param>
/// <param name="Outcome">How it ended: <c>completed, paid, returned, paused, canceled, unsubscribed, suppressed, stopped, no_longer_due, payment_failed, held_out</c>; null while it is open.</param>
/// <param name="Preview">It lists what it would send and sends nothing.</param>
/// <param name="StartedAt">When it was started.</param>
/// <param name="DueAt">When it looks again.</param>
/// <param name="EndedAt">When it ended.</param>
/// <param name="Because">Why it was started, in words.</param>
/// <param name="EndedBecause">How it ended, in words.</param>
/// <param name="Sent">The steps that are done, in order.</param>
public sealed record ApiFlow(
    string Customer, string Flow, string Occasion, string Status, string? Outcome, bool Preview,
    DateTimeOffset StartedAt, DateTimeOffset? DueAt, DateTimeOffset? EndedAt, string Because, string? EndedBecause, IReadOnlyList<ApiSentStep> Sent)
{
    internal static ApiFlow Of(Run run) => new(
        run.Id.CustomerId, run.Id.Flow, run.Id.Occasion, Words.Of(run.Status), run.Outcome is { } outcome ? Words.Of(outcome) : null, run.Preview,
        run.StartedAt, run.DueAt, run.EndedAt, run.Because, run.EndedBecause,
        [.. run.Sent.Select(s => new ApiSentStep(s.Step, s.Template, s.At, Words.Of(s.Result), s.DeliveredAt, s.OpenedAt, s.ClickedAt))]);
}

/// <summary>One step of a run that is done.</summary>
/// <param name="Step">From 1.</param>
/// <param name="Template">The template.</param>
/// <param name="At">When.</param>
/// <param name="Result"><c>sending, not_sent, accepted, refused, unknown, previewed</c>.</param>
/// <param name="DeliveredAt">When the customer's mail server took it; left out where the provider does not say.</param>
/// <param name="OpenedAt">When the customer, and no machine, first opened it or clicked in it; left out where that was not seen.</param>
/// <param name="ClickedAt">When the customer, and no machine, first clicked in it; left out where that was not seen.</param>
public sealed record ApiSentStep(int Step, string Template, DateTimeOffset At, string Result,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] DateTimeOffset? DeliveredAt,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] DateTimeOffset? OpenedAt,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] DateTimeOffset? ClickedAt);

/// <summary>A message that could not be handled.</summary>
/// <param name="Id">The id of the message.</param>
/// <param name="Kind"><c>stripe_event, app_event</c>.</param>
/// <param name="Session">The customer or app user whose messages it is in line with.</param>
/// <param name="Reason">What was wrong, where, and what to do.</param>
/// <param name="ReceivedAt">When it came in.</param>
/// <param name="At">When it was given up.</param>
/// <param name="Attempts">How often handling was tried.</param>
public sealed record ApiDeadLetter(string Id, string Kind, string Session, string Reason, DateTimeOffset ReceivedAt, DateTimeOffset At, int Attempts)
{
    internal static ApiDeadLetter Of(DeadLetter letter) =>
        new(letter.Id, Words.Of(letter.Kind), letter.Session, letter.Reason, letter.ReceivedAt, letter.At, letter.Attempts);
}

/// <summary>What a sweep did.</summary>
/// <param name="At">When.</param>
/// <param name="Customers">How many were scored.</param>
/// <param name="Tiers">Of these, how many in each tier: <c>healthy, low_risk, medium_risk, high_risk</c>.</param>
/// <param name="Candidates">For how many win-back was called for.</param>
/// <param name="Started">How many runs were started.</param>
/// <param name="Warning">What the founder should know; null where all is well.</param>
public sealed record ApiSweep(DateTimeOffset At, int Customers, IReadOnlyDictionary<string, int> Tiers, int Candidates, int Started, string? Warning)
{
    internal static ApiSweep Of(SweepResult result) => new(
        result.At, result.Customers, Enum.GetValues<HealthTier>().ToDictionary(tier => Words.Of(tier), tier => result.Tiers.GetValueOrDefault(tier)), result.Candidates, result.Started, result.Warning);
}

/// <summary>How the product itself is.</summary>
/// <param name="Well">Nothing needs anybody.</param>
/// <param name="Version">The version of the program.</param>
/// <param name="Waiting">Messages in the inbox.</param>
/// <param name="OldestWaitingAt">When the oldest of them came in; null where none waits.</param>
/// <param name="DeadLetters">Dead letters; 1,000 means at least so many.</param>
/// <param name="LastSweepAt">The last sweep; null before the first.</param>
/// <param name="NextSweepAt">When the next one is due.</param>
/// <param name="Runs">By state: <c>starting, waiting, stuck, ended</c>; without previews, but for the stuck ones.</param>
/// <param name="Emails">Of the last 30 days by outcome: <c>sending, not_sent, accepted, refused, unknown</c>.</param>
/// <param name="Jobs">Every job.</param>
/// <param name="LastBackupAt">When the newest whole backup was begun; null where there is none.</param>
public sealed record ApiSystem(
    bool Well, string Version, long Waiting, DateTimeOffset? OldestWaitingAt, int DeadLetters, DateTimeOffset? LastSweepAt, DateTimeOffset NextSweepAt,
    IReadOnlyDictionary<string, int> Runs, IReadOnlyDictionary<string, int> Emails, IReadOnlyList<ApiJob> Jobs, DateTimeOffset? LastBackupAt)
{
    internal static ApiSystem Of(SystemState s) => new(
        s.IsWell, s.Version, s.Waiting.Count, s.Waiting.OldestAt, s.DeadLetters, s.Sweep?.At, s.NextSweepAt,
        new Dictionary<string, int> { ["starting"] = s.RunsStarting, ["waiting"] = s.RunsWaiting, ["stuck"] = s.RunsStuck, ["ended"] = s.RunsEnded },
        Enum.GetValues<MailResult>().Where(r => r != MailResult.Previewed).ToDictionary(r => Words.Of(r), r => s.Mails.GetValueOrDefault(r)),
        [.. s.Jobs.Select(j => new ApiJob(j.Name, j.State is null ? "never" : j.State.IsRunning ? "running" : j.State.Failed is null ? "done" : "failed", j.State?.StartedAt, j.State?.DoneAt, j.State?.Failed, j.State?.Share, j.State?.Counts))],
        s.Backups.Count > 0 ? s.Backups[0].At : null);
}

/// <summary>What becomes of figures that are to be counted again.</summary>
/// <param name="State"><c>counting</c>: the job <c>summaries</c> does it; <c>GET /api/v1/system</c> says when it is done.</param>
public sealed record ApiCounting(string State);

/// <summary>What becomes of a customer who is to be erased.</summary>
/// <param name="State"><c>erasing</c>: the job <c>erase</c> does it; <c>GET /api/v1/system</c> says when it is done.</param>
public sealed record ApiErasure(string State);

/// <summary>One job.</summary>
/// <param name="Name">Its name.</param>
/// <param name="State"><c>never, running, done, failed</c>.</param>
/// <param name="StartedAt">When it was last started.</param>
/// <param name="DoneAt">When it was last done to the end.</param>
/// <param name="Failed">Why it failed; null where it did not.</param>
/// <param name="Share">How much is done, 0 to 1, where that is known.</param>
/// <param name="Counts">What it has counted.</param>
public sealed record ApiJob(string Name, string State, DateTimeOffset? StartedAt, DateTimeOffset? DoneAt, string? Failed, double? Share, IReadOnlyDictionary<string, long>? Counts);

/// <summary>How far Stripe's history is read.</summary>
/// <param name="Status"><c>never</c>, <c>running</c>, <c>failed</c> or <c>done</c>.</param>
/// <param name="StartedAt">When it was started last, UTC.</param>
/// <param name="MovedAt">When the last page was read, UTC.</param>
/// <param name="EndedAt">When it was done or failed, UTC; null while it goes on.</param>
/// <param name="Share">How much is read, 0 to 1, roughly.</param>
/// <param name="Counts">What was read, by name.</param>
/// <param name="Failed">Why it could not go on, and what to do.</param>
public sealed record ApiBackfill(string Status, DateTimeOffset? StartedAt, DateTimeOffset? MovedAt, DateTimeOffset? EndedAt, double? Share, IReadOnlyDictionary<string, long> Counts, string? Failed)
{
    internal static ApiBackfill Of(JobState? state) => state is null ? new("never", null, null, null, null, new Dictionary<string, long>(), null)
        : new(state.IsRunning ? "running" : state.Failed is null ? "done" : "failed", state.StartedAt, state.MovedAt, state.EndedAt, state.Share, state.Counts, state.Failed);
}

/// <summary>What became of a stop.</summary>
/// <param name="Stopped">Always true: a run that is not open is answered 404.</param>
public sealed record ApiStopped(bool Stopped);

/// <summary>What became of a dead letter.</summary>
/// <param name="Id">The id of the message.</param>
/// <param name="Result"><c>replayed</c>: it is in the inbox again; <c>dropped</c>: it is forgotten.</param>
public sealed record ApiDeadLetterResult(string Id, string Result);
