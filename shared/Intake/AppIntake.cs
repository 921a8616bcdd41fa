using System.Text.Json;
using RetentionFunctions.Customers;
using RetentionFunctions.Flows;
using RetentionFunctions.Health;
using RetentionFunctions.Intake.App;
using RetentionFunctions.Intake.Stripe;
using RetentionFunctions.Settings;
using RetentionFunctions.Storage;

namespace RetentionFunctions.Intake;

/// <summary>Handles the app events of one user: counts each once, ties the user to a customer, and lets the flows look again.</summary>
public sealed class AppIntake(ITables tables, UserTies ties, FlowDispatch flows, RetentionSettings settings)
{
    // For longer than a sender that got no answer goes on trying.
    private static readonly TimeSpan CopiesTake = TimeSpan.FromDays(1);

    /// <summary>Handles a message as it was queued (<see cref="AppMessages"/>).</summary>
    /// <exception cref="UnreadableException">It is not one of ours.</exception>
    public async Task HandleAsync(ReadOnlyMemory<byte> body, CancellationToken cancel = default)
    {
        var events = AppMessages.Read(body);
        var userId = events[0].UserId;
        var before = await ties.OfAsync(userId, cancel);
        var countedAtHome = true;
        foreach (var part in events.Chunk(AppMessages.MostEvents)) countedAtHome &= await CountAsync(userId, part, before, cancel);
        UserTie? said = null;
        foreach (var one in events)
            if (one.Traits is { ValueKind: JsonValueKind.Object } traits) said = await TieAsync(one, traits, cancel) ?? said;
        // Whoever wrote an event without a tie, or under the one before, looks again: another may have been made meanwhile. So does a delivery that finds an
        // event counted under a former id: the one before may have stopped between counting and moving.
        if ((said ?? await ties.OfAsync(userId, cancel)) is not { } tie) return;
        if (!countedAtHome || before?.CustomerId != tie.CustomerId) await ties.MoveAsync(userId, tie, cancel);
        await flows.AfterChangeAsync(tie.CustomerId, cancel);
    }

    // False where one was counted before, under an id that the user had before its tie.
    private async Task<bool> CountAsync(string userId, IReadOnlyList<AppEvent> events, UserTie? tie, CancellationToken cancel)
    {
        var fresh = await NotCountedBeforeTieAsync(userId, events, tie, cancel);
        var countedAtHome = fresh.Count == events.Count;
        var subject = tie?.CustomerId ?? Keys.UntiedUser(userId);
        var key = Keys.Activity(subject, userId);
        for (var attempt = 0; attempt < 10; attempt++)
        {
            // Copies are rare: whether an event was counted is asked only where the commit says that something is there already.
            if (attempt > 0) fresh = await WhereAsync(fresh, async e => await tables.GetAsync(Marker(subject, e), cancel) is null);
            if (fresh.Count == 0) return countedAtHome;
            var known = await tables.GetAsync<Activity>(key, cancel);
            var activity = ActivityUpdate.Apply(known?.Value, fresh, settings.AppEvents);
            activity = activity with { App = fresh.Aggregate(known?.Value.App, (app, e) => CustomerView.Latest(app, Said(e, settings.Customers))) };
            var row = TablesExtensions.Write(activity);
            List<Write> writes =
            [
                .. fresh.Select(e => new Write.Insert(Marker(subject, e).Key, TablesExtensions.Write(new EventMarker(Id(e), e.Type.ToString().ToLowerInvariant(), e.At, e.Name ?? "") { FromApp = true }))),
                known is null ? new Write.Insert(key.Key, row) : new Write.Replace(key.Key, row, known.ETag),
            ];
            if (await tables.TryCommitAsync(key.Partition, writes, cancel)) return countedAtHome;
        }
        throw new TransientStorageException("The activity of a user was changed by others ten times in a row.");
    }

    // Those that no former id of the user has counted. What was counted while the user was tied to nobody stands in one row with its first and last time,
    // written together with the markers: what lies well outside was not counted there, and most is later. Well outside, since a copy may say another time:
    // without a timestamp it is that of its arrival, and with sentAt it is corrected by the way that the request took.
    private async Task<IReadOnlyList<AppEvent>> NotCountedBeforeTieAsync(string userId, IReadOnlyList<AppEvent> events, UserTie? tie, CancellationToken cancel)
    {
        var fresh = events;
        foreach (var former in tie?.Former ?? [])
        {
            var possible = fresh;
            if (former == Keys.UntiedUser(userId))
            {
                var row = (await tables.GetAsync<Activity>(Keys.Activity(former, userId), cancel))?.Value;
                possible = row is null ? [] : [.. fresh.Where(e => e.At >= row.FirstSeenAt - CopiesTake && e.At <= row.LastSeenAt + CopiesTake)];
            }
            if (possible.Count == 0) continue;
            var counted = await WhereAsync(possible, async e => await tables.GetAsync(Marker(former, e), cancel) is not null);
            if (counted.Count > 0) fresh = [.. fresh.Except(counted)];
        }
        return fresh;
    }

    private static async Task<IReadOnlyList<AppEvent>> WhereAsync(IReadOnlyList<AppEvent> events, Func<AppEvent, Task<bool>> isSo)
    {
        var found = new List<AppEvent>(events.Count);
        foreach (var e in events)
            if (await isSo(e)) found.Add(e);
        return found;
    }

    private static string Id(AppEvent e) => $"{e.UserId}:{e.MessageId}";

    private static RowKey Marker(string subject, AppEvent e) => Keys.Event(subject, Id(e));

    // The strongest tie first: the others then find it and leave it. The tie as it stood after that one, where the app named the customer.
    private async Task<UserTie?> TieAsync(AppEvent appEvent, JsonElement traits, CancellationToken cancel)
    {
        var customerId = Text(traits, "stripeCustomerId", "stripe_customer_id", "stripeCustomer");
        UserTie? tie = null;
        if (customerId is not null && StripeObject.FitsKey(customerId)) tie = await ties.TieAsync(appEvent.UserId, customerId, TieStrength.App, appEvent.At, cancel);
        if (Text(traits, "email") is { Length: <= 254 } email && email.Contains('@'))
            await ties.EmailOfUserAsync(appEvent.UserId, email, appEvent.At, cancel);
        return tie;
    }

    private static AppTraits? Said(AppEvent appEvent, CustomerSettings settings)
    {
        var traits = appEvent.Traits is { ValueKind: JsonValueKind.Object } said ? said : default;
        var name = traits.ValueKind == JsonValueKind.Object ? Text(traits, "name") ?? FullName(traits) : null;
        var zone = (traits.ValueKind == JsonValueKind.Object ? Text(traits, "timezone", "timeZone", "time_zone") : null) ?? appEvent.TimeZone;
        // An unknown zone is as good as none: the next one asked is Stripe's, then the business's own.
        if (zone is not null && !TimeZoneInfo.TryFindSystemTimeZoneById(zone, out _)) zone = null;
        var others = CustomerTraits.Of(settings, trait => appEvent.Traits.Text(trait))?.ToDictionary(t => t.Key, t => new SaidTrait(t.Value, appEvent.At, appEvent.MessageId), StringComparer.Ordinal);
        return name is null && zone is null && others is null ? null : new AppTraits(appEvent.At, appEvent.MessageId, name, zone) { Traits = others };
    }

    private static string? FullName(JsonElement traits)
    {
        var name = $"{Text(traits, "firstName", "first_name")} {Text(traits, "lastName", "last_name")}".Trim();
        return name.Length == 0 ? null : name;
    }

    private static string? Text(JsonElement traits, params ReadOnlySpan<string> names)
    {
        foreach (var name in names)
            if (traits.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String && value.GetString() is { } text && text.Trim().Length > 0)
                return text.Trim();
        return null;
    }
}
