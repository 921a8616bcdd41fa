using System.Text.Json.Serialization;
using RetentionFunctions.Customers;
using RetentionFunctions.Health;

namespace RetentionFunctions.Web;

/// <summary>
/// What is read of every customer to count, search and sort all of them: a row says several times as much, and of a hundred thousand all of it would take a gigabyte.
/// Whoever is shown is then read whole. Its properties are those of <see cref="Customer"/> and its parts, by name.
/// </summary>
public sealed record CustomerGlance
{
    /// <summary>Stripe's id, or an app user's.</summary>
    public required string Id { get; init; }

    /// <summary>What is read of the profile.</summary>
    public GlanceProfile Profile { get; init; } = new();

    /// <summary>The address of the latest checkout or invoice.</summary>
    public string? BillingEmail { get; init; }

    /// <summary>What is read of what the app said.</summary>
    public GlanceApp? App { get; init; }

    /// <summary>MRR in minor units by currency, above 0 only.</summary>
    public IReadOnlyDictionary<string, long> Mrr { get; init; } = new Dictionary<string, long>();

    /// <summary>What the customer is.</summary>
    public CustomerStatus Status { get; init; }

    /// <summary>The latest score; null before the first sweep.</summary>
    public GlanceHealth? Health { get; init; }

    /// <summary>Invoices with a failed payment that are still open.</summary>
    public IReadOnlyList<string> FailingInvoices { get; init; } = [];

    /// <summary>What is read of the subscriptions.</summary>
    public IReadOnlyList<GlanceSubscription> Subscriptions { get; init; } = [];

    /// <summary><see cref="Customer.Email"/>.</summary>
    [JsonIgnore]
    public string? Email => CustomerNaming.Email(Profile.Email, BillingEmail);

    /// <summary><see cref="Customer.Name"/>.</summary>
    [JsonIgnore]
    public string? Name => CustomerNaming.Name(Profile.Name, App?.Name);

    /// <summary><see cref="Customer.Called"/>.</summary>
    [JsonIgnore]
    public string Called => CustomerNaming.Called(Name, Email, Id);

    /// <summary><see cref="Customer.IsCurrent"/>.</summary>
    [JsonIgnore]
    public bool IsCurrent => Status.IsCurrent();

    /// <summary>The currency with the largest MRR, in minor units; where there is none, 0 in the currency last billed in.</summary>
    [JsonIgnore]
    public (long Amount, string? Currency) Largest =>
        // Nearly everybody pays in one: this is asked of all of them.
        Mrr.Count == 1 ? Mrr.Select(m => (m.Value, (string?)m.Key)).First()
        : Mrr.Count > 1
            ? Mrr.OrderByDescending(m => m.Value).ThenBy(m => m.Key, StringComparer.Ordinal).Select(m => (m.Value, (string?)m.Key)).First()
            : (0, Subscriptions.Count > 0 ? Subscriptions[^1].Latest?.Currency : Profile.Currency);

    /// <summary>Risk × MRR of who is still with us: MRR in minor units times the points that lack of a health of 100, in hundredths. 0 for who was never scored.</summary>
    [JsonIgnore]
    public long MrrAtRisk => IsCurrent && Health is { } health ? Largest.Amount * (100 - health.Score) / 100 : 0;

    /// <summary>Of a customer who is at hand.</summary>
    public static CustomerGlance Of(Customer customer) => new()
    {
        Id = customer.Id,
        Profile = new GlanceProfile(customer.Profile.Email, customer.Profile.Name, customer.Profile.Currency),
        BillingEmail = customer.BillingEmail,
        App = customer.App is { } app ? new GlanceApp(app.Name) : null,
        Mrr = customer.Mrr,
        Status = customer.Status,
        Health = customer.Health is { } health ? new GlanceHealth(health.Score, health.Tier) : null,
        FailingInvoices = customer.FailingInvoices,
        Subscriptions = [.. customer.Subscriptions.Select(s => new GlanceSubscription(new GlanceSnapshot(s.Latest.Currency)))],
    };
}

/// <summary>Of <see cref="StripeProfile"/>.</summary>
/// <param name="Email">The address.</param>
/// <param name="Name">The name.</param>
/// <param name="Currency">Lower case ISO code.</param>
public sealed record GlanceProfile(string? Email = null, string? Name = null, string? Currency = null);

/// <summary>Of <see cref="AppTraits"/>.</summary>
/// <param name="Name">The user's name.</param>
public sealed record GlanceApp(string? Name);

/// <summary>Of <see cref="HealthState"/>.</summary>
/// <param name="Score">0–100; 100 is best.</param>
/// <param name="Tier">The tier of the score.</param>
public sealed record GlanceHealth(int Score, HealthTier Tier);

/// <summary>Of <see cref="Subscription"/>.</summary>
/// <param name="Latest">As it stands.</param>
public sealed record GlanceSubscription(GlanceSnapshot? Latest);

/// <summary>Of <see cref="SubscriptionSnapshot"/>.</summary>
/// <param name="Currency">Lower case ISO code.</param>
public sealed record GlanceSnapshot(string? Currency);
