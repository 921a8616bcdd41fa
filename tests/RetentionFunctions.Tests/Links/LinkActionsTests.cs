using RetentionFunctions.Customers;
using RetentionFunctions.Links;
using RetentionFunctions.Storage;
using static RetentionFunctions.Tests.Links.LinkBench;

namespace RetentionFunctions.Tests.Links;

/// <summary>Who can pause, what a link writes, and what the same link does the second time.</summary>
public class LinkActionsTests
{
    private readonly LinkBench _bench = new();

    public static TheoryData<string, Customer, Type> Choices => new()
    {
        { "monthly", Ada(Subscription()), typeof(PauseChoice.Possible) },
        { "quarterly", Ada(Subscription(count: 3)), typeof(PauseChoice.Possible) },
        { "yearly", Ada(Subscription(interval: "year")), typeof(PauseChoice.Yearly) },
        { "every 12 months", Ada(Subscription(count: 12)), typeof(PauseChoice.Yearly) },
        { "ended", Ada(Subscription(state: SubscriptionState.Ended)), typeof(PauseChoice.Nothing) },
        { "past due", Ada(Subscription(state: SubscriptionState.PastDue)), typeof(PauseChoice.Nothing) },
        { "about to end", Ada(Subscription() with { EndsAt = Start.AddDays(9) }), typeof(PauseChoice.Nothing) },
        { "paused", Ada(Subscription(state: SubscriptionState.Paused)), typeof(PauseChoice.Paused) },
        { "will pause when the paid period is over", Ada(Subscription(pause: "void", resumesAt: Start.AddDays(60))), typeof(PauseChoice.Paused) },
        { "asked for a pause", Ada() with { PauseRequested = new(Start, Start.AddDays(30), ["sub_1"]) }, typeof(PauseChoice.Paused) },
        { "asked for a pause that is over", Ada() with { PauseRequested = new(Start.AddDays(-31), Start, ["sub_1"]) }, typeof(PauseChoice.Possible) },
        { "asked, and came back", Ada() with { PauseRequested = new(Start.AddDays(-3), Start.AddDays(30), ["sub_1"]), ReturnedAt = Start.AddDays(-2) }, typeof(PauseChoice.Possible) },
        { "asked, and Stripe says it runs", Ada(Subscription(seenAt: Start.AddDays(-1))) with { PauseRequested = new(Start.AddDays(-3), Start.AddDays(30), ["sub_1"]) }, typeof(PauseChoice.Possible) },
        { "asked a moment ago, and an older event came", Ada(Subscription(seenAt: Start.AddSeconds(3))) with { PauseRequested = new(Start, Start.AddDays(30), ["sub_1"]) }, typeof(PauseChoice.Paused) },
        { "asked, and it ended", Ada(Subscription(state: SubscriptionState.Ended)) with { PauseRequested = new(Start, Start.AddDays(30), ["sub_1"]) }, typeof(PauseChoice.Nothing) },
    };

    [Theory, MemberData(nameof(Choices))]
    public void Only_running_subscriptions_with_short_periods_can_be_paused(string who, Customer customer, Type choice) => Assert.True(choice == Pausing.Of(customer, Start).GetType(), who);

    [Fact]
    public async Task A_pause_reaches_billing_once_and_is_remembered_at_once()
    {
        await PutAsync(Ada(Subscription(), Subscription("sub_2"), Subscription("sub_year", interval: "year")));
        var link = _bench.Claims(LinkPurpose.Pause);
        Assert.Equal("Your subscription is paused", await TitleAsync(_bench.Actions.PauseAsync(link, 2)));
        Assert.Equal(["pause cus_ada sub_1 2026-05-03 09:00", "pause cus_ada sub_2 2026-05-03 09:00"], _bench.Billing.Calls);
        var request = (await AdaAsync()).PauseRequested!;
        Assert.Equal((Start, new DateTimeOffset(2026, 5, 3, 9, 0, 0, TimeSpan.Zero)), (request.At, request.Until));
        Assert.Equal(["sub_1", "sub_2"], request.SubscriptionIds);

        var commits = _bench.Tables.Commits;
        Assert.Equal("Your subscription is already paused", await TitleAsync(_bench.Actions.PauseAsync(link, 3)));
        Assert.Equal(2, _bench.Billing.Calls.Count);
        Assert.Equal(commits, _bench.Tables.Commits);
    }

    [Fact]
    public async Task A_pause_that_a_crash_left_unrecorded_is_the_same_pause_when_the_link_is_used_again()
    {
        await PutAsync(Ada());
        await _bench.Actions.PauseAsync(_bench.Claims(LinkPurpose.Pause), 1);
        await PutAsync(Ada());
        _bench.Clock.Now = Start.AddMinutes(20);
        await _bench.Actions.PauseAsync(_bench.Claims(LinkPurpose.Pause), 1);
        Assert.Single(_bench.Billing.Calls);
    }

    [Fact]
    public async Task Paused_resumed_and_paused_again_within_the_hour_are_three_changes()
    {
        await PutAsync(Ada());
        await _bench.Actions.PauseAsync(_bench.Claims(LinkPurpose.Pause), 1);
        _bench.Clock.Now = Start.AddMinutes(5);
        await _bench.Actions.ReturnAsync(_bench.Claims(LinkPurpose.Return));
        Assert.Null((await AdaAsync()).PauseRequested);
        _bench.Clock.Now = Start.AddMinutes(10);
        await _bench.Actions.PauseAsync(_bench.Claims(LinkPurpose.Pause), 1);
        Assert.Equal(["pause cus_ada sub_1 2026-04-03 09:00", "resume cus_ada sub_1", "pause cus_ada sub_1 2026-04-03 09:00"], _bench.Billing.Calls);
        Assert.NotNull((await AdaAsync()).PauseRequested);
    }

    [Theory]
    [InlineData(0), InlineData(4), InlineData(-1)]
    public async Task A_pause_of_no_offered_length_changes_nothing(int months)
    {
        await PutAsync(Ada());
        Assert.Equal(400, (await _bench.Actions.PauseAsync(_bench.Claims(LinkPurpose.Pause), months)).Status);
        Assert.Empty(_bench.Billing.Calls);
    }

    [Fact]
    public async Task What_billing_refuses_is_not_remembered_as_paused()
    {
        await PutAsync(Ada());
        _bench.Billing.Answer = new BillingResult.Refused("the subscription has ended");
        Assert.Equal(409, (await _bench.Actions.PauseAsync(_bench.Claims(LinkPurpose.Pause), 1)).Status);
        Assert.Null((await AdaAsync()).PauseRequested);
    }

    [Fact]
    public async Task A_return_is_recorded_once_per_e_mail()
    {
        await PutAsync(Ada());
        await _bench.Actions.ReturnAsync(_bench.Claims(LinkPurpose.Return));
        Assert.Equal(Start, (await AdaAsync()).ReturnedAt);
        _bench.Clock.Now = Start.AddDays(2);
        Assert.Equal("Welcome back", await TitleAsync(_bench.Actions.ReturnAsync(_bench.Claims(LinkPurpose.Return))));
        Assert.Equal(Start, (await AdaAsync()).ReturnedAt);
        Assert.Empty(_bench.Billing.Calls);

        // A later e-mail's link counts anew.
        await _bench.Actions.ReturnAsync(_bench.Claims(LinkPurpose.Return) with { ExpiresAt = Start.AddDays(61) });
        Assert.Equal(Start.AddDays(2), (await AdaAsync()).ReturnedAt);
    }

    [Fact]
    public async Task The_first_answer_counts_and_is_kept_as_a_note()
    {
        await PutAsync(Ada());
        var link = _bench.Claims(LinkPurpose.Answer, "missing");
        Assert.Equal("Thank you", await TitleAsync(_bench.Actions.AnswerAsync(link, "missing", "  PDF\r\nexport <b>\n")));
        Assert.Equal("You have answered already", await TitleAsync(_bench.Actions.AnswerAsync(link, "no-time", null)));
        var note = Assert.Single(await _bench.Tables.ListAsync<Note>(Keys.Notes("cus_ada")));
        Assert.Equal(new Note { Id = "answer-win-back-2026-03-03-4", At = Start, Kind = "answer", Text = "It lacks something I need: PDF\nexport <b>", By = "the customer, by win-back step 4" }, note);
    }

    [Fact]
    public async Task An_endless_answer_is_cut_and_an_empty_one_is_asked_for_again()
    {
        await PutAsync(Ada());
        Assert.Equal(400, (await _bench.Actions.AnswerAsync(_bench.Claims(LinkPurpose.Answer), "made-up", " ")).Status);
        await _bench.Actions.AnswerAsync(_bench.Claims(LinkPurpose.Answer), null, new string('x', 5000));
        Assert.Equal(2000, Assert.Single(await _bench.Tables.ListAsync<Note>(Keys.Notes("cus_ada"))).Text.Length);
    }

    [Fact]
    public async Task An_unsubscription_keeps_its_first_date_and_says_where_it_came_from()
    {
        await PutAsync(Ada());
        await _bench.Actions.UnsubscribeAsync(_bench.Claims(LinkPurpose.Unsubscribe));
        _bench.Clock.Now = Start.AddDays(9);
        await _bench.Actions.UnsubscribeAsync(_bench.Claims(LinkPurpose.Unsubscribe));
        Assert.Equal(new Suppression(Start, "unsubscribed by link in win-back step 4"), (await AdaAsync()).Unsubscribed);
    }

    [Fact]
    public async Task A_link_of_a_customer_who_is_not_there_makes_no_row()
    {
        foreach (var page in (Task<LinkPage>[])
        [
            _bench.Actions.UnsubscribeAsync(_bench.Claims(LinkPurpose.Unsubscribe)), _bench.Actions.ReturnAsync(_bench.Claims(LinkPurpose.Return)),
            _bench.Actions.PauseAsync(_bench.Claims(LinkPurpose.Pause), 1), _bench.Actions.AnswerAsync(_bench.Claims(LinkPurpose.Answer), "no-time", null),
            _bench.Actions.PayAsync(_bench.Claims(LinkPurpose.Pay, "in_1"), new Uri("https://x.example")), _bench.Actions.ShowAsync(_bench.Claims(LinkPurpose.Pause)),
        ])
            Assert.Equal(404, (await page).Status);
        Assert.Equal(0, _bench.Tables.Commits);
    }

    private Task PutAsync(Customer customer) => _bench.Tables.UpsertAsync(Keys.Customer(customer.Id), customer);

    private async Task<Customer> AdaAsync() => (await _bench.Tables.GetAsync<Customer>(Keys.Customer("cus_ada")))!.Value;

    private static async Task<string> TitleAsync(Task<LinkPage> page) => Assert.IsType<LinkPage.Message>(await page).Title;
}
