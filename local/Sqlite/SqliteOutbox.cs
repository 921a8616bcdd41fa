using System.Text.Json;
using Microsoft.Data.Sqlite;
using RetentionFunctions.Email;
using RetentionFunctions.Storage;

namespace RetentionFunctions.Local.Sqlite;

/// <summary>An e-mail in the outbox.</summary>
/// <param name="Number">Its place in the order of sending; rises, with gaps.</param>
/// <param name="SentAt">When it was sent, by the host's clock, UTC.</param>
/// <param name="Email">The e-mail.</param>
public sealed record SentEmail(long Number, DateTimeOffset SentAt, OutgoingEmail Email);

/// <summary>Where the e-mails of the local host go: into the data file, to be looked at. Nothing leaves the machine.</summary>
public sealed class SqliteOutbox(SqliteStore store, TimeProvider time) : IMailer
{
    /// <inheritdoc />
    public bool Deduplicates => true;

    /// <summary>Keeps it; of several with the same <see cref="OutgoingEmail.Id"/> the first stays as it is, and all are accepted.</summary>
    public async Task<MailOutcome> SendAsync(OutgoingEmail email, CancellationToken cancel = default)
    {
        var sentAt = SqliteReader.Ticks(time.GetUtcNow());
        var json = JsonSerializer.Serialize(email, TablesExtensions.Json);
        await store.WriteAsync(writer => writer.Execute("INSERT INTO outbox(seq, id, sent_at, email) VALUES (?1, ?2, ?3, ?4) ON CONFLICT(id) DO NOTHING",
            writer.NextNumber(), email.Id, sentAt, json), cancel);
        return new MailOutcome.Accepted(email.Id);
    }

    /// <summary>Up to <paramref name="count"/> e-mails, the newest first; with <paramref name="before"/> those sent before the e-mail of that number.</summary>
    public Task<IReadOnlyList<SentEmail>> ListAsync(int count, long? before = null, CancellationToken cancel = default) => store.ReadAsync<IReadOnlyList<SentEmail>>(
        reader => reader.List("SELECT seq, sent_at, email FROM outbox WHERE seq < ?1 ORDER BY seq DESC LIMIT ?2", Read, before ?? long.MaxValue, count),
        cancel);

    /// <summary>The e-mails after that of a number and sent before a moment, the oldest first.</summary>
    public Task<IReadOnlyList<SentEmail>> SinceAsync(long after, DateTimeOffset before, CancellationToken cancel = default) => store.ReadAsync<IReadOnlyList<SentEmail>>(
        reader => reader.List("SELECT seq, sent_at, email FROM outbox WHERE seq > ?1 AND sent_at < ?2 ORDER BY seq", Read, after, SqliteReader.Ticks(before)),
        cancel);

    /// <summary>The e-mail with this <see cref="OutgoingEmail.Id"/>, or null.</summary>
    public Task<SentEmail?> GetAsync(string id, CancellationToken cancel = default) => store.ReadAsync(
        reader => reader.First("SELECT seq, sent_at, email FROM outbox WHERE id = ?1", Read, id),
        cancel);

    /// <summary>How many e-mails were sent.</summary>
    public Task<long> CountAsync(CancellationToken cancel = default) => store.ReadAsync(reader => reader.Number("SELECT count(*) FROM outbox") ?? 0, cancel);

    private static SentEmail Read(SqliteRow row) => new(
        row.Number(0),
        SqliteReader.Time(row.Number(1)),
        JsonSerializer.Deserialize<OutgoingEmail>(row.Text(2), TablesExtensions.Json) ?? throw new JsonException($"The e-mail {row.Number(0)} is null."));
}
