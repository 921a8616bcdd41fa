using System.Text;
using RetentionFunctions.Erasure;

namespace RetentionFunctions.Tests.Erasure;

/// <summary>A text speaks of a customer where the id or an address of theirs stands by itself; whoever only shares its letters is somebody else.</summary>
public sealed class MentionsTests
{
    private static bool Speaks(string body, string id = "cus_Ada", string email = "jo@example.com") => new Mentions(id, [email]).In(Encoding.UTF8.GetBytes(body));

    [Theory]
    [InlineData("""{"customer":"cus_Ada"}""")]
    [InlineData("""{"url":"https://example.com/customers/cus_Ada/pay?x=1"}""")]
    [InlineData("""{"cus_Ada":1}""")]
    [InlineData("""{"text":"Ask cus_Ada."}""")]
    [InlineData("""{"to":"\"Jo\" <JO@Example.com>"}""")]
    [InlineData("""{"text":"Line\njo@example.com, and more"}""")]
    [InlineData("""{"text":"\u003cjo@example.com\u003e"}""")]
    [InlineData("""{"inner":"{\"text\":\"Line\\njo@example.com\"}"}""")]
    [InlineData("""{"broken":"cus_Ada""")]
    [InlineData("{\"broken\":\"Line\\njo@example.com")]
    [InlineData("{\"broken\":\"\\u003cjo@example.com\\u003e")]
    [InlineData("no JSON: jo@example.com")]
    public void It_speaks_of_them(string body) => Assert.True(Speaks(body));

    [Theory]
    [InlineData("""{"customer":"cus_Ada2"}""")]
    [InlineData("""{"customer":"xcus_Ada"}""")]
    [InlineData("""{"to":"banjo@example.com"}""")]
    [InlineData("""{"to":"jo@example.com.au"}""")]
    [InlineData("""{"to":"a.jo@example.com"}""")]
    [InlineData("""{"text":"in cus_Ada-2"}""")]
    [InlineData("""{}""")]
    [InlineData("")]
    public void It_speaks_of_somebody_else_or_of_nobody(string body) => Assert.False(Speaks(body));

    [Theory]
    [InlineData("""{"customer":"7"}""", true)]
    [InlineData("""{"customer":"17","amount":7,"at":"2026-01-07","text":"7 days, 7"}""", false)]
    [InlineData("""{"7":1}""", true)]
    [InlineData("7,7,7", false)]
    public void An_id_that_is_a_number_counts_only_as_a_value_by_itself(string body, bool speaks) => Assert.Equal(speaks, Speaks(body, "7"));

    [Fact]
    public void An_address_is_found_however_its_characters_are_escaped() => Assert.True(Speaks("""{"to":"jo\u002btest@example.com"}""", email: "jo+test@example.com"));

    [Theory]
    [InlineData("customer_id,email\n7,x@example.com\n", true)]
    [InlineData("customer_id,email\n17,x@example.com\n", false)]
    [InlineData("customer_id;email\n17;\"JO@example.com\"\n", true)]
    public void A_file_is_theirs_with_any_cell_of_theirs(string file, bool theirs) => Assert.Equal(theirs, new Mentions("7", ["jo@example.com"]).InFile(Encoding.UTF8.GetBytes(file)));
}
