using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using RetentionFunctions.Intake.Mail;
using RetentionFunctions.Intake.Stripe;

namespace RetentionFunctions.Torture.Security;

/// <summary>What is signed gets in and nothing else does: each answer is held against a second one, worked out here from the provider's documentation.</summary>
public class SignatureTortureTests
{
    private const int Tolerance = 300;
    private static readonly DateTimeOffset Now = new(2026, 1, 1, 12, 0, 0, TimeSpan.Zero);
    private static readonly string[] Secrets = ["whsec_old", "whsec_new", "whsec_of_somebody_else", "whsec_", "", " ", "old", "whsec_old "];
    private static readonly int[] Ages = [0, 1, 299, 300, 301, -1, -299, -300, -301, 3600, -3600, 86_400, int.MaxValue];

    [Fact]
    public void Nothing_but_what_stripe_signed_is_taken_and_all_of_it_is() => Form.WithDice(dice =>
    {
        var (taken, refused) = (0, 0);
        for (var i = Form.Times(5_000, 100_000); i > 0; i--)
        {
            var body = new byte[dice.Next(0, 200)];
            dice.NextBytes(body);
            var secrets = Enumerable.Range(0, dice.Next(0, 4)).Select(_ => dice.Pick(Secrets)).ToList();
            var header = StripeHeader(dice, body, secrets);
            for (var n = dice.Next(0, 3); n > 0; n--) header = Altered(dice, header);
            if (dice.Next(4) == 0) body = Altered(dice, body);

            var expected = IsOfStripe(body, header, secrets);
            var answer = StripeSignature.Verify(body, header, secrets, Now, Tolerance);
            Assert.True(expected == (answer is null), $"'{header}' under [{string.Join(',', secrets)}], body {Convert.ToHexString(body)}: {answer ?? "taken"}");
            if (expected) taken++;
            else refused++;
        }
        // Both are tried enough to mean something.
        Assert.True(taken > refused / 10 && refused > taken / 10, $"{taken} taken, {refused} refused");
    });

    [Theory]
    [InlineData("01767268800")]
    [InlineData("1767268800\0")]
    public void A_time_counts_as_it_is_written_since_that_is_what_is_signed(string written)
    {
        var header = StripeSignature.Sign("{}"u8, "whsec_old", Now).Replace("1767268800", written, StringComparison.Ordinal);
        Assert.NotNull(StripeSignature.Verify("{}"u8, header, ["whsec_old"], Now));
    }

    [Fact]
    public void The_right_signature_is_found_among_as_many_as_a_header_can_hold()
    {
        var right = StripeSignature.Sign("{}"u8, "whsec_old", Now);
        var split = right.IndexOf(',', StringComparison.Ordinal);
        var header = right[..split] + string.Concat(Enumerable.Repeat($",v1={new string('a', 64)}", 28)) + right[split..];
        Assert.Null(StripeSignature.Verify("{}"u8, header, ["whsec_old"], Now));
    }

    [Fact]
    public void Nothing_but_what_sendgrid_signed_is_taken_and_all_of_it_is() => Form.WithDice(dice =>
    {
        using var ours = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var next = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var other = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        string Public(ECDsa key) => Convert.ToBase64String(key.ExportSubjectPublicKeyInfo());
        var (taken, refused) = (0, 0);
        for (var i = Form.Times(500, 10_000); i > 0; i--)
        {
            var signed = new byte[dice.Next(0, 200)];
            dice.NextBytes(signed);
            var (by, age) = (dice.Pick([ours, ours, next, other]), dice.Pick(Ages));
            var seconds = (Now.ToUnixTimeSeconds() - age).ToString(CultureInfo.InvariantCulture);
            var made = by.SignData([.. Encoding.ASCII.GetBytes(seconds), .. signed], HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence);
            var (body, timestamp, bytes, signature) = (signed, seconds, made, Convert.ToBase64String(made));
            switch (dice.Next(8))
            {
                case 0: body = Altered(dice, body); break;
                case 1: timestamp = Altered(dice, timestamp); break;
                case 2: signature = Convert.ToBase64String(bytes = Altered(dice, made)); break;
                case 3: signature = Altered(dice, signature); break;
                // As other schemes write it: r and s side by side.
                case 4: signature = Convert.ToBase64String(by.SignData([.. Encoding.ASCII.GetBytes(seconds), .. signed], HashAlgorithmName.SHA256, DSASignatureFormat.IeeeP1363FixedFieldConcatenation)); break;
            }
            var expected = by != other && age is <= Tolerance and >= -SendGridSignature.FutureSeconds && body.AsSpan().SequenceEqual(signed) && timestamp == seconds && Bytes(signature) is { } read && read.AsSpan().SequenceEqual(made);
            var answer = SendGridSignature.Verify(body, signature, timestamp, [Public(ours), Public(next)], Now, Tolerance);
            Assert.True(expected == (answer is null), $"'{signature}' of '{timestamp}', made as {Convert.ToHexString(made)} of '{seconds}': {answer?.Text ?? "taken"}");
            if (expected) taken++;
            else refused++;
        }
        Assert.True(taken > refused / 10 && refused > taken / 10, $"{taken} taken, {refused} refused");

        // How base64 is broken into lines says nothing about what is signed.
        static byte[]? Bytes(string base64)
        {
            try
            {
                return Convert.FromBase64String(base64);
            }
            catch (FormatException)
            {
                return null;
            }
        }
    });

    private static string StripeHeader(Random dice, byte[] body, List<string> configured)
    {
        var t = (Now.ToUnixTimeSeconds() - (dice.Next(3) == 0 ? dice.Pick(Ages) : dice.Next(-299, 300))).ToString(CultureInfo.InvariantCulture);
        var parts = new List<string>();
        for (var n = dice.Next(1, 4); n > 0; n--)
        {
            var secret = configured.Count > 0 && dice.Next(4) > 0 ? dice.Pick(configured) : dice.Pick(Secrets);
            var hex = Convert.ToHexStringLower(Hmac(secret, $"{t}{(dice.Next(20) == 0 ? "" : ".")}", body));
            parts.Add($"{(dice.Next(6) == 0 ? dice.Pick(["v0", "v2", "V1", "v1 ", "v11", ""]) : "v1")}={(dice.Next(8) == 0 ? hex.ToUpperInvariant() : hex)}");
        }
        for (var n = dice.Next(10) == 0 ? dice.Next(40) : 0; n > 0; n--) parts.Insert(dice.Next(parts.Count), $"v1={Convert.ToHexStringLower(SHA256.HashData(BitConverter.GetBytes(n)))}");
        parts.Insert(dice.Next(4) == 0 ? dice.Next(parts.Count + 1) : 0, $"t={t}");
        if (dice.Next(50) == 0) parts.Insert(dice.Next(parts.Count), $"t={t}");
        if (dice.Next(100) == 0) parts.Add(new string('x', dice.Next(100_000)));
        return string.Join(dice.Next(10) == 0 ? ", " : ",", parts);
    }

    // "Verify webhook signatures manually": the text of the time, a dot, the raw body; any v1 that matches; at most so old.
    private static bool IsOfStripe(byte[] body, string header, List<string> secrets)
    {
        if (header.Length > 2048) return false;
        var parts = header.Split(',').Select(part => part.Trim()).Where(part => part.Contains('=')).Select(part => (Name: part[..part.IndexOf('=')], Value: part[(part.IndexOf('=') + 1)..])).ToList();
        if (parts.Count(part => part.Name == "t") != 1) return false;
        var time = parts.Single(part => part.Name == "t").Value;
        if (time.Length is 0 or > 18 || !time.All(char.IsAsciiDigit)) return false;
        if (Math.Abs(Now.ToUnixTimeSeconds() - long.Parse(time, CultureInfo.InvariantCulture)) > Tolerance) return false;
        var signatures = parts.Where(part => part.Name == "v1").Select(part => part.Value.ToLowerInvariant()).ToHashSet();
        return secrets.Where(secret => secret.Trim().Length > 0).Any(secret => signatures.Contains(Convert.ToHexStringLower(Hmac(secret, $"{time}.", body))));
    }

    private static byte[] Hmac(string secret, string before, byte[] body) => HMACSHA256.HashData(Encoding.UTF8.GetBytes(secret), (byte[])[.. Encoding.ASCII.GetBytes(before), .. body]);

    private static string Altered(Random dice, string text)
    {
        const string Characters = "0123456789abcdefABCDEF=,.tv \t\0\n٣１xﬀ+/";
        var at = dice.Next(text.Length + 1);
        if (dice.Next(10) == 0) at = text.IndexOf("t=", StringComparison.Ordinal) is var time and >= 0 ? time + 2 : at;
        return dice.Next(3) switch
        {
            0 => text.Insert(at, dice.Pick(Characters.ToCharArray()).ToString()),
            1 when at < text.Length => text.Remove(at, 1),
            _ when at < text.Length => $"{text[..at]}{dice.Pick(Characters.ToCharArray())}{text[(at + 1)..]}",
            _ => text[..dice.Next(text.Length + 1)],
        };
    }

    private static byte[] Altered(Random dice, byte[] bytes)
    {
        var at = dice.Next(bytes.Length + 1);
        return dice.Next(3) switch
        {
            0 => [.. bytes[..at], (byte)dice.Next(256), .. bytes[at..]],
            1 when at < bytes.Length => [.. bytes[..at], .. bytes[(at + 1)..]],
            _ when at < bytes.Length => [.. bytes[..at], (byte)(bytes[at] ^ (1 << dice.Next(8))), .. bytes[(at + 1)..]],
            _ => [.. bytes, 0],
        };
    }
}
