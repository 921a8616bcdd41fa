using System.Security.Cryptography;
using System.Text;

namespace RetentionFunctions.Intake.App;

/// <summary>Whether a request to the app-event API shows the right write key.</summary>
public enum WriteKeyVerdict
{
    /// <summary>The key is right.</summary>
    Right,

    /// <summary>The request shows no key: neither Basic authentication nor <c>writeKey</c> in the body.</summary>
    Missing,

    /// <summary>The request shows another key.</summary>
    Wrong,

    /// <summary>No key is set (<c>AppEvents:WriteKey</c>), so no key can be right; the host decides whether that is open (loopback) or shut.</summary>
    NotConfigured,
}

/// <summary>
/// Checks the write key of Segment's HTTP API: the user name of Basic authentication with an empty password (what <c>@segment/analytics-node</c>
/// sends), or <c>writeKey</c> in the body (older and other SDKs). The comparison takes the same time wherever the keys differ.
/// </summary>
public static class WriteKeyCheck
{
    /// <param name="authorization">The Authorization header, null where there is none.</param>
    /// <param name="bodyWriteKey">The body's <c>writeKey</c> (<see cref="SegmentRequest.WriteKey"/>), null where there is none or it is not yet read.</param>
    /// <param name="configured">The key of the settings.</param>
    /// <returns>Right where either of the two is the key.</returns>
    public static WriteKeyVerdict Check(string? authorization, string? bodyWriteKey, string? configured)
    {
        if (string.IsNullOrEmpty(configured)) return WriteKeyVerdict.NotConfigured;
        var shown = UserName(authorization);
        // Both are compared, always: how long it takes says nothing about which one was right.
        var right = Same(shown, configured) | Same(bodyWriteKey, configured);
        if (right) return WriteKeyVerdict.Right;
        return string.IsNullOrEmpty(shown) && string.IsNullOrEmpty(bodyWriteKey) ? WriteKeyVerdict.Missing : WriteKeyVerdict.Wrong;
    }

    private static string? UserName(string? authorization)
    {
        const string scheme = "Basic ";
        if (authorization is null || !authorization.StartsWith(scheme, StringComparison.OrdinalIgnoreCase)) return null;
        var encoded = authorization.AsSpan(scheme.Length).Trim();
        var decoded = new byte[encoded.Length];
        // What is no Base64 is a key that is wrong, not one that is missing.
        if (!Convert.TryFromBase64Chars(encoded, decoded, out var length)) return encoded.ToString();
        var pair = Encoding.UTF8.GetString(decoded, 0, length);
        var colon = pair.IndexOf(':');
        return colon < 0 ? pair : pair[..colon];
    }

    // Hashed first, so that neither the length nor a common beginning of the keys shows in the time.
    private static bool Same(string? shown, string configured) =>
        CryptographicOperations.FixedTimeEquals(SHA256.HashData(Encoding.UTF8.GetBytes(shown ?? "")), SHA256.HashData(Encoding.UTF8.GetBytes(configured)));
}
