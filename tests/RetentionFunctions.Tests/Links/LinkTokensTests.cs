using Microsoft.AspNetCore.DataProtection;
using RetentionFunctions.Links;

namespace RetentionFunctions.Tests.Links;

/// <summary>A link says what we signed, to the second, or nothing.</summary>
public class LinkTokensTests
{
    private const string Alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

    private readonly LinkBench _bench = new();

    public static TheoryData<LinkPurpose> Purposes => [.. Enum.GetValues<LinkPurpose>()];

    [Theory, MemberData(nameof(Purposes))]
    public void What_was_signed_is_what_is_read(LinkPurpose purpose)
    {
        var claims = _bench.Claims(purpose, "in|1 “ü”");
        var token = _bench.Tokens.Create(claims);
        Assert.Matches("^[A-Za-z0-9_-]+$", token);
        Assert.Equal(new LinkReading.Valid(claims), _bench.Tokens.Read(token));
        Assert.Equal(new LinkReading.Valid(claims), _bench.Tokens.Read(token, purpose));
        Assert.DoesNotContain("cus_ada", token);
    }

    [Fact]
    public void A_link_for_one_thing_is_good_for_no_other()
    {
        foreach (var made in Enum.GetValues<LinkPurpose>())
            foreach (var used in Enum.GetValues<LinkPurpose>().Where(used => used != made))
                Assert.IsType<LinkReading.WrongPurpose>(_bench.Tokens.Read(_bench.Tokens.Create(_bench.Claims(made)), used));
    }

    [Theory]
    [InlineData(LinkPurpose.Unsubscribe, 400)]
    [InlineData(LinkPurpose.App, 400)]
    [InlineData(LinkPurpose.Pause, 60)]
    [InlineData(LinkPurpose.Return, 60)]
    [InlineData(LinkPurpose.Pay, 60)]
    [InlineData(LinkPurpose.Answer, 60)]
    public void A_link_expires_by_the_hosts_clock_to_the_second(LinkPurpose purpose, int days)
    {
        var token = _bench.Builder.Url(purpose, "cus_ada", "win-back", "2026-03-03", 1, LinkBench.Start)["https://hello.papertrail.example/l/".Length..];
        _bench.Clock.Now = LinkBench.Start.AddDays(days).AddSeconds(-1);
        Assert.IsType<LinkReading.Valid>(_bench.Tokens.Read(token));
        _bench.Clock.Now = LinkBench.Start.AddDays(days);
        Assert.IsType<LinkReading.Expired>(_bench.Tokens.Read(token));
    }

    // Three lengths, a cipher block apart: so that the last character has none, two and four bits that decode to nothing.
    [Theory]
    [InlineData(0), InlineData(16), InlineData(32)]
    public void A_token_altered_at_any_character_is_forged(int longer)
    {
        var token = _bench.Tokens.Create(_bench.Claims(LinkPurpose.Unsubscribe, new string('x', longer)));
        for (var i = 0; i < token.Length; i++)
        {
            var other = Alphabet[(Alphabet.IndexOf(token[i]) + 1) % 64];
            Assert.IsType<LinkReading.Forged>(_bench.Tokens.Read($"{token[..i]}{other}{token[(i + 1)..]}"));
            Assert.IsType<LinkReading.Forged>(_bench.Tokens.Read(token[..i]));
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("x")]
    [InlineData("not a token")]
    [InlineData("🙂🙂🙂🙂")]
    [InlineData("AAAA")]
    [InlineData("CfDJ8AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")]
    public void What_is_no_token_is_forged(string token) => Assert.IsType<LinkReading.Forged>(_bench.Tokens.Read(token));

    [Fact]
    public void A_token_that_is_far_too_long_or_has_padding_or_spaces_is_forged()
    {
        var token = _bench.Tokens.Create(_bench.Claims(LinkPurpose.App));
        Assert.IsType<LinkReading.Forged>(_bench.Tokens.Read(new string('A', 1_000_000)));
        Assert.IsType<LinkReading.Forged>(_bench.Tokens.Read(token + "="));
        Assert.IsType<LinkReading.Forged>(_bench.Tokens.Read(token + " "));
        Assert.IsType<LinkReading.Forged>(_bench.Tokens.Read(token.Insert(5, "\n")));
    }

    [Fact]
    public void Another_installations_token_is_forged() =>
        Assert.IsType<LinkReading.Forged>(new LinkTokens(new EphemeralDataProtectionProvider(), _bench.Clock).Read(_bench.Tokens.Create(_bench.Claims(LinkPurpose.Pause))));

    [Fact]
    public void What_the_same_key_ring_signed_for_something_else_is_forged()
    {
        var ring = new EphemeralDataProtectionProvider();
        var cookie = System.Buffers.Text.Base64Url.EncodeToString(ring.CreateProtector("Cookies").Protect("[\"cus_ada\"]"u8.ToArray()));
        Assert.IsType<LinkReading.Forged>(new LinkTokens(ring, _bench.Clock).Read(cookie));
    }

    [Theory]
    [InlineData("https://x.example", "https://x.example/l/t")]
    [InlineData("https://x.example/", "https://x.example/l/t")]
    [InlineData("https://x.example/retention/?a=1", "https://x.example/retention/l/t")]
    public void The_address_of_a_token_stands_under_the_public_address(string root, string url)
    {
        _bench.PublicUrl = new Uri(root);
        Assert.Equal(url, _bench.Builder.UrlOf("t"));
    }
}
