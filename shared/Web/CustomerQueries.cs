using System.Collections.Concurrent;
using RetentionFunctions.Customers;
using RetentionFunctions.Email;
using RetentionFunctions.Flows;
using RetentionFunctions.Health;
using RetentionFunctions.Storage;

namespace RetentionFunctions.Web;

/// <summary>
/// What the pages and the JSON API read. From stored rows only: nothing is computed here that a row already says. A list walks the
/// <c>customer|</c> range of all 256 buckets; that is one small query each, and the sum is what one table of all customers would cost.
/// </summary>
public sealed class CustomerQueries(ITables tables)
{
    // Enough to hide the way to Azure's tables, few enough not to be throttled.
    private const int BucketsAtOnce = 16;

    private static readonly string[] MailSteps = ["processed", "delivered", "open", "click"];

    /// <summary>Every customer, in no order. App users not yet tied to a customer are not customers.</summary>
    public Task<IReadOnlyList<Customer>> AllAsync(CancellationToken cancel = default) =>
        OfAllBucketsAsync<Customer>(Keys.Customers, customer => !customer.IsUntiedUser, cancel);

    /// <summary>One page of customers.</summary>
    /// <returns>Null where <see cref="CustomerFilter.After"/> names nobody.</returns>
    public async Task<CustomerList?> ListAsync(CustomerFilter filter, CancellationToken cancel = default)
    {
        var all = await AllAsync(cancel);
        if (Select(all, filter) is not var (matches, page)) return null;
        var seen = await Task.WhenAll(page.Select(customer => LastSeenAsync(customer.Id, cancel)));
        return new CustomerList(
            [.. page.Zip(seen, (customer, at) => new CustomerLine(customer, at))],
            page.Count > 0 && Comparer(filter.Sort).Compare(page[^1], matches[^1]) < 0 ? page[^1].Id : null,
            matches.Count, all.Count, TierCounts(all));
    }

    /// <summary>Everything about one customer; null where there is none.</summary>
    public async Task<CustomerDetail?> GetAsync(string id, CancellationToken cancel = default)
    {
        if (await tables.GetAsync<Customer>(Keys.Customer(id), cancel) is not { Value: { IsUntiedUser: false } customer }) return null;
        // That an e-mail was delivered, opened or clicked in stands on its own row; without those of machines.
        var events = (await tables.ListAsync<EventMarker>(Keys.Events(id), cancel)).FindAll(e => !e.FromMail || !MailSteps.Contains(e.Type));
        return new CustomerDetail
        {
            Customer = customer,
            LastSeenAt = await LastSeenAsync(id, cancel),
            Invoices = [.. (await tables.ListAsync<Invoice>(Keys.Invoices(id), cancel)).OrderByDescending(i => i.Latest?.CreatedAt).ThenBy(i => i.Id, StringComparer.Ordinal)],
            Runs = await RunsAsync(id, cancel),
            Mails = [.. (await tables.ListAsync<MailRecord>(Keys.Mails(id), cancel)).OrderByDescending(m => m.At).ThenBy(m => m.Id, StringComparer.Ordinal)],
            Notes = [.. (await tables.ListAsync<Note>(Keys.Notes(id), cancel)).OrderByDescending(n => n.At).ThenBy(n => n.Id, StringComparer.Ordinal)],
            Events = [.. events.OrderByDescending(e => e.At).ThenBy(e => e.Id, StringComparer.Ordinal).Take(CustomerDetail.EventsShown)],
            EventCount = events.Count,
            Scores = [.. (await tables.ListAsync<HealthState>(Keys.Scores(id), cancel)).OrderByDescending(s => s.ScoredOn).Take(CustomerDetail.ScoresShown)],
            Ledger = await tables.ListAsync<Movement>(Keys.Ledger(id), cancel),
        };
    }

    /// <summary>The runs of one customer, the latest start first.</summary>
    public async Task<IReadOnlyList<Run>> RunsAsync(string customerId, CancellationToken cancel = default) =>
        InOrder(await tables.ListAsync<Run>(Keys.Runs(customerId), cancel));

    /// <summary>The runs of all customers, the latest start first.</summary>
    public async Task<IReadOnlyList<Run>> AllRunsAsync(CancellationToken cancel = default) =>
        InOrder(await OfAllBucketsAsync<Run>(Keys.RunsOfBucket, _ => true, cancel));

    /// <summary>The notes on all customers by customer id, in no order.</summary>
    public async Task<IReadOnlyList<(string CustomerId, Note Note)>> AllNotesAsync(CancellationToken cancel = default)
    {
        var found = new ConcurrentBag<(string, Note)>();
        await Parallel.ForEachAsync(Keys.AllBuckets, new ParallelOptions { MaxDegreeOfParallelism = BucketsAtOnce, CancellationToken = cancel }, async (bucket, token) =>
        {
            await foreach (var row in tables.QueryAsync(Keys.NotesOfBucket(bucket), token))
                found.Add((Keys.Parts(row.At.Key)[1], row.Read<Note>()));
        });
        return [.. found];
    }

    /// <summary>The e-mails of all customers whose sender last changed them since a moment, in no order.</summary>
    public Task<IReadOnlyList<MailRecord>> MailsSinceAsync(DateTimeOffset since, CancellationToken cancel = default) =>
        OfAllBucketsAsync<MailRecord>(Keys.MailsOfBucket, mail => mail.At >= since, cancel);

    /// <summary>The last sweep; null before the first.</summary>
    public async Task<SweepResult?> LastSweepAsync(CancellationToken cancel = default) => (await tables.GetAsync<SweepResult>(Keys.LastSweep, cancel))?.Value;

    /// <summary>The sweeps of all days, oldest first.</summary>
    public async Task<IReadOnlyList<SweepResult>> SweepsAsync(CancellationToken cancel = default) => await tables.ListAsync<SweepResult>(Keys.Sweeps, cancel);

    /// <summary>What to call each of these customers: the name, else the e-mail address, else the id.</summary>
    public async Task<IReadOnlyDictionary<string, string>> NamesAsync(IEnumerable<string> customerIds, CancellationToken cancel = default)
    {
        var names = new ConcurrentDictionary<string, string>(StringComparer.Ordinal);
        await Parallel.ForEachAsync(customerIds.Distinct(StringComparer.Ordinal), new ParallelOptions { MaxDegreeOfParallelism = BucketsAtOnce, CancellationToken = cancel }, async (id, token) =>
        {
            var customer = (await tables.GetAsync<Customer>(Keys.Customer(id), token))?.Value;
            names[id] = customer?.Name ?? customer?.Email ?? id;
        });
        return names;
    }

    /// <summary>How many dead letters there are; counting ends at <paramref name="most"/>.</summary>
    public async Task<int> CountDeadLettersAsync(int most, CancellationToken cancel = default)
    {
        var count = 0;
        await foreach (var _ in tables.QueryAsync(Keys.DeadLetters, cancel))
            if (++count == most) break;
        return count;
    }

    /// <summary>Those who match in the order asked for, and the page of them; null where <see cref="CustomerFilter.After"/> names nobody.</summary>
    internal static (IReadOnlyList<Customer> Matches, IReadOnlyList<Customer> Page)? Select(IReadOnlyList<Customer> all, CustomerFilter filter)
    {
        var order = Comparer(filter.Sort);
        Customer? after = null;
        // The last one of the page before may no longer match; its place in the order is still a place.
        if (filter.After is { } id && (after = all.FirstOrDefault(c => c.Id == id)) is null) return null;
        var matches = all.Where(filter.Matches).Order(order).ToList();
        return (matches, [.. matches.Where(c => after is null || order.Compare(c, after) > 0).Take(filter.Limit)]);
    }

    /// <summary>A total order: where all else is equal the id decides, so that pages neither repeat nor miss anyone.</summary>
    internal static IComparer<Customer> Comparer(CustomerSort sort) => sort switch
    {
        CustomerSort.Mrr => By(c => -Largest(c).Amount, c => Largest(c).Currency ?? ""),
        CustomerSort.RiskMrr => By(c => -MrrAtRisk(c), c => Largest(c).Currency ?? ""),
        CustomerSort.Email => By(_ => 0, c => (c.Email ?? "\uffff").ToLowerInvariant()),
        // Who can still be kept comes first; who was never scored says nothing about risk; of two equal scores the larger account.
        _ => By(c => (IsCurrent(c) ? 0 : 1L << 62) + (c.Health is { } h ? (long)h.Score << 48 : 1L << 61) - Math.Min(Largest(c).Amount, (1L << 47) - 1), _ => ""),
    };

    /// <summary>The currency with the largest MRR, in minor units; where there is none, 0 in the currency last billed in.</summary>
    internal static (long Amount, string? Currency) Largest(Customer customer) =>
        customer.Mrr.Count > 0
            ? customer.Mrr.OrderByDescending(m => m.Value).ThenBy(m => m.Key, StringComparer.Ordinal).Select(m => (m.Value, (string?)m.Key)).First()
            : (0, customer.Subscriptions.Count > 0 ? customer.Subscriptions[^1].Latest.Currency : customer.Profile.Currency);

    /// <summary>
    /// Risk × MRR of who is still with us: MRR in minor units times the points that lack of a health of 100, in hundredths. 0 for who was never scored.
    /// </summary>
    internal static long MrrAtRisk(Customer customer) =>
        customer.IsCurrent && customer.Health is { } health ? Largest(customer).Amount * (100 - health.Score) / 100 : 0;

    /// <summary>Still with us: in a trial, paying, past due or paused.</summary>
    internal static bool IsCurrent(Customer customer) => customer.IsCurrent;

    private static Comparer<Customer> By(Func<Customer, long> number, Func<Customer, string> text) => Comparer<Customer>.Create((a, b) =>
        number(a).CompareTo(number(b)) is not 0 and var n ? n
        : string.CompareOrdinal(text(a), text(b)) is not 0 and var t ? t
        : string.CompareOrdinal(a.Id, b.Id));

    private static Dictionary<HealthTier, int> TierCounts(IReadOnlyList<Customer> all) =>
        all.Where(c => IsCurrent(c) && c.Health is not null).CountBy(c => c.Health!.Tier).ToDictionary();

    // Opens of e-mails are kept as activity too; they are no use of the product.
    private async Task<DateTimeOffset?> LastSeenAsync(string customerId, CancellationToken cancel) =>
        (await tables.ListAsync<Activity>(Keys.Activities(customerId), cancel)).Where(a => a.Source != ActivityView.MailSource).Max(a => a.LastActiveAt);

    private static List<Run> InOrder(IEnumerable<Run> runs) =>
        [.. runs.OrderByDescending(r => r.StartedAt).ThenBy(r => r.Id.ToString(), StringComparer.Ordinal)];

    private async Task<IReadOnlyList<T>> OfAllBucketsAsync<T>(Func<string, KeyRange> range, Func<T, bool> wanted, CancellationToken cancel)
    {
        var found = new ConcurrentBag<T>();
        await Parallel.ForEachAsync(Keys.AllBuckets, new ParallelOptions { MaxDegreeOfParallelism = BucketsAtOnce, CancellationToken = cancel }, async (bucket, token) =>
        {
            await foreach (var row in tables.QueryAsync(range(bucket), token))
                if (row.Read<T>() is var value && wanted(value)) found.Add(value);
        });
        return [.. found];
    }
}

/// <summary>Which customers, in which order, how many.</summary>
public sealed record CustomerFilter
{
    /// <summary>The most that one page holds.</summary>
    public const int MaxLimit = 500;

    /// <summary>Of this health tier only.</summary>
    public HealthTier? Tier { get; init; }

    /// <summary>Of this status only.</summary>
    public CustomerStatus? Status { get; init; }

    /// <summary>Only those still with us: in a trial, paying, past due or paused.</summary>
    public bool CurrentOnly { get; init; }

    /// <summary>Part of the e-mail address, name or id, in any case.</summary>
    public string? Search { get; init; }

    /// <summary>The order.</summary>
    public CustomerSort Sort { get; init; }

    /// <summary>How many at most, 1–<see cref="MaxLimit"/>.</summary>
    public int Limit { get; init; } = 50;

    /// <summary>The id of the last customer of the page before.</summary>
    public string? After { get; init; }

    internal bool Matches(Customer customer) =>
        (Tier is null || customer.Health?.Tier == Tier)
        && (Status is null || customer.Status == Status)
        && (!CurrentOnly || CustomerQueries.IsCurrent(customer))
        && (string.IsNullOrWhiteSpace(Search) || Has(customer.Email) || Has(customer.Name) || Has(customer.Id));

    private bool Has(string? text) => text?.Contains(Search!.Trim(), StringComparison.OrdinalIgnoreCase) == true;
}

/// <summary>The order of customers.</summary>
public enum CustomerSort
{
    /// <summary>Those still with us first, the lowest score first.</summary>
    Risk,

    /// <summary>The largest MRR first, each in its own currency's minor units: nothing is converted.</summary>
    Mrr,

    /// <summary>By e-mail address.</summary>
    Email,

    /// <summary>The largest risk × MRR first: the points that lack of a health of 100, in percent of the MRR; nothing is converted.</summary>
    RiskMrr,
}

/// <summary>One page of customers.</summary>
/// <param name="Lines">The customers.</param>
/// <param name="Next">What to give as <see cref="CustomerFilter.After"/> for the next page; null at the end.</param>
/// <param name="Matching">How many match in all.</param>
/// <param name="Total">How many customers there are, whatever the filter.</param>
/// <param name="Tiers">How many of those still with us are in each tier, whatever the filter; without those not yet scored.</param>
public sealed record CustomerList(IReadOnlyList<CustomerLine> Lines, string? Next, int Matching, int Total, IReadOnlyDictionary<HealthTier, int> Tiers);

/// <summary>One customer in a list.</summary>
/// <param name="Customer">The customer.</param>
/// <param name="LastSeenAt">The latest sign-in or core use of any of its users; null where none was ever measured.</param>
public sealed record CustomerLine(Customer Customer, DateTimeOffset? LastSeenAt);

/// <summary>Everything about one customer.</summary>
public sealed record CustomerDetail
{
    /// <summary>How many events are shown.</summary>
    public const int EventsShown = 100;

    /// <summary>The customer.</summary>
    public required Customer Customer { get; init; }

    /// <summary>The latest sign-in or core use of any of its users; null where none was ever measured.</summary>
    public DateTimeOffset? LastSeenAt { get; init; }

    /// <summary>Invoices, newest first.</summary>
    public required IReadOnlyList<Invoice> Invoices { get; init; }

    /// <summary>Runs, the latest start first.</summary>
    public required IReadOnlyList<Run> Runs { get; init; }

    /// <summary>E-mails, newest first.</summary>
    public required IReadOnlyList<MailRecord> Mails { get; init; }

    /// <summary>Notes, newest first.</summary>
    public required IReadOnlyList<Note> Notes { get; init; }

    /// <summary>The newest <see cref="EventsShown"/> events, newest first.</summary>
    public required IReadOnlyList<EventMarker> Events { get; init; }

    /// <summary>How many events there are in all.</summary>
    public required int EventCount { get; init; }

    /// <summary>How many days of scores are shown.</summary>
    public const int ScoresShown = 90;

    /// <summary>The scores of the latest <see cref="ScoresShown"/> days, newest first.</summary>
    public required IReadOnlyList<HealthState> Scores { get; init; }

    /// <summary>All MRR movements, in order of time.</summary>
    public required IReadOnlyList<Movement> Ledger { get; init; }
}
