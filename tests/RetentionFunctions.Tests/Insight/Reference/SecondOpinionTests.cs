using System.Net;
using System.Text.Json.Nodes;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.Tests.Insight.Reference;

/// <summary>Every figure over HTTP, beside a second opinion (<see cref="ReferenceBooks"/>), for random businesses whose events come in any order, many of them twice.</summary>
public class SecondOpinionTests
{
    private static readonly DateTimeOffset Now = new(2026, 5, 17, 9, 0, 0, TimeSpan.Zero);
    private static readonly (string Currency, string From, decimal Rate)[] Rates = [("eur", "2024-01-01", 1.08m), ("eur", "2026-02-10", 1.17m), ("jpy", "2024-01-01", 0.0067m)];

    private int compared;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task Metrics_cohorts_and_recovery_are_what_a_second_opinion_says(int seed)
    {
        var business = new ReferenceBusiness(seed, Now).Live(customers: 60, days: 500);
        var books = new ReferenceBooks(business.Said, Now);
        await using var host = await StartAsync();
        var events = business.Events.Concat(business.Events.Where((_, i) => i % 9 == 0)).ToArray();
        new Random(seed).Shuffle(events);
        await Parallel.ForEachAsync(events, async (e, _) => Assert.Equal(HttpStatusCode.OK, (await host.SendStripeAsync(e.ToJsonString())).StatusCode));
        await host.SettleAsync();
        Assert.Empty(await host.DeadLettersAsync());
        Assert.Equal(HttpStatusCode.Accepted, (await host.Http.PostAsync("/api/v1/summaries/count", null)).StatusCode);
        await host.SettleAsync();

        await MetricsAsync(host, books);
        await ConvertedAsync(host, books);
        await CohortsAsync(host, books);
        await RecoveryAsync(host, business);
        Assert.InRange(compared, 5_000, int.MaxValue);
    }

    private async Task MetricsAsync(TestHost host, ReferenceBooks books)
    {
        foreach (var formula in (string[])["standard", "stripe"])
            foreach (var currency in books.Currencies)
            {
                var told = (await host.GetAsync($"/api/v1/metrics?from=2024-12&to=2026-12&currency={currency}&formula={formula}"))!.AsArray();
                Assert.Equal(books.Months(currency).Select(m => m.ToString("yyyy-MM")), told.Select(m => (string)m!["month"]!));
                foreach (var (start, month) in books.Months(currency).Zip(told))
                {
                    Same($"{formula} {currency} {start:yyyy-MM}", books.Figures(currency, start, formula == "stripe"), month!);
                    foreach (var term in (string[])["monthly", "yearly"])
                        if (month!["terms"]![term] is { } part) Same($"{formula} {currency} {start:yyyy-MM} {term}", books.Figures(currency, start, formula == "stripe", term == "yearly"), part);
                }
            }
    }

    // At the rate of the month's first day, the start at that of the month before; each figure rounded once.
    private async Task ConvertedAsync(TestHost host, ReferenceBooks books)
    {
        foreach (var month in (await host.GetAsync("/api/v1/metrics?from=2025-01&to=2026-05&currency=converted"))!.AsArray())
        {
            var start = DateTimeOffset.Parse($"{(string)month!["month"]!}-01T00:00:00Z", System.Globalization.CultureInfo.InvariantCulture);
            var parts = books.Currencies.Where(c => books.Months(c).Contains(start)).Select(c => (Currency: c, Figures: books.Figures(c, start, stripe: false))).ToList();
            var expected = new Dictionary<string, decimal?>();
            foreach (var name in parts[0].Figures.Keys.Where(k => k.StartsWith("mrr", StringComparison.Ordinal)))
                expected[name] = Math.Round(parts.Sum(p => p.Figures[name]!.Value * Rate(p.Currency, name == "mrrAtStart" ? start.AddMonths(-1) : start)), MidpointRounding.AwayFromZero);
            foreach (var name in parts[0].Figures.Keys.Where(k => k.StartsWith("customers", StringComparison.Ordinal))) expected[name] = parts.Sum(p => p.Figures[name]);
            expected["mrrExchange"] = expected["mrrAtEnd"] - expected["mrrAtStart"] - expected.Where(e => e.Key is not ("mrrAtStart" or "mrrAtEnd") && e.Key.StartsWith("mrr", StringComparison.Ordinal)).Sum(e => e.Value);
            Same($"converted {start:yyyy-MM}", expected, month);
        }
    }

    private async Task CohortsAsync(TestHost host, ReferenceBooks books)
    {
        foreach (var currency in books.Currencies.Prepend(null))
        {
            var told = (await host.GetAsync($"/api/v1/cohorts?by={(currency is null ? "customers" : $"mrr&currency={currency}")}"))!["groups"]![0]!["cohorts"]!.AsArray();
            var expected = books.Cohorts(currency);
            Assert.Equal(expected.Keys.Order(StringComparer.Ordinal), told.Select(c => (string)c!["cohort"]!));
            foreach (var cohort in told)
            {
                var left = expected[(string)cohort!["cohort"]!];
                Assert.Equal(left, cohort["remaining"]!.AsArray().Where(r => r is not null).Select(r => (long)r!));
                Assert.Equal(left.Select(l => (double)l / left[0]), cohort["retention"]!.AsArray().Where(r => r is not null).Select(r => (double)r!));
                compared += 2 * left.Count;
            }
        }
    }

    private async Task RecoveryAsync(TestHost host, ReferenceBusiness business)
    {
        foreach (var told in (await host.GetAsync("/api/v1/recovery?from=2024-12-02"))!["currencies"]!.AsArray())
        {
            var failed = business.Failed.Where(f => !f.IsFirst && f.Currency == (string)told!["currency"]!).ToList();
            Recovered("decided", failed.Where(IsOver), told!["decided"]!);
            Recovered("young", failed.Where(f => !IsOver(f)), told["young"]!);
            foreach (var week in told["weeks"]!.AsArray()) Recovered($"week {week!["week"]}", failed.Where(f => Week(f).ToString("yyyy-MM-dd") == (string)week["week"]!), week["figures"]!);
            foreach (var kind in told["kinds"]!.AsArray()) Recovered($"kind {kind!["kind"]}", failed.Where(f => IsOver(f) && f.Kind == (string)kind["kind"]!), kind["figures"]!);
            Assert.Equal(failed.Count, told["weeks"]!.AsArray().Sum(w => (int)w!["figures"]!["failed"]!["count"]!));
            Assert.Equal(failed.Where(IsOver).Select(f => f.Kind).Distinct().Order(), told["kinds"]!.AsArray().Select(k => (string)k!["kind"]!).Order());
        }

        static DateOnly Week(FailedInvoice f) => Enumerable.Range(0, 7).Select(d => DateOnly.FromDateTime(f.FailedAt.UtcDateTime).AddDays(-d)).Single(d => d.DayOfWeek == DayOfWeek.Monday);

        // Thirty days after the end of its week.
        static bool IsOver(FailedInvoice f) => new DateTimeOffset(Week(f).AddDays(37), TimeOnly.MinValue, TimeSpan.Zero) <= Now;
    }

    private void Recovered(string what, IEnumerable<FailedInvoice> invoices, JsonNode told)
    {
        var all = invoices.ToList();
        var (paid, open) = (all.Where(f => f.PaidAt is not null).ToList(), all.Where(f => f.PaidAt is null && !f.IsGivenUp && f.FailedAt.AddDays(30) > Now).ToList());
        var days = paid.Select(f => (int)Math.Floor((f.PaidAt!.Value - f.FailedAt).TotalDays)).Order().ToList();
        Counted("failed", all);
        Counted("recovered", paid);
        Counted("stillOpen", open);
        Counted("unpaid", [.. all.Except(paid).Except(open)]);
        Same(what, new Dictionary<string, decimal?>
        {
            ["recoveryRate"] = all.Count == 0 || open.Count > 0 ? null : (decimal)paid.Count / all.Count,
            ["amountRecoveryRate"] = all.Count == 0 || open.Count > 0 ? null : (decimal)paid.Sum(f => f.Due) / all.Sum(f => f.Due),
            ["rateAtLeast"] = all.Count == 0 ? null : (decimal)paid.Count / all.Count,
            ["rateAtMost"] = all.Count == 0 ? null : (decimal)(paid.Count + open.Count) / all.Count,
            ["medianDays"] = days.Count == 0 ? null : (days[(days.Count - 1) / 2] + days[days.Count / 2]) / 2m,
        }, told);
        foreach (var (name, low, high) in ((string, int, int)[])[("0", 0, 0), ("1-2", 1, 2), ("3-6", 3, 6), ("7-13", 7, 13), ("14-29", 14, 29), ("30+", 30, 9999)])
            Same($"{what} days", new() { [name] = days.Count(d => d >= low && d <= high) }, told["days"]!);

        void Counted(string name, List<FailedInvoice> some) => Same($"{what} {name}", new() { ["count"] = some.Count, ["amount"] = some.Sum(f => f.Due) }, told[name]!);
    }

    // Of what is told, whatever the second opinion has too.
    private void Same(string what, Dictionary<string, decimal?> expected, JsonNode told)
    {
        foreach (var (name, value) in expected.Where(e => told.AsObject().ContainsKey(e.Key)))
        {
            var said = (double?)told[name];
            Assert.True(value is null ? said is null : said is not null && Math.Abs((double)value - said.Value) < 1e-9 * Math.Max(1, Math.Abs((double)value)), $"{what} {name}: told {said}, second opinion {value}.");
            compared++;
        }
    }

    private static decimal Rate(string currency, DateTimeOffset month) => currency == "usd" ? 1
        : Rates.Last(r => r.Currency == currency && string.CompareOrdinal(r.From, month.ToString("yyyy-MM-dd")) <= 0).Rate * (currency == "jpy" ? 100 : 1);

    private static Task<TestHost> StartAsync()
    {
        // No flow: nothing that we do is part of it.
        var settings = new Dictionary<string, string?> { ["Flows:Definitions:dunning:Enabled"] = "false", ["Flows:Definitions:win-back:Enabled"] = "false", ["Insight:Currency"] = "usd" };
        for (var i = 0; i < Rates.Length; i++)
        {
            settings[$"Insight:Rates:{i}:Currency"] = Rates[i].Currency;
            settings[$"Insight:Rates:{i}:From"] = Rates[i].From;
            settings[$"Insight:Rates:{i}:Rate"] = Rates[i].Rate.ToString(System.Globalization.CultureInfo.InvariantCulture);
        }
        return TestHost.StartAsync(Now.ToString("O"), settings);
    }
}
