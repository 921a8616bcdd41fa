using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;
using Microsoft.Extensions.Configuration;

namespace RetentionFunctions.Settings;

/// <summary>
/// Lays the configuration over the defaults, as trees. The framework's binder appends to lists that have defaults, replaces whole entries of
/// dictionaries where one value was meant, passes over mistyped names, and stops at the first wrong value. Here groups and
/// dictionaries are merged by name, a list given anywhere replaces the default list, and every problem is collected with its key.
/// </summary>
internal sealed class SettingsOverlay(IConfiguration configuration)
{
    private readonly SettingOrigins _origins = new(configuration);
    private readonly List<SettingProblem> _problems = [];
    private readonly JsonObject _defaults = SettingsJson.Defaults();

    public IReadOnlyList<SettingProblem> Problems => _problems;

    /// <summary>Something needed is missing: the settings cannot be made, only the problems told.</summary>
    public bool Incomplete { get; private set; }

    public JsonObject Merge()
    {
        var merged = SettingsJson.Defaults();
        Group(SettingsJson.Shape(typeof(RetentionSettings)), merged, configuration.GetChildren(), SettingPath.Root);
        return merged;
    }

    private void Group(JsonTypeInfo shape, JsonObject target, IEnumerable<IConfigurationSection> children, SettingPath path)
    {
        foreach (var child in children)
        {
            var property = shape.Properties.FirstOrDefault(p => string.Equals(SettingsJson.ClrName(p), child.Key, StringComparison.OrdinalIgnoreCase));
            if (property is null) Unknown(shape, child, path);
            else Value(property.PropertyType, property.IsSetNullable, child, path.Property(property), target[property.Name], SettingRules.Of(shape.Type, SettingsJson.ClrName(property)), node => target[property.Name] = node);
        }
        foreach (var property in shape.Properties)
        {
            var needed = property.IsRequired || property.AssociatedParameter is { HasDefaultValue: false };
            if (!needed || target[property.Name] is not null) continue;
            var missing = path.Property(property);
            if (_problems.Any(problem => problem.Key == missing.Key)) { Incomplete = true; continue; }
            var rule = SettingRules.Of(shape.Type, SettingsJson.ClrName(property));
            Report(missing, "It is missing.", DefaultText(missing, rule));
            Incomplete = true;
        }
    }

    private void Value(Type type, bool nullable, IConfigurationSection section, SettingPath path, JsonNode? present, SettingRule? rule, Action<JsonNode?> put)
    {
        var children = section.GetChildren().ToList();
        if (rule?.Secret == true && _origins.InRetentionJson(path.ConfigurationKey))
        {
            _problems.Add(new(path.Key, "It is a secret and stands in retention.json, which is committed with the code. Take it out there (and replace it, if it was ever committed); set it as an environment variable or with user secrets.", SecretExample(path, type, rule)));
            return;
        }
        if (children.Count == 0 && section.Value is null)
        {
            if (nullable) put(null);
            else Report(path, "It must not be null. For the default leave the line out.", DefaultText(path, rule));
            return;
        }

        var shape = SettingsJson.Shape(Nullable.GetUnderlyingType(type) ?? type);
        if (shape.Kind == JsonTypeInfoKind.None)
        {
            if (children.Count > 0) Report(path, "It is a single value, not a group or a list.", DefaultText(path, rule));
            else Leaf(shape.Type, nullable, section.Value!, path, rule, put);
            return;
        }
        if (children.Count == 0 && !string.IsNullOrEmpty(section.Value))
        {
            // EMAIL, WEB or PRODUCT may well be somebody else's environment variable; only what goes on with __ is ours.
            if (path.Depth == 1 && !_origins.InRetentionJson(path.ConfigurationKey)) return;
            var example = shape.Kind == JsonTypeInfoKind.Enumerable
                ? rule?.Secret == true ? SecretExample(path, type, rule) : $"{path.Key.Replace(":", "__", StringComparison.Ordinal)}__0={rule?.Example ?? "…"}, or [ … ] in retention.json"
                : path.Example("{ … }");
            _problems.Add(new(path.Key, shape.Kind == JsonTypeInfoKind.Enumerable ? "It is a list; this is a single value." : "It is a group of settings; this is a single value.", example));
            return;
        }

        switch (shape.Kind)
        {
            case JsonTypeInfoKind.Object:
                var group = present as JsonObject ?? New(shape);
                if (present is null) put(group);
                Group(shape, group, children, path);
                break;
            case JsonTypeInfoKind.Dictionary:
                Entries(shape, Kept(present, put, () => new JsonObject()), children, path, rule);
                break;
            case JsonTypeInfoKind.Enumerable:
                var list = new JsonArray();
                var element = SettingsJson.Shape(shape.ElementType!);
                foreach (var child in children)
                {
                    if (!int.TryParse(child.Key, NumberStyles.None, CultureInfo.InvariantCulture, out _))
                        Report(path.Entry(child.Key), $"'{path.Key}' is a list; '{child.Key}' is not a place in it.", path.Example("[ … ]"));
                    else
                        Value(element.Type, false, child, path.Item(child.Key), null, rule, list.Add);
                }
                put(list);
                break;
            default:
                throw new NotSupportedException($"{path.Key} has the type {type}, which settings cannot have.");
        }
    }

    private void Entries(JsonTypeInfo shape, JsonObject target, List<IConfigurationSection> children, SettingPath path, SettingRule? rule)
    {
        foreach (var child in children)
        {
            var given = SettingPath.Unescape(child.Key);
            // The default's spelling is kept, because environment variables come in capitals on some systems.
            var name = target.Select(entry => entry.Key).FirstOrDefault(key => string.Equals(key, given, StringComparison.OrdinalIgnoreCase)) ?? given;
            if (shape.KeyType is { } key && key != typeof(string) && SettingText.Read(key, name).Problem is { } problem)
            {
                var here = path.Entry(name);
                _problems.Add(new(here.Key, $"{problem}.{Source(here)}", path.Example("{ … }")));
                continue;
            }
            Value(shape.ElementType!, false, child, path.Entry(name), target[name], rule, node => target[name] = node);
        }
    }

    private void Leaf(Type type, bool nullable, string text, SettingPath path, SettingRule? rule, Action<JsonNode?> put)
    {
        if (nullable && text.Length == 0)
        {
            put(null); // An empty environment variable is one that is not set.
            return;
        }
        if (rule?.Secret != true && SettingRules.LooksSecret(text) && _origins.InRetentionJson(path.ConfigurationKey))
        {
            _problems.Add(new(path.Key, "It looks like a secret and stands in retention.json, which is committed with the code. Take it out and replace it at its provider.", DefaultText(path, rule)));
            return;
        }
        var (node, problem) = SettingText.Read(type, text);
        if (problem is null) { put(node); return; }
        Report(path, rule?.Secret == true ? "It cannot be read." : $"{problem}.", DefaultText(path, rule));
    }

    private void Unknown(JsonTypeInfo shape, IConfigurationSection child, SettingPath path)
    {
        var here = path.Entry(SettingPath.Unescape(child.Key));
        if (path.Depth == 0)
        {
            // The configuration of a host also has what is not ours: PATH, Logging, --urls. In the founder's own file everything is ours.
            if (child.Key == "$schema" || !_origins.InRetentionJson(child.Key, orEmpty: true)) return;
        }
        var siblings = shape.Properties.Select(p => path.Property(p)).ToList();
        var near = Spelling.Nearest(here.InFile[^1]!, siblings.Select(s => s.InFile[^1]!)) is { } sibling
            ? siblings.First(s => s.InFile[^1] == sibling)
            : KnownPaths(SettingsJson.Shape(typeof(RetentionSettings)), SettingPath.Root)
                .FirstOrDefault(known => string.Equals(known.InFile[^1], here.InFile[^1], StringComparison.OrdinalIgnoreCase));
        var inFile = _origins.InRetentionJson(here.ConfigurationKey, orEmpty: true);
        var known = near is null ? $"Known here: {string.Join(", ", siblings.Select(s => inFile ? s.InFile[^1] : s.Key.Split(':')[^1]))}." : $"Did you mean '{(inFile ? near.Dotted : near.Key)}'?";
        _problems.Add(new(here.Key, $"There is no such setting{From(here)}. {known}", near is null ? siblings[0].Example("…") : DefaultText(near, null)));
    }

    private static IEnumerable<SettingPath> KnownPaths(JsonTypeInfo shape, SettingPath path) =>
        shape.Properties.SelectMany(property =>
        {
            var here = path.Property(property);
            var inner = SettingsJson.Shape(Nullable.GetUnderlyingType(property.PropertyType) ?? property.PropertyType);
            return inner.Kind == JsonTypeInfoKind.Object ? KnownPaths(inner, here).Prepend(here) : [here];
        });

    private void Report(SettingPath path, string problem, string example) => _problems.Add(new(path.Key, problem + Source(path), example));

    private string Source(SettingPath path) => _origins.OfAny(path.ConfigurationKey) is { } origin ? $" It is set in: {origin}." : "";

    private string From(SettingPath path) => _origins.OfAny(path.ConfigurationKey) is { } origin ? $" (set in: {origin})" : "";

    /// <summary>The example of a setting: its default, or what its rule gives.</summary>
    private string DefaultText(SettingPath path, SettingRule? rule)
    {
        JsonNode? node = _defaults;
        foreach (var name in path.InFile) node = name is not null && node is JsonObject group ? group[name] : null;
        return rule?.Secret == true ? SecretExample(path, typeof(string), rule) : SettingText.Example(path, node, rule);
    }

    internal static string SecretExample(SettingPath path, Type type, SettingRule rule)
    {
        var key = type == typeof(string) ? path.Key : $"{path.Key}:0";
        return $"dotnet user-secrets set \"{key}\" \"{rule.Example}\" --project local, or {key.Replace(":", "__", StringComparison.Ordinal)}={rule.Example} in the environment";
    }

    private static JsonObject Kept(JsonNode? present, Action<JsonNode?> put, Func<JsonObject> make)
    {
        if (present is JsonObject kept) return kept;
        var made = make();
        put(made);
        return made;
    }

    /// <summary>What a new entry has where nothing is said: the defaults of its type; nothing where the type insists on being told.</summary>
    private static JsonObject New(JsonTypeInfo shape) =>
        shape.CreateObject is { } create && !shape.Properties.Any(p => p.IsRequired) ? JsonSerializer.SerializeToNode(create(), shape)!.AsObject() : [];
}
