using RetentionFunctions.Email;
using RetentionFunctions.Settings;

namespace RetentionFunctions.Customers;

/// <summary>The traits of a customer by which figures can be split: plan, country, and those that <c>customers.traits</c> names.</summary>
public static class CustomerTraits
{
    /// <summary>The plan of the first payment.</summary>
    public const string Plan = "plan";

    /// <summary>The country of the address that Stripe has.</summary>
    public const string Country = "country";

    /// <summary>Most traits of the setting: what is kept of a customer stays small.</summary>
    public const int MostNames = 8;

    /// <summary>Most characters of a value; what is longer is cut.</summary>
    public const int ValueLength = 40;

    /// <summary>All of them, plan and country first.</summary>
    public static IReadOnlyList<string> Names(CustomerSettings settings) => [Plan, Country, .. settings.Traits];

    /// <summary>One line, not too long; null where nothing can be seen.</summary>
    public static string? Value(string? text) => PlainText.Seen(text) is { } seen && PlainText.Line(seen, ValueLength) is { Length: > 0 } line ? line : null;

    /// <summary>What somebody says of the traits of the setting; null where it is nothing.</summary>
    /// <param name="settings">Names them.</param>
    /// <param name="said">By name; null where nothing is said.</param>
    internal static Dictionary<string, string>? Of(CustomerSettings settings, Func<string, string?> said)
    {
        Dictionary<string, string>? traits = null;
        foreach (var name in settings.Traits)
            if (Value(said(name)) is { } value) (traits ??= new(StringComparer.Ordinal))[name] = value;
        return traits;
    }

    /// <summary>Each trait as it was last said.</summary>
    internal static IReadOnlyDictionary<string, SaidTrait>? Latest(IReadOnlyDictionary<string, SaidTrait>? a, IReadOnlyDictionary<string, SaidTrait>? b)
    {
        if (a is null || b is null) return a ?? b;
        var latest = new SortedDictionary<string, SaidTrait>(StringComparer.Ordinal);
        foreach (var (name, said) in a.Concat(b))
            if (!latest.TryGetValue(name, out var known) || (known.At, known.MessageId).CompareTo((said.At, said.MessageId)) < 0) latest[name] = said;
        return latest;
    }

    /// <summary>What is wrong with the name of a trait, as the end of a sentence; null where nothing is.</summary>
    internal static string? WrongName(string name) =>
        name is Plan or Country ? "is kept in any case; leave it out"
        : name is not { Length: > 0 and <= 32 } || !char.IsAsciiLetter(name[0]) || !name.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-') ? "is not a name of 1 to 32 letters, digits, dashes and underscores, beginning with a letter"
        : null;
}
