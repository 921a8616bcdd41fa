using System.Text.Json;
using System.Text.Json.Nodes;
using RetentionFunctions.Customers;
using RetentionFunctions.Import;
using RetentionFunctions.Intake;
using RetentionFunctions.Jobs;
using RetentionFunctions.Storage;

namespace RetentionFunctions.Erasure;

/// <summary>What a host keeps of people outside the tables.</summary>
public interface IPersonalData
{
    /// <summary>Removes all of it. May be repeated.</summary>
    Task EraseAsync(string customerId, CancellationToken cancel = default);
}

/// <summary>
/// Erases one customer: every row of theirs and of their app users, every index that names them, dead letters and stored bodies in which they are. It goes through the
/// tables twice: who they are (all addresses and app users that were ever tied to them), then everything that speaks of them.
/// Files that wait to be imported are among the stored bodies, and go whole. It asks for nothing at Stripe: a customer who is not deleted there comes back with the next event. Backups keep them until they are removed themselves.
/// </summary>
public sealed class EraseJob(ITables tables, IEnumerable<IPersonalData> others) : IBulkJob
{
    // Rows that a step looks at: some seconds.
    private const int RowsPerStep = 20_000;

    private const string BodyPrefix = "body|";

    // As text, such a partition is behind all buckets.
    private const string FirstIndex = "x-";

    /// <inheritdoc/>
    public string Name => "erase";

    /// <summary>Where it stands who is erased, by the occasion of the job.</summary>
    internal static RowKey Named(string occasion) => Keys.Erasure(occasion);

    /// <inheritdoc/>
    public async Task<JobStep> StepAsync(JobState state, CancellationToken cancel)
    {
        var named = Named(state.Occasion);
        if (await tables.GetAsync<Person>(named, cancel) is not { Value: var person })
        {
            // The last step, once more: it had removed that too.
            if (state.Cursor.Deserialize<Position>(TablesExtensions.Json) is { Phase: Phase.Indexes }) return new JobStep(null, state.Counts);
            throw new JobFailedException("Nobody is named who should be erased: ask again from the customer's page.");
        }
        var at = state.Cursor.Deserialize<Position>(TablesExtensions.Json) ?? new Position(Phase.Who, null);
        var removed = state.Counts.GetValueOrDefault("removed");
        switch (at.Phase)
        {
            case Phase.Who:
                var last = await WhoAsync(person, named, at.After, cancel);
                return Next(last is null ? new Position(Phase.Rows, null) : at with { After = last });
            case Phase.Rows:
                // First of all: what Stripe said before this moment must not bring them back, however often and late it comes.
                await tables.UpsertAsync(Keys.Erased(person.CustomerId), new Erased(state.StartedAt), cancel);
                removed += await RemoveAllRowsAsync(person, state.StartedAt, cancel);
                return Next(new Position(Phase.Bodies, null));
            case Phase.Bodies:
                removed += await RemoveLettersAsync(person, cancel) + await RemoveBodiesAsync(person, cancel);
                return Next(new Position(Phase.Indexes, null));
            default:
                var (after, gone) = await RemoveIndexesAsync(person, named, at.After, cancel);
                removed += gone;
                if (after is not null) return Next(at with { After = after });
                // What came in since, while the indexes still led to them.
                removed += await RemoveAllRowsAsync(person, state.StartedAt, cancel);
                // The last that is known of them.
                await tables.DeleteAsync(named, cancel);
                return new JobStep(null, new Dictionary<string, long> { ["removed"] = removed });
        }

        JobStep Next(Position position) => new(JsonSerializer.SerializeToNode(position, TablesExtensions.Json), new Dictionary<string, long> { ["removed"] = removed });
    }

    // The addresses and the app users, from the indexes. A user who was once tied and then to another is not theirs any more; what was counted meanwhile lies in their rows.
    private async Task<RowKey?> WhoAsync(Person person, RowKey named, RowKey? after, CancellationToken cancel)
    {
        if (after is null && await tables.GetAsync<Customer>(Keys.Customer(person.CustomerId), cancel) is { Value: var customer })
            person.Emails.UnionWith(new[] { customer.Email, customer.Profile.Email, customer.BillingEmail }.OfType<string>());
        var last = await EachAsync(after ?? new RowKey(FirstIndex, ""), RowsPerStep, row =>
        {
            if (Keys.UserOfTie(row.At) is { } user)
            {
                if (row.Read<UserTie>() is not { } tie || tie.CustomerId != person.CustomerId) return;
                person.Users.Add(user);
                person.FormerCustomers.UnionWith(tie.Former.Where(id => id != person.CustomerId && id != Keys.UntiedUser(user)));
            }
            else if (Keys.EmailOf(row.At) is { } email && Keys.Parts(row.At.Key) is ["customer", var id] && id == person.CustomerId)
            {
                person.Emails.Add(email);
            }
        }, cancel);
        await tables.UpsertAsync(named, person, cancel);
        return last;
    }

    private async Task<long> RemoveAllRowsAsync(Person person, DateTimeOffset at, CancellationToken cancel)
    {
        var removed = 0L;
        foreach (var id in person.Ids) removed += await RemoveRowsAsync(id, at, cancel);
        foreach (var id in person.FormerCustomers) removed += await RemoveUsersRowsAsync(id, person, cancel);
        foreach (var other in others) await other.EraseAsync(person.CustomerId, cancel);
        return removed;
    }

    // What their app users left with a customer to whom they belonged before: counters with the user's name, markers of events.
    private async Task<long> RemoveUsersRowsAsync(string formerCustomer, Person person, CancellationToken cancel)
    {
        var keys = new List<string>();
        var bucket = Keys.Bucket(formerCustomer);
        await foreach (var row in tables.QueryAsync(Keys.WholePartition(bucket), cancel))
            if (Keys.Parts(row.At.Key) is ["activity" or "moved" or "event", var owner, var source] && owner == formerCustomer
                && person.Users.Any(user => source == user || source.StartsWith($"{user} before ", StringComparison.Ordinal) || source.StartsWith($"{user}:", StringComparison.Ordinal)))
                keys.Add(row.At.Key);
        await RemoveAsync(bucket, keys, cancel);
        return keys.Count;
    }

    // A customer's rows, or those of an app user before the tie: one bucket, every noun.
    private async Task<long> RemoveRowsAsync(string id, DateTimeOffset at, CancellationToken cancel)
    {
        await ErasedMonths.LeaveAsync(tables, id, at, cancel);
        var keys = new List<string>();
        var bucket = Keys.Bucket(id);
        await foreach (var row in tables.QueryAsync(Keys.WholePartition(bucket), cancel))
            if (Keys.Parts(row.At.Key) is [_, var owner, ..] && owner == id) keys.Add(row.At.Key);
        await RemoveAsync(bucket, keys, cancel);
        return keys.Count;
    }

    private async Task<long> RemoveLettersAsync(Person person, CancellationToken cancel)
    {
        var (removed, sessions, mentions) = (0L, person.Sessions, person.Mentions);
        await foreach (var row in tables.QueryAsync(Keys.DeadLetters, cancel))
        {
            var letter = row.Read<DeadLetter>();
            if (!sessions.Contains(letter.Session) && !mentions.In(row.Body.Span)) continue;
            removed += await RemovePartitionAsync(Keys.BodyChunk(letter.BodyId, 0).Partition, cancel) + 1;
            await RemoveAsync(row.At.Partition, [row.At.Key], cancel);
        }
        return removed;
    }

    // Large messages, orphans, dead letters: few, and each is read whole.
    private async Task<long> RemoveBodiesAsync(Person person, CancellationToken cancel)
    {
        var (theirs, mentions) = (new HashSet<string>(StringComparer.Ordinal), person.Mentions);
        string? partition = null;
        var text = new MemoryStream();
        await foreach (var row in tables.ScanAsync(new RowKey(BodyPrefix, ""), cancel))
        {
            if (row.At.Partition != partition) Look();
            if (!row.At.Partition.StartsWith(BodyPrefix, StringComparison.Ordinal)) break;
            partition = row.At.Partition;
            text.Write(Convert.FromBase64String((string)row.Read<JsonObject>()["data"]!));
        }
        Look();
        var removed = 0L;
        foreach (var body in theirs) removed += await RemovePartitionAsync(body, cancel);
        return removed;

        void Look()
        {
            var body = text.GetBuffer().AsSpan(0, (int)text.Length);
            if (partition is not null && (Imports.IsFile(partition) ? mentions.InFile(body) : mentions.In(body))) theirs.Add(partition);
            text.SetLength(0);
        }
    }

    private async Task<(RowKey? After, long Removed)> RemoveIndexesAsync(Person person, RowKey named, RowKey? after, CancellationToken cancel)
    {
        var (theirs, mentions) = (new List<RowKey>(), person.Mentions);
        var last = await EachAsync(after ?? new RowKey(FirstIndex, ""), RowsPerStep, row =>
        {
            if (row.At == named || Keys.NamesNobody(row.At)) return;
            var isTheirs = Keys.UserOfTie(row.At) is { } user ? person.Users.Contains(user)
                : Keys.EmailOf(row.At) is not null && Keys.Parts(row.At.Key) is [var noun, var id] ? noun == "user" ? person.Users.Contains(id) : id == person.CustomerId
                : mentions.In(row.Body.Span) || Keys.Parts(row.At.Key).Any(mentions.In);
            if (isTheirs) theirs.Add(row.At);
        }, cancel);
        foreach (var partition in theirs.GroupBy(key => key.Partition, key => key.Key, StringComparer.Ordinal)) await RemoveAsync(partition.Key, [.. partition], cancel);
        return (last, theirs.Count);
    }

    // The last row that was looked at, where there may be more.
    private async Task<RowKey?> EachAsync(RowKey after, int most, Action<Row> look, CancellationToken cancel)
    {
        var seen = 0;
        await foreach (var row in tables.ScanAsync(after, cancel))
        {
            look(row);
            if (++seen == most) return row.At;
        }
        return null;
    }

    private async Task<long> RemovePartitionAsync(string partition, CancellationToken cancel)
    {
        var keys = new List<string>();
        await foreach (var row in tables.QueryAsync(Keys.WholePartition(partition), cancel)) keys.Add(row.At.Key);
        await RemoveAsync(partition, keys, cancel);
        return keys.Count;
    }

    private async Task RemoveAsync(string partition, IReadOnlyList<string> keys, CancellationToken cancel)
    {
        foreach (var batch in keys.Chunk(TableLimits.BatchRows)) await tables.TryCommitAsync(partition, [.. batch.Select(key => new Write.Delete(key))], cancel);
    }

    private enum Phase { Who, Rows, Bodies, Indexes }

    private sealed record Position(Phase Phase, RowKey? After);
}

/// <summary>That a customer was erased: kept for good, under a hash of the id, so that it says nothing of whoever does not know the id.</summary>
/// <param name="At">When it was begun: what Stripe says happened at or before then is not taken in again.</param>
public sealed record Erased(DateTimeOffset At);

/// <summary>Who is being erased. Kept only until it is done.</summary>
public sealed record Person
{
    /// <summary>The customer.</summary>
    public required string CustomerId { get; init; }

    /// <summary>The app users tied to them.</summary>
    public HashSet<string> Users { get; init; } = new(StringComparer.Ordinal);

    /// <summary>Other customers to whom those users belonged before.</summary>
    public HashSet<string> FormerCustomers { get; init; } = new(StringComparer.Ordinal);

    /// <summary>Every address of theirs.</summary>
    public HashSet<string> Emails { get; init; } = new(StringComparer.OrdinalIgnoreCase);

    internal IEnumerable<string> Ids => Users.Select(Keys.UntiedUser).Prepend(CustomerId);

    internal HashSet<string> Sessions => [.. Users.Select(Keys.UntiedUser), CustomerId];

    /// <summary>Whether a text speaks of them. The ids of app users are the app's, and go by keys alone.</summary>
    internal Mentions Mentions => new(CustomerId, Emails);
}
