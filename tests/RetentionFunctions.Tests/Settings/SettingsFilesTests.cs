using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Configuration;
using RetentionFunctions.Settings;

namespace RetentionFunctions.Tests.Settings;

/// <summary>The two files at the root of the repository, and the report of what is in force.</summary>
public sealed class SettingsFilesTests
{
    [Fact]
    public void The_example_that_comes_with_the_product_loads_and_says_what_the_defaults_are()
    {
        var configuration = new ConfigurationBuilder().Add(new SettingsFileSource(Path.Combine(Given.Repository(), "retention.json"), SettingOrigins.RetentionJson, required: true)).Build();
        Assert.Equal(SettingsJson.Defaults().ToJsonString(), SettingsJson.Tree(SettingsLoader.Load(configuration)).ToJsonString());
    }

    [Fact]
    public void The_committed_schema_is_the_one_that_the_settings_give()
    {
        var path = Path.Combine(Given.Repository(), SettingsSchema.FileName);
        if (Environment.GetEnvironmentVariable("WRITE_SCHEMA") == "1") File.WriteAllText(path, SettingsSchema.Generate());
        Assert.True(File.Exists(path) && File.ReadAllText(path).ReplaceLineEndings("\n") == SettingsSchema.Generate(),
            "retention.schema.json is not what the settings are now. Write it anew with: WRITE_SCHEMA=1 dotnet test tests/RetentionFunctions.Tests --filter FullyQualifiedName~SettingsFilesTests");
    }

    [Fact]
    public void The_schema_bounds_numbers_lists_choices_explains_names_and_leaves_secrets_out()
    {
        var schema = JsonNode.Parse(SettingsSchema.Generate())!;
        Assert.Equal("https://json-schema.org/draft/2020-12/schema", (string?)schema["$schema"]);
        Assert.False((bool)schema["additionalProperties"]!);
        var flows = schema["$defs"]!["FlowSettings"]!;
        Assert.Equal(["live", "preview"], flows["properties"]!["mode"]!["enum"]!.AsArray().Select(name => (string?)name));
        var silent = flows["properties"]!["silentDays"]!;
        Assert.Equal((1, 365, 30, "integer"), ((int)silent["minimum"]!, (int)silent["maximum"]!, (int)silent["default"]!, (string?)silent["type"]));
        Assert.StartsWith("Days without sign-in", (string?)silent["description"], StringComparison.Ordinal);
        Assert.Equal("#/$defs/FlowDefinition", (string?)flows["properties"]!["definitions"]!["properties"]!["win-back"]!["$ref"]);
        Assert.Equal(["day", "template"], schema["$defs"]!["FlowStep"]!["required"]!.AsArray().Select(name => (string?)name));
        Assert.Null(schema["$defs"]!["StripeSettings"]!["properties"]!["webhookSecrets"]);
        Assert.Null(schema["properties"]!["admin"]);
    }

    [Fact]
    public void Every_setting_in_the_schema_is_explained()
    {
        var unexplained = JsonNode.Parse(SettingsSchema.Generate())!["$defs"]!.AsObject()
            .SelectMany(type => type.Value!["properties"]!.AsObject().Where(property => property.Value!["description"] is null).Select(property => $"{type.Key}.{property.Key}"));
        Assert.Empty(unexplained);
    }

    [Fact]
    public void Every_name_in_the_example_stands_in_the_schema()
    {
        var schema = JsonNode.Parse(SettingsSchema.Generate())!;
        var example = JsonNode.Parse(File.ReadAllText(Path.Combine(Given.Repository(), "retention.json")), documentOptions: new JsonDocumentOptions { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true });
        Assert.Empty(Strangers(schema, example!, ""));

        IEnumerable<string> Strangers(JsonNode type, JsonNode value, string path)
        {
            if (type["$ref"] is { } reference) type = schema["$defs"]![((string)reference!).Split('/')[^1]]!;
            if (value is not JsonObject group) return [];
            return group.SelectMany(pair => (type["properties"]?[pair.Key] ?? type["additionalProperties"] as JsonObject) is { } inner ? Strangers(inner, pair.Value!, $"{path}.{pair.Key}") : [$"{path}.{pair.Key}"]);
        }
    }

    [Fact]
    public void Every_setting_that_sounds_like_a_secret_is_treated_as_one()
    {
        string[] endings = ["Key", "Secret", "Secrets", "Token", "Password", "ConnectionString"];
        var shape = SettingsJson.Shape(typeof(RetentionSettings));
        var forgotten = shape.Properties.SelectMany(section => SettingsJson.Shape(section.PropertyType).Properties
            .Where(p => p.PropertyType == typeof(string) || typeof(IEnumerable<string>).IsAssignableFrom(p.PropertyType))
            .Select(p => (section.PropertyType, Name: SettingsJson.ClrName(p))))
            .Where(p => endings.Any(ending => p.Name.EndsWith(ending, StringComparison.Ordinal)) && SettingRules.Of(p.PropertyType, p.Name) is not { Secret: true });
        Assert.Empty(forgotten);
    }

    [Fact]
    public void Every_rule_is_about_a_setting_that_exists() =>
        Assert.Empty(SettingRules.All.Where(rule => SettingsJson.Shape(rule.Owner).Properties.All(p => SettingsJson.ClrName(p) != rule.Property)).Select(rule => $"{rule.Owner.Name}.{rule.Property}"));

    [Fact]
    public void The_report_says_where_each_value_comes_from_and_hides_secrets()
    {
        var secrets = Path.Combine(Path.GetDirectoryName(Given.File("{}"))!, "secrets.json");
        File.WriteAllText(secrets, """{ "Admin:Key": "verysecret-verysecret" }""");
        var configuration = new ConfigurationBuilder()
            .Add(new SettingsFileSource(Given.File("""{ "flows": { "silentDays": 20, "maxStartsPerDay": 10 } }"""), SettingOrigins.RetentionJson, required: true))
            .Add(new SettingsFileSource(secrets, SettingOrigins.UserSecrets, required: true))
            .AddCommandLine(["--Flows:MaxStartsPerDay", "5"])
            .Build();
        var report = SettingsReport.Of(configuration, SettingsLoader.Load(configuration));
        Assert.Contains(new SettingLine("Flows:SilentDays", "20", "retention.json"), report);
        Assert.Contains(new SettingLine("Flows:MaxStartsPerDay", "5", "command line"), report);
        Assert.Contains(new SettingLine("Admin:Key", "set (hidden)", "user secrets"), report);
        Assert.Contains(new SettingLine("Sweep:Hour", "6", "default"), report);
        Assert.Contains(new SettingLine("Web:PublicUrl", "not set", "default"), report);
        Assert.Contains(new SettingLine("Flows:Definitions:win-back:Steps:1:Day", "3", "default"), report);
        Assert.DoesNotContain(report, line => line.Value.Contains("verysecret", StringComparison.Ordinal));
    }

    [Fact]
    public void User_secrets_may_be_written_with_colons_as_the_dotnet_tool_writes_them()
    {
        var path = Path.Combine(Path.GetDirectoryName(Given.File("{}"))!, "secrets.json");
        File.WriteAllText(path, """{ "Stripe:WebhookSecrets:0": "whsec_one", "AppEvents:WriteKey": "a-key-of-mine" }""");
        var configuration = new ConfigurationBuilder().Add(new SettingsFileSource(path, SettingOrigins.UserSecrets, required: true)).Build();
        Assert.Equal(["whsec_one"], SettingsLoader.Load(configuration).Stripe.WebhookSecrets);
    }

    [Fact]
    public void The_file_is_found_from_a_directory_below()
    {
        var file = Given.File("{}");
        var below = Directory.CreateDirectory(Path.Combine(Path.GetDirectoryName(file)!, "a", "b"));
        Assert.Equal(file, SettingsLoader.FindFile(below.FullName));
    }
}
