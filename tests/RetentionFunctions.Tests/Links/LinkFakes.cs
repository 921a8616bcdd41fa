using Microsoft.AspNetCore.DataProtection;
using RetentionFunctions.Customers;
using RetentionFunctions.Flows;
using RetentionFunctions.Links;
using RetentionFunctions.Settings;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.Tests.Links;

/// <summary>Billing that remembers its calls and, as Stripe does, does a thing once per key.</summary>
internal sealed class FakeBilling : IBilling
{
    public List<string> Calls { get; } = [];

    public HashSet<string> Keys { get; } = [];

    public BillingResult Answer { get; set; } = new BillingResult.Done();

    public bool Down { get; set; }

    public Task<BillingResult> PauseAsync(string customerId, string subscriptionId, DateTimeOffset resumesAt, string idempotencyKey, CancellationToken cancel = default) =>
        DoAsync($"pause {customerId} {subscriptionId} {resumesAt:yyyy-MM-dd HH:mm}", idempotencyKey);

    public Task<BillingResult> ResumeAsync(string customerId, string subscriptionId, string idempotencyKey, CancellationToken cancel = default) =>
        DoAsync($"resume {customerId} {subscriptionId}", idempotencyKey);

    public Task<Uri> PaymentPageAsync(string customerId, string? invoiceId, Uri returnUrl, CancellationToken cancel = default) =>
        Down ? throw new TransientBillingException("down") : Task.FromResult(new Uri($"https://pay.stripe.example/{customerId}/{invoiceId}?back={Uri.EscapeDataString(returnUrl.AbsoluteUri)}"));

    private Task<BillingResult> DoAsync(string call, string key)
    {
        if (Down) throw new TransientBillingException("down");
        if (Keys.Add(key)) Calls.Add(call);
        return Task.FromResult(Answer);
    }
}

/// <summary>An engine that is never asked anything here.</summary>
internal sealed class IdleEngine : IFlowEngine
{
    public Task StartAsync(RunId run, CancellationToken cancel = default) => Task.CompletedTask;

    public Task WakeAsync(RunId run, CancellationToken cancel = default) => Task.CompletedTask;
}

/// <summary>All that the links need, in memory.</summary>
internal sealed class LinkBench
{
    public static readonly DateTimeOffset Start = new(2026, 3, 3, 9, 30, 0, TimeSpan.Zero);

    public LinkBench()
    {
        Tokens = new LinkTokens(new EphemeralDataProtectionProvider(), Clock);
        Actions = new LinkActions(Tables, Billing, Flows(), Clock, Settings);
        Builder = new LinkBuilder(Tokens, () => PublicUrl);
    }

    public StandingClock Clock { get; } = new(Start);

    public FakeTables Tables { get; } = new();

    public FakeBilling Billing { get; } = new();

    public RetentionSettings Settings { get; } = new() { Product = new() { Name = "Papertrail", Url = "https://app.papertrail.example/home" } };

    public Uri PublicUrl { get; set; } = new("https://hello.papertrail.example");

    public LinkTokens Tokens { get; }

    public LinkActions Actions { get; }

    public LinkBuilder Builder { get; }

    // The one place that knows how flows are put together.
    private FlowDispatch Flows() => new(Tables, new IdleEngine(), Settings, Clock);

    public LinkClaims Claims(LinkPurpose purpose, string? subject = null) => new()
    {
        CustomerId = "cus_ada",
        Purpose = purpose,
        Flow = purpose == LinkPurpose.Pay ? "dunning" : "win-back",
        Occasion = purpose == LinkPurpose.Pay ? "in_1" : "2026-03-03",
        Step = 4,
        Subject = subject,
        ExpiresAt = Start + LinkTokens.Lifetime(purpose),
    };

    public static Subscription Subscription(string id = "sub_1", SubscriptionState state = SubscriptionState.Active, string interval = "month", int count = 1, string? pause = null, DateTimeOffset? resumesAt = null, DateTimeOffset? seenAt = null) => new()
    {
        Mrr = 2900,
        State = state,
        Latest = new SubscriptionSnapshot
        {
            SubscriptionId = id,
            Stamp = Stamp.Of(seenAt ?? Start.AddDays(-100), "evt_1", "customer.subscription.updated"),
            Status = state == SubscriptionState.Ended ? "canceled" : "active",
            Mrr = 2900,
            Currency = "usd",
            Interval = interval,
            IntervalCount = count,
            CreatedAt = Start.AddDays(-300),
            PauseBehavior = pause,
            PauseResumesAt = resumesAt,
        },
    };

    public static Customer Ada(params Subscription[] subscriptions) => new()
    {
        Id = "cus_ada",
        Profile = new StripeProfile { Email = "ada@lumen.example", TimeZone = "America/New_York" },
        Card = new Card("visa", "4242", 8, 2027),
        Subscriptions = subscriptions.Length == 0 ? [Subscription()] : subscriptions,
    };
}
