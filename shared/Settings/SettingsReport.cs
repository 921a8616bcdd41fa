using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;
using Microsoft.Extensions.Configuration;

namespace RetentionFunctions.Settings;

/// <summary>One setting as it is in force.</summary>
/// <param name="Key">Its key: <c>Flows:SilentDays</c>.</param>
/// <param name="Value">As text; of a secret only whether it is set.</param>
/// <param name="Origin">Where it comes from: default, retention.json, user secrets, environment, command line, or host.</param>
public sealed record SettingLine(string Key, string Value, string Origin);

/// <summary>All settings in force, with where each comes from, for a page.</summary>
public static class SettingsReport
{
    /// <summary>Every single value, in the order of the settings. Never contains a secret.</summary>
    /// <param name="configuration">That from which they were loaded.</param>
    /// <param name="settings">What was loaded.</param>
    public static IReadOnlyList<SettingLine> Of(IConfiguration configuration, RetentionSettings settings)
    {
        var origins = new SettingOrigins(configuration);
        return [.. Leaves(SettingsJson.Tree(settings)).Select(leaf => new SettingLine(leaf.Key, Text(leaf), origins.Of(leaf.ConfigurationKey) ?? SettingOrigins.Default))];
    }

    internal static IEnumerable<Leaf> Leaves(JsonObject tree) => Walk(SettingsJson.Shape(typeof(RetentionSettings)), tree, SettingPath.Root, false);

    private static IEnumerable<Leaf> Walk(JsonTypeInfo shape, JsonNode? node, SettingPath path, bool secret) => node switch
    {
        JsonObject group when shape.Kind == JsonTypeInfoKind.Object =>
            shape.Properties.SelectMany(property => Walk(Inner(property.PropertyType), group[property.Name], path.Property(property), SettingRules.Of(shape.Type, SettingsJson.ClrName(property)) is { Secret: true })),
        JsonObject { Count: > 0 } entries => entries.SelectMany(entry => Walk(Inner(shape.ElementType!), entry.Value, path.Entry(entry.Key), secret)),
        JsonArray { Count: > 0 } list => list.SelectMany((item, index) => Walk(Inner(shape.ElementType!), item, path.Item(index.ToString(CultureInfo.InvariantCulture)), secret)),
        JsonValue value => [new Leaf(path.Key, path.ConfigurationKey, value, secret)],
        _ => [new Leaf(path.Key, path.ConfigurationKey, null, secret)],
    };

    private static JsonTypeInfo Inner(Type type) => SettingsJson.Shape(Nullable.GetUnderlyingType(type) ?? type);

    private static string Text(Leaf leaf) => leaf switch
    {
        { Value: null } => "not set",
        { Secret: true } => "set (hidden)",
        _ => leaf.Value.ToString(),
    };

    /// <summary>One value of the tree; null where there is none, or where a list or a dictionary is empty.</summary>
    internal sealed record Leaf(string Key, string ConfigurationKey, JsonValue? Value, bool Secret);
}
