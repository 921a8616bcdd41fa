using System.Text.Json;
using RetentionFunctions.Customers;
using RetentionFunctions.Flows;
using RetentionFunctions.Health;
using RetentionFunctions.Intake.App;
using RetentionFunctions.Settings;
using RetentionFunctions.Storage;

namespace RetentionFunctions.Intake;

/// <summary>Handles one app event: counts it once for its user, ties the user to a customer, and lets the flows look again.</summary>
public sealed class AppIntake(ITables tables, UserTies ties, FlowDispatch flows, RetentionSettings settings)
{
    /// <summary>Handles an event as it was queued.</summary>
    /// <exception cref="UnreadableException">It is not one of ours.</exception>
    public async Task HandleAsync(ReadOnlyMemory<byte> body, CancellationToken cancel = default)
    {
        AppEvent appEvent;
        try
        {
            appEvent = JsonSerializer.Deserialize<AppEvent>(body.Span, TablesExtensions.Json) ?? throw new UnreadableException("The queued app event is null.");
        }
        catch (JsonException e)
        {
            throw new UnreadableException($"The queued app event is not readable: {e.Message}", e);
        }

        var before = await ties.OfAsync(appEvent.UserId, cancel);
        var countedAtHome = await CountAsync(appEvent, before, cancel);
        if (appEvent.Traits is { ValueKind: JsonValueKind.Object } traits) await TieAsync(appEvent, traits, cancel);
        // Whoever wrote an event without a tie, or under the one before, looks again: another may have been made meanwhile. So does a delivery that finds the
        // event counted under a former id: the one before may have stopped between counting and moving.
        if (await ties.OfAsync(appEvent.UserId, cancel) is not { } tie) return;
        if (!countedAtHome || before?.CustomerId != tie.CustomerId) await ties.MoveAsync(appEvent.UserId, tie, cancel);
        await flows.AfterChangeAsync(tie.CustomerId, cancel);
    }

    // False where it was counted before, under an id that the user had before its tie.
    private async Task<bool> CountAsync(AppEvent appEvent, UserTie? tie, CancellationToken cancel)
    {
        var id = $"{appEvent.UserId}:{appEvent.MessageId}";
        foreach (var former in tie?.Former ?? [])
            if (await tables.GetAsync(Keys.Event(former, id), cancel) is not null) return false;
        var subject = tie?.CustomerId ?? Keys.UntiedUser(appEvent.UserId);
        var key = Keys.Activity(subject, appEvent.UserId);
        var marker = new EventMarker(id, appEvent.Type.ToString().ToLowerInvariant(), appEvent.At, appEvent.Name ?? "") { FromApp = true };
        for (var attempt = 0; attempt < 10; attempt++)
        {
            if (await tables.GetAsync(Keys.Event(subject, id), cancel) is not null) return true;
            var known = await tables.GetAsync<Activity>(key, cancel);
            var activity = ActivityUpdate.Apply(known?.Value, appEvent, settings.AppEvents);
            activity = activity with { App = CustomerView.Latest(known?.Value.App, Said(appEvent)) };
            var row = TablesExtensions.Write(activity);
            Write[] writes =
            [
                new Write.Insert(Keys.Event(subject, id).Key, TablesExtensions.Write(marker)),
                known is null ? new Write.Insert(key.Key, row) : new Write.Replace(key.Key, row, known.ETag),
            ];
            if (await tables.TryCommitAsync(key.Partition, writes, cancel)) return true;
        }
        throw new TransientStorageException($"The activity of the user {appEvent.UserId} was changed by others ten times in a row.");
    }

    // The strongest tie first: the others then find it and leave it.
    private async Task TieAsync(AppEvent appEvent, JsonElement traits, CancellationToken cancel)
    {
        var customerId = Text(traits, "stripeCustomerId", "stripe_customer_id", "stripeCustomer");
        if (customerId is not null && customerId.Length <= 255)
            await ties.TieAsync(appEvent.UserId, customerId, TieStrength.App, appEvent.At, cancel);
        if (Text(traits, "email") is { Length: <= 254 } email && email.Contains('@'))
            await ties.EmailOfUserAsync(appEvent.UserId, email, appEvent.At, cancel);
    }

    private static AppTraits? Said(AppEvent appEvent)
    {
        var traits = appEvent.Traits is { ValueKind: JsonValueKind.Object } said ? said : default;
        var name = traits.ValueKind == JsonValueKind.Object ? Text(traits, "name") ?? FullName(traits) : null;
        var zone = (traits.ValueKind == JsonValueKind.Object ? Text(traits, "timezone", "timeZone", "time_zone") : null) ?? appEvent.TimeZone;
        // An unknown zone is as good as none: the next one asked is Stripe's, then the business's own.
        if (zone is not null && !TimeZoneInfo.TryFindSystemTimeZoneById(zone, out _)) zone = null;
        return name is null && zone is null ? null : new AppTraits(appEvent.At, appEvent.MessageId, name, zone);
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
