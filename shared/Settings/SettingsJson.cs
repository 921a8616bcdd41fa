using System.Collections;
using System.Reflection;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;

namespace RetentionFunctions.Settings;

/// <summary>
/// The settings as a tree of JSON, and its shape. Loader, checks, report and schema all walk this shape, so a room that adds
/// a setting adds a property and nothing else.
/// </summary>
internal static class SettingsJson
{
    public static JsonSerializerOptions Options { get; } = Make();

    public static JsonTypeInfo Shape(Type type) => Options.GetTypeInfo(type);

    public static JsonObject Defaults() => Tree(new RetentionSettings());

    public static JsonObject Tree(RetentionSettings settings) => JsonSerializer.SerializeToNode(settings, Options)!.AsObject();

    /// <summary>The name in code, which keys and environment variables use; files use it in camelCase.</summary>
    public static string ClrName(JsonPropertyInfo property) => (property.AttributeProvider as MemberInfo)?.Name ?? property.Name;

    public static string EnumName(string name) => JsonNamingPolicy.CamelCase.ConvertName(name);

    private static JsonSerializerOptions Make()
    {
        var resolver = new DefaultJsonTypeInfoResolver();
        resolver.Modifiers.Add(KeepComparers);
        var options = new JsonSerializerOptions
        {
            PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
            UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
            IgnoreReadOnlyProperties = true,
            RespectNullableAnnotations = true,
            TypeInfoResolver = resolver,
            Converters = { new JsonStringEnumConverter(JsonNamingPolicy.CamelCase, allowIntegerValues: false) },
        };
        options.MakeReadOnly();
        return options;
    }

    // The serialiser makes dictionaries with the ordinary comparer. Where a room chose another (event names without regard to
    // case), what was read is put into one like it. Later entries win: those of the founder follow the defaults.
    private static void KeepComparers(JsonTypeInfo type)
    {
        foreach (var property in type.Properties)
        {
            if (property is not { Get: { } get, Set: { } set }) continue;
            if (!property.PropertyType.IsGenericType || property.PropertyType.GetGenericTypeDefinition() != typeof(Dictionary<,>)) continue;
            var constructor = property.PropertyType.GetConstructor([typeof(IEqualityComparer<>).MakeGenericType(property.PropertyType.GenericTypeArguments[0])])!;
            var comparer = property.PropertyType.GetProperty(nameof(Dictionary<string, object>.Comparer))!;
            property.Set = (owner, value) =>
            {
                if (value is IDictionary read && get(owner) is { } initial)
                {
                    var kept = (IDictionary)constructor.Invoke([comparer.GetValue(initial)]);
                    foreach (DictionaryEntry entry in read) kept[entry.Key] = entry.Value;
                    value = kept;
                }
                set(owner, value);
            };
        }
    }
}
