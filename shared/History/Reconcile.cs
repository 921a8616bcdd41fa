using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Logging;
using RetentionFunctions.Backup;
using RetentionFunctions.Customers;
using RetentionFunctions.Intake;
using RetentionFunctions.Intake.Stripe;
using RetentionFunctions.Jobs;
using RetentionFunctions.Storage;

namespace RetentionFunctions.History;

/// <summary>
/// Every night: what did we miss? First the events of the last three days, or of all days since the last night that this was done, at most the thirty that Stripe keeps
/// them, and after a restore of those since the backup: those that never arrived are put into the inbox as they are. Then every subscription is compared with ours; where Stripe has it otherwise, it is put right
/// as of now. So an outage of up to a month loses nothing, and a longer one only the moments between.
/// </summary>
public sealed partial class Reconcile(IBillingHistory billing, IInbox inbox, BodyStore bodies, StripeIntake stripe, StripeHistory history, StripeMode mode, ITables tables, TimeProvider clock, ILogger<Reconcile> log) : INightlyJob
{
    /// <summary>The name of the job.</summary>
    public const string JobName = "reconcile";

    /// <summary>How far back events are looked at each night: as long as Stripe tries to deliver (docs.stripe.com/webhooks, "for up to three days").</summary>
    public static readonly TimeSpan LookBack = TimeSpan.FromDays(3);

    // Whose events were fed: their subscriptions look different until those are handled. Some are enough; they only keep the count from being too high.
    private const int FedKept = 300;

    /// <inheritdoc/>
    public string Name => JobName;

    /// <inheritdoc/>
    public async Task<JobStep> StepAsync(JobState state, CancellationToken cancel)
    {
        var list = (BillingList)((int?)state.Cursor?["list"] ?? (int)BillingList.Events);
        var fed = (state.Cursor?["fed"] as JsonArray)?.Select(f => (string)f!).ToHashSet(StringComparer.Ordinal) ?? [];
        var counts = new Dictionary<string, long>(state.Counts, StringComparer.Ordinal);
        BillingPage page;
        try
        {
            page = await billing.ListAsync(new BillingQuery(list) { After = (string?)state.Cursor?["after"], CreatedFrom = list == BillingList.Events ? Since(state, await RestoredAsync(state, cancel)) : null }, cancel);
        }
        catch (BillingForbiddenException e)
        {
            throw new JobFailedException(e.Message, e);
        }
        var messages = list == BillingList.Events ? await EventsAsync(state, page, fed, counts, cancel) : await SubscriptionsAsync(state, page, fed, counts, cancel);
        var fitting = new List<InboxMessage>(messages.Count);
        foreach (var message in messages) fitting.Add(await bodies.FitAsync(message, cancel));
        if (fitting.Count > 0) await inbox.EnqueueAsync(fitting, cancel);

        if (!page.HasMore && list == BillingList.Subscriptions)
        {
            var (missed, corrected) = (counts.GetValueOrDefault("missed events"), counts.GetValueOrDefault("different subscriptions"));
            if (missed + corrected > 0) Log.Missed(log, missed, corrected);
            return new JobStep(null, counts);
        }
        return new JobStep(new JsonObject
        {
            ["list"] = (int)(page.HasMore ? list : BillingList.Subscriptions),
            ["after"] = page.HasMore ? page.LastId : null,
            ["fed"] = new JsonArray([.. fed.Take(FedKept).Select(f => JsonValue.Create(f))]),
        }, counts, list == BillingList.Events ? null : .5);
    }

    // An hour more, as an event may have been made just before the last time and been on its way.
    private static DateTimeOffset Since(JobState state, DateTimeOffset? restored)
    {
        var since = state.StartedAt - LookBack;
        if (state.DoneAt is { } done && done.AddHours(-1) < since) since = done.AddHours(-1);
        if (restored is { } backup && backup.AddHours(-1) < since) since = backup.AddHours(-1);
        return since > state.StartedAt - Backfill.EventsKept ? since : state.StartedAt - Backfill.EventsKept;
    }

    // Since the tables were put back to a backup nothing of after that backup is known, however many nights had looked at it: when it was begun, where no night
    // has been done well after that: one that ended soon after may have looked before.
    private async Task<DateTimeOffset?> RestoredAsync(JobState state, CancellationToken cancel) =>
        await tables.GetAsync<JobState>(Keys.Job(RestoreJob.JobName), cancel) is { Value: { } restore } && (restore.EndedAt is not { } ended || ended.AddDays(1) >= state.DoneAt)
            ? BackupJob.StartedAt(RestoreJob.BackupOf(restore.Occasion)) : null;

    private static DateTimeOffset? Ended(JsonElement subscription) => new StripeObject(subscription, "$.subscription").Time("ended_at");

    private async Task<List<InboxMessage>> EventsAsync(JobState state, BillingPage page, HashSet<string> fed, Dictionary<string, long> counts, CancellationToken cancel)
    {
        var messages = new List<InboxMessage>();
        foreach (var e in page.Items)
        {
            var body = JsonSerializer.SerializeToUtf8Bytes(e);
            var envelope = StripeEnvelope.Read(body);
            if (!StripeReader.Handles(envelope.Type) || !await mode.TakesAsync(envelope.Livemode, cancel)) continue;
            Add(counts, "events", 1);
            if (await stripe.KnowsAsync(envelope.Id, body, cancel)) continue;
            Add(counts, "missed events", 1);
            fed.Add(envelope.Session);
            // The first night looks back to before anybody listened: what is from then starts nothing.
            messages.Add(state.DoneAt is null
                ? new InboxMessage(envelope.Session, $"{ListedInvoice.IdPrefix}{state.Occasion}:{envelope.Id}", MessageKind.StripeHistory, StripeHistory.OfEvent(e, page.AsOf), clock.GetUtcNow())
                : new InboxMessage(envelope.Session, envelope.Id, MessageKind.StripeEvent, body, clock.GetUtcNow()) { Replay = $"reconcile {state.Occasion}" });
        }
        return messages;
    }

    private async Task<List<InboxMessage>> SubscriptionsAsync(JobState state, BillingPage page, HashSet<string> fed, Dictionary<string, long> counts, CancellationToken cancel)
    {
        var messages = new List<InboxMessage>();
        var customers = new Dictionary<string, Customer?>(StringComparer.Ordinal);
        var imported = await tables.GetAsync<JobState>(Keys.Job(Backfill.JobName), cancel) is { Value.DoneAt: not null };
        foreach (var subscription in page.Items)
        {
            if (!await mode.TakesAsync(subscription.GetProperty("livemode").GetBoolean(), cancel)) continue;
            Add(counts, "subscriptions", 1);
            var customerId = StripeHistory.CustomerOf(subscription);
            if (!customers.TryGetValue(customerId, out var customer)) customers[customerId] = customer = (await tables.GetAsync<Customer>(Keys.Customer(customerId), cancel))?.Value;
            var id = subscription.GetProperty("id").GetString()!;
            if (customer?.Subscriptions.FirstOrDefault(s => s.Latest.SubscriptionId == id) is { } known)
            {
                if (!history.Differs(known.Latest, subscription, page.AsOf)) continue;
            }
            else if (customer is null && await stripe.IsOfErasedAsync(customerId, Ended(subscription) ?? page.AsOf, cancel))
            {
                continue;
            }
            else if (!imported && !(state.DoneAt is { } done && DateTimeOffset.FromUnixTimeSeconds(subscription.GetProperty("created").GetInt64()) >= done - LookBack))
            {
                // From before anybody listened: the backfill's, when the founder wants it.
                Add(counts, "not imported", 1);
                continue;
            }
            if (!fed.Contains(customerId)) Add(counts, "different subscriptions", 1);
            messages.Add(new InboxMessage(customerId, $"listed:{state.Occasion}:{id}", MessageKind.StripeHistory, StripeHistory.OfDifference(subscription, page.AsOf), clock.GetUtcNow()));
        }
        return messages;
    }

    private static void Add(Dictionary<string, long> counts, string name, long by) => counts[name] = counts.GetValueOrDefault(name) + by;

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Warning, Message = "{Events} events from Stripe had not arrived and are handled now; {Subscriptions} subscriptions were otherwise than known and are put right. If this goes on, look at the endpoint in Stripe's dashboard")]
        public static partial void Missed(ILogger log, long events, long subscriptions);
    }
}
