using System.Security.Cryptography;
using RetentionFunctions.Erasure;
using RetentionFunctions.Storage;

namespace RetentionFunctions.Intake;

/// <summary>A message that could not be handled: nothing is lost, it is shown with its reason and can be replayed.</summary>
public sealed record DeadLetter
{
    /// <summary>The id of the message.</summary>
    public required string Id { get; init; }

    /// <summary>Its session.</summary>
    public required string Session { get; init; }

    /// <summary>Which reader it was for.</summary>
    public required MessageKind Kind { get; init; }

    /// <summary>What was wrong, where, and what to do.</summary>
    public required string Reason { get; init; }

    /// <summary>When the message came in.</summary>
    public required DateTimeOffset ReceivedAt { get; init; }

    /// <summary>When it was given up.</summary>
    public required DateTimeOffset At { get; init; }

    /// <summary>How often handling was tried.</summary>
    public int Attempts { get; init; }

    /// <summary>Where its raw body is kept: unique to this death of the message.</summary>
    public required string BodyId { get; init; }
}

/// <summary>The dead letters: written by whoever gives up, listed, replayed and dropped here.</summary>
public sealed class DeadLetters(ITables tables, BodyStore bodies, IInbox inbox)
{
    /// <summary>Keeps a message with its raw body. May be repeated.</summary>
    public async Task KeepAsync(InboxMessage message, ReadOnlyMemory<byte> body, string reason, int attempts, DateTimeOffset now, CancellationToken cancel = default)
    {
        // It came in before its customer was erased, and was tried until after that: it goes with them.
        if (await tables.GetAsync<Erased>(Keys.Erased(message.Session), cancel) is { Value: var erased } && message.ReceivedAt <= erased.At) return;
        // An id of its own, so that a replay which is still dropping the letter before cannot take this body with it.
        var bodyId = $"dead:{message.Id}:{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8))}";
        await bodies.PutAsync(bodyId, body, cancel);
        string? former = null;
        await tables.ChangeAsync<DeadLetter>(Keys.DeadLetter(message.Id), known =>
        {
            former = known?.BodyId;
            return new DeadLetter
            {
                Id = message.Id,
                Session = message.Session,
                Kind = message.Kind,
                Reason = reason,
                ReceivedAt = message.ReceivedAt,
                At = now,
                Attempts = attempts,
                BodyId = bodyId,
            };
        }, cancel);
        if (former is not null) await bodies.DeleteAsync(former, cancel);
    }

    /// <summary>All of them, newest first.</summary>
    public async Task<IReadOnlyList<DeadLetter>> ListAsync(CancellationToken cancel = default) =>
        [.. (await tables.ListAsync<DeadLetter>(Keys.DeadLetters, cancel)).OrderByDescending(d => d.At).ThenBy(d => d.Id, StringComparer.Ordinal)];

    /// <summary>One of them with its raw body; null where there is none.</summary>
    public async Task<(DeadLetter Letter, ReadOnlyMemory<byte> Body)?> GetAsync(string id, CancellationToken cancel = default)
    {
        if (await tables.GetAsync<DeadLetter>(Keys.DeadLetter(id), cancel) is not { } found) return null;
        return (found.Value, await bodies.GetAsync(found.Value.BodyId, cancel) ?? ReadOnlyMemory<byte>.Empty);
    }

    /// <summary>
    /// Puts it back into the inbox, then drops the letter; a crash in between leaves both, and handling twice changes nothing. A letter that was written
    /// meanwhile, because the message died again at once, stays. False where there is none.
    /// </summary>
    public async Task<bool> ReplayAsync(string id, CancellationToken cancel = default)
    {
        var key = Keys.DeadLetter(id);
        if (await tables.GetAsync<DeadLetter>(key, cancel) is not { Value: var letter, ETag: var etag }) return false;
        // Without its body it was replayed or dropped by somebody else at this moment.
        if (await bodies.GetAsync(letter.BodyId, cancel) is not { } body) return false;
        await inbox.EnqueueAsync([await bodies.FitAsync(new InboxMessage(letter.Session, letter.Id, letter.Kind, body, letter.ReceivedAt) { Replay = letter.BodyId }, cancel)], cancel);
        if (await tables.TryCommitAsync(key.Partition, [new Write.Delete(key.Key, etag)], cancel)) await bodies.DeleteAsync(letter.BodyId, cancel);
        return true;
    }

    /// <summary>Forgets it, also where it is already gone.</summary>
    public async Task DropAsync(string id, CancellationToken cancel = default)
    {
        if (await tables.GetAsync<DeadLetter>(Keys.DeadLetter(id), cancel) is not { } found) return;
        await bodies.DeleteAsync(found.Value.BodyId, cancel);
        await tables.DeleteAsync(Keys.DeadLetter(id), cancel);
    }
}
