using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Playwright;
using RetentionFunctions.Local.Demo;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.BrowserTests;

/// <summary>The stories of the product, clicked through as the founder and as the customer. Stripe and the app speak over HTTP, people only through the browser.</summary>
public sealed class ClickedStories(Browser browser)
{
    // A Monday.
    private static readonly DateTimeOffset SignUp = new(2026, 1, 5, 10, 0, 0, TimeSpan.Zero);
    private static readonly DateTimeOffset Renewal = new(2026, 2, 5, 11, 0, 0, TimeSpan.Zero);

    [Fact]
    public async Task A_payment_fails_the_email_comes_and_the_customer_pays_all_by_keyboard()
    {
        await using var host = await FailedPaymentAsync();
        await using var visitor = await browser.VisitAsync(host.Http.BaseAddress!);
        var founder = await visitor.OpenAsync("/");
        await PressAsync(founder, Link(founder, "Outbox"));
        await PressAsync(founder, founder.GetByRole(AriaRole.Main).GetByRole(AriaRole.Link, new() { NameRegex = new("payment", RegexOptions.IgnoreCase) }));

        await Assertions.Expect(founder.FrameLocator("iframe").GetByRole(AriaRole.Link, new() { Name = "Pay or update my card" })).ToBeVisibleAsync();

        var customer = founder;
        await PressAsync(customer, customer.Locator($"a[href='{(string)Assert.Single(await host.OutboxAsync())["links"]!["pay"]!}']"));
        await visitor.InspectAsync(customer, "the page to pay");
        await PressAsync(customer, Button(customer, "Pay or update my card"));
        await visitor.InspectAsync(customer, "the page of the sandbox to pay");
        await PressAsync(customer, Button(customer, "Pay now"));
        await Assertions.Expect(customer.GetByRole(AriaRole.Heading, new() { Level = 1 })).ToHaveTextAsync("Paid");
        await visitor.InspectAsync(customer, "the page of the sandbox that was paid");
        await host.SettleAsync();

        await founder.GotoAsync("/");
        await PressAsync(founder, Link(founder, "Runs"));
        await HasRunAsync(founder, "Paid");
        await founder.GotoAsync($"/customers/{host.Ada.Customer}");
        await Assertions.Expect(founder.GetByRole(AriaRole.Main)).ToContainTextAsync("Active");
        visitor.AssertNoProblem();
    }

    [Fact]
    public async Task Cohorts_are_counted_by_a_button_and_split_by_a_form()
    {
        await using var host = await TestHost.StartAsync("2026-01-05T10:00:00Z");
        await host.StripeAsync(host.Ada.SignsUp(SignUp));
        await host.AdvanceAsync(TimeSpan.FromHours(1));
        await using var visitor = await browser.VisitAsync(host.Http.BaseAddress!, 375);
        var founder = await visitor.OpenAsync("/cohorts");
        await PressAsync(founder, Button(founder, "Count now"));
        // Only then has the form been sent: going elsewhere before would give it up.
        await Assertions.Expect(founder.GetByText("The figures are being counted again")).ToBeVisibleAsync();
        await host.SettleAsync();
        await founder.GotoAsync("/cohorts");
        await founder.GetByLabel("By", new() { Exact = true }).SelectOptionAsync("mrr");
        await founder.GetByLabel("Split by").SelectOptionAsync("plan");
        await PressAsync(founder, Button(founder, "Show"));
        await Assertions.Expect(founder.GetByRole(AriaRole.Heading, new() { Name = "Month by month: Pro" })).ToBeVisibleAsync();
        await Assertions.Expect(founder.GetByRole(AriaRole.Table).Last).ToContainTextAsync("$49");
        await visitor.InspectAsync(founder, "cohorts by plan");
        visitor.AssertNoProblem();
    }

    [Fact]
    public async Task Silence_the_third_email_and_the_customer_returns_by_its_link()
    {
        await using var host = await SilentAsync();
        await using var visitor = await browser.VisitAsync(host.Http.BaseAddress!, 375);
        var founder = await visitor.OpenAsync("/outbox");
        var subject = founder.GetByRole(AriaRole.Link, new() { Name = "Your account is ready — pick up where you left off" });
        for (var day = 0; day < 20 && await subject.CountAsync() == 0; day++)
        {
            // The app itself is alive, or nobody would be called silent.
            await host.TrackAsync("somebody else", "Signed In");
            await Button(founder, "1 day").ClickAsync();
        }
        Assert.Equal(3, (await host.OutboxAsync()).Count);
        await subject.ClickAsync();

        var customer = await founder.Context.RunAndWaitForPageAsync(() => founder.FrameLocator("iframe").GetByRole(AriaRole.Link, new() { Name = "Pick up where I left off" }).ClickAsync());
        await Button(customer, "I'm back").ClickAsync();
        await Assertions.Expect(Button(customer, "I'm back")).ToHaveCountAsync(0);
        await visitor.InspectAsync(customer, "the page after the return");
        await host.SettleAsync();

        await Link(founder, "Runs").ClickAsync();
        await HasRunAsync(founder, "Returned");
        await Button(founder, "14 days").ClickAsync();
        await founder.WaitForLoadStateAsync();
        Assert.Equal(3, (await host.OutboxAsync()).Count);
        visitor.AssertNoProblem();
    }

    [Fact]
    public async Task The_founder_stops_a_run_by_its_button_and_nothing_more_is_sent()
    {
        await using var host = await FailedPaymentAsync();
        await using var visitor = await browser.VisitAsync(host.Http.BaseAddress!, 375);
        var founder = await visitor.OpenAsync("/runs");
        var before = host.Now;
        await Button(founder, "3 days").ClickAsync();
        await Assertions.Expect(founder.Locator("form.clock time")).ToContainTextAsync("2026-02-08");
        Assert.Equal(TimeSpan.FromDays(3), host.Now - before);
        var sent = (await host.OutboxAsync()).Count;
        await founder.GetByRole(AriaRole.Button, new() { NameRegex = new("^Stop") }).ClickAsync();
        await Assertions.Expect(founder.GetByRole(AriaRole.Status)).ToContainTextAsync("Nothing more is sent");
        await visitor.InspectAsync(founder, "the runs after a stop");
        await Button(founder, "14 days").ClickAsync();
        await HasRunAsync(founder, "Stopped");
        Assert.Equal(sent, (await host.OutboxAsync()).Count);
        visitor.AssertNoProblem();
    }

    [Fact]
    public async Task The_customer_pauses_answers_and_unsubscribes_on_the_phone()
    {
        await using var host = await SilentAsync();
        for (var day = 0; day < 30 && (await host.OutboxAsync()).Count < 5; day++)
        {
            await host.TrackAsync("somebody else", "Signed In");
            await host.AdvanceAsync(TimeSpan.FromDays(1));
        }
        var links = (await host.OutboxAsync()).SelectMany(m => m["links"]!.AsObject()).GroupBy(l => l.Key).ToDictionary(g => g.Key, g => (string)g.Last().Value!);
        await using var visitor = await browser.VisitAsync(host.Http.BaseAddress!, 375);

        var customer = await visitor.OpenAsync(links["answer"]);
        await customer.GetByRole(AriaRole.Radio).First.CheckAsync();
        await customer.GetByRole(AriaRole.Textbox).FillAsync("Too many clicks <b>until</b> the report.");
        await Button(customer, "Send my answer").ClickAsync();
        await SaysAsync(visitor, customer, "Thank you");

        await customer.GotoAsync(links["pause"]);
        await customer.GetByLabel("2 months").CheckAsync();
        await Button(customer, "Pause my subscription").ClickAsync();
        await SaysAsync(visitor, customer, "Your subscription is paused");

        await customer.GotoAsync(links["unsubscribe"]);
        await Button(customer, "Unsubscribe").ClickAsync();
        await Assertions.Expect(Button(customer, "Unsubscribe")).ToHaveCountAsync(0);
        await visitor.InspectAsync(customer, "the page after unsubscribing");

        await host.SettleAsync();
        await customer.GotoAsync($"/customers/{host.Ada.Customer}");
        await Assertions.Expect(customer.GetByRole(AriaRole.Main)).ToContainTextAsync("Too many clicks <b>until</b> the report.");
        await visitor.InspectAsync(customer);
        visitor.AssertNoProblem();
    }

    [Fact]
    public async Task From_the_sign_in_over_the_empty_pages_to_a_demo_year()
    {
        const string Key = "a-key-of-some-length";
        // On the real clock, as a founder starts it for the first time.
        await using var host = await TestHost.StartAsync(null, new() { ["Admin:Key"] = Key }, services => services.AddSingleton(new DemoSize(8, 60, 3)));
        await using var visitor = await browser.VisitAsync(host.Http.BaseAddress!, 375);
        var founder = await visitor.OpenAsync("/runs");
        await visitor.InspectAsync(founder, "the sign-in");
        await founder.GetByLabel("Admin key").FillAsync("not this");
        await Button(founder, "Sign in").ClickAsync();
        await Assertions.Expect(founder.GetByRole(AriaRole.Alert)).ToHaveTextAsync("That is not the key.");
        await visitor.InspectAsync(founder, "the sign-in with a wrong key");
        await founder.GotoAsync("/runs");
        await founder.GetByLabel("Admin key").FillAsync(Key);
        await Button(founder, "Sign in").ClickAsync();
        await Assertions.Expect(founder.GetByRole(AriaRole.Heading, new() { Level = 1 })).ToHaveTextAsync("Runs");
        foreach (var empty in new[] { "/runs", "/customers", "/flows", "/outbox", "/dead-letters", "/" })
        {
            await founder.GotoAsync(empty);
            await visitor.InspectAsync(founder, $"the empty {empty}");
        }

        // The year stands still for the eye at 43 %, so that it can be looked at; the host plays on.
        await founder.RouteAsync("**/local/demo", route => route.Request.Method == "GET"
            ? route.FulfillAsync(new() { ContentType = "application/json", Body = """{"playing":true,"percent":43,"now":"2026-04-05T00:00:00Z","failed":null}""" })
            : route.ContinueAsync());
        await Button(founder, "Play a demo year").DblClickAsync();
        var bar = founder.GetByRole(AriaRole.Progressbar, new() { Name = "A demo year is being played" });
        await Assertions.Expect(bar).ToHaveJSPropertyAsync("value", 43);
        await Assertions.Expect(founder.GetByText("2026-04-05")).ToBeVisibleAsync();
        await visitor.InspectAsync(founder, "the demo while it is played");
        await founder.UnrouteAllAsync();

        await Assertions.Expect(bar).ToHaveCountAsync(0, new() { Timeout = 60_000 });
        await Assertions.Expect(founder.GetByRole(AriaRole.Img, new() { Name = "MRR by day, USD" })).ToBeVisibleAsync();
        await Assertions.Expect(founder.GetByText("of 8 known")).ToBeVisibleAsync();
        await Assertions.Expect(Button(founder, "1 day")).ToBeVisibleAsync();
        await visitor.InspectAsync(founder, "the overview of the demo");
        await Button(founder, "Sign out").ClickAsync();
        await Assertions.Expect(founder.GetByLabel("Admin key")).ToBeVisibleAsync();
        visitor.Collect("the end");
        visitor.AssertNoProblem();
    }

    private static async Task<TestHost> FailedPaymentAsync()
    {
        var host = await TestHost.StartAsync("2026-01-05T10:00:00Z");
        await host.StripeAsync(host.Ada.SignsUp(SignUp));
        await host.AdvanceToAsync(Renewal);
        await host.StripeAsync(host.Ada.PaymentFails(Renewal, next: Renewal.AddDays(3)));
        return host;
    }

    /// <summary>Ada signed up, signed in on ten days, and then no more; it is nearly time to write to her.</summary>
    private static async Task<TestHost> SilentAsync()
    {
        var host = await TestHost.StartAsync("2026-01-05T10:00:00Z");
        await host.StripeAsync(host.Ada.SignsUp(SignUp));
        await host.IdentifyAsync("u1", new JsonObject { ["email"] = host.Ada.Email });
        for (var day = 0; day < 39; day++)
        {
            await host.TrackAsync(day < 10 ? "u1" : "somebody else", "Signed In");
            await host.AdvanceAsync(TimeSpan.FromDays(1));
        }
        Assert.Empty(await host.OutboxAsync());
        return host;
    }

    private static ILocator Link(IPage page, string name) => page.GetByRole(AriaRole.Navigation).GetByRole(AriaRole.Link, new() { Name = name });

    private static ILocator Button(IPage page, string name) => page.GetByRole(AriaRole.Button, new() { Name = name, Exact = true });

    /// <summary>Goes to it with the tab key, as who has no mouse does, and presses enter.</summary>
    private static async Task PressAsync(IPage page, ILocator target)
    {
        for (var tabs = 0; tabs < 60; tabs++)
        {
            await page.Keyboard.PressAsync("Tab");
            if (!await target.EvaluateAsync<bool>("e => e.ownerDocument.activeElement === e")) continue;
            await page.Keyboard.PressAsync("Enter");
            await page.WaitForLoadStateAsync();
            return;
        }
        Assert.Fail($"The tab key does not come to it: {target}");
    }

    private static Task HasRunAsync(IPage page, string outcome) => Assertions.Expect(page.GetByRole(AriaRole.Main).GetByText(outcome, new() { Exact = true }).First).ToBeVisibleAsync();

    private static async Task SaysAsync(Visitor visitor, IPage page, string heading)
    {
        await Assertions.Expect(page.GetByRole(AriaRole.Heading, new() { Level = 1 })).ToHaveTextAsync(heading);
        await visitor.InspectAsync(page, heading);
    }
}
