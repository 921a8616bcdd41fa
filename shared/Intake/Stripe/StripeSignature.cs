using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace RetentionFunctions.Intake.Stripe;

/// <summary>
/// The <c>Stripe-Signature</c> header: <c>t=seconds,v1=hex[,v1=hex][,v0=hex]</c>, where v1 is the HMAC-SHA256, in hex, of <c>t + "." + raw body</c>
/// under the endpoint's secret as it is written (<c>whsec_</c> included). Source: Stripe's documentation, "Verify webhook signatures manually".
/// </summary>
public static class StripeSignature
{
    /// <summary>The name of the header.</summary>
    public const string HeaderName = "Stripe-Signature";

    /// <summary>Seconds by which the signature's time may differ from the host's clock. Stripe's own libraries use 300.</summary>
    public const int DefaultToleranceSeconds = 300;

    // Stripe's header has one v1 for each secret in use (at most two): under 250 characters. What is far longer is not Stripe's.
    private const int MaxHeaderLength = 2048;
    private const int MaxSignatures = MaxHeaderLength / (3 + 2 * SHA256.HashSizeInBytes + 1); // as many as such a header has room for
    private const int MaxTimeLength = 19; // of the largest long
    private const long LastSecond = 253_402_300_799; // 9999-12-31T23:59:59Z, the last that a DateTimeOffset can hold

    /// <summary>Checks a header against the body and the secrets.</summary>
    /// <param name="body">The raw bytes as they came: parsed and written again they would differ.</param>
    /// <param name="header">The header's value; null where there is none.</param>
    /// <param name="secrets">One or more secrets; any may match, while one is rotated.</param>
    /// <param name="now">The host's clock.</param>
    /// <param name="toleranceSeconds">Whole seconds that may lie between the signature and the clock, either way; exactly so many pass.</param>
    /// <returns>Null when it is Stripe's and fresh; else the reason, to be answered with a 400.</returns>
    public static string? Verify(ReadOnlySpan<byte> body, string? header, IReadOnlyList<string> secrets, DateTimeOffset now, int toleranceSeconds = DefaultToleranceSeconds)
    {
        if (string.IsNullOrWhiteSpace(header))
            return $"The header {HeaderName} is missing: this address takes events that Stripe signed.";
        if (header.Length > MaxHeaderLength)
            return $"The header {HeaderName} is malformed: {header.Length} characters are more than {MaxHeaderLength}.";

        long? signedAt = null;
        ReadOnlySpan<char> time = default;
        Span<byte> signatures = stackalloc byte[MaxSignatures * SHA256.HashSizeInBytes];
        var count = 0;
        foreach (var range in header.AsSpan().Split(','))
        {
            var part = header.AsSpan(range).Trim();
            if (part.StartsWith("t=", StringComparison.Ordinal))
            {
                // Two times would leave open which one is signed.
                if (signedAt is not null) return $"The header {HeaderName} is malformed: more than one t=.";
                time = part[2..];
                if (time.Length > MaxTimeLength || !long.TryParse(time, NumberStyles.None, CultureInfo.InvariantCulture, out var t) || t > LastSecond)
                    return $"The header {HeaderName} is malformed: t= is not a time in seconds since 1970.";
                signedAt = t;
            }
            else if (part.StartsWith("v1=", StringComparison.Ordinal) && part.Length == 3 + 2 * SHA256.HashSizeInBytes && count < MaxSignatures)
            {
                var target = signatures.Slice(count * SHA256.HashSizeInBytes, SHA256.HashSizeInBytes);
                if (Convert.FromHexString(part[3..], target, out _, out _) == System.Buffers.OperationStatus.Done) count++;
            }
            // Other schemes (v0 in test mode) are ignored on purpose: accepting a weaker one would allow a downgrade.
        }
        if (signedAt is not { } seconds) return $"The header {HeaderName} is malformed: it has no t=.";
        if (count == 0) return $"The header {HeaderName} is malformed: it has no v1= of 64 hexadecimal digits.";
        if (secrets.All(string.IsNullOrWhiteSpace))
            return "No signing secret is set: set Stripe__WebhookSecrets__0 to the endpoint's secret (whsec_…).";

        // All secrets against all signatures, without leaving early: the time it takes tells nothing.
        var matches = false;
        Span<byte> expected = stackalloc byte[SHA256.HashSizeInBytes];
        foreach (var secret in secrets)
        {
            if (string.IsNullOrWhiteSpace(secret)) continue; // an empty key would let anyone sign
            Compute(body, secret, time, expected);
            for (var i = 0; i < count; i++)
                matches |= CryptographicOperations.FixedTimeEquals(expected, signatures.Slice(i * SHA256.HashSizeInBytes, SHA256.HashSizeInBytes));
        }
        if (!matches)
            return "No secret matches the signature: set Stripe__WebhookSecrets__0 to the secret of this endpoint (whsec_…), of the same mode, test or live.";

        var age = now.ToUnixTimeSeconds() - seconds;
        if (Math.Abs(age) <= toleranceSeconds) return null;
        var clock = now.ToUniversalTime().ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);
        return age > 0
            ? $"Too old: signed {age} s ago, {toleranceSeconds} s are allowed; the host's clock says {clock}."
            : $"From the future: signed {-age} s ahead, {toleranceSeconds} s are allowed; the host's clock says {clock}.";
    }

    /// <summary>The header that Stripe would send: for the sandbox and for tests.</summary>
    /// <param name="body">The raw bytes that are sent.</param>
    /// <param name="secret">The endpoint's secret.</param>
    /// <param name="at">When it is signed; whole seconds count.</param>
    public static string Sign(ReadOnlySpan<byte> body, string secret, DateTimeOffset at)
    {
        var seconds = at.ToUnixTimeSeconds();
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        Compute(body, secret, seconds.ToString(CultureInfo.InvariantCulture), hash);
        return string.Create(CultureInfo.InvariantCulture, $"t={seconds},v1={Convert.ToHexStringLower(hash)}");
    }

    // The time as it is written: what is signed is its text, and 01 is another one than 1.
    private static void Compute(ReadOnlySpan<byte> body, string secret, ReadOnlySpan<char> time, Span<byte> hash)
    {
        using var hmac = IncrementalHash.CreateHMAC(HashAlgorithmName.SHA256, Encoding.UTF8.GetBytes(secret));
        Span<byte> prefix = stackalloc byte[MaxTimeLength + 1];
        var length = Encoding.ASCII.GetBytes(time, prefix);
        prefix[length++] = (byte)'.';
        hmac.AppendData(prefix[..length]);
        hmac.AppendData(body);
        hmac.GetHashAndReset(hash);
    }
}
