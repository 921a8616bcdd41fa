using System.Globalization;
using System.Net;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using RetentionFunctions.Flows;
using RetentionFunctions.Health;
using RetentionFunctions.Local;
using RetentionFunctions.Settings;
using RetentionFunctions.Storage;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.Torture.Surroundings;

/// <summary>A clock that is set back, and the nights in which clocks are changed.</summary>
public class ClockTests(ITestOutputHelper output)
{
    // An hour, an hour at another time of night, and half an hour in the southern summer.
    private static readonly string[] Zones = ["America/New_York", "Europe/Berlin", "Australia/Lord_Howe"];

    [Fact]
    public async Task A_real_clock_set_back_an_hour_sends_nothing_twice_and_loses_nothing()
    {
        var clock = new StandingClock(new DateTimeOffset(2026, 3, 3, 10, 30, 0, TimeSpan.Zero));
        await using var host = await TestHost.StartAsync(clock: null, services: services =>
        {
            var real = new LocalClock(null, clock);
            services.AddSingleton(real).AddSingleton<TimeProvider>(real);
        });
        var pump = host.Services.GetRequiredService<LocalPump>();
        await SendAsync([.. host.Ada.SignsUp(clock.Now.AddDays(-31)), .. host.Ada.PaymentFails(clock.Now.AddHours(-1), next: clock.Now.AddDays(3))]);
        var first = Assert.Single(await host.OutboxAsync());

        // Back, to before anything was sent; Stripe's clock goes on.
        var stripes = clock.Now;
        clock.Now -= TimeSpan.FromHours(1);
        var body = host.Ada.CustomerUpdated(stripes, "x@example.com").ToJsonString();
        using (var ahead = await SendSignedAsync(body, stripes))
        {
            Assert.Equal(HttpStatusCode.BadRequest, ahead.StatusCode);
            // Stripe comes again for three days; the founder reads what is wrong.
            Assert.Contains("From the future: signed 3600 s ahead, 300 s are allowed; the host", await ahead.Content.ReadAsStringAsync());
        }
        for (var look = 0; look < 20; look++)
        {
            await pump.SettleAsync();
            await host.SweepAsync();
            clock.Now += TimeSpan.FromMinutes(3);
        }
        Assert.Single(await host.OutboxAsync());
        // The link of the e-mail, issued an hour ahead, works.
        var link = (string)first["links"]!.AsObject().First().Value!;
        Assert.Equal(HttpStatusCode.OK, (await host.Http.GetAsync(link)).StatusCode);

        // The hour comes a second time, and with it what was refused.
        using (var again = await SendSignedAsync(body, clock.Now)) Assert.Equal(HttpStatusCode.OK, again.StatusCode);
        for (var hour = 0; hour < 24 * 16; hour++)
        {
            clock.Now += TimeSpan.FromHours(1);
            await pump.SettleAsync();
        }
        var mails = await host.OutboxAsync();
        Assert.Equal(mails.Count, mails.Select(m => (string?)m["id"]).Distinct().Count());
        Assert.Equal(mails.Count, mails.Select(m => (int)m["step"]!).Distinct().Count());
        Assert.True(mails.Count > 1);
        var times = mails.Select(m => DateTimeOffset.Parse((string)m["at"]!, CultureInfo.InvariantCulture)).ToList();
        Assert.All(times.Zip(times.Skip(1)), pair => Assert.True(pair.Second - pair.First >= TimeSpan.FromHours(24)));
        Assert.Equal("x@example.com", (string?)(await host.CustomerAsync())["email"]);
        Assert.Empty(await host.DeadLettersAsync());
        // A sweep a day, also on the day that had an hour more.
        var days = await SweptAsync(host);
        Assert.Equal(days.Count, days.Distinct().Count());
        output.WriteLine($"set back an hour: {mails.Count} e-mails, each once; {days.Count} days swept");

        async Task SendAsync(IEnumerable<JsonObject> events)
        {
            foreach (var e in events)
                using (var answer = await SendSignedAsync(e.ToJsonString(), clock.Now)) Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
            await pump.SettleAsync();
        }

        Task<HttpResponseMessage> SendSignedAsync(string text, DateTimeOffset at) =>
            host.SendStripeAsync(text, Intake.Stripe.StripeSignature.Sign(System.Text.Encoding.UTF8.GetBytes(text), TestHost.Secret, at));
    }

    [Fact]
    public void In_every_zone_and_at_every_hour_the_sweep_is_due_once_a_local_day()
    {
        var days = 0;
        foreach (var zone in Zones)
            for (var hour = 0; hour < 24; hour++)
            {
                var settings = new RetentionSettings { Product = { TimeZone = zone }, Sweep = { Hour = hour } };
                var info = TimeZoneInfo.FindSystemTimeZoneById(zone);
                var at = new DateTimeOffset(2026, 1, 1, 12, 0, 0, TimeSpan.Zero);
                var day = DailySweep.Day(DailySweep.NextDue(at, settings), settings).AddDays(-1);
                for (var n = Form.Times(366, 3653); n > 0; n--)
                {
                    at = DailySweep.NextDue(at, settings);
                    Assert.Equal(day = day.AddDays(1), DailySweep.Day(at, settings));
                    var local = TimeZoneInfo.ConvertTime(at, info);
                    // Where the hour does not exist, or not all of it, the next one.
                    Assert.True(local.Hour == hour || (local.Hour == hour + 1 && info.IsInvalidTime(local.Date.AddHours(hour))), $"{zone} {local}");
                    days++;
                }
            }
        output.WriteLine($"{days} days in {Zones.Length} zones at each of 24 hours: each swept once");
    }

    [Theory]
    [InlineData("America/New_York", "2026-03-05", "2026-10-29")]
    [InlineData("Europe/Berlin", "2026-03-26", "2026-10-22")]
    [InlineData("Australia/Lord_Howe", "2026-10-01", "2026-04-02")]
    public async Task Nights_in_which_the_clocks_change_have_one_sweep_and_no_e_mail_outside_its_hours(string zone, string spring, string autumn)
    {
        var info = TimeZoneInfo.FindSystemTimeZoneById(zone);
        foreach (var from in new[] { spring, autumn })
        {
            // At two, which on these nights does not exist, or comes twice, or ends early.
            var start = new DateTimeOffset(DateTime.Parse(from, CultureInfo.InvariantCulture), TimeSpan.Zero);
            await using var host = await TestHost.StartAsync($"{from}T00:00:00Z", settings: new() { ["Product:TimeZone"] = zone, ["Sweep:Hour"] = "2" });
            var stories = Enumerable.Range(0, Form.Times(6, 48)).Select(n => new Story($"cus_N{n:D2}", $"n{n}@example.com")).ToList();
            foreach (var story in stories) await host.StripeAsync(story.SignsUp(start.AddDays(-40)));
            // A payment fails every so often, day and night.
            var failed = new Dictionary<string, DateTimeOffset>(StringComparer.Ordinal);
            for (var hour = 0; hour < 24 * 6; hour++)
            {
                if (hour % Math.Max(1, 24 * 4 / stories.Count) == 0 && hour * stories.Count / (24 * 4) is var n && n < stories.Count)
                {
                    failed[stories[n].Customer] = host.Now;
                    await host.StripeAsync(stories[n].PaymentFails(host.Now, $"r{n}", next: host.Now.AddDays(3)));
                }
                await host.AdvanceAsync(TimeSpan.FromHours(1));
            }
            await host.AdvanceAsync(TimeSpan.FromDays(14));

            var mails = await host.OutboxAsync();
            Assert.True(mails.Count >= 3 * stories.Count, $"{mails.Count} e-mails");
            Assert.All(mails, mail => Assert.InRange(TimeZoneInfo.ConvertTime(DateTimeOffset.Parse((string)mail["at"]!, CultureInfo.InvariantCulture), info).Hour, 9, 16));
            Assert.Equal(mails.Count, mails.Select(m => (string?)m["id"]).Distinct().Count());
            // The first e-mail at once, or at the minute at which the next such hours begin: looked for minute by minute.
            foreach (var mail in mails.Where(m => (int)m["step"]! == 1))
            {
                var due = failed[(string)mail["customerId"]!];
                while (TimeZoneInfo.ConvertTime(due, info).Hour is < 9 or > 16) due = due.AddMinutes(1);
                Assert.Equal(due, DateTimeOffset.Parse((string)mail["at"]!, CultureInfo.InvariantCulture));
            }
            // At two; where that does not exist, at three.
            await foreach (var row in host.Tables().QueryAsync(Keys.WholePartition(Keys.SweepOf(default).Partition)))
            {
                var local = TimeZoneInfo.ConvertTime(row.Read<SweepResult>().At, info);
                Assert.Equal(info.IsInvalidTime(local.Date.AddHours(2)) ? 3 : 2, local.Hour);
            }
            var days = await SweptAsync(host);
            Assert.Equal(Enumerable.Range(0, days.Count).Select(n => days[0].AddDays(n)), days);
            // As many days as the calendar has: none is skipped at its ends either.
            Assert.InRange(days.Count, 19, 21);
            output.WriteLine($"{zone} from {from}: {mails.Count} e-mails, all from 9 to 17; {days.Count} days, each swept once");
        }
    }

    // The days that have the row of a sweep; each row says when it was.
    private static async Task<List<DateOnly>> SweptAsync(TestHost host)
    {
        var days = new List<DateOnly>();
        await foreach (var row in host.Tables().QueryAsync(Keys.WholePartition(Keys.SweepOf(default).Partition)))
            days.Add(DateOnly.ParseExact(Keys.Parts(row.At.Key)[1], "yyyy-MM-dd", CultureInfo.InvariantCulture));
        return days;
    }
}
