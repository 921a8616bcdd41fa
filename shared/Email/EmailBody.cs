using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Unicode;
using Markdig;
using Markdig.Renderers.Html;
using Markdig.Syntax;
using Markdig.Syntax.Inlines;

namespace RetentionFunctions.Email;

/// <summary>Markdown (with tokens for values) to the two bodies of an e-mail.</summary>
internal static class EmailBody
{
    /// <summary>Encodes for HTML text and quoted attributes; other scripts stay readable.</summary>
    public static readonly HtmlEncoder Encoder = HtmlEncoder.Create(UnicodeRanges.All);

    public static MarkdownDocument Parse(string markdown) => Markdown.Parse(markdown, EmailTemplate.Markdown);

    /// <summary>The HTML of the body, each element with its style: mail programs drop style sheets.</summary>
    public static string Html(MarkdownDocument document)
    {
        foreach (var node in document.Descendants())
        {
            var (style, name) = node switch
            {
                LinkInline link when IsButton(link) => (EmailLayout.Button, "button"),
                LinkInline or AutolinkInline => (EmailLayout.Link, "link"),
                ParagraphBlock { Parent: ListItemBlock { Parent: ListBlock { IsLoose: false } } } => (null, null),
                ParagraphBlock => (EmailLayout.Paragraph, null),
                HeadingBlock => (EmailLayout.Heading, null),
                ListBlock => (EmailLayout.List, null),
                ListItemBlock => (EmailLayout.Item, null),
                QuoteBlock => (EmailLayout.Quote, null),
                ThematicBreakBlock => (EmailLayout.Rule, null),
                _ => ((string?)null, (string?)null),
            };
            if (style is not null) node.GetAttributes().AddProperty("style", style);
            if (name is not null) node.GetAttributes().AddClass(name);
        }
        return document.ToHtml(EmailTemplate.Markdown).TrimEnd();
    }

    /// <summary>The same as plain text: no markup, links as <c>text: url</c> where they stand alone and as <c>text &lt;url&gt;</c> inside a sentence.</summary>
    public static string Text(MarkdownDocument document)
    {
        var text = new StringBuilder();
        Blocks(text, document, "");
        return text.ToString().Trim('\n');
    }

    // A link that is a whole paragraph is what the e-mail asks for: it becomes the button.
    private static bool IsButton(LinkInline link) => link.Parent?.ParentBlock is ParagraphBlock { Parent: MarkdownDocument } && IsAlone(link);

    private static bool IsAlone(Inline inline) => inline is { PreviousSibling: null, NextSibling: null, Parent.Parent: null };

    private static void Blocks(StringBuilder text, ContainerBlock container, string indent)
    {
        foreach (var block in container)
            switch (block)
            {
                case ListBlock list:
                    var number = list.IsOrdered && int.TryParse(list.OrderedStart, CultureInfo.InvariantCulture, out var start) ? start : 1;
                    foreach (var item in list.OfType<ListItemBlock>())
                    {
                        var mark = list.IsOrdered ? $"{(number++).ToString(CultureInfo.InvariantCulture)}. " : "- ";
                        var inner = new StringBuilder();
                        Blocks(inner, item, "");
                        text.Append(Indent(inner.ToString().Trim('\n'), indent + mark, indent + new string(' ', mark.Length))).Append('\n');
                        if (list.IsLoose) text.Append('\n');
                    }
                    if (!list.IsLoose) text.Append('\n');
                    break;
                case QuoteBlock quote:
                    var quoted = new StringBuilder();
                    Blocks(quoted, quote, "");
                    text.Append(Indent(quoted.ToString().Trim('\n'), indent + "> ", indent + "> ")).Append("\n\n");
                    break;
                case ContainerBlock other:
                    Blocks(text, other, indent);
                    break;
                case ThematicBreakBlock:
                    text.Append(indent).Append("---\n\n");
                    break;
                case CodeBlock code:
                    text.Append(Indent(code.Lines.ToString(), indent + "    ", indent + "    ")).Append("\n\n");
                    break;
                case LeafBlock { Inline: { } inlines } leaf:
                    var line = new StringBuilder();
                    Inlines(line, inlines, leaf.Parent is MarkdownDocument ? ":\n" : ": ");
                    text.Append(Indent(line.ToString(), indent, indent)).Append(leaf.Parent is ListItemBlock { Parent: ListBlock { IsLoose: false } } ? "\n" : "\n\n");
                    break;
            }
    }

    private static string Indent(string text, string first, string rest) =>
        string.Join('\n', text.Split('\n').Select((line, i) => ((i == 0 ? first : rest) + line).TrimEnd()));

    private static void Inlines(StringBuilder text, ContainerInline container, string beforeUrl)
    {
        foreach (var inline in container)
            switch (inline)
            {
                case LiteralInline literal:
                    text.Append(literal.Content.AsSpan());
                    break;
                case HtmlEntityInline entity:
                    text.Append(entity.Transcoded.AsSpan());
                    break;
                case CodeInline code:
                    text.Append(code.Content);
                    break;
                case LineBreakInline lineBreak:
                    text.Append(lineBreak.IsHard ? '\n' : ' ');
                    break;
                case AutolinkInline autolink:
                    text.Append(autolink.Url);
                    break;
                case LinkInline link:
                    var label = new StringBuilder();
                    Inlines(label, link, beforeUrl);
                    if (label.ToString() == link.Url) text.Append(link.Url);
                    else if (IsAlone(link)) text.Append(label).Append(beforeUrl).Append(link.Url);
                    else text.Append(label).Append(" <").Append(link.Url).Append('>');
                    break;
                case ContainerInline other:
                    Inlines(text, other, beforeUrl);
                    break;
            }
    }
}
