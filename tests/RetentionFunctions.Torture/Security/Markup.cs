using System.Net;
using System.Text.RegularExpressions;

namespace RetentionFunctions.Torture.Security;

/// <summary>
/// Reads the HTML that we write, more strictly than a browser does: every &lt; begins a tag of this form, or it is not ours. What may stand in it is
/// what stands in the same pages about a harmless customer.
/// </summary>
internal static partial class Markup
{
    private static readonly HashSet<string> WithAddress = ["href", "src", "action", "formaction"];

    /// <summary>Every element, and every attribute as "element attribute", of a document.</summary>
    public static HashSet<string> Of(string html)
    {
        var found = new HashSet<string>(StringComparer.Ordinal);
        for (var at = html.IndexOf('<', StringComparison.Ordinal); at >= 0; at = html.IndexOf('<', at))
        {
            if (Comment().Match(html, at) is { Success: true } comment && comment.Index == at)
            {
                at += comment.Length;
                continue;
            }
            var tag = Tag().Match(html, at);
            Assert.True(tag.Success && tag.Index == at, $"This is no tag: {html[at..Math.Min(html.Length, at + 200)]}");
            var element = tag.Groups["element"].Value.ToLowerInvariant();
            found.Add(element);
            foreach (Capture attribute in tag.Groups["attribute"].Captures)
            {
                var split = attribute.Value.IndexOf('=', StringComparison.Ordinal);
                var name = (split < 0 ? attribute.Value : attribute.Value[..split]).ToLowerInvariant();
                found.Add($"{element} {name}");
                if (WithAddress.Contains(name)) Assert.Matches("^(https?://|mailto:|/|#|\\?|data:,$|data:image/)", WebUtility.HtmlDecode(attribute.Value[(split + 1)..].Trim('"')));
            }
            at += tag.Length;
        }
        return found;
    }

    [GeneratedRegex("<(!doctype html|/?(?<element>[a-zA-Z][a-zA-Z0-9]*)(\\s+(?<attribute>[a-zA-Z][-a-zA-Z0-9:]*(=\"[^\"<>]*\")?))*\\s*/?)>", RegexOptions.IgnoreCase)]
    private static partial Regex Tag();

    [GeneratedRegex("<!--[^<>]*-->")]
    private static partial Regex Comment();
}
