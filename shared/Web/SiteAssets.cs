using System.Security.Cryptography;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Net.Http.Headers;

namespace RetentionFunctions.Web;

/// <summary>The one style sheet, from the assembly. Open to anyone: the pages of errors and sign-in need it too.</summary>
internal static class SiteAssets
{
    private static readonly byte[] Css = Read("Web/site.css");
    private static readonly string Version = Convert.ToHexStringLower(SHA256.HashData(Css))[..16];

    /// <summary>The address of the style sheet; it changes with its content, so that it may be cached for ever.</summary>
    public static string CssAddress { get; } = $"/site.css?v={Version}";

    public static void Map(IEndpointRouteBuilder endpoints) =>
        endpoints.MapMethods("/site.css", ["GET", "HEAD"], (HttpContext context) =>
        {
            context.Response.Headers.CacheControl = context.Request.Query["v"] == Version ? "public, max-age=31536000, immutable" : "no-cache";
            return Results.Bytes(Css, "text/css; charset=utf-8", entityTag: new EntityTagHeaderValue($"\"{Version}\""));
        });

    private static byte[] Read(string name)
    {
        using var stream = typeof(SiteAssets).Assembly.GetManifestResourceStream(name) ?? throw new InvalidOperationException($"The assembly lacks its resource '{name}'.");
        using var copy = new MemoryStream();
        stream.CopyTo(copy);
        return copy.ToArray();
    }
}
