using System.Text.Json;
using System.Text.Json.Nodes;
using RetentionFunctions.Customers;
using RetentionFunctions.Intake.Stripe;
using RetentionFunctions.Settings;
using RetentionFunctions.Storage;

namespace RetentionFunctions.Import;

/// <summary>
/// Reads a whole file: its rows, each cell, and what only shows where all rows of a customer are put together. Pure. The same file gives the same customers with the same ids
/// and snapshots at any time, so that importing it twice is importing it once.
/// </summary>
public static class ImportReader
{
    /// <summary>Reads a file.</summary>
    /// <param name="file">As it was uploaded.</param>
    /// <param name="settings">By which MRR is counted.</param>
    /// <param name="now">What lies after it is refused.</param>
    public static ImportReading Read(ReadOnlyMemory<byte> file, CustomerSettings settings, DateTimeOffset now)
    {
        var problems = new ImportProblems();
        var (headers, rows) = ImportFile.Read(file, problems);
        var columns = headers.Count == 0 ? null : ImportColumns.Of(headers, problems);
        if (columns is null) return new ImportReading { Rows = rows.Count, Problems = problems.All, ProblemCount = problems.Count };

        var read = rows.Select(row => ImportLine.Read(row, columns, problems, now)).OfType<ImportLine>().ToList();
        if (columns.Layout != ImportLayout.StripeCustomers)
            foreach (var shared in read.Where(l => l.SubscriptionId is not null).GroupBy(l => l.SubscriptionId!, StringComparer.Ordinal))
                if (shared.FirstOrDefault(l => l.CustomerId != shared.First().CustomerId) is { } other)
                    problems.Add(other.Row, columns.NameOf(ImportField.SubscriptionId), $"'{other.SubscriptionId}' is the subscription of another customer in row {shared.First().Row}");
        var customers = new List<ImportedCustomer>();
        var mrr = new SortedDictionary<string, long>(StringComparer.Ordinal);
        foreach (var lines in read.GroupBy(l => l.CustomerId, StringComparer.Ordinal).OrderBy(g => g.Key, StringComparer.Ordinal))
        {
            var own = lines.ToList();
            var before = problems.Count;
            var snapshots = ImportedSubscription.Of(own, columns, problems, now);
            var customer = new ImportedCustomer(lines.Key, Profile(own, settings), snapshots);
            if (problems.Count > before || !Fits(customer, settings, now, own[0].Row, problems, mrr)) continue;
            customers.Add(customer);
        }
        return new ImportReading
        {
            Layout = columns.Layout,
            Rows = rows.Count,
            Customers = customers,
            Subscriptions = customers.Sum(c => c.Snapshots.DistinctBy(s => s.SubscriptionId).Count()),
            Unpriced = customers.Sum(c => c.Snapshots.Where(s => s.Unpriced.Count > 0).DistinctBy(s => s.SubscriptionId).Count()),
            Mrr = mrr,
            Ignored = columns.Ignored,
            Problems = problems.All,
            ProblemCount = problems.Count,
        };
    }

    // As Stripe would have said it, so that one reader decides what a name, a country or a user's id is. Of several rows the last that says something.
    private static StripeProfile Profile(List<ImportLine> lines, CustomerSettings settings)
    {
        var metadata = new JsonObject();
        foreach (var (name, value) in lines.SelectMany(l => l.Traits)) metadata[name] = value;
        if (Last(l => l.TimeZone) is { } zone) metadata["timezone"] = zone;
        if (Last(l => l.UserId) is { } user) metadata["userId"] = user;
        var customer = new JsonObject
        {
            ["id"] = lines[0].CustomerId,
            ["email"] = Last(l => l.Email),
            ["name"] = Last(l => l.Name),
            ["created"] = lines.Min(l => l.CustomerSince)?.ToUnixTimeSeconds(),
            ["address"] = Last(l => l.Country) is { } country ? new JsonObject { ["country"] = country } : null,
            ["metadata"] = metadata,
        };
        return StripeReader.Profile(new StripeObject(JsonSerializer.SerializeToElement(customer), "$"), settings);

        string? Last(Func<ImportLine, string?> of) => lines.Select(of).LastOrDefault(v => v is not null);
    }

    // What could not be kept must be said before anything is written. The MRR is that of the very code that will count it.
    private static bool Fits(ImportedCustomer imported, CustomerSettings settings, DateTimeOffset now, int row, ImportProblems problems, SortedDictionary<string, long> mrr)
    {
        var customer = CustomerDerivation.Derive(new Customer { Id = imported.Id, Profile = imported.Profile }, imported.Snapshots, settings, now).Customer;
        try
        {
            var at = Keys.Customer(imported.Id);
            TableLimits.Check(at.Partition, [new Write.Upsert(at.Key, TablesExtensions.Write(customer))]);
        }
        catch (ArgumentException)
        {
            problems.Add(row, null, $"the customer '{imported.Id}' has more subscriptions than one customer can have ({customer.Subscriptions.Count})");
            return false;
        }
        foreach (var (currency, amount) in customer.Mrr) mrr[currency] = mrr.GetValueOrDefault(currency) + amount;
        return true;
    }
}
