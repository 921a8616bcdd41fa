using System.Security.Cryptography;
using RetentionFunctions.Customers;
using RetentionFunctions.Jobs;
using RetentionFunctions.Storage;

namespace RetentionFunctions.Erasure;

/// <summary>Begins to erase a customer.</summary>
public sealed class CustomerErasure(ITables tables, JobRunner jobs, TimeProvider clock)
{
    /// <summary>Begins, and answers at once: the job <c>erase</c> does it. One at a time.</summary>
    public async Task<ErasureStart> BeginAsync(string customerId, CancellationToken cancel = default)
    {
        if (await tables.GetAsync(Keys.Customer(customerId), cancel) is null) return ErasureStart.NoSuchCustomer;
        if (await jobs.StateAsync("erase", cancel) is { IsRunning: true } running)
            // Asked for twice, as by a script that got no answer: it is under way.
            return await tables.GetAsync<Person>(EraseJob.Named(running.Occasion), cancel) is { Value: var person } && person.CustomerId == customerId ? ErasureStart.Begun : ErasureStart.AnotherIsRunning;
        // The occasion does not name them: it stays when they are gone. A row for each time it is asked for: of two who ask at once, the one who is refused
        // must not stand in the place of the other.
        var occasion = $"asked for at {clock.GetUtcNow().UtcDateTime:O} {Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8))}";
        var named = EraseJob.Named(occasion);
        await tables.UpsertAsync(named, new Person { CustomerId = customerId }, cancel);
        if (await jobs.StartAsync("erase", occasion, cancel)) return ErasureStart.Begun;
        await tables.DeleteAsync(named, cancel);
        return ErasureStart.AnotherIsRunning;
    }
}

/// <summary>Whether an erasure has begun.</summary>
public enum ErasureStart
{
    /// <summary>It has, now or already.</summary>
    Begun,

    /// <summary>There is no such customer.</summary>
    NoSuchCustomer,

    /// <summary>Somebody else is being erased: ask again in a minute.</summary>
    AnotherIsRunning,
}
