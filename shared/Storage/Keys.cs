using System.Buffers.Text;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace RetentionFunctions.Storage;

/// <summary>
/// Every key of the product. A stored format, pinned literally by tests: change it only with a migration.
/// <para>Rows of a customer: partition = <see cref="Bucket"/> of the customer, row key = <c>noun|customerId|…</c>, so that all rows of a customer
/// can be written in one batch and each noun is one contiguous range of its bucket.</para>
/// <para>Indexes: partitions of their own that start with <c>x-</c>, written after the fact that they point to.</para>
/// </summary>
public static class Keys
{
    /// <summary>How many buckets the customers are spread over.</summary>
    public const int Buckets = 256;

    /// <summary>The bucket of a customer, <c>00</c>…<c>ff</c>: the first byte of the SHA-256 of its id, stable for ever.</summary>
    public static string Bucket(string customerId) => Convert.ToHexStringLower([Hash(customerId)[0]]);

    /// <summary>All buckets in order.</summary>
    public static IEnumerable<string> AllBuckets => Enumerable.Range(0, Buckets).Select(i => i.ToString("x2", CultureInfo.InvariantCulture));

    /// <summary>Whether a partition is the bucket of customers.</summary>
    public static bool IsBucket(string partition) => partition.Length == 2 && char.IsAsciiHexDigitLower(partition[0]) && char.IsAsciiHexDigitLower(partition[1]);

    /// <summary>A stable share in [0, 1) for a customer and a purpose: who is held out, who gets which variant.</summary>
    public static double Share(string customerId, string purpose) =>
        BitConverter.ToUInt32(Hash($"{purpose}\n{customerId}"), 4) / (uint.MaxValue + 1.0);

    /// <summary>The customer as we know it.</summary>
    public static RowKey Customer(string customerId) => Of(customerId, "customer");

    /// <summary>All customers of a bucket.</summary>
    public static KeyRange Customers(string bucket) => Range(bucket, "customer|");

    /// <summary>The daily counters of one app user of a customer.</summary>
    public static RowKey Activity(string customerId, string source) => Of(customerId, "activity", source);

    /// <summary>The activity rows of a customer.</summary>
    public static KeyRange Activities(string customerId) => RangeOf(customerId, "activity");

    /// <summary>What an app user did while it belonged to this customer, and does no more: kept here, counted where the user belongs now.</summary>
    public static RowKey MovedActivity(string customerId, string source) => Of(customerId, "moved", source);

    /// <summary>All activity rows of a bucket, in the order of its customers.</summary>
    public static KeyRange ActivitiesOfBucket(string bucket) => Range(bucket, "activity|");

    /// <summary>The marker of a handled event, with what it did.</summary>
    public static RowKey Event(string customerId, string eventId) => Of(customerId, "event", eventId);

    /// <summary>The events of a customer.</summary>
    public static KeyRange Events(string customerId) => RangeOf(customerId, "event");

    /// <summary>One invoice.</summary>
    public static RowKey Invoice(string customerId, string invoiceId) => Of(customerId, "invoice", invoiceId);

    /// <summary>The invoices of a customer.</summary>
    public static KeyRange Invoices(string customerId) => RangeOf(customerId, "invoice");

    /// <summary>All invoices of a bucket.</summary>
    public static KeyRange InvoicesOfBucket(string bucket) => Range(bucket, "invoice|");

    /// <summary>Why a payment failed, as one event said.</summary>
    public static RowKey Failure(string customerId, DateTimeOffset at, string eventId) => Of(customerId, "failure", Seconds(at), eventId);

    /// <summary>The payment failures of all customers of a bucket, in the order of its customers, each oldest first.</summary>
    public static KeyRange FailuresOfBucket(string bucket) => Range(bucket, "failure|");

    /// <summary>What one subscription event said.</summary>
    public static RowKey Snapshot(string customerId, string subscriptionId, DateTimeOffset createdAt, string eventId) =>
        Of(customerId, "snapshot", subscriptionId, Seconds(createdAt), eventId);

    /// <summary>The subscription snapshots of a customer.</summary>
    public static KeyRange Snapshots(string customerId) => RangeOf(customerId, "snapshot");

    /// <summary>One MRR movement: unique by its instant, its currency and its place among those of the same instant.</summary>
    public static RowKey Movement(string customerId, DateTimeOffset at, string currency, int place) =>
        Of(customerId, "ledger", Seconds(at), currency, place.ToString(CultureInfo.InvariantCulture));

    /// <summary>The ledger of a customer, in order of time.</summary>
    public static KeyRange Ledger(string customerId) => RangeOf(customerId, "ledger");

    /// <summary>What a customer adds to the facts of each month.</summary>
    public static RowKey Months(string customerId) => Of(customerId, "months");

    /// <summary>The months of all customers of a bucket.</summary>
    public static KeyRange MonthsOfCustomers(string bucket) => Range(bucket, "months|");

    /// <summary>The sum of all months of a bucket's customers: in their partition, so that the sum and its parts commit together. It is nobody's row.</summary>
    public static RowKey MonthsOfBucket(string bucket) => new(bucket, "total-months");

    /// <summary>What customers who were erased had added to the bucket's months, added up: it says of nobody anything, and without it the sum would have lost parts. It is nobody's row.</summary>
    public static RowKey MonthsOfErased(string bucket) => new(bucket, "total-erased");

    /// <summary>The score of a day.</summary>
    public static RowKey Score(string customerId, DateOnly on) => Of(customerId, "score", Day(on));

    /// <summary>The scores of a customer, in order of time.</summary>
    public static KeyRange Scores(string customerId) => RangeOf(customerId, "score");

    /// <summary>The scores of a customer from a day on, in order of time.</summary>
    public static KeyRange ScoresFrom(string customerId, DateOnly on) => RangeOf(customerId, "score") with { From = Score(customerId, on).Key };

    /// <summary>One run of a flow; <paramref name="occasion"/> is what it is keyed to (the invoice, the day it was started).</summary>
    public static RowKey Run(string customerId, string flow, string occasion) => Of(customerId, "run", flow, occasion);

    /// <summary>The runs of a customer.</summary>
    public static KeyRange Runs(string customerId) => RangeOf(customerId, "run");

    /// <summary>All runs of a bucket.</summary>
    public static KeyRange RunsOfBucket(string bucket) => Range(bucket, "run|");

    /// <summary>The send-once ledger: one e-mail of one step of one run.</summary>
    public static RowKey Mail(string customerId, string flow, string occasion, int step) =>
        Of(customerId, "mail", flow, occasion, step.ToString("D3", CultureInfo.InvariantCulture));

    /// <summary>The e-mails of a customer.</summary>
    public static KeyRange Mails(string customerId) => RangeOf(customerId, "mail");

    /// <summary>All e-mails of a bucket.</summary>
    public static KeyRange MailsOfBucket(string bucket) => Range(bucket, "mail|");

    /// <summary>A note on a customer.</summary>
    public static RowKey Note(string customerId, string noteId) => Of(customerId, "note", noteId);

    /// <summary>The notes on a customer.</summary>
    public static KeyRange Notes(string customerId) => RangeOf(customerId, "note");

    /// <summary>All notes of a bucket.</summary>
    public static KeyRange NotesOfBucket(string bucket) => Range(bucket, "note|");

    /// <summary>The customer that an app user is tied to.</summary>
    public static RowKey UserTie(string userId) => new($"x-user|{Escape(userId)}", "tie");

    /// <summary>One customer with this e-mail address (compared in lower case).</summary>
    public static RowKey EmailOfCustomer(string email, string customerId) => new(EmailPartition(email), $"customer|{Escape(customerId)}");

    /// <summary>One app user with this e-mail address.</summary>
    public static RowKey EmailOfUser(string email, string userId) => new(EmailPartition(email), $"user|{Escape(userId)}");

    /// <summary>The customers with this e-mail address.</summary>
    public static KeyRange CustomersOfEmail(string email) => Range(EmailPartition(email), "customer|");

    /// <summary>The app users with this e-mail address.</summary>
    public static KeyRange UsersOfEmail(string email) => Range(EmailPartition(email), "user|");

    /// <summary>The customer to whom a thing of Stripe belongs (<paramref name="kind"/>: <c>invoice</c>, <c>payment-intent</c>, <c>charge</c>).</summary>
    public static RowKey Owner(string kind, string id) => new($"x-{kind}|{Escape(id)}", "customer");

    /// <summary>An event that names the thing but not its customer, kept until the customer is known.</summary>
    public static RowKey Orphan(string kind, string id, string eventId) => new($"x-{kind}|{Escape(id)}", $"orphan|{Escape(eventId)}");

    /// <summary>The orphans that wait for the owner of a thing.</summary>
    public static KeyRange Orphans(string kind, string id) => Range($"x-{kind}|{Escape(id)}", "orphan|");

    /// <summary>An event handled without any customer.</summary>
    public static RowKey UnownedEvent(string eventId) => new($"x-unowned|{Bucket(eventId)}", $"event|{Escape(eventId)}");

    /// <summary>A message that could not be handled.</summary>
    public static RowKey DeadLetter(string messageId) => new("dead-letters", $"dead|{Escape(messageId)}");

    /// <summary>All dead letters.</summary>
    public static KeyRange DeadLetters => Range("dead-letters", "dead|");

    /// <summary>One chunk of a body too large for the queue.</summary>
    public static RowKey BodyChunk(string bodyId, int chunk) => new($"body|{Escape(bodyId)}", $"chunk|{chunk.ToString("D4", CultureInfo.InvariantCulture)}");

    /// <summary>All chunks of a body, in order.</summary>
    public static KeyRange BodyChunks(string bodyId) => Range($"body|{Escape(bodyId)}", "chunk|");

    /// <summary>A row of the account as a whole: the mode, the last sweep, the thresholds of the value tiers.</summary>
    public static RowKey Account(string name) => new("x-account", Escape(name));

    /// <summary>What the latest sweep found.</summary>
    public static RowKey LastSweep => Account("last-sweep");

    /// <summary>What the daily sweep found on a day (business's time zone); the last one of the day stands.</summary>
    public static RowKey SweepOf(DateOnly on) => new("x-sweeps", $"sweep|{Day(on)}");

    /// <summary>What the sweeps of all days found, in order of time.</summary>
    public static KeyRange Sweeps => Range("x-sweeps", "sweep|");

    /// <summary>What the sweeps of some days found, in order of time.</summary>
    /// <param name="from">The first day.</param>
    /// <param name="to">The last day.</param>
    public static KeyRange SweepsBetween(DateOnly from, DateOnly to) => new("x-sweeps", $"sweep|{Day(from)}", $"sweep|{Day(to.AddDays(1))}");

    /// <summary>That a customer is in another tier since a day.</summary>
    public static RowKey Move(DateOnly on, string customerId) => new("x-moves", $"move|{Day(on)}|{Escape(customerId)}");

    /// <summary>Who is in another tier since a day.</summary>
    public static KeyRange MovesOf(DateOnly on) => Range("x-moves", $"move|{Day(on)}|");

    /// <summary>Who moved to another tier on some days, in order of time.</summary>
    /// <param name="from">The first day.</param>
    /// <param name="to">The last day.</param>
    public static KeyRange MovesBetween(DateOnly from, DateOnly to) => new("x-moves", $"move|{Day(from)}", $"move|{Day(to.AddDays(1))}");

    /// <summary>Something that the founder decided to do in a review.</summary>
    public static RowKey ReviewAction(string id) => new("x-review", $"action|{Escape(id)}");

    /// <summary>All that was decided in reviews.</summary>
    public static KeyRange ReviewActions => Range("x-review", "action|");

    /// <summary>The send-once ledger of the founder's own e-mails: the review of a month (<c>2026-02</c>), the line of the week of a Monday (<c>2026-03-02</c>).</summary>
    public static RowKey ReviewMail(string occasion) => new("x-review", $"mail|{Escape(occasion)}");

    /// <summary>What a summary counted in a bucket.</summary>
    public static RowKey Summary(string name, string bucket) => new($"x-summary|{Escape(name)}", $"bucket|{bucket}");

    /// <summary>What a summary counted in all buckets, in their order.</summary>
    public static KeyRange SummaryOfBuckets(string name) => Range($"x-summary|{Escape(name)}", "bucket|");

    /// <summary>When all summaries were last counted.</summary>
    public static RowKey SummariesCounted => Account("summaries");

    /// <summary>That a customer was erased. By the SHA-256 of the id, which nobody finds the id by.</summary>
    public static RowKey Erased(string customerId) => new("x-erased", $"customer|{Convert.ToHexStringLower(Hash(customerId))}");

    /// <summary>Where a job stands.</summary>
    public static RowKey Job(string name) => new("x-jobs", $"job|{Escape(name)}");

    /// <summary>All jobs that were ever started.</summary>
    public static KeyRange Jobs => Range("x-jobs", "job|");

    /// <summary>What the local host's sandbox saw of a subscription or invoice.</summary>
    public static RowKey SandboxObject(string id) => new("x-sandbox", $"object|{Escape(id)}");

    /// <summary>All that the local host's sandbox keeps of a customer of its own.</summary>
    public static RowKey SandboxAccount(string customerId) => new("x-sandbox", $"account|{Escape(customerId)}");

    /// <summary>The customers of the local host's sandbox.</summary>
    public static KeyRange SandboxAccounts => Range("x-sandbox", "account|");

    /// <summary>An event of the local host's sandbox that is not yet delivered.</summary>
    public static RowKey SandboxEvent(string eventId) => new("x-sandbox", $"event|{Escape(eventId)}");

    /// <summary>What the local host's sandbox has not yet delivered.</summary>
    public static KeyRange SandboxEvents => Range("x-sandbox", "event|");

    /// <summary>An event that the local host's sandbox told, for its list of events.</summary>
    public static RowKey SandboxTold(DateTimeOffset at, string eventId) => new("x-sandbox", $"told|{Seconds(at)}|{Escape(eventId)}");

    /// <summary>What the local host's sandbox told from a time on, oldest first.</summary>
    public static KeyRange SandboxToldFrom(DateTimeOffset from) => new("x-sandbox", $"told|{Seconds(from)}", "told}");

    /// <summary>What somebody did, by its number from 1, at the local host's sandbox to a customer of the demo company.</summary>
    public static RowKey SandboxAct(long number) => new("x-sandbox", $"act|{number.ToString("D10", CultureInfo.InvariantCulture)}");

    /// <summary>All that was done to customers of the demo company, in its order.</summary>
    public static KeyRange SandboxActs => Range("x-sandbox", "act|");

    /// <summary>One counter of what came in, of one day.</summary>
    public static RowKey Counter(DateOnly on, string name) => new("x-counters", $"counter|{Day(on)}|{Escape(name)}");

    /// <summary>All counters.</summary>
    public static KeyRange Counters => Range("x-counters", "counter|");

    /// <summary>One element of the Data Protection key ring.</summary>
    public static RowKey ProtectionKey(string name) => new("x-protection", $"key|{Escape(name)}");

    /// <summary>The Data Protection key ring.</summary>
    public static KeyRange ProtectionKeys => Range("x-protection", "key|");

    /// <summary>The id under which an app user is kept until it is tied to a customer.</summary>
    public static string UntiedUser(string userId) => $"{UntiedName}{userId}";

    /// <summary>Whether an id is that of an app user who is tied to no customer.</summary>
    public static bool IsUntiedUser(string id) => id.StartsWith(UntiedName, StringComparison.Ordinal);

    private const string UntiedName = "user:";

    /// <summary>All rows of a bucket that are of one kind.</summary>
    public static KeyRange RowsOfBucket(string bucket, string noun) => Range(bucket, $"{noun}|");

    /// <summary>The rows of a bucket that are of none of these kinds: what lies between them.</summary>
    public static IEnumerable<KeyRange> OtherRowsOfBucket(string bucket, IEnumerable<string> nouns)
    {
        var from = WholePartition(bucket).From;
        foreach (var range in nouns.Select(noun => RowsOfBucket(bucket, noun)).OrderBy(r => r.From, StringComparer.Ordinal))
        {
            yield return new KeyRange(bucket, from, range.From);
            from = range.To;
        }
        yield return new KeyRange(bucket, from, WholePartition(bucket).To);
    }

    /// <summary>All rows of a partition.</summary>
    public static KeyRange WholePartition(string partition) => new(partition, " ", "\uffff");

    /// <summary>The app user of whose tie this is the row; null where it is none.</summary>
    public static string? UserOfTie(RowKey at) => Index(at, "x-user|");

    /// <summary>The e-mail address of which this is a row of the index, in lower case; null where it is none.</summary>
    public static string? EmailOf(RowKey at) => Index(at, "x-email|");

    /// <summary>Whether this is the row of a job.</summary>
    public static bool IsJob(RowKey at) => at.Partition == Jobs.Partition;

    /// <summary>
    /// Whether this is a row of the business as a whole, such as a sweep, a counter, a key that signs links: whatever letters it has, it speaks of no customer. Of the account's, only the one that
    /// names who is to be erased does.
    /// </summary>
    public static bool NamesNobody(RowKey at) =>
        IsJob(at) || at.Partition is "x-erased" or "x-protection" or "x-sweeps" or "x-counters" || at.Partition.StartsWith("x-summary|", StringComparison.Ordinal)
        || (at.Partition == "x-account" && !at.Key.StartsWith(ErasureName, StringComparison.Ordinal));

    /// <summary>Who is to be erased, until they are; by what it was asked for.</summary>
    public static RowKey Erasure(string occasion) => Account($"{ErasureName}{occasion}");

    private const string ErasureName = "erase ";

    /// <summary>The parts of a row key, unescaped.</summary>
    public static string[] Parts(string rowKey) => [.. rowKey.Split('|').Select(Unescape)];

    /// <summary>Makes text safe inside a key: <c>| / \ # ? %</c> and control characters become <c>%XXXX</c>, UTF-16 code units in hex.</summary>
    public static string Escape(string text)
    {
        var at = text.AsSpan().IndexOfAnyExcept(Safe);
        if (at < 0) return text;
        var escaped = new StringBuilder(text.Length + 16);
        foreach (var c in text)
            if (c is '|' or '/' or '\\' or '#' or '?' or '%' or < ' ' or (>= '\u007f' and <= '\u009f') || char.IsSurrogate(c))
                escaped.Append('%').Append(((int)c).ToString("X4", CultureInfo.InvariantCulture));
            else
                escaped.Append(c);
        return escaped.ToString();
    }

    /// <summary>Takes <see cref="Escape"/> back.</summary>
    public static string Unescape(string text)
    {
        if (!text.Contains('%')) return text;
        var plain = new StringBuilder(text.Length);
        for (var i = 0; i < text.Length; i++)
            if (text[i] == '%' && i + 4 < text.Length && ushort.TryParse(text.AsSpan(i + 1, 4), NumberStyles.HexNumber, CultureInfo.InvariantCulture, out var unit))
            {
                plain.Append((char)unit);
                i += 4;
            }
            else
            {
                plain.Append(text[i]);
            }
        return plain.ToString();
    }

    private static readonly System.Buffers.SearchValues<char> Safe =
        System.Buffers.SearchValues.Create("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:@+=,~ ");

    private static byte[] Hash(string text) => SHA256.HashData(Encoding.UTF8.GetBytes(text));

    private static string? Index(RowKey at, string prefix) => at.Partition.StartsWith(prefix, StringComparison.Ordinal) ? Unescape(at.Partition[prefix.Length..]) : null;

    private static string EmailPartition(string email) => $"x-email|{Escape(email.Trim().ToLowerInvariant())}";

    // Ten digits keep the order of numbers in the order of text until the year 2286.
    private static string Seconds(DateTimeOffset at) => at.ToUnixTimeSeconds().ToString("D10", CultureInfo.InvariantCulture);

    private static string Day(DateOnly on) => on.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);

    private static RowKey Of(string customerId, string noun, params ReadOnlySpan<string> parts)
    {
        var key = new StringBuilder(noun).Append('|').Append(Escape(customerId));
        foreach (var part in parts) key.Append('|').Append(Escape(part));
        return new RowKey(Bucket(customerId), key.ToString());
    }

    private static KeyRange RangeOf(string customerId, string noun) => Range(Bucket(customerId), $"{noun}|{Escape(customerId)}|");

    // '}' is the character after '|'.
    private static KeyRange Range(string partition, string prefix) => new(partition, prefix, prefix[..^1] + "}");
}
