using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using RetentionFunctions.Health;
using RetentionFunctions.Local.Demo;
using RetentionFunctions.Storage;
using RetentionFunctions.Telemetry;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.Tests.Cost;

/// <summary>What one kind of thing costs, over all times it happened.</summary>
/// <param name="Times">How often it happened.</param>
/// <param name="Sum">All of them together.</param>
/// <param name="Each">The table requests of each, where each was counted by itself.</param>
internal sealed record Cost(int Times, Operations Sum, IReadOnlyList<long> Each)
{
    public static Cost Nothing { get; } = new(0, default, []);

    /// <summary>Table requests, on average.</summary>
    public double Tables => Times == 0 ? 0 : Sum.Tables / (double)Times;

    /// <summary>Queue operations, on average.</summary>
    public double Queue => Times == 0 ? 0 : Sum.Queue / (double)Times;

    /// <summary>The most table requests of one.</summary>
    public long Most => Each.Max();

    /// <summary>The table requests of the one in the middle: what it usually is, without the few that start or wake a flow.</summary>
    public long Usual => Each.Order().ElementAt(Each.Count / 2);

    public Cost With(Operations operations, int times = 1) => new(Times + times, Sum + operations, [.. Each, operations.Tables]);

    public static Cost operator +(Cost a, Cost b) => new(a.Times + b.Times, a.Sum + b.Sum, [.. a.Each, .. b.Each]);
}

/// <summary>
/// Hundred days of a small demo company, told to a local host through its doors one event at a time, with everything that the real code asked of its ports. The people and what
/// they do are those of the demo; nobody presses a link, so that every failed payment takes its course.
/// </summary>
internal sealed class CountedStory
{
    /// <summary>The sweep reads three ranges of a bucket in which there are customers: themselves, their activity, their invoices.</summary>
    public const int ReadsOfBucket = 3;

    private const int Customers = 10;
    private const int Days = 100;

    // So few people that some seeds have nobody whose card fails.
    private const ulong Seed = 38;

    // What the app sends is alike every day.
    private const int UseEveryDays = 5;
    private static readonly DateTimeOffset Start = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private static readonly Lazy<Task<CountedStory>> Once = new(TellAsync);

    /// <summary>The whole story, told once for all tests.</summary>
    public static Task<CountedStory> ToldAsync() => Once.Value;

    /// <summary>By type of Stripe event, door and handling together, with the flows that it starts and wakes but without their looks.</summary>
    public SortedDictionary<string, Cost> Stripe { get; } = new(StringComparer.Ordinal);

    /// <summary>App events that come alone in their request.</summary>
    public Cost Alone { get; private set; } = Cost.Nothing;

    /// <summary>Requests with several app events of one user.</summary>
    public Cost Batch { get; private set; } = Cost.Nothing;

    /// <summary>App events in those.</summary>
    public int BatchEvents { get; private set; }

    /// <summary>A user says who it is (identify), which may tie it to a customer.</summary>
    public Cost Identify { get; private set; } = Cost.Nothing;

    /// <summary>One thing that the mail provider reports.</summary>
    public Cost Mail { get; private set; } = Cost.Nothing;

    /// <summary>Looks at a run, with and without an e-mail.</summary>
    public Cost Look { get; private set; } = Cost.Nothing;

    /// <summary>Buckets with customers, of all sweeps.</summary>
    public Cost Bucket { get; private set; } = Cost.Nothing;

    /// <summary>Customers swept.</summary>
    public int Swept { get; private set; }

    /// <summary>What a sweep does beside the buckets, without the thresholds of the value tiers: starting win-back, keeping the result.</summary>
    public Cost SweepEnd { get; private set; } = Cost.Nothing;

    /// <summary>A Stripe event of the whole mix.</summary>
    public Cost StripeMean => Stripe.Values.Aggregate(Cost.Nothing, (all, one) => all + one);

    /// <summary>Table requests of a sweep for each customer, beside the reads of its bucket.</summary>
    public double SweptTables => (Bucket.Sum.Tables - (ReadsOfBucket * Bucket.Times)) / (double)Swept;

    /// <summary>By page.</summary>
    public SortedDictionary<string, Cost> Pages { get; } = new(StringComparer.Ordinal);

    private static async Task<CountedStory> TellAsync()
    {
        var told = new CountedStory();
        using var meter = new OperationMeter();
        await using var host = await TestHost.StartAsync(Start.ToString("O", CultureInfo.InvariantCulture), services: meter.Watch);
        await told.LiveAsync(host, meter);
        return told;
    }

    private async Task LiveAsync(TestHost host, OperationMeter meter)
    {
        var company = new DemoCompany(new DemoYear(Customers, Days, Seed, Start));
        for (var stop = Start + DemoPlayer.Stop; stop <= Start.AddDays(Days); stop += DemoPlayer.Stop)
        {
            await host.AdvanceToAsync(stop);
            TakeAdvance(meter);
            foreach (var told in company.Until(stop).OfType<DemoStep.Tells>().SelectMany(t => t.Events))
            {
                Assert.Equal(HttpStatusCode.OK, (await host.SendStripeAsync(Encoding.UTF8.GetString(told.Body.Span))).StatusCode);
                await host.SettleAsync();
                var took = TakeEvent(meter);
                if (took != default) Stripe[told.Type] = Stripe.GetValueOrDefault(told.Type, Cost.Nothing).With(took);
            }
            if (stop.TimeOfDay != TimeSpan.Zero) continue;
            var day = DateOnly.FromDateTime(stop.UtcDateTime).AddDays(-1);
            var use = company.AppEvents(day);
            await UseAsync(host, meter, day.DayNumber % UseEveryDays == 0 ? use : [.. use.Where(e => e.Name is null)]);
        }
        await ReportAsync(host, meter);
        await LookAtPagesAsync(host, meter);
        Swept = (await host.Tables().ListAsync<SweepResult>(Keys.Sweeps)).Sum(s => s.Customers);
    }

    private async Task UseAsync(TestHost host, OperationMeter meter, IReadOnlyList<DemoAppEvent> use)
    {
        foreach (var own in use.GroupBy(e => (e.UserId, e.Name is null)))
        {
            var first = await SendAsync(host, meter, [own.First()]);
            if (own.Key.Item2) Identify = Identify.With(first);
            else Alone = Alone.With(first);
            if (own.Skip(1).ToArray() is not { Length: > 0 } rest) continue;
            Batch = Batch.With(await SendAsync(host, meter, rest));
            BatchEvents += rest.Length;
        }
    }

    private async Task<Operations> SendAsync(TestHost host, OperationMeter meter, IReadOnlyList<DemoAppEvent> events)
    {
        foreach (var body in DemoUse.Batches(events, 256 * 1024))
            Assert.Equal(HttpStatusCode.OK, (await host.SendAppAsync("batch", Encoding.UTF8.GetString(body))).StatusCode);
        await host.SettleAsync();
        return TakeEvent(meter);
    }

    private async Task ReportAsync(TestHost host, OperationMeter meter)
    {
        foreach (var mail in await host.OutboxAsync())
            foreach (var happened in (string[])["delivered", "open"])
            {
                var answer = await host.Http.PostAsync("/local/mail-events", new StringContent(new JsonObject { ["id"] = (string)mail["id"]!, ["event"] = happened }.ToJsonString(), Encoding.UTF8, "application/json"));
                Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
                await host.SettleAsync();
                Mail = Mail.With(TakeEvent(meter));
            }
    }

    private async Task LookAtPagesAsync(TestHost host, OperationMeter meter)
    {
        var mail = (await host.OutboxAsync())[^1];
        var link = new Uri((string)mail["links"]!.AsObject().First().Value!).AbsolutePath;
        string[] pages =
        [
            "/", "/customers", "/customers/{id}", "/runs", "/flows", "/settings", "/dead-letters", "/outbox", "/l/{token}",
            "/api/v1/customers", "/api/v1/customers/{id}", "/api/v1/flows", "/api/v1/dead-letters", "/api/v1/counters",
        ];
        foreach (var page in pages)
        {
            var path = page == "/l/{token}" ? link : page.Replace("{id}", (string)mail["customerId"]!, StringComparison.Ordinal);
            meter.Take();
            var answer = await host.Http.GetAsync(path);
            Assert.True((int)answer.StatusCode < 400, $"{path}: {answer.StatusCode}");
            Pages[page] = Cost.Nothing.With(TakeEvent(meter));
        }
    }

    // Looks that an event brings about are counted as looks.
    private Operations TakeEvent(OperationMeter meter)
    {
        var taken = meter.Take();
        Looked(taken);
        return Of(taken, OperationMeter.Outside) + Of(taken, RetentionTelemetry.HandleSpan);
    }

    private void TakeAdvance(OperationMeter meter)
    {
        var taken = meter.Take();
        Looked(taken);
        if (!taken.TryGetValue(RetentionTelemetry.BucketSpan, out var buckets)) return;
        Bucket = Bucket.With(buckets.Operations, buckets.Spans);
        // The thresholds of the value tiers are one query for each bucket.
        SweepEnd = SweepEnd.With(Of(taken, OperationMeter.Outside) with { Tables = Of(taken, OperationMeter.Outside).Tables - buckets.Spans });
    }

    private void Looked(IReadOnlyDictionary<string, (Operations Operations, int Spans)> taken)
    {
        if (taken.TryGetValue(RetentionTelemetry.AdvanceSpan, out var looks)) Look = Look.With(looks.Operations, looks.Spans);
    }

    private static Operations Of(IReadOnlyDictionary<string, (Operations Operations, int Spans)> taken, string span) => taken.GetValueOrDefault(span).Operations;
}
