using System.Text;

namespace RetentionFunctions.Email;

/// <summary>
/// The one layout of all e-mails: a single column of at most 600 pixels that needs no image and no web font. Styles stand on the elements, because
/// mail programs drop style sheets; the sheet in the head only adds what cannot stand there: dark mode and narrow screens.
/// Colors keep a contrast of at least 4.5 : 1 in both modes (WCAG 2.2, 1.4.3).
/// </summary>
internal static class EmailLayout
{
    public const string Paragraph = "margin:0 0 18px;";
    public const string Heading = "margin:0 0 14px;font-size:20px;line-height:1.3;";
    public const string List = "margin:0 0 18px;padding-left:22px;";
    public const string Item = "margin:0 0 8px;";
    public const string Quote = "margin:0 0 18px;padding-left:14px;border-left:3px solid #d1d5db;";
    public const string Rule = "margin:24px 0;border:0;border-top:1px solid #d1d5db;";
    public const string Link = "color:#1d4ed8;";
    public const string Button = "display:inline-block;padding:12px 22px;border-radius:6px;background-color:#1d4ed8;color:#ffffff;font-weight:600;text-decoration:none;";

    private const string Font = "-apple-system,BlinkMacSystemFont,'Segoe UI',Roboto,Helvetica,Arial,sans-serif";

    /// <summary>The whole HTML document. All arguments are HTML already.</summary>
    public static string Html(string subject, string preheader, string body, IEnumerable<string> footer)
    {
        var html = new StringBuilder();
        html.Append($$"""
            <!DOCTYPE html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <meta name="color-scheme" content="light dark">
            <meta name="supported-color-schemes" content="light dark">
            <title>{{subject}}</title>
            <style>
            @media (prefers-color-scheme: dark) {
              .page { background-color: #111827 !important; }
              .sheet { background-color: #1f2937 !important; color: #f3f4f6 !important; }
              .link { color: #93c5fd !important; }
              .foot { color: #9ca3af !important; }
            }
            @media (max-width: 480px) {
              .sheet { padding: 24px 20px !important; }
            }
            </style>
            </head>
            <body class="page" style="margin:0;padding:0;background-color:#f3f4f6;">

            """);
        // The snippet beside the subject in the list of e-mails; hidden in the e-mail itself.
        if (preheader.Length > 0)
            html.Append($"""<div style="display:none;max-height:0;overflow:hidden;opacity:0;">{preheader}</div>""").Append('\n');
        html.Append($"""
            <table role="presentation" class="page" width="100%" cellpadding="0" cellspacing="0" border="0" style="background-color:#f3f4f6;">
            <tr><td align="center" style="padding:24px 12px;">
            <table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0" style="max-width:600px;">
            <tr><td class="sheet" style="padding:32px;border-radius:8px;background-color:#ffffff;color:#111827;font-family:{Font};font-size:16px;line-height:1.55;text-align:left;">
            {body}
            </td></tr>
            <tr><td class="foot" style="padding:20px 32px;color:#4b5563;font-family:{Font};font-size:13px;line-height:1.5;text-align:left;">

            """);
        foreach (var line in footer) html.Append("""<p style="margin:0 0 8px;">""").Append(line).Append("</p>\n");
        return html.Append("""
            </td></tr>
            </table>
            </td></tr>
            </table>
            </body>
            </html>

            """).ToString().ReplaceLineEndings("\n");
    }
}
