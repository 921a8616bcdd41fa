using System.Text.RegularExpressions;
using HandlebarsDotNet;
using Markdig;
using Markdig.Syntax;
using Markdig.Syntax.Inlines;

namespace RetentionFunctions.Email;

/// <summary>A template is wrong. The message names the file, the line, and what is allowed there.</summary>
public sealed class EmailTemplateException(string message) : Exception(message);

/// <summary>
/// One template: front matter (subject, preheader, kind, why) and a Markdown body with placeholders. Everything that can be wrong with it is
/// found when it is read, in every branch of its conditions, so that it cannot fail when an e-mail is due.
/// </summary>
internal sealed partial class EmailTemplate
{
    // The least that e-mails need: CommonMark. HTML in a template is shown as text, never taken as markup. Source locations are for messages.
    internal static readonly MarkdownPipeline Markdown = new MarkdownPipelineBuilder().DisableHtml().UsePreciseSourceLocation().Build();

    // Values reach Handlebars only as tokens, and are encoded where the tokens are replaced; encoding here would encode twice.
    private static readonly IHandlebars Handlebars = HandlebarsDotNet.Handlebars.Create(new HandlebarsConfiguration { NoEscape = true });

    private const string DefaultWhy = "you have a subscription to {{product}}";

    private EmailTemplate(string name, MailKind kind, Part subject, Part preheader, Part why, Part body) =>
        (Name, Kind, Subject, Preheader, Why, Body) = (name, kind, subject, preheader, why, body);

    public string Name { get; }
    public MailKind Kind { get; }
    public Part Subject { get; }
    public Part Preheader { get; }
    public Part Why { get; }
    public Part Body { get; }

    /// <summary>A piece of the template, ready to be filled with tokens.</summary>
    public sealed class Part(HandlebarsTemplate<object, object> render)
    {
        public string Render(IReadOnlyDictionary<string, object?> values) => render(values);
    }

    /// <summary>Reads a template.</summary>
    /// <param name="name">Its name: the file's without <c>.md</c>.</param>
    /// <param name="file">The file as messages name it.</param>
    /// <param name="text">What it holds.</param>
    /// <exception cref="EmailTemplateException">It is wrong.</exception>
    public static EmailTemplate Parse(string name, string file, string text)
    {
        var lines = text.TrimStart('\uFEFF').ReplaceLineEndings("\n").Split('\n');
        if (lines[0].TrimEnd() != "---") throw Wrong(file, 1, "starts with '---' and the lines 'subject:', 'preheader:', 'kind:'; a second '---' ends them");
        var close = Array.FindIndex(lines, 1, line => line.TrimEnd() == "---");
        if (close < 0) throw Wrong(file, 1, "the front matter has no closing '---'");

        var fields = new Dictionary<string, (string Value, int Line)>(StringComparer.Ordinal);
        for (var i = 1; i < close; i++)
        {
            if (lines[i].Trim().Length == 0) continue;
            var colon = lines[i].IndexOf(':');
            var key = colon < 0 ? lines[i].Trim() : lines[i][..colon].Trim();
            if (colon < 0 || key is not ("subject" or "preheader" or "kind" or "why")) throw Wrong(file, i + 1, $"'{key}' is not known here; known are 'subject:', 'preheader:', 'kind:' and 'why:'");
            if (!fields.TryAdd(key, (Unquote(lines[i][(colon + 1)..].Trim()), i + 1))) throw Wrong(file, i + 1, $"'{key}:' stands here a second time");
        }
        (string Value, int Line) Field(string key, string? otherwise = null) =>
            fields.TryGetValue(key, out var field) && field.Value.Length > 0 ? field
            : otherwise is not null ? (otherwise, 1)
            : throw Wrong(file, close + 1, $"'{key}:' is missing or empty");

        var kind = Field("kind") switch
        {
            ("marketing", _) => MailKind.Marketing,
            ("transactional", _) => MailKind.Transactional,
            var (value, line) => throw Wrong(file, line, $"'{value}' is not a kind; use 'marketing' (has an unsubscribe link) or 'transactional' (about a payment that is due)"),
        };
        var names = Placeholders.Of(name);
        // Blank lines in place of the front matter keep the numbers of the body's lines.
        var body = new string('\n', close + 1) + string.Join('\n', lines[(close + 1)..]);
        if (body.Trim().Length == 0) throw Wrong(file, close + 1, "the body is empty");
        return new EmailTemplate(name, kind, Part("subject"), Part("preheader", ""), Part("why", DefaultWhy), Read(file, names, (body, 1), true));

        Part Part(string field, string? otherwise = null) => Read(file, names, Field(field, otherwise), false);
    }

    private static Part Read(string file, PlaceholderNames names, (string Text, int Line) source, bool isBody)
    {
        var (text, firstLine) = source;
        if (TokenTable.Occurs(text) is { } token) throw Wrong(file, firstLine, $"'{token}' is kept for the renderer; word it differently");
        var skeleton = CheckTags(file, names, text, firstLine);
        if (isBody) CheckMarkdown(file, names, skeleton);
        try
        {
            return new Part(Handlebars.Compile(text));
        }
        catch (HandlebarsException problem)
        {
            throw Wrong(file, firstLine, $"the placeholders cannot be read: {problem.Message}");
        }
    }

    /// <summary>Checks every tag; returns the text with each value as a token and without the conditions, that is with all branches at once.</summary>
    private static string CheckTags(string file, PlaceholderNames names, string text, int firstLine)
    {
        var open = new Stack<(string Block, string Name, int Line)>();
        var skeleton = Tag().Replace(text, match =>
        {
            var line = firstLine + text.AsSpan(0, match.Index).Count('\n');
            var inside = match.Groups[1].Value;
            if (match.Value.StartsWith("{{{", StringComparison.Ordinal)) throw Wrong(file, line, "'{{{' is not allowed: values are always encoded. Use '{{…}}'");
            if (inside.StartsWith('!')) return "";
            var words = inside.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
            var inList = open.Any(block => block.Block == "each");
            switch (words)
            {
                case ["#if" or "#unless", var condition]:
                    Known(condition, inList, line);
                    open.Push((words[0][1..], condition, line));
                    return "";
                case ["#each", var list]:
                    if (!names.Lists.Contains(list)) throw Wrong(file, line, $"'{list}' is not a list; the list is: {string.Join(", ", names.Lists)}");
                    open.Push(("each", list, line));
                    return "";
                case ["else"] or ["else", "if", _]:
                    if (open.Count == 0 || open.Peek().Block == "each") throw Wrong(file, line, "'{{else}}' stands outside '{{#if …}}'");
                    if (words is [_, _, var other]) Known(other, inList, line);
                    return "";
                case ["/if" or "/unless" or "/each"]:
                    if (open.Count == 0 || "/" + open.Pop().Block != words[0]) throw Wrong(file, line, $"'{{{{{words[0]}}}}}' closes nothing that is open");
                    return "";
                case [var value] when value[0] is not ('#' or '/' or '&' or '>' or '^' or '~'):
                    Known(value, inList, line);
                    return TokenTable.Sample(isLink: names.Links.Contains(value) || (inList && value == "url"));
                default:
                    throw Wrong(file, line, $"'{match.Value}' is not understood; allowed are '{{{{name}}}}', '{{{{#if name}}}} … {{{{else}}}} … {{{{/if}}}}' and '{{{{#each answers}}}} … {{{{/each}}}}'");
            }
        });
        if (open.TryPeek(out var left)) throw Wrong(file, left.Line, $"'{{{{#{left.Block} {left.Name}}}}}' is never closed by '{{{{/{left.Block}}}}}'");
        var stray = skeleton.IndexOf("{{", StringComparison.Ordinal);
        if (stray >= 0) throw Wrong(file, firstLine + skeleton.AsSpan(0, stray).Count('\n'), "'{{' has no '}}'");
        return skeleton;

        void Known(string name, bool inList, int line)
        {
            if (names.All.Contains(name) || (inList && Placeholders.InList.Contains(name))) return;
            throw Wrong(file, line, $"'{name}' is not a placeholder; allowed are {string.Join(", ", names.All)}, and inside '{{{{#each answers}}}}' {string.Join(", ", Placeholders.InList)}");
        }
    }

    // An address in an e-mail is one of our own signed links, or stands in the template letter by letter: never made of values.
    private static void CheckMarkdown(string file, PlaceholderNames names, string skeleton)
    {
        var document = Markdig.Markdown.Parse(skeleton, Markdown);
        foreach (var node in document.Descendants())
        {
            var line = node.Line + 1;
            switch (node)
            {
                case LinkInline { IsImage: true }:
                    throw Wrong(file, line, "images are not supported: many mail programs hide them");
                case LinkInline link when !TokenTable.IsSampleLink(link.Url) && (TokenTable.Occurs(link.Url ?? "") is not null || !IsAddress(link.Url)):
                    throw Wrong(file, line, $"a link leads to one of {string.Join(", ", names.Links.Select(name => $"{{{{{name}}}}}"))}, or to an address that starts with https:, http: or mailto:");
                case AutolinkInline autolink when TokenTable.Occurs(autolink.Url) is not null || !(autolink.IsEmail || IsAddress(autolink.Url)):
                    throw Wrong(file, line, "an address in '<…>' starts with https:, http: or mailto: and holds no placeholder");
            }
        }
    }

    private static bool IsAddress(string? url) => Uri.TryCreate(url, UriKind.Absolute, out var uri) && uri.Scheme is ("https" or "http" or "mailto");

    private static string Unquote(string value) =>
        value.Length >= 2 && value[0] is ('"' or '\'') && value[^1] == value[0] ? value[1..^1] : value;

    private static EmailTemplateException Wrong(string file, int line, string what) => new($"{file}, line {line}: {what}.");

    [GeneratedRegex(@"\{\{\{?([^{}]*)\}?\}\}")]
    private static partial Regex Tag();
}
