using RetentionFunctions.Customers;
using RetentionFunctions.Storage;

namespace RetentionFunctions.Insight;

/// <summary>What a summary may read of each customer besides the customer: of each one contiguous range of a bucket.</summary>
[Flags]
public enum CustomerNouns
{
    /// <summary>Only the customer.</summary>
    None = 0,

    /// <summary><see cref="StoredMonths"/>: what it adds to the facts of each month; one row.</summary>
    Months = 1,

    /// <summary><see cref="Invoice"/>, each a row.</summary>
    Invoices = 2,

    /// <summary><see cref="Flows.Run"/>, each a row.</summary>
    Runs = 4,

    /// <summary><see cref="Email.MailRecord"/>, each a row.</summary>
    Mails = 8,

    /// <summary><see cref="Health.Activity"/>, a row for each of its app users.</summary>
    Activities = 16,

    /// <summary><see cref="PaymentFailure"/>, each a row.</summary>
    Failures = 32,
}

/// <summary>
/// A figure over all customers that no event keeps up to date: counted at night, bucket by bucket, and kept as one row of each bucket, so that a page reads at most 256 rows whatever the
/// number of customers. Registered as <see cref="ISummary"/>; <see cref="SummaryJob"/> counts, <see cref="SummaryQueries"/> reads.
/// </summary>
public interface ISummary
{
    /// <summary>The name of its rows, a stored format: lower-case letters and dashes. A count whose meaning changes gets a new one (<c>cohorts-2</c>), so that no page mixes the two.</summary>
    string Name { get; }

    /// <summary>What it reads. What no summary reads is not asked for.</summary>
    CustomerNouns Reads { get; }

    /// <summary>
    /// Counts one bucket. Pure: the same rows give the same value, so that one in which nothing changed is not written. The value adds up over buckets, names no customer (an erased one must
    /// not stand in it), and keeps to <see cref="TableLimits"/>: at most 252 properties, each at most 32,000 characters of JSON, half a million together. A property for each month does.
    /// </summary>
    /// <param name="customers">All customers of the bucket, in the order of their keys; may be gone through more than once.</param>
    /// <param name="asOf">The moment of the count: the same for all buckets.</param>
    /// <returns>Written as a JSON object; null where there is nothing to count.</returns>
    object? Count(IReadOnlyList<CustomerRows> customers, DateTimeOffset asOf);
}

/// <summary>One customer with the rows that summaries read, kept as they are stored until somebody asks.</summary>
public sealed class CustomerRows
{
    private readonly Row _row;
    private readonly IReadOnlyDictionary<CustomerNouns, List<Row>> _others;
    private Customer? _customer;

    internal CustomerRows(Row row, IReadOnlyDictionary<CustomerNouns, List<Row>> others)
    {
        _row = row;
        _others = others;
    }

    /// <summary>With values instead of rows, for tests of a summary.</summary>
    /// <param name="customer">The customer.</param>
    /// <param name="rows">Its rows of each noun, in the order of their keys.</param>
    public static CustomerRows Of(Customer customer, params IReadOnlyList<(CustomerNouns Noun, object Value)> rows) => new(
        Row(customer), rows.GroupBy(r => r.Noun).ToDictionary(g => g.Key, g => g.Select(r => Row(r.Value)).ToList()));

    /// <summary>The customer.</summary>
    public Customer Customer => _customer ??= _row.Read<Customer>();

    /// <summary>Its rows of a noun, in the order of their keys. Read anew with each call, into whatever part of them is wanted.</summary>
    public IEnumerable<T> Read<T>(CustomerNouns noun) => _others.TryGetValue(noun, out var rows) ? rows.Select(row => row.Read<T>()) : [];

    private static Row Row(object value) => new(default, System.Text.Json.JsonSerializer.SerializeToUtf8Bytes(value, value.GetType(), TablesExtensions.Json), "");
}
