using System.Globalization;
using System.Net;
using System.Text.Json.Nodes;
using FsCheck;
using FsCheck.Fluent;
using RetentionFunctions.Customers;
using RetentionFunctions.Insight;
using RetentionFunctions.Tests.Settings;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.Tests.Insight;

/// <summary>Several currencies in one, at dated rates. Everything happens in January and February 2026.</summary>
public class ConversionTests
{
    private static readonly Month January = Month.Of(new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero)), February = January.Plus(1), March = January.Plus(2);
    private static readonly ExchangeRate[] Rising = [new("eur", new(2026, 1, 1), 1.10m), new("eur", new(2026, 2, 1), 1.20m)];

    /// <summary>The edge cases of docs/definitions.md: what is kept of each currency, the rates, and what the months say in dollars.</summary>
    public static TheoryData<string, (Month, string, MonthCell)[], ExchangeRate[], string> Cases => new()
    {
        { "the euro rises, and nobody does anything", [(January, "eur", new() { New = 1, MrrNew = 10000 })], Rising, "2026-01: 0 +11000 = 11000; 2026-02: 11000, exchange +1000 = 12000" },
        { "what happens in a month is converted at its rate, the MRR at its start at that of the month before", [(January, "eur", new() { New = 2, MrrNew = 10000 }), (February, "eur", new() { Lost = 1, MrrChurned = -4000 })], Rising, "2026-01: 0 +11000 = 11000; 2026-02: 11000 -4800, exchange +1000 = 7200" },
        { "a rate of the middle of a month begins with the next month", [(January, "eur", new() { New = 1, MrrNew = 10000 })], [Rising[0], new("eur", new(2026, 1, 15), 1.20m)], "2026-01: 0 +11000 = 11000; 2026-02: 11000, exchange +1000 = 12000" },
        { "each currency is converted, then they are added up", [(January, "usd", new() { New = 1, MrrNew = 5000 }), (January, "eur", new() { New = 1, MrrNew = 10000 })], [Rising[0]], "2026-01: 0 +16000 = 16000; 2026-02: 16000 = 16000" },
        { "yen have no smaller unit, and dinars three places", [(January, "jpy", new() { New = 1, MrrNew = 10000 }), (January, "kwd", new() { New = 1, MrrNew = 10000 })], [new("jpy", new(2025, 6, 1), 0.0067m), new("kwd", new(2025, 6, 1), 3.25m)], "2026-01: 0 +9950 = 9950; 2026-02: 9950 = 9950" },
        { "each figure is rounded once, and what is left over is in the exchange effect", [(January, "eur", new() { New = 1, MrrNew = 5, MrrExpansion = 5 })], [Rising[0]], "2026-01: 0 +6 +6, exchange -1 = 11; 2026-02: 11 = 11" },
        { "dollars alone have no exchange effect", [(January, "usd", new() { New = 1, MrrNew = 4900 })], [], "2026-01: 0 +4900 = 4900; 2026-02: 4900 = 4900" },
        { "a month without a rate is left out, and the next begins at its own", [(January, "eur", new() { New = 1, MrrNew = 10000 })], [Rising[1]], "no rate of eur in 2026-01; 2026-02: 12000 = 12000" },
        { "a currency in which nothing is left needs no rate", [(January, "eur", new() { New = 1, Early = 1, MrrNew = 10000, MrrChurned = -10000 }), (January, "usd", new() { New = 1, MrrNew = 4900 })], [], "no rate of eur in 2026-01; 2026-02: 4900 = 4900" },
    };

    [Theory, MemberData(nameof(Cases))]
    public void Each_case_is_converted_as_the_definitions_say(string what, (Month, string, MonthCell)[] cells, ExchangeRate[] rates, string told)
    {
        Assert.Equal((what, told), (what, Told(Convert(cells, rates))));
        Assert.Contains($"| {what} | {told} |", File.ReadAllText(Path.Combine(Repository.Root, "docs", "definitions.md")));
    }

    [Fact]
    public void Start_movements_and_exchange_are_the_end_and_each_month_begins_where_the_one_before_ended()
    {
        var currencies = (string[])["usd", "eur", "jpy", "kwd"];
        var amount = Gen.Choose(-2_000_000, 2_000_000).Select(a => (long)a);
        var cell = from m in Gen.Choose(0, 8) from c in Gen.Elements(currencies) from a in amount.ListOf(7) select (January.Plus(m), c, new MonthCell
        {
            New = 1, MrrNew = Math.Abs(a[0]), MrrExpansion = Math.Abs(a[1]), MrrContraction = -Math.Abs(a[2]), MrrChurned = -Math.Abs(a[3]), MrrReactivation = Math.Abs(a[4]), MrrPaused = -Math.Abs(a[5]), MrrResumed = Math.Abs(a[6]),
        });
        var rate = from c in Gen.Elements(currencies[1..]) from m in Gen.Choose(0, 8) from r in Gen.Choose(1, 5_000_000) select new ExchangeRate(c, DateOnly.FromDateTime(January.Plus(m).Start.UtcDateTime), r / 10_000m);
        Prop.ForAll((from cells in cell.NonEmptyListOf() from rates in rate.ListOf() select (cells, rates)).ToArbitrary(), given =>
        {
            // From the beginning on each has some rate.
            var rates = given.rates.DistinctBy(r => (r.Currency, r.From)).Concat(currencies[1..].Select(c => new ExchangeRate(c, new(2020, 1, 1), 2.5m))).ToArray();
            var converted = Convert([.. given.cells.DistinctBy(c => (c.Item1, c.Item2))], rates);
            Assert.Empty(converted.Missing);
            foreach (var (before, m) in converted.Months.Prepend(null!).Zip(converted.Months))
            {
                var (all, c) = (m.Month.All, m.Month.All.Cell);
                Assert.Equal(all.MrrAtEnd, all.MrrAtStart + c.MrrNew + c.MrrExpansion + c.MrrContraction + c.MrrChurned + c.MrrReactivation + c.MrrPaused + c.MrrResumed + all.MrrExchange);
                if (before is not null) Assert.Equal(before.Month.All.MrrAtEnd, all.MrrAtStart);
                // Where no rate changed there is rounding alone: nine figures, each by half a cent at most.
                if (!rates.Any(r => r.From == DateOnly.FromDateTime(all.Month.Start.UtcDateTime))) Assert.InRange(all.MrrExchange, -4, 4);
            }
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public async Task Over_http_the_months_of_two_currencies_are_one_with_the_exchange_effect_in_a_line_of_its_own()
    {
        await using var host = await TestHost.StartAsync("2026-01-05T10:00:00Z", new()
        {
            ["Insight:Currency"] = "usd", ["Insight:Rates:0:Currency"] = "eur", ["Insight:Rates:0:From"] = "2026-01-01", ["Insight:Rates:0:Rate"] = "1.1",
            ["Insight:Rates:1:Currency"] = "eur", ["Insight:Rates:1:From"] = "2026-02-01", ["Insight:Rates:1:Rate"] = "1.2",
        });
        var at = host.Now;
        await host.StripeAsync(host.Ada.SignsUp(at));
        await host.StripeAsync(new Story("cus_Bob", "bob@example.com", amount: 10000).SignsUp(at).Select(e => (JsonObject)JsonNode.Parse(e.ToJsonString().Replace("\"usd\"", "\"eur\"", StringComparison.Ordinal))!));
        await host.AdvanceToAsync(new DateTimeOffset(2026, 3, 10, 0, 0, 0, TimeSpan.Zero));
        var months = (await host.GetAsync("/api/v1/metrics?from=2026-01&to=2026-02&currency=converted"))!.AsArray();
        Assert.Equal(["usd", "usd"], months.Select(m => (string)m!["currency"]!));
        Assert.Equal([(0L, 15900L, 0L, 15900L), (15900L, 0L, 1000L, 16900L)], months.Select(m => ((long)m!["mrrAtStart"]!, (long)m["mrrNew"]!, (long)m["mrrExchange"]!, (long)m["mrrAtEnd"]!)));
        Assert.Equal("""{"eur":1.2}""", months[1]!["rates"]!.ToJsonString());
        // Each by itself as ever.
        Assert.Equal([("eur", 0L), ("usd", 0L)], (await host.GetAsync("/api/v1/metrics?from=2026-02&to=2026-02"))!.AsArray().Select(m => ((string)m!["currency"]!, (long)m["mrrExchange"]!)));
        var page = WebUtility.HtmlDecode(await host.Http.GetStringAsync("/metrics?currency=converted"));
        Assert.Contains("Start $159, Exchange $10, End $169.", page);
        Assert.Contains("1 EUR = 1.2 USD in February 2026", page);
        Assert.Contains("<th scope=\"col\" class=\"number\">Exchange</th>", page);
        Assert.Contains("""<a href="/metrics?currency=converted">All, in USD</a>""", WebUtility.HtmlDecode(await host.Http.GetStringAsync("/metrics")));
    }

    [Fact]
    public async Task What_cannot_be_converted_says_which_rate_is_missing()
    {
        await using var without = await TestHost.StartAsync("2026-01-05T10:00:00Z");
        Assert.Equal("There is no currency to convert into: set insight.currency, and insight.rates for the others.", await DetailAsync(without));
        await using var host = await TestHost.StartAsync("2026-01-05T10:00:00Z", new() { ["Insight:Currency"] = "eur" });
        await host.StripeAsync(host.Ada.SignsUp(host.Now));
        await host.AdvanceToAsync(new DateTimeOffset(2026, 3, 10, 0, 0, 0, TimeSpan.Zero));
        Assert.Equal("No rate of USD is known for 2026-01 to 2026-03: add one to insight.rates that begins by 2026-01-01.", await DetailAsync(host));
        Assert.Contains("No rate of USD is known for 2026-01 to 2026-03", await host.Http.GetStringAsync("/metrics?currency=converted"));

        static async Task<string> DetailAsync(TestHost host)
        {
            using var answer = await host.Http.GetAsync("/api/v1/metrics?currency=converted");
            Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
            return (string)JsonNode.Parse(await answer.Content.ReadAsStringAsync())!["detail"]!;
        }
    }

    [Theory]
    [InlineData("""{ "currency": "dollar" }""", "Insight:Currency", "'dollar' is not a currency as Stripe writes it")]
    [InlineData("""{ "rates": [ { "currency": "eur", "from": "2026-01-01", "rate": 1.1 } ] }""", "Insight:Currency", "no currency into which they convert")]
    [InlineData("""{ "currency": "usd", "rates": [ { "currency": "EUR", "from": "2026-01-01", "rate": 1.1 } ] }""", "Insight:Rates:0:Currency", "'EUR' is not a currency")]
    [InlineData("""{ "currency": "usd", "rates": [ { "currency": "usd", "from": "2026-01-01", "rate": 1.1 } ] }""", "Insight:Rates:0:Currency", "it has no rate")]
    [InlineData("""{ "currency": "usd", "rates": [ { "currency": "eur", "from": "2026-01-01", "rate": 0 } ] }""", "Insight:Rates:0:Rate", "0 is no rate")]
    [InlineData("""{ "currency": "usd", "rates": [ { "currency": "eur", "from": "2026-01-01", "rate": 2000000 } ] }""", "Insight:Rates:0:Rate", "at most 1000000")]
    [InlineData("""{ "currency": "usd", "rates": [ { "currency": "eur", "from": "2026-01-01", "rate": 1.1 }, { "currency": "eur", "from": "2026-01-01", "rate": 1.2 } ] }""", "Insight:Rates:1:From", "two rates of 'eur' from 2026-01-01")]
    [InlineData("""{ "currency": "usd", "rates": [ { "currency": "eur", "from": "soon", "rate": 1.1 } ] }""", "Insight:Rates:0:From", "soon")]
    [InlineData("""{ "currency": "usd", "rates": [ { "currency": "eur", "rate": 1.1 } ] }""", "Insight:Rates:0:From", "")]
    [InlineData("""{ "currency": "usd", "rates": [ { "from": "2026-01-01", "rate": 1.1 } ] }""", "Insight:Rates:0:Currency", "")]
    [InlineData("""{ "currency": "usd", "rates": [ { "currency": "eur", "from": "2026-01-01" } ] }""", "Insight:Rates:0:Rate", "")]
    public void A_wrong_rate_stops_the_start_and_names_its_key(string insight, string key, string words)
    {
        var problem = Given.Problems($$"""{ "insight": {{insight}} }""")[0];
        Assert.Equal(key, problem.Key);
        Assert.Contains(words, problem.Problem, StringComparison.Ordinal);
    }

    private static Conversion Convert((Month Month, string Currency, MonthCell Cell)[] cells, ExchangeRate[] rates)
    {
        var to = cells.Max(c => c.Month) is var last && last < February ? February : last;
        var months = Metrics.Of(cells.ToDictionary(c => new CellKey(c.Month, c.Currency, BillingTerm.Monthly), c => c.Cell), new Dictionary<Month, DateTimeOffset>(), January, to, ChurnFormula.Standard, to.End);
        return Conversion.Of(months, new InsightSettings { Currency = "usd", Rates = rates });
    }

    private static string Told(Conversion conversion) => string.Join("; ", conversion.Missing.Select(m => (m.Month, Text: $"no rate of {m.Currency} in {m.Month}")).Concat(conversion.Months.Select(m => (m.Month.All.Month, Text: Text(m.Month.All)))).OrderBy(m => m.Month).Select(m => m.Text));

    private static string Text(MonthMetrics m)
    {
        var c = m.Cell;
        var moved = string.Concat(new[] { c.MrrNew, c.MrrExpansion, c.MrrContraction, c.MrrChurned }.Where(x => x != 0).Select(x => x.ToString("' +'0;' -'0", CultureInfo.InvariantCulture)));
        return FormattableString.Invariant($"{m.Month}: {m.MrrAtStart}{moved}{(m.MrrExchange == 0 ? "" : m.MrrExchange.ToString("', exchange +'0;', exchange -'0", CultureInfo.InvariantCulture))} = {m.MrrAtEnd}");
    }
}
