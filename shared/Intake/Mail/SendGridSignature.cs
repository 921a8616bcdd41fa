using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace RetentionFunctions.Intake.Mail;

/// <summary>
/// The signature of SendGrid's Event Webhook: ECDSA on the curve P-256 with SHA-256 over the timestamp as it stands in its header, followed by the raw body; in DER, in
/// base64. Source: SendGrid's documentation, "Getting Started with the Event Webhook Security Features".
/// </summary>
public static class SendGridSignature
{
    /// <summary>The header with the signature.</summary>
    public const string SignatureHeader = "X-Twilio-Email-Event-Webhook-Signature";

    /// <summary>The header with the time of signing, in seconds since 1970.</summary>
    public const string TimestampHeader = "X-Twilio-Email-Event-Webhook-Timestamp";

    /// <summary>Seconds by which a signature may come from the future: what clocks differ by. Stripe's libraries use 300 both ways.</summary>
    public const int FutureSeconds = 300;

    // A DER signature on P-256 has at most 72 bytes, 96 characters of base64.
    private const int MaxSignatureLength = 200;
    private const int Bits = 256;

    /// <summary>Checks a request.</summary>
    /// <param name="body">The raw bytes as they came.</param>
    /// <param name="signature">The header's value; null where there is none.</param>
    /// <param name="timestamp">The header's value; null where there is none.</param>
    /// <param name="publicKeys">The keys, any of which may match, while one is replaced.</param>
    /// <param name="now">The host's clock.</param>
    /// <param name="toleranceSeconds">Whole seconds that a signature is good for; exactly so many pass.</param>
    /// <returns>Null when it is SendGrid's and fresh; else what is wrong.</returns>
    public static SignatureProblem? Verify(ReadOnlySpan<byte> body, string? signature, string? timestamp, IReadOnlyList<string> publicKeys, DateTimeOffset now, int toleranceSeconds)
    {
        if (string.IsNullOrWhiteSpace(signature) || string.IsNullOrWhiteSpace(timestamp))
            return new(SignatureFault.Missing, $"The headers {SignatureHeader} and {TimestampHeader} are missing: this address takes events that SendGrid signed. Switch the signed Event Webhook on.");
        var der = new byte[MaxSignatureLength];
        if (signature.Length > MaxSignatureLength || !Convert.TryFromBase64String(signature, der, out var length))
            return new(SignatureFault.Malformed, $"The header {SignatureHeader} is malformed: it is not the base64 of a signature.");
        if (!long.TryParse(timestamp, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds))
            return new(SignatureFault.Malformed, $"The header {TimestampHeader} is malformed: it is not a time in seconds since 1970.");
        if (publicKeys.Count == 0)
            return new(SignatureFault.NoKey, "No verification key is set: set Email__SendGrid__EventPublicKeys__0 to the one that SendGrid shows beside the signed Event Webhook.");

        var hash = Hash(timestamp, body);
        if (!publicKeys.Any(text => Matches(text, hash, der.AsSpan(0, length))))
            return new(SignatureFault.Wrong, "No verification key matches the signature: set Email__SendGrid__EventPublicKeys__0 to the one that SendGrid shows beside this webhook.");

        var age = now.ToUnixTimeSeconds() - seconds;
        if (age <= toleranceSeconds && age >= -FutureSeconds) return null;
        var clock = now.ToUniversalTime().ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);
        return age > 0
            ? new(SignatureFault.Stale, $"Too old: signed {age} s ago, {toleranceSeconds} s are allowed; the host's clock says {clock}.")
            : new(SignatureFault.Stale, $"From the future: signed {-age} s ahead, {FutureSeconds} s are allowed; the host's clock says {clock}.");
    }

    /// <summary>Whether a text is a public key as SendGrid shows it: base64 of a SubjectPublicKeyInfo on P-256.</summary>
    public static bool IsPublicKey(string text)
    {
        using var key = Key(text);
        return key is not null;
    }

    /// <summary>The value of <see cref="SignatureHeader"/> that SendGrid would send: for the sandbox and for tests.</summary>
    /// <param name="body">The raw bytes that are sent.</param>
    /// <param name="timestamp">The value of <see cref="TimestampHeader"/>.</param>
    /// <param name="key">A private key on P-256.</param>
    public static string Sign(ReadOnlySpan<byte> body, string timestamp, ECDsa key) =>
        Convert.ToBase64String(key.SignHash(Hash(timestamp, body), DSASignatureFormat.Rfc3279DerSequence));

    private static byte[] Hash(string timestamp, ReadOnlySpan<byte> body)
    {
        using var sha = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        sha.AppendData(Encoding.ASCII.GetBytes(timestamp));
        sha.AppendData(body);
        return sha.GetHashAndReset();
    }

    private static bool Matches(string publicKey, byte[] hash, ReadOnlySpan<byte> signature)
    {
        using var key = Key(publicKey);
        return key is not null && key.VerifyHash(hash, signature, DSASignatureFormat.Rfc3279DerSequence);
    }

    private static ECDsa? Key(string text)
    {
        var key = ECDsa.Create();
        try
        {
            key.ImportSubjectPublicKeyInfo(Convert.FromBase64String(text), out _);
            if (key.KeySize == Bits) return key;
        }
        catch (Exception e) when (e is FormatException or CryptographicException)
        {
            // Not a key: the caller says so in its own words.
        }
        key.Dispose();
        return null;
    }
}

/// <summary>What is wrong with a signed request.</summary>
/// <param name="Fault">In a word.</param>
/// <param name="Text">For a person.</param>
public sealed record SignatureProblem(SignatureFault Fault, string Text);

/// <summary>What is wrong with a signature.</summary>
public enum SignatureFault
{
    /// <summary>There is none.</summary>
    Missing,

    /// <summary>It is none.</summary>
    Malformed,

    /// <summary>No key is set.</summary>
    NoKey,

    /// <summary>No key matches.</summary>
    Wrong,

    /// <summary>Too old, or from the future.</summary>
    Stale,
}
