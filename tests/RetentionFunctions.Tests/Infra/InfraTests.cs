using System.Globalization;
using System.Reflection;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using System.Xml;
using RetentionFunctions.Intake;
using RetentionFunctions.Intake.Stripe;
using RetentionFunctions.Settings;
using RetentionFunctions.Telemetry;
using RetentionFunctions.Tests.Settings;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.Tests.Infra;

/// <summary>What the code needs of Azure, and what infra/ makes there, are the same.</summary>
public class InfraTests
{
    // Read by others than our code, and by whom.
    private static readonly Dictionary<string, string> OfThePlatform = new()
    {
        ["AzureWebJobsStorage__blobServiceUri"] = "the Functions host",
        ["AzureWebJobsStorage__queueServiceUri"] = "Durable in the host",
        ["AzureWebJobsStorage__tableServiceUri"] = "Durable in the host",
        ["AzureWebJobsStorage__credential"] = "the Functions host",
        ["AzureWebJobsStorage__clientId"] = "the Functions host",
        ["AzureWebJobsDisableHomepage"] = "the Functions host",
        ["ServiceBus__credential"] = "the Service Bus trigger in the host",
        ["ServiceBus__clientId"] = "the Service Bus trigger in the host",
        ["AZURE_CLIENT_ID"] = "DefaultAzureCredential",
        ["APPLICATIONINSIGHTS_AUTHENTICATION_STRING"] = "the Functions host",
        ["OTEL_TRACES_SAMPLER"] = "OpenTelemetry in the host",
        ["OTEL_TRACES_SAMPLER_ARG"] = "OpenTelemetry in the host",
    };

    // Read by our code, and given by others, or not at all.
    private static readonly Dictionary<string, string> NotGiven = new()
    {
        ["WEBSITE_HOSTNAME"] = "Azure sets it",
        ["OTEL_EXPORTER_OTLP_ENDPOINT"] = "only where the founder has a collector of their own",
    };

    private static readonly IReadOnlyDictionary<string, string> Given = Settings();

    [Fact]
    public void The_bill_counts_the_alerts_and_the_memory_that_are_asked_for()
    {
        var workload = JsonNode.Parse(Text("docs/cost.json"))!["workload"]!;
        var alerts = Text("infra/modules/alerts.bicep");
        var rules = Regex.Count(alerts[..alerts.IndexOf("resource ", StringComparison.Ordinal)], "(?m)^    name: '") + Regex.Count(alerts, "(?m)^resource \\w+ 'Microsoft.Insights/metricAlerts@");
        Assert.Equal((int)workload["alertRules"]!["value"]!, rules);
        var memory = int.Parse(Regex.Match(Text("infra/main.bicep"), @"param instanceMemoryMB int = (\d+)").Groups[1].Value, CultureInfo.InvariantCulture);
        Assert.Equal((double)workload["instanceGigabytes"]!["value"]!, memory / 1024.0);

        static string Text(string file) => File.ReadAllText(Path.Combine(Repository.Root, file)).ReplaceLineEndings("\n");
    }

    [Fact]
    public void Every_setting_that_the_functions_read_is_given() =>
        Assert.Empty(ReadByCode().Except(Given.Keys).Except(NotGiven.Keys));

    [Fact]
    public void Every_setting_that_is_given_is_read_by_somebody()
    {
        var product = Given.Keys.Where(IsOfTheProduct).ToList();
        Assert.Empty(Given.Keys.Except(ReadByCode()).Except(OfThePlatform.Keys).Except(product));
        // The product's own: those which its loader does not know would stop the start.
        SettingsLoader.Load(SampleOf(product));
        Assert.Equal(OfThePlatform.Keys.Order(), OfThePlatform.Keys.Where(Given.ContainsKey).Order());
        Assert.Contains("new DefaultAzureCredential()", Sources.Functions, StringComparison.Ordinal);
    }

    [Fact]
    public void With_what_a_first_deployment_gives_the_functions_start()
    {
        var required = Regex.Match(Sources.Functions, @"SettingRequirement\[\] Required = \[([^\]]+)\]").Groups[1].Value.Split(',').Select(name => (SettingRequirement)typeof(SettingRequirement)
            .GetProperty(name.Trim().Split('.')[1], BindingFlags.Public | BindingFlags.Static)!.GetValue(null)!).ToList();
        Assert.NotEmpty(required);
        // The lists of webhook secrets and event keys are empty then.
        var settings = SettingsLoader.Load(SampleOf(Given.Keys.Where(IsOfTheProduct).Where(key => !key.EndsWith("__0", StringComparison.Ordinal))), required);
        Assert.Equal(FlowMode.Preview, settings.Flows.Mode);
    }

    [Fact]
    public void Secrets_are_given_as_references_to_the_vault_and_nothing_else_is()
    {
        string[] secret = ["SENDGRID_API_KEY", "STRIPE_API_KEY", "Admin__Key", "AppEvents__WriteKey", "Stripe__WebhookSecrets__0"];
        Assert.Equal(secret.Order(), Given.Where(pair => pair.Value.Contains("@Microsoft.KeyVault(", StringComparison.Ordinal)).Select(pair => pair.Key).Order());
        // What goes into the vault is kept out of Azure's history of deployments.
        var vault = BicepFile.Module("vault").Text;
        Assert.All(Regex.Matches(vault, @"properties: \{ value: (\w+) \}").Select(match => match.Groups[1].Value), value => Assert.Contains($"@secure()\nparam {value} string\n", vault, StringComparison.Ordinal));
        Assert.DoesNotContain(BicepFile.Main.Text.Split('\n'), line => line.StartsWith("output", StringComparison.Ordinal) && Regex.IsMatch(line, "= (adminKey|writeKey|\\w+ApiKey|stripeWebhookSecret\\w*)$"));
    }

    // Each role: where it is given, and what in the code needs it.
    private static readonly (string Role, string Id, string Module, string Scope, Func<bool> Needed)[] Needs =
    [
        ("storageBlobDataOwner", "b7e6dc6d-f1e8-4753-8033-0f276bb0955b", "storage", "account", () => Has("[TimerTrigger(") || Has("new BlobContainerClient(") || Durable()),
        ("storageQueueDataContributor", "974c5e8b-45b9-4653-ba55-5f855dd0fb88", "storage", "account", Durable),
        ("storageTableDataContributor", "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3", "storage", "account", () => Has("new TableClient(") || Durable()),
        ("serviceBusDataSender", "69a216fc-b8fb-44d8-bc22-1f3c2cd27a39", "servicebus", "inbox", () => Has(".CreateSender(")),
        ("serviceBusDataReceiver", "4f6d3b9b-027b-4f4c-9142-0e5a2a2247e0", "servicebus", "inbox", () => Has("[ServiceBusTrigger(")),
        ("keyVaultSecretsUser", "4633458b-17de-408a-874b-0445c86b69e6", "vault", "vault", () => Given.Values.Any(value => value.Contains("@Microsoft.KeyVault(", StringComparison.Ordinal))),
        ("monitoringMetricsPublisher", "3913510d-42f4-4e42-8a64-420c390055eb", "monitoring", "insights", () => Has(".UseAzureMonitorExporter(")),
    ];

    [Fact]
    public void The_identity_has_each_role_that_the_code_needs_where_it_needs_it_and_no_other()
    {
        var given = from file in BicepFile.Modules
                    where file.Text.Contains("var roles =", StringComparison.Ordinal)
                    from role in file.After("var roles =")
                    select (Role: role.Key, Id: role.Value.Trim('\''), Module: file.Name, Scope: file.After("'Microsoft.Authorization/roleAssignments@2022-04-01' =")["scope"]);
        Assert.Equal(Needs.Where(need => need.Needed()).Select(need => (need.Role, need.Id, Module: $"modules/{need.Module}.bicep", need.Scope)).Order(), given.Order());
        // Managing queues would need another one.
        Assert.DoesNotContain("ServiceBusAdministrationClient", Sources.Functions, StringComparison.Ordinal);
    }

    [Fact]
    public void Each_role_says_why_and_a_second_run_finds_its_assignment()
    {
        var files = BicepFile.Modules.Where(file => file.Text.Contains("roleAssignments@", StringComparison.Ordinal)).ToList();
        Assert.NotEmpty(files);
        Assert.All(files, file =>
        {
            var lines = file.Source.Split('\n');
            Assert.All(file.After("var roles =").Keys, role => Assert.StartsWith("// ", lines[Array.FindIndex(lines, line => line.Contains($"{role}:", StringComparison.Ordinal)) - 1].Trim(), StringComparison.Ordinal));
            var assignment = file.After("'Microsoft.Authorization/roleAssignments@2022-04-01' =");
            Assert.Equal($"guid({assignment["scope"]}.id, principalId, role.value)", assignment["name"]);
        });
        // What differs from run to run would make a change of each.
        Assert.All(BicepFile.Modules.Append(BicepFile.Main), file => Assert.DoesNotMatch(@"\b(newGuid|utcNow)\(", file.Text));
    }

    [Fact]
    public void No_service_takes_a_key()
    {
        Assert.Equal("false", BicepFile.Properties(BicepFile.Module("storage").Body("resource", "account")["properties"])["allowSharedKeyAccess"]);
        Assert.Equal("true", BicepFile.Properties(BicepFile.Module("servicebus").Body("resource", "bus")["properties"])["disableLocalAuth"]);
        Assert.Equal("true", BicepFile.Properties(BicepFile.Module("monitoring").Body("resource", "insights")["properties"])["DisableLocalAuth"]);
        Assert.Equal("true", BicepFile.Properties(BicepFile.Module("vault").Body("resource", "vault")["properties"])["enableRbacAuthorization"]);
        Assert.DoesNotContain(Given.Values, value => value.Contains("listKeys", StringComparison.Ordinal) || value.Contains("AccountKey", StringComparison.Ordinal));
    }

    [Fact]
    public void The_queue_is_as_the_code_takes_it_to_be()
    {
        var body = BicepFile.Module("servicebus").Body("resource", "inbox");
        var queue = BicepFile.Properties(body["properties"]);
        Assert.Equal($"'{Sources.Constant("ServiceBusInbox", "Queue")}'", body["name"]);
        Assert.Equal(Has("IsSessionsEnabled = true") ? "true" : "false", queue["requiresSession"]);
        Assert.Equal("true", queue["requiresDuplicateDetection"]);
        Assert.Equal($"{InboxProcessor.MaxAttempts}", queue["maxDeliveryCount"]);
        Assert.Equal("true", queue["deadLetteringOnMessageExpiration"]);
        // Stripe repeats for three days; Azure keeps seven at most.
        Assert.InRange(XmlConvert.ToTimeSpan(queue["duplicateDetectionHistoryTimeWindow"].Trim('\'')), TimeSpan.FromDays(3), TimeSpan.FromDays(7));
        // What expires was not handled for longer than anybody repeats it.
        Assert.True(XmlConvert.ToTimeSpan(queue["defaultMessageTimeToLive"].Trim('\'')) >= TimeSpan.FromDays(7));
        Assert.Equal("Standard", BicepFile.Properties(BicepFile.Module("servicebus").Body("resource", "bus")["sku"])["name"].Trim('\''));
        var host = JsonNode.Parse(Sources.HostJson)!["extensions"]!["serviceBus"]!;
        Assert.Equal(Sources.Constant("InboxEnvelope", "Sessions"), $"{host["maxConcurrentSessions"]}");
    }

    [Fact]
    public void The_table_and_the_containers_are_those_of_the_code()
    {
        var storage = BicepFile.Module("storage");
        Assert.Equal($"'{Sources.Constant("AzureTables", "Name")}'", storage.Body("resource", "table")["name"]);
        Assert.Equal($"'{Sources.Constant("AzureSettings", "BackupsContainer")}'", storage.Body("resource", "backups")["name"]);
        Assert.Contains("prefixMatch: ['backups/']", storage.Text, StringComparison.Ordinal);
        Assert.Contains("daysAfterModificationGreaterThan: 35", storage.Text, StringComparison.Ordinal);
        Assert.Equal("'${blobEndpoint}${deploymentContainer}'", BicepFile.Module("app").After("storage:")["value"]);
    }

    [Fact]
    public void The_queries_of_the_alerts_use_names_that_the_code_gives()
    {
        var names = typeof(RetentionTelemetry).GetFields(BindingFlags.Public | BindingFlags.Static).Where(field => field.IsLiteral).Select(field => (string)field.GetRawConstantValue()!).ToList();
        var alerts = BicepFile.Module("alerts").Text;
        var metrics = Regex.Matches(alerts, @"""(retention\.[a-z_.]+)""").Select(match => match.Groups[1].Value).ToList();
        Assert.NotEmpty(metrics);
        Assert.All(metrics, metric => Assert.Contains(metric, names));
        Assert.All(Regex.Matches(alerts, @"Properties\[""(\w+)""\]").Select(match => match.Groups[1].Value), tag => Assert.Contains(tag, names));
        // Those that a founder needs, and the queue itself.
        Assert.Superset(new HashSet<string> { RetentionTelemetry.DeadLetters, RetentionTelemetry.SweepDuration, RetentionTelemetry.RequestsRefused, RetentionTelemetry.RequestsFailed, RetentionTelemetry.RunsLate, RetentionTelemetry.JobsEnded }, metrics.ToHashSet());
        Assert.Contains($"values: ['{Sources.Constant("ServiceBusInbox", "Queue")}']", alerts, StringComparison.Ordinal);
    }

    [Fact]
    public void Each_alert_is_explained()
    {
        var guide = File.ReadAllText(Path.Combine(Repository.Root, "docs", "operating.md"));
        var names = BicepFile.Items(BicepFile.Module("alerts").Text[(BicepFile.Module("alerts").Text.IndexOf("var rules =", StringComparison.Ordinal) + "var rules = ".Length)..])
            .Select(rule => BicepFile.Properties(rule)["name"].Trim('\'')).Append(BicepFile.Module("alerts").Body("resource", "waiting")["name"].Trim('\'')).ToList();
        Assert.Equal(7, names.Count);
        Assert.All(names, name => Assert.Contains($"### {name}\n", guide, StringComparison.Ordinal));
    }

    [Fact]
    public void Azd_asks_for_what_only_the_founder_knows_and_a_first_deployment_writes_to_nobody()
    {
        var parameters = BicepFile.Main.Parameters;
        var file = JsonNode.Parse(File.ReadAllText(Path.Combine(Repository.Root, "infra", "main.parameters.json")))!["parameters"]!.AsObject();
        Assert.Equal(parameters.Keys.Order(), file.Select(pair => pair.Key).Order());
        string[] azdsOwn = ["environmentName", "location"];
        var asked = parameters.Where(p => p.Value is { Default: null, Made: false } && !azdsOwn.Contains(p.Key) && !$"{file[p.Key]!["value"]}".Contains('=', StringComparison.Ordinal)).Select(p => p.Key);
        Assert.Equal(["founderName", "postalAddress", "productName", "productUrl", "sendGridApiKey", "senderEmail", "stripeApiKey"], asked.Order(StringComparer.Ordinal));
        Assert.Equal(["adminKey", "writeKey"], parameters.Where(p => p.Value.Made).Select(p => p.Key).Order(StringComparer.Ordinal));
        Assert.Equal("${FLOWS_MODE=preview}", $"{file["flowsMode"]!["value"]}");
    }

    [Fact]
    public void What_a_founder_is_told_to_set_is_a_parameter_and_the_pipeline_passes_all_of_them()
    {
        var file = File.ReadAllText(Path.Combine(Repository.Root, "infra", "main.parameters.json"));
        var names = Regex.Matches(file, @"\$\{(\w+)[}=]").Select(match => match.Groups[1].Value).ToHashSet();
        string[] texts = ["README.md", "docs/operating.md", "infra/hooks/next-steps.txt", "infra/hooks/preprovision.sh", "infra/hooks/preprovision.ps1", "functions/Azure/AzureSettings.cs"];
        Assert.All(texts.SelectMany(text => Regex.Matches(File.ReadAllText(Path.Combine(Repository.Root, text)), @"azd env set ([A-Z_]+)").Select(match => match.Groups[1].Value)), name => Assert.Contains(name, names));
        var pipeline = File.ReadAllText(Path.Combine(Repository.Root, ".github", "workflows", "azure-dev.yml"));
        Assert.All(names, name => Assert.Matches($@"{name}: \$\{{\{{ (vars|secrets)\.{name} \}}\}}", pipeline));
        // A secret is not a variable, which everybody with access to the repository reads.
        var secret = Regex.Matches(BicepFile.Main.Text, @"@secure\(\)(?:\n@[^\n]*)*\nparam (\w+)").Select(match => $"{JsonNode.Parse(file)!["parameters"]![match.Groups[1].Value]!["value"]}".Trim('$', '{', '}'));
        Assert.Equal(secret.Order(), Regex.Matches(pipeline, @"secrets\.(\w+)").Select(match => match.Groups[1].Value).Order());
    }

    [Fact]
    public void Each_module_gets_the_parameters_that_it_has()
    {
        var calls = Regex.Matches(BicepFile.Main.Text, @"^module (\w+) '(modules/\w+\.bicep)'", RegexOptions.Multiline).ToList();
        Assert.Equal(BicepFile.Modules.Select(file => file.Name).Order(), calls.Select(call => call.Groups[2].Value).Order());
        Assert.All(calls, call =>
        {
            var given = BicepFile.Properties(BicepFile.Main.After(call.Value)["params"]);
            var module = BicepFile.Modules.Single(file => file.Name == call.Groups[2].Value);
            Assert.Equal(module.Parameters.Keys.Order(), given.Keys.Order());
            // And what is taken from it is there.
            Assert.All(Regex.Matches(BicepFile.Main.Text, $@"\b{call.Groups[1].Value}\.outputs\.(\w+)").Select(match => match.Groups[1].Value), output => Assert.Matches($@"(?m)^output {output} ", module.Text));
        });
    }

    [Fact]
    public void Azd_finds_the_app_and_its_hooks()
    {
        var azd = File.ReadAllText(Path.Combine(Repository.Root, "azure.yaml"));
        var service = Regex.Match(azd, @"services:\n  (\w+):\n    project: \./(\w+)").Groups;
        Assert.Contains($"'azd-service-name': '{service[1].Value}'", BicepFile.Module("app").Text, StringComparison.Ordinal);
        Assert.True(Directory.Exists(Path.Combine(Repository.Root, service[2].Value)));
        var hooks = Regex.Matches(azd, @"run: \./(\S+)").Select(match => match.Groups[1].Value).ToList();
        Assert.Equal(4, hooks.Count);
        Assert.All(hooks, hook => Assert.True(File.Exists(Path.Combine(Repository.Root, hook)), hook));
        Assert.Contains($"version: '{Regex.Match(File.ReadAllText(Path.Combine(Repository.Root, "Directory.Build.props")), "net(10\\.0)<").Groups[1].Value}'", BicepFile.Module("app").Text, StringComparison.Ordinal);
    }

    [Fact]
    public void The_hooks_print_what_the_deployment_put_out_and_every_event_that_is_handled()
    {
        var outputs = Regex.Matches(BicepFile.Main.Text, @"(?m)^output (\w+) ").Select(match => match.Groups[1].Value).ToHashSet();
        var (sh, ps, text) = (Hook("postup.sh"), Hook("postup.ps1"), Hook("next-steps.txt"));
        var inText = Regex.Matches(text, "@([A-Z_]+)@").Select(match => match.Groups[1].Value).ToHashSet();
        Assert.Superset(new HashSet<string> { "DASHBOARD_URL", "STRIPE_WEBHOOK_URL", "SENDGRID_WEBHOOK_URL" }, inText);
        Assert.Subset(outputs, inText);
        Assert.All(inText, name => Assert.Contains($"s|@{name}@|${name}|", sh, StringComparison.Ordinal));
        Assert.All(inText, name => Assert.Contains($"'{name}'", ps, StringComparison.Ordinal));
        Assert.Equal(StripeEventTypes.Meanings.Keys.Order(StringComparer.Ordinal), Regex.Matches(text, @"(?m)^     ([a-z_]+\.[a-z_.]+)$").Select(match => match.Groups[1].Value));
        // No secret comes on the screen, where a pipeline would keep it.
        Assert.DoesNotMatch("ADMIN_KEY|WRITE_KEY|API_KEY", sh + ps + text);

        static string Hook(string name) => File.ReadAllText(Path.Combine(Repository.Root, "infra", "hooks", name));
    }

    private static bool Has(string text) => Sources.Functions.Contains(text, StringComparison.Ordinal);

    private static bool Durable() => $"{JsonNode.Parse(Sources.HostJson)!["extensions"]?["durableTask"]?["storageProvider"]?["type"]}" == "AzureStorage";

    private static IReadOnlyDictionary<string, string> Settings()
    {
        var app = BicepFile.Module("app");
        var settings = new Dictionary<string, string>(BicepFile.Properties(app.Text[app.Text.IndexOf('{', app.Text.IndexOf("properties: union(", StringComparison.Ordinal))..]));
        // Lists: name and value of an item.
        foreach (Match list in Regex.Matches(app.Text, @"i => '(\w+__)\$\{i\}', i => ([^\n]+)\)\n")) settings.Add($"{list.Groups[1].Value}0", list.Groups[2].Value);
        return settings;
    }

    private static HashSet<string> ReadByCode() =>
    [
        .. Sources.All(@"\bKey\(""(\w+)"""),
        .. Sources.All(@"configuration\[""([\w:]+)""\]").Select(key => key.Replace(":", "__", StringComparison.Ordinal)),
        .. Sources.All(@"GetEnvironmentVariable\(""(\w+)""\)"),
        .. Regex.Matches(Sources.Functions, @"Connect\((""\w+""|ServiceBusName), ""(\w+)""").Select(match => $"{(match.Groups[1].Value[0] == '"' ? match.Groups[1].Value.Trim('"') : Sources.Constant("AzureSettings", "ServiceBusName"))}__{match.Groups[2].Value}"),
    ];

    private static bool IsOfTheProduct(string key) => key.Split("__") is { Length: > 1 } parts && typeof(RetentionSettings).GetProperty(parts[0]) is not null;

    private static Microsoft.Extensions.Configuration.IConfiguration SampleOf(IEnumerable<string> keys) => Tests.Settings.Given.Configuration(null, [.. keys.Select(key => (key.Replace("__", ":", StringComparison.Ordinal), (string?)(key switch
    {
        "Product__Url" => "https://app.acme.com",
        "Email__From" or "Email__BillingFrom" => "hello@acme.com",
        "Flows__Mode" => "preview",
        "Stripe__WebhookSecrets__0" => "whsec_0123456789",
        "Email__SendGrid__EventPublicKeys__0" => MailProvider.PublicKey,
        _ => "0123456789abcdef0123",
    })))]);
}
