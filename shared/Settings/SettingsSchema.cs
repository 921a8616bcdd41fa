using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;
using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace RetentionFunctions.Settings;

/// <summary>
/// The JSON Schema (2020-12) of <c>retention.json</c>, made from the settings' own types, bounds and comments, so that an editor explains and
/// completes what the loader takes. Secrets are left out: they do not belong into the file.
/// </summary>
public static partial class SettingsSchema
{
    /// <summary>The name of the file beside <c>retention.json</c>.</summary>
    public const string FileName = "retention.schema.json";

    /// <summary>The schema as text, ending with a line break.</summary>
    /// <exception cref="FileNotFoundException">The file with the comments is not beside the program: it was published without it.</exception>
    public static string Generate() => Generate(XDocument.Load(Path.ChangeExtension(typeof(RetentionSettings).Assembly.Location, ".xml")));

    internal static string Generate(XDocument comments)
    {
        var schema = new Builder(comments).Root();
        var options = new JsonSerializerOptions { WriteIndented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
        return schema.ToJsonString(options) + "\n";
    }

    private sealed partial class Builder(XDocument comments)
    {
        private readonly Dictionary<string, XElement> _comments = comments.Descendants("member").ToDictionary(member => member.Attribute("name")!.Value);
        private readonly SortedDictionary<string, JsonObject> _definitions = new(StringComparer.Ordinal);

        public JsonObject Root()
        {
            var root = new JsonObject
            {
                ["$schema"] = "https://json-schema.org/draft/2020-12/schema",
                ["title"] = "Settings of RetentionFunctions",
            };
            foreach (var (name, value) in Group(SettingsJson.Shape(typeof(RetentionSettings)), new RetentionSettings()).ToList())
                root[name] = value?.DeepClone();
            root["properties"]!.AsObject().Insert(0, "$schema", new JsonObject { ["type"] = "string" });
            root["$defs"] = new JsonObject(_definitions.Select(pair => KeyValuePair.Create(pair.Key, (JsonNode?)pair.Value)));
            return root;
        }

        private JsonObject Group(JsonTypeInfo shape, object? initial)
        {
            var properties = new JsonObject();
            var needed = new JsonArray();
            foreach (var property in shape.Properties)
            {
                var clrName = SettingsJson.ClrName(property);
                var rule = SettingRules.Of(shape.Type, clrName);
                if (rule?.Secret == true) continue;
                var value = initial is null ? null : property.Get!(initial);
                var schema = Value(property.PropertyType, property.IsSetNullable, rule, value);
                if (schema["$ref"] is { } reference && IsEmpty(reference.GetValue<string>())) continue;
                if (Comment(shape.Type, clrName) is { } description) schema.Insert(0, "description", description);
                if (value is not null && SettingsJson.Shape(Nullable.GetUnderlyingType(property.PropertyType) ?? property.PropertyType).Kind == JsonTypeInfoKind.None)
                    schema["default"] = JsonSerializer.SerializeToNode(value, property.PropertyType, SettingsJson.Options);
                if (property.IsRequired || property.AssociatedParameter is { HasDefaultValue: false }) needed.Add(property.Name);
                properties[property.Name] = schema;
            }
            var group = new JsonObject { ["type"] = "object", ["properties"] = properties, ["additionalProperties"] = false };
            if (needed.Count > 0) group["required"] = needed;
            if (Comment(shape.Type, null) is { } about) group.Insert(0, "description", about);
            return group;
        }

        private bool IsEmpty(string reference) => _definitions[reference.Split('/')[^1]]["properties"]!.AsObject().Count == 0;

        private JsonObject Value(Type type, bool nullable, SettingRule? rule, object? initial)
        {
            var shape = SettingsJson.Shape(Nullable.GetUnderlyingType(type) ?? type);
            switch (shape.Kind)
            {
                case JsonTypeInfoKind.Object:
                    var name = shape.Type.Name;
                    if (!_definitions.ContainsKey(name))
                    {
                        _definitions[name] = []; // Holds the place, should the type contain itself.
                        var create = shape.CreateObject is not null && !shape.Properties.Any(p => p.IsRequired);
                        _definitions[name] = Group(shape, create ? shape.CreateObject!() : null);
                    }
                    var reference = new JsonObject { ["$ref"] = $"#/$defs/{name}" };
                    return nullable ? new JsonObject { ["anyOf"] = new JsonArray(reference, new JsonObject { ["type"] = "null" }) } : reference;
                case JsonTypeInfoKind.Dictionary:
                    var dictionary = new JsonObject { ["type"] = "object" };
                    // The names that there are by default, so that an editor offers them.
                    if (initial is not null && JsonSerializer.SerializeToNode(initial, type, SettingsJson.Options) is JsonObject { Count: > 0 } known)
                        dictionary["properties"] = new JsonObject(known.Select(entry => KeyValuePair.Create(entry.Key, (JsonNode?)Value(shape.ElementType!, false, rule, null))));
                    dictionary["additionalProperties"] = Value(shape.ElementType!, false, rule, null);
                    return dictionary;
                case JsonTypeInfoKind.Enumerable:
                    return new JsonObject { ["type"] = "array", ["items"] = Value(shape.ElementType!, false, rule, null) };
                default:
                    return Leaf(shape.Type, nullable, rule);
            }
        }

        private static JsonObject Leaf(Type type, bool nullable, SettingRule? rule)
        {
            if (type.IsEnum)
            {
                var names = new JsonArray([.. Enum.GetNames(type).Select(name => (JsonNode?)SettingsJson.EnumName(name))]);
                if (nullable) names.Add((JsonNode?)null);
                return new JsonObject { ["enum"] = names };
            }
            var kind = type switch
            {
                _ when type == typeof(bool) => "boolean",
                _ when type == typeof(int) || type == typeof(long) => "integer",
                _ when type == typeof(double) || type == typeof(decimal) => "number",
                _ => "string",
            };
            var leaf = new JsonObject { ["type"] = nullable ? new JsonArray(kind, "null") : kind };
            if (rule?.Min is { } min) leaf["minimum"] = Number(min);
            if (rule?.Max is { } max) leaf["maximum"] = Number(max);
            if (rule?.Format is { } format) leaf["format"] = format;
            else if (rule?.Wrong is not null) leaf["minLength"] = 1;
            return leaf;
        }

        private static JsonValue Number(double number) => number == Math.Truncate(number) ? JsonValue.Create((long)number) : JsonValue.Create(number);

        private string? Comment(Type type, string? property)
        {
            var name = type.FullName!.Replace('+', '.');
            var summary = property is null
                ? _comments.GetValueOrDefault($"T:{name}")?.Element("summary")
                : _comments.GetValueOrDefault($"P:{name}.{property}")?.Element("summary")
                    ?? _comments.GetValueOrDefault($"T:{name}")?.Elements("param").FirstOrDefault(param => param.Attribute("name")?.Value == property);
            return summary is null ? null : Whitespace().Replace(string.Concat(summary.Nodes().Select(Plain)), " ").Trim();
        }

        private static string Plain(XNode node) => node switch
        {
            XText text => text.Value,
            XElement { Name.LocalName: "c" } code => $"`{code.Value}`",
            XElement { Name.LocalName: "see" } see when see.Attribute("cref") is { } target => target.Value.Split('.', '(')[^1],
            XElement { Name.LocalName: "paramref" } parameter => parameter.Attribute("name")!.Value,
            XElement other => string.Concat(other.Nodes().Select(Plain)),
            _ => "",
        };

        [GeneratedRegex(@"\s+")]
        private static partial Regex Whitespace();
    }
}
