using RetentionFunctions.Customers;

namespace RetentionFunctions.Tests.Customers;

public class MoneyTests
{
    [Theory]
    [InlineData(2900, "usd", "$29.00")]
    [InlineData(123456789, "USD", "$1,234,567.89")]
    [InlineData(5, "eur", "€0.05")]
    [InlineData(-1250, "gbp", "−£12.50")]
    [InlineData(2900, "jpy", "¥2,900")]
    [InlineData(50000, "krw", "KRW\u00a050,000")]
    [InlineData(2900, "chf", "CHF\u00a029.00")]
    [InlineData(2900, "kwd", "KWD\u00a02.900")]
    [InlineData(1234560, "bhd", "BHD\u00a01,234.560")]
    [InlineData(150000, "isk", "ISK\u00a01,500")]
    [InlineData(500000, "ugx", "UGX\u00a05,000")]
    [InlineData(100000, "huf", "HUF\u00a01,000.00")]
    [InlineData(0, "usd", "$0.00")]
    [InlineData(-123456, "eur", "−€1,234.56")]
    [InlineData(long.MinValue, "usd", "−$92,233,720,368,547,758.08")]
    public void Amounts_read_as_their_currency_has_them(long minor, string currency, string text) => Assert.Equal(text, Money.Text(minor, currency));
}
