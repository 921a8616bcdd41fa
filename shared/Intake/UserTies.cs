using RetentionFunctions.Customers;
using RetentionFunctions.Health;
using RetentionFunctions.Storage;

namespace RetentionFunctions.Intake;

/// <summary>How a tie between an app user and a customer was made; a weaker one never replaces a stronger one. A stored format.</summary>
public enum TieStrength
{
    /// <summary>Both have the same e-mail address.</summary>
    Email,

    /// <summary>Stripe carries the app's user id (<c>client_reference_id</c>, metadata).</summary>
    Stripe,

    /// <summary>The app named the customer (<c>stripeCustomerId</c>).</summary>
    App,
}

/// <summary>The customer that an app user belongs to.</summary>
/// <param name="CustomerId">The customer.</param>
/// <param name="Strength">How it was made.</param>
/// <param name="At">When it was said.</param>
public sealed record UserTie(string CustomerId, TieStrength Strength, DateTimeOffset At)
{
    /// <summary>Under which ids the user was kept before; events counted there are not counted again.</summary>
    public IReadOnlyList<string> Former { get; init; } = [];
}

/// <summary>
/// Ties app users to customers and moves what came before the tie. The move copies the user's earlier rows whole, each under a name of its own, so that it can be
/// repeated at any time; whoever writes an untied event looks for a tie afterwards, and whoever ties moves afterwards, so that one of the two sees the other.
/// </summary>
public sealed class UserTies(ITables tables)
{
    /// <summary>The tie of a user, or null.</summary>
    public async Task<UserTie?> OfAsync(string userId, CancellationToken cancel = default) =>
        (await tables.GetAsync<UserTie>(Keys.UserTie(userId), cancel))?.Value;

    /// <summary>
    /// Ties a user to a customer, unless a stronger tie, or a later one as strong, says otherwise; then moves what came before. Who only says again what was said
    /// earlier leaves the moving to the one who said it, who is delivered until it is done.
    /// </summary>
    /// <returns>The tie that stands.</returns>
    public async Task<UserTie> TieAsync(string userId, string customerId, TieStrength strength, DateTimeOffset at, CancellationToken cancel = default)
    {
        UserTie? before = null;
        var tie = (await tables.ChangeAsync<UserTie>(Keys.UserTie(userId), known => Decide(before = known, userId, customerId, strength, at), cancel))!;
        if (!IsSaidAgain(before, customerId, strength, at)) await MoveAsync(userId, tie, cancel);
        return tie;
    }

    // The same instant is the same saying, delivered again.
    private static bool IsSaidAgain(UserTie? known, string customerId, TieStrength strength, DateTimeOffset at) =>
        known is not null && known.CustomerId == customerId && (strength < known.Strength || (strength == known.Strength && at > known.At));

    /// <summary>The new tie, or null to keep the one that stands. Pure.</summary>
    internal static UserTie? Decide(UserTie? known, string userId, string customerId, TieStrength strength, DateTimeOffset at)
    {
        if (known is null) return new UserTie(customerId, strength, at) { Former = [Keys.UntiedUser(userId)] };
        if (known.CustomerId == customerId)
            return strength > known.Strength || (strength == known.Strength && at > known.At) ? known with { Strength = strength, At = at } : null;
        // At the same instant the greater id, so that the order of arrival does not matter.
        var wins = (strength, at, customerId).CompareTo((known.Strength, known.At, known.CustomerId)) > 0;
        if (!wins) return null;
        return new UserTie(customerId, strength, at)
        {
            Former = [.. known.Former.Append(known.CustomerId).Where(id => id != customerId).Distinct(StringComparer.Ordinal)],
        };
    }

    /// <summary>Brings what is kept under the user's former ids to the customer. May be repeated at any time.</summary>
    public async Task MoveAsync(string userId, UserTie tie, CancellationToken cancel = default)
    {
        while (true)
        {
            await MoveOnceAsync(userId, tie, cancel);
            // Tied to another meanwhile: what this move brought there would stay with the wrong one.
            if (await OfAsync(userId, cancel) is not { } now || now.CustomerId == tie.CustomerId) return;
            tie = now;
        }
    }

    // Only what was counted in a place is ever copied from there, whole and under the name of the place; copies never travel on. So it may be
    // repeated, and a user who goes to and fro takes everything along each time.
    private async Task MoveOnceAsync(string userId, UserTie tie, CancellationToken cancel)
    {
        var untied = Keys.UntiedUser(userId);
        foreach (var place in tie.Former.Append(tie.CustomerId))
        {
            var source = Moved(userId) + place;
            var to = Keys.Activity(tie.CustomerId, source);
            // The copy is read before what it is made of, and replaced only as it was read: of two who move at the same time, the one who saw less cannot
            // write over the one who saw more.
            for (var attempt = 0; ; attempt++)
            {
                if (attempt == 10) throw new TransientStorageException("The activity of a user was changed by others ten times in a row.");
                var copy = await tables.GetAsync(to, cancel);
                // The row of the untied user stays: it belongs to nobody else, and an event that slips in there later is copied again.
                var counted = place == untied ? (await tables.GetAsync<Activity>(Keys.Activity(place, userId), cancel))?.Value
                    : place == tie.CustomerId ? (await tables.GetAsync<Activity>(Keys.MovedActivity(place, userId), cancel))?.Value
                    : await LeaveAsync(place, userId, cancel);
                if (counted is null) break;
                var body = TablesExtensions.Write(counted with { Source = source });
                if (copy is not null && copy.Body.Span.SequenceEqual(body.Span)) break;
                if (await tables.TryCommitAsync(to.Partition, [copy is null ? new Write.Insert(to.Key, body) : new Write.Replace(to.Key, body, copy.ETag)], cancel)) break;
            }
        }
    }

    /// <summary>Puts what a former customer's row of the user holds where it does not count for that customer, and says what there is. The copies there are removed.</summary>
    private async Task<Activity?> LeaveAsync(string former, string userId, CancellationToken cancel)
    {
        foreach (var copy in await tables.ListAsync<Activity>(Keys.Activities(former), cancel))
            if (copy.Source.StartsWith(Moved(userId), StringComparison.Ordinal)) await tables.DeleteAsync(Keys.Activity(former, copy.Source), cancel);

        var (key, kept) = (Keys.Activity(former, userId), Keys.MovedActivity(former, userId));
        for (var attempt = 0; attempt < 10; attempt++)
        {
            var before = await tables.GetAsync<Activity>(kept, cancel);
            if (await tables.GetAsync<Activity>(key, cancel) is not { } row) return before?.Value;
            var all = before is null ? row.Value : ActivityUpdate.Merge([before.Value, row.Value])! with { App = CustomerView.Latest(before.Value.App, row.Value.App) };
            var body = TablesExtensions.Write(all);
            // Both or neither, so that nothing counts twice and an event that comes in at this moment is not lost.
            Write[] writes = [new Write.Delete(key.Key, row.ETag), before is null ? new Write.Insert(kept.Key, body) : new Write.Replace(kept.Key, body, before.ETag)];
            if (await tables.TryCommitAsync(key.Partition, writes, cancel)) return all;
        }
        throw new TransientStorageException("The activity of a user was changed by others ten times in a row.");
    }

    /// <summary>Whether a user's id can be one. What is longer than the app's door takes is no user's: the event counts without it.</summary>
    public static bool IsLookedUp(string userId) => Keys.Escape(userId).Length <= App.SegmentReader.MaxUserIdLength;

    // No address has over 254 characters; what is longer, as a key has them, is looked up by nobody.
    private static bool IsAddress(string email) => Keys.Escape(email).Length <= 256;

    private static string Moved(string userId) => $"{userId} before ";

    /// <summary>Notes the address of a customer, and ties the users who have the same.</summary>
    public async Task EmailOfCustomerAsync(string customerId, string email, DateTimeOffset createdAt, CancellationToken cancel = default)
    {
        if (!IsAddress(email)) return;
        // The earliest saying counts, so that the order in which several come does not.
        await tables.ChangeAsync<CustomerOfEmail>(Keys.EmailOfCustomer(email, customerId), known => known is null || createdAt < known.CreatedAt ? new CustomerOfEmail(customerId, createdAt) : null, cancel);
        foreach (var user in await tables.ListAsync<UserOfEmail>(Keys.UsersOfEmail(email), cancel)) await TieByEmailAsync(user.UserId, email, cancel);
    }

    /// <summary>Notes the address of a user, and ties it to the customer who has the same.</summary>
    public async Task EmailOfUserAsync(string userId, string email, DateTimeOffset at, CancellationToken cancel = default)
    {
        if (!IsAddress(email)) return;
        // Said before: whoever said it first tied, and a customer who has had the address since then ties by itself.
        if (await tables.GetAsync<UserOfEmail>(Keys.EmailOfUser(email, userId), cancel) is { Value: var known } && known.At < at) return;
        await tables.UpsertAsync(Keys.EmailOfUser(email, userId), new UserOfEmail(userId, at), cancel);
        await TieByEmailAsync(userId, email, cancel);
    }

    // Of several customers with one address the newest is meant: a customer who left and came back by a new checkout has a new id.
    private async Task TieByEmailAsync(string userId, string email, CancellationToken cancel)
    {
        var customers = await tables.ListAsync<CustomerOfEmail>(Keys.CustomersOfEmail(email), cancel);
        if (customers.MaxBy(c => (c.CreatedAt, c.CustomerId)) is { } newest)
            await TieAsync(userId, newest.CustomerId, TieStrength.Email, newest.CreatedAt, cancel);
    }

    private sealed record CustomerOfEmail(string CustomerId, DateTimeOffset CreatedAt);

    private sealed record UserOfEmail(string UserId, DateTimeOffset At);
}
