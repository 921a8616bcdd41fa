using System.Buffers.Text;
using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.AspNetCore.DataProtection;

namespace RetentionFunctions.Links;

/// <summary>What a link is for. A stored format: links live in people's mailboxes.</summary>
public enum LinkPurpose
{
    /// <summary>Back to the app. Changes nothing.</summary>
    App,

    /// <summary>"I'm back", and the end of a pause.</summary>
    Return,

    /// <summary>Pause for one to three months.</summary>
    Pause,

    /// <summary>Pay an invoice, change the card.</summary>
    Pay,

    /// <summary>No more marketing e-mails.</summary>
    Unsubscribe,

    /// <summary>Answer the one question.</summary>
    Answer,
}

/// <summary>What a link says, signed: for whom, for what, from which e-mail.</summary>
public sealed record LinkClaims
{
    /// <summary>The customer.</summary>
    public required string CustomerId { get; init; }

    /// <summary>What it is for.</summary>
    public required LinkPurpose Purpose { get; init; }

    /// <summary>The flow of its e-mail.</summary>
    public required string Flow { get; init; }

    /// <summary>What the run of its e-mail is keyed to.</summary>
    public required string Occasion { get; init; }

    /// <summary>The step of its e-mail, from 1.</summary>
    public required int Step { get; init; }

    /// <summary>The invoice to pay, or the answer to pre-select (a key of <see cref="AnswerOptions"/>).</summary>
    public string? Subject { get; init; }

    /// <summary>When it stops working; whole seconds.</summary>
    public required DateTimeOffset ExpiresAt { get; init; }

    /// <summary>When its e-mail was made.</summary>
    internal DateTimeOffset IssuedAt => ExpiresAt - LinkTokens.Lifetime(Purpose);
}

/// <summary>What a token turned out to be.</summary>
public abstract record LinkReading
{
    private LinkReading() { }

    /// <summary>Ours, in time, for this purpose.</summary>
    /// <param name="Claims">What it says.</param>
    public sealed record Valid(LinkClaims Claims) : LinkReading;

    /// <summary>Ours, but too old.</summary>
    /// <param name="Claims">What it said.</param>
    public sealed record Expired(LinkClaims Claims) : LinkReading;

    /// <summary>Not ours, or altered.</summary>
    public sealed record Forged : LinkReading;

    /// <summary>Ours, used for something that it is not for.</summary>
    public sealed record WrongPurpose : LinkReading;
}

/// <summary>
/// Signs and reads what stands behind <c>/l/</c>: encrypted and authenticated by ASP.NET Core Data Protection, so that it tells nobody who the
/// customer is and cannot be altered. Keys roll over every 90 days and old ones stay readable, as long as the key ring is kept.
/// </summary>
/// <param name="protection">The key ring; the same one, under the same application name, in every host of the installation.</param>
/// <param name="clock">The host's clock. Data Protection's own time-limited protector ignores it, so the expiry is part of what is signed.</param>
public sealed class LinkTokens(IDataProtectionProvider protection, TimeProvider clock)
{
    // Every other use of the key ring (cookies, antiforgery) has other purposes, so none of their texts can pass for a link.
    private readonly IDataProtector _protector = protection.CreateProtector("RetentionFunctions.Links", "v1");

    /// <summary>
    /// How long a link works. Unsubscribe: 400 days, beyond a year's worth of e-mails (CAN-SPAM asks for at least 30 days after the send); the app
    /// link changes nothing and lives as long. The others: 60 days, beyond any flow and any retry window of Stripe's.
    /// </summary>
    public static TimeSpan Lifetime(LinkPurpose purpose) => TimeSpan.FromDays(purpose is LinkPurpose.Unsubscribe or LinkPurpose.App ? 400 : 60);

    /// <summary>The token, in the base64url alphabet.</summary>
    public string Create(LinkClaims claims)
    {
        var payload = JsonSerializer.SerializeToUtf8Bytes<string?[]>(
            [claims.CustomerId, claims.Purpose.ToString(), claims.Flow, claims.Occasion, claims.Step.ToString(CultureInfo.InvariantCulture), claims.Subject, Seconds(claims.ExpiresAt)]);
        return Base64Url.EncodeToString(_protector.Protect(payload));
    }

    /// <summary>Reads a token.</summary>
    /// <param name="token">Text from an address: anything.</param>
    /// <param name="expected">What it is about to be used for; null where it only says itself what it is for.</param>
    public LinkReading Read(string token, LinkPurpose? expected = null)
    {
        if (token.Length > 4096 || !Base64Url.IsValid(token)) return new LinkReading.Forged();
        LinkClaims claims;
        try
        {
            var bytes = Base64Url.DecodeFromChars(token);
            // The decoder skips white space and padding: only the one spelling that we wrote counts.
            if (Base64Url.EncodeToString(bytes) != token) return new LinkReading.Forged();
            if (JsonSerializer.Deserialize<string?[]>(_protector.Unprotect(bytes)) is not [{ } customer, { } name, { } flow, { } occasion, { } step, var subject, { } expires]
                || !Enum.TryParse<LinkPurpose>(name, out var purpose) || !Enum.IsDefined(purpose)
                || !int.TryParse(step, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
                || !long.TryParse(expires, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds) || seconds > DateTimeOffset.MaxValue.ToUnixTimeSeconds())
                return new LinkReading.Forged();
            claims = new LinkClaims
            {
                CustomerId = customer,
                Purpose = purpose,
                Flow = flow,
                Occasion = occasion,
                Step = number,
                Subject = subject,
                ExpiresAt = DateTimeOffset.FromUnixTimeSeconds(seconds),
            };
        }
        catch (Exception e) when (e is CryptographicException or JsonException)
        {
            // Signed by another version of ours and no longer of this form counts as not ours too.
            return new LinkReading.Forged();
        }
        if (expected is not null && claims.Purpose != expected) return new LinkReading.WrongPurpose();
        return clock.GetUtcNow() < claims.ExpiresAt ? new LinkReading.Valid(claims) : new LinkReading.Expired(claims);
    }

    private static string Seconds(DateTimeOffset at) => at.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture);
}
