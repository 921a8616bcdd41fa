using Microsoft.Extensions.Configuration;
using RetentionFunctions.Settings;

namespace RetentionFunctions.Tests.Settings;

/// <summary>Settings as a founder gives them: a file, environment variables (in memory, spelled with colons), a command line.</summary>
internal static class Given
{
    public static RetentionSettings Settings(string? json = null, params (string Key, string? Value)[] host) => SettingsLoader.Load(Configuration(json, host));

    public static IReadOnlyList<SettingProblem> Problems(string? json = null, params (string Key, string? Value)[] host) =>
        Assert.Throws<SettingsException>(() => Settings(json, host)).Problems;

    public static SettingProblem Problem(string? json = null, params (string Key, string? Value)[] host) => Assert.Single(Problems(json, host));

    public static IConfigurationRoot Configuration(string? json, params (string Key, string? Value)[] host)
    {
        var builder = new ConfigurationBuilder();
        builder.AddInMemoryCollection(host.Select(pair => KeyValuePair.Create(pair.Key, pair.Value)));
        if (json is null) return builder.Build();
        var file = File(json);
        builder.Sources.Insert(0, new SettingsFileSource(file, SettingOrigins.RetentionJson, required: true));
        try
        {
            return builder.Build();
        }
        finally
        {
            Directory.Delete(Path.GetDirectoryName(file)!, recursive: true);
        }
    }

    public static string File(string json)
    {
        var folder = Directory.CreateTempSubdirectory("retention-settings-").FullName;
        AppDomain.CurrentDomain.ProcessExit += (_, _) => { if (Directory.Exists(folder)) Directory.Delete(folder, recursive: true); };
        var path = Path.Combine(folder, "retention.json");
        System.IO.File.WriteAllText(path, json);
        return path;
    }

    /// <summary>The repository, from wherever the tests run.</summary>
    public static string Repository()
    {
        for (var at = new DirectoryInfo(AppContext.BaseDirectory); at is not null; at = at.Parent)
        {
            if (System.IO.File.Exists(Path.Combine(at.FullName, "RetentionFunctions.sln"))) return at.FullName;
        }
        throw new DirectoryNotFoundException("RetentionFunctions.sln is in none of the directories above the tests.");
    }
}
