using System.Net;
using Azure.Core;
using Azure.Data.Tables;
using Azure.Identity;
using Azure.Messaging.ServiceBus;
using Microsoft.Extensions.Configuration;
using RetentionFunctions.Settings;

namespace RetentionFunctions.Functions;

/// <summary>What only this host needs to know: where its storage and queue are, and the keys of SendGrid and Stripe.</summary>
/// <param name="Tables">The table service: a connection string, or the address that the app's identity may use.</param>
/// <param name="ServiceBus">The namespace of the queue, in the same two ways.</param>
/// <param name="SendGridKey">An API key of SendGrid with the right "Mail Send".</param>
/// <param name="StripeKey">A secret or restricted key of Stripe: subscriptions and customer portal to write; customers, payment methods, subscriptions, invoices, prices and events to read.</param>
/// <param name="PublicUrl">The address of this app.</param>
public sealed record AzureSettings(Connection Tables, Connection ServiceBus, string SendGridKey, string StripeKey, Uri PublicUrl)
{
    /// <summary>The name of the Service Bus connection in the triggers.</summary>
    public const string ServiceBusName = "ServiceBus";

    // Without an admin key the pages are open to the machine itself, and here every request comes through a proxy on the same machine.
    private static readonly SettingRequirement[] Required = [SettingRequirement.WebhookSecret, SettingRequirement.WriteKey, SettingRequirement.AdminKey];

    /// <summary>Reads the settings of the product and of this host.</summary>
    /// <exception cref="SettingsException">Something is wrong or missing; it lists everything at once.</exception>
    public static (RetentionSettings Settings, AzureSettings Azure) Load(IConfiguration configuration)
    {
        var problems = new List<SettingProblem>();
        RetentionSettings? settings = null;
        try
        {
            settings = SettingsLoader.Load(configuration, Required);
        }
        catch (SettingsException e)
        {
            problems.AddRange(e.Problems);
        }

        string Key(string name, string why, string example)
        {
            if (configuration[name] is { Length: > 0 } value) return value;
            problems.Add(new SettingProblem(name, why, $"{name}={example}"));
            return "";
        }

        Connection Connect(string name, string part, string why, string example)
        {
            var connection = new Connection(configuration[name], configuration[$"{name}:{part}"]);
            if (connection.String is null && connection.Address is null) problems.Add(new SettingProblem($"{name}:{part}", why, $"{name}__{part}={example}"));
            return connection;
        }

        var azure = new AzureSettings(
            Connect("Tables", "tableServiceUri", "It is missing: nothing can be kept without the table storage. A connection string may stand in 'Tables' instead.", "https://ACCOUNT.table.core.windows.net"),
            Connect(ServiceBusName, "fullyQualifiedNamespace", "It is missing: the inbox is a queue of Service Bus. A connection string may stand in 'ServiceBus' instead.", "NAMESPACE.servicebus.windows.net"),
            Key("SENDGRID_API_KEY", "It is missing: e-mails go out through SendGrid.", "SG.…"),
            Key("STRIPE_API_KEY", "It is missing: pausing and paying from an e-mail act on Stripe.", "rk_live_…"),
            // Azure gives the app its name; on a developer's machine the tools listen on 7071.
            configuration["WEBSITE_HOSTNAME"] is { Length: > 0 } name ? new Uri(IsLocal(name) ? $"http://{name}" : $"https://{name}") : new Uri("http://localhost:7071"));
        return problems.Count == 0 ? (settings!, azure) : throw new SettingsException(problems);
    }

    /// <summary>This process runs on Azure: its proxy is then the one that says where a request came from.</summary>
    public bool OnAzure => PublicUrl.Scheme == Uri.UriSchemeHttps;

    /// <summary>The client of the product's table.</summary>
    /// <param name="retries">How often it tries again by itself.</param>
    public TableClient TablesClient(int retries)
    {
        var options = new TableClientOptions { Retry = { MaxRetries = retries, NetworkTimeout = TimeSpan.FromSeconds(30) } };
        return Tables.String is { } text ? new TableClient(text, AzureTables.Name, options) : new TableClient(new Uri(Tables.Address!), AzureTables.Name, Identity(), options);
    }

    /// <summary>The Service Bus client.</summary>
    public ServiceBusClient ServiceBusClient() => ServiceBus.String is { } text ? new ServiceBusClient(text) : new ServiceBusClient(ServiceBus.Address!, Identity());

    // The app's own identity on Azure (AZURE_CLIENT_ID names it), whoever is signed in to the Azure CLI on a developer's machine.
    private static TokenCredential Identity() => new DefaultAzureCredential();

    private static bool IsLocal(string name) =>
        name.StartsWith("localhost", StringComparison.OrdinalIgnoreCase) || IPEndPoint.TryParse(name, out _);
}

/// <summary>Where a service is.</summary>
/// <param name="String">A connection string with a key in it.</param>
/// <param name="Address">The address alone, for the app's identity.</param>
public sealed record Connection(string? String, string? Address);
