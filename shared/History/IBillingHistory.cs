using System.Text.Json;

namespace RetentionFunctions.History;

/// <summary>
/// What Stripe has, as its list API gives it: raw objects, newest first, a page at a time. Reads only. Beside <c>IBilling</c>, which changes things for customers
/// who wait for a page: this one is asked by jobs, has time, and may be given a key that can do nothing else.
/// </summary>
public interface IBillingHistory
{
    /// <summary>One page of a list.</summary>
    /// <exception cref="Links.TransientBillingException">Stripe is down or throttles; the same may be asked again.</exception>
    /// <exception cref="BillingForbiddenException">The key is wrong, or may not read this.</exception>
    Task<BillingPage> ListAsync(BillingQuery query, CancellationToken cancel = default);

    /// <summary>A price, also one that is not offered any more; null where Stripe has none of this id.</summary>
    /// <exception cref="Links.TransientBillingException">As above.</exception>
    /// <exception cref="BillingForbiddenException">As above.</exception>
    Task<JsonElement?> PriceAsync(string priceId, CancellationToken cancel = default);
}

/// <summary>What is listed.</summary>
public enum BillingList
{
    /// <summary>Customers that were not deleted, each with its default card (<c>invoice_settings.default_payment_method</c> as an object).</summary>
    Customers,

    /// <summary>Subscriptions of every status, also those that ended.</summary>
    Subscriptions,

    /// <summary>Invoices.</summary>
    Invoices,

    /// <summary>What is to be settled with a customer's next invoices (<c>invoiceitems</c>, <c>pending</c>): changes of price or quantity within the period that runs.</summary>
    PendingItems,

    /// <summary>Events as they were sent to endpoints. Stripe keeps them for 30 days.</summary>
    Events,
}

/// <summary>Which page of which list.</summary>
/// <param name="List">The list.</param>
public sealed record BillingQuery(BillingList List)
{
    /// <summary>The most that Stripe gives in one page.</summary>
    public const int MaxLimit = 100;

    /// <summary>The id of the last object of the page before; null for the first page.</summary>
    public string? After { get; init; }

    /// <summary>Only what was created at or after this time.</summary>
    public DateTimeOffset? CreatedFrom { get; init; }

    /// <summary>Only invoices of this subscription.</summary>
    public string? SubscriptionId { get; init; }

    /// <summary>Only pending items of this customer.</summary>
    public string? CustomerId { get; init; }

    /// <summary>How many objects at most, 1 to <see cref="MaxLimit"/>.</summary>
    public int Limit { get; init; } = MaxLimit;
}

/// <summary>A page of a list.</summary>
/// <param name="Items">Newest first.</param>
/// <param name="HasMore">There is a page after this one.</param>
/// <param name="AsOf">When it was asked for, by Stripe's own clock, whole seconds: what the page shows is at least as new.</param>
public sealed record BillingPage(IReadOnlyList<JsonElement> Items, bool HasMore, DateTimeOffset AsOf)
{
    /// <summary>The id of the last object; null for an empty page.</summary>
    public string? LastId => Items.Count == 0 ? null : Items[^1].GetProperty("id").GetString();
}

/// <summary>The key is wrong or lacks a permission; trying again would not help until somebody mends it.</summary>
/// <param name="message">What is lacking and what to do, in words for the founder.</param>
public sealed class BillingForbiddenException(string message, Exception? inner = null) : Exception(message, inner);
