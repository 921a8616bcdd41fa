using FsCheck;
using FsCheck.Fluent;
using RetentionFunctions.Customers;
using RetentionFunctions.Local.Demo;
using RetentionFunctions.Local.Sandbox;
using RetentionFunctions.Storage;
using static RetentionFunctions.Tests.Sandbox.SandboxStripeTests;

namespace RetentionFunctions.Tests.Sandbox;

/// <summary>Events arrive late, swapped and twice, always in the same way, and the product ends where it would have ended in good order.</summary>
public class SandboxDeliveryTests
{
    private static IEnumerable<string> Ids => Enumerable.Range(1, 5000).Select(n => $"evt_Ada{n:D6}");

    [Fact]
    public void Most_events_take_seconds_some_a_minute_and_a_few_minutes()
    {
        var delays = Ids.Select(SandboxDelivery.Delay).ToList();
        Assert.All(delays, delay => Assert.InRange(delay, TimeSpan.FromSeconds(1), SandboxDelivery.Longest));
        Assert.InRange(delays.Count(d => d <= TimeSpan.FromSeconds(4)) / 5000.0, .77, .83);
        Assert.InRange(delays.Count(d => d > TimeSpan.FromMinutes(1)) / 5000.0, .02, .045);
        Assert.Equal(delays, Ids.Select(SandboxDelivery.Delay));
    }

    [Fact]
    public void About_four_of_a_hundred_come_twice_within_the_hour()
    {
        var copies = Ids.Select(SandboxDelivery.CopyAfter).OfType<TimeSpan>().ToList();
        Assert.InRange(copies.Count / 5000.0, .03, .05);
        Assert.All(copies, after => Assert.InRange(after, TimeSpan.FromSeconds(1), TimeSpan.FromHours(1)));
    }

    [Theory]
    [InlineData(1, 5)]
    [InlineData(2, 20)]
    [InlineData(3, 80)]
    [InlineData(4, 320)]
    [InlineData(5, 720)]
    [InlineData(9, 720)]
    [InlineData(10, null)]
    public void What_is_not_taken_is_tried_again_ever_later_for_three_days(int failures, int? minutes) =>
        Assert.Equal(minutes, (int?)SandboxDelivery.RetryAfter(failures)?.TotalMinutes);

    [Fact]
    public void Nothing_is_lost_on_the_way_and_neighbours_swap_now_and_then()
    {
        var events = SignUp(Stripe());
        var swapped = 0;
        for (var life = 0; life < 200; life++)
        {
            var told = events.Select(e => e with { Id = $"{e.Id}{life}" }).ToList();
            var arrivals = SandboxDelivery.Arrivals(told);
            Assert.Equal(told.Select(e => e.Id).Order(StringComparer.Ordinal), arrivals.Select(a => a.Event.Id).Distinct().Order(StringComparer.Ordinal));
            Assert.Equal(arrivals.Select(a => a.At), arrivals.Select(a => a.At).Order());
            if (!arrivals.Select(a => a.Event.Id).Distinct().SequenceEqual(told.Select(e => e.Id))) swapped++;
        }
        Assert.InRange(swapped, 50, 200);
    }

    /// <summary>A stop of the demo's clock holds back what arrives later, and every stop brings what has arrived.</summary>
    [Fact]
    public void The_demos_postman_brings_each_event_at_the_first_stop_after_its_arrival()
    {
        var events = SignUp(Stripe());
        var postman = new DemoPostman();
        var first = postman.Bring([new DemoStep.Tells("cus_Ada", events)], Start.AddSeconds(2)).Cast<DemoStep.Tells>().SelectMany(t => t.Events).ToList();
        var later = postman.Bring([], Start.AddHours(2)).Cast<DemoStep.Tells>().SelectMany(t => t.Events).ToList();
        Assert.Equal(SandboxDelivery.Arrivals(events).Select(a => a.Event.Id), first.Concat(later).Select(e => e.Id));
        Assert.Equal(SandboxDelivery.Arrivals(events).Count(a => a.At <= Start.AddSeconds(2)), first.Count);
        Assert.NotEmpty(later);
    }

    [Theory, MemberData(nameof(Versions), MemberType = typeof(SandboxStripeTests))]
    public void Any_life_that_arrives_late_swapped_and_twice_ends_as_it_would_in_good_order(string version) =>
        Prop.ForAll(Gen.Choose(0, 15).ArrayOf().Where(a => a.Length is > 0 and <= 25).ToArbitrary(), acts =>
        {
            var events = Live(version, acts, store: false);
            Assert.Equal(Ends(events), Ends(SandboxDelivery.Arrivals(events).Select(a => a.Event)));
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(12));

    private static string Ends(IEnumerable<SandboxEvent> events)
    {
        var (customer, ledger) = SandboxYearTests.ReadAsync(events, new DateTimeOffset(2027, 1, 1, 0, 0, 0, TimeSpan.Zero)).GetAwaiter().GetResult();
        return System.Text.Json.JsonSerializer.Serialize(new { customer.Status, customer.Subscriptions, customer.Mrr, customer.FailingInvoices, customer.Card, customer.DeletedAt, customer.Email, customer.Refunds, Ledger = ledger }, TablesExtensions.Json);
    }
}
