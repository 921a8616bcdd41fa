using System.Security.Cryptography;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Net.Http.Headers;

namespace RetentionFunctions.Web;

/// <summary>The one style sheet and the one script (which only follows a demo year), from the assembly. Open to anyone: the pages of errors and sign-in need the style sheet too.</summary>
internal static class SiteAssets
{
    private static readonly Asset Css = new("site.css", "text/css; charset=utf-8");
    private static readonly Asset Script = new("demo.js", "text/javascript; charset=utf-8");

    /// <summary>The address of the style sheet; it changes with its content, so that it may be cached for ever.</summary>
    public static string CssAddress => Css.Address;

    /// <summary>The address of the script, likewise.</summary>
    public static string ScriptAddress => Script.Address;

    public static void Map(IEndpointRouteBuilder endpoints)
    {
        foreach (var asset in new[] { Css, Script })
            endpoints.MapMethods($"/{asset.Name}", ["GET", "HEAD"], (HttpContext context) =>
            {
                context.Response.Headers.CacheControl = context.Request.Query["v"] == asset.Version ? "public, max-age=31536000, immutable" : "no-cache";
                return Results.Bytes(asset.Content, asset.Type, entityTag: new EntityTagHeaderValue($"\"{asset.Version}\""));
            });
    }

    private sealed record Asset(string Name, string Type)
    {
        public byte[] Content { get; } = Read($"Web/{Name}");

        public string Version => field ??= Convert.ToHexStringLower(SHA256.HashData(Content))[..16];

        public string Address => field ??= $"/{Name}?v={Version}";
    }

    private static byte[] Read(string name)
    {
        using var stream = typeof(SiteAssets).Assembly.GetManifestResourceStream(name) ?? throw new InvalidOperationException($"The assembly lacks its resource '{name}'.");
        using var copy = new MemoryStream();
        stream.CopyTo(copy);
        return copy.ToArray();
    }
}
