using RetentionFunctions.Customers;

namespace RetentionFunctions.Insight;

/// <summary>How figures are put together.</summary>
public sealed class InsightSettings
{
    private const string Right = "\"insight\": { \"currency\": \"usd\", \"rates\": [ { \"currency\": \"eur\", \"from\": \"2026-01-01\", \"rate\": 1.08 } ] } in retention.json";

    /// <summary>The currency into which figures in several are converted; null: each stands by itself.</summary>
    public string? Currency { get; set; }

    /// <summary>The rates of all other currencies, each from a day on until the next of the same currency. A month is converted at the rate of its first day.</summary>
    public IReadOnlyList<ExchangeRate> Rates { get; set; } = [];

    /// <summary>The rate of a currency in a month: units of <see cref="Currency"/> for one; null where none is known.</summary>
    public decimal? RateIn(Month month, string currency) => currency == Currency ? 1
        : Rates.Where(r => r.Currency == currency && r.From <= DateOnly.FromDateTime(month.Start.UtcDateTime)).MaxBy(r => r.From)?.Rate;

    /// <summary>What is wrong, with the key of the setting and a right example.</summary>
    public IEnumerable<(string Key, string Problem, string Example)> Validate()
    {
        if (Currency is not null && !IsCode(Currency)) yield return ("Insight:Currency", NotCode(Currency), Right);
        if (Currency is null && Rates.Count > 0) yield return ("Insight:Currency", "There are rates, and no currency into which they convert.", Right);
        var seen = new HashSet<(string, DateOnly)>();
        for (var i = 0; i < Rates.Count; i++)
        {
            var (rate, key) = (Rates[i], $"Insight:Rates:{i}");
            if (!IsCode(rate.Currency)) yield return ($"{key}:Currency", NotCode(rate.Currency), Right);
            else if (rate.Currency == Currency) yield return ($"{key}:Currency", $"'{rate.Currency}' is the currency into which all are converted: it has no rate.", Right);
            if (rate.Rate is <= 0 or > MostRate) yield return ($"{key}:Rate", FormattableString.Invariant($"{rate.Rate} is no rate: it is above 0, and at most {MostRate:0}."), Right);
            if (!seen.Add((rate.Currency, rate.From))) yield return ($"{key}:From", FormattableString.Invariant($"There are two rates of '{rate.Currency}' from {rate.From:yyyy-MM-dd}."), Right);
        }
    }

    // No two currencies are so far apart; what is more is a mistake, and would not fit into a number with its amounts.
    private const decimal MostRate = 1_000_000;

    private static bool IsCode(string code) => code.Length == 3 && code.All(char.IsAsciiLetterLower);

    private static string NotCode(string code) => $"'{code}' is not a currency as Stripe writes it: three small letters.";
}

/// <summary>A rate from a day on.</summary>
/// <param name="Currency">Of which currency: lower case ISO code.</param>
/// <param name="From">From which day on, UTC, until the next rate of the same currency.</param>
/// <param name="Rate">How many units of <c>insight.currency</c> one unit is: of units, not of minor units.</param>
public sealed record ExchangeRate(string Currency, DateOnly From, decimal Rate);
