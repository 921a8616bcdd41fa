using System.Text;

namespace RetentionFunctions.Settings;

/// <summary>One thing that is wrong with the settings.</summary>
/// <param name="Key">The setting, as user secrets and the command line name it: <c>Flows:SilentDays</c>.</param>
/// <param name="Problem">What is wrong, as a sentence. Never contains a secret.</param>
/// <param name="Example">A right one, ready to copy.</param>
public sealed record SettingProblem(string Key, string Problem, string Example)
{
    /// <summary>The setting as an environment variable: <c>Flows__SilentDays</c>.</summary>
    public string EnvironmentKey => Key.Replace(":", "__", StringComparison.Ordinal);
}

/// <summary>The settings cannot be used, and the host must not start. Its message lists all problems at once, each with its key, what is wrong and an example.</summary>
public sealed class SettingsException : Exception
{
    /// <summary>With everything that was found.</summary>
    /// <param name="problems">At least one.</param>
    /// <param name="inner">What the reader of the file said, where there is such.</param>
    public SettingsException(IReadOnlyList<SettingProblem> problems, Exception? inner = null)
        : base(Describe(problems), inner) => Problems = problems;

    /// <summary>Everything that was found, in the order of the settings.</summary>
    public IReadOnlyList<SettingProblem> Problems { get; }

    private static string Describe(IReadOnlyList<SettingProblem> problems)
    {
        var text = new StringBuilder();
        text.Append(problems.Count == 1 ? "A setting is wrong:" : $"{problems.Count} settings are wrong:");
        foreach (var problem in problems)
        {
            text.Append("\n\n  ").Append(problem.Key);
            if (problem.EnvironmentKey != problem.Key) text.Append(" (environment: ").Append(problem.EnvironmentKey).Append(')');
            text.Append("\n    ").Append(problem.Problem).Append("\n    Example: ").Append(problem.Example);
        }
        return text.ToString();
    }
}

/// <summary>A setting that this host cannot do without, though others can.</summary>
/// <param name="Key">The setting: <c>Stripe:WebhookSecrets</c>.</param>
/// <param name="Why">Why, as a sentence.</param>
/// <param name="Example">How to set it.</param>
public sealed record SettingRequirement(string Key, string Why, string Example)
{
    /// <summary>For hosts that take app events from the internet.</summary>
    public static SettingRequirement WriteKey { get; } = new(
        "AppEvents:WriteKey",
        "It is missing: without it anybody could send events in your customers' names.",
        "AppEvents__WriteKey=… (any text of your own; your app sends the same)");

    /// <summary>For hosts whose pages the internet reaches.</summary>
    public static SettingRequirement AdminKey { get; } = new(
        "Admin:Key",
        "It is missing: the pages and the JSON API would be open to everybody.",
        "Admin__Key=… (at least 8 characters; `openssl rand -hex 16` makes one)");
}
