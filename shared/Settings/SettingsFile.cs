using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Configuration;

namespace RetentionFunctions.Settings;

/// <summary>
/// A JSON file of settings. The framework's own reader would do, but for three things: it says of a broken file that it failed, and not
/// where; it cuts names at colons; and it cannot tell <c>[]</c> and <c>{}</c> from null.
/// </summary>
internal sealed class SettingsFileSource(string path, string origin, bool required) : IConfigurationSource
{
    public IConfigurationProvider Build(IConfigurationBuilder builder) => new SettingsFileProvider(path, origin, required);
}

/// <summary>What stands in the file.</summary>
internal sealed class SettingsFileProvider(string path, string origin, bool required) : ConfigurationProvider
{
    private readonly List<SettingProblem> _problems = [];

    /// <summary>Where its settings come from, in the words of the report.</summary>
    public string Origin => origin;

    public override void Load()
    {
        _problems.Clear();
        Data = new Dictionary<string, string?>(StringComparer.OrdinalIgnoreCase);
        if (!File.Exists(path))
        {
            if (!required) return;
            throw new SettingsException([new(Path.GetFileName(path), $"There is no file '{path}'.", "copy retention.json from the repository, or leave the option out")]);
        }

        var bytes = File.ReadAllBytes(path).AsMemory();
        if (bytes.Span.StartsWith(Encoding.UTF8.Preamble)) bytes = bytes[Encoding.UTF8.Preamble.Length..];
        try
        {
            using var document = JsonDocument.Parse(bytes, new JsonDocumentOptions { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true });
            if (document.RootElement.ValueKind == JsonValueKind.Object) Add("", "", document.RootElement);
            else _problems.Add(new(Path.GetFileName(path), $"'{path}' holds no object: settings stand between {{ and }}.", """{ "product": { "name": "Acme" } }"""));
        }
        catch (JsonException exception)
        {
            throw new SettingsException([Malformed(bytes.Span, exception)], exception);
        }
        if (_problems.Count > 0) throw new SettingsException([.. _problems]);
    }

    private void Add(string key, string shown, JsonElement element)
    {
        switch (element.ValueKind)
        {
            case JsonValueKind.Object:
                if (key.Length > 0) Data[key] = "";
                foreach (var property in element.EnumerateObject()) Child(Name(property.Name), property.Name, property.Value);
                break;
            case JsonValueKind.Array:
                Data[key] = "";
                var index = 0;
                foreach (var item in element.EnumerateArray()) Child($"{index}", $"{index++}", item);
                break;
            default:
                Data[key] = element.ValueKind == JsonValueKind.Null ? null : element.ToString();
                break;
        }

        void Child(string name, string shownName, JsonElement value)
        {
            var full = key.Length == 0 ? name : $"{key}:{name}";
            var fullShown = key.Length == 0 ? shownName : $"{shown}.{shownName}";
            if (Data.ContainsKey(full))
                _problems.Add(new(SettingPath.Unescape(full), $"'{fullShown}' stands twice in {Path.GetFileName(path)}.", "keep one of the two"));
            else
                Add(full, fullShown, value);
        }
    }

    // `dotnet user-secrets set` writes whole keys; in the founder's file a colon belongs to a name ("Video: Played").
    private string Name(string name) => origin == SettingOrigins.UserSecrets ? name : SettingPath.Escape(name);

    private SettingProblem Malformed(ReadOnlySpan<byte> bytes, JsonException exception)
    {
        // The reader counts from 0, and columns in bytes; people and editors count from 1, and characters.
        var line = (int)(exception.LineNumber ?? 0);
        for (var skipped = 0; skipped < line; skipped++) bytes = bytes[(bytes.IndexOf((byte)'\n') + 1)..];
        var column = Encoding.UTF8.GetCharCount(bytes[..Math.Min(bytes.Length, (int)(exception.BytePositionInLine ?? 0))]);
        var message = exception.Message.Split(" LineNumber:", 2)[0].Split(" Path:", 2)[0];
        return new(Path.GetFileName(path), $"{path}, line {line + 1}, column {column + 1}: this is not JSON. {message}", """{ "product": { "name": "Acme" } }""");
    }
}
