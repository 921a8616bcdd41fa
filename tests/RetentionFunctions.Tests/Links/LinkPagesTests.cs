using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using RetentionFunctions.Customers;
using RetentionFunctions.Links;
using RetentionFunctions.Storage;

namespace RetentionFunctions.Tests.Links;

/// <summary>The pages over HTTP, as browsers, mail programs and mail scanners meet them.</summary>
public sealed class LinkPagesTests : IAsyncLifetime
{
    private readonly LinkBench _bench = new();
    private readonly HttpClient _browser = new(new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false });
    private WebApplication _host = null!;

    public async ValueTask InitializeAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Services.AddSingleton(_bench.Tokens).AddSingleton(_bench.Builder).AddSingleton(_bench.Actions).AddSingleton(_bench.Settings);
        _host = builder.Build();
        LinkEndpoints.Map(_host);
        await _host.StartAsync();
        _bench.PublicUrl = new Uri(_host.Urls.Single());
        await PutAsync(LinkBench.Ada());
        await _bench.Tables.UpsertAsync(Keys.Invoice("cus_ada", "in_1"), Email.EmailSamples.Invoice());
    }

    public async ValueTask DisposeAsync()
    {
        _browser.Dispose();
        await _host.DisposeAsync();
    }

    [Fact]
    public async Task Mail_scanners_may_get_and_head_every_link_as_often_as_they_like()
    {
        var commits = _bench.Tables.Commits;
        foreach (var purpose in Enum.GetValues<LinkPurpose>())
            foreach (var method in (HttpMethod[])[HttpMethod.Get, HttpMethod.Head, HttpMethod.Get])
            {
                var answer = await _browser.SendAsync(new HttpRequestMessage(method, Url(purpose)));
                Assert.Equal(purpose == LinkPurpose.App ? HttpStatusCode.SeeOther : HttpStatusCode.OK, answer.StatusCode);
                Assert.Equal(method == HttpMethod.Head || purpose == LinkPurpose.App, (await answer.Content.ReadAsStringAsync()).Length == 0);
            }
        Assert.Equal(commits, _bench.Tables.Commits);
        Assert.Empty(_bench.Billing.Calls);
    }

    [Fact]
    public async Task The_app_link_leads_to_the_product() =>
        Assert.Equal("https://app.papertrail.example/home", (await _browser.GetAsync(Url(LinkPurpose.App))).Headers.Location!.AbsoluteUri);

    [Fact]
    public async Task A_mail_programs_one_click_unsubscribes_without_cookie_or_redirect()
    {
        foreach (var body in (HttpContent[])
        [
            new FormUrlEncodedContent([new("List-Unsubscribe", "One-Click")]),
            // RFC 8058, 3.2 asks for multipart too.
            new MultipartFormDataContent { { new StringContent("One-Click"), "List-Unsubscribe" } },
        ])
        {
            await PutAsync(LinkBench.Ada());
            var answer = await _browser.PostAsync(Url(LinkPurpose.Unsubscribe), body);
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
            Assert.False(answer.Headers.Contains("Set-Cookie"));
            Assert.Equal(LinkBench.Start, (await AdaAsync()).Unsubscribed?.At);
        }
    }

    [Fact]
    public async Task The_unsubscribe_button_acts_once_and_then_says_what_is()
    {
        Assert.Contains("<button type=\"submit\">Unsubscribe</button>", await GetAsync(LinkPurpose.Unsubscribe));
        var (status, page) = await PostAsync(Url(LinkPurpose.Unsubscribe), ("action", "unsubscribe"));
        Assert.Equal(200, status);
        Assert.Contains("You are unsubscribed", page);
        var commits = _bench.Tables.Commits;
        (_, page) = await PostAsync(Url(LinkPurpose.Unsubscribe), ("action", "unsubscribe"));
        Assert.Contains("You are unsubscribed", page);
        Assert.Contains("since 3 March 2026", page);
        Assert.Contains("You are unsubscribed", await GetAsync(LinkPurpose.Unsubscribe));
        Assert.Equal(commits, _bench.Tables.Commits);
    }

    [Fact]
    public async Task A_pause_is_chosen_pressed_done_and_then_said()
    {
        var form = await GetAsync(LinkPurpose.Pause);
        Assert.Contains("value=\"1\" required checked", form);
        Assert.Contains("3 months", form);
        var (_, page) = await PostAsync(Url(LinkPurpose.Pause), ("action", "pause"), ("months", "3"));
        Assert.Contains("paused until 3 June 2026", page);
        (_, page) = await PostAsync(Url(LinkPurpose.Pause), ("action", "pause"), ("months", "1"));
        Assert.Contains("already paused until 3 June 2026", page);
        Assert.Equal(["pause cus_ada sub_1 2026-06-03 09:00"], _bench.Billing.Calls);
        Assert.Contains("paused until 3 June 2026", await GetAsync(LinkPurpose.Return));
        (_, page) = await PostAsync(Url(LinkPurpose.Return), ("action", "return"));
        Assert.Contains("Welcome back", page);
        Assert.Contains("href=\"https://app.papertrail.example/home\"", page);
        Assert.Equal("resume cus_ada sub_1", _bench.Billing.Calls[1]);
    }

    [Fact]
    public async Task A_yearly_plan_is_told_why_it_cannot_be_paused()
    {
        await PutAsync(LinkBench.Ada(LinkBench.Subscription(interval: "year")));
        Assert.Contains("A yearly plan cannot be paused", await GetAsync(LinkPurpose.Pause));
        var (_, page) = await PostAsync(Url(LinkPurpose.Pause), ("action", "pause"), ("months", "1"));
        Assert.Contains("A yearly plan cannot be paused", page);
        Assert.Empty(_bench.Billing.Calls);
    }

    [Fact]
    public async Task The_pay_page_shows_what_is_due_and_its_button_leads_to_stripe_and_back()
    {
        var url = Url(LinkPurpose.Pay);
        var page = await GetAsync(url);
        Assert.Contains("The payment of $29.00 with your Visa card ending in 4242 has not gone through yet.", page);
        Assert.Contains("The next attempt is on 6 March 2026.", page);
        var answer = await _browser.PostAsync(url, new FormUrlEncodedContent([new("action", "pay")]));
        Assert.Equal(HttpStatusCode.SeeOther, answer.StatusCode);
        Assert.Equal($"https://pay.stripe.example/cus_ada/in_1?back={Uri.EscapeDataString(url)}", answer.Headers.Location!.AbsoluteUri);

        await _bench.Tables.UpsertAsync(Keys.Invoice("cus_ada", "in_1"), Email.EmailSamples.Invoice() with { PaidAt = LinkBench.Start });
        Assert.Contains("This is already paid", await GetAsync(url));
        Assert.Contains("This is already paid", (await PostAsync(url, ("action", "pay"))).Page);
    }

    [Fact]
    public async Task An_answer_link_selects_its_answer_and_sends_nothing_by_itself()
    {
        var page = await GetAsync(Url(LinkPurpose.Answer, "missing"));
        Assert.Contains("value=\"missing\" checked", page);
        Assert.Single(page.Split(" checked")[1..]);
        Assert.DoesNotContain(" checked", await GetAsync(Url(LinkPurpose.Answer)));
        Assert.Empty(await _bench.Tables.ListAsync<Note>(Keys.Notes("cus_ada")));
        await PostAsync(Url(LinkPurpose.Answer, "missing"), ("action", "answer"), ("answer", "too-hard"), ("text", "the <import>"));
        Assert.Equal("It was harder to use than I thought: the <import>", Assert.Single(await _bench.Tables.ListAsync<Note>(Keys.Notes("cus_ada"))).Text);
        Assert.Contains("You have answered already", await GetAsync(Url(LinkPurpose.Answer, "no-time")));
    }

    [Fact]
    public async Task Two_thousand_characters_of_any_script_arrive_whole()
    {
        var text = new string('漢', 2000);
        var (status, _) = await PostAsync(Url(LinkPurpose.Answer), ("action", "answer"), ("text", text));
        Assert.Equal(200, status);
        Assert.Equal(text, Assert.Single(await _bench.Tables.ListAsync<Note>(Keys.Notes("cus_ada"))).Text);
    }

    [Fact]
    public async Task A_forged_expired_or_repurposed_link_gets_a_friendly_page_and_changes_nothing()
    {
        var commits = _bench.Tables.Commits;
        var pause = Url(LinkPurpose.Pause);
        async Task Refused(int expected, string url, params (string, string)[] form)
        {
            var (status, page) = await PostAsync(url, form);
            Assert.Equal(expected, status);
            Assert.Contains("Nothing was changed.", page);
            Assert.Contains("Go to Papertrail", page);
        }

        await Refused(404, pause + "x", ("action", "pause"), ("months", "1"));
        await Refused(404, $"{_bench.PublicUrl}l/hello", ("action", "unsubscribe"));
        await Refused(404, pause, ("action", "unsubscribe"));
        await Refused(404, pause, ("List-Unsubscribe", "One-Click"));
        await Refused(404, Url(LinkPurpose.Return), ("List-Unsubscribe", "One-Click"));
        await Refused(404, Url(LinkPurpose.Unsubscribe), ("action", "pause"), ("months", "1"));
        await Refused(400, pause, ("action", "17"));
        Assert.Equal(404, (int)(await _browser.GetAsync(pause + "x")).StatusCode);
        _bench.Clock.Now = LinkBench.Start.AddDays(60);
        await Refused(410, pause, ("action", "pause"), ("months", "1"));
        Assert.Equal(410, (int)(await _browser.GetAsync(pause)).StatusCode);
        Assert.Equal(commits, _bench.Tables.Commits);
        Assert.Empty(_bench.Billing.Calls);
    }

    [Fact]
    public async Task What_is_no_form_or_far_too_large_is_refused()
    {
        var url = Url(LinkPurpose.Answer);
        Assert.Equal(400, (int)(await _browser.PostAsync(url, new StringContent("{}", null, "application/json"))).StatusCode);
        Assert.Equal(400, (int)(await _browser.PostAsync(url, new FormUrlEncodedContent([new("action", "answer"), new("text", new string('x', 100_000))]))).StatusCode);
        Assert.Equal(400, (int)(await _browser.PostAsync(url, new FormUrlEncodedContent(Enumerable.Range(0, 50).Select(i => new KeyValuePair<string, string>($"k{i}", "v"))))).StatusCode);
        Assert.Equal(405, (int)(await _browser.PutAsync(url, new StringContent(""))).StatusCode);
        Assert.Empty(await _bench.Tables.ListAsync<Note>(Keys.Notes("cus_ada")));
    }

    [Fact]
    public async Task When_billing_or_storage_is_down_the_customer_is_asked_to_try_again_and_it_then_works()
    {
        _bench.Billing.Down = true;
        var (status, page) = await PostAsync(Url(LinkPurpose.Pause), ("action", "pause"), ("months", "1"));
        Assert.Equal(503, status);
        Assert.Contains("try again", page);
        _bench.Billing.Down = false;
        _bench.Tables.NextFault = new TransientStorageException("busy");
        Assert.Equal(503, (await PostAsync(Url(LinkPurpose.Pause), ("action", "pause"), ("months", "1"))).Status);
        Assert.Contains("is paused", (await PostAsync(Url(LinkPurpose.Pause), ("action", "pause"), ("months", "1"))).Page);
    }

    [Fact]
    public async Task Pages_run_no_script_are_kept_nowhere_and_tell_nobody_where_one_came_from()
    {
        foreach (var purpose in Enum.GetValues<LinkPurpose>().Where(purpose => purpose != LinkPurpose.App))
        {
            var answer = await _browser.GetAsync(Url(purpose));
            var page = await answer.Content.ReadAsStringAsync();
            var policy = string.Join(' ', answer.Headers.GetValues("Content-Security-Policy"));
            Assert.StartsWith($"default-src 'none'; style-src 'self'; form-action 'self'{(purpose == LinkPurpose.Pay ? " https:" : "")};", policy);
            Assert.Equal("no-store", answer.Headers.CacheControl!.ToString());
            Assert.Equal("no-referrer", Assert.Single(answer.Headers.GetValues("Referrer-Policy")));
            Assert.Equal("noindex, nofollow", Assert.Single(answer.Headers.GetValues("X-Robots-Tag")));
            Assert.DoesNotContain("<script", page);
            Assert.DoesNotContain("style=\"", page);
            Assert.StartsWith("<!DOCTYPE html>", page.TrimStart());
            Assert.Contains("<html lang=\"en\">", page);
            Assert.Contains("name=\"viewport\"", page);
        }
        var style = await _browser.GetAsync($"{_bench.PublicUrl}links.css");
        Assert.Equal("text/css", style.Content.Headers.ContentType!.MediaType);
        Assert.Contains("prefers-color-scheme: dark", await style.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task A_hostile_product_or_address_stays_text()
    {
        _bench.Settings.Product.Name = "<b>Paper</b>";
        await PutAsync(LinkBench.Ada() with { Profile = new StripeProfile { Email = "<script>@x.example" } });
        var page = await GetAsync(LinkPurpose.Unsubscribe);
        Assert.DoesNotContain("<b>", page);
        Assert.DoesNotContain("<script", page);
        Assert.Contains("&lt;script&gt;@x.example", page);
    }

    private string Url(LinkPurpose purpose, string? subject = null)
    {
        var claims = _bench.Claims(purpose, subject ?? (purpose == LinkPurpose.Pay ? "in_1" : null));
        return _bench.Builder.UrlOf(_bench.Tokens.Create(claims));
    }

    private Task<string> GetAsync(LinkPurpose purpose) => GetAsync(Url(purpose));

    private async Task<string> GetAsync(string url) => await (await _browser.GetAsync(url)).Content.ReadAsStringAsync();

    private async Task<(int Status, string Page)> PostAsync(string url, params (string Name, string Value)[] form)
    {
        var answer = await _browser.PostAsync(url, new FormUrlEncodedContent(form.Select(field => new KeyValuePair<string, string>(field.Name, field.Value))));
        return ((int)answer.StatusCode, await answer.Content.ReadAsStringAsync());
    }

    private Task PutAsync(Customer customer) => _bench.Tables.UpsertAsync(Keys.Customer(customer.Id), customer);

    private async Task<Customer> AdaAsync() => (await _bench.Tables.GetAsync<Customer>(Keys.Customer("cus_ada")))!.Value;
}
