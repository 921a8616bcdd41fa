using System.Text.Json;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Configuration.UserSecrets;

namespace RetentionFunctions.Settings;

/// <summary>From <c>retention.json</c>, user secrets, the environment and the command line to <see cref="RetentionSettings"/>, or to a full list of what is wrong with them.</summary>
public static class SettingsLoader
{
    /// <summary>The name of the founder's file.</summary>
    public const string FileName = "retention.json";

    /// <summary>The name of the user secrets, which all hosts share (<c>UserSecretsId</c> in their projects).</summary>
    public const string UserSecretsId = "retention-functions";

    /// <summary>Adds the sources, each of which wins over those before it: the file, user secrets, the environment, the command line.</summary>
    /// <param name="builder">Of the host; what it has already stays, and loses against these.</param>
    /// <param name="retentionJsonPath">The founder's file, which may have comments and trailing commas; null for none.</param>
    /// <param name="userSecretsId">Whose user secrets to read; null for none.</param>
    /// <param name="args">The command line; null for none.</param>
    /// <exception cref="SettingsException">A file is missing or is not JSON: says where (a builder that loads at once, or <c>Build()</c>, throws it).</exception>
    public static IConfigurationBuilder AddSources(IConfigurationBuilder builder, string? retentionJsonPath, string? userSecretsId = UserSecretsId, string[]? args = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        if (retentionJsonPath is not null) builder.Add(new SettingsFileSource(retentionJsonPath, SettingOrigins.RetentionJson, required: true));
        if (userSecretsId is not null) builder.Add(new SettingsFileSource(PathHelper.GetSecretsPathFromSecretsId(userSecretsId), SettingOrigins.UserSecrets, required: false));
        builder.AddEnvironmentVariables();
        if (args is not null) builder.AddCommandLine(args);
        return builder;
    }

    /// <summary>Looks for <c>retention.json</c> in a directory and those above it; null where there is none.</summary>
    /// <param name="directory">Where to begin: the working directory, or that of the program.</param>
    public static string? FindFile(string directory)
    {
        for (var at = new DirectoryInfo(directory); at is not null; at = at.Parent)
        {
            var file = Path.Combine(at.FullName, FileName);
            if (File.Exists(file)) return file;
        }
        return null;
    }

    /// <summary>
    /// Reads the settings. What is not given has its default; dictionaries (flows, events, signals) are merged by name, so that one value of
    /// one flow can be changed alone; a list that is given replaces the default list. Names are matched without regard to case.
    /// </summary>
    /// <param name="configuration">As <see cref="AddSources"/> makes it. Where it is an <see cref="IConfigurationRoot"/>, problems name their source.</param>
    /// <param name="required">What this host cannot do without.</param>
    /// <exception cref="SettingsException">Something is wrong or missing; it lists everything at once.</exception>
    public static RetentionSettings Load(IConfiguration configuration, params IReadOnlyList<SettingRequirement> required)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        ArgumentNullException.ThrowIfNull(required);
        var overlay = new SettingsOverlay(configuration);
        var merged = overlay.Merge();
        List<SettingProblem> problems = [.. overlay.Problems, .. SettingsChecks.Each(merged)];
        RetentionSettings? settings = null;
        if (!overlay.Incomplete)
        {
            try
            {
                settings = merged.Deserialize<RetentionSettings>(SettingsJson.Options)!;
                problems.AddRange(SettingsChecks.Together(settings));
            }
            catch (JsonException exception)
            {
                // A room's own type refuses a text for a reason that only it knows.
                problems.Add(new(exception.Path ?? FileName, exception.Message, "see retention.schema.json"));
            }
        }
        var leaves = SettingsReport.Leaves(merged).ToList();
        problems.AddRange(required
            .Where(need => !leaves.Any(leaf => leaf.Value is not null && (leaf.Key == need.Key || leaf.Key.StartsWith(need.Key + ":", StringComparison.OrdinalIgnoreCase))))
            .Where(need => !problems.Any(problem => problem.Key.StartsWith(need.Key, StringComparison.OrdinalIgnoreCase)))
            .Select(need => new SettingProblem(need.Key, need.Why, need.Example)));
        return problems.Count == 0 ? settings! : throw new SettingsException([.. problems.DistinctBy(problem => (problem.Key, problem.Problem))]);
    }
}
