using System.Text;
using RetentionFunctions.Intake.Stripe;

namespace RetentionFunctions.Tests.Intake.Stripe;

public class StripeSignatureTests
{
    private const string Secret = "whsec_of_the_endpoint";
    private static readonly byte[] Body = Encoding.UTF8.GetBytes("""{"id":"evt_1","name":"Ünïcode"}""");
    private static readonly DateTimeOffset Signed = new(2026, 1, 1, 12, 0, 0, TimeSpan.Zero);

    private static string? Verify(string? header, DateTimeOffset? now = null, params string[] secrets) =>
        StripeSignature.Verify(Body, header, secrets.Length == 0 ? [Secret] : secrets, now ?? Signed);

    [Fact]
    public void A_signature_is_the_hmac_of_time_dot_body() =>
        // Worked out with: printf '1767268800.{}' | openssl dgst -sha256 -hmac whsec_test
        Assert.Equal("t=1767268800,v1=cc0d110a39277a8f9af5f986213c58e72f38beed0ff564e0e1d2ab3d3f45db6c", StripeSignature.Sign("{}"u8, "whsec_test", Signed));

    [Theory]
    [InlineData(0, true)]
    [InlineData(299, true)]
    [InlineData(300, true)]
    [InlineData(301, false)]
    [InlineData(-300, true)]
    [InlineData(-301, false)]
    [InlineData(86_400, false)]
    public void A_signature_is_fresh_within_five_minutes_either_way(int secondsLater, bool fine) =>
        Assert.Equal(fine, Verify(StripeSignature.Sign(Body, Secret, Signed), Signed.AddSeconds(secondsLater)) is null);

    [Fact]
    public void A_refusal_says_how_old_and_what_the_clock_says()
    {
        Assert.Equal("Too old: signed 412 s ago, 300 s are allowed; the host's clock says 2026-01-01T12:06:52Z.", Verify(StripeSignature.Sign(Body, Secret, Signed), Signed.AddSeconds(412)));
        Assert.Contains("signed 301 s ahead", Verify(StripeSignature.Sign(Body, Secret, Signed), Signed.AddSeconds(-301)));
    }

    [Fact]
    public void While_a_secret_is_rotated_either_matches()
    {
        var byOld = StripeSignature.Sign(Body, "whsec_old", Signed);
        var byNew = StripeSignature.Sign(Body, "whsec_new", Signed);
        Assert.Null(Verify(byOld, null, "whsec_old", "whsec_new"));
        Assert.Null(Verify(byNew, null, "whsec_old", "whsec_new"));
        Assert.Null(Verify($"{byOld},{byNew[(byNew.IndexOf(',') + 1)..]}", null, "whsec_new"));
        Assert.StartsWith("No secret matches", Verify(byOld, null, "whsec_new"));
    }

    [Fact]
    public void Other_schemes_are_ignored_and_never_suffice()
    {
        var header = StripeSignature.Sign(Body, Secret, Signed);
        Assert.Null(Verify($"{header},v0={new string('0', 64)}"));
        Assert.NotNull(Verify(header.Replace("v1=", "v0=")));
    }

    [Fact]
    public void A_changed_body_or_time_does_not_match()
    {
        var header = StripeSignature.Sign(Body, Secret, Signed);
        Assert.NotNull(StripeSignature.Verify([.. Body, (byte)' '], header, [Secret], Signed));
        Assert.StartsWith("No secret matches", Verify(header.Replace("t=1767268800", "t=1767268801")));
    }

    [Fact]
    public void Nobody_can_sign_with_an_empty_secret()
    {
        Assert.Contains("No signing secret", Verify(StripeSignature.Sign(Body, "", Signed), null, ""));
        Assert.Contains("No secret matches", Verify(StripeSignature.Sign(Body, "", Signed), null, "", Secret));
        Assert.Contains("No signing secret", StripeSignature.Verify(Body, StripeSignature.Sign(Body, "", Signed), [], Signed));
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("   ")]
    [InlineData("garbage")]
    [InlineData("t=,v1=")]
    [InlineData("t=1767268800")]
    [InlineData("v1=00")]
    [InlineData("t=-5,v1=0000000000000000000000000000000000000000000000000000000000000000")]
    [InlineData("t=99999999999999999999999,v1=0000000000000000000000000000000000000000000000000000000000000000")]
    [InlineData("t=9223372036854775807,v1=0000000000000000000000000000000000000000000000000000000000000000")]
    [InlineData("t=1767268800,t=1767268800,v1=0000000000000000000000000000000000000000000000000000000000000000")]
    [InlineData("t=1767268800,v1=zz00000000000000000000000000000000000000000000000000000000000000")]
    public void What_is_no_header_is_refused_as_missing_or_malformed(string? header) => Assert.Matches("missing|malformed", Verify(header));

    [Fact]
    public void A_header_of_any_size_is_refused_at_once()
    {
        Assert.Contains("malformed", Verify(new string(',', 1_000_000)));
        var many = StripeSignature.Sign(Body, "whsec_other", Signed) + string.Concat(Enumerable.Repeat($",v1={new string('a', 64)}", 25));
        Assert.Contains("No secret matches", Verify(many));
    }
}
