using System.Globalization;

namespace RetentionFunctions.Customers;

/// <summary>Amounts in minor units as text, for e-mails and pages alike.</summary>
public static class Money
{
    /// <summary>
    /// <c>$29.00</c>, <c>¥2,900</c>, <c>CHF 29.00</c>, <c>KWD 2.900</c>; a negative amount has a true minus sign. How many minor units make one is Stripe's
    /// rule, not ISO's: docs.stripe.com/currencies, "Zero-decimal", "Three-decimal" and "Special cases" (ISK and UGX are charged in hundredths though they
    /// have no decimals).
    /// </summary>
    /// <param name="amount">Minor units, may be negative.</param>
    /// <param name="currency">ISO code in any case.</param>
    public static string Text(long amount, string currency)
    {
        var code = currency.ToUpperInvariant();
        var unit = MinorUnits(currency);
        var decimals = code is "ISK" or "UGX" ? 0 : unit switch { 1 => 0, 1000 => 3, _ => 2 };
        var value = Math.Round(Math.Abs((decimal)amount) / unit, decimals, MidpointRounding.AwayFromZero).ToString("N" + decimals, CultureInfo.InvariantCulture);
        var symbol = code switch { "USD" => "$", "EUR" => "€", "GBP" => "£", "JPY" => "¥", _ => $"{code}\u00a0" };
        return $"{(amount < 0 ? "−" : "")}{symbol}{value}";
    }

    /// <summary>How many minor units make one unit, as Stripe counts them: 1, 100 or 1000.</summary>
    /// <param name="currency">ISO code in any case.</param>
    public static decimal MinorUnits(string currency) => currency.ToUpperInvariant() switch
    {
        "BIF" or "CLP" or "DJF" or "GNF" or "JPY" or "KMF" or "KRW" or "MGA" or "PYG" or "RWF" or "VND" or "VUV" or "XAF" or "XOF" or "XPF" => 1,
        "BHD" or "JOD" or "KWD" or "OMR" or "TND" => 1000,
        _ => 100,
    };

    /// <summary>MRR by currency, the largest first; a dash where there is none. Never added up across currencies.</summary>
    public static string Text(IReadOnlyDictionary<string, long> mrr) =>
        mrr.Count == 0 ? "–" : string.Join(" + ", mrr.OrderByDescending(m => m.Value).ThenBy(m => m.Key, StringComparer.Ordinal).Select(m => Text(m.Value, m.Key)));
}
