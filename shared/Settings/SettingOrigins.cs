using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Configuration.CommandLine;
using Microsoft.Extensions.Configuration.EnvironmentVariables;

namespace RetentionFunctions.Settings;

/// <summary>Says which source a setting comes from: the last that has it, as the configuration itself decides.</summary>
internal sealed class SettingOrigins(IConfiguration configuration)
{
    public const string Default = "default";
    public const string RetentionJson = "retention.json";
    public const string UserSecrets = "user secrets";
    public const string Environment = "environment";
    public const string CommandLine = "command line";
    public const string Other = "host";

    private readonly IReadOnlyList<IConfigurationProvider> _providers = [.. (configuration as IConfigurationRoot)?.Providers.Reverse() ?? []];

    /// <summary>The source of a value; null where none has it.</summary>
    public string? Of(string configurationKey) =>
        _providers.FirstOrDefault(provider => provider.TryGet(configurationKey, out _)) is { } provider ? Name(provider) : null;

    /// <summary>The source of a group of settings or of a single one.</summary>
    public string? OfAny(string configurationKey) =>
        Of(configurationKey) ?? (_providers.FirstOrDefault(provider => Has(provider, configurationKey)) is { } holder ? Name(holder) : null);

    /// <summary>Whether the founder's file has it, even where another source wins.</summary>
    public bool InRetentionJson(string configurationKey, bool orEmpty = false) =>
        _providers.OfType<SettingsFileProvider>().Any(file => file.Origin == RetentionJson
            && (Has(file, configurationKey) || (file.TryGet(configurationKey, out var value) && (orEmpty || !string.IsNullOrEmpty(value)))));

    private static bool Has(IConfigurationProvider provider, string key) => provider.GetChildKeys([], key).Any();

    private static string Name(IConfigurationProvider provider) => provider switch
    {
        SettingsFileProvider file => file.Origin,
        EnvironmentVariablesConfigurationProvider => Environment,
        CommandLineConfigurationProvider => CommandLine,
        _ => Other,
    };
}
