using System.Text;

namespace RetentionFunctions.Import;

/// <summary>Which file it is: told by its header.</summary>
public enum ImportLayout
{
    /// <summary>Our own (docs/import.md): a row for each state of a subscription.</summary>
    Own,

    /// <summary>Stripe's dashboard, Customers, Export.</summary>
    StripeCustomers,

    /// <summary>Stripe's dashboard, Subscriptions, Export.</summary>
    StripeSubscriptions,
}

/// <summary>What a column says, whatever it is called.</summary>
internal enum ImportField
{
    CustomerId, Email, Name, Country, TimeZone, UserId, CustomerSince,
    SubscriptionId, Plan, Status, Amount, Currency, Interval, IntervalCount, Quantity,
    Started, From, TrialEnd, PeriodStart, PeriodEnd, CanceledAt, CancelAtPeriodEnd, Ended, Reason, Comment,
}

/// <summary>Which column of a file says what. Headers match in any case, order and punctuation; columns that nobody knows are left out and said.</summary>
internal sealed class ImportColumns
{
    private const string MetadataEnd = " (metadata)";
    private const string TraitStart = "trait.";

    private static readonly Dictionary<string, ImportField> Own = Enum.GetValues<ImportField>()
        .Except([ImportField.PeriodStart, ImportField.PeriodEnd, ImportField.CanceledAt, ImportField.CancelAtPeriodEnd]).ToDictionary(field => field.ToString().ToLowerInvariant(), field => field, StringComparer.Ordinal);

    // As the dashboard's exports have them, those of former years too. Where several say the same, the first in this list that the file has.
    private static readonly (string Header, ImportField Field)[] Customers =
    [
        ("id", ImportField.CustomerId), ("email", ImportField.Email), ("name", ImportField.Name), ("description", ImportField.Name), ("createdutc", ImportField.CustomerSince), ("created", ImportField.CustomerSince),
        ("addresscountry", ImportField.Country), ("country", ImportField.Country), ("cardaddresscountry", ImportField.Country), ("shippingaddresscountry", ImportField.Country),
    ];

    private static readonly (string Header, ImportField Field)[] Subscriptions =
    [
        ("id", ImportField.SubscriptionId), ("customerid", ImportField.CustomerId), ("customeremail", ImportField.Email), ("customername", ImportField.Name),
        ("plan", ImportField.Plan), ("planname", ImportField.Plan), ("product", ImportField.Plan), ("productname", ImportField.Plan), ("planid", ImportField.Plan), ("quantity", ImportField.Quantity), ("currency", ImportField.Currency),
        ("interval", ImportField.Interval), ("intervalcount", ImportField.IntervalCount), ("amount", ImportField.Amount), ("status", ImportField.Status),
        ("createdutc", ImportField.Started), ("startdateutc", ImportField.Started), ("startutc", ImportField.Started), ("created", ImportField.Started), ("start", ImportField.Started),
        ("currentperiodstartutc", ImportField.PeriodStart), ("currentperiodendutc", ImportField.PeriodEnd), ("trialendutc", ImportField.TrialEnd),
        ("canceledatutc", ImportField.CanceledAt), ("cancelatperiodend", ImportField.CancelAtPeriodEnd), ("endedatutc", ImportField.Ended),
        ("cancellationfeedback", ImportField.Reason), ("cancellationreason", ImportField.Reason), ("cancellationcomment", ImportField.Comment),
    ];

    private readonly Dictionary<ImportField, int> at = [];

    private ImportColumns(ImportLayout layout, IReadOnlyList<string> headers) => (Layout, Headers) = (layout, headers);

    /// <summary>Which file it is.</summary>
    public ImportLayout Layout { get; }

    /// <summary>All headers, as the file has them.</summary>
    public IReadOnlyList<string> Headers { get; }

    /// <summary>What else the file says of customers: the name, and which column.</summary>
    public List<(string Name, int Index)> Traits { get; } = [];

    /// <summary>Columns that are not read.</summary>
    public List<string> Ignored { get; } = [];

    /// <summary>Reads a header; null where it is none of the three, which is then among the problems.</summary>
    public static ImportColumns? Of(IReadOnlyList<string> headers, ImportProblems problems)
    {
        var names = headers.Select(Plain).ToList();
        ImportLayout? layout = (names.Contains("id"), names.Contains("customerid")) switch
        {
            (true, true) => ImportLayout.StripeSubscriptions,
            (true, false) when names.Contains("email") || names.Contains("createdutc") => ImportLayout.StripeCustomers,
            (false, true) => ImportLayout.Own,
            _ => null,
        };
        if (layout is not { } known)
        {
            problems.Add(1, null, $"the header is none that is known. It is Stripe's export of customers (id, Email, Created (UTC) …), its export of subscriptions (id, Customer ID, Status, Amount …), or ours (customer_id …). This one begins with: {string.Join(", ", headers.Take(6).Select(h => $"'{Short(h)}'"))}");
            return null;
        }
        var columns = new ImportColumns(known, headers);
        var twice = names.Select((name, index) => (name, index)).Where(n => n.name.Length > 0).GroupBy(n => n.name, StringComparer.Ordinal).FirstOrDefault(g => g.Count() > 1);
        if (twice is not null) problems.Add(1, headers[twice.Last().index], "stands there twice; leave one of the two out");
        for (var index = 0; index < headers.Count; index++) columns.Take(names[index], headers[index].Trim(), index);
        columns.Fill(names);
        foreach (var required in columns.Required())
            if (!columns.Has(required)) problems.Add(1, null, $"the column '{columns.NameOf(required)}' is missing. In Stripe's dashboard choose “All columns” for the export");
        return columns;
    }

    public bool Has(ImportField field) => at.ContainsKey(field);

    /// <summary>Where a field stands; -1 where it does not.</summary>
    public int IndexOf(ImportField field) => at.GetValueOrDefault(field, -1);

    /// <summary>What the file calls a field, or should.</summary>
    public string NameOf(ImportField field) => at.TryGetValue(field, out var index) ? Headers[index] : field switch
    {
        _ when Layout == ImportLayout.Own => Snake(field.ToString()),
        ImportField.Started => "Created (UTC)",
        ImportField.Ended => "Ended At (UTC)",
        _ => field.ToString(),
    };

    private IEnumerable<ImportField> Required() => Layout == ImportLayout.StripeSubscriptions ? [ImportField.Status, ImportField.Amount, ImportField.Currency, ImportField.Interval, ImportField.Started] : [];

    private void Take(string name, string header, int index)
    {
        if (Layout == ImportLayout.Own && Own.TryGetValue(name, out var field)) at.TryAdd(field, index);
        else if (TraitOf(header) is { } trait) Traits.Add((trait, index));
        else if (header.Length > 0 && (Layout == ImportLayout.Own || !Array.Exists(Known, k => k.Header == name))) Ignored.Add(header);
    }

    private (string Header, ImportField Field)[] Known => Layout == ImportLayout.StripeCustomers ? Customers : Layout == ImportLayout.StripeSubscriptions ? Subscriptions : [];

    private void Fill(List<string> names)
    {
        foreach (var (header, field) in Known)
            if (names.IndexOf(header) is >= 0 and var index) at.TryAdd(field, index);
    }

    // Of a subscription's metadata only whose user it is: what else it says is not of the customer.
    private string? TraitOf(string header)
    {
        var name = Layout == ImportLayout.Own
            ? header.StartsWith(TraitStart, StringComparison.OrdinalIgnoreCase) ? header[TraitStart.Length..].Trim() : null
            : header.EndsWith(MetadataEnd, StringComparison.OrdinalIgnoreCase) ? header[..^MetadataEnd.Length].Trim() : null;
        return name is not { Length: > 0 } || (Layout == ImportLayout.StripeSubscriptions && name is not ("userId" or "user_id")) ? null : name;
    }

    private static string Plain(string header)
    {
        var plain = new StringBuilder(header.Length);
        foreach (var c in header)
            if (char.IsLetterOrDigit(c)) plain.Append(char.ToLowerInvariant(c));
        return plain.ToString();
    }

    private static string Snake(string name) => string.Concat(name.Select((c, i) => i > 0 && char.IsUpper(c) ? $"_{char.ToLowerInvariant(c)}" : $"{char.ToLowerInvariant(c)}"));

    private static string Short(string text) => text.Length <= 30 ? text : $"{text[..30]}…";
}
