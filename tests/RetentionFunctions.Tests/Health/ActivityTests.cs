using System.Globalization;
using System.Text.Json;
using FsCheck;
using FsCheck.Fluent;
using RetentionFunctions.Health;
using RetentionFunctions.Intake.App;
using RetentionFunctions.Storage;

namespace RetentionFunctions.Tests.Health;

public sealed class ActivityTests
{
    private static readonly DateTimeOffset Now = new(2026, 6, 1, 12, 0, 0, TimeSpan.Zero);
    private static readonly DateOnly Today = new(2026, 6, 1);

    private static readonly AppEventSettings Settings = new()
    {
        Signals =
        {
            ["exports"] = new() { Event = "Exported" },
            ["rows"] = new() { Event = "Exported", Aggregate = SignalAggregate.Sum, Property = "rows" },
            ["largest"] = new() { Event = "Exported", Aggregate = SignalAggregate.Max, Property = "rows" },
            ["seats"] = new() { Trait = "seats" },
        },
    };

    public static TheoryData<string, string, string> Meanings => new()
    {
        { "Signed In", "{}", "signIns=1" },
        { "Session Ended", """{"minutes":12.5}""", "minutes=12.5" },
        { "Session Ended", """{"duration":90}""", "minutes=1.5" },
        { "Session Ended", """{"duration":"90"}""", "minutes=1.5" },
        { "Session Ended", """{"minutes":99999}""", "minutes=1440" },
        { "Session Ended", """{"minutes":-3}""", "" },
        { "Session Ended", """{"minutes":"long"}""", "" },
        { "Feature Used", """{"feature":"export"}""", "coreUses=1 feature:export=1" },
        { "Feature Used", "{}", "coreUses=1" },
        { "Ticket Opened", "{}", "ticketsOpened=1" },
        { "Ticket Resolved", """{"resolutionHours":5}""", "resolutionHours=5 resolutionsTimed=1 ticketsResolved=1" },
        { "Ticket Resolved", """{"openedAt":"2026-05-31T12:00:00Z"}""", "resolutionHours=24 resolutionsTimed=1 ticketsResolved=1" },
        { "Ticket Resolved", """{"openedAt":"2026-06-02T12:00:00Z"}""", "ticketsResolved=1" },
        { "Satisfaction Rated", """{"score":4}""", "satisfactionCount=1 satisfactionSum=0.8" },
        { "Satisfaction Rated", """{"score":9,"max":10}""", "satisfactionCount=1 satisfactionSum=0.9" },
        { "Satisfaction Rated", """{"score":9}""", "satisfactionCount=1 satisfactionSum=1" },
        { "Email Opened", "{}", "emailOpens=1" },
        { "Email Clicked", "{}", "emailClicks=1" },
        { "Exported", """{"rows":7}""", "signal:exports=1 signal:rows=7 signalMax:largest=7" },
        { "Exported", "{}", "signal:exports=1" },
        { "Something Else", "{}", "" },
    };

    [Theory]
    [MemberData(nameof(Meanings))]
    public void An_event_counts_as_what_it_means(string name, string properties, string counters)
    {
        var activity = ActivityUpdate.Apply(null, Track(name, Now, properties), Settings);

        Assert.Equal(counters, Counters(activity, Today));
        Assert.Equal(Now, activity.LastSeenAt);
    }

    [Fact]
    public void A_founders_mapping_says_property_unit_feature_and_best_score()
    {
        var settings = new AppEventSettings
        {
            Events =
            {
                ["Visit"] = new() { Meaning = AppEventMeaning.Minutes, Property = "ms", Unit = TimeUnit.Milliseconds },
                ["Invoice Sent"] = new() { Meaning = AppEventMeaning.CoreUse, Feature = "invoicing" },
                ["NPS"] = new() { Meaning = AppEventMeaning.Satisfaction, Property = "answer", Max = 10 },
            },
        };
        var activity = ActivityUpdate.Apply(null, Track("visit", Now, """{"ms":120000}"""), settings);
        activity = ActivityUpdate.Apply(activity, Track("Invoice Sent", Now), settings);
        activity = ActivityUpdate.Apply(activity, Track("nps", Now, """{"answer":7}"""), settings);

        Assert.Equal("coreUses=1 feature:invoicing=1 minutes=2 satisfactionCount=1 satisfactionSum=0.7", Counters(activity, Today));
    }

    [Fact]
    public void A_page_view_or_a_ticket_is_seen_but_not_active()
    {
        var seen = ActivityUpdate.Apply(null, new AppEvent { MessageId = "p", Type = AppEventType.Page, UserId = "u", Name = "Signed In", At = Now, ReceivedAt = Now }, Settings);
        seen = ActivityUpdate.Apply(seen, Track("Ticket Opened", Now), Settings);

        Assert.Null(seen.LastActiveAt);
        Assert.False(ActivityView.Of([seen], Now).EverMeasured);
        Assert.Equal(Now, ActivityUpdate.Apply(seen, Track("Login", Now), Settings).LastActiveAt);
    }

    [Fact]
    public void An_event_older_than_90_days_adds_to_no_counter()
    {
        var activity = ActivityUpdate.Apply(null, Track("Signed In", Now), Settings);
        var oldest = ActivityUpdate.Apply(activity, Track("Signed In", Now.AddDays(-89)), Settings);
        var older = ActivityUpdate.Apply(activity, Track("Signed In", Now.AddDays(-90)), Settings);

        Assert.Equal([Today.AddDays(-89), Today], oldest.Days.Keys);
        Assert.Equal([Today], older.Days.Keys);
        Assert.Equal(Now.AddDays(-90), older.FirstSeenAt);
        Assert.Equal(Now, older.LastActiveAt);
        Assert.Equal([Today], activity.Days.Keys);
    }

    [Fact]
    public void The_latest_value_of_a_trait_counts_and_of_two_at_once_the_greater()
    {
        var activity = ActivityUpdate.Apply(null, Identify("""{"seats":5}""", Now), Settings);
        activity = ActivityUpdate.Apply(activity, Identify("""{"seats":9}""", Now.AddDays(-1)), Settings);
        activity = ActivityUpdate.Apply(activity, Identify("""{"Seats":"7"}""", Now), Settings);
        activity = ActivityUpdate.Apply(activity, Identify("""{"seats":"many"}""", Now.AddDays(1)), Settings);

        Assert.Equal(new TraitValue(7, Now), activity.Traits["seats"]);
    }

    [Fact]
    public void Any_order_of_the_events_ends_in_the_same_row_to_the_byte()
    {
        var one =
            from kind in Gen.Choose(0, 6)
            from minutes in Gen.Choose(0, 200 * 24 * 60)
            from amount in Gen.Choose(1, 999)
            select Any(kind, Now.AddMinutes(-minutes), amount);
        var shuffled = from events in one.ListOf() from order in Gen.Shuffle(events.ToArray()) select (Events: events.ToArray(), Order: order);

        Prop.ForAll(shuffled.ToArbitrary(), s => s.Events.Length == 0 || Row(All(s.Events)) == Row(All(s.Order))).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void Events_counted_together_end_in_the_same_row_as_one_by_one()
    {
        var one =
            from kind in Gen.Choose(0, 6)
            from minutes in Gen.Choose(0, 120 * 24 * 60)
            from amount in Gen.Choose(1, 999)
            select Any(kind, Now.AddMinutes(-minutes), amount);
        var split = from events in one.ListOf() from size in Gen.Choose(1, 9) select (Events: events.ToArray(), Size: size);

        Prop.ForAll(split.ToArbitrary(), s => s.Events.Length == 0 ||
            Row(All(s.Events)) == Row(s.Events.Chunk(s.Size).Aggregate((Activity?)null, (a, part) => ActivityUpdate.Apply(a, part, Settings))!)).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void With_more_features_than_are_kept_the_order_still_does_not_matter_and_the_row_stays_within_the_limits()
    {
        var random = new Random(7);
        var events = Enumerable.Range(0, 2500)
            .Select(i => Track("Feature Used", Now.AddMinutes(-random.Next(90 * 24 * 60)), $$"""{"feature":"{{i % 150:D3}} {{new string('f', 40)}}"}""")).ToArray();

        var there = All(events);
        random.Shuffle(events);
        Assert.Equal(Row(there), Row(All(events)));
        Assert.Equal(ActivityUpdate.MaxFeatures, there.FirstUses.Count);
        var key = Keys.Activity("cus_1", "u");
        TableLimits.Check(key.Partition, [new Write.Upsert(key.Key, TablesExtensions.Write(there))]);
    }

    [Fact]
    public void Rows_of_several_users_are_one_view()
    {
        var one = All([Track("Signed In", Now), Track("Exported", Now, """{"rows":7}"""), Track("Feature Used", Now, """{"feature":"a"}""")]);
        var two = All([Track("Signed In", Now.AddDays(-2)), Track("Signed In", Now), Track("Exported", Now, """{"rows":5}"""), Track("Feature Used", Now.AddDays(-2), """{"feature":"a"}""")]);

        var sum = ActivityUpdate.Merge([one, two])!;

        Assert.Equal("coreUses=1 feature:a=1 signIns=2 signal:exports=2 signal:rows=12 signalMax:largest=7", Counters(sum, Today));
        Assert.Equal(Now.AddDays(-2), sum.FirstUses["a"]);
        Assert.Equal(Now.AddDays(-2), sum.FirstSeenAt);
        Assert.Equal(Row(sum), Row(ActivityUpdate.Merge([two, one])!));
        Assert.Null(ActivityUpdate.Merge([]));
    }

    [Fact]
    public void Nothing_seen_is_unknown_and_not_inactive()
    {
        var view = ActivityView.Of([], Now);

        Assert.False(view.EverMeasured);
        Assert.Null(view.LastActiveAt);
        Assert.Null(view.UseAgainstBaseline);
        Assert.Equal(0, view.Sum(Counter.SignIns, 30));
    }

    [Fact]
    public void E_mails_are_not_the_app()
    {
        var mail = ActivityUpdate.Count(null, "mail", Now.AddDays(-80), Counter.EmailsSent);
        var app = Daily(Now.AddDays(-20), 21);

        Assert.False(ActivityView.Of([mail], Now).EverMeasured);
        Assert.Null(ActivityView.Of([mail], Now).FirstEventAt);
        Assert.Null(ActivityView.Of([mail, app], Now).UseAgainstBaseline);
        Assert.Equal(21, ActivityView.Of([mail, app], Now).MeasuredDays);
    }

    [Theory]
    // days of history, one sign-in a day until how many days ago; expected share, null: no baseline
    [InlineData(74, 0, 1.0)]
    [InlineData(28, 0, 1.0)]
    [InlineData(27, 0, null)]
    [InlineData(74, 14, 0.0)]
    [InlineData(74, 7, 0.5)]
    public void Use_is_compared_with_the_customers_own_baseline(int historyDays, int silentDays, double? expected)
    {
        // At the end of the day, so that today is a whole one.
        var now = new DateTimeOffset(2026, 6, 1, 23, 59, 59, TimeSpan.Zero);
        var rows = new[] { Daily(now.AddDays(1 - historyDays), historyDays - silentDays) };
        var share = ActivityView.Of(rows, now).UseAgainstBaseline;

        if (expected is null) Assert.Null(share);
        else Assert.Equal(expected.Value, share!.Value, 0.001);
    }

    [Fact]
    public void A_sweep_in_the_morning_sees_no_fall()
    {
        var morning = new DateTimeOffset(2026, 6, 1, 0, 0, 0, TimeSpan.Zero);

        Assert.Equal(1.0, ActivityView.Of([Daily(morning.AddDays(-73).AddHours(12), 73)], morning).UseAgainstBaseline!.Value, 0.001);
    }

    [Fact]
    public void Fewer_than_four_active_days_are_no_baseline()
    {
        var days = new[] { 60, 50, 40, 30 };
        Activity Seen(int count) => All([.. days.Take(count).Select(d => Track("Signed In", Now.AddDays(-d)))]);

        Assert.Null(ActivityView.Of([Seen(3)], Now).UseAgainstBaseline);
        Assert.Equal(0, ActivityView.Of([Seen(4)], Now).UseAgainstBaseline);
    }

    [Fact]
    public void One_kind_of_use_that_is_reported_differently_does_not_decide_alone()
    {
        var all = Daily(Now.AddDays(-73), 74);
        foreach (var ago in Enumerable.Range(0, 74))
        {
            all = ActivityUpdate.Apply(all, Track("Feature Used", Now.AddDays(-ago)), Settings);
            if (ago >= 14) all = ActivityUpdate.Apply(all, Track("Session Ended", Now.AddDays(-ago), """{"minutes":10}"""), Settings);
        }

        Assert.Equal(0, ActivityView.Of([all], Now).AgainstBaseline(Counter.Minutes));
        Assert.InRange(ActivityView.Of([all], Now).UseAgainstBaseline!.Value, 0.99, 1.05);
    }

    private static Activity Daily(DateTimeOffset from, int days) => All([.. Enumerable.Range(0, days).Select(d => Track("Signed In", from.AddDays(d)))]);

    private static Activity All(IEnumerable<AppEvent> events) => events.Aggregate((Activity?)null, (a, e) => ActivityUpdate.Apply(a, e, Settings))!;

    private static AppEvent Any(int kind, DateTimeOffset at, int amount) => kind switch
    {
        0 => Track("Signed In", at),
        1 => Track("Session Ended", at, $$"""{"minutes":{{(amount / 7.0).ToString(CultureInfo.InvariantCulture)}}}"""),
        2 => Track("Feature Used", at, $$"""{"feature":"f{{amount % 30}}"}"""),
        3 => Track("Exported", at, $$"""{"rows":{{(amount / 3.0).ToString(CultureInfo.InvariantCulture)}}}"""),
        4 => Identify($$"""{"seats":{{amount}}}""", at.AddMinutes(-at.Minute)),
        5 => Track("Satisfaction Rated", at, $$"""{"score":{{amount % 6}},"max":7}"""),
        _ => new AppEvent { MessageId = "p", Type = AppEventType.Page, UserId = "u", At = at, ReceivedAt = Now },
    };

    private static AppEvent Track(string name, DateTimeOffset at, string properties = "{}") =>
        new() { MessageId = "m", Type = AppEventType.Track, UserId = "u", Name = name, At = at, ReceivedAt = at, Properties = JsonElement.Parse(properties) };

    private static AppEvent Identify(string traits, DateTimeOffset at) =>
        new() { MessageId = "m", Type = AppEventType.Identify, UserId = "u", At = at, ReceivedAt = at, Traits = JsonElement.Parse(traits) };

    private static string Row(Activity activity) => JsonSerializer.Serialize(activity, TablesExtensions.Json);

    private static string Counters(Activity activity, DateOnly day) =>
        activity.Days.TryGetValue(day, out var counters) ? string.Join(' ', counters.Select(c => string.Create(CultureInfo.InvariantCulture, $"{c.Key}={c.Value}"))) : "";
}
