using FsCheck;
using FsCheck.Fluent;
using RetentionFunctions.Email;
using RetentionFunctions.Flows;
using RetentionFunctions.Intake.Mail;

namespace RetentionFunctions.Tests.Email;

/// <summary>Which opens and clicks are the customer's, and what events make of the row of an e-mail.</summary>
public class EngagementTests
{
    private static readonly DateTimeOffset Arrived = new(2026, 2, 5, 10, 0, 0, TimeSpan.Zero);
    private static readonly EngagementSettings Rule = new();

    [Theory]
    [InlineData(9, false)]
    [InlineData(10, true)]
    [InlineData(-3, false)]
    public void An_open_in_the_first_ten_seconds_or_before_delivery_is_a_machines(int seconds, bool counts) =>
        Assert.Equal(counts, Engagement.Of([new MailTouch(Arrived.AddSeconds(seconds))], Arrived, Rule).OpenedAt is not null);

    [Theory]
    [InlineData(29, false)]
    [InlineData(30, true)]
    public void A_click_in_the_first_thirty_seconds_is_a_scanners(int seconds, bool counts) =>
        Assert.Equal(counts, Engagement.Of([new MailTouch(Arrived.AddSeconds(seconds), "a")], Arrived, Rule).ClickedAt is not null);

    [Theory]
    [InlineData("b", 2, false)]
    [InlineData("b", 3, true)]
    [InlineData("a", 1, true)]
    public void Several_links_in_two_seconds_are_a_scanners_and_one_link_twice_is_not(string other, int later, bool counts) =>
        Assert.Equal(counts, Engagement.Of([new MailTouch(Arrived.AddHours(1), "a"), new MailTouch(Arrived.AddHours(1).AddSeconds(later), other)], Arrived, Rule).ClickedAt is not null);

    [Fact]
    public void After_a_scanner_the_customers_own_click_counts_and_is_an_open_too()
    {
        var at = Arrived.AddHours(2);
        Assert.Equal((at, at), Engagement.Of([new MailTouch(Arrived.AddSeconds(1), "a"), new MailTouch(Arrived.AddSeconds(1), "b"), new MailTouch(at, "a")], Arrived, Rule));
    }

    [Fact]
    public void Where_the_delivery_is_not_known_the_time_says_nothing() =>
        Assert.NotNull(Engagement.Of([new MailTouch(Arrived)], null, Rule).OpenedAt);

    [Fact]
    public void Any_order_and_any_parts_of_the_events_give_the_same_row_and_the_same_suppression()
    {
        var run = new RunId("cus_1", "dunning", "in_1");
        var mail = new MailRecord { Id = "cus_1|dunning|in_1|1", CustomerId = "cus_1", Flow = "dunning", Occasion = "in_1", Step = 1, Template = "t", Subject = "s", To = "a@example.com", At = Arrived, Result = MailResult.Unknown };
        var customer = new RetentionFunctions.Customers.Customer { Id = "cus_1", BillingEmail = "a@example.com" };
        var events = from type in Gen.Elements(Enum.GetValues<MailEventType>())
                     from seconds in Gen.Choose(-5, 90)
                     from link in Gen.Elements("a", "b", "c")
                     from machine in Gen.Elements(true, false)
                     select new MailEvent($"{type} {seconds} {link} {machine}", type, Arrived.AddSeconds(seconds), run, 1) { Link = type == MailEventType.Click ? link : null, ByMachine = machine, Reason = link == "c" ? "Invalid" : link };
        var cases = from list in Gen.ListOf(events) from order in Gen.Shuffle(list.ToArray()) from cut in Gen.Choose(0, 20) select (List: list.ToArray(), Order: order, Cut: cut);
        Prop.ForAll(Arb.From(cases), one =>
        {
            var whole = MailFacts.Apply(mail, one.List, Rule);
            var parts = MailFacts.Apply(MailFacts.Apply(mail, [.. one.Order.Take(one.Cut)], Rule), [.. one.Order.Skip(one.Cut)], Rule);
            parts = MailFacts.Apply(parts, one.Order, Rule);
            Assert.Equal(Json(whole), Json(parts));
            var suppressed = MailFacts.Suppress(customer, mail, one.List);
            var inParts = MailFacts.Suppress(MailFacts.Suppress(customer, mail, [.. one.Order.Take(one.Cut)]), mail, [.. one.Order.Skip(one.Cut)]);
            Assert.Equal((suppressed.Unsubscribed, suppressed.Suppressed), (inParts.Unsubscribed, inParts.Suppressed));
        }).QuickCheckThrowOnFailure();

        static string Json(MailRecord row) => System.Text.Encoding.UTF8.GetString(RetentionFunctions.Storage.TablesExtensions.Write(row).Span);
    }

    [Fact]
    public void The_id_of_an_e_mail_leads_back_to_its_run_and_step()
    {
        var run = new RunId("cus|1", "win-back", "2026-02-05~preview");
        Assert.Equal((run, 12), MailArguments.Read(MailArguments.IdOf(run, 12)));
        foreach (var other in new[] { "", "x", "a|b|c", "a|b|c|0", "a|b|c|d", "a|b|c|d|1", "a||c|1" }) Assert.Null(MailArguments.Read(other));
    }
}
