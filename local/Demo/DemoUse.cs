using System.Buffers;
using System.Globalization;
using System.Text.Json;

namespace RetentionFunctions.Local.Demo;

/// <summary>One call of the app to Segment's API.</summary>
/// <param name="At">When it happened.</param>
/// <param name="UserId">Who did it.</param>
/// <param name="MessageId">Counts once.</param>
/// <param name="Name">The event; null: an identify, and the fields are traits.</param>
/// <param name="Zone">The user's time zone.</param>
/// <param name="Fields">The properties or traits.</param>
internal sealed record DemoAppEvent(DateTimeOffset At, string UserId, string MessageId, string? Name, string Zone, IReadOnlyList<(string Name, object Value)> Fields);

/// <summary>How people use the app: what one of them does on one day, from nothing but who it is and how life stands. Times are UTC; some lie after the day's end.</summary>
internal static class DemoUse
{
    // The newsletter goes out on Tuesdays at 15:00 UTC.
    private const DayOfWeek NewsletterDay = DayOfWeek.Tuesday;

    /// <summary>What a customer does on a day of the own calendar.</summary>
    public static IReadOnlyList<DemoAppEvent> Day(ulong seed, DemoPerson person, DateOnly day, DemoTruths truths)
    {
        var events = new List<DemoAppEvent>();
        var number = 0;
        var random = DemoRandom.Of(seed, person.Index, "use", day.DayNumber);
        var signsUp = day == DateOnly.FromDateTime(person.SignsUpAt.UtcDateTime);
        var start = LocalStart(person, day, ref random);
        if (signsUp && start < person.SignsUpAt.AddMinutes(3)) start = person.SignsUpAt.AddMinutes(3);
        var level = person.Level(day);

        // Who the user is, said at sign-up and on the first of each month. Every third app knows no Stripe id: the e-mail address makes the tie.
        if (signsUp || (day.Day == 1 && level > 0)) Add(start, null, Traits(person));

        var weekend = day.DayOfWeek is DayOfWeek.Saturday or DayOfWeek.Sunday;
        if (signsUp || random.Chance((weekend ? person.Kind.Weekend : person.Kind.Weekday) * Math.Min(1, level * 1.2)))
        {
            var sessions = random.Chance(person.Kind.Features >= 3 ? .5 : .1) ? 2 : 1;
            for (var session = 0; session < sessions && level + (signsUp ? 1 : 0) > 0; session++)
            {
                var at = start.AddHours(session * 4).AddMinutes(random.Whole(0, 40));
                Add(at, "Signed In", []);
                // From two fifths to one and a third times the usual; who loses interest does less in it, too.
                var pace = Math.Max(.2, level) * (.4 + .9 * random.Share());
                var minutes = Math.Max(1, (int)(person.Kind.Minutes * pace / sessions));
                var uses = Math.Max(1, (int)Math.Round(person.Kind.Features * pace / sessions));
                for (var use = 0; use < uses; use++)
                {
                    var feature = person.UsesTruthFeature && random.Chance(.25) ? truths.Feature : random.Pick(person.Features);
                    Add(at.AddSeconds(60.0 * minutes * (use + 1) / (uses + 1)), "Feature Used", [("feature", feature)]);
                }
                Add(at.AddMinutes(minutes), "Session Ended", [("minutes", minutes)]);
            }
            if (random.Chance(person.Kind.Tickets)) Ticket(start.AddHours(1), ref random);
        }

        if (day.DayOfWeek == NewsletterDay && person.Subscribed)
        {
            var sent = new DateTimeOffset(day.ToDateTime(new TimeOnly(15, 0)), TimeSpan.Zero);
            if (sent > person.SignsUpAt)
            {
                Add(sent, "Email Delivered", [("campaign", "newsletter")]);
                if (level > 0 && random.Chance(.2 + .4 * level))
                {
                    Add(sent.AddMinutes(random.Whole(5, 500)), "Email Opened", [("campaign", "newsletter")]);
                    if (random.Chance(.25)) Add(sent.AddMinutes(510), "Email Clicked", [("campaign", "newsletter")]);
                }
            }
        }
        return events;

        void Ticket(DateTimeOffset at, ref DemoRandom chance)
        {
            var hours = chance.Whole(1, person.Kind == DemoKind.Agency ? 72 : 30);
            Add(at, "Ticket Opened", [("ticket", $"T-{person.Index}-{day.DayNumber}")]);
            Add(at.AddHours(hours), "Ticket Resolved", [("ticket", $"T-{person.Index}-{day.DayNumber}"), ("resolutionHours", hours)]);
            // Who waited long says so.
            if (chance.Chance(.6)) Add(at.AddHours(hours + 1), "Satisfaction Rated", [("score", Math.Clamp(5 - hours / 18 - chance.Whole(0, 1), 1, 5))]);
        }

        void Add(DateTimeOffset at, string? name, IReadOnlyList<(string, object)> fields) => events.Add(new DemoAppEvent(
            at, person.UserId, string.Create(CultureInfo.InvariantCulture, $"demo-{seed}-{person.Index}-{day.DayNumber}-{++number}"), name, person.Zone.Id, fields));
    }

    /// <summary>Events as bodies of <c>/v1/batch</c>, each of at most about <paramref name="maxBytes"/>.</summary>
    public static IEnumerable<byte[]> Batches(IEnumerable<DemoAppEvent> events, int maxBytes)
    {
        var bytes = new ArrayBufferWriter<byte>(maxBytes + 4096);
        Utf8JsonWriter? json = null;
        foreach (var one in events)
        {
            if (json is null)
            {
                json = new Utf8JsonWriter(bytes);
                json.WriteStartObject();
                json.WriteStartArray("batch");
            }
            Write(json, one);
            if (json.BytesPending + bytes.WrittenCount >= maxBytes - 4096) yield return Close();
        }
        if (json is not null) yield return Close();

        byte[] Close()
        {
            json!.WriteEndArray();
            json.WriteEndObject();
            json.Dispose();
            json = null;
            var body = bytes.WrittenSpan.ToArray();
            bytes.ResetWrittenCount();
            return body;
        }
    }

    private static DateTimeOffset LocalStart(DemoPerson person, DateOnly day, ref DemoRandom random)
    {
        var local = day.ToDateTime(new TimeOnly(person.Kind.Hour, 0)).AddMinutes(random.Whole(-60, 90));
        return new DateTimeOffset(local, person.Zone.GetUtcOffset(local)).ToUniversalTime();
    }

    private static List<(string, object)> Traits(DemoPerson person)
    {
        List<(string, object)> traits =
        [
            ("email", person.Email), ("name", person.Name), ("company", person.Company), ("channel", person.Channel), ("industry", person.Industry), ("plan", person.Plan.Key),
            ("country", person.Country), ("kind", person.Kind.Name), ("seats", person.Quantity),
        ];
        if (person.Index % 3 != 0) traits.Add(("stripeCustomerId", person.CustomerId));
        return traits;
    }

    private static void Write(Utf8JsonWriter json, DemoAppEvent one)
    {
        json.WriteStartObject();
        json.WriteString("type", one.Name is null ? "identify" : "track");
        json.WriteString("userId", one.UserId);
        json.WriteString("messageId", one.MessageId);
        json.WriteString("timestamp", one.At.ToString("yyyy-MM-ddTHH:mm:ss.fffZ", CultureInfo.InvariantCulture));
        if (one.Name is not null) json.WriteString("event", one.Name);
        json.WriteStartObject("context");
        json.WriteString("timezone", one.Zone);
        json.WriteEndObject();
        json.WriteStartObject(one.Name is null ? "traits" : "properties");
        foreach (var (name, value) in one.Fields)
            if (value is int number) json.WriteNumber(name, number);
            else json.WriteString(name, (string)value);
        json.WriteEndObject();
        json.WriteEndObject();
    }
}
