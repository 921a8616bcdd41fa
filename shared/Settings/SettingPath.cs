using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;

namespace RetentionFunctions.Settings;

/// <summary>Where a setting stands, in the spellings in which a founder meets it.</summary>
internal sealed record SettingPath
{
    // A colon separates the parts of a configuration key; inside a name ("Video: Played", an event) it is written as this
    // character of Unicode's private use area, which no name contains.
    private const char EscapedColon = '\uE000';

    private static readonly JsonSerializerOptions Readable = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static SettingPath Root { get; } = new() { Key = "", ConfigurationKey = "", InFile = [] };

    /// <summary><c>Flows:Definitions:win-back:HoldOut</c>, for people.</summary>
    public required string Key { get; init; }

    /// <summary>The same for look-ups in the configuration.</summary>
    public required string ConfigurationKey { get; init; }

    /// <summary>The names in <c>retention.json</c>, from the outside in; null stands for a place in a list.</summary>
    public required IReadOnlyList<string?> InFile { get; init; }

    public int Depth => InFile.Count;

    /// <summary><c>flows.definitions.win-back.holdOut</c>.</summary>
    public string Dotted => string.Join('.', InFile.Select((name, index) => name ?? Key.Split(':')[index]));

    public SettingPath Property(JsonPropertyInfo property) => Then(SettingsJson.ClrName(property), SettingsJson.ClrName(property), property.Name);

    public SettingPath Entry(string name) => Then(name, Escape(name), name);

    public SettingPath Item(string index) => Then(index, index, null);

    /// <summary>How to set it to a value: as a line of <c>retention.json</c>, or, inside a list, as an environment variable.</summary>
    public string Example(string json)
    {
        if (InFile.Contains(null)) return $"{Key.Replace(":", "__", StringComparison.Ordinal)}={json.Trim('"')}";
        return string.Concat(InFile.Select((name, index) => $"{Quote(name!)}: {(index < InFile.Count - 1 ? "{ " : "")}")) + json
            + string.Concat(Enumerable.Repeat(" }", InFile.Count - 1)) + " in retention.json";
    }

    public static string Escape(string name) => name.Replace(':', EscapedColon);

    public static string Unescape(string name) => name.Replace(EscapedColon, ':');

    public static string Quote(string text) => JsonValue.Create(text).ToJsonString(Readable);

    private SettingPath Then(string name, string configured, string? inFile) => new()
    {
        Key = Key.Length == 0 ? name : $"{Key}:{name}",
        ConfigurationKey = ConfigurationKey.Length == 0 ? configured : $"{ConfigurationKey}:{configured}",
        InFile = [.. InFile, inFile],
    };
}
