using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using RetentionFunctions.Customers;
using RetentionFunctions.Storage;

namespace RetentionFunctions.Insight;

/// <summary>Something that the founder decided to do in a monthly review.</summary>
public sealed record ReviewAction
{
    /// <summary>Most characters of a text: a sentence or two.</summary>
    public const int MaxText = 500;

    /// <summary>Follows from the month, the text and the day, so that a form that is sent twice writes one.</summary>
    public required string Id { get; init; }

    /// <summary>The month in whose review it was decided.</summary>
    public required Month Month { get; init; }

    /// <summary>What to do. Written by people: encode it wherever it is shown.</summary>
    public required string Text { get; init; }

    /// <summary>Until when; null where nothing was said.</summary>
    public DateOnly? DueOn { get; init; }

    /// <summary>When it was written.</summary>
    public required DateTimeOffset At { get; init; }

    /// <summary>When it was said to be done; null while it is open.</summary>
    public DateTimeOffset? DoneAt { get; init; }
}

/// <summary>The actions of all reviews: some a month, in one range.</summary>
public sealed class ReviewActions(ITables tables, TimeProvider clock)
{
    /// <summary>All of them, oldest first.</summary>
    public async Task<IReadOnlyList<ReviewAction>> AllAsync(CancellationToken cancel = default) =>
        [.. (await tables.ListAsync<ReviewAction>(Keys.ReviewActions, cancel)).OrderBy(a => a.At).ThenBy(a => a.Id, StringComparer.Ordinal)];

    /// <summary>Writes one down. False where the same stands there already.</summary>
    /// <param name="month">The review.</param>
    /// <param name="text">One line, at most <see cref="ReviewAction.MaxText"/> characters.</param>
    /// <param name="dueOn">Until when; null for nothing said.</param>
    /// <param name="cancel">Gives up.</param>
    public Task<bool> AddAsync(Month month, string text, DateOnly? dueOn, CancellationToken cancel = default)
    {
        var named = string.Create(CultureInfo.InvariantCulture, $"{month}\n{dueOn:yyyy-MM-dd}\n{text}");
        var id = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(named)), 0, 8);
        return tables.TryInsertAsync(Keys.ReviewAction(id), new ReviewAction { Id = id, Month = month, Text = text, DueOn = dueOn, At = clock.GetUtcNow() }, cancel);
    }

    /// <summary>Says that one is done, or open again; the first moment of "done" is kept. False where it is not there.</summary>
    public async Task<bool> SetDoneAsync(string id, bool done, CancellationToken cancel = default) =>
        await tables.ChangeAsync<ReviewAction>(Keys.ReviewAction(id), found => found is null || done == found.DoneAt is not null ? null : found with { DoneAt = done ? clock.GetUtcNow() : null }, cancel) is not null;
}
