namespace RetentionFunctions.Links;

/// <summary>Makes the addresses of links: <c>{public address}/l/{token}</c>.</summary>
/// <param name="tokens">Signs them.</param>
/// <param name="publicUrl">
/// The address under which customers reach this installation: <see cref="Settings.WebSettings.PublicUrl"/>, else the one that the host listens on
/// (which is known only after it started: hence asked for each time). May have a path.
/// </param>
public sealed class LinkBuilder(LinkTokens tokens, Func<Uri> publicUrl)
{
    /// <summary>A link of an e-mail.</summary>
    /// <param name="purpose">What it is for.</param>
    /// <param name="customerId">For whom.</param>
    /// <param name="flow">The flow of the e-mail.</param>
    /// <param name="occasion">What the run is keyed to.</param>
    /// <param name="step">The step, from 1.</param>
    /// <param name="now">The present; the link works for <see cref="LinkTokens.Lifetime"/> from it.</param>
    /// <param name="subject">The invoice to pay, or the answer to pre-select.</param>
    public string Url(LinkPurpose purpose, string customerId, string flow, string occasion, int step, DateTimeOffset now, string? subject = null) => UrlOf(tokens.Create(new LinkClaims
    {
        CustomerId = customerId,
        Purpose = purpose,
        Flow = flow,
        Occasion = occasion,
        Step = step,
        Subject = subject,
        ExpiresAt = DateTimeOffset.FromUnixTimeSeconds((now + LinkTokens.Lifetime(purpose)).ToUnixTimeSeconds()),
    }));

    /// <summary>The address of a token.</summary>
    public string UrlOf(string token) => UrlOfPage($"/l/{token}");

    /// <summary>The whole address of one of our own pages.</summary>
    /// <param name="path">Its path, from the root of the installation on.</param>
    public string UrlOfPage(string path) => publicUrl().GetLeftPart(UriPartial.Path).TrimEnd('/') + path;
}
