using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.DataProtection;

namespace RetentionFunctions.Local.Sandbox;

/// <summary>
/// The addresses of the sandbox's pages. An invoice's page is found by the invoice, as Stripe's is; the portal by a signed token, because Stripe's portal sessions
/// too are known only to the customer for whom they were made, and end.
/// </summary>
public sealed class SandboxPages(LocalAddress address, IDataProtectionProvider protection, TimeProvider clock)
{
    /// <summary>Where the page of an invoice stands; its id is put behind it.</summary>
    public const string PayPath = "/local/pay/";

    /// <summary>How long a portal's address works.</summary>
    public static readonly TimeSpan Lifetime = TimeSpan.FromHours(24);

    private readonly IDataProtector protector = protection.CreateProtector("RetentionFunctions.Local.Sandbox", "portal", "v1");

    /// <summary>The page to pay an invoice.</summary>
    public Uri PayOf(string invoiceId) => new(address.Root, PayPath + Uri.EscapeDataString(invoiceId));

    /// <summary>The customer's portal.</summary>
    public Uri PortalOf(string customerId) => new(address.Root, PortalPath(customerId));

    /// <summary>The page to change the card.</summary>
    public Uri CardOf(string customerId) => new(address.Root, $"{PortalPath(customerId)}/card");

    /// <summary>The portal's path.</summary>
    public string PortalPath(string customerId) =>
        $"/local/portal/{Base64Url.EncodeToString(protector.Protect(JsonSerializer.SerializeToUtf8Bytes<string[]>([customerId, (clock.GetUtcNow() + Lifetime).ToString("O")])))}";

    /// <summary>Whose portal a token opens; null where it is not ours or too old.</summary>
    public string? CustomerOf(string token)
    {
        if (token.Length > 2048 || !Base64Url.IsValid(token)) return null;
        try
        {
            return JsonSerializer.Deserialize<string[]>(protector.Unprotect(Base64Url.DecodeFromChars(token))) is [var customer, var until]
                && clock.GetUtcNow() < DateTimeOffset.Parse(until, System.Globalization.CultureInfo.InvariantCulture) ? customer : null;
        }
        catch (CryptographicException)
        {
            return null;
        }
    }
}
