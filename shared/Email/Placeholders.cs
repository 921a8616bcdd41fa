using System.Globalization;
using System.Text.RegularExpressions;

namespace RetentionFunctions.Email;

/// <summary>What templates may name. Part of the founder's interface: names may be added, not changed.</summary>
internal static class Placeholders
{
    /// <summary>Texts; all but <c>product</c>, <c>founder</c>, <c>card</c> and <c>email</c> may be missing: ask with <c>{{#if …}}</c>.</summary>
    public static readonly string[] Texts = ["name", "email", "product", "founder", "amount", "card", "nextAttempt", "renewalDate"];

    /// <summary>Conditions.</summary>
    public static readonly string[] Conditions = ["pausable", "softDecline", "hardDecline", "expiredCard", "authenticationRequired", "revoked"];

    /// <summary>Our own signed links.</summary>
    public static readonly string[] Links = ["appLink", "returnLink", "pauseLink", "payLink", "answerLink", "unsubscribeLink"];

    /// <summary>Lists.</summary>
    public static readonly string[] Lists = ["answers"];

    /// <summary>What each item of a list has.</summary>
    public static readonly string[] InList = ["text", "url"];

    /// <summary>Those of e-mails to customers.</summary>
    public static readonly PlaceholderNames ToCustomers = new([.. Texts, .. Conditions, .. Links, .. Lists], Links, Lists);

    /// <summary>Those of the e-mails to the founder.</summary>
    public static readonly PlaceholderNames ToFounder = new(["product", "founder", "email", "period", "headline", "reviewLink", "figures", "actions"], ["reviewLink"], ["figures", "actions"]);

    /// <summary>Whether the template of this name is for the founder.</summary>
    public static bool IsForFounder(string template) => template.StartsWith("review-", StringComparison.Ordinal);

    /// <summary>What a template of this name may name.</summary>
    public static PlaceholderNames Of(string template) => IsForFounder(template) ? ToFounder : ToCustomers;
}

/// <summary>What a kind of template may name.</summary>
/// <param name="All">All names outside of lists.</param>
/// <param name="Links">Of these, addresses.</param>
/// <param name="Lists">Of these, lists.</param>
internal sealed record PlaceholderNames(string[] All, string[] Links, string[] Lists);

/// <summary>
/// Values stand in the template as opaque words while Handlebars and Markdown work on it, and are put in, encoded, at the very end: so no value
/// can ever be taken for markup, for a link or for a placeholder. The replacement is one pass: a value that looks like a token stays text.
/// </summary>
internal sealed partial class TokenTable
{
    private readonly List<(string? LinkName, Lazy<string> Value)> _values = [];

    /// <summary>The token of a text; null, that is false to Handlebars, where there is none.</summary>
    public string? Text(string? value) => string.IsNullOrEmpty(value) ? null : Add(null, new Lazy<string>(value));

    /// <summary>The token of a link, made only if the e-mail uses it.</summary>
    public string Link(string name, Func<string> url) => Add(name, new Lazy<string>(url, LazyThreadSafetyMode.None));

    /// <summary>The links that were put in, by name.</summary>
    public IReadOnlyDictionary<string, string> UsedLinks =>
        _values.Where(value => value.LinkName is not null && value.Value.IsValueCreated).ToDictionary(value => value.LinkName!, value => value.Value.Value, StringComparer.Ordinal);

    /// <summary>Puts the values in, each through <paramref name="encode"/>.</summary>
    public string Fill(string text, Func<string, string> encode) =>
        Token().Replace(text, match => encode(_values[int.Parse(match.Groups[1].ValueSpan, CultureInfo.InvariantCulture)].Value.Value));

    /// <summary>A token as templates are checked with.</summary>
    public static string Sample(bool isLink) => isLink ? "RfValue1x" : "RfValue0x";

    /// <summary>Exactly one link.</summary>
    public static bool IsSampleLink(string? url) => url == Sample(isLink: true);

    /// <summary>The first token in a text, or null.</summary>
    public static string? Occurs(string text) => Token().Match(text) is { Success: true } match ? match.Value : null;

    private string Add(string? linkName, Lazy<string> value)
    {
        _values.Add((linkName, value));
        return $"RfValue{(_values.Count - 1).ToString(CultureInfo.InvariantCulture)}x";
    }

    [GeneratedRegex("RfValue([0-9]{1,4})x")]
    private static partial Regex Token();
}
