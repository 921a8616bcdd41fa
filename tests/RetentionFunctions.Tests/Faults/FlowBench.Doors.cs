using System.Text;
using System.Text.Json.Nodes;
using RetentionFunctions.Erasure;
using RetentionFunctions.Health;
using RetentionFunctions.Import;
using RetentionFunctions.Intake;
using RetentionFunctions.Intake.App;
using RetentionFunctions.Intake.Mail;
using RetentionFunctions.Intake.Stripe;
using RetentionFunctions.Jobs;
using RetentionFunctions.Storage;

namespace RetentionFunctions.Tests.Faults;

// What comes in from outside. Whoever gets no answer asks again.
internal sealed partial class FlowBench
{
    /// <summary>Stripe sends events, again where nobody answered, and everything that follows happens.</summary>
    public async Task StripeAsync(params IEnumerable<JsonObject> events)
    {
        foreach (var e in events) await StripeAsync(Encoding.UTF8.GetBytes(e.ToJsonString()));
        await SettleAsync();
    }

    /// <summary>One event as it comes; nothing is handled yet.</summary>
    public Task StripeAsync(ReadOnlyMemory<byte> body)
    {
        var envelope = StripeEnvelope.Read(body);
        return RetryAsync(async () =>
        {
            if (!await Room<StripeMode>().TakesAsync(envelope.Livemode)) return;
            await Room<IInbox>().EnqueueAsync([await Room<BodyStore>().FitAsync(new InboxMessage(envelope.Session, envelope.Id, MessageKind.StripeEvent, body, Now))]);
        });
    }

    /// <summary>A user of the app does something, or says something.</summary>
    public Task AppAsync(string user, string? name, DateTimeOffset? at = null, string? traits = null) => AppAsync(Item(user, name, at, traits));

    /// <summary>One request with what users did.</summary>
    public async Task AppAsync(params IEnumerable<AppEvent> items)
    {
        await RetryAsync(() => Room<IInbox>().EnqueueAsync(AppMessages.Of(items, Now)));
        await SettleAsync();
    }

    /// <summary>One request as an SDK of Segment's sends it, again where nobody answered.</summary>
    public Task SegmentAsync(SegmentCall call, JsonObject body)
    {
        var read = SegmentReader.Read(call, Encoding.UTF8.GetBytes(body.ToJsonString()), Now, "a request");
        Assert.Empty(read.Rejected);
        return AppAsync(read.Accepted);
    }

    /// <summary>The mail provider reports, again where nobody answered.</summary>
    public async Task MailAsync(ReadOnlyMemory<byte> body)
    {
        var request = MailMessages.Of(body, Now);
        Assert.Equal(0, request.Unknown);
        await RetryAsync(() => Room<IInbox>().EnqueueAsync(request.Messages));
        await SettleAsync();
    }

    /// <summary>What is done every night, over the buckets in which anybody of the story stands: the sweep, then the jobs.</summary>
    public async Task NightAsync(params string[] ids)
    {
        await RetryAsync(async () =>
        {
            await SweepNowAsync(ids);
            await Room<Nightly>().StartAsync(DailySweep.Day(Now, Settings));
        });
        await SettleAsync();
        await NudgeAsync();
    }

    /// <summary>The founder starts a job, again where an error page came.</summary>
    public async Task StartAsync(string job, string occasion)
    {
        await RetryAsync(() => Room<JobRunner>().StartAsync(job, occasion));
        await SettleAsync();
        await NudgeAsync();
    }

    /// <summary>The founder has a customer erased, again where an error page came.</summary>
    public async Task EraseAsync(string customer)
    {
        await RetryAsync(() => Room<CustomerErasure>().BeginAsync(customer));
        await SettleAsync();
        await NudgeAsync();
    }

    /// <summary>The founder gives a file of customers and sees what it would write, again where an error page came.</summary>
    /// <returns>By what it is confirmed.</returns>
    public async Task<string> CheckFileAsync(string csv)
    {
        ImportSummary? summary = null;
        await RetryAsync(async () =>
        {
            var (reading, kept) = (await Room<Imports>().KeepAsync(Encoding.UTF8.GetBytes(csv)))!.Value;
            Assert.Empty(reading.Problems);
            summary = kept;
        });
        return summary!.Id;
    }

    /// <summary>The founder says that a file shall be written, again where an error page came.</summary>
    public async Task ConfirmFileAsync(string id)
    {
        await RetryAsync(() => Room<Imports>().StartAsync(id));
        await SettleAsync();
        await NudgeAsync();
    }

    /// <summary>The founder puts a dead letter back, or drops it.</summary>
    public async Task LetterAsync(string id, bool replay)
    {
        await RetryAsync(() => replay ? Room<DeadLetters>().ReplayAsync(id) : Room<DeadLetters>().DropAsync(id));
        await SettleAsync();
    }

    /// <summary>What the timer does of which every host has one: jobs that stand still go on. As of the same moment, so that the ends of two stories can be compared to the second.</summary>
    public async Task NudgeAsync()
    {
        var now = Clock.Now;
        Clock.Now += JobRunner.Stuck;
        await RetryAsync(() => Room<JobRunner>().NudgeAsync());
        Clock.Now = now;
        await SettleAsync();
    }

    /// <summary>The daily sweep as a host does it that fans out: each bucket for itself, and the end of it from what they answered, however often it is asked for.</summary>
    public async Task SweepInPartsAsync(params string[] ids)
    {
        var buckets = new List<BucketResult>();
        var now = Now;
        foreach (var bucket in ids.Select(Keys.Bucket).Distinct())
        {
            BucketResult? result = null;
            await RetryAsync(async () => result = await Room<DailySweep>().BucketAsync(bucket, Tiers(), now));
            buckets.Add(result!);
        }
        await RetryAsync(() => Room<DailySweep>().FinishAsync(buckets, now));
        await SettleAsync();
    }

    private async Task SweepNowAsync(IEnumerable<string> ids)
    {
        var buckets = new List<BucketResult>();
        foreach (var bucket in ids.Select(Keys.Bucket).Distinct()) buckets.Add(await Room<DailySweep>().BucketAsync(bucket, Tiers(), Now));
        await Room<DailySweep>().FinishAsync(buckets, Now);
    }

    private ValueTierThresholds Tiers() => ValueTierThresholds.Of(Enumerable.Repeat(("usd", 4900L), 10), Settings.Customers);
}
