using System.Collections.Concurrent;
using RetentionFunctions.Customers;
using RetentionFunctions.Email;
using RetentionFunctions.Flows;
using RetentionFunctions.Health;
using RetentionFunctions.Insight;
using RetentionFunctions.Storage;

namespace RetentionFunctions.Web;

/// <summary>
/// What the pages and the JSON API read. From stored rows only: nothing is computed here that a row already says. A list walks the
/// <c>customer|</c> range of all 256 buckets; that is one small query each, and the sum is what one table of all customers would cost.
/// </summary>
public sealed class CustomerQueries(ITables tables)
{
    // Names read at the same time.
    private const int AtOnce = 16;

    private static readonly string[] MailSteps = ["processed", "delivered", "open", "click"];

    /// <summary>Every customer, in no order. App users not yet tied to a customer are not customers.</summary>
    public async Task<IReadOnlyList<CustomerGlance>> AllAsync(CancellationToken cancel = default)
    {
        var found = new ConcurrentBag<CustomerGlance>();
        await tables.EachRowAsync(Keys.Customers, row =>
        {
            if (row.Read<CustomerGlance>() is var customer && !Keys.IsUntiedUser(customer.Id)) found.Add(customer);
        }, cancel);
        return [.. found];
    }

    /// <summary>These customers, whole, in their order, without those who are not there (any more).</summary>
    public async Task<IReadOnlyList<Customer>> TheseAsync(IEnumerable<string> ids, CancellationToken cancel = default) =>
        [.. (await Task.WhenAll(ids.Select(id => tables.GetAsync<Customer>(Keys.Customer(id), cancel)))).OfType<Stored<Customer>>().Select(found => found.Value)];

    /// <summary>One page of customers.</summary>
    /// <returns>Null where <see cref="CustomerFilter.After"/> names nobody.</returns>
    public async Task<CustomerList?> ListAsync(CustomerFilter filter, CancellationToken cancel = default)
    {
        var all = await AllAsync(cancel);
        if (Select(all, filter) is not var (page, matching, more)) return null;
        var shown = await TheseAsync(page.Select(customer => customer.Id), cancel);
        var seen = await Task.WhenAll(shown.Select(customer => LastSeenAsync(customer.Id, cancel)));
        return new CustomerList(
            [.. shown.Zip(seen, (customer, at) => new CustomerLine(customer, at))],
            more ? page[^1].Id : null,
            matching, all.Count, TierCounts(all));
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
            Runs = await new RunQueries(tables).OfAsync(id, cancel),
            Mails = [.. (await tables.ListAsync<MailRecord>(Keys.Mails(id), cancel)).OrderByDescending(m => m.At).ThenBy(m => m.Id, StringComparer.Ordinal)],
            Notes = [.. (await tables.ListAsync<Note>(Keys.Notes(id), cancel)).OrderByDescending(n => n.At).ThenBy(n => n.Id, StringComparer.Ordinal)],
            Events = [.. events.OrderByDescending(e => e.At).ThenBy(e => e.Id, StringComparer.Ordinal).Take(CustomerDetail.EventsShown)],
            EventCount = events.Count,
            Scores = [.. (await tables.ListAsync<HealthState>(Keys.Scores(id), cancel)).OrderByDescending(s => s.ScoredOn).Take(CustomerDetail.ScoresShown)],
            Ledger = await tables.ListAsync<Movement>(Keys.Ledger(id), cancel),
        };
    }

    /// <summary>The notes on all customers by customer id, in no order.</summary>
    public async Task<IReadOnlyList<(string CustomerId, Note Note)>> AllNotesAsync(CancellationToken cancel = default)
    {
        var found = new ConcurrentBag<(string, Note)>();
        await tables.EachRowAsync(Keys.NotesOfBucket, row => found.Add((Keys.Parts(row.At.Key)[1], row.Read<Note>())), cancel);
        return [.. found];
    }

    /// <summary>How many e-mails there are by what became of them, of those whose sender last changed them since a moment.</summary>
    public async Task<IReadOnlyDictionary<MailResult, int>> CountMailsAsync(DateTimeOffset since, CancellationToken cancel = default)
    {
        var counts = new ConcurrentDictionary<MailResult, int>();
        await tables.EachRowAsync(Keys.MailsOfBucket, row =>
        {
            if (row.Read<MailStanding>() is var mail && mail.At >= since) counts.AddOrUpdate(mail.Result, 1, (_, count) => count + 1);
        }, cancel);
        return counts;
    }

    /// <summary>The last sweep; null before the first.</summary>
    public async Task<SweepResult?> LastSweepAsync(CancellationToken cancel = default) => (await tables.GetAsync<SweepResult>(Keys.LastSweep, cancel))?.Value;

    /// <summary>The sweeps of all days, oldest first.</summary>
    public async Task<IReadOnlyList<SweepResult>> SweepsAsync(CancellationToken cancel = default) => await tables.ListAsync<SweepResult>(Keys.Sweeps, cancel);

    /// <inheritdoc cref="BroughtIn.AtAsync"/>
    public Task<DateTimeOffset?> BroughtInAtAsync(CancellationToken cancel = default) => BroughtIn.AtAsync(tables, cancel);

    /// <summary>What to call each of these customers: the name, else the e-mail address, else the id.</summary>
    public async Task<IReadOnlyDictionary<string, string>> NamesAsync(IEnumerable<string> customerIds, CancellationToken cancel = default)
    {
        var names = new ConcurrentDictionary<string, string>(StringComparer.Ordinal);
        await Parallel.ForEachAsync(customerIds.Distinct(StringComparer.Ordinal), new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = cancel }, async (id, token) =>
        {
            names[id] = (await tables.GetAsync<Customer>(Keys.Customer(id), token))?.Value.Called ?? id;
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

    /// <summary>A page of those who match, in the order asked for; null where <see cref="CustomerFilter.After"/> names nobody.</summary>
    internal static (IReadOnlyList<CustomerGlance> Page, int Matching, bool More)? Select(IReadOnlyList<CustomerGlance> all, CustomerFilter filter)
    {
        CustomerPlace? after = null;
        if (filter.After is { } id)
        {
            // The last one of the page before may no longer match; its place in the order is still a place.
            if (all.FirstOrDefault(c => c.Id == id) is not { } last) return null;
            after = Place(last, filter.Sort);
        }
        var matches = all.Where(filter.Matches).Select(c => (Place: Place(c, filter.Sort), Customer: c)).ToList();
        var rest = matches.Where(m => after is null || m.Place.CompareTo(after.Value) > 0).ToList();
        return ([.. rest.OrderBy(m => m.Place).Take(filter.Limit).Select(m => m.Customer)], matches.Count, rest.Count > filter.Limit);
    }

    /// <summary>A total order: where all else is equal the id decides, so that pages neither repeat nor miss anyone.</summary>
    internal static CustomerPlace Place(CustomerGlance c, CustomerSort sort) => sort switch
    {
        CustomerSort.Mrr => new(-c.Largest.Amount, c.Largest.Currency ?? "", c.Id),
        CustomerSort.RiskMrr => new(-c.MrrAtRisk, c.Largest.Currency ?? "", c.Id),
        CustomerSort.Email => new(0, (c.Email ?? "\uffff").ToLowerInvariant(), c.Id),
        // Who can still be kept comes first; who was never scored says nothing about risk; of two equal scores the larger account.
        _ => new((c.IsCurrent ? 0 : 1L << 62) + (c.Health is { } h ? (long)h.Score << 48 : 1L << 61) - Math.Min(c.Largest.Amount, (1L << 47) - 1), "", c.Id),
    };

    private static Dictionary<HealthTier, int> TierCounts(IReadOnlyList<CustomerGlance> all) =>
        all.Where(c => c.IsCurrent && c.Health is not null).CountBy(c => c.Health!.Tier).ToDictionary();

    // Opens of e-mails are kept as activity too; they are no use of the product.
    private async Task<DateTimeOffset?> LastSeenAsync(string customerId, CancellationToken cancel) =>
        (await tables.ListAsync<Activity>(Keys.Activities(customerId), cancel)).Where(a => a.Source != ActivityView.MailSource).Max(a => a.LastActiveAt);

    // What is read of an e-mail to count it.
    private sealed record MailStanding(DateTimeOffset At, MailResult Result);
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

    internal bool Matches(CustomerGlance customer) =>
        (Tier is null || customer.Health?.Tier == Tier)
        && (Status is null || customer.Status == Status)
        && (!CurrentOnly || customer.IsCurrent)
        && (string.IsNullOrWhiteSpace(Search) || Has(customer.Email) || Has(customer.Name) || Has(customer.Id));

    private bool Has(string? text) => text?.Contains(Search!.Trim(), StringComparison.OrdinalIgnoreCase) == true;
}

/// <summary>Where a customer stands in an order: by the number, then the text, then the id, so that no two stand in one place.</summary>
internal readonly record struct CustomerPlace(long Number, string Text, string Id) : IComparable<CustomerPlace>
{
    public int CompareTo(CustomerPlace other) =>
        Number.CompareTo(other.Number) is not 0 and var n ? n
        : string.CompareOrdinal(Text, other.Text) is not 0 and var t ? t
        : string.CompareOrdinal(Id, other.Id);
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
